import { DataError, Draws, isFloat, OptionError, ShapeError, type Tensor, take, tensor } from '../core.js';
import { checkOptions, shown, wholeNumber } from '../options.js';
import { sizeOf } from '../shape.js';
import { TensorDataset } from './dataset.js';

/** Rows of a data set on the host, features in float64, targets as they are. */
interface Rows {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly n: number;
  readonly d: number;
  /** Values of one target. */
  readonly width: number;
  readonly from: TensorDataset;
  /** Sample shapes and dtypes of both. */
  readonly made: { readonly x: Tensor; readonly y: Tensor };
}

async function rowsOf(where: string, from: TensorDataset): Promise<Rows> {
  if (!(from instanceof TensorDataset)) {
    throw new OptionError(`${where}: got ${shown(from)}, expected a TensorDataset`);
  }
  const rows = from.rows === null ? null : tensor(from.rows);
  const x = from.transform(rows === null ? from.x : take(from.x, rows));
  const y = rows === null ? from.y : take(from.y, rows);
  if (!isFloat(x.dtype) || x.shape.length < 2) {
    throw new ShapeError(`${where}: got x [${x.shape}] of ${x.dtype}, expected [samples, features] of floats`);
  }
  const values = Float64Array.from(await x.data());
  const [n, d] = [from.length, sizeOf(x.shape.slice(1))];
  const at = values.findIndex((v) => !Number.isFinite(v));
  if (at >= 0) {
    throw new DataError(
      `${where}: sample ${Math.floor(at / d)} has ${values[at]} at feature ${at % d}, expected finite numbers; ` +
        'fill it with preprocess.Imputer first',
    );
  }
  const targets = Float64Array.from(await y.data());
  return { x: values, y: targets, n, d, width: sizeOf(y.shape.slice(1)), from, made: { x, y } };
}

/** The given rows followed by new ones. */
function extended(rows: Rows, x: readonly number[], y: readonly number[]): TensorDataset {
  const { made, d, width } = rows;
  const stacked = (old: Float64Array, more: readonly number[], like: Tensor, size: number) => {
    const all = new Float64Array(old.length + more.length);
    all.set(old);
    all.set(more, old.length);
    const typed =
      like.dtype === 'float64' ? all : like.dtype === 'float32' ? Float32Array.from(all) : Int32Array.from(all);
    const shape = [all.length / size, ...like.shape.slice(1)];
    const whole = tensor(typed, { shape });
    return whole.dtype === like.dtype ? whole : whole.cast(like.dtype);
  };
  return new TensorDataset(stacked(rows.x, x, made.x, d), stacked(rows.y, y, made.y, width));
}

/** Standard deviation of each feature, of the population. */
function deviations({ x, n, d }: Rows): Float64Array {
  const mean = new Float64Array(d);
  for (let i = 0; i < x.length; i++) mean[i % d] += x[i] / n;
  const squares = new Float64Array(d);
  for (let i = 0; i < x.length; i++) squares[i % d] += (x[i] - mean[i % d]) ** 2 / n;
  return squares.map(Math.sqrt);
}

/** Numbers of the samples of each class. */
function samplesByClass(where: string, { y, width, made }: Rows): Map<number, number[]> {
  if (width !== 1 || y.some((v) => !Number.isInteger(v))) {
    throw new DataError(`${where}: y is [${made.y.shape}] of ${made.y.dtype}, expected one class number a sample`);
  }
  const classes = new Map<number, number[]>();
  for (const [i, label] of y.entries()) classes.set(label, [...(classes.get(label) ?? []), i]);
  return new Map([...classes].sort(([a], [b]) => a - b));
}

export interface GaussianNoiseOptions {
  /** Standard deviation of the noise in units of each feature's own, >= 0: one number, or one a feature; default 0.1. */
  readonly std?: number | readonly number[];
  /** New samples from each given one, >= 1; default 1. */
  readonly copies?: number;
  /** For samples that depend on nothing else; without it they are drawn from the 'data' stream of `seed()`. */
  readonly seed?: number;
}

/**
 * The data set and noisy copies of it: x′ⱼ = xⱼ + std·σⱼ·z, z standard normal and σⱼ the feature's standard deviation. Targets stay.
 *
 * @param dataset rows of numbers; augment the training part only.
 * @param options `std` (default 0.1), `copies` (default 1), `seed`.
 * @returns (copies + 1)·n samples, the given ones first.
 * @throws OptionError for options out of range, DataError for values that are not finite.
 * @example const more = await data.gaussianNoise(data.moons(100, { seed: 1 }), { std: 0.05, seed: 2 });
 * @see Bishop (1995), Training with noise is equivalent to Tikhonov regularization.
 */
export async function gaussianNoise(
  dataset: TensorDataset,
  options: GaussianNoiseOptions = {},
): Promise<TensorDataset> {
  checkOptions('gaussianNoise', options, ['std', 'copies', 'seed']);
  const { std = 0.1, seed } = options;
  const copies = wholeNumber('gaussianNoise: copies', options.copies ?? 1, 1);
  const rows = await rowsOf('gaussianNoise', dataset);
  const stds = typeof std === 'number' ? new Array<number>(rows.d).fill(std) : std;
  if (stds.length !== rows.d || !stds.every((s) => s >= 0 && Number.isFinite(s))) {
    throw new OptionError(
      `gaussianNoise: std is ${String(std)}, expected a number >= 0, or one for each of ${rows.d} features`,
    );
  }
  const scale = deviations(rows).map((s, j) => s * stds[j]);
  const draws = new Draws('gaussianNoise', seed);
  const x: number[] = [];
  const y: number[] = [];
  for (let copy = 0; copy < copies; copy++) {
    for (const [i, v] of rows.x.entries()) x.push(v + scale[i % rows.d] * draws.normal());
    y.push(...rows.y);
  }
  return extended(rows, x, y);
}

export interface SwapNoiseOptions {
  /** Probability that a value is replaced, in [0, 1]; default 0.1. */
  readonly share?: number;
  /** New samples from each given one, >= 1; default 1. */
  readonly copies?: number;
  /** As of {@link gaussianNoise}. */
  readonly seed?: number;
}

/**
 * The data set and shuffled copies of it: each value is replaced, with probability `share`, by that of the same feature in another sample
 * drawn at random. Each feature keeps its distribution, whatever it is, and categories stay categories.
 *
 * @param dataset rows of numbers; augment the training part only.
 * @param options `share` (default 0.1), `copies` (default 1), `seed`.
 * @returns (copies + 1)·n samples, the given ones first; targets stay.
 * @throws OptionError for options out of range, DataError for values that are not finite.
 * @example const more = await data.swapNoise(data.moons(100, { seed: 1 }), { share: 0.15, seed: 2 });
 * @see Bahri et al. (2022), SCARF: Self-supervised contrastive learning using random feature corruption.
 */
export async function swapNoise(dataset: TensorDataset, options: SwapNoiseOptions = {}): Promise<TensorDataset> {
  checkOptions('swapNoise', options, ['share', 'copies', 'seed']);
  const { share = 0.1, seed } = options;
  if (!(typeof share === 'number' && share >= 0 && share <= 1)) {
    throw new OptionError(`swapNoise: share is ${shown(share)}, expected a probability in [0, 1]`);
  }
  const copies = wholeNumber('swapNoise: copies', options.copies ?? 1, 1);
  const rows = await rowsOf('swapNoise', dataset);
  const draws = new Draws('swapNoise', seed);
  const x: number[] = [];
  const y: number[] = [];
  for (let copy = 0; copy < copies; copy++) {
    for (const [i, v] of rows.x.entries()) {
      x.push(draws.uniform() < share ? rows.x[draws.below(rows.n) * rows.d + (i % rows.d)] : v);
    }
    y.push(...rows.y);
  }
  return extended(rows, x, y);
}

export interface InterpolateOptions {
  /** New samples, >= 1; default as many as are given. */
  readonly count?: number;
  /** As of {@link gaussianNoise}. */
  readonly seed?: number;
}

/**
 * The data set and points between its samples: x′ = a + λ(b − a), λ uniform in [0, 1). With int32 or uint8 targets a and b are of one
 * class, which stays; with float targets y′ = yₐ + λ(y_b − yₐ) too.
 *
 * @param dataset rows of numbers; augment the training part only.
 * @param options `count` (default n), `seed`.
 * @returns n + count samples, the given ones first; classes keep their shares on average.
 * @throws OptionError for options out of range, DataError for values that are not finite or targets that are no class.
 * @example const more = await data.interpolate(data.moons(100, { seed: 1 }), { count: 50, seed: 2 });
 * @see DeVries and Taylor (2017), Dataset augmentation in feature space.
 */
export async function interpolate(dataset: TensorDataset, options: InterpolateOptions = {}): Promise<TensorDataset> {
  checkOptions('interpolate', options, ['count', 'seed']);
  const rows = await rowsOf('interpolate', dataset);
  const count = wholeNumber('interpolate: count', options.count ?? dataset.length, 1);
  const { n, width } = rows;
  const regression = isFloat(rows.made.y.dtype);
  const classes = regression ? null : samplesByClass('interpolate', rows);
  const draws = new Draws('interpolate', options.seed);
  const x: number[] = [];
  const y: number[] = [];
  for (let i = 0; i < count; i++) {
    const a = draws.below(n);
    const peers = classes?.get(rows.y[a]) ?? null;
    const b = peers === null ? draws.below(n) : peers[draws.below(peers.length)];
    const share = draws.uniform();
    between(rows, a, b, share, x);
    for (let j = 0; j < width; j++) {
      const [ya, yb] = [rows.y[a * width + j], rows.y[b * width + j]];
      y.push(regression ? ya + share * (yb - ya) : ya);
    }
  }
  return extended(rows, x, y);
}

function between({ x, d }: Rows, a: number, b: number, share: number, out: number[]): void {
  for (let j = 0; j < d; j++) out.push(x[a * d + j] + share * (x[b * d + j] - x[a * d + j]));
}

export interface SmoteOptions {
  /** Nearest neighbours of the same class that a new sample may lie towards, >= 1; default 5. */
  readonly k?: number;
  /** Samples that each class shall have; default as many as the largest. Classes with more keep theirs. */
  readonly size?: number;
  /** As of {@link gaussianNoise}. */
  readonly seed?: number;
}

/**
 * SMOTE: fills up small classes with points between their samples and near ones of the same class, so that every class has as many.
 *
 * x′ = a + λ(b − a), a a random sample of the class, b one of its k nearest neighbours in it (Euclidean), λ uniform in [0, 1)
 *
 * Features should have one scale: standardise first. Oversample the training part only, never before a split.
 *
 * @param dataset rows of numbers with class numbers; each class that grows has more than k samples.
 * @param options `k` (default 5), `size` (default that of the largest class), `seed`.
 * @returns the given samples, then the new ones class by class.
 * @throws OptionError for options out of range; DataError for a class of too few samples, values that are not finite, or targets that are
 *   no class.
 * @example const balanced = await data.smote(new data.TensorDataset([[0], [1], [2], [9], [8]], [0, 0, 0, 1, 1]), { k: 1, seed: 1 });
 * @see Chawla et al. (2002), SMOTE: Synthetic minority over-sampling technique; imbalanced-learn, SMOTE.
 */
export async function smote(dataset: TensorDataset, options: SmoteOptions = {}): Promise<TensorDataset> {
  checkOptions('smote', options, ['k', 'size', 'seed']);
  const k = wholeNumber('smote: k', options.k ?? 5, 1);
  const rows = await rowsOf('smote', dataset);
  const classes = samplesByClass('smote', rows);
  const most = Math.max(...[...classes.values()].map((c) => c.length));
  const size = wholeNumber('smote: size', options.size ?? most, 1);
  const draws = new Draws('smote', options.seed);
  const x: number[] = [];
  const y: number[] = [];
  for (const [label, members] of classes) {
    if (members.length >= size) continue;
    if (members.length <= k) {
      throw new DataError(
        `smote: class ${label} has ${members.length} samples, expected more than k = ${k}; give a smaller k`,
      );
    }
    const near = new Map<number, readonly number[]>();
    for (let i = members.length; i < size; i++) {
      const a = members[draws.below(members.length)];
      let neighbours = near.get(a);
      if (neighbours === undefined) {
        neighbours = nearest(rows, a, members, k);
        near.set(a, neighbours);
      }
      between(rows, a, neighbours[draws.below(k)], draws.uniform(), x);
      y.push(label);
    }
  }
  return extended(rows, x, y);
}

/** The k members nearest to sample a, itself left out; of equal distances the earlier first. */
function nearest({ x, d }: Rows, a: number, members: readonly number[], k: number): number[] {
  const squared = (b: number) => {
    let sum = 0;
    for (let j = 0; j < d; j++) sum += (x[a * d + j] - x[b * d + j]) ** 2;
    return sum;
  };
  const others = members.filter((b) => b !== a).map((b) => ({ b, distance: squared(b) }));
  others.sort((p, q) => p.distance - q.distance || p.b - q.b);
  return others.slice(0, k).map(({ b }) => b);
}
