import { max, mean, OptionError, permute, reshape, type Tensor } from '../core.js';
import type { TensorDataset } from '../data/index.js';
import type { Module } from '../nn/index.js';
import { checkOptions } from '../options.js';
import { bars, imageGrid, save } from '../plot/index.js';
import {
  featureMaps,
  filters,
  findMisclassified,
  type GradCamOptions,
  gradCamWithClasses,
  type LayerChoice,
  type MisclassifiedOptions,
  type Pictures,
  picturesOf,
  type SaliencyOptions,
  saliencyWithClasses,
} from './look.js';

export interface SheetOptions {
  /** Where the picture goes: a path that ends in .svg or .png; without, nothing is written. */
  readonly file?: string;
  /** Width of an image in pixels, in [8, 2048]; default 72. */
  readonly size?: number;
  readonly title?: string;
}

export interface NamedSheetOptions extends SheetOptions {
  /** Names of the classes; default their numbers. */
  readonly names?: readonly string[];
}

const SHEET = ['file', 'size', 'title'];

/**
 * Draws the {@link filters} of a convolution: in colour when they are of three channels, else a row of grey images a filter, one
 * for each input channel. Grey is 0, on a scale common to all.
 * @param options `layer`, `file`, `size`, `title`.
 * @returns the text of an SVG file.
 * @throws as {@link filters}.
 * @example await diagnostics.filterSheet(model, { file: 'filters.svg' });
 */
export async function filterSheet(model: Module, options: Partial<LayerChoice> & SheetOptions = {}): Promise<string> {
  checkOptions('filterSheet', options, ['layer', ...SHEET]);
  const w = await filters(model, options.layer === undefined ? {} : { layer: options.layer });
  const [out, height, width, channels] = w.shape;
  const planes = channels === 3 ? w : reshape(permute(w, [0, 3, 1, 2]), [out * channels, height, width]);
  const data = await numbers(planes);
  const most = data.reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 0) || 1;
  const columns = channels === 1 || channels === 3 ? {} : { columns: channels };
  const title = `filters from ${(-most).toPrecision(2)} to ${most.toPrecision(2)}`;
  return drawn({ data, shape: planes.shape }, { title, ...options }, { range: [-most, most], ...columns });
}

/**
 * Draws the {@link featureMaps} of a layer, a row for each picture and a column for each channel, on one scale of grey.
 * @param options `layer` (required), `file`, `size`, `title`.
 * @returns the text of an SVG file.
 * @throws as {@link featureMaps}.
 * @example await diagnostics.featureSheet(model, test.subset([0, 1]), { layer: '0', file: 'features.svg' });
 */
export async function featureSheet(
  model: Module,
  pictures: Pictures,
  options: LayerChoice & SheetOptions,
): Promise<string> {
  checkOptions('featureSheet', options, ['layer', ...SHEET]);
  const maps = await featureMaps(model, pictures, { layer: options.layer });
  const [n, height, width, channels] = maps.shape;
  const data = await numbers(reshape(permute(maps, [0, 3, 1, 2]), [n * channels, height, width]));
  const [low, high] = span(data);
  const title = `layer ${options.layer}, from ${low.toPrecision(2)} to ${high.toPrecision(2)}`;
  const range: [number, number] = low < high ? [low, high] : [low, low + 1];
  return drawn({ data, shape: [n * channels, height, width] }, { title, ...options }, { range, columns: channels });
}

/**
 * Draws each picture and beside it its {@link saliency}: the largest over the channels, each map as far as its own largest value.
 * @param options `classes`, `smooth`, `names`, `file`, `size`, `title`.
 * @returns the text of an SVG file.
 * @throws as {@link saliency}.
 * @example await diagnostics.saliencySheet(model, test, { smooth: true, file: 'saliency.svg' });
 */
export async function saliencySheet(
  model: Module,
  pictures: Pictures,
  options: SaliencyOptions & NamedSheetOptions = {},
): Promise<string> {
  const where = 'saliencySheet';
  checkOptions(where, options, ['classes', 'smooth', 'names', ...SHEET]);
  const x = await picturesOf(where, pictures);
  const { maps, classes } = await saliencyWithClasses(where, model, x, options);
  const heat = await numbers(maps.shape.length === 4 ? max(maps, { axis: 3 }) : maps);
  return pairs(where, x, heat, await numbers(classes), (_, [r, g, b]) => [r, g, b], { title: 'saliency', ...options });
}

/**
 * Draws each picture and beside it its {@link gradCam} laid over it, each map as far as its own largest value: dark where
 * nothing speaks for the class, then red, yellow and white.
 * @param options `layer`, `classes`, `names`, `file`, `size`, `title`.
 * @returns the text of an SVG file.
 * @throws as {@link gradCam}.
 * @example await diagnostics.gradCamSheet(model, test, { names: ['cat', 'dog'], file: 'why.svg' });
 */
export async function gradCamSheet(
  model: Module,
  pictures: Pictures,
  options: GradCamOptions & NamedSheetOptions = {},
): Promise<string> {
  const where = 'gradCamSheet';
  checkOptions(where, options, ['layer', 'classes', 'names', ...SHEET]);
  const x = await picturesOf(where, pictures);
  const { maps, classes } = await gradCamWithClasses(where, model, x, options);
  const over = (grey: number, hot: Colour): Colour => [0, 1, 2].map((k) => 0.4 * grey + 0.6 * hot[k]) as Colour;
  return pairs(where, x, await numbers(maps), await numbers(classes), over, { title: 'Grad-CAM', ...options });
}

/**
 * Draws the {@link misclassified} pictures of a data set with the predicted class and, behind "not", the label.
 * @param options `limit`, `batchSize`, `names`, `file`, `size`, `title`.
 * @returns the text of an SVG file.
 * @throws as {@link misclassified}; ShapeError for samples that are no pictures.
 * @example await diagnostics.misclassifiedSheet(model, test, { file: 'wrong.svg' });
 */
export async function misclassifiedSheet(
  model: Module,
  dataset: TensorDataset,
  options: MisclassifiedOptions & NamedSheetOptions = {},
): Promise<string> {
  const where = 'misclassifiedSheet';
  checkOptions(where, options, ['limit', 'batchSize', 'names', ...SHEET]);
  const { count, indices, predicted, labels } = await findMisclassified(where, model, dataset, options);
  const heading = { title: `${count} of ${dataset.length} misclassified`, ...options };
  if (count === 0) {
    const svg = bars([''], { '': [0] }, { title: heading.title });
    if (options.file !== undefined) await save(svg, options.file);
    return svg;
  }
  const x = await picturesOf(where, dataset.subset(indices), indices.length);
  const { data, shape, range } = await shown(x);
  const name = (c: number): string => nameOf(where, options.names, c);
  const texts = Array.from(indices, (_, i) => `${name(predicted[i])}, not ${name(labels[i])}`);
  return drawn({ data, shape }, heading, { range, labels: texts });
}

type Colour = [red: number, green: number, blue: number];

async function numbers(t: Tensor): Promise<Float64Array> {
  return Float64Array.from((await t.data()) as ArrayLike<number>);
}

/** The smallest and largest finite value. */
function span(data: Float64Array): [number, number] {
  const finite = data.filter(Number.isFinite);
  if (finite.length === 0) return [0, 0];
  return finite.reduce(([a, b], v): [number, number] => [Math.min(a, v), Math.max(b, v)], [finite[0], finite[0]]);
}

function nameOf(where: string, names: readonly string[] | undefined, c: number): string {
  if (names !== undefined && names[c] === undefined) {
    throw new OptionError(`${where}: got ${names.length} names, expected one for each class up to ${c}`);
  }
  return names?.[c] ?? String(c);
}

/** Pictures as an image grid takes them: channels of another number than 1, 3 and 4 become their mean. */
async function shown(x: Tensor) {
  const drawable = x.shape.length === 3 || [1, 3, 4].includes(x.shape[3]);
  const images = drawable ? x : mean(x, { axis: 3 });
  const data = await numbers(images);
  const [low, high] = span(data);
  const range: [number, number] = low >= 0 && high <= 1 ? [0, 1] : low < high ? [low, high] : [low, low + 1];
  return { data, shape: images.shape, range };
}

/** Each picture and its map side by side, in colour; `blend` makes a pixel of its grey and the map's colour. */
function pairs(
  where: string,
  x: Tensor,
  heat: Float64Array,
  classes: Float64Array,
  blend: (grey: number, hot: Colour) => Colour,
  options: NamedSheetOptions,
): Promise<string> {
  const labels = Array.from(classes, (c) => nameOf(where, options.names, c)).flatMap((name) => ['', name]);
  return shown(x).then(({ data, shape, range: [low, high] }) => {
    const [n, height, width, channels = 1] = shape;
    const pixels = height * width;
    const out = new Float64Array(n * 2 * pixels * 3);
    for (let i = 0; i < n; i++) {
      const own = heat.subarray(i * pixels, (i + 1) * pixels);
      const most = span(own)[1] || 1;
      for (let p = 0; p < pixels; p++) {
        const at = (i * pixels + p) * channels;
        const rgb = [0, 1, 2].map((k) => (data[at + (channels < 3 ? 0 : k)] - low) / (high - low)) as Colour;
        const v = own[p] / most;
        const hot = [0, 1, 2].map((k) => Math.min(1, Math.max(0, 3 * v - k))) as Colour;
        out.set(rgb, (i * 2 * pixels + p) * 3);
        out.set(blend((rgb[0] + rgb[1] + rgb[2]) / 3, hot), ((i * 2 + 1) * pixels + p) * 3);
      }
    }
    return drawn({ data: out, shape: [2 * n, height, width, 3] }, options, { columns: n > 4 ? 8 : 2, labels });
  });
}

async function drawn(
  images: { readonly data: Float64Array; readonly shape: readonly number[] },
  { file, size = 72, title }: SheetOptions,
  rest: Omit<NonNullable<Parameters<typeof imageGrid>[1]>, 'size' | 'title'>,
): Promise<string> {
  const svg = imageGrid(images, { size, ...(title === undefined ? {} : { title }), ...rest });
  if (file !== undefined) await save(svg, file);
  return svg;
}
