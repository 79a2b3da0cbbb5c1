import { OptionError } from '../errors.js';
import { checkOptions, shown, wholeNumber } from '../options.js';
import { AXES_OPTIONS, type AxesOptions, checkRange, extent, isLog, sizeOf } from './check.js';
import { colourOf } from './colours.js';
import { type Area, frame, type LegendEntry, type NumberAxis } from './frame.js';
import { dash, legendOf, lineSign } from './marks.js';
import { px } from './text.js';

/** One line of a chart. Points that are not finite, or not above 0 on a log scale, leave a gap. */
export interface Series {
  /** Shown in the legend; without it the line has no entry there. */
  readonly name?: string;
  /** As many as y; default 0, 1, 2, … */
  readonly x?: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  readonly dashed?: boolean;
  /** Number of the colour and dash; default the position in the list. Two lines may share one. */
  readonly colour?: number;
}

/** Series, or the y values of each by name. */
export type SeriesLike = readonly Series[] | Readonly<Record<string, ArrayLike<number>>>;

export interface LinesOptions extends AxesOptions {
  /** Ticks of the x axis are whole numbers: epochs, steps. Default when no series has x values. */
  readonly wholeX?: boolean;
  /** Marks on the points; default on lines of at most 40. */
  readonly markers?: boolean;
}

const LINES_OPTIONS = [...AXES_OPTIONS, 'wholeX', 'markers'] as const;

/** Points are marked while there are few enough to tell them apart. */
const MAX_MARKED = 40;

/**
 * A line chart.
 * @param series each `{ name, x, y }`, or an object of y values by name.
 * @param options `title`, `xLabel`, `yLabel`, `xScale`, `yScale`, `xRange`, `yRange`, `wholeX`, `markers`, `width`, `height`.
 * @returns the text of an SVG file with a transparent background, readable on white and on dark pages.
 * @throws OptionError when there is nothing to draw or a series does not fit.
 * @example await plot.save(plot.lines({ adam: [0.9, 0.5, 0.4], sgd: [0.9, 0.8, 0.7] }, { yScale: 'log' }), 'loss.svg');
 */
export function lines(series: SeriesLike, options: LinesOptions = {}): string {
  return drawLines('lines', series, options);
}

/** Drawn above the lines, with entries for the legend. */
export interface Extra {
  readonly draw: (area: Area) => string;
  readonly legend?: readonly LegendEntry[];
}

export function drawLines(where: string, given: SeriesLike, options: LinesOptions, extra?: Extra): string {
  checkOptions(where, options, LINES_OPTIONS);
  const series = seriesOf(where, given);
  const { width, height } = sizeOf(where, options);
  const [x, y] = numberAxes(where, series, options, options.wholeX ?? series.every((one) => one.counted));
  const drawn = series.map((one, i) => ({ ...one, colour: one.colour ?? i }));
  return frame({
    ...options,
    where,
    width,
    height,
    x,
    y,
    legend: [...legendOf(drawn, (one) => lineSign(one.colour, one.dashed)), ...(extra?.legend ?? [])],
    clip: options.xRange !== undefined || options.yRange !== undefined,
    draw: (area) =>
      drawn
        .map((one) => curve(one, one.colour, area, options.markers, x.log === true, y.log === true))
        .concat(extra?.draw(area) ?? [])
        .join('\n'),
  });
}

/** The series with their x values. @throws OptionError for lengths that differ. */
export function seriesOf(where: string, given: SeriesLike): (Series & { x: ArrayLike<number>; counted: boolean })[] {
  if (typeof given !== 'object' || given === null) {
    throw new OptionError(`${where}: got ${shown(given)}, expected series, or lists of numbers by name`);
  }
  const list = Array.isArray(given)
    ? (given as readonly Series[])
    : Object.entries(given).map(([name, y]): Series => ({ name, y: y as ArrayLike<number> }));
  if (list.length === 0) throw new OptionError(`${where}: got no series, expected at least one`);
  return list.map((one, i) => {
    const label = `${where}: series ${one?.name === undefined ? i : JSON.stringify(one.name)}`;
    if (!isNumbers(one?.y))
      throw new OptionError(`${label} has no y values, expected { name, x, y } with arrays of numbers`);
    if (one.x !== undefined && !isNumbers(one.x)) throw new OptionError(`${label}: x is not an array of numbers`);
    if (one.colour !== undefined) wholeNumber(`${label}: colour`, one.colour, 0);
    const x = one.x ?? Float64Array.from({ length: one.y.length }, (_, k) => k);
    if (x.length !== one.y.length) {
      throw new OptionError(`${label} has ${x.length} x and ${one.y.length} y values, expected as many`);
    }
    return { ...one, x, counted: one.x === undefined };
  });
}

function isNumbers(list: unknown): list is ArrayLike<number> {
  if (ArrayBuffer.isView(list)) return 'length' in list;
  return Array.isArray(list) && list.every((v) => typeof v === 'number');
}

/** Axes around all points of the series. */
export function numberAxes(
  where: string,
  series: readonly { readonly x: ArrayLike<number>; readonly y: ArrayLike<number> }[],
  options: AxesOptions,
  wholeX = false,
  xEnds: 'nice' | 'span' = 'span',
): [NumberAxis, NumberAxis] {
  const xLog = isLog(where, 'xScale', options.xScale);
  const yLog = isLog(where, 'yScale', options.yScale);
  const spans = spansOf(series, xLog, yLog);
  if (spans === null) {
    const log = xLog || yLog ? ' above 0 for the log scale' : '';
    throw new OptionError(`${where}: got no finite point${log} to draw`);
  }
  const { xRange, yRange } = options;
  if (xRange !== undefined) checkRange(where, 'xRange', xRange, xLog);
  if (yRange !== undefined) checkRange(where, 'yRange', yRange, yLog);
  return [
    {
      kind: 'number',
      log: xLog,
      span: xRange ?? spans[0],
      whole: wholeX,
      ends: xRange === undefined ? xEnds : 'span',
      inset: xRange === undefined && xEnds === 'span' ? 6 : 0,
    },
    { kind: 'number', log: yLog, span: yRange ?? spans[1], ends: yRange === undefined ? 'nice' : 'span' },
  ];
}

/** Extents of the points that can be drawn: a point needs both of its coordinates. */
function spansOf(
  series: readonly { readonly x: ArrayLike<number>; readonly y: ArrayLike<number> }[],
  xLog: boolean,
  yLog: boolean,
): [[number, number], [number, number]] | null {
  function* points(values: 'x' | 'y'): Generator<number> {
    for (const one of series) {
      for (let i = 0; i < one.y.length; i++)
        if (canDraw(one.x[i], xLog) && canDraw(one.y[i], yLog)) yield one[values][i];
    }
  }
  const [x, y] = [extent(points('x')), extent(points('y'))];
  return x === null || y === null ? null : [x, y];
}

export function canDraw(v: number, log: boolean): boolean {
  return Number.isFinite(v) && !(log && v <= 0);
}

function curve(
  one: Series & { readonly x: ArrayLike<number> },
  colour: number,
  area: Area,
  markers: boolean | undefined,
  xLog: boolean,
  yLog: boolean,
): string {
  const { pieces, points } = polyline(one, area, xLog, yLog);
  const style = `fill="none" stroke="${colourOf(colour)}" stroke-width="2" stroke-linejoin="round"`;
  const line = `<path d="${pieces}" ${style}${dash(colour, one.dashed)}/>`;
  if (!(markers ?? points.length <= MAX_MARKED)) return line;
  const circles = points.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="2.6"/>`);
  return `${line}\n<g fill="${colourOf(colour)}">${circles.join('')}</g>`;
}

/**
 * Path data of the line, and its points. Of the points that share a column of pixels the first, the lowest, the highest and
 * the last are kept: a million points look the same and take a few kilobytes.
 */
function polyline(one: Series & { readonly x: ArrayLike<number> }, area: Area, xLog: boolean, yLog: boolean) {
  const points: [string, string][] = [];
  let pieces = '';
  let column: [number, number][] = [];
  let pen = 'M';
  const put = ([x, y]: [number, number]): void => {
    points.push([px(x), px(y)]);
    pieces += `${pen}${px(x)} ${px(y)}`;
    pen = 'L';
  };
  const flush = (): void => {
    if (column.length <= 4) column.forEach(put);
    else {
      const heights = column.map(([, y]) => y);
      const low = heights.indexOf(extreme(heights, Math.min));
      const high = heights.indexOf(extreme(heights, Math.max));
      const kept = [...new Set([0, low, high, column.length - 1])].sort((a, b) => a - b);
      for (const i of kept) put(column[i]);
    }
    column = [];
  };
  for (let i = 0; i < one.y.length; i++) {
    if (!canDraw(one.x[i], xLog) || !canDraw(one.y[i], yLog)) {
      flush();
      pen = 'M';
      continue;
    }
    const at: [number, number] = [area.x(one.x[i]), area.y(one.y[i])];
    if (column.length > 0 && Math.round(column[0][0]) !== Math.round(at[0])) flush();
    column.push(at);
  }
  flush();
  return { pieces, points };
}

function extreme(values: readonly number[], pick: (a: number, b: number) => number): number {
  return values.reduce((a, b) => pick(a, b));
}
