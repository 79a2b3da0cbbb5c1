import {
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  type FloatDType,
  isFloat,
  OptionError,
  Parameter,
  ShapeError,
  type Tensor,
} from '../core.js';
import { checkFlag, checkFunction, checkOptions, wholeNumber } from '../options.js';
import {
  checkOutputPadding,
  checkPaddingMode,
  type Padding,
  type PaddingMode,
  type PerAxis,
  paddingRule,
  perAxis,
} from '../window.js';
import { fanInUniform, fansOf, type Initializer } from './init.js';
import { Module, type ModuleConfig } from './module.js';

interface SharedOptions {
  /** Positions from one output to the next, >= 1 (default 1); a number, or one per axis. */
  readonly stride?: PerAxis;
  /**
   * Positions put around: a number for every side, one (or [low, high]) per axis, 'valid' (none), 'same' or 'full'. Default 0.
   */
  readonly padding?: Padding;
  /** Distance of neighbouring taps, >= 1 (default 1). */
  readonly dilation?: PerAxis;
  /** Parts of the channels that do not see each other (default 1); as many as channels is a depthwise convolution. */
  readonly groups?: number;
  /** Whether a bias is added (default true). */
  readonly bias?: boolean;
  /** First value of the weight (default {@link fanInUniform}, PyTorch's). */
  readonly init?: Initializer;
  /** First value of the bias (default the same). */
  readonly biasInit?: Initializer;
  /** float32 unless stated; float64 is for gradient checks. */
  readonly dtype?: FloatDType;
}

export interface ConvLayerOptions extends SharedOptions {
  /** What stands in the padding: 'zeros' (default), 'reflect', 'replicate' or 'circular'. */
  readonly paddingMode?: PaddingMode;
}

export interface ConvTransposeLayerOptions extends SharedOptions {
  /** Positions added at the far end of each axis, less than its stride or dilation (default 0). */
  readonly outputPadding?: PerAxis;
}

const SHARED = ['stride', 'padding', 'dilation', 'groups', 'bias', 'init', 'biasInit', 'dtype'];
const FORWARD = [conv1d, conv2d, conv3d];
const TRANSPOSED = [convTranspose1d, convTranspose2d, convTranspose3d];

/** What all convolutions have: weight and bias, and the sizes that say how the kernel moves. */
abstract class Convolution extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  /** One per axis, as stride and dilation. */
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: Padding;
  readonly groups: number;
  weight: Parameter;
  bias: Parameter | null;

  protected constructor(
    axes: number,
    transposed: boolean,
    inChannels: number,
    outChannels: number,
    kernelSize: PerAxis,
    options: SharedOptions,
  ) {
    super();
    const name = this.constructor.name;
    checkOptions(name, options, [...SHARED, transposed ? 'outputPadding' : 'paddingMode']);
    const { padding = 0, bias = true, init = fanInUniform(), biasInit = fanInUniform(), dtype = 'float32' } = options;
    if (!isFloat(dtype)) throw new OptionError(`${name}: dtype is ${String(dtype)}, expected float32 or float64`);
    checkFlag(name, 'bias', bias);
    checkFunction(name, 'init', init);
    checkFunction(name, 'biasInit', biasInit);
    this.inChannels = wholeNumber(`${name}: inChannels`, inChannels, 1);
    this.outChannels = wholeNumber(`${name}: outChannels`, outChannels, 1);
    this.kernelSize = perAxis(`${name}: kernelSize`, kernelSize, axes, 1);
    this.stride = perAxis(`${name}: stride`, options.stride ?? 1, axes, 1);
    this.dilation = perAxis(`${name}: dilation`, options.dilation ?? 1, axes, 1);
    paddingRule(`${name}: padding`, padding, axes);
    this.padding = padding;
    this.groups = wholeNumber(`${name}: groups`, options.groups ?? 1, 1);
    for (const [what, n] of Object.entries({ inChannels, outChannels })) {
      if (n % this.groups === 0) continue;
      throw new OptionError(`${name}: groups is ${this.groups}, expected a divisor of ${what} = ${n}`);
    }
    const [first, second] = transposed ? [inChannels, outChannels] : [outChannels, inChannels];
    const shape = [first, second / this.groups, ...this.kernelSize];
    const context = { ...fansOf(shape), dtype };
    this.weight = new Parameter(init(shape, context), 'weight');
    this.bias = bias ? new Parameter(biasInit([outChannels], context), 'bias') : null;
  }

  /** The operation's own option besides the shared ones. */
  protected abstract readonly own: Readonly<Record<string, ConvTransposeLayerOptions['outputPadding'] | PaddingMode>>;
  protected abstract readonly operation: (typeof FORWARD)[number] | (typeof TRANSPOSED)[number];

  /**
   * @param x images, channels last, as the class says
   * @throws ShapeError for another rank or number of channels, or when the kernel is larger than the padded input; DTypeError when
   *   x is not of the layer's dtype.
   */
  forward(x: Tensor): Tensor {
    const { stride, padding, dilation, groups, operation } = this;
    const options = { stride, padding, dilation, groups, bias: this.bias?.read() ?? null, ...this.own };
    try {
      return operation(x, this.weight.read(), options);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      // The same message under the layer's name.
      throw new ShapeError(error.message.replace(/^(conv\w+|pad):/, `${this.label}:`));
    }
  }

  override config(): ModuleConfig {
    const { inChannels, outChannels, kernelSize, stride, padding, dilation, groups, own } = this;
    const bias = this.bias !== null;
    const { dtype } = this.weight;
    return [inChannels, outChannels, kernelSize, { stride, padding, dilation, groups, bias, dtype, ...own }];
  }

  override toString(): string {
    const { inChannels, outChannels, kernelSize, padding, groups, own } = this;
    const parts = [`${inChannels}→${outChannels}`, kernelSize.join('×')];
    for (const [what, list] of Object.entries({ stride: this.stride, dilation: this.dilation })) {
      if (list.some((n) => n !== 1)) parts.push(`${what} ${list.join('×')}`);
    }
    if (padding !== 0 && padding !== 'valid') {
      parts.push(`padding ${typeof padding === 'object' ? JSON.stringify(padding) : padding}`);
    }
    for (const [what, value] of Object.entries(own)) {
      const given = Array.isArray(value) ? value.some((n) => n !== 0) : value !== 'zeros';
      if (given) parts.push(`${what} ${Array.isArray(value) ? value.join('×') : String(value)}`);
    }
    if (groups !== 1) parts.push(`groups ${groups}`);
    if (this.bias === null) parts.push('no bias');
    return `${this.constructor.name}(${parts.join(', ')})`;
  }
}

abstract class Forward extends Convolution {
  readonly paddingMode: PaddingMode;

  protected constructor(
    axes: number,
    inChannels: number,
    outChannels: number,
    kernelSize: PerAxis,
    options: ConvLayerOptions,
  ) {
    super(axes, false, inChannels, outChannels, kernelSize, options);
    this.paddingMode = options.paddingMode ?? 'zeros';
    checkPaddingMode(this.constructor.name, this.paddingMode);
  }

  protected get own() {
    return { paddingMode: this.paddingMode };
  }
  protected get operation() {
    return FORWARD[this.kernelSize.length - 1];
  }
}

abstract class Transposed extends Convolution {
  readonly outputPadding: readonly number[];

  protected constructor(
    axes: number,
    inChannels: number,
    outChannels: number,
    kernelSize: PerAxis,
    options: ConvTransposeLayerOptions,
  ) {
    super(axes, true, inChannels, outChannels, kernelSize, options);
    const name = this.constructor.name;
    this.outputPadding = perAxis(`${name}: outputPadding`, options.outputPadding ?? 0, axes, 0);
    checkOutputPadding(name, this.outputPadding, this.stride, this.dilation, this.padding === 'same');
  }

  protected get own() {
    return { outputPadding: this.outputPadding };
  }
  protected get operation() {
    return TRANSPOSED[this.kernelSize.length - 1];
  }
}

/**
 * Convolution of sequences `[batch, length, inChannels]`: {@link Conv2d} along one axis.
 *
 * @param inChannels channels of the input, >= 1.
 * @param outChannels channels of the output, >= 1.
 * @param kernelSize taps, >= 1.
 * @param options `stride`, `padding`, `paddingMode`, `dilation`, `groups`, `bias`, `init`, `biasInit`, `dtype`.
 * @throws OptionError for sizes outside their range; ShapeError from `forward`.
 * @example new nn.Conv1d(8, 16, 3, { padding: 'same' }).forward(zeros([4, 100, 8])).shape; // [4, 100, 16]
 * @see PyTorch, torch.nn.Conv1d (whose channels come second).
 */
export class Conv1d extends Forward {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvLayerOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * Convolution of images `[batch, height, width, inChannels]`: each output channel is a learned pattern, compared with the input
 * at every place.
 *
 * y[n, q, o] = bias[o] + Σ over taps t and channels c of x[n, q·stride + t·dilation − padding, c]·w[o, c, t]
 *
 * Weight `[outChannels, inChannels / groups, kernel height, kernel width]` and bias `[outChannels]` start as U(−b, b) with
 * b = 1/√(inChannels / groups · taps). Output `[batch, height', width', outChannels]`, along each axis
 * ⌊(size + padding − dilation·(kernel − 1) − 1) / stride⌋ + 1 with the padding of both sides.
 *
 * @param inChannels channels of the input, >= 1.
 * @param outChannels channels of the output, >= 1.
 * @param kernelSize height and width of the kernel, >= 1; a number for both or `[height, width]`.
 * @param options `stride`, `padding`, `paddingMode`, `dilation`, `groups`, `bias`, `init`, `biasInit`, `dtype`.
 * @throws OptionError for sizes outside their range; ShapeError from `forward` for another rank or number of channels, or a kernel
 *   larger than the padded input.
 * @example
 * const layer = new nn.Conv2d(1, 32, 3, { padding: 1 });
 * layer.forward(zeros([64, 28, 28, 1])).shape; // [64, 28, 28, 32]
 * @see LeCun et al. (1998), Gradient-based learning applied to document recognition; PyTorch, torch.nn.Conv2d (whose channels come second).
 */
export class Conv2d extends Forward {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvLayerOptions = {}) {
    super(2, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * Convolution of volumes `[batch, depth, height, width, inChannels]`: {@link Conv2d} with one axis more.
 *
 * @param inChannels channels of the input, >= 1.
 * @param outChannels channels of the output, >= 1.
 * @param kernelSize taps along each axis, >= 1; a number for all or `[depth, height, width]`.
 * @param options `stride`, `padding`, `paddingMode`, `dilation`, `groups`, `bias`, `init`, `biasInit`, `dtype`.
 * @throws OptionError for sizes outside their range; ShapeError from `forward`.
 * @example new nn.Conv3d(1, 4, 3, { padding: 1 }).forward(zeros([2, 8, 8, 8, 1])).shape; // [2, 8, 8, 8, 4]
 * @see PyTorch, torch.nn.Conv3d (whose channels come second).
 */
export class Conv3d extends Forward {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvLayerOptions = {}) {
    super(3, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * Transposed convolution of sequences `[batch, length, inChannels]`: {@link ConvTranspose2d} along one axis.
 *
 * @param inChannels channels of the input, >= 1.
 * @param outChannels channels of the output, >= 1.
 * @param kernelSize taps, >= 1.
 * @param options `stride`, `padding`, `outputPadding`, `dilation`, `groups`, `bias`, `init`, `biasInit`, `dtype`.
 * @throws OptionError for sizes outside their range; ShapeError from `forward`.
 * @example new nn.ConvTranspose1d(8, 4, 2, { stride: 2 }).forward(zeros([1, 10, 8])).shape; // [1, 20, 4]
 * @see PyTorch, torch.nn.ConvTranspose1d (whose channels come second).
 */
export class ConvTranspose1d extends Transposed {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvTransposeLayerOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * Transposed convolution of images `[batch, height, width, inChannels]`: every input position adds its kernel, times its value, to
 * the output, so that with a stride images grow. It is the adjoint of {@link Conv2d} with the same options, not its inverse.
 *
 * Weight `[inChannels, outChannels / groups, kernel height, kernel width]` (PyTorch's order, the other way round than Conv2d's) and
 * bias `[outChannels]` start as U(−b, b) with b = 1/√(outChannels / groups · taps), which is what PyTorch does. Along each axis the
 * output has (size − 1)·stride − padding + dilation·(kernel − 1) + 1 + outputPadding positions; with padding 'same' size·stride.
 *
 * @param inChannels channels of the input, >= 1.
 * @param outChannels channels of the output, >= 1.
 * @param kernelSize height and width of the kernel, >= 1; a number for both or `[height, width]`.
 * @param options `stride`, `padding` (taken off the output), `outputPadding`, `dilation`, `groups`, `bias`, `init`, `biasInit`, `dtype`.
 * @throws OptionError for sizes outside their range; ShapeError from `forward` for another rank or number of channels, or when the
 *   padding leaves nothing.
 * @example
 * const layer = new nn.ConvTranspose2d(64, 32, 4, { stride: 2, padding: 1 });
 * layer.forward(zeros([8, 7, 7, 64])).shape; // [8, 14, 14, 32]
 * @see Dumoulin and Visin (2016), A guide to convolution arithmetic; PyTorch, torch.nn.ConvTranspose2d (whose channels come second).
 */
export class ConvTranspose2d extends Transposed {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvTransposeLayerOptions = {}) {
    super(2, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * Transposed convolution of volumes `[batch, depth, height, width, inChannels]`: {@link ConvTranspose2d} with one axis more.
 *
 * @param inChannels channels of the input, >= 1.
 * @param outChannels channels of the output, >= 1.
 * @param kernelSize taps along each axis, >= 1; a number for all or `[depth, height, width]`.
 * @param options `stride`, `padding`, `outputPadding`, `dilation`, `groups`, `bias`, `init`, `biasInit`, `dtype`.
 * @throws OptionError for sizes outside their range; ShapeError from `forward`.
 * @example new nn.ConvTranspose3d(2, 1, 2, { stride: 2 }).forward(zeros([1, 4, 4, 4, 2])).shape; // [1, 8, 8, 8, 1]
 * @see PyTorch, torch.nn.ConvTranspose3d (whose channels come second).
 */
export class ConvTranspose3d extends Transposed {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvTransposeLayerOptions = {}) {
    super(3, inChannels, outChannels, kernelSize, options);
  }
}
