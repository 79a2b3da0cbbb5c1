// Peer of bench/kernels.mjs: Neurite. Answers { id, threads, count } with the seconds that `count` repetitions took.
import { createInterface } from 'node:readline';
import * as n from 'neurite';
import { alignedArray, kernel } from 'neurite/kernels';
import { ACTIVATIONS, CONVOLUTIONS, outputSize } from '../cases.mjs';

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const real = (...shape) => ({ shape });
const size = ({ shape }) => shape.reduce((a, b) => a * b, 1);

/** Arrays that lie as tensors do in training, and as PyTorch's. */
function arrayOf({ dtype, ...shaped }, valueAt) {
  const array = alignedArray(size(shaped), dtype);
  for (let i = 0; i < array.length; i++) array[i] = valueAt(i);
  return array;
}

/** A kernel with inputs and outputs of its own; `inputs` may give data that is not just numbers. */
function typed(specs, fn, inputs = {}) {
  const run = kernel(specs, fn);
  const given = specs.map((s, i) => arrayOf(s, inputs[i] ? (j) => inputs[i][j] : () => 2 * Math.random() - 1));
  const out = run.outputs.map((s) => arrayOf(s, () => 0));
  return () => run(given, out);
}

const { matmul, relu, gelu } = n;
const product = (m, cols, k) => typed([real(m, k), real(k, cols)], (a, b) => matmul(a, b));
const chain = (count) => typed([real(count)], (x) => relu(x.mul(1.5).add(0.25)).mul(0.75).sub(0.5).abs());

/** One step of an optimizer on one weight matrix, gradients given. */
function optimizerStep(side, optimizer) {
  const model = new n.nn.Linear(side, side, { bias: false });
  const gradient = n.normal([side, side]).keep();
  n.flushSync();
  n.realizeSync(gradient, model.weight.read());
  const step = n.compile(() => optimizer.update(model, { weight: gradient }));
  return () => step.sync();
}

/** Forward and both gradients of a convolution; of the gradients nothing else is computed. */
function convolution(conv) {
  const { id, n: images, c, o, size: side, kernel: k, stride, padding, groups } = conv;
  const x = real(images, side, side, c);
  const w = real(o, c / groups, k, k);
  const g = real(images, outputSize(conv), outputSize(conv), o);
  const conv2d = (a, b) => n.conv2d(a, b, { stride, padding, groups });
  return [
    [`${id}-forward`, () => typed([x, w], conv2d)],
    [`${id}-data`, () => typed([g, x, w], (gy, a, b) => n.vjp((v) => conv2d(v, b), a)[1](gy)[0])],
    [`${id}-weight`, () => typed([g, x, w], (gy, a, b) => n.vjp((v) => conv2d(a, v), b)[1](gy)[0])],
  ];
}

const normal = (...shape) => n.normal(shape).dataSync();
const sorted = (...shape) => typed([real(...shape)], (x) => [n.sort(x), n.argsort(x)], { 0: normal(...shape) });

/** A function of 1024 rows of 1000 and of as many positions in them. */
function indexed(fn) {
  const positions = Int32Array.from({ length: 1_024_000 }, () => Math.floor(1000 * Math.random()));
  return typed([real(1024, 1000), { shape: [1024, 1000], dtype: 'int32' }], fn, { 1: positions });
}

const MILLION = 1 << 20;
const rows = [real(4096, 768), real(768), real(768)];
const pixels = [real(64, 32, 32, 32), real(32), real(32)];
const MAKE = {
  'gemm-1024': () => product(1024, 1024, 1024),
  'gemm-256': () => product(256, 256, 256),
  'gemm-64': () => product(64, 64, 64),
  'forward-relu': () => typed([real(32, 784), real(784, 128), real(128)], (x, w, b) => relu(matmul(x, w).add(b))),
  'forward-gelu': () => typed([real(128, 1024), real(1024, 1024), real(1024)], (x, w, b) => gelu(matmul(x, w).add(b))),
  // What the backward pass of relu builds: the gradient passes where the layer's output is positive.
  'input-gradient': () =>
    typed(
      [real(128, 1024), real(1024, 1024), real(128, 1024)],
      (g, w, x) => n.vjp(relu, x)[1](matmul(g, w, { transB: true }))[0],
    ),
  'weight-gradient': () => typed([real(128, 1024), real(128, 1024)], (x, g) => matmul(x, g, { transA: true })),
  gemv: () => product(1, 1024, 1024),
  'output-forward': () => typed([real(256, 512), real(512, 10), real(10)], (x, w, b) => matmul(x, w).add(b)),
  'output-backward': () =>
    typed([real(256, 512), real(512, 10), real(256, 10)], (x, w, g) => [
      matmul(g, w, { transB: true }),
      matmul(x, g, { transA: true }),
    ]),
  batched: () => typed([real(96, 128, 64), real(96, 128, 64)], (q, k) => matmul(q, k, { transB: true })),
  'long-sum': () => typed([real(100352, 64), real(100352, 64)], (x, g) => matmul(x, g, { transA: true })),
  ...Object.fromEntries(CONVOLUTIONS.flatMap(convolution)),
  'max-pool': () => typed([real(128, 28, 28, 32)], (x) => n.maxPool2d(x, 2)),
  'max-pool-gradient': () =>
    typed([real(128, 14, 14, 32), real(128, 28, 28, 32)], (g, x) => n.vjp((v) => n.maxPool2d(v, 2), x)[1](g)[0]),
  'batch-norm-2d': () => typed(pixels, (x, weight, bias) => n.batchNorm(x, { weight, bias }).y),
  'batch-norm-2d-gradient': () =>
    typed([real(64, 32, 32, 32), ...pixels], (g, x, w, b) =>
      n.vjp((a, weight, bias) => n.batchNorm(a, { weight, bias }).y, x, w, b)[1](g),
    ),
  'sgd-25m': () => optimizerStep(5000, new n.optim.SGD({ lr: 1e-3 })),
  'momentum-25m': () => optimizerStep(5000, new n.optim.SGD({ lr: 1e-3, momentum: 0.9 })),
  'adam-25m': () => optimizerStep(5000, new n.optim.Adam({ lr: 1e-3 })),
  'adam-100k': () => optimizerStep(316, new n.optim.Adam({ lr: 1e-3 })),
  'momentum-100k': () => optimizerStep(316, new n.optim.SGD({ lr: 1e-3, momentum: 0.9 })),
  'nesterov-100k': () => optimizerStep(316, new n.optim.SGD({ lr: 1e-3, momentum: 0.9, nesterov: true })),
  'amsgrad-100k': () => optimizerStep(316, new n.optim.Adam({ amsgrad: true })),
  'adamw-100k': () => optimizerStep(316, new n.optim.AdamW()),
  'adamax-100k': () => optimizerStep(316, new n.optim.Adamax()),
  'nadam-100k': () => optimizerStep(316, new n.optim.NAdam()),
  'radam-100k': () => optimizerStep(316, new n.optim.RAdam()),
  'adadelta-100k': () => optimizerStep(316, new n.optim.Adadelta()),
  'adagrad-100k': () => optimizerStep(316, new n.optim.Adagrad()),
  'rmsprop-100k': () => optimizerStep(316, new n.optim.RMSprop({ lr: 1e-3 })),
  'lion-100k': () => optimizerStep(316, new n.optim.Lion()),
  'rprop-100k': () => optimizerStep(316, new n.optim.Rprop()),
  'delta-bar-delta-100k': () => optimizerStep(316, new n.optim.DeltaBarDelta()),
  'adafactor-100k': () => optimizerStep(316, new n.optim.Adafactor()),
  'lamb-100k': () => optimizerStep(316, new n.optim.LAMB()),
  'lars-100k': () => optimizerStep(316, new n.optim.LARS()),
  'muon-100k': () => optimizerStep(316, new n.optim.Muon()),
  'relu-gradient-4m': () => typed([real(4 * MILLION), real(4 * MILLION)], (g, y) => n.vjp(relu, y)[1](g)[0]),
  'chain-4m': () => chain(4 * MILLION),
  'chain-32k': () => chain(32 << 10),
  'layer-norm': () => typed(rows, (x, w, b) => n.layerNorm(x, [768], { weight: w, bias: b })),
  'layer-norm-gradient': () =>
    typed([real(4096, 768), ...rows], (g, x, w, b) =>
      n.vjp((a, c, d) => n.layerNorm(a, [768], { weight: c, bias: d }), x, w, b)[1](g),
    ),
  'dropout-4m': () => typed([real(4 * MILLION)], (x) => n.dropout(x, 0.5)),
  softmax: () => typed([real(256, 1000)], (x) => n.softmax(x)),
  'cross-entropy': () =>
    typed(
      [real(256, 1000), { shape: [256], dtype: 'int32' }],
      (x, y) => n.valueAndGrad((z) => n.crossEntropy(z, y), 0)(x),
      { 1: Int32Array.from({ length: 256 }, (_, i) => (i * 37) % 1000) },
    ),
  'sum-4m': () => typed([real(4 * MILLION)], (x) => n.sum(x)),
  ...Object.fromEntries(
    ACTIVATIONS.flatMap((name) => {
      const { [name.replace(/-(.)/g, (_, c) => c.toUpperCase())]: fn } = n;
      return [
        [name, () => typed([real(MILLION)], (x) => fn(x))],
        [`${name}-gradient`, () => typed([real(MILLION), real(MILLION)], (g, x) => n.vjp((v) => fn(v), x)[1](g)[0])],
      ];
    }),
  ),
  prelu: () => typed([real(4096, 256), real(256)], (x, w) => n.prelu(x, w)),
  swiglu: () => typed([real(4096, 512)], (x) => n.swiglu(x)),
  glu: () => typed([real(4096, 512)], (x) => n.glu(x)),
  maxout: () => typed([real(4096, 512)], (x) => n.maxout(x, 2)),
  'generalized-rectifier': () => typed([real(1 << 20)], (x) => n.generalizedRectifier(x, 0.25)),
  'log-softmax': () => typed([real(256, 1000)], (x) => n.logSoftmax(x)),
  'rms-norm': () => typed(rows.slice(0, 2), (x, w) => n.rmsNorm(x, [768], { weight: w })),
  'rms-norm-gradient': () =>
    typed([real(4096, 768), ...rows.slice(0, 2)], (g, x, w) =>
      n.vjp((a, c) => n.rmsNorm(a, [768], { weight: c }), x, w)[1](g),
    ),
  'batch-norm': () =>
    typed([real(4096, 256), real(256), real(256)], (x, weight, bias) => n.batchNorm(x, { weight, bias }).y),
  'group-norm': () =>
    typed([real(32, 28, 28, 64), real(64), real(64)], (x, weight, bias) => n.groupNorm(x, 8, { weight, bias })),
  'sort-1m': () => sorted(MILLION),
  'sort-rows': () => sorted(1024, 1000),
  'top-k': () =>
    typed(
      [real(1024, 1000)],
      (x) => {
        const { values, indices } = n.topK(x, 10);
        return [values, indices];
      },
      { 0: normal(1024, 1000) },
    ),
  cumsum: () => typed([real(1024, 1000)], (x) => n.cumsum(x)),
  gather: () => indexed((x, i) => n.gather(x, i)),
  'scatter-add': () => indexed((x, i) => n.scatterAdd(n.zerosLike(x), i, x)),
  cholesky: () => {
    const a = n.normal([64, 64, 64]);
    const definite = n.matmul(a, a, { transB: true }).add(n.eye(64)).dataSync();
    return typed([real(64, 64, 64)], (x) => n.cholesky(x), { 0: definite });
  },
  solve: () => typed([real(64, 64, 64), real(64, 64, 1)], (a, b) => n.solve(a, b), { 0: normal(64, 64, 64) }),
};

say({
  ready: true,
  isa: n.info().isa,
  threads: n.info().threads,
  version: `Neurite ${n.info().version}, ${n.info().isa}`,
});
let current = { id: '', run: () => {} };
for await (const line of createInterface({ input: process.stdin })) {
  const { id, threads, count } = JSON.parse(line);
  try {
    n.configure({ threads });
    if (current.id !== id) {
      current = { id: '', run: () => {} };
      current = { id, run: MAKE[id]() };
    }
    const start = performance.now();
    for (let i = 0; i < count; i++) current.run();
    say({ seconds: (performance.now() - start) / 1000 });
  } catch (error) {
    say({ error: `${error.message}`.split('\n')[0] });
  }
}
process.exit(0);
