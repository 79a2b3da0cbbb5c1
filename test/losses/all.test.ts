import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gradcheck } from '../../src/autodiff/index.js';
import * as neurite from '../../src/index.js';
import {
  binaryCrossEntropy,
  categoricalCrossEntropy,
  contrastiveLoss,
  cosineLoss,
  crossEntropy,
  DataError,
  DTypeError,
  focalLoss,
  gaussianNllLoss,
  grad,
  hingeLoss,
  huberLoss,
  klDivergence,
  type LossName,
  logCoshLoss,
  lossByName,
  mse,
  nllLoss,
  OptionError,
  poissonNllLoss,
  quantileLoss,
  rmse,
  ShapeError,
  smoothL1Loss,
  softmax,
  sparseCategoricalCrossEntropy,
  type Tensor,
  tensor,
  tripletLoss,
  wassersteinLoss,
  zeros,
} from '../../src/index.js';

interface Golden {
  readonly shape: number[];
  readonly dtype: 'float64' | 'int32';
  readonly data: number[];
}
type Reference = { readonly tensor: number };
interface Case {
  readonly name: string;
  readonly options: Record<string, unknown>;
  readonly inputs: Reference[];
  readonly wrt: number[];
  readonly results: Record<'mean' | 'sum' | 'none', { readonly value: Golden; readonly gradients: Golden[] }>;
}
const { cases, tensors } = JSON.parse(readFileSync(new URL('goldens/all.json', import.meta.url), 'utf8')) as {
  cases: Case[];
  tensors: Golden[];
};
const isReference = (v: unknown): v is Reference => typeof v === 'object' && v !== null && 'tensor' in v;
const toTensor = ({ shape, dtype, data }: Golden): Tensor =>
  tensor(dtype === 'int32' ? Int32Array.from(data) : Float64Array.from(data), { shape });
const optionsOf = (c: Case) =>
  Object.fromEntries(Object.entries(c.options).map(([k, v]) => [k, isReference(v) ? toTensor(tensors[v.tensor]) : v]));
const lossOf = (name: string) => (neurite as unknown as Record<string, (...args: unknown[]) => Tensor>)[name];
const evaluate = (roots: readonly Tensor[]) => roots.map((t) => Float64Array.from(t.dataSync()));
const int32 = (values: number[], shape = [values.length]) => tensor(Int32Array.from(values), { shape });
const title = (c: Case, i: number) => {
  const options = Object.entries(c.options).map(
    ([k, v]) => `${k}: ${isReference(v) ? `[${tensors[v.tensor].shape}]` : JSON.stringify(v)}`,
  );
  return `${i} ${c.name} { ${options.join(', ')} }`;
};
const titled = cases.map((c, i) => [title(c, i), c] as const);

/** Sums of up to 20 terms of about 8 elementary functions with 4 ulp each; the largest input (300) sets the scale. */
async function agree(got: Tensor, want: Golden, what: string): Promise<void> {
  expect(got.shape).toEqual(want.shape);
  const values = await got.data();
  for (const [i, w] of want.data.entries()) {
    const bound = 640 * 2 ** -53 * (1 + Math.abs(w));
    expect(Math.abs(values[i] - w), `${what}[${i}]: got ${values[i]}, want ${w}`).toBeLessThanOrEqual(bound);
  }
}

describe('value and gradients agree with PyTorch in float64', () => {
  it.each(titled)('%s', async (_, c) => {
    const loss = lossOf(c.name);
    const inputs = c.inputs.map((r) => toTensor(tensors[r.tensor]));
    for (const reduction of ['mean', 'sum', 'none'] as const) {
      const options = { ...optionsOf(c), reduction };
      const want = c.results[reduction];
      await agree(loss(...inputs, options), want.value, reduction);
      const gradients = want.gradients.length > 0 ? want.gradients : c.results.sum.gradients;
      for (const [k, i] of c.wrt.entries()) {
        const by = (t: Tensor) => loss(...inputs.map((x, j) => (j === i ? t : x)), options).sum();
        await agree(grad(by)(inputs[i]) as Tensor, gradients[k], `${reduction}: gradient by input ${i}`);
      }
    }
  });
});

describe('first and second derivatives agree with differences', () => {
  const seen = new Set<string>();
  const once = titled.filter(([, { name, options }]) => {
    const key = `${name} ${Object.keys(options).sort()} ${options['half']} ${options['gamma']} ${options['from']}`;
    const fresh = !seen.has(key);
    seen.add(key);
    return fresh;
  });
  it.each(once)('%s', (_, c) => {
    // By the outputs: derivatives by targets stop at kinks such as one-hot zeros.
    const [x, ...rest] = c.inputs.map((r) => toTensor(tensors[r.tensor]));
    const loss = lossOf(c.name);
    gradcheck((t) => loss(t, ...rest, optionsOf(c)), [x], { evaluate, order: 2 });
  });
});

describe('worked figures', () => {
  it('true-class probabilities 0.70, 0.15, 0.60, 0.50 give a sparse cross-entropy of 0.8644', async () => {
    const p = tensor([0.7, 0.3, 0.85, 0.15, 0.6, 0.4, 0.5, 0.5]).reshape([4, 2]);
    const loss = sparseCategoricalCrossEntropy(p, int32([0, 1, 0, 0]), { fromLogits: false });
    expect(await loss.item()).toBeCloseTo(0.8644, 4);
  });
  it('softmax of [4.2, 1.1, −3.5] is 0.9565, 0.0431, 0.0004', async () => {
    const p = await softmax(tensor([4.2, 1.1, -3.5])).data();
    expect([...p].map((v) => v.toFixed(4))).toEqual(['0.9565', '0.0431', '0.0004']);
  });
  it('the gradient of softmax and cross-entropy is o − y', async () => {
    const z = tensor([[4.2, 1.1, -3.5]], { dtype: 'float64' });
    const o = await softmax(z).data();
    const want = [o[0], o[1] - 1, o[2]];
    const y = tensor([[0, 1, 0]], { dtype: 'float64' });
    const losses = [(t: Tensor) => crossEntropy(t, int32([1])), (t: Tensor) => categoricalCrossEntropy(t, y)];
    for (const loss of losses) {
      const g = await (grad(loss)(z) as Tensor).data();
      want.forEach((w, i) => {
        expect(Math.abs(g[i] - w)).toBeLessThan(2 ** -50);
      });
    }
  });
});

describe('extremes', () => {
  const big = tensor([1e4, -1e4, 0, -0]);
  const small = zeros([4]);
  it('errors of ±1e4 and 0 have finite losses and gradients in float32', async () => {
    const losses: [(x: Tensor) => Tensor, number[]][] = [
      [(x) => logCoshLoss(x, small, { reduction: 'none' }), [1e4 - Math.LN2, 1e4 - Math.LN2, 0, 0]],
      [(x) => huberLoss(x, small, { reduction: 'none' }), [9999.5, 9999.5, 0, 0]],
      [(x) => smoothL1Loss(x, small, { reduction: 'none' }), [9999.5, 9999.5, 0, 0]],
      [(x) => rmse(x, small, { reduction: 'none' }), [1e4, 1e4, 0, 0]],
      [(x) => quantileLoss(x, small, { reduction: 'none', q: 0.25 }), [7500, 2500, 0, 0]],
      [(x) => hingeLoss(x, small.add(1), { reduction: 'none' }), [0, 10001, 1, 1]],
      [(x) => binaryCrossEntropy(x, small, { reduction: 'none' }), [1e4, 0, Math.LN2, Math.LN2]],
      [(x) => focalLoss(x, small, { reduction: 'none' }), [7500, 0, 0.75 * 0.25 * Math.LN2, 0.75 * 0.25 * Math.LN2]],
      [
        (x) => focalLoss(x, small, { reduction: 'none', gamma: 0.5, alpha: null }),
        [1e4, 0, Math.SQRT1_2 * Math.LN2, Math.SQRT1_2 * Math.LN2],
      ],
    ];
    for (const [loss, want] of losses) {
      const got = await loss(big).data();
      want.forEach((w, i) => {
        expect(Math.abs(got[i] - w), `${loss} [${i}]: ${got[i]}`).toBeLessThanOrEqual(4 * 2 ** -23 * (1 + w));
      });
      expect((await (grad((x: Tensor) => loss(x).sum())(big) as Tensor).data()).every(Number.isFinite)).toBe(true);
    }
  });
  it('log-cosh keeps its digits near 0, where it is ½e²', async () => {
    const e = tensor([1e-3, -1e-4]);
    const [a, b] = await logCoshLoss(e, zeros([2]), { reduction: 'none' }).data();
    expect(Math.abs(a / 5e-7 - 1)).toBeLessThan(1e-6);
    expect(Math.abs(b / 5e-9 - 1)).toBeLessThan(1e-6);
  });
  it('infinite errors cost Infinity, NaN stays NaN', async () => {
    const x = tensor([Infinity, -Infinity, Number.NaN]);
    const y = zeros([3]);
    for (const loss of [mse, rmse, logCoshLoss, huberLoss, smoothL1Loss, quantileLoss, neurite.mae]) {
      expect([...(await loss(x, y, { reduction: 'none' }).data())], loss.name).toEqual([
        Infinity,
        Infinity,
        Number.NaN,
      ]);
    }
  });
  it('a class ruled out by −Infinity and not asked for costs nothing', async () => {
    const z = tensor([[0, 0, -Infinity]]);
    expect(await categoricalCrossEntropy(z, tensor([[1, 0, 0]])).item()).toBeCloseTo(Math.LN2, 6);
    const g = await (grad((t: Tensor) => categoricalCrossEntropy(t, tensor([[1, 0, 0]])))(z) as Tensor).data();
    expect(g.every(Number.isFinite)).toBe(true);
    expect(await crossEntropy(z, int32([0])).item()).toBeCloseTo(Math.LN2, 6);
    expect(await klDivergence(tensor([[-Infinity, 0]]), tensor([[0, 1]])).item()).toBe(0);
  });
  it('all labels ignored, or all weights 0: the mean is 0 and so is its gradient', async () => {
    const z = tensor([
      [1, 2],
      [3, 4],
    ]);
    const ignored = (t: Tensor) => crossEntropy(t, int32([-100, -100]), { ignoreIndex: -100 });
    const unweighted = (t: Tensor) => mse(t, zeros([2, 2]), { weights: zeros([2]) });
    for (const loss of [ignored, unweighted]) {
      expect(await loss(z).item()).toBe(0);
      expect([...(await (grad(loss)(z) as Tensor).data())].map(Math.abs)).toEqual([0, 0, 0, 0]);
    }
  });
  it('zero vectors have cosine 0 and finite gradients', async () => {
    const z = zeros([1, 3]);
    expect(await cosineLoss(z, tensor([[1, 2, 3]])).item()).toBe(1);
    expect((await (grad((t: Tensor) => cosineLoss(t, z))(z) as Tensor).data()).every(Number.isFinite)).toBe(true);
    const g = grad((t: Tensor) => contrastiveLoss(t, z, int32([0])))(z) as Tensor;
    expect([...(await g.data())].map(Math.abs)).toEqual([0, 0, 0]);
  });
  it('a variance below eps counts as eps', async () => {
    const value = await gaussianNllLoss(tensor([1]), tensor([1]), tensor([-3]), { eps: 0.5 }).item();
    expect(value).toBeCloseTo(0.5 * Math.log(0.5), 6);
  });
});

describe('forms', () => {
  it('batchMean is the sum by the number of rows; with weights their mean', async () => {
    const logP = tensor([0.5, 0.5, 0.25, 0.75], { dtype: 'float64' }).log().reshape([2, 2]);
    const y = tensor(
      [
        [0.9, 0.1],
        [0.5, 0.5],
      ],
      { dtype: 'float64' },
    );
    const rows = [0.9 * Math.log(1.8) + 0.1 * Math.log(0.2), 0.5 * Math.log(2) + 0.5 * Math.log(2 / 3)];
    expect(await klDivergence(logP, y, { reduction: 'batchMean' }).item()).toBeCloseTo((rows[0] + rows[1]) / 2, 14);
    const weights = tensor([3, 1], { dtype: 'float64' });
    const got = await klDivergence(logP, y, { reduction: 'batchMean', weights }).item();
    expect(got).toBeCloseTo((3 * rows[0] + rows[1]) / 4, 14);
  });
  it('the Wasserstein critic: mean of generated minus mean of real; the generator: minus its mean', async () => {
    const real = tensor([2, 4]);
    const generated = tensor([-1, 3]);
    const critic = wassersteinLoss(real).add(wassersteinLoss(generated, tensor([-1, -1])));
    expect(await critic.item()).toBe(1 - 3);
    expect(await wassersteinLoss(generated).item()).toBe(-1);
    expect(await wassersteinLoss(real, tensor([true, false])).item()).toBe(1);
  });
  it('bool targets of the hinge are −1 and 1; integer targets are converted', async () => {
    expect(await hingeLoss(tensor([2, 0.5]), tensor([true, false])).item()).toBe(0.75);
    expect(await poissonNllLoss(tensor([0]), int32([2])).item()).toBe(1);
  });
  it('higher-rank labels keep their shape', () => {
    const logits = zeros([2, 3, 4]);
    const options = { reduction: 'none', ignoreIndex: 1, labelSmoothing: 0.1, classWeights: zeros([4]) } as const;
    expect(crossEntropy(logits, zeros([2, 3], { dtype: 'int32' }), options).shape).toEqual([2, 3]);
  });
  it('every name gives a loss of outputs and targets', async () => {
    const names = {
      mse: 0,
      rmse: 0,
      mae: 0,
      huber: 0,
      smoothL1: 0,
      logCosh: 0,
      quantile: 0,
      binaryCrossEntropy: 0,
      focal: 0,
      categoricalCrossEntropy: 0,
      klDivergence: 0,
      poissonNll: 0,
      hinge: 0,
      cosine: 0,
      wasserstein: 0,
      crossEntropy: 1,
      sparseCategoricalCrossEntropy: 1,
      nll: 1,
    } satisfies Record<LossName, 0 | 1>;
    const x = tensor([
      [0.2, 0.8],
      [0.4, 0.6],
    ]);
    for (const [name, labels] of Object.entries(names)) {
      const value = await lossByName(name as LossName)(x, labels === 1 ? int32([0, 1]) : x).item();
      expect(Number.isFinite(value), name).toBe(true);
    }
  });
});

describe('bad input', () => {
  const x = zeros([3, 4]);
  const y = zeros([3, 4]);
  const labels = int32([0, 1, 2]);
  it.each([
    ['mse: unknown option "weight"', OptionError, () => mse(x, y, { weight: x } as never)],
    ['mse: got weights [4] for losses [3, 4]', ShapeError, () => mse(x, y, { weights: zeros([4]) })],
    ['mse: weights must be a tensor', DTypeError, () => mse(x, y, { weights: [1, 2, 3] as never })],
    ['mse: got float64 weights', DTypeError, () => mse(x, y, { weights: zeros([3], { dtype: 'float64' }) })],
    ['rmse: got int32 outputs', DTypeError, () => rmse(labels, labels)],
    ['huberLoss: delta is 0, expected a finite number > 0', OptionError, () => huberLoss(x, y, { delta: 0 })],
    ['smoothL1Loss: beta is -1, expected a finite number >= 0', OptionError, () => smoothL1Loss(x, y, { beta: -1 })],
    ['quantileLoss: q is 1, expected a number in (0, 1)', OptionError, () => quantileLoss(x, y, { q: 1 })],
    ['logCoshLoss: got outputs [3, 4] and targets [4, 3]', ShapeError, () => logCoshLoss(x, zeros([4, 3]))],
    ['binaryCrossEntropy: posWeight is -1', OptionError, () => binaryCrossEntropy(x, y, { posWeight: -1 })],
    ['binaryCrossEntropy: got posWeight [3]', ShapeError, () => binaryCrossEntropy(x, y, { posWeight: zeros([3]) })],
    ['focalLoss: gamma is NaN', OptionError, () => focalLoss(x, y, { gamma: Number.NaN })],
    ['focalLoss: alpha is 2', OptionError, () => focalLoss(x, y, { alpha: 2 })],
    ['crossEntropy: labelSmoothing is 1.5', OptionError, () => crossEntropy(x, labels, { labelSmoothing: 1.5 })],
    ['crossEntropy: ignoreIndex is 0.5', OptionError, () => crossEntropy(x, labels, { ignoreIndex: 0.5 })],
    [
      'crossEntropy: got classWeights [3], expected [4]',
      ShapeError,
      () => crossEntropy(x, labels, { classWeights: zeros([3]) }),
    ],
    [
      'crossEntropy: classWeights must be a tensor',
      DTypeError,
      () => crossEntropy(x, labels, { classWeights: [1] as never }),
    ],
    [
      'crossEntropy: got weights [4] for losses [3]',
      ShapeError,
      () => crossEntropy(x, labels, { weights: zeros([4]) }),
    ],
    ['or categoricalCrossEntropy', DTypeError, () => crossEntropy(x, y.cast('bool'))],
    [
      'categoricalCrossEntropy: got outputs [3, 4] and targets [3]',
      ShapeError,
      () => categoricalCrossEntropy(x, labels),
    ],
    ['categoricalCrossEntropy: got scalar outputs', ShapeError, () => categoricalCrossEntropy(zeros([]), zeros([]))],
    ['klDivergence: from is "logit"', OptionError, () => klDivergence(x, y, { from: 'logit' as 'logits' })],
    [
      "klDivergence: 'batchMean' of [4]",
      OptionError,
      () => klDivergence(zeros([4]), zeros([4]), { reduction: 'batchMean' }),
    ],
    ['hingeLoss: margin is 0', OptionError, () => hingeLoss(x, y, { margin: 0 })],
    ['cosineLoss: margin is 2', OptionError, () => cosineLoss(x, y, { margin: 2 })],
    ['cosineLoss: got labels [4], expected [3]', ShapeError, () => cosineLoss(x, y, { labels: zeros([4]) })],
    ['tripletLoss: p is 0.5', OptionError, () => tripletLoss(x, x, x, { p: 0.5 })],
    ['tripletLoss: got outputs [3, 4] and negative [3]', ShapeError, () => tripletLoss(x, x, zeros([3]))],
    ['contrastiveLoss: got labels [3,4]', ShapeError, () => contrastiveLoss(x, y, y)],
    ['poissonNllLoss: eps is 0', OptionError, () => poissonNllLoss(x, y, { eps: 0 })],
    ['gaussianNllLoss: got outputs [3, 4] and variance [3]', ShapeError, () => gaussianNllLoss(x, y, zeros([3]))],
  ])('%s', (message, kind, run) => {
    expect(run).toThrow(kind);
    expect(run).toThrow(message);
  });
  it('labels out of range stop the run, also from probabilities and in nllLoss', async () => {
    for (const bad of [-1, 4]) {
      const at = int32([0, bad, 1]);
      await expect(crossEntropy(x, at, { fromLogits: false }).item()).rejects.toThrow(DataError);
      await expect(nllLoss(x, at).item()).rejects.toThrow(DataError);
      await expect(crossEntropy(x, at, { ignoreIndex: 9 }).item()).rejects.toThrow(DataError);
      await expect(crossEntropy(x, at, { ignoreIndex: bad }).item()).resolves.toBeGreaterThan(0);
    }
  });
});
