export {
  type Differentiable,
  type GradientOf,
  type Gradients,
  grad,
  type LossResult,
  valueAndGrad,
  vjp,
} from './grad.js';
export { type Checked, type GradcheckOptions, gradcheck } from './gradcheck.js';
