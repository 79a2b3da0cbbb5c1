import { OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { shown } from '../options.js';
import { checkSizes, normalizeAxes, normalizeAxis } from '../shape.js';
import { broadcastTo, concat, expandDims, reshape, slice, squeeze } from './movement.js';
import { type Operand, toTensor } from './operand.js';

/**
 * The element, row, … at one position of an axis, which is dropped: NumPy's `x[i]`.
 * @param x rank 1 or more
 * @param index whole number, -size … size - 1; negative counts from the back
 * @param axis default 0
 * @returns the shape without the axis
 * @throws ShapeError when the axis or the position does not exist
 * @example index(tensor([[1, 2], [3, 4]]), -1); // [3, 4]
 */
export function index(x: Operand, index: number, axis = 0): Tensor {
  const t = toTensor(x, undefined, 'index');
  const at = normalizeAxis('index', axis, t.shape.length);
  const size = t.shape[at];
  if (!Number.isInteger(index) || index < -size || index >= size) {
    throw new ShapeError(
      `index: got ${shown(index)} for axis ${axis} of [${t.shape}], expected ${-size} .. ${size - 1}`,
    );
  }
  const start = index < 0 ? index + size : index;
  const ranges = t.shape.map((_, a) => (a === at ? { start, end: start + 1 } : {}));
  return squeeze(slice(t, ranges), at);
}

/**
 * Repeats a tensor as a whole.
 * @param x any shape
 * @param repeats whole numbers >= 0, one per axis from the back; more than axes add leading ones
 * @returns each size times its number of repeats
 * @throws OptionError for an illegal number
 * @example tile(tensor([1, 2]), [2]); // [1, 2, 1, 2]
 */
export function tile(x: Operand, repeats: readonly number[]): Tensor {
  const t = toTensor(x, undefined, 'tile');
  checkSizes('tile', repeats, 'repeats');
  if (!repeats.every((n) => Number.isInteger(n) && n >= 0)) {
    throw new OptionError(`tile: got repeats [${repeats.map(shown)}], expected whole numbers >= 0`);
  }
  const rank = Math.max(repeats.length, t.shape.length);
  const shape = [...new Array<number>(rank - t.shape.length).fill(1), ...t.shape];
  const times = [...new Array<number>(rank - repeats.length).fill(1), ...repeats];
  // One axis after the other: all at once would need twice the rank.
  return times.reduce((y, n, a) => repeated(y, a, n, true), reshape(t, shape));
}

/** An axis n times, as a whole or element by element. */
function repeated(x: Tensor, axis: number, n: number, whole: boolean): Tensor {
  if (n === 1) return x;
  const at = whole ? axis : axis + 1;
  const one = expandDims(x, at);
  const many = broadcastTo(
    one,
    one.shape.map((d, a) => (a === at ? n : d)),
  );
  return reshape(
    many,
    x.shape.map((d, a) => (a === axis ? d * n : d)),
  );
}

/**
 * Repeats each element along an axis: NumPy's repeat, PyTorch's repeatInterleave.
 * @param x rank 1 or more
 * @param times whole number >= 0
 * @param axis default 0
 * @returns the shape with the axis `times` as long
 * @throws OptionError for an illegal number, ShapeError when the axis does not exist
 * @example repeat(tensor([1, 2]), 2); // [1, 1, 2, 2]
 */
export function repeat(x: Operand, times: number, axis = 0): Tensor {
  const t = toTensor(x, undefined, 'repeat');
  if (!Number.isInteger(times) || times < 0) {
    throw new OptionError(`repeat: got ${shown(times)} times, expected a whole number >= 0`);
  }
  return repeated(t, normalizeAxis('repeat', axis, t.shape.length), times, false);
}

/**
 * Shifts elements along axes; those that leave at the end come back at the start.
 * `y[(i + shift) mod n] = x[i]`
 * @param x any shape
 * @param shift whole number, or one per axis; negative shifts to the front
 * @param axes which; without them the flattened tensor is shifted
 * @returns the shape of `x`
 * @throws OptionError for a shift that is not whole, ShapeError when an axis does not exist or their numbers differ
 * @example roll(tensor([1, 2, 3]), 1); // [3, 1, 2]
 */
export function roll(x: Operand, shift: number | readonly number[], axes?: number | readonly number[]): Tensor {
  const t = toTensor(x, undefined, 'roll');
  const shifts = typeof shift === 'number' ? [shift] : shift;
  if (!Array.isArray(shifts) || !shifts.every((s) => Number.isInteger(s))) {
    throw new OptionError(`roll: got shift ${shown(shift)}, expected whole numbers`);
  }
  if (axes === undefined) {
    if (shifts.length !== 1) throw new ShapeError(`roll: got ${shifts.length} shifts without axes, expected one`);
    return reshape(rolled(reshape(t, [-1]), 0, shifts[0]), t.shape);
  }
  normalizeAxes('roll', axes, t.shape.length);
  const list = typeof axes === 'number' ? [axes] : axes;
  if (list.length !== shifts.length) {
    throw new ShapeError(`roll: got ${shifts.length} shifts for ${list.length} axes, expected as many`);
  }
  return list.reduce((y, a, i) => rolled(y, normalizeAxis('roll', a, t.shape.length), shifts[i]), t);
}

function rolled(x: Tensor, axis: number, shift: number): Tensor {
  const n = x.shape[axis];
  const by = n === 0 ? 0 : ((shift % n) + n) % n;
  if (by === 0) return x;
  const lead = x.shape.slice(0, axis).map(() => ({}));
  return concat([slice(x, [...lead, { start: n - by }]), slice(x, [...lead, { end: n - by }])], axis);
}
