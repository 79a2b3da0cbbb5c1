// `neurite inspect FILE`: tells a file's kind from its content, reads all of it, and says what it holds.
import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { type DType, FormatError, type HostArray, itemSize, NeuriteError, type Shape } from '../core.js';
import { readIdx } from '../datasets/index.js';
import { CheckpointDirectory, readNpy, readNpz, readSafetensors } from '../io/index.js';
import type { JsonValue } from '../json.js';
import type { Call, Outcome } from './command.js';
import { bold, columns, showBytes, showNumber, showText } from './text.js';

interface Values {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: HostArray;
}

/** A tensor of the file, and what its values are. */
interface TensorReport {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly elements: number;
  readonly bytes: number;
  /** Of the finite values; null when there are none. */
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  /** NaN and infinite values. */
  readonly nonFinite: number;
}

interface Report {
  readonly kind: string;
  readonly tensors: readonly TensorReport[];
  readonly metadata: Readonly<Record<string, JsonValue>>;
  /** What is wrong with it; empty when it is whole. */
  readonly damage: readonly string[];
}

function reportTensor(name: string, { dtype, shape, data }: Values): TensorReport {
  let [min, max, sum, finite] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    if (!Number.isFinite(value)) continue;
    finite++;
    if (value < min) min = value;
    if (value > max) max = value;
    sum += value;
  }
  const known = finite > 0;
  return {
    name,
    dtype,
    shape,
    elements: data.length,
    bytes: data.length * itemSize(dtype),
    min: known ? min : null,
    max: known ? max : null,
    mean: known ? sum / finite : null,
    nonFinite: data.length - finite,
  };
}

const reportAll = (tensors: Iterable<readonly [string, Values]>): TensorReport[] =>
  [...tensors].map(([name, values]) => reportTensor(name, values));

async function readStart(file: string, bytes: number): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const start = Buffer.alloc(bytes);
    return start.subarray(0, (await handle.read(start, 0, bytes, 0)).bytesRead);
  } finally {
    await handle.close();
  }
}

async function inspectFile(file: string): Promise<Report> {
  const start = await readStart(file, 9);
  if (start.length === 0) throw new FormatError(`${file}: the file is empty`);
  const magic = start.toString('latin1');
  if (magic.startsWith('\x93NUMPY')) {
    return { kind: 'NPY', tensors: [reportTensor('', await readNpy(file))], metadata: {}, damage: [] };
  }
  if (magic.startsWith('PK')) return { kind: 'NPZ', tensors: reportAll(await readNpz(file)), metadata: {}, damage: [] };
  const isIdx = start[0] === 0 && start[1] === 0 && [8, 9, 11, 12, 13, 14].includes(start[2] ?? 0);
  const isGzip = start[0] === 0x1f && start[1] === 0x8b;
  // The eighth byte of a safetensors file ends the header's length, and the ninth opens the header.
  if ((isIdx && start[8] !== 0x7b) || isGzip) {
    const { data, shape } = await readIdx(file);
    const dtype = idxType(data);
    return {
      kind: isGzip ? 'IDX, gzipped' : 'IDX',
      tensors: [reportTensor('', { dtype, shape, data })],
      metadata: {},
      damage: [],
    };
  }
  const { tensors, metadata } = await readSafetensors(file);
  return { kind: 'safetensors', tensors: reportAll(tensors), metadata, damage: [] };
}

function idxType(data: HostArray): DType {
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Float32Array) return 'float32';
  return data instanceof Int32Array ? 'int32' : 'uint8';
}

const STEP = /^step-0*(\d+)\.\d+$/;

/** A run's directory: every checkpoint in it, read with its checksums. One checkpoint's own directory: that one. */
async function inspectDirectory(path: string): Promise<Report> {
  const one = STEP.test(basename(path)) ? path : null;
  const directory = new CheckpointDirectory(one === null ? path : dirname(path));
  const names = (await readdir(directory.path)).filter((name) => STEP.test(name)).sort();
  const wanted = one === null ? names : [basename(path)];
  if (wanted.length === 0) throw new FormatError(`${path}: the directory holds no checkpoints (step-…)`);
  const damage: string[] = [];
  const checkpoints: JsonValue[] = [];
  let newest: { readonly sequence: number; readonly tensors: ReadonlyMap<string, Values> } | null = null;
  for (const name of wanted) {
    const step = Number(STEP.exec(name)?.[1]);
    const read = await directory.load(step).catch((error: unknown) => {
      if (error instanceof FormatError) return error;
      throw error;
    });
    if (read === null || read instanceof FormatError || basename(read.path) !== name) {
      damage.push(
        read instanceof FormatError ? read.message : `${name}: damaged; another checkpoint of step ${step} is whole`,
      );
      continue;
    }
    const sequence = Number(name.split('.')[1]);
    if (newest === null || sequence > newest.sequence) newest = { sequence, tensors: read.tensors };
    checkpoints.push({ name, step, metric: read.metric, tensors: read.tensors.size });
  }
  return {
    kind: one === null ? 'checkpoints of a run' : 'checkpoint',
    tensors: newest === null ? [] : reportAll(newest.tensors),
    metadata: { checkpoints },
    damage,
  };
}

function showShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

function showReport(path: string, { kind, tensors, metadata, damage }: Report, styled: boolean): string {
  const show = (value: number | null): string => (value === null ? '' : showNumber(value));
  const total = tensors.reduce((sum, t) => sum + t.elements, 0);
  const bytes = tensors.reduce((sum, t) => sum + t.bytes, 0);
  const header = ['tensor', 'dtype', 'shape', 'elements', 'min', 'max', 'mean', 'NaN or ∞'];
  const rows = tensors.map((t) => [
    showText(t.name, 80),
    t.dtype,
    showShape(t.shape),
    String(t.elements),
    show(t.min),
    show(t.max),
    show(t.mean),
    String(t.nonFinite),
  ]);
  const lines = [
    `${bold(path, styled)}: ${kind}, ${tensors.length} tensor${tensors.length === 1 ? '' : 's'}, ${total} elements, ${showBytes(bytes)}`,
  ];
  if (rows.length > 0) lines.push('', columns([header, ...rows], [3, 4, 5, 6, 7]));
  const entries = Object.entries(metadata);
  if (entries.length > 0) {
    const shown = (value: JsonValue): string =>
      showText(typeof value === 'string' ? value : JSON.stringify(value), 200);
    lines.push(
      '',
      bold('metadata', styled),
      columns(entries.map(([key, value]) => [`  ${showText(key, 80)}`, shown(value)])),
    );
  }
  const odd = tensors.filter((t) => t.nonFinite > 0);
  lines.push(
    '',
    damage.length === 0 ? 'checks: whole' : `checks: damaged\n${damage.map((d) => `  ${d}`).join('\n')}`,
    ...(odd.length > 0
      ? [`checks: NaN or infinite values in ${odd.map((t) => showText(t.name || 'the array', 80)).join(', ')}`]
      : []),
  );
  return lines.join('\n');
}

/** What the file or directory holds. @throws FormatError when nothing of it can be read; NeuriteError when the disk cannot. */
export async function inspect({ operands, styled }: Call): Promise<Outcome> {
  const [path = ''] = operands;
  const report = await inspectPath(path);
  return {
    json: {
      path,
      ...report,
      tensors: report.tensors.map((t) => ({ ...t, shape: [...t.shape] })),
      whole: report.damage.length === 0,
    },
    text: showReport(path, report, styled),
    exitCode: report.damage.length === 0 ? 0 : 1,
  };
}

async function inspectPath(path: string): Promise<Report> {
  try {
    const isDirectory = (await stat(path)).isDirectory();
    return await (isDirectory ? inspectDirectory(resolve(path)) : inspectFile(path));
  } catch (error) {
    if (error instanceof NeuriteError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw error;
    throw Object.assign(new Error(`${path}: there is no such file or directory`, { cause: error }), { code });
  }
}
