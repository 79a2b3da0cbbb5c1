import { DataError, type DType, FormatError } from '../../core.js';
import type { JsonValue } from '../../json.js';
import { macrotask } from '../../macrotask.js';
import { shown } from '../../options.js';

/** What a cursor gives after its last element. */
export const END: unique symbol = Symbol('end of the pipeline');
export type Pulled<T> = T | typeof END;
export type MaybePromise<T> = T | Promise<T>;

/**
 * A walk through the elements of one epoch. Elements come without a promise where they can: a promise for each operator
 * and sample costs more than the work of most operators.
 */
export interface Cursor<T> {
  /** The next element. Never called again before the last call settled, nor after `close`. */
  pull(): MaybePromise<Pulled<T>>;
  /** The position after the last element pulled, for `open` of the same stage. */
  state(): JsonValue;
  /** Lets go of files, streams and workers; may be called twice, and while a pull is under way. */
  close(): MaybePromise<void>;
  /** Passes over `n` elements without computing them, where that is cheaper than pulling; less when the end comes first. */
  discard?(n: number): MaybePromise<void>;
}

/** What every random choice of an epoch is drawn from. */
export interface Context {
  readonly epoch: number;
  readonly key: readonly [number, number];
}

/** One operator or source: how to begin an epoch, or to continue one. */
export interface Stage<T> {
  readonly name: string;
  /** Elements an epoch; null when nobody knows before the end. */
  readonly length: number | null;
  /** Stages with random choices from the source up to here, so that equal seeds do not give equal choices. */
  readonly randoms: number;
  /** Dtypes of the parts of an element that are not to be guessed from numbers, as far as they are known yet. */
  readonly dtypes?: Readonly<Record<string, DType>> | undefined;
  open(context: Context, state?: JsonValue): Cursor<T>;
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** `fn(value)`, at once when the value is there. */
export function chain<A, B>(value: MaybePromise<A>, fn: (value: A) => MaybePromise<B>): MaybePromise<B> {
  return value instanceof Promise ? value.then(fn) : fn(value);
}

/** Elements taken in one go before timers and sockets get their turn. */
const RUN = 4096;

/** Pulls until `enough` says so, which it must do at the end; at once as long as everything comes at once. */
export function pullUntil<T>(from: Cursor<T>, enough: (value: Pulled<T>) => MaybePromise<boolean>): MaybePromise<void> {
  for (let i = 0; i < RUN; i++) {
    const value = from.pull();
    if (value instanceof Promise) return pullLater(from, enough, value.then(enough));
    const done = enough(value);
    if (done instanceof Promise) return pullLater(from, enough, done);
    if (done) return;
  }
  return macrotask().then(() => pullUntil(from, enough));
}

async function pullLater<T>(
  from: Cursor<T>,
  enough: (value: Pulled<T>) => MaybePromise<boolean>,
  first: Promise<boolean>,
): Promise<void> {
  for (let done = await first; !done; ) {
    const value = from.pull();
    done = await enough(value instanceof Promise ? await value : value);
  }
}

/** Passes over `n` elements. */
export function discard<T>(from: Cursor<T>, n: number): MaybePromise<void> {
  if (n === 0) return;
  if (from.discard !== undefined) return from.discard(n);
  let left = n;
  return pullUntil(from, (value) => value === END || --left === 0);
}

/** A user's function failed: which operator, which element, and why. */
export function stepError(operator: string, index: number, error: unknown): DataError {
  const reason = error instanceof Error ? error.message : String(error);
  return new DataError(`${operator}: element ${index}: ${reason}`, undefined, { cause: error });
}

/** Reads the state of a stage and says what is wrong with it. */
export class StageState {
  readonly #name: string;
  readonly #fields: Readonly<Record<string, JsonValue>>;

  constructor(name: string, state: JsonValue | undefined) {
    this.#name = name;
    const fields = state ?? {};
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
      throw new FormatError(`${name}: state is ${shown(state)}, expected what state() gave`);
    }
    this.#fields = fields as Readonly<Record<string, JsonValue>>;
    const { op } = this.#fields;
    if (state !== undefined && op !== name) {
      throw new FormatError(
        `${name}: the state was saved by a pipeline that has ${JSON.stringify(op) ?? 'nothing'} here; build the same pipeline to continue`,
      );
    }
  }

  /** A whole number >= 0; 0 without a state. */
  count(key: string): number {
    const value = this.#fields[key] ?? 0;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    throw new FormatError(`${this.#name}: "${key}" of the state is ${shown(value)}, expected a count`);
  }

  /** Refuses a state saved with another value of an option, with which the order would be another. */
  same(key: string, value: JsonValue): void {
    const saved = this.#fields[key];
    if (saved !== undefined && JSON.stringify(saved) !== JSON.stringify(value)) {
      throw new FormatError(
        `${this.#name}: the state was saved with ${key} ${JSON.stringify(saved)}, this pipeline has ${JSON.stringify(value)}`,
      );
    }
  }

  /** The state of the stage below, undefined when there is none. */
  inner(key = 'from'): JsonValue | undefined {
    return this.#fields[key] ?? undefined;
  }

  inners(key: string, length: number): readonly JsonValue[] | null {
    const list = this.#fields[key];
    if (list === undefined) return null;
    if (Array.isArray(list) && list.length === length) return list as readonly JsonValue[];
    throw new FormatError(`${this.#name}: "${key}" of the state is not a list of ${length}`);
  }
}
