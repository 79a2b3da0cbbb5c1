export { Adagrad, type AdagradOptions } from './adagrad.js';
export { Adam, type AdamOptions, AdamW } from './adam.js';
export { type OptimizerName, optimizerByName } from './names.js';
export {
  Optimizer,
  type OptimizerOptions,
  type ParameterGroup,
  type ParameterStep,
  type StepResult,
} from './optimizer.js';
export type { LearningRate } from './options.js';
export { RMSprop, type RMSpropOptions } from './rmsprop.js';
export { SGD, type SGDOptions } from './sgd.js';
