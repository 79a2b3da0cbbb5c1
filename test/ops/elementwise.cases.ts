import { fullLeaf } from '../../src/graph/leaves.js';
import { build, type Tensor } from '../../src/graph/tensor.js';
import { type activationOps, geluGrad, reluGrad, sigmoidGrad, tanhGrad } from '../../src/ops/activation.js';
import { compareOps } from '../../src/ops/compare.js';
import type { elementwiseOps } from '../../src/ops/elementwise.js';
import * as ops from '../../src/ops/index.js';
import type { operandOps } from '../../src/ops/operand.js';
import { type Bound, float, floats, type Input, ints, type OpCase } from './case.js';

type Name =
  | keyof typeof operandOps
  | keyof typeof elementwiseOps
  | keyof typeof compareOps
  | keyof typeof activationOps;

/** 0, 1, around the widths of the vector registers, primes, rank 0, transposed, and one that takes several threads. */
const SIZES = [0, 1, 7, 15, 16, 17, 31, 33];
const LARGE = 100_003;
const SPECIAL = [0, -0, 1, -1, 0.5, -0.5, 2.5, -2.5, 1e-30, -1e-30, 1e30, -1e30, 88, -88, Infinity, -Infinity, NaN];

type Unary = (x: Tensor) => Tensor;

interface UnaryOptions {
  readonly from?: number;
  readonly to?: number;
  readonly expected?: readonly [x: readonly number[], y: readonly number[]];
  /** False for integers-only kinks: no gradient check. */
  readonly grad?: boolean;
  /** Where the function is compared at special values; default SPECIAL. */
  readonly special?: readonly number[];
}

function unary(
  fn: Unary,
  bound: Bound,
  { from = -3, to = 3, expected, grad = true, special = SPECIAL }: UnaryOptions,
): OpCase[] {
  const cases: OpCase[] = SIZES.map((n) => ({
    name: `[${n}]`,
    inputs: [float([n], from, to, n + 1)],
    run: fn,
    bound,
    grad: grad && n <= 17,
  }));
  cases.push({ name: '[]', inputs: [float([], from, to, 5)], run: fn, bound, grad });
  cases.push({
    name: 'transposed',
    inputs: [float([3, 5], from, to, 6)],
    run: (x) => fn(ops.transpose(x)),
    bound,
    grad,
  });
  cases.push({ name: 'large', inputs: [float([LARGE], from, to, 7)], run: fn, bound, grad: false });
  cases.push({ name: 'special values', inputs: [floats(special)], run: fn, bound, grad: false });
  if (expected !== undefined)
    cases.push({ name: 'known', inputs: [floats(expected[0])], run: fn, bound, expected: expected[1], grad: false });
  return cases;
}

const PAIRS = SPECIAL.flatMap((a) => SPECIAL.map((b) => [a, b]));

type Binary = (a: Tensor, b: Tensor) => Tensor;

interface BinaryOptions {
  readonly a?: readonly [number, number];
  readonly b?: readonly [number, number];
  readonly expected?: readonly [a: readonly number[], b: readonly number[], y: readonly number[]];
  readonly grad?: boolean;
  readonly integer?: boolean;
  readonly special?: readonly (readonly number[])[];
}

function binary(
  fn: Binary,
  bound: Bound,
  { a = [-3, 3], b = [-3, 3], expected, grad = true, integer = true, special = PAIRS }: BinaryOptions,
): OpCase[] {
  const of = (x: readonly number[], y: readonly number[]): [Input, Input] => [
    float(x, a[0], a[1], 3),
    float(y, b[0], b[1], 4),
  ];
  const cases: OpCase[] = SIZES.map((n) => ({
    name: `[${n}]`,
    inputs: of([n], [n]),
    run: fn,
    bound,
    grad: grad && n <= 7,
  }));
  for (const [x, y] of [
    [[], [3]],
    [
      [3, 1],
      [1, 4],
    ],
    [[2, 0], [1]],
    [
      [2, 3, 2],
      [3, 1],
    ],
    [[33], []],
    [[17, 1], [16]],
  ]) {
    const small = x.concat(y).every((d) => d <= 4);
    cases.push({ name: `[${x}] with [${y}]`, inputs: of(x, y), run: fn, bound, grad: grad && small });
  }
  cases.push({
    name: 'one tensor twice',
    inputs: [float([4], Math.max(a[0], b[0]), Math.min(a[1], b[1]), 8)],
    run: (x) => fn(x, ops.mul(x, 1.5)),
    bound: { ulps: 64 },
    grad,
  });
  cases.push({ name: 'large', inputs: of([LARGE], [LARGE]), run: fn, bound, grad: false });
  cases.push({
    name: 'special values',
    inputs: [floats(special.map((p) => p[0])), floats(special.map((p) => p[1]))],
    run: fn,
    bound,
    grad: false,
  });
  if (integer) {
    const [x, y] = [ints([7, -7, 0, 2147483647, -2147483648, 5]), ints([2, 2, 3, 1, 1, -5])];
    cases.push({ name: 'int32', inputs: [x, y], run: fn, bound: 'exact' });
    cases.push({
      name: 'uint8',
      inputs: [ints([7, 200, 255], [3], 'uint8'), ints([2, 100, 1], [3], 'uint8')],
      run: fn,
      bound: 'exact',
    });
    cases.push({ name: 'int32 with float32', inputs: [ints([1, 2, 3]), floats([0.5, 1.5, 2.5])], run: fn, bound });
  }
  if (expected !== undefined)
    cases.push({
      name: 'known',
      inputs: [floats(expected[0]), floats(expected[1])],
      run: fn,
      bound,
      expected: expected[2],
      grad: false,
    });
  return cases;
}

const E: Bound = 'exact';
const ulps = (n: number, float64 = n + 2): Bound => ({ ulps: n, float64 });
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
  // 1 + erf cancels below 0: the error is one of 1, not of the result.
  gelu: unary(
    (x) => ops.gelu(x),
    { count: 4, scale: (x) => fullLeaf([], 4, x.dtype) },
    {
      special: [0, -0, 1, -1, 1e-30, 88, -88],
      expected: [
        [0, 1],
        [0, 0.8413447460685429],
      ],
    },
  ),
  geluGrad: [
    {
      name: 'known',
      inputs: [floats([2, 1, 3]), floats([0, 40, -40])],
      run: geluGrad,
      bound: { count: 4, scale: (g) => ops.add(ops.abs(g), 1) },
      expected: [1, 1, 0],
      grad: false,
    },
    {
      name: 'broadcast',
      inputs: [float([3, 1]), float([7], -4, 4)],
      run: geluGrad,
      bound: { count: 16, scale: (g, x) => ops.mul(ops.add(ops.abs(g), 1), ops.add(ops.abs(x), 1)) },
    },
    {
      name: 'large',
      inputs: [float([LARGE]), float([LARGE], -6, 6, 3)],
      run: geluGrad,
      bound: { count: 16, scale: (g) => ops.add(ops.abs(g), 1) },
      grad: false,
    },
  ],
  relu: [
    ...unary(ops.relu, E, {
      expected: [
        [-1, 2, 0, NaN],
        [0, 2, 0, NaN],
      ],
    }),
    { name: 'int32', inputs: [ints([-3, 3])], run: ops.relu, bound: E, expected: [0, 3] },
  ],
  tanh: unary(ops.tanh, ulps(3, 4), {
    expected: [
      [0, Infinity, -Infinity],
      [0, 1, -1],
    ],
  }),
  sigmoid: unary(ops.sigmoid, ulps(3, 4), {
    from: -9,
    to: 9,
    expected: [
      [0, Infinity, -Infinity],
      [0.5, 1, 0],
    ],
  }),
  reluGrad: binary(reluGrad, E, {
    b: [0.1, 3],
    expected: [
      [5, 5, 5],
      [1, 0, -1],
      [5, 0, 0],
    ],
  }).filter(sameShaped),
  // Three roundings in the kernel, one in the reference.
  tanhGrad: binary(tanhGrad, ulps(3), {
    b: [-0.9, 0.9],
    integer: false,
    special: [
      [1, 1],
      [2, 0],
    ],
    expected: [
      [5, 5],
      [0, 1],
      [5, 0],
    ],
  }).filter(sameShaped),
  sigmoidGrad: binary(sigmoidGrad, ulps(3), {
    b: [0.1, 0.9],
    integer: false,
    special: [
      [1, 1],
      [2, 0],
    ],
    expected: [
      [4, 5],
      [0.5, 1],
      [1, 0],
    ],
  }).filter(sameShaped),
} satisfies Record<Name, OpCase[]>;

/** The derivative ops get a gradient and an output of one shape and dtype, and are not promoted. */
function sameShaped(c: OpCase): boolean {
  return c.inputs.every((x) => x.shape.join() === c.inputs[0].shape.join() && x.dtype === c.inputs[0].dtype);
}
