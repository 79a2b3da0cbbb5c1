export { Adadelta, type AdadeltaOptions } from './adadelta.js';
export { Adafactor, type AdafactorOptions } from './adafactor.js';
export { Adagrad, type AdagradOptions } from './adagrad.js';
export { Adam, type AdamOptions, AdamW } from './adam.js';
export {
  Adamax,
  type AdamaxOptions,
  NAdam,
  type NAdamOptions,
  RAdam,
  type RAdamOptions,
} from './adam-variants.js';
export { type ConjugateGradientOptions, conjugateGradient } from './conjugate-gradient.js';
export { EMA, type EMAOptions } from './ema.js';
export { FusedOptimizer } from './fused.js';
export { LAMB, type LAMBOptions, LARS, type LARSOptions } from './layerwise.js';
export { Lion, type LionOptions } from './lion.js';
export {
  type MinimizeMethod,
  type MinimizeOptions,
  type MinimizeResult,
  type MinimizeStep,
  minimize,
} from './minimize.js';
export { Muon, type MuonOptions } from './muon.js';
export { type OptimizerName, optimizerByName } from './names.js';
export type { Unknowns } from './objective.js';
export {
  Optimizer,
  type OptimizerOptions,
  type ParameterGroup,
  type ParameterStep,
  type StepResult,
  type StepSettings,
} from './optimizer.js';
export type { LearningRate } from './options.js';
export { RMSprop, type RMSpropOptions } from './rmsprop.js';
export { type MomentumForm, SGD, type SGDOptions } from './sgd.js';
export { DeltaBarDelta, type DeltaBarDeltaOptions, Rprop, type RpropOptions } from './step-sizes.js';
