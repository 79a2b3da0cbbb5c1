import { cast, DataError, equal, max, OptionError, ShapeError } from '../core.js';
import { checkArray, checkOptions, wholeNumber } from '../options.js';
import { eachRow, packed, predicted, probabilities, scored } from './columns.js';
import type { StreamMetric } from './metric.js';

/** One bar of a reliability diagram: probabilities in (low, high]; the first bar holds 0 too. */
export interface ReliabilityBin {
  readonly low: number;
  readonly high: number;
  readonly count: number;
  /** Mean probability; NaN in an empty bin. */
  readonly confidence: number;
  /** Fraction that came true; NaN in an empty bin. */
  readonly accuracy: number;
}

export interface Reliability {
  readonly bins: readonly ReliabilityBin[];
  /** Expected calibration error: Σ count/n · |accuracy − confidence|. */
  readonly expectedError: number;
  /** The largest |accuracy − confidence| of a bin. */
  readonly maximumError: number;
}

/**
 * How often events of a probability come true, in bins of equal width.
 *
 * @param probabilities in [0, 1], at least one.
 * @param outcomes 0 or 1, as many.
 * @param options `bins`: whole number >= 1, default 15.
 * @throws ShapeError for unequal lengths; DataError naming a value out of range; OptionError for `bins`.
 * @example reliability([0.9, 0.8, 0.1], [1, 0, 0], { bins: 10 }).expectedError; // 0.3333
 * @see Guo et al. (2017), On calibration of modern neural networks; scikit-learn, calibration_curve.
 */
export function reliability(
  probabilities: ArrayLike<number>,
  outcomes: ArrayLike<number>,
  options: { readonly bins?: number } = {},
): Reliability {
  checkOptions('reliability', options, ['bins']);
  checkArray('reliability', 'probabilities', probabilities);
  checkArray('reliability', 'outcomes', outcomes);
  if (probabilities.length !== outcomes.length) {
    throw new ShapeError(
      `reliability: got ${probabilities.length} probabilities and ${outcomes.length} outcomes, expected as many`,
    );
  }
  if (probabilities.length === 0) throw new DataError('reliability: got no probabilities, expected at least one');
  const bins = new Bins(wholeNumber('reliability: bins', options.bins ?? 15, 1));
  for (let i = 0; i < probabilities.length; i++) {
    const outcome = outcomes[i];
    if (outcome !== 0 && outcome !== 1) throw new DataError(`reliability: outcome ${i} is ${outcome}, expected 0 or 1`);
    bins.add(`reliability: probability ${i}`, probabilities[i], outcome);
  }
  return bins.read();
}

export interface CalibrationOptions {
  /** Bins of equal width; default 15. */
  readonly bins?: number;
  /** Whether outputs are logits (default true) or probabilities. */
  readonly fromLogits?: boolean;
  /** Key in histories and results. */
  readonly name?: string;
}

/**
 * Expected calibration error: Σ over bins of count/n · |accuracy − mean confidence|.
 *
 * With outputs `[n, …, classes]` the confidence is the largest probability and it comes true when that class is the label;
 * with 0/1 labels of the outputs' shape it is the probability of 1.
 *
 * @param options `bins` (>= 1, default 15), `fromLogits` (default true), `name` (default 'calibrationError').
 * @returns a metric in [0, 1]; 0 means that confidences are frequencies.
 * @throws OptionError for `bins`; DataError for outputs that give no probability.
 * @example await evaluate(model, test, { loss: 'crossEntropy', metrics: ['calibrationError'] });
 * @see Guo et al. (2017), On calibration of modern neural networks.
 */
export function calibrationError(options: CalibrationOptions = {}): StreamMetric {
  checkOptions('calibrationError', options, ['bins', 'fromLogits', 'name']);
  const { fromLogits = true, name = 'calibrationError' } = options;
  const count = wholeNumber('calibrationError: bins', options.bins ?? 15, 1);
  return {
    name,
    batch: (outputs, labels) => {
      const s = scored(name, outputs, labels);
      const p = probabilities(s, fromLogits);
      if (p.shape[1] === 1) return packed([p, s.label], s.classes);
      const right = cast(equal(predicted(s, 0), s.label), p.dtype);
      return packed([max(p, { axis: -1, keepDims: true }), right], s.classes);
    },
    accumulator: () => {
      const bins = new Bins(count);
      return {
        add: (values) => eachRow(values, (at) => bins.add(`${name}: an output`, values[at], values[at + 1])),
        get value() {
          return bins.read().expectedError;
        },
      };
    },
  };
}

class Bins {
  readonly #count: Float64Array;
  readonly #confidence: Float64Array;
  readonly #true: Float64Array;
  #total = 0;

  constructor(bins: number) {
    if (bins > MAX_BINS) throw new OptionError(`calibration: bins is ${bins}, expected at most ${MAX_BINS}`);
    this.#count = new Float64Array(bins);
    this.#confidence = new Float64Array(bins);
    this.#true = new Float64Array(bins);
  }

  add(what: string, p: number, outcome: number): void {
    // Softmax in float32 may end an ulp above 1.
    if (!(p >= 0 && p <= 1 + 1e-6)) throw new DataError(`${what} is ${p}, expected a probability in [0, 1]`);
    const n = this.#count.length;
    let bin = Math.min(n - 1, Math.max(0, Math.ceil(p * n) - 1));
    // p · n may round across an edge: the edges are i / n, as reported.
    if (bin > 0 && p <= bin / n) bin -= 1;
    else if (bin < n - 1 && p > (bin + 1) / n) bin += 1;
    this.#count[bin] += 1;
    this.#confidence[bin] += p;
    this.#true[bin] += outcome;
    this.#total += 1;
  }

  read(): Reliability {
    const n = this.#count.length;
    const bins = Array.from(this.#count, (count, i) => ({
      low: i / n,
      high: (i + 1) / n,
      count,
      confidence: this.#confidence[i] / count,
      accuracy: this.#true[i] / count,
    }));
    const gaps = bins.filter((b) => b.count > 0).map((b) => ({ b, gap: Math.abs(b.accuracy - b.confidence) }));
    return {
      bins,
      expectedError: gaps.reduce((sum, { b, gap }) => sum + (b.count / this.#total) * gap, 0),
      maximumError: gaps.reduce((most, { gap }) => Math.max(most, gap), 0),
    };
  }
}

const MAX_BINS = 1_000_000;
