import type { FloatDType } from '../dtype.js';
import { ShapeError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { axisSizes, type Sizes } from '../options.js';
import { sizeOf } from '../shape.js';
import { greaterEqual, less, logicalAnd, where } from './compare.js';
import { iota } from './create.js';
import { add, ceil, div, floor, minimum, mul, sub } from './elementwise.js';
import { take } from './gather.js';
import { matmul } from './matmul.js';
import { expandDims, reshape } from './movement.js';
import { cast, type Operand, operandOf } from './operand.js';
import { type Axes3, avgPoolOf, type PoolAttrs } from './pool.js';
import { apart, images, maximumOf } from './pooling.js';
import { mean } from './reduce.js';

/** First position and end of the windows that cut `size` into `out` parts of nearly equal size. */
function parts(size: number, out: number): { start: Tensor; end: Tensor } {
  // Whole numbers below 2^53 are exact in float64, and so is the floor of their quotient.
  const o = mul(iota(out, { dtype: 'float64' }), size);
  return { start: floor(div(o, out)), end: ceil(div(add(o, size), out)) };
}

/** Multiplies an axis of t by a matrix [out, size]. */
export function alongAxis(matrix: Tensor, t: Tensor, axis: number): Tensor {
  const { shape } = t;
  const [before, after] = [shape.slice(0, axis), shape.slice(axis + 1)];
  const y = matmul(expandDims(matrix, 0), reshape(t, [sizeOf(before), shape[axis], sizeOf(after)]));
  return reshape(y, [...before, matrix.shape[0], ...after]);
}

function evenAttrs(t: Tensor, kernel: readonly number[]): PoolAttrs {
  const size = t.shape.slice(1, 4);
  const sizes = kernel as unknown as Axes3;
  return {
    in: size as unknown as Axes3,
    kernel: sizes,
    out: size.map((s, a) => s / kernel[a]) as unknown as Axes3,
    stride: sizes,
    padLow: [0, 0, 0],
    padHigh: [0, 0, 0],
    dilation: [1, 1, 1],
    countIncludePad: false,
    divisor: 0,
  };
}

/** Images and numbers of windows along depth, height and width. */
function prepare(op: string, x: Operand, outputSize: Sizes, dims: number): { t: Tensor; out: number[] } {
  const t = images(op, x, dims);
  const out = axisSizes(op, 'outputSize', outputSize, dims);
  if (sizeOf(t.shape.slice(1, 4)) === 0) throw new ShapeError(`${op}: got an image without positions, [${t.shape}]`);
  return { t, out: [...Array(3 - dims).fill(1), ...out] };
}

function adaptiveAvgPool(op: string, x: Operand, outputSize: Sizes, dims: number): Tensor {
  const { t, out } = prepare(op, x, outputSize, dims);
  const size = t.shape.slice(1, 4);
  if (out.every((o, a) => size[a] % o === 0)) {
    const kernel = out.map((o, a) => size[a] / o);
    return apart(avgPoolOf(t, evenAttrs(t, kernel)), dims);
  }
  const y = out.reduce((v, o, a) => {
    if (o === size[a]) return v;
    const { start, end } = parts(size[a], o);
    const at = iota(size[a], { dtype: 'float64' });
    const [from, to] = [expandDims(start, 1), expandDims(end, 1)];
    const share = where(logicalAnd(greaterEqual(at, from), less(at, to)), div(1, sub(to, from)), 0);
    return alongAxis(cast(share, t.dtype as FloatDType), v, a + 1);
  }, t);
  return apart(y, dims);
}

function adaptiveMaxPool(op: string, x: Operand, outputSize: Sizes, dims: number): Tensor {
  const { t, out } = prepare(op, x, outputSize, dims);
  const kernel: number[] = [];
  let y = t;
  for (const [a, o] of out.entries()) {
    const size = t.shape[a + 1];
    if (size % o === 0) {
      kernel.push(size / o);
      continue;
    }
    // Windows of unequal size: the last position of the short ones comes twice, which changes no maximum.
    const widest = Array.from({ length: o }, (_, i) => Math.ceil(((i + 1) * size) / o) - Math.floor((i * size) / o));
    const width = Math.max(...widest);
    const { start, end } = parts(size, o);
    const at = minimum(add(expandDims(start, 1), iota(width, { dtype: 'float64' })), sub(expandDims(end, 1), 1));
    y = take(y, reshape(cast(at, 'int32'), [o * width]), { axis: a + 1 });
    kernel.push(width);
  }
  return apart(maximumOf(y, evenAttrs(y, kernel)), dims);
}

/**
 * Averages of a sequence cut into `outputSize` windows: window o is [⌊o length / outputSize⌋, ⌈(o + 1) length / outputSize⌉).
 * @param x float [batch, length, channels]
 * @param outputSize number of windows, >= 1
 * @returns [batch, outputSize, channels]
 * @throws OptionError for a size that is not a whole number >= 1, ShapeError for another shape, DTypeError
 * @example adaptiveAvgPool1d(tensor([[[1], [3], [5]]]), 2); // [[[2], [4]]]
 * @see PyTorch, torch.nn.functional.adaptive_avg_pool1d (whose channels are the second axis)
 */
export function adaptiveAvgPool1d(x: Operand, outputSize: Sizes): Tensor {
  return adaptiveAvgPool('adaptiveAvgPool1d', x, outputSize, 1);
}

/**
 * Averages of images cut into `outputSize` windows; see {@link adaptiveAvgPool1d}.
 * @param x float [batch, height, width, channels]
 * @param outputSize number of windows, for both axes or [down, across], >= 1
 * @returns [batch, down, across, channels]
 * @throws as {@link adaptiveAvgPool1d}
 * @example adaptiveAvgPool2d(zeros([8, 7, 5, 16]), [3, 2]).shape; // [8, 3, 2, 16]
 */
export function adaptiveAvgPool2d(x: Operand, outputSize: Sizes): Tensor {
  return adaptiveAvgPool('adaptiveAvgPool2d', x, outputSize, 2);
}

/**
 * Averages of volumes cut into `outputSize` windows; see {@link adaptiveAvgPool1d}.
 * @param x float [batch, depth, height, width, channels]
 * @param outputSize number of windows, for all axes or one each, >= 1
 * @returns [batch, in depth, down, across, channels]
 * @throws as {@link adaptiveAvgPool1d}
 * @example adaptiveAvgPool3d(zeros([2, 4, 7, 5, 3]), 2).shape; // [2, 2, 2, 2, 3]
 */
export function adaptiveAvgPool3d(x: Operand, outputSize: Sizes): Tensor {
  return adaptiveAvgPool('adaptiveAvgPool3d', x, outputSize, 3);
}

/**
 * Largest values of a sequence cut into `outputSize` windows, which are those of {@link adaptiveAvgPool1d}.
 * @param x float [batch, length, channels]
 * @param outputSize number of windows, >= 1
 * @returns [batch, outputSize, channels]
 * @throws OptionError for a size that is not a whole number >= 1, ShapeError for another shape, DTypeError
 * @example adaptiveMaxPool1d(tensor([[[1], [3], [5]]]), 2); // [[[3], [5]]]
 * @see PyTorch, torch.nn.functional.adaptive_max_pool1d (whose channels are the second axis)
 */
export function adaptiveMaxPool1d(x: Operand, outputSize: Sizes): Tensor {
  return adaptiveMaxPool('adaptiveMaxPool1d', x, outputSize, 1);
}

/**
 * Largest values of images cut into `outputSize` windows.
 * @param x float [batch, height, width, channels]
 * @param outputSize number of windows, for both axes or [down, across], >= 1
 * @returns [batch, down, across, channels]
 * @throws as {@link adaptiveMaxPool1d}
 * @example adaptiveMaxPool2d(zeros([8, 7, 5, 16]), [3, 2]).shape; // [8, 3, 2, 16]
 */
export function adaptiveMaxPool2d(x: Operand, outputSize: Sizes): Tensor {
  return adaptiveMaxPool('adaptiveMaxPool2d', x, outputSize, 2);
}

/**
 * Largest values of volumes cut into `outputSize` windows.
 * @param x float [batch, depth, height, width, channels]
 * @param outputSize number of windows, for all axes or one each, >= 1
 * @returns [batch, in depth, down, across, channels]
 * @throws as {@link adaptiveMaxPool1d}
 * @example adaptiveMaxPool3d(zeros([2, 4, 7, 5, 3]), 2).shape; // [2, 2, 2, 2, 3]
 */
export function adaptiveMaxPool3d(x: Operand, outputSize: Sizes): Tensor {
  return adaptiveMaxPool('adaptiveMaxPool3d', x, outputSize, 3);
}

/** The input with at least one axis between batch and channels, none of size 0. */
function positions(op: string, x: Operand): Tensor {
  const t = operandOf(op, x, 'float');
  if (t.shape.length >= 3 && t.shape.length <= 5 && sizeOf(t.shape.slice(1, -1)) > 0) return t;
  throw new ShapeError(`${op}: got [${t.shape}], expected [batch, …, channels] with one to three axes, none of size 0`);
}

/**
 * Average of every channel over all positions of a sample.
 * @param x float [batch, …, channels] with one to three axes of positions
 * @returns [batch, channels]
 * @throws ShapeError for another shape or no positions, DTypeError
 * @example globalAvgPool(tensor([[[1], [5], [3]]])); // [[3]]
 * @see Lin et al. (2014), Network in network
 */
export function globalAvgPool(x: Operand): Tensor {
  const t = positions('globalAvgPool', x);
  return mean(t, { axis: t.shape.slice(1, -1).map((_, i) => i + 1) });
}

/**
 * Largest value of every channel over all positions of a sample; the first of equal ones gets the gradient.
 * @param x float [batch, …, channels] with one to three axes of positions
 * @returns [batch, channels]
 * @throws ShapeError for another shape or no positions, DTypeError
 * @example globalMaxPool(tensor([[[1], [5], [3]]])); // [[5]]
 */
export function globalMaxPool(x: Operand): Tensor {
  const t = positions('globalMaxPool', x);
  const dims = t.shape.length - 2;
  return reshape(adaptiveMaxPool('globalMaxPool', t, 1, dims), [t.shape[0], t.shape[dims + 1]]);
}
