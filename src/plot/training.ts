import { OptionError } from '../errors.js';
import { checkArray, checkObject, checkOptions, wholeNumber } from '../options.js';
import { extent, PLOT_OPTIONS, type PlotOptions, type ScaleName, sizeOf } from './check.js';
import { colourOf, INK } from './colours.js';
import { type Area, frame } from './frame.js';
import { drawLines, numberAxes, type SeriesLike, seriesOf } from './lines.js';
import { dash, legendOf, lineSign } from './marks.js';
import { px, text, textWidth } from './text.js';
import { shortNumber } from './ticks.js';

/** Losses of a learning-rate range test. */
export interface LrCurve {
  readonly learningRates: ArrayLike<number>;
  readonly losses: ArrayLike<number>;
  /** Marked in the picture. */
  readonly suggestion?: number;
}

/**
 * A learning-rate range test: loss against learning rate on a log scale, with the suggested rate. Losses above twice the
 * range they had before they rose are cut off, so that the interesting part can be seen.
 * @param curve learning rates (> 0) and losses, as many.
 * @param options `title`, `xLabel`, `yLabel`, `width`, `height`.
 * @throws OptionError when there is nothing to draw or the lists differ in length.
 * @example plot.lrFinder({ learningRates, losses, suggestion: 0.02 });
 * @see Smith (2017), Cyclical learning rates for training neural networks.
 */
export function lrFinder(curve: LrCurve, options: PlotOptions = {}): string {
  const where = 'lrFinder';
  checkOptions(where, options, PLOT_OPTIONS);
  checkObject(`${where}: curve`, curve, 'learningRates and losses');
  const { learningRates, losses, suggestion } = curve;
  if (suggestion !== undefined && !(suggestion > 0 && Number.isFinite(suggestion))) {
    throw new OptionError(`${where}: suggestion is ${suggestion}, expected a learning rate > 0`);
  }
  const [{ x, y }] = seriesOf(where, [{ x: learningRates, y: losses }]);
  const finite = Array.from(y).filter(Number.isFinite);
  const [low, first] = [Math.min(...finite), finite[0]];
  const high = Math.min(Math.max(...finite), Math.max(first, low) + (first > low ? first - low : Math.abs(low) + 1));
  const words = { title: 'Learning-rate range test', xLabel: 'learning rate', yLabel: 'loss' };
  const cut = Array.from(y, (v) => (v > high ? Number.NaN : v));
  return drawLines(
    where,
    [{ x, y: cut }],
    { ...words, ...options, xScale: 'log', markers: false },
    {
      draw: (area) =>
        suggestion === undefined ? '' : marker(area, area.x(suggestion), `lr ${shortNumber(suggestion)}`),
    },
  );
}

/**
 * Learning-rate schedules as curves.
 * @param schedules a function from step to learning rate, or several by name.
 * @param options `steps` (required): how many to draw, in [1, 1000000]; `yScale`, `title`, `xLabel`, `yLabel`, `width`, `height`.
 * @throws OptionError when steps is missing or a schedule gives no number.
 * @example plot.schedule({ cosine: schedules.cosine(0.1, { steps: 100 }), step: schedules.step(0.1, { every: 30 }) }, { steps: 100 });
 */
export function schedule(
  schedules: ((step: number) => number) | Readonly<Record<string, (step: number) => number>>,
  options: PlotOptions & { readonly steps: number; readonly yScale?: ScaleName },
): string {
  const where = 'schedule';
  checkOptions(where, options, [...PLOT_OPTIONS, 'steps', 'yScale']);
  const { steps, ...rest } = options;
  const n = wholeNumber(`${where}: steps`, steps, 1, 1_000_000);
  const named = typeof schedules === 'function' ? { '': schedules } : schedules;
  const series = Object.entries(named).map(([name, f]) => ({
    name,
    y: Float64Array.from({ length: n }, (_, t) => f(t)),
  }));
  const words = { title: 'Learning rate', xLabel: 'step', yLabel: 'learning rate' };
  return drawLines(where, series, { ...words, ...rest, wholeX: true, markers: false });
}

export interface LayerOptions extends PlotOptions {
  /** Default 'log'. */
  readonly yScale?: ScaleName;
}

/**
 * A figure of each layer, such as the norm of its gradient, from the first layer to the last, on a log scale.
 * @param names of the layers, from input to output.
 * @param series values by name or `{ name, y }`, one a layer; values that are 0 or not finite leave a gap.
 * @param options `yScale`, `title`, `xLabel`, `yLabel`, `width`, `height`.
 * @throws OptionError when a series has another length, or nothing can be drawn.
 * @example plot.layers(['0', '2', '4'], { relu: [0.3, 0.4, 0.9], sigmoid: [1e-5, 1e-3, 0.1] }, { yLabel: 'gradient norm' });
 */
export function layers(names: readonly string[], series: SeriesLike, options: LayerOptions = {}): string {
  const where = 'layers';
  checkOptions(where, options, [...PLOT_OPTIONS, 'yScale']);
  const { width, height } = sizeOf(where, options);
  const { yScale = 'log', ...rest } = options;
  const list = seriesOf(where, series);
  for (const { name, y } of list) {
    if (y.length !== names.length) {
      throw new OptionError(
        `${where}: series "${name}" has ${y.length} values for ${names.length} layers, expected as many`,
      );
    }
  }
  const log = yScale === 'log';
  const [, y] = numberAxes(where, list, { yScale });
  return frame({
    xLabel: 'layer',
    ...rest,
    where,
    width,
    height,
    x: { kind: 'names', names },
    y,
    legend: legendOf(list, (one, i) => lineSign(one.colour ?? i, one.dashed)),
    draw: (area) =>
      list
        .map((one, i) => {
          const colour = one.colour ?? i;
          let pen = 'M';
          let path = '';
          const dots: string[] = [];
          for (let k = 0; k < one.y.length; k++) {
            if (!Number.isFinite(one.y[k]) || (log && one.y[k] <= 0)) {
              pen = 'M';
              continue;
            }
            const [u, v] = [px(area.x(k)), px(area.y(one.y[k]))];
            path += `${pen}${u} ${v}`;
            pen = 'L';
            dots.push(`<circle cx="${u}" cy="${v}" r="2.6"/>`);
          }
          const line = `<path d="${path}" fill="none" stroke="${colourOf(colour)}" stroke-width="2"${dash(colour, one.dashed)}/>`;
          return `${line}<g fill="${colourOf(colour)}">${dots.join('')}</g>`;
        })
        .join('\n'),
  });
}

/** Losses of the same network with hidden layers of several widths. */
export interface WidthCurve {
  /** Hidden units, > 0, rising. */
  readonly widths: ArrayLike<number>;
  readonly training: ArrayLike<number>;
  readonly validation: ArrayLike<number>;
}

/**
 * The over-fitting figure: training and validation loss against the width of the hidden layer, with the width at which the
 * validation loss is least; to its right the network over-fits when its validation loss rises.
 * @param curve `widths`, `training` and `validation` losses, as many.
 * @param options `yScale`, `title`, `xLabel`, `yLabel`, `width`, `height`.
 * @throws OptionError when the lists differ in length or nothing is finite.
 * @example plot.hiddenWidth({ widths: [1, 4, 16, 64], training: [0.5, 0.3, 0.1, 0.02], validation: [0.5, 0.35, 0.3, 0.6] });
 */
export function hiddenWidth(curve: WidthCurve, options: PlotOptions & { readonly yScale?: ScaleName } = {}): string {
  const where = 'hiddenWidth';
  checkOptions(where, options, [...PLOT_OPTIONS, 'yScale']);
  checkObject(`${where}: curve`, curve, 'widths, training and validation losses');
  const { widths, training, validation } = curve;
  checkArray(where, 'validation', validation);
  const series = [
    { name: 'training', x: widths, y: training },
    { name: 'validation', x: widths, y: validation, dashed: true },
  ];
  const best = Array.from(validation).indexOf(extent(Array.from(validation))?.[0] ?? Number.NaN);
  const words = { title: 'Loss by hidden width', xLabel: 'hidden units', yLabel: 'loss' };
  return drawLines(
    where,
    series,
    { ...words, ...options, xScale: 'log', markers: true },
    {
      draw: (area) => (best < 0 ? '' : marker(area, area.x(widths[best]), `${shortNumber(widths[best])} units`)),
    },
  );
}

/** A dotted upright line with a label at its top, on the side where there is room. */
function marker({ left, right, top, bottom }: Area, x: number, label: string): string {
  if (!(x >= left && x <= right)) return '';
  const line = `<path d="M${px(x)} ${px(top)}V${px(bottom)}" stroke="${INK}" stroke-width="1.2" stroke-dasharray="2 4"/>`;
  const fits = x + 6 + textWidth(label) <= right;
  return line + text(fits ? x + 6 : x - 6, top + 12, label, { anchor: fits ? 'start' : 'end' });
}
