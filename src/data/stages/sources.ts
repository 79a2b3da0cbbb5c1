import {
  DataError,
  type DType,
  type HostArray,
  itemSize,
  OptionError,
  type Shape,
  type Tensor,
  take,
  tensor,
} from '../../core.js';
import { macrotask } from '../../macrotask.js';
import { sizeOf } from '../../shape.js';
import type { TensorDataset } from '../dataset.js';
import {
  type Cursor,
  END,
  isThenable,
  type MaybePromise,
  type Pulled,
  type Stage,
  StageState,
  stepError,
} from './cursor.js';

/** What a pipeline can be made of. */
export type Source<T> = Iterable<T> | AsyncIterable<T> | (() => Iterable<T> | AsyncIterable<T>);

/** Elements of an array or typed array: any position is as cheap as the first. */
export function arraySource<T>(values: ArrayLike<T>): Stage<T> {
  return {
    name: 'from',
    length: values.length,
    randoms: 0,
    open(_context, state) {
      const read = new StageState('from', state);
      read.same('length', values.length);
      let at = read.count('at');
      return {
        pull: () => (at < values.length ? values[at++] : END),
        discard: (n) => {
          at = Math.min(values.length, at + n);
        },
        state: () => ({ op: 'from', length: values.length, at }),
        close: () => {},
      };
    },
  };
}

/** Elements of any iterable, stream, or function that opens one. A position is found again by passing over what is before. */
export function iterableSource<T>(source: Source<T>): Stage<T> {
  let used = false;
  const begin = (): Iterable<T> | AsyncIterable<T> => {
    if (typeof source === 'function') return source();
    if (used && isSinglePass(source)) {
      throw new DataError(
        'Pipeline.from: this iterator or stream has been read already; give a function that opens a new one, ' +
          'such as Pipeline.from(() => createReadStream(file))',
      );
    }
    used = true;
    return source;
  };
  return {
    name: 'from',
    length: null,
    randoms: 0,
    open: (_context, state) => new IterableCursor(begin, new StageState('from', state).count('at')),
  };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** An iterator is its own iterable, a stream ends with its first reader. */
function isSinglePass(source: Iterable<unknown> | AsyncIterable<unknown>): boolean {
  if (isStream(source)) return true;
  const open =
    (source as AsyncIterable<unknown>)[Symbol.asyncIterator] ?? (source as Iterable<unknown>)[Symbol.iterator];
  return (
    typeof (source as { next?: unknown }).next === 'function' && open.call(source as never) === (source as unknown)
  );
}

function isStream(source: unknown): source is { destroy(): unknown } {
  if (!isObject(source)) return false;
  const { pipe, destroy } = source as { pipe?: unknown; destroy?: unknown };
  return typeof pipe === 'function' && typeof destroy === 'function';
}

class IterableCursor<T> implements Cursor<T> {
  readonly #begin: () => Iterable<T> | AsyncIterable<T>;
  #source: Iterable<T> | AsyncIterable<T> | null = null;
  #iterator: Iterator<T> | AsyncIterator<T> | null = null;
  #at = 0;
  readonly #start: number;
  #ended = false;
  #closed = false;

  constructor(begin: () => Iterable<T> | AsyncIterable<T>, start: number) {
    this.#begin = begin;
    this.#start = start;
  }

  pull(): MaybePromise<Pulled<T>> {
    if (this.#ended) return END;
    if (this.#iterator === null) {
      this.#iterator = this.#open();
      if (this.#start > 0) return this.#catchUp();
    }
    return this.#next();
  }

  state() {
    return { op: 'from', at: Math.max(this.#at, this.#start) };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const [iterator, source, ended] = [this.#iterator, this.#source, this.#ended];
    this.#ended = true;
    if (isStream(source))
      source.destroy(); // its iterator's return() would wait for a chunk that may never come
    else if (iterator !== null && !ended) await iterator.return?.();
  }

  #open(): Iterator<T> | AsyncIterator<T> {
    let source: Iterable<T> | AsyncIterable<T>;
    try {
      source = this.#begin();
    } catch (error) {
      if (error instanceof DataError) throw error;
      throw stepError('from', 0, error);
    }
    this.#source = source;
    if (isObject(source)) {
      if (Symbol.asyncIterator in source) return source[Symbol.asyncIterator]();
      if (Symbol.iterator in source) return source[Symbol.iterator]();
    }
    throw new OptionError(`Pipeline.from: the function gave ${String(source)}, expected an iterable or async iterable`);
  }

  async #catchUp(): Promise<Pulled<T>> {
    for (;;) {
      const value = this.#next();
      const got = value instanceof Promise ? await value : value;
      if (got === END || this.#at > this.#start) return got;
      if (this.#at % 4096 === 0) await macrotask();
    }
  }

  #next(): MaybePromise<Pulled<T>> {
    let result: unknown;
    try {
      result = (this.#iterator as Iterator<T>).next();
    } catch (error) {
      throw this.#failed(error);
    }
    if (!isThenable(result)) return this.#take(result as IteratorResult<T>);
    return Promise.resolve(result as PromiseLike<IteratorResult<T>>).then(
      (r) => this.#take(r),
      (error: unknown) => {
        throw this.#failed(error);
      },
    );
  }

  #failed(error: unknown): DataError {
    this.#ended = true;
    return stepError('from', this.#at, error);
  }

  #take(result: IteratorResult<T>): MaybePromise<Pulled<T>> {
    if (result.done === true || this.#closed) {
      this.#ended = true;
      return END;
    }
    const index = this.#at++;
    const { value } = result;
    if (!isThenable(value)) return value;
    return (value as unknown as Promise<T>).then(undefined, (error: unknown) => {
      throw stepError('from', index, error);
    });
  }
}

/** Rows transformed in one native call. */
const ROWS = 1024;
/** Stored samples up to this size are copied to the host at once: gathering them again costs more than the memory. */
const WHOLE_BYTES = 2 ** 28;

/** One sample of a data set: numbers, views of rows, or views with the shape of a sample. */
export interface Sample {
  readonly x: SampleValue;
  readonly y: SampleValue;
}
export type SampleValue = number | HostArray | { readonly data: HostArray; readonly shape: Shape };

/** Samples of a data set as views of its memory, `{ x, y }`. */
export function datasetSource(dataset: TensorDataset): Stage<Sample> {
  const { length } = dataset;
  const dtypes: Record<string, DType> = {};
  return {
    name: 'from',
    length,
    dtypes,
    randoms: 0,
    open(_context, state) {
      const read = new StageState('from', state);
      read.same('length', length);
      let at = read.count('at');
      let chunk: { readonly first: number; readonly end: number; readonly x: Row; readonly y: Row } | null = null;
      const load = async (): Promise<void> => {
        if (isSmall(dataset)) {
          const [x, y] = [await rowsOf(dataset.x), await rowsOf(dataset.y)];
          const { rows } = dataset;
          Object.assign(dtypes, { x: dataset.x.dtype, y: dataset.y.dtype });
          const place = (row: Row): Row => (rows === null ? row : (i) => row(rows[i]));
          chunk = { first: 0, end: length, x: place(x), y: place(y) };
          return;
        }
        const first = at;
        const end = Math.min(length, first + ROWS);
        const index = tensor(
          Int32Array.from({ length: end - first }, (_, i) => dataset.rows?.[first + i] ?? first + i),
        );
        const x = dataset.transform(take(dataset.x, index));
        const y = take(dataset.y, index);
        Object.assign(dtypes, { x: x.dtype, y: y.dtype });
        chunk = { first, end, x: await rowsOf(x), y: await rowsOf(y) };
      };
      const pull = (): MaybePromise<Pulled<Sample>> => {
        if (at >= length) return END;
        if (chunk === null || at < chunk.first || at >= chunk.end) return load().then(pull);
        const i = at++ - chunk.first;
        return { x: chunk.x(i), y: chunk.y(i) };
      };
      return {
        pull,
        discard: (n) => {
          at = Math.min(length, at + n);
        },
        state: () => ({ op: 'from', length, at }),
        close: () => {
          chunk = null;
        },
      };
    },
  };
}

function isSmall({ x, y, transformed }: TensorDataset): boolean {
  const bytes = (t: Tensor) => sizeOf(t.shape) * itemSize(t.dtype);
  return !transformed && bytes(x) + bytes(y) <= WHOLE_BYTES;
}

type Row = (i: number) => SampleValue;

async function rowsOf(t: Tensor): Promise<Row> {
  const data = await t.data();
  const shape = t.shape.slice(1);
  const width = sizeOf(shape);
  if (shape.length === 0) return (i) => data[i];
  if (shape.length === 1) return (i) => data.subarray(i * width, (i + 1) * width);
  return (i) => ({ data: data.subarray(i * width, (i + 1) * width), shape });
}
