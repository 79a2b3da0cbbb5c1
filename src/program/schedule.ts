import { copy } from './instructions.js';
import { type Buffer, type Instruction, NORMAL, READ, STATE, type Unit } from './ir.js';
import type { Lowered, PendingWrite } from './lower.js';
import { SlotFlag } from './opcodes.gen.js';
import { denseView } from './views.js';

/**
 * Orders the units and decides what is written in place. Runs whatever can run before updates of state, then settles,
 * looking at the finished order: an update stays in place, and a value goes straight to the cell or output it is for, when
 * nothing afterwards reads what it overwrites and nothing afterwards can fail; else it is computed in the arena.
 */
export function schedule(lowered: Lowered): Instruction[] {
  markState(lowered);
  const order = topological(lowered.units);
  const instructions: Instruction[] = [];
  let lastFallible = -1;
  for (const unit of order) {
    for (const instruction of unit.instructions) {
      instruction.position = instructions.length;
      if (instruction.fallible) lastFallible = instruction.position;
      instructions.push(instruction);
    }
  }
  lowered.writes.forEach((w, i) => {
    w.copy.position = instructions.length + i;
  });
  for (const unit of order) recordUses(unit);
  for (const { copy: final } of lowered.writes) recordInstruction(final);

  const { before, overwritten } = updateInPlace(order, lowered.writes, lastFallible);
  const dropped = new Set<Instruction>();
  for (const write of lowered.writes) if (writeDirectly(write, instructions, lastFallible)) dropped.add(write.copy);
  for (const { slot, value, unit } of lowered.roots) {
    const memory = value.memory;
    if (memory.slot >= 0 || overwritten.has(value)) continue;
    memory.shareWith(slot.buffer);
    dropped.add(unit.instructions[0]);
  }
  const result: Instruction[] = [];
  for (const instruction of instructions) {
    result.push(...(before.get(instruction) ?? []));
    if (!dropped.has(instruction)) result.push(instruction);
  }
  for (const { copy: final } of lowered.writes) if (!dropped.has(final)) result.push(final);
  return result;
}

/** Units that only compute the next value of a cell wait until everything else has read the old one. */
function markState({ units, writes }: Lowered): void {
  const read = new Set<Buffer>();
  for (const unit of units) {
    for (const i of unit.instructions) for (const o of i.operands) if (o.use === READ) read.add(o.buffer);
    for (const a of unit.aliases) read.add(a.in);
  }
  const values = new Set(writes.map((w) => w.value));
  for (const unit of units) {
    if (unit.rank !== NORMAL) continue;
    const written = unit.instructions.flatMap((i) => i.operands.filter((o) => o.use !== READ).map((o) => o.buffer));
    const internal = unit.instructions.length > 1;
    if (!internal && written.every((b) => values.has(b) && !read.has(b))) unit.rank = STATE;
  }
}

/** Kahn's algorithm; among ready units the lowest rank first, then the user's order. */
function topological(units: readonly Unit[]): Unit[] {
  const producer = new Map<Buffer, number>();
  units.forEach((unit, u) => {
    for (const i of unit.instructions) for (const o of i.operands) if (o.use !== READ) producer.set(o.buffer, u);
  });
  const waiting = new Int32Array(units.length);
  const next: number[][] = units.map(() => []);
  units.forEach((unit, u) => {
    const needs = (buffer: Buffer) => {
      const p = producer.get(buffer);
      if (p === undefined || p === u) return;
      next[p].push(u);
      waiting[u]++;
    };
    for (const i of unit.instructions) for (const o of i.operands) if (o.use === READ) needs(o.buffer);
    for (const a of unit.aliases) needs(a.in);
  });
  const heap = new Heap((a, b) => units[a].rank - units[b].rank || units[a].order - units[b].order || a - b);
  waiting.forEach((n, u) => {
    if (n === 0) heap.push(u);
  });
  const order: Unit[] = [];
  for (let u = heap.pop(); u !== undefined; u = heap.pop()) {
    order.push(units[u]);
    for (const v of next[u]) if (--waiting[v] === 0) heap.push(v);
  }
  if (order.length !== units.length) throw new Error('internal: the fused graph has a cycle');
  return order;
}

function recordUses(unit: Unit): void {
  for (const i of unit.instructions) recordInstruction(i);
  for (const a of unit.aliases) a.in.reads.push(unit.instructions[0].position);
}

function recordInstruction({ operands, position }: Instruction): void {
  for (const { buffer, use } of operands) {
    if (use === READ) buffer.reads.push(position);
    else if (buffer.firstWrite < 0) buffer.firstWrite = position;
  }
}

/**
 * Gives every aliased output its memory. `before`: copies that must precede an instruction where that was not in place;
 * `overwritten`: values whose memory holds another value afterwards.
 */
function updateInPlace(
  order: readonly Unit[],
  writes: readonly PendingWrite[],
  lastFallible: number,
): { before: Map<Instruction, Instruction[]>; overwritten: Set<Buffer> } {
  const overwritten = new Set<Buffer>();
  const targets = new Map<Buffer, Set<Buffer>>();
  for (const { slot, value } of writes) {
    const values = targets.get(slot.buffer);
    if (values === undefined) targets.set(slot.buffer, new Set([value]));
    else values.add(value);
  }
  const before = new Map<Instruction, Instruction[]>();
  for (const unit of order) {
    const [instruction] = unit.instructions;
    for (const alias of unit.aliases) {
      if (alias.out.elements === 0) continue;
      const { reads } = alias.in;
      const { position } = instruction;
      const memory = alias.in.memory;
      // Nobody reads the old value later, and this instruction reads it as this operand only.
      const last = reads[reads.length - 1] === position && reads[reads.length - 2] !== position;
      const isCell = memory === alias.in && targets.get(memory)?.has(alias.out) === true && position > lastFallible;
      if (last && (memory.slot < 0 || isCell)) {
        alias.out.shareWith(memory);
        overwritten.add(alias.in);
      } else {
        const list = before.get(instruction) ?? [];
        list.push(copy(alias.in, denseView([alias.in.elements]), alias.out, instruction));
        before.set(instruction, list);
      }
    }
  }
  return { before, overwritten };
}

/** Makes the value's memory that of the cell, when no read of the old value and no failure can come after. */
function writeDirectly(
  { slot, value }: PendingWrite,
  instructions: readonly Instruction[],
  lastFallible: number,
): boolean {
  const memory = value.memory;
  if (memory === slot.buffer) return true;
  if (memory.slot >= 0 || memory.firstWrite <= lastFallible) return false;
  if ((slot.flags & SlotFlag.READ) !== 0) {
    const reads = slot.buffer.reads;
    const last = reads.length === 0 ? -1 : reads[reads.length - 1];
    if (last > memory.firstWrite) return false;
    if (last === memory.firstWrite && !replacesInPlace(instructions[last], slot.buffer, memory)) return false;
  }
  memory.shareWith(slot.buffer);
  return true;
}

/** A FUSED instruction whose every look at `old` is element by element in order may write `next` over it. */
function replacesInPlace(instruction: Instruction, old: Buffer, next: Buffer): boolean {
  if (instruction.opcode !== 'FUSED') return false;
  return instruction.operands.every(
    (o) => (o.buffer !== old || o.inPlace) && (o.buffer.memory !== next || o.use !== READ),
  );
}

/** A binary heap of unit numbers. */
class Heap {
  private readonly items: number[] = [];
  private readonly compare: (a: number, b: number) => number;

  constructor(compare: (a: number, b: number) => number) {
    this.compare = compare;
  }

  push(x: number): void {
    const { items } = this;
    let i = items.push(x) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (this.compare(items[parent], x) <= 0) break;
      items[i] = items[parent];
      i = parent;
    }
    items[i] = x;
  }

  pop(): number | undefined {
    const { items } = this;
    const top = items[0];
    const x = items.pop();
    if (x === undefined || items.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.compare(items[child + 1], items[child]) < 0) child++;
      if (this.compare(items[child], x) >= 0) break;
      items[i] = items[child];
      i = child;
    }
    items[i] = x;
    return top;
  }
}
