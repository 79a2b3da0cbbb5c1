import { basename, dirname } from 'node:path';
import { disk, type FileSystem, type WritableFile } from '../../src/io/file-system.js';

/** One call that changes a disk, or makes changes durable. */
export type Call =
  | { readonly op: 'mkdir' | 'create' | 'fsync' | 'remove' | 'syncDirectory'; readonly path: string }
  | { readonly op: 'write'; readonly path: string; readonly bytes: Uint8Array }
  | { readonly op: 'rename'; readonly path: string; readonly to: string };

/** The disk itself; every call is first given to `before`, which may throw in its place. */
export function watchedDisk(before: (call: Call) => void): FileSystem {
  const step = async <T>(call: Call, run: () => Promise<T>): Promise<T> => {
    before(call);
    return run();
  };
  return {
    makeDirectory: (path) => step({ op: 'mkdir', path }, () => disk.makeDirectory(path)),
    create: (path) =>
      step({ op: 'create', path }, async (): Promise<WritableFile> => {
        const file = await disk.create(path);
        return {
          write: (bytes) => step({ op: 'write', path, bytes: bytes.slice() }, () => file.write(bytes)),
          sync: () => step({ op: 'fsync', path }, () => file.sync()),
          close: () => file.close(),
        };
      }),
    rename: (path, to) => step({ op: 'rename', path, to }, () => disk.rename(path, to)),
    remove: (path) => step({ op: 'remove', path }, () => disk.remove(path)),
    syncDirectory: (path) => step({ op: 'syncDirectory', path }, () => disk.syncDirectory(path)),
  };
}

/** A directory in memory: name → directory or content of a file. */
export type Tree = Map<string, Tree | { bytes: Uint8Array }>;

/**
 * Whether the call at `index` survives a power cut after the first `end` calls whatever else happens: its file, or the directory
 * whose entries it changed, was synced after it.
 */
export function isDurable(calls: readonly Call[], index: number, end: number): boolean {
  const call = calls[index];
  for (let i = index + 1; i < end; i++) {
    const later = calls[i];
    if (call.op === 'write' ? later.op === 'fsync' && later.path === call.path : changesEntry(call, later)) return true;
  }
  return false;
}

function changesEntry(call: Call, later: Call): boolean {
  return later.op === 'syncDirectory' && later.path === dirname(call.path);
}

/** What lies in `root` when only the calls that `keep` lets through reached the disk; it may cut a write. */
export function replay(
  root: string,
  calls: readonly Call[],
  keep: (call: Call, index: number) => boolean | Uint8Array,
): Tree {
  const tree: Tree = new Map();
  const directory = (path: string): Tree | null => {
    if (path === root) return tree;
    const parent = directory(dirname(path));
    const entry = parent?.get(basename(path));
    return entry instanceof Map ? entry : null;
  };
  for (const [i, call] of calls.entries()) {
    const kept = keep(call, i);
    if (kept === false || call.path === root || !call.path.startsWith(`${root}/`)) continue;
    const parent = directory(dirname(call.path));
    const name = basename(call.path);
    if (parent === null) continue;
    if (call.op === 'mkdir') parent.set(name, parent.get(name) ?? new Map());
    else if (call.op === 'create') parent.set(name, { bytes: new Uint8Array(0) });
    else if (call.op === 'remove') parent.delete(name);
    else if (call.op === 'write') {
      const file = parent.get(name);
      if (file === undefined || file instanceof Map) continue;
      file.bytes = Buffer.concat([file.bytes, kept instanceof Uint8Array ? kept : call.bytes]);
    } else if (call.op === 'rename') {
      const moved = parent.get(name);
      const target = directory(dirname(call.to));
      if (moved === undefined || target === null) continue;
      parent.delete(name);
      target.set(basename(call.to), moved);
    }
  }
  return tree;
}
