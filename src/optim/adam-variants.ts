import type { RuleAttrs } from '../core.js';
import { FusedOptimizer } from './fused.js';
import type { OptimizerOptions } from './optimizer.js';
import { checkBetas, checkRange, withDefaults } from './options.js';

export interface AdamaxOptions extends OptimizerOptions {
  /** Decay of the average of g and of the norm, each in [0, 1) (default [0.9, 0.999]). */
  readonly betas?: readonly [number, number];
  /** Added to |g|, >= 0 (default 1e-8). */
  readonly eps?: number;
}

/**
 * Adamax: Adam with the greatest recent |g| in place of the root mean square.
 *
 * g ← g + λ·w; m ← β₁·m + (1 − β₁)·g; u ← max(β₂·u, |g| + ε); w ← w − lr / (1 − β₁ᵗ) · m / u, t counted from 1.
 *
 * @param options `lr` (default 2e-3), `betas`, `eps`, `weightDecay` λ (default 0) and those of every optimizer
 *   ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.Adamax({ lr: 2e-3 });
 * @see Kingma and Ba (2015), Adam, section 7.1; PyTorch, torch.optim.Adamax.
 */
export class Adamax extends FusedOptimizer<'adamax'> {
  readonly betas: readonly [number, number];
  readonly eps: number;
  protected readonly fused = 'adamax';
  protected readonly attrs: RuleAttrs['adamax'];

  constructor(options: AdamaxOptions = {}) {
    super(withDefaults({ lr: 2e-3 }, options), ['betas', 'eps']);
    const { eps = 1e-8 } = options;
    const [beta1, beta2] = checkBetas(this.name, options.betas, [0.9, 0.999]);
    checkRange(this.name, 'eps', eps, 0);
    this.betas = [beta1, beta2];
    this.eps = eps;
    this.attrs = { beta1, beta2, eps };
  }
}

export interface NAdamOptions extends OptimizerOptions {
  /** Decay of the averages of g and g², each in [0, 1) (default [0.9, 0.999]). */
  readonly betas?: readonly [number, number];
  /** Added to the root in the denominator, >= 0 (default 1e-8). */
  readonly eps?: number;
  /** How fast the momentum grows to β₁, ψ >= 0 (default 4e-3). */
  readonly momentumDecay?: number;
}

/**
 * NAdam: Adam with Nesterov's momentum.
 *
 * m and v as Adam's; μₜ = β₁ (1 − ½·0.96^(t·ψ)), Pₜ = μ₁ ⋯ μₜ; d = √(v / (1 − β₂ᵗ)) + ε;
 * w ← w − lr · (1 − μₜ) / (1 − Pₜ) · g / d − lr · μₜ₊₁ / (1 − Pₜ₊₁) · m / d, t counted from 1.
 *
 * @param options `lr` (default 2e-3), `betas`, `eps`, `momentumDecay` ψ, `weightDecay` λ (default 0) and those of every optimizer
 *   ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.NAdam({ lr: 2e-3 });
 * @see Dozat (2016), Incorporating Nesterov momentum into Adam; PyTorch, torch.optim.NAdam.
 */
export class NAdam extends FusedOptimizer<'nadam'> {
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly momentumDecay: number;
  protected readonly fused = 'nadam';
  protected readonly attrs: RuleAttrs['nadam'];

  constructor(options: NAdamOptions = {}) {
    super(withDefaults({ lr: 2e-3 }, options), ['betas', 'eps', 'momentumDecay']);
    const { eps = 1e-8, momentumDecay = 4e-3 } = options;
    const [beta1, beta2] = checkBetas(this.name, options.betas, [0.9, 0.999]);
    checkRange(this.name, 'eps', eps, 0);
    checkRange(this.name, 'momentumDecay', momentumDecay, 0);
    this.betas = [beta1, beta2];
    this.eps = eps;
    this.momentumDecay = momentumDecay;
    this.attrs = { beta1, beta2, eps, momentumDecay };
  }
}

export interface RAdamOptions extends OptimizerOptions {
  /** Decay of the averages of g and g², each in [0, 1) (default [0.9, 0.999]). */
  readonly betas?: readonly [number, number];
  /** Added to the root in the denominator, >= 0 (default 1e-8). */
  readonly eps?: number;
}

/**
 * RAdam: Adam that scales by the second moment only once enough gradients were seen to estimate it.
 *
 * m and v as Adam's; R = 2 / (1 − β₂) − 1, r = R − 2·t·β₂ᵗ / (1 − β₂ᵗ); when r > 5
 * w ← w − lr / (1 − β₁ᵗ) · √((r − 4)(r − 2) R / ((R − 4)(R − 2) r)) · √(1 − β₂ᵗ) · m / (√v + ε), else w ← w − lr / (1 − β₁ᵗ) · m.
 *
 * @param options `lr` (default 1e-3), `betas`, `eps`, `weightDecay` λ (default 0) and those of every optimizer
 *   ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.RAdam({ lr: 1e-3 });
 * @see Liu et al. (2020), On the variance of the adaptive learning rate and beyond; PyTorch, torch.optim.RAdam.
 */
export class RAdam extends FusedOptimizer<'radam'> {
  readonly betas: readonly [number, number];
  readonly eps: number;
  protected readonly fused = 'radam';
  protected readonly attrs: RuleAttrs['radam'];

  constructor(options: RAdamOptions = {}) {
    super(options, ['betas', 'eps']);
    const { eps = 1e-8 } = options;
    const [beta1, beta2] = checkBetas(this.name, options.betas, [0.9, 0.999]);
    checkRange(this.name, 'eps', eps, 0);
    this.betas = [beta1, beta2];
    this.eps = eps;
    this.attrs = { beta1, beta2, eps };
  }
}
