import { StaleError, TraceError } from '../errors.js';
import { inputOp, sampleOp, stateOp } from '../graph/leaves.js';
import type { State } from '../graph/state.js';
import type { Tensor } from '../graph/tensor.js';

let nextStamp = 1;

/**
 * Every node that `roots` need, inputs before users. Realised nodes are leaves. Iterative: chains may be very long.
 * Until the next walk, node i has `mark === nodes[0].mark + i`.
 */
export function reachable(roots: Iterable<Tensor>): Tensor[] {
  const nodes: Tensor[] = [];
  for (const r of roots) meet(nodes, r);
  for (let i = 0; i < nodes.length; i++) for (const x of nodes[i].inputs) meet(nodes, x);
  return numbered(nodes);
}

/**
 * What a realisation computes: all nodes, as `reachable` gives them, and those of them whose values are returned. These
 * are the `wanted` ones that have no value yet, and when there are `writes`, the companions of every node on the way: values
 * returned by the valueAndGrad whose gradients the writes use are computed with them, since afterwards their inputs are gone.
 */
export function collect(
  wanted: Iterable<Tensor>,
  alsoWanted: Iterable<Tensor>,
  writes: ReadonlyMap<State, Tensor>,
): { nodes: Tensor[]; roots: Tensor[] } {
  const stamp = nextStamp;
  const nodes: Tensor[] = [];
  const roots: Tensor[] = [];
  writes.forEach((value) => {
    meet(nodes, value);
  });
  const written = nodes.length;
  const want = (t: Tensor): void => {
    if (t.storage !== null || t.op === stateOp) return;
    const at = t.mark - stamp;
    if (at >= 0 && (at < written || roots.includes(t))) return;
    meet(nodes, t);
    roots.push(t);
  };
  for (const t of wanted) want(t);
  for (const t of alsoWanted) want(t);
  // `nodes` is its own work list: it grows while it is walked.
  for (let i = 0; i < nodes.length; i++) {
    const { inputs, companions } = nodes[i];
    for (const x of inputs) meet(nodes, x);
    if (companions !== null && written > 0) for (const x of companions) want(x);
  }
  return { nodes: numbered(nodes), roots };
}

/** While a walk goes on, a node it has met has `mark === nextStamp + its position`. */
function meet(nodes: Tensor[], node: Tensor): void {
  if (node.mark >= nextStamp) return;
  node.mark = nextStamp + nodes.length;
  nodes.push(node);
}

function numbered(nodes: Tensor[]): Tensor[] {
  sortById(nodes);
  for (let i = 0; i < nodes.length; i++) nodes[i].mark = nextStamp + i;
  nextStamp += Math.max(nodes.length, 1);
  return nodes;
}

const FEW = 4096;
const places: (Tensor | null)[] = [];

/** A graph was mostly made just now, so its ids lie close together: each node is put in its place, and older ones sorted. */
function sortById(nodes: Tensor[]): void {
  if (nodes.length > FEW) {
    nodes.sort(byId);
    return;
  }
  const range = 4 * nodes.length;
  while (places.length < range) places.push(null);
  let first = 0;
  for (const { id } of nodes) first = Math.max(first, id + 1 - range);
  const older: Tensor[] = [];
  for (const node of nodes) {
    if (node.id < first) older.push(node);
    else places[node.id - first] = node;
  }
  older.sort(byId);
  let n = 0;
  for (const node of older) nodes[n++] = node;
  for (let i = 0; n < nodes.length; i++) {
    const node = places[i];
    if (node === null) continue;
    nodes[n++] = node;
    places[i] = null;
  }
}

const byId = (a: Tensor, b: Tensor): number => a.id - b.id;

/** Throws unless a leaf can be bound outside a trace. */
export function checkLeaf(node: Tensor): void {
  if (node.op === inputOp) {
    throw new TraceError(
      'a tensor made while compile traced a function was used outside; return it from the function instead of storing it',
    );
  }
  if (node.op === sampleOp) {
    throw new TraceError(
      'a value that differs from sample to sample of vmap was asked for (item, data, realize), or used outside; return the ' +
        'tensor from the mapped function, and use where(...) instead of if',
    );
  }
  if (node.op !== stateOp || node.storage !== null) return;
  const { cell, version } = node.attrs as { cell: State; version: number };
  if (version === -1) {
    throw new TraceError(
      `the value of "${cellName(cell)}" read while compile traced a function was used outside; return it instead`,
    );
  }
  if (cell.stored !== version) throw stale(cell, version);
}

export function stale(cell: State, version: number): StaleError {
  return new StaleError(
    `this tensor needs version ${version} of "${cellName(cell)}", which has been overwritten (now version ${cell.stored}); ` +
      'read it before the update, or call .keep() on it so that it is computed together with the update',
  );
}

function cellName(cell: State): string {
  return cell.name === '' ? `cell #${cell.id}` : cell.name;
}
