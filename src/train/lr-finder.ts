import { flush, OptionError, randomState, restoreRandomState, type Tensor } from '../core.js';
import type { Module } from '../nn/index.js';
import { checkOptions, wholeNumber } from '../options.js';
import type { DataLike } from './batch.js';
import type { Callback } from './callback.js';
import { TerminateOnNaN } from './callbacks/stopping.js';
import { fit } from './fit.js';
import { checkModel, OBJECTIVE_OPTIONS } from './objective.js';
import { type FitOptions, resolveOptimizer } from './options.js';

export interface LrFinderOptions<Out = Tensor>
  extends Pick<FitOptions<Out>, 'loss' | 'lossWeights' | 'optimizer' | 'batchSize' | 'accumulate' | 'signal'> {
  /** First learning rate, > 0 (default 1e-7). */
  readonly start?: number;
  /** Last learning rate, above `start` (default 10). */
  readonly end?: number;
  /** Steps from the one to the other, >= 10 (default 100). */
  readonly steps?: number;
  /** Share of the past in the smoothed loss, in [0, 1) (default 0.9). */
  readonly smoothing?: number;
  /** Ends the test when the smoothed loss is this many times its best, > 1 (default 4). */
  readonly divergence?: number;
}

/** What {@link lrFinder} measured; plain numbers, as `plot.lrFinder` takes them. */
export interface LrFinderResult {
  /** Learning rate of each step. */
  readonly lr: readonly number[];
  /** Loss of each step's batch, before its update. */
  readonly loss: readonly number[];
  /** The same, averaged over the steps before. */
  readonly smoothed: readonly number[];
  /** Where the smoothed loss falls most steeply; null when it does not fall. */
  readonly suggestion: number | null;
  /** Whether the loss had grown too large before the last step. */
  readonly diverged: boolean;
}

/** Steps at the start that the average has not settled in. */
const UNSETTLED = 5;

/**
 * Learning-rate range test: trains with a rate that grows exponentially from step to step and notes the loss; model, optimizer
 * and random streams are put back. A good rate is the one where the loss falls most steeply, or somewhat less.
 *
 * lr_k = start·(end / start)^(k / (steps − 1)); s_k = β·s_(k−1) + (1 − β)·l_k, divided by 1 − β^(k+1).
 *
 * @param data as in `fit`; a pass that is too short is repeated.
 * @param options `loss`, `optimizer`, `batchSize`, `accumulate` as in `fit`; `start`, `end`, `steps`, `smoothing`, `divergence`.
 * @returns rates, losses and a suggestion.
 * @throws OptionError for options out of range; what `fit` throws, but for a loss that is not finite, which ends the test.
 * @example
 * const { suggestion } = await lrFinder(model, train, { loss: 'crossEntropy', optimizer: 'adam', batchSize: 128 });
 * @see Smith (2017), Cyclical learning rates for training neural networks; fast.ai, lr_find.
 */
export async function lrFinder<Out = Tensor>(
  model: Module<never[], Out>,
  data: DataLike,
  options: LrFinderOptions<Out>,
): Promise<LrFinderResult> {
  const where = 'lrFinder';
  checkModel(where, model);
  const own = ['start', 'end', 'steps', 'smoothing', 'divergence'];
  checkOptions(where, options, [...OBJECTIVE_OPTIONS, 'optimizer', 'batchSize', 'accumulate', 'signal', ...own]);
  const { start = 1e-7, end = 10, steps = 100, smoothing = 0.9, divergence = 4, ...rest } = options;
  check('start', start, start > 0, 'a number > 0');
  check('end', end, end > start, `a number > ${start}`);
  check('smoothing', smoothing, smoothing >= 0 && smoothing < 1, 'a number in [0, 1)');
  check('divergence', divergence, divergence > 1, 'a number > 1');
  wholeNumber(`${where}: steps`, steps, 2 * UNSETTLED);
  const rate = (k: number): number => start * (end / start) ** (k / (steps - 1));

  const optimizer = resolveOptimizer(options.optimizer);
  const found = { lr: [] as number[], loss: [] as number[], smoothed: [] as number[] };
  let average = 0;
  let best = Infinity;
  let diverged = false;
  const note: Callback = {
    name: where,
    onStep: ({ totalSteps, loss }, run) => {
      average = smoothing * average + (1 - smoothing) * loss;
      const smoothed = average / (1 - smoothing ** totalSteps);
      found.lr.push(rate(totalSteps - 1));
      found.loss.push(loss);
      found.smoothed.push(smoothed);
      if (totalSteps > UNSETTLED && smoothed > divergence * best) {
        diverged = true;
        run.stop('the loss has grown');
      }
      if (totalSteps >= UNSETTLED) best = Math.min(best, smoothed);
    },
  };

  const random = randomState();
  const before = {
    model: await model.stateDict(),
    optimizer: await optimizer.stateDict(),
    lr: optimizer.lr,
    steps: optimizer.steps,
  };
  try {
    const callbacks = [note, new TerminateOnNaN()];
    const schedule = (step: number): number => rate(Math.min(step - before.steps, steps - 1));
    const history = await fit(model, data, { ...rest, optimizer, stepsPerEpoch: steps, schedule, callbacks });
    diverged ||= history.stopped === 'stopped';
  } finally {
    optimizer.lr = before.lr;
    await optimizer.loadStateDict(before.optimizer);
    model.loadStateDict(before.model);
    await flush();
    restoreRandomState(random);
  }
  return { ...found, suggestion: steepest(found.lr, found.smoothed), diverged };
}

/** The rate where the loss falls most against the logarithm of the rate, before its minimum. */
function steepest(lr: readonly number[], loss: readonly number[]): number | null {
  const lowest = loss.indexOf(Math.min(...loss.slice(UNSETTLED)), UNSETTLED);
  let slope = 0;
  let at = -1;
  for (let k = UNSETTLED + 1; k < lowest; k++) {
    const here = loss[k + 1] - loss[k - 1]; // the steps are even in the logarithm
    if (here < slope) {
      slope = here;
      at = k;
    }
  }
  return at === -1 ? null : lr[at];
}

function check(what: string, value: unknown, right: boolean, expected: string): void {
  if (typeof value === 'number' && right && Number.isFinite(value)) return;
  throw new OptionError(`lrFinder: ${what} is ${String(value)}, expected ${expected}`);
}
