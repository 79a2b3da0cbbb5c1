import { type HostArray, hostView } from '../dtype.js';
import { FormatError, OptionError } from '../errors.js';
import { checkOptions, checkPath, wholeNumber } from '../options.js';
import { sizeOf } from '../shape.js';
import { checkBytes, readFully, withFile, writeFileAtomic } from './files.js';
import { type Fail, MAX_HEADER_END, NPY_TYPES, type NpyHeader, parseNpyHeader } from './npy-header.js';
import { elementBytes, toHost, toRowMajor } from './npy-values.js';
import type { TensorData } from './safetensors.js';
import { checkData } from './safetensors.js';

export interface NpyReadOptions {
  /** First row (index of axis 0) to read, default 0. */
  readonly start?: number;
  /** Row to stop before, default the number of rows. */
  readonly end?: number;
}

/**
 * Reads an array that `numpy.save` wrote; everything the header claims is checked against the file before memory is taken.
 *
 * bool, uint8, float32 and float64 stay; float16 becomes float32; other integers become int32, or are refused when a value does
 * not fit. Big-endian and Fortran-ordered arrays are turned. Arrays of objects are refused: they hold pickled code.
 *
 * @param options `start`, `end`: only these rows, read from their place in the file.
 * @throws FormatError naming file and byte; NeuriteError with a hint when it cannot be read; OptionError for rows outside.
 * @example const { data, shape, dtype } = await io.readNpy('x.npy');
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export async function readNpy(file: string, options: NpyReadOptions = {}): Promise<TensorData> {
  return withFile(file, async (handle, size) => {
    const fail = failing(file);
    const start = new Uint8Array(Math.min(MAX_HEADER_END, size));
    if (!(await readFully(handle, start, 0))) fail(0, 'the file ended while it was read');
    const header = checkedHeader(start, size, fail);
    const rows = rowRange(`readNpy "${file}"`, header, options);
    // Rows of a Fortran-ordered array lie scattered.
    const whole = header.fortranOrder ? { ...rows, start: 0, end: rows.count } : rows;
    const bytes = new Uint8Array((whole.end - whole.start) * rows.bytes);
    const from = header.dataStart + whole.start * rows.bytes;
    if (!(await readFully(handle, bytes, from))) fail(from, 'the file ended while it was read');
    return decode(header, bytes, from, rows, fail);
  });
}

/** Shape and dtype of the array in an NPY file, from its header alone. */
export async function npyInfo(file: string): Promise<Pick<TensorData, 'shape' | 'dtype'>> {
  return withFile(file, async (handle, size) => {
    const start = new Uint8Array(Math.min(MAX_HEADER_END, size));
    await readFully(handle, start, 0);
    const { shape, type } = checkedHeader(start, size, failing(file));
    return { shape, dtype: NPY_TYPES[type] };
  });
}

/** Reads the bytes of an NPY file; `label` is what messages call them. Same checks and errors as {@link readNpy}. */
export function parseNpy(bytes: Uint8Array, label = 'buffer'): TensorData {
  checkBytes('parseNpy', bytes);
  const fail = failing(label);
  const header = checkedHeader(bytes.subarray(0, MAX_HEADER_END), bytes.length, fail);
  const rows = rowRange(`parseNpy "${label}"`, header, {});
  // A copy: the array must not change with the caller's bytes, and must be aligned.
  const values = new Uint8Array(bytes.subarray(header.dataStart));
  return decode(header, values, header.dataStart, rows, fail);
}

/**
 * Writes an array for `numpy.load`, atomically: a crash leaves the old file or the new one.
 * @throws OptionError when the array does not fit its shape or dtype; NeuriteError with a hint when it cannot be written.
 * @example await io.writeNpy('x.npy', { dtype: 'float32', shape: [2, 1], data: Float32Array.of(1, 2) });
 */
export async function writeNpy(file: string, tensor: TensorData): Promise<void> {
  checkPath('writeNpy', 'file', file);
  await writeFileAtomic(file, npyChunks(`writeNpy "${file}"`, tensor));
}

/** Header and values of an NPY file of version 1.0. */
export function npyChunks(where: string, tensor: TensorData): Uint8Array[] {
  checkData(where, tensor);
  const { dtype, shape, data } = tensor;
  const descr = DESCR.get(dtype);
  if (descr === undefined) throw new OptionError(`${where}: dtype is ${String(dtype)}`);
  const expected = hostView(dtype, new ArrayBuffer(0), 0, 0).constructor;
  if (data.constructor !== expected) {
    throw new OptionError(`${where}: ${dtype} needs ${expected.name}, got ${data.constructor.name}`);
  }
  if (!shape.every((d) => Number.isSafeInteger(d) && d >= 0) || sizeOf(shape) !== data.length) {
    throw new OptionError(`${where}: has ${data.length} values, expected shape [${shape.join(', ')}]`);
  }
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  // Values start at a multiple of 64, as NumPy aligns them.
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const header = Buffer.alloc(10 + length, ' ');
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(length, 8);
  header.write(text, 10, 'latin1');
  header[header.length - 1] = 0x0a;
  return [header, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)];
}

const DESCR: ReadonlyMap<unknown, string> = new Map([
  ['float32', '<f4'],
  ['float64', '<f8'],
  ['int32', '<i4'],
  ['uint8', '|u1'],
  ['bool', '|b1'],
]);

interface Rows {
  readonly start: number;
  readonly end: number;
  readonly count: number;
  /** Bytes of one row. */
  readonly bytes: number;
}

function failing(label: string): Fail {
  return (offset, message) => {
    throw new FormatError(`npy "${label}" at byte ${offset}: ${message}`);
  };
}

/** The header, its claims checked against the size of the file. */
function checkedHeader(start: Uint8Array, size: number, fail: Fail): NpyHeader {
  const header = parseNpyHeader(start, fail);
  let bytes = elementBytes(header.type);
  for (const d of header.shape) {
    bytes *= d;
    if (bytes > Number.MAX_SAFE_INTEGER) fail(0, `shape [${header.shape.join(', ')}] has more than 2^53 - 1 bytes`);
  }
  const held = size - header.dataStart;
  if (bytes !== held) {
    const how = held < bytes ? 'the file is cut' : 'there is something after the array';
    fail(
      Math.min(size, header.dataStart + bytes),
      `shape [${header.shape.join(', ')}] needs ${bytes} bytes of data, the file has ${held}: ${how}`,
    );
  }
  if (bytes > process.getBuiltinModule('node:buffer').constants.MAX_LENGTH)
    fail(0, `an array of ${bytes} bytes is larger than memory can hold at once`);
  return header;
}

function rowRange(where: string, { shape, type }: NpyHeader, options: NpyReadOptions): Rows {
  checkOptions(where, options, ['start', 'end']);
  const count = shape[0] ?? 1;
  const end = wholeNumber(`${where}: end`, options.end ?? count, 0, count);
  const start = wholeNumber(`${where}: start`, options.start ?? 0, 0, end);
  return { start, end, count, bytes: elementBytes(type) * sizeOf(shape.slice(1)) };
}

/** The wanted rows of `bytes`, which hold them, or all rows when the order is Fortran's. */
function decode(header: NpyHeader, bytes: Uint8Array<ArrayBuffer>, from: number, rows: Rows, fail: Fail): TensorData {
  const { shape, type } = header;
  let data: HostArray = toHost(header, bytes, (index, message) => fail(from + index * elementBytes(type), message));
  if (header.fortranOrder) {
    data = toRowMajor(data, shape);
    const width = sizeOf(shape.slice(1));
    if (rows.end - rows.start < rows.count) data = data.slice(rows.start * width, rows.end * width);
  }
  const outShape = shape.length === 0 ? [] : [rows.end - rows.start, ...shape.slice(1)];
  return { dtype: NPY_TYPES[type], shape: outShape, data };
}
