import {
  add,
  DTypeError,
  maximum,
  mul,
  neg,
  OptionError,
  pow,
  ShapeError,
  sigmoid,
  softplus,
  sub,
  Tensor,
} from '../core.js';
import { shown } from '../options.js';
import { floatTargets, numberAbove } from './check.js';
import { logOf, logOfComplement } from './log.js';
import { checkLossOptions, type LossOptions, reduce } from './reduction.js';

export interface BinaryCrossEntropyOptions extends LossOptions {
  /** Whether outputs are scores before the sigmoid (default true) or probabilities. */
  readonly fromLogits?: boolean;
  /** Factor of the positive term, > 0: a number, or one per label of the last axis (default 1). */
  readonly posWeight?: number | Tensor;
}

/**
 * Binary cross-entropy: −w·y·log p − (1 − y)·log(1 − p), p = σ(output), w = posWeight; the mean over all elements.
 *
 * From logits it is computed as w·y·softplus(−z) + (1 − y)·softplus(z), which neither overflows nor cancels. From
 * probabilities each logarithm is at least −100, as in PyTorch; where p is exactly 0 or 1 that term has no gradient.
 *
 * @param outputs any shape, float: logits, or probabilities in [0, 1] with `fromLogits: false` (NaN outside).
 * @param targets the same shape, in [0, 1]; bool and integers are taken as 0 and 1.
 * @param options `reduction`, default 'mean'; `weights`; `fromLogits`, default true; `posWeight`, default 1: negatives by
 *   positives balances rare positives.
 * @returns a scalar, or the losses with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ; DTypeError for outputs that are not float; OptionError for a posWeight out of
 *   range.
 * @example binaryCrossEntropy(tensor([0, 2]), tensor([1, 1])); // (0.6931 + 0.1269) / 2
 * @see PyTorch, binary_cross_entropy_with_logits and binary_cross_entropy; gradient at the logits: (σ(z) − y) / n.
 */
export function binaryCrossEntropy(outputs: Tensor, targets: Tensor, options: BinaryCrossEntropyOptions = {}): Tensor {
  const name = 'binaryCrossEntropy';
  checkLossOptions(name, options, ['fromLogits', 'posWeight']);
  const y = floatTargets(name, outputs, targets);
  const positive = positiveFactor(name, outputs, y, options.posWeight);
  const values =
    options.fromLogits === false
      ? neg(add(mul(positive, logOf(outputs)), mul(sub(1, y), logOfComplement(outputs))))
      : add(mul(positive, softplus(neg(outputs))), mul(sub(1, y), softplus(outputs)));
  return reduce(name, values, options);
}

/** posWeight · y. */
function positiveFactor(loss: string, outputs: Tensor, y: Tensor, posWeight: number | Tensor | undefined): Tensor {
  if (posWeight === undefined) return y;
  if (typeof posWeight === 'number') return mul(y, numberAbove(loss, 'posWeight', posWeight, 0));
  if (!(posWeight instanceof Tensor)) {
    throw new DTypeError(`${loss}: posWeight is ${String(posWeight)}, expected a number or a tensor`);
  }
  const labels = outputs.shape.at(-1) ?? 1;
  if (posWeight.shape.length > 1 || (posWeight.shape[0] ?? 1) !== (posWeight.shape.length === 0 ? 1 : labels)) {
    throw new ShapeError(
      `${loss}: got posWeight [${posWeight.shape}] for outputs [${outputs.shape}], expected a number or [${labels}]`,
    );
  }
  return mul(y, posWeight);
}

export interface FocalOptions extends LossOptions {
  /** Weight of the positive class in [0, 1], 1 − alpha that of the negative; null for none (default 0.25). */
  readonly alpha?: number | null;
  /** How strongly easy examples are discounted, >= 0 (default 2; 0 is plain binary cross-entropy). */
  readonly gamma?: number;
  /** Whether outputs are scores before the sigmoid (default true) or probabilities. */
  readonly fromLogits?: boolean;
}

/**
 * Focal loss: α_t·(1 − p_t)^γ·BCE, p_t the probability given to the label; for classes of very different frequency.
 *
 * @param outputs any shape, float: logits, or probabilities in [0, 1] with `fromLogits: false`.
 * @param targets the same shape, in [0, 1].
 * @param options `alpha` in [0, 1] or null, default 0.25; `gamma` >= 0, default 2; `fromLogits`; `weights`; `reduction`,
 *   default 'mean' (the paper divides the sum by the number of positives).
 * @returns a scalar, or the losses with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ; OptionError for options out of range.
 * @example focalLoss(tensor([2, -2]), tensor([1, 0]));
 * @see Lin et al. (2017), Focal loss for dense object detection; torchvision, sigmoid_focal_loss.
 */
export function focalLoss(outputs: Tensor, targets: Tensor, options: FocalOptions = {}): Tensor {
  checkLossOptions('focalLoss', options, ['alpha', 'gamma', 'fromLogits']);
  const { alpha = 0.25, fromLogits = true } = options;
  const gamma = numberAbove('focalLoss', 'gamma', options.gamma ?? 2, 0, true);
  if (alpha !== null && !(typeof alpha === 'number' && alpha >= 0 && alpha <= 1)) {
    throw new OptionError(`focalLoss: alpha is ${shown(alpha)}, expected a number in [0, 1] or null`);
  }
  const y = floatTargets('focalLoss', outputs, targets);
  const cross = binaryCrossEntropy(outputs, y, { fromLogits, reduction: 'none' });
  // 1 − p_t without cancellation: the probability of the wrong label.
  const [p, q] = fromLogits ? [sigmoid(outputs), sigmoid(neg(outputs))] : [outputs, sub(1, outputs)];
  const wrong = add(mul(y, q), mul(sub(1, y), p));
  // The floor keeps the derivative of a fractional power finite at 0.
  const focus = gamma === 0 ? null : pow(gamma === 1 || gamma >= 2 ? wrong : maximum(wrong, SMALLEST), gamma);
  const values = focus === null ? cross : mul(focus, cross);
  const weighted = alpha === null ? values : mul(add(mul(y, alpha), mul(sub(1, y), 1 - alpha)), values);
  return reduce('focalLoss', weighted, options);
}

/** About the smallest normal float32. */
const SMALLEST = 1.2e-38;
