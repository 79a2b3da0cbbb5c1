import { build } from '../../src/graph/tensor.js';
import type { alongOps } from '../../src/ops/along.js';
import { createOps } from '../../src/ops/create.js';
import * as ops from '../../src/ops/index.js';
import { float, floats, type Input, indices, ints, type OpCase } from './case.js';

/** Whole numbers below `below` of a shape. */
function at(shape: readonly number[], below: number, salt = 1): Input {
  return {
    ...indices(
      shape.reduce((a, b) => a * b, 1),
      below,
      salt,
    ),
    shape,
  };
}

const iota = (n: number, start: number, step: number, dtype: string) =>
  build(createOps.iota, [], { n, start, step, dtype });

export const alongCases = {
  iota: [
    { name: 'known', inputs: [], run: () => iota(3, 0, 1, 'int32'), bound: 'exact', expected: [0, 1, 2] },
    { name: 'none', inputs: [], run: () => iota(0, 0, 1, 'int32'), bound: 'exact', expected: [] },
    { name: 'float32', inputs: [], run: () => iota(1001, -3.1, 0.37, 'float32'), bound: 'exact' },
    { name: 'float64', inputs: [], run: () => iota(1001, -3.1, 0.37, 'float64'), bound: 'exact' },
    { name: 'down', inputs: [], run: () => iota(4, 2, -3, 'int32'), bound: 'exact', expected: [2, -1, -4, -7] },
    { name: 'large', inputs: [], run: () => iota(100_003, -7, 2, 'int32'), bound: 'exact' },
  ],
  gather: [
    {
      name: 'known',
      inputs: [floats([1, 2, 3, 4], [2, 2]), ints([1, 0], [2, 1])],
      run: (x, i) => ops.gather(x, i),
      bound: 'exact',
      expected: [2, 3],
    },
    ...[0, 1, 2].map(
      (axis): OpCase => ({
        name: `axis ${axis}`,
        inputs: [
          float([2, 3, 4]),
          at(
            [2, 3, 4].map((d, a) => (a === axis ? 5 : d)),
            [2, 3, 4][axis],
          ),
        ],
        run: (x, i) => ops.gather(x, i, { axis }),
        bound: 'exact',
      }),
    ),
    { name: 'nothing', inputs: [float([3, 0]), ints([], [3, 0])], run: (x, i) => ops.gather(x, i), bound: 'exact' },
    {
      name: 'uint8',
      inputs: [ints([7, 8, 9], [3], 'uint8'), ints([2, 2, 0, 1])],
      run: (x, i) => ops.gather(x, i),
      bound: 'exact',
      expected: [9, 9, 7, 8],
    },
    {
      name: 'large',
      inputs: [float([11, 31, 303]), at([11, 7, 303], 31)],
      run: (x, i) => ops.gather(x, i, { axis: 1 }),
      bound: 'exact',
      grad: false,
    },
  ],
  scatter: [
    {
      name: 'known',
      inputs: [floats([0, 0, 0]), ints([2]), floats([5])],
      run: (x, i, v) => ops.scatter(x, i, v),
      bound: 'exact',
      expected: [0, 0, 5],
    },
    {
      name: 'the last of equal places stays',
      inputs: [floats([0, 0, 0]), ints([1, 2, 1]), floats([5, 6, 7])],
      run: (x, i, v) => ops.scatter(x, i, v),
      bound: 'exact',
      expected: [0, 7, 6],
    },
    ...[0, 1, 2].map(
      (axis): OpCase => ({
        name: `axis ${axis}`,
        inputs: [
          float([2, 3, 4]),
          at(
            [2, 3, 4].map((d, a) => (a === axis ? 5 : d)),
            [2, 3, 4][axis],
          ),
          float(
            [2, 3, 4].map((d, a) => (a === axis ? 5 : d)),
            -1,
            1,
            5,
          ),
        ],
        run: (x, i, v) => ops.scatter(x, i, v, { axis }),
        bound: 'exact',
        grad: axis === 0,
      }),
    ),
    {
      name: 'a number into bool',
      inputs: [ints([1, 0, 1], [3], 'bool'), ints([1])],
      run: (x, i) => ops.scatter(x, i, ops.ones([1], { dtype: 'bool' })),
      bound: 'exact',
      expected: [1, 1, 1],
    },
    {
      name: 'added',
      inputs: [floats([1, 2, 3]), ints([2, 0, 2]), floats([5, 6, 7])],
      run: (x, i, v) => ops.scatterAdd(x, i, v),
      bound: 'exact',
      expected: [7, 2, 15],
    },
    {
      name: 'added, int32',
      inputs: [ints([1, 2, 3]), ints([2, 0, 2])],
      run: (x, i) => ops.scatterAdd(x, i, 4),
      bound: 'exact',
      expected: [5, 2, 11],
    },
    {
      name: 'added along axis 0',
      inputs: [float([3, 2]), at([4, 2], 3), float([4, 2])],
      run: (x, i, v) => ops.scatterAdd(x, i, v, { axis: 0 }),
      bound: { count: 4, scale: (x, i, v) => ops.scatterAdd(ops.abs(x), i, ops.abs(v), { axis: 0 }) },
    },
    {
      name: 'large',
      inputs: [float([7, 31, 303]), at([7, 50, 303], 31), float([7, 50, 303])],
      run: (x, i, v) => ops.scatterAdd(x, i, v, { axis: 1 }),
      bound: { count: 12, scale: (x, i, v) => ops.scatterAdd(ops.abs(x), i, ops.abs(v), { axis: 1 }) },
      grad: false,
    },
  ],
} satisfies Record<keyof typeof alongOps | keyof typeof createOps, OpCase[]>;
