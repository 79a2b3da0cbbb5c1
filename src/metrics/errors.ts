import { abs, ShapeError, square, sub, type Tensor } from '../core.js';
import { sameShape } from '../shape.js';
import { perExample } from './accuracy.js';
import type { Metric } from './metric.js';

/** Mean of |output − target|. @throws ShapeError from `batch` when the shapes differ. */
export function meanAbsoluteError({ name = 'meanAbsoluteError' }: { name?: string } = {}): Metric {
  return errorMetric(name, abs, (mean) => mean);
}

/** Mean of (output − target)². @throws ShapeError from `batch` when the shapes differ. */
export function meanSquaredError({ name = 'meanSquaredError' }: { name?: string } = {}): Metric {
  return errorMetric(name, square, (mean) => mean);
}

/** Square root of the mean squared error over all examples, not of each batch. @throws ShapeError as above. */
export function rootMeanSquaredError({ name = 'rootMeanSquaredError' }: { name?: string } = {}): Metric {
  return errorMetric(name, square, Math.sqrt);
}

function errorMetric(name: string, of: (difference: Tensor) => Tensor, finish: (mean: number) => number): Metric {
  return {
    name,
    init: 0,
    batch: (outputs, labels) => {
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
