import { DataError, type HostArray, OptionError, type Shape, ShapeError, Tensor, take, tensor } from '../core.js';
import { TensorDataset } from '../data/index.js';
import { checkArray, checkList, shown } from '../options.js';
import { sizeOf } from '../shape.js';

/** Rows of features on the host: `[n, ...features]`. */
export interface Table {
  readonly data: Float32Array | Float64Array;
  readonly shape: Shape;
}

/** What can be fitted on and transformed: a data set (its x), a tensor, a typed array with its shape, or rows. */
export type TableInput =
  | TensorDataset
  | Tensor
  | { readonly data: HostArray; readonly shape: Shape }
  | readonly (readonly number[])[];

/** What comes back: a data set for a data set, a tensor for a tensor, else a table. */
export type Like<T extends TableInput> = T extends TensorDataset ? TensorDataset : T extends Tensor ? Tensor : Table;

/** Rows in float64, feature axes flattened. */
export interface Rows {
  readonly data: Float64Array;
  readonly n: number;
  readonly d: number;
  /** As they came. */
  readonly shape: Shape;
  readonly double: boolean;
}

/** Reads any input; a data set gives its own rows only, after its transform. */
export async function readRows(where: string, input: TableInput): Promise<Rows> {
  let values: ArrayLike<number | boolean>;
  let shape: Shape;
  let double = false;
  if (input instanceof TensorDataset) {
    const x = input.transform(input.rows === null ? input.x : take(input.x, tensor(input.rows, { dtype: 'int32' })));
    [values, shape, double] = [await x.data(), x.shape, x.dtype === 'float64'];
  } else if (input instanceof Tensor) {
    [values, shape, double] = [await input.data(), input.shape, input.dtype === 'float64'];
  } else if (typeof input !== 'object' || input === null) {
    throw new OptionError(`${where}: got ${shown(input)}, expected a TensorDataset, a tensor, { data, shape } or rows`);
  } else if ('shape' in input) {
    [values, shape, double] = [input.data, input.shape, input.data instanceof Float64Array];
  } else {
    checkList(where, 'input', input, 'rows');
    for (const [i, row] of input.entries()) checkArray(where, `row ${i}`, row);
    const width = input[0]?.length ?? 0;
    const odd = input.findIndex((row) => row.length !== width);
    if (odd >= 0) throw new ShapeError(`${where}: row ${odd} has ${input[odd].length} features, row 0 has ${width}`);
    [values, shape] = [input.flat(), [input.length, width]];
  }
  const n = shape[0] ?? 0;
  const d = sizeOf(shape.slice(1));
  if (shape.length < 2) throw new ShapeError(`${where}: got [${shape}], expected [n, features]`);
  if (n === 0 || d === 0) throw new DataError(`${where}: got [${shape}], expected at least one row and one feature`);
  if (values.length !== n * d) throw new ShapeError(`${where}: got ${values.length} values for shape [${shape}]`);
  return { data: Float64Array.from(values, Number), n, d, shape, double };
}

/** `rows` in the form of `input`; the feature axes are kept when their number of elements is. */
export function writeLike<T extends TableInput>(input: T, from: Rows, data: Float64Array, d: number): Like<T> {
  const shape = d === from.d ? from.shape : [from.n, d];
  const values = from.double ? data : Float32Array.from(data);
  const give = (): Table | Tensor | TensorDataset => {
    if (input instanceof TensorDataset) {
      const { y, rows } = input;
      const targets = rows === null ? y : take(y, tensor(rows, { dtype: 'int32' }));
      return new TensorDataset(tensor(values, { shape }), targets);
    }
    return input instanceof Tensor ? tensor(values, { shape }) : { data: values, shape };
  };
  return give() as Like<T>;
}

/** @throws DataError naming row and feature of the first value that is not finite. */
export function checkFiniteRows(where: string, { data, d }: Rows): void {
  const at = data.findIndex((v) => !Number.isFinite(v));
  if (at < 0) return;
  const hint = Number.isNaN(data[at]) ? '; fill it with preprocess.Imputer first' : '';
  throw new DataError(
    `${where}: row ${Math.floor(at / d)} has ${data[at]} at feature ${at % d}, expected finite numbers${hint}`,
  );
}

/** Values of one feature. */
export function columnOf({ data, n, d }: Rows, j: number): Float64Array {
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) out[i] = data[i * d + j];
  return out;
}
