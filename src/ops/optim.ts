import { isFloat } from '../dtype.js';
import { DTypeError, OptionError, ShapeError } from '../errors.js';
import { f64Words, type OpDef, type RefArray } from '../graph/op.js';
import { type Attrs, build, buildAll, type Tensor } from '../graph/tensor.js';
import { sameShape, sizeOf } from '../shape.js';
import { greater, lessEqual, notEqual, where } from './compare.js';
import { arange } from './create.js';
import { type ArrayReference, checkDType, defineOp } from './define.js';
import { abs, add, div, maximum, minimum, mul, neg, pow, sign, sqrt, square, sub } from './elementwise.js';
import { cast } from './operand.js';
import {
  type Arithmetic,
  NUMBERS,
  type OptimizerRule,
  RULES,
  type Rule,
  type RuleAttrs,
  ruleSlots,
} from './optim-rules.js';
import { prod, sum } from './reduce.js';

/** Options of every rule: what happens to gradients and weights before it. */
export interface StepAttrs {
  /** Adds weightDecay * w to the gradient, or, when decoupled, w *= 1 - lr * weightDecay; absent: 0. */
  readonly weightDecay?: number;
  readonly decoupled?: boolean;
  /** Goes up the gradient; absent: down. */
  readonly maximize?: boolean;
  /** g = min(max(g, -clipValue), clipValue); absent: not clipped. */
  readonly clipValue?: number;
  /** Adds l1 * sign(w), after the sign of `maximize`; absent: 0. */
  readonly l1?: number;
}

/** Weight, gradient and slots (as `ruleSlots` names them) of one parameter, all of one shape. */
export interface StepParam {
  readonly w: Tensor;
  readonly g: Tensor;
  readonly slots: readonly Tensor[];
}

/** float64 scalars that a step may be given. */
export interface StepControls {
  /** Multiplies every gradient before anything else, see {@link clipScale}. */
  readonly scale?: Tensor | null;
  /** When 0 the step changes nothing, its count included. */
  readonly gate?: Tensor | null;
}

const TENSORS: Arithmetic<Tensor> = {
  add,
  sub,
  mul,
  div,
  max: maximum,
  min: minimum,
  pow,
  sqrt,
  abs,
  sign,
  select: (a, b, c) => where(greater(a, 0), b, c),
  product: (t, terms, f) => {
    const i = arange(1, terms + 1, 1, { dtype: 'float64' });
    return prod(where(lessEqual(i, t), f(i), 1));
  },
};

/**
 * inputs: lr, step, then scale and gate if attrs says so, then for each parameter w, g, slots. Outputs: step + 1, then for each
 * parameter w, slots, each replacing the input of the same meaning.
 */
function defineStep<R extends OptimizerRule>(name: R, code: number): OpDef {
  const rule: Rule<RuleAttrs[R]> = RULES[name];
  const optionsOf = (attrs: Attrs) => attrs as unknown as RuleAttrs[R] & StepAttrs;
  const layout = (inputs: readonly unknown[], attrs: Attrs) => {
    const slots = ruleSlots(name, optionsOf(attrs)).length;
    const scale = attrs.scaled === true ? 2 : -1;
    const gate = attrs.gated === true ? 2 + Number(attrs.scaled === true) : -1;
    const first = 2 + Number(scale > 0) + Number(gate > 0);
    const count = (inputs.length - first) / (2 + slots);
    const params = Array.from({ length: count }, (_, p) => {
      const [w, out] = [first + p * (2 + slots), 1 + p * (1 + slots)];
      /** [input, output] of the weight and of each slot. */
      const replaced = [[w, out], ...Array.from({ length: slots }, (_, s) => [w + 2 + s, out + 1 + s])];
      return { g: w + 1, replaced: replaced as [number, number][] };
    });
    return { scale, gate, params };
  };
  const reference: ArrayReference = (inputs, attrs, outs) => {
    const a = optionsOf(attrs);
    const { scale, gate, params } = layout(inputs, attrs);
    const results: RefArray[] = outs.map((out) => ({ data: new Float64Array(sizeOf(out.shape)), shape: out.shape }));
    const [lr, step] = [inputs[0].data[0], inputs[1].data[0]];
    const shut = gate > 0 && inputs[gate].data[0] === 0;
    results[0].data[0] = shut ? step : step + 1;
    const factor = scale > 0 ? inputs[scale].data[0] : 1;
    const scalars = rule.scalars(NUMBERS, a, lr, step + 1);
    const { clipValue = Infinity, l1 = 0, weightDecay = 0, decoupled = false, maximize = false } = a;
    for (const { g, replaced } of params) {
      for (const [from, to] of replaced) results[to].data.set(inputs[from].data);
      const values = replaced.map(([, to]) => results[to].data);
      for (let i = 0; i < values[0].length && !shut; i++) {
        let [w, ...slots] = values.map((v) => v[i]);
        const clipped = Math.min(Math.max(inputs[g].data[i] * factor, -clipValue), clipValue);
        let d = (maximize ? -clipped : clipped) + l1 * Math.sign(w);
        if (decoupled) w *= 1 - lr * weightDecay;
        else d += weightDecay * w;
        const next = rule.step(NUMBERS, a, w, d, slots, scalars);
        for (let k = 0; k < next.length; k++) values[k][i] = next[k];
      }
    }
    return results;
  };
  return defineOp(name, {
    kind: 'coarse',
    vjp: null,
    reference,
    infer: (inputs, attrs) => {
      const replaced = layout(inputs, attrs).params.flatMap((p) => p.replaced.map(([from]) => inputs[from]));
      return [inputs[1], ...replaced].map(({ shape, dtype }) => ({ shape, dtype }));
    },
    aliases: (inputs, attrs) => {
      const pairs = layout(inputs, attrs).params.flatMap((p) => p.replaced.map(([from, to]) => [to, from] as const));
      return [[0, 1], ...pairs];
    },
    lower: ({ inputs, attrs }) => {
      const a = optionsOf(attrs);
      const { scale, gate, params } = layout(inputs, attrs);
      const { clipValue = Infinity, l1 = 0, weightDecay = 0, decoupled = false, maximize = false } = a;
      const present = rule.slots(a).reduce((word, slot, i) => word + (slot === null ? 0 : 1 << i), 0);
      const doubles = [...rule.options(a), weightDecay, clipValue, l1].flatMap(f64Words);
      const operands = params.flatMap(({ g, replaced: [[from, to], ...slots] }) => [
        sizeOf(inputs[from].shape),
        { out: to },
        { in: g },
        ...slots.map(([, out]) => ({ out })),
      ]);
      const scalar = (i: number) => (i > 0 ? { in: i } : ('none' as const));
      return {
        opcode: 'OPTIM',
        params: [code, Number(maximize) + 2 * Number(decoupled) + rule.flags(a), present, ...doubles],
        // The first input is the float64 learning rate; the step computes in the dtype of the weights.
        dtype: inputs[params[0].g].dtype,
        tail: [{ in: 0 }, { out: 0 }, scalar(scale), scalar(gate), params.length, ...operands],
      };
    },
    decompose: (inputs, attrs) => {
      const a = optionsOf(attrs);
      const { scale, gate, params } = layout(inputs, attrs);
      const [lr, step] = inputs;
      const open = gate > 0 ? notEqual(inputs[gate], 0) : null;
      const gated = (next: Tensor, old: Tensor) => (open === null ? next : where(open, next, old));
      const scalars = rule.scalars(TENSORS, a, lr, cast(add(step, 1), 'float64'));
      const outs: Tensor[] = [gated(add(step, 1), step)];
      for (const { g, replaced } of params) {
        const [w, ...slots] = replaced.map(([from]) => inputs[from]);
        const [kept, d] = shaped(w, inputs[g], lr, scale > 0 ? inputs[scale] : null, a);
        const narrow = scalars.map((s) => (typeof s === 'number' ? s : cast(s, w.dtype)));
        const next = rule.step(TENSORS, a, kept, d, slots, narrow);
        outs.push(...next.map((x, i) => gated(x, i === 0 ? w : slots[i - 1])));
      }
      return outs;
    },
  });
}

/** Weight and gradient as the rule sees them. */
function shaped(w: Tensor, g: Tensor, lr: Tensor, scale: Tensor | null, a: StepAttrs): [Tensor, Tensor] {
  const { clipValue, l1 = 0, weightDecay = 0 } = a;
  const scaled = scale === null ? g : mul(g, cast(scale, g.dtype));
  const clipped = clipValue === undefined ? scaled : minimum(maximum(scaled, -clipValue), clipValue);
  const signed = a.maximize === true ? neg(clipped) : clipped;
  const d = l1 === 0 ? signed : add(signed, mul(l1, sign(w)));
  if (weightDecay === 0) return [w, d];
  if (a.decoupled === true) return [mul(w, cast(sub(1, mul(lr, weightDecay)), w.dtype)), d];
  return [w, add(d, mul(weightDecay, w))];
}

/** Records of optimizer steps over all parameters in one instruction. Not differentiable; decompose() is. */
export const optimOps = {
  sgd: defineStep('sgd', 0),
  adam: defineStep('adam', 1),
  rmsprop: defineStep('rmsprop', 2),
  adagrad: defineStep('adagrad', 3),
  adadelta: defineStep('adadelta', 4),
  adamax: defineStep('adamax', 5),
  nadam: defineStep('nadam', 6),
  radam: defineStep('radam', 7),
  lion: defineStep('lion', 8),
  rprop: defineStep('rprop', 9),
  deltaBarDelta: defineStep('deltaBarDelta', 10),
  ema: defineStep('ema', 11),
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

/** Throws unless lr, step, controls and every parameter fit together. */
function checkStep(
  op: string,
  names: readonly string[],
  scalars: readonly (readonly [string, Tensor, 'float64' | 'int32'])[],
  params: readonly StepParam[],
): void {
  for (const [name, x, dtype] of scalars) {
    if (x.shape.length !== 0 || x.dtype !== dtype) {
      throw new DTypeError(`${op}: got ${name} of ${x.dtype} [${x.shape}], expected a ${dtype} scalar`);
    }
  }
  if (params.length === 0) throw new OptionError(`${op}: got no parameters, expected at least one`);
  const { dtype } = params[0].w;
  for (const [i, { w, g, slots }] of params.entries()) {
    if (slots.length !== names.length) {
      throw new OptionError(
        `${op}: parameter ${i} has ${slots.length} slots, expected ${names.length}: [${names.join(', ')}]`,
      );
    }
    for (const t of [g, ...slots]) {
      if (!sameShape(t.shape, w.shape)) {
        throw new ShapeError(`${op}: parameter ${i}: got [${w.shape}] and [${t.shape}], expected one shape`);
      }
    }
    for (const t of [w, g, ...slots]) {
      if (t.dtype === dtype && isFloat(t.dtype)) continue;
      throw new DTypeError(
        `${op}: parameter ${i}: got ${t.dtype}, expected ${dtype} throughout; step each float dtype on its own`,
      );
    }
  }
}

/**
 * One step of an optimizer's rule on all parameters, as nodes to assign to their cells: one native instruction, in place.
 * Formulas are in the classes of `optim`, which are made of this.
 * @param rule its name; `ruleSlots(rule, attrs)` says which slots it keeps
 * @param attrs options; they are part of the program
 * @param lr float64 scalar, see `hostScalar`
 * @param step int32 scalar, steps done so far
 * @param params weights, gradients and slots, all float32 or all float64
 * @param controls `scale` multiplies every gradient first; a `gate` of 0 makes the step do nothing
 * @returns the next step count, weights and slots, in the order given
 * @throws ShapeError, DTypeError, OptionError when the operands do not fit together
 * @example
 * const attrs = { momentum: 0, dampening: 0, nesterov: false, form: 'sum' } as const;
 * const { params: [p] } = optimizerStep('sgd', attrs, hostScalar(() => 0.1), step.read(), [{ w: w.read(), g, slots: [] }]);
 * w.assign(p.w);
 */
export function optimizerStep<R extends OptimizerRule>(
  rule: R,
  attrs: RuleAttrs[R] & StepAttrs,
  lr: Tensor,
  step: Tensor,
  params: readonly StepParam[],
  { scale = null, gate = null }: StepControls = {},
): { step: Tensor; params: { w: Tensor; slots: Tensor[] }[] } {
  const names = ruleSlots(rule, attrs);
  const controls = [scale, gate].filter((x) => x !== null);
  checkStep(
    `optimizerStep("${rule}")`,
    names,
    [
      ['lr', lr, 'float64'],
      ['step', step, 'int32'],
      ['scale', scale ?? lr, 'float64'],
      ['gate', gate ?? lr, 'float64'],
    ],
    params,
  );
  const inputs = [lr, step, ...controls, ...params.flatMap(({ w, g, slots }) => [w, g, ...slots])];
  const given = { ...(scale === null ? {} : { scaled: true }), ...(gate === null ? {} : { gated: true }) };
  const [next, ...outs] = buildAll(optimOps[rule], inputs, { ...attrs, ...given });
  const width = 1 + names.length;
  const results = params.map((_, i) => {
    const [w, ...slots] = outs.slice(width * i, width * (i + 1));
    return { w, slots };
  });
  return { step: next, params: results };
}

/**
 * Sum of the squares of all elements of all tensors, in one pass and added in float64: the square of their Euclidean norm.
 * @param xs float tensors of one dtype, of any shapes
 * @returns float64 scalar
 * @throws OptionError without a tensor, DTypeError for integers, bool and mixed dtypes
 * @example sumSquares([tensor([3, 4])]); // 25
 */
export function sumSquares(xs: readonly Tensor[]): Tensor {
  if (xs.length === 0) throw new OptionError('sumSquares: got no tensors, expected at least one');
  const [{ dtype }] = xs;
  for (const x of xs) {
    checkDType('sumSquares', x.dtype, 'float');
    if (x.dtype !== dtype) throw new DTypeError(`sumSquares: got ${dtype} and ${x.dtype}, expected one dtype`);
  }
  return build(optimOps.sumSquares, xs);
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
    return list.length === 0 ? [] : [sumSquares(list)];
  });
  if (sums.length === 0) throw new OptionError('clipScale: got no gradients, expected at least one');
  return minimum(1, div(maxNorm, add(sqrt(sums.reduce((a, b) => add(a, b))), 1e-6)));
}
