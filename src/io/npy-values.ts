import { type HostArray, hostView } from '../dtype.js';
import { sizeOf } from '../shape.js';
import { NPY_TYPES, type NpyHeader, type NpyType } from './npy-header.js';

/** Says that the element at `index` cannot be taken. */
type Refuse = (index: number, message: string) => never;

export function elementBytes(type: NpyType): number {
  return Number(type.at(-1));
}

/** The elements of a file as the array of their dtype, in the order of the file. Turns `bytes` in place. */
export function toHost(
  { type, bigEndian }: Pick<NpyHeader, 'type' | 'bigEndian'>,
  bytes: Uint8Array<ArrayBuffer>,
  refuse: Refuse,
): HostArray {
  const { buffer } = bytes;
  if (bigEndian) swap(Buffer.from(buffer), elementBytes(type));
  switch (type) {
    case 'b1': {
      const bad = bytes.findIndex((v) => v > 1);
      if (bad >= 0) refuse(bad, `a bool is ${bytes[bad]}, expected 0 or 1`);
      return bytes;
    }
    case 'i1':
      return Int32Array.from(new Int8Array(buffer));
    case 'i2':
      return Int32Array.from(new Int16Array(buffer));
    case 'u2':
      return Int32Array.from(new Uint16Array(buffer));
    case 'u4': {
      const values = new Int32Array(buffer);
      const bad = values.findIndex((v) => v < 0);
      if (bad >= 0) refuse(bad, tooLarge(String(values[bad] >>> 0)));
      return values;
    }
    case 'i8':
    case 'u8':
      return narrow(buffer, type === 'i8', refuse);
    case 'bf2': {
      // The upper half of a float32.
      const halves = new Uint16Array(buffer);
      return new Float32Array(Int32Array.from(halves, (bits) => bits << 16).buffer);
    }
    case 'f2':
      return Float32Array.from(new Uint16Array(buffer), halfToNumber);
    default:
      return hostView(NPY_TYPES[type], buffer, 0, buffer.byteLength / elementBytes(type));
  }
}

/** The elements of an array whose first axis varies fastest, with the last varying fastest. */
export function toRowMajor(data: HostArray, shape: readonly number[]): HostArray {
  const out = data.slice();
  const index = new Array<number>(shape.length).fill(0);
  const steps: number[] = [];
  for (let axis = 0, step = 1; axis < shape.length; step *= shape[axis++]) steps.push(step);
  for (let i = 0, from = 0; i < sizeOf(shape); i++) {
    out[i] = data[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += steps[axis];
      if (++index[axis] < shape[axis]) break;
      from -= steps[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}

function swap(bytes: Buffer, size: number): void {
  if (size === 2) bytes.swap16();
  else if (size === 4) bytes.swap32();
  else if (size === 8) bytes.swap64();
}

/** 64-bit integers as 32-bit ones. */
function narrow(buffer: ArrayBuffer, signed: boolean, refuse: Refuse): Int32Array {
  const words = new Int32Array(buffer);
  const out = new Int32Array(words.length / 2);
  for (let i = 0; i < out.length; i++) {
    const low = words[2 * i];
    const high = words[2 * i + 1];
    // The upper half repeats the sign of the lower, which an unsigned number must not have.
    if (high !== low >> 31 || (!signed && low < 0)) {
      refuse(i, tooLarge(String((signed ? new BigInt64Array(buffer) : new BigUint64Array(buffer))[i])));
    }
    out[i] = low;
  }
  return out;
}

function tooLarge(value: string): string {
  return `the integer ${value} does not fit int32; save it as int32 or float64`;
}

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
