import type { Field } from './field.js';
import type { Fill } from './steps.js';

/** Where a picture's pixels come from: position (a·x + b·y + c, d·x + e·y + f) of the source for pixel (x, y). */
export interface Mapping {
  a: number;
  b: number;
  c: number;
  d: number;
  e: number;
  f: number;
  /** Displacement of each pixel: windows of `field` at (ux, uy) and (vx, vy), turned by the matrix `[[p, q], [r, s]]`. */
  field: Field | null;
  ux: number;
  uy: number;
  vx: number;
  vy: number;
  p: number;
  q: number;
  r: number;
  s: number;
}

/** Pixels of a frame around a picture: one before it, two after it, so that the four neighbours of any position exist. */
export const FRAME = 3;

/**
 * Copies a picture `[height, width, channels]` into the middle of a frame of fill values, which the resampling then need not test for.
 */
export function framed(
  from: Uint8Array | Float32Array,
  start: number,
  to: Float32Array,
  [height, width, channels]: readonly [number, number, number],
  fill: number,
): void {
  const line = (width + FRAME) * channels;
  to.fill(fill, 0, line * (height + FRAME));
  for (let y = 0; y < height; y++) {
    const row = (y + 1) * line + channels;
    const source = start + y * width * channels;
    for (let x = 0; x < width * channels; x++) to[row + x] = from[source + x];
  }
}

/**
 * Bilinear resampling of a framed picture `[height, width, channels]` at the positions of `map`; a whole number of pixels gives
 * the pixels themselves. Positions outside take the frame (constant fill), the nearest pixel, or the mirrored one.
 */
export function resample(
  source: Float32Array,
  [height, width, channels]: readonly [number, number, number],
  out: Float32Array,
  outHeight: number,
  outWidth: number,
  map: Mapping,
  fill: Fill,
): void {
  const { a, b, c, d, e, f, field, p, q, r, s } = map;
  const line = (width + FRAME) * channels;
  const constant = typeof fill === 'number';
  const mirror = fill === 'reflect';
  // In the frame's coordinates, which begin one pixel before the picture's.
  const low = constant ? 0 : 1;
  const right = constant ? width + 1 : width;
  const bottom = constant ? height + 1 : height;
  const values = field === null ? NONE : field.values;
  const side = field === null ? 1 : field.side;
  const mask = side - 1;
  let at = 0;
  for (let y = 0; y < outHeight; y++) {
    const rowU = ((map.uy + y) & mask) * side;
    const rowV = ((map.vy + y) & mask) * side;
    const startX = b * y + c + 1;
    const startY = e * y + f + 1;
    for (let x = 0; x < outWidth; x++) {
      let sx = startX + a * x;
      let sy = startY + d * x;
      if (field !== null) {
        const u = values[rowU + ((map.ux + x) & mask)];
        const v = values[rowV + ((map.vx + x) & mask)];
        sx += p * u + q * v;
        sy += r * u + s * v;
      }
      if (mirror) {
        sx = fold(sx - 1, width) + 1;
        sy = fold(sy - 1, height) + 1;
      }
      sx = sx < low ? low : sx > right ? right : sx;
      sy = sy < low ? low : sy > bottom ? bottom : sy;
      const ix = sx | 0;
      const iy = sy | 0;
      const fx = sx - ix;
      const fy = sy - iy;
      let i = iy * line + ix * channels;
      for (let k = 0; k < channels; k++, i++) {
        const top = source[i] + fx * (source[i + channels] - source[i]);
        const under = source[i + line] + fx * (source[i + line + channels] - source[i + line]);
        out[at++] = top + fy * (under - top);
      }
    }
  }
}

const NONE = new Float32Array(1);

/** The position within [0, n - 1] that mirroring at the first and last pixel leads to. */
function fold(x: number, n: number): number {
  if (n === 1) return 0;
  const period = 2 * (n - 1);
  const t = Math.abs(x) % period;
  return t > n - 1 ? period - t : t;
}
