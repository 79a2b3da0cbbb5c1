import { OptionError } from '../errors.js';
import { checkArray, checkList, checkOptions } from '../options.js';
import { checkRange, extent, isLog, PLOT_OPTIONS, type PlotOptions, type ScaleName, sizeOf } from './check.js';
import { type ColourMap, colourAt, hexOf, inkOn } from './colours.js';
import { type Area, frame } from './frame.js';
import { checkMap } from './loss-surface.js';
import { dataUri, encodePng } from './png.js';
import { px, text, textWidth } from './text.js';
import { shortNumber } from './ticks.js';

export interface HeatmapOptions extends PlotOptions {
  /** One name a row, from the top; default 0, 1, 2, … */
  readonly rows?: readonly string[];
  /** One name a column; default 0, 1, 2, … */
  readonly columns?: readonly string[];
  /** Default 'viridis'. */
  readonly map?: ColourMap;
  /** Values of the ends of the map; default the smallest and the largest. */
  readonly range?: readonly [number, number];
  /** 'log' for values over several powers of ten; default 'linear'. */
  readonly scale?: ScaleName;
  /** Writes the values into the cells; default when there is room. */
  readonly annotate?: boolean;
}

export type Matrix = readonly ArrayLike<number>[];

const OPTIONS = [...PLOT_OPTIONS, 'rows', 'columns', 'map', 'range', 'scale', 'annotate'] as const;

/**
 * A matrix as colours, with a scale beside it. Cells that are not finite (or not above 0 on a log scale) stay empty.
 * @param values `[rows][columns]`, at most 4096 each.
 * @param options `rows`, `columns` (names), `map`, `range`, `scale`, `annotate`, `title`, `xLabel`, `yLabel`, `width`, `height`.
 * @throws OptionError for a ragged or empty matrix, or names that are not as many.
 * @example plot.heatmap(correlations, { rows: names, columns: names, map: 'diverging', range: [-1, 1] });
 */
export function heatmap(values: Matrix, options: HeatmapOptions = {}): string {
  return drawHeatmap('heatmap', values, options, (v) => shortNumber(v));
}

export interface ConfusionMatrixOptions extends PlotOptions {
  /** Names of the classes; default 0, 1, 2, … */
  readonly classes?: readonly string[];
  /** Shows each row as shares of its label's samples instead of counts; default false. */
  readonly normalize?: boolean;
}

/**
 * A confusion matrix: a row for each label, a column for each prediction; the colour is the share of the row.
 * @param matrix `[classes][classes]` of counts, as `metrics.confusionMatrix` returns.
 * @param options `classes`, `normalize`, `title`, `xLabel`, `yLabel`, `width`, `height`.
 * @throws OptionError for a matrix that is not square or has counts below 0.
 * @example plot.confusionMatrix(metrics.confusionMatrix(labels, predictions), { classes: ['cat', 'dog'] });
 */
export function confusionMatrix(matrix: Matrix, options: ConfusionMatrixOptions = {}): string {
  const where = 'confusionMatrix';
  checkOptions(where, options, [...PLOT_OPTIONS, 'classes', 'normalize']);
  const { classes, normalize = false, ...rest } = options;
  checkMatrix(where, matrix);
  const n = matrix.length;
  const shares = matrix.map((row, i) => {
    if (row.length !== n)
      throw new OptionError(`${where}: row ${i} has ${row.length} counts, expected ${n}: it is square`);
    const counts = Array.from(row);
    const odd = counts.findIndex((v) => !(v >= 0 && Number.isFinite(v)));
    if (odd >= 0) throw new OptionError(`${where}: row ${i}, column ${odd} is ${counts[odd]}, expected a count >= 0`);
    const total = counts.reduce((a, b) => a + b, 0);
    return counts.map((v) => (total === 0 ? 0 : v / total));
  });
  const names = classes ?? Array.from({ length: n }, (_, i) => String(i));
  const words = {
    title: 'Confusion matrix',
    xLabel: 'predicted',
    yLabel: 'label',
    map: 'blues',
    range: [0, 1],
  } as const;
  // Cells that hold their counts, and their names as far as these are not long.
  const name = names.reduce((most, label) => Math.max(most, textWidth(label)), 0);
  const side = Math.min(900, Math.max(280, n * 42));
  const size = {
    width: rest.width ?? Math.max(side, Math.min(900, n * Math.min(110, name + 12))) + Math.min(name, 110) + 90,
    height: rest.height ?? side + 80,
  };
  const show = (share: number, i: number, j: number): string => (normalize ? share.toFixed(2) : String(matrix[i][j]));
  return drawHeatmap(where, shares, { ...words, ...rest, ...size, rows: names, columns: names }, show);
}

function checkMatrix(where: string, values: Matrix): void {
  checkList(where, 'matrix', values, 'rows');
  for (const [i, row] of values.entries()) checkArray(where, `row ${i}`, row);
}

function drawHeatmap(
  where: string,
  values: Matrix,
  options: HeatmapOptions,
  show: (v: number, i: number, j: number) => string,
): string {
  checkOptions(where, options, OPTIONS);
  checkMatrix(where, values);
  const [n, m] = [values.length, values[0]?.length ?? 0];
  const ragged = values.findIndex((row) => row.length !== m);
  if (n === 0 || m === 0 || n > MAX_SIDE || m > MAX_SIDE || ragged >= 0) {
    const got = ragged >= 0 ? `row ${ragged} has ${values[ragged].length} values, row 0 has ${m}` : `got [${n}, ${m}]`;
    throw new OptionError(`${where}: ${got}, expected a matrix of 1 to ${MAX_SIDE} rows and columns`);
  }
  const { width, height } = sizeOf(where, options);
  const log = isLog(where, 'scale', options.scale);
  const map = checkMap(where, options.map ?? 'viridis');
  if (options.range !== undefined) checkRange(where, 'range', options.range, log);
  const span =
    options.range ??
    extent(
      values.flatMap((row) => Array.from(row)),
      log,
    );
  if (span === null) throw new OptionError(`${where}: no value${log ? ' above 0' : ''} is finite`);
  const place = log ? Math.log : (v: number) => v;
  const [low, high] = span.map(place);
  const shade = (v: number) => (high > low ? (place(v) - low) / (high - low) : 0.5);
  const drawable = (v: number): boolean => Number.isFinite(v) && !(log && v <= 0);
  return frame({
    ...options,
    where,
    width,
    height,
    x: { kind: 'names', names: namesOf(where, 'columns', options.columns, m) },
    y: { kind: 'names', names: namesOf(where, 'rows', options.rows, n) },
    colourBar: { map, span, log },
    draw: (area) => {
      const cells = { values, drawable, colour: (v: number) => colourAt(map, shade(v)) };
      const picture = n * m <= MAX_RECTS ? rectangles(cells, area) : image(cells, area);
      return picture + annotations(cells, area, options.annotate, show);
    },
  });
}

/** More cells than a person can look at, and fewer than a picture costs much for. */
const MAX_SIDE = 4096;
/** Above it, one image is smaller than that many rectangles. */
const MAX_RECTS = 400;

interface Cells {
  readonly values: Matrix;
  readonly drawable: (v: number) => boolean;
  readonly colour: (v: number) => readonly [number, number, number];
}

function namesOf(
  where: string,
  option: string,
  names: readonly string[] | undefined,
  count: number,
): readonly string[] {
  if (names !== undefined) checkList(where, option, names, 'names');
  if (names !== undefined && names.length !== count) {
    throw new OptionError(`${where}: got ${names.length} names for ${count} ${option}, expected as many`);
  }
  return names ?? Array.from({ length: count }, (_, i) => String(i));
}

function rectangles({ values, drawable, colour }: Cells, area: Area): string {
  const [w, h] = cellSize(values, area);
  return values
    .map((row, i) =>
      Array.from(row, (v, j) => {
        if (!drawable(v)) return '';
        const at = `x="${px(area.left + j * w)}" y="${px(area.top + i * h)}"`;
        return `<rect ${at} width="${px(w)}" height="${px(h)}" fill="${hexOf(colour(v))}" shape-rendering="crispEdges"/>`;
      }).join(''),
    )
    .join('\n');
}

function image({ values, drawable, colour }: Cells, { left, right, top, bottom }: Area): string {
  const [n, m] = [values.length, values[0].length];
  const pixels = new Uint8Array(n * m * 4);
  values.forEach((row, i) => {
    for (let j = 0; j < m; j++) {
      if (drawable(row[j])) pixels.set([...colour(row[j]).map(Math.round), 255], (i * m + j) * 4);
    }
  });
  const box = `x="${px(left)}" y="${px(top)}" width="${px(right - left)}" height="${px(bottom - top)}"`;
  return `<image ${box} preserveAspectRatio="none" ${PIXELATED} href="${dataUri(encodePng(pixels, m, n, 4))}"/>`;
}

/** Shows the pixels of a small image as squares: SVG's own word for CSS' `pixelated`. */
export const PIXELATED = 'image-rendering="optimizeSpeed"';

function annotations(
  { values, drawable, colour }: Cells,
  area: Area,
  wanted: boolean | undefined,
  show: (v: number, i: number, j: number) => string,
): string {
  const [w, h] = cellSize(values, area);
  if (wanted === false || values.length * values[0].length > MAX_RECTS) return '';
  const labels = values.map((row, i) => Array.from(row, (v, j) => (drawable(v) ? show(v, i, j) : '')));
  const widest = Math.max(...labels.flat().map((s) => textWidth(s, 1)));
  const size = Math.min(13, Math.floor(h * 0.6), Math.floor((w - 4) / widest));
  if (size < (wanted === true ? 3 : 7)) return '';
  return labels
    .flatMap((row, i) =>
      row.map((label, j) =>
        label === ''
          ? ''
          : text(area.x(j), area.y(i) + size * 0.36, label, { size, colour: inkOn(colour(values[i][j])) }),
      ),
    )
    .join('');
}

function cellSize(values: Matrix, { left, right, top, bottom }: Area): [number, number] {
  return [(right - left) / values[0].length, (bottom - top) / values.length];
}
