import {
  add,
  div,
  equal,
  exp,
  greater,
  less,
  log,
  logSoftmax,
  mul,
  OptionError,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
  where,
} from '../core.js';
import { shown } from '../options.js';
import { checkSameShape, floatTargets, numberAbove } from './check.js';
import { logOf } from './log.js';
import { checkLossOptions, type LossOptions, type Reduction, reduce } from './reduction.js';

export interface PoissonNllOptions extends LossOptions {
  /** Whether outputs are log rates (default true) or rates. */
  readonly logInput?: boolean;
  /** Adds Stirling's approximation of log(target!) for targets above 1 (default false). */
  readonly full?: boolean;
  /** Added to rates under the logarithm, > 0 (default 1e-8). */
  readonly eps?: number;
}

/**
 * Negative log likelihood of counts under Poisson's law: e^z − y·z for log rates z, or λ − y·log(λ + ε) for rates; without
 * the constant log y! unless `full`.
 *
 * @param outputs any shape, float: log rates, or rates >= 0 with `logInput: false`.
 * @param targets the same shape: counts >= 0.
 * @param options `logInput`, default true; `full`, default false; `eps` > 0, default 1e-8; `reduction`; `weights`.
 * @returns a scalar, or the losses with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ; OptionError for an eps out of range.
 * @example poissonNllLoss(tensor([0, 1]), tensor([2, 3])); // (1 + e − 3) / 2
 * @see PyTorch, poisson_nll_loss.
 */
export function poissonNllLoss(outputs: Tensor, targets: Tensor, options: PoissonNllOptions = {}): Tensor {
  checkLossOptions('poissonNllLoss', options, ['logInput', 'full', 'eps']);
  const { logInput = true, full = false } = options;
  const eps = numberAbove('poissonNllLoss', 'eps', options.eps ?? 1e-8, 0);
  const y = floatTargets('poissonNllLoss', outputs, targets);
  const core = logInput ? sub(exp(outputs), mul(y, outputs)) : sub(outputs, mul(y, log(add(outputs, eps))));
  return reduce('poissonNllLoss', full ? add(core, stirling(y)) : core, options);
}

/** y log y − y + ½ log 2πy above 1, else 0. */
function stirling(y: Tensor): Tensor {
  const large = greater(y, 1);
  const safe = where(large, y, 2);
  const value = add(sub(mul(safe, log(safe)), safe), mul(0.5, log(mul(2 * Math.PI, safe))));
  return where(large, value, 0);
}

export interface GaussianNllOptions extends LossOptions {
  /** Adds ½ log 2π (default false). */
  readonly full?: boolean;
  /** Smallest variance, > 0 (default 1e-6). */
  readonly eps?: number;
}

/**
 * Negative log likelihood under the normal law with a predicted variance: ½·(log v + (output − target)²/v), v = max(variance, ε).
 *
 * @param outputs any shape, float: predicted means.
 * @param targets the same shape.
 * @param variance the same shape: predicted variances; one below ε counts as ε, with the gradient of v, as in PyTorch.
 * @param options `full`, default false; `eps` > 0, default 1e-6; `reduction`, default 'mean'; `weights`.
 * @returns a scalar, or the losses with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ; OptionError for an eps out of range.
 * @example gaussianNllLoss(tensor([1]), tensor([3]), tensor([2])); // ½·(log 2 + 2)
 * @see Nix and Weigend (1994), Estimating the mean and variance of the target probability distribution; PyTorch.
 */
export function gaussianNllLoss(
  outputs: Tensor,
  targets: Tensor,
  variance: Tensor,
  options: GaussianNllOptions = {},
): Tensor {
  checkLossOptions('gaussianNllLoss', options, ['full', 'eps']);
  const eps = numberAbove('gaussianNllLoss', 'eps', options.eps ?? 1e-6, 0);
  const y = floatTargets('gaussianNllLoss', outputs, targets);
  checkSameShape('gaussianNllLoss', outputs, variance, 'variance');
  const v = where(less(variance, eps), add(sub(variance, stopGradient(variance)), eps), variance);
  const core = mul(0.5, add(log(v), div(square(sub(outputs, y)), v)));
  return reduce('gaussianNllLoss', options.full === true ? add(core, 0.5 * Math.log(2 * Math.PI)) : core, options);
}

export interface KlDivergenceOptions extends Omit<LossOptions, 'reduction'> {
  /** 'batchMean' divides the sum by the size of the first axis: the mean divergence of the rows. Default 'mean'. */
  readonly reduction?: Reduction | 'batchMean';
  /** What the outputs are (default 'logProbs', as in PyTorch). */
  readonly from?: 'logProbs' | 'logits' | 'probabilities';
  /** Whether targets are log probabilities (default false). */
  readonly logTargets?: boolean;
}

/**
 * Kullback–Leibler divergence of the predicted law ŷ from the target y: y·(log y − log ŷ), 0 where y = 0.
 *
 * Use `reduction: 'batchMean'` for Σ y·log(y/ŷ) per row; 'mean', PyTorch's default, divides by the number of elements.
 *
 * @param outputs `[…, classes]`, float: log probabilities, or as `from` says. Probabilities count as at least e^−100.
 * @param targets the same shape: probabilities, or their logarithms with `logTargets`.
 * @param options `from`, `logTargets`, `weights`, `reduction`: 'mean' | 'sum' | 'none' | 'batchMean'.
 * @returns a scalar, or the terms with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ; OptionError for unknown options.
 * @example klDivergence(tensor([[0.5, 0.5]]).log(), tensor([[0.9, 0.1]]), { reduction: 'sum' }); // 0.3681
 * @see Kullback and Leibler (1951), On information and sufficiency; PyTorch, kl_div.
 */
export function klDivergence(outputs: Tensor, targets: Tensor, options: KlDivergenceOptions = {}): Tensor {
  checkLossOptions('klDivergence', options, ['from', 'logTargets']);
  const { from = 'logProbs', logTargets = false, reduction = 'mean', weights } = options;
  const y = floatTargets('klDivergence', outputs, targets);
  const common = weights === undefined ? {} : { weights };
  const terms = klTerms(logProbabilities('klDivergence', outputs, from), y, logTargets);
  if (reduction !== 'batchMean') return reduce('klDivergence', terms, { reduction, ...common });
  if (outputs.shape.length < 2) {
    throw new OptionError(`klDivergence: 'batchMean' of [${outputs.shape}], expected a batch axis; use 'sum'`);
  }
  // A weight per row; elementwise weights have no mean per row.
  if (weights !== undefined && weights.shape.length !== 1) {
    throw new OptionError(`klDivergence: 'batchMean' takes weights [${outputs.shape[0]}], got [${weights.shape}]`);
  }
  const rows = sum(terms, { axis: terms.shape.map((_, a) => a).slice(1) });
  return reduce('klDivergence', rows, { reduction: 'mean', ...common });
}

function klTerms(logP: Tensor, y: Tensor, logTargets: boolean): Tensor {
  if (logTargets) return mul(exp(y), sub(y, logP));
  const zero = equal(y, 0);
  return where(zero, 0, mul(y, sub(log(where(zero, 1, y)), where(zero, 0, logP))));
}

function logProbabilities(loss: string, x: Tensor, from: string): Tensor {
  if (from === 'logProbs') return x;
  if (from === 'logits') return logSoftmax(x);
  if (from === 'probabilities') return logOf(x);
  throw new OptionError(`${loss}: from is ${shown(from)}, expected 'logProbs', 'logits' or 'probabilities'`);
}
