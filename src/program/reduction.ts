import type { Shape } from '../shape.js';

/** [outer, r, inner] of a reduction over `axes`, or null when those axes are not next to each other. */
export function reductionShape(
  shape: Shape,
  axes: readonly number[],
): { outer: number; r: number; inner: number } | null {
  const reduced = new Set(axes);
  let outer = 1;
  let r = 1;
  let inner = 1;
  let seen = false;
  let closed = false;
  for (let i = 0; i < shape.length; i++) {
    if (shape[i] === 1) continue; // belongs to any of the three
    if (reduced.has(i)) {
      if (closed) return null;
      seen = true;
      r *= shape[i];
    } else if (seen) {
      closed = true;
      inner *= shape[i];
    } else {
      outer *= shape[i];
    }
  }
  return { outer, r, inner };
}

/** Axis order that puts the reduced axes last. */
export function reducedLast(rank: number, axes: readonly number[]): number[] {
  const reduced = new Set(axes);
  const all = Array.from({ length: rank }, (_, i) => i);
  return [...all.filter((i) => !reduced.has(i)), ...axes];
}
