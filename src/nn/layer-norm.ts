import { type FloatDType, layerNorm, ones, Parameter, type Shape, type Tensor, zeros } from '../core.js';
import { checkFlag, checkOptions } from '../options.js';
import { Module, type ModuleConfig } from './module.js';
import { checkLastAxes, checkNorm, normalizedSizes } from './norm-base.js';

export interface LayerNormOptions {
  /** Added to the variance, >= 0 (default 1e-5). */
  readonly eps?: number;
  /** Whether there is a weight and a bias (default true). */
  readonly affine?: boolean;
  /** Whether there is a bias beside the weight (default true). */
  readonly bias?: boolean;
  /** float32 unless stated; float64 is for gradient checks. */
  readonly dtype?: FloatDType;
}

/**
 * Layer normalisation: every sample has mean 0 and variance 1 over the last axes, then weight and bias.
 *
 * y = (x − mean) / √(variance + ε) · weight + bias, variance of the population; training and evaluation are the same. Weight
 * starts as ones, bias as zeros, both of `normalizedShape`.
 *
 * @param normalizedShape size of the last axis, or sizes of the last axes, each >= 1.
 * @param options `eps` ε, `affine`, `bias`, `dtype`.
 * @throws OptionError for sizes that are not whole numbers >= 1 or eps < 0; ShapeError from `forward`.
 * @example new nn.LayerNorm(768).forward(zeros([4, 10, 768])).shape; // [4, 10, 768]
 * @see Ba et al. (2016), Layer normalization; PyTorch, torch.nn.LayerNorm.
 */
export class LayerNorm extends Module {
  readonly normalizedShape: Shape;
  readonly eps: number;
  weight: Parameter | null;
  bias: Parameter | null;

  constructor(normalizedShape: number | Shape, options: LayerNormOptions = {}) {
    super();
    checkOptions('LayerNorm', options, ['eps', 'affine', 'bias', 'dtype']);
    const shape = normalizedSizes('LayerNorm', normalizedShape);
    const { eps = 1e-5, affine = true, bias = true, dtype = 'float32' } = options;
    checkFlag('LayerNorm', 'bias', bias);
    checkNorm('LayerNorm', eps, dtype);
    this.normalizedShape = shape;
    this.eps = eps;
    this.weight = affine ? new Parameter(ones(shape, { dtype }), 'weight') : null;
    this.bias = affine && bias ? new Parameter(zeros(shape, { dtype }), 'bias') : null;
  }

  /**
   * @param x `[…, …normalizedShape]`
   * @returns the shape of x
   * @throws ShapeError when the last axes are others; DTypeError when x is not of the layer's dtype.
   */
  forward(x: Tensor): Tensor {
    const { normalizedShape, eps } = this;
    checkLastAxes(this.label, x, normalizedShape);
    return layerNorm(x, normalizedShape, { weight: this.weight?.read() ?? null, bias: this.bias?.read() ?? null, eps });
  }

  override config(): ModuleConfig {
    const { normalizedShape, eps, weight, bias } = this;
    const dtype = weight?.dtype ?? 'float32';
    return [[...normalizedShape], { eps, affine: weight !== null, bias: bias !== null, dtype }];
  }

  override toString(): string {
    return `LayerNorm(${this.normalizedShape.join('×')})`;
  }
}
