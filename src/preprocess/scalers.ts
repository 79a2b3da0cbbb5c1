import { DataError, OptionError } from '../core.js';
import { checkOptions, rangeOfTwo } from '../options.js';
import { type Json, StateReader, type TransformerState } from './state.js';
import { columnOf, type Rows } from './table.js';
import { mapValues, Transformer } from './transformer.js';

/** What to do with a feature that does not vary in the training data. */
export interface ConstantOption {
  /** 'error' (default) names the feature; 'center' leaves its scale at 1, so that it becomes a constant. */
  readonly constant?: 'error' | 'center';
}

/** y = (x − offset) / scale + shift, feature by feature. */
abstract class Scaler extends Transformer {
  /** Subtracted from each feature. */
  offset: Float64Array = new Float64Array(0);
  /** Each feature is divided by this. */
  scale: Float64Array = new Float64Array(0);
  protected constant: 'error' | 'center' = 'error';
  protected shift = 0;

  protected abstract measure(column: Float64Array): { offset: number; scale: number };
  protected abstract options(): Record<string, Json>;

  protected learn(rows: Rows): void {
    const measured = Array.from({ length: rows.d }, (_, j) => {
      const { offset, scale } = this.measure(columnOf(rows, j));
      if (!Number.isFinite(scale + offset)) {
        throw new DataError(
          `${this.type}.fit: feature ${j} has values whose squares or differences overflow; scale it down`,
        );
      }
      // A spread below the rounding of the values themselves is no spread.
      if (scale > 10 * Number.EPSILON * Math.abs(offset)) return { offset, scale };
      if (this.constant === 'center') return { offset, scale: 1 };
      throw new DataError(
        `${this.type}.fit: feature ${j} has no spread around ${offset}, so it has no scale; ` +
          "leave it out or give { constant: 'center' }",
      );
    });
    this.offset = Float64Array.from(measured, (m) => m.offset);
    this.scale = Float64Array.from(measured, (m) => m.scale);
  }

  protected apply(rows: Rows) {
    const { offset, scale, shift } = this;
    return mapValues(rows, (v, j) => (v - offset[j]) / scale[j] + shift);
  }

  protected invert(rows: Rows) {
    const { offset, scale, shift } = this;
    return mapValues(rows, (v, j) => (v - shift) * scale[j] + offset[j]);
  }

  protected state(): Record<string, Json> {
    return { options: this.options(), offset: [...this.offset], scale: [...this.scale] };
  }

  /** Takes over what `toJSON` gave. */
  protected restore(reader: StateReader): this {
    this.offset = reader.numbers('offset');
    this.scale = reader.numbers('scale', this.offset.length);
    if (!this.scale.every((s) => s > 0)) reader.fail('scale', 'numbers > 0');
    this.features = this.offset.length;
    return this;
  }

  protected setConstant(options: ConstantOption): void {
    const { constant = 'error' } = options;
    if (constant !== 'error' && constant !== 'center') {
      throw new OptionError(`${this.type}: constant is ${String(constant)}, expected 'error' or 'center'`);
    }
    this.constant = constant;
  }
}

/**
 * Subtracts the mean of each feature: y = x − mean.
 * @example const centred = await new preprocess.MeanCenterer().fitTransform(train);
 * @see scikit-learn, StandardScaler(with_std=False).
 */
export class MeanCenterer extends Scaler {
  protected measure(column: Float64Array) {
    return { offset: meanOf(column), scale: 1 };
  }
  protected override learn(rows: Rows): void {
    this.constant = 'center'; // a mean needs no spread
    super.learn(rows);
    this.scale.fill(1);
  }
  protected options(): Record<string, Json> {
    return {};
  }
  /** @throws FormatError naming the field that is wrong. */
  static fromJSON(state: TransformerState): MeanCenterer {
    return new MeanCenterer().restore(new StateReader('MeanCenterer', state));
  }
}

/**
 * z-score: y = (x − mean) / std, with the population deviation (n in the denominator).
 *
 * @param options `constant`: 'error' (default) or 'center' for features that do not vary.
 * @throws DataError from `fit` naming a feature that does not vary; OptionError for options.
 * @example
 * const scaler = await new preprocess.StandardScaler().fit(train);
 * const [a, b] = [await scaler.transform(train), await scaler.transform(test)];
 * @see scikit-learn, StandardScaler.
 */
export class StandardScaler extends Scaler {
  constructor(options: ConstantOption = {}) {
    super();
    checkOptions('StandardScaler', options, ['constant']);
    this.setConstant(options);
  }
  protected measure(column: Float64Array) {
    const offset = meanOf(column);
    let sum = 0;
    for (const v of column) sum += (v - offset) ** 2;
    return { offset, scale: Math.sqrt(sum / column.length) };
  }
  protected options(): Record<string, Json> {
    return { constant: this.constant };
  }
  /** @throws FormatError naming the field that is wrong. */
  static fromJSON(state: TransformerState): StandardScaler {
    const reader = new StateReader('StandardScaler', state);
    return new StandardScaler(reader.options() as ConstantOption).restore(reader);
  }
}

export interface MinMaxOptions extends ConstantOption {
  /** [low, high], low < high; default [0, 1]. */
  readonly range?: readonly [number, number];
}

/**
 * y = low + (high − low)·(x − min) / (max − min); values outside the training range leave [low, high].
 *
 * @param options `range` (default [0, 1]), `constant`.
 * @throws DataError from `fit` naming a feature that does not vary; OptionError for options.
 * @example await new preprocess.MinMaxScaler({ range: [-1, 1] }).fit(train);
 * @see scikit-learn, MinMaxScaler.
 */
export class MinMaxScaler extends Scaler {
  readonly range: readonly [number, number];
  constructor(options: MinMaxOptions = {}) {
    super();
    checkOptions('MinMaxScaler', options, ['range', 'constant']);
    const { range = [0, 1] } = options;
    if (!(rangeOfTwo('MinMaxScaler: range', range) && range[0] < range[1])) {
      throw new OptionError(`MinMaxScaler: range is [${range}], expected [low, high] with low < high`);
    }
    this.range = [range[0], range[1]];
    this.shift = range[0];
    this.setConstant(options);
  }
  protected measure(column: Float64Array) {
    let [low, high] = [column[0], column[0]];
    for (const v of column) {
      if (v < low) low = v;
      if (v > high) high = v;
    }
    return { offset: low, scale: (high - low) / (this.range[1] - this.range[0]) };
  }
  protected options(): Record<string, Json> {
    return { constant: this.constant, range: [...this.range] };
  }
  /** @throws FormatError naming the field that is wrong. */
  static fromJSON(state: TransformerState): MinMaxScaler {
    const reader = new StateReader('MinMaxScaler', state);
    return new MinMaxScaler(reader.options() as unknown as MinMaxOptions).restore(reader);
  }
}

export interface RobustOptions extends ConstantOption {
  /** Percentiles whose distance is the scale, 0 <= low < high <= 100; default [25, 75]. */
  readonly quantiles?: readonly [number, number];
}

/**
 * y = (x − median) / (q₇₅ − q₂₅): outliers hardly move it. Percentiles are interpolated linearly.
 *
 * @param options `quantiles` (default [25, 75]), `constant`.
 * @throws DataError from `fit` naming a feature whose quantiles are equal; OptionError for options.
 * @example await new preprocess.RobustScaler({ quantiles: [10, 90] }).fit(train);
 * @see scikit-learn, RobustScaler.
 */
export class RobustScaler extends Scaler {
  readonly quantiles: readonly [number, number];
  constructor(options: RobustOptions = {}) {
    super();
    checkOptions('RobustScaler', options, ['quantiles', 'constant']);
    const [low, high] = rangeOfTwo('RobustScaler: quantiles', options.quantiles ?? [25, 75]);
    if (!(low >= 0 && low < high && high <= 100)) {
      throw new OptionError(`RobustScaler: quantiles are [${low}, ${high}], expected 0 <= low < high <= 100`);
    }
    this.quantiles = [low, high];
    this.setConstant(options);
  }
  protected measure(column: Float64Array) {
    const sorted = column.slice().sort();
    const [low, high] = this.quantiles;
    return { offset: quantile(sorted, 50), scale: quantile(sorted, high) - quantile(sorted, low) };
  }
  protected options(): Record<string, Json> {
    return { constant: this.constant, quantiles: [...this.quantiles] };
  }
  /** @throws FormatError naming the field that is wrong. */
  static fromJSON(state: TransformerState): RobustScaler {
    const reader = new StateReader('RobustScaler', state);
    return new RobustScaler(reader.options() as unknown as RobustOptions).restore(reader);
  }
}

/** Mean in two passes: the second takes out the rounding of the first. */
export function meanOf(column: Float64Array): number {
  let sum = 0;
  for (const v of column) sum += v;
  const first = sum / column.length;
  let rest = 0;
  for (const v of column) rest += v - first;
  return first + rest / column.length;
}

/** Percentile of sorted values, interpolated between neighbours. */
export function quantile(sorted: Float64Array, percent: number): number {
  const at = ((sorted.length - 1) * percent) / 100;
  const low = Math.floor(at);
  const next = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (at - low) * (sorted[next] - sorted[low]);
}
