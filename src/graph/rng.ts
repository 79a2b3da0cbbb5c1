import { OptionError } from '../errors.js';
import { shown } from '../options.js';
import { graphState } from './trace.js';

/**
 * Counter-based random streams of this environment: 'ops' (random ops and initialisation), 'data' (shuffling),
 * 'augment'. Each random op takes the next index of its stream when it is built, so eager, compiled and scanned runs
 * draw the same bits.
 */
export type RandomStream = 'ops' | 'data' | 'augment';
const STREAM_TAG: Record<RandomStream, number> = { ops: 0, data: 0x9e3779b9, augment: 0x85ebca6b };

interface Era {
  readonly low: number;
  readonly high: number;
  /** Counter of 'ops' that its first index stands for. */
  readonly base: number;
}

/**
 * Random nodes are lazy, so a node must remember the seed it was built under: its index is `era * ERA + counter − base`, where
 * an era is a seed. A seed used again is its era again; only after 2¹⁶ other seeds is an era's number given to another, which
 * would matter to a node that nobody has computed since. Indices are whole numbers below 2⁵³.
 */
const ERA = 2 ** 37;
const ERAS = 2 ** 16;
const eras: Era[] = [{ low: 0, high: 0, base: 0 }];
const eraOf = new Map<string, number>([['0,0,0', 0]]);
let era = 0;
let begun = 1;
const counters: Record<RandomStream, number> = { ops: 0, data: 0, augment: 0 };

/**
 * Seeds every random stream of this environment and restarts its counters.
 * @param value whole number in [0, 2^53).
 * @throws OptionError when it is not.
 * @example seed(42);
 */
export function seed(value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new OptionError(`seed: got ${String(value)}, expected a whole number in [0, 2^53)`);
  }
  restoreRandomState({
    seed: [value >>> 0, Math.floor(value / 2 ** 32) >>> 0],
    counters: { ops: 0, data: 0, augment: 0 },
  });
}

/** The Philox key of a stream: seed mixed with the stream's tag. */
export function streamKey(stream: RandomStream, of = era): [number, number] {
  const { low, high } = eras[of];
  return [low, (high ^ STREAM_TAG[stream]) >>> 0];
}

/** Takes `n` indices of a stream and returns the first. */
export function takeIndices(stream: RandomStream, n: number): number {
  const first = counters[stream];
  counters[stream] += n;
  return first;
}

/** Runs `fn` and takes back the indices of random ops that it took: the next call draws the same numbers. */
export function repeatingDraws<T>(fn: () => T): T {
  const before = counters.ops;
  try {
    return fn();
  } finally {
    counters.ops = before;
  }
}

/** Index attribute of the next random op: with its era outside a trace, relative to the run's base inside. */
export function nextOpIndex(): number {
  const trace = graphState.trace;
  if (trace !== null) return trace.randomOps++;
  if (counters.ops - eras[era].base >= ERA) begin(eras[era]);
  return era * ERA + takeIndices('ops', 1) - eras[era].base;
}

/** Key and stream index that an index attribute built outside a trace stands for. */
export function opDraw(index: number): { era: number; key: [number, number]; counter: number } {
  const of = Math.floor(index / ERA);
  return { era: of, key: streamKey('ops', of), counter: index - of * ERA + eras[of].base };
}

/** Counters and seed, for checkpoints. */
export interface RandomState {
  readonly seed: readonly [number, number];
  readonly counters: Readonly<Record<RandomStream, number>>;
}
export function randomState(): RandomState {
  const { low, high } = eras[era];
  return { seed: [low, high], counters: { ...counters } };
}
export function restoreRandomState(state: RandomState): void {
  if (!Array.isArray(state?.seed) || typeof state.counters !== 'object' || state.counters === null) {
    throw new OptionError(`restoreRandomState: got ${shown(state)}, expected what randomState() gives`);
  }
  const [low, high] = state.seed;
  Object.assign(counters, state.counters);
  const { base } = eras[era];
  const stays = eras[era].low === low && eras[era].high === high && counters.ops >= base && counters.ops - base < ERA;
  if (!stays) begin({ low, high });
}

/** Makes the era of a seed, at its counter, the current one. */
function begin({ low, high }: Pick<Era, 'low' | 'high'>): void {
  const base = Math.floor(counters.ops / ERA) * ERA;
  const key = `${low},${high},${base}`;
  const known = eraOf.get(key);
  if (known !== undefined) {
    era = known;
    return;
  }
  era = begun++ % ERAS;
  const old = eras[era];
  if (old !== undefined) eraOf.delete(`${old.low},${old.high},${old.base}`);
  eras[era] = { low, high, base };
  eraOf.set(key, era);
}
