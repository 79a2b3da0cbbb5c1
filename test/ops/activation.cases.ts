import type { Tensor } from '../../src/graph/tensor.js';
import * as ops from '../../src/ops/index.js';
import { type Bound, float, floats, type OpCase } from './case.js';

const near = (count: number): Bound => ({ count, scale: (x) => ops.add(ops.abs(x), 1) });
const away = [-2.6, -1.2, -0.3, 0.4, 1.3, 2.7, -7.5, 6.5];

/** An activation of one tensor: smooth points, the tails, kinks and specials, and a long input with an odd end. */
function unary(fn: (x: Tensor) => Tensor, known: readonly [number, number], grad = true): OpCase[] {
  return [
    { name: 'small', inputs: [floats(away)], run: fn, bound: near(16), grad },
    { name: 'known', inputs: [floats([known[0]])], run: fn, bound: near(16), expected: [known[1]], grad: false },
    { name: 'specials', inputs: [floats([-1e4, 1e4, -200, 200, 0, -0, NaN])], run: fn, bound: near(16), grad: false },
    { name: 'empty', inputs: [floats([])], run: fn, bound: near(16) },
    { name: 'rank 0', inputs: [floats([0.25], [])], run: fn, bound: near(16), grad },
    { name: 'large', inputs: [float([33, 3007], -8, 8)], run: fn, bound: near(16), grad: false },
  ];
}

/** Groups along an axis: the scale is that of the largest input. */
function grouped(
  fn: (x: Tensor, axis: number) => Tensor,
  known: readonly number[],
  expected: readonly number[],
): OpCase[] {
  const bound: Bound = { count: 16, scale: (x) => ops.add(ops.mul(fn(x, -1), 0), 64) };
  const first: Bound = { count: 16, scale: (x) => ops.add(ops.mul(fn(x, 0), 0), 64) };
  return [
    { name: 'known', inputs: [floats(known)], run: (x) => fn(x, -1), bound, expected },
    { name: 'last axis', inputs: [float([3, 4], -3, 3, 7)], run: (x) => fn(x, -1), bound },
    { name: 'first axis', inputs: [float([4, 3], -3, 3, 8)], run: (x) => fn(x, 0), bound: first },
    { name: 'large', inputs: [float([17, 514], -8, 8)], run: (x) => fn(x, -1), bound, grad: false },
  ];
}

/** Activations made of other ops. */
export const activationCases: Readonly<Record<string, readonly OpCase[]>> = {
  step: unary((x) => ops.step(x), [0, 1]),
  straightThrough: unary((x) => ops.step(x, { straightThrough: true }), [-1, 0], false),
  hardSigmoid: unary(ops.hardSigmoid, [1.5, 0.75]),
  hardTanh: unary((x) => ops.hardTanh(x), [3, 1]),
  hardTanhBounds: unary((x) => ops.hardTanh(x, { min: -2, max: 0.5 }), [-3, -2]),
  relu6: unary(ops.relu6, [9, 6]),
  generalizedRectifier: unary((x) => ops.generalizedRectifier(x, -1), [-3, 3]),
  selu: unary(ops.selu, [-1, -1.1113307378125625]),
  celu: unary((x) => ops.celu(x, 2), [-2, 2 * Math.expm1(-1)]),
  softplusOptions: unary((x) => ops.softplus(x, { beta: 2, threshold: 10 }), [6, 6]),
  prelu: [
    {
      name: 'by channel',
      inputs: [float([2, 3], -2, 2, 3), floats([0.1, -0.5, 2])],
      run: (x, slope) => ops.prelu(x, slope),
      bound: { count: 4, scale: (x, slope) => ops.add(ops.mul(ops.abs(x), ops.abs(slope)), 1) },
    },
    {
      name: 'shared',
      inputs: [floats([-2, 3]), floats([0.25])],
      run: (x, slope) => ops.prelu(x, slope),
      bound: { count: 4, scale: (x, slope) => ops.add(ops.mul(ops.abs(x), ops.abs(slope)), 1) },
      expected: [-0.5, 3],
    },
  ],
  maxout: grouped((x, axis) => ops.maxout(x, 2, { axis }), [1, 5, 4, 2], [5, 4]),
  glu: grouped((x, axis) => ops.glu(x, { axis }), [3, 0], [1.5]),
  swiglu: grouped((x, axis) => ops.swiglu(x, { axis }), [1, 2], [2 / (1 + Math.exp(-1))]),
};
