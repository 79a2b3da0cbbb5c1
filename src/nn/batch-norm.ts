import {
  add,
  batchNorm,
  type FloatDType,
  mul,
  OptionError,
  reciprocal,
  ShapeError,
  stopGradient,
  type Tensor,
} from '../core.js';
import { shown } from '../options.js';
import { sizeOf } from '../shape.js';
import { showShape } from './describe.js';
import { StatisticsNorm } from './norm-base.js';

export interface BatchNormOptions {
  /** Added to the variance, >= 0 (default 1e-5). */
  readonly eps?: number;
  /** Weight of the new value in the running statistics, in [0, 1] (default 0.1), or null: the average over all batches. */
  readonly momentum?: number | null;
  /** Whether there is a weight and a bias (default true). */
  readonly affine?: boolean;
  /** Whether running statistics are kept; without them evaluation uses those of the batch (default true). */
  readonly trackRunningStats?: boolean;
  /** float32 unless stated; float64 is for gradient checks. */
  readonly dtype?: FloatDType;
}

/** Base of the batch norms; the channels are the last axis. @see {@link BatchNorm1d}, {@link BatchNorm2d}, {@link BatchNorm3d} */
abstract class BatchNorm extends StatisticsNorm {
  readonly momentum: number | null;

  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super(numFeatures, options, true);
    const { momentum = 0.1 } = options;
    if (momentum !== null && !(typeof momentum === 'number' && momentum >= 0 && momentum <= 1)) {
      const name = this.constructor.name;
      throw new OptionError(`${name}: momentum is ${shown(momentum)}, expected a number in [0, 1] or null`);
    }
    this.momentum = momentum;
  }

  protected normalize(x: Tensor, weight: Tensor | null, bias: Tensor | null): Tensor {
    const n = sizeOf(x.shape.slice(0, -1));
    if (n < 2 && this.training) {
      throw new ShapeError(
        `${this.label}: got ${showShape(x.shape)}, expected more than 1 value a feature in training; use a larger batch or call eval()`,
      );
    }
    const { y, mean, variance } = batchNorm(x, { weight, bias, eps: this.eps });
    if (this.training) this.#track(stopGradient(mean), mul(stopGradient(variance), n / (n - 1)));
    return y;
  }

  #track(mean: Tensor, variance: Tensor): void {
    const { numBatchesTracked, momentum } = this;
    if (numBatchesTracked === null) return;
    const count = add(numBatchesTracked.read(), 1);
    numBatchesTracked.assign(count);
    this.keep(mean, variance, momentum ?? reciprocal(count.cast(mean.dtype)));
  }
}

/**
 * Batch normalisation of `[batch, features]` (or `[batch, length, features]`): every feature has mean 0 and variance 1 over all
 * other axes, then weight and bias.
 *
 * y = (x − mean) / √(variance + ε) · weight + bias. In training the statistics are the batch's, with the variance of the
 * population, and r ← (1 − momentum)·r + momentum·s updates the running ones, with the unbiased variance (n − 1). Evaluation uses
 * the running ones. Weight starts as ones, bias as zeros, running mean 0 and variance 1. The update is a pending write: the
 * realisation that computes the loss carries it out, once for each call of `forward`.
 *
 * @param numFeatures size of the last axis, >= 1.
 * @param options `eps` ε, `momentum`, `affine`, `trackRunningStats`, `dtype`.
 * @throws OptionError for options outside their range; ShapeError from `forward`, in training also for a single value a feature.
 * @example
 * const layer = new nn.BatchNorm1d(16);
 * layer.forward(zeros([8, 16])).shape; // [8, 16]
 * @see Ioffe and Szegedy (2015), Batch normalization; PyTorch, torch.nn.BatchNorm1d (whose length axis comes last).
 */
export class BatchNorm1d extends BatchNorm {
  protected get axes() {
    return [['batch'], ['batch', 'length']];
  }
}

/**
 * Batch normalisation of images `[batch, height, width, channels]`: every channel has mean 0 and variance 1 over the batch and all
 * pixels, then weight and bias. Everything else is as in {@link BatchNorm1d}.
 * @param numFeatures number of channels, >= 1.
 * @param options `eps` ε, `momentum`, `affine`, `trackRunningStats`, `dtype`.
 * @throws OptionError for options outside their range; ShapeError from `forward`, in training also for a single value a channel.
 * @example new nn.BatchNorm2d(16).forward(zeros([8, 28, 28, 16])).shape; // [8, 28, 28, 16]
 * @see Ioffe and Szegedy (2015), Batch normalization; PyTorch, torch.nn.BatchNorm2d (whose channels are the second axis).
 */
export class BatchNorm2d extends BatchNorm {
  protected get axes() {
    return [['batch', 'height', 'width']];
  }
}

/**
 * Batch normalisation of volumes `[batch, depth, height, width, channels]`: every channel has mean 0 and variance 1 over the batch and
 * all positions, then weight and bias. Everything else is as in {@link BatchNorm1d}.
 * @param numFeatures number of channels, >= 1.
 * @param options `eps` ε, `momentum`, `affine`, `trackRunningStats`, `dtype`.
 * @throws OptionError for options outside their range; ShapeError from `forward`, in training also for a single value a channel.
 * @example new nn.BatchNorm3d(4).forward(zeros([2, 4, 8, 8, 4])).shape; // [2, 4, 8, 8, 4]
 * @see Ioffe and Szegedy (2015), Batch normalization; PyTorch, torch.nn.BatchNorm3d (whose channels are the second axis).
 */
export class BatchNorm3d extends BatchNorm {
  protected get axes() {
    return [['batch', 'depth', 'height', 'width']];
  }
}
