import {
  abs,
  clip,
  exp,
  expm1,
  isFinite as isFiniteOp,
  less,
  lessEqual,
  log1p,
  maximum,
  mul,
  neg,
  OptionError,
  softplus,
  square,
  sub,
  type Tensor,
  where,
} from '../core.js';
import { shown } from '../options.js';
import { floatTargets, numberAbove } from './check.js';
import { checkLossOptions, type LossOptions, reduce } from './reduction.js';

/** Output − target after the checks all of these share. */
function errorOf(loss: string, outputs: Tensor, targets: Tensor): Tensor {
  return sub(outputs, floatTargets(loss, outputs, targets));
}

/**
 * Mean absolute error (L1): mean of |output − target|; derivative 0 where they are equal.
 *
 * @param outputs any shape, float.
 * @param targets the same shape.
 * @param options `reduction`, default 'mean'; `weights`.
 * @returns a scalar, or the absolute errors with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ.
 * @example mae(tensor([1, 2]), tensor([1, 4])); // 1
 * @see PyTorch, torch.nn.functional.l1_loss.
 */
export function mae(outputs: Tensor, targets: Tensor, options: LossOptions = {}): Tensor {
  checkLossOptions('mae', options);
  return reduce('mae', abs(errorOf('mae', outputs, targets)), options);
}

export interface HuberOptions extends LossOptions {
  /** Where the square turns into a line, > 0 (default 1). */
  readonly delta?: number;
}

/**
 * Huber loss: ½e² for |e| <= δ, else δ·(|e| − ½δ), e = output − target.
 *
 * @param outputs any shape, float.
 * @param targets the same shape.
 * @param options `delta` > 0, default 1; `reduction`, default 'mean'; `weights`.
 * @returns a scalar, or the losses with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ; OptionError for a delta out of range.
 * @example huberLoss(tensor([0.5, 3]), tensor([0, 0])); // (0.125 + 2.5) / 2
 * @see Huber (1964), Robust estimation of a location parameter; PyTorch, huber_loss.
 */
export function huberLoss(outputs: Tensor, targets: Tensor, options: HuberOptions = {}): Tensor {
  checkLossOptions('huberLoss', options, ['delta']);
  const delta = numberAbove('huberLoss', 'delta', options.delta ?? 1, 0);
  const e = errorOf('huberLoss', outputs, targets);
  const a = abs(e);
  const values = where(lessEqual(a, delta), mul(square(e), 0.5), mul(sub(a, delta / 2), delta));
  return reduce('huberLoss', values, options);
}

export interface SmoothL1Options extends LossOptions {
  /** Where the square turns into a line, >= 0 (default 1); 0 is {@link mae}. */
  readonly beta?: number;
}

/**
 * Smooth L1: ½e²/β for |e| < β, else |e| − ½β, e = output − target; Huber's loss divided by δ = β.
 *
 * @param outputs any shape, float.
 * @param targets the same shape.
 * @param options `beta` >= 0, default 1; `reduction`, default 'mean'; `weights`.
 * @returns a scalar, or the losses with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ; OptionError for a beta out of range.
 * @example smoothL1Loss(tensor([0.5, 3]), tensor([0, 0])); // (0.125 + 2.5) / 2
 * @see Girshick (2015), Fast R-CNN; PyTorch, smooth_l1_loss.
 */
export function smoothL1Loss(outputs: Tensor, targets: Tensor, options: SmoothL1Options = {}): Tensor {
  checkLossOptions('smoothL1Loss', options, ['beta']);
  const beta = numberAbove('smoothL1Loss', 'beta', options.beta ?? 1, 0, true);
  const e = errorOf('smoothL1Loss', outputs, targets);
  const a = abs(e);
  const values = beta === 0 ? a : where(less(a, beta), mul(square(e), 0.5 / beta), sub(a, beta / 2));
  return reduce('smoothL1Loss', values, options);
}

/**
 * Logarithm of the hyperbolic cosine: log cosh e, e = output − target; about ½e² near 0 and |e| − log 2 far away.
 *
 * Neither overflows nor loses digits: log1p(expm1(e)²·e^(−e)/2) for |e| < 1, else softplus(2e) − e − log 2.
 *
 * @param outputs any shape, float.
 * @param targets the same shape.
 * @param options `reduction`, default 'mean'; `weights`.
 * @returns a scalar, or the losses with `reduction: 'none'`; Infinity for an infinite error. The gradient is tanh e.
 * @throws ShapeError when the shapes differ.
 * @example logCoshLoss(tensor([1000]), tensor([0])); // 999.3069
 */
export function logCoshLoss(outputs: Tensor, targets: Tensor, options: LossOptions = {}): Tensor {
  checkLossOptions('logCoshLoss', options);
  const e = errorOf('logCoshLoss', outputs, targets);
  const a = abs(e);
  const small = less(a, 1);
  const near = clip(e, -1, 1); // the unused side stays finite
  const nearValue = log1p(mul(mul(square(expm1(near)), exp(neg(near))), 0.5));
  const far = where(isFiniteOp(e), sub(sub(softplus(mul(e, 2)), e), Math.LN2), a);
  return reduce('logCoshLoss', where(small, nearValue, far), options);
}

export interface QuantileOptions extends LossOptions {
  /** The quantile q to predict, in (0, 1) (default 0.5: half of {@link mae}, the median). */
  readonly q?: number;
}

/**
 * Quantile (pinball) loss: max(q·r, (q − 1)·r), r = target − output.
 *
 * @param outputs any shape, float: predictions of the q-quantile.
 * @param targets the same shape.
 * @param options `q` in (0, 1), default 0.5; `reduction`, default 'mean'; `weights`.
 * @returns a scalar, or the losses with `reduction: 'none'`. The derivative at r = 0 is −q.
 * @throws ShapeError when the shapes differ; OptionError for a q out of range.
 * @example quantileLoss(tensor([0, 0]), tensor([1, -1]), { q: 0.9 }); // (0.9 + 0.1) / 2
 * @see Koenker and Bassett (1978), Regression quantiles.
 */
export function quantileLoss(outputs: Tensor, targets: Tensor, options: QuantileOptions = {}): Tensor {
  checkLossOptions('quantileLoss', options, ['q']);
  const { q = 0.5 } = options;
  if (!(typeof q === 'number' && q > 0 && q < 1))
    throw new OptionError(`quantileLoss: q is ${shown(q)}, expected a number in (0, 1)`);
  const r = neg(errorOf('quantileLoss', outputs, targets));
  return reduce('quantileLoss', maximum(mul(r, q), mul(r, q - 1)), options);
}
