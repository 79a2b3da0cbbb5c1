import { describe, expect, it } from 'vitest';
import { Draws, data, OptionError, permutation, seed } from '../../src/index.js';

async function read(set: data.TensorDataset) {
  const [x, y] = [(await set.x.data()) as Float32Array, (await set.y.data()) as Int32Array];
  const d = set.x.shape[1];
  return { x, y, d, rows: Array.from(y, (label, i) => ({ at: x.subarray(i * d, (i + 1) * d), label })) };
}
const mean = (v: number[]) => v.reduce((a, b) => a + b, 0) / v.length;
const deviation = (v: number[]) => Math.sqrt(mean(v.map((x) => (x - mean(v)) ** 2)));

/** Kolmogorov–Smirnov distance of values to a law; 1.95 / √n is exceeded by chance once in 1000. */
function distance(values: number[], cdf: (x: number) => number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.max(...sorted.map((v, i) => Math.max((i + 1) / sorted.length - cdf(v), cdf(v) - i / sorted.length)));
}
function normalCdf(x: number): number {
  // Simpson's rule on the density: 1e-10 for |x| < 8.
  const n = 400;
  const f = (t: number) => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  let sum = f(0) + f(x);
  for (let i = 1; i < n; i++) sum += (i % 2 === 1 ? 4 : 2) * f((i * x) / n);
  return 0.5 + (sum * x) / (3 * n);
}

describe('Draws', () => {
  const n = 20_000;
  it('are uniform, normal and unbiased', () => {
    const random = new Draws('test', 1);
    const list = (fn: () => number) => Array.from({ length: n }, fn);
    expect(
      distance(
        list(() => random.uniform()),
        (v) => v,
      ),
    ).toBeLessThan(1.95 / Math.sqrt(n));
    expect(
      distance(
        list(() => random.normal()),
        normalCdf,
      ),
    ).toBeLessThan(1.95 / Math.sqrt(n));
    const counts = [0, 0, 0];
    for (const v of list(() => random.below(3))) counts[v] += 1;
    // Chi-squared with 2 degrees of freedom: above 13.8 once in 1000.
    expect(counts.reduce((sum, c) => sum + (c - n / 3) ** 2 / (n / 3), 0)).toBeLessThan(13.8);
    expect(random.below(1)).toBe(0);
    expect(random.shuffle([1, 2, 3]).toSorted()).toEqual([1, 2, 3]);
  });
  it('of a seed differ from the permutation of the same seed, and refuse other seeds', () => {
    const order = Array.from({ length: 50 }, (_, i) => i);
    expect(new Draws('test', 4).shuffle([...order])).not.toEqual([...permutation(50, 4)]);
    expect(() => new Draws('mine', -1)).toThrow(/mine: seed is -1/);
  });
});

describe('points on curves', () => {
  it('moons lie on their half circles', async () => {
    const { rows } = await read(data.moons(101, { seed: 1 }));
    expect(rows.filter((r) => r.label === 0).length).toBe(50);
    for (const {
      at: [a, b],
      label,
    } of rows) {
      const [u, v] = label === 0 ? [a, b] : [1 - a, 0.5 - b];
      expect(Math.hypot(u, v)).toBeCloseTo(1, 5);
      expect(v).toBeGreaterThan(-1e-6);
    }
  });
  it('circles have radius 1 and factor', async () => {
    const { rows } = await read(data.circles(60, { factor: 0.25, seed: 1 }));
    for (const { at, label } of rows) expect(Math.hypot(...at)).toBeCloseTo(label === 0 ? 1 : 0.25, 5);
  });
  it('spirals have their angle at each radius', async () => {
    const { rows } = await read(data.spirals(90, { arms: 3, turns: 2, seed: 1 }));
    for (const {
      at: [a, b],
      label,
    } of rows) {
      const r = Math.hypot(a, b);
      const t = 2 * Math.PI * (label / 3 + 2 * r);
      expect(a).toBeCloseTo(r * Math.cos(t), 4);
      expect(b).toBeCloseTo(r * Math.sin(t), 4);
    }
    expect([0, 1, 2].map((k) => rows.filter((row) => row.label === k).length)).toEqual([30, 30, 30]);
  });
  it('noise is Gaussian with the deviation asked for', async () => {
    const n = 4000;
    const { rows } = await read(data.circles(n, { factor: 0, noise: 0.5, seed: 3 }));
    const offsets = rows.filter((r) => r.label === 1).flatMap((r) => [...r.at].map((v) => v / 0.5));
    expect(offsets.length).toBe(n);
    expect(distance(offsets, normalCdf)).toBeLessThan(1.95 / Math.sqrt(n));
  });
  it('the order is random: classes are mixed', async () => {
    const { y } = await read(data.moons(400, { seed: 2 }));
    const first = mean([...y.subarray(0, 200)]);
    expect(Math.abs(first - 0.5)).toBeLessThan(0.12); // 4 deviations of 200 draws out of 400: 0.1
  });
});

describe('xor', () => {
  it('is uniform, with the class of the signs', async () => {
    const n = 4000;
    const { rows } = await read(data.xor(n, { seed: 1 }));
    for (const {
      at: [a, b],
      label,
    } of rows)
      expect(label).toBe(a < 0 !== b < 0 ? 1 : 0);
    for (const j of [0, 1])
      expect(
        distance(
          rows.map((r) => r.at[j]),
          (v) => (v + 1) / 2,
        ),
      ).toBeLessThan(1.95 / Math.sqrt(n));
    expect(Math.abs(mean(rows.map((r) => r.label)) - 0.5)).toBeLessThan((4 * 0.5) / Math.sqrt(n));
  });
});

describe('blobs', () => {
  it('are normal around their centres, with equal classes', async () => {
    const centers = [
      [0, 5],
      [-3, 2],
      [8, 8],
    ];
    const { rows } = await read(data.blobs(3001, { centers, noise: 2, seed: 4 }));
    for (const [k, centre] of centers.entries()) {
      const own = rows.filter((r) => r.label === k);
      expect(Math.abs(own.length - 1000)).toBeLessThanOrEqual(1);
      for (const j of [0, 1]) {
        const z = own.map((r) => (r.at[j] - centre[j]) / 2);
        expect(distance(z, normalCdf)).toBeLessThan(1.95 / Math.sqrt(z.length));
      }
    }
  });
  it('draws centres from the box', async () => {
    const { rows } = await read(data.blobs(50, { centers: 10, features: 4, noise: 0, box: [2, 3], seed: 1 }));
    for (const { at } of rows) for (const v of at) expect(v >= 2 && v <= 3).toBe(true);
    expect(new Set(rows.map((r) => r.label)).size).toBe(10);
  });
});

describe('regression', () => {
  it('follows its coefficients; noise has its deviation', async () => {
    const made = data.regression(2000, { features: 5, informative: 2, targets: 2, bias: 7, noise: 3, seed: 1 });
    const { x } = await read(made.dataset);
    const y = (await made.dataset.y.data()) as Float32Array;
    for (const t of [0, 1]) {
      const w = made.coefficients[t];
      expect(w.filter((c) => c !== 0).length).toBe(2);
      const rest = Array.from(
        { length: 2000 },
        (_, i) => y[2 * i + t] - w.reduce((s, c, j) => s + c * x[5 * i + j], 7),
      );
      expect(
        distance(
          rest.map((v) => v / 3),
          normalCdf,
        ),
      ).toBeLessThan(1.95 / Math.sqrt(2000));
    }
    expect(distance([...x], normalCdf)).toBeLessThan(1.95 / Math.sqrt(x.length));
  });
});

describe('classification', () => {
  it('has clusters at corners in the informative columns and noise in the others', async () => {
    const set = data.classification(4000, {
      features: 4,
      informative: 2,
      classes: 2,
      clusters: 2,
      separation: 5,
      noise: 0.5,
      seed: 3,
    });
    const { rows } = await read(set);
    const spread = [0, 1, 2, 3].map((j) => deviation(rows.map((r) => r.at[j])));
    expect(spread.filter((s) => s > 4).length).toBe(2); // ±5
    for (const j of spread.keys()) {
      const values = rows.map((r) => r.at[j]);
      if (spread[j] < 4) expect(distance(values, normalCdf)).toBeLessThan(1.95 / Math.sqrt(4000));
      else
        expect(
          distance(
            values.map((v) => (Math.abs(v) - 5) / 0.5),
            normalCdf,
          ),
        ).toBeLessThan(1.95 / Math.sqrt(4000));
    }
    expect(mean(rows.map((r) => r.label))).toBe(0.5);
  });
  it('flips the share of labels asked for', async () => {
    const options = { features: 1, informative: 1, separation: 100, seed: 2 };
    const { rows } = await read(data.classification(4000, { ...options, flip: 0.5 }));
    const low = rows.filter((r) => r.at[0] < 0).map((r) => r.label);
    const minority = Math.min(mean(low), 1 - mean(low));
    expect(Math.abs(minority - 0.25)).toBeLessThan((4 * Math.sqrt(0.25 * 0.75)) / Math.sqrt(low.length));
  });
});

describe('seeds', () => {
  const generators = {
    moons: (s?: number) => data.moons(20, { noise: 0.1, ...(s === undefined ? {} : { seed: s }) }),
    blobs: (s?: number) => data.blobs(20, s === undefined ? {} : { seed: s }),
    xor: (s?: number) => data.xor(20, s === undefined ? {} : { seed: s }),
    regression: (s?: number) => data.regression(20, s === undefined ? {} : { seed: s }).dataset,
    classification: (s?: number) => data.classification(20, s === undefined ? {} : { seed: s }),
  };
  it.each(Object.entries(generators))('%s: own seed depends on nothing, the stream on seed()', async (_, make) => {
    const values = async (s?: number) => (await make(s).x.data()).join();
    expect(await values(5)).toBe(await values(5));
    expect(await values(5)).not.toBe(await values(6));
    seed(9);
    const [a, b] = [await values(), await values()];
    expect(a).not.toBe(b);
    seed(9);
    expect(await values()).toBe(a);
    expect(await values()).toBe(b);
  });
});

it('options out of range are named', () => {
  expect(() => data.moons(1)).toThrow(/moons: samples is 1/);
  expect(() => data.moons(10, { noise: -1 })).toThrow(/moons: noise is -1/);
  expect(() => data.moons(10, { seed: 0.5 })).toThrow(/moons: seed is 0.5/);
  expect(() => data.circles(10, { factor: 1 })).toThrow(/factor is 1/);
  expect(() => data.spirals(10, { turns: 0 })).toThrow(/turns is 0/);
  expect(() => data.spirals(2, { arms: 3 })).toThrow(/samples is 2/);
  expect(() => data.blobs(10, { centers: [[0], [1, 2]] })).toThrow(OptionError);
  expect(() => data.blobs(10, { box: [1, 0] })).toThrow(/box/);
  expect(() => data.regression(10, { features: 2, informative: 3 })).toThrow(/informative is 3/);
  expect(() => data.classification(10, { informative: 1, classes: 3 })).toThrow(/3 corners/);
  expect(() => data.classification(10, { flip: 2 })).toThrow(/flip is 2/);
  expect(() => data.xor(10, { nois: 1 } as object)).toThrow(/Did you mean "noise"/);
});
