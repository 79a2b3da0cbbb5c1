// The networks of bench/train.mjs on random data in memory. `rows` of data are shuffled every epoch and gathered into batches by
// every peer. Those with `sizes` alone are fully connected with ReLU between layers, trained by Adam. Those with an `image`
// (height, width, channels) are built by the peers under their id; `convolutions` lists [positions of the output, weights] of
// each, `sizes` their linear layers.
export const NETS = [
  { number: 0, id: 'mnist', sizes: [784, 128, 128, 10], batch: 128, loss: 'crossEntropy', rows: 12800 },
  { number: 18, id: 'wide', sizes: [784, 512, 256, 10], batch: 64, loss: 'crossEntropy', rows: 6400 },
  { number: 19, id: 'tiny', sizes: [2, 16, 1], batch: 4, loss: 'mse', rows: 4000 },
  { number: 19, id: 'small', sizes: [32, 64, 64, 3], batch: 32, loss: 'crossEntropy', rows: 6400 },
  { number: 20, id: 'large', sizes: [1024, 4096, 4096, 1024], batch: 128, loss: 'crossEntropy', rows: 2560 },
  {
    ...{ number: 21, id: 'cnn', image: [28, 28, 1], batch: 128, loss: 'crossEntropy', rows: 2560, optimizer: 'adam' },
    convolutions: [
      [28 ** 2, 9 * 32],
      [14 ** 2, 9 * 32 * 64],
    ],
    sizes: [3136, 128, 10],
  },
  {
    ...{
      number: 21,
      id: 'lenet5',
      image: [28, 28, 1],
      batch: 64,
      loss: 'crossEntropy',
      rows: 6400,
      optimizer: 'momentum',
    },
    convolutions: [
      [28 ** 2, 25 * 6],
      [10 ** 2, 25 * 6 * 16],
    ],
    sizes: [400, 120, 84, 10],
  },
  {
    ...{
      number: 21,
      id: 'resnet20',
      image: [32, 32, 3],
      batch: 64,
      loss: 'crossEntropy',
      rows: 1280,
      optimizer: 'momentum',
    },
    convolutions: [
      [32 ** 2, 9 * 3 * 16],
      ...new Array(6).fill([32 ** 2, 9 * 16 * 16]),
      [16 ** 2, 9 * 16 * 32],
      ...new Array(5).fill([16 ** 2, 9 * 32 * 32]),
      [8 ** 2, 9 * 32 * 64],
      ...new Array(5).fill([8 ** 2, 9 * 64 * 64]),
    ],
    sizes: [64, 10],
  },
];

export const netOf = (id) => {
  const net = NETS.find((n) => n.id === id);
  if (net === undefined) throw new Error(`no net ${id}`);
  return net;
};

/** Weights and biases of the linear layers, weights of the convolutions. */
export const parametersOf = ({ sizes, convolutions = [] }) =>
  sizes.slice(1).reduce((sum, n, i) => sum + n * (sizes[i] + 1), 0) +
  convolutions.reduce((sum, [, weights]) => sum + weights, 0);

/** The least work of a step: products forward, for the weights, and for the inputs of all layers but the first. */
export function flopOf({ sizes, batch, convolutions = [] }) {
  const products = [
    ...convolutions.map(([positions, weights]) => positions * weights),
    ...sizes.slice(1).map((n, i) => n * sizes[i]),
  ];
  return 2 * batch * (3 * products.reduce((a, b) => a + b) - products[0]);
}

/** Traffic of a step that cannot be avoided when nothing stays in a cache: that of Adam or momentum. */
export const bytesOf = (net) => (net.optimizer === 'momentum' ? 20 : 28) * parametersOf(net);

/** Random inputs, with labels or targets: [rows, inputs], and [rows] classes or [rows, outputs] numbers. */
export function dataOf({ sizes, rows, loss, image }) {
  const inputs = image === undefined ? sizes[0] : image.reduce((a, b) => a * b);
  const x = Float32Array.from({ length: rows * inputs }, () => 2 * Math.random() - 1);
  const outputs = sizes.at(-1);
  const y =
    loss === 'mse'
      ? Float32Array.from({ length: rows * outputs }, () => 2 * Math.random() - 1)
      : Int32Array.from({ length: rows }, () => Math.floor(Math.random() * outputs));
  return { x, y };
}
