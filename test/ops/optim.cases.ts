import { fullLeaf } from '../../src/graph/leaves.js';
import type { Tensor } from '../../src/graph/tensor.js';
import { build } from '../../src/graph/tensor.js';
import {
  type AdagradAttrs,
  type AdamAttrs,
  abs,
  adagradStep,
  adamStep,
  add,
  clipScale,
  type RmspropAttrs,
  rmspropStep,
  type SgdAttrs,
  sgdStep,
} from '../../src/ops/index.js';
import { optimOps } from '../../src/ops/optim.js';
import { float, floats, type OpCase } from './case.js';

const LR = 0.1;
const lr = () => fullLeaf([], LR, 'float64');
const stepAt = (n: number) => fullLeaf([], n, 'int32');

const PLAIN: SgdAttrs = { momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, maximize: false };
const SGD: Record<string, SgdAttrs> = {
  plain: PLAIN,
  'weight decay, maximize': { ...PLAIN, weightDecay: 0.01, maximize: true },
  momentum: { ...PLAIN, momentum: 0.9 },
  dampening: { ...PLAIN, momentum: 0.9, dampening: 0.5, weightDecay: 0.1 },
  nesterov: { ...PLAIN, momentum: 0.9, nesterov: true },
};
const ADAM0: AdamAttrs = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, decoupled: false, maximize: false };
const ADAM: Record<string, AdamAttrs> = {
  adam: ADAM0,
  'l2, maximize': { ...ADAM0, weightDecay: 0.01, maximize: true },
  adamw: { ...ADAM0, weightDecay: 0.1, decoupled: true },
  'large eps': { ...ADAM0, eps: 0.1, beta1: 0 },
};

/** A handful of roundings of numbers of the size of the inputs and of one step. */
const bound = (...x: Tensor[]) => x.map((t) => add(abs(t), 1));

function sgd(name: string, attrs: SgdAttrs, sizes: readonly number[], steps: number): OpCase {
  const slots = attrs.momentum === 0 ? 0 : 1;
  const width = 2 + slots;
  const inputs = sizes.flatMap((n, i) => Array.from({ length: width }, (_, k) => float([n], -1, 1, 10 * i + k + 1)));
  return {
    name: `${name}, step ${steps}, sizes ${sizes}`,
    inputs,
    run: (...x) => {
      const params = sizes.map((_, i) => {
        const [w, g, v] = x.slice(i * width, (i + 1) * width);
        return v === undefined ? { w, g } : { w, g, v };
      });
      const next = sgdStep(attrs, lr(), stepAt(steps), params);
      return next.params.flatMap((p) => (p.v === undefined ? [p.w] : [p.w, p.v]));
    },
    bound: { count: 8, scale: (...x) => bound(...x.filter((_, i) => i % width !== 1)) },
  };
}

function adam(name: string, attrs: AdamAttrs, sizes: readonly number[], steps: number): OpCase {
  const inputs = sizes.flatMap((n, i) => [
    float([n], -1, 1, 4 * i + 1),
    float([n], 0.1, 1, 4 * i + 2),
    float([n], -1, 1, 4 * i + 3),
    float([n], 0.01, 1, 4 * i + 4),
  ]);
  return {
    name: `${name}, step ${steps}, sizes ${sizes}`,
    inputs,
    run: (...x) => {
      const params = sizes.map((_, i) => ({ w: x[4 * i], g: x[4 * i + 1], m: x[4 * i + 2], v: x[4 * i + 3] }));
      return adamStep(attrs, lr(), stepAt(steps), params).params.flatMap((p) => [p.w, p.m, p.v]);
    },
    // One step is at most lr m / sqrt(v) ~ lr * 1 / 0.1 = 1 before bias correction, 10 with it.
    bound: { count: 16, scale: (...x) => bound(...x.filter((_, i) => i % 4 !== 1)).map((t) => add(t, 10)) },
  };
}

const RMSPROP0: RmspropAttrs = { alpha: 0.9, eps: 1e-2, momentum: 0, centered: false, weightDecay: 0, maximize: false };
const RMSPROP: Record<string, RmspropAttrs> = {
  rmsprop: RMSPROP0,
  momentum: { ...RMSPROP0, momentum: 0.9, maximize: true },
  centered: { ...RMSPROP0, centered: true, weightDecay: 0.01 },
  'centered, momentum': { ...RMSPROP0, centered: true, momentum: 0.5 },
};
const ADAGRAD: Record<string, AdagradAttrs> = {
  adagrad: { lrDecay: 0, eps: 1e-10, weightDecay: 0, maximize: false },
  'decays, maximize': { lrDecay: 0.1, eps: 1e-3, weightDecay: 0.1, maximize: true },
};

/** Options that change every gradient, with a scale as clipping by norm gives it. */
const SHAPED = { clipValue: 0.25, l1: 0.03 };
const scale = () => fullLeaf([], 0.7, 'float64');

function rmsprop(name: string, attrs: RmspropAttrs, n: number): OpCase {
  const slots = [...(attrs.centered ? ['avg'] : []), ...(attrs.momentum === 0 ? [] : ['buf'])];
  // v is above avg^2, so that the centered root has no cancellation.
  const inputs = [
    float([n], -1, 1, 1),
    float([n], -1, 1, 2),
    float([n], 1, 2, 3),
    ...slots.map((_, i) => float([n], 0, 0.5, 4 + i)),
  ];
  return {
    name: `${name}, size ${n}`,
    inputs,
    run: (w, g, v, ...others) => {
      const rest = Object.fromEntries(slots.map((s, i) => [s, others[i]]));
      const [p] = rmspropStep(attrs, lr(), stepAt(3), [{ w, g, v, ...rest }]).params;
      return [p.w, p.v, p.avg, p.buf].filter((t) => t !== undefined);
    },
    // sqrt(0.9 - 0.25) > 0.8, so a step is below 2 and every term below 4.
    bound: { count: 16, scale: (w) => inputs.slice(1).map(() => add(abs(w), 4)) },
  };
}

function adagrad(name: string, attrs: AdagradAttrs, n: number): OpCase {
  return {
    name: `${name}, size ${n}`,
    inputs: [float([n], -1, 1, 1), float([n], -1, 1, 2), float([n], 0.1, 1, 3)],
    run: (w, g, v) => {
      const [p] = adagradStep(attrs, lr(), stepAt(3), [{ w, g, v }]).params;
      return [p.w, p.v];
    },
    bound: { count: 16, scale: (w) => [add(abs(w), 4), add(abs(w), 4)] },
  };
}

/** Every optimizer with scaled, clipped gradients and an L1 penalty; large eps keeps the derivatives tame. */
function shaped(name: 'sgd' | 'adam' | 'rmsprop' | 'adagrad', n: number, maximize: boolean): OpCase {
  const inputs = [float([n], -1, 1, 1), float([n], -1, 1, 2), float([n], 1, 2, 3), float([n], 1, 2, 4)];
  const steps: Record<typeof name, (w: Tensor, g: Tensor, m: Tensor, v: Tensor) => Tensor> = {
    sgd: (w, g) => sgdStep({ ...PLAIN, ...SHAPED, maximize }, lr(), stepAt(1), [{ w, g }], scale()).params[0].w,
    adam: (w, g, m, v) =>
      adamStep({ ...ADAM0, ...SHAPED, eps: 0.1, maximize }, lr(), stepAt(9), [{ w, g, m, v }], scale()).params[0].w,
    rmsprop: (w, g, _, v) =>
      rmspropStep({ ...RMSPROP0, ...SHAPED, maximize }, lr(), stepAt(1), [{ w, g, v }], scale()).params[0].w,
    adagrad: (w, g, _, v) =>
      adagradStep({ ...ADAGRAD.adagrad, ...SHAPED, maximize }, lr(), stepAt(1), [{ w, g, v }], scale()).params[0].w,
  };
  return {
    name: `scaled, clipped, l1${maximize ? ', maximize' : ''}, size ${n}`,
    inputs,
    run: (w, g, m, v) => steps[name](w, g, m, v),
    bound: { count: 16, scale: (w) => add(abs(w), 10) },
  };
}
const shapedCases = (name: Parameters<typeof shaped>[0]) =>
  [1, 17, 33].flatMap((n) => [shaped(name, n, false), shaped(name, n, true)]);

const SIZES = [[1], [0, 3], [15, 16, 17], [4, 33]];

export const optimCases = {
  sgd: [
    ...Object.entries(SGD).flatMap(([name, attrs]) =>
      [0, 3].flatMap((steps) => SIZES.map((s) => sgd(name, attrs, s, steps))),
    ),
    sgd('momentum', SGD.momentum, [100_003], 1),
    {
      name: 'known',
      inputs: [floats([1]), floats([2])],
      run: (w, g) => sgdStep(PLAIN, lr(), stepAt(0), [{ w, g }]).params[0].w,
      bound: { ulps: 1 },
      expected: [0.8],
    },
    {
      name: 'counts',
      inputs: [floats([1]), floats([2])],
      run: (w, g) => sgdStep(PLAIN, lr(), stepAt(41), [{ w, g }]).step,
      bound: 'exact',
      expected: [42],
    },
    ...shapedCases('sgd'),
  ],
  adam: [
    ...Object.entries(ADAM).flatMap(([name, attrs]) =>
      [0, 9].flatMap((steps) => SIZES.map((s) => adam(name, attrs, s, steps))),
    ),
    adam('adam', ADAM.adam, [100_003], 1),
    // From zero moments the first step is lr * sign(g), whatever the gradient's size.
    {
      name: 'first step',
      inputs: [floats([1, 1]), floats([50, -0.01]), floats([0, 0]), floats([0, 0])],
      run: (w, g, m, v) => adamStep({ ...ADAM0, eps: 0 }, lr(), stepAt(0), [{ w, g, m, v }]).params[0].w,
      bound: { ulps: 8 },
      expected: [0.9, 1.1],
    },
    ...shapedCases('adam'),
  ],
  rmsprop: [
    ...Object.entries(RMSPROP).flatMap(([name, attrs]) => [1, 15, 16, 17, 33].map((n) => rmsprop(name, attrs, n))),
    rmsprop('momentum', RMSPROP.momentum, 100_003),
    ...shapedCases('rmsprop'),
  ],
  adagrad: [
    ...Object.entries(ADAGRAD).flatMap(([name, attrs]) => [1, 15, 16, 17, 33].map((n) => adagrad(name, attrs, n))),
    adagrad('adagrad', ADAGRAD.adagrad, 100_003),
    ...shapedCases('adagrad'),
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
