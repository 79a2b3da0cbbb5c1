import type { RuleAttrs } from '../core.js';
import { FusedOptimizer } from './fused.js';
import type { OptimizerOptions } from './optimizer.js';
import { checkFlag, checkRange, withDefaults } from './options.js';

export interface RMSpropOptions extends OptimizerOptions {
  /** Decay of the average of g², in [0, 1) (default 0.99). */
  readonly alpha?: number;
  /** Added to the root in the denominator, >= 0 (default 1e-8). */
  readonly eps?: number;
  /** Adds `eps` inside the root, √(v + ε), instead of outside, √v + ε (default false). */
  readonly epsInSqrt?: boolean;
  /** In [0, 1] (default 0). */
  readonly momentum?: number;
  /** Whether the average of g² is taken about the average of g (default false). */
  readonly centered?: boolean;
}

/**
 * RMSprop: steps scaled by a running average of the squared gradient.
 *
 * g ← g + λ·w; v ← α·v + (1 − α)·g²; d = g / (√v + ε), centered a ← α·a + (1 − α)·g; d = g / (√(v − a²) + ε); with momentum
 * b ← μ·b + d; w ← w − lr·b, else w ← w − lr·d.
 *
 * @param options `lr` (default 1e-2), `alpha` α, `eps` ε, `epsInSqrt`, `momentum` μ, `centered`, `weightDecay` λ (default 0) and those of
 *   every optimizer ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.RMSprop({ lr: 1e-3, momentum: 0.9 });
 * @see Hinton (2012), Neural networks for machine learning, lecture 6e; PyTorch, torch.optim.RMSprop.
 */
export class RMSprop extends FusedOptimizer<'rmsprop'> {
  readonly alpha: number;
  readonly eps: number;
  readonly epsInSqrt: boolean;
  readonly momentum: number;
  readonly centered: boolean;
  protected readonly fused = 'rmsprop';
  protected readonly attrs: RuleAttrs['rmsprop'];

  constructor(options: RMSpropOptions = {}) {
    super(withDefaults({ lr: 1e-2 }, options), ['alpha', 'eps', 'epsInSqrt', 'momentum', 'centered']);
    const { alpha = 0.99, eps = 1e-8, epsInSqrt = false, momentum = 0, centered = false } = options;
    checkRange(this.name, 'alpha', alpha, 0, 1, true);
    checkRange(this.name, 'eps', eps, 0);
    checkRange(this.name, 'momentum', momentum, 0, 1);
    for (const [what, flag] of Object.entries({ epsInSqrt, centered })) checkFlag(this.name, what, flag);
    this.alpha = alpha;
    this.eps = eps;
    this.epsInSqrt = epsInSqrt;
    this.momentum = momentum;
    this.centered = centered;
    this.attrs = { alpha, eps, epsInSqrt, momentum, centered };
  }
}
