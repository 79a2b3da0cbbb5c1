/** Means over one epoch. Metrics stand under their own names, validation figures under `valLoss`, `valAccuracy`, … */
export interface EpochRecord {
  /** Counted from 1. */
  readonly epoch: number;
  /** Mean training loss over the samples of the epoch, each taken before the update it led to. */
  readonly loss: number;
  /** Training samples per second, batching and shuffling included, evaluation excluded. */
  readonly samplesPerSecond: number;
  /** Training time of the epoch. */
  readonly seconds: number;
  readonly [figure: string]: number;
}

/** Plain result of a training run; survives JSON. */
export interface History {
  /** Finished epochs. */
  readonly epochs: readonly EpochRecord[];
  /** Optimizer steps taken, those of an unfinished epoch included. */
  readonly steps: number;
  /** Samples trained on. */
  readonly samples: number;
  /** From the first step's start to the last step's end, evaluation excluded. */
  readonly seconds: number;
  readonly samplesPerSecond: number;
  /**
   * 'aborted' when the signal, a `break` or `run.abort()` ended the run before its last epoch, 'stopped' when a callback or
   * the time limit did.
   */
  readonly stopped: 'done' | 'aborted' | 'stopped';
  /** Who stopped it and why, such as "EarlyStopping: valLoss has not improved for 3 epochs". */
  readonly reason?: string;
}

export interface StartEvent {
  readonly type: 'start';
  readonly epochs: number;
  /** null when the data does not say how long it is. */
  readonly stepsPerEpoch: number | null;
  /** Samples of a full step; null when the data comes in batches of its own. */
  readonly batchSize: number | null;
  /** Training samples; null when the data does not say. */
  readonly samples: number | null;
}

export interface ProgressEvent {
  readonly type: 'progress';
  readonly epoch: number;
  /** Steps of this epoch that are done. */
  readonly step: number;
  /** null when the data does not say how long it is. */
  readonly stepsPerEpoch: number | null;
  /** Mean training loss and metrics over the epoch so far. */
  readonly figures: Readonly<Record<string, number>>;
  readonly samplesPerSecond: number;
  /** Estimated training time to the end of the last epoch; null when that is not known. */
  readonly secondsLeft: number | null;
}

/** After a step that a callback asked for; nothing runs meanwhile. */
export interface StepEvent {
  readonly type: 'step';
  readonly epoch: number;
  /** Steps of this epoch that are done. */
  readonly step: number;
  /** Steps of the whole run, those before a resume included. */
  readonly totalSteps: number;
  /** Loss of this step's batch, before its update. */
  readonly loss: number;
  /** Learning rate of the next step. */
  readonly lr: number;
}

export interface CheckpointEvent {
  readonly type: 'checkpoint';
  /** Steps of the whole run that the checkpoint holds. */
  readonly step: number;
  readonly path: string;
}

export interface EpochEvent {
  readonly type: 'epoch';
  readonly record: EpochRecord;
}

export interface EndEvent {
  readonly type: 'end';
  readonly history: History;
}

/** What happens in a training run, in order: start, then progress … epoch for each epoch, checkpoints between, then end. */
export type RunEvent = StartEvent | ProgressEvent | EpochEvent | CheckpointEvent | EndEvent;

/** Progress events kept for a reader that lags behind; older ones are dropped. */
const MAX_PROGRESS = 32;

/** Queue between the training loop and one reader: bounded, because only progress events come without end. */
export class EventQueue {
  private readonly events: RunEvent[] = [];
  private progress = 0;
  private closed = false;
  private error: unknown;
  private failed = false;
  private wake: (() => void) | null = null;

  push(event: RunEvent): void {
    if (event.type === 'progress' && ++this.progress > MAX_PROGRESS) {
      this.events.splice(
        this.events.findIndex((e) => e.type === 'progress'),
        1,
      );
      this.progress--;
    }
    this.events.push(event);
    this.wake?.();
  }

  /** After the events queued so far the reader gets the end, or `error` when one is given. */
  close(failure?: { readonly error: unknown }): void {
    this.closed = true;
    this.failed = failure !== undefined;
    this.error = failure?.error;
    this.wake?.();
  }

  /** The next event, or null at the end. */
  async next(): Promise<RunEvent | null> {
    for (;;) {
      const event = this.events.shift();
      if (event !== undefined) {
        if (event.type === 'progress') this.progress--;
        return event;
      }
      if (this.failed) throw this.error;
      if (this.closed) return null;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      this.wake = null;
    }
  }
}
