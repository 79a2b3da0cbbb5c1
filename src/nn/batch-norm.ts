import {
  add,
  batchNorm,
  type FloatDType,
  isFloat,
  mul,
  OptionError,
  ones,
  Parameter,
  reciprocal,
  rsqrt,
  ShapeError,
  State,
  stopGradient,
  sub,
  type Tensor,
  zeros,
} from '../core.js';
import { checkOptions } from '../options.js';
import { sizeOf } from '../shape.js';
import { showShape } from './describe.js';
import { Module, type ModuleConfig } from './module.js';

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

/** Base of the batch norms; the channels are the last axis. @see {@link BatchNorm1d}, {@link BatchNorm2d} */
abstract class BatchNorm extends Module {
  readonly numFeatures: number;
  readonly eps: number;
  readonly momentum: number | null;
  weight: Parameter | null;
  bias: Parameter | null;
  runningMean: State | null;
  runningVar: State | null;
  numBatchesTracked: State | null;

  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super();
    const name = this.constructor.name;
    checkOptions(name, options, ['eps', 'momentum', 'affine', 'trackRunningStats', 'dtype']);
    const { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true, dtype = 'float32' } = options;
    if (!Number.isInteger(numFeatures) || numFeatures < 1) {
      throw new OptionError(`${name}: numFeatures is ${String(numFeatures)}, expected a whole number >= 1`);
    }
    if (!(eps >= 0 && Number.isFinite(eps))) {
      throw new OptionError(`${name}: eps is ${eps}, expected a finite number >= 0`);
    }
    if (momentum !== null && !(momentum >= 0 && momentum <= 1)) {
      throw new OptionError(`${name}: momentum is ${String(momentum)}, expected a number in [0, 1] or null`);
    }
    if (!isFloat(dtype)) throw new OptionError(`${name}: dtype is ${String(dtype)}, expected float32 or float64`);
    const shape = [numFeatures];
    this.numFeatures = numFeatures;
    this.eps = eps;
    this.momentum = momentum;
    this.weight = affine ? new Parameter(ones(shape, { dtype }), 'weight') : null;
    this.bias = affine ? new Parameter(zeros(shape, { dtype }), 'bias') : null;
    this.runningMean = trackRunningStats ? new State(zeros(shape, { dtype }), 'runningMean') : null;
    this.runningVar = trackRunningStats ? new State(ones(shape, { dtype }), 'runningVar') : null;
    this.numBatchesTracked = trackRunningStats ? new State(zeros([], { dtype: 'int32' }), 'numBatchesTracked') : null;
  }

  /** The axes before the channels in the inputs that are taken, for checks and messages. */
  protected abstract get axes(): readonly (readonly string[])[];

  /**
   * @param x the layer's input, channels last
   * @returns the shape of x
   * @throws ShapeError for another shape, or a single value a feature in training; DTypeError when x is not of the layer's dtype.
   */
  forward(x: Tensor): Tensor {
    const { numFeatures, eps, runningMean, runningVar, axes } = this;
    if (!axes.some((a) => a.length === x.shape.length - 1) || x.shape.at(-1) !== numFeatures) {
      const expected = axes.map((a) => `[${a.join(', ')}, ${numFeatures}]`).join(' or ');
      throw new ShapeError(`${this.label}: got ${showShape(x.shape)}, expected ${expected}`);
    }
    const [weight, bias] = [this.weight?.read() ?? null, this.bias?.read() ?? null];
    if (!this.training && runningMean !== null && runningVar !== null) {
      return fixedNorm(x, runningMean.read(), runningVar.read(), eps, weight, bias);
    }
    const n = sizeOf(x.shape.slice(0, -1));
    if (n < 2 && this.training) {
      throw new ShapeError(
        `${this.label}: got ${showShape(x.shape)}, expected more than 1 value a feature in training; use a larger batch or call eval()`,
      );
    }
    const { y, mean, variance } = batchNorm(x, { weight, bias, eps });
    if (this.training) this.#track(stopGradient(mean), mul(stopGradient(variance), n / (n - 1)));
    return y;
  }

  #track(mean: Tensor, variance: Tensor): void {
    const { runningMean, runningVar, numBatchesTracked, momentum } = this;
    if (runningMean === null || runningVar === null || numBatchesTracked === null) return;
    const count = add(numBatchesTracked.read(), 1);
    numBatchesTracked.assign(count);
    const share = momentum ?? reciprocal(count.cast(runningMean.dtype));
    runningAverage(runningMean, mean, share);
    runningAverage(runningVar, variance, share);
  }

  override config(): ModuleConfig {
    const { numFeatures, eps, momentum, weight, runningMean } = this;
    const dtype = (weight ?? runningMean)?.dtype ?? 'float32';
    return [numFeatures, { eps, momentum, affine: weight !== null, trackRunningStats: runningMean !== null, dtype }];
  }

  override toString(): string {
    return `${this.constructor.name}(${this.numFeatures})`;
  }
}

/** cell ← (1 − share)·cell + share·value, a pending write. */
export function runningAverage(cell: State, value: Tensor, share: number | Tensor): void {
  const kept = typeof share === 'number' ? 1 - share : sub(1, share);
  cell.assign(add(mul(cell.read(), kept), mul(value, share)));
}

/** Normalisation by given statistics of the last axis: one multiplication and one addition an element. */
export function fixedNorm(
  x: Tensor,
  mean: Tensor,
  variance: Tensor,
  eps: number,
  weight: Tensor | null,
  bias: Tensor | null,
): Tensor {
  const rstd = rsqrt(add(variance, eps));
  const y = mul(sub(x, mean), weight === null ? rstd : mul(rstd, weight));
  return bias === null ? y : add(y, bias);
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
  protected override get axes(): readonly (readonly string[])[] {
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
  protected override get axes(): readonly (readonly string[])[] {
    return [['batch', 'height', 'width']];
  }
}
