import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  crossEntropy,
  flush,
  grad,
  nn,
  OptionError,
  optim,
  ShapeError,
  seed,
  type Tensor,
  tensor,
  valueAndGrad,
  zeros,
} from '../../src/index.js';

const { Dropout, Flatten, init, Linear, Sequential } = nn;

interface Golden {
  readonly shape: number[];
  readonly data: number[];
}
const golden = (name: string) =>
  JSON.parse(readFileSync(new URL(`goldens/${name}.json`, import.meta.url), 'utf8')).cases;
const f64 = ({ data, shape }: Golden): Tensor => tensor(Float64Array.from(data), { shape });

/** |got − want| <= bound · (scale + |want|). */
function close(got: ArrayLike<number>, want: readonly number[], bound: number, scale = 1): void {
  expect(got).toHaveLength(want.length);
  want.forEach((w, i) => {
    expect(Math.abs(got[i] - w), `[${i}] got ${got[i]}, want ${w}`).toBeLessThanOrEqual(bound * (scale + Math.abs(w)));
  });
}

describe('options of layers', () => {
  const wrong = { affin: true } as object;
  it.each([
    ['Linear', () => new nn.Linear(2, 3, wrong)],
    ['BatchNorm1d', () => new nn.BatchNorm1d(2, wrong)],
    ['BatchNorm2d', () => new nn.BatchNorm2d(2, wrong)],
    ['BatchNorm3d', () => new nn.BatchNorm3d(2, wrong)],
    ['LayerNorm', () => new nn.LayerNorm(2, wrong)],
    ['RMSNorm', () => new nn.RMSNorm(2, wrong)],
    ['GroupNorm', () => new nn.GroupNorm(1, 2, wrong)],
    ['InstanceNorm1d', () => new nn.InstanceNorm1d(2, wrong)],
    ['InstanceNorm2d', () => new nn.InstanceNorm2d(2, wrong)],
    ['InstanceNorm3d', () => new nn.InstanceNorm3d(2, wrong)],
    ['PReLU', () => new nn.PReLU(2, wrong)],
    ['Softplus', () => new nn.Softplus(wrong)],
    ['Ensemble', () => new nn.Ensemble([new nn.Linear(2, 3)], wrong)],
  ])('%s refuses one it does not know', (name, make) => {
    expect(make).toThrow(`${name}: unknown option "affin", expected `);
  });

  it('says what it wants where the options are no object', () => {
    const text = 'none' as unknown as nn.LinearOptions;
    expect(() => new nn.Linear(2, 3, text)).toThrow('Linear: got "none", expected an object of options: bias, ');
  });
});

describe('Linear', () => {
  it('is x·Wᵀ + b on the last axis, for any leading axes', async () => {
    const layer = new Linear(2, 3);
    layer.loadStateDict({
      weight: tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      bias: tensor([10, 20, 30]),
    });
    expect(await layer.forward(tensor([[1, 1]])).data()).toEqual(Float32Array.of(13, 27, 41));
    expect(await layer.forward(tensor([1, 0])).data()).toEqual(Float32Array.of(11, 23, 35));
    expect(layer.forward(zeros([4, 5, 2])).shape).toEqual([4, 5, 3]);
    expect(layer.forward(zeros([0, 2])).shape).toEqual([0, 3]);
  });

  it('takes no array, and says what to write, also as part of a model', () => {
    const rows = [[1, 2]] as unknown as Tensor;
    expect(() => new Linear(2, 3).forward(rows)).toThrow(
      'Linear(2→3): got an array of 1, expected a Tensor; write tensor(x)',
    );
    for (const layer of [new nn.MaxPool2d(2), new nn.BatchNorm1d(2), new nn.LayerNorm(2), new nn.GroupNorm(1, 2)]) {
      expect(() => layer.forward(rows)).toThrow(`${String(layer)}: got an array of 1, expected a Tensor`);
    }
    expect(() => new Sequential(new nn.ReLU()).forward(rows)).toThrow('expected a Tensor; write tensor(x)');
    expect(() => new Linear(2, 3).forward('x' as unknown as Tensor)).toThrow('Linear(2→3): got "x", expected a Tensor');
  });

  it('starts as PyTorch does: U(−1/√in, 1/√in) for weight and bias', async () => {
    seed(5);
    const layer = new Linear(100, 400);
    for (const p of layer.parameters()) {
      const values = Array.from(await p.read().data());
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const std = Math.sqrt(values.reduce((a, b) => a + b * b, 0) / values.length);
      expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(0.1);
      // Standard deviation of U(−b, b) is b/√3; both bounds are six standard errors.
      expect(Math.abs(mean)).toBeLessThan((6 * 0.1) / Math.sqrt(3 * values.length));
      expect(Math.abs(std / (0.1 / Math.sqrt(3)) - 1)).toBeLessThan(6 * Math.sqrt(0.2 / values.length));
    }
  });

  it('draws the same weights from the same seed, whenever they are realised', async () => {
    const make = async (early: boolean) => {
      seed(11);
      const model = new Sequential(new Linear(3, 3), new Linear(3, 3));
      if (early) await flush();
      return Promise.all(Object.values(await model.stateDict()).map((t) => t.data()));
    };
    expect(await make(true)).toEqual(await make(false));
  });

  it('takes initialisers and has no bias on request', async () => {
    const layer = new Linear(4, 2, { init: init.constant(0.5), biasInit: init.zeros() });
    expect(await layer.forward(tensor([[1, 1, 1, 1]])).data()).toEqual(Float32Array.of(2, 2));
    const bare = new Linear(4, 2, { bias: false });
    expect([...bare.namedParameters().keys()]).toEqual(['weight']);
    expect(String(bare)).toBe('Linear(4→2, no bias)');
    expect(new Linear(2, 2, { dtype: 'float64' }).forward(zeros([1, 2], { dtype: 'float64' })).dtype).toBe('float64');
  });

  it('names itself, what came and what was expected', () => {
    const model = new Sequential(new Linear(784, 128), new nn.ReLU());
    expect(() => model.forward(zeros([64, 28, 28]))).toThrow(
      new ShapeError(
        'Linear(784→128) "0": got [64, 28, 28], expected last dimension 784; add new nn.Flatten() before it',
      ),
    );
    expect(() => new Linear(3, 1).forward(zeros([2, 4]))).toThrow(
      new ShapeError('Linear(3→1): got [2, 4], expected last dimension 3'),
    );
    expect(() => new Linear(3, 1).forward(zeros([]))).toThrow(ShapeError);
    for (const bad of [0, -1, 1.5, Number.NaN, '3' as unknown as number])
      expect(() => new Linear(bad, 1)).toThrow(OptionError);
  });
});

describe('initialisers', () => {
  const context = { fanIn: 50, fanOut: 150, dtype: 'float32' } as const;
  it.each([
    ['xavierUniform', init.xavierUniform(), Math.sqrt(2 / 200)],
    ['xavierNormal', init.xavierNormal({ gain: 2 }), 2 * Math.sqrt(2 / 200)],
    ['kaimingUniform', init.kaimingUniform(), Math.sqrt(2 / 50)],
    ['kaimingNormal fanOut', init.kaimingNormal({ mode: 'fanOut', negativeSlope: 1 }), Math.sqrt(1 / 150)],
    ['lecunNormal', init.lecunNormal(), Math.sqrt(1 / 50)],
    ['fanInUniform', init.fanInUniform(), Math.sqrt(1 / 150)],
    ['normal', init.normal(0, 3), 3],
    ['uniform', init.uniform(-1, 1), Math.sqrt(1 / 3)],
  ])('%s has its standard deviation', async (_, make, std) => {
    seed(2);
    const values = Array.from(await make([150, 50], context).data());
    const got = Math.sqrt(values.reduce((a, b) => a + b * b, 0) / values.length);
    expect(Math.abs(got / std - 1)).toBeLessThan(6 / Math.sqrt(2 * values.length)); // six standard errors
  });
  it('refuse what is no distribution', () => {
    expect(() => init.uniform(1, 1)).toThrow(OptionError);
    expect(() => init.normal(0, -1)).toThrow(OptionError);
  });
});

describe('activations agree with PyTorch in float64', () => {
  const { x, weights, layers } = golden('activations') as {
    x: Golden;
    weights: Golden;
    layers: { name: string; y: Golden; grad: Golden }[];
  };
  it.each(layers.map((l) => [l.name, l] as const))('%s', async (name, { y, grad: expected }) => {
    const layer = new (nn as unknown as Record<string, new () => nn.Module>)[name]();
    // Bound: about 30 roundings of elementary functions with 4 ulp each.
    close(await layer.forward(f64(x)).data(), y.data, 120 * 2 ** -53);
    const g = grad((t: Tensor) => layer.forward(t).mul(f64(weights)).sum())(f64(x)) as Tensor;
    close(await g.data(), expected.data, 120 * 2 ** -53);
  });

  it('options', async () => {
    const x = tensor(Float64Array.of(-2, 0.5));
    close(await new nn.LeakyReLU(0.2).forward(x).data(), [-0.4, 0.5], 2 ** -50);
    close(await new nn.ELU(2).forward(x).data(), [2 * Math.expm1(-2), 0.5], 2 ** -50);
    close(
      await new nn.Softplus({ beta: 3 }).forward(x).data(),
      [Math.log1p(Math.exp(-6)) / 3, Math.log1p(Math.exp(1.5)) / 3],
      2 ** -50,
    );
    close(
      await new nn.GELU({ approximate: 'tanh' }).forward(x).data(),
      [-0.04540230591222494, 0.34571400982514394],
      2 ** -50,
    );
    close(
      await new nn.Softmax(0)
        .forward(
          tensor([
            [0, 1],
            [0, 3],
          ]),
        )
        .data(),
      [0.5, 1 / (1 + Math.E ** 2), 0.5, 1 / (1 + Math.E ** -2)],
      2 ** -22,
    );
    expect(() => new nn.Softplus({ beta: 0 })).toThrow(OptionError);
    expect(() => new nn.GELU({ approximate: 'erf' as 'tanh' })).toThrow(OptionError);
    expect([new nn.Softmax(1), new nn.LeakyReLU(), new nn.ELU(), new nn.GELU(), new nn.Softplus()].map(String)).toEqual(
      ['Softmax(axis=1)', 'LeakyReLU(0.01)', 'ELU(1)', 'GELU', 'Softplus'],
    );
  });
});

describe('Flatten', () => {
  it('joins axes from startDim on', () => {
    expect(new Flatten().forward(zeros([2, 3, 4])).shape).toEqual([2, 12]);
    expect(new Flatten(2).forward(zeros([2, 3, 4, 5])).shape).toEqual([2, 3, 20]);
    expect(new Flatten(0).forward(zeros([2, 3])).shape).toEqual([6]);
    expect(new Flatten(0).forward(zeros([])).shape).toEqual([1]);
    expect(new Flatten().forward(zeros([0, 3, 4])).shape).toEqual([0, 12]);
  });
  it('refuses what has no such axis', () => {
    expect(() => new Flatten().forward(zeros([3]))).toThrow('Flatten: got [3], expected at least 2 axes');
    expect(() => new Flatten(-1)).toThrow(OptionError);
  });
});

describe('Dropout', () => {
  it('zeroes with probability p and scales the rest, in training only', async () => {
    seed(1);
    const layer = new Dropout(0.25);
    const x = tensor(new Float32Array(10_000).fill(3));
    const y = await layer.forward(x).data();
    expect(new Set(y)).toEqual(new Set([0, 4]));
    const kept = y.filter((v) => v > 0).length / y.length;
    expect(Math.abs(kept - 0.75)).toBeLessThan(6 * Math.sqrt((0.25 * 0.75) / y.length)); // six standard errors
    expect(await layer.forward(x).data()).not.toEqual(y);
    expect(layer.eval().forward(x)).toBe(x);
    expect(new Dropout(0).forward(x)).toBe(x);
    expect(new Set(await new Dropout(1).forward(x).data())).toEqual(new Set([0]));
    for (const p of [-0.1, 1.1, Number.NaN]) expect(() => new Dropout(p)).toThrow(OptionError);
  });
});

describe('Sequential', () => {
  it('says what is not a layer', () => {
    expect(() => new Sequential(nn.ReLU as unknown as nn.Module)).toThrow(
      /layer 0 is the function or class ReLU.*write new nn\.ReLU\(\)/,
    );
    expect(() => new Sequential([new nn.ReLU()] as unknown as nn.Module)).toThrow(/spread it/);
    expect(() => new Sequential().append(null as unknown as nn.Module)).toThrow(/layer 0 is null/);
  });
  it('without layers gives its input', () => {
    const x = zeros([2]);
    expect(new Sequential().forward(x)).toBe(x);
  });
});

it('ten Adam steps of an MLP follow PyTorch in float64', async () => {
  const { start, x, y, losses, end } = golden('training');
  const dtype = 'float64';
  const model = new Sequential(new Linear(3, 5, { dtype }), new nn.Tanh(), new Linear(5, 4, { dtype }));
  const entries = Object.entries(start) as [string, Golden][];
  model.loadStateDict(Object.fromEntries(entries.map(([k, v]) => [k, f64(v)])));
  const optimizer = new optim.Adam({ lr: 0.05 });
  const labels = tensor(Int32Array.from(y.data), { shape: y.shape });
  const lossAndGrad = valueAndGrad(model, (x: Tensor, y: Tensor) => crossEntropy(model.forward(x), y));
  const got: number[] = [];
  for (let i = 0; i < losses.length; i++) {
    const [loss, grads] = lossAndGrad(f64(x), labels);
    optimizer.update(model, grads);
    got.push(await loss.item());
  }
  // Rounding grows at most a few times a step through Adam's division; 1e-12 leaves 4 digits to spare.
  close(got, losses, 1e-12);
  const dict = await model.stateDict();
  for (const [key, value] of Object.entries(end) as [string, Golden][])
    close(await dict[key].data(), value.data, 1e-12);
});
