import { DataError, OptionError } from '../core.js';
import { TensorDataset } from '../data/index.js';
import { checkObject, checkOptions, isIterable, shown, wholeNumber } from '../options.js';
import { type Category, LabelEncoder } from './encoders.js';
import { type Json, StateReader, type TransformerState } from './state.js';
import type { Table } from './table.js';
import {
  type ColumnEncoding,
  type ColumnLearner,
  type ColumnSettings,
  checkEncoding,
  columnFromJSON,
  type FieldValue,
  type FittedColumn,
  learnColumn,
} from './table-columns.js';

/** A row of a table: fields by the names of their columns, as `data.openCsv` and `data.jsonLines` give them. */
export type TableRow = Readonly<Record<string, FieldValue>>;
export type TableRows = Iterable<TableRow> | AsyncIterable<TableRow>;

export interface TableEncoderOptions {
  /**
   * How columns become inputs, in this order. Default: all columns of the first row but the target, numbers 'standard', truth
   * values 'number', texts 'oneHot'.
   */
  readonly inputs?: Readonly<Record<string, ColumnEncoding>>;
  /** The column with what is to be predicted. */
  readonly target?: string;
  /** Whether targets are classes or values; default: numbers are values, anything else classes. */
  readonly targetType?: 'class' | 'value';
  /** A missing number: 'error' (default), or the mean of the training data. */
  readonly missing?: 'error' | 'mean';
  /** A missing category, or one the training data did not have: 'error' (default), or 'ignore': zeros, −1 for 'ordinal'. */
  readonly unknown?: 'error' | 'ignore';
  /** A column with the same number in all rows: 'error' (default), or 'center': zeros. */
  readonly constant?: 'error' | 'center';
  /** Most categories of a column; default 1000. */
  readonly maxCategories?: number;
}

/** A row as numbers. */
export interface EncodedRow {
  readonly x: Float32Array;
  /** Class number or value; NaN without a target. */
  readonly y: number;
}

const OPTIONS = ['inputs', 'target', 'targetType', 'missing', 'unknown', 'constant', 'maxCategories'];

/**
 * From rows of a table, with numbers, texts and gaps, to the inputs and targets of a network. What it learns — means, scales,
 * categories, classes — it learns from the rows given to `fit`, in one pass and constant memory: give the training rows only.
 *
 * @param options `inputs`, `target`, `targetType`, `missing`, `unknown`, `constant`, `maxCategories`.
 * @throws OptionError for options.
 * @example
 * const encoder = await new preprocess.TableEncoder({ target: 'species' }).fit(trainRows);
 * const train = await encoder.dataset(trainRows);             // a TensorDataset
 * const batches = table.rows().map(encoder.encode).batch(32); // or a stream of { x, y }
 * encoder.outputs; // ['sepalLength', …, 'colour=red', 'colour=white']
 * @see scikit-learn, ColumnTransformer.
 */
export class TableEncoder {
  readonly #options: TableEncoderOptions;
  readonly #settings: ColumnSettings;
  #columns: readonly FittedColumn[] = [];
  #labels: LabelEncoder | null = null;
  #width = 0;

  constructor(options: TableEncoderOptions = {}) {
    checkOptions('TableEncoder', options, OPTIONS);
    const { inputs, target, targetType, missing = 'error', unknown = 'error', constant = 'error' } = options;
    if (inputs !== undefined) checkObject('TableEncoder: inputs', inputs, 'encodings by column');
    for (const [name, encoding] of Object.entries(inputs ?? {})) checkEncoding(name, encoding);
    if (inputs !== undefined && Object.keys(inputs).length === 0) {
      throw new OptionError('TableEncoder: inputs is empty, expected at least one column');
    }
    if (target !== undefined && inputs !== undefined && Object.hasOwn(inputs, target)) {
      throw new OptionError(`TableEncoder: column ${JSON.stringify(target)} is both target and input`);
    }
    if (target !== undefined && typeof target !== 'string') {
      throw new OptionError(`TableEncoder: target is ${shown(target)}, expected the name of a column`);
    }
    oneOf('targetType', targetType ?? 'class', ['class', 'value']);
    oneOf('missing', missing, ['error', 'mean']);
    oneOf('unknown', unknown, ['error', 'ignore']);
    oneOf('constant', constant, ['error', 'center']);
    const maxCategories = wholeNumber('TableEncoder: maxCategories', options.maxCategories ?? 1000, 1);
    this.#options = options;
    this.#settings = { missing, unknown, constant, maxCategories };
  }

  /** Name for messages and JSON. */
  get type(): string {
    return 'TableEncoder';
  }

  /** Names of the inputs: of the column, and `column=category` for each category of a 'oneHot' column. */
  get outputs(): readonly string[] {
    return this.#columns.flatMap((c) => c.outputs);
  }

  /** The classes, position = class number; null when targets are values or there are none. */
  get classes(): readonly Category[] | null {
    return this.#labels?.classes ?? null;
  }

  /**
   * Learns from training rows, in one pass.
   * @throws DataError naming row and column of a field that cannot be used, or a column that says nothing.
   */
  async fit(rows: TableRows): Promise<this> {
    const { target, inputs, targetType } = this.#options;
    if (!isIterable(rows)) throw new DataError(`TableEncoder.fit: got ${shown(rows)}, expected rows`);
    let learners: Map<string, ColumnLearner | null> | null = null;
    const classes = new Set<Category>();
    let type = targetType;
    let n = 0;
    for await (const row of rows) {
      const where = `TableEncoder.fit: row ${n}`;
      checkObject(where, row, 'fields by column');
      learners ??= new Map(Object.keys(inputs ?? row).flatMap((name) => (name === target ? [] : [[name, null]])));
      for (const [name, known] of learners) {
        const value = fieldOf(row, name, where);
        const learner = known ?? this.#learner(name, value);
        if (known === null && learner !== null) learners.set(name, learner);
        learner?.add(value, where);
      }
      if (target !== undefined) {
        const value = fieldOf(row, target, where);
        type ??= typeof value === 'number' ? 'value' : 'class';
        if (type === 'class') classes.add(labelOf(value, target, where));
        else numberTarget(value, target, where);
        if (classes.size > 100_000)
          throw new DataError(`${where}: more than 100000 classes in ${JSON.stringify(target)}`);
      }
      n++;
    }
    if (learners === null) throw new DataError('TableEncoder.fit: got no rows, expected at least one');
    const columns: FittedColumn[] = [];
    for (const [name, learner] of learners) {
      if (learner === null)
        throw new DataError(`TableEncoder.fit: column ${JSON.stringify(name)} has no values, only missing ones`);
      columns.push(learner.finish('TableEncoder.fit'));
    }
    this.#use(columns, type === 'class' ? new LabelEncoder().fit([...classes]) : null);
    return this;
  }

  /** `encodeRow` that can be given away: `table.rows().map(encoder.encode)`. */
  readonly encode = (row: TableRow, index = 0): EncodedRow => {
    this.#ready('encode');
    const where = `TableEncoder.encode: row ${index}`;
    const x = new Float32Array(this.#width);
    this.#write(row, x, 0, where);
    return { x, y: this.#target(row, where) };
  };

  /**
   * Inputs and targets of rows.
   * @returns `x` float32 `[n, outputs]`; `y` class numbers, values, or null without a target.
   * @throws OptionError before `fit`; DataError naming row and column.
   */
  async transform(rows: TableRows): Promise<{ x: Table; y: Int32Array | Float32Array | null }> {
    this.#ready('transform');
    const list: EncodedRow[] = [];
    for await (const row of rows) list.push(this.encode(row, list.length));
    const data = new Float32Array(list.length * this.#width);
    list.forEach(({ x }, i) => {
      data.set(x, i * this.#width);
    });
    const targets = list.map(({ y }) => y);
    const y = this.#labels === null ? Float32Array.from(targets) : Int32Array.from(targets);
    return { x: { data, shape: [list.length, this.#width] }, y: this.#options.target === undefined ? null : y };
  }

  /** The rows as a data set in memory. @throws OptionError without a target; as `transform`. */
  async dataset(rows: TableRows): Promise<TensorDataset> {
    if (this.#options.target === undefined) {
      throw new OptionError('TableEncoder.dataset: there is no target; give { target } or use transform');
    }
    const { x, y } = await this.transform(rows);
    return new TensorDataset(x, y as Float32Array);
  }

  /** Labels of class numbers. @throws OptionError when targets are no classes. */
  decode(classes: ArrayLike<number>): Category[] {
    if (this.#labels === null) throw new OptionError('TableEncoder.decode: the targets are no classes');
    return this.#labels.inverse(classes);
  }

  /** What was learnt and the options, as plain JSON. */
  toJSON(): TransformerState {
    this.#ready('toJSON');
    const { target = null } = this.#options;
    const options = { ...this.#settings, target };
    return {
      type: 'TableEncoder',
      version: 1,
      options,
      columns: this.#columns.map((c) => c.toJSON()),
      classes: this.#labels?.classes ?? null,
    };
  }

  /** @throws FormatError naming the field that is wrong. */
  static fromJSON(state: TransformerState): TableEncoder {
    const reader = new StateReader('TableEncoder', state);
    const { target, ...options } = reader.options();
    const given = { ...options, ...(target === null ? {} : { target }) } as TableEncoderOptions;
    const encoder = new TableEncoder(given);
    const columns = reader.list('columns').map((c: Json) => columnFromJSON(reader, c, encoder.#settings.unknown));
    if (columns.length === 0) reader.fail('columns', 'at least one column');
    const labels = reader.has('classes')
      ? LabelEncoder.fromJSON({ type: 'LabelEncoder', version: 1, classes: reader.raw('classes') })
      : null;
    encoder.#use(columns, labels);
    return encoder;
  }

  #use(columns: readonly FittedColumn[], labels: LabelEncoder | null): void {
    this.#columns = columns;
    this.#labels = labels;
    this.#width = this.outputs.length;
  }

  #ready(action: string): void {
    if (this.#columns.length > 0) return;
    throw new OptionError(`TableEncoder.${action}: nothing was learnt yet; call fit with the training rows first`);
  }

  /** How a column is learnt; null until a field says what it is. */
  #learner(name: string, value: FieldValue): ColumnLearner | null {
    const { inputs } = this.#options;
    if (inputs !== undefined) return learnColumn(name, inputs[name], this.#settings);
    if (value === null || value === undefined) return null;
    const encoding = typeof value === 'number' ? 'standard' : typeof value === 'boolean' ? 'number' : 'oneHot';
    return learnColumn(name, encoding, this.#settings);
  }

  #write(row: TableRow, out: Float32Array, start: number, where: string): void {
    let at = start;
    for (const column of this.#columns) {
      column.write(fieldOf(row, column.name, where), out, at, where);
      at += column.outputs.length;
    }
  }

  #target(row: TableRow, where: string): number {
    const { target } = this.#options;
    if (target === undefined || !Object.hasOwn(row, target)) return Number.NaN;
    const value = row[target];
    if (this.#labels === null) return numberTarget(value, target, where);
    return this.#labels.transform([labelOf(value, target, where)])[0];
  }
}

function oneOf(option: string, value: string, known: readonly string[]): void {
  if (known.includes(value)) return;
  throw new OptionError(`TableEncoder: ${option} is ${String(value)}, expected ${known.join(' or ')}`);
}

function fieldOf(row: TableRow, name: string, where: string): FieldValue {
  if (typeof row === 'object' && row !== null && Object.hasOwn(row, name)) return row[name];
  const columns = typeof row === 'object' && row !== null ? Object.keys(row).slice(0, 12).join(', ') : String(row);
  throw new DataError(`${where}: there is no column ${JSON.stringify(name)}; the row has ${columns}`);
}

function labelOf(value: FieldValue, target: string, where: string): Category {
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))) return value;
  throw new DataError(`${where}, target ${JSON.stringify(target)}: got ${String(value)}, expected a class`);
}

function numberTarget(value: FieldValue, target: string, where: string): number {
  const v = typeof value === 'boolean' ? Number(value) : value;
  if (typeof v === 'number' && Number.isFinite(v)) return v;
  throw new DataError(`${where}, target ${JSON.stringify(target)}: got ${String(value)}, expected a finite number`);
}
