export { type EvaluateOptions, evaluate, type PredictOptions, predict } from './evaluate.js';
export type {
  EndEvent,
  EpochEvent,
  EpochRecord,
  History,
  ProgressEvent,
  RunEvent,
  StartEvent,
} from './events.js';
export { type FitOptions, fit } from './fit.js';
export type { DataLike, ObjectiveOptions } from './objective.js';
export { ProgressReporter, type ProgressStream } from './progress.js';
export { Run } from './run.js';
