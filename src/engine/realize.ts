import { TraceError } from '../errors.js';
import { dataOp, stateOp } from '../graph/leaves.js';
import { opDraw } from '../graph/rng.js';
import type { State } from '../graph/state.js';
import { NO_ATTRS, type Tensor } from '../graph/tensor.js';
import { graphState } from '../graph/trace.js';
import { type Bindings, bind } from './bind.js';
import { programFor, type Write } from './cache.js';
import { checkLeaf, collect } from './collect.js';
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
  try {
    realizeRoots(tensors, sync);
  } catch (error) {
    for (const cell of [...graphState.pending.keys()]) cell.abandon();
    throw error;
  }
}

function realizeRoots(tensors: Iterable<Tensor>, sync: boolean): void {
  const { nodes, roots } = collect(tensors, graphState.joinNext, graphState.pending);
  if (nodes.length === 0) return;
  const random = checkNodes(nodes);
  if (random !== null && random.eras > 1) {
    realizeOlderSeeds(nodes, sync);
    realizeNow(tensors, sync);
    return;
  }
  const writes = collectWrites(nodes);
  const program = programFor(nodes, roots, writes, random?.first ?? 0);
  const call = bind(program, {
    nodes,
    roots,
    writes,
    args: [],
    steps: 1,
    random: random === null ? null : randomOf(random.first),
  });
  if (sync) runNow(call);
  else enqueue(call);
  graphState.runs++;
  if (graphState.joinNext.size > 0) graphState.joinNext.clear();
  // A new map: a cleared one's old table points to its new one, and such a chain of tables outlives young collections.
  graphState.pending = new Map();
  for (let i = 0; i < roots.length; i++) {
    roots[i].storage = call.outputs[i];
    becomeLeaf(roots[i], dataOp, NO_ATTRS);
  }
  for (const { cell, storage, value } of call.cells) {
    if (value !== null && value.op !== stateOp) becomeLeaf(value, stateOp, { cell, version: cell.version });
    const holdsIt = value !== null && value.attrs.cell === cell; // one tensor may have been written to several cells
    cell.settle(storage, cell.version, holdsIt ? value : null);
  }
}

const NO_INPUTS: readonly Tensor[] = Object.freeze([]);

/** What a node is once its value exists somewhere. */
export function becomeLeaf(node: Tensor, op: Tensor['op'], attrs: Tensor['attrs']): void {
  node.op = op;
  node.inputs = NO_INPUTS;
  node.attrs = attrs;
  node.companions = null;
}

/** Pending writes; the old value is a leaf of the graph only when something reads it. */
function collectWrites(nodes: readonly Tensor[]): Write[] {
  const first = nodes[0].mark;
  const writes: Write[] = [];
  graphState.pending.forEach((value, cell) => {
    const leaf = cell.met;
    writes.push({ cell, leaf: leaf !== null && nodes[leaf.mark - first] === leaf ? leaf : null, value });
  });
  return writes;
}

/**
 * Checks the leaves and notes each cell's in the cell. Of random nodes: the smallest index, and how many seeds they were
 * built under.
 */
function checkNodes(nodes: readonly Tensor[]): { first: number; eras: number } | null {
  let first = Number.POSITIVE_INFINITY;
  let last = -1;
  for (const node of nodes) {
    const { op } = node;
    if (op.kind === 'leaf') {
      checkLeaf(node);
      if (op === stateOp && node.storage === null) (node.attrs.cell as State).met = node;
    } else if (op.random === true) {
      const index = node.attrs.index as number;
      if (index < first) first = index;
      if (index > last) last = index;
    }
  }
  if (last < 0) return null;
  return { first, eras: opDraw(first).era === opDraw(last).era ? 1 : 2 };
}

/** Random nodes built under different seeds cannot share a program: the oldest ones are computed first. */
function realizeOlderSeeds(nodes: readonly Tensor[], sync: boolean): void {
  const random = nodes.filter((n) => n.op.random === true);
  const era = (n: Tensor) => opDraw(n.attrs.index as number).era;
  const oldest = Math.min(...random.map(era));
  const pending = new Map(graphState.pending);
  const joinNext = new Set(graphState.joinNext);
  graphState.pending.clear();
  graphState.joinNext.clear();
  try {
    realizeNow(
      random.filter((n) => era(n) === oldest),
      sync,
    );
  } finally {
    for (const [cell, value] of pending) graphState.pending.set(cell, value);
    for (const t of joinNext) graphState.joinNext.add(t);
  }
}

function randomOf(first: number): NonNullable<Bindings['random']> {
  const { key, counter } = opDraw(first);
  return { key, base: counter, perStep: 0 };
}
