import { add, bernoulli, dropout, mul, OptionError, ones, ShapeError, type Tensor, where } from '../core.js';
import { checkOptions, shown } from '../options.js';
import { checkTensor, showShape } from './describe.js';
import { Module, type ModuleConfig } from './module.js';

function checkProbability(name: string, p: number): void {
  if (!(typeof p === 'number' && p >= 0 && p <= 1)) {
    throw new OptionError(`${name}: p is ${shown(p)}, expected a probability in [0, 1]`);
  }
}

/** Base of the dropouts that drop whole parts: one draw for each place of `maskShape`. */
abstract class PartDropout extends Module {
  readonly p: number;
  constructor(p = 0.5) {
    super();
    checkProbability(this.constructor.name, p);
    this.p = p;
  }

  /** Sizes of the mask, which broadcasts to x; throws when x is not what the layer takes. */
  protected abstract maskShape(x: Tensor): readonly number[];

  forward(x: Tensor): Tensor {
    const shape = this.maskShape(x);
    if (!this.training || this.p === 0) return x;
    return mul(x, dropout(ones(shape, { dtype: x.dtype }), this.p));
  }

  override config(): ModuleConfig {
    return [this.p];
  }

  override toString(): string {
    return `${this.constructor.name}(${this.p})`;
  }
}

function channelMask(layer: PartDropout, x: Tensor, axes: readonly string[]): readonly number[] {
  checkTensor(layer.label, x);
  if (x.shape.length !== axes.length) {
    throw new ShapeError(`${layer.label}: got ${showShape(x.shape)}, expected [${axes.join(', ')}]`);
  }
  return x.shape.map((d, a) => (a === 0 || a === axes.length - 1 ? d : 1));
}

/**
 * Spatial dropout of sequences `[batch, length, channels]`: in training, sets whole channels of a sample to 0 with probability p and
 * divides the others by 1 − p. Neighbouring positions are alike, so dropping single ones would hide little.
 * @param p probability of 0, in [0, 1] (default 0.5).
 * @throws OptionError when p is outside; ShapeError from `forward`.
 * @example new nn.Dropout1d(0.2).forward(ones([2, 16, 8])).shape; // [2, 16, 8]
 * @see Tompson et al. (2015), Efficient object localization using convolutional networks; PyTorch, torch.nn.Dropout1d.
 */
export class Dropout1d extends PartDropout {
  protected override maskShape(x: Tensor): readonly number[] {
    return channelMask(this, x, ['batch', 'length', 'channels']);
  }
}

/**
 * Spatial dropout of images `[batch, height, width, channels]`: in training, sets whole channels of an image to 0 with probability p
 * and divides the others by 1 − p.
 * @param p probability of 0, in [0, 1] (default 0.5).
 * @throws OptionError when p is outside; ShapeError from `forward`.
 * @example new nn.Dropout2d(0.2).forward(ones([2, 8, 8, 3])).shape; // [2, 8, 8, 3]
 * @see Tompson et al. (2015), Efficient object localization using convolutional networks; PyTorch, torch.nn.Dropout2d.
 */
export class Dropout2d extends PartDropout {
  protected override maskShape(x: Tensor): readonly number[] {
    return channelMask(this, x, ['batch', 'height', 'width', 'channels']);
  }
}

/**
 * Stochastic depth: in training, sets whole samples to 0 with probability p and divides the others by 1 − p. On the branch of a
 * residual block it skips the block for these samples: `x.add(dropPath.forward(block.forward(x)))`.
 * @param p probability of 0, in [0, 1] (default 0.5).
 * @param options `mode`: 'row' (default), one draw a sample, or 'batch', one draw for all.
 * @throws OptionError when p is outside or the mode is another; ShapeError from `forward` for a scalar.
 * @example new nn.DropPath(0.1).forward(ones([8, 16])).shape; // [8, 16]
 * @see Huang et al. (2016), Deep networks with stochastic depth; torchvision, StochasticDepth.
 */
export class DropPath extends PartDropout {
  readonly mode: 'row' | 'batch';
  constructor(p = 0.5, options: { mode?: 'row' | 'batch' } = {}) {
    super(p);
    checkOptions('DropPath', options, ['mode']);
    const { mode = 'row' } = options;
    if (mode !== 'row' && mode !== 'batch') {
      throw new OptionError(`DropPath: mode is ${String(mode)}, expected 'row' or 'batch'`);
    }
    this.mode = mode;
  }

  protected override maskShape(x: Tensor): readonly number[] {
    checkTensor(this.label, x);
    if (x.shape.length === 0) throw new ShapeError(`${this.label}: got a scalar, expected [batch, …]`);
    return x.shape.map((d, a) => (a === 0 && this.mode === 'row' ? d : 1));
  }

  override config(): ModuleConfig {
    return [this.p, { mode: this.mode }];
  }

  override toString(): string {
    return this.mode === 'row' ? super.toString() : `DropPath(${this.p}, batch)`;
  }
}

/** What SELU tends to far below 0: −λα. */
const SELU_LIMIT = -1.7580993408473766;

/**
 * Dropout for SELU networks: in training, sets elements to SELU's negative limit α′ with probability p, then scales and shifts so that
 * mean 0 and variance 1 stay.
 *
 * y = a·(x or α′) + b with a = ((1 − p)(1 + p·α′²))^(−½), b = −a·p·α′, α′ = −1.7580993
 *
 * @param p probability, in [0, 1] (default 0.5); 1 gives 0 everywhere.
 * @throws OptionError when p is outside.
 * @example new nn.Sequential(new nn.Linear(8, 8), new nn.SELU(), new nn.AlphaDropout(0.1));
 * @see Klambauer et al. (2017), Self-normalizing neural networks; PyTorch, torch.nn.AlphaDropout.
 */
export class AlphaDropout extends Module {
  readonly p: number;
  constructor(p = 0.5) {
    super();
    checkProbability('AlphaDropout', p);
    this.p = p;
  }

  forward(x: Tensor): Tensor {
    checkTensor(this.label, x);
    const { p } = this;
    if (!this.training || p === 0) return x;
    if (p === 1) return mul(x, 0);
    const a = 1 / Math.sqrt((1 - p) * (1 + p * SELU_LIMIT ** 2));
    const kept = where(bernoulli(x.shape, { p: 1 - p, dtype: 'bool' }), x, SELU_LIMIT);
    return add(mul(kept, a), -a * p * SELU_LIMIT);
  }

  override config(): ModuleConfig {
    return [this.p];
  }

  override toString(): string {
    return `AlphaDropout(${this.p})`;
  }
}
