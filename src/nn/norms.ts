import {
  type FloatDType,
  groupNorm,
  isFloat,
  mean as meanOf,
  OptionError,
  ones,
  Parameter,
  rmsNorm,
  type Shape,
  ShapeError,
  State,
  stopGradient,
  type Tensor,
  variance as varianceOf,
  zeros,
} from '../core.js';
import { checkOptions } from '../options.js';
import { sameShape, sizeOf } from '../shape.js';
import { fixedNorm, runningAverage } from './batch-norm.js';
import { showShape } from './describe.js';
import { Module, type ModuleConfig } from './module.js';

function checkNorm(name: string, eps: number | null, dtype: FloatDType): void {
  if (eps !== null && !(eps >= 0 && Number.isFinite(eps))) {
    throw new OptionError(`${name}: eps is ${eps}, expected a finite number >= 0`);
  }
  if (!isFloat(dtype)) throw new OptionError(`${name}: dtype is ${String(dtype)}, expected float32 or float64`);
}

function checkCount(name: string, what: string, n: number): void {
  if (!Number.isInteger(n) || n < 1) {
    throw new OptionError(`${name}: ${what} is ${String(n)}, expected a whole number >= 1`);
  }
}

export interface RMSNormOptions {
  /** Added to the mean square, >= 0; null (default): the spacing of numbers at 1 (1.2e-7 in float32). */
  readonly eps?: number | null;
  /** Whether there is a weight (default true). */
  readonly affine?: boolean;
  /** float32 unless stated. */
  readonly dtype?: FloatDType;
}

/**
 * Root mean square normalisation over the last axes: layer norm without mean and bias, as in many transformers.
 *
 * y = x / √(mean(x²) + ε) · weight; training and evaluation are the same. Weight starts as ones.
 *
 * @param normalizedShape size of the last axis, or sizes of the last axes, each >= 1.
 * @param options `eps` ε, `affine`, `dtype`.
 * @throws OptionError for sizes that are not whole numbers >= 1 or eps < 0; ShapeError from `forward`.
 * @example new nn.RMSNorm(768).forward(zeros([4, 10, 768])).shape; // [4, 10, 768]
 * @see Zhang and Sennrich (2019), Root mean square layer normalization; PyTorch, torch.nn.RMSNorm.
 */
export class RMSNorm extends Module {
  readonly normalizedShape: Shape;
  readonly eps: number | null;
  weight: Parameter | null;

  constructor(normalizedShape: number | Shape, options: RMSNormOptions = {}) {
    super();
    checkOptions('RMSNorm', options, ['eps', 'affine', 'dtype']);
    const shape = typeof normalizedShape === 'number' ? [normalizedShape] : [...normalizedShape];
    if (shape.length === 0 || !shape.every((n) => Number.isInteger(n) && n >= 1)) {
      throw new OptionError(`RMSNorm: normalizedShape is [${shape}], expected whole numbers >= 1, at least one`);
    }
    const { eps = null, affine = true, dtype = 'float32' } = options;
    checkNorm('RMSNorm', eps, dtype);
    this.normalizedShape = shape;
    this.eps = eps;
    this.weight = affine ? new Parameter(ones(shape, { dtype }), 'weight') : null;
  }

  /** @param x `[…, …normalizedShape]` @returns the shape of x @throws ShapeError when the last axes are others. */
  forward(x: Tensor): Tensor {
    const { normalizedShape, eps } = this;
    if (!sameShape(x.shape.slice(Math.max(0, x.shape.length - normalizedShape.length)), normalizedShape)) {
      throw new ShapeError(
        `${this.label}: got ${showShape(x.shape)}, expected last dimensions ${showShape(normalizedShape)}`,
      );
    }
    return rmsNorm(x, normalizedShape, { weight: this.weight?.read() ?? null, eps });
  }

  override config(): ModuleConfig {
    const { normalizedShape, eps, weight } = this;
    return [normalizedShape, { eps, affine: weight !== null, dtype: weight?.dtype ?? 'float32' }];
  }

  override toString(): string {
    return `RMSNorm(${this.normalizedShape.join('×')})`;
  }
}

export interface GroupNormOptions {
  /** Added to the variance, >= 0 (default 1e-5). */
  readonly eps?: number;
  /** Whether there is a weight and a bias (default true). */
  readonly affine?: boolean;
  /** float32 unless stated. */
  readonly dtype?: FloatDType;
}

/**
 * Group normalisation of `[batch, …, channels]`: in each sample, every group of neighbouring channels has mean 0 and variance 1 over
 * its channels and all positions, then weight and bias per channel.
 *
 * y = (x − mean) / √(variance + ε) · weight + bias; independent of the batch, the same in training and evaluation.
 *
 * @param numGroups number of groups, which divides numChannels.
 * @param numChannels size of the last axis, >= 1.
 * @param options `eps` ε, `affine`, `dtype`.
 * @throws OptionError for counts that do not divide or eps < 0; ShapeError from `forward`.
 * @example new nn.GroupNorm(4, 32).forward(zeros([8, 14, 14, 32])).shape; // [8, 14, 14, 32]
 * @see Wu and He (2018), Group normalization; PyTorch, torch.nn.GroupNorm (whose channels are the second axis).
 */
export class GroupNorm extends Module {
  readonly numGroups: number;
  readonly numChannels: number;
  readonly eps: number;
  weight: Parameter | null;
  bias: Parameter | null;

  constructor(numGroups: number, numChannels: number, options: GroupNormOptions = {}) {
    super();
    checkOptions('GroupNorm', options, ['eps', 'affine', 'dtype']);
    checkCount('GroupNorm', 'numGroups', numGroups);
    checkCount('GroupNorm', 'numChannels', numChannels);
    if (numChannels % numGroups !== 0) {
      throw new OptionError(`GroupNorm: numGroups is ${numGroups}, which does not divide ${numChannels} channels`);
    }
    const { eps = 1e-5, affine = true, dtype = 'float32' } = options;
    checkNorm('GroupNorm', eps, dtype);
    this.numGroups = numGroups;
    this.numChannels = numChannels;
    this.eps = eps;
    this.weight = affine ? new Parameter(ones([numChannels], { dtype }), 'weight') : null;
    this.bias = affine ? new Parameter(zeros([numChannels], { dtype }), 'bias') : null;
  }

  /** @param x `[batch, …, numChannels]` @returns the shape of x @throws ShapeError for another shape. */
  forward(x: Tensor): Tensor {
    if (x.shape.length < 2 || x.shape.at(-1) !== this.numChannels) {
      throw new ShapeError(`${this.label}: got ${showShape(x.shape)}, expected [batch, …, ${this.numChannels}]`);
    }
    const [weight, bias] = [this.weight?.read() ?? null, this.bias?.read() ?? null];
    return groupNorm(x, this.numGroups, { weight, bias, eps: this.eps });
  }

  override config(): ModuleConfig {
    const { numGroups, numChannels, eps, weight } = this;
    return [numGroups, numChannels, { eps, affine: weight !== null, dtype: weight?.dtype ?? 'float32' }];
  }

  override toString(): string {
    return `GroupNorm(${this.numGroups}, ${this.numChannels})`;
  }
}

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
 * @see {@link InstanceNorm1d}, {@link InstanceNorm2d}
 */
abstract class InstanceNorm extends Module {
  readonly numFeatures: number;
  readonly eps: number;
  readonly momentum: number;
  weight: Parameter | null;
  bias: Parameter | null;
  runningMean: State | null;
  runningVar: State | null;
  /** Kept for PyTorch's state dicts, which hold it; it counts nothing, there as here. */
  numBatchesTracked: State | null;

  constructor(numFeatures: number, options: InstanceNormOptions = {}) {
    super();
    checkOptions(this.constructor.name, options, ['eps', 'momentum', 'affine', 'trackRunningStats', 'dtype']);
    const name = this.constructor.name;
    const { eps = 1e-5, momentum = 0.1, affine = false, trackRunningStats = false, dtype = 'float32' } = options;
    checkCount(name, 'numFeatures', numFeatures);
    checkNorm(name, eps, dtype);
    if (!(momentum >= 0 && momentum <= 1)) {
      throw new OptionError(`${name}: momentum is ${String(momentum)}, expected a number in [0, 1]`);
    }
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

  /** Axes of the input, for messages; their number is checked. */
  protected abstract get axes(): readonly string[];

  /** @returns the shape of x @throws ShapeError for another shape, or a single position in training. */
  forward(x: Tensor): Tensor {
    const { numFeatures, eps, runningMean, runningVar, axes } = this;
    if (x.shape.length !== axes.length + 1 || x.shape.at(-1) !== numFeatures) {
      throw new ShapeError(`${this.label}: got ${showShape(x.shape)}, expected [${axes.join(', ')}, ${numFeatures}]`);
    }
    const [weight, bias] = [this.weight?.read() ?? null, this.bias?.read() ?? null];
    if (!this.training && runningMean !== null && runningVar !== null) {
      return fixedNorm(x, runningMean.read(), runningVar.read(), eps, weight, bias);
    }
    const positions = sizeOf(x.shape.slice(1, -1));
    if (positions < 2) {
      throw new ShapeError(
        `${this.label}: got ${showShape(x.shape)}, expected more than 1 position; the variance of one value says nothing`,
      );
    }
    if (this.training && runningMean !== null && runningVar !== null) {
      const axis = axes.slice(1).map((_, i) => i + 1);
      const fixed = stopGradient(x);
      runningAverage(runningMean, meanOf(meanOf(fixed, { axis }), { axis: 0 }), this.momentum);
      runningAverage(runningVar, meanOf(varianceOf(fixed, { axis }), { axis: 0 }), this.momentum);
    }
    return groupNorm(x, numFeatures, { weight, bias, eps });
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
  protected override get axes(): readonly string[] {
    return ['batch', 'length'];
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
  protected override get axes(): readonly string[] {
    return ['batch', 'height', 'width'];
  }
}
