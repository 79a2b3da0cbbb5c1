import { FormatError } from '../../core.js';
import { type Cursor, END, type MaybePromise, type Pulled, type Stage, StageState } from '../stages/cursor.js';
import {
  type ByteReader,
  type ByteSource,
  isSinglePass,
  KeptReader,
  nameOfSource,
  openBytes,
  skipping,
} from './bytes.js';
import { type RecordFormat, RecordScanner } from './records.js';

export interface WalkOptions extends RecordFormat {
  /** Longest record in bytes. */
  readonly maxRecord: number;
}

/** Where a record begins. */
export interface Position {
  readonly offset: number;
  readonly line: number;
}

/** Walks through the records of a source; empty lines are passed over. */
export class RecordWalk {
  /** The last record: its fields are positions in `bytes`. */
  readonly record: RecordScanner;
  bytes: Buffer = Buffer.alloc(0);
  readonly #options: WalkOptions;
  readonly #opening: Promise<ByteReader>;
  /** Offset of `bytes[0]` in the content. */
  #base: number;
  #at = 0;
  #from = 0;
  #last = false;
  #started: boolean;

  constructor(options: WalkOptions, opening: Promise<ByteReader>, at: Position) {
    this.#options = options;
    this.#opening = opening;
    opening.catch(() => {}); // the first advance says so
    this.#base = at.offset;
    this.#started = at.offset > 0;
    this.record = new RecordScanner(options, at.line);
  }

  /** The next record: true when it is there, false at the end, null when more bytes are needed first. */
  find(): boolean | null {
    for (;;) {
      if (this.#at === this.bytes.length) return this.#last ? false : null;
      const next = this.record.scan(this.bytes, this.#at, this.#last);
      if (next === -1) return null;
      this.#from = this.#at;
      this.#at = next;
      const { fields, starts, ends, quoted } = this.record;
      if (fields > 1 || starts[0] < ends[0] || quoted[0] !== 0) return true;
    }
  }

  /** The next record, with more bytes where they are needed; false at the end. */
  async advance(): Promise<boolean> {
    for (;;) {
      const found = this.find();
      if (found !== null) return found;
      await this.#more();
    }
  }

  /** The record will come again. */
  back(): void {
    this.#at = this.#from;
    this.record.back();
  }

  position(): Position {
    return { offset: this.#base + this.#at, line: this.record.nextLine };
  }

  checkWidth(width: number): void {
    if (this.record.fields !== width) {
      throw this.error(`line ${this.record.line}: got ${this.record.fields} fields, expected ${width}`);
    }
  }

  error(what: string): FormatError {
    return new FormatError(`${this.#options.where}: ${what}`);
  }

  async close(): Promise<void> {
    const reader = await this.#opening.catch(() => null);
    await reader?.close();
  }

  /** Reads until there is twice as much as is left, so that a long record is not scanned again for each chunk. */
  async #more(): Promise<void> {
    const { maxRecord } = this.#options;
    const left: Uint8Array = this.bytes.subarray(this.#at);
    if (left.length > maxRecord) {
      throw this.error(
        `line ${this.record.nextLine}: a record of more than ${maxRecord} bytes; is a quote not closed? Otherwise give { maxRecord }`,
      );
    }
    const reader = await this.#opening;
    const parts = [left];
    let length = left.length;
    while (!this.#last && (length <= 2 * left.length || (!this.#started && length < 3))) {
      const chunk = await reader.next();
      if (chunk === null) this.#last = true;
      else parts.push(chunk);
      length += chunk?.length ?? 0;
    }
    this.#base += this.#at;
    this.#at = 0;
    this.bytes = left.length === 0 && parts.length === 2 ? asBuffer(parts[1]) : Buffer.concat(parts);
    if (!this.#started) this.#skipMark();
  }

  #skipMark(): void {
    this.#started = true;
    const [a, b, c] = this.bytes;
    if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) {
      throw this.error('the text is UTF-16, expected UTF-8; convert it first');
    }
    if (a === 0xef && b === 0xbb && c === 0xbf) this.#at = 3;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A source of records, and how to open it. */
export interface Records extends WalkOptions {
  /** The content from a byte on. */
  open(offset: number): Promise<ByteReader>;
  /** Ends the first look at a source that can be read once: what it took comes again. */
  rewind(): void;
  /** Whether a look must close what it opened. */
  readonly again: boolean;
}

/**
 * Describes `source`. A stream can be read once, so what a first `look` takes from it is kept for the first epoch.
 */
export function openRecords(
  where: string,
  source: ByteSource,
  format: Omit<WalkOptions, 'where'>,
  look: boolean,
): Records {
  const name = `${where}: ${nameOfSource(source)}`;
  const again = !isSinglePass(source);
  let kept: Promise<KeptReader> | null = null;
  const once = async (): Promise<KeptReader> => new KeptReader(await openBytes(where, source, 0), name, look);
  return {
    ...format,
    where: name,
    again,
    async open(offset) {
      if (again) return openBytes(where, source, offset);
      kept ??= once();
      return skipping(await kept, offset);
    },
    rewind() {
      kept?.then((reader) => reader.rewind());
    },
  };
}

/** What `make` makes of each record from `start` on. The source is opened for the first element. */
export function recordStage<T>(
  name: string,
  records: Records,
  start: Position,
  make: (walk: RecordWalk) => T,
): Stage<T> {
  return {
    name,
    length: null,
    randoms: 0,
    open(_context, state): Cursor<T> {
      const read = new StageState(name, state);
      const at = state === undefined ? start : { offset: read.count('offset'), line: read.count('line') };
      let walk: RecordWalk | null = null;
      const give = (): T => make(walk as RecordWalk);
      return {
        pull(): MaybePromise<Pulled<T>> {
          walk ??= new RecordWalk(records, records.open(at.offset), at);
          const found = walk.find();
          if (found === null) return walk.advance().then((more) => (more ? give() : END));
          return found ? give() : END;
        },
        state: () => ({ op: name, ...(walk?.position() ?? at) }),
        close: () => walk?.close(),
      };
    },
  };
}
