import { OptionError } from '../errors.js';
import { type Rule, ruleAttrs, ruleOp } from '../graph/rule.js';
import type { Attrs, Tensor } from '../graph/tensor.js';
import { build, buildAll, itemOf } from '../graph/tensor.js';
import { type Entry, graphState } from '../graph/trace.js';
import { broadcastTo, full, reshape, slice, stack, sum } from '../ops/index.js';
import { record, type Tape } from './reverse.js';
import { vmap } from './vmap.js';

/** Whether the samples of `vmap` draw the same random numbers. */
export type Randomness = 'same' | 'different';

/**
 * Rewrites the graph of one sample into that of all. Every value that differs by sample gets one more axis, always the first;
 * what does not differ stays as it is and is computed once.
 */
export class Batcher {
  /** Per output of a node of one sample: that output for all. Nodes that do not differ are absent. */
  private readonly values = new Map<Tensor, readonly Tensor[]>();
  private readonly size: number;
  private readonly randomness: 'error' | Randomness;
  /** Nodes with a smaller id were made outside the mapped function. */
  private readonly startId: number;

  constructor(samples: ReadonlyMap<Tensor, Tensor>, size: number, randomness: 'error' | Randomness, startId: number) {
    for (const [sample, all] of samples) this.values.set(sample, [all]);
    this.size = size;
    this.randomness = randomness;
    this.startId = startId;
  }

  /** The value for all samples, null when it does not differ. */
  of(node: Tensor): Tensor | null {
    return this.values.get(node)?.[0] ?? null;
  }

  rewrite(tape: Tape): void {
    const scope = graphState.scope;
    try {
      for (const entry of tape) {
        const { node, inputs, op } = entry;
        for (const x of inputs) this.meet(x);
        const draws = op.random === true && this.drawsBySample(op.name);
        const differs = draws || inputs.some((x) => this.values.has(x));
        if (!differs) continue;
        graphState.scope = node.scope;
        graphState.joinNext.delete(node); // it can never be computed
        this.values.set(node, this.entry(entry));
      }
      for (const { node } of tape) {
        const companions = node.companions?.map((c) => this.of(c) ?? c);
        if (companions !== undefined) (this.of(node) ?? node).companions = companions;
      }
    } finally {
      graphState.scope = scope;
    }
  }

  /** A leaf that draws random numbers is on no tape; it is rewritten when something uses it. */
  meet(x: Tensor): void {
    const { op, attrs } = x;
    if (op.random !== true || x.inputs.length > 0 || x.id < this.startId || this.values.has(x)) return;
    if (!this.drawsBySample(op.name)) return;
    this.values.set(x, this.entry({ node: x, op, inputs: [], attrs }));
  }

  private drawsBySample(op: string): boolean {
    if (this.randomness !== 'error') return this.randomness === 'different';
    throw new OptionError(
      `vmap: the function draws random numbers (${op}); choose randomness: 'different' (each sample its own) or 'same'`,
    );
  }

  private entry({ node, op, inputs, attrs }: Entry): readonly Tensor[] {
    if (op.kind === 'item') return [(this.values.get(inputs[0]) as readonly Tensor[])[attrs.index as number]];
    const mapped = inputs.map((x) => this.values.has(x));
    const batched = inputs.map((x) => this.of(x) ?? x);
    if (op.forwards === true) return this.ruled(batched, inputs, mapped, attrs);
    if (op.batch !== undefined) {
      const randomness = this.randomness === 'error' ? 'different' : this.randomness;
      const { size } = this;
      const full = (i: number) => this.full(inputs[i]);
      return list(op.batch({ op, samples: inputs, inputs: batched, mapped, full, size, attrs, randomness }));
    }
    switch (op.kind) {
      case 'elementwise':
        return [build(op, aligned(batched, inputs, mapped, node.shape.length), attrs)];
      case 'reduce':
        return [build(op, batched, { ...attrs, axes: (attrs.axes as number[]).map((a) => a + 1) })];
      case 'matmul':
        return [
          build(
            op,
            batched.map((x, i) => (mapped[i] ? x : reshape(x, [1, ...x.shape]))),
            attrs,
          ),
        ];
      default:
        return op.decompose === undefined || op.random === true
          ? this.loop({ node, op, inputs, attrs })
          : this.decomposed({ node, op, inputs, attrs });
    }
  }

  /** The value for all samples, repeated when it does not differ. */
  private full(x: Tensor): Tensor {
    return this.of(x) ?? broadcastTo(reshape(x, [1, ...x.shape]), [this.size, ...x.shape]);
  }

  private decomposed({ op, inputs, attrs }: Entry): readonly Tensor[] {
    const { result, tape } = record(() => list((op.decompose as NonNullable<typeof op.decompose>)(inputs, attrs)));
    this.rewrite(tape);
    return result.map((y) => this.full(y));
  }

  /** One op a sample, for ops that have neither a rule nor parts. */
  private loop({ node, op, inputs, attrs }: Entry): readonly Tensor[] {
    const outs = node.outs ?? [node];
    if (this.size === 0) return outs.map((o) => full([0, ...o.shape], 0, { dtype: o.dtype }));
    const results = Array.from({ length: this.size }, (_, s) => {
      const own = inputs.map((x) => {
        const all = this.of(x);
        return all === null ? x : reshape(slice(all, [{ start: s, end: s + 1 }]), x.shape);
      });
      const y = build(op, own, attrs);
      return y.outs === null ? [y] : y.outs.map((_, k) => itemOf(y, k));
    });
    return outs.map((_, k) => stack(results.map((r) => r[k])));
  }

  /** A value with a gradient rule of its own: the rule is mapped as well. */
  private ruled(
    batched: readonly Tensor[],
    inputs: readonly Tensor[],
    mapped: readonly boolean[],
    attrs: Attrs,
  ): readonly Tensor[] {
    const { outputs, rule } = ruleAttrs(attrs);
    const values = inputs.slice(0, outputs).map((y) => this.full(y));
    const shared = mapped.slice(outputs).map((m) => !m);
    const { randomness } = this;
    const all: Rule = ({ gs, outs, inputs: xs, needs }) => {
      const one = (g: readonly (Tensor | null)[], y: readonly Tensor[], x: readonly Tensor[]) =>
        rule({ gs: g, outs: y, inputs: x, needs });
      const axes = [0, 0, shared.map((s) => (s ? null : 0))];
      const grads = vmap(one, { inAxes: axes, randomness })(gs, outs, xs);
      return grads.map((g, i) => (g !== null && shared[i] ? sum(g, { axis: 0 }) : g));
    };
    return buildAll(ruleOp, [...values, ...batched.slice(outputs)], { outputs, rule: all });
  }
}

/** Operands of an elementwise op: axes of size 1 after the samples, so that the others stay aligned at the end. */
function aligned(
  batched: readonly Tensor[],
  samples: readonly Tensor[],
  mapped: readonly boolean[],
  rank: number,
): Tensor[] {
  return batched.map((x, i) => {
    const missing = rank - samples[i].shape.length;
    if (!mapped[i] || missing === 0) return x;
    return reshape(x, [x.shape[0], ...new Array<number>(missing).fill(1), ...samples[i].shape]);
  });
}

function list(result: Tensor | readonly Tensor[]): readonly Tensor[] {
  return Array.isArray(result) ? (result as readonly Tensor[]) : [result as Tensor];
}
