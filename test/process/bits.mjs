// Trains a small network with dropout and prints a digest of its weights: must not depend on threads, fusion or build.
import { createHash } from 'node:crypto';
import {
  compile,
  configure,
  crossEntropy,
  info,
  nn,
  optim,
  seed,
  tensor,
  uniform,
  valueAndGrad,
} from '../../dist/index.js';

// NEURITE_THREADS is capped by the CPUs of the process; this is not.
if (process.argv[2]) configure({ threads: Number(process.argv[2]) });
seed(3);
const model = new nn.Sequential(
  new nn.Linear(97, 130),
  new nn.ReLU(),
  new nn.Dropout(0.25),
  new nn.Linear(130, 65),
  new nn.Tanh(),
  new nn.Linear(65, 11), // sizes off every vector width
);
const optimizer = new optim.AdamW({ lr: 1e-2, weightDecay: 0.1 });
const x = uniform([301, 97]);
const y = tensor(Int32Array.from({ length: 301 }, (_, i) => (i * 7) % 11));
const lossAndGrad = valueAndGrad(model, (a, b) => crossEntropy(model.forward(a), b));
const body = (a, b) => {
  const [loss, grads] = lossAndGrad(a, b);
  optimizer.update(model, grads);
  return loss;
};
const losses = [];
for (let i = 0; i < 3; i++) losses.push(await body(x, y).item());
const step = compile(body);
for (let i = 0; i < 3; i++) losses.push(await step(x, y).item());
const indices = Int32Array.from({ length: 6 * 33 }, (_, i) => (i * 13) % 301);
losses.push(...(await step.scan({ data: [x, y], indices, batch: 33 }).data()));
const hash = createHash('sha256').update(new Float32Array(losses));
for (const p of model.parameters()) hash.update(await p.read().data());
console.log(
  JSON.stringify({ digest: hash.digest('hex'), threads: info().threads, isa: info().isa, last: losses.at(-1) }),
);
