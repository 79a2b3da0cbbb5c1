import type { DType } from '../dtype.js';
import { feedOp, inputOp } from '../graph/leaves.js';
import { sizeOf } from '../shape.js';
import { copy, fill, type Origin } from './instructions.js';
import {
  Buffer,
  type Graph,
  type Instruction,
  type Located,
  NORMAL,
  type Node,
  OPTIMIZER,
  type Slot,
  type SlotSpec,
  type Unit,
} from './ir.js';
import { isWhole, locate } from './locate.js';
import { SlotFlag } from './opcodes.gen.js';
import { constantOf } from './simplify.js';

export function originOf(node: Node): Origin {
  return { op: node.op.name, scope: node.source.scope, nodes: [node.position] };
}

/** What lowering knows so far: where values are, the slots, the units. */
export class Lowerer {
  readonly graph: Graph;
  readonly located: readonly Located[];
  readonly slots: Slot[] = [];
  readonly units: Unit[] = [];
  private readonly values: (Buffer[] | undefined)[];
  private readonly copies = new Map<Node, Buffer>();
  private readonly leaves = new Map<Node, Slot>();
  private rngSlot: Slot | null = null;

  constructor(graph: Graph) {
    this.graph = graph;
    this.located = locate(graph);
    this.values = new Array(graph.nodes.length);
  }

  addSlot(
    spec: SlotSpec,
    { dtype, shape }: { dtype: DType; shape: readonly number[] },
    flags: number,
    label = '',
  ): Slot {
    const slot = { spec, buffer: new Buffer(dtype, sizeOf(shape), this.slots.length), flags, label };
    this.slots.push(slot);
    return slot;
  }

  bindLeaf(node: Node): void {
    const feed = node.op === feedOp;
    const stepped = feed || (node.op === inputOp && node.attrs['stepped'] === true);
    const flags = SlotFlag.READ | (stepped ? SlotFlag.STEPPED : 0);
    const name = (node.attrs['cell'] as { name?: string } | undefined)?.name;
    const label = name === undefined || name === '' ? node.op.name : `${node.op.name} "${name}"`;
    this.leaves.set(node, this.addSlot({ kind: feed ? 'feed' : 'leaf', node: node.position }, node, flags, label));
  }

  leafSlot(node: Node): Slot {
    return this.leaves.get(node) as Slot;
  }

  rng(): Buffer {
    this.rngSlot ??= this.addSlot({ kind: 'rng' }, { dtype: 'int32', shape: [4] }, SlotFlag.READ | SlotFlag.STEPPED);
    return this.rngSlot.buffer;
  }

  /** Memory of the value of a base, or of output `index` of a multi-output node. */
  buffer(node: Node, index = 0): Buffer {
    if (node.op.kind === 'item') return this.buffer(node.inputs[0], node.attrs['index'] as number);
    const leaf = this.leaves.get(node);
    if (leaf !== undefined) return leaf.buffer;
    if (this.located[node.index].base !== node) return this.dense(node);
    this.values[node.index] ??= [];
    const list = this.values[node.index] as Buffer[];
    if (list[index] === undefined) {
      const aval = index === 0 ? node : (node.outs as NonNullable<Node['outs']>)[index];
      list[index] = new Buffer(aval.dtype, sizeOf(aval.shape));
      const constant = constantOf(node);
      if (constant !== null && list[index].elements > 0) this.emit(node, [fill(list[index], constant, originOf(node))]);
    }
    return list[index];
  }

  /** The value in row-major order without gaps; a window is copied once. */
  dense(node: Node): Buffer {
    const located = this.located[node.index];
    if (located.base === node || isWhole(node, located)) return this.buffer(located.base);
    let buffer = this.copies.get(node);
    if (buffer === undefined) {
      buffer = new Buffer(node.dtype, sizeOf(node.shape));
      this.copies.set(node, buffer);
      if (buffer.elements > 0) {
        this.emit(node, [copy(this.buffer(located.base), located.view, buffer, originOf(node))]);
      }
    }
    return buffer;
  }

  /** A unit that runs where `node` stands in the user's program, as far as its operands allow. */
  emit(node: Node, instructions: readonly Instruction[], aliases: Unit['aliases'] = []): Unit {
    const unit: Unit = { instructions, aliases, order: node.index, rank: aliases.length > 0 ? OPTIMIZER : NORMAL };
    this.units.push(unit);
    return unit;
  }
}
