import {
  add,
  cast,
  clip,
  concat,
  erf,
  exp,
  eye,
  hostNormals,
  hostUniforms,
  less,
  log,
  mul,
  neg,
  OptionError,
  pad,
  reshape,
  type Shape,
  ShapeError,
  sqrt,
  square,
  sub,
  type Tensor,
  tensor,
  uniform,
  where,
} from '../core.js';
import { checkOptions, shown } from '../options.js';
import { sizeOf } from '../shape.js';
import type { Initializer } from './init.js';
import { initializer } from './init-context.js';

export interface TruncatedNormalOptions {
  /** Default 0. */
  readonly mean?: number;
  /** Before truncation, > 0 (default 1). */
  readonly std?: number;
  /** Smallest and largest value, low < high (default −2 and 2: values, not multiples of std, as in PyTorch). */
  readonly low?: number;
  readonly high?: number;
}

/**
 * N(mean, std²) restricted to [low, high], by inversion: mean + std·√2·erf⁻¹(u), u uniform between erf of the bounds.
 * @throws OptionError unless std > 0, low < high, and the interval holds at least 1e-6 of the law.
 * @example new nn.Linear(784, 128, { init: nn.init.truncatedNormal({ std: 0.02, low: -0.04, high: 0.04 }) });
 * @see PyTorch, torch.nn.init.trunc_normal_.
 */
export function truncatedNormal(options: TruncatedNormalOptions = {}): Initializer {
  checkOptions('init.truncatedNormal', options, ['mean', 'std', 'low', 'high']);
  const { mean = 0, std = 1, low = -2, high = 2 } = options;
  const finite = [mean, std, low, high].every(Number.isFinite);
  if (!(finite && std > 0 && low < high)) {
    throw new OptionError(
      `init.truncatedNormal: got mean ${mean}, std ${std}, low ${low}, high ${high}, expected finite numbers, std > 0, low < high`,
    );
  }
  const [from, to] = [low, high].map((v) => erfOf((v - mean) / (std * Math.SQRT2)));
  if (!(to - from >= 2e-6)) {
    throw new OptionError(
      `init.truncatedNormal: [${low}, ${high}] holds less than 1e-6 of N(${mean}, ${std}²); choose bounds nearer to the mean`,
    );
  }
  return initializer('truncatedNormal', (shape, { dtype }) => {
    // In float64, where the tails of the inverse keep their digits.
    const z = inverseErf(uniform(shape, { low: from, high: to, dtype: 'float64' }));
    return cast(clip(add(mul(z, std * Math.SQRT2), mean), low, high), dtype);
  });
}

/** erf by the series 2/√π·e^(−x²)·Σ 2ⁿx^(2n+1)/(2n+1)!!, all terms of one sign (Abramowitz and Stegun 7.1.6). */
function erfOf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let total = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(total); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}

/** Giles (2012), Approximating the erfinv function, single precision; highest power first. */
const CENTRE = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164,
  0.246640727, 1.50140941,
];
const TAIL = [
  -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
  1.00167406, 2.83297682,
];

/** erf⁻¹ of values in (−1, 1): Giles's polynomials, then a Newton step, which squares their error of 4e-7. */
function inverseErf(y: Tensor): Tensor {
  const w = neg(log(mul(sub(1, y), add(1, y))));
  const polynomial = (coefficients: readonly number[], x: Tensor): Tensor =>
    coefficients.slice(1).reduce((p, c) => add(mul(p, x), c), add(mul(x, 0), coefficients[0]));
  const centre = less(w, 5);
  const p = where(centre, polynomial(CENTRE, sub(w, 2.5)), polynomial(TAIL, sub(sqrt(w), 3)));
  const x = mul(p, y);
  return sub(x, mul(mul(sub(erf(x), y), exp(square(x))), Math.sqrt(Math.PI) / 2));
}

export interface OrthogonalOptions {
  /** Factor of the whole matrix, finite (default 1). */
  readonly gain?: number;
}

/**
 * A random matrix with orthonormal rows or columns (whichever are fewer), times `gain`; further axes count as columns.
 * The Q of a QR decomposition of normal numbers with R's diagonal made positive, so that every rotation is equally likely.
 * Computed on the host when the layer is made: about 2·rows·columns·min(rows, columns) operations.
 * @returns an initialiser for two axes or more.
 * @throws OptionError for a gain that is not finite; ShapeError for fewer than two axes.
 * @example new nn.Linear(8, 4, { init: nn.init.orthogonal() });
 * @see Saxe, McClelland and Ganguli (2014), Exact solutions to the nonlinear dynamics of learning; PyTorch, orthogonal_.
 */
export function orthogonal(options: OrthogonalOptions = {}): Initializer {
  checkOptions('init.orthogonal', options, ['gain']);
  const { gain = 1 } = options;
  if (!Number.isFinite(gain))
    throw new OptionError(`init.orthogonal: gain is ${String(gain)}, expected a finite number`);
  return initializer('orthogonal', (shape, { dtype }) => {
    if (shape.length < 2) throw new ShapeError(`init.orthogonal: got [${shape}], expected two axes or more`);
    const [rows, columns] = [shape[0], sizeOf(shape.slice(1))];
    const [many, few] = [Math.max(rows, columns), Math.min(rows, columns)];
    const basis = orthonormal(hostNormals(many * few), few, many);
    const out = new Float64Array(rows * columns);
    for (let i = 0; i < few; i++) {
      for (let j = 0; j < many; j++)
        out[rows <= columns ? i * columns + j : j * columns + i] = gain * basis[i * many + j];
    }
    return cast(tensor(out, { shape: [...shape] }), dtype);
  });
}

/** Gram–Schmidt, twice over for full precision, of `count` vectors of length n one after the other. */
function orthonormal(vectors: Float64Array, count: number, n: number): Float64Array {
  for (let i = 0; i < count; i++) {
    const v = vectors.subarray(i * n, (i + 1) * n);
    for (let pass = 0; pass < 2; pass++) {
      for (let k = 0; k < i; k++) {
        const u = vectors.subarray(k * n, (k + 1) * n);
        let projection = 0;
        for (let j = 0; j < n; j++) projection += u[j] * v[j];
        for (let j = 0; j < n; j++) v[j] -= projection * u[j];
      }
    }
    const length = Math.sqrt(v.reduce((s, x) => s + x * x, 0));
    for (let j = 0; j < n; j++) v[j] /= length;
  }
  return vectors;
}

export interface SparseOptions {
  /** Inputs of each unit that are not zero, a whole number >= 1. */
  readonly nonZero: number;
  /** Standard deviation of those, > 0 (default 0.01, PyTorch's). */
  readonly std?: number;
}

/**
 * N(0, std²) on exactly `nonZero` random inputs of each unit, zero elsewhere. PyTorch's `sparse_` zeroes a share of each
 * input's connections instead.
 * @throws OptionError for options out of range, or more non-zero inputs than there are; ShapeError unless there are two axes.
 * @example new nn.Linear(784, 128, { init: nn.init.sparse({ nonZero: 15, std: 1 }) });
 * @see Martens (2010), Deep learning via Hessian-free optimization.
 */
export function sparse(options: SparseOptions): Initializer {
  checkOptions('init.sparse', options, ['nonZero', 'std']);
  const { nonZero, std = 0.01 } = options;
  if (!Number.isInteger(nonZero) || nonZero < 1) {
    throw new OptionError(`init.sparse: nonZero is ${String(nonZero)}, expected a whole number >= 1`);
  }
  if (!(typeof std === 'number' && std > 0 && std < Infinity))
    throw new OptionError(`init.sparse: std is ${shown(std)}, expected a number > 0`);
  return initializer('sparse', (shape, { dtype }) => {
    if (shape.length !== 2) throw new ShapeError(`init.sparse: got [${shape}], expected [units, inputs]`);
    const [units, inputs] = shape;
    if (nonZero > inputs) {
      throw new OptionError(`init.sparse: nonZero is ${nonZero}, expected at most the ${inputs} inputs of a unit`);
    }
    const values = hostNormals(units * nonZero);
    const draws = hostUniforms(units * nonZero);
    const out = new Float64Array(units * inputs);
    const order = Int32Array.from({ length: inputs }, (_, i) => i);
    for (let u = 0; u < units; u++) {
      // The first steps of Fisher–Yates; whatever order is left from the unit before is as good a start.
      for (let i = 0; i < nonZero; i++) {
        const j = i + Math.floor(draws[u * nonZero + i] * (inputs - i));
        const chosen = order[j];
        order[j] = order[i];
        order[i] = chosen;
        out[u * inputs + chosen] = std * values[u * nonZero + i];
      }
    }
    return cast(tensor(out, { shape: [...shape] }), dtype);
  });
}

/**
 * The identity matrix times `gain`: inputs pass through unchanged (as far as there are units).
 * @returns an initialiser for two axes.
 * @throws OptionError for a gain that is not finite; ShapeError unless there are two axes.
 * @example new nn.Linear(8, 8, { init: nn.init.identity() });
 * @see PyTorch, torch.nn.init.eye_.
 */
export function identity(options: { gain?: number } = {}): Initializer {
  checkOptions('init.identity', options, ['gain']);
  const { gain = 1 } = options;
  if (!Number.isFinite(gain)) throw new OptionError(`init.identity: gain is ${String(gain)}, expected a finite number`);
  return initializer('identity', (shape, { dtype }) => {
    if (shape.length !== 2) {
      throw new ShapeError(`init.identity: got [${shape}], expected [units, inputs]; use dirac for convolutions`);
    }
    return mul(eye(shape[0], shape[1], { dtype }), gain);
  });
}

export interface DiracOptions {
  /** Groups of the convolution, each an identity of its own: a divisor of the outputs (default 1). */
  readonly groups?: number;
}

/**
 * The identity of convolutions: 1 in the middle of the kernel from each input channel to the output of its number in its group.
 * @throws OptionError for groups that do not divide the outputs; ShapeError unless there are 3 to 5 axes `[out, in / groups, …kernel]`.
 * @example new nn.Conv2d(8, 8, 3, { padding: 1, groups: 8, init: nn.init.dirac({ groups: 8 }) });
 * @see PyTorch, torch.nn.init.dirac_.
 */
export function dirac(options: DiracOptions = {}): Initializer {
  checkOptions('init.dirac', options, ['groups']);
  const { groups = 1 } = options;
  return initializer('dirac', (shape, { dtype }) => {
    if (shape.length < 3 || shape.length > 5) {
      throw new ShapeError(`init.dirac: got [${shape}], expected [out, in, …kernel]; use identity for dense layers`);
    }
    if (!Number.isInteger(groups) || groups < 1 || shape[0] % groups !== 0) {
      throw new OptionError(`init.dirac: groups is ${String(groups)}, expected a divisor of the ${shape[0]} outputs`);
    }
    const kernel = shape.slice(2);
    const one = eye(shape[0] / groups, shape[1], { dtype });
    const all = groups === 1 ? one : concat(new Array<Tensor>(groups).fill(one));
    const centre = reshape(all, [shape[0], shape[1], ...kernel.map(() => 1)] as Shape);
    const around = kernel.map((k): [number, number] => [Math.floor(k / 2), k - 1 - Math.floor(k / 2)]);
    return pad(centre, [[0, 0], [0, 0], ...around]);
  });
}

/**
 * Output bias from class frequencies, so that training starts at the classes' base rates instead of learning them first:
 * log pᵢ before a softmax; log(p₁/p₀) for a single output before a sigmoid.
 * @param counts how often each class occurs (or shares), > 0; two numbers [negative, positive] for a single output.
 * @throws OptionError for fewer than two classes or a class that never occurs; ShapeError when the bias has another size.
 * @example new nn.Linear(128, 3, { biasInit: nn.init.outputBias([700, 200, 100]) });
 * @see Karpathy (2019), A recipe for training neural networks.
 */
export function outputBias(counts: readonly number[]): Initializer {
  if (!Array.isArray(counts) || counts.length < 2) {
    throw new OptionError('init.outputBias: expected the counts of two classes or more');
  }
  counts.forEach((n, i) => {
    if (Number.isFinite(n) && n > 0) return;
    throw new OptionError(
      `init.outputBias: class ${i} has count ${String(n)}, expected a finite number > 0; add 1 to each for classes not seen`,
    );
  });
  const total = counts.reduce((a, b) => a + b, 0);
  const logs = counts.map((n) => Math.log(n / total));
  return initializer('outputBias', (shape, { dtype }) => {
    const single = counts.length === 2 && sizeOf(shape) === 1;
    if (!single && (shape.length !== 1 || shape[0] !== counts.length)) {
      throw new ShapeError(`init.outputBias: got a bias [${shape}] for ${counts.length} classes`);
    }
    const values = Float64Array.from(single ? [Math.log(counts[1] / counts[0])] : logs);
    return cast(tensor(values, { shape: [...shape] }), dtype);
  });
}
