import { DataError, Draws, OptionError, permutation } from '../core.js';
import { checkArray, checkFunction, checkList, checkObject, checkOptions, shown, wholeNumber } from '../options.js';
import { TensorDataset } from './dataset.js';
import { byLabel, type Labels } from './splits.js';

/** Indices of one round of cross-validation. */
export interface Fold {
  readonly train: Int32Array;
  readonly test: Int32Array;
}

export interface KFoldOptions {
  /** Number of folds, 2 … samples; default 5. */
  readonly k?: number;
  /** Random folds; default false: the folds keep the order. */
  readonly shuffle?: boolean;
  /** For folds that depend on nothing else; without it they are drawn from the 'data' stream of `seed()`. */
  readonly seed?: number;
}

/**
 * k folds of n samples: each sample is tested once and trained on k − 1 times.
 *
 * @param n number of samples, >= k.
 * @param options `k` (default 5), `shuffle` (default false), `seed`. The first n mod k folds have one sample more.
 * @throws OptionError when k is no whole number in [2, n].
 * @example for (const { train, test } of data.kFold(100, { k: 5 })) …
 * @see scikit-learn, KFold. Stone (1974), Cross-validatory choice and assessment of statistical predictions.
 */
export function kFold(n: number, options: KFoldOptions = {}): Fold[] {
  const k = checkK('kFold', n, options);
  const order = options.shuffle === true ? permutation(n, options.seed) : undefined;
  const fold = new Int32Array(n);
  let start = 0;
  for (let f = 0; f < k; f++) {
    const size = Math.floor(n / k) + (f < n % k ? 1 : 0);
    for (let i = start; i < start + size; i++) fold[order === undefined ? i : order[i]] = f;
    start += size;
  }
  return foldsOf(fold, k);
}

/**
 * k folds with the classes in equal shares.
 *
 * @param labels class of each sample, numbers or strings; every class needs at least k samples.
 * @param options `k` (default 5), `shuffle` within the classes (default false), `seed`.
 * @throws OptionError when k is out of [2, n]; DataError for a class with fewer than k samples.
 * @example const folds = data.stratifiedKFold(await data.labelsOf(train), { k: 5, shuffle: true });
 * @see scikit-learn, StratifiedKFold. Kohavi (1995), A study of cross-validation and bootstrap.
 */
export function stratifiedKFold(labels: Labels, options: KFoldOptions = {}): Fold[] {
  checkArray('stratifiedKFold', 'labels', labels, 'classes');
  const n = labels.length;
  const k = checkK('stratifiedKFold', n, options);
  const classes = byLabel(labels);
  // Dealing the sorted labels out to the folds in turn says how many of each class a fold gets.
  const share = new Map([...classes.keys()].map((c) => [c, new Array<number>(k).fill(0)]));
  let at = 0;
  for (const [label, list] of classes) {
    if (list.length < k) {
      throw new DataError(
        `stratifiedKFold: class ${label} has ${list.length} samples, expected at least k = ${k}; lower k or drop the class`,
      );
    }
    for (let i = 0; i < list.length; i++) (share.get(label) as number[])[at++ % k] += 1;
  }
  const random = options.shuffle === true ? new Draws('stratifiedKFold', options.seed) : null;
  const fold = new Int32Array(n);
  for (const [label, list] of classes) {
    const folds = (share.get(label) as number[]).flatMap((count, f) => new Array<number>(count).fill(f));
    random?.shuffle(folds);
    list.forEach((i, j) => {
      fold[i] = folds[j];
    });
  }
  return foldsOf(fold, k);
}

/**
 * k folds in which no group (a patient, a speaker) is both trained and tested on.
 *
 * @param groups group of each sample, numbers or strings; at least k different ones.
 * @param options `k`, default 5. The largest groups are placed first, each in the fold with the fewest samples.
 * @throws OptionError when k is out of [2, n]; DataError for fewer than k groups.
 * @example const folds = data.groupKFold(['ann', 'ann', 'bob', 'eve', 'bob'], { k: 3 });
 * @see scikit-learn, GroupKFold.
 */
export function groupKFold(groups: Labels, options: { readonly k?: number } = {}): Fold[] {
  checkArray('groupKFold', 'groups', groups, 'groups');
  const k = checkK('groupKFold', groups.length, options, ['k']);
  const lists = [...byLabel(groups)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, list]) => list);
  if (lists.length < k) {
    throw new DataError(`groupKFold: got ${lists.length} groups, expected at least k = ${k}; lower k`);
  }
  lists.sort((a, b) => a.length - b.length).reverse();
  const load = new Array<number>(k).fill(0);
  const fold = new Int32Array(groups.length);
  for (const list of lists) {
    const lightest = load.indexOf(Math.min(...load));
    for (const i of list) fold[i] = lightest;
    load[lightest] += list.length;
  }
  return foldsOf(fold, k);
}

export interface TimeSeriesOptions {
  /** Number of splits, >= 2; default 5. */
  readonly k?: number;
  /** Samples of each test part; default ⌊n / (k + 1)⌋. */
  readonly testSize?: number;
  /** Most samples of a training part, the latest ones; default no limit. */
  readonly maxTrainSize?: number;
  /** Samples left out between training and test; default 0. */
  readonly gap?: number;
}

/**
 * Splits of ordered samples: the test part follows the training part, and the training part grows.
 *
 * @param n number of samples in time order.
 * @param options `k` (default 5), `testSize`, `maxTrainSize`, `gap`.
 * @throws OptionError when the parts do not fit into n samples.
 * @example for (const { train, test } of data.timeSeriesSplit(100, { k: 4, gap: 2 })) …
 * @see scikit-learn, TimeSeriesSplit. Hyndman and Athanasopoulos, Forecasting: principles and practice.
 */
export function timeSeriesSplit(n: number, options: TimeSeriesOptions = {}): Fold[] {
  const k = checkK('timeSeriesSplit', n, options, ['k', 'testSize', 'maxTrainSize', 'gap']);
  const gap = wholeNumber('timeSeriesSplit: gap', options.gap ?? 0, 0);
  const testSize = wholeNumber('timeSeriesSplit: testSize', options.testSize ?? Math.floor(n / (k + 1)), 1);
  const most = wholeNumber('timeSeriesSplit: maxTrainSize', options.maxTrainSize ?? n, 1);
  if (n - gap - k * testSize < 1) {
    throw new OptionError(
      `timeSeriesSplit: ${k} tests of ${testSize} samples and a gap of ${gap} leave nothing to train on of ${n} samples`,
    );
  }
  return Array.from({ length: k }, (_, f) => {
    const start = n - (k - f) * testSize;
    const end = start - gap;
    return { train: range(Math.max(0, end - most), end), test: range(start, start + testSize) };
  });
}

/** What cross-validation found. */
export interface CrossValidation<Figure extends string = string> {
  /** Figures of each fold. */
  readonly folds: readonly Readonly<Record<Figure, number>>[];
  /** Mean of each figure over the folds. */
  readonly mean: Readonly<Record<Figure, number>>;
  /** Standard deviation over the folds, with k − 1 in the denominator. */
  readonly std: Readonly<Record<Figure, number>>;
}

/**
 * Trains and tests once a fold. Everything that learns (the model, a scaler) is to be made inside `score`, from `train`.
 *
 * @param dataset what the folds index.
 * @param folds from `kFold` and its kin, or your own.
 * @param score gets the parts and the number of the fold (from 0), and returns figures such as those of `evaluate`.
 * @returns the figures of each fold, their mean and standard deviation.
 * @throws OptionError without folds; DataError when a fold indexes outside the data set; what `score` throws.
 * @example
 * const { mean } = await data.crossValidate(all, data.kFold(all.length), async (train, test) => {
 *   const model = new nn.Linear(4, 1);
 *   await fit(model, train, { loss: 'mse', optimizer: 'adam', epochs: 10 });
 *   return evaluate(model, test, { loss: 'mse' });
 * });
 */
export async function crossValidate<Figure extends string>(
  dataset: TensorDataset,
  folds: readonly Fold[],
  score: (train: TensorDataset, test: TensorDataset, fold: number) => Promise<Readonly<Record<Figure, number>>>,
): Promise<CrossValidation<Figure>> {
  if (!(dataset instanceof TensorDataset)) {
    throw new OptionError(`crossValidate: dataset is ${shown(dataset)}, expected a TensorDataset`);
  }
  checkList('crossValidate', 'folds', folds, 'folds, as kFold gives');
  for (const fold of folds) checkObject('crossValidate: a fold', fold, 'train and test');
  checkFunction('crossValidate', 'score', score);
  if (folds.length === 0) throw new OptionError('crossValidate: got no folds, expected at least one');
  const results: Readonly<Record<Figure, number>>[] = [];
  for (const [f, { train, test }] of folds.entries()) {
    results.push(await score(dataset.subset(train), dataset.subset(test), f));
  }
  const names = Object.keys(results[0]) as Figure[];
  const over = (of: (values: number[]) => number) =>
    Object.fromEntries(names.map((name) => [name, of(results.map((r) => r[name]))])) as Record<Figure, number>;
  const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const std = (values: number[]): number => {
    const m = mean(values);
    return Math.sqrt(values.reduce((sum, v) => sum + (v - m) ** 2, 0) / (values.length - 1));
  };
  return { folds: results, mean: over(mean), std: over(std) };
}

function checkK(
  where: string,
  n: number,
  options: { readonly k?: number },
  known: readonly string[] = ['k', 'shuffle', 'seed'],
): number {
  checkOptions(where, options, known);
  wholeNumber(`${where}: samples`, n, 2);
  return wholeNumber(`${where}: k`, options.k ?? 5, 2, n);
}

function foldsOf(fold: Int32Array, k: number): Fold[] {
  const all = range(0, fold.length);
  return Array.from({ length: k }, (_, f) => ({
    train: all.filter((i) => fold[i] !== f),
    test: all.filter((i) => fold[i] === f),
  }));
}

function range(start: number, end: number): Int32Array {
  return Int32Array.from({ length: end - start }, (_, i) => start + i);
}
