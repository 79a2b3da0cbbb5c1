export {
  ELU,
  GELU,
  type GELUApproximation,
  Identity,
  LeakyReLU,
  LogSoftmax,
  ReLU,
  Sigmoid,
  SiLU,
  Softmax,
  Softplus,
  Tanh,
} from './activations.js';
export * as init from './init.js';
export { Dropout, Flatten } from './layers.js';
export { Linear, type LinearOptions } from './linear.js';
export type { LoadOptions, LoadReport } from './load.js';
export { type AnyModule, Module } from './module.js';
export { Sequential } from './sequential.js';
export type { SummaryOptions } from './summary.js';
