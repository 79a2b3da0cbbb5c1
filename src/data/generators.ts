import { Draws, OptionError } from '../core.js';
import { checkList, checkOptions, rangeOfTwo, shown, wholeNumber } from '../options.js';
import { TensorDataset } from './dataset.js';

/** Options every generator of points in the plane has. */
export interface PointOptions {
  /** Standard deviation of the Gaussian noise added to each coordinate, >= 0; default 0. */
  readonly noise?: number;
  /** For points that depend on nothing else; without it they are drawn from the 'data' stream of `seed()`. */
  readonly seed?: number;
}

/**
 * Two interleaved half circles: class 0 is (cos t, sin t), class 1 is (1 − cos t, ½ − sin t), t evenly spaced in [0, π].
 *
 * @param samples whole number >= 2; class 0 gets the smaller half. The order is random.
 * @param options `noise` (default 0), `seed`.
 * @returns x float32 `[samples, 2]`, y int32 `[samples]`.
 * @throws OptionError for options out of range.
 * @example const train = data.moons(200, { noise: 0.1, seed: 1 });
 * @see scikit-learn, make_moons.
 */
export function moons(samples: number, options: PointOptions = {}): TensorDataset {
  return points('moons', samples, 2, options, (i, n, label) => {
    const t = n === 1 ? 0 : (Math.PI * i) / (n - 1);
    return label === 0 ? [Math.cos(t), Math.sin(t)] : [1 - Math.cos(t), 0.5 - Math.sin(t)];
  });
}

/**
 * A circle of radius 1 (class 0) around one of radius `factor` (class 1), points evenly spaced.
 *
 * @param samples whole number >= 2; class 0 gets the smaller half. The order is random.
 * @param options `factor` in [0, 1) (default 0.8), `noise` (default 0), `seed`.
 * @returns x float32 `[samples, 2]`, y int32 `[samples]`.
 * @throws OptionError for options out of range.
 * @example const train = data.circles(200, { noise: 0.05, factor: 0.5 });
 * @see scikit-learn, make_circles.
 */
export function circles(samples: number, options: PointOptions & { readonly factor?: number } = {}): TensorDataset {
  checkOptions('circles', options, ['factor', 'noise', 'seed']);
  const { factor = 0.8, ...rest } = options;
  if (!(typeof factor === 'number' && factor >= 0 && factor < 1))
    throw new OptionError(`circles: factor is ${shown(factor)}, expected one in [0, 1)`);
  return points('circles', samples, 2, rest, (i, n, label) => {
    const t = (2 * Math.PI * i) / n;
    const r = label === 0 ? 1 : factor;
    return [r * Math.cos(t), r * Math.sin(t)];
  });
}

/**
 * Spirals that wind around each other: arm k at angle 2π(k / arms + turns·s) and radius s, s evenly spaced in (0, 1].
 *
 * @param samples whole number >= `arms`; each arm has as many, the last ones one more. The order is random.
 * @param options `arms`: classes, >= 1 (default 2); `turns` > 0 (default 1.5); `noise` (default 0), `seed`.
 * @returns x float32 `[samples, 2]`, y int32 `[samples]`.
 * @throws OptionError for options out of range.
 * @example const train = data.spirals(300, { arms: 3, noise: 0.02 });
 * @see Lang and Witbrock (1988), Learning to tell two spirals apart.
 */
export function spirals(
  samples: number,
  options: PointOptions & { readonly arms?: number; readonly turns?: number } = {},
): TensorDataset {
  checkOptions('spirals', options, ['arms', 'turns', 'noise', 'seed']);
  const { arms = 2, turns = 1.5, ...rest } = options;
  wholeNumber('spirals: arms', arms, 1);
  positive('spirals: turns', turns);
  return points('spirals', samples, arms, rest, (i, n, label) => {
    const s = (i + 1) / n;
    const t = 2 * Math.PI * (label / arms + turns * s);
    return [s * Math.cos(t), s * Math.sin(t)];
  });
}

/**
 * Exclusive or: points uniform in [−1, 1]², class 1 where the signs of the coordinates differ. Noise moves a point after
 * its class is known.
 *
 * @param samples whole number >= 1.
 * @param options `noise` (default 0), `seed`.
 * @returns x float32 `[samples, 2]`, y int32 `[samples]`; no straight line separates the classes.
 * @throws OptionError for options out of range.
 * @example const train = data.xor(400, { noise: 0.05 });
 * @see Minsky and Papert (1969), Perceptrons.
 */
export function xor(samples: number, options: PointOptions = {}): TensorDataset {
  const { noise, random } = checkPoints('xor', samples, 1, options);
  const x = new Float32Array(samples * 2);
  const y = new Int32Array(samples);
  for (let i = 0; i < samples; i++) {
    const [a, b] = [2 * random.uniform() - 1, 2 * random.uniform() - 1];
    y[i] = a < 0 !== b < 0 ? 1 : 0;
    x[2 * i] = a + noise * random.normal();
    x[2 * i + 1] = b + noise * random.normal();
  }
  return new TensorDataset({ data: x, shape: [samples, 2] }, y);
}

export interface BlobOptions {
  /** Number of clusters, or the centre of each; default 3, drawn uniformly from `box`. */
  readonly centers?: number | readonly (readonly number[])[];
  /** Coordinates of a point when centres are drawn; default 2. */
  readonly features?: number;
  /** Standard deviation of each cluster, >= 0; default 1. */
  readonly noise?: number;
  /** Range of drawn centres; default [−10, 10]. */
  readonly box?: readonly [number, number];
  readonly seed?: number;
}

/**
 * Gaussian clusters: class k is centre k plus noise·N(0, 1) in each coordinate.
 *
 * @param samples whole number >= number of centres; classes as equal as possible, the order is random.
 * @param options `centers`, `features`, `noise`, `box`, `seed`.
 * @returns x float32 `[samples, features]`, y int32 `[samples]`.
 * @throws OptionError for options out of range and centres of different lengths.
 * @example const train = data.blobs(300, { centers: [[0, 0], [4, 4]], noise: 0.5 });
 * @see scikit-learn, make_blobs.
 */
export function blobs(samples: number, options: BlobOptions = {}): TensorDataset {
  checkOptions('blobs', options, ['centers', 'features', 'noise', 'box', 'seed']);
  const { centers = 3, features = 2, noise = 1, box = [-10, 10] } = options;
  wholeNumber('blobs: features', features, 1, 1_000_000);
  wholeNumber('blobs: samples', samples, 1);
  atLeastZero('blobs: noise', noise);
  rangeOfTwo('blobs: box', box);
  const random = new Draws('blobs', options.seed);
  const at =
    typeof centers === 'number'
      ? Array.from({ length: wholeNumber('blobs: centers', centers, 1, samples) }, () =>
          Array.from({ length: features }, () => box[0] + (box[1] - box[0]) * random.uniform()),
        )
      : centers;
  checkList('blobs', 'centers', at, 'lists of numbers');
  for (const [i, c] of at.entries()) checkList('blobs', `centers[${i}]`, c, 'numbers');
  const width = at[0]?.length ?? 0;
  if (width === 0 || !at.every((c) => c.length === width && c.every(Number.isFinite))) {
    throw new OptionError('blobs: expected centers as at least one list of finite numbers, all of one length');
  }
  wholeNumber('blobs: samples', samples, at.length);
  const y = classLabels(samples, at.length, random);
  const x = new Float32Array(samples * width);
  for (let i = 0; i < samples; i++) {
    for (let j = 0; j < width; j++) x[i * width + j] = at[y[i]][j] + noise * random.normal();
  }
  return new TensorDataset({ data: x, shape: [samples, width] }, y);
}

/** Class of each sample: as equal as possible, the last classes one more, in random order. */
export function classLabels(samples: number, classes: number, random: Draws): Int32Array {
  return random.shuffle(Int32Array.from({ length: samples }, (_, i) => Math.floor(((i + 0.5) * classes) / samples)));
}

type Place = (i: number, n: number, label: number) => readonly [number, number];

/** Points at fixed places on curves, one curve a class, shuffled and with noise. */
function points(where: string, samples: number, classes: number, options: PointOptions, place: Place): TensorDataset {
  const { noise, random } = checkPoints(where, samples, classes, options);
  const order = random.shuffle(Int32Array.from({ length: samples }, (_, i) => i));
  const x = new Float32Array(samples * 2);
  const y = new Int32Array(samples);
  const starts = Array.from({ length: classes + 1 }, (_, k) => Math.floor((k * samples) / classes));
  for (let label = 0; label < classes; label++) {
    const n = starts[label + 1] - starts[label];
    for (let i = 0; i < n; i++) {
      const at = order[starts[label] + i];
      const [a, b] = place(i, n, label);
      y[at] = label;
      x[2 * at] = a + noise * random.normal();
      x[2 * at + 1] = b + noise * random.normal();
    }
  }
  return new TensorDataset({ data: x, shape: [samples, 2] }, y);
}

function checkPoints(where: string, samples: number, low: number, options: PointOptions) {
  checkOptions(where, options, ['noise', 'seed']);
  wholeNumber(`${where}: samples`, samples, low);
  const { noise = 0, seed } = options;
  atLeastZero(`${where}: noise`, noise);
  return { noise, random: new Draws(where, seed) };
}

export function atLeastZero(what: string, value: number): void {
  if (!(value >= 0 && Number.isFinite(value)))
    throw new OptionError(`${what} is ${String(value)}, expected a number >= 0`);
}

function positive(what: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value)))
    throw new OptionError(`${what} is ${String(value)}, expected a number > 0`);
}
