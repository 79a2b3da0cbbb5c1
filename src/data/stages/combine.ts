import type { JsonValue } from '../../json.js';
import {
  type Context,
  type Cursor,
  chain,
  END,
  type MaybePromise,
  type Pulled,
  type Stage,
  StageState,
} from './cursor.js';

function sum(lengths: readonly (number | null)[]): number | null {
  return lengths.includes(null) ? null : (lengths as number[]).reduce((a, b) => a + b, 0);
}

function most(stages: readonly Stage<unknown>[]): number {
  return stages.reduce((n, s) => Math.max(n, s.randoms), 0);
}

/** Runs cursors that are opened one after the other: passes of `repeat`, parts of `concat`. */
class SeriesCursor<T> implements Cursor<T> {
  readonly #name: string;
  readonly #count: number;
  readonly #open: (part: number, state?: JsonValue) => Cursor<T>;
  #part: number;
  #at: Cursor<T> | null = null;
  #given = 0;
  #closed = false;

  constructor(name: string, count: number, read: StageState, open: (part: number, state?: JsonValue) => Cursor<T>) {
    this.#name = name;
    this.#count = count;
    this.#open = open;
    this.#part = read.count('part');
    this.#given = read.count('given');
    const inner = read.inner();
    if (inner !== undefined) this.#at = open(this.#part, inner);
  }

  pull(): MaybePromise<Pulled<T>> {
    if (this.#closed || this.#part >= this.#count) return END;
    this.#at ??= this.#open(this.#part);
    return chain(this.#at.pull(), (value) => {
      if (value !== END) {
        this.#given++;
        return value;
      }
      // After a pass that gives nothing the next would give nothing either, perhaps for ever.
      const empty = this.#given === 0 && this.#name === 'repeat';
      const ended = this.#at;
      this.#at = null;
      this.#given = 0;
      this.#part = empty ? this.#count : this.#part + 1;
      return chain(ended?.close(), () => this.pull());
    });
  }

  state(): JsonValue {
    const part = Number.isFinite(this.#part) ? this.#part : 0;
    const at = { op: this.#name, part, given: this.#given };
    return this.#at === null ? at : { ...at, from: this.#at.state() };
  }

  close(): MaybePromise<void> {
    this.#closed = true;
    return this.#at?.close();
  }
}

/** The elements `count` times; each pass is an epoch of its own to the stages below. */
export function repeatStage<T>(from: Stage<T>, count: number): Stage<T> {
  const endless = count === Number.POSITIVE_INFINITY;
  return {
    name: 'repeat',
    length:
      from.length === null ? (endless ? Number.POSITIVE_INFINITY : null) : from.length === 0 ? 0 : from.length * count,
    randoms: from.randoms,
    dtypes: from.dtypes,
    open(context, state) {
      const read = new StageState('repeat', state);
      const first = endless ? context.epoch : context.epoch * count;
      return new SeriesCursor('repeat', count, read, (pass, inner) =>
        from.open({ ...context, epoch: first + pass }, inner),
      );
    },
  };
}

/** All elements of the first stage, then of the next. */
export function concatStage<T>(stages: readonly Stage<T>[]): Stage<T> {
  return {
    name: 'concat',
    length: sum(stages.map((s) => s.length)),
    randoms: most(stages),
    dtypes: stages[0].dtypes,
    open(context, state) {
      const read = new StageState('concat', state);
      return new SeriesCursor('concat', stages.length, read, (part, inner) => stages[part].open(context, inner));
    },
  };
}

/** Opens all stages, each with its own state. */
function openAll(stages: readonly Stage<unknown>[], context: Context, read: StageState): Cursor<unknown>[] {
  const states = read.inners('from', stages.length);
  return stages.map((stage, i) => stage.open(context, states?.[i]));
}

async function closeAll(cursors: readonly Cursor<unknown>[]): Promise<void> {
  await Promise.all(cursors.map((c) => c.close()));
}

/** One element of each stage in turn; a stage that ended is left out. */
export function interleaveStage<T>(stages: readonly Stage<T>[]): Stage<T> {
  return {
    name: 'interleave',
    length: sum(stages.map((s) => s.length)),
    randoms: most(stages),
    dtypes: stages[0].dtypes,
    open(context, state) {
      const read = new StageState('interleave', state);
      const cursors = openAll(stages, context, read) as Cursor<T>[];
      let turn = read.count('turn');
      let ended = 0; // in a row
      const pull = (): MaybePromise<Pulled<T>> => {
        if (ended === cursors.length) return END;
        const cursor = cursors[turn];
        turn = (turn + 1) % cursors.length;
        return chain(cursor.pull(), (value) => {
          ended = value === END ? ended + 1 : 0;
          return value === END ? pull() : value;
        });
      };
      return {
        pull,
        state: () => ({ op: 'interleave', turn, from: cursors.map((c) => c.state()) }),
        close: () => closeAll(cursors),
      };
    },
  };
}

/** Tuples of one element of each stage, until the first one ends. */
export function zipStage(stages: readonly Stage<unknown>[]): Stage<readonly unknown[]> {
  const lengths = stages.map((s) => s.length);
  return {
    name: 'zip',
    length: lengths.includes(null) ? null : Math.min(...(lengths as number[])),
    randoms: most(stages),
    open(context, state) {
      const cursors = openAll(stages, context, new StageState('zip', state));
      let ended = false;
      const collect = (row: readonly unknown[]): MaybePromise<Pulled<readonly unknown[]>> => {
        if (row.length === cursors.length) return row;
        return chain(cursors[row.length].pull(), (value) => {
          ended = value === END;
          return ended ? END : collect([...row, value]);
        });
      };
      return {
        pull: () => (ended ? END : collect([])),
        state: () => ({ op: 'zip', from: cursors.map((c) => c.state()) }),
        close: () => closeAll(cursors),
      };
    },
  };
}
