import { isFloat, Tensor, tensor } from '../core.js';
import { type DataInput, TensorDataset } from '../data/index.js';
import { DataError, OptionError, ShapeError } from '../errors.js';
import type { Module } from '../nn/index.js';
import { checkObject, checkOptions, wholeNumber } from '../options.js';
import { type AxesOptions, checkRange, extent, PLOT_OPTIONS, type PlotOptions, sizeOf } from './check.js';
import { colourOf, INK, rgbOf } from './colours.js';
import { contour, type Grid } from './contours.js';
import { type Area, frame } from './frame.js';
import { gridImage, steps } from './loss-surface.js';
import { pointSign } from './marks.js';
import { points, radiusFor } from './scatter.js';
import { widened } from './ticks.js';

/** What is drawn: a module, or a function of points `[n, 2]`. */
export type BoundaryModel = Module | ((x: Tensor) => Tensor | Promise<Tensor>);

export interface DecisionBoundaryOptions extends PlotOptions, Pick<AxesOptions, 'xRange' | 'yRange'> {
  /** Whether single outputs are logits, split at 0 (default true), or probabilities, split at 0.5. */
  readonly fromLogits?: boolean;
  /** Names of the classes in the legend; default 'class 0', 'class 1', … */
  readonly classes?: readonly string[];
  /** Points along each axis at which the model is asked, in [2, 1000]; default 150. */
  readonly resolution?: number;
  /** Radius of the data's points in pixels. */
  readonly radius?: number;
}

const OPTIONS = [...PLOT_OPTIONS, 'xRange', 'yRange', 'fromLogits', 'classes', 'resolution', 'radius'] as const;

/** Points in one run of the model. */
const BATCH = 4096;

/**
 * What a classifier of two features answers everywhere in the plane, stronger where it is surer, with the boundaries
 * between the classes and the data on top. Runs in evaluation mode; the model's mode is put back.
 * @param model a module, or a function from points `[n, 2]` to outputs: one logit `[n]` or `[n, 1]`, logits
 *   `[n, classes]`, or whole classes `[n]` of an integer dtype.
 * @param data a TensorDataset or `{ x, y }`: x `[n, 2]`, y `[n]` or `[n, 1]` class numbers or `[n, classes]` of one-hot rows.
 * @param options `xRange`, `yRange`, `fromLogits`, `classes`, `resolution`, `title`, `xLabel`, `yLabel`, `width` (default 480),
 *   `height` (default 420).
 * @returns the text of an SVG file.
 * @throws ShapeError for data or outputs of other shapes; DataError for labels that are no class and outputs that are NaN.
 * @example await plot.save(await plot.decisionBoundary(model, data.moons(200)), 'moons.svg');
 */
export async function decisionBoundary(
  model: BoundaryModel,
  data: TensorDataset | { readonly x: DataInput; readonly y: DataInput },
  options: DecisionBoundaryOptions = {},
): Promise<string> {
  const where = 'decisionBoundary';
  checkOptions(where, options, OPTIONS);
  const { width, height } = sizeOf(where, options, 480, 420);
  const n = wholeNumber(`${where}: resolution`, options.resolution ?? 150, 2, 1000);
  const { x, labels } = await samples(where, data);
  const radius = radiusFor(where, labels.length, options.radius);
  const axes = ([0, 1] as const).map((column) => {
    const [name, range] = column === 0 ? (['xRange', options.xRange] as const) : (['yRange', options.yRange] as const);
    if (range !== undefined) {
      checkRange(where, name, range, false);
      return steps(range, n);
    }
    const [low, high] = widened(...(extent(x.filter((_, i) => i % 2 === column)) as [number, number]));
    return steps([low - 0.08 * (high - low), high + 0.08 * (high - low)], n);
  });
  const field = await ask(where, model, axes[0], axes[1], options.fromLogits ?? true);
  const classes = Math.max(
    field.classes,
    labels.reduce((most, label) => Math.max(most, label + 1), 0),
  );
  const names = options.classes ?? Array.from({ length: classes }, (_, i) => `class ${i}`);
  if (names.length < classes) throw new OptionError(`${where}: got ${names.length} classes, expected ${classes} names`);
  return frame({
    ...options,
    where,
    width,
    height,
    x: { kind: 'number', span: [axes[0][0], axes[0][n - 1]], ends: 'span' },
    y: { kind: 'number', span: [axes[1][0], axes[1][n - 1]], ends: 'span' },
    grid: false,
    clip: true,
    legend: names.slice(0, classes).map((name, i) => ({ name, sign: pointSign(i) })),
    draw: (area) => drawField(field, area) + drawData(x, labels, classes, area, radius),
  });
}

/** The answers on the grid. */
interface Field extends Pick<Grid, 'x' | 'y'> {
  readonly classes: number;
  readonly winner: Uint16Array;
  /** How sure, in [0, 1]. */
  readonly sure: Float64Array;
  /** Fields that are 0 on the boundaries; none when the model answers with classes only. */
  readonly margins: readonly Float64Array[];
}

async function ask(
  where: string,
  model: BoundaryModel,
  x: Float64Array,
  y: Float64Array,
  fromLogits: boolean,
): Promise<Field> {
  const n = x.length;
  const flat = new Float32Array(n * n * 2);
  for (let k = 0; k < n * n; k++) flat.set([x[k % n], y[Math.floor(k / n)]], 2 * k);
  const { values, width, float } = await outputsOf(where, model, flat);
  const bad = values.findIndex((v) => Number.isNaN(v));
  if (bad >= 0) {
    const at = Math.floor(bad / width);
    throw new DataError(`${where}: the model gives NaN at (${flat[2 * at]}, ${flat[2 * at + 1]})`);
  }
  const winner = new Uint16Array(n * n);
  const sure = new Float64Array(n * n).fill(1);
  if (!float) {
    values.forEach((v, k) => {
      if (!(Number.isInteger(v) && v >= 0 && v < 65536))
        throw new DataError(`${where}: the model gives ${v}, expected a class`);
      winner[k] = v;
    });
    return { x, y, classes: winner.reduce((a, b) => Math.max(a, b), 1) + 1, winner, sure, margins: [] };
  }
  if (width === 1) {
    const margin = values.map((v) => (fromLogits ? v : v - 0.5));
    margin.forEach((m, k) => {
      winner[k] = m > 0 ? 1 : 0;
      sure[k] = fromLogits ? Math.abs(2 / (1 + Math.exp(-m)) - 1) : Math.min(1, 2 * Math.abs(m));
    });
    return { x, y, classes: 2, winner, sure, margins: [margin] };
  }
  const margins = Array.from({ length: width }, () => new Float64Array(n * n));
  for (let k = 0; k < n * n; k++) {
    const row = values.subarray(k * width, (k + 1) * width);
    const best = row.indexOf(row.reduce((a, b) => Math.max(a, b)));
    winner[k] = best;
    const second = row.reduce((most, v, c) => (c === best ? most : Math.max(most, v)), Number.NEGATIVE_INFINITY);
    const total = row.reduce((sum, v) => sum + (fromLogits ? Math.exp(v - row[best]) : v), 0);
    sure[k] = ((fromLogits ? 1 : row[best]) / total - 1 / width) / (1 - 1 / width);
    row.forEach((v, c) => {
      margins[c][k] = c === best ? v - second : v - row[best];
    });
  }
  return { x, y, classes: width, winner, sure, margins };
}

/** Outputs of the model for points `[n, 2]`, as float64 `[n, width]`. */
async function outputsOf(where: string, model: BoundaryModel, flat: Float32Array) {
  const call = typeof model === 'function' ? model : (rows: Tensor) => model.forward(rows);
  const modes = typeof model === 'function' ? [] : model.modules().map((m) => [m, m.training] as const);
  if (typeof model !== 'function') model.eval();
  const total = flat.length / 2;
  let values = new Float64Array(0);
  let width = 1;
  let float = true;
  try {
    for (let start = 0; start < total; start += BATCH) {
      const count = Math.min(BATCH, total - start);
      const outputs = await call(tensor(flat.subarray(2 * start, 2 * (start + count)), { shape: [count, 2] }));
      if (!(outputs instanceof Tensor) || outputs.shape[0] !== count || outputs.shape.length > 2) {
        const got = outputs instanceof Tensor ? `[${outputs.shape}]` : String(outputs);
        throw new ShapeError(
          `${where}: the model gives ${got} for points [${count}, 2], expected [${count}] or [${count}, classes]`,
        );
      }
      if (start === 0) {
        width = outputs.shape[1] ?? 1;
        float = isFloat(outputs.dtype);
        values = new Float64Array(total * width);
        if (!float && width !== 1) {
          throw new ShapeError(
            `${where}: the model gives ${outputs.dtype} [${outputs.shape}], expected classes [${count}] or float logits`,
          );
        }
      }
      values.set((await outputs.data()) as Float32Array, start * width);
    }
  } finally {
    for (const [m, mode] of modes) m.train(mode); // parents first, so that children end in their own
  }
  return { values, width, float };
}

async function samples(where: string, data: TensorDataset | { readonly x: DataInput; readonly y: DataInput }) {
  if (!(data instanceof TensorDataset)) checkObject(`${where}: data`, data, 'x and y');
  const dataset = data instanceof TensorDataset ? data : new TensorDataset(data.x, data.y);
  const { value } = await dataset.batches({ batchSize: dataset.length }).next();
  const [x, y] = value as [Tensor, Tensor];
  if (x.shape.length !== 2 || x.shape[1] !== 2) {
    throw new ShapeError(
      `${where}: x is [${x.shape}], expected [n, 2]: two features can be drawn; choose two or use PCA`,
    );
  }
  if (y.shape.length > 2) throw new ShapeError(`${where}: y is [${y.shape}], expected [n], [n, 1] or [n, classes]`);
  const features = Array.from((await x.data()) as Float32Array);
  if (extent(features) === null) throw new DataError(`${where}: no feature is finite`);
  const width = y.shape[1] ?? 1;
  const flat = Array.from((await y.data()) as ArrayLike<number>, Number);
  const labels = Array.from({ length: x.shape[0] }, (_, i) => {
    if (width === 1) return flat[i];
    const row = flat.slice(i * width, (i + 1) * width);
    return row.indexOf(Math.max(...row));
  });
  labels.forEach((label, i) => {
    if (!(Number.isInteger(label) && label >= 0 && label < 1000)) {
      throw new DataError(`${where}: label ${i} is ${label}, expected a class number`);
    }
  });
  return { x: features, labels };
}

function drawField({ x, y, winner, sure, margins }: Field, area: Area): string {
  const [nx, ny] = [x.length, y.length];
  const pixels = new Uint8Array(nx * ny * 4);
  for (let j = 0; j < ny; j++) {
    for (let i = 0; i < nx; i++) {
      const k = (ny - 1 - j) * nx + i;
      pixels.set([...rgbOf(colourOf(winner[k])), Math.round(255 * (0.12 + 0.3 * sure[k]))], (j * nx + i) * 4);
    }
  }
  const lines = margins.map((values) => contour({ x, y, values }, 0, area)).join('');
  return `${gridImage(pixels, { x, y, values: [] }, area)}\n<path d="${lines}" fill="none" stroke="${INK}" stroke-width="1.8"/>\n`;
}

function drawData(
  x: readonly number[],
  labels: readonly number[],
  classes: number,
  area: Area,
  radius: number,
): string {
  return Array.from({ length: classes }, (_, c) => {
    const mine = labels.flatMap((label, i) => (label === c ? [i] : []));
    const part = { x: mine.map((i) => x[2 * i]), y: mine.map((i) => x[2 * i + 1]) };
    return points(part, c, area, radius);
  }).join('\n');
}
