import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { plot } from 'neurite';
import { paths } from './optimizers/paths.mjs';
import { DATA, LRS, OPTIMIZERS, studies, train } from './optimizers/runs.mjs';

const USAGE = `Compares optimizers on two small classification problems, moons and circles, split 70/30.

node examples/optimizers.mjs [options]
  --out DIR   where optimizers.svg and optimizers.json go (default runs/optimizers)
  --epochs N  passes over the training part (default 60)
  --seed N    random seed (default 1)
  --full      every optimizer with every learning rate and batch size, instead of one thing changed at a time
  --quick     a few short runs, to see that it works
  --json      print nothing but one JSON object as the last line
  --help

One thing is changed at a time from: Adam, learning rate 0.01, batch 32, hidden layers of 32 and 16, no dropout, no L2.`;

function commandLine() {
  const flag = { type: 'boolean', default: false };
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: join('runs', 'optimizers') },
      epochs: { type: 'string' },
      seed: { type: 'string', default: '1' },
      full: flag,
      quick: flag,
      json: flag,
      help: flag,
    },
  });
  const whole = (name, text, low) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < low)
      throw new Error(`--${name} is ${text}, expected a whole number >= ${low}`);
    return value;
  };
  const epochs = whole('epochs', values.epochs ?? (values.quick ? 4 : 60), 1);
  return { ...values, epochs, seed: whole('seed', values.seed, 0) };
}

/** The pictures of one data set. */
async function pictures(name, done) {
  const of = (study) => done.filter((r) => r.data === name && r.study === study);
  const grid = of('optimizer and learning rate');
  const optimizers = [...new Set(grid.map((r) => r.optimizer))];
  const rates = [...new Set(grid.map((r) => r.lr))];
  const cell = (optimizer, lr) => grid.find((r) => r.optimizer === optimizer && r.lr === lr)?.accuracy ?? Number.NaN;
  const best = optimizers.map((o) => grid.filter((r) => r.optimizer === o).reduce((a, b) => (b.loss < a.loss ? b : a)));
  const winner = best.reduce((a, b) => (b.accuracy > a.accuracy ? b : a));
  const shown = best.toSorted((a, b) => a.loss - b.loss).slice(0, 6);
  const list = [
    plot.heatmap(
      optimizers.map((o) => rates.map((lr) => cell(o, lr))),
      {
        title: `${name}: test accuracy`,
        rows: optimizers,
        columns: rates.map(String),
        xLabel: 'learning rate',
        height: 420,
      },
    ),
    plot.lines(
      shown.map((r) => ({ name: `${r.optimizer}, ${r.lr}`, y: r.losses })),
      {
        title: `${name}: training loss at the best rate`,
        xLabel: 'epoch',
        yLabel: 'loss',
        yScale: 'log',
        markers: false,
      },
    ),
    await plot.decisionBoundary(winner.model, DATA[name].of(winner.noise, winner.seed), {
      title: `${name}: ${winner.optimizer}, learning rate ${winner.lr}`,
      resolution: 80,
    }),
  ];
  for (const study of ['batch size', 'momentum', 'width', 'dropout and L2', 'noise']) {
    const runs = of(study);
    const bars = { training: runs.map((r) => r.trainAccuracy), test: runs.map((r) => r.accuracy) };
    list.push(
      plot.bars(
        runs.map((r) => r.label),
        bars,
        { title: `${name}: ${study}`, yLabel: 'accuracy', yRange: [0, 1] },
      ),
    );
  }
  return list;
}

async function main(options) {
  const say = options.json ? () => {} : (text) => console.log(text);
  await mkdir(options.out, { recursive: true }); // now, not after the runs
  const plan = studies(options);
  const done = [];
  for (const run of plan) {
    done.push(await train(run));
    const { data, study, label, accuracy } = done.at(-1);
    say(
      `${String(done.length).padStart(4)}/${plan.length} ${data.padEnd(8)} ${study}: ${label}: ${(100 * accuracy).toFixed(1)} %`,
    );
  }
  const list = [];
  for (const name of Object.keys(DATA)) list.push(...(await pictures(name, done)));
  list.push(...(await paths(options.quick ? 40 : 150)));
  const file = join(options.out, 'optimizers.svg');
  await plot.save(plot.page(list, { title: 'Optimizers on moons and circles', columns: 4 }), file);
  const rows = done.map(({ model: _, ...rest }) => rest);
  await writeFile(
    join(options.out, 'optimizers.json'),
    `${JSON.stringify({ optimizers: OPTIMIZERS, rates: LRS, runs: rows })}\n`,
  );
  const best = rows.reduce((a, b) => (b.accuracy > a.accuracy ? b : a));
  say(
    `\nbest: ${best.data}, ${best.optimizer}, learning rate ${best.lr}: ${(100 * best.accuracy).toFixed(1)} %\nsaved ${file}`,
  );
  if (options.json) {
    const { data, optimizer, lr, accuracy } = best;
    console.log(JSON.stringify({ runs: rows.length, file, best: { data, optimizer, lr, accuracy } }));
  }
}

try {
  const options = commandLine();
  if (options.help) console.log(USAGE);
  else await main(options);
} catch (error) {
  console.error(process.env.NEURITE_DEBUG ? error : `${error.message}\n--help shows the options.`);
  process.exitCode = 2;
}
