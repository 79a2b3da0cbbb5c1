import { DataError, OptionError, ShapeError } from '../core.js';
import { checkArray, checkOptions } from '../options.js';
import { eachRow, packed, rankScore, scored } from './columns.js';
import type { StreamMetric } from './metric.js';

export interface CurveMetricOptions {
  /** Mean over the classes of one class against the rest: 'macro' (default), or 'weighted' by their labels. */
  readonly average?: 'macro' | 'weighted';
  /** Whether outputs `[…, classes]` are logits (default true) or probabilities. */
  readonly fromLogits?: boolean;
  /** Key in histories and results. */
  readonly name?: string;
}

/** Points of a ROC curve, from threshold ∞ downwards. */
export interface RocCurve {
  readonly falsePositiveRate: readonly number[];
  readonly truePositiveRate: readonly number[];
  /** An example counts as positive when its score is at least this; the first is Infinity. */
  readonly thresholds: readonly number[];
  /** Area under the curve, by trapezoids. */
  readonly area: number;
}

/** Points of a precision–recall curve, from the highest threshold downwards. */
export interface PrecisionRecallCurve {
  readonly precision: readonly number[];
  readonly recall: readonly number[];
  readonly thresholds: readonly number[];
  /** Average precision: Σ (Rᵢ − Rᵢ₋₁)·Pᵢ. */
  readonly averagePrecision: number;
}

/**
 * Area under the ROC curve: the chance that a positive example has a higher score than a negative one, ties counting half.
 *
 * Outputs and 0/1 labels of one shape, outputs `[n, …, 2]` with integer labels, or outputs `[n, …, classes]`: then the
 * mean over classes of class against rest, on softmax probabilities. Keeps every score on the host: 8 bytes each.
 *
 * @param options `average`, `fromLogits`, `name` (default 'rocAuc').
 * @returns a metric in [0, 1]; NaN until every class and its opposite have been seen.
 * @throws OptionError for another average; DataError for scores that are NaN and labels that are no class.
 * @example await evaluate(model, test, { loss: 'binaryCrossEntropy', metrics: ['rocAuc'] });
 * @see scikit-learn, roc_auc_score, multi_class='ovr'. Fawcett (2006), An introduction to ROC analysis.
 */
export function rocAuc(options: CurveMetricOptions = {}): StreamMetric {
  return curveMetric('rocAuc', options, (scores, positive) => {
    const { area } = roc(sweep(scores, positive));
    return area;
  });
}

/**
 * Area under the precision–recall curve as average precision: Σ (Rᵢ − Rᵢ₋₁)·Pᵢ over falling thresholds.
 *
 * Outputs, options and errors as {@link rocAuc}; not interpolated, because trapezoids are too optimistic here.
 *
 * @returns a metric in [0, 1]; NaN until every class has a positive example.
 * @example await evaluate(model, test, { loss: 'binaryCrossEntropy', metrics: ['prAuc'] });
 * @see scikit-learn, average_precision_score.
 */
export function prAuc(options: CurveMetricOptions = {}): StreamMetric {
  return curveMetric('prAuc', options, (scores, positive) => pr(sweep(scores, positive)).averagePrecision);
}

/**
 * The ROC curve of binary labels and scores.
 *
 * @param labels 0 or 1, both present.
 * @param scores as many, larger for class 1; no NaN.
 * @throws ShapeError for unequal lengths; DataError for other labels, NaN scores, or one class only.
 * @example rocCurve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).area; // 0.75
 * @see scikit-learn, roc_curve with drop_intermediate=False.
 */
export function rocCurve(labels: ArrayLike<number>, scores: ArrayLike<number>): RocCurve {
  const swept = sweep(...checked('rocCurve', labels, scores));
  if (swept.negatives === 0) throw new DataError('rocCurve: every label is 1, expected both classes');
  return roc(swept);
}

/**
 * The precision–recall curve of binary labels and scores.
 * @param labels 0 or 1, at least one 1.
 * @param scores as many, larger for class 1; no NaN.
 * @throws as {@link rocCurve}.
 * @example precisionRecallCurve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).averagePrecision; // 0.8333
 * @see scikit-learn, precision_recall_curve, which lists the points the other way round.
 */
export function precisionRecallCurve(labels: ArrayLike<number>, scores: ArrayLike<number>): PrecisionRecallCurve {
  return pr(sweep(...checked('precisionRecallCurve', labels, scores)));
}

/** True and false positives at each distinct score, falling. */
interface Sweep {
  readonly tp: number[];
  readonly fp: number[];
  readonly thresholds: number[];
  readonly positives: number;
  readonly negatives: number;
}

function sweep(scores: ArrayLike<number>, positive: ArrayLike<number>): Sweep {
  const order = Int32Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => {
    const [x, y] = [scores[a], scores[b]];
    return x === y ? 0 : x > y ? -1 : 1; // a difference would be NaN for two infinities
  });
  const [tp, fp, thresholds]: number[][] = [[], [], []];
  let [hits, misses] = [0, 0];
  order.forEach((i, at) => {
    if (positive[i] === 1) hits += 1;
    else misses += 1;
    const next = order[at + 1];
    if (next !== undefined && scores[next] === scores[i]) return;
    tp.push(hits);
    fp.push(misses);
    thresholds.push(scores[i]);
  });
  return { tp, fp, thresholds, positives: hits, negatives: misses };
}

function roc({ tp, fp, thresholds, positives, negatives }: Sweep): RocCurve {
  const truePositiveRate = [0, ...tp.map((n) => n / positives)];
  const falsePositiveRate = [0, ...fp.map((n) => n / negatives)];
  let area = 0; // in whole numbers of half pairs, so that no rounding enters
  tp.forEach((n, i) => {
    area += (fp[i] - (fp[i - 1] ?? 0)) * (n + (tp[i - 1] ?? 0));
  });
  return {
    truePositiveRate,
    falsePositiveRate,
    thresholds: [Number.POSITIVE_INFINITY, ...thresholds],
    area: area / (2 * positives * negatives),
  };
}

function pr({ tp, fp, thresholds, positives }: Sweep): PrecisionRecallCurve {
  const precision = tp.map((n, i) => n / (n + fp[i]));
  const recall = tp.map((n) => n / positives);
  const averagePrecision = recall.reduce((sum, r, i) => sum + (r - (recall[i - 1] ?? 0)) * precision[i], 0);
  return { precision, recall, thresholds, averagePrecision };
}

function checked(what: string, labels: ArrayLike<number>, scores: ArrayLike<number>): [ArrayLike<number>, number[]] {
  checkArray(what, 'labels', labels);
  checkArray(what, 'scores', scores);
  if (labels.length !== scores.length) {
    throw new ShapeError(`${what}: got ${labels.length} labels and ${scores.length} scores, expected as many`);
  }
  const positive = Array.from(labels, (label, i) => {
    if (label !== 0 && label !== 1) throw new DataError(`${what}: label ${i} is ${label}, expected 0 or 1`);
    if (Number.isNaN(scores[i])) throw new DataError(`${what}: score ${i} is NaN`);
    return label;
  });
  if (!positive.includes(1)) throw new DataError(`${what}: no label is 1, expected at least one`);
  return [scores, positive];
}

function curveMetric(
  what: string,
  options: CurveMetricOptions,
  area: (scores: ArrayLike<number>, positive: ArrayLike<number>) => number,
): StreamMetric {
  checkOptions(what, options, ['average', 'fromLogits', 'name']);
  const { average = 'macro', fromLogits = true, name = what } = options;
  if (average !== 'macro' && average !== 'weighted') {
    throw new OptionError(`${what}: average is ${String(average)}, expected 'macro' or 'weighted'`);
  }
  return {
    name,
    costly: true,
    batch: (outputs, labels) => {
      const s = scored(name, outputs, labels);
      return packed([s.label, rankScore(s, fromLogits)], s.classes);
    },
    accumulator: () => {
      const label: number[] = [];
      const scores: number[][] = [];
      let classes = 0;
      return {
        add: (values) => {
          classes = values[1];
          eachRow(values, (at, width) => {
            const y = values[at];
            if (!(y >= 0 && y < classes)) {
              throw new DataError(`${name}: a label is ${y}, expected a class in [0, ${classes})`);
            }
            label.push(y);
            for (let c = 1; c < width; c++) {
              if (Number.isNaN(values[at + c]))
                throw new DataError(`${name}: an output of sample ${label.length - 1} is NaN`);
              scores[c - 1] ??= [];
              scores[c - 1].push(values[at + c]);
            }
          });
        },
        get value() {
          if (scores.length === 1) return area(scores[0], label);
          let [sum, weights] = [0, 0];
          scores.forEach((list, c) => {
            const positive = label.map((y) => (y === c ? 1 : 0));
            const weight = average === 'macro' ? 1 : positive.reduce<number>((a, b) => a + b, 0);
            sum += weight * area(list, positive);
            weights += weight;
          });
          return sum / weights;
        },
      };
    },
  };
}
