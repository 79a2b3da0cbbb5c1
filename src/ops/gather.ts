import { isFloat } from '../dtype.js';
import { DTypeError, OptionError, ShapeError } from '../errors.js';
import { build, type Tensor } from '../graph/tensor.js';
import { checkOptions, shown } from '../options.js';
import { normalizeAxis, type Shape, sameShape, sizeOf } from '../shape.js';
import { type AlongOptions, scatterAddAlong } from './along.js';
import { iota } from './create.js';
import { checkDType, defineOp } from './define.js';
import { add, mul } from './elementwise.js';
import { permute, reshape } from './movement.js';
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
    batch: ({ inputs: [table, index], mapped, samples: [one, at], size }): Tensor => {
      if (!mapped[0]) return build(gatherOps.take, [table, index]);
      if (!mapped[1]) return moveAxis(build(gatherOps.take, [moveAxis(table, 0, 1), index]), at.shape.length, 0);
      const rows = one.shape[0];
      return build(gatherOps.take, [reshape(table, [size * rows, ...one.shape.slice(1)]), ownRows(index, rows, size)]);
    },
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
    batch: ({ inputs: [values, index], mapped, samples: [one, at], full, size, attrs }): Tensor => {
      const rest = one.shape.slice(at.shape.length);
      if (!mapped[1]) {
        return moveAxis(build(gatherOps.scatterAdd, [moveAxis(values, 0, at.shape.length), index], attrs), 1, 0);
      }
      const rows = attrs.rows as number;
      const all = build(gatherOps.scatterAdd, [full(0), ownRows(index, rows, size)], { rows: size * rows });
      return reshape(all, [size, rows, ...rest]);
    },
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

/** Axis `from` becomes axis `to`, the others stay in order. */
function moveAxis(x: Tensor, from: number, to: number): Tensor {
  const axes = x.shape.map((_, a) => a).filter((a) => a !== from);
  axes.splice(to, 0, from);
  return permute(x, axes);
}

/**
 * Indices of sample s into the part of a table of `size * rows` rows that is its own. Each is looked up in 0 … rows - 1
 * first, so that one outside its own part stops the run.
 */
function ownRows(index: Tensor, rows: number, size: number): Tensor {
  const checked = build(gatherOps.take, [iota(rows), index]);
  const offsets = reshape(mul(iota(size), rows), [size, ...index.shape.slice(1).map(() => 1)]);
  return add(checked, offsets);
}

/** An index as int32. @throws DTypeError for floats and bool. */
export function indexOperand(op: string, index: Operand): Tensor {
  const t = toTensor(index, 'int32', op);
  if (isFloat(t.dtype) || t.dtype === 'bool') {
    throw new DTypeError(`${op}: got an index of ${t.dtype}, expected int32; add .cast('int32')`);
  }
  return cast(t, 'int32');
}

export interface TakeOptions {
  /** Axis that the index chooses from; default 0, rows. */
  readonly axis?: number;
}

/**
 * Rows of a table, or slices along another axis: `out[i] = table[index[i]]`.
 * @param table rank 1 or more
 * @param index whole numbers 0 … size of the axis - 1, any shape; one outside stops the run with a DataError
 * @param options `axis`, default 0
 * @returns the shape of the table with that of `index` in place of the axis
 * @throws ShapeError when the axis does not exist, DTypeError when the index is not an integer
 * @example take(tensor([[1, 2], [3, 4]]), tensor([1, 1], { dtype: 'int32' })); // [[3, 4], [3, 4]]
 */
export function take(table: Operand, index: Operand, options: TakeOptions = {}): Tensor {
  checkOptions('take', options, ['axis']);
  const { axis = 0 } = options;
  const t = toTensor(table, undefined, 'take');
  if (t.shape.length === 0) throw new ShapeError('take: got a scalar table, expected [rows, ...]');
  const at = normalizeAxis('take', axis, t.shape.length);
  const chosen = indexOperand('take', index);
  const first = [at, ...t.shape.map((_, a) => a).filter((a) => a !== at)];
  const rows = build(gatherOps.take, [permute(t, first), chosen]);
  const n = chosen.shape.length;
  const back = rows.shape.map((_, a) => (a < at ? n + a : a < at + n ? a - at : a));
  return permute(rows, back);
}

/**
 * Adds values where an index says: into the rows of a table of zeros, or along an axis of a tensor.
 * `out[index[i]] += values[i]` in the order of i; with a tensor x and axis the last, `out = x; out[i, index[i, j]] += values[i, j]`
 * @param target number of rows of the result, or the tensor to add to
 * @param index whole numbers within the rows or the axis; one outside stops the run with a DataError. For rows any shape, for a
 *   tensor its shape but for the axis
 * @param values for rows [...index.shape, ...rest]; for a tensor a number or a shape that broadcasts to `index`
 * @param options `axis` of a tensor, default the last
 * @returns [rows, ...rest], or the shape of the tensor
 * @throws ShapeError when the shapes do not fit, DTypeError when the index is not an integer or values are bool
 * @example scatterAdd(3, tensor([0, 2, 0], { dtype: 'int32' }), tensor([1, 2, 3])); // [4, 0, 2]
 */
export function scatterAdd(target: Operand, index: Operand, values: Operand, options: AlongOptions = {}): Tensor {
  if (typeof target !== 'number') return scatterAddAlong(target, index, values, options);
  checkOptions('scatterAdd', options, []);
  if (!Number.isInteger(target) || target < 0)
    throw new OptionError(`scatterAdd: got ${shown(target)} rows, expected a whole number >= 0`);
  const at = indexOperand('scatterAdd', index);
  const v = toTensor(values, undefined, 'scatterAdd');
  checkDType('scatterAdd', v.dtype, 'number');
  if (!sameShape(v.shape.slice(0, at.shape.length), at.shape)) {
    throw new ShapeError(
      `scatterAdd: got index [${at.shape}] and values [${v.shape}], expected values [${at.shape}, ...]`,
    );
  }
  const wide = v.dtype === 'uint8' ? cast(v, 'int32') : v;
  return build(gatherOps.scatterAdd, [wide, at], { rows: target });
}
