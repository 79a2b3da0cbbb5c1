import { type DType, isFloat } from '../dtype.js';
import { DTypeError, OptionError, ShapeError } from '../errors.js';
import { f64Words, type OpDef, type RefArray } from '../graph/op.js';
import { type Attrs, build, buildAll, Tensor } from '../graph/tensor.js';
import { checkList, shown } from '../options.js';
import { type Shape, sameShape, sizeOf } from '../shape.js';
import { greater, lessEqual, logicalAnd, notEqual, where } from './compare.js';
import { arange } from './create.js';
import { type ArrayReference, checkDType, defineOp } from './define.js';
import { abs, add, div, maximum, minimum, mul, neg, pow, sign, sqrt, square, sub } from './elementwise.js';
import { matmul } from './matmul.js';
import { reshape } from './movement.js';
import { cast } from './operand.js';
import {
  type Arithmetic,
  NUMBERS,
  type OptimizerRule,
  RULES,
  type Rule,
  type RuleAttrs,
  type RuleWords,
  type WholeRule,
} from './optim-rules.js';
import { ARRAYS, mapArrays, scalarArray, WHOLE_RULES, type Whole, type WholeArithmetic } from './optim-whole.js';
import { mean, prod, sum } from './reduce.js';

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

/** Weight, gradient and slots (as `ruleSlots` names them) of one parameter, of one shape but for Adafactor's slots. */
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

const WHOLE_TENSORS: WholeArithmetic<Tensor> = {
  ...TENSORS,
  power: pow,
  trust: (a, b, ratio) => where(logicalAnd(greater(a, 0), greater(b, 0)), ratio, 1),
  norm: (x) => sqrt(sumSquares([x])),
  mean: (x, axis) => mean(x, { axis, keepDims: true }),
  matmul: (a, b, transA, transB) => matmul(a, b, { transA, transB }),
  reshape,
  like: (w, x) => cast(x, w.dtype),
  shape: (x) => x.shape,
};

/** Weight, gradient and slots of one parameter in either form, and what they are stepped with. */
interface StepOf<V> {
  readonly w: V;
  /** After scale, clipping, the sign of `maximize` and the penalty. */
  readonly g: V;
  readonly slots: readonly V[];
  readonly lr: V;
  /** Counts this step from 1, float64. */
  readonly t: V;
  readonly epsilon: number;
}

/** A rule on the float64 arrays of the reference and on tensors: the new weight and slots. */
interface Forms<A> {
  arrays(a: A & StepAttrs, p: StepOf<RefArray>): readonly RefArray[];
  tensors(a: A & StepAttrs, p: StepOf<Tensor>): readonly Tensor[];
  /** The instruction's sizes of a parameter of this shape. */
  sizes(shape: Shape): readonly number[];
  slotShape(index: number, shape: Shape): Shape;
}

function elementwiseForms<A>(rule: Rule<A>): Forms<A> {
  return {
    sizes: (shape) => [sizeOf(shape)],
    slotShape: (_, shape) => shape,
    arrays: (
      a,
      {
        w,
        g,
        slots,
        lr: {
          data: [lr],
        },
        t: {
          data: [t],
        },
      },
    ) => {
      const scalars = rule.scalars(NUMBERS, a, lr, t);
      const { weightDecay = 0, decoupled = false } = a;
      const results = [w, ...slots].map((x) => ({ data: x.data.slice(), shape: x.shape }));
      for (let i = 0; i < w.data.length; i++) {
        const weight = decoupled ? w.data[i] * (1 - lr * weightDecay) : w.data[i];
        const d = decoupled ? g.data[i] : g.data[i] + weightDecay * weight;
        const next = rule.step(
          NUMBERS,
          a,
          weight,
          d,
          slots.map((s) => s.data[i]),
          scalars,
        );
        next.forEach((x, k) => {
          results[k].data[i] = x;
        });
      }
      return results;
    },
    tensors: (a, { w, g, slots, lr, t }) => {
      const { weightDecay = 0, decoupled = false } = a;
      const scalars = rule.scalars(TENSORS, a, lr, t);
      const narrow = scalars.map((s) => (typeof s === 'number' ? s : cast(s, w.dtype)));
      if (weightDecay === 0) return rule.step(TENSORS, a, w, g, slots, narrow);
      if (!decoupled) return rule.step(TENSORS, a, w, add(g, mul(weightDecay, w)), slots, narrow);
      const kept = mul(w, cast(sub(1, mul(lr, weightDecay)), w.dtype));
      return rule.step(TENSORS, a, kept, g, slots, narrow);
    },
  };
}

function wholeForms<A>(rule: Whole<A>): Forms<A> {
  const given = ({ weightDecay: decay = 0, decoupled = false }: StepAttrs) => ({ decay, decoupled });
  return {
    sizes: rule.matrices ?? ((shape) => [sizeOf(shape)]),
    slotShape: (i, shape) => rule.slotShape?.(i, shape) ?? shape,
    arrays: (a, p) => rule.step(ARRAYS, a, { ...p, ...given(a) }),
    tensors: (a, p) => rule.step(WHOLE_TENSORS, a, { ...p, ...given(a) }),
  };
}

const WORDS: { readonly [R in OptimizerRule]: RuleWords<RuleAttrs[R]> } = { ...RULES, ...WHOLE_RULES };

function formsOf<R extends OptimizerRule>(name: R): Forms<RuleAttrs[R]> {
  if (name in WHOLE_RULES) return wholeForms(WHOLE_RULES[name as WholeRule] as unknown as Whole<RuleAttrs[R]>);
  return elementwiseForms(RULES[name as keyof typeof RULES] as unknown as Rule<RuleAttrs[R]>);
}

const EPSILON = { float32: 2 ** -23, float64: 2 ** -52 };
const epsilonOf = (dtype: DType): number => EPSILON[dtype === 'float64' ? 'float64' : 'float32'];

/**
 * inputs: lr, step, then scale and gate if attrs says so, then for each parameter w, g, slots. Outputs: step + 1, then for each
 * parameter w, slots, each replacing the input of the same meaning.
 */
function defineStep<R extends OptimizerRule>(name: R, code: number): OpDef {
  const words = WORDS[name];
  const forms = formsOf(name);
  const optionsOf = (attrs: Attrs) => attrs as unknown as RuleAttrs[R] & StepAttrs;
  const slotsOf = (attrs: Attrs) => ruleSlots(name, optionsOf(attrs)).length;
  const firstOf = (attrs: Attrs) => 2 + Number(attrs.scaled === true) + Number(attrs.gated === true);
  const layout = (inputs: readonly unknown[], attrs: Attrs) => {
    const slots = slotsOf(attrs);
    const scale = attrs.scaled === true ? 2 : -1;
    const gate = attrs.gated === true ? 2 + Number(attrs.scaled === true) : -1;
    const first = firstOf(attrs);
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
    const step = inputs[1].data[0];
    const shut = gate > 0 && inputs[gate].data[0] === 0;
    const results: RefArray[] = [{ data: Float64Array.of(shut ? step : step + 1), shape: [] }];
    const factor = scale > 0 ? inputs[scale].data[0] : 1;
    const { clipValue = Infinity, l1 = 0, maximize = false } = a;
    const shape = (g: number, w: number) => {
      const clipped = Math.min(Math.max(g * factor, -clipValue), clipValue);
      return (maximize ? -clipped : clipped) + l1 * Math.sign(w);
    };
    for (const { g: at, replaced } of params) {
      const [w, ...slots] = replaced.map(([from]) => inputs[from]);
      const g = mapArrays(shape, inputs[at], w);
      const epsilon = epsilonOf(outs[replaced[0][1]].dtype);
      const p = { w, g, slots, lr: inputs[0], t: scalarArray(step + 1), epsilon };
      results.push(...(shut ? [w, ...slots] : forms.arrays(a, p)));
    }
    return results;
  };
  return defineOp(name, {
    kind: 'coarse',
    vjp: null,
    reference,
    // Of every parameter all but the gradient. Every step of a loop that is not compiled comes here, so no layout is made.
    infer: (inputs, attrs) => {
      const first = firstOf(attrs);
      const period = 2 + slotsOf(attrs);
      return [inputs[1], ...inputs.slice(first).filter((_, i) => i % period !== 1)];
    },
    aliases: (inputs, attrs) => {
      const pairs = layout(inputs, attrs).params.flatMap((p) => p.replaced.map(([from, to]) => [to, from] as const));
      return [[0, 1], ...pairs];
    },
    lower: ({ inputs, attrs }) => {
      const a = optionsOf(attrs);
      const { scale, gate, params } = layout(inputs, attrs);
      const { clipValue = Infinity, l1 = 0, weightDecay = 0, decoupled = false, maximize = false } = a;
      const present = words.slots(a).reduce((word, slot, i) => word + (slot === null ? 0 : 1 << i), 0);
      const doubles = [...words.options(a), weightDecay, clipValue, l1].flatMap(f64Words);
      const operands = params.flatMap(({ g, replaced: [[from, to], ...slots] }) => [
        ...forms.sizes(inputs[from].shape),
        { out: to },
        { in: g },
        ...slots.map(([, out]) => ({ out })),
      ]);
      const scalar = (i: number) => (i > 0 ? { in: i } : ('none' as const));
      return {
        opcode: 'OPTIM',
        params: [code, Number(maximize) + 2 * Number(decoupled) + words.flags(a), present, ...doubles],
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
      const t = cast(add(step, 1), 'float64');
      const outs: Tensor[] = [gated(add(step, 1), step)];
      for (const { g: at, replaced } of params) {
        const [w, ...slots] = replaced.map(([from]) => inputs[from]);
        const g = shaped(w, inputs[at], scale > 0 ? inputs[scale] : null, a);
        const next = forms.tensors(a, { w, g, slots, lr, t, epsilon: epsilonOf(w.dtype) });
        outs.push(...next.map((x, i) => gated(x, i === 0 ? w : slots[i - 1])));
      }
      return outs;
    },
  });
}

/** The gradient as every rule sees it, before weight decay. */
function shaped(w: Tensor, g: Tensor, scale: Tensor | null, a: StepAttrs): Tensor {
  const { clipValue, l1 = 0 } = a;
  const scaled = scale === null ? g : mul(g, cast(scale, g.dtype));
  const clipped = clipValue === undefined ? scaled : minimum(maximum(scaled, -clipValue), clipValue);
  const signed = a.maximize === true ? neg(clipped) : clipped;
  return l1 === 0 ? signed : add(signed, mul(l1, sign(w)));
}

/** Names of the state tensors that a rule with these options keeps beside each weight, in order. */
export function ruleSlots<R extends OptimizerRule>(rule: R, attrs: RuleAttrs[R]): readonly string[] {
  return WORDS[rule].slots(attrs).filter((name) => name !== null);
}

/** Shape of slot number `index` of {@link ruleSlots} beside a weight of `shape`. */
export function ruleSlotShape(rule: OptimizerRule, index: number, shape: Shape): Shape {
  return formsOf(rule).slotShape(index, shape);
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
  lars: defineStep('lars', 12),
  lamb: defineStep('lamb', 13),
  adafactor: defineStep('adafactor', 14),
  muon: defineStep('muon', 15),
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
  slotShape: (index: number, shape: Shape) => Shape,
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
  for (let i = 0; i < params.length; i++) {
    const { w, g, slots } = params[i];
    if (slots.length !== names.length) {
      throw new OptionError(
        `${op}: parameter ${i} has ${slots.length} slots, expected ${names.length}: [${names.join(', ')}]`,
      );
    }
    for (let k = 0; k <= slots.length; k++) {
      const t = k === 0 ? g : slots[k - 1];
      const expected = k === 0 ? w.shape : slotShape(k - 1, w.shape);
      if (sameShape(t.shape, expected)) continue;
      const what = k === 0 ? 'the gradient' : names[k - 1];
      throw new ShapeError(
        `${op}: parameter ${i}: got ${what} of [${t.shape}], expected [${expected}] beside a weight of [${w.shape}]`,
      );
    }
    const other =
      !isFloat(dtype) || w.dtype !== dtype ? w : g.dtype !== dtype ? g : slots.find((t) => t.dtype !== dtype);
    if (other === undefined) continue;
    throw new DTypeError(
      `${op}: parameter ${i}: got ${other.dtype}, expected ${dtype} throughout; step each float dtype on its own`,
    );
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
  checkStep(
    `optimizerStep("${rule}")`,
    (index, shape) => ruleSlotShape(rule, index, shape),
    names,
    [
      ['lr', lr, 'float64'],
      ['step', step, 'int32'],
      ['scale', scale ?? lr, 'float64'],
      ['gate', gate ?? lr, 'float64'],
    ],
    params,
  );
  const inputs = [lr, step];
  if (scale !== null) inputs.push(scale);
  if (gate !== null) inputs.push(gate);
  for (const { w, g, slots } of params) {
    inputs.push(w, g);
    for (const slot of slots) inputs.push(slot);
  }
  const given = { ...(scale === null ? {} : { scaled: true }), ...(gate === null ? {} : { gated: true }) };
  const outs = buildAll(optimOps[rule], inputs, { ...attrs, ...given });
  let at = 1;
  const results = params.map(() => {
    const w = outs[at++];
    const slots: Tensor[] = [];
    for (let k = 0; k < names.length; k++) slots.push(outs[at++]);
    return { w, slots };
  });
  return { step: outs[0], params: results };
}

function checkTensors(op: string, list: unknown): void {
  checkList(op, 'tensors', list, 'tensors');
  for (const x of list as readonly unknown[]) {
    if (!(x instanceof Tensor)) throw new OptionError(`${op}: got ${shown(x)} among the tensors, expected tensors`);
  }
}

/**
 * Sum of the squares of all elements of all tensors, in one pass and added in float64: the square of their Euclidean norm.
 * @param xs float tensors of one dtype, of any shapes
 * @returns float64 scalar
 * @throws OptionError without a tensor, DTypeError for integers, bool and mixed dtypes
 * @example sumSquares([tensor([3, 4])]); // 25
 */
export function sumSquares(xs: readonly Tensor[]): Tensor {
  checkTensors('sumSquares', xs);
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
  checkTensors('clipScale', grads);
  if (!(typeof maxNorm === 'number' && maxNorm > 0))
    throw new OptionError(`clipScale: got maxNorm = ${shown(maxNorm)}, expected a number > 0`);
  for (const { dtype } of grads) checkDType('clipScale', dtype, 'float');
  const sums = (['float32', 'float64'] as const).flatMap((dtype) => {
    const list = grads.filter((g) => g.dtype === dtype);
    return list.length === 0 ? [] : [sumSquares(list)];
  });
  if (sums.length === 0) throw new OptionError('clipScale: got no gradients, expected at least one');
  return minimum(1, div(maxNorm, add(sqrt(sums.reduce((a, b) => add(a, b))), 1e-6)));
}
