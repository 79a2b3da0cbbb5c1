import type { HostArray } from '../dtype.js';
import type { Tensor } from '../graph/tensor.js';
import { argsort, flatten, type Operand, take, toTensor } from '../ops/index.js';
import { tensor } from './create.js';

/** The distinct values of a tensor and how they make it up. */
export interface Unique {
  /** [n], ascending, dtype of the tensor; NaN last and once. */
  readonly values: Tensor;
  /** int32, the shape of the tensor: which of `values` each element is. */
  readonly inverse: Tensor;
  /** int32, [n]: how often each comes. */
  readonly counts: Tensor;
}

/**
 * The distinct values of a tensor, in ascending order. How many there are depends on the data, so the tensor is computed first:
 * this is no graph operation, has no gradient and cannot be used inside `compile`.
 * @param x any shape and dtype; all NaN count as one value, as in NumPy
 * @returns `values`, `inverse` and `counts`
 * @throws TraceError inside `compile`
 * @example const { values, counts } = await unique(tensor([3, 1, 3])); // [1, 3] and [1, 2]
 */
export async function unique(x: Operand): Promise<Unique> {
  const { t, order, sorted } = prepare(x);
  const [positions, values] = await Promise.all([order.data(), sorted.data()]);
  return groups(t, positions, values);
}

/** The same, waiting on this thread. */
export function uniqueSync(x: Operand): Unique {
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
