import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  compile,
  eye,
  flush,
  grad,
  mul,
  nn,
  normal,
  OptionError,
  ones,
  optim,
  renorm,
  ShapeError,
  seed,
  sum,
  Tensor,
  valueAndGrad,
  zeros,
} from '../../src/index.js';
import { expectGolden, type GoldenTensor, toTensor } from '../goldens/golden.js';

interface Step {
  readonly x: GoldenTensor;
  readonly output: GoldenTensor;
  readonly cotangent: GoldenTensor;
  readonly dx: GoldenTensor;
  readonly gradients: Readonly<Record<string, GoldenTensor>>;
  readonly buffers: Readonly<Record<string, GoldenTensor>>;
}
interface Case {
  readonly name: string;
  readonly layer: string;
  readonly args: readonly unknown[];
  readonly parameters: Readonly<Record<string, GoldenTensor>>;
  readonly before: Readonly<Record<string, GoldenTensor>>;
  readonly training: readonly Step[];
  readonly evaluation: Step;
}
interface Renorm {
  readonly ord: number;
  readonly axis: number;
  readonly limit: number;
  readonly x: GoldenTensor;
  readonly output: GoldenTensor;
  readonly cotangent: GoldenTensor;
  readonly dx: GoldenTensor;
}
const golden = JSON.parse(readFileSync(new URL('./goldens/norms.json', import.meta.url), 'utf8')) as {
  cases: Case[];
  renorm: Renorm[];
};

function make(c: Case): nn.Module {
  const [a, b, options] = c.args as [number, number, object];
  if (c.layer === 'weightNorm') return nn.weightNorm(new nn.Linear(a, b), options);
  if (c.layer === 'spectralNorm') return nn.spectralNorm(new nn.Linear(a, b), options);
  const layer = (nn as unknown as Record<string, new (...args: unknown[]) => nn.Module>)[c.layer];
  return new layer(...c.args);
}

const CAMEL: Readonly<Record<string, string>> = { running_mean: 'runningMean', running_var: 'runningVar' };
const ours = (dict: Readonly<Record<string, GoldenTensor>>) =>
  Object.fromEntries(Object.entries(dict).map(([k, v]) => [CAMEL[k] ?? k, toTensor(v)]));

async function check(layer: nn.Module, step: Step): Promise<void> {
  const [x, cotangent] = [toTensor(step.x), toTensor(step.cotangent)];
  // One forward: with running statistics each is an update.
  const run = valueAndGrad(layer, (v: Tensor) => {
    const y = layer.forward(v);
    return [sum(mul(y, cotangent)), y];
  });
  const [[, y], gradients] = run(x) as unknown as [[Tensor, Tensor], Record<string, Tensor>];
  await expectGolden(y, step.output);
  for (const [path, g] of Object.entries(step.gradients)) await expectGolden(gradients[path], g);
  await flush();
  const buffers = layer.namedBuffers();
  for (const [path, b] of Object.entries(step.buffers)) {
    await expectGolden((buffers.get(CAMEL[path] ?? path) as NonNullable<ReturnType<typeof buffers.get>>).read(), b);
  }
}

describe('normalisations against PyTorch', () => {
  it.each(golden.cases.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const layer = make(c);
    layer.loadStateDict({ ...ours(c.parameters), ...ours(c.before) }, { strict: false });
    for (const step of c.training) await check(layer, step);
    layer.eval();
    await check(layer, c.evaluation);
    const [x, cotangent] = [toTensor(c.evaluation.x), toTensor(c.evaluation.cotangent)];
    await expectGolden(grad((v: Tensor) => sum(mul(layer.forward(v), cotangent)))(x), c.evaluation.dx);
  });
  it.each(golden.renorm)('renorm ord $ord axis $axis limit $limit', async (c) => {
    const fn = (x: Tensor) => renorm(x, c.limit, { ord: c.ord, axis: c.axis });
    await expectGolden(fn(toTensor(c.x)), c.output);
    await expectGolden(grad((x: Tensor) => sum(mul(fn(x), toTensor(c.cotangent))))(toTensor(c.x)), c.dx);
  });
});

describe('running statistics', () => {
  it.each([
    ['BatchNorm1d', () => new nn.BatchNorm1d(2)],
    ['InstanceNorm1d', () => new nn.InstanceNorm1d(2, { trackRunningStats: true })],
  ])('of %s are no way for gradients', async (_, make) => {
    seed(8);
    const [layer, x, later] = [make(), normal([3, 4, 2]), normal([3, 4, 2])];
    const slope = grad((v: Tensor) => {
      const trained = sum(layer.train().forward(v).mul(0));
      return trained.add(sum(layer.eval().forward(later).square()));
    });
    expect((await slope(x).data()).every((g) => g === 0)).toBe(true);
  });
});

describe('weight norm and spectral norm', () => {
  it('compute what the layer computed, under the names of PyTorch', async () => {
    seed(1);
    const layer = new nn.Linear(4, 3);
    const x = normal([5, 4]);
    const before = await layer.forward(x).data();
    nn.weightNorm(layer);
    expect([...layer.namedParameters().keys()].sort()).toEqual([
      'bias',
      'parametrizations.weight.original0',
      'parametrizations.weight.original1',
    ]);
    const after = await layer.forward(x).data();
    // v / |v| times |v|: two roundings of each weight and the sum of four products.
    for (const [i, v] of after.entries()) expect(Math.abs(v - before[i])).toBeLessThan(8 * 2 ** -23 * 4);
    nn.removeParametrization(layer);
    expect([...layer.namedParameters().keys()].sort()).toEqual(['bias', 'weight']);
    expect([...(await layer.forward(x).data())]).toEqual([...after]);
  });
  it('spectral norm brings the largest singular value to 1', async () => {
    seed(2);
    const layer = nn.spectralNorm(new nn.Linear(6, 5, { bias: false }), { iterations: 3 });
    expect([...layer.namedBuffers().keys()]).toEqual(['parametrizations.weight.0._u', 'parametrizations.weight.0._v']);
    for (let i = 0; i < 20; i++) await layer.forward(zeros([1, 6])).data();
    await flush();
    layer.eval();
    // The layer of the identity is W^T.
    const w = await layer.forward(eye(6)).data();
    // |W x| for many unit x stays below 1 and nearly reaches it.
    let best = 0;
    for (let trial = 0; trial < 400; trial++) {
      const d = Array.from({ length: 6 }, (_, i) => Math.sin(trial * (i + 1) * 1.7 + i));
      const length = Math.hypot(...d);
      const y = Array.from({ length: 5 }, (_, o) => d.reduce((s, v, i) => s + (v / length) * w[i * 5 + o], 0));
      best = Math.max(best, Math.hypot(...y));
    }
    expect(best).toBeLessThan(1 + 1e-5);
    expect(best).toBeGreaterThan(0.8);
  });
  it('trains, and compiled it does the same', async () => {
    const run = async (compiled: boolean) => {
      seed(3);
      const model = new nn.Sequential(
        nn.spectralNorm(new nn.Linear(3, 4)),
        new nn.Tanh(),
        nn.weightNorm(new nn.Linear(4, 1)),
      );
      const optimizer = new optim.SGD({ lr: 0.1 });
      const lossAndGrad = valueAndGrad(model, (x: Tensor) => sum(model.forward(x).square()));
      const step = (x: Tensor) => {
        const [loss, grads] = lossAndGrad(x);
        optimizer.update(model, grads);
        return loss;
      };
      const go = compiled ? compile(step) : step;
      const losses: number[] = [];
      for (let i = 0; i < 4; i++) losses.push(await go(ones([2, 3])).item());
      return losses;
    };
    const losses = await run(false);
    expect(losses[3]).toBeLessThan(losses[0]);
    expect(await run(true)).toEqual(losses);
  });
  it('name what they cannot do', () => {
    expect(() => nn.weightNorm(new nn.ReLU())).toThrow(/weightNorm: ReLU has no parameter "weight"/);
    expect(() => nn.weightNorm(nn.weightNorm(new nn.Linear(2, 2)))).toThrow(/has one already/);
    expect(() => nn.weightNorm(new nn.Linear(2, 2), { name: 'bias' })).toThrow(/shape \[2\], expected two axes/);
    expect(() => nn.weightNorm(new nn.Linear(2, 2), { axis: 2 })).toThrow(ShapeError);
    expect(() => nn.spectralNorm(new nn.Linear(2, 2), { iterations: 0 })).toThrow(OptionError);
    expect(() => nn.spectralNorm(new nn.Linear(2, 2), { eps: 0 })).toThrow(OptionError);
    expect(() => nn.removeParametrization(new nn.Linear(2, 2))).toThrow(/"weight" of Linear\(2→2\) has none/);
  });
});

describe('dropouts', () => {
  const parts = async (layer: nn.Module, shape: number[]) => {
    seed(4);
    return [...(await layer.forward(ones(shape)).data())];
  };
  it('Dropout1d and Dropout2d drop whole channels of a sample', async () => {
    for (const [layer, shape] of [
      [new nn.Dropout1d(0.25), [50, 6, 8]],
      [new nn.Dropout2d(0.25), [50, 2, 3, 8]],
    ] as const) {
      const values = await parts(layer, [...shape]);
      let dropped = 0;
      for (let n = 0; n < 50; n++) {
        for (let c = 0; c < 8; c++) {
          const one = Array.from({ length: 6 }, (_, p) => values[(n * 6 + p) * 8 + c]);
          expect(new Set(one).size).toBe(1);
          expect([0, Math.fround(1 / 0.75)]).toContain(one[0]);
          if (one[0] === 0) dropped++;
        }
      }
      // Five standard deviations of a binomial count.
      expect(Math.abs(dropped / 400 - 0.25)).toBeLessThan(5 * Math.sqrt((0.25 * 0.75) / 400));
    }
  });
  it('DropPath drops whole samples, or all of them at once', async () => {
    const rows = await parts(new nn.DropPath(0.5), [200, 3]);
    const kept = rows.filter((v) => v === 2).length;
    expect(rows.every((v, i) => v === rows[i - (i % 3)])).toBe(true);
    expect(Math.abs(kept / 600 - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / 200));
    expect(new Set(await parts(new nn.DropPath(0.5, { mode: 'batch' }), [20, 3])).size).toBe(1);
  });
  it('AlphaDropout keeps mean 0 and variance 1', async () => {
    seed(5);
    const n = 200_000;
    const x = normal([n]);
    const y = (await new nn.AlphaDropout(0.3).forward(x).data()) as Float32Array;
    const mean = y.reduce((s, v) => s + v, 0) / n;
    const variance = y.reduce((s, v) => s + (v - mean) ** 2, 0) / n;
    // Standard deviations of both estimates are about 1 / sqrt(n) and sqrt(2 / n).
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    // Dropped ones all have the value a α' + b of PyTorch's formula.
    const a = ((1 - 0.3) * (1 + 0.3 * 1.7580993408473766 ** 2)) ** -0.5;
    const floor = a * -1.7580993408473766 + a * 0.3 * 1.7580993408473766;
    const dropped = y.filter((v) => Math.abs(v - floor) < 1e-6).length;
    expect(Math.abs(dropped / n - 0.3)).toBeLessThan(5 * Math.sqrt(0.21 / n));
    expect([...(await new nn.AlphaDropout(1).forward(ones([2])).data())]).toEqual([0, 0]);
  });
  it('are the identity in evaluation and at p = 0, and take gradients through the same mask', async () => {
    for (const layer of [new nn.Dropout1d(0.5), new nn.DropPath(0.5), new nn.AlphaDropout(0.5)]) {
      const x = ones([2, 3, 4]);
      expect(layer.eval().forward(x)).toBe(x);
      layer.train();
      seed(6);
      const y = layer.forward(x);
      seed(6);
      const slope = await grad((v: Tensor) => sum(layer.forward(v)))(x).data();
      const values = await y.data();
      const zero = layer instanceof nn.AlphaDropout ? Math.min(...values) : 0;
      expect([...slope].map((v) => v === 0)).toEqual([...values].map((v) => v === zero));
    }
    expect(new nn.Dropout2d(0).forward(ones([1, 1, 1, 1]))).toBeInstanceOf(Tensor);
  });
  it('name bad options and shapes', () => {
    for (const layer of [nn.Dropout1d, nn.Dropout2d, nn.DropPath, nn.AlphaDropout]) {
      expect(() => new layer(1.5)).toThrow(OptionError);
      expect(() => new layer(Number.NaN)).toThrow(/p is NaN, expected a probability/);
    }
    expect(() => new nn.Dropout2d().forward(ones([2, 3]))).toThrow(
      /Dropout2d\(0.5\): got \[2, 3\], expected \[batch, height, width, channels\]/,
    );
    expect(() => new nn.DropPath(0.5, { mode: 'column' as never })).toThrow(/mode is column/);
    expect(() => new nn.DropPath().forward(zeros([]))).toThrow(ShapeError);
  });
});

describe('bad input of norms', () => {
  it.each([
    [() => new nn.GroupNorm(4, 6), OptionError, /numGroups is 4, which does not divide 6 channels/],
    [() => new nn.GroupNorm(0, 6), OptionError, /numGroups is 0/],
    [
      () => new nn.GroupNorm(2, 6).forward(zeros([2, 5])),
      ShapeError,
      /GroupNorm\(2, 6\): got \[2, 5\], expected \[batch, …, 6\]/,
    ],
    [() => new nn.RMSNorm(0), OptionError, /normalizedShape is \[0\]/],
    [() => new nn.RMSNorm(3, { eps: -1 }), OptionError, /eps is -1/],
    [() => new nn.RMSNorm(3).forward(zeros([3, 2])), ShapeError, /expected last dimension 3/],
    [() => new nn.InstanceNorm1d(0), OptionError, /InstanceNorm1d: numFeatures is 0/],
    [() => new nn.InstanceNorm2d(3, { momentum: 2 }), OptionError, /InstanceNorm2d: momentum is 2/],
    [() => new nn.InstanceNorm2d(3).forward(zeros([2, 4, 3])), ShapeError, /expected \[batch, height, width, 3\]/],
    [() => new nn.InstanceNorm1d(3).forward(zeros([2, 1, 3])), ShapeError, /expected more than 1 position/],
    [
      () => new nn.BatchNorm2d(3).forward(zeros([2, 3])),
      ShapeError,
      /BatchNorm2d\(3\): got \[2, 3\], expected \[batch, height, width, 3\]/,
    ],
    [
      () => new nn.BatchNorm1d(3).forward(zeros([2, 1, 1, 3])),
      ShapeError,
      /expected \[batch, 3\] or \[batch, length, 3\]/,
    ],
  ] as const)('%s', (run, kind, message) => {
    expect(run).toThrow(kind);
    expect(run).toThrow(message);
  });
});
