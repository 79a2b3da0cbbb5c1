import {
  add,
  type FloatDType,
  isFloat,
  mul,
  OptionError,
  ones,
  Parameter,
  rsqrt,
  type Shape,
  ShapeError,
  State,
  sub,
  type Tensor,
  zeros,
} from '../core.js';
import { checkOptions, shown, wholeNumber } from '../options.js';
import { sameShape } from '../shape.js';
import { checkTensor, showShape } from './describe.js';
import { Module, type ModuleConfig } from './module.js';

export function checkNorm(name: string, eps: number | null, dtype: FloatDType): void {
  if (eps !== null && !(typeof eps === 'number' && eps >= 0 && eps < Infinity)) {
    throw new OptionError(`${name}: eps is ${shown(eps)}, expected a finite number >= 0`);
  }
  if (!isFloat(dtype)) throw new OptionError(`${name}: dtype is ${String(dtype)}, expected float32 or float64`);
}

/** The sizes of the last axes that are normalised together. */
export function normalizedSizes(name: string, given: number | Shape): Shape {
  const shape: Shape = Array.isArray(given) ? [...given] : [given as number];
  if (shape.length > 0 && shape.every((n) => Number.isInteger(n) && n >= 1)) return shape;
  throw new OptionError(`${name}: normalizedShape is [${shape}], expected whole numbers >= 1, at least one`);
}

/** Throws unless the last axes of x are those. */
export function checkLastAxes(label: string, x: Tensor, sizes: Shape): void {
  checkTensor(label, x);
  if (sameShape(x.shape.slice(Math.max(0, x.shape.length - sizes.length)), sizes)) return;
  const expected = sizes.length === 1 ? `dimension ${sizes[0]}` : `dimensions ${showShape(sizes)}`;
  throw new ShapeError(`${label}: got ${showShape(x.shape)}, expected last ${expected}`);
}

export interface StatisticsOptions {
  readonly eps?: number;
  readonly momentum?: number | null;
  readonly affine?: boolean;
  readonly trackRunningStats?: boolean;
  readonly dtype?: FloatDType;
}

/** Base of the norms that may keep running statistics of the channels, the last axis. */
export abstract class StatisticsNorm extends Module {
  readonly numFeatures: number;
  readonly eps: number;
  weight: Parameter | null;
  bias: Parameter | null;
  runningMean: State | null;
  runningVar: State | null;
  /** Instance norm keeps it for PyTorch's state dicts only; there, too, it counts nothing. */
  numBatchesTracked: State | null;

  protected constructor(numFeatures: number, options: StatisticsOptions, used: boolean) {
    super();
    const name = this.constructor.name;
    checkOptions(name, options, ['eps', 'momentum', 'affine', 'trackRunningStats', 'dtype']);
    const { eps = 1e-5, affine = used, trackRunningStats = used, dtype = 'float32' } = options;
    this.numFeatures = wholeNumber(`${name}: numFeatures`, numFeatures, 1);
    checkNorm(name, eps, dtype);
    const shape = [numFeatures];
    this.eps = eps;
    this.weight = affine ? new Parameter(ones(shape, { dtype }), 'weight') : null;
    this.bias = affine ? new Parameter(zeros(shape, { dtype }), 'bias') : null;
    this.runningMean = trackRunningStats ? new State(zeros(shape, { dtype }), 'runningMean') : null;
    this.runningVar = trackRunningStats ? new State(ones(shape, { dtype }), 'runningVar') : null;
    this.numBatchesTracked = trackRunningStats ? new State(zeros([], { dtype: 'int32' }), 'numBatchesTracked') : null;
  }

  abstract readonly momentum: number | null;
  /** The axes before the channels in the inputs that are taken, for checks and messages. */
  protected abstract get axes(): readonly (readonly string[])[];
  /** With the statistics of x, which a layer in training may keep. */
  protected abstract normalize(x: Tensor, weight: Tensor | null, bias: Tensor | null): Tensor;

  /**
   * @param x the layer's input, channels last
   * @returns the shape of x
   * @throws ShapeError for another shape, or a single value for the statistics; DTypeError when x is not of the layer's dtype.
   */
  forward(x: Tensor): Tensor {
    checkTensor(this.label, x);
    const { numFeatures, eps, runningMean, runningVar, axes } = this;
    if (!axes.some((a) => a.length === x.shape.length - 1) || x.shape.at(-1) !== numFeatures) {
      const expected = axes.map((a) => `[${a.join(', ')}, ${numFeatures}]`).join(' or ');
      throw new ShapeError(`${this.label}: got ${showShape(x.shape)}, expected ${expected}`);
    }
    const [weight, bias] = [this.weight?.read() ?? null, this.bias?.read() ?? null];
    if (this.training || runningMean === null || runningVar === null) return this.normalize(x, weight, bias);
    // By given statistics: one multiplication and one addition an element.
    const rstd = rsqrt(add(runningVar.read(), eps));
    const y = mul(sub(x, runningMean.read()), weight === null ? rstd : mul(rstd, weight));
    return bias === null ? y : add(y, bias);
  }

  /** r ← (1 − share)·r + share·s, pending writes. */
  protected keep(mean: Tensor, variance: Tensor, share: number | Tensor): void {
    const kept = typeof share === 'number' ? 1 - share : sub(1, share);
    this.runningMean?.assign(add(mul(this.runningMean.read(), kept), mul(mean, share)));
    this.runningVar?.assign(add(mul(this.runningVar.read(), kept), mul(variance, share)));
  }

  override config(): ModuleConfig {
    const { numFeatures, eps, momentum, weight, runningMean } = this;
    const dtype = (weight ?? runningMean)?.dtype ?? 'float32';
    return [numFeatures, { eps, momentum, affine: weight !== null, trackRunningStats: runningMean !== null, dtype }];
  }

  override toString(): string {
    return `${this.constructor.name}(${this.numFeatures})`;
  }
}
