import {
  chain,
  discard,
  END,
  isThenable,
  type MaybePromise,
  type Pulled,
  pullUntil,
  type Stage,
  StageState,
  stepError,
} from './cursor.js';

/** What a function of the user gives for an element; its errors tell the step and the element. */
function called<T, R>(
  step: string,
  fn: (value: T, index: number) => R | PromiseLike<R>,
  value: T,
  index: number,
): MaybePromise<R> {
  let result: R | PromiseLike<R>;
  try {
    result = fn(value, index);
  } catch (error) {
    throw stepError(step, index, error);
  }
  if (!isThenable(result)) return result as R;
  return Promise.resolve(result).catch((error: unknown) => {
    throw stepError(step, index, error);
  });
}

/** `fn` of each element, one after the other. */
export function mapStage<T, R>(from: Stage<T>, fn: (value: T, index: number) => R | PromiseLike<R>): Stage<R> {
  return {
    name: 'map',
    length: from.length,
    randoms: from.randoms,
    open(context, state) {
      const read = new StageState('map', state);
      const up = from.open(context, read.inner());
      let index = read.count('index');
      const apply = (value: Pulled<T>): MaybePromise<Pulled<R>> => {
        if (value === END) return END;
        return called('map', fn, value, index++);
      };
      return {
        pull: () => chain(up.pull(), apply),
        discard: (n) => {
          index += n;
          return discard(up, n);
        },
        state: () => ({ op: 'map', index, from: up.state() }),
        close: () => up.close(),
      };
    },
  };
}

/** The elements `keep` says yes to. */
export function filterStage<T>(
  from: Stage<T>,
  keep: (value: T, index: number) => boolean | PromiseLike<boolean>,
): Stage<T> {
  return {
    name: 'filter',
    length: null,
    randoms: from.randoms,
    dtypes: from.dtypes,
    open(context, state) {
      const read = new StageState('filter', state);
      const up = from.open(context, read.inner());
      let index = read.count('index');
      let found: Pulled<T> = END;
      const test = (value: Pulled<T>): MaybePromise<boolean> => {
        found = value;
        if (value === END) return true;
        return called('filter', keep, value, index++);
      };
      return {
        pull: () => chain(pullUntil(up, test), () => found),
        state: () => ({ op: 'filter', index, from: up.state() }),
        close: () => up.close(),
      };
    },
  };
}

/** The first `count` elements; nothing is pulled after them. */
export function takeStage<T>(from: Stage<T>, count: number): Stage<T> {
  return {
    name: 'take',
    length: from.length === null ? null : Math.min(count, from.length),
    randoms: from.randoms,
    dtypes: from.dtypes,
    open(context, state) {
      const read = new StageState('take', state);
      const up = from.open(context, read.inner());
      let at = read.count('at');
      return {
        pull: () => (at++ < count ? up.pull() : END),
        state: () => ({ op: 'take', at, from: up.state() }),
        close: () => up.close(),
      };
    },
  };
}

/** All elements but the first `count`. */
export function skipStage<T>(from: Stage<T>, count: number): Stage<T> {
  return {
    name: 'skip',
    length: from.length === null ? null : Math.max(0, from.length - count),
    randoms: from.randoms,
    dtypes: from.dtypes,
    open(context, state) {
      const read = new StageState('skip', state);
      const up = from.open(context, read.inner());
      let skipped = read.count('skipped');
      return {
        pull() {
          if (skipped === count) return up.pull();
          const left = count - skipped;
          skipped = count;
          return chain(discard(up, left), () => up.pull());
        },
        state: () => ({ op: 'skip', skipped, from: up.state() }),
        close: () => up.close(),
      };
    },
  };
}

/** Elements rank, rank + world, rank + 2 world …; with `even`, those of complete groups of `world` only. */
export function shardStage<T>(from: Stage<T>, rank: number, world: number, even: boolean): Stage<T> {
  const { length } = from;
  const share = (n: number) =>
    n === Number.POSITIVE_INFINITY ? n : Math.floor((n + (even ? 0 : world - 1 - rank)) / world);
  return {
    name: 'shard',
    length: length === null ? null : share(length),
    randoms: from.randoms,
    dtypes: from.dtypes,
    open(context, state) {
      const read = new StageState('shard', state);
      read.same('rank', rank);
      read.same('world', world);
      const up = from.open(context, read.inner());
      let place = read.count('place'); // of the next element within its group
      let own: Pulled<T> = END;
      const collect = (value: Pulled<T>): boolean => {
        if (value === END) {
          if (even) own = END; // the group is not complete
          return true;
        }
        if (place === rank) own = value;
        place = (place + 1) % world;
        return even ? place === 0 : own !== END;
      };
      return {
        pull() {
          own = END;
          return chain(pullUntil(up, collect), () => own);
        },
        state: () => ({ op: 'shard', rank, world, place, from: up.state() }),
        close: () => up.close(),
      };
    },
  };
}
