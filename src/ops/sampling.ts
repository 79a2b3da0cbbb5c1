import { OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { checkOptions, shown } from '../options.js';
import { checkSizes, type Shape } from '../shape.js';
import { lessEqual } from './compare.js';
import { add, floor, minimum, mul } from './elementwise.js';
import { reshape, slice } from './movement.js';
import { cast, type Operand, operandOf } from './operand.js';
import { uniform } from './random.js';
import { sum } from './reduce.js';
import { cumsum } from './scan.js';
import { softmax } from './softmax.js';
import { argsort } from './sort.js';

export interface CategoricalOptions {
  /** Number of draws for each distribution, as leading axes; default none: one draw. */
  readonly shape?: Shape;
  /** Whether the last axis holds logits (default) or weights >= 0, which need not add up to 1. */
  readonly fromLogits?: boolean;
}

/**
 * Random classes: class k with probability softmax(logits)_k.
 * @param logits float, [..., classes]; with `fromLogits: false` weights >= 0
 * @param options `shape` of draws for each distribution, default []; `fromLogits`, default true
 * @returns int32, [...shape, ...]; drawn by inverting the distribution function in float64, so a class of weight 0 never comes
 * @throws ShapeError without classes, DTypeError for integers and bool
 * @example seed(1); categorical(tensor([0, 0, 5]), { shape: [4] });
 * @see Devroye, Non-Uniform Random Variate Generation, III.2
 */
export function categorical(logits: Operand, options: CategoricalOptions = {}): Tensor {
  checkOptions('categorical', options, ['shape', 'fromLogits']);
  const { shape = [], fromLogits = true } = options;
  checkSizes('categorical', shape);
  const t = operandOf('categorical', logits, 'float');
  const classes = t.shape[t.shape.length - 1];
  if (t.shape.length === 0 || classes === 0) {
    throw new ShapeError(`categorical: got [${t.shape}], expected [..., classes] with at least one class`);
  }
  const wide = cast(t, 'float64');
  const ends = cumsum(fromLogits ? softmax(wide) : wide);
  const whole = slice(ends, [...t.shape.slice(0, -1).map(() => ({})), { start: classes - 1 }]);
  const out = [...shape, ...t.shape.slice(0, -1)];
  const u = mul(uniform([...out, 1], { dtype: 'float64' }), whole);
  const passed = reshape(sum(lessEqual(ends, u), { axis: -1 }), out);
  // Rounding may pass all of them.
  return minimum(passed, classes - 1);
}

/**
 * Random whole numbers low … high - 1, each as likely.
 * @param low lowest, a whole number that int32 holds
 * @param high one above the highest
 * @param shape sizes
 * @returns int32, `shape`
 * @throws OptionError for illegal bounds
 * @example seed(1); randint(0, 6, [10]);
 */
export function randint(low: number, high: number, shape: Shape): Tensor {
  const legal = [low, high].every((v) => Number.isInteger(v)) && low < high && low >= -(2 ** 31) && high <= 2 ** 31;
  if (!legal)
    throw new OptionError(`randint: got ${shown(low)} .. ${shown(high)}, expected whole int32 numbers with low < high`);
  const u = uniform(shape, { dtype: 'float64' });
  return cast(add(floor(mul(u, high - low)), low), 'int32');
}

/**
 * The whole numbers 0 … n - 1 in random order, each order as likely.
 * @param n whole number >= 0
 * @returns int32, [n]
 * @throws OptionError for another n
 * @example seed(1); const order = randperm(10); // take(x, order) shuffles rows
 */
export function randperm(n: number): Tensor {
  if (!Number.isInteger(n) || n < 0) throw new OptionError(`randperm: got ${shown(n)}, expected a whole number >= 0`);
  return argsort(uniform([n], { dtype: 'float64' }));
}
