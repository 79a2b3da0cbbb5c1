import type { Tensor } from '../core.js';
import { type DataInput, TensorDataset } from '../data/index.js';
import { OptionError } from '../errors.js';
import { type Loss, type LossName, lossByName } from '../losses/index.js';
import { Module } from '../nn/index.js';
import { checkObject, shown, wholeNumber } from '../options.js';
import { save } from '../plot/index.js';
import { drawDiagnosis } from './draw.js';
import { measure } from './measure.js';
import { Diagnosis } from './report.js';
import { type Epochs, verdict } from './verdict.js';
import { readLimits, type Thresholds, warningsOf } from './warnings.js';

export interface DiagnoseOptions extends Partial<Thresholds> {
  /** Name, or a function of outputs and targets that returns a scalar. */
  readonly loss: LossName | Loss;
  /** At most so many samples of the batch are used; default 512. */
  readonly samples?: number;
  /** Parameters of an earlier moment, from `model.stateDict()`: with them the size of the updates since is measured. */
  readonly before?: Readonly<Record<string, Tensor>>;
  /** Steps since `before`, a whole number >= 1; default 1. The limits of updates are those of one step. */
  readonly steps?: number;
  /** Of `fit`: adds the verdict and the learning curve. */
  readonly history?: Epochs;
  /** Weights of at most this size count as 0; default 0. */
  readonly tolerance?: number;
  /** Prints the table; default true. */
  readonly print?: boolean;
  /** File for the pictures, .svg or .png. */
  readonly plot?: string;
}

const OPTIONS = ['loss', 'samples', 'before', 'steps', 'history', 'tolerance', 'print', 'plot'] as const;

/**
 * Looks at a model on one batch: norms of weights and gradients layer by layer, sizes of updates, dead units, saturation,
 * sparsity, and what is wrong with them. Runs forward and backward once in the mode the model is in; parameters, running
 * statistics and random streams stay as they are.
 *
 * @param model a module from one tensor to outputs the loss takes.
 * @param batch a TensorDataset or `{ x, y }`; the first 512 samples are used.
 * @param options `loss` (required), `before`, `steps`, `history`, `samples`, `tolerance`, `print`, `plot`, and thresholds of warnings.
 * @returns the figures, the warnings, the verdict, the table as text and the pictures as SVG.
 * @throws OptionError for options that make no sense; what the model or the loss throws for data they do not take.
 * @example
 * const diagnosis = await diagnostics.diagnose(model, train, { loss: 'crossEntropy', history, plot: 'diagnosis.svg' });
 * for (const { message } of diagnosis.warnings) console.log(message);
 */
export async function diagnose(
  model: Module,
  batch: TensorDataset | { readonly x: DataInput; readonly y: DataInput },
  options: DiagnoseOptions,
): Promise<Diagnosis> {
  const where = 'diagnose';
  if (!(model instanceof Module)) {
    throw new OptionError(`${where}: got ${shown(model)} as model, expected an nn.Module`);
  }
  const { lossOf, samples, steps, tolerance, thresholds } = settingsOf(where, options);
  checkBatch(where, batch);
  const { before, history, print = true, plot } = options;
  const data = batch instanceof TensorDataset ? batch : new TensorDataset(batch.x, batch.y);
  const { value } = await data.batches({ batchSize: Math.min(samples, data.length) }).next();
  const [x, y] = value as [Tensor, Tensor];
  const figures = await measure(model, x, y, lossOf, tolerance, before ?? null);
  const judged = history === undefined ? null : verdict(history);
  const warnings = warningsOf(figures, thresholds, steps);
  const diagnosis = new Diagnosis(figures, warnings, judged, drawDiagnosis(figures, history));
  if (print) console.log(diagnosis.toString());
  if (plot !== undefined) await save(diagnosis.svg, plot);
  return diagnosis;
}

/** The options of {@link diagnose}, checked. @throws OptionError naming `where`. */
export function settingsOf(where: string, options: DiagnoseOptions) {
  if (typeof options !== 'object' || options === null) {
    throw new OptionError(`${where}: got ${shown(options)}, expected options such as { loss: 'crossEntropy' }`);
  }
  const thresholds = readLimits(where, options, OPTIONS);
  const { loss, tolerance = 0, before } = options;
  if (before !== undefined) checkObject(`${where}: before`, before, 'tensors, as stateDict() gives');
  if (typeof loss !== 'string' && typeof loss !== 'function') {
    throw new OptionError(`${where}: loss is ${shown(loss)}, expected a name such as 'crossEntropy' or a function`);
  }
  const samples = wholeNumber(`${where}: samples`, options.samples ?? 512, 1);
  const steps = wholeNumber(`${where}: steps`, options.steps ?? 1, 1);
  if (!(Number.isFinite(tolerance) && tolerance >= 0)) {
    throw new OptionError(`${where}: tolerance is ${shown(tolerance)}, expected a number >= 0`);
  }
  return { lossOf: typeof loss === 'string' ? lossByName(loss) : loss, samples, steps, tolerance, thresholds };
}

/** Throws unless `batch` is a data set, or x and y. */
export function checkBatch(where: string, batch: unknown): void {
  if (!(batch instanceof TensorDataset)) checkObject(`${where}: data`, batch, 'x and y');
}
