import type { Draws } from '../../core.js';
import type { JsonValue } from '../../json.js';
import {
  type Context,
  type Cursor,
  chain,
  END,
  type MaybePromise,
  type Pulled,
  pullUntil,
  type Stage,
  StageState,
} from './cursor.js';
import { stageDraws } from './random.js';

export interface ShuffleSettings {
  readonly buffer: number;
  readonly seed: number | undefined;
}

/**
 * Blocks of `buffer` elements, each in random order. As elements of a block leave, those of the next take their slots, so
 * memory stays at `buffer` elements and the source is read at an even pace. A position is the beginning of the block and
 * the elements handed out of it: to continue reads at most two blocks again.
 */
export function shuffleStage<T>(from: Stage<T>, { buffer, seed }: ShuffleSettings): Stage<T> {
  const stage = from.randoms;
  return {
    name: 'shuffle',
    length: from.length,
    randoms: stage + 1,
    dtypes: from.dtypes,
    open(context, state) {
      const read = new StageState('shuffle', state);
      read.same('buffer', buffer);
      read.same('seed', seed ?? null);
      const draws = (block: number) => stageDraws('shuffle', seed, context, stage, block);
      return new ShuffleCursor(from, context, read, { buffer, seed }, draws);
    },
  };
}

class ShuffleCursor<T> implements Cursor<T> {
  readonly #up: Cursor<T>;
  readonly #settings: ShuffleSettings;
  readonly #draws: (block: number) => Draws;
  /** The block being handed out, in order, and the one that collects in its freed slots. */
  #current: T[] = [];
  #next: T[] = [];
  #given = 0;
  #block: number;
  /** Where the block being handed out began in the source, and where the next one did. */
  #start: JsonValue;
  #nextStart: JsonValue;
  #ended = false;
  #replay: number;

  constructor(
    from: Stage<T>,
    context: Context,
    read: StageState,
    settings: ShuffleSettings,
    draws: (block: number) => Draws,
  ) {
    this.#up = from.open(context, read.inner());
    this.#settings = settings;
    this.#draws = draws;
    this.#block = read.count('block');
    this.#replay = read.count('given');
    this.#start = this.#up.state();
    this.#nextStart = this.#start;
  }

  pull(): MaybePromise<Pulled<T>> {
    if (this.#replay > 0) {
      const n = this.#replay;
      return chain(this.#again(n), () => this.pull());
    }
    if (this.#given < this.#current.length) return this.#give();
    return chain(this.#fill(), () => (this.#current.length === 0 ? END : this.#give()));
  }

  state(): JsonValue {
    const { buffer, seed } = this.#settings;
    const done = this.#given === this.#current.length && this.#given > 0;
    return {
      op: 'shuffle',
      buffer,
      seed: seed ?? null,
      block: this.#block + (done ? 1 : 0),
      given: done ? 0 : this.#given + this.#replay,
      from: done ? this.#nextStart : this.#start,
    };
  }

  close(): MaybePromise<void> {
    this.#current = [];
    this.#next = [];
    return this.#up.close();
  }

  /** Hands out again, to nobody, what was handed out before the state was saved. */
  #again(n: number): MaybePromise<void> {
    this.#replay = 0;
    let left = n;
    const step = (value: Pulled<T>): boolean => value === END || --left === 0;
    return pullUntil({ pull: () => this.pull(), state: () => null, close: () => {} }, step);
  }

  /** Hands out the next element and collects one of the next block. */
  #give(): MaybePromise<T> {
    const at = this.#given++;
    const value = this.#current[at];
    (this.#current as unknown[])[at] = undefined;
    if (this.#ended) return value;
    return chain(this.#up.pull(), (fresh) => {
      this.#collect(fresh);
      return value;
    });
  }

  #collect(value: Pulled<T>): boolean {
    if (value === END) this.#ended = true;
    else this.#next.push(value);
    return this.#ended || this.#next.length === this.#settings.buffer;
  }

  /** Makes the collected block current; the first one of an epoch is collected here. */
  #fill(): MaybePromise<void> {
    const full = this.#next.length === this.#settings.buffer || this.#ended;
    return chain(full ? undefined : pullUntil(this.#up, (value) => this.#collect(value)), () => {
      if (this.#given > 0) this.#block++;
      this.#start = this.#nextStart;
      this.#nextStart = this.#up.state();
      const order = this.#draws(this.#block).shuffle(Int32Array.from(this.#next.keys()));
      this.#current = Array.from(order, (i) => this.#next[i]);
      this.#next = [];
      this.#given = 0;
    });
  }
}
