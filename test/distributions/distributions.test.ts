import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  add,
  binaryCrossEntropy,
  compile,
  crossEntropy,
  DataError,
  distributions,
  gaussianNllLoss,
  grad,
  gradCheck,
  isFinite as isFiniteOp,
  mean,
  mul,
  neg,
  OptionError,
  ShapeError,
  seed,
  square,
  sum,
  type Tensor,
  tensor,
  vmap,
  where,
} from '../../src/index.js';

const { Bernoulli, Categorical, klDivergence, Normal, Uniform } = distributions;
type Distribution = distributions.Distribution;

interface Golden {
  readonly shape: number[];
  readonly data: (number | string)[];
}
type Params = Record<string, Golden>;
interface Case {
  readonly name: string;
  readonly params: Params;
  readonly value: Golden;
  readonly other: Params;
  readonly gradients: Params;
  readonly [figure: string]: unknown;
}
const { cases } = JSON.parse(readFileSync(new URL('./goldens/distributions.json', import.meta.url), 'utf8')) as {
  readonly cases: Case[];
};
const f64 = ({ shape, data }: Golden): Tensor => tensor(Float64Array.from(data, Number), { shape });

function make(name: string, p: Record<string, Tensor>): Distribution {
  if (name === 'Normal') return new Normal(p.loc, p.scale);
  if (name === 'Uniform') return new Uniform(p.low, p.high);
  return name === 'Bernoulli' ? new Bernoulli(p) : new Categorical(p);
}
const made = (name: string, params: Params): Distribution =>
  make(name, Object.fromEntries(Object.entries(params).map(([k, g]) => [k, f64(g)])));

/** A dozen roundings of float64, of values up to 40. PyTorch clamps probabilities by one eps, which is below that too. */
function near(actual: Tensor, expected: Golden): void {
  expect([...actual.shape]).toEqual(expected.shape);
  for (const [i, v] of actual.dataSync().entries()) {
    const e = Number(expected.data[i]);
    if (Number.isFinite(e)) expect(Math.abs(v - e)).toBeLessThanOrEqual(16 * 2 ** -52 * Math.max(40, Math.abs(e)));
    else expect(v).toBe(e);
  }
}

describe.each(cases.map((c) => [`${c.name} of ${Object.keys(c.params)}`, c] as const))('%s', (_, c) => {
  const value = c.name === 'Categorical' ? f64(c.value).cast('int32') : f64(c.value);
  it('has the values of torch.distributions', () => {
    const d = made(c.name, c.params);
    near(d.logProb(value), c.logProb as Golden);
    near(d.entropy(), c.entropy as Golden);
    near(klDivergence(d, made(c.name, c.other)), c.kl as Golden);
    if (!(d instanceof Categorical)) {
      near(d.mean, c.mean as Golden);
      near(d.variance, c.variance as Golden);
    }
    if (d instanceof Normal || d instanceof Uniform) near(d.cdf(value), c.cdf as Golden);
  });
  it('has its gradients', () => {
    const params = Object.fromEntries(Object.entries(c.params).map(([k, g]) => [k, f64(g)]));
    const loss = (p: Record<string, Tensor>) => {
      const d = make(c.name, p);
      const logp = d.logProb(value);
      return add(sum(where(isFiniteOp(logp), logp, 0)), sum(d.entropy()));
    };
    const grads = grad(loss)(params) as Record<string, Tensor>;
    for (const [k, g] of Object.entries(c.gradients)) near(grads[k], g);
  });
});

describe('samples', () => {
  const N = 40_000;
  const mean4 = (t: Tensor) => mean(t, { axis: 0 }).dataSync();
  /** Five standard errors. */
  const within = (actual: ArrayLike<number>, expected: readonly number[], sd: readonly number[]) => {
    for (const [i, e] of expected.entries()) expect(Math.abs(actual[i] - e)).toBeLessThan((5 * sd[i]) / Math.sqrt(N));
  };
  it('have the moments of the law, seeded', () => {
    seed(1);
    const normal = new Normal(tensor([0, 3]), tensor([1, 0.5])).sample([N]);
    expect(normal.shape).toEqual([N, 2]);
    within(mean4(normal), [0, 3], [1, 0.5]);
    within(mean4(square(normal.sub(tensor([0, 3])))), [1, 0.25], [Math.SQRT2, 0.25 * Math.SQRT2]);
    const flat = new Uniform(tensor([-1, 2]), 5).sample([N]);
    within(mean4(flat), [2, 3.5], [6 / Math.sqrt(12), 3 / Math.sqrt(12)]);
    const bits = new Bernoulli({ probs: tensor([0, 0.2, 1]) }).sample([N]);
    within(mean4(bits), [0, 0.2, 1], [1e-9, 0.4, 1e-9]);
    const classes = new Categorical({ probs: tensor([1, 0, 3]) }).sample([N]);
    const share = (k: number) => mean(classes.equal(k).cast('float32')).itemSync();
    within([share(0), share(1), share(2)], [0.25, 0, 0.75], [0.44, 1e-9, 0.44]);
    seed(1);
    expect([...new Normal(tensor([0, 3]), tensor([1, 0.5])).sample([N]).dataSync()]).toEqual([...normal.dataSync()]);
  });
  it('are constants, rsample is differentiable by the parameters', () => {
    const f = (draw: 'sample' | 'rsample') => (loc: Tensor, scale: Tensor) => sum(new Normal(loc, scale)[draw]([3]));
    expect(grad(f('sample'))(tensor(1), tensor(2)).itemSync()).toBe(0);
    expect(grad(f('rsample'))(tensor(1), tensor(2)).itemSync()).toBe(3);
    const low = grad((t: Tensor) => sum(new Uniform(t, 4).rsample([5])))(tensor(0)).itemSync();
    expect(low).toBeGreaterThan(0);
    expect(low).toBeLessThan(5);
  });
});

describe('maximum likelihood is the matching loss', () => {
  seed(4);
  const logits = new Normal(0, 2).sample([6, 3]);
  it('of a categorical: cross entropy; of a Bernoulli: binary cross entropy; of a normal: Gaussian NLL and squares', () => {
    const labels = tensor([0, 2, 1, 1, 0, 2], { dtype: 'int32' });
    const bits = new Bernoulli({ probs: 0.5 }).sample([6, 3]);
    const pairs: [Tensor, Tensor][] = [
      [neg(mean(new Categorical({ logits }).logProb(labels))), crossEntropy(logits, labels)],
      [neg(mean(new Bernoulli({ logits }).logProb(bits))), binaryCrossEntropy(logits, bits)],
      [
        neg(mean(new Normal(logits, 0.5).logProb(bits))),
        gaussianNllLoss(
          logits,
          bits,
          tensor(
            Float32Array.from({ length: 18 }, () => 0.25),
            { shape: [6, 3] },
          ),
          { full: true },
        ),
      ],
      [
        neg(mean(new Normal(logits, 1).logProb(bits))),
        add(mul(0.5, mean(square(logits.sub(bits)))), 0.5 * Math.log(2 * Math.PI)),
      ],
    ];
    for (const [likelihood, loss] of pairs) {
      expect(Math.abs(likelihood.itemSync() - loss.itemSync())).toBeLessThanOrEqual(
        2 ** -23 * 16 * Math.abs(loss.itemSync()),
      );
    }
  });
  it('climbing it finds the parameters of the data: mean and deviation', () => {
    const data = new Normal(2, 3).sample([500]);
    const nll = (p: { loc: Tensor; logScale: Tensor }) => neg(mean(new Normal(p.loc, p.logScale.exp()).logProb(data)));
    const step = compile((p: { loc: Tensor; logScale: Tensor }) => {
      const g = grad(nll)(p);
      return { loc: p.loc.sub(g.loc.mul(3)), logScale: p.logScale.sub(g.logScale.mul(0.3)) };
    });
    let p = { loc: tensor(0), logScale: tensor(0) };
    for (let i = 0; i < 200; i++) p = step.sync(p) as typeof p;
    const expected = [mean(data).itemSync(), Math.log(data.std({ correction: 0 }).itemSync())];
    expect(p.loc.itemSync()).toBeCloseTo(expected[0], 3);
    expect(p.logScale.itemSync()).toBeCloseTo(expected[1], 3);
  });
});

describe('edges', () => {
  it('probabilities of exactly 0 and 1 are exact, with finite gradients elsewhere', () => {
    const b = new Bernoulli({ probs: tensor([0, 1, 0, 1]) });
    expect([...b.logProb(tensor([0, 1, 1, 0])).dataSync()]).toEqual([0, 0, -Infinity, -Infinity]);
    expect([...b.entropy().dataSync()].map(Math.abs)).toEqual([0, 0, 0, 0]);
    const c = new Categorical({ probs: tensor([0, 2, 2]) });
    expect(c.logProb(tensor([0, 1], { dtype: 'int32' })).dataSync()[0]).toBe(-Infinity);
    expect(c.entropy().itemSync()).toBeCloseTo(Math.LN2, 6);
    const g = grad((p: Tensor) => new Categorical({ probs: p }).logProb(1).sum())(tensor([0, 2, 2])).dataSync();
    expect([...g].every(Number.isFinite)).toBe(true);
    // d entropy / d p_i = (−ln P_i − entropy) / sum: 0 between equal ones; at 0 it would be infinite and is cut off.
    const flat = grad((p: Tensor) => new Categorical({ probs: p }).entropy())(tensor([0, 2, 2])).dataSync();
    expect([...flat].slice(1)).toEqual([0, 0]);
    expect(Number.isFinite(flat[0])).toBe(true);
    const masked = grad((z: Tensor) => new Categorical({ logits: z }).entropy())(tensor([-Infinity, 1, 1])).dataSync();
    expect([...masked].map(Math.abs)).toEqual([0, 0, 0]);
    const far = new Bernoulli({ logits: tensor([-Infinity, 200, -200]) });
    expect([...far.logProb(tensor([0, 1, 1])).dataSync()]).toEqual([0, 0, -200]);
  });
  it('divergences are 0 from itself and Infinity where q has nothing', () => {
    const p = new Categorical({ probs: tensor([0.5, 0.5, 0]) });
    expect(klDivergence(p, p).itemSync()).toBe(0);
    expect(klDivergence(p, new Categorical({ probs: tensor([1, 0, 0]) })).itemSync()).toBe(Infinity);
    expect(klDivergence(new Categorical({ probs: tensor([1, 0, 0]) }), p).itemSync()).toBeCloseTo(Math.LN2, 6);
    expect(klDivergence(new Uniform(0, 2), new Uniform(0, 1)).itemSync()).toBe(Infinity);
    expect(klDivergence(new Normal(0, 1), new Normal(1, 1)).itemSync()).toBe(0.5);
    expect(() => klDivergence(new Normal(0, 1), new Uniform(0, 1))).toThrow(
      'klDivergence: got a Normal and a Uniform, expected two of one family; estimate it',
    );
    expect(() => klDivergence(p, new Categorical({ probs: tensor([1, 1]) }))).toThrow(ShapeError);
  });
  it('gradients of first and second order, and vmap', async () => {
    const at = (values: number[]) => tensor(Float64Array.from(values));
    await gradCheck((m: Tensor, s: Tensor) => new Normal(m, s).logProb(0.3), [at([0.1]), at([0.7])], { order: 2 });
    await gradCheck((z: Tensor) => new Bernoulli({ logits: z }).entropy(), [at([0.4, -2])], { order: 2 });
    await gradCheck((z: Tensor) => new Categorical({ logits: z }).entropy(), [at([0.4, -2, 1])], { order: 2 });
    const rows = tensor([
      [0, 1],
      [2, 0],
    ]);
    const each = vmap((z: Tensor, y: Tensor) => new Categorical({ logits: z }).logProb(y));
    const labels = tensor([1, 0], { dtype: 'int32' });
    expect([...each(rows, labels).dataSync()]).toEqual([
      ...new Categorical({ logits: rows }).logProb(labels).dataSync(),
    ]);
  });
  it('bad parameters are named', async () => {
    expect(() => new Normal(0, 0)).toThrow(new OptionError('Normal: scale is 0, expected a number > 0'));
    expect(() => new Normal(Number.NaN, 1)).toThrow('Normal: loc is NaN, expected a finite number');
    expect(() => new Normal(tensor([1, 2]), tensor([1, 2, 3]))).toThrow(ShapeError);
    expect(() => new Normal(tensor([1], { dtype: 'int32' }), 1)).toThrow('Normal: loc has dtype int32');
    expect(() => new Uniform(2, 2)).toThrow('Uniform: got low 2 and high 2, expected low < high');
    expect(() => new Bernoulli({ probs: 1.5 })).toThrow('Bernoulli: probs is 1.5, expected a number in [0, 1]');
    expect(() => new Bernoulli({})).toThrow('Bernoulli: got neither, expected probs or logits');
    expect(() => new Categorical({ probs: tensor([1]), logits: tensor([1]) })).toThrow('got both');
    expect(() => new Categorical({ logits: tensor(1) })).toThrow('expected [..., classes]');
    expect(() => new Categorical({ logits: tensor([1, 2]) }).logProb(tensor([0.5]))).toThrow('got float32');
    expect(() => new Normal(0, 1).sample([-1])).toThrow('Normal.sample: got sample shape [-1]');
    await expect(new Categorical({ logits: tensor([1, 2]) }).logProb(2).data()).rejects.toThrow(DataError);
  });
});
