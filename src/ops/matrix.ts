import { OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { shown } from '../options.js';
import { greaterEqual, lessEqual, where } from './compare.js';
import { eye, iota } from './create.js';
import { broadcastTo, expandDims, flatten, pad, reshape, slice } from './movement.js';
import { type Operand, toTensor } from './operand.js';
import { sum } from './reduce.js';

function checkOffset(op: string, offset: number): void {
  if (!Number.isInteger(offset)) throw new OptionError(`${op}: got offset ${shown(offset)}, expected a whole number`);
}

function triangle(op: 'tril' | 'triu', x: Operand, offset: number): Tensor {
  const t = toTensor(x, undefined, op);
  checkOffset(op, offset);
  if (t.shape.length < 2) throw new ShapeError(`${op}: got [${t.shape}], expected matrices [..., rows, columns]`);
  const [rows, columns] = t.shape.slice(-2);
  // Column minus row against the diagonal, without a subtraction.
  const row = expandDims(iota(rows, { start: offset }), 1);
  return where((op === 'tril' ? lessEqual : greaterEqual)(iota(columns), row), t, 0);
}

/**
 * Lower triangle: zeros above a diagonal.
 * @param x [..., rows, columns]
 * @param offset diagonal that is kept with all below it: 0 the main one, 1 the one above; default 0
 * @returns the shape of `x`
 * @throws ShapeError below rank 2, OptionError when the offset is not whole
 * @example tril(ones([2, 2])); // [[1, 0], [1, 1]]
 */
export function tril(x: Operand, offset = 0): Tensor {
  return triangle('tril', x, offset);
}

/**
 * Upper triangle: zeros below a diagonal.
 * @param x [..., rows, columns]
 * @param offset diagonal that is kept with all above it: 0 the main one, 1 the one above; default 0
 * @returns the shape of `x`
 * @throws ShapeError below rank 2, OptionError when the offset is not whole
 * @example triu(ones([2, 2])); // [[1, 1], [0, 1]]
 */
export function triu(x: Operand, offset = 0): Tensor {
  return triangle('triu', x, offset);
}

/**
 * The diagonal of matrices.
 * `y_i = x[i, i + offset]`
 * @param x [..., rows, columns]
 * @param offset 0 the main diagonal (default), above 0 one above it, below 0 one below
 * @returns [..., length of the diagonal], empty when the matrix has no such diagonal
 * @throws ShapeError below rank 2, OptionError when the offset is not whole
 * @example diagonal(tensor([[1, 2], [3, 4]])); // [1, 4]
 */
export function diagonal(x: Operand, offset = 0): Tensor {
  const t = toTensor(x, undefined, 'diagonal');
  checkOffset('diagonal', offset);
  if (t.shape.length < 2) throw new ShapeError(`diagonal: got [${t.shape}], expected matrices [..., rows, columns]`);
  const [rows, columns] = t.shape.slice(-2);
  const n = Math.max(0, Math.min(rows + Math.min(offset, 0), columns - Math.max(offset, 0)));
  const first = n === 0 ? 0 : offset >= 0 ? offset : -offset * columns;
  const lead = t.shape.slice(0, -2);
  const range = { start: first, end: n === 0 ? 0 : first + (n - 1) * (columns + 1) + 1, step: columns + 1 };
  return slice(reshape(t, [...lead, rows * columns]), [...lead.map(() => ({})), range]);
}

/**
 * A square matrix with the given diagonal, or, of a matrix, its diagonal.
 * @param x [n], or [rows, columns]
 * @param offset 0 the main diagonal (default), above 0 one above it, below 0 one below
 * @returns [n + |offset|, n + |offset|], or [length of the diagonal]
 * @throws ShapeError for other ranks, OptionError when the offset is not whole
 * @example diag(tensor([1, 2])); // [[1, 0], [0, 2]]
 */
export function diag(x: Operand, offset = 0): Tensor {
  const t = toTensor(x, undefined, 'diag');
  checkOffset('diag', offset);
  if (t.shape.length === 2) return diagonal(t, offset);
  if (t.shape.length !== 1)
    throw new ShapeError(`diag: got [${t.shape}], expected rank 1 or 2; use diagonal for batches`);
  const n = t.shape[0];
  const size = n + Math.abs(offset);
  if (n === 0)
    return pad(reshape(t, [0, 0]), [
      [size, 0],
      [size, 0],
    ]);
  // The diagonal of a matrix is every (size + 1)st element: rows of that length hold one each, at their start.
  const first = offset >= 0 ? offset : -offset * size;
  const spread = flatten(
    pad(expandDims(t, 1), [
      [0, 0],
      [0, size],
    ]),
  );
  const used = slice(spread, [{ end: (n - 1) * (size + 1) + 1 }]);
  const after = size * size - first - ((n - 1) * (size + 1) + 1);
  return reshape(pad(used, [[first, after]]), [size, size]);
}

/**
 * Sum of the diagonal of matrices.
 * `sum_i x[i, i]`
 * @param x [..., rows, columns]
 * @returns the leading shape
 * @throws ShapeError below rank 2
 * @example trace(tensor([[1, 2], [3, 4]])); // 5
 */
export function trace(x: Operand): Tensor {
  return sum(diagonal(toTensor(x, undefined, 'trace')), { axis: -1 });
}

/** Identity matrices of the shape and dtype of `x`. */
export function eyeLike(x: Tensor): Tensor {
  return broadcastTo(eye(x.shape[x.shape.length - 1], undefined, { dtype: x.dtype }), x.shape);
}
