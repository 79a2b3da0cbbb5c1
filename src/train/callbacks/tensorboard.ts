import { OptionError } from '../../core.js';
import { EventWriter } from '../../io/index.js';
import { checkOptions, wholeNumber } from '../../options.js';
import type { Callback, TrainContext } from '../callback.js';
import type { EpochEvent, StepEvent } from '../events.js';

export interface TensorBoardOptions {
  /** Of the run; `tensorboard --logdir` on it or the directory above shows it. */
  readonly directory: string;
  /** Writes loss and learning rate after every so many steps, too. */
  readonly everySteps?: number;
  /** Writes histograms of all parameters after every so many epochs; default never. */
  readonly histograms?: number;
}

/**
 * Writes what TensorBoard shows: the figures of each epoch as `epoch/loss`, `epoch/valLoss`, …, the learning rate, on request
 * the loss of steps and histograms of the parameters. The step of a point counts updates, so that all curves share their axis.
 * @param options `directory`; `everySteps`; `histograms`, in epochs.
 * @throws OptionError for options out of range. A failing disk ends the run with its error.
 * @example new callbacks.TensorBoard({ directory: 'runs/1', everySteps: 100, histograms: 1 });
 */
export class TensorBoard implements Callback {
  readonly name = 'TensorBoard';
  readonly every?: number;
  readonly onStep?: (event: StepEvent) => void;
  private readonly logs: string;
  private readonly histograms: number | null;
  private writer: EventWriter | null = null;

  constructor(options: TensorBoardOptions) {
    checkOptions(this.name, options, ['directory', 'everySteps', 'histograms']);
    const { directory, everySteps, histograms } = options;
    if (typeof directory !== 'string' || directory === '') {
      throw new OptionError(`${this.name}: directory is ${String(directory)}, expected a path`);
    }
    this.logs = directory;
    this.histograms = histograms === undefined ? null : wholeNumber(`${this.name}: histograms`, histograms, 1);
    if (everySteps === undefined) return;
    this.every = wholeNumber(`${this.name}: everySteps`, everySteps, 1);
    this.onStep = ({ totalSteps, loss, lr }) => {
      this.writer?.scalar('step/loss', loss, totalSteps);
      this.writer?.scalar('step/learningRate', lr, totalSteps);
    };
  }

  onStart(): void {
    this.writer = new EventWriter(this.logs);
  }

  async onEpoch({ record }: EpochEvent, run: TrainContext): Promise<void> {
    const writer = this.writer as EventWriter;
    const { epoch, seconds: _, ...figures } = record;
    for (const [figure, value] of Object.entries(figures)) writer.scalar(`epoch/${figure}`, value, run.steps);
    writer.scalar('epoch/learningRate', run.optimizer.currentLr, run.steps);
    if (this.histograms !== null && epoch % this.histograms === 0) {
      for (const [path, parameter] of run.model.namedParameters()) {
        writer.histogram(path, await parameter.read().data(), run.steps);
      }
    }
    await writer.flush();
  }

  async close(): Promise<void> {
    await this.writer?.close();
    this.writer = null;
  }
}
