import { DataError, type DType, type HostArray, OptionError } from '../../core.js';
import { npyInfo, readNpy } from '../../io/index.js';
import { checkOptions, wholeNumber } from '../../options.js';
import { type Shape, sizeOf } from '../../shape.js';
import { Pipeline } from '../pipeline.js';
import { type Cursor, END, type MaybePromise, type Pulled, type Stage, StageState } from '../stages/cursor.js';
import type { SampleValue } from '../stages/sources.js';

export interface NpyRowsOptions {
  /** Rows read at a time; default about 1 MiB of the widest file. */
  readonly rows?: number;
}

/** A file of the same number of rows as the others, by the name its rows go under. */
interface Part {
  readonly name: string;
  readonly file: string;
  readonly shape: Shape;
  readonly dtype: DType;
}

/**
 * Rows of NPY files side by side, read in blocks: arrays larger than memory, at any position at once.
 *
 * @param files paths by name; the arrays have as many rows (axis 0).
 * @param options `rows`: of a block, >= 1.
 * @returns records of rows: numbers for arrays `[n]`, views for `[n, d]`, `{ data, shape }` for more axes; `batch` gives
 * tensors of the files' dtypes.
 * @throws FormatError naming file and byte for what is no NPY file; DataError when numbers of rows differ; OptionError.
 * @example const batches = (await data.openNpy({ x: 'images.npy', y: 'labels.npy' })).shuffle({ seed: 1 }).batch(128);
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. Arrays in Fortran order are read whole for each
 * block; save them with numpy.ascontiguousarray.
 */
export async function openNpy<K extends string>(
  files: Readonly<Record<K, string>>,
  options: NpyRowsOptions = {},
): Promise<Pipeline<Readonly<Record<K, SampleValue>>>> {
  checkOptions('openNpy', options, ['rows']);
  if (typeof files !== 'object' || files === null || Object.keys(files).length === 0) {
    throw new OptionError(
      `openNpy: files is ${String(files)}, expected paths by name, such as { x: 'x.npy', y: 'y.npy' }`,
    );
  }
  const parts = await Promise.all(
    Object.entries<string>(files).map(
      async ([name, file]): Promise<Part> => ({ name, file, ...(await npyInfo(file)) }),
    ),
  );
  const [first] = parts;
  for (const { file, shape } of parts) {
    if (shape.length === 0) throw new DataError(`openNpy: ${file} is a single number, expected rows`);
    if (shape[0] !== first.shape[0]) {
      throw new DataError(
        `openNpy: ${file} has ${shape[0]} rows, ${first.file} has ${first.shape[0]}, expected as many`,
      );
    }
  }
  const widest = Math.max(...parts.map(({ shape }) => 8 * sizeOf(shape.slice(1))));
  const rows = wholeNumber('openNpy: rows', options.rows ?? Math.max(1, Math.floor(2 ** 20 / Math.max(1, widest))), 1);
  return new Pipeline(npyStage(parts, first.shape[0], rows)) as Pipeline<Readonly<Record<K, SampleValue>>>;
}

type Row = Readonly<Record<string, SampleValue>>;

function npyStage(parts: readonly Part[], length: number, rows: number): Stage<Row> {
  return {
    name: 'npy',
    length,
    randoms: 0,
    dtypes: Object.fromEntries(parts.map(({ name, dtype }) => [name, dtype])),
    open(_context, state): Cursor<Row> {
      const read = new StageState('npy', state);
      read.same('length', length);
      let at = read.count('at');
      let first = 0;
      let end = 0;
      let block: readonly HostArray[] = [];
      const load = async (): Promise<void> => {
        const until = Math.min(length, at + rows);
        block = await Promise.all(parts.map(async ({ file }) => (await readNpy(file, { start: at, end: until })).data));
        [first, end] = [at, until];
      };
      const pull = (): MaybePromise<Pulled<Row>> => {
        if (at >= length) return END;
        if (at < first || at >= end) return load().then(pull);
        const i = at++ - first;
        return Object.fromEntries(parts.map(({ name, shape }, p) => [name, rowOf(block[p], i, shape)]));
      };
      return {
        pull,
        discard: (n) => {
          at = Math.min(length, at + n);
        },
        state: () => ({ op: 'npy', length, at }),
        close: () => {
          block = [];
        },
      };
    },
  };
}

function rowOf(data: HostArray, i: number, shape: Shape): SampleValue {
  if (shape.length === 1) return data[i];
  const rest = shape.slice(1);
  const width = sizeOf(rest);
  const row = data.subarray(i * width, (i + 1) * width);
  return rest.length === 1 ? row : { data: row, shape: rest };
}
