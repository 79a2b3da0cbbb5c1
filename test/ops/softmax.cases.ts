import type { Tensor } from '../../src/graph/tensor.js';
import { build, buildAll } from '../../src/graph/tensor.js';
import * as ops from '../../src/ops/index.js';
import { softmaxOps } from '../../src/ops/softmax.js';
import { type Bound, float, floats, indices, ints, type OpCase } from './case.js';

type Name = 'softmax' | 'logSoftmax';
const SHAPES = [
  [1],
  [7],
  [3, 1],
  [2, 3],
  [3, 5],
  [2, 2, 3],
  [4, 15],
  [4, 16],
  [4, 17],
  [3, 33],
  [0, 3],
  [128, 10],
  [97, 1031],
];

/** exp has 2 ulps and its argument, up to `range`, one rounding; the sum of cols terms has cols roundings. */
function rows(name: Name, cols: number, range: number): Bound {
  const count = cols + range + 4;
  return name === 'softmax'
    ? { count, scale: (x) => ops.softmax(x) }
    : { count, scale: (x) => ops.add(ops.abs(ops.logSoftmax(x)), ops.add(ops.abs(x), 1)) };
}

function both(name: Name): OpCase[] {
  const fn = name === 'softmax' ? ops.softmax : ops.logSoftmax;
  const cases = SHAPES.map(
    (shape): OpCase => ({
      name: `[${shape}]`,
      inputs: [float(shape, -3, 3)],
      run: (x) => fn(x),
      bound: rows(name, shape[shape.length - 1], 6),
    }),
  );
  const known = name === 'softmax' ? [0.5, 0.5] : [-Math.LN2, -Math.LN2];
  return [
    ...cases,
    {
      name: 'axis 0',
      inputs: [float([3, 2])],
      run: (x) => fn(x, { axis: 0 }),
      bound: { count: 16, scale: (x) => ops.add(ops.abs(x), 4) },
    },
    {
      name: 'middle axis',
      inputs: [float([2, 3, 2])],
      run: (x) => fn(x, { axis: 1 }),
      bound: { count: 16, scale: (x) => ops.add(ops.abs(x), 4) },
    },
    {
      name: 'known',
      inputs: [floats([3, 3])],
      run: (x) => fn(x),
      bound: rows(name, 2, 3),
      expected: known,
      grad: false,
    },
    { name: 'huge', inputs: [floats([1000, 1000, -1000])], run: (x) => fn(x), bound: rows(name, 3, 2000), grad: false },
    {
      name: 'one -Infinity',
      inputs: [floats([0, -Infinity, 1])],
      run: (x) => fn(x),
      bound: { count: 8, scale: (x) => ops.add(ops.mul(x, 0), 8).cast(x.dtype) },
      grad: false,
    },
    {
      name: 'NaN',
      inputs: [floats([0, NaN, 1])],
      run: (x) => fn(x),
      bound: 'exact',
      expected: [NaN, NaN, NaN],
      grad: false,
    },
  ];
}

const lossOnly = (x: Tensor, y: Tensor) => ops.softmaxCrossEntropy(x, y);
/** Both outputs, so that the gradient rules of both are checked. */
const lossAndDelta = (x: Tensor, y: Tensor) => buildAll(softmaxOps.softmaxCrossEntropy, [x, y]);
const magnitude = (x: Tensor) => ops.add(ops.max(ops.abs(x), { axis: 1 }), 2);

function crossEntropy(n: number, c: number): OpCase[] {
  const inputs = [float([n, c], -3, 3, n + c), indices(n, c, 7)];
  const count = c + 12;
  return [
    { name: `[${n}, ${c}]`, inputs, run: lossOnly, bound: { count, scale: magnitude } },
    {
      name: `[${n}, ${c}] with delta`,
      inputs,
      run: lossAndDelta,
      bound: { count, scale: (x) => [magnitude(x), ops.add(ops.mul(x, 0), 1)] },
    },
  ];
}

/** Of g and y a sum of cols terms of size up to |g| times at most one, then a few roundings; exp has 2 ulps. */
function backward(name: 'softmaxGrad' | 'logSoftmaxGrad'): OpCase[] {
  const total = (g: Tensor, y: Tensor) =>
    name === 'softmaxGrad'
      ? ops.sum(ops.abs(ops.mul(g, y)), { axis: -1, keepDims: true })
      : ops.sum(ops.abs(g), { axis: -1, keepDims: true });
  return SHAPES.map((shape) => ({
    name: `[${shape}]`,
    inputs: [
      float(shape, -2, 2, 1),
      float(shape, ...(name === 'softmaxGrad' ? ([0, 1, 2] as const) : ([-4, 0, 3] as const))),
    ],
    run: (g, y) => build(softmaxOps[name], [g, y]),
    bound: {
      count: shape[shape.length - 1] + 8,
      scale: (g, y) => ops.add(ops.abs(g), ops.mul(total(g, y), name === 'softmaxGrad' ? ops.abs(y) : ops.exp(y))),
    },
  }));
}

export const softmaxCases = {
  softmaxGrad: backward('softmaxGrad'),
  logSoftmaxGrad: backward('logSoftmaxGrad'),
  softmax: both('softmax'),
  logSoftmax: both('logSoftmax'),
  softmaxCrossEntropy: [
    ...[
      [1, 1],
      [1, 2],
      [3, 4],
      [2, 5],
      [0, 3],
      [15, 16],
      [16, 17],
      [17, 33],
      [128, 10],
      [301, 331],
    ].flatMap(([n, c]) => crossEntropy(n, c)),
    {
      name: 'known',
      inputs: [floats([0, 0], [1, 2]), ints([1])],
      run: lossOnly,
      bound: { ulps: 4 },
      expected: [Math.LN2],
      grad: false,
    },
    {
      name: 'confident',
      inputs: [floats([1000, -1000, -1000, 1000], [2, 2]), ints([0, 0])],
      run: lossOnly,
      bound: { ulps: 2 },
      expected: [0, 2000],
      grad: false,
    },
    {
      name: 'uint8 labels',
      inputs: [float([3, 4]), ints([0, 3, 1], [3], 'uint8')],
      run: lossOnly,
      bound: { count: 16, scale: magnitude },
    },
  ],
} satisfies Record<keyof typeof softmaxOps, OpCase[]>;
