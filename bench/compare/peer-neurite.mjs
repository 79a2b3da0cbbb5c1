// Peer: Neurite.   node peer-neurite.mjs [threads]   The compiled step under `scan`, which is what `fit` runs.
import { compile, configure, crossEntropy, info, nn, optim, seed, valueAndGrad } from 'neurite';
import { mnist } from 'neurite/datasets';
import { batches } from './mnist.mjs';
import { serve } from './peer.mjs';

const BATCH = 128;
const CHUNK = 64; // steps a native call: fit's about 50 ms
if (process.argv[2] !== undefined) configure({ threads: Number(process.argv[2]) });
seed(1);
const { train } = await mnist();
const next = batches(train.length, BATCH);

const model = new nn.Sequential(
  new nn.Linear(784, 128),
  new nn.ReLU(),
  new nn.Linear(128, 128),
  new nn.ReLU(),
  new nn.Linear(128, 10),
);
const optimizer = new optim.Adam({ lr: 1e-3 });
const lossAndGrad = valueAndGrad(model, (xb, yb) => crossEntropy(model.forward(train.transform(xb)), yb));
const step = compile((xb, yb) => {
  const [loss, grads] = lossAndGrad(xb, yb);
  optimizer.update(model, grads);
  return loss;
});

const { isa, threads, version } = info();
await serve(
  { optimizer: 'Adam', loss: 'crossEntropy', batch: BATCH, threads, version: `Neurite ${version}, ${isa}` },
  async (steps) => {
    let losses;
    for (let done = 0; done < steps; ) {
      const n = Math.min(CHUNK, steps - done);
      const indices = new Int32Array(n * BATCH);
      for (let s = 0; s < n; s++) indices.set(next(), s * BATCH);
      losses = step.scan({ data: [train.x, train.y], indices, batch: BATCH });
      done += n;
    }
    return (await losses.data()).at(-1);
  },
);
