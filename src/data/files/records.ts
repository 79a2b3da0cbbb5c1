import { FormatError } from '../../core.js';

const QUOTE = 34;
const LF = 10;
const CR = 13;

export interface RecordFormat {
  /** One byte. */
  readonly delimiter: number;
  /** Whether a field that begins with " ends with the next " that is not doubled. */
  readonly quotes: boolean;
  /** What messages begin with. */
  readonly where: string;
}

/** Splits bytes into records and fields (RFC 4180; a record ends with LF, CRLF or CR). Fields are positions, not strings. */
export class RecordScanner {
  /** Fields of the last record. */
  fields = 0;
  starts = new Int32Array(64);
  ends = new Int32Array(64);
  /** 0 plain, 1 quoted, 2 quoted with doubled quotes inside. */
  quoted = new Uint8Array(64);
  /** Line of the last record's first byte, 1 = first. */
  line = 1;
  #nextLine: number;
  readonly #format: RecordFormat;

  constructor(format: RecordFormat, line = 1) {
    this.#format = format;
    this.#nextLine = line;
  }

  /** The last record will be scanned again. */
  back(): void {
    this.#nextLine = this.line;
  }

  /** Line of the next record. */
  get nextLine(): number {
    return this.#nextLine;
  }

  /**
   * Reads the record at `start`.
   * @param last nothing comes after these bytes.
   * @returns where the next record begins; −1 when the record may not be complete.
   * @throws FormatError for a quote where none may be, naming line and column.
   */
  scan(bytes: Uint8Array, start: number, last: boolean): number {
    const { delimiter, quotes } = this.#format;
    const end = bytes.length;
    this.line = this.#nextLine;
    let extra = 0; // line ends inside quotes
    let n = 0;
    let p = start;
    for (;;) {
      if (n === this.starts.length) this.#grow();
      let stop: number;
      if (quotes && p < end && bytes[p] === QUOTE) {
        const close = this.#closing(bytes, p + 1, n);
        if (close === -1) {
          if (!last) return -1;
          throw this.#error(`the quote that opens field ${n + 1} is never closed`);
        }
        for (let i = p + 1; i < close; i++) {
          if (bytes[i] === LF || (bytes[i] === CR && bytes[i + 1] !== LF)) extra++;
        }
        this.starts[n] = p + 1;
        this.ends[n] = close;
        stop = close + 1;
        if (stop === end && !last) return -1;
        if (stop < end && bytes[stop] !== delimiter && bytes[stop] !== LF && bytes[stop] !== CR) {
          throw this.#error(`field ${n + 1} has ${show(bytes[stop])} after its closing quote`);
        }
      } else {
        this.starts[n] = p;
        this.quoted[n] = 0;
        let c = 0;
        while (p < end) {
          c = bytes[p];
          if (c === delimiter || c === LF || c === CR) break;
          if (c === QUOTE && quotes) {
            throw this.#error(
              `field ${n + 1} has a quote inside, expected the whole field in quotes with this one doubled; ` +
                'give { quotes: false } when quotes mean nothing in this file',
            );
          }
          p++;
        }
        this.ends[n] = p;
        stop = p;
      }
      n++;
      if (stop >= end) {
        if (!last) return -1;
        this.fields = n;
        this.#nextLine = this.line + extra + 1;
        return end;
      }
      const c = bytes[stop];
      p = stop + 1;
      if (c === delimiter) continue;
      if (c === CR) {
        if (p === end && !last) return -1;
        if (p < end && bytes[p] === LF) p++;
      }
      this.fields = n;
      this.#nextLine = this.line + extra + 1;
      return p;
    }
  }

  /** Position of the quote that closes a field, −1 when it is not there. */
  #closing(bytes: Uint8Array, from: number, field: number): number {
    this.quoted[field] = 1;
    for (let p = from; ; p += 2) {
      p = bytes.indexOf(QUOTE, p);
      if (p === -1) return -1;
      if (p + 1 === bytes.length || bytes[p + 1] !== QUOTE) return p;
      this.quoted[field] = 2;
    }
  }

  #grow(): void {
    const size = this.starts.length * 2;
    const [starts, ends, quoted] = [new Int32Array(size), new Int32Array(size), new Uint8Array(size)];
    starts.set(this.starts);
    ends.set(this.ends);
    quoted.set(this.quoted);
    Object.assign(this, { starts, ends, quoted });
  }

  #error(what: string): FormatError {
    return new FormatError(`${this.#format.where}: line ${this.line}: ${what}`);
  }
}

function show(byte: number): string {
  return byte > 32 && byte < 127 ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16).padStart(2, '0')}`;
}

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text of bytes [start, end); null when they are not UTF-8. */
export function decodeText(bytes: Buffer, start: number, end: number): string | null {
  let i = start;
  if (end - start <= 8) {
    let text = ''; // for a few letters a call costs more
    for (; i < end && bytes[i] < 128; i++) text += String.fromCharCode(bytes[i]);
    if (i === end) return text;
  }
  while (i < end && bytes[i] < 128) i++;
  if (i === end) return bytes.toString('latin1', start, end);
  try {
    return STRICT.decode(bytes.subarray(start, end));
  } catch {
    return null;
  }
}
