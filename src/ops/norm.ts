import { DTypeError, OptionError, ShapeError } from '../errors.js';
import { f64Words, type Lowering, type RefArray } from '../graph/op.js';
import { type Attrs, buildAll, type Tensor } from '../graph/tensor.js';
import { checkOptions, shown } from '../options.js';
import { checkSizes, type Shape, sameShape, sizeOf } from '../shape.js';
import { checkDType, defineOp } from './define.js';
import { add, div, mul, neg, rsqrt, square, sub } from './elementwise.js';
import { broadcastTo, expandDims, reshape } from './movement.js';
import { type Operand, operandOf, toTensor } from './operand.js';
import { mean, sum } from './reduce.js';

/** Operands of the records: x [rows, cols], then weight and bias [cols] as far as `affine` says. */
export type Affine = 'none' | 'weight' | 'both';
type NormAttrs = { readonly eps: number; readonly affine: Affine };

const attrsOf = (attrs: Attrs) => attrs as unknown as NormAttrs;
export const hasWeight = (attrs: Attrs) => attrsOf(attrs).affine !== 'none';

/** Operands of the gradients of batch and group norm: g, x, two statistics, weight; gradients of x, weight and bias. */
export const normGradTail = (attrs: Attrs): NonNullable<Lowering['tail']> => [
  'relu',
  ...[0, 1, 2, 3].map((i) => ({ in: i })),
  hasWeight(attrs) ? { in: 4 } : 'none',
  'reluBias',
  ...[0, 1, 2].map((i) => ({ out: i })),
];
const ROW = { axis: 1, keepDims: true } as const;
const COLUMN = { axis: 0, keepDims: true } as const;

/** Tokens of the operands that may be absent: weight, and bias in the forward instructions. */
export function affineTokens(attrs: Attrs, first: number): ({ in: number } | 'none')[] {
  const { affine } = attrsOf(attrs);
  return [affine === 'none' ? 'none' : { in: first }, affine === 'both' ? { in: first + 1 } : 'none'];
}

/** (x - mean) * rstd * weight + bias, from fine ops. */
export function affineOf(z: Tensor, params: readonly Tensor[]): Tensor {
  const [weight, bias] = params;
  const scaled = weight === undefined ? z : mul(z, weight);
  return bias === undefined ? scaled : add(scaled, bias);
}

/** The float64 oracle: statistics over rows (layer norm) or columns (batch norm), about the mean or about 0 (RMS norm). */
function reference([x, weight, bias]: readonly RefArray[], eps: number, byRow: boolean, centred = true) {
  const [rows, cols] = x.shape;
  const count = byRow ? rows : cols;
  const n = byRow ? cols : rows;
  const at = (group: number, i: number) => (byRow ? group * cols + i : i * cols + group);
  const y = new Float64Array(x.data.length);
  const means = new Float64Array(count);
  const variances = new Float64Array(count);
  for (let group = 0; group < count; group++) {
    for (let i = 0; centred && i < n; i++) means[group] += x.data[at(group, i)] / n;
    for (let i = 0; i < n; i++) variances[group] += (x.data[at(group, i)] - means[group]) ** 2 / n;
    for (let i = 0; i < n; i++) {
      const j = byRow ? i : group;
      const z = (x.data[at(group, i)] - means[group]) / Math.sqrt(variances[group] + eps);
      y[at(group, i)] = z * (weight?.data[j] ?? 1) + (bias?.data[j] ?? 0);
    }
  }
  return { y: { data: y, shape: x.shape }, means, variances };
}

/** dx, dweight, dbias of both; `rstds` by group. */
function gradReference(
  g: RefArray,
  x: RefArray,
  weight: RefArray | undefined,
  means: Float64Array,
  rstds: Float64Array,
  byRow: boolean,
  centred = true,
): RefArray[] {
  const [rows, cols] = x.shape;
  const count = byRow ? rows : cols;
  const n = byRow ? cols : rows;
  const dx = new Float64Array(x.data.length);
  const dweight = new Float64Array(cols);
  const dbias = new Float64Array(cols);
  for (let group = 0; group < count; group++) {
    let [s1, s2] = [0, 0];
    const each = (visit: (at: number, h: number, z: number, j: number) => void) => {
      for (let i = 0; i < n; i++) {
        const at = byRow ? group * cols + i : i * cols + group;
        const j = byRow ? i : group;
        visit(at, g.data[at] * (weight?.data[j] ?? 1), (x.data[at] - means[group]) * rstds[group], j);
      }
    };
    each((at, h, z, j) => {
      if (centred) s1 += h / n;
      s2 += (h * z) / n;
      dweight[j] += g.data[at] * z;
      dbias[j] += g.data[at];
    });
    each((at, h, z) => {
      dx[at] = rstds[group] * (h - s1 - z * s2);
    });
  }
  return [
    { data: dx, shape: x.shape },
    { data: dweight, shape: [cols] },
    { data: dbias, shape: [cols] },
  ];
}

/**
 * Gradients of layerNormGrad and batchNormGrad, whose outputs are, with z = (x - m) r, h = g weight and means over `axis`,
 * dx = r (h - mean h - z mean(h z)), dweight = sum of g z and dbias = sum of g over rows. The projection in dx is symmetric,
 * so the cotangent u of dx comes back to h by the same formula. m and r have size 1 in `axis`. Not centred (RMS norm), m is 0 and
 * mean h is left out. Weights are summed over the axes `rows`.
 * @returns gradients of g, x, m, r and weight
 */
export function secondOrder(
  [g, x, m, r, weight]: readonly Tensor[],
  [u, p, q]: readonly (Tensor | null)[],
  axis: number | readonly number[],
  centred = true,
  rows: number | readonly number[] = 0,
): [g: Tensor, x: Tensor, m: Tensor, r: Tensor, weight: Tensor | null] {
  const over = { axis, keepDims: true } as const;
  const z = mul(sub(x, m), r);
  const centre = (t: Tensor) => (centred ? sub(t, mean(t, over)) : t);
  const [toG, toZ]: Tensor[][] = [[], []];
  let toR: Tensor | null = null;
  let toWeight: Tensor | null = null;
  if (u !== null) {
    const h = weight === undefined ? g : mul(g, weight);
    const [along, uz] = [mean(mul(h, z), over), mean(mul(u, z), over)];
    const back = mul(r, sub(centre(u), mul(z, uz)));
    toG.push(weight === undefined ? back : mul(back, weight));
    toWeight = weight === undefined ? null : sum(mul(back, g), { axis: rows });
    toZ.push(mul(neg(r), add(mul(u, along), mul(h, uz))));
    toR = sum(mul(u, sub(centre(h), mul(z, along))), over);
  }
  if (p !== null) {
    toG.push(mul(z, p));
    toZ.push(mul(g, p));
  }
  if (q !== null) toG.push(broadcastTo(q, g.shape));
  const total = (list: readonly Tensor[]) => (list.length === 0 ? mul(x, 0) : list.reduce((a, b) => add(a, b)));
  const zBar = total(toZ);
  const dx = mul(zBar, r);
  const byR = sum(mul(zBar, sub(x, m)), over);
  return [total(toG), dx, neg(sum(dx, over)), toR === null ? byR : add(toR, byR), toWeight];
}

const rstdOf = (variances: Float64Array, eps: number) => variances.map((v) => 1 / Math.sqrt(v + eps));

/**
 * Records of layer and RMS norm over rows and batch norm over columns of a matrix. Their statistics are outputs for the backward op;
 * a gradient that flows into them (second derivatives) goes by the fine ops.
 */
export const normOps = {
  /** [y, mean [rows], rstd [rows]] */
  layerNorm: defineOp('layerNorm', {
    kind: 'coarse',
    optionalOutputs: true,
    infer: ([x]) => {
      checkDType('layerNorm', x.dtype, 'float');
      const [rows] = x.shape;
      return [x.shape, [rows], [rows]].map((shape) => ({ shape, dtype: x.dtype }));
    },
    vjp: ({ gs: [g, gMean, gRstd], outs: [, m, rstd], inputs, attrs }) => {
      const [x, weight] = inputs;
      const parts: Tensor[] = [];
      let rest: readonly (Tensor | null)[] = [];
      if (g !== null) {
        const operands = hasWeight(attrs) ? [g, x, m, rstd, weight] : [g, x, m, rstd];
        const [dx, ...others] = buildAll(normOps.layerNormGrad, operands, attrs);
        parts.push(dx);
        rest = others;
      }
      const n = x.shape[1];
      const centred = () => sub(x, expandDims(m, 1));
      if (gMean !== null) parts.push(broadcastTo(expandDims(div(gMean, n), 1), x.shape));
      // d rstd / dx = -rstd^3 (x - mean) / n
      if (gRstd !== null) parts.push(mul(centred(), expandDims(mul(gRstd, div(mul(rstd, square(rstd)), -n)), 1)));
      return [parts.reduce((a, b) => add(a, b)), ...(g === null ? inputs.slice(1).map(() => null) : rest)];
    },
    reference: (inputs, attrs) => {
      const { y, means, variances } = reference(inputs, attrsOf(attrs).eps, true);
      const shape = [means.length];
      return [y, { data: means, shape }, { data: rstdOf(variances, attrsOf(attrs).eps), shape }];
    },
    lower: ({ inputs: [x], attrs }) => ({
      opcode: 'LAYER_NORM',
      params: [...x.shape, ...f64Words(attrsOf(attrs).eps)],
      tail: [{ in: 0 }, ...affineTokens(attrs, 1), { out: 0 }, { out: 1 }, { out: 2 }],
    }),
    decompose: ([x, ...params], attrs) => {
      const m = mean(x, ROW);
      const centred = sub(x, m);
      const rstd = rsqrt(add(mean(square(centred), ROW), attrsOf(attrs).eps));
      return [affineOf(mul(centred, rstd), params), reshape(m, [x.shape[0]]), reshape(rstd, [x.shape[0]])];
    },
  }),
  /** inputs g, x, mean, rstd, weight; [dx, dweight, dbias] */
  layerNormGrad: defineOp('layerNormGrad', {
    kind: 'coarse',
    optionalOutputs: true,
    infer: ([g]) => [g.shape, [g.shape[1]], [g.shape[1]]].map((shape) => ({ shape, dtype: g.dtype })),
    vjp: ({ gs, inputs: [g, x, m, r, ...weight] }) => {
      const [dg, dx, dm, dr, dw] = secondOrder([g, x, expandDims(m, 1), expandDims(r, 1), ...weight], gs, 1);
      return [dg, dx, reshape(dm, m.shape), reshape(dr, r.shape), ...weight.map(() => dw)];
    },
    reference: ([g, x, m, rstd, weight]) => gradReference(g, x, weight, m.data, rstd.data, true),
    lower: ({ inputs: [x], attrs }) => ({
      opcode: 'LAYER_NORM_GRAD',
      params: [...x.shape],
      tail: [
        ...[0, 1, 2, 3].map((i) => ({ in: i })),
        hasWeight(attrs) ? { in: 4 } : 'none',
        ...[0, 1, 2].map((i) => ({ out: i })),
      ],
    }),
    decompose: ([g, x, m, rstd, weight]) => {
      const z = mul(sub(x, expandDims(m, 1)), expandDims(rstd, 1));
      const h = weight === undefined ? g : mul(g, weight);
      const centred = sub(sub(h, mean(h, ROW)), mul(z, mean(mul(h, z), ROW)));
      return [mul(centred, expandDims(rstd, 1)), sum(mul(g, z), { axis: 0 }), sum(g, { axis: 0 })];
    },
  }),
  /** inputs x, weight; [y, rstd [rows]] */
  rmsNorm: defineOp('rmsNorm', {
    kind: 'coarse',
    optionalOutputs: true,
    infer: ([x]) => {
      checkDType('rmsNorm', x.dtype, 'float');
      return [x.shape, [x.shape[0]]].map((shape) => ({ shape, dtype: x.dtype }));
    },
    vjp: ({ gs: [g, gRstd], outs: [, rstd], inputs, attrs }) => {
      const [x, ...weight] = inputs;
      const parts: Tensor[] = [];
      let rest: readonly (Tensor | null)[] = weight.map(() => null);
      if (g !== null) {
        const [dx, dweight] = buildAll(normOps.rmsNormGrad, [g, x, rstd, ...weight], attrs);
        parts.push(dx);
        rest = weight.map(() => dweight);
      }
      // d rstd / dx = -rstd^3 x / n
      const n = x.shape[1];
      if (gRstd !== null) parts.push(mul(x, expandDims(mul(gRstd, div(mul(rstd, square(rstd)), -n)), 1)));
      return [parts.reduce((a, b) => add(a, b)), ...rest];
    },
    reference: (inputs, attrs) => {
      const { y, variances } = reference(inputs, attrsOf(attrs).eps, true, false);
      return [y, { data: rstdOf(variances, attrsOf(attrs).eps), shape: [variances.length] }];
    },
    lower: ({ inputs: [x], attrs }) => ({
      opcode: 'RMS_NORM',
      params: [...x.shape, ...f64Words(attrsOf(attrs).eps)],
      tail: [{ in: 0 }, hasWeight(attrs) ? { in: 1 } : 'none', { out: 0 }, { out: 1 }],
    }),
    decompose: ([x, weight], attrs) => {
      const rstd = rsqrt(add(mean(square(x), ROW), attrsOf(attrs).eps));
      const z = mul(x, rstd);
      return [weight === undefined ? z : mul(z, weight), reshape(rstd, [x.shape[0]])];
    },
  }),
  /** inputs g, x, rstd, weight; [dx, dweight] */
  rmsNormGrad: defineOp('rmsNormGrad', {
    kind: 'coarse',
    optionalOutputs: true,
    infer: ([g]) => [g.shape, [g.shape[1]]].map((shape) => ({ shape, dtype: g.dtype })),
    vjp: ({ gs: [u, p], inputs: [g, x, r, ...weight] }) => {
      const zero = mul(expandDims(r, 1), 0);
      const inputs = [g, x, zero, expandDims(r, 1), ...weight];
      const [dg, dx, , dr, dw] = secondOrder(inputs, [u, p, null], 1, false);
      return [dg, dx, reshape(dr, r.shape), ...weight.map(() => dw)];
    },
    reference: ([g, x, rstd, weight]) => {
      const means = new Float64Array(rstd.data.length);
      return gradReference(g, x, weight, means, rstd.data, true, false).slice(0, 2);
    },
    lower: ({ inputs: [x], attrs }) => ({
      opcode: 'RMS_NORM_GRAD',
      params: [...x.shape],
      tail: [
        ...[0, 1, 2].map((i) => ({ in: i })),
        hasWeight(attrs) ? { in: 3 } : 'none',
        ...[0, 1].map((i) => ({ out: i })),
      ],
    }),
    decompose: ([g, x, rstd, weight]) => {
      const z = mul(x, expandDims(rstd, 1));
      const h = weight === undefined ? g : mul(g, weight);
      const dx = mul(sub(h, mul(z, mean(mul(h, z), ROW))), expandDims(rstd, 1));
      return [dx, sum(mul(g, z), { axis: 0 })];
    },
  }),
  /** [y, mean [cols], population variance [cols]] */
  batchNorm: defineOp('batchNorm', {
    kind: 'coarse',
    relu: 'output',
    infer: ([x]) => {
      checkDType('batchNorm', x.dtype, 'float');
      const [, cols] = x.shape;
      return [x.shape, [cols], [cols]].map((shape) => ({ shape, dtype: x.dtype }));
    },
    vjp: ({ gs: [g, gMean, gVariance], outs: [, m, v], inputs, attrs }) => {
      const [x, weight] = inputs;
      const parts: Tensor[] = [];
      let rest: readonly (Tensor | null)[] = [];
      if (g !== null) {
        const operands = hasWeight(attrs) ? [g, x, m, v, weight] : [g, x, m, v];
        const [dx, ...others] = buildAll(normOps.batchNormGrad, operands, attrs);
        parts.push(dx);
        rest = others;
      }
      const n = x.shape[0];
      if (gMean !== null) parts.push(broadcastTo(div(gMean, n), x.shape));
      if (gVariance !== null) parts.push(mul(sub(x, m), mul(gVariance, 2 / n)));
      return [parts.reduce((a, b) => add(a, b)), ...(g === null ? inputs.slice(1).map(() => null) : rest)];
    },
    reference: (inputs, attrs) => {
      const { y, means, variances } = reference(inputs, attrsOf(attrs).eps, false);
      const shape = [means.length];
      return [y, { data: means, shape }, { data: variances, shape }];
    },
    lower: ({ inputs: [x], attrs }) => ({
      opcode: 'BATCH_NORM',
      params: [...x.shape, ...f64Words(attrsOf(attrs).eps)],
      tail: ['relu', { in: 0 }, ...affineTokens(attrs, 1), { out: 0 }, { out: 1 }, { out: 2 }],
    }),
    decompose: ([x, ...params], attrs) => {
      const m = mean(x, COLUMN);
      const centred = sub(x, m);
      const v = mean(square(centred), COLUMN);
      const y = affineOf(mul(centred, rsqrt(add(v, attrsOf(attrs).eps))), params);
      return [y, reshape(m, [x.shape[1]]), reshape(v, [x.shape[1]])];
    },
  }),
  /** inputs g, x, mean, variance, weight; [dx, dweight, dbias] */
  batchNormGrad: defineOp('batchNormGrad', {
    kind: 'coarse',
    relu: 'gradient',
    optionalOutputs: true,
    infer: ([g]) => [g.shape, [g.shape[1]], [g.shape[1]]].map((shape) => ({ shape, dtype: g.dtype })),
    vjp: ({ gs, inputs: [g, x, m, v, ...weight], attrs }) => {
      const r = rsqrt(add(v, attrsOf(attrs).eps));
      const [dg, dx, dm, dr, dw] = secondOrder([g, x, expandDims(m, 0), expandDims(r, 0), ...weight], gs, 0);
      const dv = mul(reshape(dr, v.shape), mul(mul(r, square(r)), -0.5));
      return [dg, dx, reshape(dm, m.shape), dv, ...weight.map(() => dw)];
    },
    reference: ([g, x, m, v, weight], attrs) =>
      gradReference(g, x, weight, m.data, rstdOf(v.data, attrsOf(attrs).eps), false),
    lower: ({ inputs: [x], attrs }) => ({
      opcode: 'BATCH_NORM_GRAD',
      params: [...x.shape, ...f64Words(attrsOf(attrs).eps)],
      tail: normGradTail(attrs),
    }),
    decompose: ([g, x, m, v, weight], attrs) => {
      const rstd = rsqrt(add(v, attrsOf(attrs).eps));
      const z = mul(sub(x, m), rstd);
      const dweight = sum(mul(g, z), { axis: 0 });
      const dbias = sum(g, { axis: 0 });
      const n = x.shape[0];
      const centred = sub(sub(g, div(dbias, n)), mul(z, div(dweight, n)));
      const scaled = mul(centred, rstd);
      return [weight === undefined ? scaled : mul(scaled, weight), dweight, dbias];
    },
  }),
};

/** Operands of a record: weight and bias of `cols` elements and of the dtype of x. */
export function operandsOf(op: string, x: Tensor, shape: Shape, weight?: Operand | null, bias?: Operand | null) {
  const params: Tensor[] = [];
  for (const [name, value] of [
    ['weight', weight],
    ['bias', bias],
  ] as const) {
    if (value === undefined || value === null) continue;
    const t = toTensor(value, x.dtype, op);
    if (!sameShape(t.shape, shape)) throw new ShapeError(`${op}: got ${name} [${t.shape}], expected [${shape}]`);
    if (t.dtype !== x.dtype) throw new DTypeError(`${op}: got ${name} of ${t.dtype}, expected ${x.dtype} like x`);
    params.push(t);
  }
  if (params.length === 1 && (weight === undefined || weight === null)) {
    throw new OptionError(`${op}: got a bias without a weight; pass ones as the weight`);
  }
  return params;
}

export const AFFINE: readonly Affine[] = ['none', 'weight', 'both'];

export function checkEps(op: string, eps: number): void {
  if (!(Number.isFinite(eps) && eps >= 0))
    throw new OptionError(`${op}: got eps = ${shown(eps)}, expected a finite number >= 0`);
}

export interface NormalizeOptions {
  /** Multiplies the normalised values; default none. */
  readonly weight?: Operand | null;
  /** Added after that; default none, and only with a weight. */
  readonly bias?: Operand | null;
  /** Added to the variance, >= 0; default 1e-5. */
  readonly eps?: number;
}

/**
 * Layer normalisation over the last axes: each sample has mean 0 and variance 1, then weight and bias.
 * `(x - mean) / sqrt(variance + eps) * weight + bias`, variance of the population
 * @param x float
 * @param normalizedShape sizes of the last axes of `x`, at least one, none 0
 * @param options `weight` and `bias` of `normalizedShape`, `eps`
 * @returns the shape of `x`
 * @throws ShapeError when x does not end in `normalizedShape` or a parameter has another shape; DTypeError; OptionError
 * @example layerNorm(tensor([[1, 3]]), [2]); // [[-1, 1]]
 * @see Ba et al., Layer Normalization, 2016
 */
export function layerNorm(x: Operand, normalizedShape: Shape, options: NormalizeOptions = {}): Tensor {
  const t = operandOf('layerNorm', x, 'float');
  checkOptions('layerNorm', options, ['weight', 'bias', 'eps']);
  const { weight, bias, eps = 1e-5 } = options;
  checkEps('layerNorm', eps);
  const { rows, cols } = rowsOf('layerNorm', t, normalizedShape);
  const params = operandsOf('layerNorm', t, normalizedShape, weight, bias).map((p) => reshape(p, [cols]));
  const [y] = buildAll(normOps.layerNorm, [rows, ...params], { eps, affine: AFFINE[params.length] });
  return reshape(y, t.shape);
}

/** Rows and columns of `x` seen as samples of `normalizedShape`. */
function rowsOf(op: string, t: Tensor, normalizedShape: Shape): { rows: Tensor; cols: number } {
  checkSizes(op, normalizedShape, 'normalizedShape');
  const lead = t.shape.length - normalizedShape.length;
  const cols = sizeOf(normalizedShape);
  if (lead < 0 || normalizedShape.length === 0 || cols === 0 || !sameShape(t.shape.slice(lead), normalizedShape)) {
    throw new ShapeError(`${op}: got [${t.shape}], expected last axes [${normalizedShape}], at least one and none 0`);
  }
  return { rows: reshape(t, [sizeOf(t.shape.slice(0, lead)), cols]), cols };
}

export interface RmsNormOptions {
  /** Multiplies the normalised values; default none. */
  readonly weight?: Operand | null;
  /** Added to the mean square, >= 0; default the spacing of numbers at 1, as in PyTorch: 1.2e-7 (float32), 2.2e-16 (float64). */
  readonly eps?: number | null;
}

/**
 * Root mean square normalisation over the last axes: layer norm without the mean and the bias.
 * `x / sqrt(mean(x^2) + eps) * weight`
 * @param x float
 * @param normalizedShape sizes of the last axes of `x`, at least one, none 0
 * @param options `weight` of `normalizedShape`, `eps`
 * @returns the shape of `x`
 * @throws ShapeError when x does not end in `normalizedShape` or the weight has another shape; DTypeError; OptionError
 * @example rmsNorm(tensor([[3, 4]]), [2], { eps: 0 }); // [[0.8485281, 1.1313709]]
 * @see Zhang and Sennrich, Root Mean Square Layer Normalization, 2019; PyTorch, torch.nn.functional.rms_norm
 */
export function rmsNorm(x: Operand, normalizedShape: Shape, options: RmsNormOptions = {}): Tensor {
  checkOptions('rmsNorm', options, ['weight', 'eps']);
  const t = operandOf('rmsNorm', x, 'float');
  const eps = options.eps ?? (t.dtype === 'float64' ? 2 ** -52 : 2 ** -23);
  checkEps('rmsNorm', eps);
  const { rows, cols } = rowsOf('rmsNorm', t, normalizedShape);
  const params = operandsOf('rmsNorm', t, normalizedShape, options.weight).map((p) => reshape(p, [cols]));
  const [y] = buildAll(normOps.rmsNorm, [rows, ...params], { eps, affine: AFFINE[params.length] });
  return reshape(y, t.shape);
}

/**
 * Batch normalisation with the statistics of this batch: each channel (last axis) has mean 0 and variance 1 over all other
 * axes, then weight and bias.
 * `(x - mean) / sqrt(variance + eps) * weight + bias`, variance of the population
 * @param x float, rank 2 or more, at least one value a channel
 * @param options `weight` and `bias` [channels], `eps`
 * @returns `y` of the shape of `x`, `mean` and `variance` [channels]
 * @throws ShapeError when x has no values a channel or a parameter has another shape; DTypeError; OptionError
 * @example batchNorm(tensor([[1], [3]])).y; // [[-1], [1]]
 * @see Ioffe and Szegedy, Batch Normalization, 2015
 */
export function batchNorm(x: Operand, options: NormalizeOptions = {}): { y: Tensor; mean: Tensor; variance: Tensor } {
  checkOptions('batchNorm', options, ['weight', 'bias', 'eps']);
  const { weight, bias, eps = 1e-5 } = options;
  const t = operandOf('batchNorm', x, 'float');
  checkEps('batchNorm', eps);
  const channels = t.shape[t.shape.length - 1];
  const rows = sizeOf(t.shape.slice(0, -1));
  if (t.shape.length < 2 || rows === 0) {
    throw new ShapeError(`batchNorm: got [${t.shape}], expected […, channels] with at least one value a channel`);
  }
  const params = operandsOf('batchNorm', t, [channels], weight, bias);
  const attrs = { eps, affine: AFFINE[params.length] };
  const [y, m, variance] = buildAll(normOps.batchNorm, [reshape(t, [rows, channels]), ...params], attrs);
  return { y: reshape(y, t.shape), mean: m, variance };
}
