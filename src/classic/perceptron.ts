import {
  cast,
  DataError,
  greaterEqual,
  mean,
  mul,
  neg,
  notEqual,
  OptionError,
  ShapeError,
  stopGradient,
  sub,
  sum,
  type Tensor,
} from '../core.js';
import type { DataInput, TensorDataset } from '../data/index.js';
import type { Metric } from '../metrics/index.js';
import { SGD } from '../optim/index.js';
import { checkOptions, wholeNumber } from '../options.js';
import { fit, predict } from '../train/index.js';
import { datasetOf, type LabelledData, LinearModel, type LinearModelOptions } from './model.js';

/** How a perceptron's training went. */
export interface Convergence {
  /** Whether an epoch passed without a mistake: then a line separates the classes, and training stops. */
  readonly converged: boolean;
  /** Epochs taken, the last one without mistakes when converged. */
  readonly epochs: number;
  /** Mistakes of each epoch; each one was followed by a correction. */
  readonly mistakes: readonly number[];
  /** What that means, in words. */
  readonly message: string;
}

export interface PerceptronLearnOptions {
  /** Learning rate η > 0; default 1. */
  readonly lr?: number;
  /** Most passes over the data; default 100. */
  readonly maxEpochs?: number;
  /** A new order each epoch, from the 'data' stream; default false. */
  readonly shuffle?: boolean;
}

/**
 * Rosenblatt's perceptron: ŷ = 1 if x·w + b >= 0, else 0; after each sample w += η(y − ŷ)x, b += η(y − ŷ).
 *
 * It converges exactly when a straight line (a plane) separates the classes; otherwise it runs to `maxEpochs` and says so.
 * The rule is gradient descent on −(y − ŷ)·z with ŷ held fixed, one sample a step, and that is how it runs.
 *
 * @param features columns of x, >= 1.
 * @param options `weight`, `bias`: first values (default zeros).
 * @throws OptionError for sizes, and for weights of another length.
 * @example
 * const and = new classic.Perceptron(2);
 * const { converged } = await and.learn({ x: [[0, 0], [0, 1], [1, 0], [1, 1]], y: [[0], [0], [0], [1]] }); // true
 * @see Rosenblatt (1958), The perceptron; Novikoff (1962) for convergence; Minsky and Papert (1969) for XOR.
 */
export class Perceptron extends LinearModel {
  constructor(features: number, options: LinearModelOptions = {}) {
    super('Perceptron', features, 1, options);
  }

  /**
   * Applies the rule until an epoch has no mistake, or `maxEpochs` have passed.
   * @param data a TensorDataset or `{ x, y }`: x `[n, features]`, y `[n, 1]` of 0 and 1.
   * @param options `lr` (default 1), `maxEpochs` (default 100), `shuffle` (default false).
   * @throws OptionError for options; ShapeError and DataError for targets that are not `[n, 1]` of 0 and 1.
   */
  async learn(data: LabelledData, options: PerceptronLearnOptions = {}): Promise<Convergence> {
    checkOptions('Perceptron.learn', options, ['lr', 'maxEpochs', 'shuffle']);
    const { lr = 1, shuffle = false } = options;
    if (!(lr > 0 && Number.isFinite(lr))) {
      throw new OptionError(`Perceptron.learn: lr is ${String(lr)}, expected a number > 0`);
    }
    const epochs = wholeNumber('Perceptron.learn: maxEpochs', options.maxEpochs ?? 100, 1);
    const dataset = datasetOf('Perceptron.learn', data);
    await checkTargets(dataset);
    const run = fit(this, dataset, {
      loss: (z, y) => neg(mean(mul(stopGradient(sub(cast(y, z.dtype), step(z))), z))),
      optimizer: new SGD({ lr }),
      metrics: [MISTAKES],
      batchSize: 1,
      shuffle,
      epochs,
    });
    const mistakes: number[] = [];
    for await (const event of run) {
      if (event.type !== 'epoch') continue;
      mistakes.push(Number(event.record['mistakes']));
      if (mistakes.at(-1) === 0) break; // steps still in flight find no mistake either and change nothing
    }
    await run;
    const converged = mistakes.at(-1) === 0;
    const message = converged
      ? `converged: epoch ${mistakes.length} had no mistake, so a line separates the classes`
      : `not converged: still ${mistakes.at(-1)} mistakes in epoch ${epochs}; ` +
        'no line may separate the classes (as for XOR), or maxEpochs is too small';
    return { converged, epochs: mistakes.length, mistakes, message };
  }

  /** Class of each row: 1 where x·w + b >= 0, else 0. */
  async predict(x: TensorDataset | DataInput): Promise<Int32Array> {
    const z = await (await predict(this, x)).data();
    return Int32Array.from(z as Float32Array, (v) => (v >= 0 ? 1 : 0));
  }
}

/** 1 where z >= 0, else 0. */
function step(z: Tensor): Tensor {
  return cast(greaterEqual(z, 0), z.dtype);
}

const MISTAKES: Metric = {
  name: 'mistakes',
  init: 0,
  batch: (z, y) => sum(cast(notEqual(step(z), cast(y, z.dtype)), 'float32')),
  finish: (total) => total,
};

async function checkTargets({ y, rows, length }: TensorDataset): Promise<void> {
  if (y.shape.length !== 2 || y.shape[1] !== 1) {
    throw new ShapeError(`Perceptron.learn: y is [${y.shape}], expected [n, 1] of 0 and 1, such as [[0], [1]]`);
  }
  const values = await y.data();
  for (let i = 0; i < length; i++) {
    const target = Number(values[rows === null ? i : rows[i]]);
    if (target !== 0 && target !== 1)
      throw new DataError(`Perceptron.learn: y of sample ${i} is ${target}, expected 0 or 1`);
  }
}
