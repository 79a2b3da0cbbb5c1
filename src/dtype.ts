import { DTypeError, didYouMean } from './errors.js';
import { shown } from './options.js';

/** Element types. float32 is the working type; float64 exists for gradient checks and the reference. */
export type DType = 'float32' | 'float64' | 'int32' | 'uint8' | 'bool';
export type FloatDType = 'float32' | 'float64';

/** The typed array that holds a dtype on the host; bool is one byte, 0 or 1. */
export type HostArray = Float32Array | Float64Array | Int32Array | Uint8Array;

export const DTYPES: readonly DType[] = ['float32', 'float64', 'int32', 'uint8', 'bool'];

const BYTES: Record<DType, number> = { float32: 4, float64: 8, int32: 4, uint8: 1, bool: 1 };

/** Throws unless `dtype` is the name of one. */
export function knownDType(where: string, dtype: unknown): void {
  if (DTYPES.includes(dtype as DType)) return;
  const near = typeof dtype === 'string' ? didYouMean(dtype, DTYPES) : '';
  throw new DTypeError(`${where}: dtype is ${shown(dtype)}, expected ${DTYPES.join(', ')}.${near}`);
}

export function itemSize(dtype: DType): number {
  return BYTES[dtype];
}

export function isFloat(dtype: DType): dtype is FloatDType {
  return dtype === 'float32' || dtype === 'float64';
}

/** A host view of `count` elements of `dtype` over `buffer`. */
export function hostView(dtype: DType, buffer: ArrayBuffer, byteOffset: number, count: number): HostArray {
  switch (dtype) {
    case 'float32':
      return new Float32Array(buffer, byteOffset, count);
    case 'float64':
      return new Float64Array(buffer, byteOffset, count);
    case 'int32':
      return new Int32Array(buffer, byteOffset, count);
    case 'uint8':
    case 'bool':
      return new Uint8Array(buffer, byteOffset, count);
    default:
      return dtype satisfies never;
  }
}

/**
 * The dtype two operands of an arithmetic operation meet in: equal dtypes stay, bool or an integer with a float gives the
 * float, bool with an integer the integer, uint8 with int32 int32. There is no silent promotion between floats.
 */
export function promote(op: string, a: DType, b: DType): DType {
  if (a === b) return a;
  if (isFloat(a) && isFloat(b)) {
    throw new DTypeError(`${op}: got ${a} and ${b}; Neurite does not promote between floats; add .cast('${a}')`);
  }
  if (isFloat(a)) return a;
  if (isFloat(b)) return b;
  return a === 'int32' || b === 'int32' ? 'int32' : 'uint8';
}
