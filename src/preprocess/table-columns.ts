import { DataError, OptionError } from '../core.js';
import { type Category, sortedCategories } from './encoders.js';
import type { Json, StateReader } from './state.js';

/** A field of a row: NaN or null when it is missing. */
export type FieldValue = number | string | boolean | null | undefined;

/** How a column of numbers or truth values becomes one input: z-score, [0, 1], or as it is. */
export type NumberEncoding = 'standard' | 'minMax' | 'number';
/** How a column of categories becomes inputs: a 0/1 input for each category, or the number of the category. */
export type CategoryEncoding = 'oneHot' | 'ordinal';
export type ColumnEncoding = NumberEncoding | CategoryEncoding;
const ENCODINGS: readonly ColumnEncoding[] = ['standard', 'minMax', 'number', 'oneHot', 'ordinal'];

/** What the columns of an encoder share. */
export interface ColumnSettings {
  readonly missing: 'error' | 'mean';
  readonly unknown: 'error' | 'ignore';
  readonly constant: 'error' | 'center';
  readonly maxCategories: number;
}

/** A column that has been learnt: writes a field as `width` inputs. */
export interface FittedColumn {
  readonly name: string;
  readonly encoding: ColumnEncoding;
  readonly outputs: readonly string[];
  write(value: FieldValue, out: Float32Array, at: number, where: string): void;
  toJSON(): { readonly [key: string]: Json };
}

/** A column that is being learnt, field by field. */
export interface ColumnLearner {
  add(value: FieldValue, where: string): void;
  finish(where: string): FittedColumn;
}

export function learnColumn(name: string, encoding: ColumnEncoding, settings: ColumnSettings): ColumnLearner {
  return encoding === 'oneHot' || encoding === 'ordinal'
    ? new CategoryLearner(name, encoding, settings)
    : new NumberLearner(name, encoding, settings);
}

function wrong(where: string, name: string, value: FieldValue, expected: string): DataError {
  const got = typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value);
  return new DataError(`${where}, column ${JSON.stringify(name)}: got ${got}, expected ${expected}`);
}

function isMissing(value: FieldValue): value is null | undefined {
  return value === null || value === undefined || Number.isNaN(value);
}

/** The number of a field; NaN when it is missing. */
function numberOf(value: FieldValue, where: string, name: string): number {
  if (isMissing(value)) return Number.NaN;
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw wrong(where, name, value, 'a finite number');
}

/** Mean and variance by Welford's recurrence, which does not cancel. Source: Welford (1962). */
class NumberLearner implements ColumnLearner {
  readonly #name: string;
  readonly #encoding: NumberEncoding;
  readonly #settings: ColumnSettings;
  #n = 0;
  #mean = 0;
  #squares = 0;
  #low = Number.POSITIVE_INFINITY;
  #high = Number.NEGATIVE_INFINITY;

  constructor(name: string, encoding: NumberEncoding, settings: ColumnSettings) {
    this.#name = name;
    this.#encoding = encoding;
    this.#settings = settings;
  }

  add(value: FieldValue, where: string): void {
    const v = numberOf(value, where, this.#name);
    if (Number.isNaN(v)) {
      if (this.#settings.missing === 'mean') return;
      throw wrong(where, this.#name, value, "a number; or give { missing: 'mean' }");
    }
    this.#n++;
    const delta = v - this.#mean;
    this.#mean += delta / this.#n;
    this.#squares += delta * (v - this.#mean);
    this.#low = Math.min(this.#low, v);
    this.#high = Math.max(this.#high, v);
  }

  finish(where: string): FittedColumn {
    const name = this.#name;
    if (this.#n === 0) throw new DataError(`${where}: column ${JSON.stringify(name)} has no values, only missing ones`);
    const fill = this.#settings.missing === 'mean' ? this.#mean : null;
    let [offset, scale] = [0, 1];
    if (this.#encoding === 'standard') [offset, scale] = [this.#mean, Math.sqrt(this.#squares / this.#n)];
    if (this.#encoding === 'minMax') [offset, scale] = [this.#low, this.#high - this.#low];
    if (scale === 0) {
      if (this.#settings.constant === 'error') {
        throw new DataError(
          `${where}: column ${JSON.stringify(name)} is ${this.#mean} in every row, so it has no scale; leave it out, ` +
            "or give { constant: 'center' }",
        );
      }
      scale = 1;
    }
    return numberColumn({ name, encoding: this.#encoding, offset, scale, fill });
  }
}

interface NumberState {
  readonly name: string;
  readonly encoding: NumberEncoding;
  readonly offset: number;
  readonly scale: number;
  /** Instead of a missing number; null: none may be missing. */
  readonly fill: number | null;
}

function numberColumn(state: NumberState): FittedColumn {
  const { name, encoding, offset, scale, fill } = state;
  return {
    name,
    encoding,
    outputs: [name],
    write(value, out, at, where) {
      let v = numberOf(value, where, name);
      if (Number.isNaN(v)) {
        if (fill === null) throw wrong(where, name, value, "a number; fit with { missing: 'mean' } to allow this");
        v = fill;
      }
      out[at] = (v - offset) / scale;
    },
    toJSON: () => ({ name, encoding, offset, scale, fill }),
  };
}

class CategoryLearner implements ColumnLearner {
  readonly #name: string;
  readonly #encoding: CategoryEncoding;
  readonly #settings: ColumnSettings;
  readonly #seen = new Set<Category>();

  constructor(name: string, encoding: CategoryEncoding, settings: ColumnSettings) {
    this.#name = name;
    this.#encoding = encoding;
    this.#settings = settings;
  }

  add(value: FieldValue, where: string): void {
    if (isMissing(value)) {
      if (this.#settings.unknown === 'ignore') return;
      throw wrong(where, this.#name, value, "a category; or give { unknown: 'ignore' }");
    }
    this.#seen.add(typeof value === 'boolean' ? String(value) : value);
    if (this.#seen.size > this.#settings.maxCategories) {
      throw new DataError(
        `${where}, column ${JSON.stringify(this.#name)}: more than ${this.#settings.maxCategories} categories; ` +
          'leave the column out, or give { maxCategories }',
      );
    }
  }

  finish(where: string): FittedColumn {
    if (this.#seen.size === 0) {
      throw new DataError(`${where}: column ${JSON.stringify(this.#name)} has no values, only missing ones`);
    }
    return categoryColumn(this.#name, this.#encoding, sortedCategories([...this.#seen]), this.#settings.unknown);
  }
}

function categoryColumn(
  name: string,
  encoding: CategoryEncoding,
  categories: readonly Category[],
  unknown: 'error' | 'ignore',
): FittedColumn {
  const codes = new Map(categories.map((c, i) => [c, i]));
  return {
    name,
    encoding,
    outputs: encoding === 'oneHot' ? categories.map((c) => `${name}=${c}`) : [name],
    write(value, out, at, where) {
      const code = isMissing(value) ? undefined : codes.get(typeof value === 'boolean' ? String(value) : value);
      if (code === undefined && unknown === 'error') {
        throw wrong(where, name, value, "a category of the training data; or fit with { unknown: 'ignore' }");
      }
      if (encoding === 'ordinal') out[at] = code ?? -1;
      else if (code !== undefined) out[at + code] = 1; // zeros for what is unknown
    },
    toJSON: () => ({ name, encoding, categories }),
  };
}

/** Reads what `toJSON` of a column wrote. */
export function columnFromJSON(reader: StateReader, state: Json, unknown: 'error' | 'ignore'): FittedColumn {
  const fail = (): never => reader.fail('columns', 'columns as toJSON gave them');
  if (typeof state !== 'object' || state === null || Array.isArray(state)) return fail();
  const { name, encoding, offset, scale, fill, categories } = state as { readonly [key: string]: Json };
  if (typeof name !== 'string' || !ENCODINGS.includes(encoding as ColumnEncoding)) return fail();
  if (encoding === 'oneHot' || encoding === 'ordinal') {
    const right =
      Array.isArray(categories) &&
      categories.length > 0 &&
      categories.every((c) => typeof c === 'string' || typeof c === 'number');
    return right ? categoryColumn(name, encoding, categories as Category[], unknown) : fail();
  }
  const finite = (v: Json | undefined): v is number => typeof v === 'number' && Number.isFinite(v);
  if (!finite(offset) || !finite(scale) || scale === 0 || !(fill === null || finite(fill))) return fail();
  return numberColumn({ name, encoding: encoding as NumberEncoding, offset, scale, fill });
}

export function checkEncoding(name: string, encoding: unknown): ColumnEncoding {
  if (ENCODINGS.includes(encoding as ColumnEncoding)) return encoding as ColumnEncoding;
  throw new OptionError(
    `TableEncoder: encoding of ${JSON.stringify(name)} is ${String(encoding)}, expected ${ENCODINGS.join(', ')}`,
  );
}
