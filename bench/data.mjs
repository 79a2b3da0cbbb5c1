// npm run bench:data -- [--ms N] [--rounds N] [--json]
//
// Samples a second that data.Pipeline makes batches of, 784 floats each as in MNIST, next to how fast `fit` trains the MNIST
// MLP on the same machine: a pipeline that is slower would hold training up. All take turns; the median of the rounds counts.
import { parseArgs } from 'node:util';
import { data, fit, info, nn, optim, seed } from 'neurite';
import { digits, note, wholeOption } from './harness.mjs';
import { dataOf, netOf } from './nets.mjs';
import { median } from './probe.mjs';

const { values: options } = parseArgs({
  options: {
    ms: { type: 'string', default: '300' },
    rounds: { type: 'string', default: '7' },
    json: { type: 'boolean', default: false },
  },
});
const ms = wholeOption('ms', options.ms, 1);
const rounds = wholeOption('rounds', options.rounds, 1);

const net = netOf('mnist');
const { sizes, batch, rows } = net;
const width = sizes[0];
const { x, y } = dataOf(net);
const dataset = new data.TensorDataset({ data: x, shape: [rows, width] }, y);
const samples = Array.from({ length: rows }, (_, i) => ({ x: x.subarray(i * width, (i + 1) * width), y: y[i] }));
const table = Buffer.from(
  Array.from({ length: 500 }, (_, i) => Array.from(samples[i].x, (v) => v.toFixed(3)).join()).join('\n'),
);
const csv = await data.openCsv(table, { header: false });
const labels = { dtypes: { y: 'int32' } };

/** Batches until the time is over: samples a second. */
async function pace(pipeline) {
  const start = performance.now();
  let n = 0;
  for (let epoch = 0; ; epoch++) {
    for await (const b of pipeline.iterate({ epoch })) {
      n += (b.x ?? b).shape[0];
      const elapsed = performance.now() - start;
      if (elapsed > ms) return (1000 * n) / elapsed;
    }
  }
}

async function training() {
  seed(1);
  const layers = sizes.slice(1).flatMap((n, i) => [new nn.Linear(sizes[i], n), new nn.ReLU()]);
  const model = new nn.Sequential(...layers.slice(0, -1));
  const start = performance.now();
  await fit(model, dataset, { loss: 'crossEntropy', optimizer: new optim.Adam(), epochs: 8, batchSize: batch });
  return (1000 * 8 * rows) / (performance.now() - start);
}

const cases = {
  'training of the MLP': training,
  'rows in memory': () => pace(data.Pipeline.from(samples).batch(batch, labels)),
  'shuffled, made ahead': () =>
    pace(data.Pipeline.from(samples).shuffle({ buffer: 4096, seed: 1 }).batch(batch, labels).prefetch(2)),
  'TensorDataset, shuffled, made ahead': () =>
    pace(data.Pipeline.from(dataset).shuffle({ buffer: 4096, seed: 1 }).batch(batch).prefetch(2)),
  'mapped, filtered, shuffled': () =>
    pace(
      data.Pipeline.from(samples)
        .map((s) => s)
        .filter((s) => s.y >= 0)
        .shuffle({ buffer: 4096, seed: 1 })
        .batch(batch, labels),
    ),
  'CSV of 784 columns': () => pace(csv.numbers().batch(batch)),
};

const speeds = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
for (let r = 0; r < rounds; r++) for (const [name, run] of Object.entries(cases)) speeds[name].push(await run());
const [[, trained]] = Object.entries(speeds);
for (const [name, list] of Object.entries(speeds)) {
  const samplesPerSecond = Math.round(median(list));
  const ratio = digits(median(list.map((v, r) => v / trained[r])));
  if (options.json) console.log(JSON.stringify({ case: name, samplesPerSecond, ratio, rounds, isa: info().isa }));
  else console.log(`${name.padEnd(36)} ${String(samplesPerSecond).padStart(9)} samples/s, ${ratio}x training`);
}
const bytesPerRow = Math.round(table.length / 500);
if (!options.json) note(`a row of the CSV has ${bytesPerRow} bytes`);
