import {
  broadcastTo,
  cast,
  DTypeError,
  div,
  equal,
  isFloat,
  mean,
  mul,
  OptionError,
  reshape,
  ShapeError,
  sum,
  Tensor,
  where,
} from '../core.js';
import { checkOptions, shown } from '../options.js';
import { sameShape } from '../shape.js';

/** What becomes of the losses of the examples: their mean, their sum, or nothing. */
export type Reduction = 'mean' | 'sum' | 'none';

export interface LossOptions {
  /** Default 'mean'; with weights Σ w·l / Σ w. */
  readonly reduction?: Reduction;
  /**
   * Sample weights >= 0: the shape of the losses, or of their leading axes (`[n]` for losses `[n, d]`). 'sum' and 'none'
   * give w·l. When they add up to 0 the mean is 0.
   */
  readonly weights?: Tensor;
}

/** Options every loss has. */
const COMMON = ['reduction', 'weights'] as const;

/** Throws for options that the loss does not have. */
export function checkLossOptions(loss: string, options: object, known: readonly string[] = []): void {
  checkOptions(loss, options, [...COMMON, ...known]);
}

/** Sample weights as a tensor like `values`, or null without. */
function weightsLike(loss: string, values: Tensor, weights: Tensor | undefined): Tensor | null {
  if (weights === undefined) return null;
  if (!(weights instanceof Tensor)) {
    throw new DTypeError(`${loss}: weights must be a tensor; wrap them in tensor([…])`);
  }
  const rank = weights.shape.length;
  if (!sameShape(weights.shape, values.shape.slice(0, rank))) {
    throw new ShapeError(
      `${loss}: got weights [${weights.shape.join(', ')}] for losses [${values.shape.join(', ')}], ` +
        'expected that shape or its leading axes',
    );
  }
  if (isFloat(weights.dtype) && weights.dtype !== values.dtype) {
    throw new DTypeError(`${loss}: got ${weights.dtype} weights, expected ${values.dtype} like the outputs`);
  }
  const w = cast(weights, values.dtype);
  if (rank === values.shape.length) return w;
  return broadcastTo(reshape(w, [...w.shape, ...values.shape.slice(rank).map(() => 1)]), values.shape);
}

/** Σ value / Σ weight, 0 where the weights add up to 0. */
function weightedMean(values: Tensor, weights: Tensor): Tensor {
  const total = sum(weights);
  return div(sum(values), where(equal(total, 0), 1, total));
}

/**
 * Applies sample weights and the reduction.
 * @param denominators what each value counts in the weighted mean beside its sample weight (class weights, 0 for ignored
 *   labels); default 1.
 */
export function reduce(
  loss: string,
  values: Tensor,
  { reduction = 'mean', weights }: LossOptions,
  denominators: Tensor | null = null,
): Tensor {
  const w = weightsLike(loss, values, weights);
  const weighted = w === null ? values : mul(values, w);
  switch (reduction) {
    case 'mean': {
      if (w === null && denominators === null) return mean(values);
      const counts = w === null ? denominators : denominators === null ? w : mul(w, denominators);
      return weightedMean(weighted, counts as Tensor);
    }
    case 'sum':
      return sum(weighted);
    case 'none':
      return weighted;
    default:
      reduction satisfies never;
      throw new OptionError(`${loss}: reduction is ${shown(reduction)}, expected 'mean', 'sum' or 'none'`);
  }
}
