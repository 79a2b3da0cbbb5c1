import { OptionError, sigmoid, softmax, type Tensor } from '../core.js';
import type { DataInput, TensorDataset } from '../data/index.js';
import { checkOptions, shown, wholeNumber } from '../options.js';
import { predict } from '../train/index.js';
import { DescentModel, type LinearModelOptions } from './model.js';

/** A class number that stands for no decision. */
export const ABSTAIN = -1;

export interface DecideOptions {
  /** Probability of the chosen class below which the answer is −1 (no decision), in [0, 1]; default 0: always decide. */
  readonly confidence?: number;
}

/**
 * Logistic regression: p(1 | x) = σ(x·w + b), learnt by gradient descent on the binary cross-entropy; the gradient at
 * z = x·w + b is (p − y) / n.
 *
 * @param features columns of x, >= 1; targets are 0 and 1, `[n, 1]`.
 * @param options `weight`, `bias`: first values (default zeros). `learn` has lr 0.1.
 * @throws OptionError for sizes, and for weights of another length.
 * @example
 * const insured = new classic.LogisticRegression(1, { weight: [[0.042]], bias: [-1.53] });
 * await insured.predict([[36], [37]]); // Int32Array [0, 1]
 * @see Cox (1958), The regression analysis of binary sequences.
 */
export class LogisticRegression extends DescentModel {
  protected readonly loss = 'binaryCrossEntropy';
  protected readonly lr = 0.1;

  constructor(features: number, options: LinearModelOptions = {}) {
    super('LogisticRegression', features, 1, options);
  }

  /** p(1 | x) `[n, 1]`. */
  async probabilities(x: TensorDataset | DataInput): Promise<Tensor> {
    return sigmoid(await predict(this, x));
  }

  /**
   * Class of each row: 1 where p >= `threshold`, else 0; −1 where the chosen class has less than `confidence`.
   * @param options `threshold` in [0, 1] (default 0.5), `confidence` in [0, 1] (default 0).
   * @throws OptionError for options out of range.
   */
  async predict(
    x: TensorDataset | DataInput,
    options: DecideOptions & { readonly threshold?: number } = {},
  ): Promise<Int32Array> {
    checkOptions('LogisticRegression.predict', options, ['threshold', 'confidence']);
    const { threshold = 0.5, confidence = 0 } = options;
    checkShare('LogisticRegression.predict: threshold', threshold);
    checkShare('LogisticRegression.predict: confidence', confidence);
    const p = (await (await this.probabilities(x)).data()) as Float32Array;
    return Int32Array.from(p, (v) => {
      const chosen = v >= threshold ? 1 : 0;
      return (chosen === 1 ? v : 1 - v) < confidence ? ABSTAIN : chosen;
    });
  }
}

/**
 * Softmax (multinomial logistic) regression: p(k | x) = softmax(x·Wᵀ + b)ₖ, learnt by gradient descent on the
 * cross-entropy; the gradient at the logits is (p − one-hot(y)) / n.
 *
 * @param features columns of x, >= 1.
 * @param classes number of classes, >= 2; targets are class numbers `[n]`.
 * @param options `weight`, `bias`: first values (default zeros). `learn` has lr 0.1.
 * @throws OptionError for sizes, and for weights of another length.
 * @example
 * const model = new classic.SoftmaxRegression(2, 3);
 * await model.learn(data.blobs(300, { seed: 1 }));
 * @see Bishop (2006), Pattern Recognition and Machine Learning, 4.3.4.
 */
export class SoftmaxRegression extends DescentModel {
  protected readonly loss = 'crossEntropy';
  protected readonly lr = 0.1;

  constructor(features: number, classes: number, options: LinearModelOptions = {}) {
    super('SoftmaxRegression', features, wholeNumber('SoftmaxRegression: classes', classes, 2), options);
  }

  /** p(k | x) `[n, classes]`. */
  async probabilities(x: TensorDataset | DataInput): Promise<Tensor> {
    return softmax(await predict(this, x));
  }

  /**
   * The most probable class of each row (the first of equal ones), or −1 where its probability is below `confidence`.
   * @throws OptionError when `confidence` is not in [0, 1].
   */
  async predict(x: TensorDataset | DataInput, options: DecideOptions = {}): Promise<Int32Array> {
    checkOptions('SoftmaxRegression.predict', options, ['confidence']);
    const { confidence = 0 } = options;
    checkShare('SoftmaxRegression.predict: confidence', confidence);
    const p = (await (await this.probabilities(x)).data()) as Float32Array;
    const classes = this.linear.outFeatures;
    return Int32Array.from({ length: p.length / classes }, (_, i) => {
      const row = p.subarray(i * classes, (i + 1) * classes);
      const most = Math.max(...row);
      return most < confidence ? ABSTAIN : row.indexOf(most);
    });
  }
}

function checkShare(what: string, value: number): void {
  if (!(typeof value === 'number' && value >= 0 && value <= 1))
    throw new OptionError(`${what} is ${shown(value)}, expected a number in [0, 1]`);
}
