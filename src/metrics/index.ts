export { accuracy, topKAccuracy } from './accuracy.js';
export {
  type CalibrationOptions,
  calibrationError,
  type Reliability,
  type ReliabilityBin,
  reliability,
} from './calibration.js';
export {
  type Average,
  type ClassificationReport,
  type ClassMetricOptions,
  type ClassScores,
  ConfusionCounts,
  classificationReport,
  f1,
  precision,
  recall,
} from './classification.js';
export { confusionMatrix } from './confusion-matrix.js';
export {
  type CurveMetricOptions,
  type PrecisionRecallCurve,
  prAuc,
  precisionRecallCurve,
  type RocCurve,
  rocAuc,
  rocCurve,
} from './curves.js';
export { meanAbsoluteError, meanSquaredError, rootMeanSquaredError } from './errors.js';
export { type LogLossOptions, logLoss, perplexity } from './likelihood.js';
export { type Accumulator, type AnyMetric, type Metric, measure, RunningMetric, type StreamMetric } from './metric.js';
export { type MetricName, metricByName } from './names.js';
export { rSquared } from './r-squared.js';
