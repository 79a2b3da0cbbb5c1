import { fullLeaf } from '../../src/graph/leaves.js';
import { build, type Tensor } from '../../src/graph/tensor.js';
import {
  abs,
  add,
  clipScale,
  type OptimizerRule,
  optimizerStep,
  type RuleAttrs,
  ruleSlotShape,
  ruleSlots,
  type StepAttrs,
} from '../../src/ops/index.js';
import { optimOps } from '../../src/ops/optim.js';
import { float, floats, type OpCase } from './case.js';

const lr = () => fullLeaf([], 0.1, 'float64');
const stepAt = (n: number) => fullLeaf([], n, 'int32');
const scale = () => fullLeaf([], 0.7, 'float64');

const SGD = { momentum: 0, dampening: 0, nesterov: false, form: 'sum' } as const;
const ADAM = { beta1: 0.9, beta2: 0.999, eps: 1e-8, epsInSqrt: false, biasCorrection: true, amsgrad: false };
const RMSPROP = { alpha: 0.9, eps: 1e-2, epsInSqrt: false, momentum: 0, centered: false };
const ADAGRAD = { lrDecay: 0, eps: 1e-10, epsInSqrt: false };
const MOMENTS = { beta1: 0.9, beta2: 0.99, eps: 1e-3 };
const L2 = { weightDecay: 0.01, maximize: true };
const DECOUPLED = { weightDecay: 0.1, decoupled: true };
/** Options that change every gradient; these cases get a scale as clipping by norm gives it as well. */
const SHAPED = { clipValue: 0.25, l1: 0.03 };

type WholeRule = 'lars' | 'lamb' | 'adafactor' | 'muon';
type ElementwiseRule = Exclude<OptimizerRule, WholeRule>;
type Variants<R extends OptimizerRule> = Readonly<Record<string, RuleAttrs[R] & StepAttrs>>;
/** Every option of every rule at least once. */
const VARIANTS: { readonly [R in ElementwiseRule]: Variants<R> } = {
  sgd: {
    plain: SGD,
    'weight decay, maximize': { ...SGD, ...L2 },
    decoupled: { ...SGD, ...DECOUPLED, momentum: 0.5 },
    momentum: { ...SGD, momentum: 0.9 },
    dampening: { ...SGD, momentum: 0.9, dampening: 0.5, weightDecay: 0.1 },
    nesterov: { ...SGD, momentum: 0.9, nesterov: true },
    scaled: { ...SGD, momentum: 0.9, form: 'scaled' },
    'scaled, plain': { ...SGD, form: 'scaled' },
    'negative, nesterov': { ...SGD, momentum: 0.9, form: 'negative', nesterov: true },
    average: { ...SGD, momentum: 0.9, form: 'average' },
  },
  adam: {
    adam: ADAM,
    'l2, maximize': { ...ADAM, ...L2 },
    adamw: { ...ADAM, ...DECOUPLED },
    'large eps': { ...ADAM, eps: 0.1, beta1: 0 },
    amsgrad: { ...ADAM, amsgrad: true, eps: 0.01 },
    'eps inside, no correction': { ...ADAM, eps: 0.01, epsInSqrt: true, biasCorrection: false },
    'eps inside, amsgrad': { ...ADAM, eps: 0.01, epsInSqrt: true, amsgrad: true },
  },
  rmsprop: {
    rmsprop: RMSPROP,
    momentum: { ...RMSPROP, momentum: 0.9, maximize: true },
    centered: { ...RMSPROP, centered: true, weightDecay: 0.01 },
    'centered, momentum, eps inside': { ...RMSPROP, centered: true, momentum: 0.5, epsInSqrt: true },
  },
  adagrad: {
    adagrad: ADAGRAD,
    'decays, maximize': { lrDecay: 0.1, eps: 1e-3, epsInSqrt: false, ...L2 },
    'eps inside': { ...ADAGRAD, eps: 0.1, epsInSqrt: true, ...DECOUPLED },
  },
  adadelta: { adadelta: { rho: 0.9, eps: 1e-2 }, l2: { rho: 0.5, eps: 1e-2, ...L2 } },
  adamax: { adamax: MOMENTS, l2: { ...MOMENTS, ...L2 } },
  nadam: {
    nadam: { ...MOMENTS, momentumDecay: 4e-3 },
    decoupled: { ...MOMENTS, momentumDecay: 0.1, ...DECOUPLED },
    'no momentum': { ...MOMENTS, beta1: 0, momentumDecay: 0 },
  },
  radam: { radam: MOMENTS, decoupled: { ...MOMENTS, ...DECOUPLED } },
  lion: { lion: { beta1: 0.9, beta2: 0.99 }, decoupled: { beta1: 0.5, beta2: 0.9, ...DECOUPLED } },
  rprop: {
    rprop: { etaMinus: 0.5, etaPlus: 1.2, stepMin: 1e-6, stepMax: 50 },
    clamped: { etaMinus: 0.5, etaPlus: 1.2, stepMin: 1.1, stepMax: 1.3, ...L2 },
  },
  deltaBarDelta: {
    deltaBarDelta: { theta: 0.7, kappa: 1e-3, phi: 0.1 },
    l2: { theta: 0.5, kappa: 0.1, phi: 0.5, ...L2 },
  },
  ema: { ema: { decay: 0.9, biasCorrection: false }, corrected: { decay: 0.9, biasCorrection: true } },
};

/** Rules that look at the sign of a gradient have kinks. */
const KINKS: ReadonlySet<ElementwiseRule> = new Set(['lion', 'rprop', 'deltaBarDelta', 'adamax']);

/**
 * One step of every size in `sizes` at once. The slots are in [1, 2), so that roots are at least 0.5 and, before bias correction,
 * a step is below 4; at the first step Adam's second moment counts a thousandfold less, and its first one ten times more.
 */
function stepCase<R extends ElementwiseRule>(
  rule: R,
  name: string,
  attrs: RuleAttrs[R] & StepAttrs,
  sizes: readonly number[],
  steps: number,
  scaled = false,
): OpCase {
  const slots = ruleSlots(rule, attrs).length;
  const inputs = sizes.flatMap((n, i) => [
    float([n], -1, 1, 10 * i + 1),
    float([n], 0.1, 1, 10 * i + 2),
    ...Array.from({ length: slots }, (_, s) =>
      // The mean that centres RMSprop must be below the root of the mean of squares.
      rule === 'rmsprop' && s === 1 ? float([n], 0, 0.5, 10 * i + 4) : float([n], 1, 2, 10 * i + 3 + s),
    ),
  ]);
  const width = 2 + slots;
  return {
    name: `${name}${scaled ? ', scaled' : ''}, step ${steps}, sizes ${sizes}`,
    inputs,
    run: (...x) => {
      const params = sizes.map((_, i) => {
        const [w, g, ...rest] = x.slice(i * width, (i + 1) * width);
        return { w, g, slots: rest };
      });
      const next = optimizerStep(rule, attrs, lr(), stepAt(steps), params, scaled ? { scale: scale() } : {});
      return next.params.flatMap((p) => [p.w, ...p.slots]);
    },
    bound: {
      count: 16,
      scale: (...x) => x.filter((_, i) => i % width !== 1).map((t: Tensor) => add(abs(t), 10)),
    },
    ...(KINKS.has(rule) || scaled ? { grad: false } : {}),
  };
}

const SIZES = [[1], [0, 3], [15, 16, 17], [4, 33]];

function casesOf<R extends ElementwiseRule>(rule: R): OpCase[] {
  const variants = Object.entries(VARIANTS[rule]) as [string, RuleAttrs[R] & StepAttrs][];
  const [[first, attrs]] = variants;
  return [
    ...variants.flatMap(([name, a]) =>
      [0, 9].flatMap((steps) =>
        (a === attrs ? SIZES : [[4, 33]]).map((sizes) => stepCase(rule, name, a, sizes, steps)),
      ),
    ),
    ...[1, 17].flatMap((n) =>
      [false, true].map((maximize) => {
        const name = `clipped, l1${maximize ? ', maximize' : ''}`;
        return stepCase(rule, name, { ...attrs, ...SHAPED, maximize }, [n], 3, true);
      }),
    ),
    stepCase(rule, first, attrs, [100_003], 1),
  ];
}

const LARS = { momentum: 0.9, trustCoefficient: 0.1, eps: 1e-3, ratio: true };
const LAMB = { beta1: 0.9, beta2: 0.99, eps: 1e-2, ratio: true };
const ADAFACTOR = { beta2Decay: -0.8, eps1: null, eps2: 1e-3, d: 1 };
const MUON = {
  momentum: 0.9,
  nesterov: true,
  eps: 1e-7,
  nsCoefficients: [3.4445, -4.775, 2.0315],
  nsSteps: 5,
  adjustLr: 'original',
} as const;

/** Shapes stepped together, options, and the sum of roundings that a result may be off by, in eps of weights and slots below 10. */
const WHOLE: {
  readonly [R in WholeRule]: readonly (readonly [string, RuleAttrs[R] & StepAttrs, number[][], number])[];
} = {
  lars: [
    ['lars', LARS, [[0], [1], [15, 3]], 16],
    ['decay, maximize', { ...LARS, ...L2 }, [[4, 5], [17]], 16],
    ['clipped, no ratio', { ...LARS, ...SHAPED, weightDecay: 0.1, ratio: false }, [[3, 2]], 16],
    ['large', { ...LARS, weightDecay: 0.1 }, [[100_003], [3]], 16],
  ],
  lamb: [
    ['lamb', LAMB, [[0], [1], [15, 3]], 16],
    ['decay, maximize', { ...LAMB, ...L2 }, [[4, 5], [17]], 16],
    ['clipped, no ratio', { ...LAMB, ...SHAPED, weightDecay: 0.1, ratio: false }, [[3, 2]], 16],
    ['large', { ...LAMB, ...DECOUPLED }, [[100_003], [3]], 16],
  ],
  adafactor: [
    ['adafactor', ADAFACTOR, [[1], [5, 3], [17]], 16],
    ['coupled, maximize', { ...ADAFACTOR, ...L2, d: 1.5 }, [[2, 3, 2]], 16],
    [
      'decoupled, clipped',
      { ...ADAFACTOR, ...DECOUPLED, ...SHAPED, eps1: 1e-3, eps2: 1 },
      [
        [4, 5],
        [1, 7],
      ],
      16,
    ],
    ['large', { ...ADAFACTOR, ...DECOUPLED }, [[70, 1429], [33_000], [2, 3, 33, 35]], 16],
  ],
  // The iteration multiplies small singular values by up to 3.44 a step, and errors with them.
  muon: [
    [
      'muon',
      MUON,
      [
        [1, 1],
        [3, 5],
        [5, 3],
      ],
      256,
    ],
    ['plain, maximize', { ...MUON, ...L2, nesterov: false, nsSteps: 2 }, [[2, 3, 2]], 256],
    ['decoupled, clipped', { ...MUON, ...DECOUPLED, ...SHAPED, adjustLr: 'matchRmsAdamW' }, [[6, 4]], 256],
    [
      'large',
      { ...MUON, ...DECOUPLED },
      [
        [70, 131],
        [129, 66],
        [300, 2],
      ],
      256,
    ],
  ],
};

function wholeCases<R extends WholeRule>(rule: R): OpCase[] {
  return WHOLE[rule].flatMap(([name, attrs, shapes, count]) => {
    const slots = ruleSlots(rule, attrs).length;
    const width = 2 + slots;
    const inputs = shapes.flatMap((shape, i) => [
      float(shape, -1, 1, 10 * i + 1),
      float(shape, 0.1, 1, 10 * i + 2),
      ...Array.from({ length: slots }, (_, s) => float(ruleSlotShape(rule, s, shape), 1, 2, 10 * i + 3 + s)),
    ]);
    const large = name === 'large';
    return (large ? [9] : [0, 9]).map(
      (steps): OpCase => ({
        name: `${name}, step ${steps}`,
        inputs,
        run: (...x) => {
          const params = shapes.map((_, i) => {
            const [w, g, ...rest] = x.slice(i * width, (i + 1) * width);
            return { w, g, slots: rest };
          });
          const controls = 'clipValue' in attrs ? { scale: scale() } : {};
          const next = optimizerStep(rule, attrs, lr(), stepAt(steps), params, controls);
          return next.params.flatMap((p) => [p.w, ...p.slots]);
        },
        bound: { count, scale: (...x) => x.filter((_, i) => i % width !== 1).map((t: Tensor) => add(abs(t), 10)) },
        grad: false,
      }),
    );
  });
}

/** A closed gate leaves weight, slots and count; an open one is no gate. */
const gated = (gate: number): OpCase => ({
  name: `gate ${gate}`,
  inputs: [floats([1, 2]), floats([2, -2]), floats([0, 0])],
  run: (w, g, v) => {
    const attrs = { ...SGD, momentum: 0.5 };
    const controls = { gate: fullLeaf([], gate, 'float64') };
    const { step, params } = optimizerStep('sgd', attrs, lr(), stepAt(4), [{ w, g, slots: [v] }], controls);
    return [params[0].w, ...params[0].slots, step];
  },
  bound: { count: 4, scale: (w, _, v) => [abs(w), add(abs(v), 2), fullLeaf([], 0, 'int32')] },
  expected: gate === 0 ? [1, 2] : [0.8, 2.2],
  grad: false,
});

export const optimCases = {
  sgd: [
    ...casesOf('sgd'),
    {
      name: 'known',
      inputs: [floats([1]), floats([2])],
      run: (w, g) => optimizerStep('sgd', SGD, lr(), stepAt(0), [{ w, g, slots: [] }]).params[0].w,
      bound: { ulps: 1 },
      expected: [0.8],
    },
    {
      name: 'counts',
      inputs: [floats([1]), floats([2])],
      run: (w, g) => optimizerStep('sgd', SGD, lr(), stepAt(41), [{ w, g, slots: [] }]).step,
      bound: 'exact',
      expected: [42],
    },
    gated(0),
    gated(1),
  ],
  adam: [
    ...casesOf('adam'),
    // From zero moments the first step is lr * sign(g), whatever the gradient's size.
    {
      name: 'first step',
      inputs: [floats([1, 1]), floats([50, -0.01]), floats([0, 0]), floats([0, 0])],
      run: (w, g, m, v) =>
        optimizerStep('adam', { ...ADAM, eps: 0 }, lr(), stepAt(0), [{ w, g, slots: [m, v] }]).params[0].w,
      bound: { ulps: 8 },
      expected: [0.9, 1.1],
    },
  ],
  rmsprop: casesOf('rmsprop'),
  adagrad: casesOf('adagrad'),
  adadelta: casesOf('adadelta'),
  adamax: casesOf('adamax'),
  nadam: casesOf('nadam'),
  radam: casesOf('radam'),
  lion: casesOf('lion'),
  rprop: [
    ...casesOf('rprop'),
    {
      name: 'grows, shrinks and waits',
      inputs: [floats([0, 0, 0]), floats([1, 1, 1]), floats([2, -2, 0]), floats([1, 1, 1])],
      run: (w, g, prev, rate) =>
        optimizerStep('rprop', VARIANTS.rprop.rprop, lr(), stepAt(3), [{ w, g, slots: [prev, rate] }]).params[0].w,
      bound: { ulps: 2 },
      expected: [-1.2, 0, -1],
      grad: false,
    },
  ],
  deltaBarDelta: [
    ...casesOf('deltaBarDelta'),
    {
      name: 'adds, cuts and keeps',
      inputs: [floats([0, 0, 0]), floats([1, 1, 1]), floats([2, -2, 0]), floats([1, 1, 1])],
      run: (w, g, bar, rate) => {
        const attrs = { theta: 0.7, kappa: 0.25, phi: 0.5 };
        return optimizerStep('deltaBarDelta', attrs, lr(), stepAt(3), [{ w, g, slots: [bar, rate] }]).params[0].w;
      },
      bound: { ulps: 2 },
      expected: [-1.25, -0.5, -1],
      grad: false,
    },
  ],
  ema: casesOf('ema'),
  lars: [
    ...wholeCases('lars'),
    {
      name: 'a weight of zeros takes a plain step',
      inputs: [floats([0, 0]), floats([3, 4]), floats([0, 0])],
      run: (w, g, v) => optimizerStep('lars', LARS, lr(), stepAt(0), [{ w, g, slots: [v] }]).params[0].w,
      bound: { ulps: 2 },
      expected: [-0.3, -0.4],
      grad: false,
    },
  ],
  lamb: [
    ...wholeCases('lamb'),
    {
      name: 'steps as long as the weights',
      inputs: [floats([3, 4]), floats([5, 5]), floats([0, 0]), floats([0, 0])],
      run: (w, g, m, v) =>
        optimizerStep('lamb', { ...LAMB, eps: 0 }, lr(), stepAt(0), [{ w, g, slots: [m, v] }]).params[0].w,
      bound: { ulps: 8 },
      expected: [3 - 0.5 * Math.SQRT1_2, 4 - 0.5 * Math.SQRT1_2],
      grad: false,
    },
  ],
  adafactor: [
    ...wholeCases('adafactor'),
    {
      name: 'rows and columns of zeros stay',
      inputs: [
        floats([1, 1, 1, 1], [2, 2]),
        floats([0, 0, 0, 2], [2, 2]),
        floats([0, 0], [2, 1]),
        floats([0, 0], [1, 2]),
      ],
      run: (w, g, r, c) =>
        optimizerStep('adafactor', ADAFACTOR, lr(), stepAt(0), [{ w, g, slots: [r, c] }]).params[0].w,
      bound: { ulps: 4 },
      expected: [1, 1, 1, 0.9], // u = [0, 0, 0, 2] / 2, its RMS 0.5 < 1, RMS(w) = 1
      grad: false,
    },
  ],
  muon: [
    ...wholeCases('muon'),
    {
      name: 'a multiple of an orthogonal matrix becomes nearly orthogonal',
      inputs: [floats([0, 0, 0, 0], [2, 2]), floats([3, 4, -4, 3], [2, 2]), floats([0, 0, 0, 0], [2, 2])],
      run: (w, g, v) => {
        const attrs = { ...MUON, nsCoefficients: [1.5, -0.5, 0], nsSteps: 20 } as const; // converges to 1
        return optimizerStep('muon', attrs, lr(), stepAt(0), [{ w, g, slots: [v] }]).params[0].w;
      },
      bound: { ulps: 64 },
      expected: [-0.06, -0.08, 0.08, -0.06],
      grad: false,
    },
  ],
  sumSquares: [
    ...[[[1]], [[3], [0], [2, 2]], [[17], [4096], [4097]], [[100_003], [33], [70_000]]].map(
      (shapes): OpCase => ({
        name: shapes.map((s) => `[${s}]`).join(' '),
        inputs: shapes.map((s, i) => float(s, -1, 1, i + 1)),
        run: (...x) => build(optimOps.sumSquares, x),
        // Blocks of 4096 have 16 vectors of 64 partial sums and a tree; the rest is added in float64. Scale: the sum itself.
        // The result is float64, whose eps the runner uses, so the count has the ratio of the two eps.
        bound: { count: (4096 / 16 + 8) * 2 ** 29, scale: (...x) => build(optimOps.sumSquares, x) },
      }),
    ),
    {
      name: 'known',
      inputs: [floats([3, 4]), floats([12])],
      run: (...x) => build(optimOps.sumSquares, x),
      bound: 'exact',
      expected: [169],
    },
    {
      name: 'clipScale',
      inputs: [floats([3]), floats([4])],
      run: (...x) => clipScale(x, 1),
      bound: { ulps: 2 },
      expected: [1 / (5 + 1e-6)],
    },
    {
      name: 'clipScale of a short gradient',
      inputs: [floats([3]), floats([4])],
      run: (...x) => clipScale(x, 6),
      bound: 'exact',
      expected: [1],
      grad: false,
    },
    {
      name: 'clipScale of NaN',
      inputs: [floats([NaN])],
      run: (...x) => clipScale(x, 6),
      bound: 'exact',
      expected: [NaN],
      grad: false,
    },
  ],
} satisfies Record<keyof typeof optimOps, OpCase[]>;
