import { DataError, OptionError, ShapeError } from '../core.js';
import { checkArray, checkOptions, shown } from '../options.js';

/**
 * Counts of label against prediction: row = label, column = prediction, as in scikit-learn.
 *
 * @param labels true classes, whole numbers in [0, classes).
 * @param predictions predicted classes, as many.
 * @param options `classes`: default one more than the largest number given.
 * @returns `classes` rows of `classes` counts.
 * @throws ShapeError for unequal lengths; DataError, naming the position, for a number that is not a class.
 * @example confusionMatrix([0, 1, 1], [0, 1, 0]); // [[1, 0], [1, 1]]
 */
export function confusionMatrix(
  labels: ArrayLike<number>,
  predictions: ArrayLike<number>,
  options: { readonly classes?: number } = {},
): number[][] {
  checkArray('confusionMatrix', 'labels', labels, 'classes');
  checkArray('confusionMatrix', 'predictions', predictions, 'classes');
  checkOptions('confusionMatrix', options, ['classes']);
  if (labels.length !== predictions.length) {
    throw new ShapeError(
      `confusionMatrix: got ${labels.length} labels and ${predictions.length} predictions, expected as many`,
    );
  }
  let classes = options.classes ?? 0;
  if (!Number.isSafeInteger(classes) || classes < 0) {
    throw new OptionError(`confusionMatrix: classes is ${shown(classes)}, expected a whole number >= 1`);
  }
  for (const [what, list] of [
    ['label', labels],
    ['prediction', predictions],
  ] as const) {
    for (let i = 0; i < list.length; i++) {
      const c = list[i];
      if (!Number.isSafeInteger(c) || c < 0 || (options.classes !== undefined && c >= options.classes)) {
        throw new DataError(
          `confusionMatrix: ${what} ${i} is ${String(c)}, expected a class in [0, ${options.classes ?? '…'})`,
        );
      }
      if (c >= classes) classes = c + 1;
    }
  }
  if (classes > MAX_INFERRED && options.classes === undefined) {
    throw new DataError(
      `confusionMatrix: class ${classes - 1} would need a matrix of ${classes} rows; give { classes } if it is meant`,
    );
  }
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < labels.length; i++) matrix[labels[i]][predictions[i]] += 1;
  return matrix;
}

/** A stray large number must not cost gigabytes. */
const MAX_INFERRED = 10_000;
