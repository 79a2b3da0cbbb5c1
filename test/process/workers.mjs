// Four workers train at once and must agree; then workers are terminated in the middle of a run, again and again.
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { xor } from './net.mjs';

if (isMainThread) {
  const start = (data) => new Worker(fileURLToPath(import.meta.url), { workerData: data });
  const message = (w) =>
    new Promise((resolve, reject) => {
      w.once('message', resolve);
      w.once('error', reject);
    });
  const workers = Array.from({ length: 4 }, () => start({ steps: 500 }));
  const here = train(500);
  const losses = await Promise.all(workers.map(message));
  await Promise.all(workers.map((w) => w.terminate()));
  let terminated = 0;
  for (let i = 0; i < 20; i++) {
    const w = start({ steps: Number.POSITIVE_INFINITY });
    await message(w); // it is queueing steps now
    await w.terminate();
    terminated++;
  }
  console.log(JSON.stringify({ same: losses.every((l) => l === here) ? 1 : 0, terminated, after: train(10) }));
} else if (workerData.steps === Number.POSITIVE_INFINITY) {
  const { compiled, x, y } = xor();
  for (let i = 0; ; i++) {
    compiled(x, y);
    if (i === 100) parentPort.postMessage('running');
  }
} else {
  parentPort.postMessage(train(workerData.steps));
}

function train(steps) {
  const { compiled, x, y } = xor();
  let loss;
  for (let i = 0; i < steps; i++) loss = compiled(x, y);
  return loss.itemSync();
}
