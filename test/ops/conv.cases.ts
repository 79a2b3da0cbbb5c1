import { build, type Tensor } from '../../src/graph/tensor.js';
import { type ConvAttrs, convOps } from '../../src/ops/conv.js';
import * as ops from '../../src/ops/index.js';
import { sizeOf } from '../../src/shape.js';
import { float, floats, type OpCase } from './case.js';

const CONV = [ops.conv1d, ops.conv2d, ops.conv3d];
const TRANSPOSED = [ops.convTranspose1d, ops.convTranspose2d, ops.convTranspose3d];

/** One application to x and w: each output is a sum of at most `terms` products (Higham, Accuracy and Stability, 3.1). */
function product(name: string, x: number[], w: number[], terms: number, run: (x: Tensor, w: Tensor) => Tensor): OpCase {
  return {
    name: `${name} [${x}] with [${w}]`,
    inputs: [float(x, -1, 1, 3), float(w, -1, 1, 4)],
    run,
    bound: { count: terms, scale: (a, b) => run(ops.abs(a), ops.abs(b)) },
  };
}

function conv(x: number[], w: number[], options: ops.ConvOptions = {}): OpCase {
  const run = (a: Tensor, b: Tensor) => CONV[x.length - 3](a, b, options);
  return product(JSON.stringify(options), x, w, sizeOf(w.slice(1)), run);
}

/** The kernel meets a position at most once a tap, whatever the stride is. */
function transposed(x: number[], w: number[], options: ops.ConvTransposeOptions = {}): OpCase {
  const run = (a: Tensor, b: Tensor) => TRANSPOSED[x.length - 3](a, b, options);
  return product(JSON.stringify(options), x, w, w[0] * sizeOf(w.slice(2)), run);
}

/** convWeightGrad of the convolution of x with a kernel; it has no function of its own. */
function weightGrad(x: number[], out: number, kernel: number[], options: Partial<ConvAttrs> = {}): OpCase {
  const axes = kernel.map((_, a) => a);
  const { stride = axes.map(() => 1), padding = axes.map(() => 0), dilation = axes.map(() => 1), groups = 1 } = options;
  const input = x.slice(1, -1);
  const output = input.map((size, a) =>
    Math.floor((size + 2 * padding[a] - dilation[a] * (kernel[a] - 1) - 1) / stride[a] + 1),
  );
  const attrs = { input, kernel, output, stride, padding, dilation, groups };
  const run = (a: Tensor, b: Tensor) => build(convOps.convWeightGrad, [a, b], attrs);
  const y = [x[0], ...output, out];
  return product(`kernel ${kernel} ${JSON.stringify(options)}`, x, y, Math.max(1, sizeOf(y.slice(0, -1))), run);
}

const biased = (x: number[], w: number[], act: (t: Tensor) => Tensor, name: string): OpCase => ({
  name: `bias and ${name}`,
  inputs: [float(x, -1, 1, 3), float(w, -1, 1, 4), float([w[0]], -1, 1, 5)],
  run: (a, b, bias) => act(ops.conv2d(a, b, { bias, padding: 1 })),
  bound: {
    count: sizeOf(w.slice(1)) + 2,
    scale: (a, b, bias) => ops.conv2d(ops.abs(a), ops.abs(b), { bias: ops.abs(bias), padding: 1 }),
  },
});

export const convCases = {
  conv: [
    {
      name: 'known',
      inputs: [floats([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]), floats([1, 2, 3, 4], [1, 1, 2, 2])],
      run: (x, w) => ops.conv2d(x, w),
      bound: 'exact',
      expected: [37, 47, 67, 77],
    },
    {
      name: 'NaN and infinity stay where the kernel meets them',
      inputs: [floats([1, NaN, 3, 4, Infinity], [1, 5, 1]), floats([1, 1], [1, 1, 2])],
      run: (x, w) => ops.conv1d(x, w),
      bound: 'exact',
      expected: [NaN, NaN, 7, Infinity],
      grad: false,
    },
    conv([2, 5, 2], [2, 2, 3], { padding: 1 }),
    conv([1, 8, 2], [2, 2, 3], { stride: 2, dilation: 2, padding: [[2, 1]] }),
    conv([1, 3, 4, 2], [2, 2, 2, 3], { padding: 'same' }),
    conv([1, 4, 5, 1], [3, 1, 2, 2], { stride: [2, 3], padding: [[0, 1], 1] }),
    conv([1, 3, 3, 2], [1, 2, 2, 2], { padding: 'full', dilation: [1, 2] }),
    conv([1, 2, 3, 4], [6, 2, 1, 2], { groups: 2 }),
    conv([2, 2, 2, 3], [3, 1, 2, 2], { groups: 3, padding: 1 }),
    conv([3, 2, 2, 2], [4, 2, 1, 1], { stride: 2 }),
    conv([1, 2, 2, 3, 2], [1, 2, 2, 2, 2], { padding: [1, 0, 1] }),
    conv([1, 3, 2, 2, 2], [4, 1, 2, 1, 1], { groups: 2, stride: [2, 1, 1] }),
    biased([1, 3, 3, 2], [1, 2, 3, 3], ops.tanh, 'tanh'),
    biased([2, 7, 9, 5], [19, 5, 3, 3], ops.relu, 'relu'),
    conv([0, 4, 4, 2], [3, 2, 3, 3]),
    conv([1, 1, 1, 1], [1, 1, 1, 1]),
    conv([3, 1, 1, 33], [17, 33, 1, 1]),
    conv([2, 14, 14, 16], [32, 16, 3, 3], { padding: 1 }),
    conv([1, 11, 13, 3], [31, 3, 7, 7], { padding: 3, stride: 2 }),
    conv([1, 9, 10, 33], [33, 1, 3, 3], { padding: 1, groups: 33 }),
    conv([2, 9, 17, 12], [30, 4, 3, 2], { groups: 3, dilation: [2, 3], stride: [1, 2], padding: 2 }),
    conv([1, 61, 15], [16, 15, 5], { padding: 2 }),
    conv([1, 5, 6, 7, 3], [17, 3, 3, 3, 3], { padding: 1 }),
    {
      name: 'channels first, turned',
      inputs: [float([1, 3, 6, 5]), float([4, 3, 3, 3])],
      run: (x, w) => ops.conv2d(ops.permute(x, [0, 2, 3, 1]), w),
      bound: {
        count: 27,
        scale: (x, w) => ops.conv2d(ops.permute(ops.abs(x), [0, 2, 3, 1]), ops.abs(w)),
      },
    },
  ],
  convDataGrad: [
    {
      name: 'known',
      inputs: [floats([1, 2, 3], [1, 3, 1]), floats([1, 10], [1, 1, 2])],
      run: (x, w) => ops.convTranspose1d(x, w, { stride: 2 }),
      bound: 'exact',
      expected: [1, 10, 2, 20, 3, 30],
    },
    transposed([2, 3, 2], [2, 2, 3], { stride: 2, padding: 1, outputPadding: 1 }),
    transposed([1, 2, 3, 2], [2, 2, 2, 3], { stride: 2 }),
    transposed([1, 3, 2, 1], [1, 3, 3, 2], { stride: [3, 1], padding: [[1, 0], 0], dilation: [1, 2] }),
    transposed([2, 2, 1, 4], [4, 3, 1, 2], { groups: 2, padding: 'same', stride: 2 }),
    transposed([1, 2, 2, 3], [3, 1, 2, 2], { groups: 3 }),
    transposed([1, 1, 2, 2, 2], [2, 1, 2, 2, 2], { stride: [1, 2, 1] }),
    transposed([0, 3, 3, 2], [2, 3, 2, 2]),
    transposed([1, 3, 3, 2], [2, 4, 1, 1], { stride: 2 }),
    transposed([2, 14, 14, 32], [32, 16, 3, 3], { padding: 1 }),
    transposed([1, 7, 8, 17], [17, 5, 3, 3], { padding: 1, stride: 2, outputPadding: 1 }),
    transposed([1, 9, 10, 33], [33, 1, 3, 3], { padding: 1, groups: 33, stride: 2 }),
    transposed([2, 5, 7, 30], [30, 4, 3, 2], { groups: 3, dilation: [2, 3], stride: [1, 2], padding: 2 }),
  ],
  convWeightGrad: [
    {
      name: 'known',
      inputs: [floats([1, 2, 3, 4], [1, 4, 1]), floats([1, 10, 100], [1, 3, 1])],
      run: (x, y) =>
        build(convOps.convWeightGrad, [x, y], {
          input: [4],
          kernel: [2],
          output: [3],
          stride: [1],
          padding: [0],
          dilation: [1],
          groups: 1,
        }),
      bound: 'exact',
      expected: [321, 432],
    },
    weightGrad([2, 5, 2], 2, [3], { padding: [1] }),
    weightGrad([1, 4, 3, 2], 2, [2, 3], { padding: [1, 1], stride: [2, 1] }),
    weightGrad([1, 3, 4, 2], 4, [2, 2], { groups: 2, dilation: [1, 2] }),
    weightGrad([2, 2, 2, 3], 3, [2, 2], { groups: 3, padding: [1, 0] }),
    weightGrad([1, 2, 2, 3, 2], 2, [2, 1, 2]),
    weightGrad([0, 3, 3, 2], 3, [2, 2]),
    weightGrad([2, 14, 14, 16], 32, [3, 3], { padding: [1, 1] }),
    weightGrad([1, 11, 13, 3], 31, [7, 7], { padding: [3, 3], stride: [2, 2] }),
    weightGrad([2, 9, 10, 33], 33, [3, 3], { padding: [1, 1], groups: 33 }),
    weightGrad([2, 9, 17, 12], 30, [3, 2], { groups: 3, dilation: [2, 3], stride: [1, 2], padding: [2, 2] }),
  ],
} satisfies Record<keyof typeof convOps, OpCase[]>;

/** Padding with values of the input goes through `pad`. */
export const convolutionCases: Readonly<Record<string, readonly OpCase[]>> = {
  paddingMode: (['reflect', 'replicate', 'circular'] as const).map((paddingMode) =>
    conv([1, 3, 3, 2], [1, 2, 3, 2], { padding: 'same', paddingMode }),
  ),
};
