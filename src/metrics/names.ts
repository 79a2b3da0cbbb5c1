import { didYouMean, OptionError } from '../core.js';
import { accuracy, topKAccuracy } from './accuracy.js';
import { meanAbsoluteError, meanSquaredError, rootMeanSquaredError } from './errors.js';
import type { Metric } from './metric.js';

/** Names of the metrics that need no options. */
export type MetricName =
  | 'accuracy'
  | 'top5Accuracy'
  | 'meanAbsoluteError'
  | 'meanSquaredError'
  | 'rootMeanSquaredError';

const METRICS: Readonly<Record<MetricName, () => Metric>> = {
  accuracy: () => accuracy(),
  top5Accuracy: () => topKAccuracy(5),
  meanAbsoluteError: () => meanAbsoluteError(),
  meanSquaredError: () => meanSquaredError(),
  rootMeanSquaredError: () => rootMeanSquaredError(),
};

/**
 * The metric of this name.
 * @throws OptionError for a name nobody knows.
 */
export function metricByName(name: MetricName): Metric {
  if (Object.hasOwn(METRICS, name)) return METRICS[name]();
  const known = Object.keys(METRICS);
  throw new OptionError(
    `metric: no metric is called "${String(name)}"; known: ${known.join(', ')}.${didYouMean(String(name), known)}`,
  );
}
