import {
  type DType,
  div,
  matmul,
  maximum,
  mul,
  norm,
  normal,
  OptionError,
  Parameter,
  permute,
  reshape,
  type Shape,
  State,
  stopGradient,
  sum,
  type Tensor,
} from '../core.js';
import { checkOptions, shown } from '../options.js';
import { normalizeAxis, sizeOf } from '../shape.js';
import { checkModule } from './describe.js';
import { type AnyModule, Module, type ModuleConfig } from './module.js';

/**
 * A weight that is computed from other parameters at every use. It stands where the layer's parameter stood and is read like one;
 * its own parameters lie at `parametrizations.<name>` of the layer, under PyTorch's names.
 */
export abstract class Parametrization extends Module<[], Tensor> {
  abstract readonly shape: Shape;
  abstract readonly dtype: DType;
  /** Name of its kind and its options, from which a model file makes it again. */
  abstract override config(): ModuleConfig;
  /** The weight as the layer uses it. */
  read(): Tensor {
    return this.forward();
  }
}

/** w = g·v / ‖v‖, norms over all axes but one. @see {@link weightNorm} */
class WeightNorm extends Parametrization {
  /** g */
  original0: Parameter;
  /** v */
  original1: Parameter;
  readonly #others: readonly number[];

  constructor(weight: Parameter, axis: number) {
    super();
    this.#others = weight.shape.map((_, a) => a).filter((a) => a !== axis);
    this.original1 = new Parameter(weight.read(), 'original1');
    this.original0 = new Parameter(this.#size(weight.read()), 'original0');
  }

  get shape(): Shape {
    return this.original1.shape;
  }
  get dtype(): DType {
    return this.original1.dtype;
  }

  override config(): ModuleConfig {
    const axis = this.shape.map((_, a) => a).find((a) => !this.#others.includes(a)) as number;
    return ['weightNorm', { axis }];
  }

  #size(v: Tensor): Tensor {
    return norm(v, { axis: this.#others, keepDims: true });
  }

  forward(): Tensor {
    const v = this.original1.read();
    return mul(v, div(this.original0.read(), this.#size(v)));
  }
}

/** w / σ(w), the largest singular value estimated by power iteration. @see {@link spectralNorm} */
class SpectralNorm extends Parametrization {
  original: Parameter;
  /** Left and right singular vectors, as PyTorch keeps them. */
  '0': { _u: State; _v: State };
  readonly #axis: number;
  readonly #iterations: number;
  readonly #eps: number;

  constructor(weight: Parameter, axis: number, iterations: number, eps: number) {
    super();
    this.#axis = axis;
    this.#iterations = iterations;
    this.#eps = eps;
    this.original = new Parameter(weight.read(), 'original');
    const w = stopGradient(this.#matrix());
    const [rows, columns] = w.shape;
    const draw = (n: number) => this.#unit(normal([n], { dtype: weight.dtype as 'float32' }));
    // PyTorch starts with 15 iterations, so that the first estimate is fair.
    const [u, v] = this.#iterate(w, draw(rows), draw(columns), 15);
    this['0'] = { _u: new State(u, '_u'), _v: new State(v, '_v') };
  }

  get shape(): Shape {
    return this.original.shape;
  }
  get dtype(): DType {
    return this.original.dtype;
  }

  override config(): ModuleConfig {
    return ['spectralNorm', { axis: this.#axis, iterations: this.#iterations, eps: this.#eps }];
  }

  /** The weight as [size of the axis, rest]. */
  #matrix(): Tensor {
    const w = this.original.read();
    const others = w.shape.map((_, a) => a).filter((a) => a !== this.#axis);
    return reshape(permute(w, [this.#axis, ...others]), [w.shape[this.#axis], sizeOf(others.map((a) => w.shape[a]))]);
  }

  #unit(x: Tensor): Tensor {
    return div(x, maximum(norm(x), this.#eps));
  }

  #iterate(w: Tensor, u: Tensor, v: Tensor, count: number): [u: Tensor, v: Tensor] {
    for (let i = 0; i < count; i++) {
      u = this.#unit(matmul(w, v));
      v = this.#unit(matmul(u, w));
    }
    return [u, v];
  }

  forward(): Tensor {
    const w = this.#matrix();
    const { _u, _v } = this['0'];
    let [u, v] = [_u.read(), _v.read()];
    if (this.training) {
      [u, v] = this.#iterate(stopGradient(w), u, v, this.#iterations);
      _u.assign(u);
      _v.assign(v);
    }
    const sigma = sum(mul(stopGradient(u), matmul(w, stopGradient(v))));
    return div(this.original.read(), sigma);
  }
}

interface Parametrized {
  parametrizations?: Record<string, Parametrization>;
  [name: string]: unknown;
}

/** Replaces the parameter `name` of a layer by what `make` builds from it. */
export function parametrize<M extends AnyModule>(
  op: string,
  layer: M,
  name: string,
  make: (w: Parameter) => Parametrization,
): M {
  checkModule(op, layer);
  const fields = layer as unknown as Parametrized;
  const weight = fields[name];
  if (weight instanceof Parametrization) {
    throw new OptionError(`${op}: "${name}" of ${layer.label} has one already; call removeParametrization first`);
  }
  if (!(weight instanceof Parameter)) {
    throw new OptionError(`${op}: ${layer.label} has no parameter "${name}"; give { name } of one that it has`);
  }
  const made = make(weight);
  if (!layer.training) made.eval();
  fields.parametrizations = { ...fields.parametrizations, [name]: made };
  // Out of the tree, where its parameters come under `parametrizations`.
  Object.defineProperty(fields, name, { value: made, enumerable: false, configurable: true, writable: true });
  return layer;
}

/** The parametrised parameters of a layer, in the order they became so. */
export function parametrizationsOf(layer: AnyModule): ReadonlyMap<string, Parametrization> {
  return new Map(Object.entries((layer as unknown as Parametrized).parametrizations ?? {}));
}

function axisOf(op: string, weight: Parameter, axis: number): number {
  if (weight.shape.length < 2) {
    throw new OptionError(`${op}: the parameter has shape [${weight.shape}], expected two axes or more`);
  }
  return normalizeAxis(op, axis, weight.shape.length);
}

export interface WeightNormOptions {
  /** The parameter of the layer; default 'weight'. */
  readonly name?: string;
  /** Axis that keeps its own lengths; default 0, one for each output unit. */
  readonly axis?: number;
}

/**
 * Splits a layer's weight into length and direction, both learned: w = g·v / ‖v‖, which speeds up gradient descent.
 *
 * The layer is changed in place. Its state dict has `parametrizations.weight.original0` (g) and `original1` (v), as PyTorch's; the
 * values it computes are unchanged. A layer may be parametrised before its optimizer is made, not after.
 *
 * @param layer a layer with a parameter of that name, of two axes or more.
 * @param options `name` (default 'weight'), `axis` (default 0).
 * @returns the layer
 * @throws OptionError when it has no such parameter, or has a parametrisation already; ShapeError when the axis does not exist.
 * @example const layer = nn.weightNorm(new nn.Linear(8, 4));
 * @see Salimans and Kingma (2016), Weight normalization; PyTorch, torch.nn.utils.parametrizations.weight_norm.
 */
export function weightNorm<M extends AnyModule>(layer: M, options: WeightNormOptions = {}): M {
  checkOptions('weightNorm', options, ['name', 'axis']);
  const { name = 'weight', axis = 0 } = options;
  return parametrize('weightNorm', layer, name, (w) => new WeightNorm(w, axisOf('weightNorm', w, axis)));
}

export interface SpectralNormOptions {
  /** The parameter of the layer; default 'weight'. */
  readonly name?: string;
  /** Axis of the output units; default 0. */
  readonly axis?: number;
  /** Power iterations at every use in training, >= 1; default 1. */
  readonly iterations?: number;
  /** Smallest length that vectors are divided by, > 0; default 1e-12. */
  readonly eps?: number;
}

/**
 * Divides a layer's weight by its largest singular value, so that the layer stretches nothing (Lipschitz constant 1): for the critics
 * of GANs. The value comes from power iteration, one more step at every use in training; evaluation uses the last one.
 *
 * The layer is changed in place. Its state dict has `parametrizations.weight.original`, `parametrizations.weight.0._u` and `_v`, as
 * PyTorch's.
 *
 * @param layer a layer with a parameter of that name, of two axes or more; others count as one.
 * @param options `name` (default 'weight'), `axis` (default 0), `iterations` (default 1), `eps` (default 1e-12).
 * @returns the layer
 * @throws OptionError when it has no such parameter, has a parametrisation already, or for options outside their range.
 * @example const layer = nn.spectralNorm(new nn.Linear(8, 4));
 * @see Miyato et al. (2018), Spectral normalization for GANs; PyTorch, torch.nn.utils.parametrizations.spectral_norm.
 */
export function spectralNorm<M extends AnyModule>(layer: M, options: SpectralNormOptions = {}): M {
  checkOptions('spectralNorm', options, ['name', 'axis', 'iterations', 'eps']);
  const { name = 'weight', axis = 0, iterations = 1, eps = 1e-12 } = options;
  if (!Number.isInteger(iterations) || iterations < 1) {
    throw new OptionError(`spectralNorm: iterations is ${shown(iterations)}, expected a whole number >= 1`);
  }
  if (!(Number.isFinite(eps) && eps > 0)) {
    throw new OptionError(`spectralNorm: eps is ${shown(eps)}, expected a number > 0`);
  }
  return parametrize(
    'spectralNorm',
    layer,
    name,
    (w) => new SpectralNorm(w, axisOf('spectralNorm', w, axis), iterations, eps),
  );
}

/**
 * Makes a parametrised weight a plain parameter again, with the value it has now.
 * @param layer a layer that {@link weightNorm}, {@link spectralNorm} or {@link prune} was called on.
 * @param name of the parameter (default 'weight').
 * @returns the layer
 * @throws OptionError when the parameter has no parametrisation.
 * @example nn.removeParametrization(nn.weightNorm(new nn.Linear(8, 4)));
 * @see PyTorch, torch.nn.utils.parametrize.remove_parametrizations.
 */
export function removeParametrization<M extends AnyModule>(layer: M, name = 'weight'): M {
  checkModule('removeParametrization', layer);
  const fields = layer as unknown as Parametrized;
  const made = fields[name];
  if (!(made instanceof Parametrization)) {
    throw new OptionError(`removeParametrization: "${name}" of ${layer.label} has none`);
  }
  const training = made.training;
  const value = made.eval().read();
  if (training) made.train();
  const { [name]: _, ...rest } = fields.parametrizations as Record<string, Parametrization>;
  if (Object.keys(rest).length === 0) delete fields.parametrizations;
  else fields.parametrizations = rest;
  delete fields[name];
  fields[name] = new Parameter(stopGradient(value), name);
  return layer;
}
