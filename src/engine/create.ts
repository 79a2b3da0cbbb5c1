import { type DType, type HostArray, isFloat, itemSize, knownDType } from '../dtype.js';
import { DTypeError, ShapeError } from '../errors.js';
import { dataLeaf } from '../graph/leaves.js';
import type { Tensor } from '../graph/tensor.js';
import { checkFunction, checkOptions, shown } from '../options.js';
import { allocate } from '../runtime/storage.js';
import { checkShape, type Shape, sizeOf } from '../shape.js';

export type NestedNumbers = number | boolean | readonly NestedNumbers[];
export type TensorData = NestedNumbers | HostArray;

export interface TensorOptions {
  /** Shape of the result; default: that of the nested arrays, or one axis for a typed array. */
  readonly shape?: Shape;
  /** Default: that of the typed array; bool for booleans; float32 for numbers. */
  readonly dtype?: DType;
}

/**
 * A tensor with the given values, copied now.
 *
 * @param values a number, nested arrays of numbers or booleans, or a typed array.
 * @param options `shape` must hold as many elements as `values`.
 * @throws ShapeError for ragged arrays or a shape that does not fit; DTypeError for a typed array of another kind;
 *   RangeError above the memory limit.
 * @example
 * tensor([[1, 2], [3, 4]]);
 * tensor(new Uint8Array(784 * 10), { shape: [10, 784] });
 */
export function tensor(values: TensorData, options: TensorOptions = {}): Tensor {
  checkOptions('tensor', options, ['shape', 'dtype']);
  if (options.dtype !== undefined) knownDType('tensor', options.dtype);
  const typed = ArrayBuffer.isView(values);
  const inferred = typed ? [(values as HostArray).length] : shapeOf(values as NestedNumbers);
  const shape = options.shape ?? inferred;
  checkShape('tensor', shape);
  if (sizeOf(shape) !== sizeOf(inferred)) {
    throw new ShapeError(`tensor: shape [${shape}] needs ${sizeOf(shape)} values, got ${sizeOf(inferred)}`);
  }
  const dtype = options.dtype ?? (typed ? dtypeOfArray(values as HostArray) : dtypeOfNested(values as NestedNumbers));
  const flat = typed ? (values as HostArray) : flatten(values as NestedNumbers, inferred);
  checkValues(flat, dtype);
  const storage = allocate(shape, dtype);
  const view = storage.view(dtype);
  if (dtype === 'bool') for (let i = 0; i < flat.length; i++) view[i] = flat[i] === 0 ? 0 : 1;
  else view.set(flat);
  return dataLeaf([...shape], dtype, storage);
}

/**
 * A tensor whose values are written straight into its memory, for readers and batchers: `tensor` would copy them.
 *
 * @param shape of the tensor. @param dtype of the tensor.
 * @param write fills the typed array it gets, all zeros, and must not keep it; bool is 0 or not.
 * @throws ShapeError for a shape that is none; RangeError above the memory limit; what `write` throws.
 * @example const squares = writeTensor([3], 'float32', (values) => values.forEach((_, i) => (values[i] = i * i)));
 */
export function writeTensor(shape: Shape, dtype: DType, write: (values: HostArray) => void): Tensor {
  checkShape('writeTensor', shape);
  knownDType('writeTensor', dtype);
  checkFunction('writeTensor', 'write', write);
  const storage = allocate(shape, dtype);
  const values = storage.view(dtype).subarray(0, sizeOf(shape));
  write(values);
  if (dtype === 'bool') for (let i = 0; i < values.length; i++) values[i] = values[i] === 0 ? 0 : 1;
  return dataLeaf([...shape], dtype, storage);
}

function dtypeOfArray(values: HostArray): DType {
  if (values instanceof Float32Array) return 'float32';
  if (values instanceof Float64Array) return 'float64';
  if (values instanceof Int32Array) return 'int32';
  if (values instanceof Uint8Array) return 'uint8';
  const name = (values as object).constructor.name;
  throw new DTypeError(
    `tensor: got a ${name}; expected Float32Array, Float64Array, Int32Array or Uint8Array, or give { dtype } with plain arrays`,
  );
}

function dtypeOfNested(values: NestedNumbers): DType {
  let first = values;
  while (Array.isArray(first) && first.length > 0) first = first[0] as NestedNumbers;
  return typeof first === 'boolean' ? 'bool' : 'float32';
}

function shapeOf(values: NestedNumbers): number[] {
  const shape: number[] = [];
  let level: unknown = values;
  while (Array.isArray(level)) {
    shape.push(level.length);
    if (level.length === 0) break;
    level = level[0];
  }
  return shape;
}

function flatten(values: NestedNumbers, shape: Shape): number[] {
  const out: number[] = [];
  const walk = (x: unknown, depth: number) => {
    if (depth < shape.length) {
      if (!Array.isArray(x) || x.length !== shape[depth]) {
        const got = Array.isArray(x) ? `a row of ${x.length}` : typeof x;
        throw new ShapeError(`tensor: ragged array at depth ${depth}: got ${got}, expected ${shape[depth]} entries`);
      }
      for (const e of x) walk(e, depth + 1);
    } else if (typeof x === 'number' || typeof x === 'boolean') {
      out.push(Number(x));
    } else {
      throw new DTypeError(
        `tensor: got ${Array.isArray(x) ? 'a deeper array' : shown(x)}, expected a number or boolean`,
      );
    }
  };
  walk(values, 0);
  return out;
}

/** Integers must be integers: a float silently cut to an int is a lost bug. */
function checkValues(flat: ArrayLike<number>, dtype: DType): void {
  if (isFloat(dtype) || dtype === 'bool') return;
  if (flat instanceof Int32Array && dtype === 'int32') return;
  if (flat instanceof Uint8Array) return;
  const [low, high] = dtype === 'uint8' ? [0, 255] : [-(2 ** 31), 2 ** 31 - 1];
  for (let i = 0; i < flat.length; i++) {
    const x = flat[i];
    if (!Number.isInteger(x) || x < low || x > high) {
      throw new DTypeError(`tensor: element ${i} is ${x}, which ${dtype} (${itemSize(dtype)} bytes) cannot hold`);
    }
  }
}
