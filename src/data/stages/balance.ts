import { DataError, type Draws } from '../../core.js';
import type { JsonValue } from '../../json.js';
import {
  type Cursor,
  chain,
  discard,
  END,
  type MaybePromise,
  type Pulled,
  pullUntil,
  type Stage,
  StageState,
  stepError,
} from './cursor.js';
import { stageDraws } from './random.js';

/** The class of an element, for balancing. */
export type ClassOf<T> = (value: T, index: number) => number | string;

/**
 * As many elements as come in, every class as often as the others: rare classes repeat elements seen lately, frequent ones
 * lose some. What repeats may be old, so a position is found again by going through the epoch from its beginning.
 */
export function balanceStage<T>(
  from: Stage<T>,
  classOf: ClassOf<T>,
  buffer: number,
  seed: number | undefined,
): Stage<T> {
  const stage = from.randoms;
  return {
    name: 'balance',
    length: from.length,
    randoms: stage + 1,
    dtypes: from.dtypes,
    open(context, state) {
      const read = new StageState('balance', state);
      read.same('buffer', buffer);
      read.same('seed', seed ?? null);
      const draws = stageDraws('balance', seed, context, stage);
      const cursor = new BalanceCursor(from.open(context), classOf, buffer, draws);
      const given = read.count('given');
      let replay = given;
      return {
        pull() {
          if (replay === 0) return cursor.pull();
          const n = replay;
          replay = 0;
          return chain(discard(cursor, n), () => cursor.pull());
        },
        state: () => ({ op: 'balance', buffer, seed: seed ?? null, given: cursor.given + replay }),
        close: () => cursor.close(),
      };
    },
  };
}

/** Elements of a class: those not handed out yet, and the last that were. */
interface Shelf<T> {
  readonly fresh: T[];
  readonly seen: T[];
  turn: number;
}

class BalanceCursor<T> implements Cursor<T> {
  given = 0;
  readonly #up: Cursor<T>;
  readonly #classOf: ClassOf<T>;
  readonly #buffer: number;
  readonly #draws: Draws;
  readonly #shelves: Shelf<T>[] = [];
  readonly #byClass = new Map<number | string, Shelf<T>>();
  /** Classes still to come in this round. */
  #round: number[] = [];
  #taken = 0;
  #ended = false;

  constructor(up: Cursor<T>, classOf: ClassOf<T>, buffer: number, draws: Draws) {
    this.#up = up;
    this.#classOf = classOf;
    this.#buffer = buffer;
    this.#draws = draws;
  }

  pull(): MaybePromise<Pulled<T>> {
    if (this.#ended) return this.#give();
    // One ahead for each handed out, `buffer` at first, so that the first choices are among all classes there are.
    const enough = () => this.#ended || this.#taken >= this.given + this.#buffer;
    return chain(
      pullUntil(this.#up, (value) => {
        this.#put(value);
        return enough();
      }),
      () => this.#give(),
    );
  }

  state(): JsonValue {
    return null; // the stage counts
  }

  close(): MaybePromise<void> {
    this.#shelves.length = 0;
    this.#byClass.clear();
    return this.#up.close();
  }

  #put(value: Pulled<T>): void {
    if (value === END) {
      this.#ended = true;
      return;
    }
    const index = this.#taken++;
    const shelf = this.#shelfOf(value, index);
    shelf.fresh.push(value);
    if (shelf.fresh.length > this.#buffer) shelf.fresh.shift();
  }

  #shelfOf(value: T, index: number): Shelf<T> {
    let label: number | string;
    try {
      label = this.#classOf(value, index);
    } catch (error) {
      throw stepError('balance', index, error);
    }
    if (typeof label !== 'string' && !Number.isFinite(label)) {
      throw new DataError(`balance: element ${index}: class is ${String(label)}, expected a number or a string`);
    }
    let shelf = this.#byClass.get(label);
    if (shelf === undefined) {
      shelf = { fresh: [], seen: [], turn: 0 };
      this.#byClass.set(label, shelf);
      this.#shelves.push(shelf);
    }
    return shelf;
  }

  #give(): Pulled<T> {
    if (this.given === this.#taken) return END;
    this.given++;
    if (this.#round.length === 0) this.#round = this.#draws.shuffle([...this.#shelves.keys()]);
    const shelf = this.#shelves[this.#round.pop() as number];
    const value = shelf.fresh.shift();
    if (value === undefined) return shelf.seen[this.#draws.below(shelf.seen.length)];
    // A ring: the oldest of those kept for repeats makes room.
    shelf.seen[shelf.turn] = value;
    shelf.turn = (shelf.turn + 1) % this.#buffer;
    return value;
  }
}
