import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FormatError, NeuriteError } from '../errors.js';
import { macrotask } from '../macrotask.js';
import { decodeManifest, MANIFEST_FILE, type Manifest, PAYLOAD_FILE } from './checkpoint-manifest.js';
import { crc32c, showCrc } from './crc32c.js';
import { codeOf } from './file-system.js';
import { readFully, withFile } from './files.js';
import { readSafetensors, type SafetensorsFile, type TensorData } from './safetensors.js';

/** Above it the manifest is taken for another file. */
const MAX_MANIFEST = 2 ** 28;
/** Bytes summed before other work of the process has its turn: about a millisecond. */
const SLICE = 2 ** 20;

/**
 * The checkpoint in the directory `path`, or what is wrong with it.
 * @throws NeuriteError when the disk cannot be read, which says nothing about the checkpoint.
 */
export async function readCheckpoint(
  path: string,
): Promise<{ readonly manifest: Manifest; readonly tensors: ReadonlyMap<string, TensorData> } | string> {
  const manifest = await readManifest(path);
  if (typeof manifest === 'string') return manifest;
  const file = join(path, PAYLOAD_FILE);
  const read = await orDamage(file, () => readSafetensors(file));
  if (typeof read === 'string') return read;
  const { size } = await stat(file);
  const problem =
    size === manifest.payload.bytes
      ? await compare(manifest, read)
      : `has ${size} bytes, expected ${manifest.payload.bytes}`;
  return problem === null ? { manifest, tensors: read.tensors } : `checkpoint "${file}": ${problem}`;
}

/** The manifest of the checkpoint in the directory `path`, or what is wrong with it. */
export async function readManifest(path: string): Promise<Manifest | string> {
  const file = join(path, MANIFEST_FILE);
  return orDamage(file, async () => {
    const bytes = await withFile(file, async (handle, size) => {
      if (size > MAX_MANIFEST) throw new FormatError(`checkpoint "${file}": a manifest of ${size} bytes`);
      const out = new Uint8Array(size);
      if (!(await readFully(handle, out, 0))) throw new FormatError(`checkpoint "${file}": it ended while it was read`);
      return out;
    });
    return decodeManifest(file, bytes);
  });
}

/** What `read` gives, or what is wrong with the file; that it is absent is damage, too. */
async function orDamage<T>(file: string, read: () => Promise<T>): Promise<T | string> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof NeuriteError && error.code === 'ERR_FORMAT') return error.message;
    const code = codeOf(error instanceof NeuriteError ? error.cause : error);
    if (code === 'ENOENT') return `checkpoint "${file}": the file is missing`;
    if (code === 'EIO') return `checkpoint "${file}": the disk cannot read it`;
    throw error;
  }
}

/** What of the payload is not as the manifest says, or null. */
async function compare({ payload }: Manifest, { tensors }: SafetensorsFile): Promise<string | null> {
  if (tensors.size !== payload.tensors.length) {
    return `has ${tensors.size} tensors, expected ${payload.tensors.length}`;
  }
  let untilPause = SLICE;
  for (const entry of payload.tensors) {
    const tensor = tensors.get(entry.name);
    if (tensor === undefined) return `tensor "${entry.name}" is missing`;
    const got = `${tensor.dtype} [${tensor.shape.join(', ')}]`;
    const expected = `${entry.dtype} [${entry.shape.join(', ')}]`;
    if (got !== expected) return `tensor "${entry.name}" is ${got}, expected ${expected}`;
    const bytes = new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
    let crc = 0;
    for (let at = 0; at < bytes.length; at += SLICE) {
      const slice = bytes.subarray(at, at + SLICE);
      crc = crc32c(slice, crc);
      untilPause -= slice.length;
      if (untilPause <= 0) {
        await macrotask();
        untilPause = SLICE;
      }
    }
    if (showCrc(crc) !== entry.crc32c) {
      return `tensor "${entry.name}" is damaged: checksum ${showCrc(crc)}, expected ${entry.crc32c}`;
    }
  }
  return null;
}
