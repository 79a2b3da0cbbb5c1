import { BusyError, checkFinite, compile, OptionError, type Tensor, valueAndGrad } from '../core.js';
import type { TensorDataset } from '../data/index.js';
import type { Module } from '../nn/index.js';
import { type Optimizer, type OptimizerName, optimizerByName } from '../optim/index.js';
import { checkBatchSize, checkOptions, wholeNumber } from '../options.js';
import { type Chunk, Pace, runPass, StepFailure } from './chunks.js';
import { explain } from './diagnose.js';
import { Evaluation } from './evaluate.js';
import type { EpochRecord, History, ProgressEvent, RunEvent } from './events.js';
import {
  asDataset,
  checkModel,
  type DataLike,
  Figures,
  inMode,
  Objective,
  type ObjectiveOptions,
} from './objective.js';
import { ProgressReporter, type ProgressStream } from './progress.js';
import { Run, type RunControl } from './run.js';

export interface FitOptions extends ObjectiveOptions {
  /** An optimizer, or the name of one with its default settings. */
  readonly optimizer: OptimizerName | Optimizer;
  /** Passes over the data; default 1. */
  readonly epochs?: number;
  /** Samples a step, in [1, samples]; default 32. The last batch of an epoch may be smaller. */
  readonly batchSize?: number;
  /** A new random order each epoch, from the 'data' stream of `seed()`; default true. */
  readonly shuffle?: boolean;
  /** Evaluated after each epoch: a data set, or the share in (0, 1) of the data to set aside for it. */
  readonly validation?: DataLike | number;
  /** Ends the run after the steps in flight. */
  readonly signal?: AbortSignal;
  /** true: a progress bar, or one line an epoch, on stderr; or the stream to write to. Default false. */
  readonly progress?: boolean | ProgressStream;
  /** Called after each epoch, awaited; an error it throws ends the run with that error. */
  readonly onEpoch?: (record: EpochRecord) => void | Promise<void>;
  /** Called about 20 times a second. */
  readonly onProgress?: (event: ProgressEvent) => void;
}

const OPTIONS: readonly (keyof FitOptions)[] = [
  'loss',
  'optimizer',
  'metrics',
  'epochs',
  'batchSize',
  'shuffle',
  'validation',
  'signal',
  'progress',
  'onEpoch',
  'onProgress',
];

/** Two runs would overwrite each other's updates. */
const inTraining = new WeakSet<Module>();

/**
 * Trains a model. Starts at once; the run can be awaited for its history and iterated for events.
 *
 * Each step runs as part of one native program, off this thread: forward, gradient, update. Dropout and the like are active
 * while training and off in validation; afterwards each module has the mode it had. A loss that is not finite ends the run
 * with a DataError that says where it came from, and the parameters stay as they were before that step.
 *
 * @param model any module from `[n, ...]` to outputs the loss takes.
 * @param data a TensorDataset or `{ x, y }`.
 * @returns a run: `await` gives plain numbers for each epoch, `for await` events.
 * @throws OptionError at once for options and names that make no sense. The run rejects with DataError, naming sample,
 * epoch and step, for values the training cannot use.
 * @example
 * const history = await fit(model, train, {
 *   loss: 'crossEntropy', optimizer: new optim.Adam({ lr: 1e-3 }), metrics: ['accuracy'],
 *   epochs: 5, batchSize: 128, validation: test,
 * });
 */
export function fit(model: Module, data: DataLike, options: FitOptions): Run {
  checkModel('fit', model);
  if (typeof options !== 'object' || options === null) {
    throw new OptionError("fit: expected options such as { loss: 'crossEntropy', optimizer: 'adam' }");
  }
  checkOptions('fit', options, OPTIONS);
  const objective = new Objective('fit', options);
  const optimizer = resolveOptimizer(options.optimizer);
  const epochs = wholeNumber('fit: epochs', options.epochs ?? 1, 1);
  const { train, validation } = parts(asDataset('fit', data), options.validation);
  const batchSize = checkBatchSize('fit', options.batchSize, train.length);
  const shuffle = options.shuffle ?? true;
  if (inTraining.has(model)) throw new BusyError('fit: the model is being trained by another run; await that first');
  const { signal: userSignal, progress = false, onProgress, onEpoch } = options;
  if (userSignal !== undefined && !(userSignal instanceof AbortSignal)) {
    throw new OptionError('fit: signal is no AbortSignal; pass new AbortController().signal');
  }
  const reporter = progress === false ? null : new ProgressReporter(progress === true ? undefined : progress);
  inTraining.add(model);
  return new Run(async ({ signal, emit: queue }) => {
    const emit = (event: RunEvent): void => {
      queue(event);
      reporter?.handle(event);
      if (event.type === 'progress') onProgress?.(event);
    };
    try {
      const plan = { model, train, validation, objective, optimizer, epochs, batchSize, shuffle };
      return await runEpochs(plan, { signal, emit }, onEpoch);
    } finally {
      reporter?.clear();
      inTraining.delete(model);
    }
  }, userSignal);
}

interface Plan {
  readonly model: Module;
  readonly train: TensorDataset;
  readonly validation: TensorDataset | null;
  readonly objective: Objective;
  readonly optimizer: Optimizer;
  readonly epochs: number;
  readonly batchSize: number;
  readonly shuffle: boolean;
}

async function runEpochs(plan: Plan, { signal, emit }: RunControl, onEpoch: FitOptions['onEpoch']): Promise<History> {
  const { model, objective, epochs, batchSize } = plan;
  await null; // the caller gets its Run before anything is traced
  const train = await objective.prepare(plan.train);
  const validation = plan.validation && (await objective.prepare(plan.validation));
  const evaluation = validation && new Evaluation('fit: validation', model, objective, validation);
  const trainer = new Trainer({ ...plan, train });
  const stepsPerEpoch = Math.ceil(train.length / batchSize);
  emit({ type: 'start', epochs, stepsPerEpoch, batchSize, samples: train.length });

  const records: EpochRecord[] = [];
  while (records.length < epochs && !signal.aborted) {
    const epoch = records.length + 1;
    const { figures, seconds } = await trainer.epoch(epoch, signal, emit);
    if (figures.samples < train.length) break; // aborted
    const valFigures = evaluation === null ? null : await evaluation.run(signal);
    const record: EpochRecord = {
      epoch,
      ...figures.read(),
      ...validationFigures(valFigures),
      samplesPerSecond: figures.samples / seconds,
      seconds,
    };
    records.push(record);
    emit({ type: 'epoch', record });
    await onEpoch?.(record);
  }
  const { steps, samples, seconds } = trainer;
  const stopped = records.length === epochs ? 'done' : 'aborted';
  const history: History = {
    epochs: records,
    steps,
    samples,
    seconds,
    samplesPerSecond: seconds === 0 ? 0 : samples / seconds,
    stopped,
  };
  emit({ type: 'end', history });
  return history;
}

/** The compiled training step and the running totals. */
class Trainer {
  steps = 0;
  samples = 0;
  seconds = 0;
  private readonly plan: Plan;
  private readonly pace = new Pace();
  private readonly step;

  constructor(plan: Plan) {
    const { model, train, objective, optimizer } = plan;
    this.plan = plan;
    const lossAndGrad = valueAndGrad(model, (x: Tensor, y: Tensor): [Tensor, Tensor[]] => {
      const outputs = model.forward(train.transform(x));
      return [objective.lossOf(outputs, y), objective.metricSums(outputs, y)];
    });
    this.step = compile((x: Tensor, y: Tensor): Tensor[] => {
      const [[loss, metricSums], grads] = lossAndGrad(x, y);
      optimizer.update(model, grads);
      return [checkFinite(loss), ...metricSums]; // the check comes before any write: a bad step changes nothing
    });
  }

  /** One pass over the data, or less when the signal ends it. */
  async epoch(epoch: number, signal: AbortSignal, emit: (event: RunEvent) => void) {
    const { model, train, objective, batchSize, shuffle, epochs } = this.plan;
    const figures = new Figures(objective.metrics);
    const stepsPerEpoch = Math.ceil(train.length / batchSize);
    const began = performance.now();
    const before = this.seconds;
    const onChunk = (chunk: Chunk): void => {
      figures.add(chunk);
      this.steps += chunk.steps;
      this.samples += chunk.steps * chunk.batch;
      const seconds = (performance.now() - began) / 1000;
      this.seconds = before + seconds;
      const samplesPerSecond = figures.samples / seconds;
      emit({
        type: 'progress',
        epoch,
        step: chunk.firstStep + chunk.steps,
        stepsPerEpoch,
        figures: figures.read(true),
        samplesPerSecond,
        secondsLeft: (train.length * (epochs - epoch + 1) - figures.samples) / samplesPerSecond,
      });
    };
    await inMode(model, true, async () => {
      const order = await train.order(shuffle);
      const { step, pace } = this;
      try {
        await runPass({ step, data: [train.x, train.y], order, batchSize, pace, signal, onChunk });
      } catch (error) {
        if (!(error instanceof StepFailure)) throw error;
        throw await explain('fit', `epoch ${epoch}, step ${error.step + 1}`, error, { model, objective, data: train });
      }
    });
    return { figures, seconds: this.seconds - before };
  }
}

function resolveOptimizer(given: FitOptions['optimizer']): Optimizer {
  if (typeof given === 'string') return optimizerByName(given);
  if (typeof given === 'object' && given !== null && typeof given.update === 'function') return given;
  const hint = typeof given === 'function' ? '; write new, as in new optim.Adam({ lr: 1e-3 })' : '';
  throw new OptionError(`fit: optimizer is ${String(given)}, expected a name such as 'adam' or an optimizer${hint}`);
}

function parts(data: TensorDataset, validation: FitOptions['validation']) {
  if (validation === undefined) return { train: data, validation: null };
  if (typeof validation !== 'number') return { train: data, validation: asDataset('fit: validation', validation) };
  if (!(validation > 0 && validation < 1)) {
    throw new OptionError(`fit: validation is ${validation}, expected a share in (0, 1) or a data set`);
  }
  const [train, rest] = data.split(1 - validation);
  return { train, validation: rest };
}

/** `{ loss, accuracy }` → `{ valLoss, valAccuracy }`. */
function validationFigures(figures: Readonly<Record<string, number>> | null): Record<string, number> {
  const named = Object.entries(figures ?? {});
  return Object.fromEntries(
    named.map(([name, value]) => [`val${name.charAt(0).toUpperCase()}${name.slice(1)}`, value]),
  );
}
