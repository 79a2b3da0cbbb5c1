export { type BalancedOptions, balancedSample, classWeights, labelsOf, sampleWeights } from './balance.js';
export { type BatchOptions, type DataInput, type DatasetOptions, type SplitOptions, TensorDataset } from './dataset.js';
export type { ByteSource } from './files/bytes.js';
export type { Column, ColumnType, Field } from './files/columns.js';
export { type CsvOptions, type CsvTable, openCsv, type Row } from './files/csv.js';
export { type JsonLinesOptions, jsonLines } from './files/jsonl.js';
export { type NpyRowsOptions, openNpy } from './files/npy.js';
export {
  type CrossValidation,
  crossValidate,
  type Fold,
  groupKFold,
  type KFoldOptions,
  kFold,
  stratifiedKFold,
  type TimeSeriesOptions,
  timeSeriesSplit,
} from './folds.js';
export { type BlobOptions, blobs, circles, moons, type PointOptions, spirals, xor } from './generators.js';
export {
  type BalanceOptions,
  type Batch,
  type Collated,
  type IterateOptions,
  type MapOptions,
  Pipeline,
  type PipelineBatchOptions,
  type ShapedArray,
  type ShuffleOptions,
  type TensorTree,
} from './pipeline.js';
export {
  type ClassificationOptions,
  classification,
  type Regression,
  type RegressionOptions,
  regression,
} from './problems.js';
export {
  type Labels,
  type SplitIndicesOptions,
  splitIndices,
  type TrainDevTestOptions,
  trainDevTest,
} from './splits.js';
export type { PipelineIterator } from './stages/iterator.js';
export type { Sample, SampleValue, Source } from './stages/sources.js';
export {
  type GaussianNoiseOptions,
  gaussianNoise,
  type InterpolateOptions,
  interpolate,
  type SmoteOptions,
  type SwapNoiseOptions,
  smote,
  swapNoise,
} from './tabular.js';
