/** Reads `length` bytes from `position` on. */
export type ReadAt = (position: number, length: number) => Promise<Uint8Array>;
export type Fail = (offset: number, message: string) => never;

/** A member of an archive, as the central directory describes it. */
export interface ZipEntry {
  readonly name: string;
  readonly deflated: boolean;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  /** Offset of the local header. */
  readonly at: number;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_BYTES = 22;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const STORED = 0;
const DEFLATED = 8;
/** In place of a size that needs the 64-bit extension. */
const WIDE = 0xffffffff;
/** Deflate cannot shrink data more than this; an entry that promises more is lying. */
const MAX_DEFLATE_RATIO = 1032;

function zlib() {
  const { crc32, deflateRaw, inflateRaw } = process.getBuiltinModule('node:zlib');
  const { promisify } = process.getBuiltinModule('node:util');
  return { crc32, deflateRaw: promisify(deflateRaw), inflateRaw: promisify(inflateRaw) };
}

/**
 * Lists a zip archive: one file, stored or deflated members, no encryption, below 4 GiB.
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
export async function listZip(size: number, read: ReadAt, fail: Fail): Promise<ZipEntry[]> {
  if (size < END_BYTES) fail(0, `has ${size} bytes, too few for a zip archive`);
  const tailStart = Math.max(0, size - END_BYTES - 0xffff);
  const tail = Buffer.from(await read(tailStart, size - tailStart));
  let end = tail.length - END_BYTES;
  // The comment's length must reach exactly to the end of the file, so that a comment cannot hold a second directory.
  while (
    end >= 0 &&
    !(tail.readUInt32LE(end) === END && tail.readUInt16LE(end + 20) === tail.length - end - END_BYTES)
  ) {
    end--;
  }
  if (end < 0) fail(size, 'no zip directory at the end: not a zip archive, or a cut one');
  const count = tail.readUInt16LE(end + 10);
  const length = tail.readUInt32LE(end + 12);
  const start = tail.readUInt32LE(end + 16);
  if (start === WIDE || length === WIDE || count === 0xffff) {
    fail(tailStart + end, 'the archive uses the 64-bit extension (above 4 GiB); save large arrays as .npy');
  }
  if (tail.readUInt16LE(end + 4) !== 0 || tail.readUInt16LE(end + 8) !== count) {
    fail(tailStart + end, 'the archive has several parts');
  }
  if (start + length !== tailStart + end) {
    fail(tailStart + end, `the directory of ${length} bytes at ${start} does not reach its end`);
  }
  const entries = readDirectory(Buffer.from(await read(start, length)), count, start, fail);
  checkPlaces(entries, start, fail);
  return entries;
}

function readDirectory(bytes: Buffer, count: number, start: number, fail: Fail): ZipEntry[] {
  const entries: ZipEntry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const here = start + at;
    if (at + CENTRAL_BYTES > bytes.length || bytes.readUInt32LE(at) !== CENTRAL) fail(here, 'no directory entry here');
    const flags = bytes.readUInt16LE(at + 8);
    const method = bytes.readUInt16LE(at + 10);
    const lengths = [28, 30, 32].map((o) => bytes.readUInt16LE(at + o));
    const end = at + CENTRAL_BYTES + lengths[0] + lengths[1] + lengths[2];
    if (end > bytes.length) fail(here, 'the directory entry goes beyond the directory');
    const name = bytes.toString('utf8', at + CENTRAL_BYTES, at + CENTRAL_BYTES + lengths[0]);
    const what = JSON.stringify(name);
    if ((flags & 1) !== 0) fail(here, `${what} is encrypted`);
    if (method !== STORED && method !== DEFLATED) fail(here, `${what} is packed by method ${method}, expected 0 or 8`);
    const [crc, packed, size] = [16, 20, 24].map((o) => bytes.readUInt32LE(at + o));
    const local = bytes.readUInt32LE(at + 42);
    if (packed === WIDE || size === WIDE || local === WIDE) {
      fail(here, `${what} uses the 64-bit extension (above 4 GiB); save large arrays as .npy`);
    }
    if (method === STORED ? packed !== size : size > packed * MAX_DEFLATE_RATIO) {
      fail(here, `${what} claims ${size} bytes in ${packed}, which cannot be`);
    }
    entries.push({ name, deflated: method === DEFLATED, crc, packed, size, at: local });
    at = end;
  }
  if (at !== bytes.length) fail(start + at, 'the directory goes on after its last entry');
  return entries;
}

/** Members that share bytes are how small archives become huge. */
function checkPlaces(entries: readonly ZipEntry[], directory: number, fail: Fail): void {
  const names = new Set<string>();
  let free = 0;
  for (const { name, at, packed } of [...entries].sort((a, b) => a.at - b.at)) {
    if (names.has(name)) fail(at, `${JSON.stringify(name)} is there twice`);
    names.add(name);
    if (at < free) fail(at, `${JSON.stringify(name)} overlaps the member before it`);
    free = at + LOCAL_BYTES + packed;
    if (free > directory) fail(at, `${JSON.stringify(name)} goes beyond the members' part of the archive`);
  }
}

/** The unpacked content of a member, its checksum checked. */
export async function readMember(entry: ZipEntry, read: ReadAt, fail: Fail): Promise<Uint8Array> {
  const what = JSON.stringify(entry.name);
  const header = Buffer.from(await read(entry.at, LOCAL_BYTES));
  if (header.length < LOCAL_BYTES || header.readUInt32LE(0) !== LOCAL) fail(entry.at, `${what} has no header here`);
  const nameBytes = header.readUInt16LE(26);
  const start = entry.at + LOCAL_BYTES + nameBytes + header.readUInt16LE(28);
  const name = Buffer.from(await read(entry.at + LOCAL_BYTES, nameBytes)).toString('utf8');
  if (name !== entry.name) fail(entry.at, `${what} is called ${JSON.stringify(name)} in its own header`);
  const packed = await read(start, entry.packed);
  if (packed.length !== entry.packed) fail(start, `${what} is cut`);
  let bytes = packed;
  if (entry.deflated) {
    try {
      bytes = await zlib().inflateRaw(packed, { maxOutputLength: Math.max(1, entry.size) });
    } catch (error) {
      fail(start, `${what} cannot be unpacked: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (bytes.length !== entry.size) fail(start, `${what} has ${bytes.length} bytes, expected ${entry.size}`);
  if (zlib().crc32(bytes) !== entry.crc) fail(start, `${what} is damaged: its checksum does not fit`);
  return bytes;
}

/** An archive of the members in order; equal content gives equal bytes. `fail` is told when it would need 64 bits. */
export async function zipChunks(
  members: readonly { readonly name: string; readonly chunks: readonly Uint8Array[] }[],
  deflate: boolean,
  fail: (message: string) => never,
): Promise<Uint8Array[]> {
  const { crc32, deflateRaw } = zlib();
  const out: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const { name, chunks } of members) {
    const size = chunks.reduce((n, c) => n + c.length, 0);
    // zlib takes an empty part for the start of a new sum.
    const crc = chunks.reduce((sum, c) => (c.length === 0 ? sum : crc32(c, sum)), 0);
    const packed = deflate ? [await deflateRaw(Buffer.concat(chunks))] : chunks;
    const packedSize = packed.reduce((n, c) => n + c.length, 0);
    const nameBytes = Buffer.from(name, 'utf8');
    if (Math.max(size, at + packedSize) >= WIDE) fail('the archive would be above 4 GiB; save large arrays as .npy');
    // Version 2.0; names are UTF-8 (bit 11); 1 January 1980.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x0800, 2);
    common.writeUInt16LE(deflate ? DEFLATED : STORED, 4);
    common.writeUInt16LE(0x21, 8);
    common.writeUInt32LE(crc, 10);
    common.writeUInt32LE(packedSize, 14);
    common.writeUInt32LE(size, 18);
    common.writeUInt16LE(nameBytes.length, 22);
    out.push(Buffer.concat([word(LOCAL), common, nameBytes]), ...packed);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    directory.push(word(CENTRAL), Buffer.from([20, 3]), common, tail, nameBytes);
    at += LOCAL_BYTES + nameBytes.length + packedSize;
  }
  if (members.length >= 0xffff) fail('an archive holds at most 65534 arrays');
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(END_BYTES);
  end.writeUInt32LE(END, 0);
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(at, 16);
  return [...out, listed, end];
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
