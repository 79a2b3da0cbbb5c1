import type { Tensor } from '../core.js';

/**
 * A figure that is collected over batches: a graph function gives the sum over one batch, so that a compiled evaluation
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

/** Adds a metric up on the host, in float64. */
export class RunningMetric {
  readonly metric: Metric;
  #sum: number;
  #count = 0;

  constructor(metric: Metric) {
    this.metric = metric;
    this.#sum = metric.init;
  }

  /** @param sum what `metric.batch` gave for `count` examples. */
  add(sum: number, count: number): void {
    this.#sum += sum;
    this.#count += count;
  }

  /** The figure so far; NaN before the first example. */
  get value(): number {
    return this.#count === 0 ? Number.NaN : this.metric.finish(this.#sum, this.#count);
  }

  reset(): void {
    this.#sum = this.metric.init;
    this.#count = 0;
  }
}
