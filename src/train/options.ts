import { Augmentation } from '../augment/index.js';
import { OptionError, Tensor, tensor } from '../core.js';
import { classWeights as balancedWeights, labelsOf, TensorDataset } from '../data/index.js';
import { EMA, type Optimizer, type OptimizerName, optimizerByName } from '../optim/index.js';
import { checkArray, shown, wholeNumber } from '../options.js';
import type { Schedule } from '../schedules/index.js';
import { type DataLike, type Source, sourceOf, Table } from './batch.js';
import type { Callback } from './callback.js';
import { Checkpoint } from './callbacks/checkpoint.js';
import type { EpochRecord, ProgressEvent } from './events.js';
import { OBJECTIVE_OPTIONS, type ObjectiveOptions } from './objective.js';
import type { ProgressStream } from './progress.js';

export interface FitOptions<Out = Tensor> extends ObjectiveOptions<Out> {
  /** An optimizer, or the name of one with its default settings. */
  readonly optimizer: OptimizerName | Optimizer;
  /** Passes over the data; default 1. */
  readonly epochs?: number;
  /** Samples a batch, in [1, samples]; default 32. The last batch of an epoch may be smaller. Pipelines have their own. */
  readonly batchSize?: number;
  /** A new random order each epoch, from the 'data' stream of `seed()`; default true. Pipelines have their own. */
  readonly shuffle?: boolean;
  /** Steps an epoch, instead of a pass over the data: the next epoch goes on where this one ended. */
  readonly stepsPerEpoch?: number;
  /** Evaluated after each epoch: a data set, or the share in (0, 1) of the data to set aside for it. */
  readonly validation?: DataLike | number;
  /** Epochs from one validation to the next; the last epoch is always followed by one. Default 1. */
  readonly validationEvery?: number;
  /**
   * Random changes to pictures, made by threads while the program trains: what `augment.compose` gives. x is `[n, height, width]` or
   * `[n, height, width, channels]`. Validation has the pictures as they are.
   */
  readonly augment?: Augmentation;
  /** One weight >= 0 a sample, in the order of the data: factor of its loss. Metrics count every sample once, as Keras' `metrics` do. */
  readonly sampleWeight?: ArrayLike<number> | Tensor;
  /** One weight >= 0 a class, or 'balanced': n / (classes · count). Training only. */
  readonly classWeight?: ArrayLike<number> | 'balanced';
  /** Batches an update: their gradients are averaged by samples, as if they were one batch. Default 1. */
  readonly accumulate?: number;
  /** Greatest Euclidean norm, > 0, of all gradients of an update together; larger ones are scaled down. */
  readonly clipNorm?: number;
  /** Greatest absolute value, > 0, of any element of a gradient; applied after `clipNorm`. */
  readonly clipValue?: number;
  /**
   * Averages of the parameters, updated with each step; the validation figures are of them, and `restoreBest` restores them. After
   * the run the model has else the trained parameters: `ema.copyTo()` gives it the averages.
   */
  readonly ema?: EMA;
  /** Learning rate by the number of updates before, or by the number of finished epochs with `scheduleBy: 'epoch'`. */
  readonly schedule?: Schedule;
  /** Default 'step'. */
  readonly scheduleBy?: 'step' | 'epoch';
  /** Seconds after which the run ends, after the steps in flight. */
  readonly timeLimit?: number;
  /** Take part in the run, in this order. */
  readonly callbacks?: readonly Callback[];
  /**
   * Goes on from a checkpoint: of the directory of the callback `Checkpoint` with 'auto', which starts afresh when there is
   * none, or of this directory.
   */
  readonly resume?: 'auto' | (string & {});
  /** Ends the run after the steps in flight. */
  readonly signal?: AbortSignal;
  /** true: a progress bar, or one line an epoch, on stderr; or the stream to write to. Default false. */
  readonly progress?: boolean | ProgressStream;
  /** Called after each epoch, awaited; an error it throws ends the run with that error. */
  readonly onEpoch?: (record: EpochRecord) => void | Promise<void>;
  /** Called about 20 times a second. */
  readonly onProgress?: (event: ProgressEvent) => void;
}

export const FIT_OPTIONS: readonly string[] = [
  ...OBJECTIVE_OPTIONS,
  'optimizer',
  'epochs',
  'batchSize',
  'shuffle',
  'stepsPerEpoch',
  'validation',
  'validationEvery',
  'augment',
  'sampleWeight',
  'classWeight',
  'accumulate',
  'clipNorm',
  'clipValue',
  'ema',
  'schedule',
  'scheduleBy',
  'timeLimit',
  'callbacks',
  'resume',
  'signal',
  'progress',
  'onEpoch',
  'onProgress',
] satisfies readonly (keyof FitOptions)[];

export function resolveOptimizer(given: FitOptions['optimizer']): Optimizer {
  if (typeof given === 'string') return optimizerByName(given);
  if (typeof given === 'object' && given !== null && typeof given.update === 'function') return given;
  const hint = typeof given === 'function' ? '; write new, as in new optim.Adam({ lr: 1e-3 })' : '';
  throw new OptionError(`fit: optimizer is ${shown(given)}, expected a name such as 'adam' or an optimizer${hint}`);
}

export function resolveEma(given: FitOptions['ema']): EMA | null {
  if (given === undefined) return null;
  if (given instanceof EMA) return given;
  throw new OptionError(`fit: ema is ${String(given)}, expected new optim.EMA(model, { decay })`);
}

export function resolveAugment(given: FitOptions['augment']): Augmentation | null {
  if (given === undefined) return null;
  if (given instanceof Augmentation) return given;
  const hint = Array.isArray(given) ? '; put the list into augment.compose' : '';
  throw new OptionError(
    `fit: augment is ${String(given)}, expected what augment.compose or augment.rotate gives${hint}`,
  );
}

/** A finite number above 0, or null when it was not given. */
export function positive(what: string, value: number | undefined): number | null {
  if (value === undefined) return null;
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
  throw new OptionError(`fit: ${what} is ${String(value)}, expected a finite number > 0`);
}

/** Callbacks as the run calls them: in the order given, those that save the run last. */
export function resolveCallbacks(given: unknown): Callback[] {
  if (!Array.isArray(given)) {
    throw new OptionError('fit: callbacks must be an array, such as [new callbacks.EarlyStopping({ patience: 3 })]');
  }
  const names = new Set<string>();
  for (const callback of given as readonly (Callback | null | undefined)[]) {
    if (typeof callback === 'function') {
      throw new OptionError(`fit: a callback is the class ${(callback as { name: string }).name}; write new`);
    }
    if (typeof callback !== 'object' || callback === null || typeof callback.name !== 'string') {
      throw new OptionError(`fit: a callback is ${String(callback)}, expected an object with a name and methods`);
    }
    if (names.has(callback.name)) {
      throw new OptionError(`fit: two callbacks are called "${callback.name}"; give one another { name }`);
    }
    names.add(callback.name);
    if (callback.every !== undefined && callback.every !== Infinity)
      wholeNumber(`fit: every of callback "${callback.name}"`, callback.every, 1);
  }
  const list = given as Callback[];
  const saves = (c: Callback): boolean => c instanceof Checkpoint;
  return [...list.filter((c) => !saves(c)), ...list.filter(saves)];
}

/** Checks the `validation` option; a share is cut off later, when the random streams are where they should be. */
export function resolveValidation(validation: FitOptions['validation']): Source | number | null {
  if (validation === undefined) return null;
  if (typeof validation !== 'number') return sourceOf('fit: validation', validation);
  if (validation > 0 && validation < 1) return validation;
  throw new OptionError(`fit: validation is ${validation}, expected a share in (0, 1) or a data set`);
}

/** One weight a class as a tensor, from the option `classWeight`. */
export async function resolveClassWeights(given: FitOptions['classWeight'], source: Source): Promise<Tensor | null> {
  if (given === undefined) return null;
  if (given === 'balanced') {
    const y = source instanceof Table ? source.rows.y : undefined;
    if (!(source instanceof Table && y instanceof Tensor)) {
      throw new OptionError(
        "fit: classWeight 'balanced' needs data in memory with one class number a sample; give the weights",
      );
    }
    const labels = new TensorDataset(y, y, {}, source.index.rows);
    return tensor(balancedWeights(await labelsOf(labels)));
  }
  checkArray('fit', 'classWeight', given);
  const list = Array.from(given);
  const odd = list.findIndex((w) => !(w >= 0 && Number.isFinite(w)));
  if (list.length > 0 && odd === -1) return tensor(Float32Array.from(list));
  const got = list.length === 0 ? 'empty' : `${list[odd]} for class ${odd}`;
  throw new OptionError(`fit: classWeight is ${got}, expected one finite number >= 0 a class, or 'balanced'`);
}
