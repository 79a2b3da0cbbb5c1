import { TraceError } from '../errors.js';
import { dataOp, stateOp } from '../graph/leaves.js';
import { opDraw } from '../graph/rng.js';
import type { State } from '../graph/state.js';
import { NO_ATTRS, type Tensor } from '../graph/tensor.js';
import { graphState } from '../graph/trace.js';
import { bind } from './bind.js';
import { programFor, type Write } from './cache.js';
import { checkLeaf, randomEras, reachable } from './collect.js';
import { enqueue, runNow } from './queue.js';

/**
 * Computes `tensors`, all pending writes, and what must be computed with them, as one program: one native call. Queued on
 * the executor thread, or run on this one when `sync`.
 */
export function realizeNow(tensors: Iterable<Tensor>, sync: boolean): void {
  if (graphState.trace !== null) {
    throw new TraceError(
      'a value was asked for while compile traces the function (item, data, realize); return the tensor and read it outside',
    );
  }
  const values = new Set(graphState.pending.values());
  try {
    realizeRoots(tensors, values, sync);
  } catch (error) {
    for (const cell of [...graphState.pending.keys()]) cell.abandon();
    throw error;
  }
}

function realizeRoots(tensors: Iterable<Tensor>, values: ReadonlySet<Tensor>, sync: boolean): void {
  const roots = new Set<Tensor>();
  const want = (t: Tensor) => {
    if (t.storage === null && !values.has(t) && t.op !== stateOp) roots.add(t);
  };
  for (const t of tensors) want(t);
  for (const t of graphState.joinNext) want(t);
  if (roots.size === 0 && values.size === 0) return;
  // Values returned by the valueAndGrad whose gradients the writes use are computed with them: afterwards their inputs are
  // gone. Gradients that only a root needs bring them along too; they are in its graph anyway.
  const nodes = reachable([...roots, ...values], (node) => {
    if (node.companions === null || values.size === 0) return [];
    node.companions.forEach(want);
    return node.companions;
  });
  if (realizeOlderSeeds(nodes, sync)) {
    realizeNow(tensors, sync);
    return;
  }

  const writes = collectWrites(nodes);
  for (const node of nodes) if (node.op.kind === 'leaf') checkLeaf(node);
  const outputs = [...roots];
  const random = randomBase(nodes);
  const program = programFor(nodes, outputs, writes, random?.first ?? 0);
  const call = bind(program, {
    nodes,
    roots: outputs,
    writes,
    args: [],
    steps: 1,
    random: random && { key: random.key, base: random.counter, perStep: 0 },
  });
  if (sync) runNow(call);
  else enqueue(call);
  graphState.runs++;
  graphState.joinNext.clear();
  graphState.pending.clear();
  outputs.forEach((node, i) => {
    node.storage = call.outputs[i];
    becomeLeaf(node, dataOp, NO_ATTRS);
  });
  for (const { cell, storage, value } of call.cells) {
    if (value !== null && value.op !== stateOp) becomeLeaf(value, stateOp, { cell, version: cell.version });
    const holdsIt = value !== null && value.attrs.cell === cell; // one tensor may have been written to several cells
    cell.settle(storage, cell.version, holdsIt ? value : null);
  }
}

/** What a node is once its value exists somewhere. */
export function becomeLeaf(node: Tensor, op: Tensor['op'], attrs: Tensor['attrs']): void {
  node.op = op;
  node.inputs = [];
  node.attrs = attrs;
  node.companions = null;
}

/** Pending writes; the old value is a leaf of the graph only when something reads it. */
function collectWrites(nodes: readonly Tensor[]): Write[] {
  const leaves = new Map<State, Tensor>();
  for (const node of nodes) {
    if (node.op === stateOp && node.storage === null) leaves.set(node.attrs.cell as State, node);
  }
  return [...graphState.pending].map(([cell, value]) => ({ cell, leaf: leaves.get(cell) ?? null, value }));
}

/** Random nodes built under different seeds cannot share a program: the older ones are computed first. */
function realizeOlderSeeds(nodes: readonly Tensor[], sync: boolean): boolean {
  const eras = [...randomEras(nodes)].sort(([a], [b]) => a - b);
  if (eras.length < 2) return false;
  const [, oldest] = eras[0];
  const pending = new Map(graphState.pending);
  const joinNext = new Set(graphState.joinNext);
  graphState.pending.clear();
  graphState.joinNext.clear();
  try {
    realizeNow(oldest, sync);
  } finally {
    for (const [cell, value] of pending) graphState.pending.set(cell, value);
    for (const t of joinNext) graphState.joinNext.add(t);
  }
  return true;
}

function randomBase(nodes: readonly Tensor[]): { first: number; key: [number, number]; counter: number } | null {
  let first = Number.POSITIVE_INFINITY;
  for (const node of nodes) if (node.op.random === true) first = Math.min(first, node.attrs.index as number);
  return first === Number.POSITIVE_INFINITY ? null : { first, ...opDraw(first) };
}
