import { FormatError, OptionError } from '../errors.js';
import { checkOptions, checkPath, wholeNumber } from '../options.js';
import { checkBytes, readFully, withFile, writeFileAtomic } from './files.js';
import { npyChunks, parseNpy } from './npy.js';
import type { TensorData } from './safetensors.js';
import { checkTensors } from './safetensors.js';
import { type Fail, listZip, type ReadAt, readMember, zipChunks } from './zip.js';

export interface NpzReadOptions {
  /** Only these arrays; all when left out. */
  readonly names?: readonly string[];
  /** Most bytes that all arrays may take unpacked, 2 GiB unless stated: a small archive can hold a huge array. */
  readonly maxBytes?: number;
}

export interface NpzWriteOptions {
  /** Whether members are deflated, as by `savez_compressed` (default false). */
  readonly compress?: boolean;
}

/**
 * Reads the arrays of an archive that `numpy.savez` or `savez_compressed` wrote; each as {@link readNpy} does.
 * @returns the arrays by name, without `.npy`, in the archive's order.
 * @throws FormatError naming file and byte, or the member: no zip, cut, damaged, above `maxBytes`, a name that climbs out of a
 *   directory, an array of objects; OptionError for a name that is not there.
 * @example const { x, y } = Object.fromEntries(await io.readNpz('mnist.npz'));
 */
export async function readNpz(file: string, options: NpzReadOptions = {}): Promise<Map<string, TensorData>> {
  return withFile(file, (handle, size) => {
    const read: ReadAt = async (position, length) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - position)));
      if (!(await readFully(handle, bytes, position))) failing(file)(position, 'the file ended while it was read');
      return bytes;
    };
    return readAll(file, size, read, options);
  });
}

/** Reads the bytes of an NPZ file; `label` is what messages call them. Same checks and errors as {@link readNpz}. */
export async function parseNpz(
  bytes: Uint8Array,
  label = 'buffer',
  options: NpzReadOptions = {},
): Promise<Map<string, TensorData>> {
  checkBytes('parseNpz', bytes);
  const read: ReadAt = async (position, length) => bytes.subarray(position, position + length);
  return readAll(label, bytes.length, read, options);
}

/**
 * Writes arrays for `numpy.load`, atomically.
 * @throws OptionError for a name or array that cannot be written; NeuriteError with a hint when the file cannot.
 * @example await io.writeNpz('xy.npz', { x, y }, { compress: true });
 */
export async function writeNpz(
  file: string,
  tensors: ReadonlyMap<string, TensorData> | Readonly<Record<string, TensorData>>,
  options: NpzWriteOptions = {},
): Promise<void> {
  checkPath('writeNpz', 'file', file);
  const where = `writeNpz "${file}"`;
  checkOptions(where, options, ['compress']);
  checkTensors(where, tensors);
  const list = tensors instanceof Map ? [...tensors] : Object.entries(tensors as Readonly<Record<string, TensorData>>);
  const members = list.map(([name, tensor]) => {
    const problem = nameProblem(name);
    if (problem !== null) throw new OptionError(`${where}: the name ${JSON.stringify(name)} ${problem}`);
    return { name: `${name}.npy`, chunks: npyChunks(`${where}: "${name}"`, tensor) };
  });
  const chunks = await zipChunks(members, options.compress === true, (message) => {
    throw new OptionError(`${where}: ${message}`);
  });
  await writeFileAtomic(file, chunks);
}

function failing(label: string): Fail {
  return (offset, message) => {
    throw new FormatError(`npz "${label}" at byte ${offset}: ${message}`);
  };
}

async function readAll(
  label: string,
  size: number,
  read: ReadAt,
  options: NpzReadOptions,
): Promise<Map<string, TensorData>> {
  checkOptions('readNpz', options, ['names', 'maxBytes']);
  const { names, maxBytes = 2 ** 31 } = options;
  wholeNumber('readNpz: maxBytes', maxBytes, 0);
  const fail = failing(label);
  const entries = (await listZip(size, read, fail)).map((entry) => {
    if (!entry.name.endsWith('.npy')) fail(entry.at, `member ${JSON.stringify(entry.name)} is no .npy array`);
    const name = entry.name.slice(0, -4);
    const problem = nameProblem(name);
    if (problem !== null) fail(entry.at, `the name ${JSON.stringify(entry.name)} ${problem}`);
    return { ...entry, array: name };
  });
  const wanted = names === undefined ? entries : entries.filter((e) => names.includes(e.array));
  const absent = names?.find((n) => !entries.some((e) => e.array === n));
  if (absent !== undefined) {
    const there = entries.map((e) => e.array).join(', ') || 'none';
    throw new OptionError(`npz "${label}": no array "${absent}"; it holds ${there}`);
  }
  const total = wanted.reduce((n, e) => n + e.size, 0);
  if (total > maxBytes) {
    fail(
      0,
      `the arrays take ${total} bytes unpacked, more than maxBytes ${maxBytes}; pass a larger one if you trust it`,
    );
  }
  const out = new Map<string, TensorData>();
  for (const entry of wanted)
    out.set(entry.array, parseNpy(await readMember(entry, read, fail), `${label}: ${entry.name}`));
  return out;
}

/** Names are keys here and never paths, yet one that would climb out of a directory is the mark of an attack. */
function nameProblem(name: string): string | null {
  if (name === '') return 'is empty';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\\\u0000-\u001f\ufffd]|^[A-Za-z]:/.test(name)) return 'has a backslash, a drive or a control character';
  if (name.split('/').some((part) => part === '' || part === '.' || part === '..'))
    return "has an empty part, '.' or '..'";
  return null;
}
