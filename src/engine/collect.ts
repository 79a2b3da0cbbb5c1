import { StaleError, TraceError } from '../errors.js';
import { inputOp, stateOp } from '../graph/leaves.js';
import { opDraw } from '../graph/rng.js';
import type { State } from '../graph/state.js';
import type { Tensor } from '../graph/tensor.js';

let nextStamp = 1;

/**
 * Every node that `roots` need, inputs before users. Realised nodes are leaves. Iterative: chains may be very long.
 * Until the next walk, node i has `mark === nodes[0].mark + i`.
 *
 * @param more further roots that a node met on the way asks for.
 */
export function reachable(roots: Iterable<Tensor>, more?: (node: Tensor) => Iterable<Tensor>): Tensor[] {
  const stamp = nextStamp;
  const nodes: Tensor[] = [];
  const meet = (node: Tensor) => {
    if (node.mark >= stamp) return;
    node.mark = stamp;
    nodes.push(node);
  };
  for (const r of roots) meet(r);
  // `nodes` is its own work list: it grows while it is walked.
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i];
    for (const x of node.inputs) meet(x);
    if (more !== undefined) for (const x of more(node)) meet(x);
  }
  nodes.sort((a, b) => a.id - b.id);
  for (let i = 0; i < nodes.length; i++) nodes[i].mark = stamp + i;
  nextStamp = stamp + Math.max(nodes.length, 1);
  return nodes;
}

/** Throws unless a leaf can be bound outside a trace. */
export function checkLeaf(node: Tensor): void {
  if (node.op === inputOp) {
    throw new TraceError(
      'a tensor made while compile traced a function was used outside; return it from the function instead of storing it',
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

export function cellName(cell: State): string {
  return cell.name === '' ? `cell #${cell.id}` : cell.name;
}

/** Random nodes of a graph grouped by the seed they were built under, oldest first. */
export function randomEras(nodes: readonly Tensor[]): Map<number, Tensor[]> {
  const eras = new Map<number, Tensor[]>();
  for (const node of nodes) {
    if (node.op.random !== true) continue;
    const { era } = opDraw(node.attrs.index as number);
    const group = eras.get(era);
    if (group === undefined) eras.set(era, [node]);
    else group.push(node);
  }
  return eras;
}
