import {
  type DType,
  full,
  normal as normalOp,
  OptionError,
  type Shape,
  type Tensor,
  uniform as uniformOp,
  zeros as zerosOp,
} from '../core.js';
import { checkOptions, shown } from '../options.js';
import { initializer } from './init-context.js';

/** What an initialiser may need to know about the layer. */
export interface InitContext {
  /** Inputs that one output sums over, and outputs that one input reaches; convolutions count kernel positions. */
  readonly fanIn: number;
  readonly fanOut: number;
  readonly dtype: DType;
}

/** Makes the first value of a parameter: a lazy tensor of this shape, drawn natively when first needed. */
export type Initializer = (shape: Shape, context: InitContext) => Tensor;

/**
 * All zeros: for biases. As weights they make all units of a layer learn the same thing.
 * @returns an initialiser for any shape.
 * @example new nn.Linear(8, 1, { biasInit: nn.init.zeros() });
 */
export function zeros(): Initializer {
  return initializer('zeros', (shape, { dtype }) => zerosOp(shape, { dtype }));
}

/**
 * Every element is `value`; a small positive bias (0.01) keeps ReLUs awake at first.
 * @param value a finite number.
 * @returns an initialiser for any shape.
 * @throws OptionError for a value that is not finite.
 * @example new nn.Linear(8, 4, { biasInit: nn.init.constant(0.01) });
 */
export function constant(value: number): Initializer {
  if (!Number.isFinite(value)) throw new OptionError(`init.constant: got ${String(value)}, expected a finite number`);
  return initializer('constant', (shape, { dtype }) => full(shape, value, { dtype }));
}

/**
 * U(low, high).
 * @param low smallest value.
 * @param high largest value; both finite, low < high.
 * @returns an initialiser for any shape.
 * @throws OptionError otherwise.
 * @example new nn.Linear(8, 4, { init: nn.init.uniform(-0.1, 0.1) });
 */
export function uniform(low: number, high: number): Initializer {
  if (!(Number.isFinite(low) && Number.isFinite(high) && low < high)) {
    throw new OptionError(
      `init.uniform: got low ${shown(low)} and high ${shown(high)}, expected finite numbers with low < high`,
    );
  }
  return initializer('uniform', (shape, { dtype }) => uniformOp(shape, { low, high, dtype }));
}

/**
 * N(mean, std²).
 * @param mean finite (default 0).
 * @param std standard deviation, finite, >= 0 (default 1).
 * @returns an initialiser for any shape.
 * @throws OptionError otherwise.
 * @example new nn.Linear(8, 4, { init: nn.init.normal(0, 0.02) });
 */
export function normal(mean = 0, std = 1): Initializer {
  if (!(Number.isFinite(std) && std >= 0 && Number.isFinite(mean))) {
    throw new OptionError(
      `init.normal: got mean ${shown(mean)} and std ${shown(std)}, expected finite numbers and std >= 0`,
    );
  }
  return initializer('normal', (shape, { dtype }) => normalOp(shape, { mean, std, dtype }));
}

/**
 * U(−b, b), b = 1/√fanIn: PyTorch's default for linear and convolution weights and biases (Kaiming uniform with a = √5).
 * @param options `bound: 'reciprocal'` for b = 1/fanIn, which some course notes print.
 * @returns an initialiser.
 * @throws OptionError for another bound.
 * @example new nn.Linear(8, 4, { init: nn.init.fanInUniform({ bound: 'reciprocal' }) });
 */
export function fanInUniform(options: { bound?: 'rsqrt' | 'reciprocal' } = {}): Initializer {
  checkOptions('init.fanInUniform', options, ['bound']);
  const { bound = 'rsqrt' } = options;
  if (bound !== 'rsqrt' && bound !== 'reciprocal') {
    throw new OptionError(`init.fanInUniform: bound is ${shown(bound)}, expected 'rsqrt' or 'reciprocal'`);
  }
  return initializer('fanInUniform', (shape, { fanIn, dtype }) =>
    symmetric(shape, bound === 'rsqrt' ? 1 / Math.sqrt(fanIn) : 1 / fanIn, dtype),
  );
}

/**
 * U(−b, b), b = gain·√(6 / (fanIn + fanOut)): keeps variances through tanh and sigmoid layers.
 * @param options `gain`, finite, > 0 (default 1); see {@link gain} for that of an activation.
 * @returns an initialiser.
 * @throws OptionError for an option that is unknown or out of range.
 * @example new nn.Linear(8, 4, { init: nn.init.xavierUniform({ gain: 5 / 3 }) });
 * @see Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural networks.
 */
export function xavierUniform(options: { gain?: number } = {}): Initializer {
  const gain = checkedGain('xavierUniform', options);
  return initializer('xavierUniform', (shape, { fanIn, fanOut, dtype }) =>
    symmetric(shape, gain * Math.sqrt(6 / (fanIn + fanOut)), dtype),
  );
}

/**
 * N(0, σ²), σ = gain·√(2 / (fanIn + fanOut)).
 * @param options `gain`, finite, > 0 (default 1).
 * @returns an initialiser.
 * @throws OptionError for an option that is unknown or out of range.
 * @example new nn.Linear(8, 4, { init: nn.init.xavierNormal() });
 * @see {@link xavierUniform}
 */
export function xavierNormal(options: { gain?: number } = {}): Initializer {
  const gain = checkedGain('xavierNormal', options);
  return initializer('xavierNormal', (shape, { fanIn, fanOut, dtype }) =>
    normalOp(shape, { mean: 0, std: gain * Math.sqrt(2 / (fanIn + fanOut)), dtype }),
  );
}

/** `negativeSlope` of the leaky ReLU that follows (0 for ReLU); `mode` chooses which variance is kept. */
export interface KaimingOptions {
  readonly negativeSlope?: number;
  readonly mode?: 'fanIn' | 'fanOut';
}

/**
 * U(−b, b), b = gain·√(3 / fan), gain = √(2 / (1 + negativeSlope²)): keeps variances through ReLU layers.
 * @param options `negativeSlope`, finite (default 0); `mode` 'fanIn' (default) or 'fanOut', whose variance is kept.
 * @returns an initialiser.
 * @throws OptionError for an option that is unknown or out of range.
 * @example new nn.Linear(8, 4, { init: nn.init.kaimingUniform({ negativeSlope: 0.01 }) });
 * @see He et al. (2015), Delving deep into rectifiers.
 */
export function kaimingUniform(options: KaimingOptions = {}): Initializer {
  checkKaiming('kaimingUniform', options);
  return initializer('kaimingUniform', (shape, context) =>
    symmetric(shape, Math.sqrt(3) * kaimingStd(context, options), context.dtype),
  );
}

/**
 * N(0, σ²), σ = gain / √fan.
 * @param options as {@link kaimingUniform}'s.
 * @returns an initialiser.
 * @throws OptionError for an option that is unknown or out of range.
 * @example new nn.Linear(8, 4, { init: nn.init.kaimingNormal() });
 * @see {@link kaimingUniform}
 */
export function kaimingNormal(options: KaimingOptions = {}): Initializer {
  checkKaiming('kaimingNormal', options);
  return initializer('kaimingNormal', (shape, context) =>
    normalOp(shape, { mean: 0, std: kaimingStd(context, options), dtype: context.dtype }),
  );
}

/**
 * N(0, 1/fanIn): for SELU networks.
 * @returns an initialiser.
 * @example new nn.Linear(8, 4, { init: nn.init.lecunNormal() });
 * @see LeCun et al. (1998), Efficient BackProp.
 */
export function lecunNormal(): Initializer {
  return initializer('lecunNormal', (shape, { fanIn, dtype }) =>
    normalOp(shape, { mean: 0, std: 1 / Math.sqrt(fanIn), dtype }),
  );
}

/**
 * U(−b, b), b = √(3 / fanIn): the variance of {@link lecunNormal}.
 * @returns an initialiser.
 * @example new nn.Linear(8, 4, { init: nn.init.lecunUniform() });
 * @see {@link lecunNormal}
 */
export function lecunUniform(): Initializer {
  return initializer('lecunUniform', (shape, { fanIn, dtype }) => symmetric(shape, Math.sqrt(3 / fanIn), dtype));
}

function checkedGain(name: string, options: { gain?: number }): number {
  checkOptions(`init.${name}`, options, ['gain']);
  const { gain = 1 } = options;
  if (Number.isFinite(gain) && gain > 0) return gain;
  throw new OptionError(`init.${name}: gain is ${String(gain)}, expected a finite number > 0`);
}

function checkKaiming(name: string, options: KaimingOptions): void {
  checkOptions(`init.${name}`, options, ['negativeSlope', 'mode']);
  const { negativeSlope = 0, mode = 'fanIn' } = options;
  if (!Number.isFinite(negativeSlope)) {
    throw new OptionError(`init.${name}: negativeSlope is ${String(negativeSlope)}, expected a finite number`);
  }
  if (mode !== 'fanIn' && mode !== 'fanOut') {
    throw new OptionError(`init.${name}: mode is ${shown(mode)}, expected 'fanIn' or 'fanOut'`);
  }
}

function kaimingStd({ fanIn, fanOut }: InitContext, { negativeSlope = 0, mode = 'fanIn' }: KaimingOptions): number {
  return Math.sqrt(2 / (1 + negativeSlope ** 2) / (mode === 'fanIn' ? fanIn : fanOut));
}

function symmetric(shape: Shape, bound: number, dtype: DType): Tensor {
  return uniformOp(shape, { low: -bound, high: bound, dtype });
}

export { type ActivationName, fansOf, gain, type InitForOptions, initFor } from './init-for.js';
export {
  type DiracOptions,
  dirac,
  identity,
  type OrthogonalOptions,
  orthogonal,
  outputBias,
  type SparseOptions,
  sparse,
  type TruncatedNormalOptions,
  truncatedNormal,
} from './init-special.js';
