import type { DType } from '../dtype.js';
import type { Aval, OpDef, View } from '../graph/op.js';
import type { Attrs, Tensor } from '../graph/tensor.js';
import type { Shape } from '../shape.js';
import type { OpcodeName } from './opcodes.gen.js';

/** A value of the simplified graph. Built in topological order; `index` is its position. */
export interface Node {
  index: number;
  readonly op: OpDef;
  readonly inputs: readonly Node[];
  readonly attrs: Attrs;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly outs: readonly Aval[] | null;
  /** The tensor it came from (scope for messages, inputs for the callbacks of its OpDef). */
  readonly source: Tensor;
  /** Position of that tensor in GraphSpec.nodes. */
  readonly position: number;
  /** One entry for each use as an input. */
  readonly users: Node[];
  /** A root or the value of a write: must exist in memory. */
  pinned: boolean;
}

/** What `simplify` hands on: live nodes only, inputs before users. */
export interface Graph {
  readonly nodes: readonly Node[];
  readonly roots: readonly Node[];
  readonly writes: readonly { readonly leaf: Node | null; readonly value: Node }[];
  readonly rngBase: number;
  readonly fuse: boolean;
}

/** Dense memory for one value: in a slot, or in the arena at an offset that `plan` chooses. */
export class Buffer {
  readonly dtype: DType;
  readonly elements: number;
  /** Index of the slot it is, -1 for the arena. */
  readonly slot: number;
  /** Arena offset in 64-byte units. */
  offset = 0;
  /** Set when it turned out to share the memory of another buffer. */
  private shared: Buffer | null = null;
  /** Positions of instructions that read it, ascending, and of the first that writes it. */
  readonly reads: number[] = [];
  firstWrite = -1;

  constructor(dtype: DType, elements: number, slot = -1) {
    this.dtype = dtype;
    this.elements = elements;
    this.slot = slot;
  }

  /** The buffer whose memory this one uses. */
  get memory(): Buffer {
    let b: Buffer = this;
    while (b.shared !== null) b = b.shared;
    if (this.shared !== null && this.shared !== b) this.shared = b;
    return b;
  }

  /** From now on this buffer's memory is that of `other`. */
  shareWith(other: Buffer): void {
    const from = this.memory;
    const to = other.memory;
    if (from !== to) from.shared = to;
  }
}

/** How an instruction uses the memory of an operand. */
export const READ = 1;
export const WRITE = 2;
export const UPDATE = 3;

export interface OperandRef {
  /** Index in `words` of the operand word. */
  readonly at: number;
  readonly buffer: Buffer;
  readonly use: typeof READ | typeof WRITE | typeof UPDATE;
  /** FUSED input that walks all of the buffer in order: an output may take its place. */
  readonly inPlace: boolean;
}

export interface Instruction {
  readonly opcode: OpcodeName;
  /** All words; operand words are filled in by `encode`. */
  readonly words: number[];
  readonly operands: readonly OperandRef[];
  readonly op: string;
  readonly scope: string;
  readonly nodes: readonly number[];
  readonly fallible: boolean;
  readonly flops: number;
  position: number;
}

/** When a unit runs among those that are ready: updates of state come after everything else. */
export const NORMAL = 0;
export const STATE = 1;
export const OPTIMIZER = 2;

/** Instructions that are scheduled together. */
export interface Unit {
  readonly instructions: readonly Instruction[];
  /** In-place updates: `out` is to live in the memory of `in`. */
  readonly aliases: readonly { readonly out: Buffer; readonly in: Buffer }[];
  /** Position in the user's program, to keep the user's order among ready units. */
  readonly order: number;
  rank: typeof NORMAL | typeof STATE | typeof OPTIMIZER;
}

export type SlotSpec =
  | { readonly kind: 'leaf'; readonly node: number }
  | { readonly kind: 'write'; readonly write: number }
  | { readonly kind: 'root'; readonly root: number }
  | { readonly kind: 'feed'; readonly node: number }
  | { readonly kind: 'rng' };

export interface Slot {
  readonly spec: SlotSpec;
  readonly buffer: Buffer;
  flags: number;
  readonly label: string;
}

/** A value as a strided window on the dense memory of `base`. */
export interface Located {
  readonly base: Node;
  readonly view: View;
}
