// `neurite predict FILE --input ROWS`: what a saved model makes of rows of data.
import { DataError, FormatError, softmax, Tensor, tensor } from '../core.js';
import { type LoadedModel, loadModel } from '../nn/index.js';
import { Pipeline, Transformer } from '../preprocess/index.js';
import { predict as predictRows } from '../train/index.js';
import { type Call, type Outcome, UsageError, wholeOption } from './command.js';
import { formatOf, type RowBatch, readBatches } from './rows.js';

interface Prediction {
  /** Name of the class with the largest output; absent when the file names no classes. */
  readonly class?: string;
  readonly outputs: readonly number[];
}

/** The fitted transformer for inputs: the only one, or the one called x. */
function transformerOf(file: string, { preprocessing }: LoadedModel): Transformer | Pipeline | null {
  const isTransformer = (t: unknown): t is Transformer | Pipeline => t instanceof Transformer || t instanceof Pipeline;
  if (preprocessing === null || isTransformer(preprocessing)) return preprocessing;
  const inputs: unknown = (preprocessing as Readonly<Record<string, unknown>>)['x'];
  if (isTransformer(inputs)) return inputs;
  throw new FormatError(
    `${file}: its preprocessing is no transformer of numbers, and has none named "x"; predict applies that one to the rows`,
  );
}

/** @throws DataError for a number that is missing where nothing fills it in. */
function checkNumbers({ data, shape }: RowBatch, before: number): void {
  const at = data.findIndex((v) => !Number.isFinite(v));
  if (at < 0) return;
  const width = data.length / (shape[0] as number);
  throw new DataError(
    `row ${before + Math.floor(at / width) + 1} has ${data[at]} at column ${(at % width) + 1}, expected finite numbers; ` +
      'a model saved with a fitted preprocess.Imputer fills them in',
  );
}

/** Predictions of each batch. */
async function* predictions(call: Call): AsyncGenerator<readonly Prediction[]> {
  const [file = ''] = call.operands;
  const { input, format, columns, probabilities } = call.options;
  const size = wholeOption('predict: --batch-size', call.options['batch-size'], 1) ?? 1024;
  if (typeof input !== 'string') throw new UsageError('neurite predict: --input is missing: --input ROWS');
  const wanted = typeof columns === 'string' ? columns.split(',') : null;
  const kind = formatOf(input, format as string | undefined);
  const loaded = await loadModel(file);
  const { model, classes } = loaded;
  const transformer = transformerOf(file, loaded);
  let before = 0;
  for await (const batch of readBatches(input, kind, wanted, size)) {
    if (transformer === null) checkNumbers(batch, before);
    const { data, shape } = transformer === null ? batch : await transformer.transform(batch);
    const raw = await predictRows(model, tensor(data, { shape }));
    if (!(raw instanceof Tensor))
      throw new FormatError(`${file}: the model gives a ${typeof raw}, expected one tensor`);
    const outputs = probabilities === true ? softmax(raw) : raw;
    const values = await outputs.data();
    // Nine digits are all that a float32 has.
    const show = (v: number): number => (outputs.dtype === 'float32' ? Number(v.toPrecision(9)) : v);
    const rows = shape[0] as number;
    const width = values.length / rows;
    if (classes !== null && classes.length !== width) {
      throw new FormatError(
        `${file}: the model gives ${width} outputs a row, its file names ${classes.length} classes`,
      );
    }
    yield Array.from({ length: rows }, (_, i): Prediction => {
      const row = Array.from(values.subarray(i * width, (i + 1) * width), show);
      return classes === null
        ? { outputs: row }
        : { class: classes[row.indexOf(Math.max(...row))] ?? '', outputs: row };
    });
    before += rows;
  }
  if (before === 0) throw new DataError(`${input}: it has no rows`);
}

/** A field of CSV: in quotes when it must be (RFC 4180). */
function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Lines of CSV: the class, if there are any, then the outputs. */
async function* csvLines(batches: AsyncIterable<readonly Prediction[]>): AsyncGenerator<string> {
  let first = true;
  for await (const batch of batches) {
    const lines: string[] = [];
    for (const { class: name, outputs } of batch) {
      const named = name === undefined ? [] : [csvField(name)];
      if (first)
        lines.push([...(name === undefined ? [] : ['class']), ...outputs.map((_, i) => `output${i}`)].join(','));
      first = false;
      lines.push([...named, ...outputs.map(String)].join(','));
    }
    yield lines.join('\n');
  }
}

export async function predict(call: Call): Promise<Outcome> {
  const batches = predictions(call);
  if (call.options['json'] !== true) return { json: null, text: csvLines(batches) };
  const all: Prediction[] = [];
  for await (const batch of batches) all.push(...batch);
  // JSON has no NaN: null is in its place.
  const json = all.map((p) => ({ ...p, outputs: p.outputs.map((v) => (Number.isFinite(v) ? v : null)) }));
  return { json: { model: call.operands[0] ?? '', rows: all.length, predictions: json }, text: '' };
}
