import { type DType, DTypeError, OptionError, type Shape, Tensor } from '../core.js';
import { shown } from '../options.js';

/** `[64, 28, 28]` */
export function showShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** `float32 [64, 28, 28]` */
export function showType(x: { readonly dtype: DType; readonly shape: Shape }): string {
  return `${x.dtype} ${showShape(x.shape)}`;
}

/** Throws unless `model` is a module. */
export function checkModule(where: string, model: unknown): void {
  if (typeof (model as { namedModules?: unknown } | null | undefined)?.namedModules === 'function') return;
  throw new OptionError(`${where}: got ${shown(model)} as model, expected an nn.Module`);
}

/** Throws for an array or anything else in the place of a layer's input. */
export function checkTensor(label: string, x: unknown): asserts x is Tensor {
  if (x instanceof Tensor) return;
  const hint = Array.isArray(x) || ArrayBuffer.isView(x) ? '; write tensor(x)' : '';
  throw new DTypeError(`${label}: got ${shown(x)}, expected a Tensor${hint}`);
}
