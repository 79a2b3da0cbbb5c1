import { didYouMean, OptionError } from '../core.js';
import { Adadelta } from './adadelta.js';
import { Adafactor } from './adafactor.js';
import { Adagrad } from './adagrad.js';
import { Adam, AdamW } from './adam.js';
import { Adamax, NAdam, RAdam } from './adam-variants.js';
import { LAMB, LARS } from './layerwise.js';
import { Lion } from './lion.js';
import type { Optimizer, OptimizerOptions } from './optimizer.js';
import { RMSprop } from './rmsprop.js';
import { SGD } from './sgd.js';
import { Rprop } from './step-sizes.js';

/** Names of the optimizers that work without options. */
export type OptimizerName =
  | 'sgd'
  | 'adam'
  | 'adamw'
  | 'rmsprop'
  | 'adagrad'
  | 'adadelta'
  | 'adamax'
  | 'nadam'
  | 'radam'
  | 'lion'
  | 'rprop'
  | 'adafactor'
  | 'lamb'
  | 'lars';

const OPTIMIZERS: Readonly<Record<OptimizerName, new (options: OptimizerOptions) => Optimizer>> = {
  sgd: SGD,
  adam: Adam,
  adamw: AdamW,
  rmsprop: RMSprop,
  adagrad: Adagrad,
  adadelta: Adadelta,
  adamax: Adamax,
  nadam: NAdam,
  radam: RAdam,
  lion: Lion,
  rprop: Rprop,
  adafactor: Adafactor,
  lamb: LAMB,
  lars: LARS,
};

/**
 * A new optimizer of this name.
 * @param options as the class takes them.
 * @throws OptionError for a name nobody knows.
 * @example optimizerByName('adam', { lr: 3e-4 });
 */
export function optimizerByName(name: OptimizerName, options: OptimizerOptions = {}): Optimizer {
  if (Object.hasOwn(OPTIMIZERS, name)) return new OPTIMIZERS[name](options);
  const known = Object.keys(OPTIMIZERS);
  throw new OptionError(
    `optimizer: no optimizer is called "${String(name)}"; known: ${known.join(', ')}.${didYouMean(String(name), known)}`,
  );
}
