import { PictureDraws } from './draws.js';

/** Smooth random numbers on a torus: every window of it is a displacement field of its own. */
export interface Field {
  readonly values: Float32Array;
  /** Side, a power of two. */
  readonly side: number;
}

const MIN_SIDE = 256;
const MAX_SIDE = 2048;

/**
 * Uniform noise in [-1, 1] under a Gaussian of standard deviation `sigma`, cut off at four of them, on a torus at least twice as
 * wide as the pictures. Pictures take windows at random places instead of noise of their own: blurring for each one would cost
 * ten times as much as resampling it.
 * Source: Simard, Steinkraus, Platt, Best practices for convolutional neural networks applied to visual document analysis (2003).
 */
export function smoothField(
  key: readonly [number, number],
  number: number,
  sigma: number,
  height: number,
  width: number,
): Field {
  const wanted = Math.max(MIN_SIDE, 2 * Math.max(height, width), 16 * sigma);
  const side = Math.min(MAX_SIDE, 2 ** Math.ceil(Math.log2(wanted)));
  const draws = new PictureDraws(key, 'field').of(0, number);
  const values = new Float32Array(side * side);
  for (let i = 0; i < values.length; i++) values[i] = 2 * draws.uniform() - 1;
  const taps = gaussian(sigma, side);
  const between = new Float32Array(values.length);
  blur(values, between, side, taps, 1, side);
  blur(between, values, side, taps, side, 1);
  return { values, side };
}

/** Weights of distance 0, 1, …, which sum to 1 over both sides. */
function gaussian(sigma: number, side: number): Float64Array {
  const radius = Math.min(Math.ceil(4 * sigma), side / 2 - 1);
  const taps = Float64Array.from({ length: radius + 1 }, (_, d) => Math.exp(-(d * d) / (2 * sigma * sigma)));
  const total = taps.reduce((sum, w, d) => sum + (d === 0 ? w : 2 * w), 0);
  return taps.map((w) => w / total);
}

/** Filters along one axis: neighbours are `step` apart, lines `line`. */
function blur(from: Float32Array, to: Float32Array, side: number, taps: Float64Array, step: number, line: number) {
  const mask = side - 1;
  for (let l = 0; l < side; l++) {
    const base = l * line;
    for (let i = 0; i < side; i++) {
      let sum = taps[0] * from[base + i * step];
      for (let d = 1; d < taps.length; d++) {
        sum += taps[d] * (from[base + ((i - d) & mask) * step] + from[base + ((i + d) & mask) * step]);
      }
      to[base + i * step] = sum;
    }
  }
}
