import { ShapeError } from '../errors.js';
import { build, type Tensor } from '../graph/tensor.js';
import { checkOptions } from '../options.js';
import { broadcastShapes, type Shape, sizeOf, stridesOf } from '../shape.js';
import { type ArrayReference, checkDType, defineOp, forEachCoordinate, indexOf } from './define.js';
import { add, mul } from './elementwise.js';
import { expandDims, flatten, reshape } from './movement.js';
import { type Operand, operandOf, operandPair } from './operand.js';

export interface MatmulOptions {
  /** Use the transpose of the last two axes of `a`. */
  readonly transA?: boolean;
  /** Use the transpose of the last two axes of `b`. */
  readonly transB?: boolean;
}

/** Rows, inner size and columns of op(a) op(b). */
function sizes(a: Shape, b: Shape, { transA, transB }: { transA?: unknown; transB?: unknown }) {
  const [rowsA, colsA] = a.slice(-2);
  const [rowsB, colsB] = b.slice(-2);
  const [m, k] = transA === true ? [colsA, rowsA] : [rowsA, colsA];
  const [kB, n] = transB === true ? [colsB, rowsB] : [rowsB, colsB];
  return { m, k, kB, n };
}

const reference: ArrayReference = ([a, b], attrs, [out]) => {
  const { m, k, n } = sizes(a.shape, b.shape, attrs);
  const data = new Float64Array(sizeOf(out.shape));
  const batch = out.shape.slice(0, -2);
  const batchStrides = (shape: Shape) =>
    stridesOf(shape)
      .slice(0, -2)
      .map((s, i) => (shape[i] === 1 ? 0 : s));
  const [stepA, stepB] = [batchStrides(a.shape), batchStrides(b.shape)];
  const [rowA, colA] = attrs.transA === true ? [1, m] : [k, 1];
  const [rowB, colB] = attrs.transB === true ? [1, k] : [n, 1];
  forEachCoordinate(batch, (c, at) => {
    const [fromA, fromB] = [indexOf(c, stepA), indexOf(c, stepB)];
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++) sum += a.data[fromA + i * rowA + p * colA] * b.data[fromB + p * rowB + j * colB];
        data[(at * m + i) * n + j] = sum;
      }
    }
  });
  return { data, shape: out.shape };
};

/** attrs: transA, transB. Inputs of one rank >= 2; leading axes are batches and broadcast. */
export const matmulOps = {
  matmul: defineOp('matmul', {
    kind: 'matmul',
    infer: ([a, b], attrs) => {
      checkDType('matmul', a.dtype, 'float');
      const { m, k, kB, n } = sizes(a.shape, b.shape, attrs);
      if (k !== kB) throw mismatch('matmul', a.shape, b.shape, attrs);
      return {
        shape: [...broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n],
        dtype: a.dtype,
      };
    },
    // With C = op(A) op(B): dA = G op(B)^T and dB = op(A)^T G, themselves transposed when A or B was. Never a copy.
    vjp: ({ g, inputs: [a, b], attrs, needs }) => {
      const transA = attrs.transA === true;
      const transB = attrs.transB === true;
      return [
        !needs[0] ? null : transA ? gemm(b, g, transB, true) : gemm(g, b, false, !transB),
        !needs[1] ? null : transB ? gemm(g, a, true, transA) : gemm(a, g, !transA, false),
      ];
    },
    reference,
  }),
};

function gemm(a: Tensor, b: Tensor, transA: boolean, transB: boolean): Tensor {
  return build(matmulOps.matmul, [a, b], { transA, transB });
}

function mismatch(
  op: string,
  a: Shape,
  b: Shape,
  { transA, transB }: { transA?: unknown; transB?: unknown },
): ShapeError {
  const name = (shape: Shape, t: unknown) => `[${shape}]${t === true ? ' transposed' : ''}`;
  const { k, kB } = sizes(a, b, { transA, transB });
  return new ShapeError(`${op}: got ${name(a, transA)} and ${name(b, transB)}: inner sizes ${k} and ${kB} differ`);
}

/**
 * Matrix product, batched over leading axes.
 * `C[i, j] = sum_p A[i, p] B[p, j]`
 * @param a [..., m, k], or [k] (a row, whose axis the result drops); float
 * @param b [..., k, n], or [k] (a column, whose axis the result drops); float
 * @returns [..., m, n] with the leading axes broadcast
 * @throws ShapeError when inner sizes differ or batches do not broadcast, DTypeError for integers
 * @example matmul(tensor([[1, 2], [3, 4]]), tensor([[1], [1]])); // [[3], [7]]
 */
export function matmul(a: Operand, b: Operand, options: MatmulOptions = {}): Tensor {
  checkOptions('matmul', options, ['transA', 'transB']);
  const { transA = false, transB = false } = options;
  const [x, y] = operandPair('matmul', a, b);
  checkDType('matmul', x.dtype, 'float');
  if (x.shape.length === 0 || y.shape.length === 0) {
    throw new ShapeError(`matmul: got [${x.shape}] and [${y.shape}], expected rank 1 or more; use mul for scalars`);
  }
  if ((transA && x.shape.length === 1) || (transB && y.shape.length === 1)) {
    throw new ShapeError(`matmul: cannot transpose a tensor of rank 1 ([${transA ? x.shape : y.shape}])`);
  }
  const row = x.shape.length === 1 ? expandDims(x, 0) : x;
  const column = y.shape.length === 1 ? expandDims(y, 1) : y;
  const result = product(row, column, transA, transB);
  const shape = [...result.shape];
  if (y.shape.length === 1) shape.splice(-1, 1);
  if (x.shape.length === 1) shape.splice(y.shape.length === 1 ? -1 : -2, 1);
  return reshape(result, shape);
}

function product(a: Tensor, b: Tensor, transA: boolean, transB: boolean): Tensor {
  const { m, k, kB, n } = sizes(a.shape, b.shape, { transA, transB });
  if (k !== kB) throw mismatch('matmul', a.shape, b.shape, { transA, transB });
  // One matrix for every batch: the batches are more rows of one larger product.
  if (a.shape.length > 2 && b.shape.length === 2 && !transA) {
    const rows = reshape(a, [sizeOf(a.shape.slice(0, -1)), k]);
    return reshape(gemm(rows, b, transA, transB), [...a.shape.slice(0, -2), m, n]);
  }
  const rank = Math.max(a.shape.length, b.shape.length);
  const lift = (x: Tensor) => reshape(x, [...new Array<number>(rank - x.shape.length).fill(1), ...x.shape]);
  return gemm(lift(a), lift(b), transA, transB);
}

/**
 * Affine map of the last axis.
 * `x weight^T + bias`
 * @param x [..., inFeatures]
 * @param weight [outFeatures, inFeatures]
 * @param bias [outFeatures], or nothing
 * @returns [..., outFeatures]
 * @throws ShapeError when the sizes do not fit, DTypeError for integers
 * @example linear(ones([4, 3]), ones([2, 3]), zeros([2])).shape; // [4, 2]
 */
export function linear(x: Operand, weight: Operand, bias?: Operand): Tensor {
  const [t, w] = operandPair('linear', x, weight);
  checkDType('linear', t.dtype, 'float');
  if (w.shape.length !== 2) throw new ShapeError(`linear: got weight [${w.shape}], expected [outFeatures, inFeatures]`);
  const [outFeatures, inFeatures] = w.shape;
  if (t.shape.length === 0 || t.shape[t.shape.length - 1] !== inFeatures) {
    throw new ShapeError(`linear: got [${t.shape}], expected last dimension ${inFeatures} (weight [${w.shape}])`);
  }
  const lead = t.shape.slice(0, -1);
  const rows = reshape(t, [sizeOf(lead), inFeatures]);
  let y = gemm(rows, w, false, true);
  if (bias !== undefined) {
    const b = operandOf('linear', bias, 'float');
    if (b.shape.length !== 1 || b.shape[0] !== outFeatures) {
      throw new ShapeError(`linear: got bias [${b.shape}], expected [${outFeatures}]`);
    }
    y = add(y, b);
  }
  return reshape(y, [...lead, outFeatures]);
}

/**
 * Inner product of two vectors.
 * `sum_i a_i b_i`
 * @param a [n], float
 * @param b [n], float
 * @returns a scalar
 * @throws ShapeError when they are not vectors of one length
 * @example dot(tensor([1, 2]), tensor([3, 4])); // 11
 */
export function dot(a: Operand, b: Operand): Tensor {
  const [x, y] = operandPair('dot', a, b);
  if (x.shape.length !== 1 || y.shape.length !== 1 || x.shape[0] !== y.shape[0]) {
    throw new ShapeError(`dot: got [${x.shape}] and [${y.shape}], expected two vectors of one length; use matmul`);
  }
  return matmul(x, y);
}

/**
 * Outer product of two vectors (other shapes are flattened).
 * `C[i, j] = a_i b_j`
 * @param a [m]
 * @param b [n]
 * @returns [m, n]
 * @throws DTypeError when the dtypes do not mix
 * @example outer(tensor([1, 2]), tensor([3, 4])); // [[3, 4], [6, 8]]
 */
export function outer(a: Operand, b: Operand): Tensor {
  const [x, y] = operandPair('outer', a, b);
  return mul(expandDims(flatten(x), 1), flatten(y));
}
