// What JavaScript costs around the kernels, on networks so small that nothing else counts: building, walking, keying and
// running an uncompiled step, a compiled step, and a step inside a scan, against the same networks in plain JavaScript.
//   node bench/engine.mjs [--json] [--no-history]   (on the built package; one thread, microseconds of CPU time, best of rounds)

import { reachable } from '../dist/engine/collect.js';
import { KeyWriter } from '../dist/engine/key.js';
import { graphState } from '../dist/graph/trace.js';
import {
  binaryCrossEntropy,
  compile,
  configure,
  crossEntropy,
  cumsum,
  matmul,
  nn,
  optim,
  seed,
  tensor,
  valueAndGrad,
} from '../dist/index.js';
import { kernel } from '../dist/kernels/index.js';
import { Trainer } from './compare/js-trainer.mjs';
import { circumstances, remember } from './harness.mjs';

const ROUNDS = 15;
const about = circumstances();
const rows = [];

const cpu = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/** Best microseconds of CPU time of `work`, which stands for `units` units, in rounds of `calls` calls. CPU time, because
 * other processes on the machine are not what is asked for; the garbage collector's threads are in it. */
function measure(name, calls, work, units = 1) {
  for (let i = 0; i < 3 * calls; i++) work();
  let best = Infinity;
  for (let r = 0; r < ROUNDS; r++) {
    const start = cpu();
    for (let i = 0; i < calls; i++) work();
    best = Math.min(best, (cpu() - start) / (calls * units));
  }
  rows.push({ name, us: Math.round(best * 100) / 100 });
  return best;
}

function network(sizes, activation, loss, x, y) {
  seed(1);
  const layers = sizes.slice(1).flatMap((n, i) => [new nn.Linear(sizes[i], n), activation()]);
  const model = new nn.Sequential(...layers.slice(0, -1));
  const optimizer = new optim.Adam({ lr: 0.01 });
  const lossAndGrad = valueAndGrad(model, (a, b) => loss(model.forward(a), b));
  const step = (a, b) => {
    const [value, grads] = lossAndGrad(a, b);
    optimizer.update(model, grads);
    return value;
  };
  return { model, optimizer, lossAndGrad, step, compiled: compile(step), x, y };
}

/** 2-16-1, tanh, binary cross-entropy from logits, Adam, batch 4: the arithmetic of one step and nothing else. */
function plainXor() {
  const make = (n) => ({
    w: Float32Array.from({ length: n }, () => Math.random() - 0.5),
    g: new Float32Array(n),
    m: new Float32Array(n),
    v: new Float32Array(n),
  });
  const [w1, b1, w2, b2] = [32, 16, 16, 1].map(make);
  const parameters = [w1, b1, w2, b2];
  const hidden = new Float32Array(64);
  let t = 0;
  return (x, y) => {
    let loss = 0;
    for (const p of parameters) p.g.fill(0);
    for (let r = 0; r < 4; r++) {
      let z = b2.w[0];
      for (let j = 0; j < 16; j++) {
        const h = Math.tanh(w1.w[2 * j] * x[2 * r] + w1.w[2 * j + 1] * x[2 * r + 1] + b1.w[j]);
        hidden[16 * r + j] = h;
        z += w2.w[j] * h;
      }
      loss += Math.max(z, 0) - z * y[r] + Math.log1p(Math.exp(-Math.abs(z)));
      const d = (1 / (1 + Math.exp(-z)) - y[r]) / 4;
      b2.g[0] += d;
      for (let j = 0; j < 16; j++) {
        const h = hidden[16 * r + j];
        w2.g[j] += d * h;
        const dh = d * w2.w[j] * (1 - h * h);
        b1.g[j] += dh;
        w1.g[2 * j] += dh * x[2 * r];
        w1.g[2 * j + 1] += dh * x[2 * r + 1];
      }
    }
    t++;
    const rate = 0.01 / (1 - 0.9 ** t);
    const root = 1 / Math.sqrt(1 - 0.999 ** t);
    for (const { w, g, m, v } of parameters) {
      for (let i = 0; i < w.length; i++) {
        m[i] = 0.9 * m[i] + 0.1 * g[i];
        v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
        w[i] -= (rate * m[i]) / (Math.sqrt(v[i]) * root + 1e-8);
      }
    }
    return loss / 4;
  };
}

function scanned(net, batch, steps) {
  const samples = net.x.shape[0];
  const indices = Int32Array.from({ length: batch * steps }, (_, i) => i % samples);
  return () => net.compiled.scan({ data: [net.x, net.y], indices, batch }).dataSync();
}

configure({ threads: 1 });
{
  // What a run costs, and what each instruction adds to it, its arithmetic on 2 x 2 included.
  const x = [new Float32Array([0.5, 0.1, 0.1, 0.5])];
  const chain = (fn) => (length) => {
    const run = kernel([{ shape: [2, 2] }], (a) => Array.from({ length }).reduce((y) => fn(y, a), a));
    const out = [new Float32Array(4)];
    return () => run(x, out);
  };
  for (const [name, of] of [
    ['running sum of 2 x 2', chain((y) => cumsum(y, { axis: 1 }))], // next to no work: what is left is dispatch
    ['product of 2 x 2', chain(matmul)],
    ['sum of rows and elementwise product', chain((y) => y.sum({ axis: 1, keepDims: true }).mul(y))],
  ]) {
    const one = measure(`${name}: a run of one`, 10_000, of(1));
    const long = measure(`${name}: a run of 81`, 2_000, of(81));
    rows.push({ name: `${name}: each one more`, us: Math.round((1000 * (long - one)) / 80) / 1000 });
  }
}
{
  const x = tensor([0, 0, 0, 1, 1, 0, 1, 1], { shape: [4, 2] });
  const y = tensor([0, 1, 1, 0], { shape: [4, 1] });
  const net = network([2, 16, 1], () => new nn.Tanh(), binaryCrossEntropy, x, y);
  const { model, optimizer, lossAndGrad } = net;
  measure('2-16-1: forward graph', 500, () => model.forward(x));
  measure('2-16-1: loss and gradient graph', 500, () => lossAndGrad(x, y));
  const [loss, grads] = lossAndGrad(x, y);
  optimizer.update(model, grads);
  const roots = [loss, ...graphState.pending.values()];
  const writer = new KeyWriter();
  measure('2-16-1: walk of the graph', 500, () => reachable(roots));
  measure('2-16-1: key and hash of the graph', 500, () => {
    const nodes = reachable(roots);
    writer.reset();
    for (const node of nodes) writer.node(node, nodes[0].mark, 0);
    writer.hash();
  });
  loss.itemSync();
  measure('2-16-1: uncompiled step', 500, () => net.step(x, y).itemSync());
  measure('2-16-1: compiled step, sync', 10_000, () => net.compiled.sync(x, y));
  measure('2-16-1: step in a scan', 2, scanned(net, 4, 10_000), 10_000);
  const plain = plainXor();
  const [px, py] = [x.dataSync(), y.dataSync()];
  measure('2-16-1: plain JavaScript', 10_000, () => plain(px, py));
}
{
  const x = tensor(
    Float32Array.from({ length: 320 * 32 }, (_, i) => Math.sin(i)),
    { shape: [320, 32] },
  );
  const y = tensor(
    Int32Array.from({ length: 320 }, (_, i) => i % 3),
    { dtype: 'int32' },
  );
  const net = network([32, 64, 64, 3], () => new nn.ReLU(), crossEntropy, x, y);
  const [bx, by] = [tensor(x.dataSync().slice(0, 1024), { shape: [32, 32] }), tensor(y.dataSync().slice(0, 32))];
  measure('32-64-64-3: uncompiled step', 200, () => net.step(bx, by).itemSync());
  measure('32-64-64-3: compiled step, sync', 2000, () => net.compiled.sync(bx, by));
  measure('32-64-64-3: step in a scan', 2, scanned(net, 32, 1000), 1000);
  const plain = new Trainer([32, 64, 64, 3], 32);
  const [px, py] = [bx.dataSync(), by.dataSync()];
  measure('32-64-64-3: plain JavaScript', 200, () => plain.trainStep(px, py));
}

if (process.argv.includes('--json')) for (const row of rows) console.log(JSON.stringify(row));
else console.table(rows);
if (!process.argv.includes('--no-history')) remember({ kind: 'engine', ...about, rounds: ROUNDS, rows });
