import { isFloat } from '../dtype.js';
import { GradError } from '../errors.js';
import { itemOf, type Tensor } from '../graph/tensor.js';
import { type Entry, graphState } from '../graph/trace.js';
import { NO_GRADIENT } from '../ops/define.js';
import { add, reshape, sum } from '../ops/index.js';
import { sameShape } from '../shape.js';

/** Every node that a function built, inputs before users. */
export type Tape = readonly Entry[];

/**
 * Runs `fn` and records what it builds. Recordings nest: an outer one sees everything. The tape hangs in a global and not in
 * a closure that listens: call sites remember closures, which kept the graphs of many steps alive.
 */
export function record<R>(fn: () => R): { result: R; tape: Tape } {
  const tape: Entry[] = [];
  const outer = graphState.tape;
  graphState.tape = tape;
  try {
    return { result: fn(), tape };
  } finally {
    graphState.tape = outer;
    if (outer !== null) for (const entry of tape) outer.push(entry);
  }
}

/** A tensor to differentiate with respect to, with its name for messages. */
export interface Source {
  readonly tensor: Tensor;
  readonly name: string;
  /** The name is the path of a cell. */
  readonly isPath?: boolean;
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
  // By the numbers in `active`: the cotangents of every output of a node; single outputs use index 0.
  const cotangents: ((Tensor | null)[] | undefined)[] = new Array(active.size);
  const accumulate = (x: Tensor, at: number, index: number, g: Tensor): void => {
    const list = cotangents[at];
    if (list === undefined) {
      const fresh: (Tensor | null)[] = [null];
      for (let k = 1; k < (x.outs?.length ?? 1); k++) fresh.push(null);
      fresh[index] = g;
      cotangents[at] = fresh;
    } else {
      const sofar = list[index];
      list[index] = sofar === null ? g : add(sofar, g);
    }
  };
  const scope = graphState.scope;
  try {
    for (const [output, cotangent] of seeds) {
      const at = active.get(output);
      if (at !== undefined) accumulate(output, at, 0, cotangent);
    }
    for (let i = tape.length - 1; i >= 0; i--) {
      const { node, op, inputs, attrs } = tape[i];
      const own = active.get(node);
      const gs = own === undefined ? undefined : cotangents[own];
      if (gs === undefined) continue;
      graphState.scope = node.scope;
      const numbers = inputs.map((x) => active.get(x));
      if (op.kind === 'item') {
        accumulate(inputs[0], numbers[0] as number, attrs.index as number, gs[0] as Tensor);
        continue;
      }
      if (op.vjp === null) throw notDifferentiable(caller, tape, tape[i], sources);
      const needs = numbers.map(isNumber);
      const outs = node.outs === null ? [node] : node.outs.map((_, k) => itemOf(node, k));
      const g = gs[0] ?? (gs.find((t) => t !== null) as Tensor);
      const grads = op.vjp({ g, gs, out: outs[0], outs, inputs, attrs, needs });
      for (let k = 0; k < inputs.length; k++) {
        const at = numbers[k];
        const gx = grads[k] ?? null;
        if (at !== undefined && gx !== null) accumulate(inputs[k], at, 0, unbroadcast(op.name, gx, inputs[k]));
      }
    }
  } finally {
    graphState.scope = scope;
  }
  return sources.map(({ tensor }) => cotangents[active.get(tensor) as number]?.[0] ?? null);
}

const isNumber = (x: number | undefined): boolean => x !== undefined;

/** The sources and all nodes whose value moves with them, numbered. */
function dependents(tape: Tape, sources: readonly Source[]): Map<Tensor, number> {
  const active = new Map<Tensor, number>();
  for (const { tensor } of sources) if (!active.has(tensor)) active.set(tensor, active.size);
  for (const { node, op, inputs } of tape) {
    if (op.vjp === NO_GRADIENT || !hasFloat(node)) continue;
    for (const x of inputs) {
      if (!active.has(x)) continue;
      if (!active.has(node)) active.set(node, active.size);
      break;
    }
  }
  return active;
}

function hasFloat({ dtype, outs }: Tensor): boolean {
  return outs === null ? isFloat(dtype) : outs.some((o) => isFloat(o.dtype));
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
  const source = through?.isPath === true ? `"${through.name}"` : (through?.name ?? 'an argument');
  return new GradError(
    `${caller}: the result depends on ${source} through ${entry.op.name}${where}, which has no gradient; ` +
      'wrap its input in stopGradient(...) if that path should not count',
  );
}
