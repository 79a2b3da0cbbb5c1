// Walks the words of a program and checks every rule of native/program/opcodes.inc. Throws an Error that names the
// instruction and the rule; the rules of each instruction are in instructions/.
import type { DType } from '../../src/dtype.js';
import { FALLIBLE, HEADER_WORDS, Header, MAGIC, SLOT_WORDS, SlotFlag, VERSION } from '../../src/program/opcodes.gen.js';
import { INSTRUCTIONS } from './instructions/index.js';
import { type Decoded, dtypes, Reader, type Slot } from './words.js';

export interface DecodedProgram {
  readonly slots: readonly Slot[];
  readonly arenaBytes: number;
  readonly instructions: readonly Decoded[];
}

export function decode(words: Int32Array): DecodedProgram {
  const check = (ok: boolean, what: string) => {
    if (!ok) throw new Error(`program: ${what}`);
  };
  check(words[Header.MAGIC] === MAGIC && words[Header.VERSION] === VERSION, 'header');
  check(words[Header.WORDS] === words.length, 'length');
  const slots: Slot[] = [];
  for (let s = 0; s < words[Header.SLOTS]; s++) {
    const at = HEADER_WORDS + SLOT_WORDS * s;
    const dtype = dtypes.get(words[at]);
    check(dtype !== undefined && words[at + 1] >= 0 && words[at + 2] >= 1 && words[at + 2] <= 7, `slot ${s}`);
    slots.push({ dtype: dtype as DType, elements: words[at + 1], flags: words[at + 2] });
  }
  const arenaBytes = words[Header.ARENA] * 64;
  const written = new Set<number>();
  const instructions: Decoded[] = [];
  let at = HEADER_WORDS + SLOT_WORDS * slots.length;
  let inoutWritten = false;
  for (let i = 0; i < words[Header.INSTRUCTIONS]; i++) {
    const length = words[at + 1];
    const reader = new Reader(words.subarray(at, at + length), slots, arenaBytes, written, `instruction ${i}`);
    if (FALLIBLE.has(words[at])) reader.check(!inoutWritten, 'can fail after a write to an inout slot');
    INSTRUCTIONS[reader.opcode].decode(reader);
    instructions.push(reader);
    reader.finish();
    for (const r of reader.ranges) {
      if (r.mode !== 'write' && r.mode !== 'update') continue;
      if (r.slot < 0) continue;
      written.add(r.slot);
      const flags = slots[r.slot].flags;
      if ((flags & SlotFlag.READ) !== 0) inoutWritten = true;
    }
    at += length;
  }
  check(at === words.length, 'words after the last instruction');
  return { slots, arenaBytes, instructions };
}
