import { dropout, OptionError, reshape, ShapeError, type Tensor } from '../core.js';
import { shown } from '../options.js';
import { sizeOf } from '../shape.js';
import { checkTensor, showShape } from './describe.js';
import { Module, type ModuleConfig } from './module.js';

/**
 * Joins all axes from `startDim` on into one: `[n, 28, 28]` → `[n, 784]`.
 * @param startDim first axis to join, >= 0 (default 1, which keeps the batch).
 * @throws OptionError when startDim is not a whole number >= 0; ShapeError from `forward` when x has no such axis.
 */
export class Flatten extends Module {
  readonly startDim: number;
  constructor(startDim = 1) {
    super();
    if (!Number.isInteger(startDim) || startDim < 0) {
      throw new OptionError(`Flatten: startDim is ${String(startDim)}, expected a whole number >= 0`);
    }
    this.startDim = startDim;
  }

  override config(): ModuleConfig {
    return [this.startDim];
  }

  forward(x: Tensor): Tensor {
    checkTensor(this.label, x);
    const { startDim } = this;
    if (startDim > 0 && x.shape.length <= startDim) {
      throw new ShapeError(`${this.label}: got ${showShape(x.shape)}, expected at least ${startDim + 1} axes`);
    }
    return reshape(x, [...x.shape.slice(0, startDim), sizeOf(x.shape.slice(startDim))]);
  }

  override toString(): string {
    return this.startDim === 1 ? 'Flatten' : `Flatten(${this.startDim})`;
  }
}

/**
 * In training, sets each element to 0 with probability p and divides the others by 1 − p; otherwise returns its input.
 * Masks come from the stream of `seed()`, a new one at every call.
 * @param p probability of 0, in [0, 1] (default 0.5).
 * @throws OptionError when p is outside.
 * @see Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting.
 */
export class Dropout extends Module {
  readonly p: number;
  constructor(p = 0.5) {
    super();
    if (!(typeof p === 'number' && p >= 0 && p <= 1))
      throw new OptionError(`Dropout: p is ${shown(p)}, expected a probability in [0, 1]`);
    this.p = p;
  }

  override config(): ModuleConfig {
    return [this.p];
  }

  forward(x: Tensor): Tensor {
    return this.training && this.p > 0 ? dropout(x, this.p) : x;
  }

  override toString(): string {
    return `Dropout(${this.p})`;
  }
}
