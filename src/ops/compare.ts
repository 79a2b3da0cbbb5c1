import { type DType, isFloat } from '../dtype.js';
import { DTypeError } from '../errors.js';
import { fullLeaf, fullOp } from '../graph/leaves.js';
import { build, type Tensor } from '../graph/tensor.js';
import { broadcastShapes } from '../shape.js';
import { defineBinary, defineElementwise, defineUnary, NO_GRADIENT } from './define.js';
import { type Operand, operandPair, toTensor } from './operand.js';

const BOOL = { accepts: 'any', bool: true } as const;
const FLOAT_TO_BOOL = { bool: true } as const;

function defineTest(name: string, micro: string, test: (a: number, b: number) => boolean) {
  return defineBinary(name, micro, (a, b) => Number(test(a, b)), null, null, BOOL);
}

/** Records of comparisons, logic and selection. */
export const compareOps = {
  equal: defineTest('equal', 'EQUAL', (a, b) => a === b),
  notEqual: defineTest('notEqual', 'NOT_EQUAL', (a, b) => a !== b),
  less: defineTest('less', 'LESS', (a, b) => a < b),
  lessEqual: defineTest('lessEqual', 'LESS_EQUAL', (a, b) => a <= b),
  greater: defineTest('greater', 'GREATER', (a, b) => a > b),
  greaterEqual: defineTest('greaterEqual', 'GREATER_EQUAL', (a, b) => a >= b),
  logicalAnd: defineTest('logicalAnd', 'AND', (a, b) => a !== 0 && b !== 0),
  logicalOr: defineTest('logicalOr', 'OR', (a, b) => a !== 0 || b !== 0),
  logicalNot: defineUnary('logicalNot', 'NOT', (x) => Number(x === 0), null, BOOL),
  isFinite: defineUnary('isFinite', 'IS_FINITE', (x) => Number(Number.isFinite(x)), null, FLOAT_TO_BOOL),
  isNaN: defineUnary('isNaN', 'IS_NAN', (x) => Number(Number.isNaN(x)), null, FLOAT_TO_BOOL),
  where: defineElementwise(
    'where',
    'WHERE',
    (condition, a, b) => (condition !== 0 ? a : b),
    ({ g, inputs: [condition], needs }) => [
      null,
      needs[1] ? where(condition, g, 0) : null,
      needs[2] ? where(condition, 0, g) : null,
    ],
    { infer: ([c, a, b]) => ({ shape: broadcastShapes('where', c.shape, a.shape, b.shape), dtype: a.dtype }) },
  ),
  /** What `where(greater(x, 0), a, b)` builds. */
  wherePositive: defineElementwise(
    'wherePositive',
    'WHERE_POSITIVE',
    (x, a, b) => (x > 0 ? a : b),
    ({ g, inputs: [x], needs }) => [
      null,
      needs[1] ? wherePositive(x, g, zeroLike(g)) : null,
      needs[2] ? wherePositive(x, zeroLike(g), g) : null,
    ],
    { accepts: 'number' },
  ),
  /** low < x < high. */
  inside: defineElementwise('inside', 'INSIDE', (x, low, high) => Number(low < x && x < high), NO_GRADIENT, BOOL),
};

function wherePositive(x: Tensor, a: Tensor, b: Tensor): Tensor {
  return build(compareOps.wherePositive, [x, a, b]);
}

const zeroLike = (g: Tensor): Tensor => fullLeaf([], 0, g.dtype);

/** x, when `condition` is x > 0 in the dtype of what it chooses between. */
function positiveOf(condition: Tensor, dtype: DType): Tensor | null {
  if (condition.op !== compareOps.greater || !isFloat(dtype)) return null;
  const [x, zero] = condition.inputs;
  return x.dtype === dtype && zero.op === fullOp && zero.attrs['value'] === 0 && zero.shape.length === 0 ? x : null;
}

/**
 * `a == b`, element by element; NaN equals nothing.
 * @param a any shape
 * @param b a shape that broadcasts with `a`; a number takes the dtype of the other operand
 * @returns bool, the broadcast shape
 * @throws ShapeError when the shapes do not broadcast, DTypeError for float32 with float64
 * @example equal(tensor([1, 2]), 2); // [false, true]
 */
export function equal(a: Operand, b: Operand): Tensor {
  return build(compareOps.equal, operandPair('equal', a, b));
}

/**
 * `a != b`, element by element; NaN differs from everything.
 * @param a any shape
 * @param b a shape that broadcasts with `a`; a number takes the dtype of the other operand
 * @returns bool, the broadcast shape
 * @throws ShapeError when the shapes do not broadcast, DTypeError for float32 with float64
 * @example notEqual(tensor([1, 2]), 2); // [true, false]
 */
export function notEqual(a: Operand, b: Operand): Tensor {
  return build(compareOps.notEqual, operandPair('notEqual', a, b));
}

/**
 * `a < b`, element by element.
 * @param a any shape
 * @param b a shape that broadcasts with `a`; a number takes the dtype of the other operand
 * @returns bool, the broadcast shape
 * @throws ShapeError when the shapes do not broadcast, DTypeError for float32 with float64
 * @example less(tensor([1, 2]), 2); // [true, false]
 */
export function less(a: Operand, b: Operand): Tensor {
  return build(compareOps.less, operandPair('less', a, b));
}

/**
 * `a <= b`, element by element.
 * @param a any shape
 * @param b a shape that broadcasts with `a`; a number takes the dtype of the other operand
 * @returns bool, the broadcast shape
 * @throws ShapeError when the shapes do not broadcast, DTypeError for float32 with float64
 * @example lessEqual(tensor([1, 2]), 1); // [true, false]
 */
export function lessEqual(a: Operand, b: Operand): Tensor {
  return build(compareOps.lessEqual, operandPair('lessEqual', a, b));
}

/**
 * `a > b`, element by element.
 * @param a any shape
 * @param b a shape that broadcasts with `a`; a number takes the dtype of the other operand
 * @returns bool, the broadcast shape
 * @throws ShapeError when the shapes do not broadcast, DTypeError for float32 with float64
 * @example greater(tensor([1, 2]), 1); // [false, true]
 */
export function greater(a: Operand, b: Operand): Tensor {
  return build(compareOps.greater, operandPair('greater', a, b));
}

/**
 * `a >= b`, element by element.
 * @param a any shape
 * @param b a shape that broadcasts with `a`; a number takes the dtype of the other operand
 * @returns bool, the broadcast shape
 * @throws ShapeError when the shapes do not broadcast, DTypeError for float32 with float64
 * @example greaterEqual(tensor([1, 2]), 2); // [false, true]
 */
export function greaterEqual(a: Operand, b: Operand): Tensor {
  return build(compareOps.greaterEqual, operandPair('greaterEqual', a, b));
}

/**
 * True where both are not zero.
 * @param a any shape
 * @param b a shape that broadcasts with `a`; a number takes the dtype of the other operand
 * @returns bool, the broadcast shape
 * @throws ShapeError when the shapes do not broadcast, DTypeError for float32 with float64
 * @example logicalAnd(tensor([1, 0]), tensor([2, 2])); // [true, false]
 */
export function logicalAnd(a: Operand, b: Operand): Tensor {
  return build(compareOps.logicalAnd, operandPair('logicalAnd', a, b));
}

/**
 * True where one is not zero.
 * @param a any shape
 * @param b a shape that broadcasts with `a`; a number takes the dtype of the other operand
 * @returns bool, the broadcast shape
 * @throws ShapeError when the shapes do not broadcast, DTypeError for float32 with float64
 * @example logicalOr(tensor([1, 0]), tensor([0, 0])); // [true, false]
 */
export function logicalOr(a: Operand, b: Operand): Tensor {
  return build(compareOps.logicalOr, operandPair('logicalOr', a, b));
}

/**
 * True where x is zero.
 * @param x any dtype, any shape
 * @returns bool, the shape of `x`
 * @example logicalNot(tensor([1, 0])); // [false, true]
 */
export function logicalNot(x: Operand): Tensor {
  return build(compareOps.logicalNot, [toTensor(x, undefined, 'logicalNot')]);
}

/**
 * True where x is neither NaN nor infinite.
 * @param x float, any shape
 * @returns bool, the shape of `x`
 * @throws DTypeError for integers and bool, which are always finite
 * @example isFinite(tensor([1, Infinity, NaN])); // [true, false, false]
 */
// biome-ignore lint/suspicious/noShadowRestrictedNames: NumPy's name
export function isFinite(x: Operand): Tensor {
  return build(compareOps.isFinite, [toTensor(x, undefined, 'isFinite')]);
}

/**
 * True where x is not a number.
 * @param x float, any shape
 * @returns bool, the shape of `x`
 * @throws DTypeError for integers and bool, which are never NaN
 * @example isNaN(tensor([1, Infinity, NaN])); // [false, false, true]
 */
// biome-ignore lint/suspicious/noShadowRestrictedNames: NumPy's name
export function isNaN(x: Operand): Tensor {
  return build(compareOps.isNaN, [toTensor(x, undefined, 'isNaN')]);
}

/**
 * Chooses element by element. Values of the side that is not chosen do not matter in the result, but a NaN or infinite
 * *derivative* there does (0 * Infinity is NaN): make that side harmless first, as in `where(x > 0, log(where(x > 0, x, 1)), 0)`.
 * `condition ? a : b`
 * @param condition bool, any shape
 * @param a value where true
 * @param b value where false; the three shapes broadcast
 * @returns the broadcast shape, dtype of `a` and `b`
 * @throws ShapeError when the shapes do not broadcast, DTypeError when condition is not bool or the dtypes do not mix
 * @example const x = tensor([-1, 2]); where(greater(x, 0), x, 0); // [0, 2]
 */
export function where(condition: Operand, a: Operand, b: Operand): Tensor {
  const c = toTensor(condition, undefined, 'where');
  if (c.dtype !== 'bool') {
    throw new DTypeError(`where: got a condition of ${c.dtype}, expected bool; compare it, e.g. notEqual(x, 0)`);
  }
  const sides = operandPair('where', a, b);
  const x = positiveOf(c, sides[0].dtype);
  return x === null ? build(compareOps.where, [c, ...sides]) : wherePositive(x, ...sides);
}
