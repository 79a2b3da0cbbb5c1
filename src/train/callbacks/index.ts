export { Checkpoint, type CheckpointOptions } from './checkpoint.js';
export { LearningRateSchedule, ReduceOnPlateau, type ReduceOnPlateauOptions } from './learning-rate.js';
export { CsvLogger, JsonlLogger } from './logs.js';
export { ProgressBar, type ProgressBarOptions } from './progress-bar.js';
export { EarlyStopping, type EarlyStoppingOptions, TerminateOnNaN, TimeLimit } from './stopping.js';
export { TensorBoard, type TensorBoardOptions } from './tensorboard.js';
