import { abs, add, type Differentiable, mul, OptionError, type Parameter, square, sum, type Tensor } from '../core.js';
import { checkFunction, checkOptions, shown } from '../options.js';
import { checkTensor } from './describe.js';
import { Module, type ModuleConfig } from './module.js';

/** A scalar that grows with the values of a tensor, to be added to a loss. */
export type Penalty = (x: Tensor) => Tensor;

function checkLambda(where: string, lambda: number): number {
  if (typeof lambda === 'number' && lambda >= 0 && lambda < Infinity) return lambda;
  throw new OptionError(`${where} is ${String(lambda)}, expected a finite number >= 0`);
}

/**
 * L1 penalty (lasso): makes values exactly 0.
 * `lambda * sum |x|`, gradient `lambda * sign(x)`
 * @param lambda strength, >= 0
 * @returns a function of a tensor of any shape, giving a scalar
 * @throws OptionError for another lambda
 * @example nn.l1(0.1)(tensor([1, -2])); // 0.3
 * @see Tibshirani, Regression Shrinkage and Selection via the Lasso, 1996
 */
export function l1(lambda: number): Penalty {
  checkLambda('l1: lambda', lambda);
  return (x) => mul(sum(abs(x)), lambda);
}

/**
 * L2 penalty (ridge): makes values small. Its gradient is twice that of `weightDecay: lambda` of an optimizer, which adds
 * `lambda * w` to the gradient; so `l2(lambda / 2)` is the same as a coupled weight decay of lambda.
 * `lambda * sum x ** 2`, gradient `2 * lambda * x`
 * @param lambda strength, >= 0
 * @returns a function of a tensor of any shape, giving a scalar
 * @throws OptionError for another lambda
 * @example nn.l2(0.1)(tensor([1, -2])); // 0.5
 * @see Hoerl and Kennard, Ridge Regression, 1970
 */
export function l2(lambda: number): Penalty {
  checkLambda('l2: lambda', lambda);
  return (x) => mul(sum(square(x)), lambda);
}

/**
 * Elastic net: L1 and L2 together.
 * `lambda1 * sum |x| + lambda2 * sum x ** 2`
 * @param lambda1 strength of L1, >= 0
 * @param lambda2 strength of L2, >= 0
 * @returns a function of a tensor of any shape, giving a scalar
 * @throws OptionError for another lambda
 * @example nn.elasticNet(0.1, 0.1)(tensor([1, -2])); // 0.8
 * @see Zou and Hastie, Regularization and Variable Selection via the Elastic Net, 2005
 */
export function elasticNet(lambda1: number, lambda2: number): Penalty {
  const [first, second] = [
    l1(checkLambda('elasticNet: lambda1', lambda1)),
    l2(checkLambda('elasticNet: lambda2', lambda2)),
  ];
  return (x) => add(first(x), second(x));
}

/**
 * A penalty of the trainable parameters of a model.
 * `sum of penalty(w) over the parameters w that where(path) chooses`
 * @param model a module, or anything with trainable cells
 * @param penalty such as `nn.l2(1e-4)`
 * @param where which parameters, by path; all when left out. Biases are usually left alone: `(path) => path.endsWith('weight')`
 * @returns a scalar, for `addLoss` or a loss of your own
 * @throws OptionError when no parameter is chosen
 * @example const loss = add(mse(model.forward(x), y), nn.weightPenalty(model, nn.l2(1e-4)));
 */
export function weightPenalty(
  model: Differentiable,
  penalty: Penalty,
  where: (path: string, parameter: Parameter) => boolean = () => true,
): Tensor {
  if (typeof model?.trainableCells !== 'function') {
    throw new OptionError(`weightPenalty: got ${shown(model)} as model, expected an nn.Module`);
  }
  checkFunction('weightPenalty', 'penalty', penalty);
  checkFunction('weightPenalty', 'where', where);
  const chosen = [...model.trainableCells()].filter(([path, cell]) => where(path, cell));
  if (chosen.length === 0) throw new OptionError('weightPenalty: no trainable parameter is chosen; look at where');
  return chosen.map(([, cell]) => penalty(cell.read())).reduce((a, b) => add(a, b));
}

/**
 * Passes its input on and penalises it: activations that are small (L2) or mostly zero (L1).
 * adds `(l1 * sum |x| + l2 * sum x ** 2) / n` to the loss, n the size of axis 0
 *
 * Shape: any `[n, ...]`, the same out.
 * @throws OptionError for a negative strength, or an unknown option.
 * @example new nn.Sequential(new nn.Linear(64, 16), new nn.Sigmoid(), new nn.ActivityRegularization({ l1: 1e-4 }), new nn.Linear(16, 64));
 * @see Goodfellow, Bengio and Courville, Deep Learning, 2016, section 7.10 (sparse representations); Keras, ActivityRegularization
 */
export class ActivityRegularization extends Module {
  readonly l1: number;
  readonly l2: number;

  constructor(options: { readonly l1?: number; readonly l2?: number } = {}) {
    super();
    checkOptions('ActivityRegularization', options, ['l1', 'l2']);
    this.l1 = checkLambda('ActivityRegularization: l1', options.l1 ?? 0);
    this.l2 = checkLambda('ActivityRegularization: l2', options.l2 ?? 0);
  }

  override config(): ModuleConfig {
    return [{ l1: this.l1, l2: this.l2 }];
  }

  forward(x: Tensor): Tensor {
    checkTensor(this.label, x);
    const n = Math.max(1, x.shape[0] ?? 1);
    if (this.l1 > 0) this.addLoss(l1(this.l1 / n)(x));
    if (this.l2 > 0) this.addLoss(l2(this.l2 / n)(x));
    return x;
  }

  override toString(): string {
    return `ActivityRegularization(l1=${this.l1}, l2=${this.l2})`;
  }
}
