import { type FileHandle, open } from 'node:fs/promises';
import { endianness } from 'node:os';
import type { HostArray } from '../dtype.js';
import { FormatError } from '../errors.js';
import { macrotask } from '../macrotask.js';
import { checkPath } from '../options.js';
import { MAX_ELEMENTS, MAX_RANK, type Shape } from '../shape.js';

/** An array read from a file: row-major values and their shape. */
export interface HostTensor {
  readonly data: HostArray;
  readonly shape: Shape;
}

interface ElementType {
  readonly bytes: 1 | 2 | 4 | 8;
  view(buffer: ArrayBuffer): HostArray;
}

/** Third byte of the file. int8 and int16 are widened to int32, the smallest signed integer Neurite computes with. */
const ELEMENT_TYPES: Readonly<Record<number, ElementType>> = {
  8: { bytes: 1, view: (b) => new Uint8Array(b) },
  9: { bytes: 1, view: (b) => Int32Array.from(new Int8Array(b)) },
  11: { bytes: 2, view: (b) => Int32Array.from(new Int16Array(b)) },
  12: { bytes: 4, view: (b) => new Int32Array(b) },
  13: { bytes: 4, view: (b) => new Float32Array(b) },
  14: { bytes: 8, view: (b) => new Float64Array(b) },
};

/** Deflate cannot shrink data more than this; a header that promises more is lying. */
const MAX_DEFLATE_RATIO = 1032;
const CHUNK_BYTES = 1 << 20;
const MAX_HEADER_BYTES = 4 + 4 * 255;

interface Header {
  readonly type: ElementType;
  readonly shape: Shape;
  /** Where the values start. */
  readonly bytes: number;
  readonly dataBytes: number;
}

/**
 * Reads an IDX file, the format of MNIST: two zero bytes, element type, rank, big-endian dimensions, big-endian values.
 * A gzip file is recognised by its first bytes, whatever its name. The header is checked against the size of the file
 * before memory is allocated.
 * @returns the values (uint8, int32, float32 or float64) and their shape.
 * @throws FormatError naming file and byte when the file is truncated, has extra bytes or is not IDX at all; the system's
 * error when it cannot be read.
 * @example const { data, shape } = await readIdx('train-images-idx3-ubyte.gz'); // Uint8Array, [60000, 28, 28]
 * Source: http://yann.lecun.com/exdb/mnist, "the IDX file format".
 */
export async function readIdx(path: string): Promise<HostTensor> {
  checkPath('readIdx', 'path', path);
  const file = await open(path, 'r');
  try {
    const info = await file.stat();
    if (!info.isFile()) throw new FormatError(`${path}: is not a regular file`);
    const start = Buffer.alloc(Math.min(MAX_HEADER_BYTES, info.size));
    const { bytesRead } = await file.read(start, 0, start.length, 0);
    const head = start.subarray(0, bytesRead);
    const gzip = head[0] === 0x1f && head[1] === 0x8b;
    return gzip ? await readCompressed(file, path, info.size) : await readPlain(file, path, info.size, head);
  } finally {
    await file.close();
  }
}

async function readPlain(file: FileHandle, path: string, size: number, head: Buffer): Promise<HostTensor> {
  const header = parseHeader(path, head);
  if (header === null) throw truncatedHeader(path, head.length);
  const expected = header.bytes + header.dataBytes;
  if (size !== expected) throw wrongSize(path, header, size);
  const target = new Uint8Array(header.dataBytes);
  let done = 0;
  while (done < target.length) {
    const length = Math.min(CHUNK_BYTES, target.length - done);
    const { bytesRead } = await file.read(target, done, length, header.bytes + done);
    if (bytesRead === 0) throw wrongSize(path, header, header.bytes + done); // it shrank while we read
    done += bytesRead;
  }
  return finish(header, target);
}

async function readCompressed(file: FileHandle, path: string, size: number): Promise<HostTensor> {
  const source = file.createReadStream({ start: 0, autoClose: false, highWaterMark: 1 << 16 });
  const inflate = process.getBuiltinModule('node:zlib').createGunzip({ chunkSize: 1 << 16 });
  source.on('error', (error) => inflate.destroy(error));
  source.pipe(inflate);
  let head = Buffer.alloc(0);
  let header: Header | null = null;
  let target = new Uint8Array(0);
  let done = 0;
  try {
    for await (const piece of inflate as AsyncIterable<Buffer>) {
      let chunk = piece;
      if (header === null) {
        head = Buffer.concat([head, chunk]);
        header = parseHeader(path, head);
        if (header === null) continue;
        if (header.dataBytes > size * MAX_DEFLATE_RATIO) {
          throw new FormatError(
            `${path}: the header promises ${describe(header)}, more than ${size} compressed bytes can hold`,
          );
        }
        target = new Uint8Array(header.dataBytes);
        chunk = head.subarray(header.bytes);
      }
      if (done + chunk.length > target.length) throw wrongSize(path, header, header.bytes + done + chunk.length, true);
      target.set(chunk, done);
      done += chunk.length;
    }
  } catch (error) {
    if (error instanceof FormatError || !isZlibError(error)) throw error;
    const at = header === null ? head.length : header.bytes + done;
    throw new FormatError(
      `${path}: gzip data is damaged or cut off after byte ${at} of its content (${error.message})`,
    );
  } finally {
    source.destroy();
    inflate.destroy();
  }
  if (header === null) throw truncatedHeader(path, head.length);
  if (done < target.length) throw wrongSize(path, header, header.bytes + done);
  return finish(header, target);
}

/** null: more bytes are needed. */
function parseHeader(path: string, head: Buffer): Header | null {
  if (head.length < 4) return null;
  if (head[0] !== 0 || head[1] !== 0) {
    const got = head.subarray(0, 4).toString('hex');
    throw new FormatError(`${path}: byte 0: got ${got}, expected 0000 and an element type; this is not an IDX file`);
  }
  const type = ELEMENT_TYPES[head[2]];
  if (type === undefined) {
    const known = Object.keys(ELEMENT_TYPES).map((t) => `0x${Number(t).toString(16).padStart(2, '0')}`);
    throw new FormatError(
      `${path}: byte 2: element type 0x${hex(head[2])} is unknown, expected one of ${known.join(' ')}`,
    );
  }
  const rank = head[3];
  if (rank === 0 || rank > MAX_RANK) {
    throw new FormatError(`${path}: byte 3: rank ${rank}, expected 1 to ${MAX_RANK}`);
  }
  const bytes = 4 + 4 * rank;
  if (head.length < bytes) return null;
  const shape = Array.from({ length: rank }, (_, i) => head.readUInt32BE(4 + 4 * i));
  let elements = 1;
  for (const d of shape) if (d > 0) elements *= d;
  if (elements > MAX_ELEMENTS) {
    throw new FormatError(`${path}: byte 4: dimensions [${shape}] hold more than ${MAX_ELEMENTS} elements`);
  }
  const dataBytes = shape.includes(0) ? 0 : elements * type.bytes;
  return { type, shape, bytes, dataBytes };
}

async function finish(header: Header, bytes: Uint8Array<ArrayBuffer>): Promise<HostTensor> {
  const width = header.type.bytes;
  if (width > 1 && endianness() === 'LE') {
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      const part = Buffer.from(bytes.buffer, at, Math.min(CHUNK_BYTES, bytes.length - at));
      if (width === 2) part.swap16();
      else if (width === 4) part.swap32();
      else part.swap64();
      await macrotask();
    }
  }
  return { data: header.type.view(bytes.buffer), shape: header.shape };
}

function describe(header: Header): string {
  return `[${header.shape}] of ${header.type.bytes} byte${header.type.bytes > 1 ? 's' : ''} each`;
}

function wrongSize(path: string, header: Header, got: number, atLeast = false): FormatError {
  const expected = header.bytes + header.dataBytes;
  const what = got < expected ? 'the file is cut off' : 'the file has extra bytes';
  const size = `${atLeast ? 'at least ' : ''}${got} bytes`;
  return new FormatError(
    `${path}: byte ${Math.min(got, expected)}: ${what}: got ${size}, expected ${expected} for ${describe(header)}`,
  );
}

function truncatedHeader(path: string, got: number): FormatError {
  return new FormatError(`${path}: byte ${got}: the file is cut off inside the IDX header`);
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

function isZlibError(error: unknown): error is NodeJS.ErrnoException {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return error instanceof Error && typeof code === 'string' && code.startsWith('Z_');
}
