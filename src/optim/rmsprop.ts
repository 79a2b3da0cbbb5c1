import { rmspropStep, type Tensor } from '../core.js';
import { Optimizer, type OptimizerOptions, type ParameterStep, type StepResult } from './optimizer.js';
import { checkRange } from './options.js';

export interface RMSpropOptions extends OptimizerOptions {
  /** Decay of the average of g², in [0, 1) (default 0.99). */
  readonly alpha?: number;
  /** Added to the root in the denominator, >= 0 (default 1e-8). */
  readonly eps?: number;
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
 * @param options `lr` (default 1e-2), `alpha` α, `eps` ε, `momentum` μ, `centered`, `weightDecay` λ (default 0) and those of
 *   every optimizer ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.RMSprop({ lr: 1e-3, momentum: 0.9 });
 * @see Hinton (2012), Neural networks for machine learning, lecture 6e; PyTorch, torch.optim.RMSprop.
 */
export class RMSprop extends Optimizer {
  readonly alpha: number;
  readonly eps: number;
  readonly momentum: number;
  readonly centered: boolean;
  protected readonly slotNames: readonly string[];
  protected override readonly shapesGradients = true;

  constructor(options: RMSpropOptions = {}) {
    super({ lr: 1e-2, ...options }, ['alpha', 'eps', 'momentum', 'centered']);
    const { alpha = 0.99, eps = 1e-8, momentum = 0, centered = false } = options;
    checkRange(this.name, 'alpha', alpha, 0, 1, true);
    checkRange(this.name, 'eps', eps, 0);
    checkRange(this.name, 'momentum', momentum, 0, 1);
    this.alpha = alpha;
    this.eps = eps;
    this.momentum = momentum;
    this.centered = centered;
    this.slotNames = ['squareAvg', ...(centered ? ['gradAvg'] : []), ...(momentum === 0 ? [] : ['momentumBuffer'])];
  }

  protected rule(
    lr: Tensor,
    step: Tensor,
    weightDecay: number,
    params: readonly ParameterStep[],
    scale: Tensor | null,
  ): StepResult {
    const { alpha, eps, momentum, centered, maximize } = this;
    const inputs = params.map(({ w, g, slots }) => ({
      w,
      g,
      v: slots['squareAvg'],
      ...(centered ? { avg: slots['gradAvg'] } : {}),
      ...(momentum === 0 ? {} : { buf: slots['momentumBuffer'] }),
    }));
    const attrs = { alpha, eps, momentum, centered, weightDecay, maximize, ...this.gradientAttrs };
    const result = rmspropStep(attrs, lr, step, inputs, scale);
    const outputs = result.params.map(({ w, v, avg, buf }) => ({
      w,
      slots: {
        squareAvg: v,
        ...(avg === undefined ? {} : { gradAvg: avg }),
        ...(buf === undefined ? {} : { momentumBuffer: buf }),
      },
    }));
    return { step: result.step, params: outputs };
  }
}
