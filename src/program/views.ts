import type { View } from '../graph/op.js';
import { type Shape, sizeOf, stridesOf } from '../shape.js';

export function denseView(shape: Shape): View {
  return { shape, offset: 0, strides: stridesOf(shape) };
}

/** Whether the window walks memory from its start without gaps, in row-major order. */
export function isDense(view: View): boolean {
  if (view.offset !== 0) return false;
  let expected = 1;
  for (let i = view.shape.length - 1; i >= 0; i--) {
    if (view.shape[i] === 0) return true;
    if (view.shape[i] !== 1 && view.strides[i] !== expected) return false;
    expected *= view.shape[i];
  }
  return true;
}

/** The window repeated over `shape` by NumPy's rules. */
export function broadcastView(view: View, shape: Shape): View {
  const lead = shape.length - view.shape.length;
  const strides = shape.map((d, i) =>
    i < lead || (view.shape[i - lead] === 1 && d !== 1) ? 0 : view.strides[i - lead],
  );
  return { shape, offset: view.offset, strides };
}

/** Drops dimensions of size 1 and merges neighbours that every window walks as one. All have the same shape. */
export function collapse(
  shape: Shape,
  strides: readonly (readonly number[])[],
): { dims: number[]; strides: number[][] } {
  const dims: number[] = [];
  const out: number[][] = strides.map(() => []);
  if (sizeOf(shape) === 0) return { dims: [0], strides: strides.map(() => [1]) };
  for (let i = 0; i < shape.length; i++) {
    if (shape[i] === 1) continue;
    const last = dims.length - 1;
    const merges = last >= 0 && strides.every((s, k) => out[k][last] === s[i] * shape[i]);
    if (merges) {
      dims[last] *= shape[i];
      for (let k = 0; k < strides.length; k++) out[k][last] = strides[k][i];
    } else {
      dims.push(shape[i]);
      for (let k = 0; k < strides.length; k++) out[k].push(strides[k][i]);
    }
  }
  return { dims, strides: out };
}

/** The window with its axes in another order. */
export function permuteView(view: View, order: readonly number[]): View {
  return { shape: order.map((a) => view.shape[a]), offset: view.offset, strides: order.map((a) => view.strides[a]) };
}
