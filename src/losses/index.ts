export {
  type BinaryCrossEntropyOptions,
  binaryCrossEntropy,
  type FocalOptions,
  focalLoss,
} from './binary-cross-entropy.js';
export {
  type CategoricalCrossEntropyOptions,
  type CrossEntropyOptions,
  categoricalCrossEntropy,
  checkLabels,
  crossEntropy,
  type NllOptions,
  nllLoss,
  sparseCategoricalCrossEntropy,
} from './cross-entropy.js';
export {
  type GaussianNllOptions,
  gaussianNllLoss,
  type KlDivergenceOptions,
  klDivergence,
  type PoissonNllOptions,
  poissonNllLoss,
} from './likelihood.js';
export {
  type ContrastiveOptions,
  type CosineOptions,
  contrastiveLoss,
  cosineLoss,
  type HingeOptions,
  hingeLoss,
  type TripletOptions,
  tripletLoss,
  wassersteinLoss,
} from './margin.js';
export { type MseOptions, mse, rmse } from './mse.js';
export { type Loss, type LossName, lossByName } from './names.js';
export type { LossOptions, Reduction } from './reduction.js';
export {
  type HuberOptions,
  huberLoss,
  logCoshLoss,
  mae,
  type QuantileOptions,
  quantileLoss,
  type SmoothL1Options,
  smoothL1Loss,
} from './robust.js';
