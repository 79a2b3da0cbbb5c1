import {
  add,
  cast,
  div,
  greater,
  lessEqual,
  log,
  logicalAnd,
  mul,
  neg,
  type Operand,
  OptionError,
  type Shape,
  square,
  stopGradient,
  sub,
  type Tensor,
  uniform as uniformNumbers,
  where,
} from '../core.js';
import { shown } from '../options.js';
import { parameters, sampleShape } from './parameters.js';

/**
 * Uniform distribution on [low, high).
 * `p(x) = 1 / (high - low)` inside, 0 outside
 *
 * Numbers out of order are an error; tensors with low >= high give NaN or infinities.
 * @param low a number or a float tensor
 * @param high above low, broadcasts with it
 * @throws OptionError for numbers out of order; ShapeError, DTypeError when the two do not fit
 * @example new distributions.Uniform(0, 4).logProb(tensor([1, 5])); // [-1.3862944, -Infinity]
 * @see PyTorch, torch.distributions.Uniform
 */
export class Uniform {
  readonly low: Tensor;
  readonly high: Tensor;
  readonly shape: Shape;

  constructor(low: Operand, high: Operand) {
    if (typeof low === 'number' && typeof high === 'number' && !(low < high)) {
      throw new OptionError(`Uniform: got low ${low} and high ${high}, expected low < high`);
    }
    [this.low, this.high] = parameters('Uniform', { low, high });
    this.shape = this.low.shape;
  }

  get mean(): Tensor {
    return mul(0.5, add(this.low, this.high));
  }

  get variance(): Tensor {
    return div(square(sub(this.high, this.low)), 12);
  }

  /** Draws `[...shape, ...parameters]` from the stream of `seed()`; constants to differentiation. */
  sample(shape: Shape = []): Tensor {
    return stopGradient(this.rsample(shape));
  }

  /** The same, differentiable by the parameters. */
  rsample(shape: Shape = []): Tensor {
    const u = uniformNumbers(sampleShape('Uniform.sample', shape, this.shape), { dtype: this.low.dtype });
    return add(this.low, mul(sub(this.high, this.low), u));
  }

  /** Logarithm of the density at `value`; -Infinity outside. */
  logProb(value: Operand): Tensor {
    const inside = logicalAnd(lessEqual(this.low, value), greater(this.high, value));
    return where(inside, neg(log(sub(this.high, this.low))), Number.NEGATIVE_INFINITY);
  }

  /** Probability of a draw at or below `value`. */
  cdf(value: Operand): Tensor {
    const part = div(sub(value, this.low), sub(this.high, this.low));
    return where(lessEqual(part, 0), 0, where(greater(part, 1), 1, part));
  }

  /** Differential entropy in nats: `ln(high - low)`. */
  entropy(): Tensor {
    return log(sub(this.high, this.low));
  }

  /** Whether another's support lies within this one's, as 0 or 1. */
  covers(other: Uniform): Tensor {
    if (!(other instanceof Uniform)) throw new OptionError(`covers: got ${shown(other)}, expected a Uniform`);
    const inside = logicalAnd(lessEqual(this.low, other.low), lessEqual(other.high, this.high));
    return cast(inside, this.low.dtype);
  }
}
