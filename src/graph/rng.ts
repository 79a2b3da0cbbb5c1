import { OptionError } from '../errors.js';
import { graphState } from './trace.js';

/**
 * Counter-based random streams of this environment: 'ops' (random ops and initialisation), 'data' (shuffling),
 * 'augment'. Each random op takes the next index of its stream when it is built, so eager, compiled and scanned runs
 * draw the same bits.
 */
export type RandomStream = 'ops' | 'data' | 'augment';
const STREAM_TAG: Record<RandomStream, number> = { ops: 0, data: 0x9e3779b9, augment: 0x85ebca6b };

interface Key {
  low: number;
  high: number;
}

/**
 * Random nodes are lazy, so a node must remember the seed it was built under: its index is `era * ERA + counter`, where an
 * era begins with each call of `seed`.
 */
const ERA = 2 ** 40;
const eras: Key[] = [{ low: 0, high: 0 }];
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
export function streamKey(stream: RandomStream, era = eras.length - 1): [number, number] {
  const { low, high } = eras[era];
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
  return trace === null ? (eras.length - 1) * ERA + takeIndices('ops', 1) : trace.randomOps++;
}

/** Key and stream index that an index attribute built outside a trace stands for. */
export function opDraw(index: number): { era: number; key: [number, number]; counter: number } {
  const era = Math.floor(index / ERA);
  return { era, key: streamKey('ops', era), counter: index - era * ERA };
}

/** Counters and seed, for checkpoints. */
export interface RandomState {
  readonly seed: readonly [number, number];
  readonly counters: Readonly<Record<RandomStream, number>>;
}
export function randomState(): RandomState {
  const { low, high } = eras[eras.length - 1];
  return { seed: [low, high], counters: { ...counters } };
}
export function restoreRandomState(state: RandomState): void {
  eras.push({ low: state.seed[0], high: state.seed[1] });
  Object.assign(counters, state.counters);
}
