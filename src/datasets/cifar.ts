import { access, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError, FormatError, OptionError, type Tensor, tensor } from '../core.js';
import { TensorDataset } from '../data/index.js';
import { macrotask } from '../macrotask.js';
import { checkOptions } from '../options.js';
import type { Shape } from '../shape.js';

export interface CifarOptions {
  /** Folder with the binary version's files. Default: the folder in NEURITE_DATA or the archive's folder in it. */
  readonly dir?: string;
}

export interface Cifar100Options extends CifarOptions {
  /** Labels: 100 fine classes (default) or their 20 coarse ones. */
  readonly labels?: 'fine' | 'coarse';
}

export interface Cifar {
  readonly train: TensorDataset;
  readonly test: TensorDataset;
  /** [32, 32, 3]. */
  readonly imageShape: Shape;
  /** Number of classes. */
  readonly classes: number;
  /** Their names, null when the file of names is not there. */
  readonly classNames: readonly string[] | null;
  /** Folder the files were read from. */
  readonly dir: string;
}

interface Kind {
  readonly name: 'cifar10' | 'cifar100';
  readonly folders: readonly string[];
  readonly train: readonly string[];
  readonly test: string;
  /** Bytes before the pixels, which of them is the label, and how many classes there are. */
  readonly head: number;
  readonly label: number;
  readonly classes: number;
  readonly names: string;
}

const SIDE = 32;
const PLANE = SIDE * SIDE;
const PIXELS = 3 * PLANE;
/** Pictures between two turns of the event loop: a few milliseconds. */
const RUN = 2048;

/**
 * CIFAR-10 from its binary files `data_batch_1.bin` … `data_batch_5.bin` and `test_batch.bin`; nothing is downloaded.
 *
 * x is float32 `[32, 32, 3]` in [0, 1], scaled inside the program from bytes; y is int32 in [0, 10).
 * @throws DataError when files are missing; FormatError naming file and byte when one is damaged.
 * @example const { train, test, classNames } = await cifar10({ dir: 'cifar-10-batches-bin' });
 * Source: Krizhevsky, "Learning multiple layers of features from tiny images" (2009); cs.toronto.edu/~kriz/cifar.html.
 */
export async function cifar10(options: CifarOptions = {}): Promise<Cifar> {
  checkOptions('cifar10', options, ['dir']);
  return readCifar(options.dir, {
    name: 'cifar10',
    folders: ['cifar-10-batches-bin', 'cifar10'],
    train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`),
    test: 'test_batch.bin',
    head: 1,
    label: 0,
    classes: 10,
    names: 'batches.meta.txt',
  });
}

/**
 * CIFAR-100 from its binary files `train.bin` and `test.bin`; see {@link cifar10}.
 * @param options `dir`; `labels`: 'fine' (default, y in [0, 100)) or 'coarse' ([0, 20)).
 * @throws DataError when files are missing; FormatError naming file and byte when one is damaged.
 * @example const { train, test } = await cifar100({ dir: 'cifar-100-binary' });
 */
export async function cifar100(options: Cifar100Options = {}): Promise<Cifar> {
  checkOptions('cifar100', options, ['dir', 'labels']);
  const { labels = 'fine' } = options;
  if (labels !== 'fine' && labels !== 'coarse') {
    throw new OptionError(`cifar100: labels is ${String(labels)}, expected 'fine' or 'coarse'`);
  }
  return readCifar(options.dir, {
    name: 'cifar100',
    folders: ['cifar-100-binary', 'cifar100'],
    train: ['train.bin'],
    test: 'test.bin',
    head: 2,
    label: labels === 'fine' ? 1 : 0,
    classes: labels === 'fine' ? 100 : 20,
    names: `${labels}_label_names.txt`,
  });
}

async function readCifar(given: string | undefined, kind: Kind): Promise<Cifar> {
  const dir = await findFolder(given, kind);
  const train = await readPart(dir, kind.train, kind);
  const test = await readPart(dir, [kind.test], kind);
  const { classes } = kind;
  return { train, test, imageShape: [SIDE, SIDE, 3], classes, classNames: await readNames(dir, kind), dir };
}

/** Pictures of several files, one after the other, from planes of red, green and blue to pixels of three bytes. */
async function readPart(dir: string, files: readonly string[], kind: Kind): Promise<TensorDataset> {
  const record = kind.head + PIXELS;
  const contents: Buffer[] = [];
  for (const file of files) {
    const path = join(dir, file);
    const bytes = await readRegular(path);
    if (bytes.length % record !== 0 || bytes.length === 0) {
      const whole = bytes.length - (bytes.length % record);
      throw new FormatError(
        `${path}: byte ${whole}: got ${bytes.length} bytes, expected a multiple of ${record}, ${kind.head} of labels and ` +
          `${PIXELS} of pixels a picture; the file is cut off or none of ${kind.name}`,
      );
    }
    contents.push(bytes);
  }
  const count = contents.reduce((n, b) => n + b.length / record, 0);
  const x = new Uint8Array(count * PIXELS);
  const y = new Int32Array(count);
  let i = 0;
  for (const [f, bytes] of contents.entries()) {
    for (let at = 0; at < bytes.length; at += record, i++) {
      const label = bytes[at + kind.label];
      if (label >= kind.classes) {
        const where = `${join(dir, files[f])}: byte ${at + kind.label}`;
        throw new FormatError(`${where}: label ${label}, expected a class in [0, ${kind.classes}) of ${kind.name}`);
      }
      y[i] = label;
      const start = at + kind.head;
      let to = i * PIXELS;
      for (let p = start; p < start + PLANE; p++) {
        x[to++] = bytes[p];
        x[to++] = bytes[p + PLANE];
        x[to++] = bytes[p + 2 * PLANE];
      }
      if (i % RUN === RUN - 1) await macrotask();
    }
  }
  return new TensorDataset(tensor(x, { shape: [count, SIDE, SIDE, 3] }), tensor(y), { transform: scale });
}

/** float32 in [0, 1], computed inside the program so that the data set stays bytes. */
function scale(x: Tensor): Tensor {
  return x.cast('float32').div(255);
}

async function readRegular(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    if (!(await file.stat()).isFile()) throw new FormatError(`${path}: is not a regular file`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

async function readNames(dir: string, kind: Kind): Promise<readonly string[] | null> {
  const path = join(dir, kind.names);
  if (!(await exists(path))) return null;
  const names = (await readFile(path, 'utf8')).split('\n').map((line) => line.trim());
  const given = names.filter((name) => name !== '');
  if (given.length === kind.classes) return given;
  throw new FormatError(`${path}: got ${given.length} names of classes, expected ${kind.classes}, one a line`);
}

async function findFolder(given: string | undefined, kind: Kind): Promise<string> {
  const all = [...kind.train, kind.test];
  const missing = async (dir: string): Promise<string[]> => {
    const there = await Promise.all(all.map((file) => exists(join(dir, file))));
    return all.filter((_, i) => !there[i]);
  };
  const root = process.env['NEURITE_DATA'] ?? '';
  const candidates =
    given !== undefined ? [given] : root === '' ? [] : [root, ...kind.folders.map((f) => join(root, f))];
  for (const dir of candidates) if ((await missing(dir)).length === 0) return dir;
  const how = `unpack the binary version of the data set and pass { dir } or set NEURITE_DATA; it has ${all.join(', ')}`;
  if (given !== undefined) {
    throw new DataError(`${kind.name}: ${given} does not have ${(await missing(given)).join(', ')}; ${how}`);
  }
  const where = root === '' ? 'NEURITE_DATA is not set' : `NEURITE_DATA=${root} does not have the files`;
  throw new DataError(`${kind.name}: ${where}; ${how}`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
