// Hand-encoded programs: native/program/opcodes.inc written out as functions, for tests below the compiler.
import { DTypeCode, MAGIC, NONE, Opcode, SlotFlag, VERSION } from '../../src/program/opcodes.gen.js';
import { native } from '../../src/runtime/native.js';

export type DTypeName = keyof typeof DTypeCode;
type Words = readonly number[];

export const READ = SlotFlag.READ;
export const WRITE = SlotFlag.WRITE;
export const INOUT = SlotFlag.READ | SlotFlag.WRITE;
export const STEPPED = SlotFlag.STEPPED;

/** Operand word of slot i. */
export const slot = (i: number): number => ~i;

export function f64(x: number): Words {
  return [...new Int32Array(new Float64Array([x]).buffer)];
}

/** The words of OPTIM before its operands: rule, flags, slots and options, without decay, clipping or penalty unless given. */
export function rule(
  code: number,
  flags: number,
  present: number,
  options: readonly number[],
  shaping: readonly number[] = [0, Number.POSITIVE_INFINITY, 0],
): Words {
  return [code, flags, present, ...[...options, ...shaping].flatMap((x) => [...f64(x)])];
}

export function instruction(opcode: keyof typeof Opcode, dtype: DTypeName, ...words: Words): Words {
  return [Opcode[opcode], words.length + 3, DTypeCode[dtype], ...words];
}

export interface SlotSpec {
  readonly dtype: DTypeName;
  readonly elements: number;
  readonly flags: number;
}
export const f32Slot = (elements: number, flags: number): SlotSpec => ({ dtype: 'float32', elements, flags });
export const i32Slot = (elements: number, flags: number): SlotSpec => ({ dtype: 'int32', elements, flags });
export const f64Slot = (elements: number, flags: number): SlotSpec => ({ dtype: 'float64', elements, flags });

export function words(slots: readonly SlotSpec[], instructions: readonly Words[], arena = 0): Int32Array {
  const body = [...slots.flatMap((s) => [DTypeCode[s.dtype], s.elements, s.flags]), ...instructions.flat()];
  return new Int32Array([MAGIC, VERSION, slots.length, instructions.length, arena, 6 + body.length, ...body]);
}

export interface FusedInput {
  readonly operand: number;
  readonly dtype?: DTypeName;
  readonly offset?: number;
  readonly strides: Words;
}
export interface FusedOutput {
  readonly operand: number;
  readonly dtype?: DTypeName;
  readonly register: number;
}

export function fused(
  dtype: DTypeName,
  dims: Words,
  inputs: readonly FusedInput[],
  constants: Words,
  micros: readonly (readonly [code: number, a: number, b?: number, c?: number])[],
  outputs: readonly FusedOutput[],
): Words {
  return instruction(
    'FUSED',
    dtype,
    dims.length,
    inputs.length,
    constants.length,
    micros.length,
    outputs.length,
    ...dims,
    ...inputs.flatMap((i) => [i.operand, DTypeCode[i.dtype ?? dtype], i.offset ?? 0, ...i.strides]),
    ...constants.flatMap((c) => f64(c)),
    ...micros.flatMap(([code, a, b = -1, c = -1]) => [code, a, b, c]),
    ...outputs.flatMap((o) => [o.operand, DTypeCode[o.dtype ?? dtype], o.register]),
  );
}

export interface GemmSpec {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly activation?: number;
  readonly activationGrad?: number;
  readonly batch?: number;
  readonly strideA?: number;
  readonly strideB?: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: number;
  readonly b: number;
  readonly out: number;
  readonly bias?: number;
  readonly aux?: number;
  readonly colsum?: number;
}

export function gemm(dtype: DTypeName, g: GemmSpec): Words {
  return instruction(
    'GEMM',
    dtype,
    Number(g.transA ?? false),
    Number(g.transB ?? false),
    g.activation ?? 0,
    g.activationGrad ?? 0,
    g.batch ?? 1,
    g.m,
    g.n,
    g.k,
    g.strideA ?? 0,
    g.strideB ?? 0,
    g.a,
    g.b,
    g.out,
    g.bias ?? NONE,
    g.aux ?? NONE,
    g.colsum ?? NONE,
  );
}

type Values = Float32Array | Float64Array | Int32Array | Uint8Array;

/** A private buffer that holds the values at its first 64-byte boundary. */
export function buffer(values: Values): ArrayBuffer {
  const out = new ArrayBuffer(values.byteLength + 63);
  new Uint8Array(out, native.alignOffset(out)).set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  return out;
}
export const f32 = (...values: number[]): ArrayBuffer => buffer(Float32Array.from(values));
export const i32 = (...values: number[]): ArrayBuffer => buffer(Int32Array.from(values));

export const readF32 = (b: ArrayBuffer, n: number): number[] => [...new Float32Array(b, native.alignOffset(b), n)];
export const readF64 = (b: ArrayBuffer, n: number): number[] => [...new Float64Array(b, native.alignOffset(b), n)];
export const readI32 = (b: ArrayBuffer, n: number): number[] => [...new Int32Array(b, native.alignOffset(b), n)];
export const readU8 = (b: ArrayBuffer, n: number): number[] => [...new Uint8Array(b, native.alignOffset(b), n)];

/** Deterministic values in [-1, 1). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}
