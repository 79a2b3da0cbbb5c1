export { accuracy, topKAccuracy } from './accuracy.js';
export { confusionMatrix } from './confusion-matrix.js';
export { meanAbsoluteError, meanSquaredError, rootMeanSquaredError } from './errors.js';
export { type Metric, RunningMetric } from './metric.js';
export { type MetricName, metricByName } from './names.js';
