import { log, log1p, maximum, neg, notEqual, type Tensor, where } from '../core.js';

/** Smallest logarithm of a probability, as in PyTorch's binary_cross_entropy. */
const LOWEST = -100;

/** log p, at least −100; at p = 0 without gradient. The inner guard keeps 0 · ∞ out of the gradient. */
export function logOf(p: Tensor): Tensor {
  const positive = notEqual(p, 0);
  return maximum(where(positive, log(where(positive, p, 1)), LOWEST), LOWEST);
}

/** log(1 − p), at least −100; at p = 1 without gradient. */
export function logOfComplement(p: Tensor): Tensor {
  const below = notEqual(p, 1);
  return maximum(where(below, log1p(neg(where(below, p, 0))), LOWEST), LOWEST);
}
