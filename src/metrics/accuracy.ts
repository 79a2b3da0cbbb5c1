import {
  arange,
  argmax,
  cast,
  div,
  equal,
  expandDims,
  greater,
  isFloat,
  less,
  logicalAnd,
  logicalNot,
  logicalOr,
  notEqual,
  OptionError,
  ShapeError,
  sum,
  type Tensor,
  where,
} from '../core.js';
import { checkLabels } from '../losses/index.js';
import { checkOptions, shown, wholeNumber } from '../options.js';
import { sameShape, sizeOf } from '../shape.js';
import { checkPair } from './columns.js';
import type { Metric } from './metric.js';

/**
 * Fraction of labels that are predicted.
 *
 * With outputs `[n, …, classes]` and integer labels `[n, …]` the prediction is the class with the largest output (the
 * first of equal ones). With labels of the outputs' own shape it is binary: output > threshold
 * against label 1 (float labels: above 0.5).
 *
 * @param options `threshold` for the binary case: 0 (default) for logits, 0.5 for probabilities. `name`, default 'accuracy'.
 * @throws OptionError for an option that is unknown or out of range; ShapeError from `batch` when labels and outputs do not fit.
 * @example await evaluate(model, test, { metrics: [metrics.accuracy({ threshold: 0.5 })] });
 */
export function accuracy(options: { threshold?: number; name?: string } = {}): Metric {
  checkOptions('accuracy', options, ['threshold', 'name']);
  const { threshold = 0, name = 'accuracy' } = options;
  if (!Number.isFinite(threshold)) {
    throw new OptionError(`accuracy: threshold is ${shown(threshold)}, expected a finite number`);
  }
  return {
    name,
    init: 0,
    batch: (outputs, labels) => {
      checkPair(name, outputs, labels);
      if (sameShape(outputs.shape, labels.shape)) {
        return perExample(equal(greater(outputs, threshold), notZero(labels)), outputs.shape);
      }
      checkLabels(name, outputs, labels);
      return perExample(equal(argmax(outputs, { axis: -1 }), cast(labels, 'int32')), labels.shape);
    },
    finish: (total, count) => total / count,
  };
}

/**
 * Fraction of labels among the k largest outputs; of equal outputs the first classes count as larger, NaN as larger still.
 * @param k whole number >= 1; every label counts when k >= classes.
 * @param options `name`, default `top5Accuracy` for k = 5.
 * @throws OptionError for another k.
 * @example metrics.topKAccuracy(5);
 */
export function topKAccuracy(k: number, options: { name?: string } = {}): Metric {
  checkOptions('topKAccuracy', options, ['name']);
  wholeNumber('topKAccuracy: k', k, 1);
  const { name = `top${k}Accuracy` } = options;
  return {
    name,
    init: 0,
    batch: (outputs, labels) => {
      checkLabels(name, outputs, labels);
      const classes = arange(outputs.shape[outputs.shape.length - 1]);
      const label = expandDims(cast(labels, 'int32'), -1);
      const isLabel = equal(classes, label);
      const score = sum(where(isLabel, outputs, 0), { axis: -1, keepDims: true });
      // Behind the label: smaller, or equal and later. Everything else is ahead of it, NaN included.
      const behind = logicalOr(less(outputs, score), logicalAnd(equal(outputs, score), greater(classes, label)));
      const ahead = sum(cast(logicalNot(logicalOr(behind, isLabel)), 'float32'), { axis: -1 });
      const known = sum(cast(isLabel, 'float32'), { axis: -1 }); // 0 for a label outside the classes
      return perExample(logicalAnd(less(ahead, k), greater(known, 0)), labels.shape);
    },
    finish: (total, count) => total / count,
  };
}

function notZero(labels: Tensor): Tensor {
  return isFloat(labels.dtype) ? greater(labels, 0.5) : notEqual(cast(labels, 'int32'), 0);
}

/** Sum over the batch of the mean over the other axes. */
export function perExample(values: Tensor, shape: readonly number[]): Tensor {
  if (shape.length === 0) throw new ShapeError('metric: got a single example without batch axis, expected [n, ...]');
  const total = sum(cast(values, 'float32'));
  const each = sizeOf(shape.slice(1));
  return each <= 1 ? total : div(total, each);
}
