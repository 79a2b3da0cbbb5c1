import { didYouMean, FormatError, OptionError } from '../../core.js';
import { checkList, checkOptions, shown, wholeNumber } from '../../options.js';
import { Pipeline } from '../pipeline.js';
import { type ByteSource, nameOfSource } from './bytes.js';
import { COLUMN_TYPES, type Column, type ColumnType, type Field, FieldReader, inferType } from './columns.js';
import type { RecordScanner } from './records.js';
import { openRecords, type Position, type Records, RecordWalk, recordStage } from './walk.js';

/** A row of a table: the fields by the names of their columns. */
export type Row = Readonly<Record<string, Field>>;

export interface CsvOptions {
  /** One ASCII character; default a comma, a tab for names that end in .tsv or .tsv.gz. */
  readonly delimiter?: string;
  /** Whether the first record has the names (default), or the names. */
  readonly header?: boolean | readonly string[];
  /** Types of columns that are not to be inferred. */
  readonly types?: Readonly<Record<string, ColumnType>>;
  /** What an unquoted field without a value says; default '', NA, N/A, NaN, nan, null, NULL, None. */
  readonly missing?: readonly string[];
  /** Rows from which types are inferred; default 1000. */
  readonly sample?: number;
  /** Whether fields may be in quotes; default true. */
  readonly quotes?: boolean;
  /** Longest record in bytes; default 16 MiB. An unclosed quote is found there, not at the end of a large file. */
  readonly maxRecord?: number;
}

const MISSING = ['', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL', 'None'];

/**
 * Opens a table of text, CSV or TSV, and finds the names and types of its columns from the first rows.
 *
 * Fields are separated by `delimiter`; a field in double quotes may have delimiters, line ends and doubled quotes inside
 * (RFC 4180). Lines end with LF, CRLF or CR; a byte order mark and empty lines are passed over. Text is UTF-8. Gzip is
 * recognised by its first bytes. Memory is constant, whatever the size of the file.
 *
 * @param source a path, bytes, a stream, or a function that opens one. A stream can be read once.
 * @param options `delimiter`, `header`, `types`, `missing`, `sample`, `quotes`, `maxRecord`.
 * @returns the table; nothing but its first rows has been read.
 * @throws FormatError naming line and column for a file that is no such table, here or later; OptionError.
 * @example
 * const table = await data.openCsv('iris.csv');
 * table.columns; // [{ name: 'sepalLength', type: 'number', … }, …]
 * for await (const { x, y } of table.samples({ x: ['sepalLength', 'sepalWidth'], y: 'petalLength' }).batch(32)) …
 * @see RFC 4180 (2005), Common format and MIME type for comma-separated values files.
 */
export async function openCsv(source: ByteSource, options: CsvOptions = {}): Promise<CsvTable> {
  checkOptions('openCsv', options, ['delimiter', 'header', 'types', 'missing', 'sample', 'quotes', 'maxRecord']);
  const { delimiter, header, missing } = options;
  if (delimiter !== undefined && typeof delimiter !== 'string') {
    throw new OptionError(`openCsv: delimiter is ${shown(delimiter)}, expected a character`);
  }
  if (header !== undefined && typeof header !== 'boolean')
    checkList('openCsv', 'header', header, 'names, or true or false');
  if (missing !== undefined) checkList('openCsv', 'missing', missing, 'texts');
  const name = nameOfSource(source);
  const format = {
    delimiter: delimiterOf(options.delimiter ?? (/\.tsv(\.gz)?$/i.test(name) ? '\t' : ',')),
    quotes: options.quotes ?? true,
    maxRecord: wholeNumber('openCsv: maxRecord', options.maxRecord ?? 1 << 24, 1, 2 ** 30),
  };
  const records = openRecords('openCsv', source, format, true);
  const fields = new FieldReader(records.where, options.missing ?? MISSING);
  const sample = wholeNumber('openCsv: sample', options.sample ?? 1000, 1);
  const look = new RecordWalk(records, records.open(0), { offset: 0, line: 1 });
  const text = (k: number) => fields.text(look.bytes, look.record, k);
  try {
    const names = await readHeader(look, text, options.header ?? true);
    const start = look.position();
    const texts = names.map((): (string | null)[] => []);
    for (let n = 0; n < sample && (await look.advance()); n++) {
      look.checkWidth(names.length);
      names.forEach((_, k) => void texts[k].push(text(k)));
    }
    if (!records.again) records.rewind();
    else await look.close();
    return new CsvTable(records, fields, columnsOf(records.where, names, texts, options.types ?? {}), start);
  } catch (error) {
    await look.close();
    throw error;
  }
}

function delimiterOf(text: string): number {
  const code = text.charCodeAt(0);
  if (text.length === 1 && code < 128 && !'"\r\n'.includes(text)) return code;
  throw new OptionError(
    `openCsv: delimiter is ${shown(text)}, expected one ASCII character other than a quote or line end`,
  );
}

async function readHeader(
  look: RecordWalk,
  text: (k: number) => string | null,
  header: boolean | readonly string[],
): Promise<readonly string[]> {
  if (typeof header !== 'boolean') {
    if (header.length === 0) throw new OptionError('openCsv: header is empty, expected the names of the columns');
    return header;
  }
  if (!(await look.advance())) throw look.error('the file is empty, expected at least one record');
  const width = look.record.fields;
  const names = Array.from({ length: width }, (_, k) => (header ? text(k)?.trim() : '') || `column${k + 1}`);
  if (!header) look.back();
  return names;
}

function columnsOf(
  where: string,
  names: readonly string[],
  texts: readonly (readonly (string | null)[])[],
  types: Readonly<Record<string, ColumnType>>,
): Column[] {
  const twice = names.find((n, k) => names.indexOf(n) !== k);
  if (twice !== undefined) {
    throw new FormatError(`${where}: two columns have the name ${JSON.stringify(twice)}; give { header: [names] }`);
  }
  for (const [name, type] of Object.entries(types)) {
    if (!names.includes(name)) throw unknownColumn('openCsv: types', name, names);
    if (!COLUMN_TYPES.includes(type)) {
      throw new OptionError(
        `openCsv: type of ${JSON.stringify(name)} is ${String(type)}, expected ${COLUMN_TYPES.join(', ')}.${didYouMean(type, COLUMN_TYPES)}`,
      );
    }
  }
  return names.map((name, k) => ({
    name,
    type: Object.hasOwn(types, name) ? types[name] : inferType(texts[k]),
    missing: texts[k].includes(null),
    inferred: !Object.hasOwn(types, name),
  }));
}

function unknownColumn(where: string, name: string, names: readonly string[]): OptionError {
  return new OptionError(
    `${where}: there is no column ${JSON.stringify(name)}, expected one of ${names.slice(0, 20).join(', ')}.${didYouMean(name, names)}`,
  );
}

/** A table of text that is read row by row. */
export class CsvTable {
  readonly columns: readonly Column[];
  readonly #records: Records;
  readonly #fields: FieldReader;
  readonly #start: Position;

  /** Made by {@link openCsv}. */
  constructor(records: Records, fields: FieldReader, columns: readonly Column[], start: Position) {
    this.#records = records;
    this.#fields = fields;
    this.columns = columns;
    this.#start = start;
  }

  /**
   * The rows as records of fields.
   * @returns numbers (NaN when missing), strings, booleans (null when missing), by column.
   * @example const adults = table.rows().filter((row) => row['age'] >= 18);
   */
  rows(): Pipeline<Row> {
    const { columns } = this;
    const fields = this.#fields;
    return this.#pipeline(columns.length, (bytes, record) => {
      const row: Record<string, Field> = {};
      for (let k = 0; k < columns.length; k++) row[columns[k].name] = fields.field(bytes, record, k, columns[k]);
      return row;
    });
  }

  /**
   * Columns of numbers as arrays, without objects and strings in between: the fast way from a file to batches.
   * @param names of columns of numbers or booleans (1 and 0); default all columns.
   * @returns float32 rows `[names]`; NaN where a number is missing.
   * @throws OptionError for a column that is not there or is text.
   * @example const batches = table.numbers(['age', 'income']).batch(128); // tensors [128, 2]
   */
  numbers(names: readonly string[] = this.columns.map((c) => c.name)): Pipeline<Float32Array> {
    const read = this.#numbers('numbers', names);
    return this.#pipeline(this.columns.length, (bytes, record) => read(bytes, record));
  }

  /**
   * Samples of a table of numbers.
   * @param options `x`: names of the inputs (default: all but y); `y`: name of the target.
   * @returns `{ x: float32 [inputs], y: number }`.
   * @throws OptionError as `numbers`.
   * @example table.samples({ y: 'price' }).shuffle({ seed: 1 }).batch(128);
   */
  samples(options: { readonly x?: readonly string[]; readonly y: string }): Pipeline<{ x: Float32Array; y: number }> {
    checkOptions('samples', options, ['x', 'y']);
    const { y, x = this.columns.map((c) => c.name).filter((n) => n !== y) } = options;
    const inputs = this.#numbers('samples: x', x);
    const target = this.#numbers('samples: y', [y]);
    return this.#pipeline(this.columns.length, (bytes, record) => ({
      x: inputs(bytes, record),
      y: target(bytes, record)[0],
    }));
  }

  #numbers(where: string, names: readonly string[]): (bytes: Buffer, record: RecordScanner) => Float32Array {
    const { columns } = this;
    const fields = this.#fields;
    if (names.length === 0) throw new OptionError(`${where}: no columns, expected at least one`);
    const places = Int32Array.from(names, (name) => {
      const k = columns.findIndex((c) => c.name === name);
      if (k < 0)
        throw unknownColumn(
          where,
          name,
          columns.map((c) => c.name),
        );
      if (columns[k].type !== 'string') return k;
      throw new OptionError(
        `${where}: column ${JSON.stringify(name)} is text, expected numbers; encode rows() with preprocess.TableEncoder`,
      );
    });
    return (bytes, record) => {
      const out = new Float32Array(places.length);
      for (let i = 0; i < places.length; i++) {
        const k = places[i];
        const column = columns[k];
        if (column.type === 'boolean') out[i] = number(fields.field(bytes, record, k, column));
        else out[i] = fields.number(bytes, record, k, column);
      }
      return out;
    };
  }

  #pipeline<T>(width: number, make: (bytes: Buffer, record: RecordScanner) => T): Pipeline<T> {
    const stage = recordStage('csv', this.#records, this.#start, (walk) => {
      walk.checkWidth(width);
      return make(walk.bytes, walk.record);
    });
    return new Pipeline(stage);
  }
}

function number(truth: Field): number {
  return truth === null ? Number.NaN : Number(truth);
}
