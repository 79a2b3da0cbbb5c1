// The words of an instruction, checked against the rules of native/program/opcodes.inc independently of the compiler and of
// the native verifier.
import type { DType } from '../../src/dtype.js';
import {
  DTYPE_BYTES,
  DTypeCode,
  type MicroName,
  NONE,
  Opcode,
  type OpcodeName,
  SlotFlag,
} from '../../src/program/opcodes.gen.js';
import { product } from '../runtime/convolution.js';

export interface Slot {
  readonly dtype: DType;
  readonly elements: number;
  readonly flags: number;
}

/** Memory an operand names; `slot` is -1 for the arena, `start` in bytes. */
export interface Memory {
  readonly slot: number;
  readonly start: number;
  readonly dtype: DType;
}

export interface Window extends Memory {
  readonly dims: readonly number[];
  readonly offset: number;
  readonly strides: readonly number[];
}

export interface Decoded {
  readonly opcode: OpcodeName;
  readonly dtype: DType;
  /** Plain words and f64 parameters by name. */
  readonly p: Record<string, number>;
  readonly dims: readonly number[];
  readonly m: Record<string, Memory | null>;
  readonly inputs: readonly Window[];
  readonly constants: readonly number[];
  readonly micros: readonly { readonly micro: MicroName; readonly operands: readonly number[] }[];
  readonly outputs: readonly { readonly memory: Memory; readonly register: number }[];
  /** Optimizers and SUM_SQUARES: n and operands of each parameter. */
  readonly params: readonly { readonly n: number; readonly m: Record<string, Memory | null> }[];
}

export function inverse<K extends string>(table: Readonly<Record<K, number>>): Map<number, K> {
  return new Map((Object.entries(table) as [K, number][]).map(([k, v]) => [v, k]));
}
const opcodes = inverse<OpcodeName>(Opcode);
export const dtypes: ReadonlyMap<number, DType> = inverse<DType>(DTypeCode);

type Mode = 'read' | 'aliased' | 'write' | 'update';
interface Range {
  slot: number;
  begin: number;
  end: number;
  mode: Mode;
}

/** Reads the words of one instruction and holds what was read; throws an Error that names the instruction and the rule. */
export class Reader implements Decoded {
  readonly ranges: Range[] = [];
  readonly p: Record<string, number> = {};
  readonly m: Record<string, Memory | null> = {};
  dims: readonly number[] = [];
  inputs: readonly Window[] = [];
  constants: readonly number[] = [];
  micros: Decoded['micros'] = [];
  outputs: Decoded['outputs'] = [];
  params: Decoded['params'] = [];
  private at = 3;
  private readonly words: Int32Array;
  private readonly slots: readonly Slot[];
  private readonly arenaBytes: number;
  private readonly written: ReadonlySet<number>;
  private readonly name: string;
  readonly opcode: OpcodeName;
  readonly dtype: DType;

  constructor(
    words: Int32Array,
    slots: readonly Slot[],
    arenaBytes: number,
    written: ReadonlySet<number>,
    name: string,
  ) {
    this.words = words;
    this.slots = slots;
    this.arenaBytes = arenaBytes;
    this.written = written;
    this.opcode = opcodes.get(words[0]) as OpcodeName;
    this.dtype = dtypes.get(words[2]) as DType;
    this.name = `${name} (${this.opcode})`;
    this.check(this.opcode !== undefined && this.dtype !== undefined, 'opcode or dtype');
    this.check(words.length === words[1] && words.length >= 3, 'length');
  }

  check(ok: boolean, what: string): void {
    if (!ok) throw new Error(`${this.name}: ${what}`);
  }

  word(): number {
    this.check(this.at < this.words.length, 'ends early');
    return this.words[this.at++];
  }
  size(): number {
    const n = this.word();
    this.check(n >= 0, `negative size ${n}`);
    return n;
  }
  private flag(): number {
    const n = this.word();
    this.check(n === 0 || n === 1, `flag ${n}`);
    return n;
  }
  f64(): number {
    return new Float64Array(new Int32Array([this.word(), this.word()]).buffer)[0];
  }
  /** Reads sizes, 0/1 and doubles into `p`. */
  sizes(...names: string[]): void {
    for (const n of names) this.p[n] = this.size();
  }
  flags(...names: string[]): void {
    for (const n of names) this.p[n] = this.flag();
  }
  doubles(...names: string[]): void {
    for (const n of names) this.p[n] = this.f64();
  }
  list<T>(n: number, read: () => T): T[] {
    return Array.from({ length: n }, read);
  }
  expect(...allowed: DType[]): void {
    this.check(allowed.includes(this.dtype), `computes in ${this.dtype}`);
  }

  /** Dense memory of `n` elements. */
  memory(mode: Mode, dtype: DType, n: number): Memory {
    return this.access(mode, this.word(), dtype, 0, n);
  }
  optional(mode: Mode, dtype: DType, n: number): Memory | null {
    if (this.words[this.at] !== NONE) return this.memory(mode, dtype, n);
    this.at++;
    return null;
  }
  window(
    mode: Mode,
    word: number,
    dtype: DType,
    dims: readonly number[],
    offset: number,
    strides: readonly number[],
  ): Window {
    let low = offset;
    let high = offset;
    const empty = product(dims) === 0;
    for (let i = 0; i < dims.length && !empty; i++) {
      const reach = (dims[i] - 1) * strides[i];
      if (reach < 0) low += reach;
      else high += reach;
    }
    return { ...this.access(mode, word, dtype, low, empty ? low : high + 1), dims, offset, strides };
  }
  access(mode: Mode, word: number, dtype: DType, first: number, last: number): Memory {
    this.check(word !== NONE, 'operand is absent');
    const slot = word < 0 ? ~word : -1;
    const start = word < 0 ? 0 : word * 64;
    const width = DTYPE_BYTES[dtype];
    if (slot >= 0) {
      const s = this.slots[slot];
      this.check(s !== undefined, `no slot ${slot}`);
      this.check(s.dtype === dtype, `slot ${slot} is ${s.dtype}, used as ${dtype}`);
      const writes = mode === 'write' || mode === 'update';
      this.check(!writes || (s.flags & SlotFlag.WRITE) !== 0, `writes READ-only slot ${slot}`);
      this.check(
        mode === 'write' || (s.flags & SlotFlag.READ) !== 0 || this.written.has(slot),
        `reads unwritten slot ${slot}`,
      );
    }
    if (last > first) {
      const limit = slot >= 0 ? this.slots[slot].elements * width : this.arenaBytes;
      const [begin, end] = [start + first * width, start + last * width];
      this.check(first >= 0 && end <= limit, `bytes ${begin} to ${end} of ${limit}`);
      this.ranges.push({ slot, begin, end, mode });
    }
    return { slot, start, dtype };
  }

  finish(): void {
    this.check(this.at === this.words.length, `${this.words.length} words, read ${this.at}`);
    const outputs = this.ranges.filter((r) => r.mode === 'write' || r.mode === 'update');
    for (const out of outputs) {
      for (const r of this.ranges) {
        if (r === out || r.slot !== out.slot || r.end <= out.begin || r.begin >= out.end) continue;
        this.check(
          r.mode === 'aliased' && r.begin === out.begin && r.end === out.end,
          'an output overlaps another operand',
        );
      }
    }
  }
}
