import type { Tensor } from '../core.js';
import type { DataInput, TensorDataset } from '../data/index.js';
import { checkOptions } from '../options.js';
import { predict } from '../train/index.js';
import { DescentModel, type LinearModelOptions } from './model.js';

/**
 * Linear regression: ŷ = x·Wᵀ + b, learnt by gradient descent on the mean squared error.
 *
 * @param features columns of x, >= 1.
 * @param options `outputs`: columns of y (default 1); `weight`, `bias`: first values (default zeros). `learn` has lr 0.01.
 * @throws OptionError for sizes, and for weights of another length.
 * @example
 * const line = new classic.LinearRegression(1);
 * await line.learn({ x: [[2], [3], [5], [7], [9]], y: [[-0.5], [0], [1], [2], [3]] }, { lr: 0.025, epochs: 3000 });
 * await line.coefficients(); // weight 0.5, bias −1.5
 * @see Legendre (1805), Nouvelles méthodes pour la détermination des orbites des comètes; Gauss (1809).
 */
export class LinearRegression extends DescentModel {
  protected readonly loss = 'mse';
  protected readonly lr = 0.01;

  constructor(features: number, options: LinearModelOptions & { readonly outputs?: number } = {}) {
    checkOptions('LinearRegression', options, ['outputs', 'weight', 'bias']);
    const { outputs = 1, ...rest } = options;
    super('LinearRegression', features, outputs, rest);
  }

  /** ŷ `[n, outputs]` of x `[n, features]`. */
  async predict(x: TensorDataset | DataInput): Promise<Tensor> {
    return predict(this, x);
  }
}
