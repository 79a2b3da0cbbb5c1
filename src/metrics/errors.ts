import { abs, ShapeError, square, sub, type Tensor } from '../core.js';
import { checkOptions } from '../options.js';
import { sameShape } from '../shape.js';
import { perExample } from './accuracy.js';
import { checkPair } from './columns.js';
import type { Metric } from './metric.js';

/**
 * Mean of |output − target|.
 * @param options `name` (default 'meanAbsoluteError').
 * @returns a metric for `fit` and `evaluate`.
 * @throws OptionError for another option; ShapeError from `batch` when the shapes differ.
 * @example await evaluate(model, test, { metrics: [metrics.meanAbsoluteError()] });
 */
export function meanAbsoluteError(options: { name?: string } = {}): Metric {
  return errorMetric('meanAbsoluteError', options, abs, (mean) => mean);
}

/**
 * Mean of (output − target)².
 * @param options `name` (default 'meanSquaredError').
 * @returns a metric for `fit` and `evaluate`.
 * @throws OptionError for another option; ShapeError from `batch` when the shapes differ.
 * @example await evaluate(model, test, { metrics: [metrics.meanSquaredError()] });
 */
export function meanSquaredError(options: { name?: string } = {}): Metric {
  return errorMetric('meanSquaredError', options, square, (mean) => mean);
}

/**
 * Square root of the mean squared error over all examples, not of each batch.
 * @param options `name` (default 'rootMeanSquaredError').
 * @returns a metric for `fit` and `evaluate`.
 * @throws OptionError for another option; ShapeError from `batch` when the shapes differ.
 * @example await evaluate(model, test, { metrics: [metrics.rootMeanSquaredError()] });
 */
export function rootMeanSquaredError(options: { name?: string } = {}): Metric {
  return errorMetric('rootMeanSquaredError', options, square, Math.sqrt);
}

function errorMetric(
  what: string,
  options: { name?: string },
  of: (difference: Tensor) => Tensor,
  finish: (mean: number) => number,
): Metric {
  checkOptions(what, options, ['name']);
  const { name = what } = options;
  return {
    name,
    init: 0,
    batch: (outputs, labels) => {
      checkPair(name, outputs, labels);
      if (!sameShape(outputs.shape, labels.shape)) {
        throw new ShapeError(
          `${name}: got outputs [${outputs.shape}] and targets [${labels.shape}], expected equal shapes`,
        );
      }
      return perExample(of(sub(outputs, labels)), outputs.shape);
    },
    finish: (total, count) => finish(total / count),
  };
}
