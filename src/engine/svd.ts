import { type HostArray, isFloat } from '../dtype.js';
import { DataError, DTypeError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { type Operand, toTensor } from '../ops/index.js';
import { tensor } from './create.js';

/** A = U diag(s) Vᵀ, k = min(m, n). */
export interface Svd {
  /** [m, k], orthonormal columns (zeros beside a singular value of 0). */
  readonly u: Tensor;
  /** [k], from large to small, >= 0. */
  readonly s: Tensor;
  /** [n, k], orthonormal columns (zeros beside a singular value of 0, when m < n). */
  readonly v: Tensor;
}

/** A sweep turns every pair of columns once; six to ten are usual, for convergence is quadratic. */
const MAX_SWEEPS = 60;

/**
 * Singular values and vectors of a small matrix, by Jacobi rotations in float64 on this thread. The sum of `s` is the nuclear norm, its
 * first element the spectral norm. The tensor is computed first: this is no graph operation, has no gradient and cannot be used inside
 * `compile`.
 * @param x float, [m, n]
 * @returns `u`, `s` and `v` in the dtype of `x`
 * @throws ShapeError unless it is a matrix, DTypeError for integers and bool, DataError for values that are not finite, TraceError inside
 *   `compile`
 * @example const { s } = await svd(tensor([[3, 0], [4, 5]])); // [6.708204, 2.236068]
 * @see Golub and Van Loan, Matrix Computations, 8.6.3: one-sided Jacobi
 */
export async function svd(x: Operand): Promise<Svd> {
  const t = matrixOf(x);
  return decompose(t, await t.data());
}

function matrixOf(x: Operand): Tensor {
  const t = toTensor(x, undefined, 'svd');
  if (!isFloat(t.dtype)) throw new DTypeError(`svd: got ${t.dtype}, expected float32 or float64; add .cast('float32')`);
  if (t.shape.length !== 2) throw new ShapeError(`svd: got [${t.shape}], expected a matrix [m, n]`);
  return t;
}

function decompose(t: Tensor, data: HostArray): Svd {
  const [m, n] = t.shape;
  const bad = data.findIndex((value: number) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new DataError(`svd: got ${data[bad]} at [${Math.floor(bad / n)}, ${bad % n}], expected finite numbers`);
  }
  // The shorter side is turned: k columns of the matrix or of its transpose, each an array.
  const wide = m < n;
  const [k, length] = wide ? [m, n] : [n, m];
  const columns = Array.from({ length: k }, (_, j) =>
    Float64Array.from({ length }, (_, i) => data[wide ? j * n + i : i * n + j]),
  );
  const turns = Array.from({ length: k }, (_, j) => Float64Array.from({ length: k }, (_, i) => Number(i === j)));
  orthogonalize(columns, turns);
  const sizes = columns.map((c) => Math.sqrt(dot(c, c)));
  const order = sizes.map((_, j) => j).sort((a, b) => sizes[b] - sizes[a]);
  const units = order.map((j) => columns[j].map((value) => (sizes[j] === 0 ? 0 : value / sizes[j])));
  const other = order.map((j) => turns[j]);
  const s = tensor(Float64Array.from(order, (j) => sizes[j])).cast(t.dtype);
  const [long, short] = [
    [units, length],
    [other, k],
  ].map(([list, rows]) => stacked(list as readonly Float64Array[], rows as number, t));
  return wide ? { u: short, s, v: long } : { u: long, s, v: short };
}

/** Columns beside each other. */
function stacked(columns: readonly Float64Array[], rows: number, like: Tensor): Tensor {
  const data = Float64Array.from({ length: rows * columns.length }, (_, i) => {
    return columns[i % columns.length][Math.floor(i / columns.length)];
  });
  return tensor(data, { shape: [rows, columns.length] }).cast(like.dtype);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Turns pairs of columns until all are at right angles, and `turns` with them. */
function orthogonalize(columns: readonly Float64Array[], turns: readonly Float64Array[]): void {
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let turned = false;
    for (let p = 0; p < columns.length; p++) {
      for (let q = p + 1; q < columns.length; q++) {
        const [a, b, c] = [dot(columns[p], columns[p]), dot(columns[q], columns[q]), dot(columns[p], columns[q])];
        if (Math.abs(c) <= Number.EPSILON * Math.sqrt(a * b) || c === 0) continue;
        turned = true;
        const zeta = (b - a) / (2 * c);
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const cosine = 1 / Math.hypot(1, tangent);
        for (const list of [columns, turns]) rotate(list[p], list[q], cosine, cosine * tangent);
      }
    }
    if (!turned) return;
  }
  throw new DataError(`svd: no convergence in ${MAX_SWEEPS} sweeps; scale the matrix first`);
}

function rotate(x: Float64Array, y: Float64Array, cosine: number, sine: number): void {
  for (let i = 0; i < x.length; i++) {
    const [a, b] = [x[i], y[i]];
    x[i] = cosine * a - sine * b;
    y[i] = sine * a + cosine * b;
  }
}
