import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Draws } from '../../src/core.js';
import { DataError, data, OptionError, ShapeError, tensor } from '../../src/index.js';

const golden = JSON.parse(readFileSync(new URL('goldens/smote.json', import.meta.url), 'utf8')) as {
  readonly k: number;
  readonly x: number[][];
  readonly y: number[];
  readonly neighbours: number[][];
  readonly rows: number[];
  readonly columns: number[];
  readonly steps: number[];
  readonly made: number[][];
};

const cloud = (n: number, seed: number) => data.blobs(n, { centers: 2, seed });
const values = async (set: data.TensorDataset) => [...(await set.x.data())] as number[];
const labels = async (set: data.TensorDataset) => [...(await set.y.data())] as number[];

describe('gaussianNoise', () => {
  it('appends copies with noise in units of each feature', async () => {
    const n = 5000;
    const x = Float32Array.from({ length: 2 * n }, (_, i) => (i % 2 === 0 ? i % 7 : 100 * (i % 5)));
    const set = new data.TensorDataset(
      { data: x, shape: [n, 2] },
      Int32Array.from({ length: n }, (_, i) => i % 3),
    );
    const more = await data.gaussianNoise(set, { std: [0.1, 0], copies: 2, seed: 1 });
    expect(more.length).toBe(3 * n);
    expect(more.y.dtype).toBe('int32');
    const v = await values(more);
    expect(v.slice(0, 2 * n)).toEqual([...x]);
    expect((await labels(more)).slice(n, 2 * n)).toEqual(await labels(set));
    const first = Array.from({ length: n }, (_, i) => x[2 * i]);
    const mean = first.reduce((a, b) => a + b, 0) / n;
    const sigma = Math.sqrt(first.reduce((a, b) => a + (b - mean) ** 2, 0) / n);
    const noise = Array.from({ length: 2 * n }, (_, i) => v[2 * n + 2 * i] - x[2 * (i % n)]);
    const std = Math.sqrt(noise.reduce((a, b) => a + b * b, 0) / noise.length);
    // Five standard deviations of the estimate of a standard deviation.
    expect(Math.abs(std / (0.1 * sigma) - 1)).toBeLessThan(5 / Math.sqrt(2 * noise.length));
    expect(Array.from({ length: n }, (_, i) => v[2 * n + 2 * i + 1])).toEqual(
      Array.from({ length: n }, (_, i) => x[2 * i + 1]),
    );
  });
  it('is the same for a seed', async () => {
    const set = cloud(20, 1);
    const run = async (seed: number) => values(await data.gaussianNoise(set, { seed }));
    expect(await run(3)).toEqual(await run(3));
    expect(await run(3)).not.toEqual(await run(4));
  });
});

describe('swapNoise', () => {
  it('takes values from the same feature, about the share asked for', async () => {
    const n = 2000;
    const x = Float64Array.from({ length: 2 * n }, (_, i) => (i % 2 === 0 ? i : -i));
    const set = new data.TensorDataset(
      { data: x, shape: [n, 2] },
      Float32Array.from({ length: n }, (_, i) => i),
    );
    const more = await data.swapNoise(set, { share: 0.25, seed: 2 });
    expect(more.x.dtype).toBe('float64');
    const v = await values(more);
    let changed = 0;
    for (let i = 0; i < 2 * n; i++) {
      const now = v[2 * n + i];
      expect(i % 2 === 0 ? now >= 0 : now <= 0).toBe(true);
      if (now !== x[i]) changed++;
    }
    expect(Math.abs(changed / (2 * n) - 0.25)).toBeLessThan(5 * Math.sqrt((0.25 * 0.75) / (2 * n)) + 1 / n);
    expect(await values(await data.swapNoise(set, { share: 0 }))).toEqual([...x, ...x]);
  });
});

describe('interpolate', () => {
  it('stays between two samples of one class', async () => {
    const set = new data.TensorDataset([[0], [1], [10], [11]], Int32Array.of(0, 0, 1, 1));
    const more = await data.interpolate(set, { count: 200, seed: 1 });
    const [v, y] = [await values(more), await labels(more)];
    expect(more.length).toBe(204);
    for (let i = 4; i < 204; i++) {
      const [low, high] = y[i] === 0 ? [0, 1] : [10, 11];
      expect(v[i] >= low && v[i] <= high).toBe(true);
    }
  });
  it('interpolates float targets with the features', async () => {
    const set = new data.TensorDataset([[0], [1]], Float32Array.of(5, 7));
    const more = await data.interpolate(set, { count: 50, seed: 1 });
    const [v, y] = [await values(more), await labels(more)];
    for (let i = 2; i < 52; i++) expect(y[i]).toBeCloseTo(5 + 2 * v[i], 5);
  });
});

describe('smote', () => {
  it('fills every class up with points between near neighbours', async () => {
    // Two far clumps of one class: new points never lie between them with k = 2.
    const small = [
      [0, 0],
      [0, 1],
      [1, 0],
      [50, 50],
      [50, 51],
      [51, 50],
    ];
    const large = Array.from({ length: 30 }, (_, i) => [-10 - i, 5]);
    const set = new data.TensorDataset([...large, ...small], [...large.map(() => 0), ...small.map(() => 7)]);
    const more = await data.smote(set, { k: 2, seed: 5 });
    const [v, y] = [await values(more), await labels(more)];
    expect(more.length).toBe(60);
    expect(y.filter((l) => l === 7).length).toBe(30);
    for (let i = 36; i < 60; i++) {
      expect(y[i]).toBe(7);
      const [a, b] = [v[2 * i], v[2 * i + 1]];
      const [p, q] = a < 25 ? [a, b] : [a - 50, b - 50];
      expect(p >= 0 && q >= 0 && p + q <= 1 + 1e-5).toBe(true);
    }
    expect(new Set(v.slice(72)).size).toBeGreaterThan(20);
  });
  it('draws from the neighbours that imbalanced-learn finds, and makes its samples of them', async () => {
    const given = Array.from(golden.x.flat());
    const set = new data.TensorDataset(
      { data: Float64Array.from(given), shape: [golden.x.length, 3] },
      Int32Array.from(golden.y),
    );
    const members = golden.y.flatMap((label, i) => (label === 1 ? [i] : []));
    const made = (row: number, column: number, step: number): number[] => {
      const [from, to] = [golden.x[members[row]], golden.x[members[golden.neighbours[row][column]]]];
      return from.map((v, j) => v + step * (to[j] - v));
    };
    for (const [i, row] of golden.rows.entries()) {
      const point = made(row, golden.columns[i], golden.steps[i]);
      for (const [j, v] of point.entries()) expect(Math.abs(v - golden.made[i][j])).toBeLessThanOrEqual(2 ** -50);
    }
    const draws = new Draws('replay', 9);
    const count = golden.y.length - 2 * members.length;
    const expected = Array.from({ length: count }, () => [
      ...made(draws.below(members.length), draws.below(golden.k), draws.uniform()),
    ]);
    const more = await data.smote(set, { k: golden.k, seed: 9 });
    expect((await values(more)).slice(given.length)).toEqual(expected.flat());
  });
  it('takes the size asked for, and rows of a part', async () => {
    const set = new data.TensorDataset(
      [[9], [0], [1], [2], [5], [6], [7]],
      [0, 0, 0, 0, 1, 1, 1],
      {},
      Int32Array.of(1, 2, 3, 4, 5, 6),
    );
    const more = await data.smote(set, { k: 1, size: 5, seed: 1 });
    expect(more.length).toBe(10);
    for (const v of (await values(more)).slice(6)) expect((v >= 0 && v <= 2) || (v >= 5 && v <= 7)).toBe(true);
  });
});

describe('bad input', () => {
  const set = cloud(10, 1);
  it.each([
    ['std', () => data.gaussianNoise(set, { std: -1 }), OptionError, /std is -1/],
    ['std of features', () => data.gaussianNoise(set, { std: [1] }), OptionError, /one for each of 2 features/],
    ['copies', () => data.gaussianNoise(set, { copies: 0 }), OptionError, /copies is 0/],
    ['a typo', () => data.gaussianNoise(set, { sdt: 1 } as never), OptionError, /unknown option "sdt"/],
    ['share', () => data.swapNoise(set, { share: 2 }), OptionError, /share is 2/],
    ['count', () => data.interpolate(set, { count: 0.5 }), OptionError, /count is 0.5/],
    ['k', () => data.smote(set, { k: 0 }), OptionError, /k is 0/],
    [
      'a small class',
      () => data.smote(new data.TensorDataset([[1], [2], [3]], [0, 0, 1])),
      DataError,
      /class 1 has 1 samples, expected more than k = 5/,
    ],
    [
      'float targets',
      () => data.smote(new data.TensorDataset([[1], [2]], Float32Array.of(0.5, 1))),
      DataError,
      /expected one class number/,
    ],
    [
      'NaN',
      () => data.swapNoise(new data.TensorDataset([[1], [Number.NaN]], [0, 1])),
      DataError,
      /sample 1 has NaN at feature 0/,
    ],
    [
      'bytes',
      () => data.swapNoise(new data.TensorDataset(tensor(Uint8Array.of(1, 2), { shape: [2, 1] }), [0, 1])),
      ShapeError,
      /of uint8/,
    ],
  ])('%s', async (_, run, kind, message) => {
    await expect(run()).rejects.toThrow(kind);
    await expect(run()).rejects.toThrow(message);
  });
});
