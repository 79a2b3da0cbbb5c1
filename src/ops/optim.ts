import { isFloat } from '../dtype.js';
import { DTypeError, OptionError, ShapeError } from '../errors.js';
import { f64Words, type Lowering, type OpDef, type RefArray } from '../graph/op.js';
import { type Attrs, build, buildAll, type Tensor } from '../graph/tensor.js';
import { sameShape, sizeOf } from '../shape.js';
import { equal, where } from './compare.js';
import { type ArrayReference, checkDType, defineOp } from './define.js';
import { add, div, maximum, minimum, mul, neg, pow, sign, sqrt, square, sub } from './elementwise.js';
import { cast } from './operand.js';
import { sum } from './reduce.js';

/** What happens to every gradient before the rule sees it: scaled (see `StepScale`), clipped, the L1 term added. */
export interface GradientAttrs {
  /** g = min(max(g, -clipValue), clipValue); absent: not clipped. */
  readonly clipValue?: number;
  /** Adds l1 * sign(w), after the sign of `maximize`; absent: 0. */
  readonly l1?: number;
}

/** Options of one stochastic gradient descent step. */
export interface SgdAttrs extends GradientAttrs {
  readonly momentum: number;
  readonly dampening: number;
  readonly weightDecay: number;
  readonly nesterov: boolean;
  readonly maximize: boolean;
}

/** Options of one Adam step; `decoupled` is AdamW's weight decay. */
export interface AdamAttrs extends GradientAttrs {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  readonly decoupled: boolean;
  readonly maximize: boolean;
}

/** Options of one RMSprop step. */
export interface RmspropAttrs extends GradientAttrs {
  readonly alpha: number;
  readonly eps: number;
  readonly momentum: number;
  readonly centered: boolean;
  readonly weightDecay: number;
  readonly maximize: boolean;
}

/** Options of one Adagrad step. */
export interface AdagradAttrs extends GradientAttrs {
  readonly lrDecay: number;
  readonly eps: number;
  readonly weightDecay: number;
  readonly maximize: boolean;
}

/** Weight, gradient and velocity (present exactly when momentum is not 0) of one parameter, all of one shape. */
export interface SgdParam {
  readonly w: Tensor;
  readonly g: Tensor;
  readonly v?: Tensor;
}

/** Weight, gradient and the two moments of one parameter, all of one shape. */
export interface AdamParam {
  readonly w: Tensor;
  readonly g: Tensor;
  readonly m: Tensor;
  readonly v: Tensor;
}

/** As RMSprop: `avg` (mean gradient) exactly when centered, `buf` (velocity) exactly when momentum is not 0. */
export interface RmspropParam {
  readonly w: Tensor;
  readonly g: Tensor;
  readonly v: Tensor;
  readonly avg?: Tensor;
  readonly buf?: Tensor;
}

/** Weight, gradient and sum of squares of one parameter, all of one shape. */
export interface AdagradParam {
  readonly w: Tensor;
  readonly g: Tensor;
  readonly v: Tensor;
}

/** One kind of step. `slots` are the state tensors beside each weight: velocity, moments. */
interface StepRule {
  readonly slots: (attrs: Attrs) => number;
  /** Where each operand of the instruction is among the slots, -1 for NONE. */
  readonly operands: (attrs: Attrs) => readonly number[];
  readonly params: (attrs: Attrs) => readonly number[];
  /** The new weight and slots from fine ops. */
  readonly decompose: (
    p: { w: Tensor; g: Tensor; slots: readonly Tensor[] },
    lr: Tensor,
    step: Tensor,
    attrs: Attrs,
  ) => Tensor[];
  /** The same in place on float64 arrays. */
  readonly update: (
    w: Float64Array,
    g: Float64Array,
    slots: readonly Float64Array[],
    lr: number,
    step: number,
    attrs: Attrs,
  ) => void;
}

/**
 * inputs: lr, step, the scale of the gradients if attrs.scaled, then for each parameter w, g, slots. Outputs: step + 1, then
 * for each parameter w, slots, each replacing the input of the same meaning.
 */
function defineStep(name: string, rule: StepRule): OpDef {
  const layout = (inputs: readonly unknown[], attrs: Attrs) => {
    const slots = rule.slots(attrs);
    const first = attrs.scaled === true ? 3 : 2;
    const count = (inputs.length - first) / (2 + slots);
    const list = Array.from({ length: count }, (_, p) => ({ w: first + p * (2 + slots), out: 1 + p * (1 + slots) }));
    return list.map(({ w, out }) => ({
      g: w + 1,
      /** [input, output] of the weight and of each slot. */
      replaced: [[w, out], ...Array.from({ length: slots }, (_, s) => [w + 2 + s, out + 1 + s])] as [number, number][],
    }));
  };
  const reference: ArrayReference = (inputs, attrs, outs) => {
    const results: RefArray[] = outs.map((out) => ({ data: new Float64Array(sizeOf(out.shape)), shape: out.shape }));
    const [lr, step] = [inputs[0].data[0], inputs[1].data[0]];
    const { clipValue = Infinity, l1 = 0 } = attrs as GradientAttrs;
    const scale = attrs.scaled === true ? inputs[2].data[0] : 1;
    const direction = attrs.maximize === true ? -1 : 1;
    results[0].data[0] = step + 1;
    for (const { g, replaced } of layout(inputs, attrs)) {
      const [w, ...slots] = replaced.map(([from, to]) => {
        results[to].data.set(inputs[from].data);
        return results[to].data;
      });
      const shaped = inputs[g].data.map(
        (d, i) => direction * Math.min(Math.max(d * scale, -clipValue), clipValue) + l1 * Math.sign(w[i]),
      );
      rule.update(w, shaped, slots, lr, step, attrs);
    }
    return results;
  };
  return defineOp(name, {
    kind: 'coarse',
    vjp: null,
    reference,
    infer: (inputs, attrs) => {
      const replaced = layout(inputs, attrs).flatMap((p) => p.replaced.map(([from]) => inputs[from]));
      return [inputs[1], ...replaced].map(({ shape, dtype }) => ({ shape, dtype }));
    },
    aliases: (inputs, attrs) => {
      const pairs = layout(inputs, attrs).flatMap((p) => p.replaced.map(([from, to]) => [to, from] as const));
      return [[0, 1], ...pairs];
    },
    lower: ({ inputs, attrs }): Lowering => {
      const list = layout(inputs, attrs);
      const tail = list.flatMap(({ g, replaced: [[from, to], ...slots] }) => [
        sizeOf(inputs[from].shape),
        { out: to },
        { in: g },
        ...rule.operands(attrs).map((s) => (s < 0 ? 'none' : { out: slots[s][1] })),
      ]);
      const { clipValue = Infinity, l1 = 0 } = attrs as GradientAttrs;
      const scaled = attrs.scaled === true;
      const plain = !scaled && clipValue === Infinity && l1 === 0;
      const end = plain ? [] : ([scaled ? { in: 2 } : 'none', ...f64Words(clipValue), ...f64Words(l1)] as const);
      // The first input is the float64 learning rate; the step computes in the dtype of the weights.
      const dtype = inputs[scaled ? 3 : 2].dtype;
      return {
        opcode: name.toUpperCase(),
        params: rule.params(attrs),
        dtype,
        tail: [{ in: 0 }, { out: 0 }, list.length, ...tail, ...end],
      };
    },
    decompose: ([lr, step, ...operands], attrs) => {
      const rest = attrs.scaled === true ? operands.slice(1) : operands;
      const scale = attrs.scaled === true ? operands[0] : null;
      const width = 2 + rule.slots(attrs);
      const outs: Tensor[] = [add(step, 1)];
      for (let i = 0; i < rest.length; i += width) {
        const [w, g, ...slots] = rest.slice(i, i + width);
        outs.push(...rule.decompose({ w, g: shapedGradient(g, w, scale, attrs), slots }, lr, step, attrs));
      }
      return outs;
    },
  });
}

/** The gradient as the rule sees it, of which it descends. */
function shapedGradient(g: Tensor, w: Tensor, scale: Tensor | null, attrs: Attrs): Tensor {
  const { clipValue, l1 = 0 } = attrs as GradientAttrs;
  const scaled = scale === null ? g : mul(g, cast(scale, g.dtype));
  const clipped = clipValue === undefined ? scaled : minimum(maximum(scaled, -clipValue), clipValue);
  const signed = attrs.maximize === true ? neg(clipped) : clipped;
  return l1 === 0 ? signed : add(signed, mul(l1, sign(w)));
}

const bit = (flag: boolean): number => (flag ? 1 : 0);
const sgdAttrs = (attrs: Attrs) => attrs as unknown as SgdAttrs;
const adamAttrs = (attrs: Attrs) => attrs as unknown as AdamAttrs;
const rmspropAttrs = (attrs: Attrs) => attrs as unknown as RmspropAttrs;
const adagradAttrs = (attrs: Attrs) => attrs as unknown as AdagradAttrs;

/** Records of optimizer steps over all parameters in one instruction. Not differentiable; decompose() is. */
export const optimOps = {
  sgd: defineStep('sgd', {
    slots: (attrs) => (attrs.momentum === 0 ? 0 : 1),
    operands: (attrs) => [attrs.momentum === 0 ? -1 : 0],
    params: (attrs) => {
      const a = sgdAttrs(attrs);
      return [bit(a.nesterov), bit(a.maximize), ...[a.momentum, a.dampening, a.weightDecay].flatMap(f64Words)];
    },
    decompose: ({ w, g, slots: [v] }, lr, step, attrs) => {
      const a = sgdAttrs(attrs);
      const rate = cast(lr, w.dtype);
      const decayed = add(g, mul(a.weightDecay, w));
      if (v === undefined) return [sub(w, mul(rate, decayed))];
      const velocity = where(equal(step, 0), decayed, add(mul(a.momentum, v), mul(1 - a.dampening, decayed)));
      return [sub(w, mul(rate, a.nesterov ? add(decayed, mul(a.momentum, velocity)) : velocity)), velocity];
    },
    update: (w, g, [v], lr, step, attrs) => {
      const a = sgdAttrs(attrs);
      for (let i = 0; i < w.length; i++) {
        const d = g[i] + a.weightDecay * w[i];
        if (v !== undefined) v[i] = step === 0 ? d : a.momentum * v[i] + (1 - a.dampening) * d;
        w[i] -= lr * (v === undefined ? d : a.nesterov ? d + a.momentum * v[i] : v[i]);
      }
    },
  }),
  adam: defineStep('adam', {
    slots: () => 2,
    operands: () => [0, 1],
    params: (attrs) => {
      const a = adamAttrs(attrs);
      return [bit(a.decoupled), bit(a.maximize), ...[a.beta1, a.beta2, a.eps, a.weightDecay].flatMap(f64Words)];
    },
    decompose: ({ w, g, slots: [m, v] }, lr, step, attrs) => {
      const a = adamAttrs(attrs);
      const t = cast(add(step, 1), 'float64');
      const rate = cast(div(lr, sub(1, pow(a.beta1, t))), w.dtype);
      const root = cast(sqrt(sub(1, pow(a.beta2, t))), w.dtype);
      const d = a.decoupled ? g : add(g, mul(a.weightDecay, w));
      const kept = a.decoupled ? mul(w, cast(sub(1, mul(lr, a.weightDecay)), w.dtype)) : w;
      const first = add(mul(a.beta1, m), mul(1 - a.beta1, d));
      const second = add(mul(a.beta2, v), mul(1 - a.beta2, mul(d, d)));
      return [sub(kept, mul(rate, div(first, add(div(sqrt(second), root), a.eps)))), first, second];
    },
    update: (w, g, [m, v], lr, step, attrs) => {
      const a = adamAttrs(attrs);
      const rate = lr / (1 - a.beta1 ** (step + 1));
      const root = Math.sqrt(1 - a.beta2 ** (step + 1));
      for (let i = 0; i < w.length; i++) {
        const d = a.decoupled ? g[i] : g[i] + a.weightDecay * w[i];
        if (a.decoupled) w[i] *= 1 - lr * a.weightDecay;
        m[i] = a.beta1 * m[i] + (1 - a.beta1) * d;
        v[i] = a.beta2 * v[i] + (1 - a.beta2) * d * d;
        w[i] -= (rate * m[i]) / (Math.sqrt(v[i]) / root + a.eps);
      }
    },
  }),
  rmsprop: defineStep('rmsprop', {
    slots: (attrs) => 1 + bit(rmspropAttrs(attrs).centered) + bit(rmspropAttrs(attrs).momentum !== 0),
    operands: (attrs) => {
      const { centered, momentum } = rmspropAttrs(attrs);
      return [0, centered ? 1 : -1, momentum === 0 ? -1 : 1 + bit(centered)];
    },
    params: (attrs) => {
      const a = rmspropAttrs(attrs);
      return [bit(a.maximize), ...[a.alpha, a.eps, a.momentum, a.weightDecay].flatMap(f64Words)];
    },
    decompose: ({ w, g, slots: [v, ...others] }, lr, _, attrs) => {
      const a = rmspropAttrs(attrs);
      const d = add(g, mul(a.weightDecay, w));
      const second = add(mul(a.alpha, v), mul(1 - a.alpha, mul(d, d)));
      const avg = a.centered ? add(mul(a.alpha, others[0]), mul(1 - a.alpha, d)) : null;
      const spread = avg === null ? second : sub(second, mul(avg, avg));
      const scaled = div(d, add(sqrt(spread), a.eps));
      const buf = a.momentum === 0 ? null : add(mul(a.momentum, others[others.length - 1]), scaled);
      const next = sub(w, mul(cast(lr, w.dtype), buf ?? scaled));
      return [next, second, avg, buf].filter((t) => t !== null);
    },
    update: (w, g, [v, ...others], lr, _, attrs) => {
      const a = rmspropAttrs(attrs);
      const avg = a.centered ? others[0] : null;
      const buf = a.momentum === 0 ? null : others[others.length - 1];
      for (let i = 0; i < w.length; i++) {
        const d = g[i] + a.weightDecay * w[i];
        v[i] = a.alpha * v[i] + (1 - a.alpha) * d * d;
        if (avg !== null) avg[i] = a.alpha * avg[i] + (1 - a.alpha) * d;
        const scaled = d / (Math.sqrt(v[i] - (avg === null ? 0 : avg[i] ** 2)) + a.eps);
        if (buf !== null) buf[i] = a.momentum * buf[i] + scaled;
        w[i] -= lr * (buf === null ? scaled : buf[i]);
      }
    },
  }),
  adagrad: defineStep('adagrad', {
    slots: () => 1,
    operands: () => [0],
    params: (attrs) => {
      const a = adagradAttrs(attrs);
      return [bit(a.maximize), ...[a.lrDecay, a.eps, a.weightDecay].flatMap(f64Words)];
    },
    decompose: ({ w, g, slots: [v] }, lr, step, attrs) => {
      const a = adagradAttrs(attrs);
      const rate = cast(div(lr, add(1, mul(a.lrDecay, cast(step, 'float64')))), w.dtype);
      const d = add(g, mul(a.weightDecay, w));
      const total = add(v, mul(d, d));
      return [sub(w, mul(rate, div(d, add(sqrt(total), a.eps)))), total];
    },
    update: (w, g, [v], lr, step, attrs) => {
      const a = adagradAttrs(attrs);
      for (let i = 0; i < w.length; i++) {
        const d = g[i] + a.weightDecay * w[i];
        v[i] += d * d;
        w[i] -= ((lr / (1 + step * a.lrDecay)) * d) / (Math.sqrt(v[i]) + a.eps);
      }
    },
  }),
  /** Sum of the squares of all elements of all inputs, a float64 scalar. */
  sumSquares: defineOp('sumSquares', {
    kind: 'coarse',
    infer: () => ({ shape: [], dtype: 'float64' }),
    vjp: ({ g, inputs }) => inputs.map((x) => mul(cast(mul(g, 2), x.dtype), x)),
    reference: (inputs) => {
      const total = inputs.reduce((sum, x) => x.data.reduce((s, v) => s + v * v, sum), 0);
      return { data: Float64Array.of(total), shape: [] };
    },
    lower: ({ inputs }) => ({
      opcode: 'SUM_SQUARES',
      params: [],
      tail: [inputs.length, ...inputs.flatMap((x, i) => [sizeOf(x.shape), { in: i }]), { out: 0 }],
    }),
    decompose: (inputs) => inputs.map((x) => cast(sum(square(x)), 'float64')).reduce((a, b) => add(a, b)),
  }),
};

/** Throws unless lr, step, scale and every parameter fit together. */
function checkStep(
  op: string,
  lr: Tensor,
  step: Tensor,
  params: readonly (readonly (Tensor | undefined)[])[],
  scale?: Tensor | null,
): void {
  for (const [name, x, dtype] of [
    ['lr', lr, 'float64'],
    ['step', step, 'int32'],
    ['scale', scale ?? lr, 'float64'],
  ] as const) {
    if (x.shape.length !== 0 || x.dtype !== dtype) {
      throw new DTypeError(`${op}: got ${name} of ${x.dtype} [${x.shape}], expected a ${dtype} scalar`);
    }
  }
  if (params.length === 0) throw new OptionError(`${op}: got no parameters, expected at least one`);
  const dtype = params[0][0]?.dtype;
  for (const [i, tensors] of params.entries()) {
    const shape = tensors[0]?.shape ?? [];
    for (const t of tensors) {
      if (t === undefined)
        throw new OptionError(
          `${op}: parameter ${i} lacks a slot; momentum (and centered) need one, and only they have it`,
        );
      if (!sameShape(t.shape, shape))
        throw new ShapeError(`${op}: parameter ${i}: got [${shape}] and [${t.shape}], expected one shape`);
      if (t.dtype !== dtype || !isFloat(t.dtype)) {
        throw new DTypeError(
          `${op}: parameter ${i}: got ${t.dtype}, expected ${String(dtype)} throughout; step each float dtype on its own`,
        );
      }
    }
  }
}

/** All outputs of a step. */
function buildStep(
  op: OpDef,
  lr: Tensor,
  step: Tensor,
  scale: Tensor | null | undefined,
  inputs: readonly Tensor[],
  attrs: GradientAttrs,
): Tensor[] {
  if (scale === undefined || scale === null) return buildAll(op, [lr, step, ...inputs], { ...attrs });
  return buildAll(op, [lr, step, scale, ...inputs], { ...attrs, scaled: true });
}

/**
 * One step of stochastic gradient descent on all parameters, as nodes to assign to their cells.
 * `g += weightDecay * w; v = step == 0 ? g : momentum * v + (1 - dampening) * g; w -= lr * (nesterov ? g + momentum * v : v)`
 * @param attrs options; they are part of the program
 * @param lr float64 scalar, see `hostScalar`
 * @param step int32 scalar, steps done so far
 * @param params weights with gradients, and velocities when momentum is not 0
 * @param scale float64 scalar that multiplies every gradient first, see {@link clipScale}
 * @returns the next step count, weights and velocities, in the order given
 * @throws ShapeError, DTypeError, OptionError when the operands do not fit together
 * @example
 * const { params: [p] } = sgdStep(attrs, hostScalar(() => 0.1), step.read(), [{ w: w.read(), g }]);
 * w.assign(p.w);
 * @see Sutskever et al., On the Importance of Initialization and Momentum in Deep Learning, 2013
 */
export function sgdStep(
  attrs: SgdAttrs,
  lr: Tensor,
  step: Tensor,
  params: readonly SgdParam[],
  scale?: Tensor | null,
): { step: Tensor; params: { w: Tensor; v?: Tensor }[] } {
  const hasSlot = attrs.momentum !== 0;
  checkStep(
    'sgdStep',
    lr,
    step,
    params.map((p) => (hasSlot ? [p.w, p.g, p.v] : p.v === undefined ? [p.w, p.g] : [p.w, undefined])),
    scale,
  );
  const inputs = params.flatMap((p) => (p.v === undefined ? [p.w, p.g] : [p.w, p.g, p.v]));
  const [next, ...outs] = buildStep(optimOps.sgd, lr, step, scale, inputs, attrs);
  const result = params.map((_, i) => (hasSlot ? { w: outs[2 * i], v: outs[2 * i + 1] } : { w: outs[i] }));
  return { step: next, params: result };
}

/**
 * One step of Adam or AdamW on all parameters, as nodes to assign to their cells.
 * `m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; w -= lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + eps)`,
 * t = step + 1; weight decay is added to g, or when decoupled `w *= 1 - lr * weightDecay` before.
 * @param attrs options; they are part of the program
 * @param lr float64 scalar, see `hostScalar`
 * @param step int32 scalar, steps done so far
 * @param params weights with gradients and moments
 * @param scale float64 scalar that multiplies every gradient first, see {@link clipScale}
 * @returns the next step count, weights and moments, in the order given
 * @throws ShapeError, DTypeError, OptionError when the operands do not fit together
 * @example
 * const { step: t, params: [p] } = adamStep(attrs, hostScalar(() => 1e-3), step.read(), [{ w, g, m, v }]);
 * @see Kingma and Ba, Adam, 2014; Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2017
 */
export function adamStep(
  attrs: AdamAttrs,
  lr: Tensor,
  step: Tensor,
  params: readonly AdamParam[],
  scale?: Tensor | null,
): { step: Tensor; params: { w: Tensor; m: Tensor; v: Tensor }[] } {
  checkStep(
    'adamStep',
    lr,
    step,
    params.map((p) => [p.w, p.g, p.m, p.v]),
    scale,
  );
  const inputs = params.flatMap((p) => [p.w, p.g, p.m, p.v]);
  const [next, ...outs] = buildStep(optimOps.adam, lr, step, scale, inputs, attrs);
  return { step: next, params: params.map((_, i) => ({ w: outs[3 * i], m: outs[3 * i + 1], v: outs[3 * i + 2] })) };
}

/**
 * One step of RMSprop on all parameters, as nodes to assign to their cells.
 * `g += weightDecay w; v = alpha v + (1 - alpha) g^2; d = g / (sqrt(v) + eps)`, when centered
 * `avg = alpha avg + (1 - alpha) g; d = g / (sqrt(v - avg^2) + eps)`; with momentum `buf = momentum buf + d; w -= lr buf`, else
 * `w -= lr d`
 * @param attrs options; they are part of the program
 * @param lr float64 scalar, see `hostScalar`
 * @param step int32 scalar, steps done so far
 * @param params weights with gradients and the slots that the options ask for
 * @param scale float64 scalar that multiplies every gradient first, see {@link clipScale}
 * @returns the next step count, weights and slots, in the order given
 * @throws ShapeError, DTypeError, OptionError when the operands do not fit together
 * @example
 * const { params: [p] } = rmspropStep(attrs, hostScalar(() => 1e-2), step.read(), [{ w, g, v }]);
 * @see Hinton, Neural Networks for Machine Learning, lecture 6e, 2012; Graves, 2013 (centered)
 */
export function rmspropStep(
  attrs: RmspropAttrs,
  lr: Tensor,
  step: Tensor,
  params: readonly RmspropParam[],
  scale?: Tensor | null,
): { step: Tensor; params: { w: Tensor; v: Tensor; avg?: Tensor; buf?: Tensor }[] } {
  const moving = attrs.momentum !== 0;
  const tensors = params.map(({ w, g, v, avg, buf }) => {
    if ((avg !== undefined) !== attrs.centered || (buf !== undefined) !== moving) return [w, undefined];
    return [w, g, v, ...(avg === undefined ? [] : [avg]), ...(buf === undefined ? [] : [buf])];
  });
  checkStep('rmspropStep', lr, step, tensors, scale);
  const [next, ...outs] = buildStep(optimOps.rmsprop, lr, step, scale, tensors.flat() as Tensor[], attrs);
  const width = 2 + bit(attrs.centered) + bit(moving);
  const result = params.map((_, i) => {
    const [w, v, ...others] = outs.slice(width * i, width * (i + 1));
    const avg = attrs.centered ? { avg: others[0] } : {};
    return { w, v, ...avg, ...(moving ? { buf: others[others.length - 1] } : {}) };
  });
  return { step: next, params: result };
}

/**
 * One step of Adagrad on all parameters, as nodes to assign to their cells.
 * `g += weightDecay w; v += g^2; w -= lr / (1 + step lrDecay) * g / (sqrt(v) + eps)`
 * @param attrs options; they are part of the program
 * @param lr float64 scalar, see `hostScalar`
 * @param step int32 scalar, steps done so far
 * @param params weights with gradients and sums of squares
 * @param scale float64 scalar that multiplies every gradient first, see {@link clipScale}
 * @returns the next step count, weights and sums, in the order given
 * @throws ShapeError, DTypeError, OptionError when the operands do not fit together
 * @example
 * const { params: [p] } = adagradStep(attrs, hostScalar(() => 1e-2), step.read(), [{ w, g, v }]);
 * @see Duchi et al., Adaptive Subgradient Methods, 2011
 */
export function adagradStep(
  attrs: AdagradAttrs,
  lr: Tensor,
  step: Tensor,
  params: readonly AdagradParam[],
  scale?: Tensor | null,
): { step: Tensor; params: { w: Tensor; v: Tensor }[] } {
  checkStep(
    'adagradStep',
    lr,
    step,
    params.map(({ w, g, v }) => [w, g, v]),
    scale,
  );
  const inputs = params.flatMap(({ w, g, v }) => [w, g, v]);
  const [next, ...outs] = buildStep(optimOps.adagrad, lr, step, scale, inputs, attrs);
  return { step: next, params: params.map((_, i) => ({ w: outs[2 * i], v: outs[2 * i + 1] })) };
}

/**
 * Factor that brings the Euclidean norm of all gradients together down to `maxNorm`.
 * `min(1, maxNorm / (sqrt(sum g^2) + 1e-6))`
 * @param grads float tensors of any shape
 * @param maxNorm > 0
 * @returns float64 scalar; NaN when a gradient is
 * @throws OptionError when maxNorm is not above 0, DTypeError for integers and bool
 * @example clipScale([tensor([3, 4])], 1); // 0.2
 * @see PyTorch, torch.nn.utils.clip_grad_norm_
 */
export function clipScale(grads: readonly Tensor[], maxNorm: number): Tensor {
  if (!(maxNorm > 0)) throw new OptionError(`clipScale: got maxNorm = ${maxNorm}, expected a number > 0`);
  for (const { dtype } of grads) checkDType('clipScale', dtype, 'float');
  const sums = (['float32', 'float64'] as const).flatMap((dtype) => {
    const list = grads.filter((g) => g.dtype === dtype);
    return list.length === 0 ? [] : [build(optimOps.sumSquares, list)];
  });
  if (sums.length === 0) throw new OptionError('clipScale: got no gradients, expected at least one');
  return minimum(1, div(maxNorm, add(sqrt(sums.reduce((a, b) => add(a, b))), 1e-6)));
}
