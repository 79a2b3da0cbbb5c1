import { type DType, isFloat } from '../dtype.js';
import { fullOp } from '../graph/leaves.js';
import type { Tensor } from '../graph/tensor.js';
import { type Shape, sameShape } from '../shape.js';
import type { GraphSpec } from './index.js';
import type { Graph, Node } from './ir.js';
import { denseView, isDense } from './views.js';

/**
 * The graph as nodes of its own: equal nodes merged, identities and dead code removed. Only rewrites that keep every bit
 * (NaN and -0 included) of the result of op-by-op evaluation; with `fuse` off none but dead code.
 */
export function simplify(spec: GraphSpec): Graph {
  const made = new Map<Tensor, Node>();
  const created: Node[] = [];
  const keys = new KeyTable();
  const create = (node: Node): Node => {
    created.push(node);
    return node;
  };
  spec.nodes.forEach((t, position) => {
    const inputs = t.inputs.map((x) => made.get(x) as Node);
    if (t.op.kind === 'item' && t.inputs[0].op.forwards === true) {
      made.set(t, made.get(t.inputs[0].inputs[t.attrs['index'] as number]) as Node);
      return;
    }
    // Output 0 of a multi-output node is the node itself.
    if (t.op.forwards === true || (t.op.kind === 'item' && t.attrs['index'] === 0)) {
      made.set(t, inputs[0]);
      return;
    }
    const node: Node = {
      index: -1,
      op: t.op,
      inputs,
      attrs: t.attrs,
      shape: t.shape,
      dtype: t.dtype,
      outs: t.outs,
      source: t,
      position,
      users: [],
      pinned: false,
    };
    const bound = t.op.kind === 'leaf' && t.op !== fullOp;
    if (!spec.fuse || bound || t.op.barrier === true) {
      made.set(t, create(node));
      return;
    }
    const simpler = rewrite(node);
    if (simpler !== null && simpler.op !== fullOp) made.set(t, simpler);
    else made.set(t, keys.unique(simpler ?? node, create));
  });
  const at = (t: Tensor): Node => made.get(t) as Node;
  const graph = {
    roots: spec.roots.map(at),
    writes: spec.writes.map((w) => ({ leaf: w.leaf === null ? null : at(w.leaf), value: at(w.value) })),
    rngBase: spec.rngBase,
    fuse: spec.fuse,
  };
  return { ...graph, nodes: live(created, graph) };
}

/** Live nodes in order, with `index`, `users` and `pinned` set. */
function live(created: readonly Node[], graph: Pick<Graph, 'roots' | 'writes'>): Node[] {
  for (const r of graph.roots) r.pinned = true;
  const wanted = new Set<Node>(graph.roots);
  for (const { leaf, value } of graph.writes) {
    value.pinned = true;
    wanted.add(value);
    if (leaf !== null) wanted.add(leaf);
  }
  for (let i = created.length - 1; i >= 0; i--) {
    if (wanted.has(created[i])) for (const x of created[i].inputs) wanted.add(x);
  }
  const nodes = created.filter((n) => wanted.has(n));
  nodes.forEach((n, i) => {
    n.index = i;
    for (const x of n.inputs) x.users.push(n);
  });
  return nodes;
}

/** Hash-consing: two nodes with one key compute the same bits. */
class KeyTable {
  private readonly nodes = new Map<string, Node>();
  private readonly ids = new Map<unknown, number>();

  unique(node: Node, create: (node: Node) => Node): Node {
    const inputs = node.inputs.map((x) => this.id(x)).join();
    const key = `${this.id(node.op)}|${inputs}|${node.dtype}|${node.shape.join()}|${this.attrs(node.attrs)}`;
    const known = this.nodes.get(key);
    if (known !== undefined) return known;
    this.nodes.set(key, create(node));
    return node;
  }

  private id(x: unknown): number {
    let id = this.ids.get(x);
    if (id === undefined) {
      id = this.ids.size;
      this.ids.set(x, id);
    }
    return id;
  }

  private attrs(x: unknown): string {
    if (typeof x === 'number') return Object.is(x, -0) ? '-0' : String(x);
    if (typeof x === 'string') return JSON.stringify(x);
    if (Array.isArray(x)) return `[${x.map((e) => this.attrs(e)).join()}]`;
    if (x !== null && typeof x === 'object' && Object.getPrototypeOf(x) === Object.prototype) {
      let key = '{';
      for (const [k, e] of Object.entries(x)) key += `${k}:${this.attrs(e)},`;
      return `${key}}`;
    }
    return typeof x === 'object' || typeof x === 'function' ? `#${this.id(x)}` : String(x);
  }
}

/** The value of a constant as its dtype stores it; other nodes give null. */
export function constantOf(node: Node): number | null {
  return node.op === fullOp ? stored(node.attrs['value'] as number, node.dtype) : null;
}

function stored(value: number, dtype: DType): number {
  switch (dtype) {
    case 'float64':
      return value;
    case 'float32':
      return Math.fround(value);
    case 'int32':
      return value | 0;
    case 'uint8':
      return value & 255;
    case 'bool':
      return value !== 0 ? 1 : 0;
    default:
      return dtype satisfies never;
  }
}

/** A simpler node with the same bits, or null. A constant comes back as a new `full` node. */
function rewrite(node: Node): Node | null {
  if (node.op.kind === 'movement') return movement(node);
  if (node.op.kind === 'elementwise') return elementwise(node);
  return null;
}

function movement(node: Node): Node | null {
  if (node.op.view === undefined || node.inputs.length !== 1) return null;
  const [x] = node.inputs;
  const value = constantOf(x);
  if (value !== null) return full(node, value);
  if (!sameShape(x.shape, node.shape)) return null;
  const view = node.op.view(denseView(x.shape), node, node.attrs);
  return view !== null && isDense(view) ? x : null;
}

function full(like: Node, value: number, shape: Shape = like.shape): Node {
  return { ...like, op: fullOp, inputs: [], attrs: { value }, shape, users: [] };
}

function elementwise(node: Node): Node | null {
  const folded = fold(node);
  if (folded !== null) return full(node, folded);
  const [a, b] = node.inputs;
  switch (node.op.micro) {
    case 'CAST':
      return keep(a, node);
    case 'MUL':
      if (constantOf(b) === 1) return keep(a, node);
      return constantOf(a) === 1 ? keep(b, node) : null;
    case 'DIV':
      return constantOf(b) === 1 ? keep(a, node) : null;
    case 'SUB': // x - (+0) keeps -0
      return Object.is(constantOf(b), 0) ? keep(a, node) : null;
    case 'ADD': // only x + (-0) keeps -0; integers have one zero
      if (isNeutral(b)) return keep(a, node);
      return isNeutral(a) ? keep(b, node) : null;
    case 'NEG':
      return a.op.micro === 'NEG' ? keep(a.inputs[0], node) : null;
    default:
      return null;
  }
}

function isNeutral(x: Node): boolean {
  const value = constantOf(x);
  return isFloat(x.dtype) ? Object.is(value, -0) : value === 0;
}

/** `x` in place of `node`, when it has the same shape and dtype. */
function keep(x: Node, node: Node): Node | null {
  return x.dtype === node.dtype && x.dtype !== 'bool' && sameShape(x.shape, node.shape) ? x : null;
}

/** Value of an operation on float constants that JavaScript rounds exactly as the kernels do. */
function fold(node: Node): number | null {
  const values = node.inputs.map(constantOf);
  const [a, b] = values;
  if (values.includes(null) || a === null) return null;
  if (!isFloat(node.dtype) || node.inputs.some((x) => x.dtype !== node.dtype)) {
    return node.op.micro === 'CAST' && isExactCast(node.inputs[0].dtype, node.dtype, a) ? a : null;
  }
  // float32 operands in float64 arithmetic, rounded once by `full`: equal to float32 arithmetic for these.
  switch (node.op.micro) {
    case 'ADD':
      return a + (b as number);
    case 'SUB':
      return a - (b as number);
    case 'MUL':
      return a * (b as number);
    case 'DIV':
      return a / (b as number);
    case 'NEG':
      return -a;
    default:
      return null;
  }
}

function isExactCast(from: DType, to: DType, value: number): boolean {
  if (isFloat(to) || to === 'bool') return true;
  // Out of range is the kernels' business; an integral float in range is stored as it is.
  const [low, high] = to === 'uint8' ? [0, 255] : [-(2 ** 31), 2 ** 31 - 1];
  return (!isFloat(from) || Number.isInteger(value)) && value >= low && value <= high;
}
