import {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  adaptiveMaxPool3d,
  globalAvgPool,
  globalMaxPool,
  type Sizes,
  type Tensor,
} from '../core.js';
import { axisSizes } from '../options.js';
import type { ConfigValue, ModuleConfig } from './module.js';
import { Pooling, show } from './pooling.js';

const ADAPTIVE_AVG = [adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d];
const ADAPTIVE_MAX = [adaptiveMaxPool1d, adaptiveMaxPool2d, adaptiveMaxPool3d];

/** Base of the poolings whose output has a given size. */
abstract class AdaptivePooling extends Pooling {
  readonly outputSize: Sizes;
  constructor(outputSize: Sizes) {
    super();
    axisSizes(this.constructor.name, 'outputSize', outputSize, this.dims);
    this.outputSize = outputSize;
  }

  override config(): ModuleConfig {
    return [this.outputSize as ConfigValue];
  }

  override toString(): string {
    return `${this.constructor.name}(${show(this.outputSize)})`;
  }
}

abstract class AdaptiveAvgPooling extends AdaptivePooling {
  protected override pool(x: Tensor): Tensor {
    return ADAPTIVE_AVG[this.dims - 1](x, this.outputSize);
  }
}

abstract class AdaptiveMaxPooling extends AdaptivePooling {
  protected override pool(x: Tensor): Tensor {
    return ADAPTIVE_MAX[this.dims - 1](x, this.outputSize);
  }
}

abstract class GlobalAvgPooling extends Pooling {
  protected override pool(x: Tensor): Tensor {
    return globalAvgPool(x);
  }
}

abstract class GlobalMaxPooling extends Pooling {
  protected override pool(x: Tensor): Tensor {
    return globalMaxPool(x);
  }
}

/**
 * Averages of sequences `[batch, length, channels]` cut into `outputSize` windows whatever their size: window o is
 * [⌊o·size / outputSize⌋, ⌈(o + 1)·size / outputSize⌉).
 * @param outputSize number of windows.
 * @throws OptionError for a size that is no whole number >= 1; ShapeError from `forward`.
 * @example new nn.AdaptiveAvgPool1d(4).forward(zeros([8, 15, 4])).shape; // [8, 4, 4]
 * @see PyTorch, torch.nn.AdaptiveAvgPool1d (whose channels are the second axis).
 */
export class AdaptiveAvgPool1d extends AdaptiveAvgPooling {
  protected override get dims(): 1 {
    return 1;
  }
}

/**
 * Averages of images `[batch, height, width, channels]` cut into `outputSize` windows whatever their size: window o is
 * [⌊o·size / outputSize⌋, ⌈(o + 1)·size / outputSize⌉).
 * @param outputSize number of windows, for both axes or [down, across].
 * @throws OptionError for a size that is no whole number >= 1; ShapeError from `forward`.
 * @example new nn.AdaptiveAvgPool2d([3, 2]).forward(zeros([8, 7, 5, 16])).shape; // [8, 3, 2, 16]
 * @see PyTorch, torch.nn.AdaptiveAvgPool2d (whose channels are the second axis).
 */
export class AdaptiveAvgPool2d extends AdaptiveAvgPooling {}

/**
 * Averages of volumes `[batch, depth, height, width, channels]` cut into `outputSize` windows whatever their size: window o is
 * [⌊o·size / outputSize⌋, ⌈(o + 1)·size / outputSize⌉).
 * @param outputSize number of windows, for all axes or one each.
 * @throws OptionError for a size that is no whole number >= 1; ShapeError from `forward`.
 * @example new nn.AdaptiveAvgPool3d(2).forward(zeros([1, 4, 7, 5, 2])).shape; // [1, 2, 2, 2, 2]
 * @see PyTorch, torch.nn.AdaptiveAvgPool3d (whose channels are the second axis).
 */
export class AdaptiveAvgPool3d extends AdaptiveAvgPooling {
  protected override get dims(): 3 {
    return 3;
  }
}

/**
 * Largest values of sequences `[batch, length, channels]` cut into `outputSize` windows whatever their size: window o is
 * [⌊o·size / outputSize⌋, ⌈(o + 1)·size / outputSize⌉).
 * @param outputSize number of windows.
 * @throws OptionError for a size that is no whole number >= 1; ShapeError from `forward`.
 * @example new nn.AdaptiveMaxPool1d(4).forward(zeros([8, 15, 4])).shape; // [8, 4, 4]
 * @see PyTorch, torch.nn.AdaptiveMaxPool1d (whose channels are the second axis).
 */
export class AdaptiveMaxPool1d extends AdaptiveMaxPooling {
  protected override get dims(): 1 {
    return 1;
  }
}

/**
 * Largest values of images `[batch, height, width, channels]` cut into `outputSize` windows whatever their size: window o is
 * [⌊o·size / outputSize⌋, ⌈(o + 1)·size / outputSize⌉).
 * @param outputSize number of windows, for both axes or [down, across].
 * @throws OptionError for a size that is no whole number >= 1; ShapeError from `forward`.
 * @example new nn.AdaptiveMaxPool2d([3, 2]).forward(zeros([8, 7, 5, 16])).shape; // [8, 3, 2, 16]
 * @see PyTorch, torch.nn.AdaptiveMaxPool2d (whose channels are the second axis).
 */
export class AdaptiveMaxPool2d extends AdaptiveMaxPooling {}

/**
 * Largest values of volumes `[batch, depth, height, width, channels]` cut into `outputSize` windows whatever their size: window o is
 * [⌊o·size / outputSize⌋, ⌈(o + 1)·size / outputSize⌉).
 * @param outputSize number of windows, for all axes or one each.
 * @throws OptionError for a size that is no whole number >= 1; ShapeError from `forward`.
 * @example new nn.AdaptiveMaxPool3d(2).forward(zeros([1, 4, 7, 5, 2])).shape; // [1, 2, 2, 2, 2]
 * @see PyTorch, torch.nn.AdaptiveMaxPool3d (whose channels are the second axis).
 */
export class AdaptiveMaxPool3d extends AdaptiveMaxPooling {
  protected override get dims(): 3 {
    return 3;
  }
}

/**
 * Average of every channel over all positions of sequences `[batch, length, channels]`, which gives `[batch, channels]`.
 * @throws ShapeError from `forward` for another shape or no positions.
 * @example new nn.GlobalAvgPool1d().forward(zeros([8, 15, 4])).shape; // [8, 4]
 */
export class GlobalAvgPool1d extends GlobalAvgPooling {
  protected override get dims(): 1 {
    return 1;
  }
}

/**
 * Average of every channel over all positions of images `[batch, height, width, channels]`, which gives `[batch, channels]`.
 * @throws ShapeError from `forward` for another shape or no positions.
 * @example new nn.GlobalAvgPool2d().forward(zeros([8, 7, 5, 16])).shape; // [8, 16]
 */
export class GlobalAvgPool2d extends GlobalAvgPooling {}

/**
 * Average of every channel over all positions of volumes `[batch, depth, height, width, channels]`, which gives `[batch, channels]`.
 * @throws ShapeError from `forward` for another shape or no positions.
 * @example new nn.GlobalAvgPool3d().forward(zeros([1, 4, 7, 5, 2])).shape; // [1, 2]
 */
export class GlobalAvgPool3d extends GlobalAvgPooling {
  protected override get dims(): 3 {
    return 3;
  }
}

/**
 * Largest value of every channel over all positions of sequences `[batch, length, channels]`, which gives `[batch, channels]`.
 * @throws ShapeError from `forward` for another shape or no positions.
 * @example new nn.GlobalMaxPool1d().forward(zeros([8, 15, 4])).shape; // [8, 4]
 */
export class GlobalMaxPool1d extends GlobalMaxPooling {
  protected override get dims(): 1 {
    return 1;
  }
}

/**
 * Largest value of every channel over all positions of images `[batch, height, width, channels]`, which gives `[batch, channels]`.
 * @throws ShapeError from `forward` for another shape or no positions.
 * @example new nn.GlobalMaxPool2d().forward(zeros([8, 7, 5, 16])).shape; // [8, 16]
 */
export class GlobalMaxPool2d extends GlobalMaxPooling {}

/**
 * Largest value of every channel over all positions of volumes `[batch, depth, height, width, channels]`, which gives `[batch, channels]`.
 * @throws ShapeError from `forward` for another shape or no positions.
 * @example new nn.GlobalMaxPool3d().forward(zeros([1, 4, 7, 5, 2])).shape; // [1, 2]
 */
export class GlobalMaxPool3d extends GlobalMaxPooling {
  protected override get dims(): 3 {
    return 3;
  }
}
