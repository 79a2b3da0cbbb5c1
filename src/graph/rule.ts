import type { OpDef, VjpContext } from './op.js';
import { type Attrs, buildAll, type Tensor } from './tensor.js';

/** Gradients of the dependencies of a {@link ruledBy} value; `outs` and `gs` are one per output. */
export type Rule = (c: Pick<VjpContext, 'gs' | 'outs' | 'inputs' | 'needs'>) => readonly (Tensor | null)[];

interface RuleAttrs {
  readonly outputs: number;
  readonly rule: Rule;
}

export function ruleAttrs(attrs: Attrs): RuleAttrs {
  return attrs as unknown as RuleAttrs;
}

/** inputs: values, then what they depend on; attrs: {@link RuleAttrs}. The first are passed on, gradients go to the rest. */
export const ruleOp: OpDef = {
  name: 'customGrad',
  kind: 'movement',
  forwards: true,
  infer: (inputs, attrs) => inputs.slice(0, ruleAttrs(attrs).outputs).map(({ shape, dtype }) => ({ shape, dtype })),
  vjp: ({ gs, outs, inputs, attrs, needs }) => {
    const { outputs, rule } = ruleAttrs(attrs);
    const own = rule({ gs, outs, inputs: inputs.slice(outputs), needs: needs.slice(outputs) });
    return [...inputs.slice(0, outputs).map(() => null), ...own];
  },
  reference: (inputs: readonly { data: Float64Array; shape: readonly number[] }[], attrs: Attrs) =>
    inputs.slice(0, ruleAttrs(attrs).outputs),
} as OpDef;

/** `values` unchanged, with a gradient rule of their own: what flows into them goes to `dependencies` as `rule` says. */
export function ruledBy(values: readonly Tensor[], dependencies: readonly Tensor[], rule: Rule): Tensor[] {
  return buildAll(ruleOp, [...values, ...dependencies], { outputs: values.length, rule });
}
