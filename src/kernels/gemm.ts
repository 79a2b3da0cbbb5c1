import type { FloatDType } from '../dtype.js';
import { didYouMean, OptionError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { gelu, matmul, relu, sigmoid, tanh } from '../ops/index.js';
import { checkOptions, shown } from '../options.js';
import { cached } from './cache.js';
import type { ArraySpec } from './kernel.js';

/** A typed array of real numbers. */
export type RealArray = Float32Array | Float64Array;

const ACTIVATIONS = { none: (x: Tensor) => x, relu, tanh, sigmoid, gelu: (x: Tensor) => gelu(x) };

/** Arguments of {@link gemm}. Matrices are dense and row-major, all Float32Array or all Float64Array. */
export interface GemmOptions<T extends RealArray = RealArray> {
  /** Rows of C, columns of C, and the length of the sums; whole numbers >= 0. */
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** [m, k], or [k, m] with `transA`; times `batch`. */
  readonly a: T;
  /** [k, n], or [n, k] with `transB`; times `batch`. */
  readonly b: T;
  /** [m, n], times `batch`: overwritten, or scaled by `beta` and added to. */
  readonly c: T;
  readonly transA?: boolean;
  readonly transB?: boolean;
  /** Factor of the product, default 1. */
  readonly alpha?: number;
  /** Factor of the old C, default 0: C is not read, so NaN in it does not spread. */
  readonly beta?: number;
  /** [n], added to every row. */
  readonly bias?: T;
  /** Applied last, default 'none'. */
  readonly activation?: 'none' | 'relu' | 'tanh' | 'sigmoid' | 'gelu';
  /** Number of products, default 1; operand i starts at i times its size. */
  readonly batch?: number;
}

const OPTIONS: readonly string[] = [
  'm',
  'n',
  'k',
  'a',
  'b',
  'c',
  'transA',
  'transB',
  'alpha',
  'beta',
  'bias',
  'activation',
  'batch',
] satisfies readonly (keyof GemmOptions)[];

/**
 * Matrix product on typed arrays, in place: C = activation(alpha op(A) op(B) + beta C + bias).
 *
 * Bias and activation are applied while C is in registers. alpha and beta other than 1 and 0 take one more pass over C.
 * Rounding does not depend on the number of threads.
 *
 * @throws ShapeError when a length does not fit m, n, k; OptionError when types mix, C overlaps another array, or a buffer is
 *   detached or shared.
 * @example
 * const c = new Float32Array(4);
 * gemm({ m: 2, n: 2, k: 2, a: Float32Array.of(1, 2, 3, 4), b: Float32Array.of(5, 6, 7, 8), c });
 * console.log(c); // Float32Array(4) [ 19, 22, 43, 50 ]
 */
export function gemm<T extends RealArray>(options: GemmOptions<T>): void {
  checkOptions('gemm', options, OPTIONS);
  const { m, n, k, a, b, c, bias, transA = false, transB = false, alpha = 1, beta = 0, batch = 1 } = options;
  const { activation = 'none' } = options;
  const dtype = realOf('gemm', c);
  for (const [name, value] of [
    ['m', m],
    ['n', n],
    ['k', k],
    ['batch', batch],
  ] as const)
    checkCount(name, value);
  const key = `gemm ${dtype} ${batch} ${m} ${n} ${k} ${transA} ${transB} ${alpha !== 1} ${beta !== 0} ${bias !== undefined} ${activation}`;
  const run = cached(key, () => {
    const f = ACTIVATIONS[activation];
    if (f === undefined) {
      const known = Object.keys(ACTIVATIONS);
      throw new OptionError(
        `gemm: activation is ${shown(activation)}, expected one of ${known}.${didYouMean(String(activation), known)}`,
      );
    }
    const lead = batch === 1 ? [] : [batch];
    const specs: ArraySpec[] = [
      { name: 'a', dtype, shape: [...lead, ...(transA ? [k, m] : [m, k])] },
      { name: 'b', dtype, shape: [...lead, ...(transB ? [n, k] : [k, n])] },
    ];
    if (alpha !== 1) specs.push({ name: 'alpha', dtype, shape: [] });
    if (beta !== 0) specs.push({ name: 'c', dtype, shape: [...lead, m, n] }, { name: 'beta', dtype, shape: [] });
    if (bias !== undefined) specs.push({ name: 'bias', dtype, shape: [n] });
    const build = (...inputs: readonly Tensor[]) => {
      let next = 2;
      let y = matmul(inputs[0], inputs[1], { transA, transB });
      if (alpha !== 1) y = y.mul(inputs[next++]);
      if (beta !== 0) y = y.add(inputs[next++].mul(inputs[next++]));
      if (bias !== undefined) y = y.add(inputs[next++]);
      return f(y);
    };
    return [specs, build, { into: [beta === 0 ? null : alpha === 1 ? 2 : 3], names: ['c'] }] as const as [
      ArraySpec[],
      typeof build,
      { into: (number | null)[]; names: string[] },
    ];
  });
  const scalar = (x: number) => (dtype === 'float32' ? Float32Array.of(x) : Float64Array.of(x));
  const inputs: RealArray[] = [a, b];
  if (alpha !== 1) inputs.push(scalar(alpha));
  if (beta !== 0) inputs.push(c, scalar(beta));
  if (bias !== undefined) inputs.push(bias);
  run(inputs, beta === 0 ? [c] : []);
}

/** The dtype of an output array. */
export function realOf(op: string, array: RealArray): FloatDType {
  if (array instanceof Float32Array) return 'float32';
  if (array instanceof Float64Array) return 'float64';
  throw new OptionError(`${op}: the output is ${shown(array)}, expected a Float32Array or Float64Array`);
}

export function checkCount(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new OptionError(`kernels: ${name} is ${shown(value)}, expected a whole number >= 0`);
  }
}
