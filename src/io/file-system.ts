import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';

/** A new file, written from its start. */
export interface WritableFile {
  write(bytes: Uint8Array): Promise<void>;
  /** Resolves when the content is on the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The calls that change a disk, apart, so that tests can log them and let any one fail. */
export interface FileSystem {
  /** One directory; nothing happens when it exists, its parent must. */
  makeDirectory(path: string): Promise<void>;
  /** Fails when the file exists. */
  create(path: string): Promise<WritableFile>;
  rename(from: string, to: string): Promise<void>;
  /** A file, or a directory with all in it; nothing happens when it is absent. */
  remove(path: string): Promise<void>;
  /** Makes what was created, renamed and removed in the directory durable. */
  syncDirectory(path: string): Promise<void>;
}

/** The disk itself. */
export const disk: FileSystem = {
  async makeDirectory(path) {
    try {
      await mkdir(path);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  },
  async create(path) {
    const handle = await open(path, 'wx');
    return {
      write: (bytes) => writeFully(handle, bytes),
      sync: () => handle.sync(),
      close: () => handle.close(),
    };
  },
  rename,
  remove: (path) => rm(path, { recursive: true, force: true }),
  async syncDirectory(path) {
    // Windows opens no directories; its file systems order these changes themselves.
    if (process.platform === 'win32') return;
    let handle: FileHandle | null = null;
    try {
      handle = await open(path, 'r');
      await handle.sync();
    } catch (error) {
      // Some network file systems have no such call, and a directory without read permission cannot be opened for it.
      if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'EACCES'].includes(codeOf(error))) throw error;
    } finally {
      await handle?.close();
    }
  },
};

/** 16 hexadecimal digits for a name that nobody else has. */
export const nonce = (): string => process.getBuiltinModule('node:crypto').randomBytes(8).toString('hex');

/** `ENOENT` and the like, or ''. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const length = Math.min(bytes.length - done, MAX_TRANSFER);
    done += (await handle.write(bytes, done, length)).bytesWritten;
  }
}

/** Longest single transfer the system takes. */
export const MAX_TRANSFER = 2 ** 30;
