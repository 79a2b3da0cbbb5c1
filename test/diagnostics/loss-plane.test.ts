import { describe, expect, it } from 'vitest';
import {
  DataError,
  data,
  diagnostics,
  fit,
  nn,
  OptionError,
  optim,
  ShapeError,
  seed,
  type Tensor,
  tensor,
} from '../../src/index.js';
import { lossSurface } from '../../src/plot/index.js';
import { faults } from '../plot/svg.js';

const { lossPlane } = diagnostics;
const weights = (values: readonly (readonly number[])[]): Record<string, Tensor>[] =>
  values.map((w) => ({ weight: tensor([[...w]]) }));
/** mse of w·x over x = [2, 0] and [0, 4], both 0: (4·w₁² + 16·w₂²) / 2. */
const points = {
  x: [
    [2, 0],
    [0, 4],
  ],
  y: [[0], [0]],
};

describe('lossPlane', () => {
  it('is the loss itself when the model has two parameters', async () => {
    const model = new nn.Linear(2, 1, { bias: false });
    const before = await model.stateDict();
    const way = [
      [3, 1],
      [2, -1],
      [0.5, 0.25],
    ] as const;
    const { surface, path, explained } = await lossPlane(model, points, {
      loss: 'mse',
      snapshots: weights(way),
      resolution: 9,
    });
    expect(explained).toBeCloseTo(1, 12);
    expect(path[2]).toEqual([0, 0]);
    // A rotation keeps distances.
    for (const [i, j] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ]) {
      const drawn = Math.hypot(path[i][0] - path[j][0], path[i][1] - path[j][1]);
      expect(drawn).toBeCloseTo(Math.hypot(way[i][0] - way[j][0], way[i][1] - way[j][1]), 10);
    }
    // Two points of the path say where (u, v) is among the weights: w = last + D·(u, v) with D·C = V.
    const [[a, b], [c, d]] = [path[0], path[1]];
    const det = a * d - b * c;
    const at = (u: number, v: number): number[] =>
      [0, 1].map((k) => {
        const [p, q] = [way[0][k] - way[2][k], way[1][k] - way[2][k]];
        return way[2][k] + (u * (p * d - q * b)) / det + (v * (q * a - p * c)) / det;
      });
    for (const [j, v] of Array.from(surface.y).entries()) {
      for (const [i, u] of Array.from(surface.x).entries()) {
        const [w1, w2] = at(u, v);
        const exact = (4 * w1 * w1 + 16 * w2 * w2) / 2;
        // Directions and weights are rounded to float32 a handful of times.
        expect(Math.abs(surface.z[j][i] - exact)).toBeLessThan(16 * 2 ** -24 * (exact + 16));
      }
    }
    const after = await model.stateDict();
    expect(await after['weight'].data()).toEqual(await before['weight'].data());
  });

  it('draws the way of a network, which stays as it was', async () => {
    seed(4);
    const moons = data.moons(100, { noise: 0.1, seed: 4 });
    const model = new nn.Sequential(new nn.Linear(2, 8), new nn.Tanh(), new nn.Dropout(0.2), new nn.Linear(8, 2));
    const snapshots = [await model.stateDict()];
    const keep = { name: 'keep', onEpoch: async () => void snapshots.push(await model.stateDict()) };
    await fit(model, moons, {
      loss: 'crossEntropy',
      optimizer: new optim.Adam({ lr: 0.02 }),
      epochs: 8,
      callbacks: [keep],
    });
    const plane = await lossPlane(model, moons, { loss: 'crossEntropy', snapshots, resolution: 7 });
    expect(plane.path).toHaveLength(9);
    expect(plane.path[0][0]).toBeLessThan(0);
    expect(plane.explained).toBeGreaterThan(0.8);
    // The middle of the plane lies lower than where training began.
    const nearest = (list: ArrayLike<number>, v: number): number =>
      Array.from(list).reduce((best, u, i, all) => (Math.abs(u - v) < Math.abs(all[best] - v) ? i : best), 0);
    const z = ([u, v]: readonly [number, number]): number =>
      plane.surface.z[nearest(plane.surface.y, v)][nearest(plane.surface.x, u)];
    expect(z(plane.path[8])).toBeLessThan(z(plane.path[0]));
    expect(faults(lossSurface(plane.surface, { paths: { training: plane.path } }))).toEqual([]);
    const after = await model.stateDict();
    for (const path of Object.keys(after)) expect(await after[path].data()).toEqual(await snapshots[8][path].data());
    expect(model.training).toBe(true);
  });

  const linear = new nn.Linear(2, 1, { bias: false });
  it.each<[string, () => Promise<unknown>, new (message: string) => Error]>([
    [
      'two snapshots',
      () =>
        lossPlane(linear, points, {
          loss: 'mse',
          snapshots: weights([
            [0, 0],
            [1, 1],
          ]),
        }),
      OptionError,
    ],
    [
      'snapshots on a line',
      () =>
        lossPlane(linear, points, {
          loss: 'mse',
          snapshots: weights([
            [0, 0],
            [1, 1],
            [2, 2],
          ]),
        }),
      DataError,
    ],
    [
      'equal snapshots',
      () =>
        lossPlane(linear, points, {
          loss: 'mse',
          snapshots: weights([
            [1, 1],
            [1, 1],
            [1, 1],
          ]),
        }),
      DataError,
    ],
    [
      'NaN',
      () =>
        lossPlane(linear, points, {
          loss: 'mse',
          snapshots: weights([
            [Number.NaN, 1],
            [1, 0],
            [0, 0],
          ]),
        }),
      DataError,
    ],
    [
      'another model',
      () =>
        lossPlane(new nn.Linear(3, 1, { bias: false }), points, {
          loss: 'mse',
          snapshots: weights([
            [0, 1],
            [1, 0],
            [0, 0],
          ]),
        }),
      ShapeError,
    ],
    [
      'a margin of 0',
      () =>
        lossPlane(linear, points, {
          loss: 'mse',
          margin: 0,
          snapshots: weights([
            [0, 1],
            [1, 0],
            [0, 0],
          ]),
        }),
      OptionError,
    ],
  ])('refuses %s', async (_name, call, kind) => {
    await expect(call()).rejects.toThrow(kind);
  });
});
