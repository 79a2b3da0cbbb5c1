import { OptionError, sgdStep, type Tensor } from '../core.js';
import { Optimizer, type OptimizerOptions, type ParameterStep, type StepResult } from './optimizer.js';
import { checkRange } from './options.js';

export interface SGDOptions extends OptimizerOptions {
  /** In [0, 1] (default 0). */
  readonly momentum?: number;
  /** Dampening τ of the momentum, in [0, 1] (default 0). */
  readonly dampening?: number;
  /** Gradient at the look-ahead point (default false); needs momentum > 0 and dampening 0. */
  readonly nesterov?: boolean;
}

/**
 * Stochastic gradient descent, with momentum in PyTorch's form.
 *
 * g ← g + λ·w; v ← μ·v + (1 − τ)·g (v = g at the first update); d = g + μ·v with Nesterov, else v; w ← w − lr·d.
 *
 * @param options `lr` (default 1e-3), `momentum` μ, `dampening` τ, `nesterov`, `weightDecay` λ (default 0) and those
 *   of every optimizer ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.SGD({ lr: 0.1, momentum: 0.9, nesterov: true });
 * @see Sutskever et al. (2013), On the importance of initialization and momentum in deep learning; PyTorch, torch.optim.SGD.
 */
export class SGD extends Optimizer {
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  protected readonly slotNames: readonly string[];
  protected override readonly shapesGradients = true;

  constructor(options: SGDOptions = {}) {
    super(options, ['momentum', 'dampening', 'nesterov']);
    const { momentum = 0, dampening = 0, nesterov = false } = options;
    checkRange(this.name, 'momentum', momentum, 0, 1);
    checkRange(this.name, 'dampening', dampening, 0, 1);
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw new OptionError(
        `${this.name}: nesterov got momentum ${momentum} and dampening ${dampening}, expected momentum > 0 and dampening 0`,
      );
    }
    this.momentum = momentum;
    this.dampening = dampening;
    this.nesterov = nesterov;
    this.slotNames = momentum === 0 ? [] : ['momentumBuffer'];
  }

  protected rule(
    lr: Tensor,
    step: Tensor,
    weightDecay: number,
    params: readonly ParameterStep[],
    scale: Tensor | null,
  ): StepResult {
    const { momentum, dampening, nesterov, maximize } = this;
    const inputs = params.map(({ w, g, slots }) => (momentum === 0 ? { w, g } : { w, g, v: slots['momentumBuffer'] }));
    const attrs = { momentum, dampening, nesterov, maximize, weightDecay, ...this.gradientAttrs };
    const result = sgdStep(attrs, lr, step, inputs, scale);
    const outputs = result.params.map(({ w, v }) => ({ w, slots: v === undefined ? {} : { momentumBuffer: v } }));
    return { step: result.step, params: outputs };
  }
}
