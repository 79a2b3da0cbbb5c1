import { type DType, isFloat } from '../../src/dtype.js';
import { dataLeaf } from '../../src/graph/leaves.js';
import type { Storage, Tensor } from '../../src/graph/tensor.js';
import { evaluateReference } from '../../src/runtime/reference.js';
import { type Shape, sizeOf } from '../../src/shape.js';

/** How far a native result may be from the float64 reference. */
export type Bound =
  /** Correctly rounded: the very same number. */
  | 'exact'
  /** Units in the last place of the result; `float64` when the reference itself is less exact there. */
  | { readonly ulps: number; readonly float64?: number }
  /** `eps * count * scale(inputs)` per element, for sums: scale is the sum of absolute terms. */
  | { readonly count: number; readonly scale: (...inputs: Tensor[]) => Tensor | readonly Tensor[] };

export interface Input {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly values: readonly number[];
}

/** One use of an op; the runners derive every check from it. */
export interface OpCase {
  readonly name: string;
  readonly inputs: readonly Input[];
  readonly run: (...inputs: Tensor[]) => Tensor | readonly Tensor[];
  readonly bound: Bound;
  /** Known values of the first output. */
  readonly expected?: readonly number[];
  /** False at kinks, infinities and where the op has no gradient; default for small float inputs. */
  readonly grad?: boolean;
}

/** Repeatable numbers in [low, high), as float32 can hold them. */
export function numbers(n: number, low: number, high: number, salt = 1): number[] {
  let state = (salt * 2654435761) >>> 0;
  return Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround(low + ((high - low) * (state >>> 8)) / 2 ** 24);
  });
}

export function float(shape: Shape, low = -2, high = 2, salt = 1): Input {
  return { shape, dtype: 'float32', values: numbers(sizeOf(shape), low, high, salt) };
}

export function floats(values: readonly number[], shape: Shape = [values.length]): Input {
  return { shape, dtype: 'float32', values: values.map(Math.fround) };
}

export function ints(values: readonly number[], shape: Shape = [values.length], dtype: DType = 'int32'): Input {
  return { shape, dtype, values };
}

/** Whole numbers in [0, below). */
export function indices(n: number, below: number, salt = 1): Input {
  return ints(numbers(n, 0, below, salt).map((x) => Math.min(below - 1, Math.floor(x))));
}

interface ReferenceStorage extends Storage {
  readonly values: Float64Array;
}

/** A leaf that only the reference can read. */
export function referenceLeaf(input: Input, dtype: DType = input.dtype): Tensor {
  const storage: ReferenceStorage = { byteLength: 8 * input.values.length, values: Float64Array.from(input.values) };
  return dataLeaf(input.shape, dtype, storage);
}

export function evaluate(roots: readonly Tensor[]): Float64Array[] {
  return evaluateReference(roots, (leaf) => (leaf.storage as ReferenceStorage).values);
}

/** The dtype of an input in a run where floats are `float`. */
export function dtypeIn(input: Input, float: DType): DType {
  return isFloat(input.dtype) ? float : input.dtype;
}

export function listOf(result: Tensor | readonly Tensor[]): readonly Tensor[] {
  return Array.isArray(result) ? (result as readonly Tensor[]) : [result as Tensor];
}

/** Small enough for checks that evaluate it many times. */
export function isSmall(c: OpCase): boolean {
  return c.inputs.every((x) => sizeOf(x.shape) <= 24);
}

/** Whether differences check the gradients of a case: its op has any, nothing in it is a kink, and there is something to move. */
export function isGradChecked(c: OpCase): boolean {
  if (c.grad === false || !isSmall(c) || !c.inputs.some((x) => isFloat(x.dtype) && sizeOf(x.shape) > 0)) return false;
  const outputs = listOf(c.run(...c.inputs.map((x) => referenceLeaf(x, dtypeIn(x, 'float64')))));
  return outputs.some((y) => isFloat(y.dtype));
}
