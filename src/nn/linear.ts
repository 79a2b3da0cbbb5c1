import { type FloatDType, isFloat, linear, OptionError, Parameter, ShapeError, type Tensor } from '../core.js';
import { checkFlag, checkFunction, checkOptions, wholeNumber } from '../options.js';
import { sizeOf } from '../shape.js';
import { checkTensor, showShape } from './describe.js';
import { fanInUniform, type Initializer } from './init.js';
import { Module, type ModuleConfig } from './module.js';

export interface LinearOptions {
  /** Whether a bias is added (default true). */
  readonly bias?: boolean;
  /** First value of the weight (default {@link fanInUniform}, PyTorch's). */
  readonly init?: Initializer;
  /** First value of the bias (default the same). */
  readonly biasInit?: Initializer;
  /** float32 unless stated; float64 is for gradient checks. */
  readonly dtype?: FloatDType;
}

/**
 * Fully connected layer: y = x·Wᵀ + b.
 *
 * Weight `[outFeatures, inFeatures]` and bias `[outFeatures]` start as U(−1/√inFeatures, 1/√inFeatures).
 *
 * @param inFeatures size of the input's last axis, >= 1.
 * @param outFeatures size of the output's last axis, >= 1.
 * @throws OptionError for sizes that are not whole numbers >= 1.
 * @example
 * const layer = new nn.Linear(784, 128);
 * layer.forward(zeros([64, 784])).shape; // [64, 128]
 * @see PyTorch, torch.nn.Linear.
 */
export class Linear extends Module {
  readonly inFeatures: number;
  readonly outFeatures: number;
  weight: Parameter;
  bias: Parameter | null;

  constructor(inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super();
    checkOptions('Linear', options, ['bias', 'init', 'biasInit', 'dtype']);
    this.inFeatures = wholeNumber('Linear: inFeatures', inFeatures, 1);
    this.outFeatures = wholeNumber('Linear: outFeatures', outFeatures, 1);
    const { bias = true, init = fanInUniform(), biasInit = fanInUniform(), dtype = 'float32' } = options;
    if (!isFloat(dtype)) throw new OptionError(`Linear: dtype is ${String(dtype)}, expected float32 or float64`);
    checkFlag('Linear', 'bias', bias);
    checkFunction('Linear', 'init', init);
    checkFunction('Linear', 'biasInit', biasInit);
    const context = { fanIn: inFeatures, fanOut: outFeatures, dtype };
    this.weight = new Parameter(init([outFeatures, inFeatures], context), 'weight');
    this.bias = bias ? new Parameter(biasInit([outFeatures], context), 'bias') : null;
  }

  /**
   * @param x `[…, inFeatures]`
   * @returns `[…, outFeatures]`
   * @throws ShapeError when the last axis is another; DTypeError when x is not of the layer's dtype.
   */
  forward(x: Tensor): Tensor {
    checkTensor(this.label, x);
    if (x.shape.at(-1) !== this.inFeatures) {
      const fits = x.shape.length > 1 && sizeOf(x.shape.slice(1)) === this.inFeatures;
      const hint = fits ? '; add new nn.Flatten() before it' : '';
      throw new ShapeError(
        `${this.label}: got ${showShape(x.shape)}, expected last dimension ${this.inFeatures}${hint}`,
      );
    }
    return linear(x, this.weight.read(), this.bias?.read());
  }

  override config(): ModuleConfig {
    return [this.inFeatures, this.outFeatures, { bias: this.bias !== null, dtype: this.weight.dtype }];
  }

  override toString(): string {
    return `Linear(${this.inFeatures}→${this.outFeatures}${this.bias === null ? ', no bias' : ''})`;
  }
}
