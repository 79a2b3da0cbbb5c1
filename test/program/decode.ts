// Walks the words of a program and checks every rule of native/program/opcodes.inc, independently of the compiler and of
// the native verifier. Throws an Error that names the instruction and the rule.

import type { DType } from '../../src/dtype.js';
import {
  DTYPE_BYTES,
  DTypeCode,
  FALLIBLE,
  HEADER_WORDS,
  Header,
  MAGIC,
  MICRO_ARITY,
  MICRO_INTEGER,
  Micro,
  type MicroName,
  NONE,
  Opcode,
  type OpcodeName,
  RULE_OPTIONS,
  SLOT_WORDS,
  SlotFlag,
  VERSION,
} from '../../src/program/opcodes.gen.js';

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

export interface DecodedProgram {
  readonly slots: readonly Slot[];
  readonly arenaBytes: number;
  readonly instructions: readonly Decoded[];
}

function inverse<K extends string>(table: Readonly<Record<K, number>>): Map<number, K> {
  return new Map((Object.entries(table) as [K, number][]).map(([k, v]) => [v, k]));
}
const opcodes = inverse<OpcodeName>(Opcode);
const dtypes = inverse<DType>(DTypeCode);
const micros = inverse<MicroName>(Micro);

type Mode = 'read' | 'aliased' | 'write' | 'update';
interface Range {
  slot: number;
  begin: number;
  end: number;
  mode: Mode;
}

const product = (xs: readonly number[]) => xs.reduce((a, b) => a * b, 1);

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
    instructions.push(reader.decode());
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

class Reader {
  readonly ranges: Range[] = [];
  private at = 3;
  private readonly words: Int32Array;
  private readonly slots: readonly Slot[];
  private readonly arenaBytes: number;
  private readonly written: ReadonlySet<number>;
  private readonly name: string;
  private readonly opcode: OpcodeName;
  private readonly dtype: DType;

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

  private word(): number {
    this.check(this.at < this.words.length, 'ends early');
    return this.words[this.at++];
  }
  private size(): number {
    const n = this.word();
    this.check(n >= 0, `negative size ${n}`);
    return n;
  }
  private flag(): number {
    const n = this.word();
    this.check(n === 0 || n === 1, `flag ${n}`);
    return n;
  }
  private f64(): number {
    return new Float64Array(new Int32Array([this.word(), this.word()]).buffer)[0];
  }
  private list<T>(n: number, read: () => T): T[] {
    return Array.from({ length: n }, read);
  }
  private expect(...allowed: DType[]): void {
    this.check(allowed.includes(this.dtype), `computes in ${this.dtype}`);
  }

  /** Dense memory of `n` elements. */
  private memory(mode: Mode, dtype: DType, n: number): Memory {
    return this.access(mode, this.word(), dtype, 0, n);
  }
  private optional(mode: Mode, dtype: DType, n: number): Memory | null {
    if (this.words[this.at] !== NONE) return this.memory(mode, dtype, n);
    this.at++;
    return null;
  }
  private window(
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
  private access(mode: Mode, word: number, dtype: DType, first: number, last: number): Memory {
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

  decode(): Decoded {
    const p: Record<string, number> = {};
    const m: Record<string, Memory | null> = {};
    let dims: number[] = [];
    let inputs: Window[] = [];
    let constants: number[] = [];
    let steps: Decoded['micros'] = [];
    let outputs: Decoded['outputs'] = [];
    let params: Decoded['params'] = [];
    const { dtype } = this;
    const sizes = (...names: string[]) => {
      for (const n of names) p[n] = this.size();
    };
    const flags = (...names: string[]) => {
      for (const n of names) p[n] = this.flag();
    };
    const doubles = (...names: string[]) => {
      for (const n of names) p[n] = this.f64();
    };
    switch (this.opcode) {
      case 'FUSED': {
        this.expect('float32', 'float64', 'int32');
        const [rank, nIn, nConst, nMicro, nOut] = this.list(5, () => this.size());
        this.check(rank <= 8 && nIn <= 64 && nConst <= 64 && nMicro <= 256 && nOut >= 1 && nOut <= 64, 'limits');
        dims = this.list(rank, () => this.size());
        inputs = this.list(nIn, () => {
          const word = this.word();
          const from = dtypes.get(this.word()) as DType;
          const offset = this.word();
          const strides = this.list(rank, () => this.word());
          return this.window(isDense(dims, strides, offset) ? 'aliased' : 'read', word, from, dims, offset, strides);
        });
        constants = this.list(nConst, () => this.f64());
        let registers = nIn + nConst;
        steps = this.list(nMicro, () => {
          const micro = micros.get(this.word()) as MicroName;
          this.check(micro !== undefined, 'unknown micro-operation');
          this.check(dtype !== 'int32' || MICRO_INTEGER[micro], `${micro} on int32`);
          const all = this.list(3, () => this.word());
          for (const [i, r] of all.entries()) {
            this.check(i < MICRO_ARITY[micro] ? r >= 0 && r < registers : r === -1, `operands of ${micro}`);
          }
          registers++;
          return { micro, operands: all.slice(0, MICRO_ARITY[micro]) };
        });
        outputs = this.list(nOut, () => {
          const word = this.word();
          const to = dtypes.get(this.word()) as DType;
          const register = this.word();
          this.check(register >= 0 && register < registers, 'output register');
          return { memory: this.access('write', word, to, 0, product(dims)), register };
        });
        break;
      }
      case 'COPY': {
        dims = this.list(this.size(), () => this.size());
        const word = this.word();
        const offset = this.word();
        inputs = [
          this.window(
            'read',
            word,
            dtype,
            dims,
            offset,
            this.list(dims.length, () => this.word()),
          ),
        ];
        m.out = this.memory('write', dtype, product(dims));
        break;
      }
      case 'PLACE': {
        dims = this.list(this.size(), () => this.size());
        m.in = this.memory('read', dtype, product(dims));
        const word = this.word();
        sizes('outElements');
        const offset = this.word();
        const strides = this.list(dims.length, () => this.word());
        inputs = [this.window('write', word, dtype, dims, offset, strides)];
        const reach = offset + dims.reduce((n, d, i) => n + Math.max(0, d - 1) * Math.max(0, strides[i]), 0);
        this.check(product(dims) === 0 || reach < p.outElements, 'region outside the result');
        break;
      }
      case 'REDUCE': {
        this.expect('float32', 'float64', 'int32');
        sizes('reduction', 'outer', 'r', 'inner');
        this.check(p.reduction >= 1 && p.reduction <= 6, 'reduction');
        const isIndex = p.reduction >= 5;
        this.check(!isIndex || p.inner === 1, 'inner of an index reduction');
        m.in = this.memory('read', dtype, p.outer * p.r * p.inner);
        m.out = this.memory('write', isIndex ? 'int32' : dtype, p.outer * p.inner);
        break;
      }
      case 'GEMM': {
        this.expect('float32', 'float64');
        flags('transA', 'transB');
        sizes('activation', 'activationGrad', 'batch', 'm', 'n', 'k', 'strideA', 'strideB');
        this.check(p.activation <= 3 && p.activationGrad <= 3, 'activation');
        const extent = (stride: number, one: number) => (p.batch === 0 || one === 0 ? 0 : (p.batch - 1) * stride + one);
        m.a = this.memory('read', dtype, extent(p.strideA, p.m * p.k));
        m.b = this.memory('read', dtype, extent(p.strideB, p.k * p.n));
        m.out = this.memory('write', dtype, p.batch * p.m * p.n);
        m.bias = this.optional('read', dtype, p.n);
        m.aux = this.optional('read', dtype, p.batch * p.m * p.n);
        m.colsum = this.optional('write', dtype, p.n);
        this.check((m.aux !== null) === (p.activationGrad !== 0), 'aux without derivative');
        this.check(m.colsum === null || p.batch === 1, 'colsum of a batch');
        break;
      }
      case 'SOFTMAX':
      case 'LOG_SOFTMAX':
        this.expect('float32', 'float64');
        sizes('rows', 'cols');
        m.in = this.memory('read', dtype, p.rows * p.cols);
        m.out = this.memory('write', dtype, p.rows * p.cols);
        break;
      case 'SOFTMAX_CE':
        this.expect('float32', 'float64');
        sizes('rows', 'cols');
        m.in = this.memory('read', dtype, p.rows * p.cols);
        m.labels = this.memory('read', 'int32', p.rows);
        m.loss = this.optional('write', dtype, p.rows);
        m.grad = this.optional('write', dtype, p.rows * p.cols);
        break;
      case 'GATHER':
        sizes('tableRows', 'row', 'n');
        m.in = this.memory('read', dtype, p.tableRows * p.row);
        m.index = this.memory('read', 'int32', p.n);
        m.out = this.memory('write', dtype, p.n * p.row);
        break;
      case 'SCATTER_ADD':
        this.expect('float32', 'float64', 'int32');
        sizes('tableRows', 'row', 'n');
        m.in = this.memory('read', dtype, p.n * p.row);
        m.index = this.memory('read', 'int32', p.n);
        m.out = this.memory('write', dtype, p.tableRows * p.row);
        break;
      case 'RANDOM':
        this.expect('float32', 'float64');
        sizes('distribution', 'n');
        doubles('a', 'b');
        sizes('offset');
        this.check(p.distribution <= 2, 'distribution');
        m.rng = this.memory('read', 'int32', 4);
        m.out = this.memory('write', dtype, p.n);
        break;
      case 'DROPOUT':
        this.expect('float32', 'float64');
        sizes('n');
        doubles('p');
        sizes('offset');
        m.rng = this.memory('read', 'int32', 4);
        m.in = this.memory('read', dtype, p.n);
        m.out = this.memory('write', dtype, p.n);
        break;
      case 'CHECK_FINITE':
        this.expect('float32', 'float64');
        sizes('n');
        m.in = this.memory('read', dtype, p.n);
        m.out = this.memory('write', dtype, p.n);
        break;
      case 'OPTIM': {
        this.expect('float32', 'float64');
        sizes('rule', 'flags', 'present');
        this.check(p.rule < RULE_OPTIONS.length && p.flags < 32 && p.present < 8, 'rule');
        constants = this.list(RULE_OPTIONS[p.rule], () => this.f64());
        doubles('weightDecay', 'clipValue', 'l1');
        this.check(p.clipValue >= 0, 'clipValue');
        m.lr = this.memory('read', 'float64', 1);
        m.step = this.memory('update', 'int32', 1);
        m.scale = this.optional('read', 'float64', 1);
        m.gate = this.optional('read', 'float64', 1);
        params = this.list(this.size(), () => {
          const n = this.size();
          const one: Record<string, Memory> = { w: this.memory('update', dtype, n), g: this.memory('read', dtype, n) };
          for (let s = 0; s < 3; s++) if ((p.present >> s) & 1) one[`s${s}`] = this.memory('update', dtype, n);
          return { n, m: one };
        });
        break;
      }
      case 'SUM_SQUARES':
        this.expect('float32', 'float64');
        params = this.list(this.size(), () => {
          const n = this.size();
          return { n, m: { g: this.memory('read', dtype, n) } };
        });
        m.out = this.memory('write', 'float64', 1);
        break;
      case 'SOFTMAX_GRAD':
      case 'LOG_SOFTMAX_GRAD':
        this.expect('float32', 'float64');
        sizes('rows', 'cols');
        m.g = this.memory('read', dtype, p.rows * p.cols);
        m.in = this.memory('read', dtype, p.rows * p.cols);
        m.out = this.memory('write', dtype, p.rows * p.cols);
        break;
      case 'LAYER_NORM':
      case 'BATCH_NORM': {
        this.expect('float32', 'float64');
        sizes('rows', 'cols');
        doubles('eps');
        if (this.opcode === 'BATCH_NORM') sizes('relu');
        m.x = this.memory('read', dtype, p.rows * p.cols);
        m.weight = this.optional('read', dtype, p.cols);
        m.bias = this.optional('read', dtype, p.cols);
        m.y = this.optional('write', dtype, p.rows * p.cols);
        const groups = this.opcode === 'LAYER_NORM' ? p.rows : p.cols;
        this.check(this.opcode === 'LAYER_NORM' || p.rows > 0, 'statistics of nothing');
        for (const name of ['mean', 'spread']) {
          m[name] =
            this.opcode === 'LAYER_NORM' ? this.optional('write', dtype, groups) : this.memory('write', dtype, groups);
        }
        break;
      }
      case 'LAYER_NORM_GRAD':
      case 'BATCH_NORM_GRAD': {
        this.expect('float32', 'float64');
        sizes('rows', 'cols');
        const ofBatch = this.opcode === 'BATCH_NORM_GRAD';
        if (ofBatch) doubles('eps');
        if (ofBatch) sizes('relu');
        const groups = this.opcode === 'LAYER_NORM_GRAD' ? p.rows : p.cols;
        m.g = this.memory('read', dtype, p.rows * p.cols);
        m.x = this.memory('read', dtype, p.rows * p.cols);
        m.mean = this.memory('read', dtype, groups);
        m.spread = this.memory('read', dtype, groups);
        m.weight = this.optional('read', dtype, p.cols);
        m.bias = ofBatch ? this.optional('read', dtype, p.cols) : null;
        m.dx = this.optional('write', dtype, p.rows * p.cols);
        m.dweight = this.optional('write', dtype, p.cols);
        m.dbias = this.optional('write', dtype, p.cols);
        break;
      }
      case 'SORT': {
        this.expect('float32', 'float64', 'int32');
        sizes('rows', 'cols', 'k');
        flags('descending');
        this.check(p.k <= p.cols, 'k');
        m.in = this.memory('read', dtype, p.rows * p.cols);
        m.values = this.optional('write', dtype, p.rows * p.k);
        m.indices = this.optional('write', 'int32', p.rows * p.k);
        break;
      }
      case 'SCAN':
        sizes('kind');
        flags('reverse');
        sizes('outer', 'r', 'inner');
        this.check(p.kind <= 2, 'kind');
        this.expect('float32', 'float64', ...(p.kind < 2 ? (['int32'] as const) : []));
        m.in = this.memory('read', dtype, p.outer * p.r * p.inner);
        m.a = this.optional('read', dtype, p.outer * p.r * p.inner);
        this.check((m.a !== null) === (p.kind === 2), 'a');
        m.out = this.memory('write', dtype, p.outer * p.r * p.inner);
        break;
      case 'GATHER_AXIS':
        sizes('outer', 'r', 'inner', 'k');
        m.in = this.memory('read', dtype, p.outer * p.r * p.inner);
        m.index = this.memory('read', 'int32', p.outer * p.k * p.inner);
        m.out = this.memory('write', dtype, p.outer * p.k * p.inner);
        break;
      case 'SCATTER_AXIS':
        flags('set');
        if (!p.set) this.expect('float32', 'float64', 'int32');
        sizes('outer', 'r', 'inner', 'k');
        m.base = this.optional('read', dtype, p.outer * p.r * p.inner);
        m.in = this.memory('read', dtype, p.outer * p.k * p.inner);
        m.index = this.memory('read', 'int32', p.outer * p.k * p.inner);
        m.out = this.memory('write', dtype, p.outer * p.r * p.inner);
        break;
      case 'CHOLESKY':
        this.expect('float32', 'float64');
        sizes('batch', 'n');
        m.in = this.memory('read', dtype, p.batch * p.n * p.n);
        m.out = this.memory('write', dtype, p.batch * p.n * p.n);
        break;
      case 'SOLVE':
      case 'SOLVE_TRIANGULAR':
        this.expect('float32', 'float64');
        if (this.opcode === 'SOLVE') flags('trans');
        else flags('upper', 'trans', 'unit');
        sizes('batch', 'n', 'm');
        m.a = this.memory('read', dtype, p.batch * p.n * p.n);
        m.b = this.memory('read', dtype, p.batch * p.n * p.m);
        m.out = this.memory('write', dtype, p.batch * p.n * p.m);
        break;
      case 'RMS_NORM':
        this.expect('float32', 'float64');
        sizes('rows', 'cols');
        doubles('eps');
        m.x = this.memory('read', dtype, p.rows * p.cols);
        m.weight = this.optional('read', dtype, p.cols);
        m.y = this.optional('write', dtype, p.rows * p.cols);
        m.spread = this.optional('write', dtype, p.rows);
        break;
      case 'RMS_NORM_GRAD':
        this.expect('float32', 'float64');
        sizes('rows', 'cols');
        m.g = this.memory('read', dtype, p.rows * p.cols);
        m.x = this.memory('read', dtype, p.rows * p.cols);
        m.spread = this.memory('read', dtype, p.rows);
        m.weight = this.optional('read', dtype, p.cols);
        m.dx = this.optional('write', dtype, p.rows * p.cols);
        m.dweight = this.optional('write', dtype, p.cols);
        break;
      case 'IOTA':
        this.expect('float32', 'float64', 'int32');
        sizes('n');
        doubles('start', 'step');
        m.out = this.memory('write', dtype, p.n);
        break;
      case 'GROUP_NORM':
      case 'GROUP_NORM_GRAD': {
        this.expect('float32', 'float64');
        const backward = this.opcode === 'GROUP_NORM_GRAD';
        sizes('n', 'positions', 'groups', 'width');
        doubles('eps');
        sizes('relu');
        const cols = p.groups * p.width;
        this.check(p.positions * cols > 0, 'statistics of nothing');
        const all = p.n * p.positions * cols;
        if (backward) m.g = this.memory('read', dtype, all);
        m.x = this.memory('read', dtype, all);
        for (const name of backward ? ['mean', 'spread'] : []) m[name] = this.memory('read', dtype, p.n * p.groups);
        m.weight = this.optional('read', dtype, cols);
        m.bias = this.optional('read', dtype, cols);
        m.y = this.optional('write', dtype, all);
        for (const name of backward ? ['dweight', 'dbias'] : ['mean', 'spread'])
          m[name] = this.optional('write', dtype, backward ? cols : p.n * p.groups);
        break;
      }
      case 'MAX_POOL':
      case 'MAX_POOL_GRAD':
      case 'MAX_POOL_TAKE':
      case 'AVG_POOL':
      case 'AVG_POOL_GRAD': {
        this.expect('float32', 'float64');
        const maximum = this.opcode.startsWith('MAX');
        sizes('n', 'c');
        for (const name of ['in', 'kernel', 'out', 'stride', 'padLow', maximum ? 'dilation' : 'padHigh'])
          sizes(...[0, 1, 2].map((a) => name + a));
        if (!maximum) sizes('countIncludePad', 'divisor');
        const volume = (name: string) => p[`${name}0`] * p[`${name}1`] * p[`${name}2`];
        this.check(volume('kernel') > 0 && volume('stride') > 0, 'kernel or stride');
        this.check(!maximum || (volume('dilation') > 0 && volume('kernel') <= 255), 'dilation or taps');
        const [images, windows] = ['in', 'out'].map((name) => p.n * volume(name) * p.c);
        const backward = this.opcode.endsWith('GRAD');
        const written = backward ? images : windows;
        m.in = this.memory('read', dtype, backward ? windows : images);
        if (this.opcode === 'MAX_POOL') {
          m.out = this.optional('write', dtype, windows);
          m.index = this.optional('write', 'uint8', windows);
        } else {
          if (maximum) m.index = this.memory('read', 'uint8', windows);
          m.out = this.memory('write', dtype, written);
        }
        break;
      }
      case 'CONV':
      case 'CONV_DATA_GRAD':
      case 'CONV_WEIGHT_GRAD': {
        this.expect('float32', 'float64');
        const weights = this.opcode === 'CONV_WEIGHT_GRAD';
        const backward = this.opcode === 'CONV_DATA_GRAD';
        if (!weights) sizes('activation', 'activationGrad');
        sizes('n', 'c', 'o', 'groups');
        for (const name of ['in', 'kernel', 'out', 'stride', 'pad', 'dilation'])
          sizes(...[0, 1, 2].map((a) => name + a));
        const volume = (name: string) => p[`${name}0`] * p[`${name}1`] * p[`${name}2`];
        this.check(p.groups > 0 && p.c % p.groups === 0 && p.o % p.groups === 0, 'groups');
        this.check(
          volume('kernel') > 0 && volume('stride') > 0 && volume('dilation') > 0,
          'kernel, stride or dilation',
        );
        const all = { x: p.n * volume('in') * p.c, y: p.n * volume('out') * p.o };
        const w = ((p.o * p.c) / p.groups) * volume('kernel');
        m.a = this.memory('read', dtype, backward ? all.y : all.x);
        m.b = this.memory('read', dtype, weights ? all.y : w);
        m.out = this.memory('write', dtype, weights ? w : backward ? all.x : all.y);
        if (!weights) {
          m.bias = this.optional('read', dtype, backward ? p.c : p.o);
          m.aux = this.optional('read', dtype, backward ? all.x : all.y);
          this.check((m.aux !== null) === (p.activationGrad !== 0), 'aux');
        }
        break;
      }
      default:
        this.opcode satisfies never;
    }
    return { opcode: this.opcode, dtype, p, dims, m, inputs, constants, micros: steps, outputs, params };
  }
}

function isDense(dims: readonly number[], strides: readonly number[], offset: number): boolean {
  let expected = 1;
  for (let i = dims.length - 1; i >= 0; i--) {
    if (dims[i] !== 1 && strides[i] !== expected) return false;
    expected *= dims[i];
  }
  return offset === 0;
}
