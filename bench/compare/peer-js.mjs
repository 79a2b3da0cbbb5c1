// Peer: plain JavaScript (js-trainer.mjs) in one thread.
import { Trainer } from './js-trainer.mjs';
import { batches, mnistTrain } from './mnist.mjs';
import { serve } from './peer.mjs';

const BATCH = 128;
const { x, y, count } = mnistTrain();
const next = batches(count, BATCH);
const trainer = new Trainer([784, 128, 128, 10], BATCH);
const xb = new Float32Array(BATCH * 784);
const yb = new Int32Array(BATCH);

await serve(
  { optimizer: 'Adam', loss: 'softmax cross-entropy', batch: BATCH, threads: 1, version: `Node ${process.version}` },
  (steps) => {
    let loss = 0;
    for (let s = 0; s < steps; s++) {
      const rows = next();
      for (let r = 0; r < BATCH; r++) {
        xb.set(x.subarray(rows[r] * 784, rows[r] * 784 + 784), r * 784);
        yb[r] = y[rows[r]];
      }
      loss = trainer.trainStep(xb, yb);
    }
    return loss;
  },
);
