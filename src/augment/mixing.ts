import { wholeNumber } from '../options.js';
import { Augmentation } from './augmentation.js';
import { amountOf, type ChanceOptions, chanceOf } from './check.js';

export interface MixOptions extends ChanceOptions {
  /** Shares are drawn from Beta(alpha, alpha), once a batch: 1 (default) is uniform, less stays near one picture. */
  readonly alpha?: number;
  /** Number of classes; default one more than the largest label of a data set in memory. */
  readonly classes?: number;
}

/**
 * Mixup: averages each picture of a batch with another one of it, and the labels likewise: x ← λ·x₁ + (1 − λ)·x₂. In `fit` only;
 * targets become shares of classes, which `crossEntropy` takes, too. Of several mixing steps one is drawn a batch.
 * @param options `alpha` (default 1), `classes`, `probability` of a batch (default 1).
 * @throws OptionError for numbers out of range.
 * @example augment.mixup({ alpha: 0.2 });
 * @see Zhang et al. (2018), mixup: beyond empirical risk minimization; torchvision, MixUp.
 */
export function mixup(options: MixOptions = {}): Augmentation {
  return mixing('mixup', options);
}

/**
 * CutMix: puts a box of another picture of the batch into each, and its share of the area into the labels. In `fit` only; see
 * {@link mixup}.
 * @param options `alpha` (default 1), `classes`, `probability` of a batch (default 1).
 * @throws OptionError for numbers out of range.
 * @example augment.cutmix();
 * @see Yun et al. (2019), CutMix: regularization strategy to train strong classifiers; torchvision, CutMix.
 */
export function cutmix(options: MixOptions = {}): Augmentation {
  return mixing('cutmix', options);
}

function mixing(kind: 'mixup' | 'cutmix', options: MixOptions): Augmentation {
  const probability = chanceOf(kind, options, ['alpha', 'classes']);
  const alpha = amountOf(`${kind}: alpha`, options.alpha ?? 1, true);
  const classes = options.classes === undefined ? null : wholeNumber(`${kind}: classes`, options.classes, 2, 2 ** 24);
  return new Augmentation([{ kind, probability, alpha, classes }]);
}
