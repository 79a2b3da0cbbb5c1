export { type BarsOptions, bars } from './bars.js';
export type { AxesOptions, PlotOptions, PlotSize, ScaleName } from './check.js';
export type { ColourMap } from './colours.js';
export { type CurveLike, calibration, precisionRecall, roc } from './curves.js';
export { type BoundaryModel, type DecisionBoundaryOptions, decisionBoundary } from './decision-boundary.js';
export { type ConfusionMatrixOptions, confusionMatrix, type HeatmapOptions, heatmap, type Matrix } from './heatmap.js';
export { type Bins, type HistogramOptions, histogram, histogramCounts } from './histogram.js';
export { type ImageBatch, type ImageGridOptions, imageGrid } from './image-grid.js';
export { type CurveData, type LearningCurveOptions, learningCurve } from './learning-curve.js';
export { type LinesOptions, lines, type Series, type SeriesLike } from './lines.js';
export { type LossSurfaceOptions, lossSurface, type Surface, type SurfacePath } from './loss-surface.js';
export { type PageOptions, page } from './page.js';
export { type PngOptions, save, toPng } from './save.js';
export { type ScatterOptions, scatter } from './scatter.js';
export {
  hiddenWidth,
  type LayerOptions,
  type LrCurve,
  layers,
  lrFinder,
  schedule,
  type WidthCurve,
} from './training.js';
export { type UnrolledRnnOptions, unrolledRnn } from './unrolled-rnn.js';
