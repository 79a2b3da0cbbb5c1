import type { HostArray } from '../dtype.js';
import type { Tensor } from '../graph/tensor.js';
import { argsort, flatten, type Operand, permute, take, toTensor } from '../ops/index.js';
import { checkOptions } from '../options.js';
import { normalizeAxis, sizeOf } from '../shape.js';
import { tensor } from './create.js';

/** The distinct values of a tensor, or its distinct slices, and how they make it up. */
export interface Unique {
  /** [n], ascending, dtype of the tensor; NaN last and once. With `axis`: the slices, along that axis. */
  readonly values: Tensor;
  /** int32, the shape of the tensor: which of `values` each element is. With `axis`: [size of the axis]. */
  readonly inverse: Tensor;
  /** int32, [n]: how often each comes. */
  readonly counts: Tensor;
}

export interface UniqueOptions {
  /** Compares whole slices along this axis instead of elements. */
  readonly axis?: number;
}

/**
 * The distinct values of a tensor, or with `axis` its distinct slices ordered by their first difference, in
 * ascending order. How many there are depends on the data, so the tensor is computed first: this is no graph operation, has no
 * gradient and cannot be used inside `compile`.
 * @param x any shape and dtype; all NaN count as one value, as in NumPy
 * @param options `axis`, default none: elements
 * @returns `values`, `inverse` and `counts`
 * @throws TraceError inside `compile`, ShapeError when the axis does not exist
 * @example const { values, counts } = await unique(tensor([3, 1, 3])); // [1, 3] and [1, 2]
 * @example const { values: rows } = await unique(tensor([[1, 2], [0, 5], [1, 2]]), { axis: 0 }); // [[0, 5], [1, 2]]
 */
export async function unique(x: Operand, options: UniqueOptions = {}): Promise<Unique> {
  checkOptions('unique', options, ['axis']);
  const { axis } = options;
  if (axis !== undefined) {
    const rows = rowsOf(x, axis);
    return slices(rows, await rows.flat.data());
  }
  const { t, order, sorted } = prepare(x);
  const [positions, values] = await Promise.all([order.data(), sorted.data()]);
  return groups(t, positions, values);
}

/** The same, waiting on this thread. */
export function uniqueSync(x: Operand, options: UniqueOptions = {}): Unique {
  checkOptions('uniqueSync', options, ['axis']);
  const { axis } = options;
  if (axis !== undefined) {
    const rows = rowsOf(x, axis);
    return slices(rows, rows.flat.dataSync());
  }
  const { t, order, sorted } = prepare(x);
  return groups(t, order.dataSync(), sorted.dataSync());
}

function prepare(x: Operand): { t: Tensor; order: Tensor; sorted: Tensor } {
  const t = toTensor(x, undefined, 'unique');
  const flat = flatten(t);
  const order = argsort(flat);
  return { t, order, sorted: take(flat, order) };
}

function groups(t: Tensor, order: HostArray, sorted: HostArray): Unique {
  const starts: number[] = [];
  const inverse = new Int32Array(sorted.length);
  for (let i = 0; i < sorted.length; i++) {
    const [a, b] = [sorted[i - 1], sorted[i]];
    if (i === 0 || !(a === b || (Number.isNaN(a) && Number.isNaN(b)))) starts.push(i);
    inverse[order[i]] = starts.length - 1;
  }
  const values = new (sorted.constructor as new (n: number) => HostArray)(starts.length);
  const counts = new Int32Array(starts.length);
  for (const [k, start] of starts.entries()) {
    values[k] = sorted[start];
    counts[k] = (starts[k + 1] ?? sorted.length) - start;
  }
  return {
    values: tensor(values, { dtype: t.dtype }),
    inverse: tensor(inverse, { shape: t.shape }),
    counts: tensor(counts),
  };
}

interface Rows {
  readonly t: Tensor;
  readonly axis: number;
  /** The tensor with the axis in front. */
  readonly flat: Tensor;
}

function rowsOf(x: Operand, axis: number): Rows {
  const t = toTensor(x, undefined, 'unique');
  const at = normalizeAxis('unique', axis, t.shape.length);
  return { t, axis: at, flat: permute(t, front(t.shape.length, at)) };
}

/** Order of the axes that brings one to the front. */
const front = (rank: number, axis: number): number[] => [
  axis,
  ...Array.from({ length: rank }, (_, a) => a).filter((a) => a !== axis),
];

function slices({ t, axis, flat }: Rows, data: HostArray): Unique {
  const n = t.shape[axis];
  const width = sizeOf(flat.shape.slice(1));
  const order = Array.from({ length: n }, (_, i) => i);
  order.sort((a, b) => compareRows(data, a * width, b * width, width));
  const firsts: number[] = [];
  const counts: number[] = [];
  const inverse = new Int32Array(n);
  for (const [i, row] of order.entries()) {
    if (i === 0 || compareRows(data, order[i - 1] * width, row * width, width) !== 0) {
      firsts.push(row);
      counts.push(0);
    }
    counts[counts.length - 1]++;
    inverse[row] = firsts.length - 1;
  }
  return {
    values: take(t, tensor(Int32Array.from(firsts)), { axis }),
    inverse: tensor(inverse),
    counts: tensor(Int32Array.from(counts)),
  };
}

/** By the first element that differs; NaN is the largest, and equal to itself. */
function compareRows(data: HostArray, a: number, b: number, width: number): number {
  for (let i = 0; i < width; i++) {
    const [x, y] = [data[a + i], data[b + i]];
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    return Number.isNaN(x) || x > y ? 1 : -1;
  }
  return 0;
}
