import type { DType, FloatDType } from '../dtype.js';
import { knownDType } from '../dtype.js';
import { DTypeError, OptionError, TraceError } from '../errors.js';
import { fullLeaf } from '../graph/leaves.js';
import { f64Words, type Lowering, type OpDef } from '../graph/op.js';
import { nextOpIndex, opDraw } from '../graph/rng.js';
import { type Attrs, build, type Tensor } from '../graph/tensor.js';
import { graphState } from '../graph/trace.js';
import { checkOptions, shown, wholeNumber } from '../options.js';
import { checkSizes, type Shape, sizeOf } from '../shape.js';
import { equal, where } from './compare.js';
import { type ArrayReference, defineOp } from './define.js';
import { mul } from './elementwise.js';
import { cast, type Operand, operandOf } from './operand.js';
import { type Draw, kept, normals, uniforms } from './philox.js';

/** Order of the codes in opcodes.inc. */
const DISTRIBUTIONS = ['uniform', 'normal', 'bernoulli'] as const;
type Distribution = (typeof DISTRIBUTIONS)[number];

/** attrs: shape, dtype, a and b (parameters of the distribution), index in the stream. */
function defineRandom(name: Distribution, sample: (n: number, at: Draw, a: number, b: number) => Float64Array): OpDef {
  const reference: ArrayReference = (_, attrs, [{ shape, dtype }]) => ({
    data: sample(sizeOf(shape), drawOf(attrs, dtype), attrs.a as number, attrs.b as number),
    shape,
  });
  return defineOp(name, {
    kind: 'coarse',
    random: true,
    infer: (_, attrs) => ({ shape: attrs.shape as Shape, dtype: attrs.dtype as DType }),
    vjp: null,
    reference,
    // Reached for 'different' only: the same numbers for all are no op of any sample.
    batch: ({ size, attrs }) => build(randomOps[name], [], { ...attrs, shape: [size, ...(attrs.shape as Shape)] }),
    lower: ({ outs: [out], attrs }): Lowering => ({
      opcode: 'RANDOM',
      params: [
        DISTRIBUTIONS.indexOf(name),
        sizeOf(out.shape),
        ...f64Words(attrs.a as number),
        ...f64Words(attrs.b as number),
      ],
      tail: ['rngOffset', 'rng', { out: 0 }],
    }),
  });
}

/** Where a node built outside a trace draws from. */
function drawOf(attrs: Attrs, dtype: DType): Draw {
  const { key, counter } = opDraw(attrs.index as number);
  return { key, index: counter, dtype: dtype as FloatDType };
}

/** Records of random ops. The stream index is an attribute: equal nodes are equal numbers, backward repeats forward's. */
export const randomOps = {
  uniform: defineRandom('uniform', (n, at, a, b) => uniforms(n, at).map((u) => a + (b - a) * u)),
  normal: defineRandom('normal', (n, at, mean, std) => normals(n, at).map((z) => mean + std * z)),
  bernoulli: defineRandom('bernoulli', (n, at, p) => uniforms(n, at).map((u) => Number(u < p))),
  /** attrs: p, index. Linear in x, so the gradient is the same op with the same mask. */
  dropout: defineOp('dropout', {
    kind: 'coarse',
    random: true,
    infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
    vjp: ({ g, attrs }) => [sameMask(g, attrs)],
    batch: ({ inputs: [x], samples: [one], full, attrs, randomness }) => {
      if (randomness === 'different') return sameMask(full(0), attrs);
      const mask = sameMask(onesOf(one), attrs);
      return where(equal(mask, 0), 0, mul(x, mask)); // 0 also where x is not finite
    },
    reference: ([x], attrs, [out]) => {
      const p = attrs.p as number;
      const mask = kept(x.data.length, p, drawOf(attrs, out.dtype));
      return { data: x.data.map((v, i) => (mask[i] === 1 ? v * (1 / (1 - p)) : 0)), shape: x.shape };
    },
    lower: ({ inputs: [x], attrs }) => ({
      opcode: 'DROPOUT',
      params: [sizeOf(x.shape), ...f64Words(attrs.p as number)],
      tail: ['rngOffset', 'rng', { in: 0 }, { out: 0 }],
    }),
  }),
};

function onesOf(like: Tensor): Tensor {
  return fullLeaf(like.shape, 1, like.dtype);
}

function sameMask(x: Tensor, attrs: Attrs): Tensor {
  return build(randomOps.dropout, [x], attrs);
}

function random(op: OpDef, shape: Shape, a: number, b: number, dtype: DType): Tensor {
  if (dtype !== 'float32' && dtype !== 'float64') {
    throw new DTypeError(`${op.name}: got ${dtype}, expected float32 or float64; cast the result`);
  }
  checkSizes(op.name, shape);
  return build(op, [], { shape: [...shape], a, b, dtype, index: nextOpIndex() });
}

/**
 * Uniform random numbers in [low, high).
 * @param shape sizes
 * @param options `low` default 0; `high` default 1, above low; `dtype` float32 (default, 24 random bits) or float64 (53)
 * @returns `shape`
 * @throws OptionError for illegal bounds, DTypeError for integers
 * @example seed(1); uniform([2, 3], { low: -1 });
 * @see Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, 2011
 */
export function uniform(shape: Shape, options: { low?: number; high?: number; dtype?: DType } = {}): Tensor {
  checkOptions('uniform', options, ['low', 'high', 'dtype']);
  const { low = 0, high = 1, dtype = 'float32' } = options;
  if (!(typeof low === 'number' && low < high) || !Number.isFinite(high - low)) {
    throw new OptionError(`uniform: got low ${shown(low)} and high ${high}, expected finite numbers with low < high`);
  }
  return random(randomOps.uniform, shape, low, high, dtype);
}

/**
 * Normal (Gaussian) random numbers.
 * @param shape sizes
 * @param options `mean` default 0; `std` standard deviation, >= 0, default 1; `dtype` float32 (default) or float64
 * @returns `shape`
 * @throws OptionError for illegal parameters, DTypeError for integers
 * @example seed(1); normal([2, 3], { std: 0.02 });
 * @see Box and Muller, A Note on the Generation of Random Normal Deviates, 1958
 */
export function normal(shape: Shape, options: { mean?: number; std?: number; dtype?: DType } = {}): Tensor {
  checkOptions('normal', options, ['mean', 'std', 'dtype']);
  const { mean = 0, std = 1, dtype = 'float32' } = options;
  if (!Number.isFinite(mean) || !Number.isFinite(std) || std < 0) {
    throw new OptionError(`normal: got mean ${mean} and std ${std}, expected finite numbers and std >= 0`);
  }
  return random(randomOps.normal, shape, mean, std, dtype);
}

/**
 * 1 with probability p, else 0.
 * @param shape sizes
 * @param options `p` probability of 1, 0 … 1, default 0.5; `dtype` any, default float32
 * @returns `shape`
 * @throws OptionError when p is not a probability
 * @example seed(1); bernoulli([4], { p: 0.2, dtype: 'bool' });
 */
export function bernoulli(shape: Shape, options: { p?: number; dtype?: DType } = {}): Tensor {
  checkOptions('bernoulli', options, ['p', 'dtype']);
  const { p = 0.5, dtype = 'float32' } = options;
  knownDType('bernoulli', dtype);
  checkProbability('bernoulli', p);
  return cast(random(randomOps.bernoulli, shape, p, 0, dtype === 'float64' ? 'float64' : 'float32'), dtype);
}

/**
 * Sets elements to zero at random and scales the others so that the mean stays.
 * `x * (1 / (1 - p))` with probability 1 - p, else 0. The mask is never stored: backward draws it again.
 * @param x float, any shape
 * @param p probability of zero, 0 … 1; of float32 to the nearest multiple of 2^-16, the scale is that of p itself
 * @returns the shape of `x`
 * @throws OptionError when p is not a probability, DTypeError for integers and bool
 * @example seed(1); dropout(ones([8]), 0.5);
 * @see Srivastava et al., Dropout, 2014
 */
export function dropout(x: Operand, p: number): Tensor {
  checkProbability('dropout', p);
  const t = operandOf('dropout', x, 'float');
  return build(randomOps.dropout, [t], { p, index: nextOpIndex() });
}

function checkProbability(op: string, p: number): void {
  if (!(typeof p === 'number' && p >= 0 && p <= 1)) {
    throw new OptionError(`${op}: got p = ${shown(p)}, expected a probability in [0, 1]`);
  }
}

/** Where numbers drawn on the host come from: the next index of the stream, as a random op would take it. */
function hostDraw(what: string): Draw {
  if (graphState.trace !== null) {
    throw new TraceError(`${what}: draws on the host, which a compiled function cannot repeat; move it out of compile`);
  }
  const { key, counter } = opDraw(nextOpIndex());
  return { key, index: counter, dtype: 'float64' };
}

/**
 * `n` standard normal numbers drawn now on the host, for algorithms that need values rather than nodes (orthogonal and sparse
 * initialisation). Takes one index of the stream of `seed()`.
 * @throws TraceError inside `compile`
 * @example seed(1); hostNormals(3); // Float64Array
 */
export function hostNormals(n: number): Float64Array {
  return normals(wholeNumber('hostNormals: n', n, 0), hostDraw('hostNormals'));
}

/** `n` uniform numbers in [0, 1), 53 random bits each; otherwise as {@link hostNormals}. @throws TraceError inside `compile` */
export function hostUniforms(n: number): Float64Array {
  return uniforms(wholeNumber('hostUniforms: n', n, 0), hostDraw('hostUniforms'));
}
