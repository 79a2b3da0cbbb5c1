import { fullLeaf } from '../../src/graph/leaves.js';
import type { Tensor } from '../../src/graph/tensor.js';
import { type AdamAttrs, abs, adamStep, add, type SgdAttrs, sgdStep } from '../../src/ops/index.js';
import type { optimOps } from '../../src/ops/optim.js';
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
  ],
} satisfies Record<keyof typeof optimOps, OpCase[]>;
