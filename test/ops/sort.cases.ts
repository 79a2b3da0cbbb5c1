import * as ops from '../../src/ops/index.js';
import type { sortOps } from '../../src/ops/sort.js';
import { float, floats, type Input, indices, ints, type OpCase } from './case.js';

const SHAPES = [[1], [7], [0], [3, 0], [0, 3], [2, 3, 5], [4, 15], [4, 17], [3, 33], [3, 255], [2, 257]];
const both = (x: Parameters<OpCase['run']>[0], descending: boolean, axis = -1) => [
  ops.sort(x, { descending, axis }),
  ops.argsort(x, { descending, axis }),
];

function sorts(name: string, input: Input, expected?: [up: number[], down: number[]]): OpCase[] {
  return [false, true].map((descending, i) => ({
    name: `${name}${descending ? ', descending' : ''}`,
    inputs: [input],
    run: (x) => both(x, descending),
    bound: 'exact',
    ...(expected === undefined ? {} : { expected: expected[i] }),
    // Distinct values: where two are equal the derivative does not exist.
    grad:
      new Set(input.values).size === input.values.length &&
      !/subnormal/.test(name) &&
      input.values.every(Number.isFinite),
  }));
}

export const sortCases = {
  sort: [
    ...sorts('known', floats([3, 1, 2]), [
      [1, 2, 3],
      [3, 2, 1],
    ]),
    ...SHAPES.flatMap((shape) => sorts(`[${shape}]`, float(shape, -2, 2, shape.length))),
    ...sorts('NaN is the largest', floats([NaN, 1, -Infinity, NaN, Infinity]), [
      [-Infinity, 1, Infinity, NaN, NaN],
      [NaN, NaN, Infinity, 1, -Infinity],
    ]),
    ...sorts('both zeros keep their order', floats([0, -0, 0, -1, -0]), [
      [-1, 0, -0, 0, -0],
      [0, -0, 0, -0, -1],
    ]),
    ...sorts('subnormal', floats([1e-40, -1e-40, 0, 1e-41])),
    ...sorts('ties', indices(700, 13)),
    ...sorts('int32 extremes', ints([2 ** 31 - 1, -(2 ** 31), 0, -1, 1])),
    ...sorts('uint8', ints([3, 255, 0], [3], 'uint8')),
    ...sorts('large', float([100_003], -1e3, 1e3)),
    ...[0, 1].map(
      (axis): OpCase => ({
        name: `axis ${axis}`,
        inputs: [float([3, 4, 2])],
        run: (x) => both(x, false, axis),
        bound: 'exact',
      }),
    ),
    ...[0, 1, 3, 40, 41].map(
      (k): OpCase => ({
        name: `top ${k} of 41`,
        inputs: [float([2, 41], -2, 2, k)],
        run: (x) => {
          const { values, indices: at } = ops.topK(x, k);
          return [values, at];
        },
        bound: 'exact',
        grad: false,
      }),
    ),
    {
      name: 'top 2, gradient',
      inputs: [float([2, 5])],
      run: (x) => ops.topK(x, 2).values,
      bound: 'exact',
    },
    {
      name: 'smallest 2 along axis 0',
      inputs: [floats([5, 1, 4, 2, 3, 6], [3, 2])],
      run: (x) => ops.topK(x, 2, { axis: 0, largest: false }).values,
      bound: 'exact',
      expected: [3, 1, 4, 2],
    },
  ],
} satisfies Record<keyof typeof sortOps, OpCase[]>;
