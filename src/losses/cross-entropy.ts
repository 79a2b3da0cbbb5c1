import {
  add,
  arange,
  cast,
  DTypeError,
  equal,
  isFloat,
  logicalAnd,
  logSoftmax,
  mul,
  neg,
  notEqual,
  OptionError,
  oneHot,
  reshape,
  ShapeError,
  softmaxCrossEntropy,
  sum,
  Tensor,
  take,
  where,
} from '../core.js';
import { shown } from '../options.js';
import { sameShape, sizeOf } from '../shape.js';
import { checkFloat, checkTensor, floatTargets } from './check.js';
import { logOf } from './log.js';
import { checkLossOptions, type LossOptions, reduce } from './reduction.js';

export interface NllOptions extends LossOptions {
  /** `[classes]`, >= 0: factor of each class. In the weighted mean a sample counts with the weight of its label. */
  readonly classWeights?: Tensor;
  /** Label of samples that count nothing, such as padding (default none; PyTorch's is −100). */
  readonly ignoreIndex?: number;
}

export interface CrossEntropyOptions extends NllOptions {
  /** ε in [0, 1]: the target becomes (1 − ε)·one-hot + ε/classes (default 0). */
  readonly labelSmoothing?: number;
  /** Whether outputs are scores before the softmax (default true) or probabilities. */
  readonly fromLogits?: boolean;
}

/** Labels without the ignored ones, and which samples count; `counted` is null when all do. */
function withoutIgnored(loss: string, labels: Tensor, ignoreIndex: number | undefined) {
  const y = cast(labels, 'int32');
  if (ignoreIndex === undefined) return { y, counted: null };
  if (!Number.isInteger(ignoreIndex)) {
    throw new OptionError(`${loss}: ignoreIndex is ${String(ignoreIndex)}, expected a whole number`);
  }
  const counted = notEqual(y, ignoreIndex);
  return { y: where(counted, y, 0), counted };
}

function checkClassWeights(loss: string, x: Tensor, classWeights: Tensor | undefined): Tensor | null {
  if (classWeights === undefined) return null;
  if (!(classWeights instanceof Tensor)) {
    throw new DTypeError(`${loss}: classWeights must be a tensor; wrap them in tensor([…])`);
  }
  const classes = x.shape[x.shape.length - 1];
  if (!sameShape(classWeights.shape, [classes])) {
    throw new ShapeError(`${loss}: got classWeights [${classWeights.shape}], expected [${classes}], one per class`);
  }
  return cast(classWeights, x.dtype);
}

function checkSmoothing(loss: string, labelSmoothing: number): number {
  if (typeof labelSmoothing === 'number' && labelSmoothing >= 0 && labelSmoothing <= 1) return labelSmoothing;
  throw new OptionError(`${loss}: labelSmoothing is ${shown(labelSmoothing)}, expected a number in [0, 1]`);
}

/** What all losses over integer labels share: class weights, ignored labels, smoothing. `rows` gives −log p of the label. */
function overLabels(
  loss: string,
  x: Tensor,
  labels: Tensor,
  options: CrossEntropyOptions,
  rows: (y: Tensor) => Tensor,
  logP: () => Tensor,
): Tensor {
  const { y, counted } = withoutIgnored(loss, labels, options.ignoreIndex);
  const classWeights = checkClassWeights(loss, x, options.classWeights);
  const smoothing = checkSmoothing(loss, options.labelSmoothing ?? 0);
  const factor = classWeights === null ? null : take(classWeights, y);
  let values = rows(y);
  if (factor !== null) values = mul(values, factor);
  if (smoothing > 0) {
    const all = logP();
    const spread = neg(sum(classWeights === null ? all : mul(all, classWeights), { axis: -1 }));
    values = add(mul(values, 1 - smoothing), mul(spread, smoothing / x.shape[x.shape.length - 1]));
  }
  if (counted !== null) values = where(counted, values, 0);
  const ones = counted === null ? null : cast(counted, x.dtype);
  const counts = factor === null ? ones : ones === null ? factor : mul(factor, ones);
  return reduce(loss, values, options, counts);
}

/** −logP[label]; a label outside stops the run in `take`. */
function picked(logP: Tensor): (y: Tensor) => Tensor {
  const classes = logP.shape[logP.shape.length - 1];
  return (y) => {
    const checked = take(arange(classes), y);
    return neg(sum(where(oneHot(checked, classes, { dtype: 'bool' }), logP, 0), { axis: -1 }));
  };
}

/**
 * Cross-entropy of logits and class labels (sparse categorical cross-entropy): −log softmax(logits)[label].
 *
 * The mean is PyTorch's: Σ w·l / Σ w, w the sample weight times the weight of the label's class, 0 for ignored labels.
 *
 * @param logits `[…, classes]`, float; scores before any softmax, or probabilities with `fromLogits: false`.
 * @param labels `[…]`, int32 or uint8, each in [0, classes); a label outside stops the run with a DataError. Or float, shares of
 *   the classes in the logits' shape, as mixup makes them: then it is {@link categoricalCrossEntropy}.
 * @param options `reduction`, default 'mean'; `weights` `[…]`; `classWeights` `[classes]`; `labelSmoothing` in [0, 1];
 *   `ignoreIndex`; `fromLogits`, default true.
 * @returns a scalar, or the losses in the labels' shape with `reduction: 'none'` (0 where ignored); 0 when all are ignored
 *   (PyTorch: NaN).
 * @throws ShapeError when labels do not have the shape of logits without its last axis; DTypeError for labels that are
 *   not integers; OptionError for options out of range.
 * @example
 * const loss = crossEntropy(model.forward(x), y); // x [128, 784], y int32 [128]
 * @see PyTorch, torch.nn.functional.cross_entropy; gradient at the logits: (softmax − one-hot) / n.
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const name = 'crossEntropy';
  checkLossOptions(name, options, ['classWeights', 'ignoreIndex', 'labelSmoothing', 'fromLogits']);
  checkFloat(name, logits, 'logits');
  if (isShares(logits, labels)) {
    const { ignoreIndex, ...rest } = options;
    if (ignoreIndex === undefined) return categoricalCrossEntropy(logits, labels, rest);
    throw new OptionError(`${name}: ignoreIndex is for class numbers, the labels are shares of classes`);
  }
  checkLabels(name, logits, labels);
  if (options.fromLogits === false) {
    const logP = logOf(logits);
    return overLabels(name, logits, labels, options, picked(logP), () => logP);
  }
  const rows = (y: Tensor): Tensor => {
    const n = sizeOf(y.shape);
    const flat = softmaxCrossEntropy(reshape(logits, [n, logits.shape[logits.shape.length - 1]]), reshape(y, [n]));
    return reshape(flat, y.shape);
  };
  return overLabels(name, logits, labels, options, rows, () => logSoftmax(logits));
}

/** Whether labels are distributions over the classes, not numbers of them. */
function isShares(logits: Tensor, labels: Tensor): boolean {
  return labels instanceof Tensor && isFloat(labels.dtype) && sameShape(labels.shape, logits.shape);
}

/** {@link crossEntropy} under its longer name: integer labels. */
export const sparseCategoricalCrossEntropy = crossEntropy;

/**
 * Negative log likelihood of log probabilities and class labels: −outputs[label]. With `logSoftmax` before it, cross-entropy.
 *
 * @param logProbs `[…, classes]`, float: log probabilities.
 * @param labels `[…]`, int32 or uint8, each in [0, classes); a label outside stops the run with a DataError.
 * @param options `reduction`, default 'mean' (weighted as in {@link crossEntropy}); `weights`; `classWeights`; `ignoreIndex`.
 * @returns a scalar, or the losses in the labels' shape with `reduction: 'none'`.
 * @throws ShapeError, DTypeError and OptionError as {@link crossEntropy}.
 * @example nllLoss(logSoftmax(logits), labels);
 * @see PyTorch, torch.nn.functional.nll_loss.
 */
export function nllLoss(logProbs: Tensor, labels: Tensor, options: NllOptions = {}): Tensor {
  checkLossOptions('nllLoss', options, ['classWeights', 'ignoreIndex']);
  checkFloat('nllLoss', logProbs);
  checkLabels('nllLoss', logProbs, labels);
  return overLabels('nllLoss', logProbs, labels, options, picked(logProbs), () => logProbs);
}

export interface CategoricalCrossEntropyOptions extends LossOptions {
  /** `[classes]`, >= 0: factor of each class; the mean still divides by the number of rows, as in PyTorch. */
  readonly classWeights?: Tensor;
  /** ε in [0, 1]: the target becomes (1 − ε)·target + ε/classes (default 0). */
  readonly labelSmoothing?: number;
  /** Whether outputs are scores before the softmax (default true) or probabilities. */
  readonly fromLogits?: boolean;
}

/**
 * Cross-entropy of logits and target distributions (one-hot or soft): −Σ_c y_c·log softmax(logits)_c.
 *
 * @param outputs `[…, classes]`, float: logits, or probabilities with `fromLogits: false` (at least e^−100 each).
 * @param targets the same shape, each row a distribution; bool and integers are taken as 0 and 1.
 * @param options `reduction`, default 'mean' over rows; `weights` `[…]`; `classWeights` `[classes]`; `labelSmoothing`;
 *   `fromLogits`, default true.
 * @returns a scalar, or one loss a row with `reduction: 'none'`.
 * @throws ShapeError when the shapes differ; DTypeError for outputs that are not float; OptionError for options out of range.
 * @example categoricalCrossEntropy(tensor([[2, 0]]), tensor([[1, 0]])); // 0.1269
 * @see PyTorch, cross_entropy with class probabilities; gradient at the logits: (softmax − y) / n.
 */
export function categoricalCrossEntropy(
  outputs: Tensor,
  targets: Tensor,
  options: CategoricalCrossEntropyOptions = {},
): Tensor {
  const name = 'categoricalCrossEntropy';
  checkLossOptions(name, options, ['classWeights', 'labelSmoothing', 'fromLogits']);
  checkTensor(name, outputs, 'outputs');
  if (outputs.shape.length === 0) throw new ShapeError(`${name}: got scalar outputs, expected [..., classes]`);
  const given = floatTargets(name, outputs, targets);
  const classWeights = checkClassWeights(name, outputs, options.classWeights);
  const smoothing = checkSmoothing(name, options.labelSmoothing ?? 0);
  const classes = outputs.shape[outputs.shape.length - 1];
  const y = smoothing === 0 ? given : add(mul(given, 1 - smoothing), smoothing / classes);
  const logP = options.fromLogits === false ? logOf(outputs) : logSoftmax(outputs);
  // A class that is ruled out (logit −Infinity) and not asked for costs nothing: 0 · ∞ would be NaN.
  const terms = mul(y, where(logicalAnd(equal(y, 0), equal(logP, -Infinity)), 0, logP));
  const rows = neg(sum(classWeights === null ? terms : mul(terms, classWeights), { axis: -1 }));
  return reduce(name, rows, options);
}

/** Throws unless `labels` are integers of the shape of `logits` without its last axis. */
export function checkLabels(what: string, logits: Tensor, labels: Tensor): void {
  checkTensor(what, logits, 'logits');
  checkTensor(what, labels, 'labels');
  const expected = logits.shape.slice(0, -1);
  if (logits.shape.length === 0) throw new ShapeError(`${what}: got scalar logits, expected [..., classes]`);
  if (labels.dtype !== 'int32' && labels.dtype !== 'uint8') {
    const oneHotLike = sameShape(labels.shape, logits.shape);
    const other = what === 'crossEntropy' ? ', or categoricalCrossEntropy' : '';
    const hint = oneHotLike
      ? `they look one-hot: use argmax(labels, { axis: -1 })${other}`
      : "use labels.cast('int32')";
    throw new DTypeError(`${what}: got ${labels.dtype} labels, expected int32 class numbers; ${hint}`);
  }
  if (!sameShape(labels.shape, expected)) {
    const hint = sizeOf(labels.shape) === sizeOf(expected) ? `; reshape the labels to [${expected.join(', ')}]` : '';
    throw new ShapeError(
      `${what}: got logits [${logits.shape.join(', ')}] and labels [${labels.shape.join(', ')}], ` +
        `expected labels [${expected.join(', ')}]${hint}`,
    );
  }
}
