import { isFloat } from '../dtype.js';
import { GradError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { add, alias, arange, cos, full, mul, pad, reshape, sum, zerosLike } from '../ops/index.js';
import { sizeOf } from '../shape.js';
import { pullBack, record } from './reverse.js';

/** A function to check: tensors to one tensor or several. */
export type Checked = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

export interface GradcheckOptions {
  /** Computes graph nodes, for example with the reference interpreter or `dataSync`. */
  readonly evaluate: (roots: readonly Tensor[]) => readonly Float64Array[];
  /** 1 (default) checks gradients, 2 also gradients of gradients. */
  readonly order?: 1 | 2;
  /** Distance of the two points of a difference quotient; default 1e-6. */
  readonly eps?: number;
  /** Largest absolute error; default 1e-5. */
  readonly atol?: number;
  /** Largest error relative to the difference quotient; default 1e-3. */
  readonly rtol?: number;
}

/**
 * Compares gradient rules with central differences of every element, in float64.
 * `d/dx_i ~ (L(x + eps e_i) - L(x - eps e_i)) / (2 eps)` with L a fixed weighted sum of the outputs; the second order checks
 * (x, v) -> v^T J in the same way.
 * @param fn a function that is smooth near the inputs
 * @param inputs float64 tensors, which are differentiated; other dtypes are passed through
 * @returns nothing when all agree
 * @throws GradError naming the input, element, and both values
 * @example gradcheck((x) => x.tanh(), [tensor([0.5, -1], { dtype: 'float64' })], { evaluate });
 * @see PyTorch, "Gradcheck mechanics" (notes); Griewank and Walther, Evaluating Derivatives, 2008
 */
export function gradcheck(fn: Checked, inputs: readonly Tensor[], options: GradcheckOptions): void {
  checkFirstOrder('gradient', fn, inputs, options);
  if (options.order !== 2) return;
  const n = inputs.length;
  const outputs = outputsOf(fn, inputs).filter((y) => isFloat(y.dtype));
  const weights = outputs.map((y, i) => weightsOf(y, 0.7 + i));
  // (x, v) -> v^T J, whose derivative with respect to x is the second and to v the first derivative again.
  const product: Checked = (...xv) => gradientsOf(fn, xv.slice(0, n), xv.slice(n));
  checkFirstOrder('second derivative', product, [...inputs, ...weights], options);
}

export function outputsOf(fn: Checked, inputs: readonly Tensor[]): readonly Tensor[] {
  const result = fn(...inputs);
  return Array.isArray(result) ? (result as readonly Tensor[]) : [result as Tensor];
}

/** Fixed weights without structure, so that no error cancels. */
export function weightsOf(y: Tensor, phase: number): Tensor {
  const n = sizeOf(y.shape);
  return reshape(cos(add(mul(arange(0, n, 1, { dtype: y.dtype }), 1.7), phase)), y.shape);
}

/** Gradients of the float inputs for given cotangents of the float outputs. */
export function gradientsOf(fn: Checked, inputs: readonly Tensor[], cotangents: readonly Tensor[]): Tensor[] {
  const given = inputs.map((x) => (isFloat(x.dtype) ? alias(x) : x));
  const sources = given.flatMap((tensor, i) => (isFloat(tensor.dtype) ? [{ tensor, name: `input ${i}` }] : []));
  const { result, tape } = record(() => outputsOf(fn, given).filter((y) => isFloat(y.dtype)));
  const grads = pullBack(
    'gradcheck',
    tape,
    result.map((y, i): [Tensor, Tensor] => [y, cotangents[i]]),
    sources,
  );
  return grads.map((g, i) => g ?? zerosLike(sources[i].tensor));
}

function checkFirstOrder(what: string, fn: Checked, inputs: readonly Tensor[], options: GradcheckOptions): void {
  const { evaluate, eps = 1e-6, atol = 1e-5, rtol = 1e-3 } = options;
  const float = inputs.flatMap((x, i) => (isFloat(x.dtype) ? [i] : []));
  const loss = (at: readonly Tensor[]): Tensor => {
    const terms = outputsOf(fn, at)
      .filter((y) => isFloat(y.dtype))
      .map((y, i) => sum(mul(y, weightsOf(y, i))));
    return terms.reduce((a, b) => add(a, b), full([], 0, { dtype: 'float64' }));
  };
  const cotangents = outputsOf(fn, inputs)
    .filter((y) => isFloat(y.dtype))
    .map((y, i) => weightsOf(y, i));
  const roots: Tensor[] = gradientsOf(fn, inputs, cotangents);
  for (const i of float) {
    for (let e = 0; e < sizeOf(inputs[i].shape); e++) {
      for (const step of [eps, -eps]) {
        roots.push(loss(inputs.map((x, j) => (j === i ? add(x, bump(x, e, step)) : x))));
      }
    }
  }
  const values = evaluate(roots);
  let next = float.length;
  float.forEach((i, k) => {
    for (let e = 0; e < sizeOf(inputs[i].shape); e++) {
      const numeric = (values[next][0] - values[next + 1][0]) / (2 * eps);
      next += 2;
      const analytic = values[k][e];
      if (!(Math.abs(analytic - numeric) <= atol + rtol * Math.abs(numeric))) {
        throw new GradError(
          `gradcheck: ${what} of input ${i} [${inputs[i].shape}], element ${e}: rule gives ${analytic}, differences give ${numeric}`,
        );
      }
    }
  });
}

/** `step` at element e of a tensor like x, zero elsewhere. */
function bump(x: Tensor, e: number, step: number): Tensor {
  const one = full([1], step, { dtype: x.dtype });
  return reshape(pad(one, [[e, sizeOf(x.shape) - e - 1]]), x.shape);
}
