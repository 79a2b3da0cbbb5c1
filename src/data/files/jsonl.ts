import type { JsonValue } from '../../json.js';
import { checkOptions, wholeNumber } from '../../options.js';
import { Pipeline } from '../pipeline.js';
import type { ByteSource } from './bytes.js';
import { decodeText } from './records.js';
import { openRecords, recordStage } from './walk.js';

export interface JsonLinesOptions {
  /** Longest line in bytes; default 16 MiB. */
  readonly maxRecord?: number;
}

/**
 * The values of a file with one JSON value a line. Empty lines are passed over; gzip is recognised by its first bytes;
 * memory is constant.
 *
 * @param source a path, bytes, a stream, or a function that opens one. A stream can be read once.
 * @param options `maxRecord`.
 * @throws FormatError, when iterated, naming the line that is not JSON or not UTF-8.
 * @example data.jsonLines<{ text: string; label: number }>('reviews.jsonl.gz').map(({ text, label }) => ({ x: encode(text), y: label }));
 * @see https://jsonlines.org
 */
export function jsonLines<T = JsonValue>(source: ByteSource, options: JsonLinesOptions = {}): Pipeline<T> {
  checkOptions('jsonLines', options, ['maxRecord']);
  const maxRecord = wholeNumber('jsonLines: maxRecord', options.maxRecord ?? 1 << 24, 1, 2 ** 30);
  const records = openRecords('jsonLines', source, { delimiter: -1, quotes: false, maxRecord }, false);
  return new Pipeline(
    recordStage('jsonLines', records, { offset: 0, line: 1 }, (walk): T => {
      const { bytes, record } = walk;
      const text = decodeText(bytes, record.starts[0], record.ends[0]);
      if (text === null) throw walk.error(`line ${record.line}: is not UTF-8`);
      try {
        return JSON.parse(text) as T;
      } catch (error) {
        throw walk.error(`line ${record.line}: is not JSON: ${(error as Error).message}`);
      }
    }),
  );
}
