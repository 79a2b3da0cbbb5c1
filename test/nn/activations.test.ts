import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gradcheck } from '../../src/autodiff/index.js';
import {
  celu,
  DTypeError,
  elu,
  generalizedRectifier,
  glu,
  grad,
  hardTanh,
  leakyRelu,
  maxout,
  nn,
  normal,
  OptionError,
  prelu,
  ShapeError,
  seed,
  selu,
  sigmoid,
  softplus,
  step,
  swiglu,
  type Tensor,
  tensor,
  zeros,
} from '../../src/index.js';

interface Golden {
  readonly shape: number[];
  readonly data: (number | string)[];
}
interface Pair {
  readonly y: Golden;
  readonly grad: Golden;
}
interface Case extends Pair {
  readonly name: string;
  readonly args: unknown[];
  readonly extremes?: Pair;
}
interface PReLUCase extends Pair {
  readonly slope: Golden;
  readonly gradSlope: Golden;
}
const file = JSON.parse(readFileSync(new URL('goldens/activation_functions.json', import.meta.url), 'utf8')) as {
  x: Golden;
  cotangent: Golden;
  extremes: Golden;
  cases: Case[];
  prelu: PReLUCase[];
};
const f64 = ({ data, shape }: Golden): Tensor => tensor(Float64Array.from(data.map(Number)), { shape });
const cotangent = (n: number, shape: number[]): Tensor => f64({ data: file.cotangent.data.slice(0, n), shape });
const make = (name: string, args: unknown[]): nn.Module =>
  new (nn as unknown as Record<string, new (...a: unknown[]) => nn.Module>)[name](...args);

/** About 30 roundings of elementary functions with 4 ulp each. */
const BOUND = 120 * 2 ** -53;
/** PyTorch multiplies the gradient of hardsigmoid by 1/6 rounded to float32. */
const gradientBound = (name: string) => (name === 'HardSigmoid' ? 2 ** -24 : BOUND);

/** NaN and infinities exactly. */
async function agree(got: Tensor, want: Golden, what: string, bound = BOUND): Promise<void> {
  expect(got.shape).toEqual(want.shape);
  const values = await got.data();
  for (const [i, raw] of want.data.entries()) {
    const w = Number(raw);
    const g = values[i];
    const ok = Object.is(g, w) || g === w || Math.abs(g - w) <= bound * (1 + Math.abs(w));
    expect(ok, `${what}[${i}]: got ${g}, want ${w}`).toBe(true);
  }
}

const titled = file.cases.map((c) => [`${c.name}(${c.args.map((a) => JSON.stringify(a)).join(', ')})`, c] as const);

describe('value and gradient agree with PyTorch in float64', () => {
  it.each(titled)('%s', async (title, { name, args, y, grad: want }) => {
    const layer = make(name, args);
    const x = f64(file.x);
    await agree(layer.forward(x), y, title);
    const w = cotangent(y.data.length, y.shape);
    await agree(
      grad((t: Tensor) => layer.forward(t).mul(w).sum())(x) as Tensor,
      want,
      `gradient of ${title}`,
      gradientBound(name),
    );
  });

  it.each(file.prelu)('prelu with $slope.shape slopes', async ({ slope, y, grad: dx, gradSlope }) => {
    const x = f64(file.x).reshape([-1, 4]);
    const a = f64(slope);
    await agree(prelu(x, a), y, 'prelu');
    const w = cotangent(y.data.length, y.shape);
    const both = grad((t: Tensor, s: Tensor) => prelu(t, s).mul(w).sum(), [0, 1] as const)(x, a);
    await agree(both[0], dx, 'by x');
    const sums = await both[1].data();
    for (const [i, v] of gradSlope.data.entries())
      expect(Math.abs(sums[i] - Number(v))).toBeLessThan(72 * 8 * 2 ** -52);
  });
});

describe('at ±1e4, ±200, ±0, ±1e-300, infinities and NaN values are those of PyTorch', () => {
  it.each(titled.filter(([, c]) => c.extremes !== undefined))('%s', async (title, { name, args, extremes }) => {
    const layer = make(name, args);
    await agree(layer.forward(f64(file.extremes)), (extremes as Pair).y, title);
  });
  it.each(titled.filter(([, c]) => c.extremes !== undefined))('gradients of %s are finite up to 1e4', async (_, c) => {
    const layer = make(c.name, c.args);
    const x = f64(file.extremes).slice([{ end: 10 }]);
    const got = await (grad((t: Tensor) => layer.forward(t).sum())(x) as Tensor).data();
    for (const [i, raw] of (c.extremes as Pair).grad.data.slice(0, 10).entries()) {
      const w = Number(raw);
      expect(Math.abs(got[i] - w), `[${i}]: got ${got[i]}, want ${w}`).toBeLessThanOrEqual(
        gradientBound(c.name) * (1 + Math.abs(w)),
      );
    }
  });
  it.each([
    ['ELU', (x: Tensor) => elu(x), 1],
    ['SELU', selu, 1.0507009873554805],
    ['CELU', (x: Tensor) => celu(x, 2), 1],
  ] as const)('%s has derivatives of both orders at infinities', async (_, unit, above) => {
    const x = tensor(Float64Array.of(-Infinity, Infinity));
    const ones = x.mul(0).isNaN().cast('float64');
    const slope = (v: Tensor, c: Tensor) => grad((u: Tensor) => unit(u).mul(c).sum())(v) as Tensor;
    expect([...(await slope(x, ones).data())]).toEqual([0, above]);
    const [byX, byC] = grad((v: Tensor, c: Tensor) => slope(v, c).sum(), [0, 1] as const)(x, ones);
    expect([...(await byX.data())]).toEqual([0, 0]);
    expect([...(await byC.data())]).toEqual([0, above]);
  });
  it('σ is stable at ±200 and its slope is at most a quarter', async () => {
    expect([...(await sigmoid(tensor([200, -200])).data())]).toEqual([1, 0]);
    const slope = await (grad((t: Tensor) => sigmoid(t).sum())(tensor([0, 1, -1, 200, -200])) as Tensor).data();
    expect(slope[0]).toBe(0.25);
    expect(Math.max(...slope)).toBe(0.25);
  });
  it('maxout and the gates: NaN spreads in its own group only', async () => {
    expect([...(await maxout(tensor([Number.NaN, 1, 2, Infinity]), 2).data())]).toEqual([Number.NaN, Infinity]);
    expect([...(await glu(tensor([2, 2, -1e4, 1e4])).data())]).toEqual([0, 2]);
    expect([...(await swiglu(tensor([-1e4, 1e4, 2, 2])).data()).map(Math.abs)]).toEqual([0, 2e4]);
  });
});

describe('first and second derivatives agree with differences in float64', () => {
  const away = Float64Array.from([-2.6, -1.2, -0.3, 0.4, 1.3, 2.7, -4.1, 5.2]);
  const evaluate = (roots: readonly Tensor[]) => roots.map((t) => Float64Array.from(t.dataSync()));
  // A straight-through step differs from its differences by definition.
  const smooth = titled.filter(([, c]) => !c.args.some((a) => (a as { straightThrough?: boolean }).straightThrough));
  it.each(smooth)('%s', (_, { name, args }) => {
    const layer = make(name, name === 'Maxout' ? [2, ...args.slice(1)] : args);
    const shape = ['Softmax', 'LogSoftmax'].includes(name) ? [2, 2, 2] : [8];
    gradcheck((x) => layer.forward(x), [tensor(away, { shape })], { evaluate, order: 2 });
  });
  it('prelu by x and slope', () => {
    const x = tensor(away, { shape: [2, 4] });
    gradcheck(prelu, [x, tensor(Float64Array.of(0.1, -0.2, 0.3, 0.4))], { evaluate, order: 2 });
    gradcheck(prelu, [x, tensor(Float64Array.of(0.3))], { evaluate, order: 2 });
  });
});

describe('what they are', () => {
  it('prelu by slope is 0 for +Infinity, and a generalized rectifier of −1 is |x|', async () => {
    const slope = tensor([0.25]);
    const g = grad((a: Tensor) => prelu(tensor([Infinity, -2]), a).sum())(slope) as Tensor;
    expect([...(await g.data())]).toEqual([-2]);
    expect([...(await generalizedRectifier(tensor([-3, 3]), -1).data())]).toEqual([3, 3]);
    expect([...(await generalizedRectifier(tensor([-Infinity]), 0).data())]).toEqual([0]);
  });

  it('maxout of two pieces mimics ReLU and leaky ReLU', async () => {
    const x = tensor([[-2], [0.5], [3]]);
    for (const slope of [0, 0.01]) {
      const linear = new nn.Linear(1, 2, { bias: false });
      linear.loadStateDict({ weight: tensor([[1], [slope]]) });
      const mimic = new nn.Sequential(linear, new nn.Maxout(2));
      const want = await new nn.LeakyReLU(slope).forward(x).data();
      expect([...(await mimic.forward(x).data())]).toEqual([...want].map((v) => v + 0)); // -0 is 0
    }
  });

  it('SELU keeps mean 0 and variance 1 of normal numbers', async () => {
    seed(3);
    const n = 200_000;
    const y = Array.from(await selu(normal([n])).data());
    const mean = y.reduce((a, b) => a + b, 0) / n;
    const variance = y.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
    // Six standard errors; the fourth moment of selu(N(0, 1)) is 2.51.
    expect(Math.abs(mean)).toBeLessThan(6 / Math.sqrt(n));
    expect(Math.abs(variance - 1)).toBeLessThan(6 * Math.sqrt(1.51 / n));
  });

  it('PReLU learns its slope, has PyTorch’s name for it and a default of 0.25', async () => {
    const layer = new nn.PReLU(3);
    expect([...layer.namedParameters().keys()]).toEqual(['weight']);
    expect([...(await layer.weight.read().data())]).toEqual([0.25, 0.25, 0.25]);
    expect([...(await layer.forward(tensor([[-4, 4, -8]])).data())]).toEqual([-1, 4, -2]);
    expect([
      ...(await new nn.PReLU(1, { init: 0.5, dtype: 'float64' }).forward(tensor(-2, { dtype: 'float64' })).data()),
    ]).toEqual([-1]);
  });
});

describe('errors', () => {
  const x = zeros([2, 5]);
  it.each([
    ['maxout: axis -1 of [2,5] has size 5, expected a multiple of 2', ShapeError, () => maxout(x, 2)],
    ['maxout: pieces is 1.5, expected a whole number >= 1', OptionError, () => maxout(x, 1.5)],
    ['glu: axis -1 of [2,5] has size 5, expected an even size', ShapeError, () => glu(x)],
    ['swiglu', ShapeError, () => swiglu(x, { axis: 2 })],
    ['prelu: got x [2,5] and slope [4], expected a slope [1] or [5]', ShapeError, () => prelu(x, zeros([4]))],
    ['PReLU(4): got [2, 5], expected last dimension 4', ShapeError, () => new nn.PReLU(4).forward(x)],
    ['PReLU: channels is 0', OptionError, () => new nn.PReLU(0)],
    ['PReLU: init is NaN', OptionError, () => new nn.PReLU(1, { init: Number.NaN })],
    ['PReLU: dtype is int32', OptionError, () => new nn.PReLU(1, { dtype: 'int32' as 'float32' })],
    ['hardTanh: got min 1 and max 1', OptionError, () => hardTanh(x, { min: 1 })],
    ['HardTanh: got min 3 and max 1', OptionError, () => new nn.HardTanh({ min: 3 })],
    ['celu: alpha is 0', OptionError, () => celu(x, 0)],
    ['CELU: alpha is -1', OptionError, () => new nn.CELU(-1)],
    ['GeneralizedRectifier: alpha is NaN', OptionError, () => new nn.GeneralizedRectifier(Number.NaN)],
    ['generalizedRectifier: alpha is Infinity', OptionError, () => generalizedRectifier(x, Infinity)],
    ['Maxout: pieces is 0', OptionError, () => new nn.Maxout(0)],
    ['softplus: beta is 0', OptionError, () => softplus(x, { beta: 0 })],
    ['softplus: threshold is NaN', OptionError, () => softplus(x, { threshold: Number.NaN })],
    ['Softplus: threshold is -1', OptionError, () => new nn.Softplus({ threshold: -1 })],
    ['elu: alpha is NaN', OptionError, () => elu(x, Number.NaN)],
    ['ELU: alpha is Infinity', OptionError, () => new nn.ELU(Infinity)],
    ['leakyRelu: negativeSlope is NaN', OptionError, () => leakyRelu(x, Number.NaN)],
    ['LeakyReLU: negativeSlope is NaN', OptionError, () => new nn.LeakyReLU(Number.NaN)],
    ['HardTanh: unknown option "low"', OptionError, () => new nn.HardTanh({ low: 0 } as never)],
    ['Did you mean "approximate"', OptionError, () => new nn.GELU({ aproximate: 'tanh' } as never)],
    ['Did you mean "straightThrough"', OptionError, () => new nn.Step({ straightthrough: true } as never)],
    ['step: got int32', DTypeError, () => step(zeros([1], { dtype: 'int32' }))],
  ])('%s', (message, kind, run) => {
    expect(run).toThrow(kind);
    expect(run).toThrow(message);
  });
});
