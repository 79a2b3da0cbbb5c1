import { isFloat } from '../dtype.js';
import { OptionError, ShapeError } from '../errors.js';
import type { OpDef } from '../graph/op.js';
import { build, type Tensor } from '../graph/tensor.js';
import { checkOptions, shown } from '../options.js';
import { normalizeAxes, normalizeAxis, type Shape, sizeOf, stridesOf } from '../shape.js';
import { equal, isFinite as finite, greater, notEqual, where } from './compare.js';
import { iota } from './create.js';
import { type ArrayReference, defineOp, forEachCoordinate, indexOf, NO_GRADIENT, type VjpRule } from './define.js';
import { abs, add, div, exp, log, mul, pow, sqrt, square, sub } from './elementwise.js';
import { broadcastTo, expandDims, pad, permute, reshape, slice, stopGradient } from './movement.js';
import { cast, type Operand, operandOf, toTensor } from './operand.js';

export interface ReduceOptions {
  /** Axes to reduce; negative counts from the back; default all. */
  readonly axis?: number | readonly number[];
  /** Keep reduced axes with size 1. */
  readonly keepDims?: boolean;
}

/** Records of reductions. attrs: axes (sorted, at least one), keepDims. */
export const reduceOps = {
  sum: defineReduce(
    'sum',
    'SUM',
    0,
    (a, x) => a + x,
    ({ g, inputs: [x], attrs }) => [spread(g, x, attrs.axes as number[])],
  ),
  prod: defineReduce(
    'prod',
    'PROD',
    1,
    (a, x) => a * x,
    ({ g, inputs: [x], attrs }) => [
      mul(spread(g, x, attrs.axes as number[]), productOfOthers(x, attrs.axes as number[])),
    ],
  ),
  max: defineReduce('max', 'MAX', null, Math.max, extremeRule('argmax')),
  min: defineReduce('min', 'MIN', null, Math.min, extremeRule('argmin')),
  argmax: defineArgReduce('argmax', 'ARGMAX', (x, best) => x > best),
  argmin: defineArgReduce('argmin', 'ARGMIN', (x, best) => x < best),
};

/** `start` is the result of an empty reduction, null where there is none. */
function defineReduce(
  name: string,
  reduction: string,
  start: number | null,
  fold: (a: number, x: number) => number,
  vjp: VjpRule,
): OpDef {
  return defineOp(name, {
    kind: 'reduce',
    reduction,
    infer: ([x], attrs) => ({ shape: reducedShape(name, x.shape, attrs, start === null), dtype: x.dtype }),
    vjp,
    reference: foldReference(start, (a, x) => fold(a, x)),
  });
}

/** One axis, the last: the native reduction needs it there. The first winner counts, and the first NaN wins. */
function defineArgReduce(name: string, reduction: string, better: (x: number, best: number) => boolean): OpDef {
  return defineOp(name, {
    kind: 'reduce',
    reduction,
    infer: ([x], attrs) => ({ shape: reducedShape(name, x.shape, attrs, true), dtype: 'int32' }),
    vjp: NO_GRADIENT,
    reference: ([x], _, [out]) => {
      const r = x.shape[x.shape.length - 1];
      const data = new Float64Array(sizeOf(out.shape));
      for (let o = 0; o < data.length; o++) {
        let best = 0;
        for (let i = 1; i < r && !Number.isNaN(x.data[o * r + best]); i++) {
          const v = x.data[o * r + i];
          if (Number.isNaN(v) || better(v, x.data[o * r + best])) best = i;
        }
        data[o] = best;
      }
      return { data, shape: out.shape };
    },
  });
}

function foldReference(start: number | null, fold: (a: number, x: number) => number): ArrayReference {
  return ([x], attrs, [out]) => {
    const axes = attrs.axes as number[];
    const kept = stridesOf(keptShape(x.shape, axes)).map((s, a) => (axes.includes(a) ? 0 : s));
    const data = new Float64Array(sizeOf(out.shape)).fill(start ?? 0);
    const seen = new Uint8Array(data.length).fill(start === null ? 0 : 1);
    forEachCoordinate(x.shape, (c, i) => {
      const o = indexOf(c, kept);
      data[o] = seen[o] === 1 ? fold(data[o], x.data[i]) : x.data[i];
      seen[o] = 1;
    });
    return { data, shape: out.shape };
  };
}

function keptShape(shape: Shape, axes: readonly number[]): number[] {
  return shape.map((d, a) => (axes.includes(a) ? 1 : d));
}

function reducedShape(op: string, shape: Shape, attrs: Readonly<Record<string, unknown>>, needsOne: boolean): Shape {
  const axes = attrs.axes as number[];
  const kept = keptShape(shape, axes);
  if (needsOne && sizeOf(kept) > 0 && sizeOf(shape) === 0) {
    throw new ShapeError(`${op}: no elements along axes [${axes}] of [${shape}]; the ${op} of nothing does not exist`);
  }
  return attrs.keepDims === true ? kept : shape.filter((_, a) => !axes.includes(a));
}

/** The gradient of a reduction repeated over the axes it removed. */
function spread(g: Tensor, x: Tensor, axes: readonly number[]): Tensor {
  return broadcastTo(reshape(g, keptShape(x.shape, axes)), x.shape);
}

/** `x` as [rest…, r] with the reduced axes merged into the last, and the way back. */
function mergeAxes(x: Tensor, axes: readonly number[]): { flat: Tensor; restore: (t: Tensor) => Tensor } {
  const rest = x.shape.map((_, a) => a).filter((a) => !axes.includes(a));
  const order = [...rest, ...axes];
  const moved = permute(x, order);
  const flat = reshape(moved, [...rest.map((a) => x.shape[a]), sizeOf(axes.map((a) => x.shape[a]))]);
  const back = order.map((_, a) => order.indexOf(a));
  return { flat, restore: (t) => permute(reshape(t, moved.shape), back) };
}

/** The first extreme takes the whole gradient, or all equal to it do by the option `ties`. */
function extremeRule(arg: 'argmax' | 'argmin'): VjpRule {
  return ({ g, inputs: [x], out, attrs }) => {
    const axes = attrs.axes as number[];
    if (attrs.ties !== undefined) {
      const tied = equal(x, spread(out, x, axes));
      const whole = spread(g, x, axes);
      if (attrs.ties === 'sum') return [where(tied, whole, 0)];
      return [where(tied, div(whole, sum(cast(tied, x.dtype), { axis: axes, keepDims: true })), 0)];
    }
    const { flat, restore } = mergeAxes(x, axes);
    const last = flat.shape.length - 1;
    if (flat.shape[last] === 0) return [null];
    const winner = build(reduceOps[arg], [flat], { axes: [last], keepDims: true });
    return [where(restore(equal(winner, iota(flat.shape[last]))), spread(g, x, axes), 0)];
  };
}

/**
 * For each element the product of the others along `axes`: products of what is before and after, each by doubling
 * (log2 r steps). Dividing the product by the element would fail at zeros, and so would its derivative.
 */
function productOfOthers(x: Tensor, axes: readonly number[]): Tensor {
  const { flat, restore } = mergeAxes(x, axes);
  const last = flat.shape.length - 1;
  const r = flat.shape[last];
  if (r === 0) return x;
  const whole = flat.shape.slice(0, last).map(() => ({}));
  const none = flat.shape.slice(0, last).map((): [number, number] => [0, 0]);
  const before = (t: Tensor, by: number) =>
    pad(slice(t, [...whole, { end: r - by }]), [...none, [by, 0]], { value: 1 });
  const after = (t: Tensor, by: number) => pad(slice(t, [...whole, { start: by }]), [...none, [0, by]], { value: 1 });
  const running = (shift: typeof before) => {
    let product = shift(flat, 1);
    for (let by = 1; by < r; by *= 2) product = mul(product, shift(product, by));
    return product;
  };
  return restore(mul(running(before), running(after)));
}

/** Shared by the public functions: normalises axes, lifts small integers to int32, skips reductions over no axis. */
function reduce(op: OpDef, x: Tensor, { axis, keepDims = false, ties = 'first' }: ExtremeOptions): Tensor {
  const axes = normalizeAxes(op.name, axis, x.shape.length);
  const wide = x.dtype === 'uint8' || x.dtype === 'bool' ? cast(x, 'int32') : x;
  if (!TIES.includes(ties)) {
    throw new OptionError(`${op.name}: got ties '${String(ties)}', expected ${TIES.join(', ')}`);
  }
  if (axes.length === 0) return wide;
  return build(op, [wide], ties === 'first' ? { axes, keepDims } : { axes, keepDims, ties });
}

/** What every reduction understands. */
const REDUCE = ['axis', 'keepDims'] as const;
const TIES = ['first', 'share', 'sum'] as const;

export interface ExtremeOptions extends ReduceOptions {
  /**
   * Which of several equal extremes takes the gradient: the first (default), all in equal shares (PyTorch's amax), or each the
   * whole of it.
   */
  readonly ties?: 'first' | 'share' | 'sum';
}

/**
 * Sum over axes.
 * `sum_i x_i`; of nothing 0. Integers and bool give int32.
 * @param x any shape
 * @returns the shape without the reduced axes, or with size 1 there when `keepDims`
 * @throws ShapeError when an axis does not exist
 * @example sum(tensor([[1, 2], [3, 4]]), { axis: 0 }); // [4, 6]
 */
export function sum(x: Operand, options: ReduceOptions = {}): Tensor {
  checkOptions('sum', options, REDUCE);
  return reduce(reduceOps.sum, toTensor(x, undefined, 'sum'), options);
}

/**
 * Product over axes; its gradient is right at zeros too.
 * `prod_i x_i`; of nothing 1. Integers and bool give int32.
 * @param x any shape
 * @returns the shape without the reduced axes, or with size 1 there when `keepDims`
 * @throws ShapeError when an axis does not exist
 * @example prod(tensor([2, 3, 4])); // 24
 */
export function prod(x: Operand, options: ReduceOptions = {}): Tensor {
  checkOptions('prod', options, REDUCE);
  return reduce(reduceOps.prod, toTensor(x, undefined, 'prod'), options);
}

/**
 * Largest value over axes; NaN if there is one. The first largest takes the gradient unless `ties` says otherwise.
 * @param x any shape
 * @param options `axis`, default all; `keepDims`; `ties`: 'first' (default), 'share' or 'sum'
 * @returns the shape without the reduced axes, or with size 1 there when `keepDims`; dtype of `x`
 * @throws ShapeError when an axis does not exist or has no elements
 * @example max(tensor([[1, 5], [7, 2]]), { axis: 1 }); // [5, 7]
 */
export function max(x: Operand, options: ExtremeOptions = {}): Tensor {
  checkOptions('max', options, [...REDUCE, 'ties']);
  const t = toTensor(x, undefined, 'max');
  return cast(reduce(reduceOps.max, t, options), t.dtype);
}

/**
 * Smallest value over axes; NaN if there is one. The first smallest takes the gradient unless `ties` says otherwise.
 * @param x any shape
 * @param options `axis`, default all; `keepDims`; `ties`: 'first' (default), 'share' or 'sum'
 * @returns the shape without the reduced axes, or with size 1 there when `keepDims`; dtype of `x`
 * @throws ShapeError when an axis does not exist or has no elements
 * @example min(tensor([[1, 5], [7, 2]]), { axis: 1 }); // [1, 2]
 */
export function min(x: Operand, options: ExtremeOptions = {}): Tensor {
  checkOptions('min', options, [...REDUCE, 'ties']);
  const t = toTensor(x, undefined, 'min');
  return cast(reduce(reduceOps.min, t, options), t.dtype);
}

function argReduce(op: OpDef, x: Operand, options: ArgReduceOptions): Tensor {
  checkOptions(op.name, options, REDUCE);
  const { axis, keepDims = false } = options;
  const t = toTensor(x, undefined, op.name);
  const wide = isFloat(t.dtype) ? t : cast(t, 'int32');
  const rank = t.shape.length;
  if (axis === undefined) {
    const one = build(op, [reshape(wide, [sizeOf(t.shape)])], { axes: [0], keepDims: false });
    return keepDims
      ? reshape(
          one,
          t.shape.map(() => 1),
        )
      : one;
  }
  const at = normalizeAxis(op.name, axis, rank);
  const order = t.shape.map((_, a) => a).filter((a) => a !== at);
  const index = build(op, [permute(wide, [...order, at])], { axes: [rank - 1], keepDims: false });
  return keepDims ? expandDims(index, at) : index;
}

export interface ArgReduceOptions {
  /** One axis; default the flattened tensor. */
  readonly axis?: number;
  readonly keepDims?: boolean;
}

/**
 * Position of the first largest value; the first NaN counts as largest.
 * @param x any shape
 * @returns int32, the shape without the axis
 * @throws ShapeError when the axis does not exist or has no elements
 * @example argmax(tensor([[1, 5], [7, 2]]), { axis: 1 }); // [1, 0]
 */
export function argmax(x: Operand, options: ArgReduceOptions = {}): Tensor {
  return argReduce(reduceOps.argmax, x, options);
}

/**
 * Position of the first smallest value; the first NaN counts as smallest.
 * @param x any shape
 * @returns int32, the shape without the axis
 * @throws ShapeError when the axis does not exist or has no elements
 * @example argmin(tensor([[1, 5], [7, 2]]), { axis: 1 }); // [0, 1]
 */
export function argmin(x: Operand, options: ArgReduceOptions = {}): Tensor {
  return argReduce(reduceOps.argmin, x, options);
}

/**
 * Whether some value is not zero.
 * @param x any dtype and shape
 * @returns bool, the shape without the reduced axes; false for nothing
 * @throws ShapeError when an axis does not exist
 * @example any(tensor([[0, 1], [0, 0]]), { axis: 1 }); // [true, false]
 */
export function any(x: Operand, options: ReduceOptions = {}): Tensor {
  checkOptions('any', options, REDUCE);
  return greater(sum(notEqual(x, 0), options), 0);
}

/**
 * Whether no value is zero.
 * @param x any dtype and shape
 * @returns bool, the shape without the reduced axes; true for nothing
 * @throws ShapeError when an axis does not exist
 * @example all(tensor([[0, 1], [1, 1]]), { axis: 1 }); // [false, true]
 */
export function all(x: Operand, options: ReduceOptions = {}): Tensor {
  checkOptions('all', options, REDUCE);
  return equal(sum(equal(x, 0), options), 0);
}

function countAlong(op: string, shape: Shape, axis: ReduceOptions['axis']): number {
  return sizeOf(normalizeAxes(op, axis, shape.length).map((a) => shape[a]));
}

/**
 * Mean over axes.
 * `sum_i x_i / n`; of nothing NaN.
 * @param x float, any shape
 * @returns the shape without the reduced axes, or with size 1 there when `keepDims`
 * @throws ShapeError when an axis does not exist, DTypeError for integers and bool
 * @example mean(tensor([[1, 2], [3, 4]]), { axis: 0 }); // [2, 3]
 */
export function mean(x: Operand, options: ReduceOptions = {}): Tensor {
  checkOptions('mean', options, REDUCE);
  const t = operandOf('mean', x, 'float');
  return div(sum(t, options), countAlong('mean', t.shape, options.axis));
}

export interface VarianceOptions extends ReduceOptions {
  /** Subtracted from n: 1 (default, as in PyTorch) for the unbiased estimate, 0 for the population variance. */
  readonly correction?: number;
}

/**
 * Variance over axes, in two passes.
 * `sum_i (x_i - mean)^2 / (n - correction)`
 * @param x float, any shape
 * @returns the shape without the reduced axes, or with size 1 there when `keepDims`
 * @throws ShapeError when an axis does not exist, DTypeError for integers and bool
 * @example variance(tensor([1, 2, 3, 4])); // 1.6666667
 */
export function variance(x: Operand, given: VarianceOptions = {}): Tensor {
  checkOptions('variance', given, [...REDUCE, 'correction']);
  const { correction = 1, ...options } = given;
  if (!Number.isFinite(correction)) {
    throw new OptionError(`variance: correction is ${shown(correction)}, expected a finite number`);
  }
  const t = operandOf('variance', x, 'float');
  const n = countAlong('variance', t.shape, options.axis);
  const centered = sub(t, mean(t, { ...options, keepDims: true }));
  return div(sum(square(centered), options), Math.max(0, n - correction));
}

/**
 * Standard deviation over axes; its derivative where the variance is 0 is taken as 0.
 * `sqrt(variance)`
 * @param x float, any shape
 * @returns the shape without the reduced axes, or with size 1 there when `keepDims`
 * @throws ShapeError when an axis does not exist, DTypeError for integers and bool
 * @example std(tensor([1, 2, 3, 4])); // 1.2909944
 */
export function std(x: Operand, options: VarianceOptions = {}): Tensor {
  checkOptions('std', options, [...REDUCE, 'correction']);
  return rootOf(variance(x, options));
}

/** Square root with derivative 0 at 0, where the root is not differentiable; both sides of the choice stay finite. */
function rootOf(s: Tensor): Tensor {
  const zero = equal(s, 0);
  return where(zero, 0, sqrt(where(zero, 1, s)));
}

/**
 * Logarithm of the sum of exponentials; does not overflow.
 * `ln sum_i e ** x_i`; of nothing an error, of -Infinity only -Infinity.
 * @param x float, any shape
 * @returns the shape without the reduced axes, or with size 1 there when `keepDims`
 * @throws ShapeError when an axis does not exist or has no elements, DTypeError for integers and bool
 * @example logSumExp(tensor([1000, 1000])); // 1000.6931
 */
export function logSumExp(x: Operand, options: ReduceOptions = {}): Tensor {
  checkOptions('logSumExp', options, REDUCE);
  const t = operandOf('logSumExp', x, 'float');
  const top = stopGradient(max(t, { ...options, keepDims: true }));
  const shift = where(finite(top), top, 0);
  const total = log(sum(exp(sub(t, shift)), options));
  return add(total, reshape(shift, total.shape));
}

export interface NormOptions extends ReduceOptions {
  /** Order p, any number; default 2, which 'fro' is another name of. */
  readonly ord?: number | 'fro';
}

/**
 * Vector norm over axes (of all elements by default); its derivative at a zero vector is taken as 0.
 * `(sum_i |x_i| ** p) ** (1 / p)`; for p = Infinity `max_i |x_i|`, for -Infinity `min_i |x_i|`, for 0 the number of elements
 * that are not 0. Over both axes of a matrix, p = 2 is the Frobenius norm; for the nuclear and the spectral norm see `svd`. Below 1
 * it is no norm but what NumPy computes.
 * @param x float, any shape
 * @param options `ord` p, default 2; `axis`; `keepDims`
 * @returns the shape without the reduced axes, or with size 1 there when `keepDims`
 * @throws OptionError for an order that is NaN, ShapeError when an axis does not exist, DTypeError for integers and bool
 * @example norm(tensor([3, 4])); // 5
 */
export function norm(x: Operand, given: NormOptions = {}): Tensor {
  checkOptions('norm', given, [...REDUCE, 'ord']);
  const { ord = 2, ...options } = given;
  const t = operandOf('norm', x, 'float');
  if (ord === 'fro') return norm(t, options);
  if (typeof ord !== 'number' || Number.isNaN(ord)) {
    throw new OptionError(
      `norm: got ord ${String(ord)}, expected a number or 'fro'; the nuclear norm of a matrix is the sum of ` +
        '(await svd(x)).s, the spectral one its first element',
    );
  }
  if (ord === 0) return cast(sum(notEqual(t, 0), options), t.dtype);
  if (ord === 1) return sum(abs(t), options);
  if (ord === 2) return rootOf(sum(square(t), options));
  if (ord === Infinity) return max(abs(t), options);
  if (ord === -Infinity) return min(abs(t), options);
  const s = sum(pow(abs(t), ord), options);
  const zero = equal(s, 0);
  return where(zero, 0, pow(where(zero, 1, s), 1 / ord));
}

export interface RenormOptions {
  /** Order of the norm, > 0; default 2. */
  readonly ord?: number;
  /** Axis whose slices are limited, each on its own; default 0: the rows of a weight, one a unit. */
  readonly axis?: number;
}

/**
 * Scales down slices whose norm is above a limit: the max-norm constraint on the incoming weights of each unit.
 * `x_i · limit / (|x_i| + 1e-7)` where `|x_i| > limit`, else `x_i`
 * @param x float, rank 1 or more
 * @param limit largest norm, a finite number >= 0
 * @param options `ord`, default 2; `axis`, default 0
 * @returns the shape of `x`
 * @throws OptionError for an illegal limit or order, ShapeError when the axis does not exist, DTypeError for integers and bool
 * @example renorm(tensor([[3, 4], [0, 1]]), 1); // [[0.6, 0.8], [0, 1]]
 * @see Srebro and Shraibman, Rank, Trace-Norm and Max-Norm, 2005; PyTorch, torch.renorm
 */
export function renorm(x: Operand, limit: number, options: RenormOptions = {}): Tensor {
  checkOptions('renorm', options, ['ord', 'axis']);
  const { ord = 2, axis = 0 } = options;
  const t = operandOf('renorm', x, 'float');
  if (!(typeof limit === 'number' && limit >= 0 && limit < Infinity)) {
    throw new OptionError(`renorm: got limit ${shown(limit)}, expected a finite number >= 0`);
  }
  if (!(typeof ord === 'number' && ord > 0))
    throw new OptionError(`renorm: got ord ${shown(ord)}, expected a number above 0`);
  const at = normalizeAxis('renorm', axis, t.shape.length);
  const others = t.shape.map((_, a) => a).filter((a) => a !== at);
  const size = others.length === 0 ? abs(t) : norm(t, { ord, axis: others, keepDims: true });
  return mul(t, where(greater(size, limit), div(limit, add(size, 1e-7)), 1));
}
