// npm run test:large -- [--gigabytes 5] [--limit 300] [--json]
//
// Trains on a CSV of that size, made while it is read and never stored: from bytes to batches in constant memory. Fails when
// resident memory passes `limit` megabytes at any time, or the model has not learnt what the rows have in them.
import { parseArgs } from 'node:util';
import { compile, data, mse, nn, optim, seed, valueAndGrad } from 'neurite';

const { values: options } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '5' },
    limit: { type: 'string', default: '300' },
    json: { type: 'boolean', default: false },
  },
});
const total = Number(options.gigabytes) * 1e9;
const limit = Number(options.limit);
if (!(total > 0) || !(limit > 0)) throw new Error('--gigabytes and --limit: expected numbers above 0');

const INPUTS = 20;
const BATCH = 512;
const WEIGHTS = Array.from({ length: INPUTS }, (_, i) => Math.sin(i + 1) / 5);
const ROW = 7 * (INPUTS + 1) + 1; // "d.dddd," for each number, one more digit for y

/** Chunks of rows "x0,…,x19,y": x uniform in [0, 10) with four decimals, y a weighted sum and 50. */
function* table(bytes) {
  yield `${[...Array.from({ length: INPUTS }, (_, i) => `x${i}`), 'y'].join()}\n`;
  let state = 12345;
  for (let made = 0; made < bytes; ) {
    const chunk = Buffer.allocUnsafe(ROW * 2000);
    let p = 0;
    for (let r = 0; r < 2000; r++) {
      let y = 50;
      for (let i = 0; i < INPUTS; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        const v = Math.floor((state / 2 ** 32) * 100_000);
        y += (WEIGHTS[i] * v) / 10_000;
        p = decimal(chunk, p, v, 5);
        chunk[p++] = 44;
      }
      p = decimal(chunk, p, Math.round(y * 10_000), 6);
      chunk[p++] = 10;
    }
    made += p;
    yield chunk.subarray(0, p);
  }
}

/** `digits` digits of v, a point before the last four. */
function decimal(chunk, at, v, digits) {
  for (let i = digits; i >= 0; i--) {
    if (i === digits - 4) chunk[at + i] = 46;
    else {
      chunk[at + i] = 48 + (v % 10);
      v = Math.floor(v / 10);
    }
  }
  return at + digits + 1;
}

seed(1);
const model = new nn.Sequential(new nn.Linear(INPUTS, 16), new nn.ReLU(), new nn.Linear(16, 1));
const optimizer = new optim.Adam({ lr: 2e-3 });
const lossAndGrad = valueAndGrad(model, (x, y) => mse(model.forward(x), y));
const step = compile((x, y) => {
  const [loss, grads] = lossAndGrad(x.sub(5).div(3), y.sub(50).div(4).reshape([y.shape[0], 1]));
  optimizer.update(model, grads);
  return loss;
});

const csv = await data.openCsv(() => table(total));
const batches = csv.samples({ y: 'y' }).shuffle({ buffer: 8192, seed: 1 }).batch(BATCH, { dropLast: true }).prefetch(2);
const start = performance.now();
const peaks = [0, 0]; // of the first and of the second half
const expected = total / (ROW - 1) / BATCH;
let steps = 0;
let first = Number.NaN;
let last = Number.NaN;
for await (const { x, y } of batches) {
  const loss = step(x, y);
  steps++;
  if (steps % 16 !== 0 && steps !== 1) continue;
  last = await loss.item();
  if (steps === 1) first = last;
  const half = steps < expected / 2 ? 0 : 1;
  peaks[half] = Math.max(peaks[half], process.memoryUsage.rss());
}
const seconds = (performance.now() - start) / 1000;
const peak = process.resourceUsage().maxRSS / 1024;
const result = {
  gigabytes: Number(options.gigabytes),
  rows: steps * BATCH,
  seconds: Number(seconds.toFixed(1)),
  megabytesPerSecond: Number((total / 1e6 / seconds).toFixed(1)),
  peakMegabytes: Math.round(peak),
  firstHalfMegabytes: Math.round(peaks[0] / 2 ** 20),
  secondHalfMegabytes: Math.round(peaks[1] / 2 ** 20),
  firstLoss: first,
  lastLoss: last,
};
if (options.json) console.log(JSON.stringify(result));
else console.log(result);
const failures = [];
if (peak > limit) failures.push(`resident memory reached ${Math.round(peak)} MB, the limit is ${limit}`);
if (!(last < first / 10)) failures.push(`the loss went from ${first} to ${last}, expected a tenth`);
for (const f of failures) console.error(f);
process.exitCode = failures.length > 0 ? 1 : 0;
