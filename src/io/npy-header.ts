import type { DType } from '../dtype.js';

/** What the header of an NPY file says. */
export interface NpyHeader {
  /** Kind and bytes of an element: `f4`, `i8`, `b1` … */
  readonly type: NpyType;
  readonly bigEndian: boolean;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  /** Offset of the first element. */
  readonly dataStart: number;
}

export type Fail = (offset: number, message: string) => never;

/** NumPy's element types (bf2, bfloat16, is safetensors' own), and what each is read as: Neurite's integers are 32 bits wide. */
export const NPY_TYPES = {
  ...{ b1: 'bool', u1: 'uint8', i1: 'int32', i2: 'int32', u2: 'int32', i4: 'int32', u4: 'int32' },
  ...{ i8: 'int32', u8: 'int32', f2: 'float32', bf2: 'float32', f4: 'float32', f8: 'float64' },
} as const satisfies Record<string, DType>;
export type NpyType = keyof typeof NPY_TYPES;

const MAGIC = '\x93NUMPY';
/** NumPy's own limit (numpy.lib.format). */
const MAX_HEADER = 10_000;
/** Bytes that hold any header. */
export const MAX_HEADER_END = 12 + MAX_HEADER;

/**
 * Reads the header of an NPY file of version 1, 2 or 3.
 * @param start the first bytes of the file, all of it or {@link MAX_HEADER_END}.
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export function parseNpyHeader(start: Uint8Array, fail: Fail): NpyHeader {
  const bytes = Buffer.from(start.buffer, start.byteOffset, start.byteLength);
  if (bytes.toString('latin1', 0, 6) !== MAGIC) fail(0, 'does not start with the magic bytes \\x93NUMPY');
  if (bytes.length < 8) fail(6, 'ends inside the version');
  const [major, minor] = [bytes[6], bytes[7]];
  if (major < 1 || major > 3 || minor !== 0) fail(6, `version is ${major}.${minor}, expected 1.0, 2.0 or 3.0`);
  const textStart = major === 1 ? 10 : 12;
  if (bytes.length < textStart) fail(8, 'ends inside the length of the header');
  const length = major === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8);
  if (length > MAX_HEADER) fail(8, `header length is ${length}, expected at most ${MAX_HEADER}`);
  const dataStart = textStart + length;
  if (bytes.length < dataStart) fail(bytes.length, `ends inside the header of ${length} bytes`);
  const text = bytes.toString('latin1', textStart, dataStart);
  const literal = new Literal(text, (at, message) => fail(textStart + at, message));
  return { ...literal.header(), dataStart };
}

/**
 * The header as NumPy writes it: `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`, read by its own small grammar
 * and never evaluated.
 */
class Literal {
  readonly #text: string;
  readonly #fail: Fail;
  #at = 0;

  constructor(text: string, fail: Fail) {
    this.#text = text;
    this.#fail = fail;
  }

  header(): Omit<NpyHeader, 'dataStart'> {
    let type: { type: NpyType; bigEndian: boolean } | null = null;
    let fortranOrder: boolean | null = null;
    let shape: number[] | null = null;
    this.#expect('{');
    while (!this.#accept('}')) {
      const at = this.#at;
      const key = this.#string();
      this.#expect(':');
      if (key === 'descr' && type === null) type = this.#type();
      else if (key === 'fortran_order' && fortranOrder === null) fortranOrder = this.#boolean();
      else if (key === 'shape' && shape === null) shape = this.#shape();
      else this.#fail(at, `key '${key}' is ${/^(descr|fortran_order|shape)$/.test(key) ? 'there twice' : 'unknown'}`);
      if (!this.#accept(',')) {
        this.#expect('}');
        break;
      }
    }
    this.#skipSpace();
    if (this.#at < this.#text.length) this.#fail(this.#at, 'the header goes on after its dictionary');
    if (type === null || fortranOrder === null || shape === null) {
      return this.#fail(0, "the header needs 'descr', 'fortran_order' and 'shape'");
    }
    return { ...type, fortranOrder, shape };
  }

  #type(): { type: NpyType; bigEndian: boolean } {
    this.#skipSpace();
    const at = this.#at;
    if (this.#text[at] === '[') {
      this.#fail(at, 'elements are records (structured dtype); save each field as an array of its own');
    }
    const descr = this.#string();
    const [order, type] = [descr[0], descr.slice(1)];
    if (type.startsWith('O')) this.#fail(at, "dtype is 'object': such files hold pickled code, which is never read");
    const known = Object.hasOwn(NPY_TYPES, type) && type !== 'bf2' && (order === '<' || order === '>' || order === '|');
    if (!known || (order === '|') !== type.endsWith('1')) {
      this.#fail(at, `dtype is '${descr}', expected one of bool, (u)int8-64, float16-64; convert it with astype`);
    }
    return { type: type as NpyType, bigEndian: order === '>' };
  }

  #shape(): number[] {
    const out: number[] = [];
    this.#expect('(');
    for (let comma = true; !this.#accept(')'); ) {
      if (!comma) this.#fail(this.#at, "expected ',' or ')' in the shape");
      out.push(this.#wholeNumber());
      comma = this.#accept(',');
      // (3) is a number to Python, not a tuple.
      if (out.length === 1 && !comma) this.#fail(this.#at, "expected ',' after the only dimension");
    }
    return out;
  }

  #wholeNumber(): number {
    this.#skipSpace();
    const digits = /^(0|[1-9]\d*)L?/.exec(this.#text.slice(this.#at, this.#at + 25));
    if (digits === null) return this.#fail(this.#at, 'expected a whole number >= 0 in the shape');
    const value = Number(digits[1]);
    if (!Number.isSafeInteger(value)) this.#fail(this.#at, 'a dimension is above 2^53 - 1');
    this.#at += digits[0].length;
    return value;
  }

  #boolean(): boolean {
    this.#skipSpace();
    for (const [word, value] of [
      ['True', true],
      ['False', false],
    ] as const) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    return this.#fail(this.#at, 'expected True or False for fortran_order');
  }

  #string(): string {
    this.#skipSpace();
    const quote = this.#text[this.#at];
    if (quote !== "'" && quote !== '"') this.#fail(this.#at, 'expected a string in quotes');
    const end = this.#text.indexOf(quote, this.#at + 1);
    if (end < 0) this.#fail(this.#at, 'a string without an end');
    const text = this.#text.slice(this.#at + 1, end);
    if (text.includes('\\')) this.#fail(this.#at, 'a string with an escape');
    this.#at = end + 1;
    return text;
  }

  #expect(char: string): void {
    if (!this.#accept(char)) {
      const got = this.#at < this.#text.length ? JSON.stringify(this.#text[this.#at]) : 'the end';
      this.#fail(this.#at, `expected '${char}' in the header, got ${got}`);
    }
  }

  #accept(char: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'x')) this.#at++;
  }
}
