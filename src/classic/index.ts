export { ABSTAIN, type DecideOptions, LogisticRegression, SoftmaxRegression } from './classification.js';
export type { LabelledData, LearnOptions, LinearModelOptions } from './model.js';
export { type Convergence, Perceptron, type PerceptronLearnOptions } from './perceptron.js';
export { LinearRegression } from './regression.js';
