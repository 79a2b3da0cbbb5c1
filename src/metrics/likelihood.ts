import {
  arange,
  cast,
  clip,
  equal,
  log,
  mul,
  neg,
  notEqual,
  OptionError,
  reshape,
  stack,
  sub,
  sum,
  type Tensor,
  where,
} from '../core.js';
import { binaryCrossEntropy, crossEntropy } from '../losses/index.js';
import { checkOptions } from '../options.js';
import { sameShape } from '../shape.js';
import { perExample } from './accuracy.js';
import { checkPair, scored } from './columns.js';
import type { Metric, StreamMetric } from './metric.js';

export interface LogLossOptions {
  /** Whether outputs are logits (default true) or probabilities. */
  readonly fromLogits?: boolean;
  /** Key in histories and results. */
  readonly name?: string;
}

/**
 * Log loss: the mean of −log p(label), in nats.
 *
 * Outputs `[n, …, classes]` with integer labels `[n, …]`, or outputs and 0/1 labels of one shape (binary). Probabilities
 * are kept within [2⁻²³, 1 − 2⁻²³], so that one wrong certainty does not make the figure infinite.
 *
 * @param options `fromLogits` (default true), `name` (default 'logLoss').
 * @throws ShapeError and DTypeError from `batch` when labels and outputs do not fit.
 * @example await evaluate(model, test, { loss: 'crossEntropy', metrics: ['logLoss'] });
 * @see scikit-learn, log_loss.
 */
export function logLoss(options: LogLossOptions = {}): Metric {
  checkOptions('logLoss', options, ['fromLogits', 'name']);
  const { fromLogits = true, name = 'logLoss' } = options;
  return {
    name,
    init: 0,
    batch: (outputs, labels) => {
      const losses = fromLogits ? lossOf(outputs, labels) : lossOfProbabilities(name, outputs, labels);
      return perExample(losses, labels.shape);
    },
    finish: (total, count) => total / count,
  };
}

/**
 * Perplexity: exp of the mean of −log p(label) over all labels; k means as unsure as among k equal choices.
 *
 * @param options `ignoreIndex`: a label that does not count, such as padding (none by default); `name`.
 * @returns a metric >= 1 from logits `[n, …, classes]` and integer labels `[n, …]`; NaN when every label is ignored.
 * @throws OptionError when `ignoreIndex` is no whole number.
 * @example await evaluate(model, test, { loss: 'crossEntropy', metrics: [metrics.perplexity({ ignoreIndex: 0 })] });
 * @see Jelinek et al. (1977), Perplexity: a measure of the difficulty of speech recognition tasks.
 */
export function perplexity(options: { readonly ignoreIndex?: number; readonly name?: string } = {}): StreamMetric {
  checkOptions('perplexity', options, ['ignoreIndex', 'name']);
  const { ignoreIndex, name = 'perplexity' } = options;
  if (ignoreIndex !== undefined && !Number.isInteger(ignoreIndex)) {
    throw new OptionError(`perplexity: ignoreIndex is ${String(ignoreIndex)}, expected a whole number`);
  }
  return {
    name,
    batch: (outputs, labels) => {
      const known = notEqual(cast(labels, 'int32'), ignoreIndex ?? NO_LABEL);
      const losses = crossEntropy(outputs, where(known, cast(labels, 'int32'), 0), { reduction: 'none' });
      return stack([sum(where(known, losses, 0)), sum(cast(known, losses.dtype))]);
    },
    accumulator: () => {
      let [total, count] = [0, 0];
      return {
        add: (values) => {
          total += values[0];
          count += values[1];
        },
        get value() {
          return Math.exp(total / count);
        },
      };
    },
  };
}

/** No class has this number. */
const NO_LABEL = -(2 ** 31);

function lossOf(outputs: Tensor, labels: Tensor): Tensor {
  checkPair('logLoss', outputs, labels);
  return sameShape(outputs.shape, labels.shape)
    ? binaryCrossEntropy(outputs, labels, { reduction: 'none' })
    : crossEntropy(outputs, labels, { reduction: 'none' });
}

function lossOfProbabilities(name: string, outputs: Tensor, labels: Tensor): Tensor {
  const { label, score, classes } = scored(name, outputs, labels);
  const p = clip(score, EPS, 1 - EPS);
  if (score.shape[1] === 1) {
    const losses = neg(sub(mul(label, log(p)), mul(sub(label, 1), log(sub(1, p)))));
    return reshape(losses, labels.shape);
  }
  const isLabel = equal(arange(classes), cast(label, 'int32'));
  return reshape(neg(log(sum(where(isLabel, p, 0), { axis: -1 }))), labels.shape);
}

const EPS = 2 ** -23;
