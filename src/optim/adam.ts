import type { RuleAttrs } from '../core.js';
import { FusedOptimizer } from './fused.js';
import type { OptimizerOptions } from './optimizer.js';
import { checkBetas, checkFlag, checkRange, withDefaults } from './options.js';

export interface AdamOptions extends OptimizerOptions {
  /** Decay of the averages of g and g², each in [0, 1) (default [0.9, 0.999]). */
  readonly betas?: readonly [number, number];
  /** Keeps the denominator from 0, >= 0 (default 1e-8). */
  readonly eps?: number;
  /** Adds `eps` inside the root, √(v̂ + ε), instead of outside, √v̂ + ε (default false). */
  readonly epsInSqrt?: boolean;
  /** Divides the averages by 1 − βᵗ, since they start at zero (default true). */
  readonly biasCorrection?: boolean;
  /** Takes the greatest v so far in place of v (default false). */
  readonly amsgrad?: boolean;
}

/**
 * Adam: steps scaled by running averages of the gradient and its square, corrected for their start at zero.
 *
 * g ← g + λ·w; m ← β₁·m + (1 − β₁)·g; v ← β₂·v + (1 − β₂)·g²; with AMSGrad u ← max(u, v), else u = v;
 * w ← w − lr / (1 − β₁ᵗ) · m / (√(u / (1 − β₂ᵗ)) + ε), t counted from 1.
 *
 * @param options `lr` (default 1e-3), `betas`, `eps`, `epsInSqrt`, `biasCorrection`, `amsgrad`, `weightDecay` λ (default 0) and
 *   those of every optimizer ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.Adam({ lr: 1e-3 });
 * @see Kingma and Ba (2015), Adam: a method for stochastic optimization; Reddi et al. (2018), On the convergence of Adam and
 *   beyond; PyTorch, torch.optim.Adam.
 */
export class Adam extends FusedOptimizer<'adam'> {
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly epsInSqrt: boolean;
  readonly biasCorrection: boolean;
  readonly amsgrad: boolean;
  protected readonly fused = 'adam';
  protected readonly attrs: RuleAttrs['adam'];

  constructor(options: AdamOptions = {}) {
    super(options, ['betas', 'eps', 'epsInSqrt', 'biasCorrection', 'amsgrad']);
    const { eps = 1e-8, epsInSqrt = false, biasCorrection = true, amsgrad = false } = options;
    const [beta1, beta2] = checkBetas(this.name, options.betas, [0.9, 0.999]);
    checkRange(this.name, 'eps', eps, 0);
    for (const [what, flag] of Object.entries({ epsInSqrt, biasCorrection, amsgrad })) checkFlag(this.name, what, flag);
    this.betas = [beta1, beta2];
    this.eps = eps;
    this.epsInSqrt = epsInSqrt;
    this.biasCorrection = biasCorrection;
    this.amsgrad = amsgrad;
    this.attrs = { beta1, beta2, eps, epsInSqrt, biasCorrection, amsgrad };
  }
}

/**
 * AdamW: Adam whose weight decay shrinks the weights by lr·λ·w instead of joining the gradient.
 *
 * @param options as {@link Adam}; `weightDecay` λ is 1e-2 and `decoupledWeightDecay` true unless stated.
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.AdamW({ lr: 1e-3, decayExempt: 'biasAndNorm' });
 * @see Loshchilov and Hutter (2019), Decoupled weight decay regularization; PyTorch, torch.optim.AdamW.
 */
export class AdamW extends Adam {
  constructor(options: AdamOptions = {}) {
    super(withDefaults({ weightDecay: 1e-2, decoupledWeightDecay: true }, options));
  }
}
