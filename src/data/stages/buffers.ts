import type { JsonValue } from '../../json.js';
import { macrotask } from '../../macrotask.js';
import { type Cursor, chain, discard, END, type MaybePromise, type Pulled, type Stage, StageState } from './cursor.js';

type Slot<T> = { readonly value: Pulled<T> } | { readonly error: unknown };

/** Up to `size` elements made ahead, while the consumer does something else. */
export function prefetchStage<T>(from: Stage<T>, size: number, name = 'prefetch'): Stage<T> {
  return {
    name,
    length: from.length,
    randoms: from.randoms,
    dtypes: from.dtypes,
    open(context, state) {
      const read = new StageState(name, state);
      return new PrefetchCursor(from.open(context, read.inner()), size, name, read.count('after'));
    },
  };
}

/**
 * The source is ahead of the elements handed out, so a position is an earlier state of the source (taken every `size`
 * elements) and how many elements came after it.
 */
class PrefetchCursor<T> implements Cursor<T> {
  readonly #up: Cursor<T>;
  readonly #size: number;
  readonly #name: string;
  readonly #queue: Slot<T>[] = [];
  /** States of the source and the number of elements pulled before them; the first is the newest not after `#given`. */
  readonly #marks: { readonly pulled: number; readonly state: JsonValue }[] = [];
  #pulled = 0;
  #given: number;
  #behind: number;
  #busy: Promise<void> | null = null;
  #planned = false;
  #ended = false;
  #closed = false;

  constructor(up: Cursor<T>, size: number, name: string, after: number) {
    this.#up = up;
    this.#size = size;
    this.#name = name;
    this.#given = after;
    this.#behind = after;
    this.#marks.push({ pulled: 0, state: up.state() });
  }

  pull(): MaybePromise<Pulled<T>> {
    const slot = this.#queue.shift();
    if (slot === undefined) {
      if (this.#ended) return END;
      return chain(this.#busy ?? this.#fetch(), () => this.pull());
    }
    if ('error' in slot) throw slot.error;
    if (slot.value === END) return END;
    this.#given++;
    while (this.#marks.length > 1 && this.#marks[1].pulled <= this.#given) this.#marks.shift();
    this.#plan();
    return slot.value;
  }

  state(): JsonValue {
    const [mark] = this.#marks;
    return { op: this.#name, after: this.#given - mark.pulled, from: mark.state };
  }

  close(): MaybePromise<void> {
    this.#closed = true;
    this.#ended = true;
    this.#queue.length = 0;
    return this.#up.close();
  }

  /** Makes the next element when the event loop comes round, one each time. */
  #plan(): void {
    if (this.#planned || this.#ended || this.#queue.length >= this.#size) return;
    this.#planned = true;
    void macrotask().then(() => {
      this.#planned = false;
      if (this.#closed || this.#ended || this.#busy !== null || this.#queue.length >= this.#size) return;
      const fetching = this.#fetch();
      if (fetching instanceof Promise) fetching.then(() => this.#plan());
      else this.#plan();
    });
  }

  /** One element into the queue; errors go in too, and come out at their place. */
  #fetch(): MaybePromise<void> {
    let value: MaybePromise<Pulled<T>>;
    try {
      if (this.#behind === 0 && this.#pulled % this.#size === 0) this.#mark();
      value = this.#catchUp();
    } catch (error) {
      this.#put({ error });
      return;
    }
    if (!(value instanceof Promise)) {
      this.#put({ value });
      return;
    }
    this.#busy = value.then(
      (v) => this.#put({ value: v }),
      (error: unknown) => this.#put({ error }),
    );
    return this.#busy;
  }

  #mark(): void {
    if (this.#marks.at(-1)?.pulled !== this.#pulled)
      this.#marks.push({ pulled: this.#pulled, state: this.#up.state() });
  }

  #catchUp(): MaybePromise<Pulled<T>> {
    if (this.#behind === 0) return this.#up.pull();
    const n = this.#behind;
    this.#behind = 0;
    this.#pulled = n;
    return chain(discard(this.#up, n), () => this.#up.pull());
  }

  #put(slot: Slot<T>): void {
    this.#busy = null;
    if (this.#closed) return;
    this.#pulled++;
    if ('error' in slot || slot.value === END) this.#ended = true;
    this.#queue.push(slot);
  }
}

/** All elements of the first complete epoch, kept in memory for the next ones. */
export function cacheStage<T>(from: Stage<T>): Stage<T> {
  let kept: readonly T[] | null = null;
  return {
    name: 'cache',
    length: from.length,
    randoms: from.randoms,
    dtypes: from.dtypes,
    open(context, state) {
      let at = new StageState('cache', state).count('at');
      if (kept !== null) {
        const all = kept;
        return {
          pull: () => (at < all.length ? all[at++] : END),
          discard: (n) => {
            at = Math.min(all.length, at + n);
          },
          state: () => ({ op: 'cache', at }),
          close: () => {},
        };
      }
      // Epoch 0 whichever epoch asks first: a run that continues must find the order the first run kept.
      const up = from.open({ ...context, epoch: 0 });
      const list: T[] = [];
      const collect = (value: Pulled<T>): Pulled<T> => {
        if (value === END) kept ??= list;
        else list.push(value);
        return value;
      };
      const pull = (): MaybePromise<Pulled<T>> => chain(up.pull(), collect);
      const behind: Cursor<T> = { pull, state: () => null, close: () => {} };
      return {
        pull() {
          if (list.length >= at) {
            at++;
            return pull();
          }
          const missing = at - list.length;
          at++;
          return chain(discard(behind, missing), pull);
        },
        state: () => ({ op: 'cache', at }),
        close: () => up.close(),
      };
    },
  };
}
