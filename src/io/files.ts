import { constants, type FileHandle, open } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { NeuriteError, OptionError } from '../errors.js';
import { checkFunction, checkPath, shown, wholeNumber } from '../options.js';
import { codeOf, disk, type FileSystem, MAX_TRANSFER, nonce } from './file-system.js';

/**
 * Runs `use` on the opened regular file and closes it.
 * @throws NeuriteError naming the path, with a hint, when the file cannot be opened; `cause` is the system's error.
 */
export async function withFile<T>(file: string, use: (handle: FileHandle, size: number) => Promise<T>): Promise<T> {
  checkPath('read', 'file', file);
  checkFunction('withFile', 'use', use);
  let handle: FileHandle;
  try {
    // O_NONBLOCK: opening a named pipe must not wait for a writer that never comes.
    handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw fileError('read', file, error);
  }
  try {
    const info = await handle.stat();
    if (!info.isFile()) throw new NeuriteError('ERR_FORMAT', `read "${file}": it is not a regular file`);
    return await use(handle, info.size);
  } finally {
    await handle.close();
  }
}

/** Fills `bytes` from offset `position` on; false when the file ends before. */
export async function readFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<boolean> {
  checkBytes('readFully', bytes);
  wholeNumber('readFully: position', position, 0);
  checkFunction('readFully', 'handle.read', handle?.read);
  for (let done = 0; done < bytes.length; ) {
    const length = Math.min(bytes.length - done, MAX_TRANSFER);
    const { bytesRead } = await handle.read(bytes, done, length, position + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}

/** Throws unless `bytes` is an Uint8Array, such as a Buffer. */
export function checkBytes(where: string, bytes: unknown): void {
  if (!(bytes instanceof Uint8Array)) throw new OptionError(`${where}: got ${shown(bytes)}, expected a Uint8Array`);
}

/**
 * Writes `chunks` to `file` so that a crash leaves the old file or the new one, never a part: temporary file in the same
 * directory, fsync, rename, fsync of the directory.
 * @throws NeuriteError naming the path, with a hint; unless it was the last fsync that failed, the old file is untouched.
 */
export async function writeFileAtomic(
  file: string,
  chunks: Iterable<Uint8Array>,
  system: FileSystem = disk,
): Promise<void> {
  checkPath('write', 'file', file);
  if (typeof chunks === 'string' || typeof chunks?.[Symbol.iterator] !== 'function') {
    throw new OptionError(`write "${file}": got ${shown(chunks)}, expected chunks of bytes`);
  }
  const directory = dirname(resolve(file));
  const temporary = join(directory, `.${basename(file)}.${process.pid}.${nonce()}.tmp`);
  let created = false;
  try {
    const target = await system.create(temporary);
    created = true;
    try {
      for (const chunk of chunks) await target.write(chunk);
      await target.sync();
    } finally {
      await target.close();
    }
    await system.rename(temporary, file);
    created = false;
    await system.syncDirectory(directory);
  } catch (error) {
    if (created) await system.remove(temporary).catch(() => {});
    throw fileError('write', file, error);
  }
}

/** The error of a system call on `file` as a NeuriteError with its path and a hint; one that is already stays. */
export function fileError(action: 'read' | 'write', file: string, error: unknown): NeuriteError {
  if (error instanceof NeuriteError) return error;
  const hints: Record<string, string> = {
    ENOENT:
      action === 'read'
        ? `no such file; relative paths start at ${process.cwd()}`
        : `no such directory; create it first with mkdir(directory, { recursive: true })`,
    EACCES: 'permission denied; check the owner and mode of the file and its directory',
    EPERM: 'permission denied; check the owner and mode of the file and its directory',
    EISDIR: 'it is a directory; give the path of a file',
    ENOTDIR: 'a part of the path is a file, not a directory',
    EROFS: 'the file system is read-only',
    ENOSPC: 'no space left on the device',
    EDQUOT: 'the disk quota is used up',
  };
  const reason = hints[codeOf(error)] ?? (error instanceof Error ? error.message : String(error));
  return new NeuriteError('ERR_DATA', `${action} "${file}": ${reason}`, { cause: error });
}
