// What every elementwise primitive is tried on.
import type { Tensor } from '../../src/graph/tensor.js';
import * as ops from '../../src/ops/index.js';
import { type Bound, float, floats, type Input, ints, type OpCase } from './case.js';

/** 0, 1, around the widths of the vector registers, primes, rank 0, transposed, and one that takes several threads. */
const SIZES = [0, 1, 7, 15, 16, 17, 31, 33];
export const LARGE = 100_003;
export const SPECIAL = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  2.5,
  -2.5,
  1e-30,
  -1e-30,
  1e30,
  -1e30,
  88,
  -88,
  Infinity,
  -Infinity,
  NaN,
];

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

/** One tensor of every size, special values, and what is known. */
export function unary(
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

export const PAIRS = SPECIAL.flatMap((a) => SPECIAL.map((b) => [a, b]));

export type Binary = (a: Tensor, b: Tensor) => Tensor;

interface BinaryOptions {
  readonly a?: readonly [number, number];
  readonly b?: readonly [number, number];
  readonly expected?: readonly [a: readonly number[], b: readonly number[], y: readonly number[]];
  readonly grad?: boolean;
  readonly integer?: boolean;
  readonly special?: readonly (readonly number[])[];
}

/** Two tensors of every size and broadcast, special values, other dtypes, and what is known. */
export function binary(
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

export const E: Bound = 'exact';
export const ulps = (n: number, float64 = n + 2): Bound => ({ ulps: n, float64 });
