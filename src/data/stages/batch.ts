import { type CollateOptions, collate } from './collate.js';
import { type Cursor, chain, discard, END, type Pulled, pullUntil, type Stage, StageState } from './cursor.js';

export interface BatchSettings extends CollateOptions {
  readonly size: number;
  readonly dropLast: boolean;
  /** Instead of stacking. */
  readonly collate: ((elements: readonly unknown[]) => unknown) | undefined;
}

/** Runs of `size` elements as one; the last may be shorter. */
export function batchStage<T, R>(from: Stage<T>, settings: BatchSettings): Stage<R> {
  const { size, dropLast } = settings;
  const { length } = from;
  return {
    name: 'batch',
    length: length === null ? null : dropLast ? Math.floor(length / size) : Math.ceil(length / size),
    randoms: from.randoms,
    open(context, state) {
      const read = new StageState('batch', state);
      read.same('size', size);
      const up = from.open(context, read.inner());
      const make = (list: readonly T[]): Pulled<R> => {
        if (list.length === 0 || (dropLast && list.length < size)) return END;
        if (settings.collate !== undefined) return settings.collate(list) as R;
        const dtypes = typeof settings.dtypes === 'string' ? settings.dtypes : { ...from.dtypes, ...settings.dtypes };
        return collate(list, { ...settings, dtypes }) as R;
      };
      const cursor: Cursor<R> = {
        pull() {
          const list: T[] = [];
          const add = (value: Pulled<T>): boolean => value === END || list.push(value) === size;
          return chain(pullUntil(up, add), () => make(list));
        },
        discard: (n) => discard(up, n * size),
        state: () => ({ op: 'batch', size, from: up.state() }),
        close: () => up.close(),
      };
      return cursor;
    },
  };
}
