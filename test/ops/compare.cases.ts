import { fullLeaf } from '../../src/graph/leaves.js';
import { build } from '../../src/graph/tensor.js';
import { compareOps } from '../../src/ops/compare.js';
import * as ops from '../../src/ops/index.js';
import { float, floats, ints, type OpCase } from './case.js';
import { type Binary, binary, E, LARGE, unary } from './sweep.js';

const NAMES = [
  [0, 0],
  [1, 2],
  [2, 1],
  [NaN, 1],
  [1, NaN],
  [NaN, NaN],
  [Infinity, Infinity],
  [-0, 0],
];
const test = (fn: Binary, expected: readonly number[]): OpCase[] => [
  ...binary(fn, E, { grad: false }),
  {
    name: 'known',
    inputs: [floats(NAMES.map((p) => p[0])), floats(NAMES.map((p) => p[1]))],
    run: fn,
    bound: E,
    expected,
    grad: false,
  },
  { name: 'bool', inputs: [ints([0, 0, 1, 1], [4], 'bool'), ints([0, 1, 0, 1], [4], 'bool')], run: fn, bound: E },
];

export const compareCases = {
  equal: test(ops.equal, [1, 0, 0, 0, 0, 0, 1, 1]),
  notEqual: test(ops.notEqual, [0, 1, 1, 1, 1, 1, 0, 0]),
  less: test(ops.less, [0, 1, 0, 0, 0, 0, 0, 0]),
  lessEqual: test(ops.lessEqual, [1, 1, 0, 0, 0, 0, 1, 1]),
  greater: test(ops.greater, [0, 0, 1, 0, 0, 0, 0, 0]),
  greaterEqual: test(ops.greaterEqual, [1, 0, 1, 0, 0, 0, 1, 1]),
  logicalAnd: test(ops.logicalAnd, [0, 1, 1, 1, 1, 1, 1, 0]),
  logicalOr: test(ops.logicalOr, [0, 1, 1, 1, 1, 1, 1, 0]),
  logicalNot: [
    ...unary(ops.logicalNot, E, {
      grad: false,
      expected: [
        [0, -0, 2, NaN],
        [1, 1, 0, 0],
      ],
    }),
    { name: 'bool', inputs: [ints([0, 1], [2], 'bool')], run: ops.logicalNot, bound: E, expected: [1, 0] },
    { name: 'int32', inputs: [ints([0, 5])], run: ops.logicalNot, bound: E, expected: [1, 0] },
  ],
  isFinite: unary(ops.isFinite, E, {
    grad: false,
    expected: [
      [1, Infinity, -Infinity, NaN],
      [1, 0, 0, 0],
    ],
  }),
  isNaN: unary(ops.isNaN, E, {
    grad: false,
    expected: [
      [1, Infinity, -Infinity, NaN],
      [0, 0, 0, 1],
    ],
  }),
  where: [
    {
      name: 'known',
      inputs: [ints([1, 0, 1], [3], 'bool'), floats([1, 2, 3]), floats([4, 5, 6])],
      run: ops.where,
      bound: E,
      expected: [1, 5, 3],
    },
    {
      name: 'broadcast',
      inputs: [ints([1, 0, 1], [3, 1], 'bool'), float([1, 4]), float([], 5, 6)],
      run: ops.where,
      bound: E,
    },
    {
      name: 'NaN unchosen',
      inputs: [ints([1, 0], [2], 'bool'), floats([1, NaN]), floats([Infinity, 2])],
      run: ops.where,
      bound: E,
      expected: [1, 2],
      grad: false,
    },
    {
      name: 'int32',
      inputs: [ints([1, 0], [2], 'bool'), ints([1, 2])],
      run: (c, a) => ops.where(c, a, 7),
      bound: E,
      expected: [1, 7],
    },
    {
      name: 'bool',
      inputs: [ints([1, 0], [2], 'bool'), ints([0, 0], [2], 'bool'), ints([1, 1], [2], 'bool')],
      run: ops.where,
      bound: E,
      expected: [0, 1],
    },
    {
      name: 'large',
      inputs: [float([LARGE]), float([LARGE], -2, 2, 2)],
      run: (a, b) => ops.where(ops.greater(a, b), a, b),
      bound: E,
      grad: false,
    },
    { name: 'empty', inputs: [ints([], [0], 'bool'), floats([]), floats([])], run: ops.where, bound: E },
  ],
  wherePositive: [
    {
      name: 'is what where of greater than 0 builds',
      inputs: [floats([-1, 0, -0, 2, NaN, Infinity]), floats([1, 2, 3, 4, 5, 6]), floats([-1])],
      run: (x, a, b) => ops.where(ops.greater(x, 0), a, b),
      bound: E,
      expected: [-1, -1, -1, 4, -1, 6],
      grad: false,
    },
    {
      name: 'broadcast',
      inputs: [float([3, 1], -2, 2, 3), float([7]), float([3, 7], 4, 5)],
      run: (x, a, b) => ops.where(ops.greater(x, 0), a, b),
      bound: E,
    },
    {
      name: 'large',
      inputs: [float([LARGE], -2, 2, 3), float([LARGE]), float([], 4, 5)],
      run: (x, a, b) => ops.where(ops.greater(x, 0), a, b),
      bound: E,
      grad: false,
    },
  ],
  inside: [
    {
      name: 'bounds are outside',
      inputs: [floats([-1, -0.5, 1, 2, NaN, Infinity])],
      run: (x) => build(compareOps.inside, [x, fullLeaf([], -1, x.dtype), fullLeaf([], 2, x.dtype)]),
      bound: E,
      expected: [0, 1, 1, 0, 0, 0],
      grad: false,
    },
    {
      name: 'large',
      inputs: [float([LARGE])],
      run: (x) => build(compareOps.inside, [x, fullLeaf([], -1, x.dtype), fullLeaf([], 1, x.dtype)]),
      bound: E,
      grad: false,
    },
  ],
} satisfies Record<keyof typeof compareOps, OpCase[]>;
