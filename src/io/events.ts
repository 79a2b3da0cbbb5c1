import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { HostArray } from '../dtype.js';
import { type NeuriteError, OptionError } from '../errors.js';
import { checkArray, shown, wholeNumber } from '../options.js';
import { type EventContent, eventRecord, histogramOf } from './event-proto.js';
import { fileError } from './files.js';

/** Bytes that are written at once rather than with the next tick of the clock. */
const FULL = 2 ** 16;
/** Milliseconds that a value waits at most before it is written. */
const WAIT = 2000;
/** Tells files apart that one process starts within a second. */
let files = 0;

/**
 * Writes what TensorBoard shows: scalars and histograms by step, in an event file of its own.
 *
 * Values are kept for up to two seconds and written off this thread; a failing write is thrown by `flush` and `close`.
 *
 * @param directory of the run, made when needed; `tensorboard --logdir` on it or the directory above shows the run.
 * @example
 * const events = new io.EventWriter('runs/first');
 * events.scalar('loss', 0.25, 100);
 * events.histogram('0.weight', await model.parameters()[0].read().data(), 100);
 * await events.close();
 */
export class EventWriter {
  /** The file: `events.out.tfevents.…`. */
  readonly path: string;
  readonly #directory: string;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | null = null;
  #file: FileHandle | null = null;
  #written: Promise<void> = Promise.resolve();
  #error: NeuriteError | null = null;
  #closed = false;

  constructor(directory: string) {
    if (typeof directory !== 'string' || directory === '') {
      throw new OptionError(`EventWriter: directory is ${String(directory)}, expected a path`);
    }
    const seconds = String(Math.floor(Date.now() / 1000)).padStart(10, '0');
    this.#directory = directory;
    this.path = join(directory, `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.${files++}`);
    this.#add({ fileVersion: 'brain.Event:2' });
  }

  /**
   * Adds one point to the curve `tag`.
   * @param value any number; TensorBoard marks NaN.
   * @param step whole number >= 0.
   * @throws OptionError for another step, an empty tag, or after `close`.
   */
  scalar(tag: string, value: number, step: number): void {
    this.#check('scalar', tag, step);
    if (typeof value !== 'number') {
      throw new OptionError(`EventWriter.scalar "${tag}": value is ${String(value)}, expected a number`);
    }
    this.#add({ step, tag, scalar: value });
  }

  /**
   * Adds the distribution of `values` at a step; NaN and ±Infinity are left out, and nothing is added when no value remains.
   * @throws OptionError as {@link scalar}.
   */
  histogram(tag: string, values: HostArray | readonly number[], step: number): void {
    this.#check('histogram', tag, step);
    checkArray(`EventWriter.histogram "${tag}"`, 'values', values);
    const histogram = histogramOf(values);
    if (histogram !== null) this.#add({ step, tag, histogram });
  }

  /** Resolves when everything added so far is in the file. @throws NeuriteError naming the path when a write failed. */
  async flush(): Promise<void> {
    this.#write();
    await this.#written;
    if (this.#error !== null) throw this.#error;
  }

  /** `flush`, then closes the file; later calls do nothing. */
  async close(): Promise<void> {
    this.#closed = true;
    try {
      await this.flush();
    } finally {
      await this.#file?.close();
      this.#file = null;
    }
  }

  #check(method: string, tag: string, step: number): void {
    if (typeof tag !== 'string' || tag === '') {
      throw new OptionError(`EventWriter.${method}: tag is ${shown(tag)}, expected a name`);
    }
    wholeNumber(`EventWriter.${method} "${tag}": step`, step, 0);
    if (this.#closed) throw new OptionError(`EventWriter.${method} "${tag}": the writer was closed`);
  }

  #add(content: EventContent): void {
    const record = eventRecord(Date.now() / 1000, content);
    this.#waiting.push(record);
    this.#bytes += record.length;
    if (this.#bytes >= FULL) this.#write();
    else this.#timer ??= setTimeout(() => this.#write(), WAIT).unref();
  }

  #write(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#waiting.length === 0) return;
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#bytes = 0;
    this.#written = this.#written.then(async () => {
      if (this.#error !== null) return;
      try {
        if (this.#file === null) {
          await mkdir(this.#directory, { recursive: true });
          this.#file = await open(this.path, 'wx');
        }
        await this.#file.writeFile(bytes);
      } catch (error) {
        this.#error = fileError('write', this.path, error);
      }
    });
  }
}
