import {
  argmax,
  cast,
  concat,
  type DType,
  expandDims,
  full,
  greater,
  isFloat,
  notEqual,
  OptionError,
  reshape,
  ShapeError,
  sigmoid,
  slice,
  softmax,
  sub,
  Tensor,
} from '../core.js';
import { checkLabels } from '../losses/index.js';
import { shown } from '../options.js';
import { sameShape, sizeOf } from '../shape.js';

/**
 * What stream metrics send to the host: `[width, classes, row 0 …, row 1 …]`, each row of `width` numbers. The numbers of
 * the header make the values readable without the shape.
 */
export function packed(columns: readonly Tensor[], classes: number): Tensor {
  const width = columns.reduce((sum, c) => sum + c.shape[1], 0);
  const dtype = columns[0].dtype;
  const same = columns.map((c) => cast(c, dtype));
  return concat([full([1], width, { dtype }), full([1], classes, { dtype }), reshape(concat(same, 1), [-1])]);
}

/** Calls `row` with the offset of each row of what {@link packed} made. */
export function eachRow(values: ArrayLike<number>, row: (offset: number, width: number) => void): void {
  const width = values[0];
  for (let offset = 2; offset < values.length; offset += width) row(offset, width);
}

/** Labels and scores of a batch, one row a label: binary has one score a label, else one a class. */
export interface Scored {
  /** `[m, 1]` class numbers. */
  readonly label: Tensor;
  /** `[m, 1]` or `[m, classes]`. */
  readonly score: Tensor;
  readonly classes: number;
}

/** Throws unless both are tensors. */
export function checkPair(what: string, outputs: unknown, labels: unknown): void {
  for (const [name, x] of Object.entries({ outputs, labels })) {
    if (!(x instanceof Tensor)) throw new OptionError(`${what}: ${name} is ${shown(x)}, expected a Tensor`);
  }
}

/** Outputs `[…, classes]` with integer labels `[…]`, or outputs and 0/1 labels of one shape (binary). */
export function scored(what: string, outputs: Tensor, labels: Tensor): Scored {
  checkPair(what, outputs, labels);
  if (outputs.shape.length === 0) {
    throw new ShapeError(`${what}: got a single example without batch axis, expected [n, ...]`);
  }
  const dtype: DType = isFloat(outputs.dtype) ? outputs.dtype : 'float32';
  if (sameShape(outputs.shape, labels.shape)) {
    const m = sizeOf(outputs.shape);
    const one = isFloat(labels.dtype) ? greater(labels, 0.5) : notEqual(cast(labels, 'int32'), 0);
    return { label: reshape(cast(one, dtype), [m, 1]), score: reshape(cast(outputs, dtype), [m, 1]), classes: 2 };
  }
  checkLabels(what, outputs, labels);
  const classes = outputs.shape[outputs.shape.length - 1];
  const m = sizeOf(labels.shape);
  return {
    label: reshape(cast(labels, dtype), [m, 1]),
    score: reshape(cast(outputs, dtype), [m, classes]),
    classes,
  };
}

/** `[m, 1]` predicted class: the largest score (the first of equal ones), or score > threshold. */
export function predicted({ score, label }: Scored, threshold: number): Tensor {
  const binary = score.shape[1] === 1;
  return cast(binary ? greater(score, threshold) : expandDims(argmax(score, { axis: -1 }), -1), label.dtype);
}

/** Probabilities of the scores: sigmoid of one, softmax of several; as they are with `fromLogits: false`. */
export function probabilities({ score }: Scored, fromLogits: boolean): Tensor {
  if (!fromLogits) return score;
  return score.shape[1] === 1 ? sigmoid(score) : softmax(score);
}

/** One score a label for two classes, which orders as the probability of class 1 does. */
export function rankScore(s: Scored, fromLogits: boolean): Tensor {
  if (s.score.shape[1] === 1) return s.score;
  if (s.classes !== 2) return probabilities(s, fromLogits);
  const [zero, one] = [0, 1].map((c) => slice(s.score, [{}, { start: c, end: c + 1 }]));
  return fromLogits ? sub(one, zero) : one;
}
