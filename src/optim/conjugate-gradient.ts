import { compile, DataError, isFloat, matmul, OptionError, reshape, ShapeError, Tensor, tensor } from '../core.js';
import { checkOptions, shown } from '../options.js';
import { checkRange } from './options.js';
import { dot, plus, type Vector } from './vectors.js';

export interface ConjugateGradientOptions {
  /** Where to start (default zeros). */
  readonly x0?: Tensor;
  /** Done when ‖b − A·x‖ <= tolerance·‖b‖, >= 0 (default 1e-6 in float32, 1e-12 in float64). */
  readonly tolerance?: number;
  /** Most steps (default the number of unknowns, which exact arithmetic never exceeds). */
  readonly maxIterations?: number;
}

/**
 * Solves A·x = b for a symmetric positive definite A, which is the minimum of ½·xᵀA·x − bᵀx, in at most n steps of exact
 * arithmetic.
 *
 * α = r·r / p·Ap; x ← x + α·p; r₁ = r − α·Ap; p ← r₁ + (r₁·r₁ / r·r)·p.
 *
 * @param a matrix [n, n], or a function v → A·v of ops, so that A need not exist.
 * @param b right side [n], float32 or float64.
 * @returns x [n], ‖b − A·x‖, the steps taken and whether the tolerance was met.
 * @throws OptionError, ShapeError for arguments; DataError when A turns out not to be positive definite.
 * @example
 * const { x } = await optim.conjugateGradient(tensor([[4, 1], [1, 3]]), tensor([1, 2]));
 * @see Hestenes and Stiefel (1952), Methods of conjugate gradients for solving linear systems.
 */
export async function conjugateGradient(
  a: Tensor | ((v: Tensor) => Tensor),
  b: Tensor,
  options: ConjugateGradientOptions = {},
): Promise<{ readonly x: Tensor; readonly residual: number; readonly iterations: number; readonly success: boolean }> {
  checkOptions('conjugateGradient', options, ['x0', 'tolerance', 'maxIterations']);
  for (const x of typeof a === 'function' ? [b] : [a, b]) {
    if (!(x instanceof Tensor)) throw new OptionError(`conjugateGradient: got ${shown(x)}, expected a Tensor`);
  }
  const [n] = b.shape;
  const { dtype } = b;
  if (b.shape.length !== 1 || !isFloat(dtype)) {
    throw new ShapeError(`conjugateGradient: got b of ${dtype} [${b.shape}], expected a float vector`);
  }
  if (typeof a !== 'function' && (a.shape.length !== 2 || a.shape[0] !== n || a.shape[1] !== n)) {
    throw new ShapeError(`conjugateGradient: got A [${a.shape}], expected [${n}, ${n}] for b [${n}]`);
  }
  const { tolerance = dtype === 'float64' ? 1e-12 : 1e-6, maxIterations = n, x0 } = options;
  checkRange('conjugateGradient', 'tolerance', tolerance, 0);
  if (!(Number.isSafeInteger(maxIterations) && maxIterations >= 1)) {
    throw new OptionError(`conjugateGradient: maxIterations is ${shown(maxIterations)}, expected a whole number >= 1`);
  }
  const times = compile((v: Tensor) => (typeof a === 'function' ? a(v) : reshape(matmul(a, reshape(v, [n, 1])), [n])));
  const toTensor = (v: Vector) => tensor(dtype === 'float64' ? v : Float32Array.from(v), { dtype });
  const product = async (v: Vector) => Float64Array.from(await times(toTensor(v)).data());
  const right = Float64Array.from(await b.data());
  let x: Vector = x0 === undefined ? new Float64Array(n) : Float64Array.from(await x0.data());
  let r: Vector = x0 === undefined ? right : plus(right, -1, await product(x));
  let [p, rr] = [r, dot(r, r)];
  const enough = tolerance * Math.sqrt(dot(right, right));
  let iterations = 0;
  for (; iterations < maxIterations && Math.sqrt(rr) > enough; iterations++) {
    const ap = await product(p);
    const curvature = dot(p, ap);
    if (!(curvature > 0)) {
      throw new DataError(
        `conjugateGradient: A is not positive definite: p·Ap is ${curvature} in step ${iterations + 1}`,
      );
    }
    const alpha = rr / curvature;
    x = plus(x, alpha, p);
    r = plus(r, -alpha, ap);
    const next = dot(r, r);
    p = plus(r, next / rr, p);
    rr = next;
  }
  const residual = Math.sqrt(rr);
  return { x: toTensor(x), residual, iterations, success: residual <= enough };
}
