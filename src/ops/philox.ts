import type { FloatDType } from '../dtype.js';
import { philox4x32 } from '../philox.js';

/** Where a random op draws: key of its stream, its index there, and the width of its numbers. */
export interface Draw {
  readonly key: readonly [number, number];
  readonly index: number;
  readonly dtype: FloatDType;
}

/** The first `count` words of a draw: word i is word i % 4 of the counter {i / 4, index}, each as low and high half. */
function words(count: number, { key, index }: Draw): Uint32Array {
  const out = new Uint32Array(Math.ceil(count / 4) * 4);
  for (let block = 0; block * 4 < count; block++) {
    philox4x32(out.subarray(block * 4), block, 0, index, Math.floor(index / 2 ** 32), key[0], key[1]);
  }
  return out;
}

/** Uniform in [0, 1): 24 bits of one word for float32, 53 bits of two (high word first) for float64. */
export function uniforms(n: number, at: Draw): Float64Array {
  const out = new Float64Array(n);
  if (at.dtype === 'float32') {
    const w = words(n, at);
    for (let i = 0; i < n; i++) out[i] = (w[i] >>> 8) * 2 ** -24;
  } else {
    const w = words(2 * n, at);
    for (let i = 0; i < n; i++) out[i] = (w[2 * i] * 2 ** 21 + (w[2 * i + 1] >>> 11)) * 2 ** -53;
  }
  return out;
}

/**
 * 1 for the elements that dropout keeps. float64: uniform >= p. float32: 16 bits >= p 2^16, rounded; of 64 words the low halves
 * are for 64 elements, the high halves for the next 64.
 */
export function kept(n: number, p: number, at: Draw): Float64Array {
  if (at.dtype === 'float64') return uniforms(n, at).map((u) => Number(u >= p));
  const w = words(Math.ceil(n / 128) * 64, at);
  const limit = Math.floor(p * 2 ** 16 + 0.5);
  return Float64Array.from({ length: n }, (_, i) => {
    const word = w[64 * Math.floor(i / 128) + (i % 64)];
    return Number((i % 128 < 64 ? word & 0xffff : word >>> 16) >= limit);
  });
}

/** Standard normal: Box-Muller on pairs of 24-bit draws, the same for both dtypes; u + 2^-24 keeps the logarithm finite. */
export function normals(n: number, at: Draw): Float64Array {
  const w = words(n + (n % 2), at);
  const out = new Float64Array(n);
  for (let i = 0; i < n; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(((w[i] >>> 8) + 1) * 2 ** -24));
    const angle = 2 * Math.PI * (w[i + 1] >>> 8) * 2 ** -24;
    out[i] = radius * Math.cos(angle);
    if (i + 1 < n) out[i + 1] = radius * Math.sin(angle);
  }
  return out;
}
