import { adamStep, OptionError, type Tensor } from '../core.js';
import { Optimizer, type OptimizerOptions, type ParameterStep, type StepResult } from './optimizer.js';
import { checkRange } from './options.js';

export interface AdamOptions extends OptimizerOptions {
  /** Decay of the averages of g and g², each in [0, 1) (default [0.9, 0.999]). */
  readonly betas?: readonly [number, number];
  /** Added to the root in the denominator, >= 0 (default 1e-8). */
  readonly eps?: number;
}

/**
 * Adam: steps scaled by running averages of the gradient and its square, corrected for their start at zero.
 *
 * g ← g + λ·w; m ← β₁·m + (1 − β₁)·g; v ← β₂·v + (1 − β₂)·g²; w ← w − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε), t
 * counted from 1.
 *
 * @param options `lr` (default 1e-3), `betas`, `eps`, `weightDecay` λ added to the gradient (default 0) and
 *   those of every optimizer ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.Adam({ lr: 1e-3 });
 * @see Kingma and Ba (2015), Adam: a method for stochastic optimization; PyTorch, torch.optim.Adam.
 */
export class Adam extends Optimizer {
  readonly betas: readonly [number, number];
  readonly eps: number;
  protected readonly slotNames: readonly string[] = ['expAvg', 'expAvgSq'];
  protected override readonly shapesGradients = true;
  /** AdamW: weight decay acts on the weights, not on the gradient. */
  protected readonly decoupled: boolean = false;

  constructor(options: AdamOptions = {}) {
    super(options, ['betas', 'eps']);
    const { betas = [0.9, 0.999], eps = 1e-8 } = options;
    if (!Array.isArray(betas) || betas.length !== 2) {
      throw new OptionError(`${this.name}: betas is ${String(betas)}, expected two numbers in [0, 1)`);
    }
    for (const [i, beta] of betas.entries()) checkRange(this.name, `betas[${i}]`, beta, 0, 1, true);
    checkRange(this.name, 'eps', eps, 0);
    this.betas = [betas[0], betas[1]];
    this.eps = eps;
  }

  protected rule(
    lr: Tensor,
    step: Tensor,
    weightDecay: number,
    params: readonly ParameterStep[],
    scale: Tensor | null,
  ): StepResult {
    const { betas, eps, decoupled, maximize } = this;
    const inputs = params.map(({ w, g, slots }) => ({ w, g, m: slots['expAvg'], v: slots['expAvgSq'] }));
    const attrs = { beta1: betas[0], beta2: betas[1], eps, weightDecay, decoupled, maximize, ...this.gradientAttrs };
    const result = adamStep(attrs, lr, step, inputs, scale);
    return {
      step: result.step,
      params: result.params.map(({ w, m, v }) => ({ w, slots: { expAvg: m, expAvgSq: v } })),
    };
  }
}

/**
 * AdamW: Adam whose weight decay shrinks the weights by lr·λ·w instead of joining the gradient.
 *
 * @param options as {@link Adam}; `weightDecay` λ is 1e-2 unless stated.
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.AdamW({ lr: 1e-3, groups: [{ params: (path) => path.endsWith('bias'), weightDecay: 0 }] });
 * @see Loshchilov and Hutter (2019), Decoupled weight decay regularization; PyTorch, torch.optim.AdamW.
 */
export class AdamW extends Adam {
  protected override readonly decoupled: boolean = true;

  constructor(options: AdamOptions = {}) {
    super({ weightDecay: 1e-2, ...options });
  }
}
