import { OptionError } from '../errors.js';
import { ruledBy } from '../graph/rule.js';
import { build, type Tensor } from '../graph/tensor.js';
import { checkOptions, shown } from '../options.js';
import { greater, where } from './compare.js';
import { defineBinary, defineUnary } from './define.js';
import { abs, add, div, elementwiseOps, exp, expm1, minimum, mul, softplus, sub } from './elementwise.js';
import { type Operand, operandOf, toTensor } from './operand.js';

/**
 * Records of the activations that a GEMM can apply to its result, and of their derivatives from the saved output y, which
 * it can apply going backward. The derivatives are ops with rules of their own, so gradients of any order exist.
 */
export const activationOps = {
  relu: defineUnary(
    'relu',
    'RELU',
    (x) => (x > 0 || Number.isNaN(x) ? x : 0),
    (g, _, y) => reluGrad(g, y),
    {
      accepts: 'number',
      activation: 'RELU',
    },
  ),
  tanh: defineUnary('tanh', 'TANH', Math.tanh, (g, _, y) => tanhGrad(g, y), { activation: 'TANH' }),
  sigmoid: defineUnary('sigmoid', 'SIGMOID', sigmoidReference, (g, _, y) => sigmoidGrad(g, y), {
    activation: 'SIGMOID',
  }),

  reluGrad: defineBinary(
    'reluGrad',
    'RELU_GRAD',
    (g, y) => (y > 0 ? g : 0),
    (gg, _, y) => reluGrad(gg, y),
    null,
    {
      accepts: 'number',
      activationGrad: 'RELU',
    },
  ),
  tanhGrad: defineBinary(
    'tanhGrad',
    'TANH_GRAD',
    (g, y) => g * ((1 - y) * (1 + y)),
    (gg, _, y) => tanhGrad(gg, y),
    (gg, g, y) => mul(mul(gg, g), mul(-2, y)),
    { activationGrad: 'TANH' },
  ),
  sigmoidGrad: defineBinary(
    'sigmoidGrad',
    'SIGMOID_GRAD',
    (g, y) => g * (y * (1 - y)),
    (gg, _, y) => sigmoidGrad(gg, y),
    (gg, g, y) => mul(mul(gg, g), sub(1, mul(2, y))),
    { activationGrad: 'SIGMOID' },
  ),
  gelu: defineUnary(
    'gelu',
    'GELU',
    (x) => 0.5 * x * (1 + erfOf(x * Math.SQRT1_2)),
    (g, x) => geluGrad(g, x),
  ),
  geluGrad: defineBinary(
    'geluGrad',
    'GELU_GRAD',
    (g, x) => g * (0.5 * (1 + erfOf(x * Math.SQRT1_2)) + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI)),
    (gg, _, x) => geluGrad(gg, x),
    (gg, g, x) => {
      const squared = mul(x, x);
      const density = mul(1 / Math.sqrt(2 * Math.PI), exp(mul(-0.5, squared)));
      return mul(mul(gg, g), mul(density, sub(2, squared)));
    },
  ),
};

/** Not read before it is called: elementwise.ts and this file import each other. */
const erfOf = (x: number): number => (elementwiseOps.erf.reference as (x: number) => number)(x);

function sigmoidReference(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x); // 1 / (1 + e^-x) would lose the tail to overflow
  return e / (1 + e);
}

/** Gradient of relu from its output: y > 0 ? g : 0. */
export function reluGrad(g: Tensor, y: Tensor): Tensor {
  return build(activationOps.reluGrad, [g, y]);
}
/** Gradient of tanh from its output: g (1 - y) (1 + y). */
export function tanhGrad(g: Tensor, y: Tensor): Tensor {
  return build(activationOps.tanhGrad, [g, y]);
}
/** Gradient of the exact gelu from its input. */
export function geluGrad(g: Tensor, x: Tensor): Tensor {
  return build(activationOps.geluGrad, [g, x]);
}
/** Gradient of sigmoid from its output: g y (1 - y). */
export function sigmoidGrad(g: Tensor, y: Tensor): Tensor {
  return build(activationOps.sigmoidGrad, [g, y]);
}

/**
 * Rectified linear unit; NaN stays NaN.
 * `max(x, 0)`; the derivative at 0 is 0.
 * @param x any shape
 * @returns the shape of `x`
 * @throws DTypeError for bool
 * @example relu(tensor([-1, 2])); // [0, 2]
 * @see Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, 2010
 */
export function relu(x: Operand): Tensor {
  return build(activationOps.relu, [toTensor(x, undefined, 'relu')]);
}

/**
 * Hyperbolic tangent.
 * `(e ** x - e ** -x) / (e ** x + e ** -x)`
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example tanh(tensor([0, 1])); // [0, 0.7615942]
 */
export function tanh(x: Operand): Tensor {
  return build(activationOps.tanh, [toTensor(x, undefined, 'tanh')]);
}

/**
 * Logistic function.
 * `1 / (1 + e ** -x)`
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example sigmoid(tensor([0, 2])); // [0.5, 0.880797]
 */
export function sigmoid(x: Operand): Tensor {
  return build(activationOps.sigmoid, [toTensor(x, undefined, 'sigmoid')]);
}

/**
 * Gaussian error linear unit.
 * `x * Phi(x)` with the normal distribution function `Phi(x) = (1 + erf(x / sqrt(2))) / 2`; with `approximate: 'tanh'`
 * `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x ** 3)))`.
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example gelu(tensor([-1, 0, 1])); // [-0.1586553, 0, 0.8413447]
 * @see Hendrycks and Gimpel, Gaussian Error Linear Units, 2016
 */
export function gelu(x: Operand, options: { approximate?: 'none' | 'tanh' } = {}): Tensor {
  checkOptions('gelu', options, ['approximate']);
  const { approximate = 'none' } = options;
  const t = operandOf('gelu', x, 'float');
  if (approximate !== 'none' && approximate !== 'tanh') {
    throw new OptionError(`gelu: approximate is ${shown(approximate)}, expected 'none' or 'tanh'`);
  }
  if (approximate === 'none') return build(activationOps.gelu, [t]);
  const cubic = add(t, mul(0.044715, mul(t, mul(t, t))));
  return mul(mul(0.5, t), add(1, tanh(mul(Math.sqrt(2 / Math.PI), cubic))));
}

/**
 * Sigmoid linear unit (swish).
 * `x * sigmoid(x)`
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example silu(tensor([0, 1])); // [0, 0.7310586]
 * @see Elfwing et al., Sigmoid-Weighted Linear Units, 2017
 */
export function silu(x: Operand): Tensor {
  const t = operandOf('silu', x, 'float');
  return mul(t, sigmoid(t));
}

/**
 * Mish.
 * `x * tanh(softplus(x))`
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example mish(tensor([0, 1])); // [0, 0.8650984]
 * @see Misra, Mish: A Self Regularized Non-Monotonic Activation Function, 2019
 */
export function mish(x: Operand): Tensor {
  const t = operandOf('mish', x, 'float');
  return mul(t, tanh(softplus(t)));
}

/** `y`, a function of `x`, with a gradient that takes fewer operations than those of its parts. */
export function withGradient(y: Tensor, x: Tensor, rule: (g: Tensor, y: Tensor) => Tensor): Tensor {
  return ruledBy([y], [x], ({ gs: [g], outs: [out] }) => [rule(g as Tensor, out)])[0];
}

/**
 * Gradient of an exponential unit from its output y: `x > 0 ? above * g : g * (y / scale + alpha)`. The rule of its own keeps
 * an infinite y out of the branch not taken, where it would meet a 0.
 */
export function exponentialGrad(g: Tensor, y: Tensor, x: Tensor, alpha: number, { above = 1, scale = 1 } = {}): Tensor {
  const shrunk = (v: Tensor) => (scale === 1 ? v : div(v, scale));
  const value = where(greater(x, 0), above === 1 ? g : mul(above, g), mul(g, add(shrunk(y), alpha)));
  return ruledBy([value], [g, y], ({ gs: [gg], needs }) => [
    needs[0] ? exponentialGrad(gg as Tensor, y, x, alpha, { above, scale }) : null,
    needs[1] ? where(greater(x, 0), 0, shrunk(mul(gg as Tensor, g))) : null,
  ])[0];
}

/**
 * Leaky ReLU.
 * `x > 0 ? x : negativeSlope * x`
 * @param x float, any shape
 * @param negativeSlope slope below 0, finite; default 0.01
 * @returns the shape of `x`
 * @throws OptionError for a slope that is not finite, DTypeError for integers and bool
 * @example leakyRelu(tensor([-1, 2])); // [-0.01, 2]
 * @see Maas et al., Rectifier Nonlinearities Improve Neural Network Acoustic Models, 2013
 */
export function leakyRelu(x: Operand, negativeSlope = 0.01): Tensor {
  const t = operandOf('leakyRelu', x, 'float');
  if (!Number.isFinite(negativeSlope)) {
    throw new OptionError(`leakyRelu: negativeSlope is ${shown(negativeSlope)}, expected a finite number`);
  }
  const slope = (v: Tensor) => where(greater(t, 0), v, mul(negativeSlope, v));
  return withGradient(slope(t), t, slope);
}

/**
 * Exponential linear unit.
 * `x > 0 ? x : alpha * (e ** x - 1)`
 * @param x float, any shape
 * @param alpha minus the limit far below 0, finite; default 1
 * @returns the shape of `x`
 * @throws OptionError for an alpha that is not finite, DTypeError for integers and bool
 * @example elu(tensor([-1, 2])); // [-0.6321206, 2]
 * @see Clevert et al., Fast and Accurate Deep Network Learning by Exponential Linear Units, 2015
 */
export function elu(x: Operand, alpha = 1): Tensor {
  const t = operandOf('elu', x, 'float');
  if (!Number.isFinite(alpha)) throw new OptionError(`elu: alpha is ${shown(alpha)}, expected a finite number`);
  // The minimum keeps the unused branch finite: its derivative would be 0 * Infinity.
  const y = where(greater(t, 0), t, mul(alpha, expm1(minimum(t, 0))));
  return withGradient(y, t, (g, out) => exponentialGrad(g, out, t, alpha));
}

/**
 * Softsign.
 * `x / (1 + |x|)`
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example softsign(tensor([-1, 3])); // [-0.5, 0.75]
 */
export function softsign(x: Operand): Tensor {
  const t = operandOf('softsign', x, 'float');
  return div(t, add(1, abs(t)));
}
