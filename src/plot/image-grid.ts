import { OptionError } from '../errors.js';
import { checkList, checkOptions, shown, wholeNumber } from '../options.js';
import { checkRange } from './check.js';
import { svgDocument } from './frame.js';
import { PIXELATED } from './heatmap.js';
import { dataUri, encodePng } from './png.js';
import { fitText, px, text } from './text.js';

/** Several images in one array, such as a tensor's data. */
export interface ImageBatch {
  readonly data: ArrayLike<number>;
  /** `[n, height, width]` or `[n, height, width, channels]`; channels 1, 3 or 4. */
  readonly shape: readonly number[];
}

export interface ImageGridOptions {
  /** Shape of one image when they come as a list: `[height, width]` or `[height, width, channels]`. */
  readonly shape?: readonly number[];
  /** Images in a row; default about as many as rows. */
  readonly columns?: number;
  /** One text below each image. */
  readonly labels?: readonly string[];
  /** Width of an image in pixels, in [8, 2048]; default 72. */
  readonly size?: number;
  /** Values of black and white; default [0, 255] for bytes, else [0, 1]. Values outside take the ends, NaN is black. */
  readonly range?: readonly [number, number];
  readonly title?: string;
}

const OPTIONS = ['shape', 'columns', 'labels', 'size', 'range', 'title'] as const;
const MAX_IMAGES = 10_000;
const GAP = 6;

/**
 * Images side by side, pixels as squares.
 * @param images a list of arrays with `shape`, or all in one array: `{ data, shape: [n, height, width] }`. Channels come last;
 *   without, or with one, they are grey.
 * @param options `shape`, `columns`, `labels`, `size`, `range`, `title`.
 * @returns the text of an SVG file with PNG images inside.
 * @throws OptionError for shapes that do not fit the data.
 * @example plot.imageGrid({ data: await images.data(), shape: images.shape }, { labels: predictions.map(String) });
 */
export function imageGrid(images: readonly ArrayLike<number>[] | ImageBatch, options: ImageGridOptions = {}): string {
  const where = 'imageGrid';
  checkOptions(where, options, OPTIONS);
  const { list, height, width, channels } = imagesOf(where, images, options.shape);
  const columns = Math.min(
    list.length,
    wholeNumber(`${where}: columns`, options.columns ?? Math.ceil(Math.sqrt(list.length * 1.6)), 1),
  );
  const size = wholeNumber(`${where}: size`, options.size ?? 72, 8, 2048);
  const { labels, range, title } = options;
  if (labels !== undefined) checkList(where, 'labels', labels, 'texts');
  if (labels !== undefined && labels.length !== list.length) {
    throw new OptionError(`${where}: got ${labels.length} labels for ${list.length} images, expected as many`);
  }
  if (range !== undefined) checkRange(where, 'range', range, false);
  const tall = (size * height) / width;
  const cell = { width: size + GAP, height: tall + GAP + (labels === undefined ? 0 : 16) };
  const top = title === undefined ? GAP : 34;
  const body = list.map((image, i) => {
    const x = GAP + (i % columns) * cell.width;
    const y = top + Math.floor(i / columns) * cell.height;
    const href = dataUri(encodePng(bytesOf(image, range), width, height, channels));
    const box = `x="${px(x)}" y="${px(y)}" width="${px(size)}" height="${px(tall)}"`;
    const label =
      labels === undefined ? '' : text(x + size / 2, y + tall + 14, fitText(labels[i], size, 11), { size: 11 });
    return `<image ${box} preserveAspectRatio="none" ${PIXELATED} href="${href}"/>${label}`;
  });
  const total = GAP + columns * cell.width;
  if (title !== undefined) {
    body.unshift(text(total / 2, 20, fitText(title, total - 8, 15), { size: 14, weight: 600 }));
  }
  return svgDocument(
    total,
    top + Math.ceil(list.length / columns) * cell.height,
    title ?? `${list.length} images`,
    body.join('\n'),
  );
}

function checkImages(where: string, images: unknown): void {
  if (typeof images === 'object' && images !== null) return;
  throw new OptionError(`${where}: got ${shown(images)}, expected a list of images or { data, shape }`);
}

function imagesOf(where: string, images: readonly ArrayLike<number>[] | ImageBatch, given?: readonly number[]) {
  checkImages(where, images);
  const batch = !Array.isArray(images) && 'shape' in images ? images : null;
  const shape = batch === null ? given : batch.shape.slice(1);
  if (shape === undefined || (batch !== null && given !== undefined)) {
    throw new OptionError(
      `${where}: expected a list of images with { shape: [height, width] }, or { data, shape: [n, height, width] }`,
    );
  }
  const [height, width, channels = 1] = shape;
  const ok =
    (shape.length === 2 || shape.length === 3) &&
    [height, width].every((d) => Number.isInteger(d) && d >= 1 && d <= 8192);
  if (!ok || (channels !== 1 && channels !== 3 && channels !== 4)) {
    throw new OptionError(
      `${where}: images of shape [${shape.join(', ')}], expected [height, width] or [height, width, channels] with 1, 3 or 4 channels`,
    );
  }
  const each = height * width * channels;
  const list =
    batch === null
      ? (images as readonly ArrayLike<number>[])
      : Array.from({ length: batch.shape[0] }, (_, i) => part(batch.data, i * each, each));
  if (batch !== null && batch.data.length !== list.length * each) {
    throw new OptionError(`${where}: got ${batch.data.length} values for shape [${batch.shape.join(', ')}]`);
  }
  if (list.length === 0 || list.length > MAX_IMAGES) {
    throw new OptionError(`${where}: got ${list.length} images, expected 1 to ${MAX_IMAGES}`);
  }
  const odd = list.findIndex((image) => image.length !== each);
  if (odd >= 0)
    throw new OptionError(
      `${where}: image ${odd} has ${list[odd].length} values, expected ${each} for [${shape.join(', ')}]`,
    );
  return { list, height, width, channels } as const;
}

function part(data: ArrayLike<number>, start: number, length: number): ArrayLike<number> {
  if (ArrayBuffer.isView(data)) return (data as Float32Array).subarray(start, start + length);
  return Array.prototype.slice.call(data, start, start + length) as number[];
}

function bytesOf(image: ArrayLike<number>, range?: readonly [number, number]): Uint8Array {
  const bytes = image instanceof Uint8Array || image instanceof Uint8ClampedArray;
  if (bytes && range === undefined) return Uint8Array.from(image);
  const [low, high] = range ?? [0, 1];
  // Uint8ClampedArray rounds, clamps, and makes 0 of NaN.
  return new Uint8Array(Uint8ClampedArray.from(image, (v) => (255 * (v - low)) / (high - low)).buffer);
}
