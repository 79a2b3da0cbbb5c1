// npm run bench:pool -- [--rounds N] [--seconds X] [--json] [--no-history]
//
// The thread pool when the machine has less to give than it promises: steps a second of one network with one thread, one a CPU
// and two a CPU; alone, beside a busy process on every CPU, confined to one CPU, and with a quota of one. Each against what
// a pool without any loss would reach there. All take turns in every round; the median of the rounds counts.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { circumstances, digits, note, remember, wholeOption } from './harness.mjs';
import { median } from './probe.mjs';

const self = fileURLToPath(import.meta.url);
const CPUS = availableParallelism();

/** Steps a second of 784-128-128-10, batch 128, Adam, on as many threads as is said, CPUs or not; the pool's own choice beside it. */
async function steps(threads, seconds) {
  const { compile, configure, crossEntropy, flush, info, nn, normal, optim, realize, seed, tensor, valueAndGrad } =
    await import('../dist/index.js');
  const chosen = info().threads;
  configure({ threads });
  seed(1);
  const sizes = [784, 128, 128, 10];
  const layers = sizes.slice(1).flatMap((n, i) => [new nn.Linear(sizes[i], n), new nn.ReLU()]);
  const model = new nn.Sequential(...layers.slice(0, -1));
  const optimizer = new optim.Adam({ lr: 1e-3 });
  const lossAndGrad = valueAndGrad(model, (x, y) => crossEntropy(model.forward(x), y));
  const step = compile((x, y) => {
    const [loss, grads] = lossAndGrad(x, y);
    optimizer.update(model, grads);
    return loss;
  });
  const x = normal([128, 784]).keep();
  const y = tensor(Int32Array.from({ length: 128 }, (_, i) => i % 10));
  await realize(x);
  for (let i = 0; i < 50; i++) step.sync(x, y);
  await flush();
  let n = 0;
  const start = performance.now();
  let now = start;
  for (; now - start < seconds * 1000; n++, now = performance.now()) step.sync(x, y);
  return { rate: (n / (now - start)) * 1000, chosen };
}

/** The same in a process of its own, entered through the command `prefix`. */
function measure(threads, seconds, prefix) {
  const [command, ...args] = [...prefix, process.execPath, self, 'child', `${threads}`, `${seconds}`];
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 120_000 });
  if (stdout === '') throw new Error(`pool: the process that measures failed: ${stderr}`);
  return JSON.parse(stdout);
}

/** A command that enters a control group with the time of one CPU, or null where none can be made. */
function quota() {
  const period = 100_000;
  const refused = [];
  // The shares: other work on the machine comes after this group.
  for (const [directory, limits] of [
    [
      '/sys/fs/cgroup/cpu/neurite-bench',
      { 'cpu.cfs_period_us': period, 'cpu.cfs_quota_us': period, 'cpu.shares': 262144 },
    ],
    ['/sys/fs/cgroup/neurite-bench', { 'cpu.max': `${period} ${period}`, 'cpu.weight': 10000 }],
  ]) {
    if (!existsSync(join(dirname(directory), 'cgroup.procs'))) continue;
    try {
      mkdirSync(directory, { recursive: true });
      process.on('exit', () => rmdirSync(directory));
      for (const [file, value] of Object.entries(limits)) writeFileSync(join(directory, file), `${value}`);
      return ['sh', '-c', `echo $$ > ${directory}/cgroup.procs && exec "$@"`, 'sh'];
    } catch (error) {
      refused.push(error.message);
    }
  }
  note(`pool: no quota measured: ${refused.join('; ') || 'no control groups (v1 or v2) here'}`);
  return null;
}

const pin = (cpu) => ['taskset', '-c', `${cpu}`];
const canPin = spawnSync('taskset', ['-c', '0', 'true']).status === 0;

/** A process that never rests on every CPU, and how to end them. */
function neighbours() {
  const all = Array.from({ length: CPUS }, (_, i) => {
    const [command, ...args] = [...(canPin ? pin(i) : []), process.execPath, '-e', 'for (;;);'];
    return spawn(command, args, { stdio: 'ignore' });
  });
  return () => {
    for (const one of all) one.kill();
  };
}

async function main() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      'no-history': { type: 'boolean', default: false },
    },
  });
  const rounds = wholeOption('rounds', values.rounds, 1);
  const seconds = Number(values.seconds);
  if (!(seconds > 0)) throw new Error(`--seconds: got ${values.seconds}, expected a number above 0`);
  const counts = [1, CPUS, 2 * CPUS];
  const limited = quota();
  // ideal: what is left, of the rates measured alone in the same round.
  const settings = [
    { setting: 'alone', prefix: [], ideal: (alone, threads) => alone.get(Math.min(threads, CPUS)) },
    {
      setting: 'a busy process on every CPU',
      prefix: [],
      busy: true,
      ideal: (alone, threads) => alone.get(Math.min(threads, CPUS)) / 2,
    },
    ...(canPin ? [{ setting: 'confined to one CPU', prefix: pin(0), ideal: (alone) => alone.get(1) }] : []),
    ...(limited === null ? [] : [{ setting: 'quota of one CPU', prefix: limited, ideal: (alone) => alone.get(1) }]),
  ].flatMap((s) => counts.map((threads) => ({ ...s, threads, rates: [], ratios: [], chosen: 0 })));

  const about = circumstances();
  for (let r = 0; r < rounds; r++) {
    const alone = new Map();
    for (const s of settings) {
      const stop = s.busy ? neighbours() : () => {};
      const { rate, chosen } = measure(s.threads, seconds, s.prefix);
      stop();
      if (s.setting === 'alone') alone.set(s.threads, rate);
      s.rates.push(rate);
      s.ratios.push(rate / s.ideal(alone, s.threads));
      s.chosen = chosen;
    }
  }
  const rows = settings.map(({ setting, threads, rates, ratios, chosen }) => ({
    setting,
    threads,
    stepsPerSecond: Math.round(median(rates)),
    ofIdeal: digits(median(ratios)),
    chosen,
  }));
  if (values.json) for (const row of rows) console.log(JSON.stringify(row));
  else console.table(rows);
  if (!values['no-history']) remember({ kind: 'pool', ...about, rounds, secondsEach: seconds, rows });
}

if (process.argv[2] === 'child') {
  console.log(JSON.stringify(await steps(Number(process.argv[3]), Number(process.argv[4]))));
} else {
  await main();
}
