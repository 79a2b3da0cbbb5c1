import type { RuleAttrs } from '../core.js';
import { FusedOptimizer } from './fused.js';
import type { OptimizerOptions } from './optimizer.js';
import { checkBetas, withDefaults } from './options.js';

export interface LionOptions extends OptimizerOptions {
  /** Weights of the average in the direction and in the next average, each in [0, 1) (default [0.9, 0.99]). */
  readonly betas?: readonly [number, number];
}

/**
 * Lion: steps of one length by the sign of a momentum; one slot a weight, learning rates 3 to 10 times below Adam's.
 *
 * w ← w − lr·λ·w; w ← w − lr·sign(β₁·m + (1 − β₁)·g); m ← β₂·m + (1 − β₂)·g.
 *
 * @param options `lr` (default 1e-4), `betas`, `weightDecay` λ (default 0, decoupled unless stated) and those of every optimizer
 *   ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.Lion({ lr: 1e-4, weightDecay: 0.1 });
 * @see Chen et al. (2023), Symbolic discovery of optimization algorithms.
 */
export class Lion extends FusedOptimizer<'lion'> {
  readonly betas: readonly [number, number];
  protected readonly fused = 'lion';
  protected readonly attrs: RuleAttrs['lion'];

  constructor(options: LionOptions = {}) {
    super(withDefaults({ lr: 1e-4, decoupledWeightDecay: true }, options), ['betas']);
    const [beta1, beta2] = checkBetas(this.name, options.betas, [0.9, 0.99]);
    this.betas = [beta1, beta2];
    this.attrs = { beta1, beta2 };
  }
}
