import { ShapeError, type Tensor } from '../core.js';
import { sameShape, sizeOf } from '../shape.js';

/** Broadcasting [n, 1] against [n] would silently compare every output with every target. */
export function checkSameShape(loss: string, outputs: Tensor, targets: Tensor): void {
  if (sameShape(outputs.shape, targets.shape)) return;
  const hint =
    sizeOf(outputs.shape) === sizeOf(targets.shape) ? `; reshape the targets to [${outputs.shape.join(', ')}]` : '';
  throw new ShapeError(
    `${loss}: got outputs [${outputs.shape.join(', ')}] and targets [${targets.shape.join(', ')}], expected equal shapes${hint}`,
  );
}
