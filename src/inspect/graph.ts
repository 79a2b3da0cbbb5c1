import { pullBack, record } from '../autodiff/reverse.js';
import { type DType, isFloat, itemSize } from '../dtype.js';
import { settings } from '../engine/settings.js';
import { GradError, OptionError } from '../errors.js';
import { dataOp, fullOp, inputLeaf, inputOp, stateOp } from '../graph/leaves.js';
import { State } from '../graph/state.js';
import { build, itemOf, Tensor } from '../graph/tensor.js';
import { type Entry, graphState } from '../graph/trace.js';
import { alias, full, zerosLike } from '../ops/index.js';
import { checkOptions } from '../options.js';
import { compileGraph, type GraphSpec, type InstructionInfo } from '../program/index.js';
import { type Shape, sizeOf } from '../shape.js';
import { leaves, mapTree } from '../tree.js';
import { dot } from './dot.js';
import { mermaid } from './mermaid.js';
import { svg } from './svg.js';
import { table } from './table.js';

const inspect = Symbol.for('nodejs.util.inspect.custom');

/** One value of a computation graph. */
export interface GraphNode {
  /** Position in `nodes`; inputs come before users. */
  readonly id: number;
  /** The op, or what a leaf is: `argument 0`, `0.weight`, `data`, `constant`. */
  readonly label: string;
  readonly op: string;
  readonly kind: string;
  /** Ids of the inputs, in order. */
  readonly inputs: readonly number[];
  readonly shape: Shape;
  readonly dtype: DType;
  /** Path of the module that built it, '' outside modules. */
  readonly module: string;
  /** Value of a constant, null for the others. */
  readonly constant: number | null;
  /** Floating-point operations to compute it from its inputs, estimated; 0 for leaves and movement. */
  readonly flops: number;
  /** Bytes of its value. */
  readonly bytes: number;
  /** Positions in `program.instructions` of those that compute it; none when it is a leaf, a view, or was merged or removed. */
  readonly instructions: readonly number[];
  /** Whether it is a result. */
  readonly isResult: boolean;
}

/** The native program that computes a graph. */
export interface GraphProgram {
  readonly instructions: readonly InstructionInfo[];
  /** Bytes of memory for all intermediate values together. */
  readonly arenaBytes: number;
  readonly flops: number;
  /** Bytes that the instructions read and write. */
  readonly bytes: number;
  /** The program itself, one line an instruction. */
  readonly listing: string;
}

export interface DrawOptions {
  /** Show constants as nodes instead of as part of the label of their users; default false. */
  readonly constants?: boolean;
}

export interface SvgOptions extends DrawOptions {
  /** List the fused program beside the graph; default false. */
  readonly program?: boolean;
}

/** A graph as it was when it was made; computing its values later does not change it. See {@link computationGraph}. */
export class ComputationGraph {
  readonly nodes: readonly GraphNode[];
  readonly program: GraphProgram;
  readonly #tensors: readonly Tensor[];
  readonly #entries: readonly Entry[];
  readonly #results: readonly number[];

  /** `leaves`: where the graph begins whatever came before, with names. */
  constructor(roots: readonly Tensor[], leaves: ReadonlyMap<Tensor, string>) {
    if (!Array.isArray(roots) || !roots.every((r) => r instanceof Tensor) || !(leaves instanceof Map)) {
      throw new OptionError(
        'ComputationGraph: expected tensors and a map of names; computationGraph(target) makes both',
      );
    }
    const tensors = reachableFrom(roots, leaves);
    const position = new Map(tensors.map((t, i) => [t, i]));
    const entries = tensors.map((node): Entry => {
      const { op, inputs, attrs } = leaves.has(node) ? inputLeaf(0, node.shape, node.dtype) : node;
      return { node, op, inputs, attrs };
    });
    const spec = compileGraph(replayed(entries, roots));
    const users = new Map<number, number[]>();
    spec.instructions.forEach(({ nodes }, i) => {
      for (const n of nodes) users.set(n, [...(users.get(n) ?? []), i]);
    });
    this.#tensors = tensors;
    this.#entries = entries;
    this.#results = roots.map((r) => position.get(r) as number);
    this.nodes = entries.map(({ node: t, op, inputs }, id) => ({
      id,
      label: leaves.get(t) ?? labelOf(t),
      op: op.name,
      kind: op.kind,
      inputs: inputs.map((x) => position.get(x) as number),
      shape: t.shape,
      dtype: t.dtype,
      module: t.scope,
      constant: op === fullOp ? (t.attrs.value as number) : null,
      flops: inputs.length === 0 ? 0 : flopsOf(t),
      bytes: (t.outs ?? [t]).reduce((n, o) => n + sizeOf(o.shape) * itemSize(o.dtype), 0),
      instructions: users.get(id) ?? [],
      isResult: this.#results.includes(id),
    }));
    this.program = {
      instructions: spec.instructions,
      arenaBytes: spec.arenaBytes,
      flops: spec.flops,
      bytes: spec.instructions.reduce((n, i) => n + i.bytes, 0),
      listing: spec.listing,
    };
  }

  /** Floating-point operations of all nodes, before anything is merged. */
  get flops(): number {
    return this.nodes.reduce((n, node) => n + node.flops, 0);
  }

  /**
   * The value of a node, as a tensor to await: `await graph.value(3).data()`.
   * @throws OptionError for an id that does not exist.
   */
  value(id: number): Tensor {
    const t = this.#tensor(id);
    return t.outs === null ? t : itemOf(t, 0);
  }

  /**
   * Derivative of the result with respect to the value of a node, as a tensor to await.
   * @throws GradError unless the graph has one result, a float scalar, and the node is a float; OptionError for an unknown id.
   */
  gradient(id: number): Tensor {
    return this.gradients([id])[0];
  }

  /** The same for several nodes, in one backward pass. */
  gradients(ids: readonly number[]): Tensor[] {
    const result = this.#tensors[this.#results[0]];
    if (this.#results.length !== 1 || result.shape.length !== 0 || !isFloat(result.dtype)) {
      throw new GradError(
        `gradients: the graph has ${this.#results.length} results, the first ${result.dtype} [${result.shape}]; expected one float scalar`,
      );
    }
    const sources = ids.map((id) => {
      const tensor = this.#tensor(id);
      if (isFloat(tensor.dtype)) return { tensor, name: `node ${id} (${this.nodes[id].label})` };
      throw new GradError(`gradients: node ${id} (${this.nodes[id].label}) is ${tensor.dtype}, expected a float`);
    });
    const one = full([], 1, { dtype: result.dtype });
    const { result: grads } = record(() => pullBack('gradients', this.#entries, [[result, one]], sources));
    return grads.map((g, i) => g ?? zerosLike(sources[i].tensor));
  }

  /** Nodes whose op, label or module is `name`. */
  find(name: string): GraphNode[] {
    return this.nodes.filter((n) => n.op === name || n.label === name || n.module === name);
  }

  /** A table of the nodes, then the program: what was fused into each instruction, arena, FLOPs and bytes. */
  toString(): string {
    return table(this);
  }

  /** For Graphviz: `dot -Tsvg`. Modules are clusters. */
  toDot(options: DrawOptions = {}): string {
    checkOptions('toDot', options, ['constants']);
    return dot(this.nodes, options);
  }

  /** For Markdown pages that render Mermaid. Modules are subgraphs. */
  toMermaid(options: DrawOptions = {}): string {
    checkOptions('toMermaid', options, ['constants']);
    return mermaid(this.nodes, options);
  }

  /** A picture, readable on white and on dark. */
  toSvg(options: SvgOptions = {}): string {
    checkOptions('toSvg', options, ['constants', 'program']);
    return svg(this, options);
  }

  [inspect](): string {
    return this.toString();
  }

  #tensor(id: number): Tensor {
    const t = this.#tensors[id];
    if (t !== undefined) return t;
    throw new OptionError(`computationGraph: there is no node ${String(id)}, expected 0 … ${this.#tensors.length - 1}`);
  }
}

/**
 * The graph of operations behind tensors, to look at: `console.log(graph)`, `toDot()`, `toMermaid()`, `toSvg()`; values and
 * gradients of its nodes; and the fused program that computes it. Runs nothing.
 * @param target tensors that have not been computed yet (a tensor, or arrays and objects of them), or a function giving such
 * @param args arguments of the function; its tensors appear as `argument 0`, `argument 1.w` …
 * @returns a snapshot, see {@link ComputationGraph}
 * @throws OptionError when there is no tensor in the result
 * @example
 * const graph = computationGraph((w: Tensor) => w.mul(w).sin().sum(), tensor([1, 2]));
 * console.log(graph);
 * console.log(await graph.gradient(0).data());
 */
export function computationGraph<A extends readonly unknown[]>(
  target: ((...args: A) => unknown) | unknown,
  ...args: A
): ComputationGraph {
  const names = new Map<Tensor, string>();
  // A cell whose write has not run is known by the value that will be written: how that is made is no part of the graph.
  const cells = graphState.trace?.writes ?? graphState.pending;
  let result: unknown = target;
  if (typeof target === 'function') {
    const given = args.map((arg, n) =>
      mapTree(arg, (x, path) => {
        const t = x instanceof State ? x.read() : x;
        if (!(t instanceof Tensor)) return x;
        const own = alias(t);
        names.set(own, `argument ${n}${path}`);
        return own;
      }),
    );
    result = (target as (...args: A) => unknown)(...(given as unknown as A));
  }
  const found = leaves(result).map((x) => (x instanceof State ? x.read() : x));
  const roots = [...new Set(found.filter((x): x is Tensor => x instanceof Tensor))];
  if (roots.length === 0) {
    const got = result instanceof Promise ? 'a promise' : typeof result;
    throw new OptionError(
      `computationGraph: got ${got} without a tensor; pass tensors, or a function that returns them`,
    );
  }
  for (const [cell, value] of cells) if (!names.has(value)) names.set(value, cell.name === '' ? 'state' : cell.name);
  return new ComputationGraph(roots, names);
}

/** What the roots need, down to leaves and the nodes of `stop`, inputs before users. */
function reachableFrom(roots: readonly Tensor[], stop: ReadonlyMap<Tensor, string>): Tensor[] {
  const found = new Set(roots);
  for (const t of found) if (!stop.has(t)) for (const x of t.inputs) found.add(x);
  return [...found].sort((a, b) => a.id - b.id);
}

/** The entries as a graph of their own, whose first nodes are placeholders; node i is entry i. */
function replayed(entries: readonly Entry[], roots: readonly Tensor[]): GraphSpec {
  const made = new Map<Tensor, Tensor>();
  let inputs = 0;
  let rngBase = Number.POSITIVE_INFINITY;
  const { scope } = graphState;
  for (const { node, op, inputs: xs, attrs } of entries) {
    graphState.scope = node.scope;
    if (op === inputOp) made.set(node, inputLeaf(inputs++, node.shape, node.dtype));
    else if (op.kind === 'leaf') made.set(node, node);
    else {
      const own = xs.map((x) => made.get(x) as Tensor);
      made.set(node, build(op, own, attrs));
    }
    if (op.random === true) rngBase = Math.min(rngBase, attrs.index as number);
  }
  graphState.scope = scope;
  const nodes = [...made.values()];
  return {
    nodes,
    roots: roots.map((r) => made.get(r) as Tensor),
    writes: [],
    rngBase: rngBase === Number.POSITIVE_INFINITY ? 0 : rngBase,
    fuse: !settings.eager,
  };
}

function labelOf({ op, attrs }: Tensor): string {
  if (op === stateOp) {
    const cell = attrs.cell as State;
    return cell.name === '' ? 'state' : cell.name;
  }
  if (op === inputOp) return `input ${String(attrs.index)}`;
  if (op === fullOp) return String(attrs.value);
  return op === dataOp ? 'data' : op.name;
}

/** Operations to make the value from its inputs; the same estimates as the program's instructions. */
function flopsOf(t: Tensor): number {
  const { op, inputs, shape } = t;
  switch (op.kind) {
    case 'elementwise':
      return sizeOf(shape);
    case 'reduce':
      return sizeOf(inputs[0].shape);
    case 'matmul': {
      const [rows, cols] = inputs[0].shape.slice(-2);
      return 2 * sizeOf(shape) * (t.attrs.transA === true ? rows : cols);
    }
    case 'coarse':
      if (op.flops !== undefined) return op.flops({ inputs, outs: t.outs ?? [t], attrs: t.attrs });
      return [...(t.outs ?? [t]), ...inputs].reduce((n, o) => n + sizeOf(o.shape), 0);
    default:
      return 0;
  }
}
