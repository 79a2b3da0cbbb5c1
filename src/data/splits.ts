import { DataError, OptionError, permutation } from '../core.js';
import { checkArray, checkList, checkOptions } from '../options.js';
import type { TensorDataset } from './dataset.js';

/** Class or group of each sample: numbers or strings, compared as they are. */
export type Labels = ArrayLike<number> | ArrayLike<string>;

export interface SplitIndicesOptions {
  /** Random parts (default); false keeps the order, which makes the split chronological. */
  readonly shuffle?: boolean;
  /** Class of each sample: every part then has the classes in the same shares. */
  readonly stratify?: Labels;
  /** For parts that depend on nothing else; without it they are drawn from the 'data' stream of `seed()`. */
  readonly seed?: number;
}

/**
 * Indices of parts of n samples.
 *
 * @param n number of samples, >= number of parts.
 * @param parts fractions in (0, 1) that add up to 1, or counts >= 1 that add up to n; rounded by largest remainder.
 * @param options `shuffle` (default true), `stratify` (n labels), `seed`.
 * @returns one list of indices a part, together each of 0 … n − 1 once.
 * @throws OptionError when the parts do not add up or one is empty; DataError when a class would be missing in a part.
 * @example const [train, test] = data.splitIndices(150, [0.8, 0.2], { stratify: labels, seed: 1 });
 * @see scikit-learn, train_test_split; Hamilton's method of largest remainders.
 */
export function splitIndices(n: number, parts: readonly number[], options: SplitIndicesOptions = {}): Int32Array[] {
  checkOptions('splitIndices', options, ['shuffle', 'stratify', 'seed']);
  const { shuffle = true, stratify, seed } = options;
  const sizes = partSizes('splitIndices', n, parts);
  const order = shuffle ? permutation(n, seed) : Int32Array.from({ length: n }, (_, i) => i);
  if (stratify !== undefined) return stratified(sizes, order, checkLength('splitIndices: stratify', stratify, n));
  let start = 0;
  return sizes.map((size) => {
    start += size;
    return order.slice(start - size, start);
  });
}

export interface TrainDevTestOptions extends SplitIndicesOptions {
  /** Share or count of the training part; default what the others leave. */
  readonly train?: number;
  /** Share or count of the development (validation) part; default none. */
  readonly dev?: number;
  /** Share or count of the test part; default none. */
  readonly test?: number;
}

/**
 * Training, development and test part of a data set, sharing its memory.
 *
 * @param dataset what is cut.
 * @param options `train`, `dev`, `test`: shares in (0, 1) or counts >= 1, all of one kind; `shuffle: false` for a
 *   chronological split; `stratify` for equal class shares; `seed`.
 * @returns the three parts; `dev` or `test` is null when it was not asked for.
 * @throws OptionError when the parts do not add up or one is empty; DataError when a class would be missing in a part.
 * @example const { train, dev, test } = data.trainDevTest(all, { dev: 0.15, test: 0.15, seed: 1 });
 */
export function trainDevTest(
  dataset: TensorDataset,
  options: TrainDevTestOptions,
): { train: TensorDataset; dev: TensorDataset | null; test: TensorDataset | null } {
  checkOptions('trainDevTest', options, ['train', 'dev', 'test', 'shuffle', 'stratify', 'seed']);
  const { train, dev, test, ...rest } = options;
  const others = [dev, test].filter((p) => p !== undefined);
  if (others.length === 0) throw new OptionError('trainDevTest: expected dev, test or both, such as { test: 0.2 }');
  const whole = others.every((p) => p >= 1) ? dataset.length : 1;
  const first = train ?? whole - others.reduce((a, b) => a + b, 0);
  const parts = splitIndices(dataset.length, [first, ...others], rest).map((p) => dataset.subset(p));
  return {
    train: parts[0],
    dev: dev === undefined ? null : parts[1],
    test: test === undefined ? null : parts[parts.length - 1],
  };
}

/** Each part takes its share of what is left of every class, in the order given. */
function stratified(sizes: readonly number[], order: Int32Array, labels: Labels): Int32Array[] {
  const queues = [...byLabel(labels, order)];
  const taken = queues.map(() => 0);
  return sizes.map((size, p) => {
    const left = queues.map(([, list], c) => list.length - taken[c]);
    const quota = largestRemainder(left, size);
    const part: number[] = [];
    queues.forEach(([label, list], c) => {
      if (quota[c] === 0) {
        throw new DataError(
          `splitIndices: class ${label} has ${list.length} samples and would be missing in part ${p} of ${sizes.length}; ` +
            'make that part larger, leave the class out, or split without stratify',
        );
      }
      part.push(...list.slice(taken[c], taken[c] + quota[c]));
      taken[c] += quota[c];
    });
    const chosen = new Set(part);
    return order.filter((i) => chosen.has(i));
  });
}

/** Indices of each label, labels in order of first appearance in the list. */
export function byLabel(labels: Labels, order?: ArrayLike<number>): Map<number | string, number[]> {
  const groups = new Map<number | string, number[]>();
  for (let at = 0; at < labels.length; at++) groups.set(labels[at], groups.get(labels[at]) ?? []);
  for (let at = 0; at < labels.length; at++) {
    const i = order === undefined ? at : order[at];
    (groups.get(labels[i]) as number[]).push(i);
  }
  return groups;
}

/** `total` shared out in proportion to `weights`, in whole numbers; never more than a weight when total <= their sum. */
function largestRemainder(weights: readonly number[], total: number): number[] {
  const sum = weights.reduce((a, b) => a + b, 0);
  const exact = weights.map((w) => (w * total) / sum);
  const out = exact.map((e) => Math.floor(e + 1e-9));
  const byRemainder = exact.map((e, i) => [e - out[i], i] as const).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  const rest = total - out.reduce((a, b) => a + b, 0);
  for (let r = 0; r < rest; r++) out[byRemainder[r][1]] += 1;
  return out;
}

function partSizes(where: string, n: number, parts: readonly number[]): readonly number[] {
  if (!Number.isSafeInteger(n) || n < 1)
    throw new OptionError(`${where}: n is ${String(n)}, expected a whole number >= 1`);
  checkList(where, 'parts', parts, 'shares or counts');
  const total = parts.reduce((a, b) => a + b, 0);
  if (parts.length > 0 && parts.every((p) => p > 0 && p < 1)) {
    if (Math.abs(total - 1) > 1e-9) {
      throw new OptionError(`${where}: shares [${parts}] add up to ${total}, expected 1`);
    }
    const sizes = largestRemainder(parts, n);
    const empty = sizes.indexOf(0);
    if (empty >= 0)
      throw new OptionError(`${where}: part ${empty} of share ${parts[empty]} of ${n} samples would be empty`);
    return sizes;
  }
  if (!parts.every((p) => Number.isInteger(p) && p >= 1) || total !== n) {
    throw new OptionError(
      `${where}: parts [${parts}] of ${n} samples: expected shares in (0, 1) that add up to 1, or counts >= 1 that add up to ${n}`,
    );
  }
  return parts;
}

function checkLength(what: string, labels: Labels, n: number): Labels {
  checkArray(what, 'labels', labels, 'classes');
  if (labels.length === n) return labels;
  throw new DataError(`${what} has ${labels.length} entries, expected one for each of ${n} samples`);
}
