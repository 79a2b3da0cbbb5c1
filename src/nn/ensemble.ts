import {
  argmax,
  type DType,
  isFloat,
  logSoftmax,
  logSumExp,
  mean,
  neg,
  OptionError,
  oneHot,
  ShapeError,
  softplus,
  stack,
  sub,
  type Tensor,
} from '../core.js';
import { checkOptions } from '../options.js';
import { sameShape } from '../shape.js';
import { showShape } from './describe.js';
import { type AnyModule, Module, type ModuleConfig } from './module.js';

const COMBINE = ['probabilities', 'vote', 'mean'] as const;

export interface EnsembleOptions {
  /**
   * What becomes of the outputs: 'probabilities' (default) averages what softmax makes of them (sigmoid for a single one), 'vote' counts
   * how many models prefer each class, 'mean' averages the outputs themselves (regression).
   */
  readonly combine?: (typeof COMBINE)[number];
}

/**
 * Several models as one: averages the probabilities of N models, lets them vote, or averages their outputs. Models that err in different
 * places correct each other.
 *
 * 'probabilities' returns logits again, ln(mean pₖ) (for one output ln(p / (1 − p))), so losses and metrics that take logits take the
 * ensemble; 'vote' the share of models that prefer each class, of equal ones the first. The models are called with the same input, and
 * are trained one by one beforehand, each from its own seed.
 *
 * @param models at least one, with outputs of one shape.
 * @param options `combine`.
 * @throws OptionError without models or for another way to combine; ShapeError from `forward` when outputs differ in shape.
 * @example
 * const ensemble = new nn.Ensemble([new nn.Linear(4, 3), new nn.Linear(4, 3)]);
 * ensemble.forward(zeros([2, 4])).shape; // [2, 3]
 * @see Hansen and Salamon (1990), Neural network ensembles; Lakshminarayanan et al. (2017), Deep ensembles.
 */
export class Ensemble extends Module {
  readonly models: readonly Module[];
  readonly combine: (typeof COMBINE)[number];

  constructor(models: readonly Module[], options: EnsembleOptions = {}) {
    super();
    checkOptions('Ensemble', options, ['combine']);
    const { combine = 'probabilities' } = options;
    if (!Array.isArray(models) || models.length === 0 || !models.every((m: unknown) => m instanceof Module)) {
      throw new OptionError('Ensemble: expected an array of at least one module');
    }
    if (!COMBINE.includes(combine)) {
      throw new OptionError(`Ensemble: combine is ${String(combine)}, expected ${COMBINE.join(', ')}`);
    }
    this.models = [...models];
    this.combine = combine;
  }

  /** @param x what the models take @returns the shape of their outputs @throws ShapeError when these differ. */
  forward(x: Tensor): Tensor {
    const outputs = this.models.map((m) => m.forward(x));
    for (const [i, y] of outputs.entries()) {
      if (!sameShape(y.shape, outputs[0].shape)) {
        const [first, other] = [outputs[0], y].map((t) => showShape(t.shape));
        throw new ShapeError(`${this.label}: model 0 gives ${first} and model ${i} ${other}, expected one shape`);
      }
    }
    const all = stack(outputs);
    if (this.combine === 'mean') return mean(all, { axis: 0 });
    const classes = all.shape.at(-1) as number;
    if (all.shape.length < 2 || !isFloat(all.dtype)) {
      throw new ShapeError(
        `${this.label}: got outputs ${showShape(outputs[0].shape)}, expected [..., classes] of floats`,
      );
    }
    if (this.combine === 'vote') return mean(this.#votes(all, classes), { axis: 0 });
    // The number of models would be subtracted on both sides of the binary case.
    if (classes === 1) return sub(logSum(neg(softplus(neg(all)))), logSum(neg(softplus(all))));
    return sub(logSum(logSoftmax(all)), Math.log(this.models.length));
  }

  #votes(all: Tensor, classes: number): Tensor {
    const dtype: DType = all.dtype;
    // One output says yes above 0.
    if (classes === 1) return all.greater(0).cast(dtype);
    return oneHot(argmax(all, { axis: -1 }), classes, { dtype });
  }

  override config(): ModuleConfig {
    return [this.models as readonly AnyModule[], { combine: this.combine }];
  }

  override toString(): string {
    return `Ensemble(${this.models.length}, ${this.combine})`;
  }
}

/** ln of the sum of e^x over models. */
function logSum(x: Tensor): Tensor {
  return logSumExp(x, { axis: 0 });
}
