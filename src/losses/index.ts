export { type BinaryCrossEntropyOptions, binaryCrossEntropy } from './binary-cross-entropy.js';
export { checkLabels, crossEntropy } from './cross-entropy.js';
export { mse } from './mse.js';
export { type Loss, type LossName, lossByName } from './names.js';
export type { LossOptions, Reduction } from './reduction.js';
