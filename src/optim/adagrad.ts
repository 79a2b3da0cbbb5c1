import type { RuleAttrs } from '../core.js';
import { FusedOptimizer } from './fused.js';
import type { OptimizerOptions } from './optimizer.js';
import { checkFlag, checkRange, withDefaults } from './options.js';

export interface AdagradOptions extends OptimizerOptions {
  /** Decay of the learning rate, >= 0 (default 0): update t, counted from 0, uses lr / (1 + t·lrDecay). */
  readonly lrDecay?: number;
  /** First value of the sums of squares, >= 0 (default 0). */
  readonly initialAccumulatorValue?: number;
  /** Added to the root in the denominator, >= 0 (default 1e-10). */
  readonly eps?: number;
  /** Adds `eps` inside the root, √(s + ε), instead of outside, √s + ε (default false). */
  readonly epsInSqrt?: boolean;
}

/**
 * Adagrad: steps scaled by the sum of all squared gradients so far.
 *
 * g ← g + λ·w; s ← s + g²; w ← w − lr / (1 + t·δ) · g / (√s + ε), t updates before this one.
 *
 * @param options `lr` (default 1e-2), `lrDecay` δ, `initialAccumulatorValue`, `eps` ε, `epsInSqrt`, `weightDecay` λ (default 0) and those of
 *   every optimizer ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.Adagrad({ lr: 0.1 });
 * @see Duchi et al. (2011), Adaptive subgradient methods; PyTorch, torch.optim.Adagrad.
 */
export class Adagrad extends FusedOptimizer<'adagrad'> {
  readonly lrDecay: number;
  readonly initialAccumulatorValue: number;
  readonly eps: number;
  readonly epsInSqrt: boolean;
  protected readonly fused = 'adagrad';
  protected readonly attrs: RuleAttrs['adagrad'];

  constructor(options: AdagradOptions = {}) {
    super(withDefaults({ lr: 1e-2 }, options), ['lrDecay', 'initialAccumulatorValue', 'eps', 'epsInSqrt']);
    const { lrDecay = 0, initialAccumulatorValue = 0, eps = 1e-10, epsInSqrt = false } = options;
    checkRange(this.name, 'lrDecay', lrDecay, 0);
    checkRange(this.name, 'initialAccumulatorValue', initialAccumulatorValue, 0);
    checkRange(this.name, 'eps', eps, 0);
    checkFlag(this.name, 'epsInSqrt', epsInSqrt);
    this.lrDecay = lrDecay;
    this.initialAccumulatorValue = initialAccumulatorValue;
    this.eps = eps;
    this.epsInSqrt = epsInSqrt;
    this.attrs = { lrDecay, eps, epsInSqrt };
  }

  protected override initialSlot(): number {
    return this.initialAccumulatorValue;
  }
}
