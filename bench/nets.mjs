// The networks of bench/train.mjs: fully connected, ReLU between layers, Adam, random data in memory. `rows` of data are
// shuffled every epoch and gathered into batches by every peer.
export const NETS = [
  { number: 0, id: 'mnist', sizes: [784, 128, 128, 10], batch: 128, loss: 'crossEntropy', rows: 12800 },
  { number: 18, id: 'wide', sizes: [784, 512, 256, 10], batch: 64, loss: 'crossEntropy', rows: 6400 },
  { number: 19, id: 'tiny', sizes: [2, 16, 1], batch: 4, loss: 'mse', rows: 4000 },
  { number: 19, id: 'small', sizes: [32, 64, 64, 3], batch: 32, loss: 'crossEntropy', rows: 6400 },
  { number: 20, id: 'large', sizes: [1024, 4096, 4096, 1024], batch: 128, loss: 'crossEntropy', rows: 2560 },
];

export const netOf = (id) => {
  const net = NETS.find((n) => n.id === id);
  if (net === undefined) throw new Error(`no net ${id}`);
  return net;
};

export const parametersOf = ({ sizes }) => sizes.slice(1).reduce((sum, n, i) => sum + n * (sizes[i] + 1), 0);

/** The least work of a step: products forward, for the weights, and for the inputs of all layers but the first. */
export function flopOf({ sizes, batch }) {
  const weights = sizes.slice(1).map((n, i) => n * sizes[i]);
  return 2 * batch * (3 * weights.reduce((a, b) => a + b) - weights[0]);
}

/** Traffic of a step that cannot be avoided when nothing stays in a cache: Adam's, 28 bytes a parameter. */
export const bytesOf = (net) => 28 * parametersOf(net);

/** Random inputs, with labels or targets: [rows, inputs], and [rows] classes or [rows, outputs] numbers. */
export function dataOf({ sizes, rows, loss }) {
  const x = Float32Array.from({ length: rows * sizes[0] }, () => 2 * Math.random() - 1);
  const outputs = sizes.at(-1);
  const y =
    loss === 'mse'
      ? Float32Array.from({ length: rows * outputs }, () => 2 * Math.random() - 1)
      : Int32Array.from({ length: rows }, () => Math.floor(Math.random() * outputs));
  return { x, y };
}
