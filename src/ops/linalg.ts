import { ShapeError } from '../errors.js';
import type { RefArray } from '../graph/op.js';
import { build, type Tensor } from '../graph/tensor.js';
import { checkOptions } from '../options.js';
import { broadcastShapes, type Shape, sizeOf } from '../shape.js';
import { batchRows, defineOp } from './define.js';
import { add, mul, neg } from './elementwise.js';
import { matmul } from './matmul.js';
import { eyeLike, tril, triu } from './matrix.js';
import { broadcastTo, expandDims, squeeze, transpose } from './movement.js';
import { type Operand, operandOf, operandPair } from './operand.js';

type TriangleAttrs = { readonly upper: boolean; readonly trans: boolean; readonly unit: boolean };

const flags = (...list: readonly unknown[]) => list.map((v) => Number(v === true));
const systemParams = (a: Shape, b: Shape) => [sizeOf(a.slice(0, -2)), ...b.slice(-2)];

/** Gradients of op(A) X = B: with U = op(A)^-T G, that of B is U and that of op(A) is -U X^T. */
function solveGradients(x: Tensor, u: Tensor, trans: boolean, wantA: boolean): [Tensor | null, Tensor] {
  if (!wantA) return [null, u];
  return [neg(trans ? matmul(x, u, { transB: true }) : matmul(u, x, { transB: true })), u];
}

/** Systems of small matrices, one by one; the batch axes of a and b are equal. A matrix that cannot be solved stops the run. */
export const linalgOps = {
  cholesky: defineOp('cholesky', {
    kind: 'coarse',
    batch: batchRows,
    fallible: true,
    infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
    // With P the lower half of L^T G, its diagonal halved: dA = L^-T P L^-1, made symmetric as A is.
    vjp: ({ g, out: l }) => {
      const back = (t: Tensor) => triangular(l, t, { upper: false, trans: true, unit: false });
      const product = tril(matmul(l, g, { transA: true }));
      const half = add(mul(product, 0.5), mul(tril(product, -1), 0.5));
      const s = transpose(back(transpose(back(half))));
      return [mul(add(s, transpose(s)), 0.5)];
    },
    reference: ([x]) => ({ data: eachMatrix(x, x.shape, factor), shape: x.shape }),
    lower: ({ inputs: [x] }) => ({
      opcode: 'CHOLESKY',
      params: [sizeOf(x.shape.slice(0, -2)), x.shape[x.shape.length - 1]],
    }),
  }),
  /** attrs: trans, which solves with the transpose of a. */
  solve: defineOp('solve', {
    kind: 'coarse',
    batch: batchRows,
    fallible: true,
    infer: ([, b]) => ({ shape: b.shape, dtype: b.dtype }),
    vjp: ({ g, inputs: [a], out, attrs, needs }) => {
      const trans = attrs.trans === true;
      return solveGradients(out, general(a, g, !trans), trans, needs[0]);
    },
    reference: ([a, b], attrs) => systems(a, b, (i, j, m, n) => m[attrs.trans === true ? j * n + i : i * n + j]),
    lower: ({ inputs: [a, b], attrs }) => ({
      opcode: 'SOLVE',
      params: [...flags(attrs.trans), ...systemParams(a.shape, b.shape)],
    }),
  }),
  /** attrs: upper, trans, unit (the diagonal is taken as ones). */
  solveTriangular: defineOp('solveTriangular', {
    kind: 'coarse',
    batch: batchRows,
    fallible: true,
    infer: ([, b]) => ({ shape: b.shape, dtype: b.dtype }),
    vjp: ({ g, inputs: [a], out, attrs, needs }) => {
      const { upper, trans, unit } = attrs as unknown as TriangleAttrs;
      const u = triangular(a, g, { upper, trans: !trans, unit });
      const [da, db] = solveGradients(out, u, trans, needs[0]);
      const strict = unit ? 1 : 0;
      return [da === null ? null : upper ? triu(da, strict) : tril(da, -strict), db];
    },
    reference: ([a, b], attrs) => {
      const { upper, trans, unit } = attrs as unknown as TriangleAttrs;
      return systems(a, b, (i, j, m, n) => {
        const [row, column] = trans ? [j, i] : [i, j];
        if (row === column) return unit ? 1 : m[row * n + column];
        return row < column === upper ? m[row * n + column] : 0;
      });
    },
    lower: ({ inputs: [a, b], attrs }) => ({
      opcode: 'SOLVE_TRIANGULAR',
      params: [...flags(attrs.upper, attrs.trans, attrs.unit), ...systemParams(a.shape, b.shape)],
    }),
  }),
};

function general(a: Tensor, b: Tensor, trans: boolean): Tensor {
  return build(linalgOps.solve, [a, b], { trans });
}

function triangular(a: Tensor, b: Tensor, attrs: TriangleAttrs): Tensor {
  return build(linalgOps.solveTriangular, [a, b], attrs);
}

function eachMatrix(x: RefArray, shape: Shape, run: (m: Float64Array, n: number) => Float64Array): Float64Array {
  const n = shape[shape.length - 1];
  const data = new Float64Array(x.data.length);
  for (let at = 0; at < data.length; at += n * n) data.set(run(x.data.subarray(at, at + n * n), n), at);
  return data;
}

function factor(a: Float64Array, n: number): Float64Array {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j];
      for (let p = 0; p < j; p++) sum -= l[i * n + p] * l[j * n + p];
      l[i * n + j] = i === j ? Math.sqrt(sum) : sum / l[j * n + j];
    }
  }
  return l;
}

/** Gauss-Jordan elimination with partial pivoting; `entry` reads op(a). */
function systems(
  a: RefArray,
  b: RefArray,
  entry: (i: number, j: number, matrix: Float64Array, n: number) => number,
): RefArray {
  const [n, m] = b.shape.slice(-2);
  const data = b.data.slice();
  for (let at = 0; at * n * m < data.length; at++) {
    const matrix = a.data.subarray(at * n * n, (at + 1) * n * n);
    const rows = Array.from({ length: n }, (_, i) => [
      ...Array.from({ length: n }, (_, j) => entry(i, j, matrix, n)),
      ...data.subarray((at * n + i) * m, (at * n + i + 1) * m),
    ]);
    for (let k = 0; k < n; k++) {
      let best = k;
      for (let i = k + 1; i < n; i++) if (Math.abs(rows[i][k]) > Math.abs(rows[best][k])) best = i;
      [rows[k], rows[best]] = [rows[best], rows[k]];
      for (let i = 0; i < n; i++) {
        if (i === k) continue;
        const f = rows[i][k] / rows[k][k];
        for (let j = k; j < n + m; j++) rows[i][j] -= f * rows[k][j];
      }
    }
    for (const [i, row] of rows.entries()) {
      for (let c = 0; c < m; c++) data[(at * n + i) * m + c] = row[n + c] / row[i];
    }
  }
  return { data, shape: b.shape };
}

function checkSquare(op: string, shape: Shape): void {
  const [rows, columns] = shape.slice(-2);
  if (shape.length < 2 || rows !== columns) {
    throw new ShapeError(`${op}: got [${shape}], expected square matrices [..., n, n]`);
  }
}

/**
 * Cholesky factor of symmetric positive definite matrices; only the lower triangle is read. For small systems: computed in
 * double, one matrix at a time.
 * `A = L L^T`, L lower triangular with a positive diagonal. The gradient is that of a symmetric A, as in PyTorch.
 * @param x float, [..., n, n]; a matrix that is not positive definite (or holds NaN) stops the run with a DataError
 * @returns the shape of `x`
 * @throws ShapeError when the matrices are not square, DTypeError for integers and bool
 * @example cholesky(tensor([[4, 2], [2, 5]])); // [[2, 0], [1, 2]]
 * @see Golub and Van Loan, Matrix Computations, 4.2; Murray, Differentiation of the Cholesky decomposition, 2016
 */
export function cholesky(x: Operand): Tensor {
  const t = operandOf('cholesky', x, 'float');
  checkSquare('cholesky', t.shape);
  return build(linalgOps.cholesky, [t]);
}

/** a and b with equal batch axes, b as a matrix, and the way back. */
function systemOf(op: string, a: Operand, b: Operand) {
  const [x, y] = operandPair(op, a, b);
  operandOf(op, x, 'float');
  checkSquare(op, x.shape);
  const right = y.shape.length === 1 ? expandDims(y, 1) : y;
  const n = x.shape[x.shape.length - 1];
  if (right.shape.length < 2 || right.shape[right.shape.length - 2] !== n) {
    throw new ShapeError(`${op}: got a [${x.shape}] and b [${y.shape}], expected b [${n}] or [..., ${n}, m]`);
  }
  const batch = broadcastShapes(op, x.shape.slice(0, -2), right.shape.slice(0, -2));
  return {
    matrix: broadcastTo(x, [...batch, n, n]),
    right: broadcastTo(right, [...batch, ...right.shape.slice(-2)]),
    restore: (t: Tensor) => (y.shape.length === 1 ? squeeze(t, -1) : t),
  };
}

/**
 * Solves square linear systems by LU with partial pivoting. For small systems: computed in double, one matrix at a time.
 * `A X = B`
 * @param a float, [..., n, n]; a singular matrix stops the run with a DataError that names it
 * @param b float, [n] or [..., n, m]; leading axes broadcast
 * @returns X, [..., n] or [..., n, m]
 * @throws ShapeError when the shapes do not fit, DTypeError for integers and bool
 * @example solve(tensor([[2, 0], [0, 4]]), tensor([2, 2])); // [1, 0.5]
 * @see Golub and Van Loan, Matrix Computations, 3.4
 */
export function solve(a: Operand, b: Operand): Tensor {
  const { matrix, right, restore } = systemOf('solve', a, b);
  return restore(general(matrix, right, false));
}

export interface SolveTriangularOptions {
  /** A is upper triangular; default false: lower. */
  readonly upper?: boolean;
  /** Solve with the transpose of A; default false. */
  readonly trans?: boolean;
  /** Take the diagonal of A as ones; default false. */
  readonly unitDiagonal?: boolean;
}

/**
 * Solves triangular linear systems by substitution; the other half of A is not read.
 * `A X = B`, or `A^T X = B` with `trans`
 * @param a float, [..., n, n]; a zero on the diagonal stops the run with a DataError
 * @param b float, [n] or [..., n, m]; leading axes broadcast
 * @param options `upper`, `trans`, `unitDiagonal`, all false unless stated
 * @returns X, [..., n] or [..., n, m]
 * @throws ShapeError when the shapes do not fit, DTypeError for integers and bool
 * @example solveTriangular(tensor([[2, 0], [1, 4]]), tensor([2, 5])); // [1, 1]
 * @see Golub and Van Loan, Matrix Computations, 3.1
 */
export function solveTriangular(a: Operand, b: Operand, options: SolveTriangularOptions = {}): Tensor {
  checkOptions('solveTriangular', options, ['upper', 'trans', 'unitDiagonal']);
  const { upper = false, trans = false, unitDiagonal = false } = options;
  const { matrix, right, restore } = systemOf('solveTriangular', a, b);
  return restore(triangular(matrix, right, { upper, trans, unit: unitDiagonal }));
}

/**
 * Inverse of square matrices; to solve a system use {@link solve}, which is more exact.
 * `A A^-1 = I`
 * @param x float, [..., n, n]; a singular matrix stops the run with a DataError
 * @returns the shape of `x`
 * @throws ShapeError when the matrices are not square, DTypeError for integers and bool
 * @example inverse(tensor([[2, 0], [0, 4]])); // [[0.5, 0], [0, 0.25]]
 */
export function inverse(x: Operand): Tensor {
  const t = operandOf('inverse', x, 'float');
  checkSquare('inverse', t.shape);
  return solve(t, eyeLike(t));
}
