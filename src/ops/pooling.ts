import { OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { axisSizes, checkOptions, type Sizes } from '../options.js';
import { sizeOf } from '../shape.js';
import { gather } from './along.js';
import { reshape } from './movement.js';
import { type Operand, operandOf } from './operand.js';
import { type Axes3, avgPoolOf, maxPoolOf, type PoolAttrs, windowsOf } from './pool.js';
import { argmax } from './reduce.js';

export interface PoolOptions {
  /** Step between windows, >= 1; default the kernel size. */
  readonly stride?: Sizes;
  /**
   * Positions around the image, at most half of the kernel; default 0. 'same' pads as little as gives ⌈size / stride⌉ windows,
   * 'valid' is 0.
   */
  readonly padding?: Sizes | 'same' | 'valid';
  /** Whether a last window may hang over the edge (default false). */
  readonly ceilMode?: boolean;
}

export interface MaxPoolOptions extends PoolOptions {
  /** Distance between the taps of a window, >= 1 (default 1). */
  readonly dilation?: Sizes;
}

export interface AvgPoolOptions extends PoolOptions {
  /** Whether padding counts as zeros (default true), or the average is of what lies in the image. */
  readonly countIncludePad?: boolean;
  /** What sums are divided by, >= 1; default the number of positions. */
  readonly divisorOverride?: number;
}

const LAYOUT = [[], ['length'], ['height', 'width'], ['depth', 'height', 'width']];

/** The input as [n, depth, height, width, c] with leading sizes of 1. */
export function images(op: string, x: Operand, dims: number): Tensor {
  const t = operandOf(op, x, 'float');
  if (t.shape.length !== dims + 2) {
    throw new ShapeError(`${op}: got [${t.shape}], expected [batch, ${LAYOUT[dims].join(', ')}, channels]`);
  }
  return reshape(t, [t.shape[0], ...Array(3 - dims).fill(1), ...t.shape.slice(1)]);
}

function whole(sizes: readonly number[], fill: number): Axes3 {
  return [...Array(3 - sizes.length).fill(fill), ...sizes] as unknown as Axes3;
}

/** Options of both poolings, checked against the input. */
function attrsOf(
  op: string,
  t: Tensor,
  kernelSize: Sizes,
  dims: number,
  options: PoolOptions & { readonly dilation?: Sizes },
): PoolAttrs {
  const { padding = 0, ceilMode = false } = options;
  const kernel = axisSizes(op, 'kernelSize', kernelSize, dims);
  const stride = axisSizes(op, 'stride', options.stride ?? kernel, dims);
  const dilation = axisSizes(op, 'dilation', options.dilation ?? 1, dims);
  if (typeof ceilMode !== 'boolean')
    throw new OptionError(`${op}: ceilMode is ${String(ceilMode)}, expected a boolean`);
  if (typeof padding === 'string' && padding !== 'same' && padding !== 'valid') {
    throw new OptionError(`${op}: padding is '${String(padding)}', expected a size, 'same' or 'valid'`);
  }
  const given = typeof padding === 'string' ? Array(dims).fill(0) : axisSizes(op, 'padding', padding, dims, 0);
  const [low, high, out]: number[][] = [[], [], []];
  const names = LAYOUT[dims];
  for (let a = 0; a < dims; a++) {
    const size = t.shape[4 - dims + a];
    const span = (kernel[a] - 1) * dilation[a] + 1;
    if (size === 0) throw new ShapeError(`${op}: got ${names[a]} 0, expected at least one position`);
    if (padding === 'same') {
      const total = Math.max(0, (Math.ceil(size / stride[a]) - 1) * stride[a] + span - size);
      low.push(total >> 1);
      high.push(total - (total >> 1));
      out.push(Math.ceil(size / stride[a]));
      continue;
    }
    if (2 * given[a] > span) {
      throw new OptionError(
        `${op}: padding is ${given[a]} for ${names[a]}, expected at most half of the window of ${span}`,
      );
    }
    const free = size + 2 * given[a] - span;
    // As in PyTorch, a window that hangs over the edge may be larger than the image.
    let windows = (ceilMode ? Math.ceil(free / stride[a]) : Math.floor(free / stride[a])) + 1;
    if (windows < 1) {
      throw new ShapeError(
        `${op}: a window of ${span} does not fit ${names[a]} ${size} with padding ${given[a]}; images are [batch, ${names.join(', ')}, channels]`,
      );
    }
    // The last window starts in the image or in the padding before it.
    if (ceilMode && (windows - 1) * stride[a] >= size + given[a]) windows--;
    low.push(given[a]);
    high.push(given[a]);
    out.push(windows);
  }
  return {
    in: t.shape.slice(1, 4) as unknown as Axes3,
    kernel: whole(kernel, 1),
    out: whole(out, 1),
    stride: whole(stride, 1),
    padLow: whole(low, 0),
    padHigh: whole(high, 0),
    dilation: whole(dilation, 1),
    countIncludePad: true,
    divisor: 0,
  };
}

/** Most taps of a window that an index of one byte tells apart. */
const MOST_TAPS = 255;

/** Maxima of windows of any size. */
export function maximumOf(t: Tensor, attrs: PoolAttrs): Tensor {
  if (sizeOf(attrs.kernel) <= MOST_TAPS) return maxPoolOf(t, attrs);
  if (attrs.kernel.some((k) => k > MOST_TAPS)) {
    const windows = windowsOf(t, attrs, -Infinity);
    return reshape(gather(windows, argmax(windows, { axis: 5, keepDims: true })), [
      t.shape[0],
      ...attrs.out,
      t.shape[4],
    ]);
  }
  // The maximum of a window is that of its rows' maxima, and the first of them comes first.
  let y = t;
  for (const a of [2, 1, 0]) {
    const along = (own: Axes3, other: number) => own.map((v, b) => (a === b ? v : other)) as unknown as Axes3;
    const size = y.shape.slice(1, 4) as unknown as Axes3;
    y = maxPoolOf(y, {
      ...attrs,
      in: size,
      out: size.map((v, b) => (a === b ? attrs.out[a] : v)) as unknown as Axes3,
      kernel: along(attrs.kernel, 1),
      stride: along(attrs.stride, 1),
      padLow: along(attrs.padLow, 0),
      padHigh: along(attrs.padHigh, 0),
      dilation: along(attrs.dilation, 1),
    });
  }
  return y;
}

/** The pooled images without the leading axes of size 1. */
export const apart = (y: Tensor, dims: number) => reshape(y, [y.shape[0], ...y.shape.slice(4 - dims)]);

function maxPool(op: string, x: Operand, kernelSize: Sizes, dims: number, options: MaxPoolOptions): Tensor {
  checkOptions(op, options, ['stride', 'padding', 'dilation', 'ceilMode']);
  const t = images(op, x, dims);
  return apart(maximumOf(t, attrsOf(op, t, kernelSize, dims, options)), dims);
}

function avgPool(op: string, x: Operand, kernelSize: Sizes, dims: number, options: AvgPoolOptions): Tensor {
  checkOptions(op, options, ['stride', 'padding', 'ceilMode', 'countIncludePad', 'divisorOverride']);
  const { countIncludePad = true, divisorOverride, ...rest } = options;
  const t = images(op, x, dims);
  if (typeof countIncludePad !== 'boolean') {
    throw new OptionError(`${op}: countIncludePad is ${String(countIncludePad)}, expected a boolean`);
  }
  const divisor = divisorOverride === undefined ? 0 : axisSizes(op, 'divisorOverride', divisorOverride, 1)[0];
  return apart(avgPoolOf(t, { ...attrsOf(op, t, kernelSize, dims, rest), countIncludePad, divisor }), dims);
}

/**
 * Largest values of windows of a sequence, each channel by itself.
 * `y[n, o, c] = max over k < kernelSize of x[n, o stride - padding + k dilation, c]`
 * @param x float [batch, length, channels]
 * @param kernelSize taps of a window, >= 1
 * @param options `stride` (default the kernel size), `padding`, `dilation`, `ceilMode`
 * @returns [batch, windows, channels], ⌊(length + 2 padding - dilation (kernelSize - 1) - 1) / stride⌋ + 1 windows. The first of
 *   equal values gets the gradient, a NaN wins, padding never does
 * @throws OptionError for sizes out of range, ShapeError for another shape or a window larger than the padded input, DTypeError
 * @example maxPool1d(tensor([[[1], [5], [2], [3]]]), 2); // [[[5], [3]]]
 * @see PyTorch, torch.nn.functional.max_pool1d (whose channels are the second axis)
 */
export function maxPool1d(x: Operand, kernelSize: Sizes, options: MaxPoolOptions = {}): Tensor {
  return maxPool('maxPool1d', x, kernelSize, 1, options);
}

/**
 * Largest values of windows of images, each channel by itself.
 * @param x float [batch, height, width, channels]
 * @param kernelSize taps of a window, for both axes or [height, width], >= 1
 * @param options `stride` (default the kernel size), `padding`, `dilation`, `ceilMode`, each for both axes or one each
 * @returns [batch, windows down, windows across, channels]; sizes and ties as in {@link maxPool1d}
 * @throws OptionError for sizes out of range, ShapeError for another shape or a window larger than the padded image, DTypeError
 * @example maxPool2d(zeros([8, 28, 28, 16]), 2).shape; // [8, 14, 14, 16]
 * @see PyTorch, torch.nn.functional.max_pool2d (whose channels are the second axis)
 */
export function maxPool2d(x: Operand, kernelSize: Sizes, options: MaxPoolOptions = {}): Tensor {
  return maxPool('maxPool2d', x, kernelSize, 2, options);
}

/**
 * Largest values of windows of volumes, each channel by itself.
 * @param x float [batch, depth, height, width, channels]
 * @param kernelSize taps of a window, for all axes or [depth, height, width], >= 1
 * @param options as of {@link maxPool2d}
 * @returns [batch, windows in depth, down, across, channels]
 * @throws as {@link maxPool2d}
 * @example maxPool3d(zeros([2, 8, 8, 8, 4]), 2).shape; // [2, 4, 4, 4, 4]
 * @see PyTorch, torch.nn.functional.max_pool3d (whose channels are the second axis)
 */
export function maxPool3d(x: Operand, kernelSize: Sizes, options: MaxPoolOptions = {}): Tensor {
  return maxPool('maxPool3d', x, kernelSize, 3, options);
}

/**
 * Averages of windows of a sequence, each channel by itself.
 * `y[n, o, c] = sum over k < kernelSize of x[n, o stride - padding + k, c] / kernelSize`
 * @param x float [batch, length, channels]
 * @param kernelSize positions of a window, >= 1
 * @param options `stride` (default the kernel size), `padding`, `ceilMode`, `countIncludePad` (default true), `divisorOverride`
 * @returns [batch, windows, channels]; sizes as in {@link maxPool1d}
 * @throws OptionError for sizes out of range, ShapeError for another shape or a window larger than the padded input, DTypeError
 * @example avgPool1d(tensor([[[1], [5], [2], [4]]]), 2); // [[[3], [3]]]
 * @see PyTorch, torch.nn.functional.avg_pool1d (whose channels are the second axis)
 */
export function avgPool1d(x: Operand, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor {
  return avgPool('avgPool1d', x, kernelSize, 1, options);
}

/**
 * Averages of windows of images, each channel by itself.
 * @param x float [batch, height, width, channels]
 * @param kernelSize positions of a window, for both axes or [height, width], >= 1
 * @param options as of {@link avgPool1d}, sizes for both axes or one each
 * @returns [batch, windows down, windows across, channels]
 * @throws OptionError for sizes out of range, ShapeError for another shape or a window larger than the padded image, DTypeError
 * @example avgPool2d(zeros([8, 28, 28, 16]), 2).shape; // [8, 14, 14, 16]
 * @see PyTorch, torch.nn.functional.avg_pool2d (whose channels are the second axis)
 */
export function avgPool2d(x: Operand, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor {
  return avgPool('avgPool2d', x, kernelSize, 2, options);
}

/**
 * Averages of windows of volumes, each channel by itself.
 * @param x float [batch, depth, height, width, channels]
 * @param kernelSize positions of a window, for all axes or [depth, height, width], >= 1
 * @param options as of {@link avgPool2d}
 * @returns [batch, windows in depth, down, across, channels]
 * @throws as {@link avgPool2d}
 * @example avgPool3d(zeros([2, 8, 8, 8, 4]), 2).shape; // [2, 4, 4, 4, 4]
 * @see PyTorch, torch.nn.functional.avg_pool3d (whose channels are the second axis)
 */
export function avgPool3d(x: Operand, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor {
  return avgPool('avgPool3d', x, kernelSize, 3, options);
}
