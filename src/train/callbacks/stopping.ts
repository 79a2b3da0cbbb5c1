import { DataError, flush, type Tensor } from '../../core.js';
import type { JsonValue } from '../../json.js';
import { checkOptions, wholeNumber } from '../../options.js';
import type { Callback, TrainContext } from '../callback.js';
import type { EpochEvent } from '../events.js';
import { figureOf, modeOf } from './monitor.js';
import { number } from './numbers.js';

export interface EarlyStoppingOptions {
  /** Figure of the epoch to look at (default 'valLoss'). */
  readonly monitor?: string;
  /** Epochs without improvement that are borne; the run ends after so many in a row (default 0: after the first). */
  readonly patience?: number;
  /** What an improvement must exceed, >= 0 (default 0). */
  readonly minDelta?: number;
  /** Whether smaller or larger is better; by the figure's name unless stated (accuracy, auc, f1, … are 'max'). */
  readonly mode?: 'min' | 'max';
  /** The first result must be better than this. */
  readonly baseline?: number;
  /**
   * Gives the model the parameters and buffers of the best epoch when the run ends, however it ends (default false). With the option
   * `ema` of `fit` and a figure of the validation they are the averages, which that figure is of.
   */
  readonly restoreBest?: boolean;
  /** Epochs at the start that are not counted (default 0). */
  readonly startFromEpoch?: number;
  readonly name?: string;
}

interface Patience {
  readonly best: number | null;
  readonly bestEpoch: number;
  readonly waited: number;
}

/**
 * Ends the run when a figure has stopped improving.
 * @param options `monitor`, `patience`, `minDelta`, `mode`, `baseline`, `restoreBest`, `startFromEpoch`; Keras' meanings.
 * @throws OptionError for options out of range, or at the start of the run when there is no such figure.
 * @example new callbacks.EarlyStopping({ monitor: 'valLoss', patience: 3, restoreBest: true });
 * @see Prechelt (1998), Early stopping — but when?; Keras, EarlyStopping.
 */
export class EarlyStopping implements Callback {
  readonly name: string;
  private readonly monitor: string;
  private readonly patience: number;
  private readonly minDelta: number;
  private readonly sign: 1 | -1;
  private readonly baseline: number | null;
  private readonly restoreBest: boolean;
  private readonly startFrom: number;
  private state: Patience = { best: null, bestEpoch: 0, waited: 0 };
  private bestWeights: ReadonlyMap<string, Tensor> = new Map();
  private loaded = false;

  constructor(options: EarlyStoppingOptions = {}) {
    checkOptions(options?.name ?? 'EarlyStopping', options, EARLY_STOPPING);
    const {
      monitor = 'valLoss',
      patience = 0,
      minDelta = 0,
      baseline,
      restoreBest = false,
      startFromEpoch = 0,
    } = options;
    this.name = options.name ?? 'EarlyStopping';
    this.monitor = monitor;
    this.patience = wholeNumber(`${this.name}: patience`, patience, 0);
    this.minDelta = number(this.name, 'minDelta', minDelta, 0);
    this.sign = modeOf(this.name, monitor, options.mode) === 'min' ? 1 : -1;
    this.baseline = baseline === undefined ? null : number(this.name, 'baseline', baseline, -Infinity);
    this.restoreBest = restoreBest;
    this.startFrom = wholeNumber(`${this.name}: startFromEpoch`, startFromEpoch, 0);
  }

  /** Figure of the best epoch, null before the first. */
  get best(): number | null {
    return this.state.best;
  }

  /** The best epoch, counted from 1; 0 before the first. */
  get bestEpoch(): number {
    return this.state.bestEpoch;
  }

  onStart(run: TrainContext): void {
    figureOf(this.name, this.monitor, run);
    if (!this.loaded) {
      this.state = { best: null, bestEpoch: 0, waited: 0 };
      this.bestWeights = new Map();
    }
    this.loaded = false;
    this.check(run);
  }

  async onEpoch({ record }: EpochEvent, run: TrainContext): Promise<void> {
    const value = record[this.monitor];
    if (value === undefined || record.epoch <= this.startFrom) return;
    if (this.better(value)) {
      this.state = { best: value, bestEpoch: record.epoch, waited: 0 };
      if (this.restoreBest) this.bestWeights = await this.evaluated(run);
      return;
    }
    this.state = { ...this.state, waited: this.state.waited + 1 };
    this.check(run);
  }

  async onEnd(_event: unknown, run: TrainContext): Promise<void> {
    if (!this.restoreBest || this.bestWeights.size === 0) return;
    run.model.loadStateDict(Object.fromEntries(this.bestWeights));
    await flush();
  }

  stateDict(): JsonValue {
    return { ...this.state };
  }

  tensors(): ReadonlyMap<string, Tensor> {
    return this.bestWeights;
  }

  loadStateDict(state: JsonValue, tensors: ReadonlyMap<string, Tensor>): void {
    this.state = state as unknown as Patience;
    this.bestWeights = tensors;
    this.loaded = true;
  }

  /** What the figure is of: the model, with its averages where validation looks at those. */
  private async evaluated({ model, ema }: TrainContext): Promise<ReadonlyMap<string, Tensor>> {
    const weights = new Map(Object.entries(await model.stateDict()));
    if (ema === null || !this.monitor.startsWith('val')) return weights;
    for (const [path, average] of Object.entries(await ema.stateDict())) {
      if (weights.has(path)) weights.set(path, average);
    }
    return weights;
  }

  private better(value: number): boolean {
    const { best } = this.state;
    const reference = best ?? this.baseline;
    if (Number.isNaN(value)) return false;
    return reference === null || this.sign * (reference - value) > this.minDelta;
  }

  private check(run: TrainContext): void {
    const { waited, bestEpoch } = this.state;
    if (waited === 0 || waited < this.patience) return;
    run.stop(
      `${this.name}: ${this.monitor} has not improved for ${waited} epoch${waited === 1 ? '' : 's'}` +
        (bestEpoch === 0 ? '' : `, the best was epoch ${bestEpoch}`),
    );
  }
}

const EARLY_STOPPING = [
  'monitor',
  'patience',
  'minDelta',
  'mode',
  'baseline',
  'restoreBest',
  'startFromEpoch',
  'name',
] satisfies readonly (keyof EarlyStoppingOptions)[];

/**
 * Ends the run after so many seconds, after the steps in flight.
 * @param options `seconds` > 0, counted from the start of this run, validation and callbacks included.
 * @throws OptionError for another number.
 * @example new callbacks.TimeLimit({ seconds: 3600 });
 */
export class TimeLimit implements Callback {
  readonly name = 'TimeLimit';
  private readonly seconds: number;
  private began = 0;

  constructor(options: { readonly seconds: number }) {
    checkOptions(this.name, options, ['seconds']);
    this.seconds = number(this.name, 'seconds', options.seconds, 0);
  }

  onStart(): void {
    this.began = performance.now();
  }

  onProgress(_event: unknown, run: TrainContext): void {
    this.check(run);
  }

  onEpoch(_event: EpochEvent, run: TrainContext): void {
    this.check(run);
  }

  private check(run: TrainContext): void {
    if (performance.now() - this.began >= 1000 * this.seconds) run.stop(`${this.name}: ${this.seconds} s are over`);
  }
}

/**
 * Makes a loss that is NaN or infinite the end of the run instead of its error: the history says `stopped: 'stopped'`, and its
 * reason names the sample or the first layer that gave such a value. The parameters are those before that step.
 * @example new callbacks.TerminateOnNaN();
 */
export class TerminateOnNaN implements Callback {
  readonly name = 'TerminateOnNaN';

  onFailure(error: Error): boolean {
    return error instanceof DataError && error.at !== undefined && !Number.isFinite(error.at.value);
  }
}
