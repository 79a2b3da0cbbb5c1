import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import train from './train.cjs';

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  worker.on('error', (error) => {
    throw error;
  });
  worker.on('message', (loss) => console.log(`trained ${loss}`));
} else {
  const neurite = await import('neurite');
  parentPort.postMessage(train(neurite));
}
