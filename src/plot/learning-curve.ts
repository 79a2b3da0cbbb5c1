import { OptionError } from '../errors.js';
import { checkOptions, shown } from '../options.js';
import { type PlotSize, type ScaleName, sizeOf } from './check.js';
import { drawLines, type Series } from './lines.js';
import { page } from './page.js';

/** What a learning curve is drawn from: the `History` of `fit`, or its JSON read back. */
export interface CurveData {
  readonly epochs: readonly Readonly<Record<string, number>>[];
}

export interface LearningCurveOptions extends PlotSize {
  /** Of the loss; metrics are always linear. Default 'linear'. */
  readonly yScale?: ScaleName;
}

const NOT_CURVES = new Set(['epoch', 'seconds', 'samplesPerSecond', 'learningRate']);

/**
 * The learning curve of a training run as SVG: one panel for the loss and one for each metric, training and validation
 * in the same panel, epochs on the x axis.
 * @param history result of `fit`.
 * @param options `width` and `height` of one panel; `yScale: 'log'` for the loss.
 * @throws OptionError when the history has no epoch.
 * @example await writeFile('learning-curve.svg', plot.learningCurve(await fit(model, train, options)));
 */
export function learningCurve(history: CurveData, options: LearningCurveOptions = {}): string {
  const where = 'learningCurve';
  checkOptions(where, options, ['width', 'height', 'yScale']);
  const size = sizeOf(where, options);
  const epochs = history?.epochs;
  if (!Array.isArray(epochs)) {
    throw new OptionError(
      `${where}: got ${shown(history)}, expected the history of a run; write await before fit(...)`,
    );
  }
  if (epochs.length === 0) throw new OptionError(`${where}: the history has no finished epoch to draw`);
  const names = Object.keys(epochs[0]).filter((key) => !NOT_CURVES.has(key) && !isValidation(key, epochs[0]));
  const x = epochs.map((e) => e['epoch']);
  const panels = names.map((name): string => {
    const series: Series[] = [{ name: 'training', x, y: epochs.map((e) => e[name]) }];
    const key = validationKey(name);
    if (epochs.some((e) => e[key] !== undefined)) {
      series.push({ name: 'validation', x, y: epochs.map((e) => e[key] ?? Number.NaN), dashed: true });
    }
    const title = name.charAt(0).toUpperCase() + name.slice(1);
    const yScale = name === 'loss' ? (options.yScale ?? 'linear') : 'linear';
    return drawLines(`${where}: ${name}`, series, { ...size, title, xLabel: 'epoch', wholeX: true, yScale });
  });
  return panels.length === 1 ? panels[0] : page(panels, { columns: panels.length });
}

function validationKey(name: string): string {
  return `val${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

function isValidation(key: string, record: Readonly<Record<string, number>>): boolean {
  return key.startsWith('val') && validationKey(key.charAt(3).toLowerCase() + key.slice(4)) === key && 'loss' in record;
}
