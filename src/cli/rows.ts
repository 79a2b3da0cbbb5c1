// Rows of numbers from a file, some thousand at a time, for `neurite predict`.

import { extname } from 'node:path';
import { DataError, FormatError, type Shape } from '../core.js';
import { jsonLines, openCsv } from '../data/index.js';
import { npyInfo, readNpy } from '../io/index.js';
import type { JsonValue } from '../json.js';
import { shown } from '../options.js';
import { UsageError } from './command.js';

/** Rows `[n, ...features]`. */
export interface RowBatch {
  readonly data: Float32Array;
  readonly shape: Shape;
}

const FORMATS = ['csv', 'tsv', 'jsonl', 'npy'] as const;
export type Format = (typeof FORMATS)[number];

/** The format that was asked for, or the one that the name says. @throws UsageError when neither tells. */
export function formatOf(path: string, asked: string | undefined): Format {
  const known = FORMATS.find((format) => format === asked);
  if (known !== undefined) return known;
  if (asked !== undefined) {
    throw new UsageError(`neurite predict: --format is '${asked}', expected ${FORMATS.join(', ')}`);
  }
  const name = path.toLowerCase().replace(/\.gz$/, '');
  const extension = extname(name).slice(1).replace('ndjson', 'jsonl');
  const told = FORMATS.find((format) => format === extension);
  if (told !== undefined) return told;
  throw new UsageError(`neurite predict: what is in '${path}'? Say so with --format: ${FORMATS.join(', ')}`);
}

/**
 * The rows of a file in batches of at most `size`; memory does not grow with the file.
 * @param path '-' is standard input.
 * @param columns names to take, in this order; null: all.
 */
export async function* readBatches(
  path: string,
  format: Format,
  columns: readonly string[] | null,
  size: number,
): AsyncGenerator<RowBatch> {
  if (format === 'npy') {
    if (path === '-') throw new UsageError('neurite predict: --format npy needs a file, not standard input');
    if (columns !== null) throw new UsageError('neurite predict: --columns is for csv, tsv and jsonl, got npy');
    yield* npyBatches(path, size);
    return;
  }
  const source = path === '-' ? process.stdin : path;
  const rows = format === 'jsonl' ? jsonRows(source, columns) : await csvRows(source, format, columns);
  let width = 0;
  let batch: ArrayLike<number>[] = [];
  for await (const row of rows) {
    if (batch.length === 0 && width === 0) width = row.length;
    if (row.length !== width) throw new DataError(`${path}: a row has ${row.length} numbers, the first has ${width}`);
    batch.push(row);
    if (batch.length < size) continue;
    yield join(batch, width);
    batch = [];
  }
  if (batch.length > 0) yield join(batch, width);
}

function join(rows: readonly ArrayLike<number>[], width: number): RowBatch {
  const data = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    data.set(row, i * width);
  });
  return { data, shape: [rows.length, width] };
}

type Bytes = Parameters<typeof openCsv>[0];

async function csvRows(
  source: Bytes,
  format: Format,
  columns: readonly string[] | null,
): Promise<AsyncIterable<Float32Array>> {
  const table = await openCsv(source, { delimiter: format === 'tsv' ? '\t' : ',' });
  return table.numbers(columns ?? table.columns.map((c) => c.name));
}

/** Lines that are arrays of numbers, or objects of numbers. */
async function* jsonRows(source: Bytes, columns: readonly string[] | null): AsyncGenerator<readonly number[]> {
  let names = columns;
  let line = 0;
  for await (const value of jsonLines(source)) {
    line++;
    yield readRow(value, line, names);
    if (names === null && isRecord(value)) names = Object.keys(value);
  }
}

function isRecord(value: JsonValue): value is { readonly [key: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readRow(value: JsonValue, line: number, names: readonly string[] | null): readonly number[] {
  if (Array.isArray(value) && names === null) {
    const at = value.findIndex((v) => typeof v !== 'number');
    if (at >= 0) throw new FormatError(`row ${line}: element ${at} is ${JSON.stringify(value[at])}, expected a number`);
    return value as readonly number[];
  }
  if (!isRecord(value)) {
    throw new FormatError(`row ${line}: expected ${names === null ? 'an array or an object' : 'an object'} of numbers`);
  }
  return (names ?? Object.keys(value)).map((name) => {
    const field = Object.hasOwn(value, name) ? value[name] : undefined;
    if (typeof field === 'number') return field;
    const got = field === undefined ? 'is missing' : `is ${shown(field)}`;
    throw new FormatError(`row ${line}: "${name}" ${got}, expected a number; name the columns to take with --columns`);
  });
}

async function* npyBatches(path: string, size: number): AsyncGenerator<RowBatch> {
  const { shape } = await npyInfo(path);
  const [rows = 0] = shape;
  if (shape.length < 2) throw new FormatError(`${path}: got an array [${shape.join(', ')}], expected [rows, features]`);
  for (let start = 0; start < rows; start += size) {
    const batch = await readNpy(path, { start, end: Math.min(rows, start + size) });
    yield { data: Float32Array.from(batch.data), shape: batch.shape };
  }
}
