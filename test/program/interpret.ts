// Executes encoded programs in plain TypeScript: the meaning of opcodes.inc, slow and obvious.
import type { HostArray } from '../../src/dtype.js';
import { decode } from './decode.js';
import { INSTRUCTIONS } from './instructions/index.js';
import { Machine } from './machine.js';

/** One run. `slots[i]` holds the elements of slot i and is changed in place. Throws when an instruction fails. */
export function interpret(words: Int32Array, slots: readonly HostArray[]): void {
  const program = decode(words);
  slots.forEach((s, i) => {
    if (s.length !== program.slots[i].elements)
      throw new Error(`slot ${i}: ${s.length} of ${program.slots[i].elements} elements`);
  });
  const machine = new Machine(program, slots);
  program.instructions.forEach((instruction, i) => {
    try {
      const round = instruction.dtype === 'float32' ? Math.fround : (x: number) => x;
      INSTRUCTIONS[instruction.opcode].run(machine, instruction, round);
    } catch (error) {
      throw new Error(`instruction ${i} (${instruction.opcode}): ${(error as Error).message}`, { cause: error });
    }
  });
}
