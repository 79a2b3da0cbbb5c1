/** The public engine: everything layers, losses, optimizers and training loops are written with. */
import './ops/methods.js';
import './engine/methods.js';

export {
  type Axes,
  type CustomGradContext,
  checkpoint,
  customGrad,
  type Differentiable,
  type GradientOf,
  type Gradients,
  grad,
  hessian,
  hvp,
  type JacobianOf,
  type JacobianOptions,
  jacobian,
  jvp,
  type LossResult,
  perSampleGrad,
  type VmapOptions,
  valueAndGrad,
  vjp,
  vmap,
} from './autodiff/index.js';
export type { DType, FloatDType, HostArray } from './dtype.js';
export { DTYPES, isFloat, itemSize } from './dtype.js';
export * from './engine/index.js';
export * from './errors.js';
export { Draws } from './graph/draws.js';
export { hostScalar } from './graph/feed.js';
export { permutation, permutationAsync } from './graph/philox.js';
export { type RandomState, randomState, restoreRandomState, seed } from './graph/rng.js';
export { Parameter, State } from './graph/state.js';
export { type Attrs, Tensor } from './graph/tensor.js';
export { guarded, withScope } from './graph/trace.js';
export * from './inspect/index.js';
export type { JsonValue } from './json.js';
export * from './ops/index.js';
export type { Shape } from './shape.js';
