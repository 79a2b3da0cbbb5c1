import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { extname, join } from 'node:path';
import { DataError, OptionError, permutation, type Tensor, tensor } from '../core.js';
import { Pipeline, type ShapedArray, TensorDataset } from '../data/index.js';
import { checkOptions, wholeNumber } from '../options.js';
import { decodeImage, type ImageForm } from './decode.js';

export interface ImageFolderOptions {
  /** Height and width of every picture afterwards, or one number for both. */
  readonly size: number | readonly [height: number, width: number];
  /** 3 (default): red, green, blue; 1: grey. */
  readonly channels?: 1 | 3;
  /** How a picture of another form is brought to the size: 'cover' (default) cuts off, 'contain' adds black, 'fill' stretches. */
  readonly resize?: 'cover' | 'contain' | 'fill';
  /** What to do with a file that cannot be read: 'throw' (default), or 'skip' it with a warning that names it. */
  readonly broken?: 'throw' | 'skip';
  /** Whether folders without pictures are classes; default false: an error. */
  readonly allowEmpty?: boolean;
}

export interface ImagePipelineOptions {
  /** A random order each epoch; default false. */
  readonly shuffle?: boolean;
  /** Of the order; default the seed of `seed()`. */
  readonly seed?: number;
  /** Files that are decoded at once, off this thread; default the number of processors. */
  readonly concurrency?: number;
}

/** A picture as the pipeline gives it: float32 `[height, width, channels]` in [0, 1], and the number of its class. */
export interface ImageSample {
  readonly x: ShapedArray;
  readonly y: number;
}

interface Entry {
  readonly file: string;
  readonly label: number;
}

const ENDINGS: ReadonlySet<string> = new Set(['.png', '.jpg', '.jpeg', '.webp']);
const MAX_DEPTH = 32;

/**
 * Pictures in folders, one folder a class: `dir/cat/1.png`, `dir/cat/more/2.jpg`, `dir/dog/3.webp`. Classes are numbered in the
 * order of their names. Only names are read now; pictures are decoded when they are used, by the optional package sharp.
 *
 * @param dir folder with one folder for each class, searched to any depth for .png, .jpg, .jpeg and .webp.
 * @param options `size` (needed), `channels`, `resize`, `broken`, `allowEmpty`.
 * @throws DataError for a folder without classes, or a class without pictures; OptionError for options out of range.
 * @example
 * const folder = await imageFolder('pets', { size: 64 });
 * const [train, test] = folder.split(0.8, { seed: 1 });
 * const batches = train.pipeline({ shuffle: true, seed: 1 }).batch(32, { dtypes: { y: 'int32' } }).prefetch(2);
 * @see torchvision, ImageFolder.
 */
export async function imageFolder(dir: string, options: ImageFolderOptions): Promise<ImageFolder> {
  checkOptions('imageFolder', options, ['size', 'channels', 'resize', 'broken', 'allowEmpty']);
  const form = formOf(options);
  const { broken = 'throw', allowEmpty = false } = options;
  if (broken !== 'throw' && broken !== 'skip') {
    throw new OptionError(`imageFolder: broken is ${String(broken)}, expected 'throw' or 'skip'`);
  }
  const names = (await list(dir)).filter((e) => e.folder).map((e) => e.name);
  if (names.length === 0) {
    throw new DataError(`imageFolder: ${dir} has no folders, expected one for each class with the pictures in it`);
  }
  const entries: Entry[] = [];
  for (const [label, name] of names.entries()) {
    const before = entries.length;
    for (const file of await picturesIn(join(dir, name))) entries.push({ file, label });
    if (entries.length === before && !allowEmpty) {
      const hint = 'remove the folder, or give { allowEmpty: true }';
      throw new DataError(`imageFolder: ${join(dir, name)} has no pictures (${[...ENDINGS].join(' ')}); ${hint}`);
    }
  }
  if (entries.length === 0) throw new DataError(`imageFolder: ${dir} has no pictures in any folder`);
  return new ImageFolder(dir, names, entries, form, broken === 'skip');
}

/** Pictures in folders, by class; see {@link imageFolder}. Parts of it share nothing but names. */
export class ImageFolder {
  readonly dir: string;
  /** Names of the classes, by number. */
  readonly classes: readonly string[];
  /** `[height, width, channels]` of every picture. */
  readonly imageShape: readonly [height: number, width: number, channels: number];
  /** Files that could not be read so far, with `broken: 'skip'`. */
  readonly skipped: string[] = [];
  readonly #entries: readonly Entry[];
  readonly #form: ImageForm;
  readonly #skip: boolean;

  /** For {@link imageFolder}. */
  constructor(dir: string, classes: readonly string[], entries: readonly Entry[], form: ImageForm, skip: boolean) {
    this.dir = dir;
    this.classes = classes;
    this.imageShape = [form.height, form.width, form.channels];
    this.#entries = entries;
    this.#form = form;
    this.#skip = skip;
  }

  /** Number of files. */
  get length(): number {
    return this.#entries.length;
  }

  /** Paths, in the order of the classes and names. */
  get files(): string[] {
    return this.#entries.map((e) => e.file);
  }

  /** Class number of each file. */
  get labels(): Int32Array {
    return Int32Array.from(this.#entries, (e) => e.label);
  }

  /**
   * Two random parts with the same classes.
   * @param fraction share of the first, in (0, 1).
   * @param options `seed`; without it the order comes from the 'data' stream of `seed()`.
   * @throws OptionError when a part would be empty.
   */
  split(fraction: number, options: { readonly seed?: number } = {}): [ImageFolder, ImageFolder] {
    checkOptions('split', options, ['seed']);
    const first = Math.round(this.length * fraction);
    if (!(fraction > 0 && fraction < 1) || first === 0 || first === this.length) {
      throw new OptionError(
        `split: fraction ${fraction} of ${this.length} pictures, expected one in (0, 1) that leaves no part empty`,
      );
    }
    const order = permutation(this.length, options.seed);
    const part = (rows: Int32Array): ImageFolder => {
      const entries = Array.from(rows.sort(), (i) => this.#entries[i]);
      return new ImageFolder(this.dir, this.classes, entries, this.#form, this.#skip);
    };
    return [part(order.slice(0, first)), part(order.slice(first))];
  }

  /**
   * The pictures as samples `{ x, y }`, decoded while others are used, in constant memory.
   * @param options `shuffle`, `seed`, `concurrency`.
   * @throws DataError, when iterated, naming a broken file; NeuriteError saying what to install when sharp is missing.
   * @example await fit(model, folder.pipeline({ shuffle: true }).batch(32, { dtypes: { y: 'int32' } }), options);
   */
  pipeline(options: ImagePipelineOptions = {}): Pipeline<ImageSample> {
    checkOptions('pipeline', options, ['shuffle', 'seed', 'concurrency']);
    const { shuffle = false, seed } = options;
    const concurrency = wholeNumber('pipeline: concurrency', options.concurrency ?? availableParallelism(), 1, 1024);
    let files = Pipeline.from(this.#entries);
    if (shuffle) files = files.shuffle({ buffer: this.length, ...(seed === undefined ? {} : { seed }) });
    const decode = async ({ file, label }: Entry): Promise<ImageSample | null> => {
      const bytes = await this.#read(file);
      if (bytes === null) return null;
      return { x: { data: Float32Array.from(bytes, (v) => v / 255), shape: this.imageShape }, y: label };
    };
    return files.map(decode, { concurrency }).filter((sample) => sample !== null);
  }

  /**
   * All pictures in memory, as bytes that the program scales to [0, 1]: for sets that fit, and for `fit` with `augment`.
   * @throws DataError naming a broken file; NeuriteError saying what to install when sharp is missing.
   * @example const train = await folder.dataset();
   */
  async dataset(): Promise<TensorDataset> {
    const each = this.imageShape[0] * this.imageShape[1] * this.imageShape[2];
    const pixels = new Uint8Array(this.length * each);
    const labels = new Int32Array(this.length);
    let count = 0;
    const read = Pipeline.from(this.#entries).map(
      async ({ file, label }) => ({ bytes: await this.#read(file), label }),
      { concurrency: availableParallelism() },
    );
    for await (const { bytes, label } of read) {
      if (bytes === null) continue;
      pixels.set(bytes, count * each);
      labels[count++] = label;
    }
    if (count === 0) throw new DataError(`imageFolder: none of the ${this.length} pictures of ${this.dir} can be read`);
    const x = tensor(pixels.subarray(0, count * each), { shape: [count, ...this.imageShape] });
    return new TensorDataset(x, tensor(labels.subarray(0, count)), { transform: scale });
  }

  /** Pixels of a file; null for a broken one that is skipped. */
  async #read(file: string): Promise<Uint8Array | null> {
    try {
      return await decodeImage(file, this.#form);
    } catch (error) {
      if (!this.#skip || !(error instanceof DataError)) throw error;
      if (!this.skipped.includes(file)) {
        this.skipped.push(file);
        process.emitWarning(`${error.message}; skipped`, 'NeuriteWarning');
      }
      return null;
    }
  }
}

function scale(x: Tensor): Tensor {
  return x.cast('float32').div(255);
}

function formOf({ size, channels = 3, resize = 'cover' }: ImageFolderOptions): ImageForm {
  const [height, width] = typeof size === 'number' ? [size, size] : Array.isArray(size) ? size : [];
  if (size === undefined)
    throw new OptionError('imageFolder: size is missing; batches need pictures of one size, such as { size: 64 }');
  const one = (what: string, d: unknown): number => wholeNumber(`imageFolder: ${what}`, d, 1, 16_384);
  if (channels !== 1 && channels !== 3) {
    throw new OptionError(`imageFolder: channels is ${String(channels)}, expected 1 (grey) or 3 (colour)`);
  }
  if (resize !== 'cover' && resize !== 'contain' && resize !== 'fill') {
    throw new OptionError(`imageFolder: resize is ${String(resize)}, expected 'cover', 'contain' or 'fill'`);
  }
  return { height: one('size', height), width: one('size', width), channels, resize };
}

/** Entries of a folder by name, links followed. */
async function list(dir: string): Promise<{ readonly name: string; readonly folder: boolean }[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(dir, { withFileTypes: true });
  } catch (cause) {
    throw new DataError(`imageFolder: ${dir} cannot be read: ${(cause as Error).message}`, undefined, { cause });
  }
  const all = await Promise.all(
    entries.map(async (e) => {
      const folder = e.isSymbolicLink()
        ? await stat(join(dir, e.name)).then(
            (s) => s.isDirectory(),
            () => false,
          )
        : e.isDirectory();
      return { name: e.name, folder };
    }),
  );
  return all.filter((e) => !e.name.startsWith('.')).sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function picturesIn(dir: string, depth = 0): Promise<string[]> {
  if (depth > MAX_DEPTH)
    throw new DataError(`imageFolder: ${dir} is more than ${MAX_DEPTH} folders deep; a link may lead back`);
  const found: string[] = [];
  for (const { name, folder } of await list(dir)) {
    const path = join(dir, name);
    if (folder) found.push(...(await picturesIn(path, depth + 1)));
    else if (ENDINGS.has(extname(name).toLowerCase())) found.push(path);
  }
  return found;
}
