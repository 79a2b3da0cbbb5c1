import { DataError, isFloat, OptionError, ShapeError, type Tensor, tensor } from '../core.js';
import { type DataInput, TensorDataset } from '../data/index.js';
import { type Loss, type LossName, lossByName } from '../losses/index.js';
import { type AnyMetric, type MetricName, metricByName, RunningMetric } from '../metrics/index.js';
import { Module } from '../nn/index.js';
import type { Chunk } from './chunks.js';

/** A data set, or x and y as `TensorDataset` takes them. */
export type DataLike = TensorDataset | { readonly x: DataInput; readonly y: DataInput };

/** Loss and metrics of a model, by name or as functions. */
export interface ObjectiveOptions {
  /** Name, or a function of outputs and targets that returns a scalar. */
  readonly loss: LossName | Loss;
  /** Names or metrics; default none. */
  readonly metrics?: readonly (MetricName | AnyMetric)[];
}

/** Losses whose targets are class numbers. */
const LABELLED: readonly LossName[] = ['crossEntropy', 'sparseCategoricalCrossEntropy', 'nll'];

/** What a step computes beside the outputs: the loss, and the sums of the metrics. */
export class Objective {
  readonly metrics: readonly AnyMetric[];
  private readonly where: string;
  private readonly loss: Loss;
  private readonly labels: boolean;

  constructor(where: string, options: ObjectiveOptions) {
    this.where = where;
    if (typeof options.loss !== 'string' && typeof options.loss !== 'function') {
      throw new OptionError(
        `${where}: loss is ${String(options.loss)}, expected a name such as 'crossEntropy' or a function`,
      );
    }
    this.loss = typeof options.loss === 'string' ? lossByName(options.loss) : options.loss;
    this.labels = typeof options.loss === 'string' && LABELLED.includes(options.loss);
    this.metrics = (options.metrics ?? []).map((m) => (typeof m === 'string' ? metricByName(m) : m));
    const names = new Set(['epoch', 'loss', 'seconds', 'samplesPerSecond']);
    for (const { name } of this.metrics) {
      if (names.has(name))
        throw new OptionError(`${where}: two figures are called "${name}"; give the metric another { name }`);
      names.add(name);
    }
  }

  lossOf(outputs: Tensor, targets: Tensor): Tensor {
    const loss = this.loss(outputs, targets);
    if (loss.shape.length === 0) return loss;
    throw new ShapeError(`${this.where}: the loss has shape [${loss.shape}], expected a scalar; end it with mean()`);
  }

  metricSums(outputs: Tensor, targets: Tensor): Tensor[] {
    return this.metrics.map((metric) => metric.batch(outputs, targets));
  }

  /** Checks and converts what the loss needs of the targets: class numbers given as floats become integers. */
  async prepare(data: TensorDataset): Promise<TensorDataset> {
    const { y } = data;
    if (!this.labels || !isFloat(y.dtype) || y.shape.length !== 1) return data;
    const labels = await y.data();
    for (let i = 0; i < labels.length; i++) {
      if (!Number.isInteger(labels[i])) {
        throw new DataError(`${this.where}: crossEntropy takes whole class numbers, y of sample ${i} is ${labels[i]}`);
      }
    }
    return data.withTargets(tensor(Int32Array.from(labels)));
  }
}

/** Means over the samples of a pass, added up in float64. */
export class Figures {
  samples = 0;
  private lossSum = 0;
  private readonly metrics: readonly RunningMetric[];

  constructor(metrics: readonly AnyMetric[]) {
    this.metrics = metrics.map((metric) => new RunningMetric(metric));
  }

  /** Results of steps that return the mean loss of their batch and what each metric needs of it, in this order. */
  add({ values, steps, batch }: Chunk): void {
    for (let s = 0; s < steps; s++) {
      this.lossSum += values[0][s] * batch;
      this.metrics.forEach((metric, i) => {
        const all = values[i + 1];
        const each = all.length / steps;
        metric.add(all.subarray(s * each, (s + 1) * each), batch);
      });
    }
    this.samples += steps * batch;
  }

  /** @param cheap leaves out figures that take long to compute. */
  read(cheap = false): Record<string, number> & { loss: number } {
    const figures: Record<string, number> & { loss: number } = { loss: this.lossSum / this.samples };
    for (const running of this.metrics) {
      const { metric } = running;
      if (!(cheap && 'costly' in metric && metric.costly)) figures[metric.name] = running.value;
    }
    return figures;
  }
}

export function asDataset(where: string, data: DataLike): TensorDataset {
  if (data instanceof TensorDataset) return data;
  if (typeof data === 'object' && data !== null && 'x' in data && 'y' in data) return new TensorDataset(data.x, data.y);
  throw new OptionError(`${where}: got ${describe(data)} as data, expected a TensorDataset or { x, y }`);
}

export function checkModel(where: string, model: unknown): void {
  if (model instanceof Module) return;
  const hint = typeof model === 'function' ? '; write new, as in new Net()' : '';
  throw new OptionError(`${where}: got ${describe(model)} as model, expected an nn.Module${hint}`);
}

function describe(x: unknown): string {
  if (typeof x === 'function') return `the function or class ${x.name || '(anonymous)'}`;
  if (typeof x === 'object' && x !== null) return `a ${x.constructor?.name ?? 'object'}`;
  return String(x);
}

/** Runs `fn` with the model in training or evaluation mode and gives every module its own mode back. */
export async function inMode<T>(model: Module, training: boolean, fn: () => Promise<T>): Promise<T> {
  const modes = model.modules().map((m) => [m, m.training] as const);
  model.train(training);
  try {
    return await fn();
  } finally {
    for (const [m, mode] of modes) m.train(mode); // parents first, so that children end in their own
  }
}
