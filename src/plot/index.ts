export { type CurveData, learningCurve } from './learning-curve.js';
export { type Chart, type ChartSize, lineCharts, type Series } from './svg.js';
