import { reshape, ShapeError } from '../core.js';
import { checkOptions } from '../options.js';
import { sameShape, sizeOf } from '../shape.js';
import { checkPair, eachRow, packed } from './columns.js';
import type { StreamMetric } from './metric.js';

/**
 * Coefficient of determination: R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)², the mean over output columns.
 *
 * 1 is perfect, 0 is no better than the mean of the targets, and there is no lower end. A target that does not vary has
 * 1 when it is met exactly and 0 else. Sums are kept in float64 around a running mean, so batches do not change the figure.
 *
 * @param options `name`, default 'rSquared'.
 * @returns a metric for outputs and targets of one shape `[n, ...]`; NaN below two samples.
 * @throws ShapeError from `batch` when the shapes differ.
 * @example await evaluate(model, test, { loss: 'mse', metrics: ['rSquared'] });
 * @see scikit-learn, r2_score with multioutput='uniform_average'. Welford (1962) for the running sums.
 */
export function rSquared(options: { readonly name?: string } = {}): StreamMetric {
  checkOptions('rSquared', options, ['name']);
  const { name = 'rSquared' } = options;
  return {
    name,
    batch: (outputs, targets) => {
      checkPair(name, outputs, targets);
      if (outputs.shape.length === 0 || !sameShape(outputs.shape, targets.shape)) {
        throw new ShapeError(
          `${name}: got outputs [${outputs.shape}] and targets [${targets.shape}], expected equal shapes [n, ...]`,
        );
      }
      const flat = [outputs.shape[0], sizeOf(outputs.shape.slice(1))];
      return packed([reshape(outputs, flat), reshape(targets, flat)], 0);
    },
    accumulator: () => {
      let count = 0;
      const columns: { mean: number; spread: number; error: number }[] = [];
      return {
        add: (values) => {
          eachRow(values, (at, width) => {
            count += 1;
            const half = width / 2;
            for (let j = 0; j < half; j++) {
              columns[j] ??= { mean: 0, spread: 0, error: 0 };
              const column = columns[j];
              const target = values[at + half + j];
              const from = target - column.mean;
              column.mean += from / count;
              column.spread += from * (target - column.mean);
              column.error += (values[at + j] - target) ** 2;
            }
          });
        },
        get value() {
          if (count < 2) return Number.NaN;
          const each = columns.map(({ spread, error }) => (spread === 0 ? (error === 0 ? 1 : 0) : 1 - error / spread));
          return each.reduce((a, b) => a + b, 0) / each.length;
        },
      };
    },
  };
}
