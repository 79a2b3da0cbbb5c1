// Eight workers at a time load and train; each is terminated while it queues steps, until 200 have been.
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import train from './train.cjs';

const TOTAL = Number(process.argv[2] ?? 200);
if (isMainThread) {
  let started = 0;
  let terminated = 0;
  const lane = async () => {
    while (started < TOTAL) {
      started++;
      const worker = new Worker(new URL(import.meta.url));
      await new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
      await worker.terminate();
      terminated++;
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  if (terminated !== TOTAL) throw new Error(`${terminated} of ${TOTAL} terminated`);
  console.log(`trained ${train(await import('neurite'))} after ${terminated} workers`);
} else {
  const neurite = await import('neurite');
  train(neurite);
  const step = neurite.compile((x) => x.matmul(x).tanh());
  let x = neurite.tensor(new Float32Array(64 * 64).fill(0.01), { shape: [64, 64] });
  for (let i = 0; ; i++) {
    x = step(x);
    if (i === 10) parentPort.postMessage('running');
  }
}
