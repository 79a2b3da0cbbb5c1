import { DataError, OptionError, ShapeError, State, sub, type Tensor, tensor } from '../core.js';
import type { TensorDataset } from '../data/index.js';
import { shown } from '../options.js';
import { sizeOf } from '../shape.js';
import { showShape } from './describe.js';
import { Module, type ModuleConfig } from './module.js';

/** Samples whose moments are computed in one native run. */
const BATCH = 256;

/**
 * Brings each channel of pictures to mean 0 and variance 1 with numbers that do not change: y = (x − mean) / std, channel by
 * channel of the last axis. As the first layer of a model it is saved with it, so that nobody can forget it.
 *
 * @param mean one finite number a channel. @param std one number above 0 a channel.
 * @throws OptionError for other numbers; ShapeError from `forward` for another number of channels.
 * @example
 * const model = new nn.Sequential(await nn.Normalize.fit(train), new nn.Flatten(), new nn.Linear(784, 10));
 * @see torchvision, Normalize; Keras, Normalization.
 */
export class Normalize extends Module {
  readonly mean: State;
  readonly std: State;

  constructor(mean: readonly number[], std: readonly number[]) {
    super();
    const right = Array.isArray(mean) && Array.isArray(std) && mean.length === std.length && mean.length > 0;
    if (!right || !mean.every(Number.isFinite) || !std.every((s) => s > 0 && s < Infinity)) {
      throw new OptionError(
        `Normalize: mean is ${shown(mean)} and std ${JSON.stringify(std)}, expected as many finite numbers of each, ` +
          'one a channel, std above 0',
      );
    }
    this.mean = new State(tensor(Float32Array.from(mean)), 'mean');
    this.std = new State(tensor(Float32Array.from(std)), 'std');
  }

  /**
   * The layer for pictures like those of a data set, after its transform: give the training part only.
   * @param dataset samples `[…, channels]`.
   * @throws DataError for a channel that does not vary, or a value that is not finite.
   * @example const normalize = await nn.Normalize.fit(train); // MNIST: mean 0.1307, std 0.3081
   */
  static async fit(dataset: TensorDataset): Promise<Normalize> {
    if (typeof dataset?.batches !== 'function') {
      throw new OptionError(`Normalize.fit: got ${shown(dataset)}, expected a TensorDataset`);
    }
    let [count, mean, squares]: [number, number[], number[]] = [0, [], []];
    for await (const [x] of dataset.batches({ batchSize: Math.min(BATCH, dataset.length) })) {
      if (x.shape.length < 2) throw new ShapeError(`Normalize.fit: got ${showShape(x.shape)}, expected […, channels]`);
      const channels = x.shape[x.shape.length - 1];
      const rows = x.cast('float32').reshape([sizeOf(x.shape) / channels, channels]);
      const middle = rows.mean({ axis: 0 });
      const [own, spread] = await Promise.all([middle.data(), sub(rows, middle).square().sum({ axis: 0 }).data()]);
      // Chan, Golub, LeVeque (1983): moments of two parts joined without cancellation.
      const n = rows.shape[0];
      const all = count + n;
      const delta = Array.from(own, (m, c) => m - (mean[c] ?? 0));
      squares = delta.map((d, c) => (squares[c] ?? 0) + spread[c] + (d * d * count * n) / all);
      mean = delta.map((d, c) => (mean[c] ?? 0) + (d * n) / all);
      count = all;
    }
    const std = squares.map((s) => Math.sqrt(s / count));
    const odd = std.findIndex((s, c) => !(s > 0) || !Number.isFinite(s + mean[c]));
    if (odd < 0) return new Normalize(mean, std);
    throw new DataError(
      `Normalize.fit: channel ${odd} has mean ${mean[odd]} and deviation ${std[odd]}, expected finite values that vary`,
    );
  }

  override config(): ModuleConfig {
    // A file brings the values themselves; it needs their number.
    const channels = this.mean.shape[0];
    return [Array.from({ length: channels }, () => 0), Array.from({ length: channels }, () => 1)];
  }

  forward(x: Tensor): Tensor {
    const [channels] = this.mean.shape;
    if (x.shape.at(-1) !== channels) {
      throw new ShapeError(`${this.label}: got ${showShape(x.shape)}, expected ${channels} channels in the last axis`);
    }
    return sub(x, this.mean.read()).div(this.std.read());
  }

  override toString(): string {
    return `Normalize(${this.mean.shape[0]})`;
  }
}
