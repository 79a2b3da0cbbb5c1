import {
  add,
  cast,
  isFloat,
  less,
  mul,
  neg,
  type Operand,
  OptionError,
  type Shape,
  sigmoid,
  sub,
  type Tensor,
  toTensor,
  uniform,
} from '../core.js';
import { checkOptions } from '../options.js';
import { checkNumber, parameters, sampleShape, xlog1my, xlogSigmoid, xlogy } from './parameters.js';

/** Exactly one of the two. */
export interface ProbsOrLogits {
  /** Probabilities. */
  readonly probs?: Operand;
  /** Unnormalised log-odds: exact also where a probability would round to 0 or 1. */
  readonly logits?: Operand;
}

export function oneOf(where: string, options: ProbsOrLogits): 'probs' | 'logits' {
  checkOptions(where, options, ['probs', 'logits']);
  const { probs, logits } = options;
  if ((probs === undefined) !== (logits === undefined)) return probs === undefined ? 'logits' : 'probs';
  throw new OptionError(`${where}: got ${probs === undefined ? 'neither' : 'both'}, expected probs or logits`);
}

/**
 * Bernoulli distribution: 1 with probability p, else 0; what a sigmoid output means.
 * `P(1) = p = sigmoid(logits)`
 *
 * A probability of exactly 0 or 1 is exact (PyTorch moves it by one eps). Maximum likelihood is binary cross entropy:
 * `-logProb(y)` of logits is `binaryCrossEntropy` without reduction.
 * @param options `probs` in [0, 1] or `logits`
 * @throws OptionError for none or both, or a number out of range; DTypeError for integers
 * @example new distributions.Bernoulli({ logits: tensor([0, 2]) }).logProb(tensor([1, 1])); // [-0.6931472, -0.126928]
 * @see PyTorch, torch.distributions.Bernoulli
 */
export class Bernoulli {
  readonly shape: Shape;
  private readonly given: 'probs' | 'logits';
  private readonly parameter: Tensor;

  constructor(options: ProbsOrLogits) {
    this.given = oneOf('Bernoulli', options);
    const value = options[this.given] as Operand;
    if (this.given === 'probs') checkNumber('Bernoulli: probs', value, (p) => p >= 0 && p <= 1, 'a number in [0, 1]');
    [this.parameter] = parameters('Bernoulli', { [this.given]: value });
    this.shape = this.parameter.shape;
  }

  get probs(): Tensor {
    return this.given === 'probs' ? this.parameter : sigmoid(this.parameter);
  }

  get mean(): Tensor {
    return this.probs;
  }

  /** `p (1 - p)` */
  get variance(): Tensor {
    const p = this.probs;
    return mul(p, sub(1, p));
  }

  /** Draws 0 and 1, `[...shape, ...parameters]`, of the parameters' dtype, from the stream of `seed()`. */
  sample(shape: Shape = []): Tensor {
    const { dtype } = this.parameter;
    const u = uniform(sampleShape('Bernoulli.sample', shape, this.shape), {
      dtype: isFloat(dtype) ? dtype : 'float32',
    });
    return cast(less(u, this.probs), dtype);
  }

  /** Logarithm of the probability of `value`, 0 or 1 (or between: the mixture, as binary cross entropy takes it). */
  logProb(value: Operand): Tensor {
    const raw = toTensor(value, this.parameter.dtype, 'Bernoulli.logProb');
    return this.expectedLog(isFloat(raw.dtype) ? raw : cast(raw, this.parameter.dtype));
  }

  /** `-p ln p - (1 - p) ln (1 - p)` in nats. */
  entropy(): Tensor {
    return neg(this.expectedLog(this.probs));
  }

  /** c log P(1) + (1 - c) log P(0). */
  expectedLog(c: Tensor): Tensor {
    const rest = sub(1, c);
    const { parameter: t } = this;
    return this.given === 'probs'
      ? add(xlogy(c, t), xlog1my(rest, t))
      : add(xlogSigmoid(c, t), xlogSigmoid(rest, neg(t)));
  }
}
