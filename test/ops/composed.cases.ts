import type { Tensor } from '../../src/graph/tensor.js';
import * as ops from '../../src/ops/index.js';
import { type Bound, float, floats, ints, type OpCase } from './case.js';

const E: Bound = 'exact';
const KINKS = [-2.5, -1, -0.25, 0.25, 1.5, 3];
/** Roundings of values up to about the size of x and 1. */
const near = (count: number): Bound => ({ count, scale: (x) => ops.add(ops.abs(x), 1) });

function activation(fn: (x: Tensor) => Tensor, x: number, y: number): OpCase[] {
  return [
    { name: 'small', inputs: [floats(KINKS)], run: fn, bound: near(16) },
    { name: 'known', inputs: [floats([x])], run: fn, bound: near(16), expected: [y], grad: false },
    { name: 'tails', inputs: [floats([-1000, 1000, -50, 50, 0])], run: fn, bound: near(16), grad: false },
    { name: 'large', inputs: [float([100_003], -6, 6)], run: fn, bound: near(16), grad: false },
  ];
}

type Options = ops.ReduceOptions;
const statistic = (fn: (x: Tensor, options?: Options) => Tensor, count: number): OpCase[] =>
  (
    [
      [[5], {}],
      [[3, 4], { axis: 0 }],
      [[3, 4], { axis: -1, keepDims: true }],
      [[2, 3, 2], { axis: [0, 2] }],
      [[17, 33], { axis: 1 }],
    ] as [number[], Options][]
  ).map(
    ([shape, options]): OpCase => ({
      name: `[${shape}] over ${JSON.stringify(options)}`,
      inputs: [float(shape, -2, 2, shape.length)],
      run: (x) => fn(x, options),
      bound: { count: count * shape.reduce((a, b) => a * b, 1), scale: (x) => ops.add(ops.mul(fn(x, options), 0), 8) },
    }),
  );

export const composedCases = {
  square: [{ name: 'known', inputs: [floats([2, -3])], run: ops.square, bound: E, expected: [4, 9] }],
  pow2: [{ name: 'is a product', inputs: [floats([2, -3, 1e-20])], run: (x) => ops.pow(x, 2), bound: E }],
  powConstant: [
    {
      name: 'cube',
      inputs: [floats([2, -3])],
      run: (x) => ops.pow(x, 3),
      bound: { ulps: 4, float64: 8 },
      expected: [8, -27],
    },
    { name: 'zero power of zero', inputs: [floats([0, 2])], run: (x) => ops.pow(x, 0), bound: E, expected: [1, 1] },
    {
      name: 'to a tensor',
      inputs: [floats([2, -3, 0.5])],
      run: (x) => ops.pow(2, x),
      bound: { ulps: 4, float64: 8 },
      expected: [4, 0.125, Math.SQRT2],
    },
    {
      name: 'half',
      inputs: [floats([4, 9])],
      run: (x) => ops.pow(x, 0.5),
      bound: { ulps: 4, float64: 8 },
      expected: [2, 3],
    },
  ],
  clip: [
    { name: 'both', inputs: [floats([-2, 0.5, 3])], run: (x) => ops.clip(x, 0, 1), bound: E, expected: [0, 0.5, 1] },
    {
      name: 'one side',
      inputs: [floats([-2, 0.5, 3])],
      run: (x) => ops.clip(x, -Infinity, 1),
      bound: E,
      expected: [-2, 0.5, 1],
    },
    { name: 'int32', inputs: [ints([-2, 0, 3])], run: (x) => ops.clip(x, -1, 1), bound: E, expected: [-1, 0, 1] },
    {
      name: 'NaN stays',
      inputs: [floats([NaN])],
      run: (x) => ops.clip(x, 0, 1),
      bound: E,
      expected: [NaN],
      grad: false,
    },
  ],
  gelu: [
    ...activation((x) => ops.gelu(x), 1, 0.8413447460685429),
    ...activation((x) => ops.gelu(x, { approximate: 'tanh' }), 1, 0.8411919906082768),
  ],
  silu: activation(ops.silu, 1, 0.7310585786300049),
  mish: activation(ops.mish, 1, 0.8650983882673103),
  leakyRelu: activation((x) => ops.leakyRelu(x, 0.125), -8, -1),
  elu: activation((x) => ops.elu(x, 2), -1, 2 * Math.expm1(-1)),
  softsign: activation(ops.softsign, -1, -0.5),
  mean: [
    ...statistic(ops.mean, 1),
    { name: 'known', inputs: [floats([1, 2, 3, 4])], run: (x) => ops.mean(x), bound: E, expected: [2.5] },
  ],
  variance: [
    ...statistic((x, options) => ops.variance(x, { ...options, correction: 0 }), 4),
    {
      name: 'known',
      inputs: [floats([1, 2, 3, 4])],
      run: (x) => ops.variance(x, { correction: 0 }),
      bound: E,
      expected: [1.25],
    },
    {
      name: 'unbiased',
      inputs: [floats([1, 2, 3, 4])],
      run: (x) => ops.variance(x),
      bound: { ulps: 2 },
      expected: [5 / 3],
    },
  ],
  std: [
    ...statistic((x, options) => ops.std(x, { ...options, correction: 0 }), 4),
    { name: 'of equal values', inputs: [floats([2, 2])], run: (x) => ops.std(x), bound: E, expected: [0], grad: false },
  ],
  logSumExp: [
    ...statistic(ops.logSumExp, 2),
    {
      name: 'huge',
      inputs: [floats([1000, 1000])],
      run: (x) => ops.logSumExp(x),
      bound: { ulps: 2 },
      expected: [1000 + Math.LN2],
    },
    {
      name: 'all -Infinity',
      inputs: [floats([-Infinity, -Infinity])],
      run: (x) => ops.logSumExp(x),
      bound: E,
      expected: [-Infinity],
      grad: false,
    },
  ],
  norm: [
    ...statistic((x, o) => ops.norm(x, o), 2),
    ...statistic((x, o) => ops.norm(x, { ...o, ord: 1 }), 2),
    ...statistic((x, o) => ops.norm(x, { ...o, ord: 3 }), 4),
    ...statistic((x, o) => ops.norm(x, { ...o, ord: Infinity }), 1),
    { name: 'known', inputs: [floats([3, 4])], run: (x) => ops.norm(x), bound: E, expected: [5] },
  ],
  anyAll: [
    {
      name: 'any',
      inputs: [floats([0, 1, 0, 0], [2, 2])],
      run: (x) => ops.any(x, { axis: 1 }),
      bound: E,
      expected: [1, 0],
    },
    {
      name: 'all',
      inputs: [floats([0, 1, 1, NaN], [2, 2])],
      run: (x) => ops.all(x, { axis: 1 }),
      bound: E,
      expected: [0, 1],
    },
    {
      name: 'of nothing',
      inputs: [ints([], [0], 'bool')],
      run: (x) => ops.stack([ops.any(x), ops.all(x)]),
      bound: E,
      expected: [0, 1],
    },
  ],
  create: [
    { name: 'zeros', inputs: [], run: () => ops.zeros([2]), bound: E, expected: [0, 0] },
    { name: 'full', inputs: [], run: () => ops.full([2], -7, { dtype: 'int32' }), bound: E, expected: [-7, -7] },
    { name: 'arange', inputs: [], run: () => ops.arange(1, 7, 2), bound: E, expected: [1, 3, 5] },
    { name: 'arange down', inputs: [], run: () => ops.arange(2, -2, -1.5), bound: E, expected: [2, 0.5, -1] },
    { name: 'arange of nothing', inputs: [], run: () => ops.arange(3, 3), bound: E, expected: [] },
    ...[1, 15, 16, 17, 256, 257, 1000, 4097].map(
      (n): OpCase => ({
        name: `arange ${n}`,
        inputs: [],
        run: () => ops.arange(n),
        bound: E,
        expected: Array.from({ length: n }, (_, i) => i),
      }),
    ),
    { name: 'linspace', inputs: [], run: () => ops.linspace(0, 1, 5), bound: E, expected: [0, 0.25, 0.5, 0.75, 1] },
    { name: 'linspace of one', inputs: [], run: () => ops.linspace(3, 4, 1), bound: E, expected: [3] },
    { name: 'eye', inputs: [], run: () => ops.eye(2, 3), bound: E, expected: [1, 0, 0, 0, 1, 0] },
    {
      name: 'oneHot',
      inputs: [ints([1, 0, 5, -1])],
      run: (x) => ops.oneHot(x, 2),
      bound: E,
      expected: [0, 1, 1, 0, 0, 0, 0, 0],
    },
  ],
} satisfies Record<string, readonly OpCase[]>;
