import { OptionError } from '../errors.js';
import { macrotask } from '../macrotask.js';
import { philox4x32 } from '../philox.js';
import { streamKey, takeIndices } from './rng.js';

/** Swaps between two yields of `permuting`: a few milliseconds. */
const SWAPS_PER_YIELD = 65536;

/** Fisher–Yates in pieces, so that the caller may let the event loop run in between. */
function* permuting(n: number, seed?: number): Generator<void, Int32Array, void> {
  if (!Number.isInteger(n) || n < 0 || n > 0x7fffffff) {
    throw new OptionError(`permutation: got ${String(n)}, expected a whole number in [0, 2^31)`);
  }
  if (seed !== undefined && (!Number.isSafeInteger(seed) || seed < 0)) {
    throw new OptionError(`permutation: seed is ${String(seed)}, expected a whole number in [0, 2^53)`);
  }
  const [k0, k1] = seed === undefined ? streamKey('data') : [seed >>> 0, Math.floor(seed / 2 ** 32)];
  const index = seed === undefined ? takeIndices('data', 1) : 0;
  const words = new Uint32Array(4);
  let block = 0;
  let used = 4;
  const next = (): number => {
    if (used === 4) {
      philox4x32(words, block++, 0, index >>> 0, Math.floor(index / 2 ** 32), k0, k1);
      used = 0;
    }
    return words[used++];
  };
  const order = new Int32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  for (let i = n - 1; i > 0; i--) {
    // Uniform in [0, i] without bias: enough bits, drawn again while too large (fewer than two draws on average).
    const shift = Math.clz32(i);
    let j = next() >>> shift;
    while (j > i) j = next() >>> shift;
    const swap = order[i];
    order[i] = order[j];
    order[j] = swap;
    if (i % SWAPS_PER_YIELD === 0) yield;
  }
  return order;
}

/**
 * A random order of 0 … n - 1 (Fisher–Yates), every order equally likely.
 * @param n whole number in [0, 2^31).
 * @param seed whole number in [0, 2^53) for an order that depends on nothing else; without it the order is the next one of
 * the 'data' stream, which `seed()` restarts.
 * @throws OptionError when n or seed is out of range.
 * @example permutation(3); // such as Int32Array [2, 0, 1]
 */
export function permutation(n: number, seed?: number): Int32Array {
  const steps = permuting(n, seed);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

/** {@link permutation} that lets the event loop run every few milliseconds, for large n. */
export async function permutationAsync(n: number, seed?: number): Promise<Int32Array> {
  const steps = permuting(n, seed);
  let step = steps.next();
  while (step.done !== true) {
    await macrotask();
    step = steps.next();
  }
  return step.value;
}
