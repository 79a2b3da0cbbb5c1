import { isFloat } from '../dtype.js';
import { OptionError, ShapeError } from '../errors.js';
import { buildAll, type Tensor } from '../graph/tensor.js';
import { checkOptions, shown, wholeNumber } from '../options.js';
import { normalizeAxis, sizeOf } from '../shape.js';
import { scatterInto } from './along.js';
import { batchRows, defineOp } from './define.js';
import { transpose } from './movement.js';
import { cast, type Operand, toTensor } from './operand.js';

/** Orders numbers with NaN as the largest; -0 and +0 are equal. */
function order(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : Number(a > b);
}

/** attrs: k, descending. Over the last axis; [values, indices]. */
export const sortOps = {
  sort: defineOp('sort', {
    kind: 'coarse',
    batch: batchRows,
    optionalOutputs: true,
    infer: ([x], attrs) => {
      const shape = [...x.shape.slice(0, -1), attrs.k as number];
      return [
        { shape, dtype: x.dtype },
        { shape, dtype: 'int32' },
      ];
    },
    vjp: ({ gs: [g], inputs: [x], outs: [, indices] }) => [
      g === null ? null : scatterInto(x.shape.length - 1, x.shape[x.shape.length - 1], g, indices, 'set'),
    ],
    reference: ([x], attrs, [{ shape }]) => {
      const cols = x.shape[x.shape.length - 1];
      const k = attrs.k as number;
      const sign = attrs.descending === true ? -1 : 1;
      const values = new Float64Array(sizeOf(shape));
      const indices = new Float64Array(values.length);
      for (let row = 0; row * k < values.length; row++) {
        const at = (i: number) => x.data[row * cols + i];
        const sorted = Array.from({ length: cols }, (_, i) => i).sort((a, b) => sign * order(at(a), at(b)) || a - b);
        for (let i = 0; i < k; i++) {
          values[row * k + i] = at(sorted[i]);
          indices[row * k + i] = sorted[i];
        }
      }
      return [
        { data: values, shape },
        { data: indices, shape },
      ];
    },
    lower: ({ inputs: [x], attrs }) => ({
      opcode: 'SORT',
      params: [
        sizeOf(x.shape.slice(0, -1)),
        x.shape[x.shape.length - 1],
        attrs.k as number,
        Number(attrs.descending === true),
      ],
    }),
  }),
};

function sorted(op: string, x: Operand, axis: number, k: number | null, descending: boolean): [Tensor, Tensor] {
  const t = toTensor(x, undefined, op);
  const at = normalizeAxis(op, axis, t.shape.length);
  const size = t.shape[at];
  if (k !== null && !(Number.isInteger(k) && k >= 0)) {
    throw new OptionError(`${op}: got k = ${shown(k)}, expected a whole number >= 0`);
  }
  if (k !== null && k > size) throw new ShapeError(`${op}: got k = ${k}, but axis ${axis} of [${t.shape}] has ${size}`);
  const wide = isFloat(t.dtype) ? t : cast(t, 'int32');
  const attrs = { k: k ?? size, descending };
  const [values, indices] = buildAll(sortOps.sort, [transpose(wide, at, -1)], attrs);
  return [cast(transpose(values, at, -1), t.dtype), transpose(indices, at, -1)];
}

export interface SortOptions {
  /** Default -1, the last. */
  readonly axis?: number;
  /** Largest first; default false. */
  readonly descending?: boolean;
}

/**
 * Sorts along an axis. Equal values keep their order (stable, both ways); NaN counts as the largest, as in NumPy and PyTorch.
 * The gradient goes back to where each value stood.
 * @param x rank 1 or more, any dtype
 * @param options `axis`, default the last; `descending`, default false
 * @returns the shape and dtype of `x`
 * @throws ShapeError when the axis does not exist
 * @example sort(tensor([3, 1, 2])); // [1, 2, 3]
 */
export function sort(x: Operand, options: SortOptions = {}): Tensor {
  checkOptions('sort', options, ['axis', 'descending']);
  const { axis = -1, descending = false } = options;
  return sorted('sort', x, axis, null, descending)[0];
}

/**
 * Positions that would sort an axis; order as in {@link sort}.
 * @param x rank 1 or more, any dtype
 * @param options `axis`, default the last; `descending`, default false
 * @returns int32, the shape of `x`
 * @throws ShapeError when the axis does not exist
 * @example argsort(tensor([3, 1, 2])); // [1, 2, 0]
 */
export function argsort(x: Operand, options: SortOptions = {}): Tensor {
  checkOptions('argsort', options, ['axis', 'descending']);
  const { axis = -1, descending = false } = options;
  return sorted('argsort', x, axis, null, descending)[1];
}

export interface TopKOptions {
  /** Default -1, the last. */
  readonly axis?: number;
  /** The largest (default) or the smallest. */
  readonly largest?: boolean;
}

/**
 * The k largest (or smallest) values along an axis, best first; of equal ones the first counts, NaN counts as the largest.
 * @param x rank 1 or more, any dtype
 * @param k whole number, 0 … size of the axis
 * @param options `axis`, default the last; `largest`, default true
 * @returns `values` of the dtype of `x` and `indices` int32: the shape of `x` with k along the axis
 * @throws OptionError for an illegal k, ShapeError when k is larger than the axis or the axis does not exist
 * @example topK(tensor([3, 1, 4]), 2).indices; // [2, 0]
 */
export function topK(x: Operand, k: number, options: TopKOptions = {}): { values: Tensor; indices: Tensor } {
  checkOptions('topK', options, ['axis', 'largest']);
  const { axis = -1, largest = true } = options;
  wholeNumber('topK: k', k, 0);
  const [values, indices] = sorted('topK', x, axis, k, largest);
  return { values, indices };
}
