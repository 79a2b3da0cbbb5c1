// The kernel cases: what is computed, and the least work and traffic it can take. Peers implement them under the same ids.
// bytes: every input read and every output written once. stream: the probe that moves memory in the same way.

const gemm = (number, id, m, n, k, { batch = 1, label, extra = 0 } = {}) => ({
  number,
  id,
  label,
  flop: 2 * batch * m * n * k,
  bytes: 4 * (batch * (m * k + k * n + m * n) + extra),
  stream: 'triad',
});

const MILLION = 1 << 20;
const elements = (number, id, n, arrays, label, stream = 'triad', flop = 0) => ({
  number,
  id,
  label,
  flop,
  bytes: 4 * n * arrays,
  stream,
});

/** Every activation of one input that is no row operation. */
export const ACTIVATIONS = [
  'sigmoid',
  'tanh',
  'softplus',
  'relu',
  'relu6',
  'leaky-relu',
  'elu',
  'selu',
  'celu',
  'gelu',
  'silu',
  'mish',
  'softsign',
  'hard-sigmoid',
  'hard-tanh',
  'step',
];

/** Every other optimizer on 100 k parameters: arrays read and written by one step. */
const OPTIMIZERS = [
  ['momentum', 5],
  ['nesterov', 5],
  ['amsgrad', 9],
  ['adamw', 7],
  ['adamax', 7],
  ['nadam', 7],
  ['radam', 7],
  ['adadelta', 7],
  ['adagrad', 5],
  ['rmsprop', 5],
  ['lion', 5],
  ['rprop', 7],
  ['delta-bar-delta', 7],
  ['adafactor', 3],
  ['lamb', 7],
  ['lars', 5],
].map(([name, arrays]) => elements(24, `${name}-100k`, 99_856, arrays, `${name} step, 100 k parameters`, 'update'));
OPTIMIZERS.push({
  ...elements(24, 'muon-100k', 99_856, 5, 'muon step, 316 x 316', 'update'),
  flop: 5 * 3 * 2 * 316 ** 3,
});

/** Square images and kernels; each is three cases: forward, gradient of the input (data) and of the weights. */
export const CONVOLUTIONS = [
  { number: 12, id: 'conv3x3-64', n: 8, c: 64, o: 64, size: 56, kernel: 3, padding: 1 },
  { number: 13, id: 'conv1x1-256', n: 8, c: 256, o: 64, size: 56, kernel: 1 },
  { number: 14, id: 'conv3x3-s2', n: 8, c: 128, o: 128, size: 56, kernel: 3, stride: 2, padding: 1 },
  { number: 15, id: 'conv7x7', n: 8, c: 3, o: 64, size: 224, kernel: 7, stride: 2, padding: 3 },
  { number: 16, id: 'conv3x3-cifar', n: 64, c: 32, o: 32, size: 32, kernel: 3, padding: 1 },
  { number: 17, id: 'depthwise-144', n: 8, c: 144, o: 144, size: 56, kernel: 3, padding: 1, groups: 144 },
].map((conv) => ({ stride: 1, padding: 0, groups: 1, ...conv }));

export const outputSize = ({ size, kernel, stride, padding }) => Math.floor((size + 2 * padding - kernel) / stride) + 1;

function convolutions(conv) {
  const { number, id, n, c, o, size, kernel, stride, groups } = conv;
  const pixels = n * outputSize(conv) ** 2;
  const weights = (o * c * kernel ** 2) / groups;
  const label = `${id.startsWith('depthwise') ? 'depthwise' : 'convolution'} ${kernel} x ${kernel}${stride > 1 ? `, stride ${stride}` : ''}, ${n} x ${size} x ${size} x ${c} -> ${o}`;
  const common = { number, flop: 2 * pixels * weights, bytes: 4 * (n * size ** 2 * c + weights + pixels * o) };
  const moved = groups > 1 ? ['copy', 'copy', 'read'] : ['triad', 'triad', 'triad'];
  return ['forward', 'data', 'weight'].map((part, i) => ({
    ...common,
    id: `${id}-${part}`,
    label: part === 'forward' ? label : `its gradient: ${part === 'data' ? 'input' : 'weights'}`,
    stream: moved[i],
  }));
}

export const CASES = [
  gemm(1, 'gemm-1024', 1024, 1024, 1024, { label: 'C = A B, 1024 x 1024 x 1024' }),
  gemm(2, 'gemm-256', 256, 256, 256, { label: 'C = A B, 256 x 256 x 256' }),
  gemm(3, 'gemm-64', 64, 64, 64, { label: 'C = A B, 64 x 64 x 64' }),
  gemm(4, 'forward-relu', 32, 128, 784, { label: 'relu(X W + b), 32 x 784 -> 128', extra: 128 }),
  gemm(5, 'forward-gelu', 128, 1024, 1024, { label: 'gelu(X W + b), 128 x 1024 -> 1024', extra: 1024 }),
  gemm(6, 'input-gradient', 128, 1024, 1024, { label: "dX = (dY W') relu'(X), 128 x 1024 x 1024", extra: 128 * 1024 }),
  gemm(7, 'weight-gradient', 1024, 1024, 128, { label: "dW = X' dY, 1024 x 1024, batch 128" }),
  gemm(8, 'gemv', 1, 1024, 1024, { label: 'y = x W, 1 x 1024 x 1024' }),
  gemm(9, 'output-forward', 256, 10, 512, { label: 'X W + b, 256 x 512 -> 10', extra: 10 }),
  {
    number: 9,
    id: 'output-backward',
    label: "dX = dY W' and dW = X' dY, 256 x 512 x 10",
    flop: 4 * 256 * 10 * 512,
    bytes: 4 * (2 * 256 * 512 + 256 * 10 + 2 * 512 * 10),
    stream: 'triad',
  },
  gemm(10, 'batched', 128, 128, 64, { batch: 96, label: "Q K', 96 products 128 x 128 x 64" }),
  gemm(11, 'long-sum', 64, 64, 100352, { label: "dW = X' dY, 64 x 64, batch 100352" }),
  ...CONVOLUTIONS.flatMap(convolutions),
  elements(21, 'max-pool', 128 * 28 ** 2 * 32, 1.25, 'maximum of 2 x 2, 128 x 28 x 28 x 32', 'copy'),
  elements(21, 'max-pool-gradient', 128 * 28 ** 2 * 32, 2.25, 'its gradient, forward included', 'copy'),
  elements(21, 'batch-norm-2d', 64 * 32 ** 3, 2, 'batch norm, 64 x 32 x 32 x 32', 'copy'),
  elements(21, 'batch-norm-2d-gradient', 64 * 32 ** 3, 3, 'its gradients: x, weight, bias'),
  elements(24, 'sgd-25m', 25_000_000, 3, 'SGD step, 25 M parameters', 'update'),
  elements(24, 'momentum-25m', 25_000_000, 5, 'SGD with momentum, 25 M parameters', 'update'),
  elements(24, 'adam-25m', 25_000_000, 7, 'Adam step, 25 M parameters', 'update'),
  elements(24, 'adam-100k', 99_856, 7, 'Adam step, 100 k parameters', 'update'),
  ...OPTIMIZERS,
  elements(25, 'relu-gradient-4m', 4 * MILLION, 3, "g relu'(y), 4 M"),
  elements(25, 'chain-4m', 4 * MILLION, 2, 'abs(relu(x a + b) c - d), 4 M', 'copy'),
  elements(25, 'chain-32k', 32 << 10, 2, 'abs(relu(x a + b) c - d), 32 k', 'copy'),
  elements(25, 'layer-norm', 4096 * 768, 2, 'layer norm, 4096 x 768', 'copy'),
  elements(25, 'layer-norm-gradient', 4096 * 768, 3, 'its gradients: x, weight, bias'),
  elements(25, 'dropout-4m', 4 * MILLION, 2, 'dropout 0.5, 4 M', 'copy'),
  elements(25, 'softmax', 256 * 1000, 2, 'softmax, 256 x 1000', 'copy'),
  elements(25, 'cross-entropy', 256 * 1000, 2, 'softmax cross-entropy and its gradient, 256 x 1000', 'copy'),
  elements(25, 'sum-4m', 4 * MILLION, 1, 'sum, 4 M', 'read'),
  ...ACTIVATIONS.flatMap((name) => [
    elements(26, name, MILLION, 2, `${name}, 1 M`, 'copy'),
    elements(26, `${name}-gradient`, MILLION, 3, `gradient of ${name}, 1 M`),
  ]),
  elements(26, 'prelu', 4096 * 256, 2, 'prelu by channel, 4096 x 256', 'copy'),
  elements(26, 'swiglu', 4096 * 512, 1.5, 'swiglu, 4096 x 512', 'copy'),
  elements(26, 'glu', 4096 * 512, 1.5, 'glu, 4096 x 512', 'copy'),
  elements(26, 'maxout', 4096 * 512, 1.5, 'maxout of 2 pieces, 4096 x 512', 'copy'),
  elements(26, 'generalized-rectifier', MILLION, 2, 'generalized rectifier, 1 M', 'copy'),
  elements(26, 'log-softmax', 256 * 1000, 2, 'log-softmax, 256 x 1000', 'copy'),
  elements(27, 'rms-norm', 4096 * 768, 2, 'RMS norm, 4096 x 768', 'copy'),
  elements(27, 'rms-norm-gradient', 4096 * 768, 3, 'its gradients: x, weight'),
  elements(27, 'batch-norm', 4096 * 256, 2, 'batch norm, 4096 x 256', 'copy'),
  elements(27, 'group-norm', 32 * 784 * 64, 2, 'group norm of 8 groups, 32 x 28 x 28 x 64', 'copy'),
  elements(28, 'sort-1m', MILLION, 3, 'sort with positions, 1 M', 'copy'),
  elements(28, 'sort-rows', 1024 * 1000, 3, 'sort with positions, 1024 rows of 1000', 'copy'),
  elements(28, 'top-k', 1024 * 1000, 1, 'top 10 of 1024 rows of 1000', 'read'),
  elements(28, 'cumsum', 1024 * 1000, 2, 'cumulative sum, 1024 x 1000', 'copy'),
  elements(28, 'gather', 1024 * 1000, 3, 'gather along rows, 1024 x 1000', 'copy'),
  elements(28, 'scatter-add', 1024 * 1000, 4, 'scatter-add along rows, 1024 x 1000', 'copy'),
  { ...elements(28, 'cholesky', 64 * 64 * 64, 2, 'Cholesky, 64 of 64 x 64', 'copy'), flop: (64 * 64 ** 3) / 3 },
  { ...elements(28, 'solve', 64 * 64 * 65, 2, 'A x = b, 64 of 64 x 64', 'copy'), flop: (64 * 2 * 64 ** 3) / 3 },
];

/** Cases that have a goal together: name, first and last number. */
export const FAMILIES = [
  ['products', 1, 11],
  ['convolutions', 12, 17],
];

/** A figure whose rounds' probe reached less than this of the sustained peak was disturbed. */
export const QUIET = 0.85;

/**
 * Least seconds that the case can take by the probes of this run: arithmetic at the peak of the instruction set, or its bytes
 * at the bandwidth of the smallest level of memory that holds them, whichever is longer.
 */
export function floorSeconds(
  { flop, bytes, stream },
  { gflops, gigabytesPerSecond, barrierMicroseconds },
  isa,
  threads,
) {
  const levels = [
    ['L1', threads * 40e3],
    ['L2', threads * 1.75e6],
    ['L3', 2 ** 27],
    ['memory', Number.POSITIVE_INFINITY],
  ];
  const [level] = levels.find(([, size]) => bytes <= size);
  const compute = flop / (gflops[isa] * 1e9);
  const memory = bytes / (gigabytesPerSecond[level][stream] * 1e9);
  return Math.max(compute, memory) + (threads > 1 && flop + bytes > 1e6 ? barrierMicroseconds * 1e-6 : 0);
}
