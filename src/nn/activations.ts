import {
  elu,
  gelu,
  leakyRelu,
  logSoftmax,
  OptionError,
  relu,
  type SoftplusOptions,
  sigmoid,
  silu,
  softmax,
  softplus,
  type Tensor,
  tanh,
} from '../core.js';
import { checkOptions, shown } from '../options.js';
import { Module, type ModuleConfig } from './module.js';

/**
 * Returns its input; a place holder.
 * @example new nn.Identity().forward(tensor([-1, 2])); // [-1, 2]
 */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}

/** max(x, 0); derivative 0 at 0. @example new nn.ReLU().forward(tensor([-1, 2])); // [0, 2] */
export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/**
 * tanh x = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ), in (−1, 1).
 * @example new nn.Tanh().forward(tensor([0, 1])); // [0, 0.7615942]
 */
export class Tanh extends Module {
  forward(x: Tensor): Tensor {
    return tanh(x);
  }
}

/**
 * σ(x) = 1 / (1 + e⁻ˣ), in (0, 1). Not before `binaryCrossEntropy`, which takes logits.
 * @example new nn.Sigmoid().forward(tensor([0])); // [0.5]
 */
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}

/**
 * eˣᵢ / Σⱼ eˣʲ along an axis. Not before `crossEntropy`, which takes logits.
 * @example new nn.Softmax().forward(tensor([0, 0])); // [0.5, 0.5]
 */
export class Softmax extends Module {
  readonly axis: number;
  /** @param axis the axis that sums to 1 (default the last). */
  constructor(axis = -1) {
    super();
    this.axis = axis;
  }
  override config(): ModuleConfig {
    return [this.axis];
  }
  forward(x: Tensor): Tensor {
    return softmax(x, { axis: this.axis });
  }
  override toString(): string {
    return `Softmax(axis=${this.axis})`;
  }
}

/**
 * log softmax(x), without overflow, along an axis.
 * @example new nn.LogSoftmax().forward(tensor([0, 0])); // [-0.6931472, -0.6931472]
 */
export class LogSoftmax extends Module {
  readonly axis: number;
  /** @param axis the axis whose exponentials sum to 1 (default the last). */
  constructor(axis = -1) {
    super();
    this.axis = axis;
  }
  override config(): ModuleConfig {
    return [this.axis];
  }
  forward(x: Tensor): Tensor {
    return logSoftmax(x, { axis: this.axis });
  }
  override toString(): string {
    return `LogSoftmax(axis=${this.axis})`;
  }
}

/**
 * log(1 + e^(βx)) / β, a smooth ReLU; without overflow for large x.
 * @example new nn.Softplus({ beta: 2 }).forward(tensor([0])); // [0.3465736]
 * @see {@link softplus}
 */
export class Softplus extends Module {
  readonly beta: number;
  readonly threshold: number;
  /**
   * @param options `beta` > 0 (default 1): the larger, the sharper; `threshold` >= 0: where βx is above it the result is x
   *   (default Infinity). @throws OptionError otherwise.
   */
  constructor(options: SoftplusOptions = {}) {
    super();
    checkOptions('Softplus', options, ['beta', 'threshold']);
    const { beta = 1, threshold = Infinity } = options;
    if (!(typeof beta === 'number' && beta > 0))
      throw new OptionError(`Softplus: beta is ${shown(beta)}, expected > 0`);
    if (!(typeof threshold === 'number' && threshold >= 0))
      throw new OptionError(`Softplus: threshold is ${shown(threshold)}, expected >= 0`);
    this.beta = beta;
    this.threshold = threshold;
  }
  override config(): ModuleConfig {
    return [{ beta: this.beta, threshold: this.threshold }];
  }
  forward(x: Tensor): Tensor {
    return softplus(x, { beta: this.beta, threshold: this.threshold });
  }
  override toString(): string {
    return this.beta === 1 ? 'Softplus' : `Softplus(beta=${this.beta})`;
  }
}

/**
 * x > 0 ? x : slope·x.
 * @example new nn.LeakyReLU(0.1).forward(tensor([-1, 2])); // [-0.1, 2]
 * @see {@link leakyRelu}
 */
export class LeakyReLU extends Module {
  readonly negativeSlope: number;
  /** @param negativeSlope slope for x < 0, finite (default 0.01). @throws OptionError otherwise. */
  constructor(negativeSlope = 0.01) {
    super();
    if (!Number.isFinite(negativeSlope)) {
      throw new OptionError(`LeakyReLU: negativeSlope is ${String(negativeSlope)}, expected a finite number`);
    }
    this.negativeSlope = negativeSlope;
  }
  override config(): ModuleConfig {
    return [this.negativeSlope];
  }
  forward(x: Tensor): Tensor {
    return leakyRelu(x, this.negativeSlope);
  }
  override toString(): string {
    return `LeakyReLU(${this.negativeSlope})`;
  }
}

/** `tanh` is the approximation 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), within 5e-4 of the exact form. */
export type GELUApproximation = 'none' | 'tanh';

/**
 * x·Φ(x), Φ the standard normal distribution function.
 * @example new nn.GELU().forward(tensor([1])); // [0.8413447]
 * @see {@link gelu}
 */
export class GELU extends Module {
  readonly approximate: GELUApproximation;
  /** @param options `approximate: 'tanh'` for the cheaper form. @throws OptionError for another name. */
  constructor(options: { approximate?: GELUApproximation } = {}) {
    super();
    checkOptions('GELU', options, ['approximate']);
    const { approximate = 'none' } = options;
    if (approximate !== 'none' && approximate !== 'tanh') {
      throw new OptionError(`GELU: approximate is ${shown(approximate)}, expected 'none' or 'tanh'`);
    }
    this.approximate = approximate;
  }
  override config(): ModuleConfig {
    return [{ approximate: this.approximate }];
  }
  forward(x: Tensor): Tensor {
    return gelu(x, { approximate: this.approximate });
  }
  override toString(): string {
    return this.approximate === 'none' ? 'GELU' : 'GELU(tanh)';
  }
}

/**
 * x·σ(x), also called Swish.
 * @example new nn.SiLU().forward(tensor([1])); // [0.7310586]
 * @see {@link silu}
 */
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return silu(x);
  }
}

/**
 * x > 0 ? x : α·(eˣ − 1).
 * @example new nn.ELU().forward(tensor([-1, 2])); // [-0.6321206, 2]
 * @see {@link elu}
 */
export class ELU extends Module {
  readonly alpha: number;
  /** @param alpha the value reached at −∞ is −alpha; finite (default 1). @throws OptionError otherwise. */
  constructor(alpha = 1) {
    super();
    if (!Number.isFinite(alpha)) throw new OptionError(`ELU: alpha is ${String(alpha)}, expected a finite number`);
    this.alpha = alpha;
  }
  override config(): ModuleConfig {
    return [this.alpha];
  }
  forward(x: Tensor): Tensor {
    return elu(x, this.alpha);
  }
  override toString(): string {
    return `ELU(${this.alpha})`;
  }
}
