import type { Tensor } from '../../src/graph/tensor.js';
import type { gatherOps } from '../../src/ops/gather.js';
import * as ops from '../../src/ops/index.js';
import { float, floats, indices, ints, type OpCase } from './case.js';

const take = (table: Tensor, index: Tensor) => ops.take(table, index);

export const gatherCases = {
  take: [
    {
      name: 'known',
      inputs: [floats([1, 2, 3, 4], [2, 2]), ints([1, 1, 0])],
      run: take,
      bound: 'exact',
      expected: [3, 4, 3, 4, 1, 2],
    },
    { name: 'from a vector', inputs: [float([5]), ints([4, 0])], run: take, bound: 'exact' },
    { name: 'rank 2 index', inputs: [float([3, 2]), ints([2, 0, 1, 1], [2, 2])], run: take, bound: 'exact' },
    { name: 'rank 0 index', inputs: [float([3, 2]), ints([2], [])], run: take, bound: 'exact' },
    { name: 'no index', inputs: [float([3, 2]), ints([])], run: take, bound: 'exact' },
    { name: 'empty rows', inputs: [float([3, 0]), ints([1])], run: take, bound: 'exact' },
    {
      name: 'of a transpose',
      inputs: [float([2, 3]), ints([2, 2])],
      run: (t, i) => ops.take(ops.transpose(t), i),
      bound: 'exact',
    },
    {
      name: 'uint8 index and rows',
      inputs: [ints([1, 2, 3, 4], [2, 2], 'uint8'), ints([1, 0], [2], 'uint8')],
      run: take,
      bound: 'exact',
      expected: [3, 4, 1, 2],
    },
    { name: 'large', inputs: [float([1009, 33]), indices(3001, 1009)], run: take, bound: 'exact', grad: false },
  ],
  scatterAdd: [
    {
      name: 'known',
      inputs: [ints([0, 2, 0]), floats([1, 2, 3])],
      run: (i, v) => ops.scatterAdd(3, i, v),
      bound: 'exact',
      expected: [4, 0, 2],
    },
    {
      name: 'rows',
      inputs: [ints([1, 1, 0]), float([3, 2])],
      run: (i, v) => ops.scatterAdd(4, i, v),
      bound: { count: 2, scale: (i, v) => ops.scatterAdd(4, i, ops.abs(v)) },
    },
    {
      name: 'rank 2 index',
      inputs: [ints([2, 0, 1, 1], [2, 2]), float([2, 2, 2])],
      run: (i, v) => ops.scatterAdd(3, i, v),
      bound: { count: 2, scale: (i, v) => ops.scatterAdd(3, i, ops.abs(v)) },
    },
    {
      name: 'nothing',
      inputs: [ints([]), float([0, 2])],
      run: (i, v) => ops.scatterAdd(2, i, v),
      bound: 'exact',
      expected: [0, 0, 0, 0],
    },
    {
      name: 'int32',
      inputs: [ints([0, 0]), ints([5, 6])],
      run: (i, v) => ops.scatterAdd(1, i, v),
      bound: 'exact',
      expected: [11],
    },
    {
      name: 'large',
      inputs: [indices(3001, 17), float([3001, 33])],
      run: (i, v) => ops.scatterAdd(17, i, v),
      bound: { count: 400, scale: (i, v) => ops.scatterAdd(17, i, ops.abs(v)) },
      grad: false,
    },
  ],
} satisfies Record<keyof typeof gatherOps, OpCase[]>;
