import { OptionError } from '../errors.js';
import type { PrecisionRecallCurve, Reliability, RocCurve } from '../metrics/index.js';
import { checkObject, checkOptions } from '../options.js';
import { PLOT_OPTIONS, type PlotOptions, sizeOf } from './check.js';
import { INK } from './colours.js';
import type { Area } from './frame.js';
import { drawLines, type Extra, type Series } from './lines.js';
import { boxSign } from './marks.js';
import { px } from './text.js';
import { shortNumber } from './ticks.js';

/** One curve, or several by name. */
export type CurveLike<T> = T | Readonly<Record<string, T>>;

/**
 * ROC curves: true against false positive rate, with the diagonal of guessing; the legend tells the area under each.
 * @param curves what `metrics.rocCurve` returns, or an object of these by name.
 * @param options `title`, `xLabel`, `yLabel`, `width` (default 400), `height` (default 400).
 * @throws OptionError when a curve is none.
 * @example plot.roc({ mlp: metrics.rocCurve(labels, scores), linear: metrics.rocCurve(labels, others) });
 */
export function roc(curves: CurveLike<RocCurve>, options: PlotOptions = {}): string {
  const list = named('roc', curves, isRoc, 'metrics.rocCurve(labels, scores)');
  const series = list.map(([name, c]): Series => {
    return { name: label(name, 'AUC', c.area), x: c.falsePositiveRate, y: c.truePositiveRate };
  });
  return unitSquare(
    'roc',
    series,
    options,
    {
      title: 'ROC curve',
      xLabel: 'false positive rate',
      yLabel: 'true positive rate',
    },
    { draw: diagonal },
  );
}

/**
 * Precision–recall curves as steps; the legend tells the average precision of each.
 * @param curves what `metrics.precisionRecallCurve` returns, or an object of these by name.
 * @param options as {@link roc}; `baseline`: the share of positives, the precision of guessing, drawn as a dotted line.
 * @throws OptionError when a curve is none or the baseline is no share.
 * @example plot.precisionRecall(metrics.precisionRecallCurve(labels, scores), { baseline: 0.2 });
 */
export function precisionRecall(
  curves: CurveLike<PrecisionRecallCurve>,
  options: PlotOptions & { readonly baseline?: number } = {},
): string {
  const where = 'precisionRecall';
  checkObject(where, options);
  const { baseline, ...rest } = options;
  if (baseline !== undefined && !(baseline >= 0 && baseline <= 1)) {
    throw new OptionError(`${where}: baseline is ${baseline}, expected the share of positives in [0, 1]`);
  }
  const list = named(where, curves, isPrecisionRecall, 'metrics.precisionRecallCurve(labels, scores)');
  const series = list.map(([name, c]): Series => {
    // Average precision is the area under steps: precision i holds from recall i − 1 to recall i.
    const [x, y]: number[][] = [[], []];
    c.recall.forEach((r, i) => {
      x.push(i === 0 ? 0 : c.recall[i - 1], r);
      y.push(c.precision[i], c.precision[i]);
    });
    return { name: label(name, 'AP', c.averagePrecision), x, y };
  });
  const words = { title: 'Precision–recall curve', xLabel: 'recall', yLabel: 'precision' };
  return unitSquare(where, series, rest, words, {
    draw: (area) => (baseline === undefined ? '' : dotted(area, 0, baseline, 1, baseline)),
  });
}

/**
 * A reliability diagram: how often predictions of a confidence come true, against the confidence, with the diagonal of
 * perfect calibration. A single curve also has the share of predictions in each bin as bars, four times enlarged. The legend
 * tells the expected calibration error.
 * @param curves what `metrics.reliability` returns, or an object of these by name; empty bins are left out.
 * @param options as {@link roc}.
 * @throws OptionError when one is no reliability.
 * @example plot.calibration(metrics.reliability(probabilities, outcomes, { bins: 10 }));
 */
export function calibration(curves: CurveLike<Reliability>, options: PlotOptions = {}): string {
  const list = named('calibration', curves, isReliability, 'metrics.reliability(probabilities, outcomes)');
  const series = list.map(([name, c]): Series => {
    const bins = c.bins.filter((b) => b.count > 0);
    return {
      name: label(name, 'ECE', c.expectedError),
      x: bins.map((b) => b.confidence),
      y: bins.map((b) => b.accuracy),
    };
  });
  const bars = (area: Area): string => {
    const [{ bins }] = list.map(([, c]) => c);
    const total = bins.reduce((sum, b) => sum + b.count, 0);
    const boxes = bins.map((b) => {
      const [l, r, t] = [area.x(b.low), area.x(b.high), area.y((0.25 * b.count) / total)];
      return b.count === 0 ? '' : `M${px(l + 0.5)} ${px(area.bottom)}V${px(t)}H${px(r - 0.5)}V${px(area.bottom)}Z`;
    });
    return `<path d="${boxes.join('')}" fill="${INK}" fill-opacity="0.35"/>`;
  };
  const words = { title: 'Calibration', xLabel: 'predicted probability', yLabel: 'observed frequency' };
  const one = list.length === 1;
  return unitSquare('calibration', series, options, words, {
    draw: (area) => diagonal(area) + (one ? bars(area) : ''),
    legend: one ? [{ name: 'share of predictions, × 4', sign: boxSign(INK, 0.35) }] : [],
  });
}

function unitSquare(
  where: string,
  series: readonly Series[],
  options: PlotOptions,
  words: Required<Pick<PlotOptions, 'title' | 'xLabel' | 'yLabel'>>,
  extra: Extra,
): string {
  checkOptions(where, options, PLOT_OPTIONS);
  const size = sizeOf(where, options, 400, 400);
  const unit = { xRange: [0, 1], yRange: [0, 1] } as const;
  return drawLines(where, series, { ...words, ...options, ...size, ...unit }, extra);
}

function dotted({ x, y }: Area, x0: number, y0: number, x1: number, y1: number): string {
  const d = `M${px(x(x0))} ${px(y(y0))}L${px(x(x1))} ${px(y(y1))}`;
  return `<path d="${d}" stroke="${INK}" stroke-width="1.2" stroke-dasharray="2 4"/>`;
}

function diagonal(area: Area): string {
  return dotted(area, 0, 0, 1, 1);
}

function label(name: string, figure: string, value: number): string {
  const shown = `${figure} ${Number.isFinite(value) ? value.toFixed(3) : shortNumber(value)}`;
  return name === '' ? shown : `${name} (${shown})`;
}

function named<T>(where: string, curves: CurveLike<T>, is: (c: unknown) => c is T, hint: string): [string, T][] {
  if (is(curves)) return [['', curves]];
  const list = typeof curves === 'object' && curves !== null ? Object.entries(curves) : [];
  if (list.length === 0)
    throw new OptionError(`${where}: got no curve, expected ${hint} or an object of these by name`);
  for (const [name, c] of list) {
    if (!is(c)) throw new OptionError(`${where}: "${name}" is no such curve, expected ${hint}`);
  }
  return list as [string, T][];
}

function isRoc(c: unknown): c is RocCurve {
  return has(c, 'falsePositiveRate') && has(c, 'truePositiveRate');
}

function isPrecisionRecall(c: unknown): c is PrecisionRecallCurve {
  return has(c, 'precision') && has(c, 'recall') && has(c, 'averagePrecision');
}

function isReliability(c: unknown): c is Reliability {
  return has(c, 'bins') && has(c, 'expectedError');
}

function has(c: unknown, key: string): boolean {
  return typeof c === 'object' && c !== null && key in c;
}
