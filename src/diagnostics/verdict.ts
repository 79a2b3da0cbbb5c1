import { DataError, OptionError } from '../errors.js';
import { checkOptions, shown } from '../options.js';

/** What a history is judged from: that of `fit`, or its JSON read back. */
export interface Epochs {
  readonly epochs: readonly Readonly<Record<string, number>>[];
}

export type FitKind = 'overfitting' | 'underfitting' | 'diverging' | 'still learning' | 'good fit' | 'too short';

export interface FitVerdict {
  readonly kind: FitKind;
  /** Why, with the numbers; one sentence each, the weightiest first. */
  readonly reasons: readonly string[];
  /** Epoch with the least validation loss, or training loss without validation. */
  readonly bestEpoch: number;
}

export interface VerdictOptions {
  /** Loss of a model that has learned nothing, such as log(classes); default the loss of the first epoch. */
  readonly baseline?: number;
  /** Rise of the validation loss above its least value that counts, as a share of it; default 0.05. */
  readonly rise?: number;
  /** Gap of validation above training loss that counts, as a share of the baseline; default 0.2. */
  readonly gap?: number;
  /** Improvement of the training loss over the last third of the epochs below which it stands still, as a share of the baseline; default 0.02. */
  readonly plateau?: number;
}

const SHARES = ['rise', 'gap', 'plateau'] as const;

/**
 * Whether a training run over-fits, under-fits, diverges or should go on, and why.
 *
 * Diverging: the training loss is not finite, or ends above its first value or twice above its least. Over-fitting: the
 * validation loss has risen by `rise` since its best epoch while the training loss fell, or ends `gap` above the training
 * loss. Under-fitting: the training loss stands still (`plateau`) above half of the baseline. Still learning: it falls at
 * the end. The training loss of `fit` is a mean over the epoch, while the model improves; so a validation loss a little
 * below it is no sign of anything.
 *
 * @param history of `fit`, at least 3 epochs for a verdict.
 * @param options `baseline`, `rise`, `gap`, `plateau`.
 * @throws DataError for a history without epochs or losses; OptionError for options out of range.
 * @example verdict(await fit(model, train, { ...options, validation: test })).reasons[0];
 * @see Goodfellow, Bengio and Courville (2016), Deep Learning, 5.2 and 7.8.
 */
export function verdict(history: Epochs, options: VerdictOptions = {}): FitVerdict {
  checkOptions('verdict', options, ['baseline', ...SHARES]);
  const { rise = 0.05, gap = 0.2, plateau = 0.02 } = options;
  for (const [name, v] of Object.entries({ rise, gap, plateau })) {
    if (!(Number.isFinite(v) && v > 0)) throw new OptionError(`verdict: ${name} is ${shown(v)}, expected a share > 0`);
  }
  if (!Array.isArray(history?.epochs)) throw new DataError(`verdict: got ${shown(history)}, expected what fit returns`);
  const loss = history.epochs.map((e) => e['loss']);
  const valLoss = history.epochs.map((e) => e['valLoss']).filter((v) => v !== undefined);
  const n = loss.length;
  if (n === 0 || loss.some((v) => typeof v !== 'number')) {
    throw new DataError('verdict: the history has no epochs with a loss; give what fit returns');
  }
  const hasValidation = valLoss.length === n;
  const best = indexOfLeast(hasValidation ? valLoss : loss);
  const result = (kind: FitKind, reasons: readonly string[]): FitVerdict => ({ kind, reasons, bestEpoch: best + 1 });

  const [first, last] = [loss[0], loss[n - 1]];
  const least = loss[indexOfLeast(loss)];
  if (!Number.isFinite(last))
    return result('diverging', [`the training loss is ${last} after epoch ${n}: lower the learning rate`]);
  if (n < 3) return result('too short', [`${n} epoch${n === 1 ? '' : 's'} of training, a verdict needs at least 3`]);
  const { baseline = first } = options;
  if (!(Number.isFinite(baseline) && baseline !== 0)) {
    throw new OptionError(`verdict: baseline is ${baseline}, expected the loss of a model that has learned nothing`);
  }
  const scale = Math.abs(baseline);
  if (last > first + plateau * scale || last - least > Math.max(Math.abs(least), plateau * scale)) {
    const from = last > first ? `${show(first)} in epoch 1` : `${show(least)} in epoch ${indexOfLeast(loss) + 1}`;
    return result('diverging', [
      `the training loss rose from ${from} to ${show(last)}: lower the learning rate or clip gradients`,
    ]);
  }

  const reasons: string[] = [];
  if (hasValidation) {
    const [bestVal, lastVal] = [valLoss[best], valLoss[n - 1]];
    const risen = lastVal - bestVal;
    // Few validation samples make noise: below the training loss, only a large rise says anything.
    const telling = lastVal > last ? 0.01 * scale : gap * scale;
    if (risen > rise * Math.abs(bestVal) && risen > telling && last < loss[best]) {
      reasons.push(
        `the validation loss rose from ${show(bestVal)} (epoch ${best + 1}) to ${show(lastVal)} while the training loss fell from ${show(loss[best])} to ${show(last)}`,
      );
    }
    if (lastVal - last > gap * scale) {
      reasons.push(
        `the validation loss ${show(lastVal)} is ${show(lastVal - last)} above the training loss ${show(last)}`,
      );
    }
    if (reasons.length > 0) return result('overfitting', [...reasons, ADVICE_OVER]);
  }
  // Means over a third: a single epoch says little.
  const third = Math.max(1, Math.floor(n / 3));
  const before = mean(loss.slice(n - 2 * third, n - third));
  const gained = before - mean(loss.slice(n - third));
  const still = gained < plateau * scale;
  if (still && last > 0.5 * baseline) {
    return result('underfitting', [
      `the training loss stands still at ${show(last)} (${show(gained)} better over the last ${third} epoch${third === 1 ? '' : 's'}), not far below ${show(baseline)}, the loss ${options.baseline === undefined ? 'of the first epoch' : 'without learning'}`,
      ADVICE_UNDER,
    ]);
  }
  if (!still)
    return result('still learning', [
      `the training loss fell by ${show(gained)} over the last ${third} epoch${third === 1 ? '' : 's'}, to ${show(last)}: train longer`,
    ]);
  const close = hasValidation
    ? `, the validation loss at ${show(valLoss[n - 1])}`
    : '; without validation data over-fitting cannot be seen';
  return result('good fit', [`the training loss has settled at ${show(last)}${close}`]);
}

const ADVICE_OVER = 'stop at the best epoch, add data, weight decay or dropout, or take a smaller network';
const ADVICE_UNDER = 'try a larger network, less regularisation, a larger learning rate, or better inputs';

function indexOfLeast(values: readonly number[]): number {
  let best = 0;
  values.forEach((v, i) => {
    if (v < values[best] || Number.isNaN(values[best])) best = i;
  });
  return best;
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function show(v: number): string {
  return String(Number(v.toPrecision(3)));
}
