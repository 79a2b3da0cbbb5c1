import {
  add,
  div,
  erf,
  log,
  mul,
  neg,
  normal as normalNumbers,
  type Operand,
  type Shape,
  square,
  stopGradient,
  sub,
  type Tensor,
} from '../core.js';
import { checkNumber, parameters, sampleShape } from './parameters.js';

const HALF_LOG_2PI = 0.5 * Math.log(2 * Math.PI);

/**
 * Normal (Gaussian) distribution.
 * `p(x) = exp(-(x - loc)^2 / (2 scale^2)) / (scale sqrt(2 pi))`
 *
 * Numbers out of range are an error; a scale tensor with values <= 0 gives NaN.
 * @param loc mean, a number or a float tensor
 * @param scale standard deviation > 0, broadcasts with `loc`
 * @throws OptionError for a number out of range; ShapeError, DTypeError when the two do not fit
 * @example new distributions.Normal(0, 1).logProb(tensor([0])); // [-0.9189385]
 * @see PyTorch, torch.distributions.Normal
 */
export class Normal {
  readonly loc: Tensor;
  readonly scale: Tensor;
  readonly shape: Shape;

  constructor(loc: Operand, scale: Operand) {
    checkNumber('Normal: scale', scale, (s) => s > 0, 'a number > 0');
    [this.loc, this.scale] = parameters('Normal', { loc, scale });
    this.shape = this.loc.shape;
  }

  get mean(): Tensor {
    return this.loc;
  }

  get variance(): Tensor {
    return square(this.scale);
  }

  /** Draws `[...shape, ...parameters]` from the stream of `seed()`; constants to differentiation. */
  sample(shape: Shape = []): Tensor {
    return stopGradient(this.rsample(shape));
  }

  /** The same, differentiable by the parameters: `loc + scale * noise` (reparameterisation, Kingma and Welling, 2013). */
  rsample(shape: Shape = []): Tensor {
    const noise = normalNumbers(sampleShape('Normal.sample', shape, this.shape), { dtype: this.loc.dtype });
    return add(this.loc, mul(this.scale, noise));
  }

  /** Logarithm of the density at `value`. */
  logProb(value: Operand): Tensor {
    const z = div(sub(value, this.loc), this.scale);
    return sub(neg(mul(0.5, square(z))), add(log(this.scale), HALF_LOG_2PI));
  }

  /** Probability of a draw at or below `value`. */
  cdf(value: Operand): Tensor {
    return mul(0.5, add(1, erf(div(sub(value, this.loc), mul(this.scale, Math.SQRT2)))));
  }

  /** Differential entropy in nats: `1/2 + ln(scale sqrt(2 pi))`. */
  entropy(): Tensor {
    return add(log(this.scale), 0.5 + HALF_LOG_2PI);
  }
}
