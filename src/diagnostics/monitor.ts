import type { Tensor } from '../core.js';
import type { DataInput, TensorDataset } from '../data/index.js';
import { OptionError } from '../errors.js';
import type { Module } from '../nn/index.js';
import { checkFunction, shown, wholeNumber } from '../options.js';
import type { Callback, EpochEvent, TrainContext } from '../train/index.js';
import { checkBatch, type DiagnoseOptions, diagnose, settingsOf } from './diagnose.js';
import type { Diagnosis } from './report.js';
import type { WarningKind } from './warnings.js';

export interface MonitorOptions extends Omit<DiagnoseOptions, 'before' | 'steps' | 'history'> {
  /** Epochs between two diagnoses, a whole number >= 1; default 1. */
  readonly every?: number;
  /** Called with each diagnosis; awaited. */
  readonly onDiagnosis?: (diagnosis: Diagnosis, epoch: number) => void | Promise<void>;
  /** Warnings that end the run, such as `['not finite', 'exploding gradients']`; default none. */
  readonly stopOn?: readonly WarningKind[];
}

/**
 * A callback of `fit` that diagnoses the model on one batch after every so many epochs; updates are those since the diagnosis
 * before. It changes no bit of the training.
 * @param batch a TensorDataset or `{ x, y }`, as for {@link diagnose}.
 * @param options those of {@link diagnose}, `every`, `onDiagnosis`, `stopOn`; `print` is false by default.
 * @throws OptionError for options that make no sense.
 * @example
 * const monitor = new diagnostics.Monitor(train, { loss: 'crossEntropy', stopOn: ['not finite'] });
 * await fit(model, train, { loss: 'crossEntropy', optimizer: 'adam', epochs: 5, callbacks: [monitor] });
 * console.log(String(monitor.diagnoses.at(-1)));
 */
export class Monitor implements Callback {
  readonly name = 'monitor';
  /** One for each diagnosis made, oldest first. */
  readonly diagnoses: Diagnosis[] = [];
  readonly #batch: TensorDataset | { readonly x: DataInput; readonly y: DataInput };
  readonly #options: DiagnoseOptions;
  readonly #every: number;
  readonly #onDiagnosis: MonitorOptions['onDiagnosis'];
  readonly #stopOn: readonly WarningKind[];
  #before: Readonly<Record<string, Tensor>> | null = null;
  #steps = 0;

  constructor(batch: TensorDataset | { readonly x: DataInput; readonly y: DataInput }, options: MonitorOptions) {
    if (typeof options !== 'object' || options === null) {
      throw new OptionError(`Monitor: got ${shown(options)}, expected an object of options such as { loss: 'mse' }`);
    }
    const { every = 1, onDiagnosis, stopOn = [], ...rest } = options;
    if (!Array.isArray(stopOn))
      throw new OptionError(`Monitor: stopOn is ${shown(stopOn)}, expected a list of warnings`);
    checkBatch('Monitor', batch);
    settingsOf('Monitor', rest);
    if (onDiagnosis !== undefined) checkFunction('Monitor', 'onDiagnosis', onDiagnosis);
    this.#batch = batch;
    this.#options = { print: false, ...rest };
    this.#every = wholeNumber('Monitor: every', every, 1);
    this.#onDiagnosis = onDiagnosis;
    this.#stopOn = stopOn;
  }

  async onStart(run: TrainContext): Promise<void> {
    this.#before = await run.model.stateDict();
    this.#steps = run.steps;
  }

  async onEpoch({ record }: EpochEvent, run: TrainContext): Promise<void> {
    if (record.epoch % this.#every !== 0) return;
    const model = run.model as Module;
    const diagnosis = await diagnose(model, this.#batch, {
      ...this.#options,
      history: { epochs: run.history },
      ...(this.#before === null ? {} : { before: this.#before, steps: Math.max(1, run.steps - this.#steps) }),
    });
    this.#before = await model.stateDict();
    this.#steps = run.steps;
    this.diagnoses.push(diagnosis);
    await this.#onDiagnosis?.(diagnosis, record.epoch);
    const fatal = diagnosis.warnings.find((w) => this.#stopOn.includes(w.kind));
    if (fatal !== undefined) run.stop(fatal.message);
  }
}
