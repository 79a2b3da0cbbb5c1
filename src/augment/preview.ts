import { OptionError, Tensor, take, tensor } from '../core.js';
import { TensorDataset } from '../data/index.js';
import { checkOptions, wholeNumber } from '../options.js';
import { imageGrid, save } from '../plot/index.js';
import { Augmentation } from './augmentation.js';

export interface PreviewOptions {
  /** Where the picture goes: a path that ends in .svg or .png; without, nothing is written. */
  readonly file?: string;
  /** Samples, a row each; default 6, or as many as there are. */
  readonly samples?: number;
  /** Versions of each, beside it; default 7. */
  readonly versions?: number;
  /** Of the versions; default 0. */
  readonly seed?: number;
  /** Width of a picture in pixels, in [8, 2048]; default 72. */
  readonly size?: number;
}

/**
 * A contact sheet: a row for each sample, first as it is, then versions of it.
 * @param dataset pictures `[n, height, width]` or `[n, height, width, channels]`: a data set, or a tensor of uint8 or float32.
 * @param augmentation what `compose` and the other functions give.
 * @param options `file`, `samples` (6), `versions` (7), `seed` (0), `size` of a picture in pixels (72).
 * @returns the text of the SVG picture.
 * @throws OptionError for options out of range, mixup and cutmix; ShapeError for other samples.
 * @example await augment.preview(train, augment.elastic(), { file: 'elastic.svg' });
 */
export async function preview(
  dataset: TensorDataset | Tensor,
  augmentation: Augmentation,
  options: PreviewOptions = {},
): Promise<string> {
  checkOptions('preview', options, ['file', 'samples', 'versions', 'seed', 'size']);
  if (!(augmentation instanceof Augmentation)) {
    throw new OptionError(`preview: got ${String(augmentation)} as augmentation, expected what augment.compose gives`);
  }
  const set = dataset instanceof Tensor ? TensorDataset.unlabelled(dataset) : dataset;
  if (!(set instanceof TensorDataset)) {
    throw new OptionError(`preview: got ${String(dataset)} as pictures, expected a TensorDataset or a tensor`);
  }
  const samples = Math.min(set.length, wholeNumber('preview: samples', options.samples ?? 6, 1, 1000));
  const versions = wholeNumber('preview: versions', options.versions ?? 7, 1, 1000);
  const seed = wholeNumber('preview: seed', options.seed ?? 0, 0);
  const shape = set.x.shape.slice(1);
  const out = augmentation.outputShape(shape);
  const [height, width, channels = 1] = out;
  if (augmentation.mixes) throw new OptionError('preview: mixup and cutmix are of batches; leave them out');
  const all: ArrayLike<number>[] = [];
  const studio = augmentation.open({ shape, dtype: set.x.dtype, seed, workers: 0 });
  const numbers = Int32Array.from({ length: samples }, (_, i) => set.rows?.[i] ?? i);
  const stored = await take(set.x, tensor(numbers)).data();
  const source = studio.share(stored);
  const each = stored.length / samples;
  for (let i = 0; i < samples; i++) {
    const picture = stored.slice(i * each, (i + 1) * each);
    all.push(resized(picture, shape, out));
    const rows = new Int32Array(versions).fill(i);
    const painted = await studio.paint({ source, rows, pass: 0, first: i * versions, batch: versions });
    const step = height * width * channels;
    for (let v = 0; v < versions; v++) all.push(painted.slice(v * step, (v + 1) * step));
  }
  const sheet = imageGrid(all, {
    shape: [height, width, channels],
    columns: versions + 1,
    size: options.size ?? 72,
    title: 'samples, and versions of them',
    ...(augmentation.range === null ? {} : { range: augmentation.range }),
  });
  if (options.file !== undefined) await save(sheet, options.file);
  return sheet;
}

/** The nearest pixels of a picture in another size, so that it fits into the sheet. */
function resized(picture: ArrayLike<number>, from: readonly number[], to: readonly number[]): ArrayLike<number> {
  const [h, w, channels = 1] = from;
  const [height, width] = to;
  if (h === height && w === width) return picture;
  const out =
    picture instanceof Uint8Array
      ? new Uint8Array(height * width * channels)
      : new Float32Array(height * width * channels);
  return out.map((_, i) => {
    const pixel = Math.floor(i / channels);
    const y = Math.floor((Math.floor(pixel / width) * h) / height);
    const x = Math.floor(((pixel % width) * w) / width);
    return picture[(y * w + x) * channels + (i % channels)];
  });
}
