import { DataError, OptionError } from '../core.js';
import { checkArray, checkOptions } from '../options.js';
import { eachRow, packed, predicted, scored } from './columns.js';
import { confusionMatrix } from './confusion-matrix.js';
import type { StreamMetric } from './metric.js';

/**
 * How the figures of several classes become one: 'binary' takes those of class 1; 'micro' counts all decisions together;
 * 'macro' is the plain mean over classes; 'weighted' the mean weighted by the number of labels of each class.
 */
export type Average = 'binary' | 'micro' | 'macro' | 'weighted';

export interface ClassMetricOptions {
  /** Default 'binary' for two classes and 'macro' for more. */
  readonly average?: Average;
  /** Where a binary output counts as 1: outputs above it; default 0, for logits. */
  readonly threshold?: number;
  /** Key in histories and results. */
  readonly name?: string;
}

/** Figures of one class, or of several together. */
export interface ClassScores {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Number of labels. */
  readonly support: number;
}

export interface ClassificationReport {
  readonly accuracy: number;
  /** One entry a class, in order; classes without labels and predictions have zeros. */
  readonly classes: readonly ClassScores[];
  readonly micro: ClassScores;
  readonly macro: ClassScores;
  readonly weighted: ClassScores;
}

/**
 * Precision: of the examples predicted as a class, the fraction that is of it, TP / (TP + FP).
 *
 * With outputs `[n, …, classes]` and integer labels `[n, …]` the largest output is the prediction; with labels of the
 * outputs' own shape it is binary: output > threshold. A class that is never predicted counts as 0; a class that is
 * neither a label nor a prediction is left out of 'macro'.
 *
 * @param options `average`, `threshold` (finite, default 0; 0.5 for probabilities), `name` (default 'precision').
 * @returns a metric in [0, 1] that is exact over batches.
 * @throws OptionError for another average, or 'binary' with more than two classes; DataError for a label that is no class.
 * @example await evaluate(model, test, { loss: 'crossEntropy', metrics: [metrics.precision({ average: 'macro' })] });
 * @see scikit-learn, precision_score with zero_division = 0.
 */
export function precision(options: ClassMetricOptions = {}): StreamMetric {
  return classMetric('precision', 'precision', options);
}

/** Recall: of the examples of a class, the fraction predicted as it, TP / (TP + FN). Options and source as {@link precision}. */
export function recall(options: ClassMetricOptions = {}): StreamMetric {
  return classMetric('recall', 'recall', options);
}

/** F1: 2·TP / (2·TP + FP + FN), the harmonic mean of precision and recall. Options and source as {@link precision}. */
export function f1(options: ClassMetricOptions = {}): StreamMetric {
  return classMetric('f1', 'f1', options);
}

function classMetric(what: 'precision' | 'recall' | 'f1', given: string, options: ClassMetricOptions): StreamMetric {
  checkOptions(what, options, ['average', 'threshold', 'name']);
  const { average, threshold = 0, name = given } = options;
  if (average !== undefined && !AVERAGES.includes(average)) {
    throw new OptionError(`${what}: average is ${String(average)}, expected ${AVERAGES.join(', ')}`);
  }
  if (!Number.isFinite(threshold))
    throw new OptionError(`${what}: threshold is ${threshold}, expected a finite number`);
  return {
    name,
    batch: (outputs, labels) => {
      const s = scored(name, outputs, labels);
      if (average === 'binary' && s.classes > 2) {
        throw new OptionError(`${name}: average 'binary' got ${s.classes} classes, expected 2; use 'macro' or 'micro'`);
      }
      return packed([s.label, predicted(s, threshold)], s.classes);
    },
    accumulator: () => {
      const counts = new ConfusionCounts();
      return {
        add: (values) => counts.addRows(name, values),
        get value() {
          const matrix = counts.matrix;
          if (matrix.length === 0) return Number.NaN;
          const kind = average ?? (matrix.length <= 2 ? 'binary' : 'macro');
          return kind === 'binary' ? binaryScores(matrix)[what] : reportOf(matrix)[kind][what];
        },
      };
    },
  };
}

const AVERAGES: readonly Average[] = ['binary', 'micro', 'macro', 'weighted'];

/** A confusion matrix that grows with each batch: row = label, column = prediction. */
export class ConfusionCounts {
  readonly #matrix: number[][] = [];

  /** The counts so far. */
  get matrix(): number[][] {
    return this.#matrix.map((row) => [...row]);
  }

  /**
   * Counts a batch.
   * @param labels class numbers.
   * @param predictions as many class numbers.
   * @throws ShapeError, DataError as `confusionMatrix` does.
   * @example counts.add(await y.data(), await outputs.argmax({ axis: -1 }).data());
   */
  add(labels: ArrayLike<number>, predictions: ArrayLike<number>): void {
    const batch = confusionMatrix(labels, predictions);
    this.#grow(batch.length);
    batch.forEach((row, i) => {
      row.forEach((count, j) => {
        this.#matrix[i][j] += count;
      });
    });
  }

  /** Counts rows [label, prediction] of a stream metric. */
  addRows(name: string, values: ArrayLike<number>): void {
    const classes = values[1];
    this.#grow(classes);
    eachRow(values, (at) => {
      const label = values[at];
      if (!(label >= 0 && label < classes)) {
        throw new DataError(`${name}: a label is ${label}, expected a class in [0, ${classes})`);
      }
      this.#matrix[label][values[at + 1]] += 1;
    });
  }

  #grow(classes: number): void {
    for (const row of this.#matrix) while (row.length < classes) row.push(0);
    while (this.#matrix.length < classes)
      this.#matrix.push(new Array<number>(Math.max(classes, this.#matrix.length)).fill(0));
  }
}

/**
 * Precision, recall, F1 and support of every class and their averages, from class numbers.
 *
 * @param labels true classes, whole numbers in [0, classes), at least one.
 * @param predictions predicted classes, as many.
 * @param options `classes`: default one more than the largest number given.
 * @returns plain numbers; a ratio without cases is 0.
 * @throws ShapeError for unequal lengths; DataError without samples or naming a number that is not a class.
 * @example classificationReport([0, 1, 1], [0, 1, 0]).macro.f1; // 0.6667
 * @see scikit-learn, classification_report with zero_division = 0.
 */
export function classificationReport(
  labels: ArrayLike<number>,
  predictions: ArrayLike<number>,
  options: { readonly classes?: number } = {},
): ClassificationReport {
  checkOptions('classificationReport', options, ['classes']);
  checkArray('classificationReport', 'labels', labels, 'classes');
  if (labels.length === 0) throw new DataError('classificationReport: got no labels, expected at least one');
  return reportOf(confusionMatrix(labels, predictions, options));
}

function reportOf(matrix: readonly (readonly number[])[]): ClassificationReport {
  const column = matrix.map((_, j) => matrix.reduce((sum, row) => sum + row[j], 0));
  const support = matrix.map((row) => row.reduce((a, b) => a + b, 0));
  const hits = matrix.map((row, i) => row[i]);
  const classes = hits.map((tp, i) => scoresOf(tp, column[i], support[i]));
  const total = support.reduce((a, b) => a + b, 0);
  const correct = hits.reduce((a, b) => a + b, 0);
  const seen = classes.filter((_, i) => column[i] + support[i] > 0);
  const mean = (weight: (c: ClassScores) => number): ClassScores => {
    const of = (key: 'precision' | 'recall' | 'f1') =>
      ratio(
        seen.reduce((sum, c) => sum + weight(c) * c[key], 0),
        seen.reduce((sum, c) => sum + weight(c), 0),
      );
    return { precision: of('precision'), recall: of('recall'), f1: of('f1'), support: total };
  };
  return {
    accuracy: ratio(correct, total),
    classes,
    micro: scoresOf(correct, total, total),
    macro: mean(() => 1),
    weighted: mean((c) => c.support),
  };
}

function binaryScores(matrix: readonly (readonly number[])[]): ClassScores {
  return matrix.length < 2 ? scoresOf(0, 0, 0) : reportOf(matrix).classes[1];
}

function scoresOf(tp: number, predictedCount: number, support: number): ClassScores {
  return {
    precision: ratio(tp, predictedCount),
    recall: ratio(tp, support),
    f1: ratio(2 * tp, predictedCount + support),
    support,
  };
}

function ratio(a: number, b: number): number {
  return b === 0 ? 0 : a / b;
}
