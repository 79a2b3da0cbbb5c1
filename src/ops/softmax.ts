import { isFloat } from '../dtype.js';
import { DTypeError, ShapeError } from '../errors.js';
import type { Aval } from '../graph/op.js';
import { build, buildAll, type Tensor } from '../graph/tensor.js';
import { checkOptions } from '../options.js';
import { normalizeAxis, sizeOf } from '../shape.js';
import { oneHot } from './create.js';
import { type ArrayReference, batchRows, checkDType, defineOp } from './define.js';
import { add, div, exp, log, mul, neg, sub } from './elementwise.js';
import { expandDims, reshape, stopGradient, transpose } from './movement.js';
import { cast, type Operand, operandOf, toTensor } from './operand.js';
import { max, sum } from './reduce.js';

const LAST = { axis: -1, keepDims: true } as const;

/** Per row: the largest value, and ln sum e^(x - largest). */
function rowStatistics(x: Float64Array, cols: number, row: number): { top: number; logSum: number } {
  const values = x.subarray(row * cols, (row + 1) * cols);
  const top = values.reduce((a, b) => Math.max(a, b), -Infinity);
  return { top, logSum: Math.log(values.reduce((s, v) => s + Math.exp(v - top), 0)) };
}

function rowReference(value: (x: number, top: number, logSum: number) => number): ArrayReference {
  return ([x]) => {
    const cols = x.shape[x.shape.length - 1];
    const data = new Float64Array(x.data.length);
    for (let row = 0; row * cols < data.length; row++) {
      const { top, logSum } = rowStatistics(x.data, cols, row);
      for (let i = row * cols; i < (row + 1) * cols; i++) data[i] = value(x.data[i], top, logSum);
    }
    return { data, shape: x.shape };
  };
}

/** `value` gets g, y and, of the row, the sums of g and of g y. */
function gradReference(value: (g: number, y: number, total: number, dot: number) => number): ArrayReference {
  return ([g, y]) => {
    const cols = g.shape[g.shape.length - 1];
    const data = new Float64Array(g.data.length);
    for (let row = 0; row * cols < data.length; row++) {
      let [total, dot] = [0, 0];
      for (let i = row * cols; i < (row + 1) * cols; i++) {
        total += g.data[i];
        dot += g.data[i] * y.data[i];
      }
      for (let i = row * cols; i < (row + 1) * cols; i++) data[i] = value(g.data[i], y.data[i], total, dot);
    }
    return { data, shape: g.shape };
  };
}

function inferRows(op: string): (inputs: readonly Tensor[]) => Aval {
  return ([x]) => {
    checkDType(op, x.dtype, 'float');
    return { shape: x.shape, dtype: x.dtype };
  };
}

function rowsAndCols(shape: readonly number[]): [number, number] {
  return [sizeOf(shape.slice(0, -1)), shape[shape.length - 1]];
}

/** Rows minus their largest value, which changes neither value nor derivative of a softmax. */
function shifted(x: Tensor): Tensor {
  return sub(x, stopGradient(max(x, LAST)));
}

/** Records over the last axis. */
export const softmaxOps = {
  softmax: defineOp('softmax', {
    kind: 'coarse',
    batch: batchRows,
    infer: inferRows('softmax'),
    vjp: ({ g, out }) => [softmaxGrad(g, out)],
    reference: rowReference((x, top, logSum) => Math.exp(x - top - logSum)),
    lower: ({ outs: [out] }) => ({ opcode: 'SOFTMAX', params: rowsAndCols(out.shape) }),
    decompose: ([x]) => {
      const e = exp(shifted(x));
      return div(e, sum(e, LAST));
    },
  }),
  logSoftmax: defineOp('logSoftmax', {
    kind: 'coarse',
    batch: batchRows,
    infer: inferRows('logSoftmax'),
    vjp: ({ g, out }) => [logSoftmaxGrad(g, out)],
    reference: rowReference((x, top, logSum) => x - top - logSum),
    lower: ({ outs: [out] }) => ({ opcode: 'LOG_SOFTMAX', params: rowsAndCols(out.shape) }),
    decompose: ([x]) => {
      const s = shifted(x);
      return sub(s, log(sum(exp(s), LAST)));
    },
  }),
  /** g, y = softmax(x): y (g - sum_j g_j y_j). */
  softmaxGrad: defineOp('softmaxGrad', {
    kind: 'coarse',
    batch: batchRows,
    infer: ([g]) => ({ shape: g.shape, dtype: g.dtype }),
    // With cotangent u: that of g is the same form, the Jacobian being symmetric; that of y by the product rule.
    vjp: ({ g: u, inputs: [g, y], needs }) => {
      const dot = (a: Tensor, b: Tensor) => sum(mul(a, b), LAST);
      return [needs[0] ? softmaxGrad(u, y) : null, needs[1] ? sub(mul(u, sub(g, dot(g, y))), mul(g, dot(u, y))) : null];
    },
    reference: gradReference((g, y, _, dot) => y * (g - dot)),
    lower: ({ outs: [out] }) => ({ opcode: 'SOFTMAX_GRAD', params: rowsAndCols(out.shape) }),
    decompose: ([g, y]) => mul(y, sub(g, sum(mul(g, y), LAST))),
  }),
  /** g, y = logSoftmax(x): g - e^y sum_j g_j. */
  logSoftmaxGrad: defineOp('logSoftmaxGrad', {
    kind: 'coarse',
    batch: batchRows,
    infer: ([g]) => ({ shape: g.shape, dtype: g.dtype }),
    vjp: ({ g: u, inputs: [g, y], needs }) => [
      needs[0] ? sub(u, sum(mul(u, exp(y)), LAST)) : null,
      needs[1] ? neg(mul(mul(u, exp(y)), sum(g, LAST))) : null,
    ],
    reference: gradReference((g, y, total) => g - Math.exp(y) * total),
    lower: ({ outs: [out] }) => ({ opcode: 'LOG_SOFTMAX_GRAD', params: rowsAndCols(out.shape) }),
    decompose: ([g, y]) => sub(g, mul(exp(y), sum(g, LAST))),
  }),
  /** [loss, softmax - one-hot]: the gradient costs nothing more in the same pass. */
  softmaxCrossEntropy: defineOp('softmaxCrossEntropy', {
    kind: 'coarse',
    fallible: true,
    optionalOutputs: true,
    infer: ([x, labels]) => [
      { shape: labels.shape, dtype: x.dtype },
      { shape: x.shape, dtype: x.dtype },
    ],
    vjp: ({ gs: [gLoss, gDelta], outs: [, delta], inputs: [x] }) => {
      const parts: Tensor[] = [];
      if (gLoss !== null) parts.push(mul(delta, expandDims(gLoss, 1)));
      if (gDelta !== null) parts.push(softmaxGrad(gDelta, softmax(x)));
      return [parts.reduce((a, b) => add(a, b)), null];
    },
    reference: ([x, labels]) => {
      const [rows, cols] = x.shape;
      const loss = new Float64Array(rows);
      const delta = new Float64Array(x.data.length);
      for (let row = 0; row < rows; row++) {
        const { top, logSum } = rowStatistics(x.data, cols, row);
        for (let i = row * cols; i < (row + 1) * cols; i++) delta[i] = Math.exp(x.data[i] - top - logSum);
        const label = row * cols + labels.data[row];
        delta[label] -= 1;
        loss[row] = top + logSum - x.data[label];
      }
      return [
        { data: loss, shape: labels.shape },
        { data: delta, shape: x.shape },
      ];
    },
    lower: ({ inputs: [x] }) => ({ opcode: 'SOFTMAX_CE', params: rowsAndCols(x.shape) }),
    batch: ({ full, size, samples: [x, labels] }): Tensor[] => {
      const [rows, cols] = x.shape;
      const operands = [reshape(full(0), [size * rows, cols]), reshape(full(1), [size * rows])];
      const [loss, delta] = buildAll(softmaxOps.softmaxCrossEntropy, operands);
      return [reshape(loss, [size, ...labels.shape]), reshape(delta, [size, ...x.shape])];
    },
    decompose: ([x, labels]) => {
      const target = oneHot(labels, x.shape[1], { dtype: x.dtype });
      const logP = softmaxOps.logSoftmax.decompose?.([x], {}) as Tensor;
      return [neg(sum(mul(target, logP), { axis: 1 })), sub(exp(logP), target)];
    },
  }),
};

function softmaxGrad(g: Tensor, y: Tensor): Tensor {
  return build(softmaxOps.softmaxGrad, [g, y]);
}

function logSoftmaxGrad(g: Tensor, y: Tensor): Tensor {
  return build(softmaxOps.logSoftmaxGrad, [g, y]);
}

export interface SoftmaxOptions {
  /** Default -1, the last. */
  readonly axis?: number;
}

function alongAxis(name: 'softmax' | 'logSoftmax', x: Operand, axis: number): Tensor {
  const t = operandOf(name, x, 'float');
  const at = normalizeAxis(name, axis, t.shape.length);
  return transpose(build(softmaxOps[name], [transpose(t, at, -1)]), at, -1);
}

/**
 * Exponentials scaled to add up to 1; does not overflow.
 * `e ** x_i / sum_j e ** x_j`
 * @param x float, rank 1 or more
 * @returns the shape of `x`
 * @throws ShapeError when the axis does not exist, DTypeError for integers and bool
 * @example softmax(tensor([0, 0])); // [0.5, 0.5]
 */
export function softmax(x: Operand, options: SoftmaxOptions = {}): Tensor {
  checkOptions('softmax', options, ['axis']);
  const { axis = -1 } = options;
  return alongAxis('softmax', x, axis);
}

/**
 * Logarithm of softmax, exact where softmax underflows.
 * `x_i - ln sum_j e ** x_j`
 * @param x float, rank 1 or more
 * @returns the shape of `x`
 * @throws ShapeError when the axis does not exist, DTypeError for integers and bool
 * @example logSoftmax(tensor([0, 0])); // [-0.6931472, -0.6931472]
 */
export function logSoftmax(x: Operand, options: SoftmaxOptions = {}): Tensor {
  checkOptions('logSoftmax', options, ['axis']);
  const { axis = -1 } = options;
  return alongAxis('logSoftmax', x, axis);
}

/**
 * Cross entropy between softmax(logits) and integer labels, one value a row.
 * `ln sum_j e ** x_j - x_label`
 * @param logits [n, classes], float
 * @param labels [n], whole numbers 0 … classes - 1; a label outside stops the run with a DataError
 * @returns [n]
 * @throws ShapeError when the shapes do not fit, DTypeError when logits are not float or labels not integers
 * @example softmaxCrossEntropy(zeros([1, 2]), tensor([1], { dtype: 'int32' })); // [0.6931472]
 */
export function softmaxCrossEntropy(logits: Operand, labels: Operand): Tensor {
  const x = operandOf('softmaxCrossEntropy', logits, 'float');
  const y = toTensor(labels, 'int32', 'softmaxCrossEntropy');
  if (isFloat(y.dtype) || y.dtype === 'bool') {
    throw new DTypeError(`softmaxCrossEntropy: got labels of ${y.dtype}, expected int32; add .cast('int32')`);
  }
  if (x.shape.length !== 2 || y.shape.length !== 1 || y.shape[0] !== x.shape[0]) {
    const hint = y.shape.length === 2 ? '; for one-hot labels take argmax over axis 1' : '';
    throw new ShapeError(
      `softmaxCrossEntropy: got logits [${x.shape}] and labels [${y.shape}], expected [n, classes] and [n]${hint}`,
    );
  }
  return buildAll(softmaxOps.softmaxCrossEntropy, [x, cast(y, 'int32')])[0];
}
