import {
  type FloatDType,
  groupNorm,
  OptionError,
  ones,
  Parameter,
  rmsNorm,
  type Shape,
  ShapeError,
  type Tensor,
  zeros,
} from '../core.js';
import { checkOptions, wholeNumber } from '../options.js';
import { checkTensor, showShape } from './describe.js';
import { Module, type ModuleConfig } from './module.js';
import { checkLastAxes, checkNorm, normalizedSizes } from './norm-base.js';

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
    const shape = normalizedSizes('RMSNorm', normalizedShape);
    const { eps = null, affine = true, dtype = 'float32' } = options;
    checkNorm('RMSNorm', eps, dtype);
    this.normalizedShape = shape;
    this.eps = eps;
    this.weight = affine ? new Parameter(ones(shape, { dtype }), 'weight') : null;
  }

  /** @param x `[…, …normalizedShape]` @returns the shape of x @throws ShapeError when the last axes are others. */
  forward(x: Tensor): Tensor {
    const { normalizedShape, eps } = this;
    checkLastAxes(this.label, x, normalizedShape);
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
    this.numGroups = wholeNumber('GroupNorm: numGroups', numGroups, 1);
    this.numChannels = wholeNumber('GroupNorm: numChannels', numChannels, 1);
    if (numChannels % numGroups !== 0) {
      throw new OptionError(`GroupNorm: numGroups is ${numGroups}, which does not divide ${numChannels} channels`);
    }
    const { eps = 1e-5, affine = true, dtype = 'float32' } = options;
    checkNorm('GroupNorm', eps, dtype);
    this.eps = eps;
    this.weight = affine ? new Parameter(ones([numChannels], { dtype }), 'weight') : null;
    this.bias = affine ? new Parameter(zeros([numChannels], { dtype }), 'bias') : null;
  }

  /** @param x `[batch, …, numChannels]` @returns the shape of x @throws ShapeError for another shape. */
  forward(x: Tensor): Tensor {
    checkTensor(this.label, x);
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
