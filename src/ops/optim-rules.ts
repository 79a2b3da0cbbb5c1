/**
 * The arithmetic a rule is written in. On numbers it gives the float64 reference, on tensors the decomposition into fine ops;
 * the kernel in native/kernels/optim.inl.h is a third, independent form.
 */
export interface Arithmetic<V> {
  add(a: V | number, b: V | number): V;
  sub(a: V | number, b: V | number): V;
  mul(a: V | number, b: V | number): V;
  div(a: V | number, b: V | number): V;
  max(a: V | number, b: V | number): V;
  min(a: V | number, b: V | number): V;
  pow(a: number, b: V): V;
  sqrt(a: V): V;
  abs(a: V): V;
  sign(a: V): V;
  /** a > 0 ? b : c */
  select(a: V, b: V | number, c: V | number): V;
  /** f(1) f(2) … f(t), for an f such that the first `terms` factors make a product that is nothing beside 1. */
  product(t: V, terms: number, f: (i: V) => V): V;
}

type Fields<V> = Omit<Arithmetic<V>, 'product'>;

/** Options of each rule, without those every rule has ({@link StepAttrs}). Formulas are in native/program/opcodes.inc. */
export interface RuleAttrs {
  sgd: {
    readonly momentum: number;
    readonly dampening: number;
    readonly nesterov: boolean;
    readonly form: 'sum' | 'scaled' | 'negative' | 'average';
  };
  adam: {
    readonly beta1: number;
    readonly beta2: number;
    readonly eps: number;
    readonly epsInSqrt: boolean;
    readonly biasCorrection: boolean;
    readonly amsgrad: boolean;
  };
  rmsprop: {
    readonly alpha: number;
    readonly eps: number;
    readonly epsInSqrt: boolean;
    readonly momentum: number;
    readonly centered: boolean;
  };
  adagrad: { readonly lrDecay: number; readonly eps: number; readonly epsInSqrt: boolean };
  adadelta: { readonly rho: number; readonly eps: number };
  adamax: { readonly beta1: number; readonly beta2: number; readonly eps: number };
  nadam: { readonly beta1: number; readonly beta2: number; readonly eps: number; readonly momentumDecay: number };
  radam: { readonly beta1: number; readonly beta2: number; readonly eps: number };
  lion: { readonly beta1: number; readonly beta2: number };
  rprop: {
    readonly etaMinus: number;
    readonly etaPlus: number;
    readonly stepMin: number;
    readonly stepMax: number;
  };
  deltaBarDelta: { readonly theta: number; readonly kappa: number; readonly phi: number };
  /** An average of weights: w follows g. */
  ema: { readonly decay: number; readonly biasCorrection: boolean };
  /** `ratio: false`: the step has the length it has without a trust ratio. */
  lars: { readonly momentum: number; readonly trustCoefficient: number; readonly eps: number; readonly ratio: boolean };
  lamb: { readonly beta1: number; readonly beta2: number; readonly eps: number; readonly ratio: boolean };
  adafactor: {
    readonly beta2Decay: number;
    /** null: the epsilon of the dtype. */
    readonly eps1: number | null;
    readonly eps2: number;
    readonly d: number;
  };
  muon: {
    readonly momentum: number;
    readonly nesterov: boolean;
    readonly eps: number;
    readonly nsCoefficients: readonly [number, number, number];
    readonly nsSteps: number;
    readonly adjustLr: 'original' | 'matchRmsAdamW';
  };
}
export type OptimizerRule = keyof RuleAttrs;
/** Rules that look at whole parameters: see optim-whole.ts. */
export type WholeRule = 'lars' | 'lamb' | 'adafactor' | 'muon';
type ElementwiseRule = Exclude<OptimizerRule, WholeRule>;

/** What every rule says about its instruction. */
export interface RuleWords<A> {
  /** Slots in the order of the instruction; a missing name is a slot that these options do not have. */
  slots(a: A): readonly (string | null)[];
  /** The rule's own bits of the flags word, from 4 on. */
  flags(a: A): number;
  /** The options in the order of the instruction. */
  options(a: A): readonly number[];
}

/** One rule: how a weight and its slots (moments, step sizes) follow from the gradient. */
export interface Rule<A> extends RuleWords<A> {
  /** Scalars of step t (counted from 1), in float64. */
  scalars<V>(o: Arithmetic<V>, a: A, lr: V, t: V): readonly (V | number)[];
  /** The new weight and slots; `s` are the scalars in the dtype of the weight. */
  step<V>(
    o: Arithmetic<V>,
    a: A,
    w: V,
    g: V,
    slots: readonly V[],
    s: readonly (V | number)[],
  ): readonly [V, ...(readonly V[])];
}

export const NUMBERS: Arithmetic<number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
  pow: (a, b) => a ** b,
  sqrt: Math.sqrt,
  abs: Math.abs,
  sign: Math.sign,
  select: (a, b, c) => (a > 0 ? b : c),
  product: (t, terms, f) => {
    let result = 1;
    for (let i = 1; i <= Math.min(t, terms); i++) result *= f(i);
    return result;
  },
};

export const bits = (...flags: boolean[]): number => flags.reduce((word, flag, i) => word + (flag ? 4 << i : 0), 0);
/** a + r (b - a), written so that neither end loses digits. */
export const mix = <V>(o: Fields<V>, kept: number, a: V, b: V): V => o.add(o.mul(kept, a), o.mul(1 - kept, b));
export const averaged = <V>(o: Fields<V>, beta: number, v: V, g: V): V => mix(o, beta, v, o.mul(g, g));
/** 1 - betaᵗ */
export const missing = <V>(o: Fields<V>, beta: number, t: V): V => o.sub(1, o.pow(beta, t));
const root = <V>(o: Fields<V>, a: { eps: number; epsInSqrt: boolean }, v: V): V =>
  a.epsInSqrt ? o.sqrt(o.add(v, a.eps)) : o.add(o.sqrt(v), a.eps);

const FORMS = ['sum', 'scaled', 'negative', 'average'] as const;

/** NAdam's shrinking of β₁: 1 - 0.96^(t ψ) / 2. */
const nadamShrink = (a: RuleAttrs['nadam']): number => 0.96 ** a.momentumDecay;

export const RULES: { readonly [R in ElementwiseRule]: Rule<RuleAttrs[R]> } = {
  sgd: {
    slots: (a) => [a.momentum === 0 ? null : 'momentumBuffer'],
    flags: (a) => bits(a.nesterov) + 8 * FORMS.indexOf(a.form),
    options: (a) => [a.momentum, a.dampening],
    scalars: (o, a, lr, t) => {
      if (a.momentum === 0) return [lr];
      const later = o.min(o.sub(t, 1), 1); // 0 at the first step
      switch (a.form) {
        case 'sum':
          return [lr, o.mul(later, a.momentum), o.sub(1, o.mul(later, a.dampening))];
        case 'scaled':
          return [1, a.momentum, lr];
        case 'negative':
          return [-1, a.momentum, o.mul(-1, lr)];
        case 'average':
          return [lr, a.momentum, 1 - a.momentum];
      }
    },
    step: (o, a, w, g, [v], [rate, keep, fresh]) => {
      if (v === undefined) return [o.sub(w, o.mul(rate, g))];
      const added = o.mul(fresh, g);
      const velocity = o.add(o.mul(keep, v), added);
      return [o.sub(w, o.mul(rate, a.nesterov ? o.add(added, o.mul(a.momentum, velocity)) : velocity)), velocity];
    },
  },
  adam: {
    slots: (a) => ['expAvg', 'expAvgSq', a.amsgrad ? 'maxExpAvgSq' : null],
    flags: (a) => bits(a.epsInSqrt, !a.biasCorrection),
    options: (a) => [a.beta1, a.beta2, a.eps],
    scalars: (o, a, lr, t) =>
      a.biasCorrection ? [o.div(lr, missing(o, a.beta1, t)), missing(o, a.beta2, t)] : [lr, 1],
    step: (o, a, w, g, [m, v, top], [rate, correction]) => {
      const first = mix(o, a.beta1, m, g);
      const second = averaged(o, a.beta2, v, g);
      const greatest = top === undefined ? second : o.max(top, second);
      const next = o.sub(w, o.mul(rate, o.div(first, root(o, a, o.div(greatest, correction)))));
      return top === undefined ? [next, first, second] : [next, first, second, greatest];
    },
  },
  rmsprop: {
    slots: (a) => ['squareAvg', a.centered ? 'gradAvg' : null, a.momentum === 0 ? null : 'momentumBuffer'],
    flags: (a) => bits(a.epsInSqrt),
    options: (a) => [a.alpha, a.eps, a.momentum],
    scalars: (_, __, lr) => [lr],
    step: (o, a, w, g, [v, ...others], [rate]) => {
      const second = averaged(o, a.alpha, v, g);
      const avg = a.centered ? mix(o, a.alpha, others[0], g) : null;
      const scaled = o.div(g, root(o, a, avg === null ? second : o.sub(second, o.mul(avg, avg))));
      const buf = a.momentum === 0 ? null : o.add(o.mul(a.momentum, others[others.length - 1]), scaled);
      const rest = [avg, buf].filter((x) => x !== null);
      return [o.sub(w, o.mul(rate, buf ?? scaled)), second, ...rest];
    },
  },
  adagrad: {
    slots: () => ['sum'],
    flags: (a) => bits(a.epsInSqrt),
    options: (a) => [a.lrDecay, a.eps],
    scalars: (o, a, lr, t) => [o.div(lr, o.add(1, o.mul(a.lrDecay, o.sub(t, 1))))],
    step: (o, a, w, g, [v], [rate]) => {
      const total = o.add(v, o.mul(g, g));
      return [o.sub(w, o.mul(rate, o.div(g, root(o, a, total)))), total];
    },
  },
  adadelta: {
    slots: () => ['squareAvg', 'accDelta'],
    flags: () => 0,
    options: (a) => [a.rho, a.eps],
    scalars: (_, __, lr) => [lr],
    step: (o, a, w, g, [v, u], [rate]) => {
      const second = averaged(o, a.rho, v, g);
      const delta = o.mul(o.div(o.sqrt(o.add(u, a.eps)), o.sqrt(o.add(second, a.eps))), g);
      return [o.sub(w, o.mul(rate, delta)), second, averaged(o, a.rho, u, delta)];
    },
  },
  adamax: {
    slots: () => ['expAvg', 'expInf'],
    flags: () => 0,
    options: (a) => [a.beta1, a.beta2, a.eps],
    scalars: (o, a, lr, t) => [o.div(lr, missing(o, a.beta1, t))],
    step: (o, a, w, g, [m, u], [rate]) => {
      const first = mix(o, a.beta1, m, g);
      const norm = o.max(o.mul(a.beta2, u), o.add(o.abs(g), a.eps));
      return [o.sub(w, o.div(o.mul(rate, first), norm)), first, norm];
    },
  },
  nadam: {
    slots: () => ['expAvg', 'expAvgSq'],
    flags: () => 0,
    options: (a) => [a.beta1, a.beta2, a.eps, nadamShrink(a)],
    scalars: (o, a, lr, t) => {
      const momentum = <V>(p: Arithmetic<V>, i: V) => p.mul(a.beta1, p.sub(1, p.mul(0.5, p.pow(nadamShrink(a), i))));
      const terms = a.beta1 === 0 ? 1 : Math.ceil(Math.log(2 ** -60) / Math.log(a.beta1));
      const [mu, next] = [momentum(o, t), momentum(o, o.add(t, 1))];
      const product = o.product(t, terms, (i) => momentum(o, i));
      return [
        missing(o, a.beta2, t),
        o.div(o.mul(lr, o.sub(1, mu)), o.sub(1, product)),
        o.div(o.mul(lr, next), o.sub(1, o.mul(product, next))),
      ];
    },
    step: (o, a, w, g, [m, v], [correction, ofG, ofM]) => {
      const first = mix(o, a.beta1, m, g);
      const second = averaged(o, a.beta2, v, g);
      const below = o.add(o.sqrt(o.div(second, correction)), a.eps);
      return [o.sub(w, o.div(o.add(o.mul(ofG, g), o.mul(ofM, first)), below)), first, second];
    },
  },
  radam: {
    slots: () => ['expAvg', 'expAvgSq'],
    flags: () => 0,
    options: (a) => [a.beta1, a.beta2, a.eps],
    scalars: (o, a, lr, t) => {
      const most = 2 / (1 - a.beta2) - 1;
      const [kept, correction] = [o.pow(a.beta2, t), missing(o, a.beta2, t)];
      const r = o.sub(most, o.div(o.mul(2, o.mul(t, kept)), correction));
      const enough = o.sub(r, 5);
      const safe = o.max(r, 5); // the branch that is not taken must not be NaN
      const above = o.mul(o.mul(o.sub(safe, 4), o.sub(safe, 2)), most);
      const rectified = o.sqrt(o.div(above, o.mul((most - 4) * (most - 2), safe)));
      const plain = o.div(lr, missing(o, a.beta1, t));
      return [
        o.select(enough, 1, 0),
        o.select(enough, a.eps, 1),
        o.select(enough, o.mul(plain, o.mul(rectified, o.sqrt(correction))), plain),
      ];
    },
    step: (o, a, w, g, [m, v], [ofRoot, base, rate]) => {
      const first = mix(o, a.beta1, m, g);
      const second = averaged(o, a.beta2, v, g);
      const below = o.add(o.mul(ofRoot, o.sqrt(second)), base);
      return [o.sub(w, o.div(o.mul(rate, first), below)), first, second];
    },
  },
  lion: {
    slots: () => ['expAvg'],
    flags: () => 0,
    options: (a) => [a.beta1, a.beta2],
    scalars: (_, __, lr) => [lr],
    step: (o, a, w, g, [m], [rate]) => [o.sub(w, o.mul(rate, o.sign(mix(o, a.beta1, m, g)))), mix(o, a.beta2, m, g)],
  },
  rprop: {
    slots: () => ['prev', 'stepSize'],
    flags: () => 0,
    options: (a) => [a.etaMinus, a.etaPlus, a.stepMin, a.stepMax],
    scalars: () => [],
    step: (o, a, w, g, [prev, rate]) => {
      const agreement = o.mul(g, prev);
      const opposite = o.mul(-1, agreement);
      const factor = o.select(agreement, a.etaPlus, o.select(opposite, a.etaMinus, o.add(1, o.mul(0, agreement))));
      const next = o.min(o.max(o.mul(rate, factor), a.stepMin), a.stepMax);
      const used = o.select(opposite, 0, g);
      return [o.sub(w, o.mul(next, o.sign(used))), used, next];
    },
  },
  deltaBarDelta: {
    slots: () => ['deltaBar', 'rate'],
    flags: () => 0,
    options: (a) => [a.theta, a.kappa, a.phi],
    scalars: () => [],
    step: (o, a, w, g, [bar, rate]) => {
      const agreement = o.mul(g, bar);
      const shorter = o.select(o.mul(-1, agreement), o.mul(rate, 1 - a.phi), rate);
      const next = o.select(agreement, o.add(rate, a.kappa), shorter);
      return [o.sub(w, o.mul(next, g)), mix(o, a.theta, bar, g), next];
    },
  },
  ema: {
    slots: () => [],
    flags: (a) => bits(a.biasCorrection),
    options: (a) => [a.decay],
    scalars: (o, a, _, t) => {
      if (a.biasCorrection) return [o.div(1 - a.decay, missing(o, a.decay, t))];
      return [o.sub(1, o.mul(o.min(o.sub(t, 1), 1), a.decay))];
    },
    step: (o, _, w, g, __, [rate]) => [o.add(o.mul(o.sub(1, rate), w), o.mul(rate, g))],
  },
};
