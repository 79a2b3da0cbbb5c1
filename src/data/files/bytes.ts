import { open } from 'node:fs/promises';
import { DataError, FormatError, NeuriteError, OptionError } from '../../core.js';

/**
 * Where bytes come from: the path of a file, the bytes themselves, a stream or (async) iterable of chunks or text, or a
 * function that opens one. Streams can be read once; a path or function any number of times. Gzip is recognised by its
 * first bytes.
 */
export type ByteSource =
  | string
  | URL
  | Uint8Array
  | AsyncIterable<Uint8Array | string>
  | Iterable<Uint8Array | string>
  | (() => AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>);

/** Chunks from a position on; `close` may come at any time. */
export interface ByteReader {
  next(): Promise<Uint8Array | null>;
  close(): Promise<void>;
}

const CHUNK_BYTES = 1 << 19;

/** What messages call a source. */
export function nameOfSource(source: ByteSource): string {
  if (typeof source === 'string') return source;
  return source instanceof URL ? source.pathname : 'the stream';
}

/** Reads `source` from byte `offset` of its (inflated) content. A plain file is read from there, anything else up to there. */
export async function openBytes(where: string, source: ByteSource, offset: number): Promise<ByteReader> {
  if (typeof source === 'string' || source instanceof URL) return openFile(where, source, offset);
  if (source instanceof Uint8Array)
    return skipping(inflating(where, fromIterable([source]), nameOfSource(source)), offset);
  const iterable = typeof source === 'function' ? source() : source;
  const right = typeof iterable === 'object' && iterable !== null;
  if (!right || !(Symbol.asyncIterator in iterable || Symbol.iterator in iterable)) {
    throw new OptionError(
      `${where}: got ${String(iterable)}, expected a path, bytes, a stream of bytes, or a function that opens one`,
    );
  }
  const { readableEnded, destroyed } = iterable as { readableEnded?: boolean; destroyed?: boolean };
  if (readableEnded === true || destroyed === true) {
    throw new DataError(
      `${where}: this stream has been read already; give a path, or a function that opens a new stream`,
    );
  }
  return skipping(inflating(where, fromIterable(iterable), nameOfSource(source)), offset);
}

async function openFile(where: string, path: string | URL, offset: number): Promise<ByteReader> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'ENOENT' ? `no such file; relative paths start at ${process.cwd()}` : error.message;
    throw new NeuriteError('ERR_DATA', `${where}: read "${String(path)}": ${reason}`, { cause: error });
  });
  let at = 0;
  const read = async (): Promise<Uint8Array | null> => {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES); // consumers keep views of it
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, at);
    at += bytesRead;
    return bytesRead === 0 ? null : chunk.subarray(0, bytesRead);
  };
  /** The chunk after the one that was given, which is read while that is looked at. */
  let ahead: Promise<Uint8Array | null> | null = null;
  let closed = false;
  const plain: ByteReader = {
    async next() {
      const chunk = await (ahead ?? read());
      ahead = chunk === null || closed ? null : read();
      ahead?.catch(() => {}); // the next call says so
      return chunk;
    },
    async close() {
      if (closed) return;
      closed = true;
      await ahead?.catch(() => null);
      await file.close();
    },
  };
  try {
    const magic = Buffer.alloc(2);
    const { bytesRead } = await file.read(magic, 0, 2, 0);
    if (bytesRead === 2 && isGzip(magic)) return skipping(inflating(where, plain, nameOfSource(path)), offset);
    at = offset;
    return plain;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

function fromIterable(source: AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>): ByteReader {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  return {
    async next() {
      for (;;) {
        const { done, value } = await iterator.next();
        if (done === true) return null;
        if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
          throw new DataError(`the stream gave ${typeof value}, expected bytes or text`);
        }
        if (value.length > 0) return typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
      }
    },
    async close() {
      if (source instanceof process.getBuiltinModule('node:stream').Readable) source.destroy();
      else await iterator.return?.();
    },
  };
}

/** The reader itself, or the inflated content when it begins like gzip. */
function inflating(where: string, from: ByteReader, name: string): ByteReader {
  let reader: ByteReader | null = null;
  const choose = async (): Promise<ByteReader> => {
    const parts: Uint8Array[] = [];
    let length = 0;
    while (length < 2) {
      const part = await from.next();
      if (part === null) break;
      parts.push(part);
      length += part.length;
    }
    const head = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    const whole = prepend(head, from);
    return isGzip(head) ? gunzip(where, whole, name) : whole;
  };
  return {
    async next() {
      reader ??= await choose();
      return reader.next();
    },
    async close() {
      if (reader !== null) await reader.close();
      else await from.close();
    },
  };
}

function prepend(head: Uint8Array, from: ByteReader): ByteReader {
  let first: Uint8Array | null = head.length > 0 ? head : null;
  return {
    async next() {
      const chunk = first ?? (await from.next());
      first = null;
      return chunk;
    },
    close: () => from.close(),
  };
}

function gunzip(where: string, from: ByteReader, name: string): ByteReader {
  async function* chunks(): AsyncGenerator<Uint8Array, void, void> {
    for (let c = await from.next(); c !== null; c = await from.next()) yield c;
  }
  const { Readable } = process.getBuiltinModule('node:stream');
  const inflate = process.getBuiltinModule('node:zlib').createGunzip({ chunkSize: CHUNK_BYTES });
  const source = Readable.from(chunks(), { objectMode: false, highWaterMark: CHUNK_BYTES });
  source.on('error', (error) => inflate.destroy(error));
  source.pipe(inflate);
  const iterator = inflate[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let done = 0;
  return {
    async next() {
      try {
        const { done: ended, value } = await iterator.next();
        if (ended === true) return null;
        done += value.length;
        return value;
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (typeof code !== 'string' || !code.startsWith('Z_')) throw error;
        throw new FormatError(
          `${where}: ${name}: gzip data is damaged or cut off after byte ${done} of its content (${message})`,
        );
      }
    },
    async close() {
      source.destroy();
      inflate.destroy();
      await from.close();
    },
  };
}

/** What comes after the next `offset` bytes. */
export function skipping(from: ByteReader, offset: number): ByteReader {
  let left = offset;
  return {
    async next() {
      for (;;) {
        const chunk = await from.next();
        if (chunk === null || left === 0) return chunk;
        const cut = Math.min(left, chunk.length);
        left -= cut;
        if (cut < chunk.length) return chunk.subarray(cut);
      }
    },
    close: () => from.close(),
  };
}

/** Whether the source can be read once only. */
export function isSinglePass(source: ByteSource): boolean {
  const again =
    typeof source === 'string' || typeof source === 'function' || source instanceof URL || source instanceof Uint8Array;
  return !again && !Array.isArray(source);
}

/** Remembers the chunks of a first look, to give them once more. */
export class KeptReader implements ByteReader {
  readonly #from: ByteReader;
  readonly #where: string;
  #kept: Uint8Array[] = [];
  #looking: boolean;
  #closed = false;

  constructor(from: ByteReader, where: string, looking: boolean) {
    this.#from = from;
    this.#where = where;
    this.#looking = looking;
  }

  async next(): Promise<Uint8Array | null> {
    if (this.#closed) {
      throw new DataError(`${this.#where} has been read already; give a path, or a function that opens a new stream`);
    }
    if (!this.#looking) return this.#kept.shift() ?? this.#from.next();
    const chunk = await this.#from.next();
    if (chunk !== null) this.#kept.push(chunk);
    return chunk;
  }

  /** The look is over. */
  rewind(): void {
    this.#looking = false;
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#kept = [];
    return this.#from.close();
  }
}
