import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  compile,
  flush,
  nn,
  OptionError,
  ShapeError,
  seed,
  softmax,
  type Tensor,
  TraceError,
  tensor,
  uniform,
} from '../../src/index.js';

const { init } = nn;
const golden = JSON.parse(readFileSync(new URL('goldens/init.json', import.meta.url), 'utf8')) as {
  gains: [nn.init.ActivationName, number | null, number][];
  fans: [number[], number, number][];
  bounds: Record<string, number>;
  stds: Record<string, number>;
  samples: number;
  truncated: { options: nn.init.TruncatedNormalOptions; mean: number; std: number }[];
  dirac: { shape: number[]; data: number[] }[];
};

const SHAPE = [150, 50];
const context = { fanIn: 50, fanOut: 150, dtype: 'float32' } as const;
const valuesOf = async (make: nn.init.Initializer, shape = SHAPE, dtype: 'float32' | 'float64' = 'float32') => {
  seed(17);
  return Array.from(await make(shape, { ...context, dtype }).data());
};
const mean = (v: readonly number[]) => v.reduce((a, b) => a + b, 0) / v.length;
const std = (v: readonly number[]) => {
  const centre = mean(v);
  return Math.sqrt(mean(v.map((x) => (x - centre) ** 2)));
};

/** Standard normal distribution function, by the series of erf. */
function phi(x: number): number {
  if (Math.abs(x) > 8) return x > 0 ? 1 : 0;
  let term = x;
  let total = x;
  for (let n = 1; Math.abs(term) > 1e-17; n++) {
    term *= (x * x) / (2 * n + 1);
    total += term;
  }
  return 0.5 + (total * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}
const normalLaw = (mu: number, sigma: number) => (x: number) => phi((x - mu) / sigma);
const uniformLaw = (b: number) => (x: number) => Math.min(1, Math.max(0, (x + b) / (2 * b)));
const truncatedLaw = (mu: number, sigma: number, low: number, high: number) => {
  const law = normalLaw(mu, sigma);
  return (x: number) => (law(x) - law(low)) / (law(high) - law(low));
};

/** Largest distance of the empirical distribution function from the law (Kolmogorov–Smirnov). */
function distance(values: readonly number[], law: (x: number) => number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.max(...sorted.map((x, i) => Math.max(law(x) - i / sorted.length, (i + 1) / sorted.length - law(x))));
}
/** P(√n·D > 2.7) is about 2·e^(−2·2.7²) = 1e-6. */
const critical = (n: number) => 2.7 / Math.sqrt(n);

type Row = [string, nn.init.Initializer, (x: number) => number, number];
const uniforms: [string, nn.init.Initializer, number][] = [
  ['uniform', init.uniform(-0.3, 0.3), 0.3],
  ['fanInUniform', init.fanInUniform(), Math.sqrt(1 / 50)],
  ['fanInUniform reciprocal', init.fanInUniform({ bound: 'reciprocal' }), 1 / 50],
  ['xavierUniform', init.xavierUniform(), Math.sqrt(6 / 200)],
  ['xavierUniform gain 2', init.xavierUniform({ gain: 2 }), 2 * Math.sqrt(6 / 200)],
  ['kaimingUniform', init.kaimingUniform(), Math.sqrt(6 / 50)],
  [
    'kaimingUniform fanOut 0.2',
    init.kaimingUniform({ mode: 'fanOut', negativeSlope: 0.2 }),
    Math.sqrt(6 / (1.04 * 150)),
  ],
  ['lecunUniform', init.lecunUniform(), Math.sqrt(3 / 50)],
];
const normals: [string, nn.init.Initializer, number][] = [
  ['normal', init.normal(0, 3), 3],
  ['xavierNormal', init.xavierNormal(), Math.sqrt(2 / 200)],
  ['kaimingNormal', init.kaimingNormal(), Math.sqrt(2 / 50)],
  ['kaimingNormal fanOut', init.kaimingNormal({ mode: 'fanOut' }), Math.sqrt(2 / 150)],
  ['lecunNormal', init.lecunNormal(), Math.sqrt(1 / 50)],
];
const truncations = golden.truncated.map(({ options }): Row => {
  const { mean: mu = 0, std: sigma = 1, low = -2, high = 2 } = options;
  return [
    `truncatedNormal ${JSON.stringify(options)}`,
    init.truncatedNormal(options),
    truncatedLaw(mu, sigma, low, high),
    0,
  ];
});
const laws: Row[] = [
  ...uniforms.map(([name, make, b]): Row => [name, make, uniformLaw(b), b]),
  ...normals.map(([name, make, s]): Row => [name, make, normalLaw(0, s), s]),
  ...truncations,
];

describe('laws', () => {
  it.each(laws)('%s passes Kolmogorov–Smirnov, in float32 and float64', async (_, make, law) => {
    for (const dtype of ['float32', 'float64'] as const) {
      const values = await valuesOf(make, SHAPE, dtype);
      expect(distance(values, law)).toBeLessThan(critical(values.length));
    }
  });
  it('the test sees a wrong law', async () => {
    const values = await valuesOf(init.xavierUniform());
    expect(distance(values, uniformLaw(1.1 * Math.sqrt(6 / 200)))).toBeGreaterThan(critical(values.length));
    expect(distance(values, normalLaw(0, std(values)))).toBeGreaterThan(critical(values.length));
  });
  it.each(uniforms)('%s keeps its bound and reaches it as PyTorch does', async (name, make, b) => {
    const values = (await valuesOf(make)).map(Math.abs);
    const largest = Math.max(...values);
    expect(largest).toBeLessThanOrEqual(b * (1 + 2 ** -23));
    expect(largest).toBeGreaterThan(b * (1 - 15 / values.length)); // fails with probability e^-15
    if (name in golden.bounds) {
      // The largest of 150 000 draws of PyTorch.
      expect(golden.bounds[name]).toBeLessThanOrEqual(b);
      expect(golden.bounds[name]).toBeGreaterThan(b * (1 - 15 / 150_000));
    }
  });
  it.each(normals)('%s has mean 0 and PyTorch’s standard deviation', async (name, make, s) => {
    const values = await valuesOf(make);
    expect(Math.abs(mean(values))).toBeLessThan((6 * s) / Math.sqrt(values.length)); // six standard errors
    expect(Math.abs(std(values) / s - 1)).toBeLessThan(6 / Math.sqrt(2 * values.length));
    if (name in golden.stds) expect(Math.abs(golden.stds[name] / s - 1)).toBeLessThan(6 / Math.sqrt(2 * 375_000));
  });
});

describe('truncatedNormal', () => {
  it.each(golden.truncated)(
    'has PyTorch’s moments and its bounds: $options',
    async ({ options, mean: mu, std: sigma }) => {
      const { low = -2, high = 2 } = options;
      const values = await valuesOf(init.truncatedNormal(options), [300, 300], 'float64');
      expect(Math.min(...values.slice(0, 50_000))).toBeGreaterThanOrEqual(low);
      expect(Math.max(...values.slice(0, 50_000))).toBeLessThanOrEqual(high);
      // Six standard errors of both samples; the fourth moment of these laws is below 3 σ⁴.
      const errors = 1 / Math.sqrt(values.length) + 1 / Math.sqrt(golden.samples);
      expect(Math.abs(mean(values) - mu)).toBeLessThan(6 * sigma * errors);
      expect(Math.abs(std(values) / sigma - 1)).toBeLessThan(6 * errors);
    },
  );
  it('inverts the distribution function to 1e-12', async () => {
    const law = truncatedLaw(0, 1, -4, 4);
    const z = await valuesOf(init.truncatedNormal({ low: -4, high: 4 }), [1000], 'float64');
    seed(17);
    const u = await uniform([1000], { dtype: 'float64' }).data();
    for (const [i, x] of z.entries()) expect(Math.abs(law(x) - u[i])).toBeLessThan(1e-12);
  });
});

describe('fans and gains are PyTorch’s', () => {
  it.each(golden.fans)('fans of %j', (shape, fanIn, fanOut) => {
    expect(init.fansOf(shape)).toEqual({ fanIn, fanOut });
  });
  it.each(golden.gains)('gain of %s %s', (name, slope, want) => {
    expect(Math.abs(init.gain(name, slope ?? undefined) - want)).toBeLessThan(1e-15);
  });
});

describe('matrices', () => {
  it.each([
    [[40, 40], 1],
    [[20, 50], 1],
    [[50, 20], 1.5],
    [[1, 7], 1],
    [[6, 2, 3], 1],
  ])('orthogonal %j with gain %d', async (shape, gain) => {
    const [rows, columns] = [shape[0], shape.slice(1).reduce((a, b) => a * b, 1)];
    const q = await valuesOf(init.orthogonal({ gain }), shape, 'float64');
    const at = (i: number, j: number) => (rows <= columns ? q[i * columns + j] : q[j * columns + i]);
    const [few, many] = [Math.min(rows, columns), Math.max(rows, columns)];
    for (let a = 0; a < few; a++) {
      for (let b = 0; b <= a; b++) {
        let dot = 0;
        for (let j = 0; j < many; j++) dot += at(a, j) * at(b, j);
        expect(Math.abs(dot - (a === b ? gain * gain : 0))).toBeLessThan(many * 2 ** -50);
      }
    }
  });
  it('orthogonal: every direction is equally likely', async () => {
    seed(4);
    const angles: number[] = [];
    for (let i = 0; i < 2000; i++) {
      const [a, b] = await init
        .orthogonal()([2, 2], { ...context, dtype: 'float64' })
        .data();
      angles.push(Math.atan2(b, a));
    }
    expect(distance(angles, uniformLaw(Math.PI))).toBeLessThan(critical(angles.length));
  });
  it('sparse has exactly k non-zero inputs a unit, everywhere equally often, normal ones', async () => {
    const [units, inputs, k] = [4000, 20, 3];
    const w = await valuesOf(init.sparse({ nonZero: k, std: 2 }), [units, inputs]);
    const counts = new Array(inputs).fill(0);
    for (let u = 0; u < units; u++) {
      const row = w.slice(u * inputs, (u + 1) * inputs);
      expect(row.filter((v) => v !== 0)).toHaveLength(k);
      row.forEach((v, i) => {
        counts[i] += Number(v !== 0);
      });
    }
    const share = k / inputs;
    for (const c of counts)
      expect(Math.abs(c / units - share)).toBeLessThan(6 * Math.sqrt((share * (1 - share)) / units));
    const nonZero = w.filter((v) => v !== 0);
    expect(distance(nonZero, normalLaw(0, 2))).toBeLessThan(critical(nonZero.length));
  });
  it('identity passes its input through', async () => {
    const layer = new nn.Linear(3, 3, { init: init.identity(), biasInit: init.zeros() });
    expect([...(await layer.forward(tensor([[1, -2, 3]])).data())]).toEqual([1, -2, 3]);
    expect(await valuesOf(init.identity({ gain: 2 }), [2, 3])).toEqual([2, 0, 0, 0, 2, 0]);
  });
  it.each(golden.dirac)('dirac $shape is PyTorch’s', async ({ shape, data }) => {
    expect(await valuesOf(init.dirac(), shape)).toEqual(data);
  });
  it('equal seeds give equal weights', async () => {
    for (const make of [init.orthogonal(), init.sparse({ nonZero: 2 }), init.truncatedNormal()]) {
      expect(await valuesOf(make, [5, 5])).toEqual(await valuesOf(make, [5, 5]));
    }
  });
});

describe('outputBias', () => {
  it('starts at the base rates', async () => {
    const bias = init.outputBias([700, 200, 100])([3], context);
    const p = await softmax(bias).data();
    [0.7, 0.2, 0.1].forEach((want, i) => {
      expect(Math.abs(p[i] - want)).toBeLessThan(1e-6);
    });
    const single = await init.outputBias([90, 10])([1], context).sigmoid().data();
    expect(Math.abs(single[0] - 0.1)).toBeLessThan(1e-7);
  });
});

describe('initFor', () => {
  it('chooses by the activation that follows, over dropout and flattening', async () => {
    seed(8);
    const model = new nn.Sequential(
      new nn.Linear(200, 300),
      new nn.Dropout(0.1),
      new nn.ReLU(),
      new nn.Linear(300, 300),
      new nn.SELU(),
      new nn.Linear(300, 300),
      new nn.Tanh(),
      new nn.Flatten(),
      new nn.Linear(300, 300),
      new nn.LeakyReLU(0.5),
      new nn.Linear(300, 300),
      new nn.Sigmoid(),
      new nn.Linear(300, 100),
    );
    const chosen = init.initFor(model);
    expect([...chosen]).toEqual([
      ['0.weight', 'relu'],
      ['3.weight', 'selu'],
      ['5.weight', 'tanh'],
      ['8.weight', 'leakyRelu'],
      ['10.weight', 'sigmoid'],
      ['12.weight', 'linear'],
    ]);
    await flush();
    const dict = await model.stateDict();
    const want: Record<string, number> = {
      '0.weight': Math.sqrt(2 / 200),
      '3.weight': Math.sqrt(1 / 300),
      '5.weight': (5 / 3) * Math.sqrt(2 / 600),
      '8.weight': Math.sqrt(2 / 1.25 / 300),
      '10.weight': Math.sqrt(2 / 600),
      '12.weight': Math.sqrt(2 / 400),
    };
    for (const [path, s] of Object.entries(want)) {
      const values = Array.from(await dict[path].data());
      expect(distance(values, normalLaw(0, s)), path).toBeLessThan(critical(values.length));
      const bias = await dict[path.replace('weight', 'bias')].data();
      expect(new Set(bias)).toEqual(new Set([0]));
    }
  });
  it('takes the activation of models that call it as a function', async () => {
    class Net extends nn.Module {
      hidden = new nn.Linear(100, 100, { bias: false });
      forward(x: Tensor): Tensor {
        return this.hidden.forward(x).relu();
      }
    }
    seed(9);
    const net = new Net();
    expect([...init.initFor(net, { activation: 'relu', distribution: 'uniform' })]).toEqual([
      ['hidden.weight', 'relu'],
    ]);
    const values = Array.from(await net.hidden.weight.read().data());
    expect(distance(values, uniformLaw(Math.sqrt(6 / 100)))).toBeLessThan(critical(values.length));
    expect([...init.initFor(new nn.Linear(2, 2)).keys()]).toEqual(['weight']);
  });
  it('lets a deep ReLU network keep the size of its signal, which PyTorch’s default does not', async () => {
    seed(6);
    const layers = Array.from({ length: 10 }, () => [new nn.Linear(200, 200), new nn.ReLU()]).flat();
    const model = new nn.Sequential(...layers);
    const x = tensor(
      Float32Array.from({ length: 100 * 200 }, (_, i) => Math.sin(i * i)),
      { shape: [100, 200] },
    );
    const size = async () => std(Array.from(await model.forward(x).data()));
    const before = await size();
    init.initFor(model);
    const after = await size();
    expect(before).toBeLessThan(0.05);
    expect(after).toBeGreaterThan(0.1);
    expect(after).toBeLessThan(3);
  });
});

describe('bad input', () => {
  it.each([
    ['init.fanInUniform: bound is "half"', () => init.fanInUniform({ bound: 'half' as 'rsqrt' })],
    ['init.constant: got NaN, expected a finite number', () => init.constant(Number.NaN)],
    ['init.uniform: got low 0 and high Infinity', () => init.uniform(0, Infinity)],
    ['init.normal: got mean NaN and std 1', () => init.normal(Number.NaN)],
    ['init.xavierUniform: unknown option "gian"', () => init.xavierUniform({ gian: 2 } as never)],
    ['init.kaimingNormal: unknown option "nonlinearity"', () => init.kaimingNormal({ nonlinearity: 'relu' } as never)],
    ['init.truncatedNormal: unknown option "max"', () => init.truncatedNormal({ max: 2 } as never)],
    ['init.sparse: unknown option "nonzero"', () => init.sparse({ nonzero: 2 } as never)],
    ['init.xavierUniform: gain is 0', () => init.xavierUniform({ gain: 0 })],
    ['init.xavierNormal: gain is NaN', () => init.xavierNormal({ gain: Number.NaN })],
    ['init.kaimingNormal: mode is "fan_in"', () => init.kaimingNormal({ mode: 'fan_in' as 'fanIn' })],
    ['init.kaimingUniform: negativeSlope is Infinity', () => init.kaimingUniform({ negativeSlope: Infinity })],
    ['init.truncatedNormal: got mean 0, std 0', () => init.truncatedNormal({ std: 0 })],
    ['init.truncatedNormal: got mean 0, std 1, low 2, high 2', () => init.truncatedNormal({ low: 2 })],
    ['init.truncatedNormal: [8, 9] holds less than 1e-6', () => init.truncatedNormal({ low: 8, high: 9 })],
    ['init.orthogonal: gain is NaN', () => init.orthogonal({ gain: Number.NaN })],
    ['init.sparse: nonZero is 0', () => init.sparse({ nonZero: 0 })],
    ['init.sparse: std is 0', () => init.sparse({ nonZero: 1, std: 0 })],
    ['init.sparse: nonZero is 51, expected at most the 50 inputs', () => init.sparse({ nonZero: 51 })(SHAPE, context)],
    ['init.identity: gain is NaN', () => init.identity({ gain: Number.NaN })],
    ['init.outputBias: class 1 has count 0', () => init.outputBias([1, 0])],
    ['init.outputBias: expected the counts', () => init.outputBias([1])],
    ['init.gain: got "relux"', () => init.gain('relux' as 'relu')],
    ['initFor: unknown option "gain"', () => init.initFor(new nn.ReLU(), { gain: 1 } as never)],
    ['initFor: distribution is "cauchy"', () => init.initFor(new nn.ReLU(), { distribution: 'cauchy' as 'normal' })],
  ])('%s', (message, make) => {
    expect(make).toThrow(OptionError);
    expect(make).toThrow(message);
  });
  it.each([
    ['init.orthogonal: got [5]', () => init.orthogonal()([5], context)],
    ['init.sparse: got [5]', () => init.sparse({ nonZero: 1 })([5], context)],
    ['init.identity: got [5]', () => init.identity()([5], context)],
    ['init.dirac: got [5,5]', () => init.dirac()([5, 5], context)],
    ['init.fansOf: got [5]', () => init.fansOf([5])],
    ['init.outputBias: got a bias [4] for 3 classes', () => init.outputBias([1, 2, 3])([4], context)],
  ])('%s', (message, make) => {
    expect(make).toThrow(ShapeError);
    expect(make).toThrow(message);
  });
  it('draws on the host cannot be compiled', () => {
    const make = init.orthogonal();
    expect(() => compile((x: Tensor) => make([2, 2], context).add(x))(tensor([1, 2]))).toThrow(TraceError);
  });
});
