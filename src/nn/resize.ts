import {
  OptionError,
  pad,
  pixelShuffle,
  pixelUnshuffle,
  ShapeError,
  type Sizes,
  type Tensor,
  type UpsampleOptions,
  upsample,
} from '../core.js';
import { checkOptions, wholeNumber } from '../options.js';
import { checkTensor, showShape } from './describe.js';
import { type ConfigValue, Module, type ModuleConfig } from './module.js';

/**
 * Enlarges images (also sequences and volumes), channels last: the nearest position, or weights of its neighbours.
 *
 * nearest: y[o] = x[⌊o / scaleFactor⌋]; the linear modes read between pixels, see {@link upsample}.
 *
 * @param options `scaleFactor` or `size`; `mode` 'nearest' (default), 'linear', 'bilinear' or 'trilinear'; `alignCorners`.
 * @throws OptionError for illegal options; ShapeError from `forward`.
 * @example new nn.Upsample({ scaleFactor: 2, mode: 'bilinear' }).forward(zeros([1, 8, 8, 3])).shape; // [1, 16, 16, 3]
 * @see PyTorch, torch.nn.Upsample (whose channels are the second axis).
 */
export class Upsample extends Module {
  readonly options: UpsampleOptions;
  constructor(options: UpsampleOptions) {
    super();
    checkOptions('Upsample', options, ['size', 'scaleFactor', 'mode', 'alignCorners']);
    if ((options.size === undefined) === (options.scaleFactor === undefined)) {
      throw new OptionError('Upsample: expected either size or scaleFactor');
    }
    this.options = options;
  }

  forward(x: Tensor): Tensor {
    return upsample(x, this.options);
  }

  override config(): ModuleConfig {
    return [this.options as ConfigValue];
  }

  override toString(): string {
    const { size, scaleFactor, mode = 'nearest', alignCorners = false } = this.options;
    const to = size === undefined ? `× ${String(scaleFactor)}` : String(size);
    return `Upsample(${to}, ${mode}${alignCorners ? ', aligned corners' : ''})`;
  }
}

/**
 * Makes r × r pixels of r² channels: `[batch, height, width, channels·r²]` → `[batch, height·r, width·r, channels]`.
 * @param upscaleFactor r, >= 1.
 * @throws OptionError for a factor that is no whole number >= 1; ShapeError from `forward`.
 * @example new nn.PixelShuffle(2).forward(zeros([1, 8, 8, 12])).shape; // [1, 16, 16, 3]
 * @see Shi et al. (2016), Real-time single image and video super-resolution; PyTorch, torch.nn.PixelShuffle.
 */
export class PixelShuffle extends Module {
  readonly upscaleFactor: number;
  constructor(upscaleFactor: number) {
    super();
    this.upscaleFactor = wholeNumber('PixelShuffle: upscaleFactor', upscaleFactor, 1);
  }

  forward(x: Tensor): Tensor {
    return pixelShuffle(x, this.upscaleFactor);
  }

  override config(): ModuleConfig {
    return [this.upscaleFactor];
  }

  override toString(): string {
    return `PixelShuffle(${this.upscaleFactor})`;
  }
}

/**
 * Makes r² channels of r × r pixels, the inverse of {@link PixelShuffle}.
 * @param downscaleFactor r, >= 1.
 * @throws OptionError for a factor that is no whole number >= 1; ShapeError from `forward`.
 * @example new nn.PixelUnshuffle(2).forward(zeros([1, 16, 16, 3])).shape; // [1, 8, 8, 12]
 * @see PyTorch, torch.nn.PixelUnshuffle.
 */
export class PixelUnshuffle extends Module {
  readonly downscaleFactor: number;
  constructor(downscaleFactor: number) {
    super();
    this.downscaleFactor = wholeNumber('PixelUnshuffle: downscaleFactor', downscaleFactor, 1);
  }

  forward(x: Tensor): Tensor {
    return pixelUnshuffle(x, this.downscaleFactor);
  }

  override config(): ModuleConfig {
    return [this.downscaleFactor];
  }

  override toString(): string {
    return `PixelUnshuffle(${this.downscaleFactor})`;
  }
}

/** Base of the paddings of images: widths around height and width. */
abstract class Padding2d extends Module {
  readonly padding: Sizes;

  constructor(padding: Sizes) {
    super();
    const list = typeof padding === 'number' ? [padding, padding, padding, padding] : padding;
    if (!Array.isArray(list) || list.length !== 4 || !list.every((n) => Number.isSafeInteger(n) && n >= 0)) {
      const shown = Array.isArray(padding) ? `[${padding.map(String)}]` : String(padding);
      throw new OptionError(
        `${this.constructor.name}: padding is ${shown}, expected a whole number >= 0, or [left, right, top, bottom]`,
      );
    }
    this.padding = padding;
  }

  protected abstract get mode(): 'constant' | 'reflect' | 'replicate';

  /** @param x `[batch, height, width, channels]` @throws ShapeError for another shape, or a mirror wider than the image. */
  forward(x: Tensor): Tensor {
    checkTensor(this.label, x);
    if (x.shape.length !== 4) {
      throw new ShapeError(`${this.label}: got ${showShape(x.shape)}, expected [batch, height, width, channels]`);
    }
    const { padding: p } = this;
    const [left, right, top, bottom] = typeof p === 'number' ? [p, p, p, p] : p;
    const widths = [
      [0, 0],
      [top, bottom],
      [left, right],
    ] as const;
    return pad(x, widths, { mode: this.mode });
  }

  override config(): ModuleConfig {
    return [this.padding as ConfigValue];
  }

  override toString(): string {
    return `${this.constructor.name}(${String(this.padding)})`;
  }
}

/**
 * Zeros around images `[batch, height, width, channels]`.
 * @param padding width on every side, or [left, right, top, bottom] as in PyTorch.
 * @throws OptionError for other widths; ShapeError from `forward`.
 * @example new nn.ZeroPad2d([1, 2, 0, 0]).forward(zeros([1, 4, 4, 3])).shape; // [1, 4, 7, 3]
 * @see PyTorch, torch.nn.ZeroPad2d.
 */
export class ZeroPad2d extends Padding2d {
  protected override get mode(): 'constant' {
    return 'constant';
  }
}

/**
 * Mirrors images `[batch, height, width, channels]` at their edges, which are not repeated.
 * @param padding width on every side, below the size of the image, or [left, right, top, bottom].
 * @throws OptionError for other widths; ShapeError from `forward`.
 * @example new nn.ReflectionPad2d(1).forward(zeros([1, 4, 4, 3])).shape; // [1, 6, 6, 3]
 * @see PyTorch, torch.nn.ReflectionPad2d.
 */
export class ReflectionPad2d extends Padding2d {
  protected override get mode(): 'reflect' {
    return 'reflect';
  }
}

/**
 * Repeats the edges of images `[batch, height, width, channels]` outwards.
 * @param padding width on every side, or [left, right, top, bottom].
 * @throws OptionError for other widths; ShapeError from `forward`.
 * @example new nn.ReplicationPad2d(1).forward(zeros([1, 4, 4, 3])).shape; // [1, 6, 6, 3]
 * @see PyTorch, torch.nn.ReplicationPad2d.
 */
export class ReplicationPad2d extends Padding2d {
  protected override get mode(): 'replicate' {
    return 'replicate';
  }
}
