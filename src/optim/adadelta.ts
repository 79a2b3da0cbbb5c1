import type { RuleAttrs } from '../core.js';
import { FusedOptimizer } from './fused.js';
import type { OptimizerOptions } from './optimizer.js';
import { checkRange, withDefaults } from './options.js';

export interface AdadeltaOptions extends OptimizerOptions {
  /** Decay of the averages of g² and of the squared steps, in [0, 1] (default 0.9). */
  readonly rho?: number;
  /** Added inside both roots, >= 0 (default 1e-6). */
  readonly eps?: number;
}

/**
 * Adadelta: steps in the units of the weights, by the ratio of two root mean squares.
 *
 * g ← g + λ·w; v ← ρ·v + (1 − ρ)·g²; d = √(u + ε) / √(v + ε) · g; u ← ρ·u + (1 − ρ)·d²; w ← w − lr·d.
 *
 * @param options `lr` (default 1), `rho` ρ, `eps` ε, `weightDecay` λ (default 0) and those of every optimizer
 *   ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.Adadelta();
 * @see Zeiler (2012), ADADELTA: an adaptive learning rate method; PyTorch, torch.optim.Adadelta.
 */
export class Adadelta extends FusedOptimizer<'adadelta'> {
  readonly rho: number;
  readonly eps: number;
  protected readonly fused = 'adadelta';
  protected readonly attrs: RuleAttrs['adadelta'];

  constructor(options: AdadeltaOptions = {}) {
    super(withDefaults({ lr: 1 }, options), ['rho', 'eps']);
    const { rho = 0.9, eps = 1e-6 } = options;
    checkRange(this.name, 'rho', rho, 0, 1);
    checkRange(this.name, 'eps', eps, 0);
    this.rho = rho;
    this.eps = eps;
    this.attrs = { rho, eps };
  }
}
