import { itemSize } from '../dtype.js';
import { type Buffer, type Instruction, type OperandRef, READ } from './ir.js';

/** Bytes of one arena unit: a cache line. */
export const UNIT = 64;

/**
 * Gives every arena buffer an offset and returns the arena's size in units. A buffer lives from the first instruction that
 * names it to the last; a FUSED output takes the place of an input of equal width that dies there.
 */
export function plan(instructions: readonly Instruction[]): number {
  const last = new Map<Buffer, number>();
  instructions.forEach((instruction, i) => {
    for (const { buffer } of instruction.operands) last.set(buffer.memory, i);
  });
  const arena = new Arena();
  const placed = new Set<Buffer>();
  instructions.forEach((instruction, i) => {
    if (instruction.opcode === 'FUSED') reuseInputs(instruction, i, last, placed);
    const touched = new Set(instruction.operands.map((o) => o.buffer.memory));
    for (const memory of touched) {
      if (memory.slot >= 0 || placed.has(memory)) continue;
      memory.offset = arena.take(unitsOf(memory));
      placed.add(memory);
    }
    for (const memory of touched) {
      if (memory.slot < 0 && last.get(memory) === i) arena.give(memory.offset, unitsOf(memory));
    }
  });
  return arena.units;
}

function reuseInputs(instruction: Instruction, i: number, last: Map<Buffer, number>, placed: Set<Buffer>): void {
  const free = dyingInputs(instruction.operands, i, last);
  if (free.length === 0) return;
  for (const { buffer: out, use } of instruction.operands) {
    if (use === READ || out.memory.slot >= 0 || placed.has(out.memory)) continue;
    const at = free.findIndex((b) => b.elements === out.elements && itemSize(b.dtype) === itemSize(out.dtype));
    if (at < 0) continue;
    const [memory] = free.splice(at, 1);
    last.set(memory, last.get(out.memory) as number);
    out.shareWith(memory);
  }
}

/** Arena inputs that nothing reads later and that this instruction only walks in order. */
function dyingInputs(operands: readonly OperandRef[], i: number, last: ReadonlyMap<Buffer, number>): Buffer[] {
  const free = new Set<Buffer>();
  for (const { buffer, use, inPlace } of operands) {
    const memory = buffer.memory;
    if (use === READ && inPlace && memory.slot < 0 && last.get(memory) === i && buffer.elements > 0) free.add(memory);
  }
  for (const { buffer, use, inPlace } of operands) if (use !== READ || !inPlace) free.delete(buffer.memory);
  return [...free];
}

function unitsOf({ elements, dtype }: Buffer): number {
  return Math.ceil((elements * itemSize(dtype)) / UNIT);
}

/** Best-fit allocation of unit ranges; free ranges are kept sorted and merged. */
class Arena {
  units = 0;
  private readonly free: { offset: number; size: number }[] = [];

  take(size: number): number {
    if (size === 0) return 0;
    const { free } = this;
    let best = -1;
    for (let i = 0; i < free.length; i++) {
      if (free[i].size >= size && (best < 0 || free[i].size < free[best].size)) best = i;
      if (best >= 0 && free[best].size === size) break;
    }
    if (best >= 0) {
      const range = free[best];
      const { offset } = range;
      range.offset += size;
      range.size -= size;
      if (range.size === 0) free.splice(best, 1);
      return offset;
    }
    // Nothing fits: the arena grows, from its free end if it has one.
    const end = free[free.length - 1];
    const atEnd = end !== undefined && end.offset + end.size === this.units;
    const offset = atEnd ? end.offset : this.units;
    if (atEnd) free.pop();
    this.units = offset + size;
    return offset;
  }

  give(offset: number, size: number): void {
    if (size === 0) return;
    const { free } = this;
    let low = 0;
    let high = free.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (free[middle].offset < offset) low = middle + 1;
      else high = middle;
    }
    const before = free[low - 1];
    const after = free[low];
    const joinsBefore = before !== undefined && before.offset + before.size === offset;
    const joinsAfter = after !== undefined && offset + size === after.offset;
    if (joinsBefore && joinsAfter) {
      before.size += size + after.size;
      free.splice(low, 1);
    } else if (joinsBefore) {
      before.size += size;
    } else if (joinsAfter) {
      after.offset = offset;
      after.size += size;
    } else {
      free.splice(low, 0, { offset, size });
    }
  }
}
