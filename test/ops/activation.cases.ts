import { fullLeaf } from '../../src/graph/leaves.js';
import type { Tensor } from '../../src/graph/tensor.js';
import { type activationOps, geluGrad, reluGrad, sigmoidGrad, tanhGrad } from '../../src/ops/activation.js';
import * as ops from '../../src/ops/index.js';
import { type Bound, float, floats, ints, type OpCase } from './case.js';
import { binary, E, LARGE, ulps, unary } from './sweep.js';

/** Activations with an instruction of their own. */
export const activationCases = {
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
} satisfies Record<keyof typeof activationOps, OpCase[]>;

/** The derivative ops get a gradient and an output of one shape and dtype, and are not promoted. */
function sameShaped(c: OpCase): boolean {
  return c.inputs.every((x) => x.shape.join() === c.inputs[0].shape.join() && x.dtype === c.inputs[0].dtype);
}

const near = (count: number): Bound => ({ count, scale: (x) => ops.add(ops.abs(x), 1) });
const away = [-2.6, -1.2, -0.3, 0.4, 1.3, 2.7, -7.5, 6.5];

/** An activation of one tensor: smooth points, the tails, kinks and specials, and a long input with an odd end. */
function composed(fn: (x: Tensor) => Tensor, known: readonly [number, number], grad = true): OpCase[] {
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
export const composedActivationCases: Readonly<Record<string, readonly OpCase[]>> = {
  step: composed((x) => ops.step(x), [0, 1]),
  straightThrough: composed((x) => ops.step(x, { straightThrough: true }), [-1, 0], false),
  hardSigmoid: composed(ops.hardSigmoid, [1.5, 0.75]),
  hardTanh: composed((x) => ops.hardTanh(x), [3, 1]),
  hardTanhBounds: composed((x) => ops.hardTanh(x, { min: -2, max: 0.5 }), [-3, -2]),
  relu6: composed(ops.relu6, [9, 6]),
  generalizedRectifier: composed((x) => ops.generalizedRectifier(x, -1), [-3, 3]),
  selu: composed(ops.selu, [-1, -1.1113307378125625]),
  celu: composed((x) => ops.celu(x, 2), [-2, 2 * Math.expm1(-1)]),
  softplusOptions: composed((x) => ops.softplus(x, { beta: 2, threshold: 10 }), [6, 6]),
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
