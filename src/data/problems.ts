import { Draws, OptionError } from '../core.js';
import { checkOptions, shown, wholeNumber } from '../options.js';
import { TensorDataset } from './dataset.js';
import { atLeastZero, classLabels } from './generators.js';

export interface RegressionOptions {
  /** Columns of x; default 10. */
  readonly features?: number;
  /** Columns that matter, in [1, features]; default all. */
  readonly informative?: number;
  /** Columns of y; default 1. */
  readonly targets?: number;
  /** Added to every target; default 0. */
  readonly bias?: number;
  /** Standard deviation of the noise of the targets, >= 0; default 0. */
  readonly noise?: number;
  readonly seed?: number;
}

/** A linear problem and the truth behind it. */
export interface Regression {
  readonly dataset: TensorDataset;
  /** `[targets][features]`, as `nn.Linear` has its weight; columns that do not matter are 0. */
  readonly coefficients: readonly (readonly number[])[];
  readonly bias: number;
}

/**
 * A linear regression problem: y = x·Wᵀ + bias + noise·N(0, 1), x standard normal, weights that matter uniform in
 * [0, 100).
 *
 * @param samples whole number >= 1.
 * @param options `features`, `informative`, `targets`, `bias`, `noise`, `seed`.
 * @returns `dataset` with x float32 `[samples, features]` and y float32 `[samples, targets]`, `coefficients`, `bias`.
 * @throws OptionError for options out of range.
 * @example const { dataset, coefficients } = data.regression(100, { features: 3, noise: 0.5 });
 * @see scikit-learn, make_regression.
 */
export function regression(samples: number, options: RegressionOptions = {}): Regression {
  checkOptions('regression', options, ['features', 'informative', 'targets', 'bias', 'noise', 'seed']);
  const { features = 10, informative = features, targets = 1, bias = 0, noise = 0 } = options;
  wholeNumber('regression: samples', samples, 1);
  wholeNumber('regression: features', features, 1);
  wholeNumber('regression: informative', informative, 1, features);
  wholeNumber('regression: targets', targets, 1);
  atLeastZero('regression: noise', noise);
  if (!Number.isFinite(bias)) throw new OptionError(`regression: bias is ${String(bias)}, expected a finite number`);
  const random = new Draws('regression', options.seed);
  const matters = random.shuffle(Array.from({ length: features }, (_, j) => j)).slice(0, informative);
  const coefficients = Array.from({ length: targets }, () => new Array<number>(features).fill(0));
  for (const row of coefficients) for (const j of matters) row[j] = 100 * random.uniform();
  const x = new Float32Array(samples * features);
  const y = new Float32Array(samples * targets);
  for (let i = 0; i < samples; i++) {
    const row = x.subarray(i * features, (i + 1) * features);
    for (let j = 0; j < features; j++) row[j] = random.normal();
    coefficients.forEach((w, t) => {
      y[i * targets + t] = w.reduce((sum, c, j) => sum + c * row[j], bias) + noise * random.normal();
    });
  }
  const dataset = new TensorDataset({ data: x, shape: [samples, features] }, { data: y, shape: [samples, targets] });
  return { dataset, coefficients, bias };
}

export interface ClassificationOptions {
  /** Columns of x; default 20. */
  readonly features?: number;
  /** Columns that tell the classes apart, in [1, features]; default min(features, 2). The others are N(0, 1). */
  readonly informative?: number;
  /** Default 2; at most clusters fit the corners: classes · clusters <= 2^informative. */
  readonly classes?: number;
  /** Gaussian clusters a class; default 1. */
  readonly clusters?: number;
  /** Half the side of the cube whose corners are the centres, >= 0; larger is easier. Default 1. */
  readonly separation?: number;
  /** Share of samples whose class is drawn anew, in [0, 1]; default 0. */
  readonly flip?: number;
  /** Standard deviation of a cluster in the informative columns, >= 0; default 1. */
  readonly noise?: number;
  readonly seed?: number;
}

/**
 * A classification problem: clusters around different corners of a cube in the informative columns, noise in the others,
 * columns in random order.
 *
 * @param samples whole number >= classes · clusters.
 * @param options `features`, `informative`, `classes`, `clusters`, `separation`, `flip`, `noise`, `seed`.
 * @returns x float32 `[samples, features]`, y int32 `[samples]`.
 * @throws OptionError for options out of range, and for more clusters than corners.
 * @example const train = data.classification(500, { features: 5, informative: 3, classes: 4, flip: 0.01 });
 * @see Guyon (2003), Design of experiments of the NIPS 2003 variable selection benchmark; scikit-learn, make_classification.
 */
export function classification(samples: number, options: ClassificationOptions = {}): TensorDataset {
  checkOptions('classification', options, [
    'features',
    'informative',
    'classes',
    'clusters',
    'separation',
    'flip',
    'noise',
    'seed',
  ]);
  const { features = 20, classes = 2, clusters = 1, separation = 1, flip = 0, noise = 1 } = options;
  wholeNumber('classification: features', features, 1);
  const informative = wholeNumber(
    'classification: informative',
    options.informative ?? Math.min(features, 2),
    1,
    Math.min(features, 30),
  );
  const groups =
    wholeNumber('classification: classes', classes, 1) * wholeNumber('classification: clusters', clusters, 1);
  if (groups > 2 ** informative) {
    throw new OptionError(
      `classification: ${classes} classes of ${clusters} clusters need ${groups} corners, ${informative} informative ` +
        `columns have ${2 ** informative}; raise informative`,
    );
  }
  wholeNumber('classification: samples', samples, groups);
  atLeastZero('classification: noise', noise);
  atLeastZero('classification: separation', separation);
  if (!(typeof flip === 'number' && flip >= 0 && flip <= 1))
    throw new OptionError(`classification: flip is ${shown(flip)}, expected one in [0, 1]`);
  const random = new Draws('classification', options.seed);
  const corners = new Set<number>();
  while (corners.size < groups) corners.add(random.below(2 ** informative));
  const corner = [...corners];
  const columns = random.shuffle(Array.from({ length: features }, (_, j) => j));
  const group = classLabels(samples, groups, random);
  const x = new Float32Array(samples * features);
  const y = new Int32Array(samples);
  for (let i = 0; i < samples; i++) {
    y[i] = group[i] % classes;
    columns.forEach((column, j) => {
      const informed = j < informative;
      const centre = informed ? ((corner[group[i]] >>> j) & 1 ? separation : -separation) : 0;
      x[i * features + column] = centre + (informed ? noise : 1) * random.normal();
    });
    if (random.uniform() < flip) y[i] = random.below(classes);
  }
  return new TensorDataset({ data: x, shape: [samples, features] }, y);
}
