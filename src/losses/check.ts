import { cast, DTypeError, isFloat, OptionError, ShapeError, Tensor } from '../core.js';
import { shown } from '../options.js';
import { sameShape, sizeOf } from '../shape.js';

/** Throws unless `x` is a tensor. */
export function checkTensor(loss: string, x: unknown, what: string): void {
  if (x instanceof Tensor) return;
  throw new DTypeError(`${loss}: ${what}: got ${shown(x)}, expected a Tensor; wrap data in tensor(...)`);
}

/** Broadcasting [n, 1] against [n] would silently compare every output with every target. */
export function checkSameShape(loss: string, outputs: Tensor, targets: Tensor, what = 'targets'): void {
  checkTensor(loss, outputs, 'outputs');
  checkTensor(loss, targets, what);
  if (sameShape(outputs.shape, targets.shape)) return;
  const hint =
    sizeOf(outputs.shape) === sizeOf(targets.shape) ? `; reshape the ${what} to [${outputs.shape.join(', ')}]` : '';
  throw new ShapeError(
    `${loss}: got outputs [${outputs.shape.join(', ')}] and ${what} [${targets.shape.join(', ')}], expected equal shapes${hint}`,
  );
}

/** Throws unless the tensor is float. */
export function checkFloat(loss: string, x: Tensor, what = 'outputs'): void {
  checkTensor(loss, x, what);
  if (!isFloat(x.dtype)) throw new DTypeError(`${loss}: got ${x.dtype} ${what}, expected float32 or float64`);
}

/** Float outputs and targets of one shape; targets that are not float are converted. */
export function floatTargets(loss: string, outputs: Tensor, targets: Tensor): Tensor {
  checkFloat(loss, outputs);
  checkSameShape(loss, outputs, targets);
  return isFloat(targets.dtype) ? targets : cast(targets, outputs.dtype);
}

/** Returns `value` when it is a finite number above `low`, or equal to it with `closed`. */
export function numberAbove(where: string, what: string, value: unknown, low: number, closed = false): number {
  const inside = typeof value === 'number' && Number.isFinite(value) && (closed ? value >= low : value > low);
  if (inside) return value;
  throw new OptionError(
    `${where}: ${what} is ${String(value)}, expected a finite number ${closed ? '>=' : '>'} ${low}`,
  );
}
