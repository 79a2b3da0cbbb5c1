import { type DType, type HostArray, hostView, itemSize } from '../dtype.js';
import { FormatError, OptionError } from '../errors.js';
import { checkPath, shown } from '../options.js';
import { type Shape, sizeOf } from '../shape.js';
import { checkBytes, readFully, withFile, writeFileAtomic } from './files.js';
import { HeaderScanner } from './json-header.js';
import { NPY_TYPES, type NpyType } from './npy-header.js';
import { elementBytes, toHost } from './npy-values.js';

/** One tensor of a file: row-major values in a typed array of its dtype (bool: bytes 0 and 1). */
export interface TensorData {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: HostArray;
}

/** Content of a safetensors file, tensors in the order of their data. */
export interface SafetensorsFile {
  readonly tensors: Map<string, TensorData>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Where a tensor lies: `begin` and `end` count from the start of the file. */
interface Entry {
  readonly name: string;
  readonly dtype: DType;
  /** How the file holds it, where that is not `dtype`. */
  readonly widened: NpyType | undefined;
  readonly shape: Shape;
  readonly begin: number;
  readonly end: number;
  /** Offset of the name in the file, for messages. */
  readonly at: number;
}

const MAX_HEADER = 100_000_000;
/** In the order that the tensors of a file are written in: by falling size, so that every one is aligned. */
const FILE_DTYPES: ReadonlyMap<string, DType> = new Map([
  ['F64', 'float64'],
  ['F32', 'float32'],
  ['I32', 'int32'],
  ['U8', 'uint8'],
  ['BOOL', 'bool'],
]);
/** Read as what Neurite computes with: without loss, or not at all. */
const WIDENED: ReadonlyMap<string, NpyType> = new Map([
  ['BF16', 'bf2'],
  ['F16', 'f2'],
  ['I8', 'i1'],
  ['I16', 'i2'],
  ['U16', 'u2'],
  ['U32', 'u4'],
  ['I64', 'i8'],
  ['U64', 'u8'],
]);
const DTYPE_NAMES = new Map([...FILE_DTYPES].map(([file, dtype]) => [dtype, file]));
const DTYPE_ORDER = [...FILE_DTYPES.values()];

/**
 * Reads a safetensors file; everything the header claims is checked against the file before memory is taken.
 *
 * Takes dtypes F32, F64, I32, U8 and BOOL, of any shape including `[]` and empty ones. F16 and BF16 become float32; other
 * integers become int32, or are refused when a value does not fit.
 * @returns the tensors by name, in the order of their data, and the header's metadata.
 * @throws FormatError naming file and byte offset when the file breaks the format; NeuriteError with a hint when it
 *   cannot be read.
 * @example
 * const { tensors } = await readSafetensors('mnist.safetensors');
 * tensors.get('0.weight').shape;   // [128, 784]
 * @see https://github.com/huggingface/safetensors#format
 */
export async function readSafetensors(file: string): Promise<SafetensorsFile> {
  return withFile(file, async (handle, size) => {
    const shrunk = (offset: number): never => failAt(file, offset, 'the file ended while it was read');
    const prefix = new Uint8Array(Math.min(8, size));
    if (!(await readFully(handle, prefix, 0))) shrunk(0);
    const header = new Uint8Array(headerLength(prefix, size, file));
    if (!(await readFully(handle, header, 8))) shrunk(8);
    const { entries, metadata } = parseHeader(header, size, file);
    const tensors = new Map<string, TensorData>();
    for (const entry of entries) {
      const buffer = new ArrayBuffer(entry.end - entry.begin);
      if (!(await readFully(handle, new Uint8Array(buffer), entry.begin))) shrunk(entry.begin);
      tensors.set(entry.name, tensorOf(entry, buffer, file));
    }
    return { tensors, metadata };
  });
}

/**
 * Writes a safetensors file atomically: a crash leaves the old file or the new one.
 * @param tensors name → values; row-major, so that PyTorch and others read the same tensor.
 * @param metadata strings for the header's `__metadata__`.
 * @throws OptionError when a tensor's array does not fit its shape or dtype; NeuriteError with a hint when the file
 *   cannot be written.
 * @example
 * await writeSafetensors('w.safetensors', { w: { dtype: 'float32', shape: [2], data: Float32Array.of(1, 2) } });
 * @see https://github.com/huggingface/safetensors#format
 */
export async function writeSafetensors(
  file: string,
  tensors: ReadonlyMap<string, TensorData> | Readonly<Record<string, TensorData>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  checkPath('writeSafetensors', 'file', file);
  await writeFileAtomic(
    file,
    layOut(tensors, metadata).map((c) => c.bytes),
  );
}

/**
 * Reads safetensors bytes in memory; arrays are copies. Same checks and errors as {@link readSafetensors}.
 * @param label what messages call the bytes.
 */
export function parseSafetensors(bytes: Uint8Array, label = 'buffer'): SafetensorsFile {
  checkBytes('parseSafetensors', bytes);
  const header = bytes.subarray(8, 8 + headerLength(bytes.subarray(0, 8), bytes.length, label));
  const { entries, metadata } = parseHeader(header, bytes.length, label);
  const tensors = new Map<string, TensorData>();
  for (const entry of entries) {
    // Not slice(): that of a Node Buffer is a view, whose buffer is larger and starts elsewhere.
    const copy = new Uint8Array(bytes.subarray(entry.begin, entry.end));
    tensors.set(entry.name, tensorOf(entry, copy.buffer, label));
  }
  return { tensors, metadata };
}

/** The bytes {@link writeSafetensors} would write. Equal content gives equal bytes. */
export function serializeSafetensors(
  tensors: ReadonlyMap<string, TensorData> | Readonly<Record<string, TensorData>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const chunks = layOut(tensors, metadata).map((c) => c.bytes);
  const out = new Uint8Array(chunks.reduce((n, c) => n + c.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    out.set(chunk, offset);
    offset += chunk.length;
  }
  return out;
}

function failAt(label: string, offset: number, message: string): never {
  throw new FormatError(`safetensors "${label}" at byte ${offset}: ${message}`);
}

/** Length of the header, checked against the file's `size`. */
function headerLength(prefix: Uint8Array, size: number, label: string): number {
  if (prefix.length < 8) failAt(label, 0, `file has ${size} bytes, expected at least the 8 of the header length`);
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER)) failAt(label, 0, `header length ${length} is above ${MAX_HEADER}`);
  if (length > BigInt(size - 8))
    failAt(label, 0, `header length ${length} is beyond the end of a file of ${size} bytes`);
  return Number(length);
}

function parseHeader(
  header: Uint8Array,
  size: number,
  label: string,
): { entries: Entry[]; metadata: Record<string, string> } {
  const fail = (offset: number, message: string): never => failAt(label, 8 + offset, message);
  if (header[0] !== 0x7b) fail(0, "header does not start with '{'");
  const scan = new HeaderScanner(header, fail);
  const dataStart = 8 + header.length;
  const metadata = new Map<string, string>();
  const entries: Entry[] = [];
  scan.object('the header', (name, at) => {
    if (name === '__metadata__') {
      scan.object('__metadata__', (key) => metadata.set(key, scan.string(`metadata ${JSON.stringify(key)}`)));
    } else {
      entries.push(readEntry(scan, name, at, dataStart, size - dataStart, fail));
    }
  });
  scan.end();
  // Empty tensors sort before the tensor that starts where they lie.
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = dataStart;
  for (const e of entries) {
    if (e.begin !== covered) {
      const how = e.begin < covered ? 'overlaps the tensor before it' : 'leaves a hole before it';
      fail(
        e.at,
        `tensor "${e.name}" starts at data offset ${e.begin - dataStart}, expected ${covered - dataStart}: it ${how}`,
      );
    }
    covered = e.end;
  }
  if (covered !== size) failAt(label, covered, `${size - covered} bytes after the last tensor`);
  return { entries, metadata: Object.fromEntries(metadata) };
}

function readEntry(
  scan: HeaderScanner,
  name: string,
  at: number,
  dataStart: number,
  dataSize: number,
  fail: (offset: number, message: string) => never,
): Entry {
  const what = `tensor ${JSON.stringify(name)}`;
  let dtype: DType | undefined;
  let widened: NpyType | undefined;
  let shape: number[] | undefined;
  let range: number[] | undefined;
  scan.object(what, (key, keyAt) => {
    if (key === 'dtype') {
      const given = scan.string(`dtype of ${what}`);
      widened = WIDENED.get(given);
      dtype = widened === undefined ? FILE_DTYPES.get(given) : NPY_TYPES[widened];
      if (dtype === undefined) {
        fail(
          keyAt,
          `${what} has dtype ${given}; expected one of ${[...FILE_DTYPES.keys(), ...WIDENED.keys()].join(', ')}; convert it before saving`,
        );
      }
    } else if (key === 'shape') shape = scan.wholeNumbers(`shape of ${what}`);
    else if (key === 'data_offsets') range = scan.wholeNumbers(`data_offsets of ${what}`);
    else fail(keyAt, `${what} has an unknown field ${JSON.stringify(key)}`);
  });
  if (dtype === undefined || shape === undefined || range === undefined) {
    return fail(at, `${what} needs dtype, shape and data_offsets`);
  }
  const [begin, end] = range;
  if (range.length !== 2 || begin > end)
    fail(at, `${what} has data_offsets [${range.join(', ')}], expected [begin, end]`);
  if (end > dataSize) fail(at, `${what} ends at data offset ${end}, but the file has ${dataSize} bytes of data`);
  let bytes = widened === undefined ? itemSize(dtype) : elementBytes(widened);
  for (const d of shape) {
    bytes *= d;
    if (bytes > Number.MAX_SAFE_INTEGER)
      fail(at, `${what} of shape [${shape.join(', ')}] has more than 2^53 - 1 bytes`);
  }
  if (bytes !== end - begin) {
    fail(
      at,
      `${what} of shape [${shape.join(', ')}] and ${widened === undefined ? dtype : 'its dtype'} needs ${bytes} bytes, but data_offsets give ${end - begin}`,
    );
  }
  if (bytes > process.getBuiltinModule('node:buffer').constants.MAX_LENGTH)
    fail(at, `${what} of ${bytes} bytes is larger than an array can be`);
  return { name, dtype, widened, shape, begin: dataStart + begin, end: dataStart + end, at };
}

function tensorOf(entry: Entry, buffer: ArrayBuffer, label: string): TensorData {
  const { widened } = entry;
  if (widened !== undefined) {
    const refuse = (index: number, message: string): never =>
      failAt(label, entry.begin + index * elementBytes(widened), `tensor "${entry.name}": ${message}`);
    const data = toHost({ type: widened, bigEndian: false }, new Uint8Array(buffer), refuse);
    return { dtype: entry.dtype, shape: entry.shape, data };
  }
  const data = hostView(entry.dtype, buffer, 0, buffer.byteLength / itemSize(entry.dtype));
  if (entry.dtype === 'bool') {
    const bad = (data as Uint8Array).findIndex((v) => v > 1);
    if (bad >= 0)
      failAt(label, entry.begin + bad, `tensor "${entry.name}" is BOOL but holds ${data[bad]}, expected 0 or 1`);
  }
  return { dtype: entry.dtype, shape: entry.shape, data };
}

/** A part of a file: the header (`tensor` is null) or the values of a tensor. */
export interface Chunk {
  readonly tensor: { readonly name: string; readonly dtype: DType; readonly shape: Shape } | null;
  readonly bytes: Uint8Array;
}

/** Throws unless `tensors` is a map or an object of values by name. */
export function checkTensors(where: string, tensors: unknown): void {
  if (typeof tensors === 'object' && tensors !== null && !Array.isArray(tensors) && !ArrayBuffer.isView(tensors))
    return;
  throw new OptionError(`${where}: got ${shown(tensors)}, expected { dtype, shape, data } by name`);
}

/** The file as chunks: header, then the tensors by dtype and name, as the reference implementation orders them. */
export function layOut(
  tensors: ReadonlyMap<string, TensorData> | Readonly<Record<string, TensorData>>,
  metadata: Readonly<Record<string, string>>,
): Chunk[] {
  checkTensors('writeSafetensors', tensors);
  if (typeof metadata !== 'object' || metadata === null) {
    throw new OptionError(`writeSafetensors: metadata is ${shown(metadata)}, expected strings by name`);
  }
  const list = [
    ...(tensors instanceof Map ? tensors : Object.entries(tensors as Readonly<Record<string, TensorData>>)),
  ];
  for (const [name, t] of list) checkTensor(name, t);
  const rank = (t: TensorData) => DTYPE_ORDER.indexOf(t.dtype);
  list.sort(([a, x], [b, y]) => rank(x) - rank(y) || (a < b ? -1 : 1));
  const fields: string[] = [];
  const meta = Object.entries(metadata);
  if (meta.length > 0) {
    for (const [k, v] of meta) {
      if (typeof v !== 'string')
        throw new OptionError(`writeSafetensors: metadata "${k}" is ${typeof v}, expected a string`);
    }
    fields.push(`"__metadata__":{${meta.map(([k, v]) => `${quote(k)}:${quote(v)}`).join()}}`);
  }
  let offset = 0;
  for (const [name, { dtype, shape, data }] of list) {
    const end = offset + data.byteLength;
    fields.push(
      `${quote(name)}:{"dtype":"${DTYPE_NAMES.get(dtype)}","shape":[${shape.join()}],"data_offsets":[${offset},${end}]}`,
    );
    offset = end;
  }
  const json = Buffer.from(`{${fields.join()}}`, 'utf8');
  const length = Math.ceil(json.length / 8) * 8;
  if (length > MAX_HEADER) throw new OptionError(`writeSafetensors: header of ${length} bytes is above ${MAX_HEADER}`);
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, 8);
  return [
    { tensor: null, bytes: header },
    ...list.map(([name, { dtype, shape, data }]) => ({
      tensor: { name, dtype, shape },
      bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    })),
  ];
}

/** Throws unless `t` is `{ dtype, shape, data }` of a known dtype. */
export function checkData(where: string, t: TensorData): void {
  if (typeof t !== 'object' || t === null || !Array.isArray(t.shape) || !ArrayBuffer.isView(t.data)) {
    throw new OptionError(`${where}: got ${shown(t)}, expected { dtype, shape, data }`);
  }
  if (!DTYPE_NAMES.has(t.dtype)) throw new OptionError(`${where} has unknown dtype ${shown(t.dtype)}`);
}

function checkTensor(name: string, t: TensorData): void {
  if (name === '__metadata__') throw new OptionError('writeSafetensors: a tensor cannot be named "__metadata__"');
  checkData(`writeSafetensors: tensor "${name}"`, t);
  const expected = hostView(t.dtype, new ArrayBuffer(0), 0, 0).constructor;
  if (t.data.constructor !== expected) {
    throw new OptionError(
      `writeSafetensors: tensor "${name}" is ${t.dtype}: got ${t.data.constructor.name}, expected ${expected.name}`,
    );
  }
  if (t.data.length !== sizeOf(t.shape) || !t.shape.every((d) => Number.isSafeInteger(d) && d >= 0)) {
    throw new OptionError(
      `writeSafetensors: tensor "${name}" has ${t.data.length} values, expected shape [${t.shape.join(', ')}]`,
    );
  }
}

function quote(text: string): string {
  if (/\p{Surrogate}/u.test(text))
    throw new OptionError(`writeSafetensors: ${JSON.stringify(text)} is not valid Unicode`);
  return JSON.stringify(text);
}
