import { OptionError } from '../../core.js';
import { checkOptions } from '../../options.js';
import type { Callback, TrainContext } from '../callback.js';
import type { EndEvent, EpochEvent, ProgressEvent } from '../events.js';
import { ProgressReporter, type ProgressStream } from '../progress.js';

export interface ProgressBarOptions {
  /** Where to write; default stderr. */
  readonly stream?: ProgressStream;
  /**
   * 'tty': a bar that is redrawn at most ten times a second, and one line an epoch; 'plain': the lines; 'silent': nothing.
   * Default 'auto': 'tty' in a terminal, else 'plain'.
   */
  readonly mode?: 'auto' | 'tty' | 'plain' | 'silent';
}

/**
 * Shows how far a run is; what `fit` does with `progress: true`, and with a mode of your choice.
 * @throws OptionError for an unknown mode.
 * @example new callbacks.ProgressBar({ mode: process.env.CI ? 'plain' : 'auto' });
 */
export class ProgressBar implements Callback {
  readonly name = 'ProgressBar';
  private readonly reporter: ProgressReporter | null;

  constructor(options: ProgressBarOptions = {}) {
    checkOptions(this.name, options, ['stream', 'mode']);
    const { stream = process.stderr as ProgressStream, mode = 'auto' } = options;
    if (!['auto', 'tty', 'plain', 'silent'].includes(mode)) {
      throw new OptionError(
        `${this.name}: mode is ${JSON.stringify(mode)}, expected 'auto', 'tty', 'plain' or 'silent'`,
      );
    }
    if (typeof stream?.write !== 'function') {
      throw new OptionError(`${this.name}: stream is ${String(stream)}, expected an object with write(text)`);
    }
    const isTTY = mode === 'auto' ? stream.isTTY === true : mode === 'tty';
    // Columns are read when a line is drawn: a terminal may change its width.
    const shown: ProgressStream = {
      write: (text) => stream.write(text),
      isTTY,
      get columns() {
        return stream.columns ?? 80;
      },
    };
    this.reporter = mode === 'silent' ? null : new ProgressReporter(shown);
  }

  onStart({ epochs, stepsPerEpoch, batchSize, samples }: TrainContext): void {
    this.reporter?.handle({ type: 'start', epochs, stepsPerEpoch, batchSize, samples });
  }

  onProgress(event: ProgressEvent): void {
    this.reporter?.handle(event);
  }

  onEpoch(event: EpochEvent): void {
    this.reporter?.handle(event);
  }

  onEnd(event: EndEvent): void {
    this.reporter?.handle(event);
  }

  close(): void {
    this.reporter?.clear();
  }
}
