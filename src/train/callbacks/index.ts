export { Checkpoint, type CheckpointOptions } from './checkpoint.js';
export { LearningRateSchedule, ReduceOnPlateau, type ReduceOnPlateauOptions } from './learning-rate.js';
export { EarlyStopping, type EarlyStoppingOptions, TerminateOnNaN, TimeLimit } from './stopping.js';
