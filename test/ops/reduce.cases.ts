import type { Tensor } from '../../src/graph/tensor.js';
import * as ops from '../../src/ops/index.js';
import type { reduceOps } from '../../src/ops/reduce.js';
import { sizeOf } from '../../src/shape.js';
import { type Bound, float, floats, ints, numbers, type OpCase } from './case.js';

type Reduce = (x: Tensor, options?: ops.ReduceOptions) => Tensor;

/** Shape, axes and keepDims of every case; around vector widths in the reduced and in the kept axis. */
const FORMS: [number[], ops.ReduceOptions][] = [
  [[1], {}],
  [[15], {}],
  [[16], {}],
  [[17], {}],
  [[33], {}],
  [[], {}],
  [[3, 4], { axis: 0 }],
  [[3, 4], { axis: 1, keepDims: true }],
  [[3, 4], { axis: [] }],
  [[2, 3, 2], { axis: 1 }],
  [[2, 3, 2], { axis: [0, 2] }],
  [[2, 3, 2], { axis: [-1, 0], keepDims: true }],
  [[31, 17], { axis: 0 }],
  [[17, 31], { axis: 1 }],
  [[0, 3], { axis: 1 }],
  [[100_003], {}],
  [[7, 4099], { axis: 1 }],
  [[1031, 67], { axis: 0 }],
];

function forms(
  fn: Reduce,
  boundOf: (count: number, options: ops.ReduceOptions) => Bound,
  low = -2,
  high = 2,
): OpCase[] {
  const cases = FORMS.map(([shape, options]): OpCase => {
    const count = sizeOf(axesOf(shape, options).map((a) => shape[a]));
    const run = (x: Tensor) => fn(x, options);
    return {
      name: `[${shape}] over ${JSON.stringify(options)}`,
      inputs: [float(shape, low, high, shape.length + count)],
      run,
      bound: boundOf(count, options),
    };
  });
  const run = (x: Tensor) => fn(ops.transpose(x), { axis: 1 });
  cases.push({ name: 'transposed', inputs: [float([5, 3], low, high)], run, bound: boundOf(5, { axis: 0 }) });
  return cases;
}

function axesOf(shape: readonly number[], { axis }: ops.ReduceOptions): number[] {
  if (axis === undefined) return shape.map((_, a) => a);
  return [axis].flat().map((a) => ((a as number) < 0 ? (a as number) + shape.length : (a as number)));
}

const E: Bound = 'exact';
const sumBound = (count: number, options: ops.ReduceOptions): Bound => ({
  count,
  scale: (x) => ops.sum(ops.abs(x), options),
});
const arg = (fn: typeof ops.argmax): OpCase[] => [
  ...[[1], [15], [16], [17], [33], [100_003]].map(
    (shape): OpCase => ({ name: `[${shape}]`, inputs: [float(shape)], run: (x) => fn(x), bound: E }),
  ),
  { name: 'axis 0', inputs: [float([5, 17])], run: (x) => fn(x, { axis: 0 }), bound: E },
  { name: 'axis 1 kept', inputs: [float([5, 17])], run: (x) => fn(x, { axis: 1, keepDims: true }), bound: E },
  { name: 'middle axis', inputs: [float([3, 16, 2])], run: (x) => fn(x, { axis: 1 }), bound: E },
  { name: 'rank 0', inputs: [float([])], run: (x) => fn(x), bound: E, expected: [0] },
  { name: 'int32', inputs: [ints([3, -1, 3, -1])], run: (x) => fn(x), bound: E },
  { name: 'no rows', inputs: [float([0, 3])], run: (x) => fn(x, { axis: 1 }), bound: E },
];

/** A permutation, so that a difference quotient meets no tie. */
const spread = [3, -1, 4, 1.5, -5, 9, 2, 6, -3.5, 5.5, 8, -9.5];

export const reduceCases = {
  sum: [
    ...forms(ops.sum, sumBound),
    {
      name: 'known',
      inputs: [floats([1, 2, 3, 4], [2, 2])],
      run: (x) => ops.sum(x, { axis: 0 }),
      bound: E,
      expected: [4, 6],
    },
    { name: 'nothing', inputs: [float([0])], run: (x) => ops.sum(x), bound: E, expected: [0] },
    {
      name: 'no rows to add',
      inputs: [float([0, 3])],
      run: (x) => ops.sum(x, { axis: 0 }),
      bound: E,
      expected: [0, 0, 0],
    },
    { name: 'int32', inputs: [ints([1, 2, -4])], run: (x) => ops.sum(x), bound: E, expected: [-1] },
    { name: 'bool counts', inputs: [ints([1, 0, 1], [3], 'bool')], run: (x) => ops.sum(x), bound: E, expected: [2] },
    {
      name: 'cancelling',
      inputs: [floats([1e8, 1, -1e8, 1])],
      run: (x) => ops.sum(x),
      bound: sumBound(4, {}),
      grad: false,
    },
    {
      name: 'infinities',
      inputs: [floats([Infinity, 1, -Infinity])],
      run: (x) => ops.sum(x),
      bound: E,
      expected: [NaN],
      grad: false,
    },
  ],
  prod: [
    // Relative error of a product of n factors is n roundings.
    ...forms(ops.prod, (count) => ({ ulps: 2 * Math.max(1, count) }), 0.999, 1.001).filter(
      (c) => sizeOf(c.inputs[0].shape) < 100_000,
    ),
    { name: 'known', inputs: [floats([2, 3, 4])], run: (x) => ops.prod(x), bound: E, expected: [24] },
    { name: 'one zero', inputs: [floats([2, 0, 4, 3])], run: (x) => ops.prod(x), bound: E, expected: [0] },
    { name: 'two zeros', inputs: [floats([2, 0, 4, 0, 1], [5])], run: (x) => ops.prod(x), bound: E, expected: [0] },
    { name: 'nothing', inputs: [float([0])], run: (x) => ops.prod(x), bound: E, expected: [1] },
    { name: 'int32', inputs: [ints([3, -2, 5])], run: (x) => ops.prod(x), bound: E, expected: [-30] },
  ],
  max: [
    ...forms(ops.max, () => E),
    {
      name: 'known',
      inputs: [floats([1, 5, 7, 2], [2, 2])],
      run: (x) => ops.max(x, { axis: 1 }),
      bound: E,
      expected: [5, 7],
    },
    { name: 'over two axes', inputs: [floats(spread, [2, 3, 2])], run: (x) => ops.max(x, { axis: [0, 2] }), bound: E },
    { name: 'NaN wins', inputs: [floats([1, NaN, 2])], run: (x) => ops.max(x), bound: E, expected: [NaN], grad: false },
    {
      name: 'late NaN wins',
      inputs: [floats([...numbers(40, -1, 1), NaN])],
      run: (x) => ops.max(x),
      bound: E,
      expected: [NaN],
      grad: false,
    },
    {
      name: 'all -Infinity',
      inputs: [floats([-Infinity, -Infinity])],
      run: (x) => ops.max(x),
      bound: E,
      expected: [-Infinity],
      grad: false,
    },
    { name: 'int32', inputs: [ints([-3, -7])], run: (x) => ops.max(x), bound: E, expected: [-3] },
    { name: 'uint8', inputs: [ints([3, 200], [2], 'uint8')], run: (x) => ops.max(x), bound: E, expected: [200] },
  ],
  min: [
    ...forms(ops.min, () => E),
    {
      name: 'known',
      inputs: [floats([1, 5, 7, 2], [2, 2])],
      run: (x) => ops.min(x, { axis: 1 }),
      bound: E,
      expected: [1, 2],
    },
    { name: 'over two axes', inputs: [floats(spread, [2, 3, 2])], run: (x) => ops.min(x, { axis: [0, 2] }), bound: E },
    { name: 'NaN wins', inputs: [floats([1, NaN, 2])], run: (x) => ops.min(x), bound: E, expected: [NaN], grad: false },
    { name: 'bool', inputs: [ints([1, 0], [2], 'bool')], run: (x) => ops.min(x), bound: E, expected: [0] },
  ],
  argmax: [
    ...arg(ops.argmax),
    { name: 'first of ties', inputs: [floats([1, 5, 5])], run: (x) => ops.argmax(x), bound: E, expected: [1] },
    { name: 'first NaN', inputs: [floats([1, NaN, 5, NaN])], run: (x) => ops.argmax(x), bound: E, expected: [1] },
  ],
  argmin: [
    ...arg(ops.argmin),
    { name: 'first of ties', inputs: [floats([3, 1, 1])], run: (x) => ops.argmin(x), bound: E, expected: [1] },
    { name: 'first NaN', inputs: [floats([1, NaN, -5])], run: (x) => ops.argmin(x), bound: E, expected: [1] },
  ],
} satisfies Record<keyof typeof reduceOps, OpCase[]>;
