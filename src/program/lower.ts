import { fullOp } from '../graph/leaves.js';
import type { View } from '../graph/op.js';
import { sizeOf } from '../shape.js';
import { foldEpilogues, type Gemm } from './epilogue.js';
import { type FoldedRelu, foldRelus } from './fold-relu.js';
import { fuseGroups } from './fuse.js';
import { copy } from './instructions.js';
import { Buffer, type Graph, type Instruction, type Node, type Slot, type Unit } from './ir.js';
import { isWhole } from './locate.js';
import { lowerCoarse, lowerGemm, lowerGroup, lowerPlace, lowerReduce } from './lower-ops.js';
import { Lowerer, originOf } from './lowerer.js';
import { SlotFlag } from './opcodes.gen.js';
import { denseView } from './views.js';

/** A write whose value is computed elsewhere: the copy that `schedule` drops when it can be written in place. */
export interface PendingWrite {
  readonly slot: Slot;
  readonly value: Buffer;
  readonly copy: Instruction;
}

/** The same for a returned value; `unit` holds the copy. */
export interface PendingRoot {
  readonly slot: Slot;
  readonly value: Buffer;
  readonly unit: Unit;
}

export interface Lowered {
  readonly slots: readonly Slot[];
  readonly units: readonly Unit[];
  readonly writes: readonly PendingWrite[];
  readonly roots: readonly PendingRoot[];
}

/** Turns a simplified graph into units of instructions on buffers that have no place in memory yet. */
export function lower(graph: Graph): Lowered {
  const state = new Lowerer(graph);
  const owner = foldEpilogues(graph, state.located);
  const relus = foldRelus(graph, state.located, (n) => owner.has(n));
  for (const node of graph.nodes) if (node.op.kind === 'leaf' && node.op !== fullOp) state.bindLeaf(node);
  for (const node of graph.nodes) lowerNode(state, node, owner, relus);
  for (const group of fuseGroups(graph, state.located, (n) => owner.has(n) || relus.has(n))) {
    if (sizeOf(group[0].shape) > 0) lowerGroup(state, group);
  }
  const writes = lowerWrites(state);
  return { slots: state.slots, units: state.units, writes, roots: lowerRoots(state) };
}

function lowerNode(
  state: Lowerer,
  node: Node,
  owner: ReadonlyMap<Node, Gemm>,
  relus: ReadonlyMap<Node, FoldedRelu>,
): void {
  const { base } = state.located[node.index];
  if (base !== node) {
    // Copies that others look at are made in order, so that none has to be made from within another.
    if (state.located[base.index].base !== base) state.dense(base);
    return;
  }
  const { kind } = node.op;
  if (kind === 'coarse') lowerCoarse(state, node, owner.get(node) ?? null, relus.get(node) ?? null);
  else if (kind === 'leaf' || kind === 'item' || kind === 'elementwise' || sizeOf(node.shape) === 0) return;
  else if (kind === 'matmul') lowerGemm(state, owner.get(node) as Gemm);
  else if (kind === 'reduce') {
    if (!owner.has(node)) lowerReduce(state, node);
  } else if (node.op.place !== undefined) lowerPlace(state, node);
  else state.emit(node, [copy(state.dense(node.inputs[0]), plainView(node), state.buffer(node), originOf(node))]);
}

function plainView(node: Node): View {
  const view = node.op.view?.(denseView(node.inputs[0].shape), node, node.attrs) ?? null;
  if (view === null) throw new Error(`internal: ${node.op.name} has neither a view nor a place`);
  return view;
}

function lowerWrites(state: Lowerer): PendingWrite[] {
  const { writes } = state.graph;
  const isIdentity = (w: { leaf: Node | null; value: Node }): boolean =>
    w.leaf !== null && state.located[w.value.index].base === w.leaf && isWhole(w.value, state.located[w.value.index]);
  const replaced = new Set(writes.filter((w) => !isIdentity(w)).map((w) => w.leaf));
  const pending: PendingWrite[] = [];
  writes.forEach((write, index) => {
    if (isIdentity(write)) return;
    const { leaf, value } = write;
    const origin = { op: 'assign', scope: value.source.scope };
    const slot =
      leaf === null ? state.addSlot({ kind: 'write', write: index }, value, SlotFlag.WRITE) : state.leafSlot(leaf);
    if (leaf !== null) slot.flags |= SlotFlag.WRITE;
    let buffer = state.dense(value);
    const { base } = state.located[value.index];
    // The old value of a cell that is replaced as well: saved before that happens.
    if (replaced.has(base) && buffer.slot >= 0) {
      const saved = new Buffer(buffer.dtype, buffer.elements);
      state.emit(value, [copy(buffer, denseView([buffer.elements]), saved, origin)]);
      buffer = saved;
    }
    if (buffer.elements === 0) return;
    pending.push({ slot, value: buffer, copy: copy(buffer, denseView([buffer.elements]), slot.buffer, origin) });
  });
  return pending;
}

function lowerRoots(state: Lowerer): PendingRoot[] {
  const pending: PendingRoot[] = [];
  state.graph.roots.forEach((root, index) => {
    const slot = state.addSlot({ kind: 'root', root: index }, root, SlotFlag.WRITE | SlotFlag.STEPPED);
    if (slot.buffer.elements === 0) return;
    const value = state.dense(root);
    const unit = state.emit(root, [copy(value, denseView([value.elements]), slot.buffer, originOf(root))]);
    pending.push({ slot, value, unit });
  });
  return pending;
}
