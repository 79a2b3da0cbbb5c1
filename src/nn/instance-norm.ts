import {
  type FloatDType,
  groupNorm,
  mean as meanOf,
  OptionError,
  ShapeError,
  stopGradient,
  type Tensor,
  variance as varianceOf,
} from '../core.js';
import { shown } from '../options.js';
import { sizeOf } from '../shape.js';
import { showShape } from './describe.js';
import { StatisticsNorm } from './norm-base.js';

export interface InstanceNormOptions {
  /** Added to the variance, >= 0 (default 1e-5). */
  readonly eps?: number;
  /** Weight of the new value in the running statistics, in [0, 1] (default 0.1). */
  readonly momentum?: number;
  /** Whether there is a weight and a bias (default false). */
  readonly affine?: boolean;
  /** Whether running statistics are kept, which evaluation then uses (default false). */
  readonly trackRunningStats?: boolean;
  /** float32 unless stated. */
  readonly dtype?: FloatDType;
}

/**
 * Base of the instance norms: every channel of every sample has mean 0 and variance 1 over its positions.
 * @see {@link InstanceNorm1d}, {@link InstanceNorm2d}, {@link InstanceNorm3d}
 */
abstract class InstanceNorm extends StatisticsNorm {
  readonly momentum: number;

  constructor(numFeatures: number, options: InstanceNormOptions = {}) {
    super(numFeatures, options, false);
    const { momentum = 0.1 } = options;
    if (!(typeof momentum === 'number' && momentum >= 0 && momentum <= 1)) {
      throw new OptionError(`${this.constructor.name}: momentum is ${shown(momentum)}, expected a number in [0, 1]`);
    }
    this.momentum = momentum;
  }

  protected normalize(x: Tensor, weight: Tensor | null, bias: Tensor | null): Tensor {
    if (sizeOf(x.shape.slice(1, -1)) < 2) {
      throw new ShapeError(
        `${this.label}: got ${showShape(x.shape)}, expected more than 1 position; the variance of one value says nothing`,
      );
    }
    if (this.training && this.runningMean !== null) {
      const axis = x.shape.slice(1, -1).map((_, i) => i + 1);
      const fixed = stopGradient(x);
      const [mean, variance] = [meanOf(fixed, { axis }), varianceOf(fixed, { axis })];
      this.keep(meanOf(mean, { axis: 0 }), meanOf(variance, { axis: 0 }), this.momentum);
    }
    return groupNorm(x, this.numFeatures, { weight, bias, eps: this.eps });
  }
}

/**
 * Instance normalisation of `[batch, length, features]`: every feature of every sample has mean 0 and variance 1 over its positions.
 *
 * y = (x − mean) / √(variance + ε) · weight + bias, variance of the population. With `trackRunningStats` training averages the
 * statistics of the samples (variance with n − 1) and evaluation uses the average.
 *
 * @param numFeatures size of the last axis, >= 1.
 * @param options `eps` ε, `momentum`, `affine` (default false), `trackRunningStats` (default false), `dtype`.
 * @throws OptionError for options outside their range; ShapeError from `forward`, also for a single position.
 * @example new nn.InstanceNorm1d(8).forward(zeros([2, 16, 8])).shape; // [2, 16, 8]
 * @see Ulyanov et al. (2016), Instance normalization; PyTorch, torch.nn.InstanceNorm1d (whose channels are the second axis).
 */
export class InstanceNorm1d extends InstanceNorm {
  protected get axes() {
    return [['batch', 'length']];
  }
}

/**
 * Instance normalisation of images `[batch, height, width, channels]`: every channel of every image has mean 0 and variance 1.
 * @param numFeatures number of channels, >= 1.
 * @param options as of {@link InstanceNorm1d}.
 * @throws OptionError for options outside their range; ShapeError from `forward`, also for a single pixel.
 * @example new nn.InstanceNorm2d(3).forward(zeros([2, 8, 8, 3])).shape; // [2, 8, 8, 3]
 * @see Ulyanov et al. (2016), Instance normalization; PyTorch, torch.nn.InstanceNorm2d (whose channels are the second axis).
 */
export class InstanceNorm2d extends InstanceNorm {
  protected get axes() {
    return [['batch', 'height', 'width']];
  }
}

/**
 * Instance normalisation of volumes `[batch, depth, height, width, channels]`: every channel of every volume has mean 0 and variance 1.
 * @param numFeatures number of channels, >= 1.
 * @param options as of {@link InstanceNorm1d}.
 * @throws OptionError for options outside their range; ShapeError from `forward`, also for a single position.
 * @example new nn.InstanceNorm3d(2).forward(zeros([2, 4, 8, 8, 2])).shape; // [2, 4, 8, 8, 2]
 * @see Ulyanov et al. (2016), Instance normalization; PyTorch, torch.nn.InstanceNorm3d (whose channels are the second axis).
 */
export class InstanceNorm3d extends InstanceNorm {
  protected get axes() {
    return [['batch', 'depth', 'height', 'width']];
  }
}
