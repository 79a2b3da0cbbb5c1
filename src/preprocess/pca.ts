import { DataError, matmul, OptionError, tensor, transpose } from '../core.js';
import { checkOptions } from '../options.js';
import { symmetricEigen } from './eigen.js';
import { meanOf } from './scalers.js';
import { type Json, StateReader, type TransformerState } from './state.js';
import { columnOf, type Rows } from './table.js';
import { Transformer } from './transformer.js';

/** Mean, and directions of the covariance from the largest variance to the smallest. */
interface Spectrum {
  readonly mean: Float64Array;
  /** Variances along the directions, n − 1 in the denominator, >= 0. */
  readonly values: Float64Array;
  /** One direction a row, its largest entry positive. */
  readonly vectors: Float64Array;
}

const BLOCK = 4096;

async function spectrumOf(where: string, rows: Rows): Promise<Spectrum> {
  const { data, n, d } = rows;
  if (n < 2) throw new DataError(`${where}: got 1 row, expected at least 2`);
  const mean = Float64Array.from({ length: d }, (_, j) => meanOf(columnOf(rows, j)));
  const covariance = new Float64Array(d * d);
  for (let start = 0; start < n; start += BLOCK) {
    const count = Math.min(BLOCK, n - start);
    const block = data.slice(start * d, (start + count) * d);
    for (let i = 0; i < block.length; i++) block[i] -= mean[i % d];
    const x = tensor(block, { shape: [count, d] });
    const products = await matmul(transpose(x), x).data();
    for (let i = 0; i < covariance.length; i++) covariance[i] += Number(products[i]);
  }
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) {
      covariance[i * d + j] /= n - 1;
      covariance[j * d + i] = covariance[i * d + j];
    }
  }
  if (!covariance.every(Number.isFinite)) {
    throw new DataError(`${where}: the covariance overflows; scale the features first`);
  }
  const { values, vectors } = symmetricEigen(covariance, d);
  for (let k = 0; k < d; k++) {
    const row = vectors.subarray(k * d, (k + 1) * d);
    const largest = row.reduce((best, v) => (Math.abs(v) > Math.abs(best) ? v : best), 0);
    if (largest < 0) for (let j = 0; j < d; j++) row[j] = -row[j];
  }
  return { mean, values: values.map((v) => Math.max(v, 0)), vectors };
}

/** (rows − before) · matrixᵀ + after, the matrix `[outputs, inputs]`. */
function project(
  rows: Rows,
  matrix: Float64Array,
  outputs: number,
  before: Float64Array | null,
  after: Float64Array | null,
): { data: Float64Array; d: number } {
  const { data, n, d } = rows;
  const out = new Float64Array(n * outputs);
  const centred = new Float64Array(d);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < d; j++) centred[j] = data[i * d + j] - (before === null ? 0 : before[j]);
    for (let k = 0; k < outputs; k++) {
      let sum = 0;
      for (let j = 0; j < d; j++) sum += matrix[k * d + j] * centred[j];
      out[i * outputs + k] = sum + (after === null ? 0 : after[k]);
    }
  }
  return { data: out, d: outputs };
}

export interface PCAOptions {
  /** Number of components in [1, min(n, features)], or the share of variance to keep in (0, 1); default all. */
  readonly components?: number;
  /** Divide each component by its standard deviation; default false. */
  readonly whiten?: boolean;
}

/**
 * Principal component analysis: y = (x − mean)·Vᵀ, rows of V the directions of largest variance.
 *
 * Each direction has its largest entry positive. `inverse` gives back what the kept components explain. Fitting costs
 * O(n·d² + d³), the latter on this thread.
 *
 * @param options `components` (default all), `whiten`.
 * @throws OptionError for more components than min(n, features); DataError for one row, data without variance, or a
 *   component without variance to whiten.
 * @example
 * const pca = await new preprocess.PCA({ components: 0.95 }).fit(train);
 * console.log(pca.components, pca.explainedRatio);
 * @see scikit-learn, PCA. Pearson (1901), On lines and planes of closest fit.
 */
export class PCA extends Transformer {
  mean: Float64Array = new Float64Array(0);
  /** `[components, features]`, row by row. */
  directions: Float64Array = new Float64Array(0);
  /** Variance along each component, n − 1 in the denominator. */
  explained: Float64Array = new Float64Array(0);
  /** The same as shares of the whole variance. */
  explainedRatio: Float64Array = new Float64Array(0);
  readonly #wanted: number | null;
  readonly #whiten: boolean;

  constructor(options: PCAOptions = {}) {
    super();
    checkOptions('PCA', options, ['components', 'whiten']);
    const { components, whiten = false } = options;
    if (components !== undefined && !(components > 0 && (components < 1 || Number.isInteger(components)))) {
      throw new OptionError(
        `PCA: components is ${String(components)}, expected a whole number >= 1, or a share in (0, 1)`,
      );
    }
    this.#wanted = components ?? null;
    this.#whiten = whiten;
  }

  /** Number of components kept. */
  get components(): number {
    return this.explained.length;
  }

  protected async learn(rows: Rows): Promise<void> {
    const most = Math.min(rows.n, rows.d);
    const wanted = this.#wanted ?? most;
    if (wanted > most) {
      throw new OptionError(
        `PCA: components is ${wanted}, expected at most min(rows, features) = min(${rows.n}, ${rows.d})`,
      );
    }
    const { mean, values, vectors } = await spectrumOf('PCA.fit', rows);
    const total = values.reduce((a, b) => a + b, 0);
    if (total === 0) throw new DataError('PCA.fit: all rows are equal, expected some variance');
    let k = wanted;
    if (wanted < 1) {
      let kept = 0;
      for (k = 0; k < most && kept < wanted; k++) kept += values[k] / total;
    }
    if (this.#whiten && values[k - 1] <= LOST * values[0]) {
      throw new DataError(
        `PCA.fit: component ${k - 1} has no variance (${values[k - 1]}) to whiten; keep fewer components`,
      );
    }
    this.mean = mean;
    this.directions = vectors.slice(0, k * rows.d);
    this.explained = values.slice(0, k);
    this.explainedRatio = this.explained.map((v) => v / total);
  }

  protected apply(rows: Rows) {
    return project(
      rows,
      this.#scaled((deviation) => 1 / deviation),
      this.components,
      this.mean,
      null,
    );
  }

  protected invert(rows: Rows) {
    const [k, d] = [this.components, this.features];
    const scaled = this.#scaled((deviation) => deviation);
    const back = new Float64Array(k * d);
    for (let i = 0; i < k; i++) for (let j = 0; j < d; j++) back[j * k + i] = scaled[i * d + j];
    return project(rows, back, d, null, this.mean);
  }

  protected override outputs(): number {
    return this.components;
  }

  #scaled(factor: (deviation: number) => number): Float64Array {
    if (!this.#whiten) return this.directions;
    const d = this.mean.length;
    return this.directions.map((v, i) => v * factor(Math.sqrt(this.explained[Math.floor(i / d)])));
  }

  protected state(): Record<string, Json> {
    return {
      options: { ...(this.#wanted === null ? {} : { components: this.#wanted }), whiten: this.#whiten },
      mean: [...this.mean],
      directions: [...this.directions],
      explained: [...this.explained],
      explainedRatio: [...this.explainedRatio],
    };
  }

  /** @throws FormatError naming the field that is wrong. */
  static fromJSON(state: TransformerState): PCA {
    const reader = new StateReader('PCA', state);
    const pca = new PCA(reader.options() as PCAOptions);
    pca.mean = reader.numbers('mean');
    pca.explained = reader.numbers('explained');
    pca.explainedRatio = reader.numbers('explainedRatio', pca.components);
    pca.directions = reader.numbers('directions', pca.components * pca.mean.length);
    pca.features = pca.mean.length;
    return pca;
  }
}

/** Variance below this share of the largest is rounding: about d·ε for any d that fits. */
const LOST = 1e-13;

export interface WhiteningOptions {
  /** 'zca' (default) stays as close to the features as possible; 'pca' turns to the components. */
  readonly kind?: 'zca' | 'pca';
  /** Added to each variance, >= 0; default 0. Data whose features depend on each other need it. */
  readonly epsilon?: number;
}

/**
 * Whitening: y = W·(x − mean) with covariance 1. ZCA: W = V·diag(1/√(λ + ε))·Vᵀ; PCA: W = diag(1/√(λ + ε))·Vᵀ.
 *
 * @param options `kind`, `epsilon`.
 * @throws DataError from `fit` when the covariance is singular and `epsilon` is 0; OptionError for options.
 * @example await new preprocess.Whitening({ epsilon: 1e-5 }).fit(train);
 * @see Kessy, Lewin and Strimmer (2018), Optimal whitening and decorrelation; Bell and Sejnowski (1997) for ZCA.
 */
export class Whitening extends Transformer {
  mean: Float64Array = new Float64Array(0);
  /** W, `[features, features]`, row by row. */
  matrix: Float64Array = new Float64Array(0);
  #back: Float64Array = new Float64Array(0);
  readonly #kind: 'zca' | 'pca';
  readonly #epsilon: number;

  constructor(options: WhiteningOptions = {}) {
    super();
    checkOptions('Whitening', options, ['kind', 'epsilon']);
    const { kind = 'zca', epsilon = 0 } = options;
    if (kind !== 'zca' && kind !== 'pca')
      throw new OptionError(`Whitening: kind is ${String(kind)}, expected 'zca' or 'pca'`);
    if (!(epsilon >= 0 && Number.isFinite(epsilon))) {
      throw new OptionError(`Whitening: epsilon is ${String(epsilon)}, expected a number >= 0`);
    }
    this.#kind = kind;
    this.#epsilon = epsilon;
  }

  protected async learn(rows: Rows): Promise<void> {
    const { mean, values, vectors } = await spectrumOf('Whitening.fit', rows);
    const { d } = rows;
    if (values[d - 1] + this.#epsilon <= LOST * values[0] || values[0] + this.#epsilon === 0) {
      throw new DataError(
        'Whitening.fit: the covariance is singular (features that depend on each other, or too few rows); ' +
          'give { epsilon } or take PCA first',
      );
    }
    const deviation = values.map((v) => Math.sqrt(v + this.#epsilon));
    this.mean = mean;
    this.matrix = new Float64Array(d * d);
    this.#back = new Float64Array(d * d);
    for (let i = 0; i < d; i++) {
      for (let j = 0; j < d; j++) {
        if (this.#kind === 'pca') {
          this.matrix[i * d + j] = vectors[i * d + j] / deviation[i];
          this.#back[j * d + i] = vectors[i * d + j] * deviation[i];
          continue;
        }
        for (let k = 0; k < d; k++) {
          const both = vectors[k * d + i] * vectors[k * d + j];
          this.matrix[i * d + j] += both / deviation[k];
          this.#back[i * d + j] += both * deviation[k];
        }
      }
    }
  }

  protected apply(rows: Rows) {
    return project(rows, this.matrix, this.features, this.mean, null);
  }

  protected invert(rows: Rows) {
    return project(rows, this.#back, this.features, null, this.mean);
  }

  protected state(): Record<string, Json> {
    return {
      options: { kind: this.#kind, epsilon: this.#epsilon },
      mean: [...this.mean],
      matrix: [...this.matrix],
      back: [...this.#back],
    };
  }

  /** @throws FormatError naming the field that is wrong. */
  static fromJSON(state: TransformerState): Whitening {
    const reader = new StateReader('Whitening', state);
    const whitening = new Whitening(reader.options() as WhiteningOptions);
    whitening.mean = reader.numbers('mean');
    whitening.features = whitening.mean.length;
    whitening.matrix = reader.numbers('matrix', whitening.features ** 2);
    whitening.#back = reader.numbers('back', whitening.features ** 2);
    return whitening;
  }
}
