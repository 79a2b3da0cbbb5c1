import { cast, DTypeError, isFloat, reshape, ShapeError, softmaxCrossEntropy, type Tensor } from '../core.js';
import { sameShape, sizeOf } from '../shape.js';
import { type LossOptions, reduce } from './reduction.js';

/**
 * Cross-entropy of logits and class labels: −log softmax(logits)[label], the mean over all labels.
 *
 * @param logits `[…, classes]`, float; scores before any softmax.
 * @param labels `[…]`, int32 or uint8, each in [0, classes); a label outside stops the run with a DataError.
 * @param options `reduction`, default 'mean'.
 * @returns a scalar, or the losses in the labels' shape with `reduction: 'none'`.
 * @throws ShapeError when labels do not have the shape of logits without its last axis; DTypeError for labels that are
 *   not integers.
 * @example
 * const loss = crossEntropy(model.forward(x), y); // x [128, 784], y int32 [128]
 * @see PyTorch, torch.nn.functional.cross_entropy; gradient at the logits: (softmax − one-hot) / n.
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options: LossOptions = {}): Tensor {
  if (!isFloat(logits.dtype))
    throw new DTypeError(`crossEntropy: got ${logits.dtype} logits, expected float32 or float64`);
  checkLabels('crossEntropy', logits, labels);
  const classes = logits.shape[logits.shape.length - 1];
  const n = sizeOf(labels.shape);
  const rows = softmaxCrossEntropy(
    reshape(logits, [n, classes]),
    reshape(labels.dtype === 'int32' ? labels : cast(labels, 'int32'), [n]),
  );
  return reduce('crossEntropy', options.reduction === 'none' ? reshape(rows, labels.shape) : rows, options);
}

/** Throws unless `labels` are integers of the shape of `logits` without its last axis. */
export function checkLabels(what: string, logits: Tensor, labels: Tensor): void {
  const expected = logits.shape.slice(0, -1);
  if (logits.shape.length === 0) throw new ShapeError(`${what}: got scalar logits, expected [..., classes]`);
  if (labels.dtype !== 'int32' && labels.dtype !== 'uint8') {
    const oneHot = sameShape(labels.shape, logits.shape);
    const hint = oneHot ? 'they look one-hot: use argmax(labels, { axis: -1 })' : "use labels.cast('int32')";
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
