import { DTYPES, type DType, didYouMean, OptionError, randomState, type Tensor } from '../core.js';
import type { JsonValue } from '../json.js';
import { checkFunction, checkOptions, wholeNumber } from '../options.js';
import type { Tree } from '../tree.js';
import { TensorDataset } from './dataset.js';
import { balanceStage, type ClassOf } from './stages/balance.js';
import { batchStage } from './stages/batch.js';
import { cacheStage, prefetchStage } from './stages/buffers.js';
import { concatStage, interleaveStage, repeatStage, zipStage } from './stages/combine.js';
import type { Stage } from './stages/cursor.js';
import { filterStage, mapStage, shardStage, skipStage, takeStage } from './stages/elementwise.js';
import { iterateStage, type PipelineIterator } from './stages/iterator.js';
import { shuffleStage } from './stages/order.js';
import { arraySource, datasetSource, iterableSource, type Sample, type Source } from './stages/sources.js';
import { localCaller, parallelMapStage, WorkerCaller } from './stages/workers.js';

export type TensorTree = Tree<Tensor>;

/** What `fit` takes for one step: rows of inputs, of targets, and weights `[n]` of the samples. */
export interface Batch {
  readonly x: TensorTree;
  readonly y?: TensorTree;
  readonly weight?: Tensor;
}

export interface IterateOptions {
  /** Seeds the shuffles, so that each epoch has its own order; default 0. */
  readonly epoch?: number;
  /** What `state()` gave: the first element is the one that came next. */
  readonly state?: JsonValue;
}

export interface MapOptions {
  /** Threads that run the function, which is then the URL of a module. */
  readonly workers?: number;
  /** Name of the module's function; default 'default'. */
  readonly name?: string;
  /** Calls under way at once; results keep the order. Default 1, or twice the workers. */
  readonly concurrency?: number;
}

export interface ShuffleOptions {
  /** Elements in memory that change places; default 1024. */
  readonly buffer?: number;
  /** For an order that depends on it and the epoch alone; default the seed of `seed()`. */
  readonly seed?: number;
}

export interface PipelineBatchOptions<T = unknown, R = unknown> {
  /** Leaves out the last batch when it is smaller; default false. */
  readonly dropLast?: boolean;
  /** Fills arrays that are shorter than the longest of their batch along the first axis. */
  readonly pad?: number;
  /** Length to fill up to; default that of the longest. */
  readonly padTo?: number;
  /** Dtype of all parts, or by key: `{ y: 'int32' }`. Default: that of typed arrays, float32 for numbers, bool for booleans. */
  readonly dtypes?: DType | Readonly<Record<string, DType>>;
  /** Makes the batch of the elements, instead of stacking. */
  readonly collate?: (elements: readonly T[]) => R;
}

export interface BalanceOptions<T> {
  /** The class of an element. */
  readonly label: ClassOf<T>;
  /** Elements of each class kept in memory; default 256. */
  readonly buffer?: number;
  readonly seed?: number;
}

/** What `batch` makes of elements: numbers and arrays become tensors, strings lists, records and lists keep their form. */
export type Collated<T> = T extends Tensor | number | boolean | ArrayBufferView | readonly number[] | ShapedArray
  ? Tensor
  : T extends string
    ? string[]
    : T extends object
      ? { readonly [K in keyof T]: Collated<T[K]> }
      : unknown;

/** A typed array with its shape. */
export interface ShapedArray {
  readonly data: ArrayBufferView;
  readonly shape: readonly number[];
}

/**
 * A stream of elements and what is done to each: lazy, immutable, in constant memory. Every operator returns a new pipeline;
 * nothing is read before it is iterated, and no faster than it is asked for. Each iteration is an epoch: `epoch` seeds the
 * shuffles, and the same seed and epoch give the same elements in the same order, whatever runs ahead or in workers.
 *
 * Errors of your functions are `DataError`s that name operator and element, with the error itself as `cause`.
 * @example
 * const batches = data.Pipeline.from(rows)
 *   .map(([a, b, label]) => ({ x: [a, b], y: label }))
 *   .shuffle({ buffer: 10_000, seed: 1 })
 *   .batch(32, { dtypes: { y: 'int32' } });
 * for await (const { x, y } of batches) losses.push(step(x, y));
 * @see Murray et al. (2021), tf.data: a machine learning data processing framework.
 */
export class Pipeline<T> implements AsyncIterable<T> {
  readonly #stage: Stage<T>;

  /** For sources that know how to continue; users call {@link Pipeline.from}. */
  constructor(stage: Stage<T>) {
    checkFunction('Pipeline', 'open', stage?.open);
    this.#stage = stage;
  }

  /**
   * A pipeline of the elements of `source`.
   * @param source an array, typed array, `TensorDataset` (samples `{ x, y }`), iterable, async iterable, Node stream, or a
   * function that opens one. Iterators and streams can be read once; give a function to have more than one epoch.
   * @throws OptionError when it is none of these; DataError, when iterated, for a stream that was read before.
   * @example data.Pipeline.from([1, 2, 3]);
   * @example data.Pipeline.from(() => createReadStream('log.txt', 'utf8'));
   */
  static from(source: TensorDataset): Pipeline<Sample>;
  static from<T>(source: Source<T>): Pipeline<T>;
  static from(source: TensorDataset | Source<unknown>): Pipeline<unknown> {
    if (source instanceof TensorDataset) return new Pipeline<unknown>(datasetSource(source));
    if (Array.isArray(source)) return new Pipeline(arraySource(source));
    if (ArrayBuffer.isView(source) && !(source instanceof DataView)) {
      return new Pipeline(arraySource(source as unknown as ArrayLike<unknown>));
    }
    const iterable =
      typeof source === 'function' ||
      (typeof source === 'object' && source !== null && (Symbol.asyncIterator in source || Symbol.iterator in source));
    if (!iterable) {
      throw new OptionError(
        `Pipeline.from: source is ${String(source)}, expected an array, (async) iterable, stream or a function that opens one`,
      );
    }
    return new Pipeline(iterableSource(source as Source<unknown>));
  }

  /** Elements of an epoch; null when nobody knows before its end, Infinity after an endless `repeat`. */
  get length(): number | null {
    return this.#stage.length;
  }

  [Symbol.asyncIterator](): PipelineIterator<T> {
    return this.iterate();
  }

  /**
   * Begins an epoch, or continues one.
   * @param options `epoch`: whole number >= 0; `state`: what an iterator of this same pipeline said, which has the epoch.
   * @returns an iterator; leaving a `for await` early, or `return()`, closes files, streams and workers.
   * @throws FormatError for the state of another pipeline; OptionError for another epoch than the state's.
   * @example
   * const walk = batches.iterate({ epoch: 3 });
   * const first = await walk.next();
   * const rest = batches.iterate({ state: walk.state() }); // the second batch of the same order comes next
   */
  iterate(options: IterateOptions = {}): PipelineIterator<T> {
    checkOptions('iterate', options, ['epoch', 'state']);
    const epoch = wholeNumber('iterate: epoch', options.epoch ?? 0, 0);
    const saved = (options.state as { epoch?: unknown } | null | undefined)?.epoch;
    if (options.state !== undefined && options.epoch !== undefined && saved !== epoch) {
      throw new OptionError(`iterate: epoch is ${epoch}, but the state is of epoch ${String(saved)}; leave epoch out`);
    }
    return iterateStage(this.#stage, { epoch, key: randomState().seed }, options.state);
  }

  /**
   * `fn(element, index)` of each element.
   *
   * In worker threads, `fn` is the URL of a module: a function could not take its variables along. The module's function gets
   * copies (structured clone) of elements and indices. Results keep the order of the elements.
   * @param options `workers`, `name` (for a module), `concurrency`: calls under way at once.
   * @throws OptionError for a function with workers, a URL without, or an option out of range.
   * @example pipeline.map(async (file) => decode(await readFile(file)), { concurrency: 8 });
   * @example pipeline.map(new URL('./decode.mjs', import.meta.url), { workers: 4, name: 'decode' });
   */
  map<R>(
    fn: (element: T, index: number) => R | PromiseLike<R>,
    options?: Omit<MapOptions, 'workers' | 'name'>,
  ): Pipeline<R>;
  map<R = unknown>(module: URL, options: MapOptions): Pipeline<R>;
  map<R>(fn: ((element: T, index: number) => R | PromiseLike<R>) | URL, options: MapOptions = {}): Pipeline<R> {
    checkOptions('map', options, ['workers', 'name', 'concurrency']);
    const workers = wholeNumber('map: workers', options.workers ?? 0, 0, 256);
    const ahead = wholeNumber('map: concurrency', options.concurrency ?? Math.max(1, 2 * workers), 1, 65_536);
    if (fn instanceof URL) {
      if (workers === 0) throw new OptionError('map: a module runs in worker threads; give { workers: 1 } or more');
      const { name = 'default' } = options;
      return new Pipeline(parallelMapStage<T, R>(this.#stage, ahead, () => new WorkerCaller(fn.href, name, workers)));
    }
    if (typeof fn !== 'function')
      throw new OptionError(`map: got ${String(fn)}, expected a function or the URL of a module`);
    if (workers > 0 || options.name !== undefined) {
      throw new OptionError(
        'map: a function cannot move to worker threads, because its variables stay behind; export it from a module ' +
          "and give new URL('./module.mjs', import.meta.url)",
      );
    }
    if (ahead === 1) return new Pipeline(mapStage(this.#stage, fn));
    return new Pipeline(parallelMapStage<T, R>(this.#stage, ahead, () => localCaller(fn)));
  }

  /**
   * The elements for which `keep(element, index)` is true.
   * @example pipeline.filter((row) => row.price > 0);
   */
  filter<S extends T>(keep: (element: T, index: number) => element is S): Pipeline<S>;
  filter(keep: (element: T, index: number) => boolean | PromiseLike<boolean>): Pipeline<T>;
  filter(keep: (element: T, index: number) => boolean | PromiseLike<boolean>): Pipeline<T> {
    if (typeof keep !== 'function') throw new OptionError(`filter: got ${String(keep)}, expected a function`);
    return new Pipeline(filterStage(this.#stage, keep));
  }

  /**
   * A random order, another one each epoch: blocks of `buffer` elements, each in an order of which all are equally likely.
   * With a buffer as large as the data the whole epoch is one such order.
   * @param options `buffer` (>= 1, default 1024), `seed` (default: the seed of `seed()`).
   * @example pipeline.shuffle({ buffer: 10_000, seed: 1 });
   */
  shuffle(options: ShuffleOptions = {}): Pipeline<T> {
    checkOptions('shuffle', options, ['buffer', 'seed']);
    const buffer = wholeNumber('shuffle: buffer', options.buffer ?? 1024, 1, 2 ** 31 - 1);
    return new Pipeline(shuffleStage(this.#stage, { buffer, seed: checkSeed('shuffle', options.seed) }));
  }

  /**
   * As many elements, of all classes equally many: rare ones repeat, frequent ones lose some. Which, is random by seed and
   * epoch. Memory is `buffer` elements a class, twice.
   * @param options `label(element, index)`: its class, a number or string; `buffer` (default 256), `seed`.
   * @throws DataError, when iterated, for a class that is neither.
   * @example pipeline.balance({ label: (row) => row.fraud, seed: 1 });
   * @see He and Garcia (2009), Learning from imbalanced data: random over- and undersampling.
   */
  balance(options: BalanceOptions<T>): Pipeline<T> {
    checkOptions('balance', options, ['label', 'buffer', 'seed']);
    if (typeof options.label !== 'function') {
      throw new OptionError('balance: label is missing, expected a function that gives the class of an element');
    }
    const buffer = wholeNumber('balance: buffer', options.buffer ?? 256, 1, 2 ** 24);
    return new Pipeline(balanceStage(this.#stage, options.label, buffer, checkSeed('balance', options.seed)));
  }

  /**
   * Runs of `size` elements as one: numbers and arrays are stacked along a new first axis into tensors, records and lists
   * part by part, strings into lists. A list of numbers is an array; a list of anything else is a tuple.
   * @param size elements of a batch, >= 1.
   * @param options `dropLast`, `pad` and `padTo` for arrays of unequal length, `dtypes`, or `collate` to do it yourself.
   * @throws ShapeError, when iterated, for arrays of unequal shape; DataError for elements of unequal form.
   * @example pipeline.batch(32, { dtypes: { y: 'int32' } }); // { x: [32, 784], y: [32] }
   * @example sentences.batch(16, { pad: 0 }); // int32 [16, longest]
   */
  batch<R>(
    size: number,
    options: PipelineBatchOptions<T, R> & { readonly collate: (elements: readonly T[]) => R },
  ): Pipeline<R>;
  batch(size: number, options?: PipelineBatchOptions<T>): Pipeline<Collated<T>>;
  batch(size: number, options: PipelineBatchOptions<T> = {}): Pipeline<unknown> {
    checkOptions('batch', options, ['dropLast', 'pad', 'padTo', 'dtypes', 'collate']);
    const { dropLast = false, pad, padTo, dtypes } = options;
    wholeNumber('batch: size', size, 1, 2 ** 31 - 1);
    if (padTo !== undefined) {
      wholeNumber('batch: padTo', padTo, 1, 2 ** 31 - 1);
      if (pad === undefined) throw new OptionError('batch: padTo needs pad, the value to fill with');
    }
    if (pad !== undefined && typeof pad !== 'number')
      throw new OptionError(`batch: pad is ${String(pad)}, expected a number`);
    for (const dtype of typeof dtypes === 'object' ? Object.values(dtypes) : dtypes === undefined ? [] : [dtypes]) {
      if (!DTYPES.includes(dtype)) {
        throw new OptionError(
          `batch: dtype is ${String(dtype)}, expected ${DTYPES.join(', ')}.${didYouMean(dtype, DTYPES)}`,
        );
      }
    }
    const collate = options.collate as ((elements: readonly unknown[]) => unknown) | undefined;
    return new Pipeline(batchStage(this.#stage, { size, dropLast, pad, padTo, dtypes, collate }));
  }

  /**
   * Up to `size` elements are made ahead while the consumer works: reading and batching next to native training.
   * @example pipeline.batch(128).prefetch(2);
   */
  prefetch(size = 2): Pipeline<T> {
    return new Pipeline(prefetchStage(this.#stage, wholeNumber('prefetch: size', size, 1, 2 ** 24)));
  }

  /**
   * Keeps all elements of the first epoch that is read to its end in memory; later epochs are read from there. Everything
   * before it, random or not, is as in epoch 0 from then on: shuffle after it.
   * @example pipeline.map(decode).cache().shuffle({ buffer: 50_000 });
   */
  cache(): Pipeline<T> {
    return new Pipeline(cacheStage(this.#stage));
  }

  /** The elements `count` times (default: without end), each time in another random order where there is a shuffle before. */
  repeat(count = Number.POSITIVE_INFINITY): Pipeline<T> {
    if (count !== Number.POSITIVE_INFINITY) wholeNumber('repeat: count', count, 1);
    return new Pipeline(repeatStage(this.#stage, count));
  }

  /** The first `count` elements; no more are read. */
  take(count: number): Pipeline<T> {
    return new Pipeline(takeStage(this.#stage, wholeNumber('take: count', count, 0)));
  }

  /** All but the first `count` elements. */
  skip(count: number): Pipeline<T> {
    return new Pipeline(skipStage(this.#stage, wholeNumber('skip: count', count, 0)));
  }

  /** All elements, then those of the others. */
  concat(...others: readonly Pipeline<T>[]): Pipeline<T> {
    return new Pipeline(concatStage(this.#with('concat', others)));
  }

  /** One element of each in turn; what has ended is left out. */
  interleave(...others: readonly Pipeline<T>[]): Pipeline<T> {
    return new Pipeline(interleaveStage(this.#with('interleave', others)));
  }

  /**
   * Tuples of one element of each, until the first ends.
   * @example images.zip(labels).map(([x, y]) => ({ x, y }));
   */
  zip<U extends readonly unknown[]>(
    ...others: { readonly [K in keyof U]: Pipeline<U[K]> }
  ): Pipeline<readonly [T, ...U]> {
    const stages = this.#with('zip', others as unknown as readonly Pipeline<T>[]);
    return new Pipeline(zipStage(stages) as Stage<readonly [T, ...U]>);
  }

  /**
   * The part of process `rank` of `world`: elements rank, rank + world, … Shuffle before it with a common seed, or after.
   * @param options `even`: leave out what remains after the last complete round, so that all ranks make as many steps;
   * default false.
   * @throws OptionError unless 0 <= rank < world.
   * @example pipeline.shuffle({ seed: 1 }).shard(rank, world, { even: true }).batch(32);
   */
  shard(rank: number, world: number, options: { readonly even?: boolean } = {}): Pipeline<T> {
    checkOptions('shard', options, ['even']);
    wholeNumber('shard: world', world, 1);
    wholeNumber('shard: rank', rank, 0, world - 1);
    return new Pipeline(shardStage(this.#stage, rank, world, options.even ?? false));
  }

  /** All elements of an epoch, for small ones. */
  async toArray(options: IterateOptions = {}): Promise<T[]> {
    const out: T[] = [];
    for await (const element of this.iterate(options)) out.push(element);
    return out;
  }

  #with(operator: string, others: readonly Pipeline<T>[]): Stage<T>[] {
    return [this, ...others].map((p) => {
      if (p instanceof Pipeline) return p.#stage;
      throw new OptionError(`${operator}: got ${String(p)}, expected pipelines; wrap it in Pipeline.from`);
    });
  }
}

function checkSeed(where: string, seed: number | undefined): number | undefined {
  return seed === undefined ? undefined : wholeNumber(`${where}: seed`, seed, 0);
}
