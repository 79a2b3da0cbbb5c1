import { OptionError } from '../errors.js';
import { shown } from '../options.js';
import { philox4x32 } from '../philox.js';
import { streamKey, takeIndices } from './rng.js';

/**
 * Random numbers on the host, for data of your own: from the next index of the 'data' stream, or from a seed. What a call
 * gives depends on the calls before it.
 *
 * @param where what messages call the user of the seed.
 * @param seed whole number in [0, 2^53); without it the 'data' stream of `seed()`.
 * @throws OptionError for another seed.
 * @example
 * const random = new Draws('noise', 1);
 * const noisy = values.map((v) => v + 0.1 * random.normal());
 */
export class Draws {
  readonly #words = new Uint32Array(4);
  readonly #key: readonly [number, number];
  readonly #index: number;
  #block = 0;
  #used = 4;
  #spare = Number.NaN;

  constructor(where: string, seed?: number) {
    if (seed !== undefined && (!Number.isSafeInteger(seed) || seed < 0)) {
      throw new OptionError(`${where}: seed is ${String(seed)}, expected a whole number in [0, 2^53)`);
    }
    this.#key = seed === undefined ? streamKey('data') : [seed >>> 0, Math.floor(seed / 2 ** 32)];
    this.#index = seed === undefined ? takeIndices('data', 1) : 0;
  }

  #word(): number {
    if (this.#used === 4) {
      const [k0, k1] = this.#key;
      // 1 in the second place: `permutation` of the same seed uses 0.
      philox4x32(this.#words, this.#block++, 1, this.#index >>> 0, Math.floor(this.#index / 2 ** 32), k0, k1);
      this.#used = 0;
    }
    return this.#words[this.#used++];
  }

  /** Uniform in [0, 1), 53 bits. */
  uniform(): number {
    const high = this.#word() >>> 5;
    return (high * 2 ** 26 + (this.#word() >>> 6)) / 2 ** 53;
  }

  /** Standard normal, by Marsaglia's polar method. */
  normal(): number {
    if (!Number.isNaN(this.#spare)) {
      const value = this.#spare;
      this.#spare = Number.NaN;
      return value;
    }
    for (;;) {
      const x = 2 * this.uniform() - 1;
      const y = 2 * this.uniform() - 1;
      const s = x * x + y * y;
      if (s >= 1 || s === 0) continue;
      const scale = Math.sqrt((-2 * Math.log(s)) / s);
      this.#spare = y * scale;
      return x * scale;
    }
  }

  /** Whole number in [0, n), without bias; 1 <= n <= 2^31. */
  below(n: number): number {
    if (!(Number.isInteger(n) && n >= 1 && n <= 2 ** 31)) {
      throw new OptionError(`below: got ${shown(n)}, expected a whole number in [1, 2^31]`);
    }
    const shift = Math.clz32(n - 1);
    if (n === 1) return 0;
    let j = this.#word() >>> shift;
    while (j >= n) j = this.#word() >>> shift;
    return j;
  }

  /** Shuffles in place: every order equally likely. */
  shuffle<T extends Int32Array | number[]>(list: T): T {
    if (!Array.isArray(list) && !ArrayBuffer.isView(list)) {
      throw new OptionError(`shuffle: got ${shown(list)}, expected an array`);
    }
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const held = list[i];
      list[i] = list[j];
      list[j] = held;
    }
    return list;
  }
}
