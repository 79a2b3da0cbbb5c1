import { adagradStep, type Tensor } from '../core.js';
import { Optimizer, type OptimizerOptions, type ParameterStep, type StepResult } from './optimizer.js';
import { checkRange } from './options.js';

export interface AdagradOptions extends OptimizerOptions {
  /** Decay of the learning rate, >= 0 (default 0): update t, counted from 0, uses lr / (1 + t·lrDecay). */
  readonly lrDecay?: number;
  /** First value of the sums of squares, >= 0 (default 0). */
  readonly initialAccumulatorValue?: number;
  /** Added to the root in the denominator, >= 0 (default 1e-10). */
  readonly eps?: number;
}

/**
 * Adagrad: steps scaled by the sum of all squared gradients so far.
 *
 * g ← g + λ·w; s ← s + g²; w ← w − lr / (1 + t·δ) · g / (√s + ε), t updates before this one.
 *
 * @param options `lr` (default 1e-2), `lrDecay` δ, `initialAccumulatorValue`, `eps` ε, `weightDecay` λ (default 0) and those of
 *   every optimizer ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.Adagrad({ lr: 0.1 });
 * @see Duchi et al. (2011), Adaptive subgradient methods; PyTorch, torch.optim.Adagrad.
 */
export class Adagrad extends Optimizer {
  readonly lrDecay: number;
  readonly initialAccumulatorValue: number;
  readonly eps: number;
  protected readonly slotNames: readonly string[] = ['sum'];
  protected override readonly shapesGradients = true;

  constructor(options: AdagradOptions = {}) {
    super({ lr: 1e-2, ...options }, ['lrDecay', 'initialAccumulatorValue', 'eps']);
    const { lrDecay = 0, initialAccumulatorValue = 0, eps = 1e-10 } = options;
    checkRange(this.name, 'lrDecay', lrDecay, 0);
    checkRange(this.name, 'initialAccumulatorValue', initialAccumulatorValue, 0);
    checkRange(this.name, 'eps', eps, 0);
    this.lrDecay = lrDecay;
    this.initialAccumulatorValue = initialAccumulatorValue;
    this.eps = eps;
  }

  protected override initialSlot(): number {
    return this.initialAccumulatorValue;
  }

  protected rule(
    lr: Tensor,
    step: Tensor,
    weightDecay: number,
    params: readonly ParameterStep[],
    scale: Tensor | null,
  ): StepResult {
    const { lrDecay, eps, maximize } = this;
    const inputs = params.map(({ w, g, slots }) => ({ w, g, v: slots['sum'] }));
    const attrs = { lrDecay, eps, weightDecay, maximize, ...this.gradientAttrs };
    const result = adagradStep(attrs, lr, step, inputs, scale);
    return { step: result.step, params: result.params.map(({ w, v }) => ({ w, slots: { sum: v } })) };
  }
}
