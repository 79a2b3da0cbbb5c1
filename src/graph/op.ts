import type { DType } from '../dtype.js';
import type { Shape } from '../shape.js';
import type { Attrs, Tensor } from './tensor.js';

/** Shape and dtype of a value that does not exist yet. */
export interface Aval {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Float64 array the reference computes with; integers and booleans are stored as numbers. */
export interface RefArray {
  readonly data: Float64Array;
  readonly shape: Shape;
}

/** What a gradient rule gets. `g[i]` is the gradient of output i, null where nothing flows. */
export interface VjpContext {
  readonly g: Tensor;
  /** All output gradients of a multi-output op (g is the first that is not null). */
  readonly gs: readonly (Tensor | null)[];
  readonly out: Tensor;
  readonly outs: readonly Tensor[];
  readonly inputs: readonly Tensor[];
  readonly attrs: Attrs;
  /** needs[i] is false when the gradient of input i is not wanted; the rule may return null there. */
  readonly needs: readonly boolean[];
}

/** Strided window on a dense value, in elements; how a movement op looks at its input. */
export interface View {
  readonly shape: Shape;
  readonly offset: number;
  readonly strides: readonly number[];
}

/** One native instruction: name in opcodes.inc and its parameter words, in the order listed there. */
export interface Lowering {
  readonly opcode: string;
  /** Words between `dtype` and the operands, f64 as two words (see `f64Words`); operands follow as inputs then outputs. */
  readonly params: readonly number[];
  /** Overrides the dtype word (default: dtype of the first input, else of the output). */
  readonly dtype?: DType;
  /** Full control of the words after `params`: operands and interleaved sizes. Numbers are words, {in}/{out} operands. */
  readonly tail?: readonly (
    | number
    | { readonly in: number }
    | { readonly out: number }
    | 'rng'
    | 'rngOffset'
    | 'relu'
    | 'reluBias'
    | 'none'
  )[];
}

/**
 * What the fuser and planner look at; they never look at the name.
 * leaf: has no inputs. elementwise: one micro-operation, broadcasting. reduce: one REDUCE. movement: no arithmetic.
 * matmul: GEMM. coarse: an instruction of its own. item: selects one output of a multi-output node.
 */
export type OpKind = 'leaf' | 'elementwise' | 'reduce' | 'movement' | 'matmul' | 'coarse' | 'item';

/** What a batching rule gets: one op of a function that `vmap` applies to `size` samples at once. */
export interface BatchContext {
  readonly op: OpDef;
  /** The inputs as one sample has them; their shapes count, never their values. */
  readonly samples: readonly Tensor[];
  /** The same with samples along a new axis 0 where they differ by sample, else unchanged. */
  readonly inputs: readonly Tensor[];
  /** Whether input i differs by sample. */
  readonly mapped: readonly boolean[];
  /** Input i with samples along axis 0, repeated when it does not differ. */
  readonly full: (i: number) => Tensor;
  readonly size: number;
  readonly attrs: Attrs;
  /** 'same' or 'different' random numbers for the samples. */
  readonly randomness: 'same' | 'different';
}

/** One record per op: everything every pass needs to know about it. */
export interface OpDef {
  readonly name: string;
  readonly kind: OpKind;
  /** Shape and dtype of the output(s); throws ShapeError or DTypeError naming the op. */
  infer(inputs: readonly Tensor[], attrs: Attrs): Aval | readonly Aval[];
  /** Gradient rule emitting graph nodes, or null when the op is not differentiable. One entry per input, null for none. */
  readonly vjp: ((c: VjpContext) => readonly (Tensor | null)[]) | null;
  /** Float64 oracle. Elementwise ops give a scalar function, the others one on whole arrays. */
  readonly reference:
    | ((...x: number[]) => number)
    | ((inputs: readonly RefArray[], attrs: Attrs, outs: readonly Aval[]) => RefArray | readonly RefArray[]);
  /** elementwise: the micro-operation of opcodes.inc ('CAST' = conversion by load and store). */
  readonly micro?: string;
  /** reduce: the reduction of opcodes.inc. attrs: axes (sorted), keepDims. */
  readonly reduction?: string;
  /** movement, when the result is a strided view of the one input: that view, given the input's own view; null = copy first. */
  readonly view?: (input: View, out: Aval, attrs: Attrs) => View | null;
  /** movement that puts its inputs into parts of a larger result (concat, pad): region of each input, and what fills the rest. */
  readonly place?: (
    inputs: readonly Tensor[],
    out: Aval,
    attrs: Attrs,
  ) => { readonly fill: number | null; readonly regions: readonly View[] };
  /** coarse: the instruction. */
  readonly lower?: (node: { inputs: readonly Tensor[]; outs: readonly Aval[]; attrs: Attrs }) => Lowering;
  /**
   * coarse: what follows may be folded in as into a product: bias along the last axis, activation, times an activation's derivative.
   * The instruction's words then begin with activation and activationGrad, and its operands end with bias and aux.
   */
  readonly epilogue?: boolean;
  /**
   * coarse: takes in a ReLU (tokens 'relu', a flag, and 'reluBias'). 'output': inputs x, …, and output 0 may be followed by one.
   * 'gradient': inputs g, then x, the other outputs and the second input of such an op; g may be masked by the ReLU of its output,
   * whose sign it works out from them and the third input.
   */
  readonly relu?: 'output' | 'gradient';
  /** coarse: floating-point operations, where they are not about one for each value read or written. */
  readonly flops?: (node: { inputs: readonly Aval[]; outs: readonly Aval[]; attrs: Attrs }) => number;
  /** coarse: output i may be written over input j: pairs [i, j]. Used when input j is a state cell that is being replaced. */
  readonly aliases?: (inputs: readonly Tensor[], attrs: Attrs) => readonly (readonly [number, number])[];
  /** Draws random numbers: attrs.index is its index in the 'ops' stream (see rng.ts). */
  readonly random?: boolean;
  /** coarse: outputs that nobody uses may be NONE in the instruction. */
  readonly optionalOutputs?: boolean;
  /** Can stop a run because of the data (bad index, NaN). Must equal the flag in opcodes.inc. */
  readonly fallible?: boolean;
  /** A GEMM may apply this op to its result (name in opcodes.inc), or multiply by its derivative from (g, y). */
  readonly activation?: string;
  readonly activationGrad?: string;
  /**
   * The op for all samples of `vmap` at once, samples along axis 0 of every output. Elementwise ops, reductions and products
   * need none; without one, `decompose` or a loop over the samples does it.
   */
  readonly batch?: (c: BatchContext) => Tensor | readonly Tensor[];
  /** Output i is input i; further inputs matter to autodiff only. Compiling removes it. */
  readonly forwards?: boolean;
  /** Compiling neither removes it nor merges it with an equal node: what follows is computed again. */
  readonly barrier?: boolean;
  /** The same value from fine ops: oracle, fallback and source of second derivatives. One tensor or one per output. */
  readonly decompose?: (inputs: readonly Tensor[], attrs: Attrs) => Tensor | readonly Tensor[];
}

/** The two words of a float64 parameter. */
export function f64Words(x: number): [number, number] {
  scratchF64[0] = x;
  return [scratchI32[0], scratchI32[1]];
}
const scratchF64 = new Float64Array(1);
const scratchI32 = new Int32Array(scratchF64.buffer);
