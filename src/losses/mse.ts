import { square, sub, type Tensor } from '../core.js';
import { checkSameShape } from './check.js';
import { type LossOptions, reduce } from './reduction.js';

/**
 * Mean squared error: mean of (output − target)².
 *
 * @param outputs any shape, float.
 * @param targets the same shape; nothing is broadcast.
 * @param options `reduction`, default 'mean' over all elements.
 * @returns a scalar, or the squared errors with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ.
 * @example mse(tensor([1, 2]), tensor([1, 4])); // 2
 * @see PyTorch, torch.nn.functional.mse_loss.
 */
export function mse(outputs: Tensor, targets: Tensor, options: LossOptions = {}): Tensor {
  checkSameShape('mse', outputs, targets);
  return reduce('mse', square(sub(outputs, targets)), options);
}
