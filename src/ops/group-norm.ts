import { OptionError, ShapeError } from '../errors.js';
import { f64Words, type RefArray } from '../graph/op.js';
import { type Attrs, buildAll, type Tensor } from '../graph/tensor.js';
import { checkOptions, shown } from '../options.js';
import { type Shape, sizeOf } from '../shape.js';
import { ones } from './create.js';
import { checkDType, defineOp } from './define.js';
import { add, div, mul, rsqrt, square, sub } from './elementwise.js';
import { broadcastTo, reshape } from './movement.js';
import {
  AFFINE,
  type Affine,
  affineOf,
  affineTokens,
  checkEps,
  hasWeight,
  layerNorm,
  type NormalizeOptions,
  normGradTail,
  operandsOf,
  secondOrder,
} from './norm.js';
import { type Operand, operandOf } from './operand.js';
import { mean, sum } from './reduce.js';

type GroupAttrs = { readonly eps: number; readonly affine: Affine; readonly groups: number };
const attrsOf = (attrs: Attrs) => attrs as unknown as GroupAttrs;

/** Axes of [n, positions, groups, width] that a group's statistics are over, and those a weight is shared by. */
const OVER = [1, 3] as const;
const ROWS = [0, 1] as const;

/** [n, positions, channels] as [n, positions, groups, width]. */
const apart = (x: Tensor, groups: number) => reshape(x, [x.shape[0], x.shape[1], groups, x.shape[2] / groups]);
/** A statistic [n, groups] beside it. */
const beside = (s: Tensor) => reshape(s, [s.shape[0], 1, s.shape[1], 1]);

function sizes([n, positions, channels]: Shape, attrs: Attrs): number[] {
  const { groups, eps } = attrsOf(attrs);
  return [n, positions, groups, channels / groups, ...f64Words(eps)];
}

/** Calls visit(group of all samples, element, channel) for every element, groups in order. */
function eachOfGroup(
  [n, positions, channels]: Shape,
  groups: number,
  visit: (k: number, at: number, j: number) => void,
) {
  const width = channels / groups;
  for (let k = 0; k < n * groups; k++) {
    const first = (k % groups) * width;
    for (let p = 0; p < positions; p++) {
      const row = (Math.floor(k / groups) * positions + p) * channels;
      for (let j = first; j < first + width; j++) visit(k, row + j, j);
    }
  }
}

/** Records of group norm on [n, positions, channels]. */
export const groupNormOps = {
  /** inputs x, weight, bias; [y, mean [n, groups], rstd [n, groups]] */
  groupNorm: defineOp('groupNorm', {
    kind: 'coarse',
    relu: 'output',
    optionalOutputs: true,
    infer: ([x], attrs) => {
      checkDType('groupNorm', x.dtype, 'float');
      const statistics = [x.shape[0], attrsOf(attrs).groups];
      return [x.shape, statistics, statistics].map((shape) => ({ shape, dtype: x.dtype }));
    },
    vjp: ({ gs: [g, gMean, gRstd], outs: [, m, rstd], inputs, attrs }) => {
      const [x, weight] = inputs;
      const parts: Tensor[] = [];
      let rest: readonly (Tensor | null)[] = inputs.slice(1).map(() => null);
      if (g !== null) {
        const operands = hasWeight(attrs) ? [g, x, m, rstd, weight] : [g, x, m, rstd];
        const [dx, ...others] = buildAll(groupNormOps.groupNormGrad, operands, attrs);
        parts.push(dx);
        rest = others;
      }
      const { groups } = attrsOf(attrs);
      const count = sizeOf(x.shape.slice(1)) / groups;
      const wide = apart(x, groups);
      if (gMean !== null) parts.push(reshape(broadcastTo(beside(div(gMean, count)), wide.shape), x.shape));
      // d rstd / dx = -rstd^3 (x - mean) / count
      if (gRstd !== null) {
        const slope = mul(gRstd, div(mul(rstd, square(rstd)), -count));
        parts.push(reshape(mul(sub(wide, beside(m)), beside(slope)), x.shape));
      }
      return [parts.reduce((a, b) => add(a, b)), ...rest];
    },
    reference: ([x, weight, bias]: readonly RefArray[], attrs) => {
      const { groups, eps } = attrsOf(attrs);
      const shape = [x.shape[0], groups];
      const count = sizeOf(x.shape.slice(1)) / groups;
      const [means, variances] = [new Float64Array(sizeOf(shape)), new Float64Array(sizeOf(shape))];
      const y = new Float64Array(x.data.length);
      eachOfGroup(x.shape, groups, (k, at) => {
        means[k] += x.data[at] / count;
      });
      eachOfGroup(x.shape, groups, (k, at) => {
        variances[k] += (x.data[at] - means[k]) ** 2 / count;
      });
      const rstds = variances.map((v) => 1 / Math.sqrt(v + eps));
      eachOfGroup(x.shape, groups, (k, at, j) => {
        y[at] = (x.data[at] - means[k]) * rstds[k] * (weight?.data[j] ?? 1) + (bias?.data[j] ?? 0);
      });
      return [
        { data: y, shape: x.shape },
        { data: means, shape },
        { data: rstds, shape },
      ];
    },
    lower: ({ inputs: [x], attrs }) => ({
      opcode: 'GROUP_NORM',
      params: sizes(x.shape, attrs),
      tail: ['relu', { in: 0 }, ...affineTokens(attrs, 1), { out: 0 }, { out: 1 }, { out: 2 }],
    }),
    decompose: ([x, ...params], attrs) => {
      const { groups, eps } = attrsOf(attrs);
      const over = { axis: OVER, keepDims: true } as const;
      const wide = apart(x, groups);
      const m = mean(wide, over);
      const centred = sub(wide, m);
      const rstd = rsqrt(add(mean(square(centred), over), eps));
      const statistics = [x.shape[0], groups];
      const z = reshape(mul(centred, rstd), x.shape);
      return [affineOf(z, params), reshape(m, statistics), reshape(rstd, statistics)];
    },
  }),
  /** inputs g, x, mean, rstd, weight; [dx, dweight, dbias] */
  groupNormGrad: defineOp('groupNormGrad', {
    kind: 'coarse',
    relu: 'gradient',
    optionalOutputs: true,
    infer: ([g]) => [g.shape, [g.shape[2]], [g.shape[2]]].map((shape) => ({ shape, dtype: g.dtype })),
    vjp: ({ gs: [u, p, q], inputs: [g, x, m, r, ...weight], attrs }) => {
      const { groups } = attrsOf(attrs);
      const shared = (t: Tensor | null) => (t === null ? null : reshape(t, [groups, t.shape[0] / groups]));
      const inputs = [
        apart(g, groups),
        apart(x, groups),
        beside(m),
        beside(r),
        ...weight.map((w) => shared(w) as Tensor),
      ];
      const cotangents = [u === null ? null : apart(u, groups), shared(p), shared(q)];
      const [dg, dx, dm, dr, dw] = secondOrder(inputs, cotangents, OVER, true, ROWS);
      const back = [reshape(dg, g.shape), reshape(dx, x.shape), reshape(dm, m.shape), reshape(dr, r.shape)];
      return [...back, ...weight.map((w) => (dw === null ? null : reshape(dw, w.shape)))];
    },
    reference: ([g, x, m, rstd, weight], attrs) => {
      const { groups } = attrsOf(attrs);
      const channels = x.shape[2];
      const count = sizeOf(x.shape.slice(1)) / groups;
      const [along, across] = [new Float64Array(m.data.length), new Float64Array(m.data.length)];
      const [dweight, dbias] = [new Float64Array(channels), new Float64Array(channels)];
      const dx = new Float64Array(x.data.length);
      const z = (k: number, at: number) => (x.data[at] - m.data[k]) * rstd.data[k];
      const h = (at: number, j: number) => g.data[at] * (weight?.data[j] ?? 1);
      eachOfGroup(x.shape, groups, (k, at, j) => {
        along[k] += h(at, j) / count;
        across[k] += (h(at, j) * z(k, at)) / count;
        dweight[j] += g.data[at] * z(k, at);
        dbias[j] += g.data[at];
      });
      eachOfGroup(x.shape, groups, (k, at, j) => {
        dx[at] = rstd.data[k] * (h(at, j) - along[k] - z(k, at) * across[k]);
      });
      return [
        { data: dx, shape: x.shape },
        { data: dweight, shape: [channels] },
        { data: dbias, shape: [channels] },
      ];
    },
    lower: ({ inputs: [g], attrs }) => ({
      opcode: 'GROUP_NORM_GRAD',
      params: sizes(g.shape, attrs),
      tail: normGradTail(attrs),
    }),
    decompose: ([g, x, m, rstd, weight], attrs) => {
      const { groups } = attrsOf(attrs);
      const over = { axis: OVER, keepDims: true } as const;
      const z = mul(sub(apart(x, groups), beside(m)), beside(rstd));
      const h = apart(weight === undefined ? g : mul(g, weight), groups);
      const centred = sub(sub(h, mean(h, over)), mul(z, mean(mul(h, z), over)));
      const dweight = sum(mul(g, reshape(z, x.shape)), { axis: ROWS });
      return [reshape(mul(centred, beside(rstd)), x.shape), dweight, sum(g, { axis: ROWS })];
    },
  }),
};

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
  checkEps('groupNorm', eps);
  const [n, channels] = [t.shape[0], t.shape[t.shape.length - 1]];
  const positions = sizeOf(t.shape.slice(1, -1));
  if (t.shape.length < 2 || positions * channels === 0) {
    throw new ShapeError(
      `groupNorm: got [${t.shape}], expected [batch, ..., channels] with at least one value a sample`,
    );
  }
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
    throw new OptionError(`groupNorm: got ${shown(groups)} groups for ${channels} channels, expected a divisor`);
  }
  const scale = weight ?? (bias === undefined || bias === null ? null : ones([channels], { dtype: t.dtype }));
  const params = operandsOf('groupNorm', t, [channels], scale, bias);
  if (positions === 1) {
    // Groups are rows then, and lie side by side.
    const width = channels / groups;
    const z = layerNorm(reshape(t, [n * groups, width]), [width], { eps });
    return affineOf(reshape(z, t.shape), params);
  }
  const attrs = { eps, affine: AFFINE[params.length], groups };
  const [y] = buildAll(groupNormOps.groupNorm, [reshape(t, [n, positions, channels]), ...params], attrs);
  return reshape(y, t.shape);
}
