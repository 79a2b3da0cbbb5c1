// Peer of bench/train.mjs: plain JavaScript in one thread, plain loops or packed products, whichever is faster here.
//   node js-train.mjs NET
import { Trainer } from '../compare/js-trainer.mjs';
import { batches } from '../compare/mnist.mjs';
import { serve } from '../compare/peer.mjs';
import { dataOf, netOf } from '../nets.mjs';
import { LoopTrainer } from './js-loops.mjs';

const net = netOf(process.argv[2]);
const { sizes, batch, rows, loss } = net;
const { x, y } = dataOf(net);
const next = batches(rows, batch);
const width = sizes[0];
const outputs = loss === 'mse' ? sizes.at(-1) : 1;
const xb = new Float32Array(batch * width);
const yb = new y.constructor(batch * outputs);

function train(trainer, steps) {
  let last = 0;
  for (let s = 0; s < steps; s++) {
    const order = next();
    for (let r = 0; r < batch; r++) {
      for (let j = 0, from = order[r] * width; j < width; j++) xb[r * width + j] = x[from + j];
      for (let j = 0; j < outputs; j++) yb[r * outputs + j] = y[order[r] * outputs + j];
    }
    last = trainer.trainStep(xb, yb);
  }
  return last;
}

const candidates = [['loops', new LoopTrainer(sizes, batch, { loss })]];
if (loss === 'crossEntropy') candidates.push(['packed products', new Trainer(sizes, batch)]);
const timed = candidates.map(([name, trainer]) => {
  let best = Number.POSITIVE_INFINITY;
  for (let t = 0, steps = 1; t < 12; t++) {
    const start = performance.now();
    train(trainer, steps);
    const each = (performance.now() - start) / steps;
    best = Math.min(best, each);
    steps = Math.max(1, Math.min(2000, Math.round(20 / each)));
  }
  return { name, trainer, best };
});
const { name, trainer } = timed.reduce((a, b) => (b.best < a.best ? b : a));
await serve({ batch, version: `JavaScript, ${name}, Node ${process.version}` }, (steps) => train(trainer, steps));
