import {
  add,
  cast,
  DTypeError,
  isFloat,
  log,
  log1p,
  maximum,
  mul,
  neg,
  notEqual,
  softplus,
  sub,
  type Tensor,
  where,
} from '../core.js';
import { checkSameShape } from './check.js';
import { type LossOptions, reduce } from './reduction.js';

export interface BinaryCrossEntropyOptions extends LossOptions {
  /** Whether outputs are scores before the sigmoid (default true) or probabilities. */
  readonly fromLogits?: boolean;
}

/**
 * Binary cross-entropy: −y·log p − (1 − y)·log(1 − p), p = σ(output); the mean over all elements.
 *
 * From logits it is computed as y·softplus(−z) + (1 − y)·softplus(z), which neither overflows nor cancels. From
 * probabilities each logarithm is at least −100, as in PyTorch; where p is exactly 0 or 1 that term has no gradient.
 *
 * @param outputs any shape, float: logits, or probabilities in [0, 1] with `fromLogits: false` (NaN outside).
 * @param targets the same shape, in [0, 1]; bool and integers are taken as 0 and 1.
 * @param options `reduction`, default 'mean'; `fromLogits`, default true.
 * @returns a scalar, or the losses with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ; DTypeError for outputs that are not float.
 * @example binaryCrossEntropy(tensor([0, 2]), tensor([1, 1])); // (0.6931 + 0.1269) / 2
 * @see PyTorch, binary_cross_entropy_with_logits and binary_cross_entropy; gradient at the logits: (σ(z) − y) / n.
 */
export function binaryCrossEntropy(outputs: Tensor, targets: Tensor, options: BinaryCrossEntropyOptions = {}): Tensor {
  if (!isFloat(outputs.dtype)) {
    throw new DTypeError(`binaryCrossEntropy: got ${outputs.dtype} outputs, expected float32 or float64`);
  }
  checkSameShape('binaryCrossEntropy', outputs, targets);
  const y = isFloat(targets.dtype) ? targets : cast(targets, outputs.dtype);
  const values = options.fromLogits === false ? fromProbabilities(outputs, y) : fromLogits(outputs, y);
  return reduce('binaryCrossEntropy', values, options);
}

function fromLogits(z: Tensor, y: Tensor): Tensor {
  return add(mul(y, softplus(neg(z))), mul(sub(1, y), softplus(z)));
}

function fromProbabilities(p: Tensor, y: Tensor): Tensor {
  // The guard inside the logarithm keeps 0 · ∞ out of the gradient, the one outside gives the value at the end point.
  const positive = notEqual(p, 0);
  const below = notEqual(p, 1);
  const logP = maximum(where(positive, log(where(positive, p, 1)), LOWEST), LOWEST);
  const logQ = maximum(where(below, log1p(neg(where(below, p, 0))), LOWEST), LOWEST);
  return neg(add(mul(y, logP), mul(sub(1, y), logQ)));
}

const LOWEST = -100;
