import { didYouMean, OptionError } from '../core.js';
import { accuracy, topKAccuracy } from './accuracy.js';
import { calibrationError } from './calibration.js';
import { f1, precision, recall } from './classification.js';
import { prAuc, rocAuc } from './curves.js';
import { meanAbsoluteError, meanSquaredError, rootMeanSquaredError } from './errors.js';
import { logLoss, perplexity } from './likelihood.js';
import type { AnyMetric } from './metric.js';
import { rSquared } from './r-squared.js';

/** Names of the metrics that need no options. */
export type MetricName =
  | 'accuracy'
  | 'top5Accuracy'
  | 'meanAbsoluteError'
  | 'meanSquaredError'
  | 'rootMeanSquaredError'
  | 'rSquared'
  | 'precision'
  | 'recall'
  | 'f1'
  | 'rocAuc'
  | 'prAuc'
  | 'logLoss'
  | 'perplexity'
  | 'calibrationError';

const METRICS: Readonly<Record<MetricName, () => AnyMetric>> = {
  accuracy: () => accuracy(),
  top5Accuracy: () => topKAccuracy(5),
  meanAbsoluteError: () => meanAbsoluteError(),
  meanSquaredError: () => meanSquaredError(),
  rootMeanSquaredError: () => rootMeanSquaredError(),
  rSquared: () => rSquared(),
  precision: () => precision(),
  recall: () => recall(),
  f1: () => f1(),
  rocAuc: () => rocAuc(),
  prAuc: () => prAuc(),
  logLoss: () => logLoss(),
  perplexity: () => perplexity(),
  calibrationError: () => calibrationError(),
};

/**
 * The metric of this name.
 * @throws OptionError for a name nobody knows.
 */
export function metricByName(name: MetricName): AnyMetric {
  if (Object.hasOwn(METRICS, name)) return METRICS[name]();
  const known = Object.keys(METRICS);
  throw new OptionError(
    `metric: no metric is called "${String(name)}"; known: ${known.join(', ')}.${didYouMean(String(name), known)}`,
  );
}
