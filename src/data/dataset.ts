import {
  DataError,
  type HostArray,
  isFloat,
  OptionError,
  permutation,
  permutationAsync,
  type Shape,
  ShapeError,
  Tensor,
  type TensorData,
  take,
  tensor,
} from '../core.js';
import { macrotask } from '../macrotask.js';
import { checkBatchSize, checkFunction, checkList, checkOptions, shown, wholeNumber } from '../options.js';
import { sizeOf } from '../shape.js';

/** What a data set is made of: a tensor, a typed array with its shape, a typed array of scalars, or nested arrays. */
export type DataInput = Tensor | TensorData | { readonly data: HostArray; readonly shape: Shape };

export interface DatasetOptions {
  /** Applied to each batch of x inside the program, such as scaling of bytes; a batch is `[batch, ...sample shape]`. */
  readonly transform?: (x: Tensor) => Tensor;
}

export interface BatchOptions {
  /** Samples a batch; default 32, or the size of the data set when that is smaller. */
  readonly batchSize?: number;
  /** A new random order each time; default false. */
  readonly shuffle?: boolean;
  /** Leave out the last batch when it is smaller; default false. */
  readonly dropLast?: boolean;
}

export interface SplitOptions {
  /** Random parts; default true. Without, the parts follow each other in the data set's order. */
  readonly shuffle?: boolean;
  /** For parts that depend on nothing else; without it they are drawn from the 'data' stream of `seed()`. */
  readonly seed?: number;
}

/** Samples without a macrotask after which other work of the process waits too long, in milliseconds. */
const MAX_HOLD_MS = 8;

/**
 * A data set in memory: sample i is `x[i]` with the target `y[i]`. Parts of it share its memory.
 *
 * @param x `[samples, ...]`. Bytes (uint8) may stay bytes when `transform` makes floats of them.
 * @param y `[samples]` class numbers (int32 or uint8), or `[samples, ...]` values to predict.
 * @throws DataError when there is no sample or x and y differ in length.
 * @example
 * const xor = new TensorDataset([[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]);
 * const bytes = new TensorDataset({ data: pixels, shape: [1000, 784] }, labels, {
 *   transform: (x) => x.cast('float32').div(255),
 * });
 */
export class TensorDataset {
  /** All stored samples, `[stored, ...]`, before the transform. */
  readonly x: Tensor;
  readonly y: Tensor;
  /** Rows of x and y that belong to this data set, in order; null means all. */
  readonly rows: Int32Array | null;
  readonly length: number;
  private readonly apply: ((x: Tensor) => Tensor) | null;

  constructor(x: DataInput, y: DataInput, options: DatasetOptions = {}, rows: Int32Array | null = null) {
    checkOptions('TensorDataset', options, ['transform']);
    if (options.transform !== undefined) checkFunction('TensorDataset', 'transform', options.transform);
    this.x = toTensor('TensorDataset: x', x);
    this.y = toTensor('TensorDataset: y', y);
    if (this.x.shape[0] !== this.y.shape[0]) {
      throw new DataError(
        `TensorDataset: x has ${this.x.shape[0]} samples and y has ${this.y.shape[0]}, expected as many ` +
          `(x is [${this.x.shape}], y is [${this.y.shape}])`,
      );
    }
    this.rows = rows;
    this.length = rows === null ? this.x.shape[0] : rows.length;
    this.apply = options.transform ?? null;
    if (this.length === 0) throw new DataError('TensorDataset: the data set is empty, expected at least one sample');
  }

  /** A data set of inputs alone, for `predict`; its targets are the inputs again. */
  static unlabelled(x: DataInput, options: DatasetOptions = {}): TensorDataset {
    const inputs = toTensor('unlabelled: x', x);
    return new TensorDataset(inputs, inputs, options);
  }

  /** Whether `transform` does anything. */
  get transformed(): boolean {
    return this.apply !== null;
  }

  /** The transform of a batch of stored x, as graph nodes. */
  transform(x: Tensor): Tensor {
    return this.apply === null ? x : this.apply(x);
  }

  /**
   * The same samples with `transform` applied to each batch of x, after the transforms there are.
   * @example const images = train.map((x) => x.reshape([x.shape[0], 28, 28, 1]));
   */
  map(transform: (x: Tensor) => Tensor): TensorDataset {
    checkFunction('map', 'transform', transform);
    return new TensorDataset(this.x, this.y, { transform: (x) => transform(this.transform(x)) }, this.rows);
  }

  /** The same samples with other targets: `y[i]` for the stored sample i. @throws DataError when the length differs. */
  withTargets(y: DataInput): TensorDataset {
    return new TensorDataset(this.x, y, this.options(), this.rows);
  }

  /**
   * The samples at `indices`, in that order; repeats are allowed.
   * @throws DataError when an index is outside [0, length).
   */
  subset(indices: ArrayLike<number>): TensorDataset {
    if (!Array.isArray(indices) && !ArrayBuffer.isView(indices)) {
      throw new OptionError(`subset: got ${shown(indices)}, expected an array of positions`);
    }
    const rows = Int32Array.from(indices, (index, i) => {
      if (!Number.isInteger(index) || index < 0 || index >= this.length) {
        throw new DataError(`subset: index ${index} at position ${i} is outside [0, ${this.length})`);
      }
      return this.row(index);
    });
    return new TensorDataset(this.x, this.y, this.options(), rows);
  }

  /**
   * Cuts the data set into parts that share its memory.
   * @param parts a fraction in (0, 1) for two parts, the first with that share; or the number of samples of each part.
   * @throws OptionError when a part would be empty or the counts do not add up.
   * @example
   * const [train, validation] = dataset.split(0.9, { seed: 1 });
   * const [a, b, c] = dataset.split([800, 100, 100]);
   */
  split(parts: number | readonly number[], options: SplitOptions = {}): TensorDataset[] {
    checkOptions('split', options, ['shuffle', 'seed']);
    const counts = this.partSizes(parts);
    const shuffle = options.shuffle ?? true;
    const order = shuffle
      ? permutation(this.length, options.seed)
      : Int32Array.from({ length: this.length }, (_, i) => i);
    let start = 0;
    return counts.map((count) => {
      const part = order.subarray(start, start + count).map((i) => this.row(i));
      start += count;
      return new TensorDataset(this.x, this.y, this.options(), part);
    });
  }

  /** Row numbers of all samples: in order, or the next random order of the 'data' stream. */
  async order(shuffle: boolean): Promise<Int32Array> {
    if (!shuffle) return this.rows?.slice() ?? Int32Array.from({ length: this.length }, (_, i) => i);
    const order = await permutationAsync(this.length);
    const { rows } = this;
    if (rows !== null) for (let i = 0; i < order.length; i++) order[i] = rows[order[i]];
    return order;
  }

  /**
   * Batches `[x, y]` of lazy tensors, for training loops of your own. The event loop gets its turn at least every 10 ms.
   * @throws OptionError when `batchSize` is no whole number in [1, length].
   * @example for await (const [x, y] of dataset.batches({ batchSize: 32, shuffle: true })) losses.push(step(x, y));
   */
  async *batches(options: BatchOptions = {}): AsyncGenerator<[x: Tensor, y: Tensor], void, void> {
    checkOptions('batches', options, ['batchSize', 'shuffle', 'dropLast']);
    const size = checkBatchSize('batches', options.batchSize, this.length);
    const order = await this.order(options.shuffle ?? false);
    const end = options.dropLast === true ? this.length - (this.length % size) : this.length;
    let held = performance.now();
    for (let start = 0; start < end; start += size) {
      const index = tensor(order.subarray(start, Math.min(start + size, end)), { dtype: 'int32' });
      yield [this.transform(take(this.x, index)), take(this.y, index)];
      if (performance.now() - held > MAX_HOLD_MS) {
        await macrotask();
        held = performance.now();
      }
    }
  }

  /**
   * Looks through all stored floating-point values for NaN and infinity.
   * @throws DataError naming the first sample and element that is not finite.
   */
  async checkFinite(): Promise<void> {
    for (const [name, values] of [
      ['x', this.x],
      ['y', this.y],
    ] as const) {
      if (!isFloat(values.dtype)) continue;
      const data = await values.data();
      const width = sizeOf(values.shape.slice(1));
      for (let i = 0; i < this.length; i++) {
        const start = this.row(i) * width;
        for (let j = start; j < start + width; j++) {
          if (!Number.isFinite(data[j])) {
            throw new DataError(`checkFinite: ${name} of sample ${i} has ${data[j]} at element ${j - start}`);
          }
        }
        if (i % 1024 === 1023) await macrotask();
      }
    }
  }

  /** Row of x and y that holds sample i. */
  private row(i: number): number {
    return this.rows === null ? i : this.rows[i];
  }

  private options(): DatasetOptions {
    return this.apply === null ? {} : { transform: this.apply };
  }

  private partSizes(parts: number | readonly number[]): readonly number[] {
    const n = this.length;
    if (typeof parts === 'number') {
      const first = Math.round(n * parts);
      if (!(typeof parts === 'number' && parts > 0 && parts < 1) || first === 0 || first === n) {
        const hint = parts >= 1 ? '; give counts as an array, such as split([800, 200])' : '';
        throw new OptionError(
          `split: fraction ${shown(parts)} of ${n} samples: expected one in (0, 1) that leaves no part empty${hint}`,
        );
      }
      return [first, n - first];
    }
    checkList('split', 'parts', parts, 'counts');
    const total = parts.reduce((sum, count) => sum + wholeNumber('split: a count', count, 1, n), 0);
    if (total !== n) throw new OptionError(`split: counts [${parts}] add up to ${total}, expected ${n}`);
    return parts;
  }
}

/** `input` as a tensor with at least one axis. */
function toTensor(what: string, input: DataInput): Tensor {
  let t: Tensor;
  if (input instanceof Tensor) t = input;
  else if (isShaped(input)) t = tensor(input.data, { shape: input.shape });
  else t = tensor(input);
  if (t.shape.length === 0) throw new ShapeError(`${what} is a scalar, expected [samples, ...]`);
  return t;
}

function isShaped(input: Exclude<DataInput, Tensor>): input is { readonly data: HostArray; readonly shape: Shape } {
  return typeof input === 'object' && input !== null && 'shape' in input && 'data' in input;
}
