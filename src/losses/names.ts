import { didYouMean, OptionError, type Tensor } from '../core.js';
import { binaryCrossEntropy } from './binary-cross-entropy.js';
import { crossEntropy } from './cross-entropy.js';
import { mse } from './mse.js';

/** Loss of a batch of outputs against its targets. */
export type Loss = (outputs: Tensor, targets: Tensor) => Tensor;

/** Names of the losses that need no options. */
export type LossName = 'mse' | 'crossEntropy' | 'binaryCrossEntropy';

const LOSSES: Readonly<Record<LossName, Loss>> = { mse, crossEntropy, binaryCrossEntropy };

/**
 * The loss of this name.
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
