/** A network of bench/train.mjs. */
export interface Net {
  readonly number: number;
  readonly id: string;
  readonly sizes: readonly number[];
  readonly batch: number;
  readonly loss: 'crossEntropy' | 'mse';
  readonly rows: number;
}
export const NETS: readonly Net[];
