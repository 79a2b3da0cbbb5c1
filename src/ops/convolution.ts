import { OptionError, ShapeError } from '../errors.js';
import { build, type Tensor } from '../graph/tensor.js';
import { checkOptions, wholeNumber } from '../options.js';
import type { Shape } from '../shape.js';
import {
  checkOutputPadding,
  checkPaddingMode,
  type Padding,
  type PaddingMode,
  type Pair,
  type PerAxis,
  paddingOf,
  paddingRule,
  perAxis,
  spanOf,
} from '../window.js';
import { type ConvAttrs, convOps } from './conv.js';
import { checkDType } from './define.js';
import { add } from './elementwise.js';
import { pad } from './movement.js';
import { type Operand, operandPair, toTensor } from './operand.js';

export interface ConvOptions {
  /** Added to each output channel: [out]. */
  readonly bias?: Operand | null;
  /** Positions from one output to the next, >= 1; default 1. */
  readonly stride?: PerAxis;
  /**
   * Positions put around: a number for every side, one (or [low, high]) per axis, 'valid' (none), 'same' (the output has
   * ceil(input / stride) positions; an odd one goes to the end) or 'full' (every position that meets the input). Default 0.
   */
  readonly padding?: Padding;
  /** What stands there: 'zeros' (default), or values of the input as `pad` puts them: 'reflect', 'replicate', 'circular'. */
  readonly paddingMode?: PaddingMode;
  /** Distance of neighbouring taps, >= 1; default 1. */
  readonly dilation?: PerAxis;
  /** Parts of the channels that do not see each other; divides both numbers of channels. Default 1. */
  readonly groups?: number;
}

export interface ConvTransposeOptions extends Omit<ConvOptions, 'paddingMode'> {
  /** Positions added at the far end of each axis, less than its stride or dilation; default 0. */
  readonly outputPadding?: PerAxis;
}

const AXES = [['length'], ['height', 'width'], ['depth', 'height', 'width']] as const;
const SHARED = ['bias', 'stride', 'padding', 'dilation', 'groups'] as const;

interface Checked {
  readonly x: Tensor;
  readonly w: Tensor;
  readonly kernel: readonly number[];
  readonly groups: number;
}

/** Operands of one dtype whose ranks and channels fit; `inAxis` is the axis of the weight that meets the channels of x. */
function checkOperands(op: string, rank: number, x: Operand, weight: Operand, inAxis: 0 | 1, groups: unknown): Checked {
  const [t, w] = operandPair(op, x, weight);
  checkDType(op, t.dtype, 'float');
  const layout = ['batch', ...AXES[rank - 1], 'channels'];
  if (t.shape.length !== rank + 2) {
    const hint =
      t.shape.length === rank + 1 ? '; expandDims(x, 0) adds a batch axis, expandDims(x, -1) a channel axis' : '';
    throw new ShapeError(`${op}: got [${t.shape}], expected [${layout.join(', ')}]${hint}`);
  }
  if (w.shape.length !== rank + 2 || w.shape.includes(0)) {
    const names = [inAxis === 1 ? 'out' : 'in', inAxis === 1 ? 'in / groups' : 'out / groups'];
    const expected = [...names, ...AXES[rank - 1].map((a) => `kernel ${a}`)].join(', ');
    throw new ShapeError(`${op}: got weight [${w.shape}], expected [${expected}], each >= 1`);
  }
  const parts = wholeNumber(`${op}: groups`, groups, 1);
  if (w.shape[0] % parts !== 0) {
    const what = inAxis === 1 ? 'output' : 'input';
    throw new OptionError(`${op}: groups is ${parts}, expected a divisor of the ${w.shape[0]} ${what} channels`);
  }
  const channels = inAxis === 1 ? w.shape[1] * parts : w.shape[0];
  checkChannels(op, t.shape, channels, `weight [${w.shape}]${parts === 1 ? '' : `, groups ${parts}`}`);
  t.shape.slice(1, -1).forEach((size, a) => {
    if (size === 0) throw new ShapeError(`${op}: got [${t.shape}], expected ${AXES[rank - 1][a]} >= 1`);
  });
  return { x: t, w, kernel: w.shape.slice(2), groups: parts };
}

function checkChannels(op: string, shape: Shape, channels: number, because: string): void {
  if (shape[shape.length - 1] === channels) return;
  const last = shape.length - 1;
  const order = [0, ...Array.from({ length: last - 1 }, (_, a) => a + 2), 1];
  const name = ['NCL', 'NCHW', 'NCDHW'][last - 2];
  const hint = shape[1] === channels ? `; this looks like ${name}; use x.permute([${order.join(', ')}])` : '';
  throw new ShapeError(`${op}: got [${shape}], expected ${channels} channels last (${because})${hint}`);
}

function addBias(op: string, y: Tensor, bias: Operand | null | undefined): Tensor {
  if (bias === undefined || bias === null) return y;
  const b = toTensor(bias, y.dtype, op);
  const channels = y.shape[y.shape.length - 1];
  if (b.shape.length !== 1 || b.shape[0] !== channels) {
    throw new ShapeError(`${op}: got bias [${b.shape}], expected [${channels}]`);
  }
  return add(y, b);
}

/** One number as it is, several as 5×5. */
const times = (sizes: readonly number[]) => sizes.join('×');

function convolve(op: string, rank: number, x: Operand, weight: Operand, options: ConvOptions): Tensor {
  checkOptions(op, options, [...SHARED, 'paddingMode']);
  const { bias, paddingMode = 'zeros' } = options;
  const stride = perAxis(`${op}: stride`, options.stride ?? 1, rank, 1);
  const dilation = perAxis(`${op}: dilation`, options.dilation ?? 1, rank, 1);
  const rule = paddingRule(`${op}: padding`, options.padding ?? 0, rank);
  checkPaddingMode(op, paddingMode);
  const { x: images, w, kernel, groups } = checkOperands(op, rank, x, weight, 1, options.groups ?? 1);

  let padding = images.shape
    .slice(1, -1)
    .map((size, a) => paddingOf(rule, a, size, { kernel: kernel[a], stride: stride[a], dilation: dilation[a] }));
  let padded = images;
  if (paddingMode !== 'zeros') {
    padded = pad(images, [[0, 0], ...padding], { mode: paddingMode });
    padding = padding.map((): Pair => [0, 0]);
  }
  const input = padded.shape.slice(1, -1);
  const output = input.map(
    (size, a) => Math.floor((size + padding[a][0] + padding[a][1] - spanOf(kernel[a], dilation[a])) / stride[a]) + 1,
  );
  if (output.some((size) => size < 1)) {
    const full = times(input.map((size, a) => size + padding[a][0] + padding[a][1]));
    const spread = dilation.every((d) => d === 1) ? '' : ` with dilation ${times(dilation)}`;
    throw new ShapeError(
      `${op}: the kernel ${times(kernel)}${spread} is larger than the padded input ${full} of [${images.shape}]; use a smaller kernel or more padding`,
    );
  }
  const attrs: ConvAttrs = { input, kernel, output, stride, padding: padding.map(([low]) => low), dilation, groups };
  return addBias(op, build(convOps.conv, [padded, w], { ...attrs }), bias);
}

function convolveTransposed(
  op: string,
  rank: number,
  x: Operand,
  weight: Operand,
  options: ConvTransposeOptions,
): Tensor {
  checkOptions(op, options, [...SHARED, 'outputPadding']);
  const { bias } = options;
  const stride = perAxis(`${op}: stride`, options.stride ?? 1, rank, 1);
  const dilation = perAxis(`${op}: dilation`, options.dilation ?? 1, rank, 1);
  const rule = paddingRule(`${op}: padding`, options.padding ?? 0, rank);
  const extra = perAxis(`${op}: outputPadding`, options.outputPadding ?? 0, rank, 0);
  checkOutputPadding(op, extra, stride, dilation, rule === 'same');
  const { x: images, w, kernel, groups } = checkOperands(op, rank, x, weight, 0, options.groups ?? 1);

  const output = images.shape.slice(1, -1);
  const low: number[] = [];
  const input = output.map((size, a) => {
    const window = { kernel: kernel[a], stride: stride[a], dilation: dilation[a] };
    // 'same' is the adjoint of a convolution that keeps ceil(input / stride) of its input positions.
    const pair = paddingOf(rule, a, size * stride[a], window);
    low.push(pair[0]);
    if (rule === 'same') return size * stride[a];
    return (size - 1) * stride[a] - pair[0] - pair[1] + spanOf(kernel[a], dilation[a]) + extra[a];
  });
  if (input.some((size) => size < 1)) {
    throw new ShapeError(
      `${op}: the padding leaves ${times(input)} positions of [${images.shape}] with kernel ${times(kernel)}, expected 1 or more; use less padding`,
    );
  }
  const attrs: ConvAttrs = { input, kernel, output, stride, padding: low, dilation, groups };
  return addBias(op, build(convOps.convDataGrad, [images, w], { ...attrs }), bias);
}

/**
 * Convolution of sequences (cross-correlation, as everywhere in neural networks):
 * `y[n, q, o] = bias[o] + sum over t, c of x[n, q stride + t dilation - padding, c] w[o, c, t]`.
 * @param x [batch, length, channels], float
 * @param weight [out, channels / groups, kernel]
 * @param options `bias` [out], `stride`, `padding`, `paddingMode`, `dilation`, `groups`
 * @returns [batch, floor((length + padding - dilation (kernel - 1) - 1) / stride) + 1, out], padding that of both sides
 * @throws ShapeError when sizes do not fit or the kernel is larger than the padded input, OptionError, DTypeError
 * @example conv1d(ones([1, 5, 1]), ones([1, 1, 3])).shape; // [1, 3, 1]
 * @see Goodfellow, Bengio and Courville, Deep Learning, 9.1; PyTorch, torch.nn.functional.conv1d (whose channels come second)
 */
export function conv1d(x: Operand, weight: Operand, options: ConvOptions = {}): Tensor {
  return convolve('conv1d', 1, x, weight, options);
}

/**
 * Convolution of images (cross-correlation):
 * `y[n, q, o] = bias[o] + sum over taps t and channels c of x[n, q stride + t dilation - padding, c] w[o, c, t]`, with q and t
 * places in height and width. A group of channels gives `out / groups` channels; `groups` = channels is a depthwise convolution.
 * @param x [batch, height, width, channels], float
 * @param weight [out, channels / groups, kernel height, kernel width]
 * @param options `bias` [out], `stride`, `padding`, `paddingMode`, `dilation`, `groups`; numbers for both axes or [height, width]
 * @returns [batch, height', width', out], per axis floor((size + padding - dilation (kernel - 1) - 1) / stride) + 1
 * @throws ShapeError when sizes do not fit or the kernel is larger than the padded input, OptionError, DTypeError
 * @example conv2d(ones([1, 28, 28, 3]), ones([8, 3, 5, 5]), { padding: 'same' }).shape; // [1, 28, 28, 8]
 * @see Dumoulin and Visin (2016), A guide to convolution arithmetic; PyTorch, torch.nn.functional.conv2d (whose channels come second)
 */
export function conv2d(x: Operand, weight: Operand, options: ConvOptions = {}): Tensor {
  return convolve('conv2d', 2, x, weight, options);
}

/**
 * Convolution of volumes: {@link conv2d} with one axis more.
 * @param x [batch, depth, height, width, channels], float
 * @param weight [out, channels / groups, kernel depth, kernel height, kernel width]
 * @param options `bias` [out], `stride`, `padding`, `paddingMode`, `dilation`, `groups`
 * @returns [batch, depth', height', width', out]
 * @throws ShapeError when sizes do not fit or the kernel is larger than the padded input, OptionError, DTypeError
 * @example conv3d(ones([1, 4, 4, 4, 1]), ones([2, 1, 3, 3, 3])).shape; // [1, 2, 2, 2, 2]
 * @see PyTorch, torch.nn.functional.conv3d (whose channels come second)
 */
export function conv3d(x: Operand, weight: Operand, options: ConvOptions = {}): Tensor {
  return convolve('conv3d', 3, x, weight, options);
}

/**
 * Transposed convolution of sequences: the adjoint of {@link conv1d} with the same options, ⟨conv x, y⟩ = ⟨x, convTranspose y⟩.
 * @param x [batch, length, channels], float
 * @param weight [channels, out / groups, kernel]
 * @param options `bias` [out], `stride`, `padding` (taken off the output), `dilation`, `groups`, `outputPadding`
 * @returns [batch, (length - 1) stride - padding + dilation (kernel - 1) + 1 + outputPadding, out], padding that of both sides;
 *   length × stride with padding 'same'
 * @throws ShapeError when sizes do not fit or nothing is left, OptionError, DTypeError
 * @example convTranspose1d(ones([1, 3, 1]), ones([1, 2, 2]), { stride: 2 }).shape; // [1, 6, 2]
 * @see PyTorch, torch.nn.functional.conv_transpose1d (whose channels come second)
 */
export function convTranspose1d(x: Operand, weight: Operand, options: ConvTransposeOptions = {}): Tensor {
  return convolveTransposed('convTranspose1d', 1, x, weight, options);
}

/**
 * Transposed convolution of images: the adjoint of {@link conv2d} with the same options, ⟨conv x, y⟩ = ⟨x, convTranspose y⟩. Each
 * input position adds its kernel, times its value, to the output; with a stride images grow.
 * @param x [batch, height, width, channels], float
 * @param weight [channels, out / groups, kernel height, kernel width]
 * @param options `bias` [out], `stride`, `padding` (taken off the output), `dilation`, `groups`, `outputPadding`
 * @returns [batch, height', width', out], per axis (size - 1) stride - padding + dilation (kernel - 1) + 1 + outputPadding; size ×
 *   stride with padding 'same'
 * @throws ShapeError when sizes do not fit or nothing is left, OptionError, DTypeError
 * @example convTranspose2d(ones([1, 7, 7, 8]), ones([8, 4, 2, 2]), { stride: 2 }).shape; // [1, 14, 14, 4]
 * @see Dumoulin and Visin (2016), A guide to convolution arithmetic, 4; PyTorch, torch.nn.functional.conv_transpose2d
 */
export function convTranspose2d(x: Operand, weight: Operand, options: ConvTransposeOptions = {}): Tensor {
  return convolveTransposed('convTranspose2d', 2, x, weight, options);
}

/**
 * Transposed convolution of volumes: {@link convTranspose2d} with one axis more.
 * @param x [batch, depth, height, width, channels], float
 * @param weight [channels, out / groups, kernel depth, kernel height, kernel width]
 * @param options `bias` [out], `stride`, `padding` (taken off the output), `dilation`, `groups`, `outputPadding`
 * @returns [batch, depth', height', width', out]
 * @throws ShapeError when sizes do not fit or nothing is left, OptionError, DTypeError
 * @example convTranspose3d(ones([1, 2, 2, 2, 1]), ones([1, 1, 2, 2, 2]), { stride: 2 }).shape; // [1, 4, 4, 4, 1]
 * @see PyTorch, torch.nn.functional.conv_transpose3d (whose channels come second)
 */
export function convTranspose3d(x: Operand, weight: Operand, options: ConvTransposeOptions = {}): Tensor {
  return convolveTransposed('convTranspose3d', 3, x, weight, options);
}
