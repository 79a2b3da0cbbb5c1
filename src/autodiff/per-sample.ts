import { GradError } from '../errors.js';
import { Tensor } from '../graph/tensor.js';
import { reshape } from '../ops/index.js';
import { checkOptions } from '../options.js';
import { mapTree } from '../tree.js';
import { checkModel } from './arguments.js';
import { type Differentiable, type Gradients, type LossResult, valueAndGrad } from './grad.js';
import { type VmapOptions, vmap } from './vmap.js';

/**
 * A function that computes the gradient of a model for every sample of a batch at once (`vmap` of `valueAndGrad`): gradient
 * norms by sample, differentially private training, influence, Fisher information.
 * `perSampleGrad(model, fn)(x, y)[path][i] = gradient of fn(x[i : i + 1], y[i : i + 1])`
 *
 * For a loss that is a mean over samples, the mean over axis 0 is the gradient of the batch.
 * @param model anything with trainable cells; layers that mix samples (batch norm) must be in `eval()`
 * @param fn returns a scalar loss, or `[loss, aux]`, for a batch of one sample: every tensor argument keeps axis 0, of size 1
 * @param options `inAxes`, `randomness` of {@link vmap}; dropout needs `randomness: 'different'`
 * @returns a function of the arguments of `fn` with samples along axis 0, giving gradients by path, each `[samples, ...shape]`
 * @throws GradError when the loss is no float scalar; ShapeError when the arguments have different numbers of samples
 * @example
 * const grads = perSampleGrad(model, (x: Tensor, y: Tensor) => crossEntropy(model.forward(x), y))(x, y);
 * const norms = norm(grads['0.weight'], { axis: [1, 2] }); // [samples]
 * @see Goodfellow, Efficient Per-Example Gradient Computations, 2015; Abadi et al., Deep Learning with Differential Privacy, 2016
 */
export function perSampleGrad<A extends readonly unknown[]>(
  model: Differentiable,
  fn: (...args: A) => LossResult,
  options: Pick<VmapOptions, 'inAxes' | 'randomness'> = {},
): (...args: A) => Gradients {
  checkModel('perSampleGrad', model);
  if (typeof fn !== 'function') {
    throw new GradError('perSampleGrad: got no function; write perSampleGrad(model, (x, y) => loss)');
  }
  checkOptions('perSampleGrad', options, ['inAxes', 'randomness']);
  const lossAndGrad = valueAndGrad(model, fn);
  const shared = (n: number): boolean =>
    options.inAxes === null || (Array.isArray(options.inAxes) && options.inAxes[n] === null);
  const one = (...args: A): Gradients => {
    const batchOfOne = args.map((arg, n) =>
      mapTree(arg, (x) => (x instanceof Tensor && !shared(n) ? reshape(x, [1, ...x.shape]) : x)),
    );
    return lossAndGrad(...(batchOfOne as unknown as A))[1];
  };
  return vmap(one, options);
}
