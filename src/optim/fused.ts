import { type OptimizerRule, optimizerStep, type RuleAttrs, ruleSlotShape, ruleSlots, type Tensor } from '../core.js';
import type { Shape } from '../shape.js';
import { Optimizer, type ParameterStep, type StepResult, type StepSettings } from './optimizer.js';

/** An optimizer whose rule is one native instruction over all parameters: what a class adds is its options. */
export abstract class FusedOptimizer<R extends OptimizerRule = OptimizerRule> extends Optimizer {
  protected override readonly shapesGradients = true;
  /** Name of the rule. */
  protected abstract readonly fused: R;
  /** Options of the rule. */
  protected abstract readonly attrs: RuleAttrs[R];
  #slotNames: readonly string[] | null = null;

  protected override get slotNames(): readonly string[] {
    this.#slotNames ??= ruleSlots(this.fused, this.attrs);
    return this.#slotNames;
  }

  protected override slotShape(name: string, shape: Shape): Shape {
    return ruleSlotShape(this.fused, this.slotNames.indexOf(name), shape);
  }

  /** Options of the rule for parameters that `decayExempt` takes (the same unless overridden). */
  protected exemptAttrs(): RuleAttrs[R] {
    return this.attrs;
  }

  protected rule(
    lr: Tensor,
    step: Tensor,
    weightDecay: number,
    params: readonly ParameterStep[],
    { l1, scale, gate, exempt }: StepSettings,
  ): StepResult {
    const { slotNames: names, maximize, decoupledWeightDecay: decoupled, clipValue } = this;
    const inputs = params.map(({ w, g, slots }) => ({ w, g, slots: names.map((name) => slots[name]) }));
    const shaping = { weightDecay, decoupled, maximize, l1, ...(clipValue === null ? {} : { clipValue }) };
    const result = optimizerStep(
      this.fused,
      { ...(exempt ? this.exemptAttrs() : this.attrs), ...shaping },
      lr,
      step,
      inputs,
      { scale, gate },
    );
    const stepped = result.params.map(({ w, slots: values }) => {
      const slots: Record<string, Tensor> = {};
      for (let i = 0; i < names.length; i++) slots[names[i]] = values[i];
      return { w, slots };
    });
    return { step: result.step, params: stepped };
  }
}
