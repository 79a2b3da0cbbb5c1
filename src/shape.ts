import { ShapeError } from './errors.js';
import { shown } from './options.js';

export type Shape = readonly number[];

/** Most elements a tensor can have; sizes and offsets in programs are int32. */
export const MAX_ELEMENTS = 2 ** 31 - 1;
export const MAX_RANK = 8;

/** Number of elements of `shape`. */
export function sizeOf(shape: Shape): number {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
}

/** Throws unless `shape` is an array; whether its numbers will do is the caller's to say. */
export function checkSizes(op: string, shape: unknown, what = 'shape'): void {
  if (!Array.isArray(shape))
    throw new ShapeError(`${op}: ${what} is ${shown(shape)}, expected an array such as [2, 3]`);
}

/** Throws unless `shape` is a legal shape: at most 8 whole, non-negative dimensions and fewer than 2^31 elements. */
export function checkShape(op: string, shape: Shape): void {
  checkSizes(op, shape);
  if (shape.length > MAX_RANK) throw new ShapeError(`${op}: rank ${shape.length} of [${shape}] is above ${MAX_RANK}`);
  for (const d of shape) {
    if (!Number.isSafeInteger(d) || d < 0 || Object.is(d, -0)) {
      throw new ShapeError(`${op}: dimension ${String(d)} of [${shape.map(String)}] is not a whole number >= 0`);
    }
  }
  // Zero-sized shapes are fine, but their other dimensions must not overflow either.
  let n = 1;
  for (const d of shape) if (d > 0) n *= d;
  if (n > MAX_ELEMENTS) throw new ShapeError(`${op}: [${shape}] has more than ${MAX_ELEMENTS} elements`);
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** NumPy broadcasting of several shapes. */
export function broadcastShapes(op: string, ...shapes: readonly Shape[]): Shape {
  let out = shapes[0];
  for (let s = 1; s < shapes.length; s++) {
    const b = shapes[s];
    if (sameShape(out, b)) continue;
    const rank = Math.max(out.length, b.length);
    const merged: number[] = new Array(rank);
    for (let i = 1; i <= rank; i++) {
      const x = i <= out.length ? out[out.length - i] : 1;
      const y = i <= b.length ? b[b.length - i] : 1;
      if (x !== y && x !== 1 && y !== 1) {
        throw new ShapeError(
          `${op}: shapes ${shapes.map((q) => `[${q}]`).join(' and ')} do not broadcast (${x} against ${y})`,
        );
      }
      merged[rank - i] = x === 1 ? y : x;
    }
    out = merged;
  }
  return out;
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides: number[] = new Array(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

/** `axis` counted from the front; negative counts from the back. */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  const a = Number.isInteger(axis) && axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(a) || a < 0 || a >= rank) {
    throw new ShapeError(`${op}: axis ${shown(axis)} is outside a tensor of rank ${rank}`);
  }
  return a;
}

/** Sorted, distinct, non-negative axes; undefined means all. */
export function normalizeAxes(op: string, axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  if (typeof axes !== 'number' && !Array.isArray(axes)) {
    throw new ShapeError(`${op}: axes is ${shown(axes)}, expected an axis or an array of them`);
  }
  const list = (typeof axes === 'number' ? [axes] : axes).map((a) => normalizeAxis(op, a, rank)).sort((a, b) => a - b);
  for (let i = 1; i < list.length; i++) {
    if (list[i] === list[i - 1]) throw new ShapeError(`${op}: axis ${list[i]} is given twice`);
  }
  return list;
}
