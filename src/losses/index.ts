export { type BinaryCrossEntropyOptions, binaryCrossEntropy } from './binaryCrossEntropy.js';
export { checkLabels, crossEntropy } from './crossEntropy.js';
export { mse } from './mse.js';
export { type Loss, type LossName, lossByName } from './names.js';
export type { LossOptions, Reduction } from './reduction.js';
