import { readFile, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { BusyError } from '../errors.js';
import { codeOf, type FileSystem, nonce } from './file-system.js';

/** A held lock. */
export interface Lock {
  release(): Promise<void>;
}

/** How long a lock whose holder cannot be asked must stay untouched to count as left behind, in milliseconds. */
export interface LockTiming {
  readonly heartbeat: number;
  readonly lease: number;
  readonly poll: number;
}

const LOCK_FILE = 'lock';
const TIMING: LockTiming = { heartbeat: 1000, lease: 15_000, poll: 100 };

/**
 * Waits for the lock file of `directory` and takes it. The lock of a process that is gone is taken over: at once when it ran on
 * this machine, otherwise when nobody has touched it for the lease (a holder touches it every second, and clocks of
 * machines are not compared).
 *
 * It keeps writers from mixing up which checkpoint is theirs; files stay whole without it, since every name is unique.
 *
 * @throws BusyError naming the file and its holder, when a living holder keeps it longer than `patience`.
 */
export async function takeLock(
  directory: string,
  system: FileSystem,
  { heartbeat, lease, poll } = TIMING,
  patience = 60_000,
): Promise<Lock> {
  const path = join(directory, LOCK_FILE);
  const holder = `${process.pid} ${hostname()} ${nonce()}\n`;
  const began = performance.now();
  let seen = { text: '', mtime: Number.NaN, since: began };
  while (!(await tryCreate(path, holder, system))) {
    const now = performance.now();
    const other = await peek(path);
    if (other === null) continue; // released meanwhile
    if (other.text !== seen.text || other.mtime !== seen.mtime) seen = { ...other, since: now };
    if (isDead(other.text) || now - seen.since > lease) {
      await takeAway(directory, path, other.text, system);
    } else if (now - began > patience) {
      const [pid, host] = other.text.trim().split(' ');
      throw new BusyError(
        `write "${directory}": process ${pid} on ${host} is writing there and holds "${path}"; give each run a directory of its own`,
      );
    } else await process.getBuiltinModule('node:timers/promises').setTimeout(poll);
  }
  const timer = setInterval(() => void touch(path), heartbeat);
  timer.unref();
  return {
    async release() {
      clearInterval(timer);
      if ((await peek(path))?.text === holder) await system.remove(path);
    },
  };
}

async function tryCreate(path: string, holder: string, system: FileSystem): Promise<boolean> {
  let file: Awaited<ReturnType<FileSystem['create']>>;
  try {
    file = await system.create(path);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
  try {
    await file.write(Buffer.from(holder));
  } catch (error) {
    await system.remove(path).catch(() => {});
    throw error;
  } finally {
    await file.close();
  }
  return true;
}

/** Content and time of the lock file, or null when there is none. */
async function peek(path: string): Promise<{ text: string; mtime: number } | null> {
  try {
    return { text: await readFile(path, 'utf8'), mtime: (await stat(path)).mtimeMs };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Whether the holder ran on this machine and runs no more. Another thread of this process is alive. */
function isDead(text: string): boolean {
  const [pid, host] = text.trim().split(' ');
  if (host !== hostname()) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return codeOf(error) === 'ESRCH';
  }
}

/** Removes the lock with that text. Renaming lets one of several waiters win; who caught a newer lock puts it back. */
async function takeAway(directory: string, path: string, text: string, system: FileSystem): Promise<void> {
  const aside = join(directory, `.tmp-${process.pid}-${nonce()}`);
  try {
    await system.rename(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if ((await peek(aside))?.text === text) await system.remove(aside);
  else await system.rename(aside, path);
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => {});
}
