import {
  type AvgPoolOptions,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  type MaxPoolOptions,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  OptionError,
  type PoolOptions,
  ShapeError,
  type Sizes,
  type Tensor,
} from '../core.js';
import { axisSizes, checkOptions } from '../options.js';
import { checkTensor, showShape } from './describe.js';
import { type ConfigValue, Module, type ModuleConfig } from './module.js';

const MAX = [maxPool1d, maxPool2d, maxPool3d];
const AVG = [avgPool1d, avgPool2d, avgPool3d];
const LAYOUT = [[], ['length'], ['height', 'width'], ['depth', 'height', 'width']];

/** Base of the poolings of `[batch, …positions, channels]`: no parameters, the same in training and evaluation. */
export abstract class Pooling extends Module {
  /** Axes of positions; the classes of one or three say so. */
  protected get dims(): 1 | 2 | 3 {
    return 2;
  }
  protected abstract pool(x: Tensor): Tensor;

  /** @param x `[batch, …positions, channels]` @throws ShapeError for another shape, or a window larger than the padded input. */
  forward(x: Tensor): Tensor {
    checkTensor(this.label, x);
    if (x.shape.length !== this.dims + 2) {
      const expected = ['batch', ...LAYOUT[this.dims], 'channels'].join(', ');
      throw new ShapeError(`${this.label}: got ${showShape(x.shape)}, expected [${expected}]`);
    }
    try {
      return this.pool(x);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      // The same message under the layer's name.
      throw new ShapeError(error.message.replace(/^\w+:/, `${this.label}:`));
    }
  }
}

export const show = (s: Sizes) => (typeof s === 'number' ? String(s) : s.join('×'));

/** Base of the poolings with windows. */
abstract class WindowPooling<O extends PoolOptions & { readonly dilation?: Sizes }> extends Pooling {
  readonly kernelSize: Sizes;
  readonly options: O;

  constructor(kernelSize: Sizes, options: O, known: readonly string[]) {
    super();
    const name = this.constructor.name;
    checkOptions(name, options, ['stride', 'padding', 'ceilMode', ...known]);
    const kernel = axisSizes(name, 'kernelSize', kernelSize, this.dims);
    axisSizes(name, 'stride', options.stride ?? kernel, this.dims);
    const dilation = axisSizes(name, 'dilation', options.dilation ?? 1, this.dims);
    const { padding = 0, ceilMode = false } = options;
    if (typeof padding === 'string') {
      if (padding !== 'same' && padding !== 'valid') {
        throw new OptionError(`${name}: padding is '${String(padding)}', expected a size, 'same' or 'valid'`);
      }
    } else {
      const around = axisSizes(name, 'padding', padding, this.dims, 0);
      const most = kernel.map((k, a) => Math.floor(((k - 1) * dilation[a] + 1) / 2));
      if (around.some((p, a) => p > most[a])) {
        throw new OptionError(
          `${name}: padding is ${show(padding)}, expected at most half of the window, ${show(most)}`,
        );
      }
    }
    if (typeof ceilMode !== 'boolean') {
      throw new OptionError(`${name}: ceilMode is ${String(ceilMode)}, expected a boolean`);
    }
    this.kernelSize = kernelSize;
    this.options = options;
  }

  override config(): ModuleConfig {
    return [this.kernelSize as ConfigValue, this.options as unknown as ConfigValue];
  }

  override toString(): string {
    const { kernelSize, options } = this;
    const given = Object.entries(options).map(([k, v]) => `, ${k} ${Array.isArray(v) ? show(v) : String(v)}`);
    return `${this.constructor.name}(${show(kernelSize)}${given.join('')})`;
  }
}

abstract class MaxPooling extends WindowPooling<MaxPoolOptions> {
  constructor(kernelSize: Sizes, options: MaxPoolOptions = {}) {
    super(kernelSize, options, ['dilation']);
  }
  protected override pool(x: Tensor): Tensor {
    return MAX[this.dims - 1](x, this.kernelSize, this.options);
  }
}

abstract class AvgPooling extends WindowPooling<AvgPoolOptions> {
  constructor(kernelSize: Sizes, options: AvgPoolOptions = {}) {
    super(kernelSize, options, ['countIncludePad', 'divisorOverride']);
    const { countIncludePad = true, divisorOverride = 1 } = options;
    const name = this.constructor.name;
    if (typeof countIncludePad !== 'boolean') {
      throw new OptionError(`${name}: countIncludePad is ${String(countIncludePad)}, expected a boolean`);
    }
    axisSizes(name, 'divisorOverride', divisorOverride, 1);
  }
  protected override pool(x: Tensor): Tensor {
    return AVG[this.dims - 1](x, this.kernelSize, this.options);
  }
}

/**
 * Largest values of windows of sequences `[batch, length, channels]`.
 *
 * y[n, o, c] = max over k < kernelSize of x[n, o·stride − padding + k·dilation, c], with
 * ⌊(length + 2·padding − dilation·(kernelSize − 1) − 1) / stride⌋ + 1 windows (⌈…⌉ with `ceilMode`).
 *
 * @param kernelSize taps of a window, >= 1.
 * @param options `stride` (default the kernel size), `padding` (default 0, or 'same'), `dilation`, `ceilMode`.
 * @throws OptionError for sizes out of range; ShapeError from `forward`.
 * @example new nn.MaxPool1d(2).forward(zeros([8, 16, 4])).shape; // [8, 8, 4]
 * @see PyTorch, torch.nn.MaxPool1d (whose channels are the second axis).
 */
export class MaxPool1d extends MaxPooling {
  protected override get dims(): 1 {
    return 1;
  }
}

/**
 * Largest values of windows of images `[batch, height, width, channels]`; sizes as of {@link MaxPool1d}.
 * @param kernelSize taps of a window, for both axes or [height, width].
 * @param options `stride` (default the kernel size), `padding` (default 0, or 'same'), `dilation`, `ceilMode`.
 * @throws OptionError for sizes out of range; ShapeError from `forward`.
 * @example new nn.MaxPool2d(2).forward(zeros([8, 28, 28, 16])).shape; // [8, 14, 14, 16]
 * @see PyTorch, torch.nn.MaxPool2d (whose channels are the second axis).
 */
export class MaxPool2d extends MaxPooling {}

/**
 * Largest values of windows of volumes `[batch, depth, height, width, channels]`; sizes as of {@link MaxPool1d}.
 * @param kernelSize taps of a window, for all axes or [depth, height, width].
 * @param options as of {@link MaxPool2d}.
 * @throws OptionError for sizes out of range; ShapeError from `forward`.
 * @example new nn.MaxPool3d(2).forward(zeros([1, 4, 8, 8, 2])).shape; // [1, 2, 4, 4, 2]
 * @see PyTorch, torch.nn.MaxPool3d (whose channels are the second axis).
 */
export class MaxPool3d extends MaxPooling {
  protected override get dims(): 3 {
    return 3;
  }
}

/**
 * Averages of windows of sequences `[batch, length, channels]`; sizes as of {@link MaxPool1d}.
 * @param kernelSize positions of a window, >= 1.
 * @param options `stride` (default the kernel size), `padding` (default 0, or 'same'), `ceilMode`, `countIncludePad` (default true),
 *   `divisorOverride`.
 * @throws OptionError for sizes out of range; ShapeError from `forward`.
 * @example new nn.AvgPool1d(2).forward(zeros([8, 16, 4])).shape; // [8, 8, 4]
 * @see PyTorch, torch.nn.AvgPool1d (whose channels are the second axis).
 */
export class AvgPool1d extends AvgPooling {
  protected override get dims(): 1 {
    return 1;
  }
}

/**
 * Averages of windows of images `[batch, height, width, channels]`.
 * @param kernelSize positions of a window, for both axes or [height, width].
 * @param options as of {@link AvgPool1d}.
 * @throws OptionError for sizes out of range; ShapeError from `forward`.
 * @example new nn.AvgPool2d(2).forward(zeros([8, 28, 28, 16])).shape; // [8, 14, 14, 16]
 * @see PyTorch, torch.nn.AvgPool2d (whose channels are the second axis).
 */
export class AvgPool2d extends AvgPooling {}

/**
 * Averages of windows of volumes `[batch, depth, height, width, channels]`.
 * @param kernelSize positions of a window, for all axes or [depth, height, width].
 * @param options as of {@link AvgPool1d}.
 * @throws OptionError for sizes out of range; ShapeError from `forward`.
 * @example new nn.AvgPool3d(2).forward(zeros([1, 4, 8, 8, 2])).shape; // [1, 2, 4, 4, 2]
 * @see PyTorch, torch.nn.AvgPool3d (whose channels are the second axis).
 */
export class AvgPool3d extends AvgPooling {
  protected override get dims(): 3 {
    return 3;
  }
}
