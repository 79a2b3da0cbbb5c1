import { isFloat } from '../dtype.js';
import { GradError } from '../errors.js';
import type { OpDef } from '../graph/op.js';
import { type Attrs, itemOf, type Tensor } from '../graph/tensor.js';
import { graphState } from '../graph/trace.js';
import { NO_GRADIENT } from '../ops/define.js';
import { add, reshape, sum } from '../ops/index.js';
import { sameShape } from '../shape.js';

/** A node as it was built: a realisation in the middle of a function turns the node itself into data. */
interface Entry {
  readonly node: Tensor;
  readonly op: OpDef;
  readonly inputs: readonly Tensor[];
  readonly attrs: Attrs;
}

/** Every node that a function built, inputs before users. */
export type Tape = readonly Entry[];

/** Runs `fn` and records what it builds. Recordings nest: an outer one sees everything. */
export function record<R>(fn: () => R): { result: R; tape: Tape } {
  const tape: Entry[] = [];
  const before = graphState.onBuild;
  graphState.onBuild = (node) => {
    before?.(node);
    tape.push({ node, op: node.op, inputs: node.inputs, attrs: node.attrs });
  };
  try {
    return { result: fn(), tape };
  } finally {
    graphState.onBuild = before;
  }
}

/** A tensor to differentiate with respect to, with its name for messages. */
export interface Source {
  readonly tensor: Tensor;
  readonly name: string;
}

/**
 * Reverse mode, graph to graph: pulls cotangents of outputs back to the sources. One walk forward over the tape finds the
 * nodes that depend on a source, one walk backward runs each of their rules once, so the time is linear in the nodes however
 * many paths there are. Source: Griewank and Walther, Evaluating Derivatives, 2008, section 3.2.
 * @returns the gradient of each source, null where none flows
 */
export function pullBack(
  caller: string,
  tape: Tape,
  seeds: readonly (readonly [output: Tensor, cotangent: Tensor])[],
  sources: readonly Source[],
): (Tensor | null)[] {
  const active = dependents(tape, sources);
  // Cotangents of every output of a node; single outputs use index 0.
  const cotangents = new Map<Tensor, (Tensor | null)[]>();
  const accumulate = (x: Tensor, index: number, g: Tensor): void => {
    const list = cotangents.get(x);
    if (list === undefined) {
      const fresh: (Tensor | null)[] = new Array(x.outs?.length ?? 1).fill(null);
      fresh[index] = g;
      cotangents.set(x, fresh);
    } else {
      const sofar = list[index];
      list[index] = sofar === null ? g : add(sofar, g);
    }
  };
  const scope = graphState.scope;
  try {
    for (const [output, cotangent] of seeds) if (active.has(output)) accumulate(output, 0, cotangent);
    for (let i = tape.length - 1; i >= 0; i--) {
      const { node, op, inputs, attrs } = tape[i];
      const gs = active.has(node) ? cotangents.get(node) : undefined;
      if (gs === undefined) continue;
      graphState.scope = node.scope;
      if (op.kind === 'item') {
        accumulate(inputs[0], attrs.index as number, gs[0] as Tensor);
        continue;
      }
      if (op.vjp === null) throw notDifferentiable(caller, tape, tape[i], sources);
      const needs = inputs.map((x) => active.has(x));
      const outs = node.outs === null ? [node] : node.outs.map((_, k) => itemOf(node, k));
      const g = gs.find((t) => t !== null) as Tensor;
      const grads = op.vjp({ g, gs, out: outs[0], outs, inputs, attrs, needs });
      inputs.forEach((x, k) => {
        const gx = grads[k] ?? null;
        if (needs[k] && gx !== null) accumulate(x, 0, unbroadcast(op.name, gx, x));
      });
    }
  } finally {
    graphState.scope = scope;
  }
  return sources.map(({ tensor }) => cotangents.get(tensor)?.[0] ?? null);
}

/** The sources and all nodes whose value moves with them. */
function dependents(tape: Tape, sources: readonly Source[]): Set<Tensor> {
  const active = new Set(sources.map((s) => s.tensor));
  for (const { node, op, inputs } of tape) {
    if (op.vjp === NO_GRADIENT || !(node.outs ?? [node]).some((o) => isFloat(o.dtype))) continue;
    for (const x of inputs) {
      if (!active.has(x)) continue;
      active.add(node);
      break;
    }
  }
  return active;
}

/** Undoes broadcasting: the gradient of a value that was repeated is the sum over its copies. */
function unbroadcast(op: string, g: Tensor, x: Tensor): Tensor {
  if (sameShape(g.shape, x.shape) && g.dtype === x.dtype) return g;
  const lead = g.shape.length - x.shape.length;
  const fits = lead >= 0 && x.shape.every((d, i) => d === 1 || d === g.shape[lead + i]);
  if (!fits || g.dtype !== x.dtype) {
    throw new Error(
      `internal: gradient rule of ${op} gave ${g.dtype} [${g.shape}] for an input of ${x.dtype} [${x.shape}]`,
    );
  }
  const axis = g.shape.flatMap((d, i) => (i < lead || (x.shape[i - lead] === 1 && d !== 1) ? [i] : []));
  return reshape(sum(g, { axis, keepDims: true }), x.shape);
}

function notDifferentiable(caller: string, tape: Tape, entry: Entry, sources: readonly Source[]): GradError {
  const through = sources.find((s) => {
    const active = dependents(tape, [s]);
    return entry.inputs.some((x) => active.has(x));
  });
  const where = entry.node.scope === '' ? '' : ` in "${entry.node.scope}"`;
  return new GradError(
    `${caller}: the result depends on ${through?.name ?? 'an argument'} through ${entry.op.name}${where}, which has no gradient; ` +
      'wrap its input in stopGradient(...) if that path should not count',
  );
}
