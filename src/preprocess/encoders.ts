import { DataError, OptionError, ShapeError } from '../core.js';
import { checkArray, checkList, checkObject, checkOptions } from '../options.js';
import { type Json, StateReader, type TransformerState } from './state.js';
import type { Table } from './table.js';

/** A category: a number or a text. */
export type Category = number | string;

/** Rows of categories, or the categories of a single column. */
export type CategoryInput =
  | readonly Category[]
  | readonly (readonly Category[])[]
  | Float32Array
  | Float64Array
  | Int32Array;

/** What the encoders of columns have in common: sorted categories of each column, learnt from the training data. */
abstract class ColumnEncoder {
  /** Categories of each column: numbers before texts, each in ascending order. */
  categories: readonly (readonly Category[])[] = [];

  /** Name for messages and JSON. */
  get type(): string {
    return this.constructor.name;
  }

  /**
   * Learns the categories of each column.
   * @param rows rows of categories, or one column.
   * @throws DataError without rows and for NaN; ShapeError for rows of different lengths.
   */
  fit(rows: CategoryInput): this {
    const table = rowsOf(`${this.type}.fit`, rows);
    this.categories = table[0].map((_, j) => sortedCategories(table.map((row) => row[j])));
    return this;
  }

  /** Numbers for the rows: float32 `[n, …]`. @throws OptionError before `fit`; DataError naming an unknown category. */
  abstract transform(rows: CategoryInput): Table;

  /** `fit(rows)`, then `transform(rows)`. */
  fitTransform(rows: CategoryInput): Table {
    return this.fit(rows).transform(rows);
  }

  /** What was learnt, as plain JSON. */
  toJSON(): TransformerState {
    if (this.categories.length === 0)
      throw new OptionError(`${this.type}.toJSON: nothing was learnt yet; call fit first`);
    return { type: this.type, version: 1, options: this.options(), categories: this.categories };
  }

  protected abstract options(): Record<string, Json>;

  /** Numbers of the categories, −1 for unknown ones. */
  protected codes(rows: CategoryInput, unknown: (message: string) => void): number[][] {
    const where = `${this.type}.transform`;
    const { categories } = this;
    if (categories.length === 0)
      throw new OptionError(`${where}: nothing was learnt yet; call fit with the training data first`);
    const index = categories.map((list) => new Map(list.map((c, i) => [c, i])));
    return rowsOf(where, rows).map((row, i) => {
      if (row.length !== index.length) {
        throw new ShapeError(`${where}: row ${i} has ${row.length} columns, expected ${index.length}`);
      }
      return row.map((category, j) => {
        const code = index[j].get(category);
        if (code === undefined) {
          unknown(`${where}: row ${i} has ${show(category)} in column ${j}, which the training data did not have`);
        }
        return code ?? -1;
      });
    });
  }

  protected checkWidth(table: Table, width: number): number {
    const where = `${this.type}.inverse`;
    checkObject(where, table, 'data and shape');
    const { data, shape } = table;
    checkList(where, 'shape', shape, 'sizes');
    checkArray(where, 'data', data);
    if (this.categories.length === 0) throw new OptionError(`${where}: nothing was learnt yet; call fit first`);
    if (shape.length !== 2 || shape[1] !== width || data.length !== shape[0] * width) {
      throw new ShapeError(`${where}: got [${shape}] with ${data.length} values, expected [n, ${width}]`);
    }
    return shape[0];
  }

  protected restore(reader: StateReader): this {
    this.categories = reader.list('categories').map((list) => categoriesOf(reader, 'categories', list));
    if (this.categories.length === 0) reader.fail('categories', 'at least one column');
    return this;
  }
}

export interface OneHotOptions {
  /** A category the training data did not have: 'error' (default), or 'ignore': all zeros. */
  readonly unknown?: 'error' | 'ignore';
  /** Leaves out the first category of each column, which the others determine; default false. */
  readonly dropFirst?: boolean;
}

/**
 * One column of 0 and 1 for each category of each column.
 *
 * @param options `unknown`, `dropFirst` (not together with 'ignore': zeros would be ambiguous).
 * @throws OptionError for options; DataError from `transform` naming row and column of an unknown category.
 * @example new preprocess.OneHotEncoder().fitTransform(['red', 'blue', 'red']); // [[0, 1], [1, 0], [0, 1]]
 * @see scikit-learn, OneHotEncoder.
 */
export class OneHotEncoder extends ColumnEncoder {
  readonly unknown: 'error' | 'ignore';
  readonly dropFirst: boolean;

  constructor(options: OneHotOptions = {}) {
    super();
    checkOptions('OneHotEncoder', options, ['unknown', 'dropFirst']);
    const { unknown = 'error', dropFirst = false } = options;
    if (unknown !== 'error' && unknown !== 'ignore') {
      throw new OptionError(`OneHotEncoder: unknown is ${String(unknown)}, expected 'error' or 'ignore'`);
    }
    if (dropFirst && unknown === 'ignore') {
      throw new OptionError(
        "OneHotEncoder: dropFirst with unknown: 'ignore' would make two things all zeros; choose one",
      );
    }
    this.unknown = unknown;
    this.dropFirst = dropFirst;
  }

  transform(rows: CategoryInput): Table {
    const codes = this.codes(rows, (message) => {
      if (this.unknown === 'error') throw new DataError(`${message}; or give { unknown: 'ignore' }`);
    });
    const { starts, width, skip } = this.#layout();
    const data = new Float32Array(codes.length * width);
    codes.forEach((row, i) => {
      row.forEach((code, j) => {
        if (code >= skip) data[i * width + starts[j] + code - skip] = 1;
      });
    });
    return { data, shape: [codes.length, width] };
  }

  /** The category with the largest value of each column. @throws DataError for a row without any, unless the first is left out. */
  inverse(table: Table): Category[][] {
    const { starts, width, skip } = this.#layout();
    const n = this.checkWidth(table, width);
    return Array.from({ length: n }, (_, i) =>
      this.categories.map((list, j) => {
        let [best, most] = [-1, 0];
        for (let c = skip; c < list.length; c++) {
          const v = table.data[i * width + starts[j] + c - skip];
          if (v > most) [best, most] = [c, v];
        }
        if (best < 0 && skip === 0) {
          throw new DataError(`OneHotEncoder.inverse: row ${i} has no category in column ${j}: all its values are 0`);
        }
        return list[Math.max(best, 0)];
      }),
    );
  }

  #layout() {
    const skip = this.dropFirst ? 1 : 0;
    let width = 0;
    const starts = this.categories.map((list) => {
      width += list.length - skip;
      return width - list.length + skip;
    });
    return { starts, width, skip };
  }

  protected options(): Record<string, Json> {
    return { unknown: this.unknown, dropFirst: this.dropFirst };
  }

  /** @throws FormatError naming the field that is wrong. */
  static fromJSON(state: TransformerState): OneHotEncoder {
    const reader = new StateReader('OneHotEncoder', state);
    return new OneHotEncoder(reader.options() as OneHotOptions).restore(reader);
  }
}

/**
 * The number of each category in its column's order: 0, 1, …
 *
 * @param options `unknown`: 'error' (default), or a number that stands for categories the training data did not have;
 *   `categories`: the order of each column, such as `[['low', 'mid', 'high']]` (default ascending).
 * @throws OptionError for options; DataError naming row and column of an unknown category.
 * @example new preprocess.OrdinalEncoder({ categories: [['low', 'high']] }).fitTransform(['high', 'low']); // [[1], [0]]
 * @see scikit-learn, OrdinalEncoder.
 */
export class OrdinalEncoder extends ColumnEncoder {
  readonly unknown: 'error' | number;
  readonly #order: readonly (readonly Category[])[] | null;

  constructor(
    options: { readonly unknown?: 'error' | number; readonly categories?: readonly (readonly Category[])[] } = {},
  ) {
    super();
    checkOptions('OrdinalEncoder', options, ['unknown', 'categories']);
    const { unknown = 'error', categories } = options;
    if (unknown !== 'error' && !(typeof unknown === 'number' && Number.isFinite(unknown))) {
      throw new OptionError(`OrdinalEncoder: unknown is ${String(unknown)}, expected 'error' or a finite number`);
    }
    if (categories !== undefined) checkList('OrdinalEncoder', 'categories', categories, 'lists');
    if (categories?.some((list) => !Array.isArray(list) || list.length === 0 || new Set(list).size !== list.length)) {
      throw new OptionError('OrdinalEncoder: categories: expected a list without repeats for each column');
    }
    this.unknown = unknown;
    this.#order = categories ?? null;
  }

  override fit(rows: CategoryInput): this {
    super.fit(rows);
    if (this.#order === null) return this;
    this.categories = this.#order;
    this.codes(rows, (message) => {
      throw new DataError(message.replace('which the training data did not have', 'which is not among the categories'));
    });
    return this;
  }

  transform(rows: CategoryInput): Table {
    const codes = this.codes(rows, (message) => {
      if (this.unknown === 'error') throw new DataError(`${message}; or give { unknown: -1 }`);
    });
    const other = this.unknown === 'error' ? 0 : this.unknown;
    const data = Float32Array.from(codes.flat(), (code) => (code < 0 ? other : code));
    return { data, shape: [codes.length, this.categories.length] };
  }

  /** The category of each number. @throws DataError for a number that stands for none. */
  inverse(table: Table): Category[][] {
    const width = this.categories.length;
    return Array.from({ length: this.checkWidth(table, width) }, (_, i) =>
      this.categories.map((list, j) => {
        const code = table.data[i * width + j];
        if (list[code] !== undefined) return list[code];
        throw new DataError(
          `OrdinalEncoder.inverse: row ${i} has ${code} in column ${j}, expected a whole number in [0, ${list.length})`,
        );
      }),
    );
  }

  protected options(): Record<string, Json> {
    return { unknown: this.unknown };
  }

  /** @throws FormatError naming the field that is wrong. */
  static fromJSON(state: TransformerState): OrdinalEncoder {
    const reader = new StateReader('OrdinalEncoder', state);
    return new OrdinalEncoder(reader.options() as { unknown: 'error' | number }).restore(reader);
  }
}

/**
 * Class numbers for labels of any kind: 0 … classes − 1 in ascending order of the labels.
 *
 * @example
 * const encoder = new preprocess.LabelEncoder().fit(['cat', 'dog', 'cat']);
 * encoder.transform(['dog']); // Int32Array [1]
 * encoder.inverse([1]); // ['dog']
 * @see scikit-learn, LabelEncoder.
 */
export class LabelEncoder {
  /** The labels, position = class number. */
  classes: readonly Category[] = [];

  /** Name for messages and JSON. */
  get type(): string {
    return 'LabelEncoder';
  }

  /** Learns the labels. @throws DataError without labels and for NaN. */
  fit(labels: ArrayLike<Category>): this {
    checkArray('LabelEncoder.fit', 'labels', labels, 'labels');
    this.classes = sortedCategories(rowsOf('LabelEncoder.fit', Array.from(labels)).map(([c]) => c));
    return this;
  }

  /** Class numbers, int32. @throws OptionError before `fit`; DataError naming an unknown label. */
  transform(labels: ArrayLike<Category>): Int32Array {
    checkArray('LabelEncoder.transform', 'labels', labels, 'labels');
    if (this.classes.length === 0)
      throw new OptionError('LabelEncoder.transform: nothing was learnt yet; call fit first');
    const index = new Map(this.classes.map((c, i) => [c, i]));
    return Int32Array.from(Array.from(labels), (label, i) => {
      const code = index.get(label);
      if (code !== undefined) return code;
      throw new DataError(`LabelEncoder.transform: label ${i} is ${show(label)}, which the training data did not have`);
    });
  }

  /** `fit(labels)`, then `transform(labels)`. */
  fitTransform(labels: ArrayLike<Category>): Int32Array {
    return this.fit(labels).transform(labels);
  }

  /** The labels of class numbers. @throws DataError for a number that is no class. */
  inverse(codes: ArrayLike<number>): Category[] {
    checkArray('LabelEncoder.inverse', 'codes', codes, 'class numbers');
    return Array.from(codes, (code, i) => {
      if (this.classes[code] !== undefined) return this.classes[code];
      throw new DataError(
        `LabelEncoder.inverse: number ${i} is ${code}, expected a class in [0, ${this.classes.length})`,
      );
    });
  }

  /** What was learnt, as plain JSON. */
  toJSON(): TransformerState {
    if (this.classes.length === 0) throw new OptionError('LabelEncoder.toJSON: nothing was learnt yet; call fit first');
    return { type: 'LabelEncoder', version: 1, classes: this.classes };
  }

  /** @throws FormatError naming the field that is wrong. */
  static fromJSON(state: TransformerState): LabelEncoder {
    const reader = new StateReader('LabelEncoder', state);
    const encoder = new LabelEncoder();
    encoder.classes = categoriesOf(reader, 'classes', reader.list('classes'));
    return encoder;
  }
}

function rowsOf(where: string, input: CategoryInput): (readonly Category[])[] {
  checkArray(where, 'rows', input, 'rows');
  const list = Array.from(input as ArrayLike<Category | readonly Category[]>);
  if (list.length === 0) throw new DataError(`${where}: got no rows, expected at least one`);
  const rows = list.map((row) => (Array.isArray(row) ? (row as readonly Category[]) : [row as Category]));
  rows.forEach((row, i) => {
    if (row.length !== rows[0].length || row.length === 0) {
      throw new ShapeError(`${where}: row ${i} has ${row.length} columns, row 0 has ${rows[0].length}`);
    }
    row.forEach((c, j) => {
      if (typeof c !== 'string' && !(typeof c === 'number' && Number.isFinite(c))) {
        throw new DataError(`${where}: row ${i} has ${String(c)} in column ${j}, expected a text or a finite number`);
      }
    });
  });
  return rows;
}

/** Numbers before texts, each once and in ascending order. */
export function sortedCategories(values: readonly Category[]): Category[] {
  return [...new Set(values)].sort((a, b) => {
    if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
    return a < b ? -1 : a > b ? 1 : 0;
  });
}

function categoriesOf(reader: StateReader, key: string, list: Json): readonly Category[] {
  const right =
    Array.isArray(list) && list.length > 0 && list.every((c) => typeof c === 'string' || typeof c === 'number');
  return right ? (list as Category[]) : reader.fail(key, 'lists of texts and numbers');
}

function show(c: Category): string {
  return typeof c === 'string' ? JSON.stringify(c) : String(c);
}
