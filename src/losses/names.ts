import { didYouMean, OptionError, type Tensor } from '../core.js';
import { binaryCrossEntropy, focalLoss } from './binary-cross-entropy.js';
import { categoricalCrossEntropy, crossEntropy, nllLoss } from './cross-entropy.js';
import { klDivergence, poissonNllLoss } from './likelihood.js';
import { cosineLoss, hingeLoss, wassersteinLoss } from './margin.js';
import { mse, rmse } from './mse.js';
import { huberLoss, logCoshLoss, mae, quantileLoss, smoothL1Loss } from './robust.js';

/** Loss of a batch of outputs against its targets. */
export type Loss = (outputs: Tensor, targets: Tensor) => Tensor;

/** Losses of outputs and targets, with their default options. */
const LOSSES = {
  mse,
  rmse,
  mae,
  huber: huberLoss,
  smoothL1: smoothL1Loss,
  logCosh: logCoshLoss,
  quantile: quantileLoss,
  crossEntropy,
  sparseCategoricalCrossEntropy: crossEntropy,
  categoricalCrossEntropy,
  binaryCrossEntropy,
  focal: focalLoss,
  nll: nllLoss,
  klDivergence,
  poissonNll: poissonNllLoss,
  hinge: hingeLoss,
  cosine: cosineLoss,
  wasserstein: wassersteinLoss,
} satisfies Record<string, Loss>;

/** Names of the losses of outputs and targets that need no options. */
export type LossName = keyof typeof LOSSES;

/**
 * The loss of this name, with its default options.
 * @throws OptionError for a name nobody knows.
 * @example lossByName('crossEntropy')(logits, labels);
 */
export function lossByName(name: LossName): Loss {
  if (Object.hasOwn(LOSSES, name)) return LOSSES[name];
  const known = Object.keys(LOSSES);
  throw new OptionError(
    `loss: no loss is called "${String(name)}"; known: ${known.join(', ')}.${didYouMean(String(name), known)}`,
  );
}
