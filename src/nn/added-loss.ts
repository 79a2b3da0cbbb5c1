import { isFloat, ShapeError, Tensor } from '../core.js';
import { checkFunction } from '../options.js';

let collecting: Tensor[] | null = null;

/** Called by `Module.addLoss`. */
export function noteLoss(label: string, loss: Tensor): void {
  if (!(loss instanceof Tensor) || loss.shape.length !== 0 || !isFloat(loss.dtype)) {
    const got = loss instanceof Tensor ? `${loss.dtype} [${loss.shape}]` : typeof loss;
    throw new ShapeError(`${label}: addLoss got ${got}, expected a float scalar; reduce it, e.g. penalty.mean()`);
  }
  collecting?.push(loss);
}

/**
 * Runs a forward pass and gathers what its modules added to the loss with `addLoss`. `fit` and `evaluate` do this for you.
 * @param fn calls `forward`; passes within passes keep their losses apart
 * @returns `[what fn returns, the added losses in order]`, each a scalar
 * @example
 * const [output, added] = nn.collectLosses(() => model.forward(x));
 * const loss = added.reduce((a, b) => add(a, b), mse(output, y));
 */
export function collectLosses<R>(fn: () => R): [result: R, losses: Tensor[]] {
  checkFunction('collectLosses', 'fn', fn);
  const outer = collecting;
  const losses: Tensor[] = [];
  collecting = losses;
  try {
    return [fn(), losses];
  } finally {
    collecting = outer;
  }
}
