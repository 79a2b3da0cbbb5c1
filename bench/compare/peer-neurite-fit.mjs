// Peer: Neurite through `fit`, as a user calls it: whole epochs, shuffled, with the accuracy metric.
import { fit, info, nn, optim, seed } from 'neurite';
import { mnist } from 'neurite/datasets';
import { serve } from './peer.mjs';

const BATCH = 128;
seed(1);
const { train } = await mnist();
const model = new nn.Sequential(
  new nn.Linear(784, 128),
  new nn.ReLU(),
  new nn.Linear(128, 128),
  new nn.ReLU(),
  new nn.Linear(128, 10),
);
const options = {
  loss: 'crossEntropy',
  optimizer: new optim.Adam({ lr: 1e-3 }),
  metrics: ['accuracy'],
  batchSize: BATCH,
};

const { isa, threads, version } = info();
const about = {
  optimizer: 'Adam',
  loss: 'crossEntropy, accuracy',
  batch: BATCH,
  threads,
  version: `Neurite ${version}, ${isa}`,
};
await serve(about, async (steps) => {
  const epochs = Math.max(1, Math.round((steps * BATCH) / train.length));
  const history = await fit(model, train, { ...options, epochs });
  return { loss: history.epochs.at(-1).loss, samples: history.samples };
});
