import { add, cast, mul, neg, sub, type Tensor } from '../core.js';
import { Optimizer, type ParameterStep, type StepResult, type StepSettings } from './optimizer.js';

/** A float64 scalar or number as a scalar of the dtype of `w`. */
export const like = (w: Tensor, x: Tensor): Tensor => cast(x, w.dtype);

/**
 * An optimizer whose rule looks at a whole parameter, such as its norm, and is written with ordinary ops for one parameter at a
 * time. Gradient and weight come with `maximize` and weight decay applied.
 */
export abstract class ParameterOptimizer extends Optimizer {
  /**
   * New weight and slots of one parameter.
   * @param lr float64 scalar; @param t float64 scalar, counts this step from 1; @param decay weight decay, already applied unless
   * {@link decaysItself}.
   */
  protected abstract one(
    p: ParameterStep,
    lr: Tensor,
    t: Tensor,
    decay: number,
    exempt: boolean,
  ): { readonly w: Tensor; readonly slots: Readonly<Record<string, Tensor>> };

  /** Whether the rule puts weight decay where it belongs by itself. */
  protected readonly decaysItself: boolean = false;

  protected rule(
    lr: Tensor,
    step: Tensor,
    weightDecay: number,
    params: readonly ParameterStep[],
    { exempt }: StepSettings,
  ): StepResult {
    const t = cast(add(step, 1), 'float64');
    const next = params.map(({ g, ...p }) => {
      const given = { ...p, g: this.maximize ? neg(g) : g };
      const ready = this.decaysItself ? given : this.decayed(given, lr, weightDecay);
      return this.one(ready, lr, t, weightDecay, exempt);
    });
    return { step: add(step, 1), params: next };
  }

  /** Weight and gradient with weight decay, coupled or decoupled. */
  protected decayed(p: ParameterStep, lr: Tensor, decay: number): ParameterStep {
    if (decay === 0) return p;
    if (!this.decoupledWeightDecay) return { ...p, g: add(p.g, mul(decay, p.w)) };
    return { ...p, w: mul(p.w, like(p.w, sub(1, mul(lr, decay)))) };
  }
}
