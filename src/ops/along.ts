import { DTypeError, ShapeError } from '../errors.js';
import { build, type Tensor } from '../graph/tensor.js';
import { checkOptions } from '../options.js';
import { normalizeAxis, type Shape, sameShape, sizeOf, stridesOf } from '../shape.js';
import { equal, where } from './compare.js';
import { iota, zerosLike } from './create.js';
import { batchAlong, checkDType, defineOp, forEachCoordinate, indexOf } from './define.js';
import { indexOperand } from './gather.js';
import { broadcastTo, reshape } from './movement.js';
import { type Operand, operandPair, toTensor } from './operand.js';

/** Words shared by both: sizes before, along and after the axis, and number of indices along it. */
function axisParams(shape: Shape, index: Shape, axis: number): number[] {
  return [sizeOf(shape.slice(0, axis)), shape[axis], sizeOf(shape.slice(axis + 1)), index[axis]];
}

const replaced = (shape: Shape, axis: number, size: number) => shape.map((d, a) => (a === axis ? size : d));

/** Records of elements chosen along an axis; an index outside it stops the run. */
export const alongOps = {
  /** inputs: x, index. attrs: axis. */
  gather: defineOp('gather', {
    kind: 'coarse',
    batch: batchAlong,
    fallible: true,
    infer: ([x, index]) => ({ shape: index.shape, dtype: x.dtype }),
    vjp: ({ g, inputs: [x, index], attrs }) => {
      const axis = attrs.axis as number;
      return [scatterInto(axis, x.shape[axis], g, index, 'add'), null];
    },
    reference: ([x, index], attrs, [out]) => {
      const data = new Float64Array(sizeOf(out.shape));
      const strides = stridesOf(x.shape);
      forEachCoordinate(out.shape, (c, i) => {
        data[i] =
          x.data[
            indexOf(
              c.map((at, a) => (a === attrs.axis ? index.data[i] : at)),
              strides,
            )
          ];
      });
      return { data, shape: out.shape };
    },
    lower: ({ inputs: [x, index], attrs }) => ({
      opcode: 'GATHER_AXIS',
      params: axisParams(x.shape, index.shape, attrs.axis as number),
    }),
  }),
  /** inputs: values, index and, unless the rest is zeros, what is written into. attrs: axis, size, mode ('set' or 'add'). */
  scatter: defineOp('scatter', {
    kind: 'coarse',
    batch: batchAlong,
    fallible: true,
    infer: ([values], attrs) => ({
      shape: replaced(values.shape, attrs.axis as number, attrs.size as number),
      dtype: values.dtype,
    }),
    vjp: ({ g, inputs: [values, index, base], attrs, needs }) => {
      const [axis, size] = [attrs.axis as number, attrs.size as number];
      const chosen = () => gatherFrom(g, index, axis);
      const set = attrs.mode === 'set';
      const toValues = !needs[0] ? null : set ? where(lastWriter(index, axis, size), chosen(), 0) : chosen();
      if (base === undefined) return [toValues, null];
      return [toValues, null, set ? scatterInto(axis, size, zerosLike(values), index, 'set', g) : g];
    },
    reference: ([values, index, base], attrs, [out]) => {
      const data = base === undefined ? new Float64Array(sizeOf(out.shape)) : base.data.slice();
      const strides = stridesOf(out.shape);
      forEachCoordinate(values.shape, (c, i) => {
        const at = indexOf(
          c.map((v, a) => (a === attrs.axis ? index.data[i] : v)),
          strides,
        );
        data[at] = attrs.mode === 'set' ? values.data[i] : data[at] + values.data[i];
      });
      return { data, shape: out.shape };
    },
    lower: ({ inputs, outs: [out], attrs }) => ({
      opcode: 'SCATTER_AXIS',
      params: [Number(attrs.mode === 'set'), ...axisParams(out.shape, inputs[1].shape, attrs.axis as number)],
      dtype: out.dtype,
      tail: [inputs.length > 2 ? { in: 2 } : 'none', { in: 0 }, { in: 1 }, { out: 0 }],
    }),
  }),
};

function gatherFrom(x: Tensor, index: Tensor, axis: number): Tensor {
  return build(alongOps.gather, [x, index], { axis });
}

/** Where a value was the last one written to its place: the only one that shows. */
function lastWriter(index: Tensor, axis: number, size: number): Tensor {
  const line = index.shape.map((d, a) => (a === axis ? d : 1));
  const position = broadcastTo(reshape(iota(index.shape[axis]), line), index.shape);
  const last = scatterInto(axis, size, position, index, 'set');
  return equal(gatherFrom(last, index, axis), position);
}

/** `values` at `index` along an axis of `size` elements, over `base` or zeros. */
export function scatterInto(
  axis: number,
  size: number,
  values: Tensor,
  index: Tensor,
  mode: 'set' | 'add',
  base?: Tensor,
): Tensor {
  return build(alongOps.scatter, base === undefined ? [values, index] : [values, index, base], { axis, size, mode });
}

export interface AlongOptions {
  /** Default -1, the last. */
  readonly axis?: number;
}

/** Axis and index, checked against the shape they choose from. */
function choice(op: string, x: Tensor, index: Operand, axis: number): { at: number; chosen: Tensor } {
  const chosen = indexOperand(op, index);
  const at = normalizeAxis(op, axis, x.shape.length);
  if (!sameShape(replaced(x.shape, at, 0), replaced(chosen.shape, at, 0))) {
    throw new ShapeError(
      `${op}: got [${x.shape}] and index [${chosen.shape}], expected equal shapes but for axis ${axis}; use broadcastTo`,
    );
  }
  return { at, chosen };
}

/**
 * Elements chosen along an axis (NumPy's takeAlongAxis): `out[i, j] = x[i, index[i, j]]` for the last axis of a matrix.
 * @param x rank 1 or more
 * @param index whole numbers 0 … size of the axis - 1, the shape of `x` but for the axis; one outside stops the run with a
 *   DataError
 * @param options `axis`, default the last
 * @returns the shape of `index`, dtype of `x`
 * @throws ShapeError when the shapes do not fit, DTypeError when the index is not an integer
 * @example gather(tensor([[1, 2], [3, 4]]), tensor([[1], [0]], { dtype: 'int32' })); // [[2], [3]]
 */
export function gather(x: Operand, index: Operand, options: AlongOptions = {}): Tensor {
  checkOptions('gather', options, ['axis']);
  const { axis = -1 } = options;
  const t = toTensor(x, undefined, 'gather');
  const { at, chosen } = choice('gather', t, index, axis);
  return gatherFrom(t, chosen, at);
}

/** Operands of scatter and scatterAdd, values broadcast to the index. */
function scattered(op: string, x: Operand, index: Operand, values: Operand, axis: number, mode: 'set' | 'add'): Tensor {
  const [base, given] = operandPair(op, x, values);
  const { at, chosen } = choice(op, base, index, axis);
  return scatterInto(at, base.shape[at], broadcastTo(given, chosen.shape), chosen, mode, base);
}

/**
 * A copy of `x` with values written at chosen places along an axis: `out[i, index[i, j]] = values[i, j]`. Where an index comes
 * twice the later value stays, and only it gets a gradient.
 * @param x rank 1 or more
 * @param index whole numbers 0 … size of the axis - 1, the shape of `x` but for the axis; one outside stops the run with a
 *   DataError
 * @param values a number or a shape that broadcasts to `index`
 * @param options `axis`, default the last
 * @returns the shape of `x`
 * @throws ShapeError when the shapes do not fit, DTypeError when the index is not an integer or the dtypes do not mix
 * @example scatter(zeros([3]), tensor([2], { dtype: 'int32' }), 5); // [0, 0, 5]
 */
export function scatter(x: Operand, index: Operand, values: Operand, options: AlongOptions = {}): Tensor {
  checkOptions('scatter', options, ['axis']);
  const { axis = -1 } = options;
  return scattered('scatter', x, index, values, axis, 'set');
}

/** `x` plus values at chosen places along an axis; scatterAdd of a tensor. */
export function scatterAddAlong(x: Operand, index: Operand, values: Operand, options: AlongOptions): Tensor {
  checkOptions('scatterAdd', options, ['axis']);
  const { axis = -1 } = options;
  const t = toTensor(x, undefined, 'scatterAdd');
  checkDType('scatterAdd', t.dtype, 'number');
  if (t.dtype === 'uint8') throw new DTypeError("scatterAdd: got uint8, expected int32 or a float; add .cast('int32')");
  return scattered('scatterAdd', t, index, values, axis, 'add');
}
