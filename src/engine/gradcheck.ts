import { gradientsOf, weightsOf } from '../autodiff/gradcheck.js';
import { isFloat } from '../dtype.js';
import { DTypeError, GradError, OptionError } from '../errors.js';
import { repeatingDraws } from '../graph/rng.js';
import { Tensor } from '../graph/tensor.js';
import { checkFunction, checkOptions, shown } from '../options.js';
import { sizeOf } from '../shape.js';
import { leaves, mapTree } from '../tree.js';
import { tensor } from './create.js';
import './methods.js';

export interface GradCheckOptions {
  /** 1 (default) checks gradients, 2 gradients of gradients as well. */
  readonly order?: 1 | 2;
  /** Distance of the points of a difference quotient, times max(1, |x|); default eps^(1/5) = 7.4e-4. */
  readonly step?: number;
}

export interface GradCheckReport {
  /** Derivatives compared. */
  readonly checked: number;
  /** Largest distance between a rule's derivative and the difference quotient. */
  readonly maxError: number;
}

/** A function of flat lists, so that trees are dealt with once. */
type Flat = (...inputs: Tensor[]) => readonly Tensor[];

const EPS = 2 ** -52;
/** How many roundings a result is taken to carry. */
const ROUNDINGS = 32;

/**
 * Compares the gradients that differentiation gives with differences of values, for every element, in float64.
 * `d = (4 D(h) - D(2 h)) / 3`, `D(h) = (L(x + h e) - L(x - h e)) / (2 h)`, L a fixed weighted sum of all results
 *
 * The tolerance is derived at each element: `|D(h) - D(2 h)|`, which bounds the error of the extrapolated quotient of a smooth
 * function, plus `1.5 * 32 eps * sum |weight * result| / h` for the rounding of results good to 32 ulps. Where the two
 * quotients do not settle, the point is at or near a kink and the check says so instead of passing. Random ops draw the same
 * numbers in every evaluation.
 * @param fn of tensors, or arrays and objects of them, giving float64 tensors likewise; smooth near the arguments
 * @param args arguments of `fn`; float64 tensors are differentiated, integers and others passed on
 * @param options `order`, `step`
 * @returns how many derivatives were compared, and the largest error
 * @throws GradError naming argument, element and both numbers when they differ, or when the point is a kink; DTypeError for
 *   float32, whose rounding hides errors; OptionError
 * @example await gradCheck((x: Tensor) => x.tanh().sum(), [tensor([0.5, -1], { dtype: 'float64' })], { order: 2 });
 * @see Griewank and Walther, Evaluating Derivatives, 2008; Ridders, Accurate computation of F'(x) and F'(x)F''(x), 1982
 */
export async function gradCheck<A extends readonly unknown[]>(
  fn: (...args: A) => unknown,
  args: A,
  options: GradCheckOptions = {},
): Promise<GradCheckReport> {
  checkFunction('gradCheck', 'fn', fn);
  checkOptions('gradCheck', options, ['order', 'step']);
  const { order = 1, step = EPS ** 0.2 } = options;
  if (order !== 1 && order !== 2) throw new OptionError(`gradCheck: order is ${shown(order)}, expected 1 or 2`);
  if (!(typeof step === 'number' && step > 0 && step < 1)) {
    throw new OptionError(`gradCheck: step is ${shown(step)}, expected a number in (0, 1)`);
  }
  if (!Array.isArray(args)) throw new GradError('gradCheck: args is no list; write gradCheck(fn, [x, y])');
  const inputs: Tensor[] = [];
  const names: string[] = [];
  args.forEach((arg: unknown, n) => {
    mapTree(arg, (x, path) => {
      if (!(x instanceof Tensor) || !isFloat(x.dtype)) return;
      if (x.dtype !== 'float64') {
        throw new DTypeError(`gradCheck: argument ${n}${path} is ${x.dtype}, expected float64; add .cast('float64')`);
      }
      inputs.push(x);
      names.push(`argument ${n}${path}`);
    });
  });
  if (inputs.length === 0) throw new GradError('gradCheck: no argument is a float tensor; nothing to differentiate');
  const flat: Flat = (...own) => {
    let next = 0;
    const given = args.map((arg: unknown) =>
      mapTree(arg, (x) => (x instanceof Tensor && isFloat(x.dtype) ? own[next++] : x)),
    );
    return leaves(fn(...(given as unknown as A))).filter((y): y is Tensor => y instanceof Tensor && isFloat(y.dtype));
  };
  const first = await checkOrder('gradient', flat, inputs, names, step);
  if (order === 1) return first;
  // (x, v) -> v^T J: its derivative by x is the second, by v the first again.
  const outputs = repeatingDraws(() => flat(...inputs));
  const product: Flat = (...xv) => gradientsOf(flat, xv.slice(0, inputs.length), xv.slice(inputs.length));
  const weights = outputs.map((y, i) => weightsOf(y, 0.7 + i));
  const allNames = [...names, ...weights.map((_, i) => `the cotangent of result ${i}`)];
  const second = await checkOrder('second derivative', product, [...inputs, ...weights], allNames, step);
  return { checked: first.checked + second.checked, maxError: Math.max(first.maxError, second.maxError) };
}

async function valuesOf(tensors: readonly Tensor[]): Promise<Float64Array[]> {
  return Promise.all(tensors.map((t) => t.data())) as Promise<Float64Array[]>;
}

async function checkOrder(
  what: string,
  fn: Flat,
  inputs: readonly Tensor[],
  names: readonly string[],
  step: number,
): Promise<GradCheckReport> {
  const outputs = repeatingDraws(() => fn(...inputs));
  for (const y of outputs) {
    if (y.dtype !== 'float64') throw new DTypeError(`gradCheck: the result is ${y.dtype}, expected float64`);
  }
  if (outputs.length === 0) throw new GradError('gradCheck: the function returned no float tensor');
  const cotangents = outputs.map(weightsOf);
  const weights = await valuesOf(cotangents);
  const grads = await valuesOf(repeatingDraws(() => gradientsOf(fn, inputs, cotangents)));
  const points = await valuesOf(inputs);
  const largest = Math.max(0, ...grads.map((g) => g.reduce((a, v) => Math.max(a, Math.abs(v)), 0)));
  let maxError = 0;
  let checked = 0;
  for (const [i, x] of inputs.entries()) {
    for (let e = 0; e < sizeOf(x.shape); e++) {
      const h = step * Math.max(1, Math.abs(points[i][e]));
      const at = (shift: number): Promise<Float64Array[]> => {
        const moved = points[i].slice();
        moved[e] += shift;
        const own = inputs.map((t, k) => (k === i ? tensor(moved, { shape: t.shape, dtype: 'float64' }) : t));
        return valuesOf(repeatingDraws(() => fn(...own)));
      };
      const [near, far] = await Promise.all([quotient(at, h, weights), quotient(at, 2 * h, weights)]);
      const difference = (4 * near.slope - far.slope) / 3;
      const unsettled = Math.abs(near.slope - far.slope);
      const tolerance = unsettled + (1.5 * ROUNDINGS * EPS * near.scale) / h;
      const error = Math.abs(grads[i][e] - difference);
      const place = `${what} of ${names[i]} [${x.shape}], element ${e}`;
      if (unsettled > 1e-3 * Math.max(largest, Math.abs(near.slope), 1e-2)) {
        throw new GradError(
          `gradCheck: ${place}: differences give ${near.slope} and, twice as far apart, ${far.slope}: there is a kink within ` +
            `${2 * h} of this point; move it, or check the sides apart with a smaller step`,
        );
      }
      if (!(error <= tolerance)) {
        throw new GradError(
          `gradCheck: ${place}: the rules give ${grads[i][e]}, differences give ${difference} within ${tolerance}`,
        );
      }
      maxError = Math.max(maxError, error);
      checked++;
    }
  }
  return { checked, maxError };
}

/** Central difference of the weighted results, and the sum of the absolute terms that were rounded in it. */
async function quotient(
  at: (shift: number) => Promise<Float64Array[]>,
  h: number,
  weights: readonly Float64Array[],
): Promise<{ slope: number; scale: number }> {
  const [up, down] = await Promise.all([at(h), at(-h)]);
  let slope = 0;
  let scale = 0;
  weights.forEach((list, k) => {
    for (const [j, w] of list.entries()) {
      slope += w * (up[k][j] - down[k][j]);
      scale += Math.abs(w) * Math.max(Math.abs(up[k][j]), Math.abs(down[k][j]));
    }
  });
  return { slope: slope / (2 * h), scale };
}
