/**
 * Reader for the few JSON shapes a safetensors header is made of: objects, strings, arrays of whole numbers. It works on
 * the bytes, so errors carry exact offsets, and it never recurses, rounds a number or builds an object from the file's keys.
 */
export class HeaderScanner {
  private readonly bytes: Uint8Array;
  private readonly fail: (offset: number, message: string) => never;
  /** Offset of the next unread byte. */
  position = 0;

  constructor(bytes: Uint8Array, fail: (offset: number, message: string) => never) {
    this.bytes = bytes;
    this.fail = fail;
  }

  /** Reads `{ "key": value, … }`; `value` reads each value. Duplicate keys are refused. */
  object(what: string, value: (key: string, keyOffset: number) => void): void {
    this.expect(OPEN_BRACE, `'{' (${what})`);
    const seen = new Set<string>();
    if (this.accept(CLOSE_BRACE)) return;
    do {
      this.skipSpace();
      const at = this.position;
      const key = this.string(`a key of ${what}`);
      if (seen.has(key)) this.fail(at, `duplicate key ${JSON.stringify(key)} in ${what}`);
      seen.add(key);
      this.expect(COLON, `':' after key ${JSON.stringify(key)}`);
      value(key, at);
    } while (this.accept(COMMA));
    this.expect(CLOSE_BRACE, `',' or '}' in ${what}`);
  }

  /** Reads `[1, 2, …]`: whole numbers below 2^53. */
  wholeNumbers(what: string): number[] {
    this.expect(OPEN_BRACKET, `'[' (${what})`);
    const out: number[] = [];
    if (this.accept(CLOSE_BRACKET)) return out;
    do out.push(this.wholeNumber(what));
    while (this.accept(COMMA));
    this.expect(CLOSE_BRACKET, `',' or ']' in ${what}`);
    return out;
  }

  /** Reads a string: strict UTF-8, JSON escapes, no lone surrogates. */
  string(what: string): string {
    this.expect(QUOTE, `a string (${what})`);
    const start = this.position;
    let end = start;
    for (; ; end++) {
      if (end >= this.bytes.length) this.fail(start - 1, `string without an end (${what})`);
      const c = this.bytes[end];
      if (c === QUOTE) break;
      if (c < 0x20) this.fail(end, `control character in a string (${what})`);
      if (c === BACKSLASH) end++;
    }
    this.position = end + 1;
    let text: string;
    try {
      text = utf8.decode(this.bytes.subarray(start, end));
    } catch {
      return this.fail(start, `string is not valid UTF-8 (${what})`);
    }
    if (text.includes('\\')) {
      try {
        text = JSON.parse(`"${text}"`) as string;
      } catch {
        return this.fail(start, `bad escape in a string (${what})`);
      }
      if (/\p{Surrogate}/u.test(text)) this.fail(start, `lone surrogate in a string (${what})`);
    }
    return text;
  }

  /** Refuses anything but whitespace up to the end. */
  end(): void {
    this.skipSpace();
    if (this.position < this.bytes.length) this.fail(this.position, 'header goes on after its JSON object');
  }

  private wholeNumber(what: string): number {
    this.skipSpace();
    const start = this.position;
    let value = 0;
    let c = this.bytes[this.position];
    for (; c >= DIGIT_0 && c <= DIGIT_9; c = this.bytes[++this.position]) {
      value = value * 10 + (c - DIGIT_0);
      if (value > Number.MAX_SAFE_INTEGER) this.fail(start, `number above 2^53 - 1 in ${what}`);
    }
    const digits = this.position - start;
    if (digits === 0 || (digits > 1 && this.bytes[start] === DIGIT_0) || c === DOT || c === LOWER_E || c === UPPER_E) {
      this.fail(start, `expected a whole number >= 0 in ${what}`);
    }
    return value;
  }

  private expect(byte: number, what: string): void {
    if (!this.accept(byte)) {
      const got = this.position < this.bytes.length ? `byte 0x${this.bytes[this.position].toString(16)}` : 'the end';
      this.fail(this.position, `header is not the JSON of a safetensors file: got ${got}, expected ${what}`);
    }
  }

  private accept(byte: number): boolean {
    this.skipSpace();
    if (this.bytes[this.position] !== byte) return false;
    this.position++;
    return true;
  }

  private skipSpace(): void {
    for (;;) {
      const c = this.bytes[this.position];
      if (c !== 0x20 && c !== 0x09 && c !== 0x0a && c !== 0x0d) return;
      this.position++;
    }
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const QUOTE = 0x22;
const COMMA = 0x2c;
const DOT = 0x2e;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const COLON = 0x3a;
const UPPER_E = 0x45;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const LOWER_E = 0x65;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
