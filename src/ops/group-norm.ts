import { OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { checkOptions } from '../options.js';
import { sameShape, sizeOf } from '../shape.js';
import { add, mul } from './elementwise.js';
import { permute, reshape } from './movement.js';
import { layerNorm, type NormalizeOptions } from './norm.js';
import { type Operand, operandOf, toTensor } from './operand.js';

/**
 * Group normalisation: the channels (last axis) of each sample are cut into groups, each with mean 0 and variance 1 over its
 * channels and all positions, then weight and bias.
 * `(x - mean) / sqrt(variance + eps) * weight + bias`, variance of the population. One group is layer norm over all but the first
 * axis, as many groups as channels is instance norm.
 * @param x float, [batch, ..., channels], at least one position
 * @param groups number of groups, which divides the channels
 * @param options `weight` and `bias` [channels], `eps` 1e-5
 * @returns the shape of `x`
 * @throws OptionError for groups that do not divide the channels, ShapeError for other shapes, DTypeError
 * @example groupNorm(tensor([[1, 3, 5, 9]]), 2); // [[-1, 1, -1, 1]]
 * @see Wu and He, Group Normalization, 2018; PyTorch, torch.nn.functional.group_norm (whose channels are the second axis)
 */
export function groupNorm(x: Operand, groups: number, options: NormalizeOptions = {}): Tensor {
  checkOptions('groupNorm', options, ['weight', 'bias', 'eps']);
  const { weight, bias, eps = 1e-5 } = options;
  const t = operandOf('groupNorm', x, 'float');
  const [n, channels] = [t.shape[0], t.shape[t.shape.length - 1]];
  const positions = sizeOf(t.shape.slice(1, -1));
  if (t.shape.length < 2 || positions * channels === 0) {
    throw new ShapeError(
      `groupNorm: got [${t.shape}], expected [batch, ..., channels] with at least one value a sample`,
    );
  }
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
    throw new OptionError(`groupNorm: got ${groups} groups for ${channels} channels, expected a divisor`);
  }
  const width = channels / groups;
  // [batch, positions, groups, width] with the values of a group side by side; nothing moves for one group or one position.
  const apart = reshape(t, [n, positions, groups, width]);
  const together = reshape(permute(apart, [0, 2, 1, 3]), [n * groups, positions * width]);
  const y = permute(
    reshape(layerNorm(together, [positions * width], { eps }), [n, groups, positions, width]),
    [0, 2, 1, 3],
  );
  const params = [weight, bias].map((p, i) => {
    if (p === undefined || p === null) return null;
    const tensor = toTensor(p, t.dtype, 'groupNorm');
    if (sameShape(tensor.shape, [channels])) return tensor;
    throw new ShapeError(`groupNorm: got ${['weight', 'bias'][i]} [${tensor.shape}], expected [${channels}]`);
  });
  const z = reshape(y, t.shape);
  const scaled = params[0] === null ? z : mul(z, params[0]);
  return params[1] === null ? scaled : add(scaled, params[1]);
}
