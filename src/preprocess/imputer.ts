import { DataError, OptionError } from '../core.js';
import { checkOptions } from '../options.js';
import { meanOf, quantile } from './scalers.js';
import { type Json, StateReader, type TransformerState } from './state.js';
import { columnOf, type Rows } from './table.js';
import { mapValues, Transformer } from './transformer.js';

export interface ImputerOptions {
  /** What a missing value becomes, feature by feature; default 'mean'. */
  readonly strategy?: 'mean' | 'median' | 'mostFrequent' | 'constant';
  /** The value for 'constant'; default 0. */
  readonly value?: number;
  /** A number that stands for missing beside NaN; default none. */
  readonly missing?: number;
}

const STRATEGIES = {
  mean: meanOf,
  median: (known: Float64Array) => quantile(known.slice().sort(), 50),
  mostFrequent: (known: Float64Array) => {
    const counts = new Map<number, number>();
    for (const v of known.slice().sort()) counts.set(v, (counts.get(v) ?? 0) + 1);
    let best: [number, number] = [0, 0];
    for (const entry of counts) if (entry[1] > best[1]) best = entry; // the smallest of equally frequent ones
    return best[0];
  },
} as const;

/**
 * Fills missing values (NaN) with the mean, median, most frequent value of the feature in the training data, or a constant.
 *
 * `inverse` throws, because it is not kept which values were missing. Infinities are errors.
 *
 * @param options `strategy` (default 'mean'), `value` (for 'constant', default 0), `missing`.
 * @throws DataError from `fit` for a feature without any value; OptionError for options.
 * @example await new preprocess.Imputer({ strategy: 'median' }).fitTransform(train);
 * @see scikit-learn, SimpleImputer.
 */
export class Imputer extends Transformer {
  /** What each feature's missing values become. */
  fill: Float64Array = new Float64Array(0);
  readonly #options: ImputerOptions;

  constructor(options: ImputerOptions = {}) {
    super();
    checkOptions('Imputer', options, ['strategy', 'value', 'missing']);
    const { strategy = 'mean', value, missing } = options;
    if (strategy !== 'constant' && !Object.hasOwn(STRATEGIES, strategy)) {
      throw new OptionError(
        `Imputer: strategy is ${String(strategy)}, expected 'mean', 'median', 'mostFrequent' or 'constant'`,
      );
    }
    if (value !== undefined && (strategy !== 'constant' || !Number.isFinite(value))) {
      throw new OptionError(`Imputer: value is ${value}, expected a finite number together with strategy 'constant'`);
    }
    if (missing !== undefined && !Number.isFinite(missing)) {
      throw new OptionError(`Imputer: missing is ${missing}, expected a finite number (NaN is always missing)`);
    }
    this.#options = { ...options, strategy };
  }

  protected override checkValues(where: string, { data, d }: Rows): void {
    const at = data.findIndex((v) => Math.abs(v) === Number.POSITIVE_INFINITY);
    if (at < 0) return;
    throw new DataError(
      `${where}: row ${Math.floor(at / d)} has ${data[at]} at feature ${at % d}, expected finite numbers or NaN`,
    );
  }

  protected learn(rows: Rows): void {
    const { strategy = 'mean', value = 0 } = this.#options;
    this.fill = Float64Array.from({ length: rows.d }, (_, j) => {
      if (strategy === 'constant') return value;
      const known = columnOf(rows, j).filter((v) => !this.#isMissing(v));
      if (known.length > 0) return STRATEGIES[strategy](known);
      throw new DataError(`Imputer.fit: feature ${j} has no value at all; leave it out or use strategy 'constant'`);
    });
  }

  #isMissing(v: number): boolean {
    return Number.isNaN(v) || v === this.#options.missing;
  }

  protected apply(rows: Rows) {
    return mapValues(rows, (v, j) => (this.#isMissing(v) ? this.fill[j] : v));
  }

  protected invert(): never {
    throw new OptionError('Imputer.inverse: it is not kept which values were missing, so it cannot be undone');
  }

  protected state(): Record<string, Json> {
    return { options: { ...this.#options }, fill: [...this.fill] };
  }

  /** @throws FormatError naming the field that is wrong. */
  static fromJSON(state: TransformerState): Imputer {
    const reader = new StateReader('Imputer', state);
    const imputer = new Imputer(reader.options() as ImputerOptions);
    imputer.fill = reader.numbers('fill');
    imputer.features = imputer.fill.length;
    return imputer;
  }
}
