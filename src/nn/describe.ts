import type { DType, Shape } from '../core.js';

/** `[64, 28, 28]` */
export function showShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** `float32 [64, 28, 28]` */
export function showType(x: { readonly dtype: DType; readonly shape: Shape }): string {
  return `${x.dtype} ${showShape(x.shape)}`;
}
