import type { Tensor } from '../core.js';
import { OptionError, tensor } from '../core.js';
import { type DataInput, TensorDataset } from '../data/index.js';
import type { LossName } from '../losses/index.js';
import { Linear, Module } from '../nn/index.js';
import type { Optimizer, OptimizerName } from '../optim/index.js';
import { SGD } from '../optim/index.js';
import { checkOptions, wholeNumber } from '../options.js';
import { type FitOptions, fit, type History } from '../train/index.js';

/** A data set, or one tensor of inputs and one of targets as `TensorDataset` takes them. */
export type LabelledData = TensorDataset | { readonly x: DataInput; readonly y: DataInput };

export interface LinearModelOptions {
  /** First weights, `[outputs][features]`; default zeros. */
  readonly weight?: readonly (readonly number[])[];
  /** First bias, one an output; default zeros. */
  readonly bias?: readonly number[];
}

export interface LearnOptions {
  /** Passes over the data; default 1000. */
  readonly epochs?: number;
  /** Samples an update; default all: plain gradient descent. */
  readonly batchSize?: number;
  /** Learning rate of gradient descent, > 0; each model has its default. */
  readonly lr?: number;
  /** Instead of gradient descent: an optimizer or a name. */
  readonly optimizer?: Optimizer | OptimizerName;
  /** As in `fit`. */
  readonly metrics?: NonNullable<FitOptions['metrics']>;
}

/** y = x·Wᵀ + b with readable weights; what the classical models have in common. */
export abstract class LinearModel extends Module {
  readonly linear: Linear;

  constructor(what: string, features: number, outputs: number, options: LinearModelOptions) {
    super();
    checkOptions(what, options, ['weight', 'bias']);
    wholeNumber(`${what}: features`, features, 1);
    const { weight, bias } = options;
    if (weight !== undefined && !(weight.length === outputs && weight.every((row) => row.length === features))) {
      throw new OptionError(
        `${what}: weight is [${weight.length}, ${weight[0]?.length ?? 0}], expected [${outputs}, ${features}]`,
      );
    }
    if (bias !== undefined && bias.length !== outputs) {
      throw new OptionError(`${what}: bias has ${bias.length} numbers, expected ${outputs}`);
    }
    const values = { weight: weight?.flat() ?? [], bias: bias ?? [] };
    for (const [key, list] of Object.entries(values)) {
      const odd = list.find((v) => !Number.isFinite(v));
      if (odd !== undefined) throw new OptionError(`${what}: ${key} contains ${odd}, expected finite numbers`);
    }
    const filled = (list: readonly number[]) => (shape: readonly number[]) =>
      tensor(
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => list[i] ?? 0),
        { shape },
      );
    this.linear = new Linear(features, outputs, { init: filled(values.weight), biasInit: filled(values.bias) });
  }

  /** @param x `[n, features]` @returns `[n, outputs]`, before any sigmoid or softmax. */
  forward(x: Tensor): Tensor {
    return this.linear.forward(x);
  }

  /** The weights `[outputs][features]` and the bias as plain numbers. */
  async coefficients(): Promise<{ weight: number[][]; bias: number[] }> {
    const { weight, bias } = await this.linear.stateDict();
    const [w, b] = [await weight.data(), await bias.data()];
    const rows = Array.from({ length: this.linear.outFeatures }, (_, k) =>
      Array.from(w.subarray(k * this.linear.inFeatures, (k + 1) * this.linear.inFeatures) as ArrayLike<number>),
    );
    return { weight: rows, bias: Array.from(b as ArrayLike<number>) };
  }
}

/** A linear model that learns by descent on a loss. */
export abstract class DescentModel extends LinearModel {
  protected abstract readonly loss: LossName;
  protected abstract readonly lr: number;

  /**
   * Learns by gradient descent, or with the optimizer given.
   * @param data a TensorDataset or `{ x, y }`, x `[n, features]`; scaled features learn much faster.
   * @param options `epochs`, `batchSize`, `lr`, `optimizer`, `metrics`.
   * @returns the history of `fit`; `steps` is the number of updates: ⌈n / batchSize⌉ an epoch.
   * @throws OptionError for options; DataError when the loss is no longer finite: lower `lr` or scale the features.
   */
  async learn(data: LabelledData, options: LearnOptions = {}): Promise<History> {
    const what = `${this.constructor.name}.learn`;
    checkOptions(what, options, ['epochs', 'batchSize', 'lr', 'optimizer', 'metrics']);
    const { epochs = 1000, lr, optimizer, metrics = [] } = options;
    if (lr !== undefined && optimizer !== undefined) {
      throw new OptionError(`${what}: got lr and optimizer, expected one of them; give lr to the optimizer`);
    }
    if (lr !== undefined && !(lr > 0 && Number.isFinite(lr))) {
      throw new OptionError(`${what}: lr is ${String(lr)}, expected a number > 0`);
    }
    const dataset = datasetOf(what, data);
    return await fit(this, dataset, {
      loss: this.loss,
      optimizer: optimizer ?? new SGD({ lr: lr ?? this.lr }),
      metrics,
      epochs,
      batchSize: options.batchSize ?? dataset.length,
    });
  }
}

export function datasetOf(what: string, data: LabelledData): TensorDataset {
  if (data instanceof TensorDataset) return data;
  if (typeof data === 'object' && data !== null && 'x' in data && 'y' in data) return new TensorDataset(data.x, data.y);
  throw new OptionError(`${what}: got ${String(data)} as data, expected a TensorDataset or { x, y }`);
}
