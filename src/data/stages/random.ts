import { Draws } from '../../core.js';
import type { Context } from './cursor.js';

/** MurmurHash3's finaliser: every bit of the input moves about half of the bits of the result. Source: Appleby (2011). */
function stir(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A seed below 2^53 that depends on every number of `parts` (below 2^53 each) and their order. */
function mixSeed(parts: readonly number[]): number {
  let low = 0x9e3779b9;
  let high = 0x7f4a7c15;
  for (const part of parts) {
    low = stir(low ^ (part >>> 0));
    high = stir(high ^ Math.floor(part / 2 ** 32) ^ low);
    low = stir((low + high) | 0);
  }
  return (high >>> 11) * 2 ** 32 + low;
}

/** Draws of one stage in one epoch, and in its `part`-th block when it has blocks. */
export function stageDraws(where: string, seed: number | undefined, context: Context, stage: number, part = 0): Draws {
  const from = seed === undefined ? context.key : [seed];
  return new Draws(where, mixSeed([...from, context.epoch, stage, part]));
}
