import type { DType, HostArray } from '../dtype.js';
import { type NeuriteError, OptionError, ShapeError } from '../errors.js';
import { checkList } from '../options.js';

/** What a kernel expects of one array. */
export interface Slot {
  readonly name: string;
  readonly dtype: DType;
  readonly length: number;
  readonly written: boolean;
}

const ARRAYS: Record<DType, new (n: number) => HostArray> = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** Throws unless there are as many arrays as slots, each of the right element type and length. */
export function checkArrays(
  slots: readonly Slot[],
  inputs: number,
  given: readonly HostArray[],
  out: readonly HostArray[],
): void {
  checkList('kernel', 'inputs', given, 'typed arrays');
  checkList('kernel', 'outputs', out, 'typed arrays');
  if (given.length !== inputs || out.length !== slots.length - inputs) {
    throw new OptionError(
      `kernel: got ${given.length} inputs and ${out.length} outputs, expected ${inputs} and ${slots.length - inputs}`,
    );
  }
  for (let i = 0; i < slots.length; i++) {
    const array = i < inputs ? given[i] : out[i - inputs];
    const { name, dtype, length } = slots[i];
    if (!(array instanceof ARRAYS[dtype])) {
      throw new OptionError(`kernel: ${name} is ${kindOf(array)}, expected a ${ARRAYS[dtype].name} (${dtype})`);
    }
    if (array.length !== length) {
      const why = isDetached(array) ? '; its buffer was transferred to another thread' : '';
      throw new ShapeError(`kernel: ${name} has ${array.length} elements, expected ${length}${why}`);
    }
  }
}

/** Why native code refused arrays that passed {@link checkArrays}, or null when nothing is found. */
export function explain(slots: readonly Slot[], arrays: readonly HostArray[]): NeuriteError | null {
  for (let i = 0; i < slots.length; i++) {
    const { name, written } = slots[i];
    if (arrays[i].buffer instanceof SharedArrayBuffer) {
      return new OptionError(
        `kernel: ${name} lies on a SharedArrayBuffer, which another thread could change during the call; copy it`,
      );
    }
    if (!written) continue;
    const other = arrays.findIndex((a, j) => j !== i && overlap(a, arrays[i]));
    if (other >= 0) {
      return new OptionError(
        `kernel: ${name} is written but shares memory with ${slots[other].name}; give it memory of its own`,
      );
    }
  }
  return null;
}

function overlap(a: HostArray, b: HostArray): boolean {
  if (a.buffer !== b.buffer) return false;
  return a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;
}

function isDetached(array: HostArray): boolean {
  return array.length === 0 && array.buffer.byteLength === 0;
}

function kindOf(x: unknown): string {
  if (x === null || typeof x !== 'object') return `${typeof x} ${String(x)}`;
  return `a ${x.constructor?.name ?? 'object'}`;
}
