import { OptionError, ShapeError } from '../errors.js';
import { fullLeaf } from '../graph/leaves.js';
import { ruledBy } from '../graph/rule.js';
import { build, type Tensor } from '../graph/tensor.js';
import { checkOptions, shown } from '../options.js';
import { normalizeAxis } from '../shape.js';
import { exponentialGrad, relu, sigmoid, silu, withGradient } from './activation.js';
import { greater, greaterEqual, isFinite as isFiniteOp, isNaN as isNaNOp, where } from './compare.js';
import { add, div, elementwiseOps, expm1, minimum, mul, sub } from './elementwise.js';
import { reshape, split, stopGradient } from './movement.js';
import { cast, type Operand, operandOf, operandPair } from './operand.js';
import { max } from './reduce.js';

/** SELU's constants: the fixed point of mean 0 and variance 1 (Klambauer et al., 2017). */
const SELU_LAMBDA = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;

/**
 * Heaviside step, the perceptron's activation.
 * `x >= 0 ? 1 : 0`; NaN stays NaN. The derivative is 0; with `straightThrough` the backward pass takes 1 instead (0 at NaN
 * and infinities).
 * @param x float, any shape
 * @param options `straightThrough`, default false
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example step(tensor([-1, 0, 2])); // [0, 1, 1]
 * @see Bengio, Léonard and Courville, Estimating or Propagating Gradients Through Stochastic Neurons, 2013
 */
export function step(x: Operand, options: { straightThrough?: boolean } = {}): Tensor {
  checkOptions('step', options, ['straightThrough']);
  const { straightThrough = false } = options;
  const t = operandOf('step', x, 'float');
  const hard = where(isNaNOp(t), stopGradient(t), cast(greaterEqual(t, 0), t.dtype));
  // x - stopGradient(x) is exactly 0 with derivative 1.
  return straightThrough ? add(hard, where(isFiniteOp(t), sub(t, stopGradient(t)), 0)) : hard;
}

/** clip with PyTorch's derivative: 0 on the bounds too. */
function clamped(t: Tensor, low: number, high: number): Tensor {
  return build(elementwiseOps.clampInside, [t, fullLeaf([], low, t.dtype), fullLeaf([], high, t.dtype)]);
}

/**
 * Piecewise linear tanh.
 * `min(max(x, min), max)`; the derivative is 1 inside (min, max), else 0.
 * @param x float, any shape
 * @param options `min` < `max`, finite; default -1 and 1
 * @returns the shape of `x`; NaN stays NaN
 * @throws OptionError unless min < max, DTypeError for integers and bool
 * @example hardTanh(tensor([-3, 0.5, 2])); // [-1, 0.5, 1]
 * @see Collobert, Large Scale Machine Learning, 2004
 */
export function hardTanh(x: Operand, options: { min?: number; max?: number } = {}): Tensor {
  checkOptions('hardTanh', options, ['min', 'max']);
  const { min = -1, max: top = 1 } = options;
  if (!(min < top && Number.isFinite(top - min))) {
    throw new OptionError(
      `hardTanh: got min ${shown(min)} and max ${shown(top)}, expected finite numbers with min < max`,
    );
  }
  return clamped(operandOf('hardTanh', x, 'float'), min, top);
}

/**
 * ReLU that stops at 6.
 * `min(max(x, 0), 6)`; the derivative is 1 inside (0, 6), else 0.
 * @param x float, any shape
 * @returns the shape of `x`; NaN stays NaN
 * @throws DTypeError for integers and bool
 * @example relu6(tensor([-1, 3, 9])); // [0, 3, 6]
 * @see Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10, 2010
 */
export function relu6(x: Operand): Tensor {
  return clamped(operandOf('relu6', x, 'float'), 0, 6);
}

/**
 * Piecewise linear sigmoid.
 * `min(max(x + 3, 0), 6) / 6`; the derivative is 1/6 inside (-3, 3), else 0.
 * @param x float, any shape
 * @returns the shape of `x`, in [0, 1]; NaN stays NaN
 * @throws DTypeError for integers and bool
 * @example hardSigmoid(tensor([-4, 0, 1.5])); // [0, 0.5, 0.75]
 * @see PyTorch, torch.nn.Hardsigmoid; Courbariaux et al., BinaryConnect, 2015 (there with slope 1/2)
 */
export function hardSigmoid(x: Operand): Tensor {
  return div(clamped(add(operandOf('hardSigmoid', x, 'float'), 3), 0, 6), 6);
}

/**
 * Generalized rectifier: slope 1 above 0 and `alpha` below; `alpha` 0 is ReLU, 0.01 leaky ReLU, -1 |x|.
 * `max(x, 0) + alpha * min(x, 0)`; the derivative at 0 is `alpha`, that by alpha is `min(x, 0)`.
 * @param x float, any shape
 * @param alpha a finite number, or a tensor that broadcasts with `x` to the shape of `x`
 * @returns the shape of `x`
 * @throws OptionError for a number that is not finite, DTypeError for integers and bool
 * @example generalizedRectifier(tensor([-2, 3]), -1); // [2, 3]
 * @see Goodfellow, Bengio and Courville, Deep Learning, 2016, section 6.3.1
 */
export function generalizedRectifier(x: Operand, alpha: Operand): Tensor {
  const t = operandOf('generalizedRectifier', x, 'float');
  if (typeof alpha === 'number') {
    if (!Number.isFinite(alpha)) {
      throw new OptionError(`generalizedRectifier: alpha is ${alpha}, expected a finite number`);
    }
    if (alpha === 0) return relu(t); // 0 * -Infinity would be NaN
  }
  const [, a] = operandPair('generalizedRectifier', t, alpha);
  const slope = (v: Tensor) => where(greater(t, 0), v, mul(a, v));
  // Written out: by its parts the derivative by alpha would be 0 * Infinity where x is infinite.
  return ruledBy([slope(t)], [t, a], ({ gs: [g], needs }) => [
    needs[0] ? slope(g as Tensor) : null,
    needs[1] ? where(greater(t, 0), 0, mul(g as Tensor, t)) : null,
  ])[0];
}

/**
 * Parametric ReLU: a leaky ReLU whose slope is learned.
 * `x > 0 ? x : slope * x`
 * @param x float, [..., channels]
 * @param slope [] or [1] (shared), or [channels] for the last axis
 * @returns the shape of `x`
 * @throws ShapeError for a slope of another shape, DTypeError for integers and bool
 * @example prelu(tensor([-2, 3]), tensor([0.25])); // [-0.5, 3]
 * @see He et al., Delving Deep into Rectifiers, 2015
 */
export function prelu(x: Operand, slope: Operand): Tensor {
  const t = operandOf('prelu', x, 'float');
  const a = operandOf('prelu', slope, 'float');
  const channels = t.shape.at(-1) ?? 1;
  const fits = a.shape.length === 0 || (a.shape.length === 1 && (a.shape[0] === 1 || a.shape[0] === channels));
  if (!fits) {
    throw new ShapeError(`prelu: got x [${t.shape}] and slope [${a.shape}], expected a slope [1] or [${channels}]`);
  }
  return generalizedRectifier(t, t.shape.length === 0 ? reshape(a, []) : a);
}

/**
 * Scaled exponential linear unit: keeps mean 0 and variance 1 through layers with LeCun initialisation.
 * `lambda * (x > 0 ? x : alpha * (e ** x - 1))`, lambda = 1.0507009873554805, alpha = 1.6732632423543772
 * @param x float, any shape
 * @returns the shape of `x`, above -1.7580994
 * @throws DTypeError for integers and bool
 * @example selu(tensor([-1, 1])); // [-1.1113307, 1.050701]
 * @see Klambauer et al., Self-Normalizing Neural Networks, 2017
 */
export function selu(x: Operand): Tensor {
  const t = operandOf('selu', x, 'float');
  const scale = SELU_LAMBDA * SELU_ALPHA;
  const y = where(greater(t, 0), mul(SELU_LAMBDA, t), mul(scale, expm1(minimum(t, 0))));
  return withGradient(y, t, (g, out) => exponentialGrad(g, out, t, scale, { above: SELU_LAMBDA }));
}

/**
 * Continuously differentiable exponential linear unit.
 * `max(x, 0) + min(0, alpha * (e ** (x / alpha) - 1))`
 * @param x float, any shape
 * @param alpha minus the limit far below 0, > 0; default 1
 * @returns the shape of `x`
 * @throws OptionError for an alpha that is not above 0, DTypeError for integers and bool
 * @example celu(tensor([-2, 1]), 2); // [-1.2642411, 1]
 * @see Barron, Continuously Differentiable Exponential Linear Units, 2017
 */
export function celu(x: Operand, alpha = 1): Tensor {
  if (!(typeof alpha === 'number' && alpha > 0 && alpha < Infinity))
    throw new OptionError(`celu: alpha is ${shown(alpha)}, expected a finite number > 0`);
  const t = operandOf('celu', x, 'float');
  const y = where(greater(t, 0), t, mul(alpha, expm1(div(minimum(t, 0), alpha))));
  return withGradient(y, t, (g, out) => exponentialGrad(g, out, t, 1, { scale: alpha }));
}

export interface AxisOptions {
  /** Default -1, the last. */
  readonly axis?: number;
}

/**
 * Maxout: the largest of each group of `pieces` neighbours along an axis. The first largest takes the gradient.
 * `y_j = max(x_(jk), ..., x_(jk + k - 1))`, k = pieces. With k = 2 and pieces (w·x, 0) or (w·x, a w·x) it is ReLU or leaky ReLU.
 * @param x float, the size of the axis a multiple of `pieces`
 * @param pieces number of linear pieces k, a whole number >= 1
 * @param options `axis`, default the last
 * @returns the shape of `x`, the axis divided by `pieces`; NaN if one is in the group
 * @throws OptionError for illegal pieces, ShapeError when the axis does not exist or is no multiple, DTypeError for integers
 * @example maxout(tensor([1, 5, 4, 2]), 2); // [5, 4]
 * @see Goodfellow et al., Maxout Networks, 2013
 */
export function maxout(x: Operand, pieces: number, options: AxisOptions = {}): Tensor {
  checkOptions('maxout', options, ['axis']);
  const { axis = -1 } = options;
  const t = operandOf('maxout', x, 'float');
  if (!Number.isInteger(pieces) || pieces < 1) {
    throw new OptionError(`maxout: pieces is ${shown(pieces)}, expected a whole number >= 1`);
  }
  const at = normalizeAxis('maxout', axis, t.shape.length);
  if (t.shape[at] % pieces !== 0) {
    throw new ShapeError(
      `maxout: axis ${axis} of [${t.shape}] has size ${t.shape[at]}, expected a multiple of ${pieces}`,
    );
  }
  const grouped = [...t.shape.slice(0, at), t.shape[at] / pieces, pieces, ...t.shape.slice(at + 1)];
  return max(reshape(t, grouped), { axis: at + 1 });
}

function halves(op: string, x: Operand, axis: number): Tensor[] {
  const t = operandOf(op, x, 'float');
  const at = normalizeAxis(op, axis, t.shape.length);
  if (t.shape[at] % 2 !== 0) {
    throw new ShapeError(`${op}: axis ${axis} of [${t.shape}] has size ${t.shape[at]}, expected an even size`);
  }
  return split(t, 2, at);
}

/**
 * Gated linear unit.
 * `a * sigmoid(b)`, a and b the halves of `x` along an axis
 * @param x float, the size of the axis even
 * @param options `axis`, default the last
 * @returns the shape of `x`, the axis halved
 * @throws ShapeError when the axis does not exist or its size is odd, DTypeError for integers and bool
 * @example glu(tensor([3, 0])); // [1.5]
 * @see Dauphin et al., Language Modeling with Gated Convolutional Networks, 2017
 */
export function glu(x: Operand, options: AxisOptions = {}): Tensor {
  checkOptions('glu', options, ['axis']);
  const { axis = -1 } = options;
  const [a, b] = halves('glu', x, axis);
  return mul(a, sigmoid(b));
}

/**
 * Gated unit with SiLU as the gate.
 * `silu(a) * b`, a (the gate) and b the halves of `x` along an axis
 * @param x float, the size of the axis even
 * @param options `axis`, default the last
 * @returns the shape of `x`, the axis halved
 * @throws ShapeError when the axis does not exist or its size is odd, DTypeError for integers and bool
 * @example swiglu(tensor([1, 2])); // [1.4621172]
 * @see Shazeer, GLU Variants Improve Transformer, 2020
 */
export function swiglu(x: Operand, options: AxisOptions = {}): Tensor {
  checkOptions('swiglu', options, ['axis']);
  const { axis = -1 } = options;
  const [gate, value] = halves('swiglu', x, axis);
  return mul(silu(gate), value);
}
