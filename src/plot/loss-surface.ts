import { OptionError } from '../errors.js';
import { checkArray, checkObject, checkOptions, shown, wholeNumber } from '../options.js';
import { checkRange, extent, isLog, PLOT_OPTIONS, type PlotOptions, type ScaleName, sizeOf } from './check.js';
import { COLOUR_MAPS, type ColourMap, colourAt, colourOf } from './colours.js';
import { contour, type Grid } from './contours.js';
import { type Area, frame, type LegendEntry } from './frame.js';
import { lineSign } from './marks.js';
import { dataUri, encodePng } from './png.js';
import { px } from './text.js';

/** Way of an optimizer: its points in order. */
export type SurfacePath = readonly (readonly [x: number, y: number])[];

/** Heights on a grid: `z[j][i]` at (x[i], y[j]); x and y rise in equal steps. */
export interface Surface {
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  readonly z: readonly ArrayLike<number>[];
}

export interface LossSurfaceOptions extends PlotOptions {
  /** Ends of the axes; required for a function. */
  readonly xRange?: readonly [number, number];
  readonly yRange?: readonly [number, number];
  /** Points of the grid along each axis for a function, in [2, 1000]; default 80. */
  readonly resolution?: number;
  /** 'log' for losses over several powers of ten: levels with equal factors. Default 'linear'. */
  readonly zScale?: ScaleName;
  /** How many contour lines, or their values; default 12. */
  readonly levels?: number | readonly number[];
  /** Drawn on the surface, by name: a dot where each starts, a ring where it ends. */
  readonly paths?: Readonly<Record<string, SurfacePath>>;
  /** Marked with a cross. */
  readonly minimum?: readonly [number, number];
  readonly map?: ColourMap;
}

const OPTIONS = [
  ...PLOT_OPTIONS,
  'xRange',
  'yRange',
  'resolution',
  'zScale',
  'levels',
  'paths',
  'minimum',
  'map',
] as const;

/**
 * A loss over two parameters as colours and contour lines, with the ways of optimizers.
 * @param loss a function of two numbers, or its values on a grid `{ x, y, z }`.
 * @param options `xRange` and `yRange` for a function; `zScale`, `levels`, `paths`, `minimum`, `resolution`, `map`, `title`,
 *   `xLabel`, `yLabel`, `width` (default 480), `height` (default 420).
 * @returns the text of an SVG file.
 * @throws OptionError when the ranges are missing or no height is finite.
 * @example
 * plot.lossSurface((x, y) => x * x + 4 * y * y, {
 *   xRange: [-3, 3], yRange: [-2, 2], paths: { sgd: [[2.5, 1.5], [2, 0.3], [1.6, 0.06]] }, minimum: [0, 0],
 * });
 */
export function lossSurface(
  loss: ((x: number, y: number) => number) | Surface,
  options: LossSurfaceOptions = {},
): string {
  const where = 'lossSurface';
  checkOptions(where, options, OPTIONS);
  const { width, height } = sizeOf(where, options, 480, 420);
  const log = isLog(where, 'zScale', options.zScale);
  const map = checkMap(where, options.map ?? 'viridis');
  const grid = gridOf(where, loss, options);
  const span = extent(Array.from(grid.values), log);
  if (span === null) throw new OptionError(`${where}: no value${log ? ' above 0' : ''} is finite, expected a surface`);
  const { minimum } = options;
  if (minimum !== undefined && !(Number.isFinite(minimum[0]) && Number.isFinite(minimum[1]))) {
    throw new OptionError(`${where}: minimum is [${minimum}], expected two finite numbers`);
  }
  const levels = levelsOf(where, span, log, options.levels ?? 12);
  const paths = Object.entries(options.paths ?? {});
  return frame({
    ...options,
    where,
    width,
    height,
    x: { kind: 'number', span: options.xRange ?? ends(grid.x), ends: 'span' },
    y: { kind: 'number', span: options.yRange ?? ends(grid.y), ends: 'span' },
    colourBar: { map, span, log },
    grid: false,
    clip: true,
    legend: paths.map(([name], i): LegendEntry => ({ name, sign: lineSign(i) })),
    draw: (area) => {
      const lines = levels.map((level) => contour(grid, level, area)).join('');
      const out = [
        surfaceImage(grid, span, log, map, area),
        `<path d="${lines}" fill="none" stroke="#ffffff" stroke-opacity="0.45" stroke-width="1"/>`,
      ];
      if (minimum !== undefined) out.push(cross(area.x(minimum[0]), area.y(minimum[1])));
      return out.concat(paths.map(([name, way], i) => drawPath(`${where}: path "${name}"`, way, i, area))).join('\n');
    },
  });
}

export function checkMap(where: string, map: ColourMap): ColourMap {
  if (COLOUR_MAPS.includes(map)) return map;
  throw new OptionError(`${where}: map is ${shown(map)}, expected ${COLOUR_MAPS.join(', ')}`);
}

function ends(values: ArrayLike<number>): [number, number] {
  return [values[0], values[values.length - 1]];
}

function gridOf(where: string, loss: ((x: number, y: number) => number) | Surface, options: LossSurfaceOptions): Grid {
  if (typeof loss === 'function') {
    const { xRange, yRange } = options;
    if (xRange === undefined || yRange === undefined) {
      throw new OptionError(
        `${where}: a function needs xRange and yRange, such as { xRange: [-2, 2], yRange: [-1, 1] }`,
      );
    }
    checkRange(where, 'xRange', xRange, false);
    checkRange(where, 'yRange', yRange, false);
    const n = wholeNumber(`${where}: resolution`, options.resolution ?? 80, 2, 1000);
    const [x, y] = [steps(xRange, n), steps(yRange, n)];
    const values = new Float64Array(n * n);
    y.forEach((v, j) => {
      x.forEach((u, i) => {
        const z: unknown = loss(u, v);
        if (typeof z !== 'number')
          throw new OptionError(`${where}: the function gave ${String(z)} at (${u}, ${v}), expected a number`);
        values[j * n + i] = z;
      });
    });
    return { x, y, values };
  }
  checkObject(`${where}: surface`, loss, 'x, y and z');
  const { x, y, z } = loss;
  for (const [name, list] of Object.entries({ x, y, z })) checkArray(where, name, list);
  for (const [name, range] of [
    ['xRange', options.xRange],
    ['yRange', options.yRange],
  ] as const) {
    if (range !== undefined) checkRange(where, name, range, false);
  }
  if (x.length < 2 || y.length < 2 || z.length !== y.length || z.some((row) => row.length !== x.length)) {
    throw new OptionError(
      `${where}: got ${x.length} x, ${y.length} y and ${z.length} rows of z of ${z[0]?.length ?? 0}, expected z[y.length][x.length] and at least 2 of each`,
    );
  }
  for (const [name, list] of [
    ['x', x],
    ['y', y],
  ] as const) {
    const step = (list[list.length - 1] - list[0]) / (list.length - 1);
    for (let i = 0; i < list.length; i++) {
      if (step > 0 && Math.abs(list[i] - list[0] - i * step) <= 1e-4 * step) continue;
      throw new OptionError(`${where}: ${name}[${i}] is ${list[i]}, expected values that rise in equal steps`);
    }
  }
  return { x, y, values: Float64Array.from(z.flatMap((row) => Array.from(row))) };
}

export function steps([low, high]: readonly [number, number], n: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => low + ((high - low) * i) / (n - 1));
}

function levelsOf(
  where: string,
  [low, high]: readonly [number, number],
  log: boolean,
  levels: number | readonly number[],
): readonly number[] {
  if (typeof levels !== 'number') return levels;
  const count = wholeNumber(`${where}: levels`, levels, 1, 200);
  if (low === high) return [];
  return Array.from({ length: count }, (_, i) => {
    const share = (i + 1) / (count + 1);
    return log ? low * (high / low) ** share : low + (high - low) * share;
  });
}

/** One pixel a grid point, smoothed by whoever shows it; values that are not finite stay transparent. */
function surfaceImage(grid: Grid, span: readonly [number, number], log: boolean, map: ColourMap, area: Area): string {
  const [nx, ny] = [grid.x.length, grid.y.length];
  const place = log ? Math.log : (v: number) => v;
  const [low, high] = span.map(place);
  const pixels = new Uint8Array(nx * ny * 4);
  for (let j = 0; j < ny; j++) {
    for (let i = 0; i < nx; i++) {
      const v = grid.values[(ny - 1 - j) * nx + i];
      if (Number.isNaN(v) || v === Number.POSITIVE_INFINITY) continue;
      const t = high > low ? (place(Math.max(v, span[0])) - low) / (high - low) : 0;
      pixels.set([...colourAt(map, t).map(Math.round), 255], (j * nx + i) * 4);
    }
  }
  return gridImage(pixels, grid, area);
}

/** An image whose pixels are centred on the points of the grid. */
export function gridImage(pixels: Uint8Array, { x, y }: Grid, area: Area): string {
  const [left, right] = ends(x).map(area.x);
  const [bottom, top] = ends(y).map(area.y);
  const [dx, dy] = [(right - left) / (x.length - 1), (bottom - top) / (y.length - 1)];
  const box = `x="${px(left - dx / 2)}" y="${px(top - dy / 2)}" width="${px(right - left + dx)}" height="${px(bottom - top + dy)}"`;
  return `<image ${box} preserveAspectRatio="none" href="${dataUri(encodePng(pixels, x.length, y.length, 4))}"/>`;
}

function drawPath(label: string, way: SurfacePath, i: number, area: Area): string {
  if (!Array.isArray(way) || way.length === 0) throw new OptionError(`${label} has no points, expected [[x, y], …]`);
  const points = way
    .filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y))
    .map(([x, y]) => [area.x(x), area.y(y)] as const);
  // A path that ran away is drawn to the border and a little beyond.
  const near = (v: number, low: number, high: number): number => Math.max(2 * low - high, Math.min(2 * high - low, v));
  return wayElements(
    points.map(([x, y]) => [near(x, area.left, area.right), near(y, area.top, area.bottom)] as const),
    i,
  );
}

/** A line with a light edge, which can be seen on every colour of the map; a dot where it starts, a ring where it ends. */
function wayElements(points: readonly (readonly [number, number])[], i: number): string {
  if (points.length === 0) return '';
  const d = points.map(([x, y], k) => `${k === 0 ? 'M' : 'L'}${px(x)} ${px(y)}`).join('');
  const [first, last] = [points[0], points[points.length - 1]];
  const circle = ([x, y]: readonly [number, number], fill: string, stroke: string): string =>
    `<circle cx="${px(x)}" cy="${px(y)}" r="3.5" fill="${fill}" stroke="${stroke}" stroke-width="1.8"/>`;
  const line = (width: number, colour: string): string =>
    `<path d="${d}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-linejoin="round"/>`;
  return (
    line(4, '#ffffff') +
    line(2, colourOf(i)) +
    circle(first, colourOf(i), '#ffffff') +
    circle(last, '#ffffff', colourOf(i))
  );
}

function cross(x: number, y: number): string {
  const d = `M${px(x - 6)} ${px(y - 6)}l12 12m0-12l-12 12`;
  return `<path d="${d}" stroke="#000000" stroke-width="4.5"/><path d="${d}" stroke="#ffffff" stroke-width="2.2"/>`;
}
