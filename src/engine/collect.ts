import { StaleError, TraceError } from '../errors.js';
import { dataOp, inputOp, stateOp } from '../graph/leaves.js';
import { opDraw } from '../graph/rng.js';
import type { State } from '../graph/state.js';
import type { Tensor } from '../graph/tensor.js';

/** Every node that `roots` need, inputs before users. Realised nodes are leaves. Iterative: chains may be very long. */
export function reachable(roots: Iterable<Tensor>, visit?: (node: Tensor) => void): Tensor[] {
  const seen = new Set<Tensor>();
  const stack: Tensor[] = [];
  for (const r of roots) {
    if (seen.has(r)) continue;
    seen.add(r);
    stack.push(r);
  }
  // The stack grows while it is walked: a node found on the way may add more (see companions in realize).
  const nodes: Tensor[] = [];
  while (stack.length > 0) {
    const node = stack.pop() as Tensor;
    nodes.push(node);
    visit?.(node);
    for (const x of node.inputs) {
      if (seen.has(x)) continue;
      seen.add(x);
      stack.push(x);
    }
  }
  return nodes.sort((a, b) => a.id - b.id);
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

export function isPlaceholder(node: Tensor): boolean {
  return node.op === inputOp;
}

export function isData(node: Tensor): boolean {
  return node.op === dataOp;
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
