import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { info } from '../core.js';
import { BusyError, FormatError, OptionError } from '../errors.js';
import type { JsonValue } from '../json.js';
import { checkOptions, wholeNumber } from '../options.js';
import { encodeManifest, MANIFEST_FILE, PAYLOAD_FILE, type PayloadEntry } from './checkpoint-manifest.js';
import { readCheckpoint, readManifest } from './checkpoint-read.js';
import { crc32c, showCrc } from './crc32c.js';
import { codeOf, disk, type FileSystem, nonce } from './file-system.js';
import { fileError } from './files.js';
import { type LockTiming, takeLock } from './lock.js';
import { layOut, type TensorData } from './safetensors.js';

/** What a checkpoint keeps: tensors by name, and all else as JSON (NaN and ±Infinity included). */
export interface CheckpointContent {
  readonly tensors: ReadonlyMap<string, TensorData>;
  readonly state: JsonValue;
}

export interface CheckpointOptions {
  /** How many of the newest stay, >= 1 (default 3). */
  readonly keepLast?: number;
  /** How many of the best stay besides, >= 0 (default 1); only checkpoints saved with a metric count. */
  readonly keepBest?: number;
  /** Whether a small metric is better, such as a loss (default 'min'), or a large one. */
  readonly mode?: 'min' | 'max';
}

export interface CheckpointInfo {
  readonly step: number;
  /** The metric it was saved with, if any. */
  readonly metric: number | null;
  /** Its directory. */
  readonly path: string;
}

export interface LoadedCheckpoint extends CheckpointInfo {
  readonly tensors: ReadonlyMap<string, TensorData>;
  readonly state: JsonValue;
  /** Newer (or better) checkpoints that are damaged, with what is wrong with each. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

/** A checkpoint's directory by what its name says. */
interface Named {
  readonly path: string;
  readonly step: number;
  /** Checkpoints are numbered in the order of their writing: the newest has the largest. */
  readonly sequence: number;
}

/** For tests: another disk, and shorter times. */
export interface CheckpointInternals {
  readonly system?: FileSystem;
  readonly lock?: LockTiming;
  readonly patience?: number;
}

const SLICE = 2 ** 20;

/**
 * Checkpoints of one run: a directory for each, written so that a crash at any moment leaves every finished one whole.
 *
 * Tensors go to a safetensors file, then a manifest with the checksum of each tensor and of itself, both into `.tmp-…`; after
 * fsync of files and directory it is renamed, and the parent synced. Older ones go only then. One run writes at a time.
 *
 * @param path the directory; made at the first save.
 * @param options `keepLast`, `keepBest`, `mode`.
 * @throws OptionError for options outside their range.
 * @example
 * const checkpoints = new io.CheckpointDirectory('run1', { keepLast: 2 });
 * await checkpoints.save(100, { tensors, state: { epoch: 3 } }, { metric: 0.25 });
 * const last = await checkpoints.load();   // null when there is none
 */
export class CheckpointDirectory {
  readonly path: string;
  readonly #keepLast: number;
  readonly #keepBest: number;
  readonly #mode: 'min' | 'max';
  readonly #system: FileSystem;
  readonly #internals: CheckpointInternals;
  /** Saves of this object run one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  /** The largest number met or written; a larger one on the disk is another writer's. */
  #sequence: number | null = null;

  constructor(path: string, options: CheckpointOptions = {}, internals: CheckpointInternals = {}) {
    const where = 'CheckpointDirectory';
    if (typeof path !== 'string' || path === '')
      throw new OptionError(`${where}: path is ${String(path)}, expected one`);
    checkOptions(where, options, ['keepLast', 'keepBest', 'mode']);
    const { keepLast = 3, keepBest = 1, mode = 'min' } = options;
    if (mode !== 'min' && mode !== 'max') {
      throw new OptionError(`${where}: mode is ${String(mode)}, expected 'min' or 'max'`);
    }
    this.path = resolve(path);
    this.#keepLast = wholeNumber(`${where}: keepLast`, keepLast, 1);
    this.#keepBest = wholeNumber(`${where}: keepBest`, keepBest, 0);
    this.#mode = mode;
    this.#system = internals.system ?? disk;
    this.#internals = internals;
  }

  /**
   * Writes a checkpoint; it is durable when the promise resolves. A checkpoint of the same step is replaced.
   * @param step whole number >= 0, such as the updates done.
   * @param content must stay as it is until then: copies of the tensors, not memory that training writes.
   * @param options `metric`: what {@link load} ranks by for 'best'; NaN and ±Infinity count as none.
   * @returns the checkpoint's directory.
   * @throws NeuriteError naming the path (disk full, read-only, failing fsync): the checkpoints before stay; BusyError when
   *   another run writes to the same directory; OptionError for state that is no JSON.
   */
  save(step: number, content: CheckpointContent, options: { readonly metric?: number } = {}): Promise<string> {
    const saved = this.#last.then(() => this.#save(step, content, options));
    this.#last = saved.catch(() => {});
    return saved;
  }

  /**
   * Reads the newest checkpoint that is whole, checking every checksum; damaged ones are passed over and reported.
   * @param which 'latest' (default), 'best' by metric, or a step.
   * @returns null when there is none (of that step, or with a metric).
   * @throws FormatError naming path and damage when there are some but none is whole; NeuriteError when one cannot be read.
   */
  async load(which: 'latest' | 'best' | number = 'latest'): Promise<LoadedCheckpoint | null> {
    if (which !== 'latest' && which !== 'best') wholeNumber('CheckpointDirectory.load: step', which, 0);
    const tried = new Map<string, string>();
    for (;;) {
      // A writer may remove what was just listed; then there is something newer to list.
      const candidates = (await this.#candidates(which, tried)).filter((c) => !tried.has(c.path));
      if (candidates.length === 0) break;
      for (const { path } of candidates) {
        const read = await readCheckpoint(path);
        if (typeof read === 'string') {
          tried.set(path, read);
          continue;
        }
        const skipped = [...tried].map(([skippedPath, reason]) => ({ path: skippedPath, reason }));
        const { step, metric, state } = read.manifest;
        return { step, metric, path, tensors: read.tensors, state, skipped };
      }
    }
    if (tried.size === 0) return null;
    const reasons = [...tried.values()].slice(0, 3).join('; ');
    throw new FormatError(`load "${this.path}": none of ${tried.size} checkpoints is whole: ${reasons}`);
  }

  /** All checkpoints whose manifest is whole, oldest first. */
  async list(): Promise<readonly CheckpointInfo[]> {
    const out: CheckpointInfo[] = [];
    for (const { path } of (await this.#names()).reverse()) {
      const manifest = await readManifest(path);
      if (typeof manifest !== 'string') out.push({ step: manifest.step, metric: manifest.metric, path });
    }
    return out;
  }

  async #save(step: number, content: CheckpointContent, options: { readonly metric?: number }): Promise<string> {
    const where = 'CheckpointDirectory.save';
    wholeNumber(`${where}: step`, step, 0, MAX_STEP);
    checkOptions(where, options, ['metric']);
    const { metric } = options;
    if (metric !== undefined && typeof metric !== 'number') {
      throw new OptionError(`${where}: metric is ${String(metric)}, expected a number`);
    }
    try {
      await this.#makePath(this.path);
      const lock = await takeLock(this.path, this.#system, this.#internals.lock, this.#internals.patience);
      try {
        return await this.#write(step, content, metric !== undefined && Number.isFinite(metric) ? metric : null);
      } finally {
        await lock.release();
      }
    } catch (error) {
      throw fileError('write', this.path, error);
    }
  }

  async #write(step: number, content: CheckpointContent, metric: number | null): Promise<string> {
    const names = await this.#names();
    const newest = names[0]?.sequence ?? 0;
    if (this.#sequence !== null && newest > this.#sequence) {
      throw new BusyError(
        `write "${this.path}": another run wrote "${names[0].path}" meanwhile; give each run a directory of its own`,
      );
    }
    const sequence = newest + 1;
    const path = join(this.path, nameOf(step, sequence));
    await this.#sweep();
    const temporary = this.#temporary();
    const system = this.#system;
    try {
      await system.makeDirectory(temporary);
      const payload = await this.#writePayload(join(temporary, PAYLOAD_FILE), content);
      const manifest = { step, metric, library: info().version, payload, state: content.state };
      await this.#writeFile(join(temporary, MANIFEST_FILE), [encodeManifest('CheckpointDirectory.save', manifest)]);
      await system.syncDirectory(temporary);
      this.#sequence = sequence;
      await system.rename(temporary, path);
    } catch (error) {
      await system.remove(temporary).catch(() => {});
      throw error;
    }
    await system.syncDirectory(this.path);
    await this.#removeOld({ path, step, sequence });
    return path;
  }

  async #writePayload(file: string, { tensors }: CheckpointContent): Promise<PayloadEntry> {
    const chunks = layOut(tensors, {});
    const entries: PayloadEntry['tensors'][number][] = [];
    let bytes = 0;
    const slices = function* (): Generator<Uint8Array> {
      for (const chunk of chunks) {
        let crc = 0;
        for (let at = 0; at < chunk.bytes.length; at += SLICE) {
          const slice = chunk.bytes.subarray(at, at + SLICE);
          yield slice;
          crc = crc32c(slice, crc); // runs while the disk takes the slice
          bytes += slice.length;
        }
        if (chunk.tensor !== null) entries.push({ ...chunk.tensor, crc32c: showCrc(crc) });
      }
    };
    await this.#writeFile(file, slices());
    return { bytes, tensors: entries };
  }

  async #writeFile(path: string, parts: Iterable<Uint8Array>): Promise<void> {
    const file = await this.#system.create(path);
    try {
      let written: Promise<void> = Promise.resolve();
      for (const part of parts) {
        await written;
        written = file.write(part);
        written.catch(() => {}); // awaited in the next turn
      }
      await written;
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Removes what is neither among the last nor among the best; `made` is durable by now. */
  async #removeOld(made: Named): Promise<void> {
    const names = await this.#names();
    const whole: (Named & { readonly metric: number | null })[] = [];
    for (const name of names) {
      const manifest = await readManifest(name.path);
      if (typeof manifest !== 'string') whole.push({ ...name, metric: manifest.metric });
    }
    const current = whole.filter((w) => w.step !== made.step || w.sequence === made.sequence);
    const last = current.slice(0, this.#keepLast);
    const best = byMetric(current, this.#mode).slice(0, this.#keepBest);
    const kept = new Set([...last, ...best].map((k) => k.path));
    const oldest = last.at(-1)?.sequence ?? made.sequence;
    for (const { path, sequence, step } of names) {
      // A damaged one stays to be looked at until its turn comes.
      if (kept.has(path) || (sequence >= oldest && step !== made.step)) continue;
      // Out of sight first: a crash in the middle of removing leaves no half checkpoint.
      const aside = this.#temporary();
      await this.#system.rename(path, aside);
      await this.#system.remove(aside);
    }
  }

  /** Removes what writers that ended in the middle left; the caller holds the lock, so nobody else is writing. */
  async #sweep(): Promise<void> {
    for (const name of await entriesOf(this.path)) {
      if (name.startsWith(TEMPORARY)) await this.#system.remove(join(this.path, name));
    }
  }

  /** Makes the directory and what is missing above it, durably. */
  async #makePath(path: string): Promise<void> {
    const parent = dirname(path);
    try {
      await this.#system.makeDirectory(path);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || parent === path) throw error;
      await this.#makePath(parent);
      await this.#system.makeDirectory(path);
    }
    if (this.#sequence === null && parent !== path) await this.#system.syncDirectory(parent);
  }

  #temporary(): string {
    return join(this.path, `${TEMPORARY}${process.pid}-${nonce()}`);
  }

  async #candidates(which: 'latest' | 'best' | number, tried: Map<string, string>): Promise<Named[]> {
    const names = await this.#names();
    if (which === 'latest') return names;
    if (which !== 'best') return names.filter((n) => n.step === which);
    const whole: (Named & { readonly metric: number | null })[] = [];
    for (const name of names) {
      const manifest = await readManifest(name.path);
      if (typeof manifest === 'string') tried.set(name.path, manifest);
      else whole.push({ ...name, metric: manifest.metric });
    }
    return byMetric(whole, this.#mode);
  }

  /** The checkpoints in the directory by name, newest first. */
  async #names(): Promise<Named[]> {
    const out: Named[] = [];
    for (const entry of await entriesOf(this.path)) {
      const match = NAME.exec(entry);
      if (match) out.push({ path: join(this.path, entry), step: Number(match[1]), sequence: Number(match[2]) });
    }
    out.sort((a, b) => b.sequence - a.sequence || b.step - a.step);
    this.#sequence ??= out[0]?.sequence ?? 0;
    return out;
  }
}

const TEMPORARY = '.tmp-';
const NAME = /^step-(\d{12,16})\.(\d{6,16})$/;
const MAX_STEP = 2 ** 53 - 1;

function nameOf(step: number, sequence: number): string {
  return `step-${String(step).padStart(12, '0')}.${String(sequence).padStart(6, '0')}`;
}

/** Those with a metric, best first; equal ones newest first. */
function byMetric<T extends { readonly metric: number | null }>(list: readonly T[], mode: 'min' | 'max'): T[] {
  const sign = mode === 'min' ? 1 : -1;
  return list.filter((l) => l.metric !== null).sort((a, b) => sign * ((a.metric ?? 0) - (b.metric ?? 0)));
}

async function entriesOf(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw fileError('read', path, error);
  }
}
