import { BusyError, OptionError, randomState, restoreRandomState, type Tensor } from '../core.js';
import type { Module } from '../nn/index.js';
import { checkBatchSize, checkOptions, shown, wholeNumber } from '../options.js';
import { AugmentedSampler, BatchAugmenter } from './augmented.js';
import { checkedWeights, type DataLike, type Source, sourceOf, Table } from './batch.js';
import { inTraining } from './busy.js';
import type { Callback } from './callback.js';
import { LearningRateSchedule } from './callbacks/learning-rate.js';
import { TimeLimit } from './callbacks/stopping.js';
import { Evaluation } from './evaluate.js';
import type { RunEvent } from './events.js';
import { checkModel, Objective } from './objective.js';
import {
  FIT_OPTIONS,
  type FitOptions,
  positive,
  resolveAugment,
  resolveCallbacks,
  resolveClassWeights,
  resolveEma,
  resolveOptimizer,
  resolveValidation,
} from './options.js';
import { ProgressReporter } from './progress.js';
import { findCheckpoint, stateOf } from './resume.js';
import { Run, type RunControl } from './run.js';
import { Form, RowSampler, StreamSampler } from './sampler.js';
import { type Plan, Session } from './session.js';
import { trainingProgram } from './step.js';

/**
 * Trains a model. Starts at once; the run can be awaited for its history and iterated for events.
 *
 * Each step runs as part of one native program, off this thread: forward, gradient, update. Dropout and the like are active
 * while training and off in validation; each module keeps the mode it has. A loss that is not finite ends the run
 * with a DataError that says where it came from, and the parameters stay as they were before that step.
 *
 * @param model any module from `[n, ...]` to outputs the loss takes; several inputs are its arguments, a record is one.
 * @param data a TensorDataset, `{ x, y }`, or a pipeline of batches `{ x, y, weight }`.
 * @returns a run: `await` gives plain numbers for each epoch, `for await` events.
 * @throws OptionError at once for options and names that make no sense. The run rejects with DataError, naming sample,
 * epoch and step, for values the training cannot use.
 * @example
 * const history = await fit(model, train, {
 *   loss: 'crossEntropy', optimizer: new optim.Adam({ lr: 1e-3 }), metrics: ['accuracy'],
 *   epochs: 5, batchSize: 128, validation: test,
 * });
 */
export function fit<Out = Tensor>(model: Module<never[], Out>, data: DataLike, options: FitOptions<Out>): Run {
  checkModel('fit', model);
  if (typeof options !== 'object' || options === null) {
    throw new OptionError(
      `fit: got ${shown(options)}, expected options such as { loss: 'crossEntropy', optimizer: 'adam' }`,
    );
  }
  const settings = settle(data, options as FitOptions<never>);
  if (inTraining.has(model)) throw new BusyError('fit: the model is being trained by another run; await that first');
  const { signal: userSignal, progress = false, onProgress, onEpoch } = options;
  if (userSignal !== undefined && !(userSignal instanceof AbortSignal)) {
    throw new OptionError('fit: signal is no AbortSignal; pass new AbortController().signal');
  }
  if (typeof progress !== 'boolean' && typeof progress?.write !== 'function') {
    throw new OptionError(`fit: progress is ${shown(progress)}, expected true, false or a stream`);
  }
  const reporter = progress === false ? null : new ProgressReporter(progress === true ? undefined : progress);
  inTraining.add(model);
  const callbacks: Callback[] =
    onEpoch === undefined
      ? settings.callbacks
      : [...settings.callbacks, { name: 'onEpoch', onEpoch: ({ record }) => onEpoch(record) }];
  return new Run(async ({ signal, emit: queue }) => {
    const emit = (event: RunEvent): void => {
      queue(event);
      reporter?.handle(event);
      if (event.type === 'progress') onProgress?.(event);
    };
    try {
      await null; // the caller gets its Run before anything is traced
      return await start(model, { ...settings, callbacks }, { signal, emit });
    } finally {
      reporter?.clear();
      inTraining.delete(model);
      for (const callback of callbacks) await callback.close?.();
    }
  }, userSignal);
}

type Settings = ReturnType<typeof settle>;

/** The options, checked as far as possible without running anything. */
function settle(data: DataLike, options: FitOptions<never>) {
  checkOptions('fit', options, FIT_OPTIONS);
  const objective = new Objective('fit', options);
  const optimizer = resolveOptimizer(options.optimizer);
  const whole = (what: keyof FitOptions & keyof typeof options, value: unknown): number =>
    wholeNumber(`fit: ${what}`, value, 1);
  const epochs = whole('epochs', options.epochs ?? 1);
  const accumulate = whole('accumulate', options.accumulate ?? 1);
  const validationEvery = whole('validationEvery', options.validationEvery ?? 1);
  const stepsPerEpoch = options.stepsPerEpoch === undefined ? null : whole('stepsPerEpoch', options.stepsPerEpoch);
  let source = sourceOf('fit', data);
  const validation = resolveValidation(options.validation);
  let batchSize: number | undefined = options.batchSize;
  if (source instanceof Table) {
    const { sampleWeight } = options;
    if (sampleWeight !== undefined) {
      source = source.withWeights('fit', checkedWeights('fit', sampleWeight, source.length));
    }
    if (typeof validation !== 'number') batchSize = checkBatchSize('fit', batchSize, source.length);
  } else checkPipeline(options, validation);
  const { shuffle = true, classWeight } = options;
  const clipNorm = positive('clipNorm', options.clipNorm);
  const clipValue = positive('clipValue', options.clipValue);
  const ema = resolveEma(options.ema);
  const callbacks = builtIn(options, resolveCallbacks(options.callbacks ?? []));
  const augmentation = resolveAugment(options.augment);
  const { resume } = options;
  if (resume !== undefined && (typeof resume !== 'string' || resume === '')) {
    throw new OptionError(`fit: resume is ${String(resume)}, expected 'auto' or the directory of the checkpoints`);
  }
  return {
    resume,
    objective,
    optimizer,
    epochs,
    accumulate,
    validationEvery,
    stepsPerEpoch,
    source,
    validation,
    batchSize,
    shuffle,
    classWeight,
    clipNorm,
    clipValue,
    ema,
    augmentation,
    callbacks,
  };
}

/** Options that are callbacks by another name, then the callbacks. */
function builtIn({ schedule, scheduleBy, timeLimit }: FitOptions<never>, callbacks: Callback[]): Callback[] {
  const seconds = positive('timeLimit', timeLimit);
  const first: Callback[] = [];
  if (schedule !== undefined) first.push(new LearningRateSchedule(schedule, { by: scheduleBy ?? 'step' }));
  else if (scheduleBy !== undefined) throw new OptionError('fit: scheduleBy needs a schedule');
  if (seconds !== null) first.push(new TimeLimit({ seconds }));
  return [...first, ...callbacks];
}

async function start(model: Plan['model'], settings: Settings, control: RunControl) {
  const { objective, optimizer, accumulate, shuffle, clipNorm, clipValue, ema, callbacks, epochs, validationEvery } =
    settings;
  const { augmentation } = settings;
  const checkpoint = settings.resume === undefined ? null : await findCheckpoint(settings.resume, callbacks);
  // A share for validation is drawn as it was when the run began.
  if (checkpoint !== null) restoreRandomState(stateOf(checkpoint).began);
  const began = randomState();
  const [data, held] = partsOf(settings.source, settings.validation);
  const train = await objective.prepare(data);
  const validation = held === null ? null : await objective.prepare(held);
  const evaluation = validation && new Evaluation('fit: validation', model, objective, validation);
  const classWeights = await resolveClassWeights(settings.classWeight, train);
  const form = new Form('fit', train);
  let weighted = classWeights !== null;
  const program = trainingProgram({
    model,
    objective,
    optimizer,
    accumulate,
    clipNorm,
    clipValue,
    classWeights,
    mixed: augmentation?.mixes === true,
    afterUpdate: () => ema?.update(),
    rowsOf: (flat) => {
      const rows = form.rowsOf(flat);
      weighted ||= rows.weight !== undefined;
      return rows;
    },
  });
  const endless = settings.stepsPerEpoch !== null;
  const shape = shapeOf(train, settings);
  const rows = { batchSize: shape.batchSize as number, shuffle, endless };
  const sampler =
    train instanceof Table
      ? augmentation === null
        ? new RowSampler(train, program, rows)
        : new AugmentedSampler(train, program, { ...rows, augmentation })
      : new StreamSampler(train, program, {
          where: 'fit',
          endless,
          labelled: true,
          form,
          targets: (y) => objective.targets(y),
          augmenter: augmentation && new BatchAugmenter(augmentation),
        });
  const { batchSize, samples } = shape;
  const plan: Plan = {
    ...shape,
    endless,
    model,
    optimizer,
    ema,
    objective,
    sampler,
    weighted: () => weighted,
    evaluation,
    validationEvery,
    callbacks,
    epochs,
    began,
    config: {
      optimizer: optimizer.name,
      batchSize,
      accumulate,
      shuffle,
      ema: ema !== null,
      stepsPerEpoch: settings.stepsPerEpoch,
      samples,
      augment: augmentation?.toString() ?? null,
    },
  };
  const session = new Session(plan, control);
  if (checkpoint !== null) await session.resume(checkpoint);
  return session.run();
}

/** How long the epochs are, as far as that is known. */
function shapeOf(
  source: Source,
  { stepsPerEpoch, accumulate, batchSize: wanted }: Settings,
): Pick<Plan, 'stepsPerEpoch' | 'batchSize' | 'samples' | 'samplesPerEpoch'> {
  if (!(source instanceof Table)) {
    const { length } = source;
    const passSteps = length === null || length === Infinity ? null : Math.ceil(length / accumulate);
    return { stepsPerEpoch: stepsPerEpoch ?? passSteps, batchSize: null, samples: null, samplesPerEpoch: null };
  }
  const { length: samples } = source;
  const batchSize = checkBatchSize('fit', wanted, samples);
  const passSteps = Math.ceil(samples / (batchSize * accumulate));
  const samplesPerEpoch = stepsPerEpoch === null ? samples : (stepsPerEpoch * samples) / passSteps;
  return { stepsPerEpoch: stepsPerEpoch ?? passSteps, batchSize, samples, samplesPerEpoch };
}

function partsOf(source: Source, validation: Source | number | null): [train: Source, validation: Source | null] {
  return typeof validation === 'number' ? (source as Table).split(validation) : [source, validation];
}

/** What only data in memory can have. */
function checkPipeline(options: FitOptions<never>, validation: Source | number | null): void {
  const hints = {
    batchSize: 'pipeline.batch(size)',
    shuffle: 'pipeline.shuffle({ buffer })',
    sampleWeight: 'batches { x, y, weight }',
  };
  for (const [option, hint] of Object.entries(hints)) {
    if (Object.hasOwn(options, option)) {
      throw new OptionError(`fit: the data is a pipeline, which has no option ${option}; use ${hint}`);
    }
  }
  if (typeof validation === 'number') {
    throw new OptionError('fit: validation is a share and the data a pipeline; give a data set or a pipeline for it');
  }
}
