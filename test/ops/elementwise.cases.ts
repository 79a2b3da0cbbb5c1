import type { elementwiseOps } from '../../src/ops/elementwise.js';
import * as ops from '../../src/ops/index.js';
import type { operandOps } from '../../src/ops/operand.js';
import { float, floats, ints, type OpCase } from './case.js';
import { binary, E, LARGE, PAIRS, SPECIAL, ulps, unary } from './sweep.js';

/** 1e30 ** 88 and the like are infinities everywhere; the oracle is exact about them. */
const POW_SPECIAL = PAIRS.filter(([a]) => a !== -1e-30 && a !== -1e30);

export const elementwiseCases = {
  cast: [
    {
      name: 'float to int',
      inputs: [floats([1.7, -1.7, 0, 255.5])],
      run: (x) => ops.cast(x, 'int32'),
      bound: E,
      expected: [1, -1, 0, 255],
    },
    {
      name: 'float to uint8',
      inputs: [floats([1.7, 0, 255.5])],
      run: (x) => ops.cast(x, 'uint8'),
      bound: E,
      expected: [1, 0, 255],
    },
    {
      name: 'float to bool',
      inputs: [floats([0.5, -0, 0, NaN, 2])],
      run: (x) => ops.cast(x, 'bool'),
      bound: E,
      expected: [1, 0, 0, 1, 1],
    },
    {
      name: 'int to float',
      inputs: [ints([1, -2, 16777217])],
      run: (x) => ops.cast(x, 'float64'),
      bound: E,
      expected: [1, -2, 16777217],
    },
    {
      name: 'bool to float',
      inputs: [ints([1, 0], [2], 'bool')],
      run: (x) => ops.cast(x, 'float32'),
      bound: E,
      expected: [1, 0],
    },
    {
      name: 'to float64 and back',
      inputs: [float([17])],
      run: (x) => ops.cast(ops.mul(ops.cast(x, 'float64'), 2), x.dtype),
      bound: E,
    },
    { name: 'empty', inputs: [floats([])], run: (x) => ops.cast(x, 'int32'), bound: E },
    { name: 'large', inputs: [float([LARGE], -1000, 1000)], run: (x) => ops.cast(x, 'int32'), bound: E },
  ],
  add: binary(ops.add, E, {
    expected: [
      [1, 2],
      [10, -2],
      [11, 0],
    ],
  }),
  sub: binary(ops.sub, E, {
    expected: [
      [1, 2],
      [10, -2],
      [-9, 4],
    ],
  }),
  mul: binary(ops.mul, E, {
    expected: [
      [1, 2],
      [10, -2],
      [10, -4],
    ],
  }),
  div: [
    ...binary(ops.div, E, {
      b: [0.5, 3],
      expected: [
        [1, 2],
        [10, -2],
        [Math.fround(0.1), -1],
      ],
    }),
    {
      name: 'int32 edges',
      inputs: [ints([7, -7, 5, -2147483648]), ints([2, 2, 0, -1])],
      run: ops.div,
      bound: E,
      expected: [3, -3, 0, -2147483648],
    },
  ],
  pow: binary(ops.pow, ulps(4, 8), {
    a: [0.25, 3],
    integer: false,
    special: POW_SPECIAL,
    expected: [
      [2, 2, 0, 0, -2, -2, 1],
      [3, -1, 0, 2, 3, 2, NaN],
      [8, 0.5, 1, 0, -8, 4, 1],
    ],
  }),
  maximum: binary(ops.maximum, E, {
    expected: [
      [1, 5, NaN, 1],
      [3, 3, 1, NaN],
      [3, 5, NaN, NaN],
    ],
  }),
  minimum: binary(ops.minimum, E, {
    expected: [
      [1, 5, NaN, 1],
      [3, 3, 1, NaN],
      [1, 3, NaN, NaN],
    ],
  }),
  neg: [
    ...unary(ops.neg, E, {
      expected: [
        [1, -2],
        [-1, 2],
      ],
    }),
    { name: 'int32', inputs: [ints([1, -2, 0])], run: ops.neg, bound: E, expected: [-1, 2, 0] },
  ],
  abs: [
    ...unary(ops.abs, E, {
      expected: [
        [1, -2],
        [1, 2],
      ],
    }),
    { name: 'int32', inputs: [ints([1, -2, 0])], run: ops.abs, bound: E, expected: [1, 2, 0] },
  ],
  sign: [
    ...unary(ops.sign, E, {
      expected: [
        [3, -2, 0],
        [1, -1, 0],
      ],
    }),
    { name: 'int32', inputs: [ints([9, -9, 0])], run: ops.sign, bound: E, expected: [1, -1, 0] },
  ],
  floor: unary(ops.floor, E, {
    expected: [
      [1.5, -1.5],
      [1, -2],
    ],
  }),
  ceil: unary(ops.ceil, E, {
    expected: [
      [1.5, -1.5],
      [2, -1],
    ],
  }),
  round: unary(ops.round, E, {
    expected: [
      [0.5, 1.5, 2.5, -0.5, -1.5, 0.49999997],
      [0, 2, 2, 0, -2, 0],
    ],
  }),
  trunc: unary(ops.trunc, E, {
    expected: [
      [1.7, -1.7],
      [1, -1],
    ],
  }),
  sqrt: unary(ops.sqrt, E, {
    from: 0.1,
    to: 9,
    expected: [
      [4, 9, -1],
      [2, 3, NaN],
    ],
  }),
  rsqrt: unary(ops.rsqrt, ulps(1.5), {
    from: 0.1,
    to: 9,
    expected: [
      [4, 16, 0],
      [0.5, 0.25, Infinity],
    ],
  }),
  reciprocal: unary(ops.reciprocal, E, {
    from: 0.2,
    expected: [
      [2, 4, 0],
      [0.5, 0.25, Infinity],
    ],
  }),
  exp: unary(ops.exp, ulps(2, 3), {
    from: -10,
    to: 10,
    expected: [
      [0, -Infinity, Infinity],
      [1, 0, Infinity],
    ],
  }),
  expm1: unary(ops.expm1, ulps(3, 4), {
    from: -10,
    to: 10,
    expected: [
      [0, -Infinity],
      [0, -1],
    ],
  }),
  log: unary(ops.log, ulps(2, 3), {
    from: 0.01,
    to: 20,
    expected: [
      [1, 0, -1],
      [0, -Infinity, NaN],
    ],
  }),
  log1p: unary(ops.log1p, ulps(3, 4), {
    from: -0.9,
    to: 20,
    expected: [
      [0, -1, -2],
      [0, -Infinity, NaN],
    ],
  }),
  sin: unary(ops.sin, ulps(3, 4), {
    from: -6,
    to: 6,
    special: SPECIAL.filter((x) => Math.abs(x) !== 1e30),
    expected: [
      [0, Infinity],
      [0, NaN],
    ],
  }),
  cos: unary(ops.cos, ulps(3, 4), {
    from: -6,
    to: 6,
    special: SPECIAL.filter((x) => Math.abs(x) !== 1e30),
    expected: [
      [0, Infinity],
      [1, NaN],
    ],
  }),
  tan: unary(ops.tan, ulps(4, 6), {
    from: -1.4,
    to: 1.4,
    special: SPECIAL.filter((x) => Math.abs(x) !== 1e30),
    expected: [[0], [0]],
  }),
  erf: unary(ops.erf, ulps(4, 64), {
    from: -4,
    to: 4,
    expected: [
      [0, Infinity, -Infinity],
      [0, 1, -1],
    ],
  }),
  softplus: unary(ops.softplus, ulps(4, 6), {
    from: -10,
    to: 10,
    expected: [
      [100, -Infinity],
      [100, 0],
    ],
  }),
  clamp: unary((x) => ops.clip(x, -0.75, 1.25), E, {
    expected: [
      [-2, 0.5, 3, NaN, -0.75, 1.25],
      [-0.75, 0.5, 1.25, NaN, -0.75, 1.25],
    ],
  }),
  clampInside: unary((x) => ops.hardTanh(x), E, {
    expected: [
      [-2, 0.5, 3, NaN, -0],
      [-1, 0.5, 1, NaN, -0],
    ],
  }),
} satisfies Record<keyof typeof operandOps | keyof typeof elementwiseOps, OpCase[]>;
