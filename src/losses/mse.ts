import { equal, mul, sqrt, square, sub, type Tensor, where } from '../core.js';
import { checkFloat, checkSameShape } from './check.js';
import { checkLossOptions, type LossOptions, reduce } from './reduction.js';

export interface MseOptions extends LossOptions {
  /** ½·(output − target)², whose gradient is the error itself (default false). */
  readonly half?: boolean;
}

/**
 * Mean squared error: mean of (output − target)², or of half of it.
 *
 * @param outputs any shape, float.
 * @param targets the same shape; nothing is broadcast.
 * @param options `reduction`, default 'mean' over all elements; `weights`; `half`, default false.
 * @returns a scalar, or the squared errors with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ; DTypeError when the dtypes do not mix.
 * @example mse(tensor([1, 2]), tensor([1, 4])); // 2
 * @see PyTorch, torch.nn.functional.mse_loss.
 */
export function mse(outputs: Tensor, targets: Tensor, options: MseOptions = {}): Tensor {
  checkLossOptions('mse', options, ['half']);
  checkSameShape('mse', outputs, targets);
  const squared = square(sub(outputs, targets));
  return reduce('mse', options.half === true ? mul(squared, 0.5) : squared, options);
}

/**
 * Root mean squared error: √ of {@link mse} with the same reduction; the derivative where it is 0 is taken as 0.
 *
 * @param outputs any shape, float.
 * @param targets the same shape.
 * @param options `reduction`: 'mean' (default) √mean, 'sum' √sum, 'none' |output − target|; `weights`.
 * @returns a scalar in the unit of the outputs, or the absolute errors with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ.
 * @example rmse(tensor([1, 2]), tensor([1, 4])); // 1.4142
 */
export function rmse(outputs: Tensor, targets: Tensor, options: LossOptions = {}): Tensor {
  checkLossOptions('rmse', options);
  checkFloat('rmse', outputs);
  checkSameShape('rmse', outputs, targets);
  const s = reduce('rmse', square(sub(outputs, targets)), options);
  // The root is not differentiable at 0; both sides of the choice stay finite.
  const zero = equal(s, 0);
  return where(zero, 0, sqrt(where(zero, 1, s)));
}
