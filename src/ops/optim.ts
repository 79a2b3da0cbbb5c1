import { isFloat } from '../dtype.js';
import { DTypeError, OptionError, ShapeError } from '../errors.js';
import { f64Words, type Lowering, type OpDef, type RefArray } from '../graph/op.js';
import { type Attrs, buildAll, type Tensor } from '../graph/tensor.js';
import { sameShape, sizeOf } from '../shape.js';
import { equal, where } from './compare.js';
import { type ArrayReference, defineOp } from './define.js';
import { add, div, mul, neg, pow, sqrt, sub } from './elementwise.js';
import { cast } from './operand.js';

/** Options of one stochastic gradient descent step. */
export interface SgdAttrs {
  readonly momentum: number;
  readonly dampening: number;
  readonly weightDecay: number;
  readonly nesterov: boolean;
  readonly maximize: boolean;
}

/** Options of one Adam step; `decoupled` is AdamW's weight decay. */
export interface AdamAttrs {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  readonly decoupled: boolean;
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

/** One kind of step. `slots` are the state tensors beside each weight: velocity, moments. */
interface StepRule {
  readonly slots: (attrs: Attrs) => number;
  /** Operands the instruction has room for; missing ones are NONE. */
  readonly maxSlots: number;
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
 * inputs: lr, step, then for each parameter w, g, slots. Outputs: step + 1, then for each parameter w, slots, each
 * replacing the input of the same meaning.
 */
function defineStep(name: string, rule: StepRule): OpDef {
  const layout = (inputs: readonly unknown[], attrs: Attrs) => {
    const slots = rule.slots(attrs);
    const count = (inputs.length - 2) / (2 + slots);
    const list = Array.from({ length: count }, (_, p) => ({ w: 2 + p * (2 + slots), out: 1 + p * (1 + slots) }));
    return list.map(({ w, out }) => ({
      g: w + 1,
      /** [input, output] of the weight and of each slot. */
      replaced: [[w, out], ...Array.from({ length: slots }, (_, s) => [w + 2 + s, out + 1 + s])] as [number, number][],
    }));
  };
  const reference: ArrayReference = (inputs, attrs, outs) => {
    const results: RefArray[] = outs.map((out) => ({ data: new Float64Array(sizeOf(out.shape)), shape: out.shape }));
    const [lr, step] = [inputs[0].data[0], inputs[1].data[0]];
    results[0].data[0] = step + 1;
    for (const { g, replaced } of layout(inputs, attrs)) {
      const [w, ...slots] = replaced.map(([from, to]) => {
        results[to].data.set(inputs[from].data);
        return results[to].data;
      });
      rule.update(w, inputs[g].data, slots, lr, step, attrs);
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
        ...slots.map(([, out]) => ({ out })),
        ...new Array<'none'>(rule.maxSlots - slots.length).fill('none'),
      ]);
      // The first input is the float64 learning rate; the step computes in the dtype of the weights.
      const dtype = inputs[2].dtype;
      return {
        opcode: name.toUpperCase(),
        params: rule.params(attrs),
        dtype,
        tail: [{ in: 0 }, { out: 0 }, list.length, ...tail],
      };
    },
    decompose: ([lr, step, ...rest], attrs) => {
      const width = 2 + rule.slots(attrs);
      const outs: Tensor[] = [add(step, 1)];
      for (let i = 0; i < rest.length; i += width) {
        const [w, g, ...slots] = rest.slice(i, i + width);
        outs.push(...rule.decompose({ w, g, slots }, lr, step, attrs));
      }
      return outs;
    },
  });
}

const bit = (flag: boolean): number => (flag ? 1 : 0);
const sgdAttrs = (attrs: Attrs) => attrs as unknown as SgdAttrs;
const adamAttrs = (attrs: Attrs) => attrs as unknown as AdamAttrs;

/** Records of optimizer steps over all parameters in one instruction. Not differentiable; decompose() is. */
export const optimOps = {
  sgd: defineStep('sgd', {
    slots: (attrs) => (attrs.momentum === 0 ? 0 : 1),
    maxSlots: 1,
    params: (attrs) => {
      const a = sgdAttrs(attrs);
      return [bit(a.nesterov), bit(a.maximize), ...[a.momentum, a.dampening, a.weightDecay].flatMap(f64Words)];
    },
    decompose: ({ w, g, slots: [v] }, lr, step, attrs) => {
      const a = sgdAttrs(attrs);
      const rate = cast(lr, w.dtype);
      const decayed = add(a.maximize ? neg(g) : g, mul(a.weightDecay, w));
      if (v === undefined) return [sub(w, mul(rate, decayed))];
      const velocity = where(equal(step, 0), decayed, add(mul(a.momentum, v), mul(1 - a.dampening, decayed)));
      return [sub(w, mul(rate, a.nesterov ? add(decayed, mul(a.momentum, velocity)) : velocity)), velocity];
    },
    update: (w, g, [v], lr, step, attrs) => {
      const a = sgdAttrs(attrs);
      for (let i = 0; i < w.length; i++) {
        const d = (a.maximize ? -g[i] : g[i]) + a.weightDecay * w[i];
        if (v !== undefined) v[i] = step === 0 ? d : a.momentum * v[i] + (1 - a.dampening) * d;
        w[i] -= lr * (v === undefined ? d : a.nesterov ? d + a.momentum * v[i] : v[i]);
      }
    },
  }),
  adam: defineStep('adam', {
    slots: () => 2,
    maxSlots: 2,
    params: (attrs) => {
      const a = adamAttrs(attrs);
      return [bit(a.decoupled), bit(a.maximize), ...[a.beta1, a.beta2, a.eps, a.weightDecay].flatMap(f64Words)];
    },
    decompose: ({ w, g, slots: [m, v] }, lr, step, attrs) => {
      const a = adamAttrs(attrs);
      const t = cast(add(step, 1), 'float64');
      const rate = cast(div(lr, sub(1, pow(a.beta1, t))), w.dtype);
      const root = cast(sqrt(sub(1, pow(a.beta2, t))), w.dtype);
      const signed = a.maximize ? neg(g) : g;
      const d = a.decoupled ? signed : add(signed, mul(a.weightDecay, w));
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
        const signed = a.maximize ? -g[i] : g[i];
        const d = a.decoupled ? signed : signed + a.weightDecay * w[i];
        if (a.decoupled) w[i] *= 1 - lr * a.weightDecay;
        m[i] = a.beta1 * m[i] + (1 - a.beta1) * d;
        v[i] = a.beta2 * v[i] + (1 - a.beta2) * d * d;
        w[i] -= (rate * m[i]) / (Math.sqrt(v[i]) / root + a.eps);
      }
    },
  }),
};

/** Throws unless lr, step and every parameter fit together. */
function checkStep(op: string, lr: Tensor, step: Tensor, params: readonly (readonly (Tensor | undefined)[])[]): void {
  for (const [name, x, dtype] of [
    ['lr', lr, 'float64'],
    ['step', step, 'int32'],
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
        throw new OptionError(`${op}: parameter ${i} lacks a slot; momentum needs v, and only momentum has it`);
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

/**
 * One step of stochastic gradient descent on all parameters, as nodes to assign to their cells.
 * `g += weightDecay * w; v = step == 0 ? g : momentum * v + (1 - dampening) * g; w -= lr * (nesterov ? g + momentum * v : v)`
 * @param attrs options; they are part of the program
 * @param lr float64 scalar, see `hostScalar`
 * @param step int32 scalar, steps done so far
 * @param params weights with gradients, and velocities when momentum is not 0
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
): { step: Tensor; params: { w: Tensor; v?: Tensor }[] } {
  const hasSlot = attrs.momentum !== 0;
  checkStep(
    'sgdStep',
    lr,
    step,
    params.map((p) => (hasSlot ? [p.w, p.g, p.v] : p.v === undefined ? [p.w, p.g] : [p.w, undefined])),
  );
  const inputs = params.flatMap((p) => (p.v === undefined ? [p.w, p.g] : [p.w, p.g, p.v]));
  const [next, ...outs] = buildAll(optimOps.sgd, [lr, step, ...inputs], { ...attrs });
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
): { step: Tensor; params: { w: Tensor; m: Tensor; v: Tensor }[] } {
  checkStep(
    'adamStep',
    lr,
    step,
    params.map((p) => [p.w, p.g, p.m, p.v]),
  );
  const inputs = params.flatMap((p) => [p.w, p.g, p.m, p.v]);
  const [next, ...outs] = buildAll(optimOps.adam, [lr, step, ...inputs], { ...attrs });
  return { step: next, params: params.map((_, i) => ({ w: outs[3 * i], m: outs[3 * i + 1], v: outs[3 * i + 2] })) };
}
