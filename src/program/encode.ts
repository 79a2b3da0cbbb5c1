import type { Instruction, Slot } from './ir.js';
import { DTypeCode, HEADER_WORDS, Header, MAGIC, SLOT_WORDS, VERSION } from './opcodes.gen.js';

/** The program as the words that the native loader verifies. */
export function encode(slots: readonly Slot[], instructions: readonly Instruction[], arenaUnits: number): Int32Array {
  let length = HEADER_WORDS + SLOT_WORDS * slots.length;
  for (const i of instructions) length += i.words.length;
  const words = new Int32Array(length);
  words[Header.MAGIC] = MAGIC;
  words[Header.VERSION] = VERSION;
  words[Header.SLOTS] = slots.length;
  words[Header.INSTRUCTIONS] = instructions.length;
  words[Header.ARENA] = arenaUnits;
  words[Header.WORDS] = length;
  let at = HEADER_WORDS;
  for (const { buffer, flags } of slots) {
    words.set([DTypeCode[buffer.dtype], buffer.elements, flags], at);
    at += SLOT_WORDS;
  }
  for (const instruction of instructions) {
    words.set(instruction.words, at);
    for (const operand of instruction.operands) {
      const { slot, offset } = operand.buffer.memory;
      words[at + operand.at] = slot >= 0 ? ~slot : offset;
    }
    at += instruction.words.length;
  }
  return words;
}
