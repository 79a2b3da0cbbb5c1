import { OptionError } from '../../core.js';
import type { JsonValue } from '../../json.js';
import { checkObject, checkOptions, shown } from '../../options.js';
import {
  type Plateau,
  type PlateauOptions,
  type PlateauState,
  reduceOnPlateau,
  type Schedule,
} from '../../schedules/index.js';
import type { Callback, TrainContext } from '../callback.js';
import type { EpochEvent } from '../events.js';
import { figureOf } from './monitor.js';

/**
 * Sets the optimizer's learning rate from a schedule: by updates, or by finished epochs.
 * @param schedule such as `schedules.cosine(0.1, { steps: 30 })`.
 * @param options `by`: 'step' (default) or 'epoch'.
 * @throws OptionError for what is no schedule.
 * @example new callbacks.LearningRateSchedule(schedules.step(0.1, { every: 10 }), { by: 'epoch' });
 */
export class LearningRateSchedule implements Callback {
  readonly name = 'LearningRateSchedule';
  private readonly schedule: Schedule;
  private readonly by: 'step' | 'epoch';

  constructor(schedule: Schedule, options: { readonly by?: 'step' | 'epoch' } = {}) {
    checkOptions(this.name, options, ['by']);
    const { by = 'step' } = options;
    if (typeof schedule !== 'function') {
      throw new OptionError(
        `${this.name}: schedule is ${shown(schedule)}, expected a function such as schedules.cosine(…)`,
      );
    }
    if (by !== 'step' && by !== 'epoch') {
      throw new OptionError(`${this.name}: by is ${shown(by)}, expected 'step' or 'epoch'`);
    }
    this.schedule = schedule;
    this.by = by;
  }

  onStart(run: TrainContext): void {
    run.optimizer.lr = this.by === 'step' ? this.schedule : this.schedule(run.history.length);
  }

  onEpoch(_event: EpochEvent, run: TrainContext): void {
    if (this.by === 'epoch') run.optimizer.lr = this.schedule(run.history.length);
  }
}

export interface ReduceOnPlateauOptions extends PlateauOptions {
  /** Figure of the epoch to look at (default 'valLoss'). */
  readonly monitor?: string;
  readonly name?: string;
}

/**
 * Lowers the learning rate when a figure stops improving, as `schedules.reduceOnPlateau` does with the figures of the epochs.
 * @param options `monitor`, default 'valLoss', and those of `schedules.reduceOnPlateau`.
 * @throws OptionError for options out of range, or at the start of the run when there is no such figure or the learning
 *   rate is a schedule.
 * @example new callbacks.ReduceOnPlateau({ monitor: 'valLoss', factor: 0.5, patience: 2 });
 * @see PyTorch, ReduceLROnPlateau.
 */
export class ReduceOnPlateau implements Callback {
  readonly name: string;
  private readonly monitor: string;
  private readonly options: PlateauOptions;
  private plateau: Plateau | null = null;
  private saved: PlateauState | null = null;

  constructor(options: ReduceOnPlateauOptions = {}) {
    checkObject('ReduceOnPlateau', options);
    const { monitor = 'valLoss', name = 'ReduceOnPlateau', ...plateau } = options;
    for (const [what, text] of Object.entries({ monitor, name })) {
      if (typeof text !== 'string') throw new OptionError(`ReduceOnPlateau: ${what} is ${shown(text)}, expected text`);
    }
    reduceOnPlateau(plateau.minLr ?? 0, plateau); // checks the options
    this.name = name;
    this.monitor = monitor;
    this.options = plateau;
  }

  onStart(run: TrainContext): void {
    const { lr } = run.optimizer;
    if (typeof lr !== 'number') {
      throw new OptionError(
        `${this.name}: the learning rate of the optimizer is a schedule, expected a number to reduce`,
      );
    }
    figureOf(this.name, this.monitor, run);
    this.plateau = reduceOnPlateau(lr, this.options);
    if (this.saved === null) return;
    this.plateau.loadStateDict(this.saved);
    run.optimizer.lr = this.saved.lr;
  }

  onEpoch({ record }: EpochEvent, run: TrainContext): void {
    const value = record[this.monitor];
    if (value === undefined || this.plateau === null) return;
    run.optimizer.lr = this.plateau.update(value);
  }

  stateDict(): JsonValue {
    return (this.plateau?.stateDict() ?? this.saved) as unknown as JsonValue;
  }

  loadStateDict(state: JsonValue): void {
    this.saved = state as unknown as PlateauState | null;
  }
}
