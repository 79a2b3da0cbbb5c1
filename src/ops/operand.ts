import { DTYPES, type DType, isFloat, knownDType, promote } from '../dtype.js';
import { DTypeError, didYouMean } from '../errors.js';
import { fullLeaf } from '../graph/leaves.js';
import type { OpDef } from '../graph/op.js';
import { State } from '../graph/state.js';
import { build, Tensor } from '../graph/tensor.js';
import { type Accepts, checkDType, defineElementwise } from './define.js';

/** What every op takes: a tensor, a state cell (read now), or a number (a constant of the other operand's dtype). */
export type Operand = Tensor | State | number;

/**
 * The operand as a graph node.
 * @param like dtype that a number takes. A bool `like` gives numbers int32 or float32, so that they keep their value.
 * @throws DTypeError when it is no operand, or a number that an integer `like` cannot hold.
 */
export function toTensor(x: Operand, like: DType = 'float32', op = 'operand'): Tensor {
  if (x instanceof Tensor) return x;
  if (x instanceof State) return x.read();
  if (typeof x !== 'number') {
    const what = Array.isArray(x) ? 'an array' : x === null ? 'null' : typeof x;
    throw new DTypeError(`${op}: got ${what}, expected a Tensor, a State or a number; wrap data with tensor(...)`);
  }
  if (isFloat(like)) return fullLeaf([], x, like);
  knownDType(op, like);
  const dtype = like === 'bool' ? (Number.isInteger(x) ? 'int32' : 'float32') : like;
  const [low, high] = dtype === 'uint8' ? [0, 255] : [-(2 ** 31), 2 ** 31 - 1];
  if (dtype !== 'float32' && !(Number.isInteger(x) && x >= low && x <= high)) {
    throw new DTypeError(`${op}: ${x} does not fit a tensor of ${dtype}; add .cast('float32') to the tensor`);
  }
  return fullLeaf([], x, dtype);
}

/** Two operands of an arithmetic op, cast to the dtype they meet in. */
export function operandPair(op: string, a: Operand, b: Operand): [Tensor, Tensor] {
  // Numbers adapt to tensors, so the tensor side is looked at first.
  const right = typeof b === 'number' ? null : toTensor(b, undefined, op);
  const x = toTensor(a, right?.dtype, op);
  const y = right ?? toTensor(b, x.dtype, op);
  if (x.dtype === y.dtype) return [x, y];
  const dtype = promote(op, x.dtype, y.dtype);
  return [cast(x, dtype), cast(y, dtype)];
}

/** An operand that must be of an accepted dtype already. */
export function operandOf(op: string, x: Operand, accepts: Accepts): Tensor {
  const t = toTensor(x, undefined, op);
  checkDType(op, t.dtype, accepts);
  return t;
}

// The reference keeps the number: the evaluator stores by dtype, as the native code does.
const castOp: OpDef = defineElementwise(
  'cast',
  'CAST',
  (x) => x,
  ({ g, inputs: [x] }) => [isFloat(x.dtype) ? cast(g, x.dtype) : null],
  { infer: ([x], attrs) => ({ shape: x.shape, dtype: attrs.dtype as DType }) },
);
export const operandOps = { cast: castOp };

/**
 * The same values in another dtype: floats round to nearest, float to integer truncates towards zero (undefined outside the
 * range), anything to bool is `x != 0`. Returns `x` itself when it has that dtype.
 * @param x any shape
 * @throws DTypeError for a dtype nobody knows.
 * @example cast(tensor([1.7, -1.7]), 'int32'); // [1, -1]
 */
export function cast(x: Operand, dtype: DType): Tensor {
  const t = toTensor(x, undefined, 'cast');
  if (t.dtype === dtype) return t;
  if (!DTYPES.includes(dtype)) {
    throw new DTypeError(
      `cast: got '${String(dtype)}', expected ${DTYPES.join(', ')}.${didYouMean(String(dtype), DTYPES)}`,
    );
  }
  return build(castOp, [t], { dtype });
}
