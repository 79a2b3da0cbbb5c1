import { OptionError } from '../errors.js';
import { type Chart, type ChartSize, lineCharts, type Series } from './svg.js';

/** What a learning curve is drawn from: the `History` of `fit`, or its JSON read back. */
export interface CurveData {
  readonly epochs: readonly Readonly<Record<string, number>>[];
}

const NOT_CURVES = new Set(['epoch', 'seconds', 'samplesPerSecond', 'learningRate']);

/**
 * The learning curve of a training run as SVG: one panel for the loss and one for each metric, training and validation
 * in the same panel, epochs on the x axis.
 * @param history result of `fit`.
 * @param size of one panel.
 * @throws OptionError when the history has no epoch.
 * @example await writeFile('learning-curve.svg', learningCurve(await fit(model, train, options)));
 */
export function learningCurve(history: CurveData, size: ChartSize = {}): string {
  const { epochs } = history;
  if (epochs.length === 0) throw new OptionError('learningCurve: the history has no finished epoch to draw');
  const names = Object.keys(epochs[0]).filter((key) => !NOT_CURVES.has(key) && !isValidation(key, epochs[0]));
  const x = epochs.map((e) => e['epoch']);
  const charts = names.map((name): Chart => {
    const series: Series[] = [{ name: 'training', x, y: epochs.map((e) => e[name]) }];
    const key = validationKey(name);
    if (epochs.some((e) => e[key] !== undefined)) {
      series.push({ name: 'validation', x, y: epochs.map((e) => e[key] ?? Number.NaN), dashed: true });
    }
    const title = name.charAt(0).toUpperCase() + name.slice(1);
    return { title, xLabel: 'epoch', series, wholeX: true };
  });
  return lineCharts(charts, size);
}

function validationKey(name: string): string {
  return `val${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

function isValidation(key: string, record: Readonly<Record<string, number>>): boolean {
  return key.startsWith('val') && validationKey(key.charAt(3).toLowerCase() + key.slice(4)) === key && 'loss' in record;
}
