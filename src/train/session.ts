import { type RandomState, restoreRandomState } from '../core.js';
import type { LoadedCheckpoint } from '../io/index.js';
import type { JsonValue } from '../json.js';
import type { AnyModule } from '../nn/index.js';
import type { EMA, Optimizer } from '../optim/index.js';
import type { Callback, Snapshot, TrainContext } from './callback.js';
import { type Chunk, Pace, runPass, StepFailure } from './chunks.js';
import { explain } from './diagnose.js';
import type { Evaluation } from './evaluate.js';
import type { CheckpointEvent, EpochRecord, History, RunEvent, StepEvent } from './events.js';
import { capital, Figures, type Objective } from './objective.js';
import {
  checkConfig,
  commonState,
  copyTensors,
  type EpochState,
  learningRateState,
  type RunConfig,
  type RunState,
  restoreLearningRate,
  restoreTensors,
  stateOf,
  valuesOf,
} from './resume.js';
import type { RunControl } from './run.js';
import type { Sampler } from './sampler.js';

/** A run with everything decided. */
export interface Plan {
  readonly model: AnyModule;
  readonly optimizer: Optimizer;
  readonly ema: EMA | null;
  readonly objective: Objective;
  readonly sampler: Sampler;
  /** Whether steps return the sum of their weights; known when the first was traced. */
  readonly weighted: () => boolean;
  readonly evaluation: Evaluation | null;
  readonly validationEvery: number;
  readonly callbacks: readonly Callback[];
  readonly epochs: number;
  /** Whether an epoch is `stepsPerEpoch` steps, not a pass over the data. */
  readonly endless: boolean;
  readonly stepsPerEpoch: number | null;
  readonly batchSize: number | null;
  readonly samples: number | null;
  /** Samples an epoch trains on, null when that is not known. */
  readonly samplesPerEpoch: number | null;
  /** Random state when the run began. */
  readonly began: RandomState;
  readonly config: RunConfig;
}

const MIN_EVENT_MS = 50;

/** Callbacks that {@link Session.stop} was called by say who they are. */
type Ending = { readonly stopped: 'stopped'; readonly reason: string } | null;

/** The training loop and what its callbacks see of it. */
export class Session implements TrainContext {
  readonly model: AnyModule;
  readonly optimizer: Optimizer;
  readonly ema: EMA | null;
  readonly epochs: number;
  readonly stepsPerEpoch: number | null;
  readonly batchSize: number | null;
  readonly samples: number | null;
  readonly figures: readonly string[];
  resumed = false;
  readonly history: EpochRecord[] = [];
  steps = 0;
  /** Samples trained on, and the time it took. */
  private seen = 0;
  private seconds = 0;
  private ending: Ending = null;
  private readonly plan: Plan;
  private readonly control: RunControl;
  private readonly pace = new Pace();
  private readonly stepping: readonly Callback[];
  /** Of the epoch in training. */
  private current: { readonly figures: Figures; readonly steps: number; readonly seconds: number } | null = null;
  /** Of the epoch that a resumed run goes on with. */
  private mid: EpochState | null = null;
  private readonly firstLr: number | null;
  private readonly saves: boolean;

  constructor(plan: Plan, control: RunControl) {
    this.plan = plan;
    this.control = control;
    this.model = plan.model;
    this.optimizer = plan.optimizer;
    this.ema = plan.ema;
    this.epochs = plan.epochs;
    this.stepsPerEpoch = plan.stepsPerEpoch;
    this.batchSize = plan.batchSize;
    this.samples = plan.samples;
    const { figures } = plan.objective;
    this.figures = plan.evaluation === null ? figures : [...figures, ...figures.map(validationName)];
    this.stepping = plan.callbacks.filter((c) => c.onStep !== undefined);
    this.saves = plan.callbacks.some((c) => c.directory !== undefined || c.onStep !== undefined);
    this.firstLr = typeof plan.optimizer.lr === 'number' ? plan.optimizer.lr : null;
  }

  stop(reason: string): void {
    this.ending ??= { stopped: 'stopped', reason };
  }

  snapshot(): Snapshot {
    const { sampler, optimizer, callbacks, began, config } = this.plan;
    const { steps, current } = this;
    const own = Object.fromEntries(
      callbacks.flatMap((c) => (c.stateDict === undefined ? [] : [[c.name, c.stateDict()] as const])),
    );
    const state: RunState = {
      ...commonState(),
      steps,
      samples: this.seen,
      seconds: this.seconds,
      history: [...this.history],
      began,
      sampler: sampler.stateDict(),
      epoch:
        current === null
          ? null
          : {
              steps: steps - current.steps,
              seconds: this.seconds - current.seconds,
              figures: current.figures.stateDict(),
            },
      callbacks: own,
      learningRate: learningRateState(optimizer, this.firstLr),
      config,
    };
    const tensors = valuesOf(copyTensors(this.plan));
    return { step: steps, tensors, state: state as unknown as JsonValue };
  }

  /** Puts the run where a checkpoint was made. @throws OptionError, ShapeError when it is of another run or model. */
  async resume(checkpoint: LoadedCheckpoint): Promise<void> {
    const { optimizer, sampler, config } = this.plan;
    const state = stateOf(checkpoint);
    checkConfig(checkpoint.path, state, config);
    await restoreTensors(checkpoint.tensors, state, this.plan);
    restoreLearningRate(optimizer, state.learningRate);
    await sampler.loadStateDict(state.sampler);
    this.history.push(...state.history);
    this.steps = state.steps;
    this.seen = state.samples;
    this.seconds = state.seconds;
    this.mid = state.epoch;
    this.resumed = true;
    restoreRandomState(state.random);
  }

  emit(event: CheckpointEvent): void {
    this.tell(event);
  }

  async run(): Promise<History> {
    const { callbacks, epochs, stepsPerEpoch, batchSize, samples } = this.plan;
    this.tell({ type: 'start', epochs, stepsPerEpoch, batchSize, samples });
    for (const callback of callbacks) await callback.onStart?.(this);
    try {
      while (this.history.length < epochs && !this.over()) if (!(await this.epoch())) break;
    } catch (error) {
      if (!(await this.bears(error))) throw error;
    } finally {
      await this.plan.sampler.close();
    }
    const end = { type: 'end', history: this.result() } as const;
    // The run is saved before anybody changes the model for the last time.
    for (const callback of [...callbacks].reverse()) await callback.onEnd?.(end, this);
    this.tell(end);
    return end.history;
  }

  private over(): boolean {
    return this.ending !== null || this.control.signal.aborted;
  }

  private tell(event: RunEvent): void {
    this.control.emit(event);
    if (event.type === 'progress') for (const callback of this.plan.callbacks) callback.onProgress?.(event, this);
  }

  /** Whether a callback takes the error as the end of the run. */
  private async bears(error: unknown): Promise<boolean> {
    if (!(error instanceof Error)) return false;
    for (const callback of this.plan.callbacks) {
      if ((await callback.onFailure?.(error, this)) !== true) continue;
      this.ending = { stopped: 'stopped', reason: `${callback.name}: ${error.message}` };
      return true;
    }
    return false;
  }

  /** One epoch with its validation; false when the run ended in it. */
  private async epoch(): Promise<boolean> {
    const { callbacks, evaluation, validationEvery, epochs } = this.plan;
    const epoch = this.history.length + 1;
    const done = await this.train(epoch);
    if (done === null) return false;
    const { figures, seconds } = done;
    const validated = evaluation !== null && (epoch % validationEvery === 0 || epoch === epochs);
    const validation = validated ? await this.validate(evaluation) : null;
    if (validated && validation === null) return false; // a resumed run begins with the validation
    this.current = null;
    const record: EpochRecord = {
      epoch,
      ...figures.read(),
      ...validationFigures(validation),
      samplesPerSecond: seconds === 0 ? 0 : figures.samples / seconds,
      seconds,
    };
    this.history.push(record);
    const event = { type: 'epoch', record } as const;
    this.tell(event);
    for (const callback of callbacks) await callback.onEpoch?.(event, this);
    return true;
  }

  /** The figures of a validation, of the averages when there are some; null when it was aborted. */
  private async validate(evaluation: Evaluation): Promise<Readonly<Record<string, number>> | null> {
    const { ema } = this.plan;
    ema?.swap();
    try {
      return await evaluation.run(() => this.control.signal.aborted);
    } finally {
      ema?.swap();
    }
  }

  /** The steps of an epoch; null when the run ended before its last. */
  private async train(epoch: number): Promise<{ figures: Figures; seconds: number } | null> {
    const { model, objective, sampler, weighted, batchSize, endless, stepsPerEpoch, samplesPerEpoch, epochs } =
      this.plan;
    const figures = new Figures(objective, this.saves);
    const { mid } = this;
    this.mid = null;
    if (mid !== null) figures.loadStateDict(mid.figures);
    const began = performance.now();
    /** At the start of the epoch, and of this part of it. */
    const start = { steps: this.steps - (mid?.steps ?? 0), seconds: this.seconds - (mid?.seconds ?? 0) };
    const before = { steps: this.steps, seen: this.seen - figures.samples, seconds: this.seconds };
    this.current = { figures, ...start };
    let loss = Number.NaN;
    /** Calls of a pipeline are short: not each is worth an event. */
    let told = -Infinity;
    sampler.startEpoch(mid !== null);
    const onChunk = (chunk: Chunk): void => {
      figures.add(chunk, weighted());
      loss = lastLoss(chunk);
      this.steps = before.steps + chunk.firstStep + chunk.steps;
      this.seen = before.seen + figures.samples;
      this.seconds = before.seconds + (performance.now() - began) / 1000;
      const now = performance.now();
      if (batchSize === null && now - told < MIN_EVENT_MS) return;
      told = now;
      const samplesPerSecond = figures.samples / (this.seconds - start.seconds);
      this.tell({
        type: 'progress',
        epoch,
        step: this.steps - start.steps,
        stepsPerEpoch,
        figures: figures.read(true),
        samplesPerSecond,
        secondsLeft:
          samplesPerEpoch === null
            ? null
            : (samplesPerEpoch * (epochs - epoch + 1) - figures.samples) / samplesPerSecond,
      });
    };
    const onStop = async (step: number): Promise<void> => {
      const totalSteps = before.steps + step;
      const lr = this.optimizer.currentLr;
      const event: StepEvent = { type: 'step', epoch, step: totalSteps - start.steps, totalSteps, loss, lr };
      for (const callback of this.stepping) {
        const due = totalSteps > 0 && totalSteps % (callback.every ?? 1) === 0;
        const asked = due || callback.stepWanted?.() === true;
        if (asked) await callback.onStep?.(event, this);
      }
    };
    try {
      await runPass({
        feed: sampler,
        pace: this.pace,
        stopping: () => this.over(),
        onChunk,
        ...(endless ? { steps: (stepsPerEpoch as number) - (before.steps - start.steps) } : {}),
        nextStop: (step) => this.nextStop(before.steps + step) - before.steps,
        stopWanted: () => this.stepping.some((c) => c.stepWanted?.() === true),
        onStop,
      });
      const complete = endless ? this.steps - start.steps === stepsPerEpoch : sampler.atEnd;
      return complete ? { figures, seconds: this.seconds - start.seconds } : null;
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      throw await explain('fit', `epoch ${epoch}, step ${error.step + 1}`, error, { model, objective });
    }
  }

  /** The first step after `step` of the run that a callback wants to see. */
  private nextStop(step: number): number {
    let next = Infinity;
    for (const { every = 1 } of this.stepping) next = Math.min(next, (Math.floor(step / every) + 1) * every);
    return next;
  }

  private result(): History {
    const { steps, seen: samples, seconds, ending } = this;
    return {
      epochs: this.history,
      steps,
      samples,
      seconds,
      samplesPerSecond: seconds === 0 ? 0 : samples / seconds,
      ...(ending ?? { stopped: this.history.length >= this.epochs ? 'done' : 'aborted' }),
    };
  }
}

/** Loss of the last step: of its batches' mean when it is several. */
function lastLoss({ parts, steps }: Chunk): number {
  if (steps > 1 || parts.length === 1) return parts[parts.length - 1].values[0].at(-1) as number;
  let sum = 0;
  let samples = 0;
  for (const { values, count, batch } of parts) {
    for (let i = 0; i < count; i++) sum += values[0][i] * batch;
    samples += count * batch;
  }
  return sum / samples;
}

/** `accuracy` → `valAccuracy`. */
function validationName(figure: string): string {
  return `val${capital(figure)}`;
}

function validationFigures(figures: Readonly<Record<string, number>> | null): Record<string, number> {
  return Object.fromEntries(Object.entries(figures ?? {}).map(([name, value]) => [validationName(name), value]));
}
