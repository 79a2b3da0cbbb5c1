import {
  add,
  cast,
  div,
  equal,
  greater,
  minimum,
  mul,
  neg,
  norm,
  OptionError,
  ones,
  relu,
  ShapeError,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  where,
} from '../core.js';
import { shown } from '../options.js';
import { sameShape } from '../shape.js';
import { checkFloat, checkSameShape, checkTensor, floatTargets, numberAbove } from './check.js';
import { checkLossOptions, type LossOptions, reduce } from './reduction.js';

/** Targets as ±1: bool becomes −1 and 1, other values stay. */
function signs(loss: string, outputs: Tensor, targets: Tensor): Tensor {
  const y = floatTargets(loss, outputs, targets);
  return targets.dtype === 'bool' ? sub(mul(y, 2), 1) : y;
}

export interface HingeOptions extends LossOptions {
  /** Wanted distance from the boundary, > 0 (default 1). */
  readonly margin?: number;
  /** Squares each loss (default false). */
  readonly squared?: boolean;
}

/**
 * Hinge loss: max(0, margin − y·output), y = ±1; derivative 0 at the corner.
 *
 * @param outputs any shape, float: signed scores.
 * @param targets the same shape, −1 or 1; bool is taken as −1 and 1.
 * @param options `margin` > 0, default 1; `squared`, default false; `reduction`, default 'mean'; `weights`.
 * @returns a scalar, or the losses with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ; OptionError for a margin out of range.
 * @example hingeLoss(tensor([2, 0.5]), tensor([1, -1])); // (0 + 1.5) / 2
 * @see Cortes and Vapnik (1995), Support-vector networks.
 */
export function hingeLoss(outputs: Tensor, targets: Tensor, options: HingeOptions = {}): Tensor {
  checkLossOptions('hingeLoss', options, ['margin', 'squared']);
  const margin = numberAbove('hingeLoss', 'margin', options.margin ?? 1, 0);
  const values = relu(sub(margin, mul(signs('hingeLoss', outputs, targets), outputs)));
  return reduce('hingeLoss', options.squared === true ? square(values) : values, options);
}

export interface CosineOptions extends LossOptions {
  /** `[…]`: 1 for pairs that should point the same way, −1 for others (default all 1). */
  readonly labels?: Tensor;
  /** Cosine up to which a pair labelled −1 costs nothing, in [−1, 1] (default 0). */
  readonly margin?: number;
}

/**
 * Cosine loss along the last axis: 1 − cos(output, target), and max(0, cos − margin) for pairs labelled −1.
 *
 * @param outputs `[…, d]`, float.
 * @param targets the same shape. 1e-12 is added to the squared lengths, so a zero vector has cosine 0.
 * @param options `labels`, default all 1; `margin` in [−1, 1], default 0; `reduction`, default 'mean'; `weights` `[…]`.
 * @returns a scalar, or the losses `[…]` with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ; OptionError for a margin out of range.
 * @example cosineLoss(tensor([[1, 0]]), tensor([[1, 1]])); // 1 − 1/√2
 * @see PyTorch, cosine_embedding_loss.
 */
export function cosineLoss(outputs: Tensor, targets: Tensor, options: CosineOptions = {}): Tensor {
  checkLossOptions('cosineLoss', options, ['labels', 'margin']);
  const { margin = 0, labels } = options;
  if (!(typeof margin === 'number' && margin >= -1 && margin <= 1)) {
    throw new OptionError(`cosineLoss: margin is ${shown(margin)}, expected a number in [-1, 1]`);
  }
  checkTensor('cosineLoss', outputs, 'outputs');
  if (outputs.shape.length === 0) throw new ShapeError('cosineLoss: got scalars, expected [..., d]');
  if (labels !== undefined) checkTensor('cosineLoss', labels, 'labels');
  const y = floatTargets('cosineLoss', outputs, targets);
  const last = { axis: -1 } as const;
  const lengths = mul(add(sum(square(outputs), last), 1e-12), add(sum(square(y), last), 1e-12));
  const cos = div(sum(mul(outputs, y), last), sqrt(lengths));
  const same = sub(1, cos);
  if (labels === undefined) return reduce('cosineLoss', same, options);
  if (!sameShape(labels.shape, cos.shape)) {
    throw new ShapeError(`cosineLoss: got labels [${labels.shape}], expected [${cos.shape}], 1 or -1 for each pair`);
  }
  return reduce('cosineLoss', where(greater(labels, 0), same, relu(sub(cos, margin))), options);
}

export interface TripletOptions extends LossOptions {
  /** By how much the negative should be farther than the positive, > 0 (default 1). */
  readonly margin?: number;
  /** Order of the distance, >= 1 (default 2). */
  readonly p?: number;
  /** Added to each difference, >= 0 (default 1e-6). */
  readonly eps?: number;
  /** Uses the distance of positive and negative when it is the smaller (default false). */
  readonly swap?: boolean;
}

/**
 * Triplet loss along the last axis: max(0, d(anchor, positive) − d(anchor, negative) + margin), d(a, b) = ‖a − b + ε‖_p.
 *
 * @param anchor `[…, d]`, float.
 * @param positive the same shape: like the anchor.
 * @param negative the same shape: unlike it.
 * @param options `margin` > 0, default 1; `p` >= 1, default 2; `eps`, default 1e-6; `swap`; `reduction`; `weights` `[…]`.
 * @returns a scalar, or the losses `[…]` with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ; OptionError for options out of range.
 * @example tripletLoss(tensor([[0, 0]]), tensor([[0, 1]]), tensor([[3, 0]])); // 0
 * @see Balntas et al. (2016), Learning shallow convolutional feature descriptors with triplet losses; PyTorch,
 *   triplet_margin_loss.
 */
export function tripletLoss(anchor: Tensor, positive: Tensor, negative: Tensor, options: TripletOptions = {}): Tensor {
  const name = 'tripletLoss';
  checkLossOptions(name, options, ['margin', 'p', 'eps', 'swap']);
  const margin = numberAbove(name, 'margin', options.margin ?? 1, 0);
  const p = numberAbove(name, 'p', options.p ?? 2, 1, true);
  const eps = numberAbove(name, 'eps', options.eps ?? 1e-6, 0, true);
  checkFloat(name, anchor);
  checkSameShape(name, anchor, positive, 'positive');
  checkSameShape(name, anchor, negative, 'negative');
  const distance = (a: Tensor, b: Tensor) => norm(add(sub(a, b), eps), { ord: p, axis: -1 });
  const toNegative = distance(anchor, negative);
  const far = options.swap === true ? minimum(toNegative, distance(positive, negative)) : toNegative;
  return reduce(name, relu(add(sub(distance(anchor, positive), far), margin)), options);
}

export interface ContrastiveOptions extends LossOptions {
  /** Distance from which an unlike pair costs nothing, > 0 (default 1). */
  readonly margin?: number;
}

/**
 * Contrastive loss along the last axis: ½·d² for like pairs, ½·max(0, margin − d)² for unlike ones, d = ‖a − b‖₂.
 *
 * @param a `[…, d]`, float.
 * @param b the same shape.
 * @param labels `[…]`: 1 (or true) for like pairs, 0 for unlike ones.
 * @param options `margin` > 0, default 1; `reduction`, default 'mean'; `weights` `[…]`.
 * @returns a scalar, or the losses `[…]` with `reduction: 'none'`; an unlike pair at distance 0 has no gradient.
 * @throws ShapeError when the shapes differ; OptionError for a margin out of range.
 * @example contrastiveLoss(tensor([[0, 0]]), tensor([[0.6, 0]]), tensor([0])); // ½·0.4²
 * @see Hadsell, Chopra and LeCun (2006), Dimensionality reduction by learning an invariant mapping (labels reversed there).
 */
export function contrastiveLoss(a: Tensor, b: Tensor, labels: Tensor, options: ContrastiveOptions = {}): Tensor {
  const name = 'contrastiveLoss';
  checkLossOptions(name, options, ['margin']);
  const margin = numberAbove(name, 'margin', options.margin ?? 1, 0);
  checkFloat(name, a);
  checkSameShape(name, a, b, 'second outputs');
  checkTensor(name, labels, 'labels');
  if (!sameShape(labels.shape, a.shape.slice(0, -1)) || a.shape.length === 0) {
    throw new ShapeError(`${name}: got labels [${labels.shape}] for outputs [${a.shape}], expected one label a pair`);
  }
  const y = cast(labels, a.dtype);
  const squared = sum(square(sub(a, b)), { axis: -1 });
  const zero = equal(squared, 0);
  const d = where(zero, 0, sqrt(where(zero, 1, squared)));
  const values = mul(0.5, add(mul(y, squared), mul(sub(1, y), square(relu(sub(margin, d))))));
  return reduce(name, values, options);
}

/**
 * Wasserstein critic loss: −y·score, y = 1 for real samples and −1 for generated ones; the critic minimises
 * mean(score of generated) − mean(score of real).
 *
 * For the generator give its scores with targets 1: −mean(score).
 *
 * @param scores any shape, float: the critic's outputs, without any activation.
 * @param targets the same shape, 1 or −1; bool is taken as −1 and 1. Without targets all are 1.
 * @param options `reduction`, default 'mean' (of both kinds together); `weights`.
 * @returns a scalar, or the losses with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ.
 * @example wassersteinLoss(tensor([2, -1]), tensor([1, -1])); // (−2 − 1) / 2
 * @see Arjovsky, Chintala and Bottou (2017), Wasserstein GAN.
 */
export function wassersteinLoss(scores: Tensor, targets?: Tensor, options: LossOptions = {}): Tensor {
  checkLossOptions('wassersteinLoss', options);
  checkFloat('wassersteinLoss', scores);
  const y = signs('wassersteinLoss', scores, targets ?? ones(scores.shape, { dtype: scores.dtype }));
  return reduce('wassersteinLoss', neg(mul(y, scores)), options);
}
