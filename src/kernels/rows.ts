import { OptionError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import * as ops from '../ops/index.js';
import { checkOptions, shown } from '../options.js';
import { cached } from './cache.js';
import { checkCount, type RealArray, realOf } from './gemm.js';

/** Arguments of {@link softmax}. */
export interface SoftmaxKernelOptions<T extends RealArray = RealArray> {
  readonly rows: number;
  readonly columns: number;
  /** [rows, columns] */
  readonly x: T;
  /** [rows, columns] */
  readonly out: T;
  /** The logarithm of it instead, default false. */
  readonly log?: boolean;
}

/**
 * Softmax of each row: out[i, j] = exp(x[i, j]) / sum over j of exp(x[i, j]), with the row's maximum taken off first.
 *
 * @throws ShapeError or OptionError as {@link gemm}.
 * @example
 * const out = new Float32Array(2);
 * softmax({ rows: 1, columns: 2, x: Float32Array.of(0, 0), out });
 * console.log(out); // Float32Array(2) [ 0.5, 0.5 ]
 */
export function softmax<T extends RealArray>(options: SoftmaxKernelOptions<T>): void {
  checkOptions('softmax', options, ['rows', 'columns', 'x', 'out', 'log']);
  const { rows, columns, x, out, log = false } = options;
  const dtype = realOf('softmax', out);
  checkCount('rows', rows);
  checkCount('columns', columns);
  const run = cached(`softmax ${dtype} ${rows} ${columns} ${log}`, () => [
    [{ name: 'x', dtype, shape: [rows, columns] }],
    (t: Tensor) => (log ? ops.logSoftmax(t) : ops.softmax(t)),
    { names: ['out'] },
  ]);
  run([x], [out]);
}

/**
 * Sum of all elements in a fixed order: the same bits for any number of threads, error growing with log(n).
 *
 * @throws OptionError when `x` is not a Float32Array or Float64Array, detached or shared.
 * @example console.log(sum(Float32Array.of(1, 2, 3))); // 6
 */
export function sum(x: RealArray): number {
  const dtype = realOf('sum', x);
  const run = cached(`sum ${dtype} ${x.length}`, () => [
    [{ name: 'x', dtype, shape: [x.length] }],
    (t: Tensor) => ops.sum(t),
    {},
  ]);
  const out = dtype === 'float32' ? new Float32Array(1) : new Float64Array(1);
  run([x], [out]);
  return out[0];
}

/** Arguments of {@link axpy}. */
export interface AxpyOptions<T extends RealArray = RealArray> {
  readonly alpha: number;
  readonly x: T;
  /** As long as `x`; replaced. */
  readonly y: T;
}

/**
 * y = alpha x + y, in place.
 *
 * @throws ShapeError or OptionError as {@link gemm}.
 * @example
 * const y = Float32Array.of(1, 1);
 * axpy({ alpha: 2, x: Float32Array.of(1, 2), y });
 * console.log(y); // Float32Array(2) [ 3, 5 ]
 */
export function axpy<T extends RealArray>(options: AxpyOptions<T>): void {
  checkOptions('axpy', options, ['alpha', 'x', 'y']);
  const { alpha, x, y } = options;
  if (typeof alpha !== 'number') throw new OptionError(`axpy: alpha is ${shown(alpha)}, expected a number`);
  const dtype = realOf('axpy', y);
  const shape = [y.length];
  const run = cached(`axpy ${dtype} ${y.length}`, () => [
    [
      { name: 'alpha', dtype, shape: [] },
      { name: 'x', dtype, shape },
      { name: 'y', dtype, shape },
    ],
    (a: Tensor, p: Tensor, q: Tensor) => p.mul(a).add(q),
    { into: [2] },
  ]);
  run([dtype === 'float32' ? Float32Array.of(alpha) : Float64Array.of(alpha), x, y]);
}

const FUNCTIONS = {
  exp: ops.exp,
  expm1: ops.expm1,
  log: ops.log,
  log1p: ops.log1p,
  sqrt: ops.sqrt,
  rsqrt: ops.rsqrt,
  sin: ops.sin,
  cos: ops.cos,
  tanh: ops.tanh,
  sigmoid: ops.sigmoid,
  erf: ops.erf,
  softplus: ops.softplus,
  relu: ops.relu,
  gelu: (x: Tensor) => ops.gelu(x),
  silu: ops.silu,
  abs: ops.abs,
  neg: ops.neg,
};
/** Functions that {@link map} knows. */
export type MapFunction = keyof typeof FUNCTIONS;

/**
 * out[i] = f(x[i]) for a named function, vectorised.
 *
 * @param f one of exp, expm1, log, log1p, sqrt, rsqrt, sin, cos, tanh, sigmoid, erf, softplus, relu, gelu, silu, abs, neg.
 * @throws ShapeError or OptionError as {@link gemm}.
 * @example
 * const out = new Float32Array(2);
 * map('relu', Float32Array.of(-1, 2), out);
 * console.log(out); // Float32Array(2) [ 0, 2 ]
 */
export function map<T extends RealArray>(f: MapFunction, x: T, out: T): void {
  if (typeof f !== 'string' || !Object.hasOwn(FUNCTIONS, f)) {
    throw new OptionError(`map: no function ${shown(f)}; expected one of ${Object.keys(FUNCTIONS)}`);
  }
  const dtype = realOf('map', out);
  const run = cached(`map ${f} ${dtype} ${out.length}`, () => {
    return [[{ name: 'x', dtype, shape: [out.length] }], (t: Tensor) => FUNCTIONS[f](t), { names: ['out'] }];
  });
  run([x], [out]);
}
