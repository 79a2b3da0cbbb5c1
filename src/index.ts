/** Neurite: neural networks for Node.js. */

export * as augment from './augment/index.js';
export * as classic from './classic/index.js';
export * from './core.js';
export * as data from './data/index.js';
export * as diagnostics from './diagnostics/index.js';
export * as distributions from './distributions/index.js';
export * as io from './io/index.js';
export * from './losses/index.js';
export * as metrics from './metrics/index.js';
export * as nn from './nn/index.js';
export * as optim from './optim/index.js';
export * as plot from './plot/index.js';
export * as preprocess from './preprocess/index.js';
export * as schedules from './schedules/index.js';
export * from './train/index.js';
