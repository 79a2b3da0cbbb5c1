import { DataError, Draws, OptionError } from '../core.js';
import { checkArray, checkOptions, shown, wholeNumber } from '../options.js';
import { sizeOf } from '../shape.js';
import { TensorDataset } from './dataset.js';
import { byLabel, type Labels } from './splits.js';

/**
 * Targets of a data set as class numbers, in the data set's order, for the split and balance functions.
 * @throws DataError when y is not `[samples]` or `[samples, 1]`, or a target is no whole number.
 * @example const folds = data.stratifiedKFold(await data.labelsOf(train));
 */
export async function labelsOf(dataset: TensorDataset): Promise<Int32Array> {
  if (!(dataset instanceof TensorDataset)) {
    throw new OptionError(`labelsOf: got ${shown(dataset)}, expected a TensorDataset`);
  }
  const { y, rows, length } = dataset;
  if (sizeOf(y.shape) !== y.shape[0])
    throw new DataError(`labelsOf: y is [${y.shape}], expected one class number a sample`);
  const values = await y.data();
  return Int32Array.from({ length }, (_, i) => {
    const label = Number(values[rows === null ? i : rows[i]]);
    if (!Number.isInteger(label))
      throw new DataError(`labelsOf: y of sample ${i} is ${label}, expected a whole number`);
    return label;
  });
}

/**
 * Weights that give every class the same total: n / (classes · count), mean 1 over the samples.
 *
 * @param labels class numbers in [0, classes), at least one of each.
 * @param options `classes`: default one more than the largest label.
 * @returns one weight a class.
 * @throws DataError for a class without samples, or a label that is no class.
 * @example data.classWeights([0, 0, 0, 1]); // Float32Array [0.6667, 2]
 * @see scikit-learn, compute_class_weight('balanced'). King and Zeng (2001), Logistic regression in rare events data.
 */
export function classWeights(labels: ArrayLike<number>, options: { readonly classes?: number } = {}): Float32Array {
  checkOptions('classWeights', options, ['classes']);
  checkArray('classWeights', 'labels', labels);
  if (labels.length === 0) throw new DataError('classWeights: got no labels, expected at least one');
  let most = 0;
  for (let i = 0; i < labels.length; i++) {
    const limit = options.classes ?? 1_000_000; // a stray large number must not cost gigabytes
    if (!(Number.isInteger(labels[i]) && labels[i] >= 0 && labels[i] < limit)) {
      throw new DataError(`classWeights: label ${i} is ${labels[i]}, expected a class in [0, ${limit})`);
    }
    most = Math.max(most, labels[i]);
  }
  const classes = wholeNumber('classWeights: classes', options.classes ?? most + 1, 1);
  const counts = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) counts[labels[i]] += 1;
  return Float32Array.from(counts, (count, c) => {
    if (count === 0)
      throw new DataError(`classWeights: class ${c} has no samples, expected at least one of each class`);
    return labels.length / (classes * count);
  });
}

/**
 * The weight of each sample: that of its class.
 * @param weights one a class, finite and >= 0, such as from {@link classWeights}.
 * @throws DataError for a label without weight or a weight out of range.
 * @example data.sampleWeights([0, 1, 1], [2, 0.5]); // Float32Array [2, 0.5, 0.5]
 */
export function sampleWeights(labels: ArrayLike<number>, weights: ArrayLike<number>): Float32Array {
  checkArray('sampleWeights', 'labels', labels);
  checkArray('sampleWeights', 'weights', weights);
  return Float32Array.from({ length: labels.length }, (_, i) => {
    const weight = weights[labels[i]];
    if (weight === undefined) {
      throw new DataError(`sampleWeights: label ${i} is ${labels[i]}, expected a class in [0, ${weights.length})`);
    }
    if (!(weight >= 0 && Number.isFinite(weight))) {
      throw new DataError(`sampleWeights: the weight of class ${labels[i]} is ${weight}, expected a number >= 0`);
    }
    return weight;
  });
}

export interface BalancedOptions {
  /** Number of indices; default as many as labels. */
  readonly samples?: number;
  /** For draws that depend on nothing else; without it they come from the 'data' stream of `seed()`. */
  readonly seed?: number;
}

/**
 * Indices in which every class is as frequent (to within one), for `dataset.subset`: rare classes repeat, and no sample of
 * a class comes a second time before all others have come once.
 *
 * @param labels class of each sample, numbers or strings, at least one.
 * @param options `samples` (>= number of classes; default as many as labels), `seed`.
 * @returns indices in random order.
 * @throws DataError without labels; OptionError for options out of range.
 * @example const even = train.subset(data.balancedSample(await data.labelsOf(train), { seed: 1 }));
 * @see He and Garcia (2009), Learning from imbalanced data: random over- and undersampling.
 */
export function balancedSample(labels: Labels, options: BalancedOptions = {}): Int32Array {
  checkOptions('balancedSample', options, ['samples', 'seed']);
  checkArray('balancedSample', 'labels', labels, 'classes');
  if (labels.length === 0) throw new DataError('balancedSample: got no labels, expected at least one');
  const groups = [...byLabel(labels).values()];
  const samples = wholeNumber('balancedSample: samples', options.samples ?? labels.length, groups.length);
  const random = new Draws('balancedSample', options.seed);
  const out = new Int32Array(samples);
  let at = 0;
  groups.forEach((list, c) => {
    const count = Math.floor(((c + 1) * samples) / groups.length) - Math.floor((c * samples) / groups.length);
    for (let i = 0; i < count; i++) {
      if (i % list.length === 0) random.shuffle(list);
      out[at++] = list[i % list.length];
    }
  });
  return random.shuffle(out);
}
