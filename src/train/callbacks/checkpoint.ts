import { OptionError } from '../../core.js';
import { CheckpointDirectory } from '../../io/index.js';
import { checkOptions, wholeNumber } from '../../options.js';
import type { Callback, TrainContext } from '../callback.js';
import type { EpochEvent } from '../events.js';
import { figureOf, modeOf } from './monitor.js';
import { number } from './numbers.js';

export interface CheckpointOptions {
  /** Where the checkpoints go; made at the first save. One run has it for itself. */
  readonly directory: string;
  /** Saves after every so many steps of the run. */
  readonly everySteps?: number;
  /** Saves when so many minutes have passed since the last save, between two steps. */
  readonly everyMinutes?: number;
  /** Saves after every so many epochs (default 1, or never when steps or minutes are given). */
  readonly everyEpochs?: number;
  /** Checkpoints that stay, newest first, >= 1 (default 3). */
  readonly keepLast?: number;
  /** Checkpoints that stay besides because their epoch was the best, >= 0 (default 1). */
  readonly keepBest?: number;
  /** Figure that says which epoch is the best (default 'valLoss', or 'loss' without validation). */
  readonly monitor?: string;
  /** Whether smaller or larger is better; by the figure's name unless stated. */
  readonly mode?: 'min' | 'max';
  readonly name?: string;
}

/**
 * Saves everything a run needs to go on: parameters, buffers, optimizer, random streams, position in the data, callbacks,
 * history. `fit` with `resume: 'auto'` goes on from the newest whole checkpoint, bit for bit as if nothing had happened.
 *
 * A save copies the state between two steps and writes the copy while training goes on; the next save waits for it. When the
 * run ends, also by a signal or a limit, the last state is saved unless it is already.
 *
 * @param options `directory`; `everySteps`, `everyMinutes`, `everyEpochs`; `keepLast`, `keepBest`, `monitor`, `mode`.
 * @throws OptionError for options out of range. A failing disk ends the run with its error; the checkpoints before stay.
 * @example
 * const checkpoint = new callbacks.Checkpoint({ directory: 'runs/1', everyMinutes: 10 });
 * await fit(model, train, { ...options, callbacks: [checkpoint], resume: 'auto' });
 */
export class Checkpoint implements Callback {
  readonly name: string;
  readonly directory: string;
  readonly every?: number;
  readonly onStep?: (event: unknown, run: TrainContext) => Promise<void>;
  private readonly checkpoints: CheckpointDirectory;
  private readonly everyEpochs: number;
  private readonly everyMs: number;
  private readonly monitor: string | null;
  private watched: string | null = null;
  private writing: Promise<void> = Promise.resolve();
  /** Steps and epochs of the last save. */
  private saved = { steps: 0, epochs: 0 };
  private lastSave = 0;

  constructor(options: CheckpointOptions) {
    checkOptions(options?.name ?? 'Checkpoint', options, CHECKPOINT);
    this.name = options.name ?? 'Checkpoint';
    const { directory, everySteps, everyMinutes, everyEpochs, keepLast = 3, keepBest = 1, monitor } = options;
    if (typeof directory !== 'string' || directory === '') {
      throw new OptionError(`${this.name}: directory is ${String(directory)}, expected a path`);
    }
    const mode = modeOf(this.name, monitor ?? 'valLoss', options.mode);
    this.directory = directory;
    this.checkpoints = new CheckpointDirectory(directory, { keepLast, keepBest, mode });
    this.monitor = monitor ?? null;
    this.everyMs = everyMinutes === undefined ? Infinity : 60_000 * number(this.name, 'everyMinutes', everyMinutes, 0);
    const between = everySteps !== undefined || everyMinutes !== undefined;
    this.everyEpochs =
      everyEpochs === undefined ? (between ? Infinity : 1) : wholeNumber(`${this.name}: everyEpochs`, everyEpochs, 1);
    if (!between) return;
    this.every = everySteps === undefined ? Infinity : wholeNumber(`${this.name}: everySteps`, everySteps, 1);
    this.onStep = (_event, run) => this.save(run);
  }

  stepWanted(): boolean {
    return performance.now() - this.lastSave >= this.everyMs;
  }

  onStart(run: TrainContext): void {
    if (this.monitor !== null) figureOf(this.name, this.monitor, run);
    this.watched = this.monitor ?? (run.figures.includes('valLoss') ? 'valLoss' : 'loss');
    this.saved = { steps: run.steps, epochs: run.history.length };
    this.lastSave = performance.now();
  }

  async onEpoch({ record }: EpochEvent, run: TrainContext): Promise<void> {
    if (record.epoch % this.everyEpochs === 0) await this.save(run, record[this.watched as string]);
  }

  async onEnd(_event: unknown, run: TrainContext): Promise<void> {
    const { steps, epochs } = this.saved;
    if (run.steps !== steps || run.history.length !== epochs) await this.save(run);
    await this.writing;
  }

  /** The save under way is finished also when the run failed. */
  async close(): Promise<void> {
    await this.writing.catch(() => {});
  }

  private async save(run: TrainContext, metric?: number): Promise<void> {
    await this.writing;
    const { step, tensors, state } = run.snapshot();
    this.saved = { steps: step, epochs: run.history.length };
    this.lastSave = performance.now();
    this.writing = (async () => {
      const content = { tensors: await tensors, state };
      const path = await this.checkpoints.save(step, content, metric === undefined ? {} : { metric });
      run.emit({ type: 'checkpoint', step, path });
    })();
    this.writing.catch(() => {}); // thrown by the next save, or at the end
  }
}

const CHECKPOINT = [
  'directory',
  'everySteps',
  'everyMinutes',
  'everyEpochs',
  'keepLast',
  'keepBest',
  'monitor',
  'mode',
  'name',
] satisfies readonly (keyof CheckpointOptions)[];
