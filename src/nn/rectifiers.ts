import {
  type AxisOptions,
  celu,
  type FloatDType,
  full,
  generalizedRectifier,
  glu,
  hardSigmoid,
  hardTanh,
  isFloat,
  maxout,
  mish,
  OptionError,
  Parameter,
  prelu,
  relu6,
  ShapeError,
  selu,
  softsign,
  step,
  swiglu,
  type Tensor,
} from '../core.js';
import { checkOptions, shown } from '../options.js';
import { showShape } from './describe.js';
import { Module, type ModuleConfig } from './module.js';

/**
 * x >= 0 ? 1 : 0; derivative 0, or 1 with `straightThrough`.
 * @example new nn.Step().forward(tensor([-1, 0, 2])); // [0, 1, 1]
 * @see {@link step}
 */
export class Step extends Module {
  readonly straightThrough: boolean;
  /** @param options `straightThrough` (default false). @throws OptionError for another option. */
  constructor(options: { straightThrough?: boolean } = {}) {
    super();
    checkOptions('Step', options, ['straightThrough']);
    const { straightThrough = false } = options;
    this.straightThrough = straightThrough;
  }
  override config(): ModuleConfig {
    return [{ straightThrough: this.straightThrough }];
  }
  forward(x: Tensor): Tensor {
    return step(x, { straightThrough: this.straightThrough });
  }
  override toString(): string {
    return this.straightThrough ? 'Step(straight-through)' : 'Step';
  }
}

/**
 * min(max(x + 3, 0), 6) / 6.
 * @example new nn.HardSigmoid().forward(tensor([-4, 0, 1.5])); // [0, 0.5, 0.75]
 * @see {@link hardSigmoid}
 */
export class HardSigmoid extends Module {
  forward(x: Tensor): Tensor {
    return hardSigmoid(x);
  }
}

/**
 * min(max(x, min), max); derivative 0 outside (min, max).
 * @example new nn.HardTanh().forward(tensor([-3, 0.5, 2])); // [-1, 0.5, 1]
 * @see {@link hardTanh}
 */
export class HardTanh extends Module {
  readonly min: number;
  readonly max: number;
  /** @param options `min` < `max`, default −1 and 1. @throws OptionError otherwise. */
  constructor(options: { min?: number; max?: number } = {}) {
    super();
    checkOptions('HardTanh', options, ['min', 'max']);
    const { min = -1, max = 1 } = options;
    if (!(min < max && Number.isFinite(max - min))) {
      throw new OptionError(`HardTanh: got min ${min} and max ${max}, expected finite numbers with min < max`);
    }
    this.min = min;
    this.max = max;
  }
  override config(): ModuleConfig {
    return [{ min: this.min, max: this.max }];
  }
  forward(x: Tensor): Tensor {
    return hardTanh(x, { min: this.min, max: this.max });
  }
  override toString(): string {
    return `HardTanh(${this.min}, ${this.max})`;
  }
}

/**
 * min(max(x, 0), 6).
 * @example new nn.ReLU6().forward(tensor([-1, 3, 9])); // [0, 3, 6]
 * @see {@link relu6}
 */
export class ReLU6 extends Module {
  forward(x: Tensor): Tensor {
    return relu6(x);
  }
}

export interface PReLUOptions {
  /** First value of every slope (default 0.25). */
  readonly init?: number;
  /** float32 unless stated. */
  readonly dtype?: FloatDType;
}

/**
 * x > 0 ? x : slope·x with a learned slope, shared or one per channel of the last axis.
 *
 * The parameter `weight` `[channels]` has PyTorch's name. Keep it out of weight decay: decay pulls the slope towards ReLU.
 *
 * @param channels 1 (default, shared) or the size of the input's last axis.
 * @throws OptionError for illegal channels or a first slope that is not finite; ShapeError when the input has another size.
 * @example new nn.Sequential(new nn.Linear(784, 128), new nn.PReLU(128), new nn.Linear(128, 10));
 * @see He et al. (2015), Delving deep into rectifiers; PyTorch, torch.nn.PReLU (channels on axis 1).
 */
export class PReLU extends Module {
  readonly channels: number;
  weight: Parameter;

  constructor(channels = 1, options: PReLUOptions = {}) {
    super();
    checkOptions('PReLU', options, ['init', 'dtype']);
    const { init = 0.25, dtype = 'float32' } = options;
    if (!Number.isInteger(channels) || channels < 1) {
      throw new OptionError(`PReLU: channels is ${String(channels)}, expected a whole number >= 1`);
    }
    if (!Number.isFinite(init)) throw new OptionError(`PReLU: init is ${String(init)}, expected a finite number`);
    if (!isFloat(dtype)) throw new OptionError(`PReLU: dtype is ${String(dtype)}, expected float32 or float64`);
    this.channels = channels;
    this.weight = new Parameter(full([channels], init, { dtype }), 'weight');
  }

  override config(): ModuleConfig {
    return [this.channels, { dtype: this.weight.dtype }];
  }
  forward(x: Tensor): Tensor {
    if (this.channels > 1 && x.shape.at(-1) !== this.channels) {
      throw new ShapeError(`${this.label}: got ${showShape(x.shape)}, expected last dimension ${this.channels}`);
    }
    return prelu(x, this.weight.read());
  }

  override toString(): string {
    return `PReLU(${this.channels})`;
  }
}

/**
 * max(x, 0) + α·min(x, 0) with a fixed α.
 * @example new nn.GeneralizedRectifier(-1).forward(tensor([-2, 3])); // [2, 3]
 * @see {@link generalizedRectifier}
 */
export class GeneralizedRectifier extends Module {
  readonly alpha: number;
  /** @param alpha slope below 0, finite: 0 is ReLU, −1 the absolute value. @throws OptionError otherwise. */
  constructor(alpha: number) {
    super();
    if (!Number.isFinite(alpha)) {
      throw new OptionError(`GeneralizedRectifier: alpha is ${String(alpha)}, expected a finite number`);
    }
    this.alpha = alpha;
  }
  override config(): ModuleConfig {
    return [this.alpha];
  }
  forward(x: Tensor): Tensor {
    return generalizedRectifier(x, this.alpha);
  }
  override toString(): string {
    return `GeneralizedRectifier(${this.alpha})`;
  }
}

/**
 * Scaled ELU, for self-normalising networks; with `init.lecunNormal()`.
 * @example new nn.SELU().forward(tensor([1])); // [1.050701]
 * @see {@link selu}
 */
export class SELU extends Module {
  forward(x: Tensor): Tensor {
    return selu(x);
  }
}

/**
 * max(x, 0) + min(0, α·(e^(x/α) − 1)).
 * @example new nn.CELU(2).forward(tensor([-2, 1])); // [-1.2642411, 1]
 * @see {@link celu}
 */
export class CELU extends Module {
  readonly alpha: number;
  /** @param alpha the value reached at −∞ is −alpha, > 0 (default 1). @throws OptionError otherwise. */
  constructor(alpha = 1) {
    super();
    if (!(typeof alpha === 'number' && alpha > 0 && alpha < Infinity))
      throw new OptionError(`CELU: alpha is ${shown(alpha)}, expected > 0`);
    this.alpha = alpha;
  }
  override config(): ModuleConfig {
    return [this.alpha];
  }
  forward(x: Tensor): Tensor {
    return celu(x, this.alpha);
  }
  override toString(): string {
    return `CELU(${this.alpha})`;
  }
}

/**
 * x·tanh(softplus(x)).
 * @example new nn.Mish().forward(tensor([1])); // [0.8650984]
 * @see {@link mish}
 */
export class Mish extends Module {
  forward(x: Tensor): Tensor {
    return mish(x);
  }
}

/**
 * x / (1 + |x|).
 * @example new nn.Softsign().forward(tensor([-1, 3])); // [-0.5, 0.75]
 * @see {@link softsign}
 */
export class Softsign extends Module {
  forward(x: Tensor): Tensor {
    return softsign(x);
  }
}

/**
 * The largest of each group of `pieces` neighbours: after `Linear(n, m·pieces)`, m units of k linear pieces.
 * @example new nn.Sequential(new nn.Linear(2, 3 * 16), new nn.Maxout(3), new nn.Linear(16, 1));
 * @see {@link maxout}
 */
export class Maxout extends Module {
  readonly pieces: number;
  readonly axis: number;
  /** @param pieces k, a whole number >= 1. @param options `axis`, default the last. @throws OptionError otherwise. */
  constructor(pieces: number, options: AxisOptions = {}) {
    super();
    checkOptions('Maxout', options, ['axis']);
    const { axis = -1 } = options;
    if (!Number.isInteger(axis)) throw new OptionError(`Maxout: axis is ${shown(axis)}, expected a whole number`);
    if (!Number.isInteger(pieces) || pieces < 1) {
      throw new OptionError(`Maxout: pieces is ${shown(pieces)}, expected a whole number >= 1`);
    }
    this.pieces = pieces;
    this.axis = axis;
  }
  override config(): ModuleConfig {
    return [this.pieces, { axis: this.axis }];
  }
  forward(x: Tensor): Tensor {
    return maxout(x, this.pieces, { axis: this.axis });
  }
  override toString(): string {
    return `Maxout(${this.pieces})`;
  }
}

/**
 * a·σ(b), a and b the halves of the input along an axis.
 * @example new nn.GLU().forward(tensor([3, 0])); // [1.5]
 * @see {@link glu}
 */
export class GLU extends Module {
  readonly axis: number;
  /** @param axis the axis that is halved (default the last). */
  constructor(axis = -1) {
    super();
    this.axis = axis;
  }
  override config(): ModuleConfig {
    return [this.axis];
  }
  forward(x: Tensor): Tensor {
    return glu(x, { axis: this.axis });
  }
}

/**
 * silu(a)·b, a and b the halves of the input along an axis.
 * @example new nn.SwiGLU().forward(tensor([1, 2])); // [1.4621172]
 * @see {@link swiglu}
 */
export class SwiGLU extends Module {
  readonly axis: number;
  /** @param axis the axis that is halved (default the last). */
  constructor(axis = -1) {
    super();
    this.axis = axis;
  }
  override config(): ModuleConfig {
    return [this.axis];
  }
  forward(x: Tensor): Tensor {
    return swiglu(x, { axis: this.axis });
  }
}
