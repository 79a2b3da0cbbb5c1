import { type DType, type HostArray, itemSize, knownDType } from '../dtype.js';
import { HostStorage } from '../runtime/storage.js';
import { checkCount } from './gemm.js';

/**
 * An array of zeros where kernels are fastest: it starts on a 64-byte boundary, so that no vector lies in two cache lines, and
 * from 4 MiB on it asks for huge pages. Arrays made with `new` work as well; they start anywhere. `bool` is a `Uint8Array`.
 *
 * @throws OptionError when `length` is not a whole number >= 0.
 * @throws RangeError when there is no memory for it.
 * @example
 * const x = alignedArray(1024);
 * x.fill(2);
 * console.log(sum(x)); // 2048
 */
export function alignedArray(length: number): Float32Array;
export function alignedArray(length: number, dtype: 'float64'): Float64Array;
export function alignedArray(length: number, dtype: 'int32'): Int32Array;
export function alignedArray(length: number, dtype: 'uint8' | 'bool'): Uint8Array;
export function alignedArray(length: number, dtype?: DType): HostArray;
export function alignedArray(length: number, dtype: DType = 'float32'): HostArray {
  checkCount('length', length);
  knownDType('alignedArray', dtype);
  return new HostStorage(length * itemSize(dtype)).view(dtype);
}
