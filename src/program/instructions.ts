import { type DType, itemSize } from '../dtype.js';
import { f64Words, type View } from '../graph/op.js';
import { type Shape, sizeOf } from '../shape.js';
import type { ComputeDType } from './fuse.js';
import { type Buffer, type Instruction, type OperandRef, READ, UPDATE, WRITE } from './ir.js';
import {
  DTypeCode,
  FALLIBLE,
  MICRO_ARITY,
  Micro,
  type MicroName,
  NONE,
  Opcode,
  type OpcodeName,
} from './opcodes.gen.js';
import { collapse, denseView, isDense } from './views.js';

/** Which line of the user's program an instruction stands for. */
export interface Origin {
  readonly op: string;
  readonly scope: string;
  /** Positions in the GraphSpec of the nodes it computes. */
  readonly nodes?: readonly number[];
}

/** Writes the words of one instruction, remembering where its operands are. */
export class InstructionWriter {
  readonly words: number[];
  private readonly operands: OperandRef[] = [];
  private readonly opcode: OpcodeName;

  constructor(opcode: OpcodeName, dtype: DType) {
    this.opcode = opcode;
    this.words = [Opcode[opcode], 0, DTypeCode[dtype]];
  }

  put(...words: readonly number[]): this {
    for (const w of words) this.words.push(w);
    return this;
  }

  read(buffer: Buffer | null, inPlace = false): this {
    return this.operand(buffer, READ, inPlace);
  }

  write(buffer: Buffer | null): this {
    return this.operand(buffer, WRITE, false);
  }

  update(buffer: Buffer): this {
    return this.operand(buffer, UPDATE, false);
  }

  done({ op, scope, nodes = [] }: Origin, flops: number): Instruction {
    this.words[1] = this.words.length;
    return {
      opcode: this.opcode,
      words: this.words,
      operands: this.operands,
      op,
      scope,
      nodes,
      fallible: FALLIBLE.has(this.words[0]),
      flops,
      position: -1,
    };
  }

  private operand(buffer: Buffer | null, use: OperandRef['use'], inPlace: boolean): this {
    if (buffer !== null) this.operands.push({ at: this.words.length, buffer, use, inPlace });
    this.words.push(buffer === null ? NONE : 0);
    return this;
  }
}

/** dense `to` = window `view` of `from`. */
export function copy(from: Buffer, view: View, to: Buffer, origin: Origin): Instruction {
  const { dims, strides } = collapse(view.shape, [view.strides]);
  return new InstructionWriter('COPY', to.dtype)
    .put(dims.length, ...dims)
    .read(from)
    .put(view.offset, ...strides[0])
    .write(to)
    .done(origin, 0);
}

/** Window `region` of `to` = dense `from`. */
export function place(from: Buffer, region: View, to: Buffer, origin: Origin): Instruction {
  const { dims, strides } = collapse(region.shape, [region.strides]);
  return new InstructionWriter('PLACE', to.dtype)
    .put(dims.length, ...dims)
    .read(from)
    .write(to)
    .put(to.elements, region.offset, ...strides[0])
    .done(origin, 0);
}

/** A register of a FUSED instruction before registers are numbered. */
export type Register = number;
const CONSTANT = 0x1000;
const RESULT = 0x2000;

/** Builds one FUSED instruction. */
export class FusedWriter {
  private readonly dtype: ComputeDType;
  private readonly shape: Shape;
  private readonly inputs: { buffer: Buffer; view: View }[] = [];
  private readonly constants: number[] = [];
  private readonly micros: { micro: MicroName; operands: readonly Register[] }[] = [];
  private readonly outputs: { buffer: Buffer; register: Register }[] = [];

  constructor(dtype: ComputeDType, shape: Shape) {
    this.dtype = dtype;
    this.shape = shape;
  }

  /** `view` has the shape of the iteration. */
  input(buffer: Buffer, view: View): Register {
    return this.inputs.push({ buffer, view }) - 1;
  }

  constant(value: number): Register {
    let at = this.constants.findIndex((c) => Object.is(c, value));
    if (at < 0) at = this.constants.push(value) - 1;
    return CONSTANT + at;
  }

  micro(micro: MicroName, operands: readonly Register[]): Register {
    return RESULT + this.micros.push({ micro, operands }) - 1;
  }

  output(buffer: Buffer, register: Register): void {
    this.outputs.push({ buffer, register });
  }

  done(origin: Origin): Instruction {
    const { inputs, constants, micros, outputs } = this;
    const number = (r: Register): number => {
      if (r >= RESULT) return r - RESULT + inputs.length + constants.length;
      return r >= CONSTANT ? r - CONSTANT + inputs.length : r;
    };
    const { dims, strides } = collapse(
      this.shape,
      inputs.length === 0 ? [new Array(this.shape.length).fill(0)] : inputs.map((x) => x.view.strides),
    );
    const elements = sizeOf(dims);
    const widths = outputs.map((o) => itemSize(o.buffer.dtype));
    const writer = new InstructionWriter('FUSED', this.dtype);
    writer.put(dims.length, inputs.length, constants.length, micros.length, outputs.length, ...dims);
    inputs.forEach(({ buffer, view }, i) => {
      const whole = isDense(view) && buffer.elements === elements;
      writer.read(buffer, whole && widths.includes(itemSize(buffer.dtype)));
      writer.put(DTypeCode[buffer.dtype], view.offset, ...strides[i]);
    });
    for (const c of constants) writer.put(...f64Words(c));
    for (const { micro, operands } of micros) {
      writer.put(Micro[micro]);
      for (let i = 0; i < 3; i++) writer.put(i < MICRO_ARITY[micro] ? number(operands[i]) : -1);
    }
    for (const { buffer, register } of outputs) writer.write(buffer).put(DTypeCode[buffer.dtype], number(register));
    return writer.done(origin, elements * micros.length);
  }
}

/** Every element of `buffer` = `value`. */
export function fill(buffer: Buffer, value: number, origin: Origin): Instruction {
  const dtype = buffer.dtype === 'float32' || buffer.dtype === 'float64' ? buffer.dtype : 'int32';
  const fused = new FusedWriter(dtype, [buffer.elements]);
  fused.output(buffer, fused.constant(value));
  return fused.done(origin);
}

/** The same values in another dtype, by the conversions of load and store. */
export function convert(from: Buffer, to: Buffer, origin: Origin): Instruction {
  const wide = itemSize(from.dtype) === 8 || itemSize(to.dtype) === 8;
  const float = from.dtype === 'float32' || to.dtype === 'float32';
  const fused = new FusedWriter(wide ? 'float64' : float ? 'float32' : 'int32', [from.elements]);
  fused.output(to, fused.input(from, denseView([from.elements])));
  return fused.done(origin);
}
