import { mean, OptionError, sum, type Tensor } from '../core.js';

/** What becomes of the losses of the examples: their mean, their sum, or nothing. */
export type Reduction = 'mean' | 'sum' | 'none';

export interface LossOptions {
  /** Default 'mean'. */
  readonly reduction?: Reduction;
}

export function reduce(loss: string, values: Tensor, { reduction = 'mean' }: LossOptions): Tensor {
  switch (reduction) {
    case 'mean':
      return mean(values);
    case 'sum':
      return sum(values);
    case 'none':
      return values;
    default:
      reduction satisfies never;
      throw new OptionError(`${loss}: reduction is ${JSON.stringify(reduction)}, expected 'mean', 'sum' or 'none'`);
  }
}
