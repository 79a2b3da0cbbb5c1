import { isFloat } from '../dtype.js';
import { DTypeError, OptionError, ShapeError } from '../errors.js';
import { build, type Tensor } from '../graph/tensor.js';
import { type Shape, sameShape, sizeOf } from '../shape.js';
import { checkDType, defineOp } from './define.js';
import { cast, type Operand, toTensor } from './operand.js';

/** Words shared by GATHER and SCATTER_ADD: rows of the table, elements of a row, number of indices. */
function gatherParams(tableShape: Shape, index: Shape): number[] {
  return [tableShape[0], sizeOf(tableShape.slice(1)), sizeOf(index)];
}

/** Records of indexed rows; an index outside the table stops the run. */
export const gatherOps = {
  take: defineOp('take', {
    kind: 'coarse',
    fallible: true,
    infer: ([table, index]) => ({ shape: [...index.shape, ...table.shape.slice(1)], dtype: table.dtype }),
    vjp: ({ g, inputs: [table, index] }) => [scatterAdd(table.shape[0], index, g), null],
    reference: ([table, index], _, [out]) => {
      const row = sizeOf(table.shape.slice(1));
      const data = new Float64Array(sizeOf(out.shape));
      for (const [i, at] of index.data.entries()) data.set(table.data.subarray(at * row, (at + 1) * row), i * row);
      return { data, shape: out.shape };
    },
    lower: ({ inputs: [table, index] }) => ({ opcode: 'GATHER', params: gatherParams(table.shape, index.shape) }),
  }),
  /** inputs: values, index. */
  scatterAdd: defineOp('scatterAdd', {
    kind: 'coarse',
    fallible: true,
    infer: ([values, index], attrs) => ({
      shape: [attrs.rows as number, ...values.shape.slice(index.shape.length)],
      dtype: values.dtype,
    }),
    vjp: ({ g, inputs: [, index] }) => [take(g, index), null],
    reference: ([values, index], _, [out]) => {
      const row = sizeOf(out.shape.slice(1));
      const data = new Float64Array(sizeOf(out.shape));
      index.data.forEach((at, i) => {
        for (let j = 0; j < row; j++) data[at * row + j] += values.data[i * row + j];
      });
      return { data, shape: out.shape };
    },
    lower: ({ inputs: [, index], outs: [out] }) => ({
      opcode: 'SCATTER_ADD',
      params: gatherParams(out.shape, index.shape),
    }),
  }),
};

function indexOperand(op: string, index: Operand): Tensor {
  const t = toTensor(index, 'int32', op);
  if (isFloat(t.dtype) || t.dtype === 'bool') {
    throw new DTypeError(`${op}: got an index of ${t.dtype}, expected int32; add .cast('int32')`);
  }
  return cast(t, 'int32');
}

/**
 * Rows of a table: `out[i] = table[index[i]]`.
 * @param table [rows, ...rest]
 * @param index whole numbers 0 … rows - 1, any shape; one outside stops the run with a DataError
 * @returns [...index.shape, ...rest]
 * @throws ShapeError when the table has rank 0, DTypeError when the index is not an integer
 * @example take(tensor([[1, 2], [3, 4]]), tensor([1, 1], { dtype: 'int32' })); // [[3, 4], [3, 4]]
 */
export function take(table: Operand, index: Operand): Tensor {
  const t = toTensor(table, undefined, 'take');
  if (t.shape.length === 0) throw new ShapeError('take: got a scalar table, expected [rows, ...]');
  return build(gatherOps.take, [t, indexOperand('take', index)]);
}

/**
 * Adds rows into a table of zeros: `out[index[i]] += values[i]`, in the order of i.
 * @param rows number of rows of the result
 * @param index whole numbers 0 … rows - 1, any shape; one outside stops the run with a DataError
 * @param values [...index.shape, ...rest]
 * @returns [rows, ...rest]
 * @throws ShapeError when the shapes do not fit, DTypeError when the index is not an integer or values are bool
 * @example scatterAdd(3, tensor([0, 2, 0], { dtype: 'int32' }), tensor([1, 2, 3])); // [4, 0, 2]
 */
export function scatterAdd(rows: number, index: Operand, values: Operand): Tensor {
  if (!Number.isInteger(rows) || rows < 0)
    throw new OptionError(`scatterAdd: got ${rows} rows, expected a whole number >= 0`);
  const at = indexOperand('scatterAdd', index);
  const v = toTensor(values, undefined, 'scatterAdd');
  checkDType('scatterAdd', v.dtype, 'number');
  if (!sameShape(v.shape.slice(0, at.shape.length), at.shape)) {
    throw new ShapeError(
      `scatterAdd: got index [${at.shape}] and values [${v.shape}], expected values [${at.shape}, ...]`,
    );
  }
  const wide = v.dtype === 'uint8' ? cast(v, 'int32') : v;
  return build(gatherOps.scatterAdd, [wide, at], { rows });
}
