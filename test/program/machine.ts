// The memory in which interpreted programs run. The arena starts undefined, and reading what nobody wrote is an error.
import { type DType, type HostArray, hostView } from '../../src/dtype.js';
import type { OpDef } from '../../src/graph/op.js';
import type { Attrs } from '../../src/graph/tensor.js';
import type { ArrayReference } from '../../src/ops/define.js';
import { DTYPE_BYTES, SlotFlag } from '../../src/program/opcodes.gen.js';
import { product } from '../runtime/convolution.js';
import type { DecodedProgram } from './decode.js';
import type { Decoded, Memory, Reader, Window } from './words.js';

/** Rounds to the type in which an instruction computes. */
export type Round = (x: number) => number;

/** What the words of an instruction may be, and what it does. */
export interface Instruction {
  /** Reads all words after the dtype. */
  decode(r: Reader): void;
  /** Throws when the instruction fails. */
  run(on: Machine, i: Decoded, round: Round): void;
}

export class Machine {
  private readonly arena: ArrayBuffer;
  /** One byte for each byte of memory: 1 when it was written. */
  private readonly arenaKnown: Uint8Array;
  private readonly slotKnown: Uint8Array[];
  private readonly slots: readonly HostArray[];

  constructor(program: DecodedProgram, slots: readonly HostArray[]) {
    this.slots = slots;
    this.arena = new ArrayBuffer(program.arenaBytes);
    new Uint8Array(this.arena).fill(0xff);
    this.arenaKnown = new Uint8Array(program.arenaBytes);
    this.slotKnown = program.slots.map((s) =>
      new Uint8Array(s.elements * DTYPE_BYTES[s.dtype]).fill((s.flags & SlotFlag.READ) !== 0 ? 1 : 0),
    );
  }

  view(memory: Memory, n: number): HostArray {
    if (memory.slot < 0) return hostView(memory.dtype, this.arena, memory.start, n);
    return this.slots[memory.slot].subarray(0, n) as HostArray;
  }

  mark(memory: Memory, element: number): void {
    const width = DTYPE_BYTES[memory.dtype];
    const known = memory.slot < 0 ? this.arenaKnown : this.slotKnown[memory.slot];
    known.fill(1, memory.start + element * width, memory.start + (element + 1) * width);
  }

  private need(memory: Memory, element: number): void {
    const known = memory.slot < 0 ? this.arenaKnown : this.slotKnown[memory.slot];
    if (known[memory.start + element * DTYPE_BYTES[memory.dtype]] !== 1)
      throw new Error(`reads element ${element}, never written`);
  }

  read(memory: Memory | null, n: number): Float64Array {
    if (memory === null) throw new Error('absent operand');
    for (let i = 0; i < n; i++) this.need(memory, i);
    return Float64Array.from(this.view(memory, n));
  }

  readWindow(w: Window): Float64Array {
    const at = offsets(w);
    const all = this.view(w, at.length === 0 ? 0 : Math.max(...at) + 1);
    return Float64Array.from(at, (o) => {
      this.need(w, o);
      return all[o];
    });
  }

  write(memory: Memory | null, values: Float64Array): void {
    if (memory === null) return;
    const out = this.view(memory, values.length);
    values.forEach((x, i) => {
      out[i] = stored(x, memory.dtype);
      this.mark(memory, i);
    });
  }

  /** An instruction whose meaning is the float64 oracle of its op. */
  reference(
    op: OpDef,
    io: {
      readonly in: readonly (readonly [Memory | null, readonly number[]])[];
      readonly out: readonly (Memory | null)[];
      readonly attrs?: Attrs;
      /** Of the outputs, for references that look at it. */
      readonly shape?: readonly number[];
    },
    round: Round,
  ): void {
    const inputs = io.in.map(([x, shape]) => ({ data: this.read(x, product(shape)), shape }));
    const outs = io.shape === undefined ? [] : [{ shape: io.shape, dtype: 'float64' as const }];
    const results = (op.reference as ArrayReference)(inputs, io.attrs ?? {}, outs);
    for (const [k, { data }] of (Array.isArray(results) ? results : [results]).entries()) {
      this.write(io.out[k], data.map(round));
    }
  }
}

export function offsets({ dims, strides, offset }: Window): number[] {
  let list = [offset];
  dims.forEach((d, i) => {
    list = list.flatMap((o) => Array.from({ length: d }, (_, k) => o + k * strides[i]));
  });
  return list;
}

function stored(x: number, dtype: DType): number {
  switch (dtype) {
    case 'int32':
      return Math.trunc(x) | 0;
    case 'uint8':
      return Math.trunc(x) & 255;
    case 'bool':
      return x !== 0 ? 1 : 0;
    default:
      return x;
  }
}
