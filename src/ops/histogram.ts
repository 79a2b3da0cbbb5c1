import { isFloat } from '../dtype.js';
import { DTypeError, OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { checkOptions, rangeOfTwo, shown } from '../options.js';
import { sameShape } from '../shape.js';
import { greaterEqual, less, lessEqual, logicalAnd, where } from './compare.js';
import { iota, ones } from './create.js';
import { add, div, floor, mul, sub } from './elementwise.js';
import { scatterAdd, take } from './gather.js';
import { concat, flatten, reshape, slice } from './movement.js';
import { cast, type Operand, operandOf, toTensor } from './operand.js';
import { max, min, sum } from './reduce.js';

function flatWeights(op: string, x: Tensor, weights: Operand | undefined): Tensor {
  if (weights === undefined) return ones([x.shape.reduce((a, b) => a * b, 1)], { dtype: 'int32' });
  const w = toTensor(weights, undefined, op);
  if (!sameShape(w.shape, x.shape)) {
    throw new ShapeError(`${op}: got weights [${w.shape}] for values [${x.shape}], expected equal shapes`);
  }
  return flatten(w);
}

export interface BincountOptions {
  /** Added instead of 1 for each value; the shape of the values. */
  readonly weights?: Operand;
}

/**
 * Counts each whole number 0 … length - 1.
 * `y_v = number of i with x_i = v`, or the sum of their weights
 * @param x whole numbers, any shape; one outside 0 … length - 1 stops the run with a DataError
 * @param length number of bins, a whole number >= 0; the graph needs it before it knows the values
 * @param options `weights`
 * @returns [length], int32 or the dtype of the weights
 * @throws OptionError for an illegal length, ShapeError for weights of another shape, DTypeError when x is not an integer
 * @example bincount(tensor([0, 2, 2], { dtype: 'int32' }), 4); // [1, 0, 2, 0]
 */
export function bincount(x: Operand, length: number, options: BincountOptions = {}): Tensor {
  checkOptions('bincount', options, ['weights']);
  const { weights } = options;
  const t = toTensor(x, 'int32', 'bincount');
  if (isFloat(t.dtype)) throw new DTypeError(`bincount: got ${t.dtype}, expected whole numbers; add .cast('int32')`);
  if (!Number.isInteger(length) || length < 0) {
    throw new OptionError(`bincount: got length ${shown(length)}, expected a whole number >= 0`);
  }
  return scatterAdd(length, flatten(cast(t, 'int32')), flatWeights('bincount', t, weights));
}

export interface HistogramOptions {
  /** Number of bins of equal width, >= 1; default 10. */
  readonly bins?: number;
  /** Lowest and highest edge; default the least and greatest value. Values outside (and NaN) are not counted. */
  readonly range?: readonly [number, number];
  /** Added instead of 1 for each value; the shape of the values. */
  readonly weights?: Operand;
  /** Scale so that the area is 1; default false. */
  readonly density?: boolean;
}

/**
 * Histogram with bins of equal width: each is [edge_i, edge_(i + 1)), the last includes its upper edge, as in NumPy.
 * @param x float, any shape
 * @param options `bins`, default 10; `range`, default the least and greatest value (equal ones are widened by 0.5); `weights`;
 *   `density`
 * @returns `counts` [bins] (int32; the dtype of the weights; of `x` for a density) and `edges` [bins + 1], dtype of `x`
 * @throws OptionError for illegal bins or range, ShapeError for weights of another shape, DTypeError when x is not float
 * @example histogram(tensor([1, 2, 1]), { bins: 2, range: [0, 4] }).counts; // [2, 1]
 */
export function histogram(x: Operand, options: HistogramOptions = {}): { counts: Tensor; edges: Tensor } {
  checkOptions('histogram', options, ['bins', 'range', 'weights', 'density']);
  const { bins = 10, range, weights, density = false } = options;
  const t = operandOf('histogram', x, 'float');
  if (!Number.isInteger(bins) || bins < 1) {
    throw new OptionError(`histogram: got ${shown(bins)} bins, expected a whole number >= 1`);
  }
  if (range !== undefined) rangeOfTwo('histogram: range', range);
  if (range !== undefined && !(range[0] < range[1] && Number.isFinite(range[1] - range[0]))) {
    throw new OptionError(`histogram: got range [${range}], expected two finite numbers, the lower first`);
  }
  const flat = flatten(t);
  const [low, high] = range ?? limits(flat);
  // Edges first, in float64; bins are then decided by comparison with them as stored.
  const wide = (v: Operand) => (typeof v === 'number' ? v : cast(v, 'float64'));
  const width = div(sub(wide(high), wide(low)), bins);
  const inner = add(mul(iota(bins, { dtype: 'float64' }), cast(width, 'float64')), wide(low));
  const edges = cast(concatEdge(inner, wide(high)), t.dtype);
  const guess = floor(div(sub(cast(flat, 'float64'), wide(low)), cast(width, 'float64')));
  const inside = logicalAnd(
    greaterEqual(flat, slice(edges, [{ end: 1 }])),
    lessEqual(flat, slice(edges, [{ start: bins }])),
  );
  const near = cast(where(inside, guess, 0), 'int32');
  const clipped = (i: Tensor) => where(less(i, 0), 0, where(less(i, bins), i, bins - 1));
  const first = clipped(near);
  const down = sub(first, cast(less(flat, take(edges, first)), 'int32'));
  const up = add(down, cast(greaterEqual(flat, take(edges, add(clipped(down), 1))), 'int32'));
  // Values outside go to a bin of their own, which is cut off.
  const bin = where(inside, clipped(up), bins);
  const counts = slice(scatterAdd(bins + 1, bin, flatWeights('histogram', t, weights)), [{ end: bins }]);
  if (!density) return { counts, edges };
  const mass = cast(counts, t.dtype);
  return { counts: div(div(mass, sum(mass)), cast(width, t.dtype)), edges };
}

/** Least and greatest value, apart by at least something. */
function limits(flat: Tensor): [Tensor, Tensor] {
  const [low, high] = [min(flat), max(flat)];
  const half = where(less(low, high), 0, cast(0.5, flat.dtype));
  return [sub(low, half), add(high, half)];
}

function concatEdge(inner: Tensor, high: Operand): Tensor {
  const last = add(mul(slice(inner, [{ end: 1 }]), 0), high);
  return concat([inner, reshape(last, [1])]);
}
