export type { GradientOf } from './arguments.js';
export { type CustomGradContext, checkpoint, customGrad } from './custom.js';
export { type Differentiable, type Gradients, grad, type LossResult, valueAndGrad, vjp } from './grad.js';
export { type Checked, type GradcheckOptions, gradcheck } from './gradcheck.js';
export { hessian, hvp, type JacobianOf, type JacobianOptions, jacobian } from './jacobian.js';
export { jvp } from './jvp.js';
export { perSampleGrad } from './per-sample.js';
export { type Axes, type VmapOptions, vmap } from './vmap.js';
