import { DataError, type HostArray, OptionError, type Tensor } from '../core.js';
import { checkArray, shown, wholeNumber } from '../options.js';
import { checkPair } from './columns.js';

/**
 * A figure that is a function of a sum: a graph function gives the sum over one batch, so that a compiled evaluation
 * step can return it, and the host adds the sums up.
 */
export interface Metric {
  /** Key in histories and results. */
  readonly name: string;
  /** Sum before the first batch. */
  readonly init: number;
  /**
   * Sum over the examples of a batch (axis 0); an example with several labels counts with their mean.
   * @returns float32 scalar node.
   */
  batch(outputs: Tensor, labels: Tensor): Tensor;
  /** The figure, from the sum over all batches and the number of examples. */
  finish(sum: number, count: number): number;
}

/**
 * A figure for which one sum is not enough (precision, ROC-AUC, R²): a graph function gives what the host needs of a
 * batch, and an accumulator on the host collects it.
 */
export interface StreamMetric {
  /** Key in histories and results. */
  readonly name: string;
  /** What the accumulator takes, from a batch of outputs and labels (axis 0): a tensor of any shape, float. */
  batch(outputs: Tensor, labels: Tensor): Tensor;
  /** Whether the figure costs more than a few operations a sample: then it is left out of progress events. */
  readonly costly?: boolean;
  /** A new, empty accumulator. */
  accumulator(): Accumulator;
}

/** Collects batches of a {@link StreamMetric}. */
export interface Accumulator {
  /** @param values what `batch` gave, flat. */
  add(values: ArrayLike<number>): void;
  /** The figure so far; NaN where it is not defined yet. */
  readonly value: number;
}

/** Either kind, as `fit` and `evaluate` take them. */
export type AnyMetric = Metric | StreamMetric;

/** Throws unless `metric` is one. */
function checkMetric(where: string, metric: AnyMetric): void {
  if (typeof metric === 'object' && metric !== null && typeof metric.batch === 'function') {
    if ('accumulator' in metric ? typeof metric.accumulator === 'function' : typeof metric.finish === 'function')
      return;
  }
  throw new OptionError(`${where}: metric is ${shown(metric)}, expected one such as metrics.accuracy()`);
}

/** Collects a metric on the host, in float64. */
export class RunningMetric {
  readonly metric: AnyMetric;
  #sum = 0;
  #count = 0;
  #stream: Accumulator | null = null;

  constructor(metric: AnyMetric) {
    checkMetric('RunningMetric', metric);
    this.metric = metric;
    this.reset();
  }

  /** @param values what `metric.batch` gave for `count` examples: a number, or the flat values. */
  add(values: number | ArrayLike<number>, count: number): void {
    if (typeof values !== 'number') checkArray('RunningMetric.add', 'values', values);
    this.#count += wholeNumber('RunningMetric.add: count', count, 0);
    if (this.#stream !== null) this.#stream.add(typeof values === 'number' ? [values] : values);
    else this.#sum += typeof values === 'number' ? values : values[0];
  }

  /** The figure so far; NaN before the first example. */
  get value(): number {
    if (this.#count === 0) return Number.NaN;
    const { metric } = this;
    return 'accumulator' in metric ? (this.#stream as Accumulator).value : metric.finish(this.#sum, this.#count);
  }

  reset(): void {
    this.#count = 0;
    if ('accumulator' in this.metric) this.#stream = this.metric.accumulator();
    else this.#sum = this.metric.init;
  }
}

/**
 * The figure of a metric for outputs and labels that are at hand, without a model.
 *
 * @param metric any metric.
 * @param outputs `[n, ...]`, n >= 1, as the metric takes them.
 * @param labels `[n, ...]`.
 * @returns the figure; NaN where it is not defined (ROC-AUC of one class).
 * @throws DataError without samples; ShapeError and DTypeError from the metric.
 * @example await measure(metrics.rocAuc(), await predict(model, test), test.y);
 */
export async function measure(metric: AnyMetric, outputs: Tensor, labels: Tensor): Promise<number> {
  checkMetric('measure', metric);
  checkPair('measure', outputs, labels);
  const count = outputs.shape[0];
  if (count === 0) throw new DataError(`${metric.name}: got outputs [${outputs.shape}], expected at least one sample`);
  const running = new RunningMetric(metric);
  const values: HostArray = await metric.batch(outputs, labels).data();
  running.add(values, count);
  return running.value;
}
