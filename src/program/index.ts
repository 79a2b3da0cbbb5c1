import { itemSize } from '../dtype.js';
import type { Tensor } from '../graph/tensor.js';
import { encode } from './encode.js';
import { type Instruction, type SlotSpec, UPDATE } from './ir.js';
import { lower } from './lower.js';
import { plan, UNIT } from './plan.js';
import { printProgram } from './print.js';
import { schedule } from './schedule.js';
import { simplify } from './simplify.js';

export type { SlotSpec } from './ir.js';

/** A graph to compile. */
export interface GraphSpec {
  /** Every reachable node, inputs before users (ascending id). Realised tensors are `data` leaves. */
  readonly nodes: readonly Tensor[];
  /** Values to return; distinct. */
  readonly roots: readonly Tensor[];
  /** State cells to replace; `leaf` is the `state` leaf of the old value if the graph reads it. */
  readonly writes: readonly { readonly leaf: Tensor | null; readonly value: Tensor }[];
  /** The offset word of a random op is its attrs.index - rngBase. */
  readonly rngBase: number;
  /** False (NEURITE_EAGER): one instruction per op, no merging. */
  readonly fuse: boolean;
}

/** One instruction of a program. */
export interface InstructionInfo {
  /** Name in opcodes.inc. */
  readonly opcode: string;
  /** The op, or the ops that were fused into it. */
  readonly op: string;
  /** Module path. */
  readonly scope: string;
  /** Positions in `GraphSpec.nodes` of the nodes it computes. */
  readonly nodes: readonly number[];
  /** Estimate of floating-point operations. */
  readonly flops: number;
  /** Bytes of the values it reads and writes. */
  readonly bytes: number;
}

/** An encoded program and what its slots must be bound to. */
export interface ProgramSpec {
  readonly words: Int32Array;
  /** `node`, `write` and `root` are positions in the GraphSpec's arrays. */
  readonly slots: readonly SlotSpec[];
  /** What each instruction stands for, for messages and for looking at. */
  readonly instructions: readonly InstructionInfo[];
  readonly arenaBytes: number;
  /** Estimate of floating-point operations in a run. */
  readonly flops: number;
  /** Readable text, one line an instruction. */
  readonly listing: string;
}

/** One program that computes a whole graph: simplify, fuse, lower, schedule, plan memory, encode. */
export function compileGraph(spec: GraphSpec): ProgramSpec {
  const lowered = lower(simplify(spec));
  const instructions = schedule(lowered);
  const units = plan(instructions);
  const words = encode(lowered.slots, instructions, units);
  const labels = lowered.slots.map((s) => s.label);
  const origins = instructions.map(infoOf);
  let listing: string | null = null;
  return {
    words,
    slots: lowered.slots.map((s) => s.spec),
    instructions: origins,
    arenaBytes: units * UNIT,
    flops: instructions.reduce((n, i) => n + i.flops, 0),
    // Text is for people: made when somebody asks.
    get listing() {
      listing ??= printProgram(words, labels, origins);
      return listing;
    },
  };
}

function infoOf({ opcode, op, scope, nodes, flops, operands }: Instruction): InstructionInfo {
  let bytes = 0;
  for (const { buffer, use } of operands) {
    bytes += buffer.elements * itemSize(buffer.dtype) * (use === UPDATE ? 2 : 1);
  }
  return { opcode, op, scope, nodes, flops, bytes };
}
