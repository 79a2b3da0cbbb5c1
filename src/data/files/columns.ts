import { FormatError } from '../../core.js';
import { parseNumber } from './number.js';
import { decodeText, type RecordScanner } from './records.js';

/** What the fields of a column are. */
export type ColumnType = 'number' | 'integer' | 'boolean' | 'string';
export const COLUMN_TYPES: readonly ColumnType[] = ['number', 'integer', 'boolean', 'string'];

/** A column of a table. */
export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** Whether a field of the rows that were looked at is missing. */
  readonly missing: boolean;
  /** Whether the type was found from the first rows, not given. */
  readonly inferred: boolean;
}

/** A field: NaN for a missing number, null for anything else that is missing. */
export type Field = number | string | boolean | null;

/** Reads fields of one file. */
export class FieldReader {
  readonly #where: string;
  readonly #missing: ReadonlySet<string>;

  /** @param where what messages begin with. @param missing what an unquoted field without a value says. */
  constructor(where: string, missing: readonly string[]) {
    this.#where = where;
    this.#missing = new Set(missing);
  }

  /** Field k of the scanned record as text, null when it is missing. */
  text(bytes: Buffer, record: RecordScanner, k: number): string | null {
    const quoted = record.quoted[k];
    const text = decodeText(bytes, record.starts[k], record.ends[k]);
    if (text === null) throw new FormatError(`${this.#where}: line ${record.line}: field ${k + 1} is not UTF-8`);
    if (quoted === 0) return this.#missing.has(text) ? null : text;
    return quoted === 2 ? text.replaceAll('""', '"') : text;
  }

  number(bytes: Buffer, record: RecordScanner, k: number, column: Column): number {
    const value = parseNumber(bytes, record.starts[k], record.ends[k]);
    if (Number.isNaN(value)) return this.#missingNumber(bytes, record, k, column);
    if (column.type === 'integer' && !Number.isSafeInteger(value)) {
      throw this.#wrong(record, column, this.text(bytes, record, k) ?? '');
    }
    return value;
  }

  field(bytes: Buffer, record: RecordScanner, k: number, column: Column): Field {
    if (column.type === 'number' || column.type === 'integer') return this.number(bytes, record, k, column);
    const text = this.text(bytes, record, k);
    if (column.type === 'string' || text === null) return text;
    return truth(text) ?? this.#fail(record, column, text);
  }

  #missingNumber(bytes: Buffer, record: RecordScanner, k: number, column: Column): number {
    const text = this.text(bytes, record, k);
    if (text === null || this.#missing.has(text.trim())) return Number.NaN;
    throw this.#wrong(record, column, text);
  }

  #fail(record: RecordScanner, column: Column, text: string): never {
    throw this.#wrong(record, column, text);
  }

  #wrong(record: RecordScanner, { name, type, inferred }: Column, text: string): FormatError {
    const why = inferred ? `, as in the first rows; give { types: { ${JSON.stringify(name)}: 'string' } }` : '';
    const expected =
      type === 'integer' ? 'a whole number below 2^53' : type === 'boolean' ? 'true or false' : 'a number';
    const got = JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
    return new FormatError(
      `${this.#where}: line ${record.line}, column ${JSON.stringify(name)}: got ${got}, expected ${expected}${why}`,
    );
  }
}

function truth(text: string): boolean | null {
  const word = text.trim().toLowerCase();
  return word === 'true' ? true : word === 'false' ? false : null;
}

/** Finds the type of a column from the texts of its first fields: the narrowest that all of them have. */
export function inferType(texts: readonly (string | null)[]): ColumnType {
  let numbers = true;
  let integers = true;
  let booleans = true;
  let any = false;
  for (const text of texts) {
    if (text === null) continue;
    any = true;
    const bytes = Buffer.from(text);
    const value = parseNumber(bytes, 0, bytes.length);
    // 007 is a code, not seven.
    numbers &&= !Number.isNaN(value) && !/^\s*[+-]?0\d/.test(text);
    integers &&= Number.isSafeInteger(value) && /^\s*[+-]?\d+\s*$/.test(text);
    booleans &&= truth(text) !== null;
  }
  if (!any) return 'number';
  if (numbers) return integers ? 'integer' : 'number';
  return booleans ? 'boolean' : 'string';
}
