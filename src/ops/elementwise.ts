import { OptionError } from '../errors.js';
import { fullOp } from '../graph/leaves.js';
import { build, type Tensor } from '../graph/tensor.js';
import { checkOptions, shown } from '../options.js';
import { sigmoid } from './activation.js';
import { compareOps, equal, greater, greaterEqual, less, lessEqual, logicalAnd, where } from './compare.js';
import { checkDType, defineBinary, defineElementwise, defineUnary } from './define.js';
import { type Operand, operandOf, operandPair, toTensor } from './operand.js';

const INTEGER = { accepts: 'number' } as const;
const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

/** Records of arithmetic and mathematical functions: micro-operation, float64 reference, gradient of each input. */
export const elementwiseOps = {
  add: defineBinary(
    'add',
    'ADD',
    (a, b) => a + b,
    (g) => g,
    (g) => g,
    INTEGER,
  ),
  sub: defineBinary(
    'sub',
    'SUB',
    (a, b) => a - b,
    (g) => g,
    (g) => neg(g),
    INTEGER,
  ),
  mul: defineBinary(
    'mul',
    'MUL',
    (a, b) => a * b,
    (g, _, b) => mul(g, b),
    (g, a) => mul(g, a),
    INTEGER,
  ),
  div: defineBinary(
    'div',
    'DIV',
    (a, b) => a / b,
    (g, _, b) => div(g, b),
    (g, _, b, y) => neg(mul(g, div(y, b))),
    INTEGER,
  ),
  pow: defineBinary(
    'pow',
    'POW',
    power,
    (g, a, b) => mul(g, powBase(a, b)),
    (g, a, b, y) => mul(g, powExponent(a, b, y)),
  ),
  // Ties go to the first operand, as in a reduction. Neither side gets a gradient from a NaN.
  maximum: defineBinary(
    'maximum',
    'MAXIMUM',
    Math.max,
    (g, a, b) => where(greaterEqual(a, b), g, 0),
    (g, a, b) => where(less(a, b), g, 0),
    INTEGER,
  ),
  /** min(max(x, low), high); the gradient passes where nothing was cut. */
  clamp: defineElementwise(
    'clamp',
    'CLAMP',
    (x, low, high) => Math.min(Math.max(x, low), high),
    ({ g, inputs: [x], out }) => [where(equal(x, out), g, 0), null, null],
    INTEGER,
  ),
  /** The same with PyTorch's gradient of hardtanh, which is 0 on the bounds too. */
  clampInside: defineElementwise(
    'clampInside',
    'CLAMP',
    (x, low, high) => Math.min(Math.max(x, low), high),
    ({ g, inputs }) => [where(build(compareOps.inside, inputs), g, 0), null, null],
  ),
  minimum: defineBinary(
    'minimum',
    'MINIMUM',
    Math.min,
    (g, a, b) => where(lessEqual(a, b), g, 0),
    (g, a, b) => where(less(b, a), g, 0),
    INTEGER,
  ),

  neg: defineUnary(
    'neg',
    'NEG',
    (x) => -x,
    (g) => neg(g),
    INTEGER,
  ),
  abs: defineUnary('abs', 'ABS', Math.abs, (g, x) => mul(g, sign(x)), INTEGER),
  sign: defineUnary('sign', 'SIGN', Math.sign, null, INTEGER),
  floor: defineUnary('floor', 'FLOOR', Math.floor, null),
  ceil: defineUnary('ceil', 'CEIL', Math.ceil, null),
  round: defineUnary('round', 'ROUND', roundHalfEven, null),
  trunc: defineUnary('trunc', 'TRUNC', Math.trunc, null),
  sqrt: defineUnary('sqrt', 'SQRT', Math.sqrt, (g, _, y) => mul(g, div(0.5, y))),
  rsqrt: defineUnary(
    'rsqrt',
    'RSQRT',
    (x) => 1 / Math.sqrt(x),
    (g, x, y) => mul(g, mul(-0.5, div(y, x))),
  ),
  reciprocal: defineUnary(
    'reciprocal',
    'RECIPROCAL',
    (x) => 1 / x,
    (g, _, y) => neg(mul(g, mul(y, y))),
  ),
  exp: defineUnary('exp', 'EXP', Math.exp, (g, _, y) => mul(g, y)),
  expm1: defineUnary('expm1', 'EXPM1', Math.expm1, (g, _, y) => mul(g, add(y, 1))),
  log: defineUnary('log', 'LOG', Math.log, (g, x) => div(g, x)),
  log1p: defineUnary('log1p', 'LOG1P', Math.log1p, (g, x) => div(g, add(x, 1))),
  sin: defineUnary('sin', 'SIN', Math.sin, (g, x) => mul(g, cos(x))),
  cos: defineUnary('cos', 'COS', Math.cos, (g, x) => neg(mul(g, sin(x)))),
  tan: defineUnary('tan', 'TAN', Math.tan, (g, _, y) => mul(g, add(mul(y, y), 1))),
  erf: defineUnary('erf', 'ERF', erfReference, (g, x) => mul(g, mul(TWO_OVER_SQRT_PI, exp(neg(mul(x, x)))))),
  softplus: defineUnary(
    'softplus',
    'SOFTPLUS',
    (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    (g, x) => mul(g, sigmoid(x)),
  ),
};

/**
 * Sum, element by element.
 * `a + b`
 * @param a any shape
 * @param b a shape that broadcasts with `a`; a number takes the dtype of the other operand
 * @returns the broadcast shape
 * @throws ShapeError when the shapes do not broadcast, DTypeError when the dtypes do not mix
 * @example add(tensor([1, 2]), 10); // [11, 12]
 */
export function add(a: Operand, b: Operand): Tensor {
  return build(elementwiseOps.add, operandPair('add', a, b));
}

/**
 * Difference, element by element.
 * `a - b`
 * @param a any shape
 * @param b a shape that broadcasts with `a`; a number takes the dtype of the other operand
 * @returns the broadcast shape
 * @throws ShapeError when the shapes do not broadcast, DTypeError when the dtypes do not mix
 * @example sub(tensor([1, 2]), 10); // [-9, -8]
 */
export function sub(a: Operand, b: Operand): Tensor {
  return build(elementwiseOps.sub, operandPair('sub', a, b));
}

/**
 * Product, element by element (Hadamard product).
 * `a * b`
 * @param a any shape
 * @param b a shape that broadcasts with `a`; a number takes the dtype of the other operand
 * @returns the broadcast shape
 * @throws ShapeError when the shapes do not broadcast, DTypeError when the dtypes do not mix
 * @example mul(tensor([1, 2]), tensor([3, 4])); // [3, 8]
 */
export function mul(a: Operand, b: Operand): Tensor {
  return build(elementwiseOps.mul, operandPair('mul', a, b));
}

/**
 * Quotient, element by element.
 * `a / b`; two integers truncate towards zero, and x / 0 is 0 for them.
 * @param a any shape
 * @param b a shape that broadcasts with `a`; a number takes the dtype of the other operand
 * @returns the broadcast shape
 * @throws ShapeError when the shapes do not broadcast, DTypeError when the dtypes do not mix
 * @example div(tensor([1, 2]), 4); // [0.25, 0.5]
 */
export function div(a: Operand, b: Operand): Tensor {
  return build(elementwiseOps.div, operandPair('div', a, b));
}

/**
 * Power, element by element.
 * `a ** b` as in C: 1 ** NaN is 1, a negative base with a fractional exponent is NaN. `d/da` is 0 where b = 0; `d/db` is 0 where a = 0 <= b.
 * @param a float, any shape
 * @param b a shape that broadcasts with `a`
 * @returns the broadcast shape
 * @throws ShapeError when the shapes do not broadcast, DTypeError for integers
 * @example pow(tensor([1, 2, 3]), 2); // [1, 4, 9]
 */
export function pow(a: Operand, b: Operand): Tensor {
  const [x, y] = operandPair('pow', a, b);
  checkDType('pow', x.dtype, 'float');
  // x * x is exact to the last bit and far cheaper than the general power.
  if (b === 2) return mul(x, x);
  return b === 1 ? x : build(elementwiseOps.pow, [x, y]);
}

/**
 * Larger of two, element by element; NaN if either is NaN.
 * `max(a, b)`; the gradient goes to `a` where they are equal.
 * @param a any shape
 * @param b a shape that broadcasts with `a`; a number takes the dtype of the other operand
 * @returns the broadcast shape
 * @throws ShapeError when the shapes do not broadcast, DTypeError when the dtypes do not mix
 * @example maximum(tensor([1, 5]), 3); // [3, 5]
 */
export function maximum(a: Operand, b: Operand): Tensor {
  return build(elementwiseOps.maximum, operandPair('maximum', a, b));
}

/**
 * Smaller of two, element by element; NaN if either is NaN.
 * `min(a, b)`; the gradient goes to `a` where they are equal.
 * @param a any shape
 * @param b a shape that broadcasts with `a`; a number takes the dtype of the other operand
 * @returns the broadcast shape
 * @throws ShapeError when the shapes do not broadcast, DTypeError when the dtypes do not mix
 * @example minimum(tensor([1, 5]), 3); // [1, 3]
 */
export function minimum(a: Operand, b: Operand): Tensor {
  return build(elementwiseOps.minimum, operandPair('minimum', a, b));
}

/**
 * Negative.
 * `-x`
 * @param x any shape
 * @returns the shape of `x`
 * @throws DTypeError for bool
 * @example neg(tensor([1, -2])); // [-1, 2]
 */
export function neg(x: Operand): Tensor {
  return build(elementwiseOps.neg, [toTensor(x, undefined, 'neg')]);
}

/**
 * Absolute value.
 * `|x|`; the derivative at 0 is 0.
 * @param x any shape
 * @returns the shape of `x`
 * @throws DTypeError for bool
 * @example abs(tensor([1, -2])); // [1, 2]
 */
export function abs(x: Operand): Tensor {
  return build(elementwiseOps.abs, [toTensor(x, undefined, 'abs')]);
}

/**
 * Sign: -1, 0 or 1; NaN stays NaN.
 * The derivative is 0.
 * @param x any shape
 * @returns the shape of `x`
 * @throws DTypeError for bool
 * @example sign(tensor([3, 0, -2])); // [1, 0, -1]
 */
export function sign(x: Operand): Tensor {
  return build(elementwiseOps.sign, [toTensor(x, undefined, 'sign')]);
}

/**
 * Largest whole number not above x.
 * The derivative is 0.
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example floor(tensor([1.5, -1.5])); // [1, -2]
 */
export function floor(x: Operand): Tensor {
  return build(elementwiseOps.floor, [toTensor(x, undefined, 'floor')]);
}

/**
 * Smallest whole number not below x.
 * The derivative is 0.
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example ceil(tensor([1.5, -1.5])); // [2, -1]
 */
export function ceil(x: Operand): Tensor {
  return build(elementwiseOps.ceil, [toTensor(x, undefined, 'ceil')]);
}

/**
 * Nearest whole number, halves to the even one (IEEE 754).
 * The derivative is 0.
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example round(tensor([0.5, 1.5, 2.5])); // [0, 2, 2]
 */
export function round(x: Operand): Tensor {
  return build(elementwiseOps.round, [toTensor(x, undefined, 'round')]);
}

/**
 * Whole part: rounds towards zero.
 * The derivative is 0.
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example trunc(tensor([1.7, -1.7])); // [1, -1]
 */
export function trunc(x: Operand): Tensor {
  return build(elementwiseOps.trunc, [toTensor(x, undefined, 'trunc')]);
}

/**
 * Square root.
 * `x ** 0.5`; NaN below 0.
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example sqrt(tensor([4, 9])); // [2, 3]
 */
export function sqrt(x: Operand): Tensor {
  return build(elementwiseOps.sqrt, [toTensor(x, undefined, 'sqrt')]);
}

/**
 * Reciprocal square root.
 * `1 / sqrt(x)`
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example rsqrt(tensor([4, 16])); // [0.5, 0.25]
 */
export function rsqrt(x: Operand): Tensor {
  return build(elementwiseOps.rsqrt, [toTensor(x, undefined, 'rsqrt')]);
}

/**
 * Reciprocal.
 * `1 / x`
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example reciprocal(tensor([2, 4])); // [0.5, 0.25]
 */
export function reciprocal(x: Operand): Tensor {
  return build(elementwiseOps.reciprocal, [toTensor(x, undefined, 'reciprocal')]);
}

/**
 * Square.
 * `x * x`
 * @param x any shape
 * @returns the shape of `x`
 * @throws DTypeError for bool
 * @example square(tensor([2, -3])); // [4, 9]
 */
export function square(x: Operand): Tensor {
  const t = toTensor(x, undefined, 'square');
  return mul(t, t);
}

/**
 * Exponential.
 * `e ** x`
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example exp(tensor([0, 1])); // [1, 2.7182817]
 */
export function exp(x: Operand): Tensor {
  return build(elementwiseOps.exp, [toTensor(x, undefined, 'exp')]);
}

/**
 * Exponential minus one, exact near 0.
 * `e ** x - 1`
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example expm1(tensor([0, 1e-8])); // [0, 1e-8]
 */
export function expm1(x: Operand): Tensor {
  return build(elementwiseOps.expm1, [toTensor(x, undefined, 'expm1')]);
}

/**
 * Natural logarithm.
 * `ln x`; -Infinity at 0, NaN below.
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example log(tensor([1, Math.E])); // [0, 1]
 */
export function log(x: Operand): Tensor {
  return build(elementwiseOps.log, [toTensor(x, undefined, 'log')]);
}

/**
 * Logarithm of 1 + x, exact near 0.
 * `ln(1 + x)`
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example log1p(tensor([0, 1e-8])); // [0, 1e-8]
 */
export function log1p(x: Operand): Tensor {
  return build(elementwiseOps.log1p, [toTensor(x, undefined, 'log1p')]);
}

/**
 * Sine.
 * `sin x`, x in radians
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example sin(tensor([0, Math.PI / 2])); // [0, 1]
 */
export function sin(x: Operand): Tensor {
  return build(elementwiseOps.sin, [toTensor(x, undefined, 'sin')]);
}

/**
 * Cosine.
 * `cos x`, x in radians
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example cos(tensor([0, Math.PI])); // [1, -1]
 */
export function cos(x: Operand): Tensor {
  return build(elementwiseOps.cos, [toTensor(x, undefined, 'cos')]);
}

/**
 * Tangent.
 * `tan x`, x in radians
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example tan(tensor([0, Math.PI / 4])); // [0, 1]
 */
export function tan(x: Operand): Tensor {
  return build(elementwiseOps.tan, [toTensor(x, undefined, 'tan')]);
}

/**
 * Gauss error function.
 * `2 / sqrt(pi) * integral of exp(-t^2), t = 0 .. x`
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example erf(tensor([0, 1])); // [0, 0.8427008]
 * @see Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1
 */
export function erf(x: Operand): Tensor {
  return build(elementwiseOps.erf, [toTensor(x, undefined, 'erf')]);
}

export interface SoftplusOptions {
  /** Sharpness, > 0; default 1. */
  readonly beta?: number;
  /** Where `beta * x` is larger the result is x itself; default Infinity: the formula does not overflow. */
  readonly threshold?: number;
}

/**
 * Softplus, a smooth ReLU; does not overflow.
 * `ln(1 + e ** (beta x)) / beta`
 * @param x float, any shape
 * @param options `beta` > 0, default 1; `threshold` >= 0, default Infinity. PyTorch cuts at 20, which moves values by less
 *   than 2.1e-9 / beta (nothing in float32); `threshold: 20` does the same.
 * @returns the shape of `x`; 0 at -Infinity, Infinity at Infinity
 * @throws OptionError for a beta or threshold out of range, DTypeError for integers and bool
 * @example softplus(tensor([0, 100])); // [0.6931472, 100]
 * @see Dugas et al., Incorporating Second-Order Functional Knowledge, 2000
 */
export function softplus(x: Operand, options: SoftplusOptions = {}): Tensor {
  checkOptions('softplus', options, ['beta', 'threshold']);
  const { beta = 1, threshold = Infinity } = options;
  if (!(typeof beta === 'number' && beta > 0 && beta < Infinity))
    throw new OptionError(`softplus: beta is ${shown(beta)}, expected a finite number > 0`);
  if (!(typeof threshold === 'number' && threshold >= 0))
    throw new OptionError(`softplus: threshold is ${shown(threshold)}, expected a number >= 0`);
  const t = toTensor(x, undefined, 'softplus');
  const scaled = beta === 1 ? t : mul(t, beta);
  const soft = build(elementwiseOps.softplus, [scaled]);
  const y = beta === 1 ? soft : div(soft, beta);
  return threshold === Infinity ? y : where(greater(scaled, threshold), t, y);
}

/**
 * Limits every value to [low, high].
 * `min(max(x, low), high)`; the derivative is 0 outside and 1 on the bounds.
 * @param x any shape
 * @param low lower bound, or -Infinity
 * @param high upper bound, or Infinity; not below `low`
 * @returns the shape of `x`
 * @throws OptionError when low > high, DTypeError for bool
 * @example clip(tensor([-2, 0.5, 3]), 0, 1); // [0, 0.5, 1]
 */
export function clip(x: Operand, low: number, high: number): Tensor {
  if (!(typeof low === 'number' && typeof high === 'number' && low <= high)) {
    throw new OptionError(`clip: got low ${shown(low)} and high ${shown(high)}, expected numbers, low <= high`);
  }
  if (low === -Infinity) return high === Infinity ? operandOf('clip', x, 'number') : minimum(x, high);
  if (high === Infinity) return maximum(x, low);
  const [t, bottom] = operandPair('clip', x, low);
  const [, top] = operandPair('clip', t, high);
  return build(elementwiseOps.clamp, [t, bottom, top]);
}

/** C's pow: 1 ** NaN and (-1) ** Infinity are 1, where JavaScript says NaN. */
function power(a: number, b: number): number {
  if (a === 1 || (a === -1 && Math.abs(b) === Infinity)) return 1;
  return a ** b;
}

function roundHalfEven(x: number): number {
  const r = Math.round(x);
  return Math.abs(x - Math.trunc(x)) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

/** erf(x) = 2/sqrt(pi) exp(-x^2) sum_n 2^n x^(2n+1) / (2n+1)!!: all terms have one sign, so nothing cancels (A&S 7.1.6). */
function erfReference(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return TWO_OVER_SQRT_PI * Math.exp(-x * x) * sum;
}

/** b a^(b-1), and 0 where b is 0 (also at a = 0, where the formula says 0 * infinity). */
function powBase(a: Tensor, b: Tensor): Tensor {
  if (b.op === fullOp) {
    const n = b.attrs.value as number;
    return n === 0 ? mul(a, 0) : mul(n, pow(a, n - 1));
  }
  return where(equal(b, 0), 0, mul(b, pow(a, sub(b, 1))));
}

/** a^b log a, and 0 where a is 0 and b is not negative. */
function powExponent(a: Tensor, b: Tensor, y: Tensor): Tensor {
  const flat = logicalAnd(equal(a, 0), greaterEqual(b, 0));
  return where(flat, 0, mul(y, log(where(flat, 1, a))));
}
