// Timers while `fit` trains a network of the size of the MNIST job. Last line: { ticks, worst, seconds }, milliseconds.
import { fit, nn, uniform } from '../../dist/index.js';

const samples = 20_000;
const model = new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10));
const x = await uniform([samples, 784]).data();
const y = Int32Array.from({ length: samples }, (_, i) => i % 10);
let ticks = 0;
let worst = 0;
let last = performance.now();
const timer = setInterval(() => {
  const now = performance.now();
  worst = Math.max(worst, now - last);
  last = now;
  ticks++;
}, 1);
const history = await fit(
  model,
  { x: { data: x, shape: [samples, 784] }, y },
  { loss: 'crossEntropy', optimizer: 'adam', epochs: 8, batchSize: 128 },
);
clearInterval(timer);
console.log(JSON.stringify({ ticks, worst, seconds: history.seconds }));
