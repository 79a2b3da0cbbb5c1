import type { Tensor } from '../core.js';
import type { TensorData } from '../io/index.js';
import type { JsonValue } from '../json.js';
import type { AnyModule } from '../nn/index.js';
import type { EMA, Optimizer } from '../optim/index.js';
import type { CheckpointEvent, EndEvent, EpochEvent, EpochRecord, ProgressEvent, StepEvent } from './events.js';

/** Values of one checkpoint: tensors by name and everything else as JSON. */
export interface Snapshot {
  readonly step: number;
  /** The values at the moment of the call, whatever is trained meanwhile. */
  readonly tensors: Promise<ReadonlyMap<string, TensorData>>;
  readonly state: JsonValue;
}

/** A training run as its callbacks see it. */
export interface TrainContext {
  readonly model: AnyModule;
  readonly optimizer: Optimizer;
  /** The averages that validation looks at, null without the option `ema`. */
  readonly ema: EMA | null;
  readonly epochs: number;
  readonly stepsPerEpoch: number | null;
  readonly batchSize: number | null;
  /** Training samples, null when the data does not say. */
  readonly samples: number | null;
  /** Names that a record of an epoch may have: 'loss', metrics, 'valLoss', … */
  readonly figures: readonly string[];
  /** Finished epochs, oldest first, those before a resume included. */
  readonly history: readonly EpochRecord[];
  /** Steps done, those before a resume included. */
  readonly steps: number;
  /** Whether the run goes on from a checkpoint. */
  readonly resumed: boolean;
  /** Ends the run after the steps in flight; the history gets `stopped: 'stopped'` and the reason. */
  stop(reason: string): void;
  /** Copies everything that a resume needs. The copies are queued: training may go on at once. */
  snapshot(): Snapshot;
  /** Hands an event to the readers of the run. */
  emit(event: CheckpointEvent): void;
}

type Awaitable = void | Promise<void>;

/**
 * Something that takes part in a training run: every method is optional and awaited, and an error it throws ends the run with
 * that error. `fit` calls the callbacks in the order given, checkpoints last. A callback without `onStep` costs a run
 * nothing between epochs.
 *
 * @example
 * const stopAtLoss: Callback = {
 *   name: 'stopAtLoss',
 *   onEpoch: ({ record }, run) => {
 *     if (record.loss < 0.01) run.stop('the loss is small enough');
 *   },
 * };
 */
export interface Callback {
  /** For messages, and the key of its state in checkpoints: two callbacks of a run must not share one. */
  readonly name: string;
  /** With {@link onStep}: called after every so many steps of the run (default 1; Infinity: only when {@link stepWanted}). */
  readonly every?: number;
  /** Directory of the checkpoints it makes: where `resume: 'auto'` looks. */
  readonly directory?: string;
  /** Before the first step; after the state of a resumed run was loaded. */
  onStart?(run: TrainContext): Awaitable;
  /** After every {@link every}-th step, with nothing queued behind it: training waits. */
  onStep?(event: StepEvent, run: TrainContext): Awaitable;
  /** Asked about 20 times a second; true has {@link onStep} called as soon as the steps in flight are done, until it says false. */
  stepWanted?(): boolean;
  /** About 20 times a second, not awaited. */
  onProgress?(event: ProgressEvent, run: TrainContext): void;
  /** After each epoch and its validation. */
  onEpoch?(event: EpochEvent, run: TrainContext): Awaitable;
  /** When a step's values stopped the run: true ends it with `stopped: 'stopped'`, its message as reason, instead of the error. */
  onFailure?(error: Error, run: TrainContext): boolean | Promise<boolean>;
  /** At the end of every run that did not fail, in the reverse order. */
  onEnd?(event: EndEvent, run: TrainContext): Awaitable;
  /** However the run ends, last: closes files and the like. */
  close?(): Awaitable;
  /** What a checkpoint keeps of the callback. */
  stateDict?(): JsonValue;
  /** Tensors that a checkpoint keeps of the callback, by name. */
  tensors?(): ReadonlyMap<string, Tensor>;
  /** Takes back what {@link stateDict} and `tensors` gave, before {@link onStart}. */
  loadStateDict?(state: JsonValue, tensors: ReadonlyMap<string, Tensor>): void;
}
