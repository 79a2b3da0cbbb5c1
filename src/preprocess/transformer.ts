import { OptionError, ShapeError } from '../core.js';
import type { Json, TransformerState } from './state.js';
import { checkFiniteRows, type Like, type Rows, readRows, type TableInput, writeLike } from './table.js';

/**
 * Something that learns from training data and is then applied to any: `fit`, `transform`, `inverse`, `toJSON`.
 *
 * Inputs are a `TensorDataset` (its x), a tensor, a typed array with its shape, or rows of numbers; the result has the same
 * form. Arithmetic is float64; results are float32 unless the input is float64. Feature axes `[n, 28, 28]` count flat.
 */
export abstract class Transformer {
  /** Features it was fitted on; 0 before. */
  protected features = 0;

  /** Name for messages and JSON. */
  get type(): string {
    return this.constructor.name;
  }

  /** Whether it can be used. */
  get fitted(): boolean {
    return this.features > 0;
  }

  /**
   * Learns from `x`: give the training part only, so that nothing of the test part leaks into it.
   * @param x `[n, ...features]`.
   * @returns itself.
   * @throws DataError naming row and feature of a value that cannot be used.
   */
  async fit(x: TableInput): Promise<this> {
    const rows = await readRows(`${this.type}.fit`, x);
    this.checkValues(`${this.type}.fit`, rows);
    await this.learn(rows);
    this.features = rows.d;
    return this;
  }

  /**
   * Applies what was learnt.
   * @param x `[n, ...features]`, as many features as in `fit`.
   * @returns the same kind of thing as `x`; a data set keeps its targets.
   * @throws OptionError before `fit`; ShapeError for another number of features; DataError as in `fit`.
   */
  async transform<T extends TableInput>(x: T): Promise<Like<T>> {
    const rows = await this.read('transform', x, this.features);
    const { data, d } = this.apply(rows);
    return writeLike(x, rows, data, d);
  }

  /** `fit(x)`, then `transform(x)`. */
  async fitTransform<T extends TableInput>(x: T): Promise<Like<T>> {
    return (await this.fit(x)).transform(x);
  }

  /**
   * Undoes `transform`.
   * @param x `[n, ...features]` as `transform` gave them.
   * @throws OptionError where nothing can undo it; otherwise as `transform`.
   */
  async inverse<T extends TableInput>(x: T): Promise<Like<T>> {
    const rows = await this.read('inverse', x, this.outputs());
    const { data, d } = this.invert(rows);
    return writeLike(x, rows, data, d);
  }

  /** What was learnt and the options, as plain JSON. */
  toJSON(): TransformerState {
    if (!this.fitted) throw new OptionError(`${this.type}.toJSON: nothing was learnt yet; call fit first`);
    return { type: this.type, version: 1, ...this.state() };
  }

  protected abstract learn(rows: Rows): void | Promise<void>;
  protected abstract apply(rows: Rows): { data: Float64Array; d: number };
  protected abstract invert(rows: Rows): { data: Float64Array; d: number };
  protected abstract state(): Record<string, Json>;

  /** Features of the result. */
  protected outputs(): number {
    return this.features;
  }

  protected checkValues(where: string, rows: Rows): void {
    checkFiniteRows(where, rows);
  }

  private async read(action: string, x: TableInput, features: number): Promise<Rows> {
    const where = `${this.type}.${action}`;
    if (!this.fitted) throw new OptionError(`${where}: nothing was learnt yet; call fit with the training data first`);
    const rows = await readRows(where, x);
    if (rows.d !== features) {
      throw new ShapeError(`${where}: got [${rows.shape}], ${rows.d} features, expected ${features}`);
    }
    this.checkValues(where, rows);
    return rows;
  }
}

/** Each value of `rows` replaced by `fn(value, feature)`. */
export function mapValues(rows: Rows, fn: (v: number, j: number) => number): { data: Float64Array; d: number } {
  const { data, d } = rows;
  const out = new Float64Array(data.length);
  for (let i = 0, j = 0; i < data.length; i++, j = j + 1 === d ? 0 : j + 1) out[i] = fn(data[i], j);
  return { data: out, d };
}
