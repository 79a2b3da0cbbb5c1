import type { RuleAttrs } from '../core.js';
import { FusedOptimizer } from './fused.js';
import type { OptimizerOptions } from './optimizer.js';
import { checkBetas, checkRange, withDefaults } from './options.js';

export interface LARSOptions extends OptimizerOptions {
  /** In [0, 1] (default 0.9). */
  readonly momentum?: number;
  /** Length of a step beside the length of the weights, > 0 (default 1e-3). */
  readonly trustCoefficient?: number;
  /** Added to the denominator of the ratio, >= 0 (default 1e-8). */
  readonly eps?: number;
}

/**
 * LARS: momentum whose step, parameter by parameter, has a length in proportion to that of the weights; for very large batches.
 *
 * q = η·‖w‖ / (‖g‖ + λ·‖w‖ + ε) (1 when ‖w‖ or ‖g‖ is 0, and for parameters that `decayExempt` takes);
 * v ← μ·v + lr·q·(g + λ·w); w ← w − v.
 *
 * @param options `lr` (default 0.1), `momentum` μ, `trustCoefficient` η, `eps` ε, `weightDecay` λ (default 0, always inside the
 *   ratio) and those of every optimizer ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.LARS({ lr: 1, weightDecay: 1e-4, decayExempt: 'biasAndNorm' });
 * @see You et al. (2017), Large batch training of convolutional networks.
 */
export class LARS extends FusedOptimizer<'lars'> {
  readonly momentum: number;
  readonly trustCoefficient: number;
  readonly eps: number;
  protected readonly fused = 'lars';
  protected readonly attrs: RuleAttrs['lars'];

  constructor(options: LARSOptions = {}) {
    super(withDefaults({ lr: 0.1 }, options), ['momentum', 'trustCoefficient', 'eps']);
    const { momentum = 0.9, trustCoefficient = 1e-3, eps = 1e-8 } = options;
    checkRange(this.name, 'momentum', momentum, 0, 1);
    checkRange(this.name, 'trustCoefficient', trustCoefficient, 0);
    checkRange(this.name, 'eps', eps, 0);
    this.momentum = momentum;
    this.trustCoefficient = trustCoefficient;
    this.eps = eps;
    this.attrs = { momentum, trustCoefficient, eps, ratio: true };
  }

  protected override exemptAttrs(): RuleAttrs['lars'] {
    return { ...this.attrs, ratio: false };
  }
}

export interface LAMBOptions extends OptimizerOptions {
  /** Decay of the averages of g and g², each in [0, 1) (default [0.9, 0.999]). */
  readonly betas?: readonly [number, number];
  /** Added to the root in the denominator, >= 0 (default 1e-6). */
  readonly eps?: number;
}

/**
 * LAMB: Adam whose step, parameter by parameter, is as long as the weights; for very large batches.
 *
 * m and v as Adam's; r = m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε) + λ·w; w ← w − lr·‖w‖ / ‖r‖·r (the ratio is 1 when a norm is 0,
 * and for parameters that `decayExempt` takes).
 *
 * @param options `lr` (default 1e-3), `betas`, `eps`, `weightDecay` λ (default 1e-2, always inside r) and those of every optimizer
 *   ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.LAMB({ lr: 2e-3, decayExempt: 'biasAndNorm' });
 * @see You et al. (2020), Large batch optimization for deep learning: training BERT in 76 minutes.
 */
export class LAMB extends FusedOptimizer<'lamb'> {
  readonly betas: readonly [number, number];
  readonly eps: number;
  protected readonly fused = 'lamb';
  protected readonly attrs: RuleAttrs['lamb'];

  constructor(options: LAMBOptions = {}) {
    super(withDefaults({ weightDecay: 1e-2, decoupledWeightDecay: true }, options), ['betas', 'eps']);
    const { eps = 1e-6 } = options;
    const [beta1, beta2] = checkBetas(this.name, options.betas, [0.9, 0.999]);
    checkRange(this.name, 'eps', eps, 0);
    this.betas = [beta1, beta2];
    this.eps = eps;
    this.attrs = { beta1, beta2, eps, ratio: true };
  }

  protected override exemptAttrs(): RuleAttrs['lamb'] {
    return { ...this.attrs, ratio: false };
  }
}
