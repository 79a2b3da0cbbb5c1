import {
  broadcastTo,
  categorical,
  DTypeError,
  div,
  equal,
  exp,
  expandDims,
  gather,
  isFloat,
  log,
  logSoftmax,
  mul,
  neg,
  type Operand,
  type Shape,
  ShapeError,
  squeeze,
  sum,
  type Tensor,
  toTensor,
  where,
} from '../core.js';
import { broadcastShapes } from '../shape.js';
import { oneOf, type ProbsOrLogits } from './bernoulli.js';
import { parameters, sampleShape } from './parameters.js';

const LAST = { axis: -1, keepDims: true } as const;

/** ln p, -Infinity with derivative 0 at 0. */
function logOf(p: Tensor): Tensor {
  const none = equal(p, 0);
  return where(none, Number.NEGATIVE_INFINITY, log(where(none, 1, p)));
}

/**
 * Categorical (multinoulli) distribution over classes 0 … k - 1; what a softmax output means.
 * `P(i) = probs_i / sum probs = softmax(logits)_i`
 *
 * Maximum likelihood is cross entropy: `-logProb(labels)` of logits is `crossEntropy` without reduction.
 * @param options `probs` >= 0 (scaled to add up to 1) or `logits`, classes along the last axis
 * @throws OptionError for none or both; ShapeError without classes; DTypeError for integers
 * @example new distributions.Categorical({ logits: zeros([4]) }).entropy(); // 1.3862944
 * @see PyTorch, torch.distributions.Categorical
 */
export class Categorical {
  readonly shape: Shape;
  readonly classes: number;
  /** ln P, normalised; -Infinity for a class of probability 0. */
  readonly logProbs: Tensor;

  constructor(options: ProbsOrLogits) {
    const given = oneOf('Categorical', options);
    const [t] = parameters('Categorical', { [given]: options[given] as Operand });
    this.classes = t.shape[t.shape.length - 1] ?? 0;
    if (this.classes === 0) {
      throw new ShapeError(`Categorical: got ${given} [${t.shape}], expected [..., classes] with at least one class`);
    }
    this.shape = t.shape.slice(0, -1);
    this.logProbs = given === 'logits' ? logSoftmax(t) : logOf(div(t, sum(t, LAST)));
  }

  get probs(): Tensor {
    return exp(this.logProbs);
  }

  /** Draws classes, int32 `[...shape, ...parameters]`, from the stream of `seed()`. */
  sample(shape: Shape = []): Tensor {
    sampleShape('Categorical.sample', shape, this.shape);
    return categorical(this.logProbs, { shape });
  }

  /**
   * Logarithm of the probability of a class.
   * @param value whole numbers 0 … classes - 1, a shape that broadcasts with the parameters'; one outside stops the run with a
   *   DataError
   */
  logProb(value: Operand): Tensor {
    const label = toTensor(value, 'int32', 'Categorical.logProb');
    if (isFloat(label.dtype) || label.dtype === 'bool') {
      throw new DTypeError(`Categorical.logProb: got ${label.dtype}, expected whole numbers; add .cast('int32')`);
    }
    const shape = broadcastShapes('Categorical.logProb', label.shape, this.shape);
    const all = broadcastTo(this.logProbs, [...shape, this.classes]);
    return squeeze(gather(all, expandDims(broadcastTo(label, shape), -1)), -1);
  }

  /** `-sum P ln P` in nats; classes of probability 0 count 0. */
  entropy(): Tensor {
    return neg(this.expectedLog(this));
  }

  /** sum_i Q(i) log P(i) over the classes that Q has, P being this one. */
  expectedLog(q: Categorical): Tensor {
    const never = equal(q.probs, 0);
    return sum(where(never, 0, mul(q.probs, where(never, 0, this.logProbs))), { axis: -1 });
  }
}
