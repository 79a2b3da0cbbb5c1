export type { DataLike, Inputs } from './batch.js';
export type { Callback, Snapshot, TrainContext } from './callback.js';
export * as callbacks from './callbacks/index.js';
export { type EvaluateOptions, evaluate } from './evaluate.js';
export type {
  CheckpointEvent,
  EndEvent,
  EpochEvent,
  EpochRecord,
  History,
  ProgressEvent,
  RunEvent,
  StartEvent,
  StepEvent,
} from './events.js';
export { fit } from './fit.js';
export { type LrFinderOptions, type LrFinderResult, lrFinder } from './lr-finder.js';
export type { LossOf, ObjectiveOptions } from './objective.js';
export type { FitOptions } from './options.js';
export { Prediction, type PredictOptions, predict } from './predict.js';
export { ProgressReporter, type ProgressStream } from './progress.js';
export { Run } from './run.js';
