import { OptionError } from '../core.js';
import { checkOptions } from '../options.js';
import { type Json, StateReader, type TransformerState } from './state.js';
import type { Rows } from './table.js';
import { Transformer } from './transformer.js';

const NORMS = {
  l1: (row: Float64Array) => row.reduce((sum, v) => sum + Math.abs(v), 0),
  l2: (row: Float64Array) => {
    // Scaled by the largest entry, so that squares neither overflow nor vanish.
    const most = NORMS.max(row);
    return most === 0 ? 0 : most * Math.sqrt(row.reduce((sum, v) => sum + (v / most) ** 2, 0));
  },
  max: (row: Float64Array): number => row.reduce((most, v) => Math.max(most, Math.abs(v)), 0),
} as const;

/**
 * Divides each row by its norm: Σ|x|, √Σx² or max|x|. A row of zeros stays as it is.
 *
 * Learns nothing but the number of features; `inverse` throws, because the norms are gone.
 *
 * @param options `norm`: 'l2' (default), 'l1' or 'max'.
 * @throws OptionError for another norm.
 * @example await new preprocess.Normalizer({ norm: 'l1' }).fitTransform(train);
 * @see scikit-learn, Normalizer.
 */
export class Normalizer extends Transformer {
  readonly norm: keyof typeof NORMS;

  constructor(options: { readonly norm?: 'l1' | 'l2' | 'max' } = {}) {
    super();
    checkOptions('Normalizer', options, ['norm']);
    const { norm = 'l2' } = options;
    if (!Object.hasOwn(NORMS, norm)) {
      throw new OptionError(`Normalizer: norm is ${String(norm)}, expected 'l1', 'l2' or 'max'`);
    }
    this.norm = norm;
  }

  protected learn(): void {}

  protected apply({ data, n, d }: Rows) {
    const out = new Float64Array(data.length);
    for (let i = 0; i < n; i++) {
      const row = data.subarray(i * d, (i + 1) * d);
      const norm = NORMS[this.norm](row);
      for (let j = 0; j < d; j++) out[i * d + j] = norm === 0 ? row[j] : row[j] / norm;
    }
    return { data: out, d };
  }

  protected invert(): never {
    throw new OptionError('Normalizer.inverse: the norm of each row is not kept, so it cannot be undone');
  }

  protected state(): Record<string, Json> {
    return { options: { norm: this.norm }, features: this.features };
  }

  /** @throws FormatError naming the field that is wrong. */
  static fromJSON(state: TransformerState): Normalizer {
    const reader = new StateReader('Normalizer', state);
    const normalizer = new Normalizer(reader.options() as { norm: 'l2' });
    normalizer.features = reader.number('features');
    return normalizer;
  }
}
