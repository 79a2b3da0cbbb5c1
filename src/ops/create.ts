import { type DType, type FloatDType, knownDType } from '../dtype.js';
import { OptionError } from '../errors.js';
import { fullLeaf } from '../graph/leaves.js';
import { f64Words } from '../graph/op.js';
import { build, type Tensor } from '../graph/tensor.js';
import { checkOptions, shown } from '../options.js';
import { checkSizes, type Shape } from '../shape.js';
import { equal } from './compare.js';
import { defineOp, NO_GRADIENT } from './define.js';
import { expandDims } from './movement.js';
import { cast, type Operand, toTensor } from './operand.js';

export interface CreateOptions {
  /** Default float32. */
  readonly dtype?: DType;
}

/**
 * A tensor of one value.
 * @param shape sizes
 * @param value of every element
 * @returns `shape`
 * @throws ShapeError for an illegal shape, DTypeError when the dtype cannot hold the value
 * @example full([2], 7); // [7, 7]
 */
export function full(shape: Shape, value: number, options: CreateOptions = {}): Tensor {
  checkOptions('full', options, ['dtype']);
  const { dtype = 'float32' } = options;
  checkSizes('full', shape);
  knownDType('full', dtype);
  if (typeof value !== 'number') throw new OptionError(`full: value is ${shown(value)}, expected a number`);
  if (dtype === 'bool') return fullLeaf(shape, value === 0 ? 0 : 1, dtype);
  toTensor(value, dtype, 'full');
  return fullLeaf([...shape], value, dtype);
}

/**
 * Zeros.
 * @example zeros([2, 3]);
 */
export function zeros(shape: Shape, options: CreateOptions = {}): Tensor {
  checkOptions('zeros', options, ['dtype']);
  return full(shape, 0, options);
}

/**
 * Ones.
 * @example ones([3], { dtype: 'int32' });
 */
export function ones(shape: Shape, options: CreateOptions = {}): Tensor {
  checkOptions('ones', options, ['dtype']);
  return full(shape, 1, options);
}

/**
 * Zeros of the shape and dtype of `x`.
 * @example zerosLike(tensor([1, 2])); // [0, 0]
 */
export function zerosLike(x: Operand): Tensor {
  const t = toTensor(x, undefined, 'zerosLike');
  return full(t.shape, 0, { dtype: t.dtype });
}

/**
 * Ones of the shape and dtype of `x`.
 * @example onesLike(tensor([1, 2])); // [1, 1]
 */
export function onesLike(x: Operand): Tensor {
  const t = toTensor(x, undefined, 'onesLike');
  return full(t.shape, 1, { dtype: t.dtype });
}

/** attrs: n, start, step, dtype. */
export const createOps = {
  iota: defineOp('iota', {
    kind: 'coarse',
    infer: (_, attrs) => ({ shape: [attrs.n as number], dtype: attrs.dtype as DType }),
    vjp: NO_GRADIENT,
    reference: (_, attrs, [{ shape }]) => ({
      data: Float64Array.from({ length: shape[0] }, (_, i) => (attrs.start as number) + i * (attrs.step as number)),
      shape,
    }),
    lower: ({ attrs }) => ({
      opcode: 'IOTA',
      params: [attrs.n as number, ...f64Words(attrs.start as number), ...f64Words(attrs.step as number)],
    }),
  }),
};

/** `start + i * step` for i = 0 … n - 1, computed in float64; int32 unless stated, for which start and step are whole. */
export function iota(n: number, { start = 0, step = 1, dtype = 'int32' as 'int32' | FloatDType } = {}): Tensor {
  return build(createOps.iota, [], { n, start, step, dtype });
}

/**
 * Evenly spaced values: `arange(stop)`, `arange(start, stop)` or `arange(start, stop, step)`.
 * `start + i * step` for i = 0 … ceil((stop - start) / step) - 1
 * @param options `dtype` default int32 when all three are whole numbers, else float32
 * @returns [n]
 * @throws OptionError when step is 0 or an argument is not finite
 * @example arange(1, 7, 2); // [1, 3, 5]
 */
export function arange(first: number, second?: number, step = 1, options: CreateOptions = {}): Tensor {
  checkOptions('arange', options, ['dtype']);
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const finite = [start, stop, step].every(Number.isFinite);
  const n = finite ? Math.max(0, Math.ceil((stop - start) / step)) : Number.NaN;
  if (!Number.isFinite(n)) {
    throw new OptionError(
      `arange: got start ${shown(start)}, stop ${shown(stop)}, step ${shown(step)}, expected finite numbers and a step other than 0`,
    );
  }
  const whole = Number.isInteger(start) && Number.isInteger(step) && Number.isInteger(stop);
  if (options.dtype !== undefined) knownDType('arange', options.dtype);
  const dtype = options.dtype ?? (whole ? 'int32' : 'float32');
  return ramp(n, start, step, whole, dtype);
}

/** Of the dtypes without an instruction, whole numbers go by int32 and others by float64. */
function ramp(n: number, start: number, step: number, whole: boolean, dtype: DType): Tensor {
  const fits = whole && Math.abs(start) < 2 ** 31 && Math.abs(start + n * step) < 2 ** 31 && Math.abs(step) < 2 ** 31;
  if (dtype === 'float32' || dtype === 'float64') return iota(n, { start, step, dtype });
  return cast(iota(n, { start, step, dtype: fits ? 'int32' : 'float64' }), dtype);
}

/**
 * `count` values from `start` to `stop`, both included.
 * `start + i * (stop - start) / (count - 1)`
 * @param count whole number >= 0
 * @returns [count]
 * @throws OptionError for an illegal count or bound
 * @example linspace(0, 1, 5); // [0, 0.25, 0.5, 0.75, 1]
 */
export function linspace(start: number, stop: number, count: number, options: CreateOptions = {}): Tensor {
  checkOptions('linspace', options, ['dtype']);
  const { dtype = 'float32' } = options;
  knownDType('linspace', dtype);
  if (!Number.isInteger(count) || count < 0 || !Number.isFinite(start) || !Number.isFinite(stop)) {
    throw new OptionError(
      `linspace: got ${shown(start)}, ${shown(stop)}, ${shown(count)}, expected finite bounds and a whole count >= 0`,
    );
  }
  return ramp(count, start, count > 1 ? (stop - start) / (count - 1) : 0, false, dtype);
}

/**
 * Identity matrix: ones on the main diagonal.
 * @param rows whole number >= 0
 * @param columns default `rows`
 * @returns [rows, columns]
 * @throws OptionError for an illegal size
 * @example eye(2); // [[1, 0], [0, 1]]
 */
export function eye(rows: number, columns = rows, options: CreateOptions = {}): Tensor {
  checkOptions('eye', options, ['dtype']);
  const { dtype = 'float32' } = options;
  knownDType('eye', dtype);
  for (const n of [rows, columns]) {
    if (!Number.isInteger(n) || n < 0) throw new OptionError(`eye: got size ${shown(n)}, expected a whole number >= 0`);
  }
  return cast(equal(expandDims(iota(rows), 1), iota(columns)), dtype);
}

/**
 * Rows of the identity matrix: 1 at the label, 0 elsewhere; a label outside 0 … classes - 1 gives zeros.
 * @param labels integers, any shape
 * @param classes whole number >= 1
 * @returns [...labels.shape, classes]
 * @throws OptionError for an illegal number of classes
 * @example oneHot(tensor([1, 0], { dtype: 'int32' }), 3); // [[0, 1, 0], [1, 0, 0]]
 */
export function oneHot(labels: Operand, classes: number, options: CreateOptions = {}): Tensor {
  checkOptions('oneHot', options, ['dtype']);
  const { dtype = 'float32' } = options;
  knownDType('oneHot', dtype);
  if (!Number.isInteger(classes) || classes < 1) {
    throw new OptionError(`oneHot: got ${shown(classes)} classes, expected a whole number >= 1`);
  }
  return cast(equal(expandDims(toTensor(labels, 'int32', 'oneHot'), -1), iota(classes)), dtype);
}
