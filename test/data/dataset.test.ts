import { describe, expect, it } from 'vitest';
import { DataError, OptionError, realize, ShapeError, seed, type Tensor, tensor } from '../../src/core.js';
import { type BatchOptions, TensorDataset } from '../../src/data/index.js';

/** Sample i is [10 i, 10 i + 1] with the target i. */
function numbered(n: number): TensorDataset {
  const x = Array.from({ length: n }, (_, i) => [10 * i, 10 * i + 1]);
  return new TensorDataset(
    x,
    tensor(
      x.map((_, i) => i),
      { dtype: 'int32' },
    ),
  );
}

async function targets(data: TensorDataset, options = {}): Promise<number[][]> {
  const out: number[][] = [];
  for await (const [x, y] of data.batches({ batchSize: Math.min(4, data.length), ...options })) {
    const labels = [...(await y.data())];
    expect([...(await x.data())]).toEqual(labels.flatMap((i) => [10 * i, 10 * i + 1])); // x and y stay together
    out.push(labels);
  }
  return out;
}

describe('TensorDataset', () => {
  it('takes nested arrays, tensors, typed arrays and arrays with a shape', () => {
    const data = { data: new Uint8Array(6), shape: [3, 2] };
    for (const x of [
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      data,
    ]) {
      const set = new TensorDataset(x, Int32Array.of(0, 1, 2));
      expect(set.length).toBe(3);
      expect(set.x.shape).toEqual([3, 2]);
      expect(set.y.dtype).toBe('int32');
    }
  });

  it('copies what it is given', async () => {
    const pixels = new Uint8Array([1, 2]);
    const set = new TensorDataset(pixels, Int32Array.of(0, 0));
    pixels[0] = 99;
    expect([...(await set.x.data())]).toEqual([1, 2]);
  });

  it.each([
    ['different lengths', () => new TensorDataset([1, 2, 3], [1, 2]), DataError, /x has 3 samples and y has 2/],
    ['no samples', () => new TensorDataset([], []), DataError, /empty/],
    ['a scalar', () => new TensorDataset(1, [1]), ShapeError, /x is a scalar, expected \[samples/],
    [
      'a misspelt option',
      () => new TensorDataset([1], [1], { transfrom: 1 } as never),
      OptionError,
      /mean "transform"/,
    ],
    ['an index outside', () => numbered(3).subset([0, 3]), DataError, /index 3 at position 1 is outside \[0, 3\)/],
    ['an empty subset', () => numbered(3).subset([]), DataError, /empty/],
  ])('refuses %s', (_name, make, type, message) => {
    expect(make).toThrow(type);
    expect(make).toThrow(message);
  });

  it('transforms batches inside the graph, one transform after the other', async () => {
    const set = new TensorDataset({ data: new Uint8Array([0, 51, 255, 102]), shape: [2, 2] }, Int32Array.of(0, 1), {
      transform: (x: Tensor) => x.cast('float32').div(255),
    }).map((x) => x.mul(10));
    for await (const [x] of set.batches()) {
      expect(x.dtype).toBe('float32');
      expect(x.storage).toBeNull(); // lazy
      const values = await x.data();
      // Two roundings of float32, each at most half an ulp of a value up to 10.
      [0, 2, 10, 4].forEach((v, i) => {
        expect(Math.abs(values[i] - v)).toBeLessThanOrEqual(2 * 2 ** -24 * 10);
      });
    }
  });
});

describe('batches', () => {
  it('goes through all samples in order, the last batch smaller', async () => {
    expect(await targets(numbered(10))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect(await targets(numbered(10), { dropLast: true })).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
    expect(await targets(numbered(8), { dropLast: true })).toHaveLength(2);
  });

  it('shuffles anew each time, the same after seed()', async () => {
    const data = numbered(20);
    seed(3);
    const first = await targets(data, { shuffle: true });
    const second = await targets(data, { shuffle: true });
    expect(first.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(second).not.toEqual(first);
    seed(3);
    expect(await targets(data, { shuffle: true })).toEqual(first);
  });

  it('gives timers their turn while a loop runs', async () => {
    const data = numbered(200_000);
    let ticks = 0;
    const timer = setInterval(() => {
      ticks++;
    }, 1);
    for await (const [x] of data.batches({ batchSize: 8 })) expect(x.shape).toEqual([8, 2]);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5); // none without the pauses: promises alone never let a timer run
  });

  it.each([
    [{ batchSize: 11 }, /batches: batchSize 11 is larger than the data set of 10 samples; use 10 or less/],
    [{ batchSize: 0 }, /batches: batchSize is 0, expected a whole number >= 1/],
    [{ batchSize: 2.5 }, /batchSize is 2.5/],
    [{ batchsize: 2 }, /unknown option "batchsize".*Did you mean "batchSize"\?/],
  ])('refuses %j', async (options, message) => {
    await expect(
      numbered(10)
        .batches(options as BatchOptions)
        .next(),
    ).rejects.toThrow(message);
  });
});

describe('split', () => {
  it('cuts by share and by counts, each sample in one part', async () => {
    for (const parts of [numbered(10).split(0.7), numbered(10).split([5, 3, 2])]) {
      const all = (await Promise.all(parts.map((p) => targets(p)))).flat(2);
      expect(all.sort((a, b) => a - b)).toEqual(Array.from({ length: 10 }, (_, i) => i));
    }
    expect(
      numbered(10)
        .split(0.7)
        .map((p) => p.length),
    ).toEqual([7, 3]);
    expect(
      numbered(10)
        .split([5, 3, 2])
        .map((p) => p.length),
    ).toEqual([5, 3, 2]);
  });

  it('keeps the order when asked, and parts of parts still point at their samples', async () => {
    const [, second] = numbered(10).split([4, 6], { shuffle: false });
    expect((await targets(second)).flat()).toEqual([4, 5, 6, 7, 8, 9]);
    const [a] = second.split([2, 4], { shuffle: false });
    expect((await targets(a)).flat()).toEqual([4, 5]);
    expect((await targets(second.subset([5, 0, 0]))).flat()).toEqual([9, 4, 4]);
  });

  it('with a seed depends on nothing else', async () => {
    const parts = async () => (await targets(numbered(30).split(0.5, { seed: 5 })[0])).flat();
    seed(1);
    const first = await parts();
    seed(2);
    expect(await parts()).toEqual(first);
    expect(numbered(30).split(0.5)[0].rows).not.toEqual(numbered(30).split(0.5)[0].rows);
  });

  it.each([
    [0, /fraction 0 of 10 samples: expected one in \(0, 1\)/],
    [0.01, /leaves no part empty/],
    [8, /give counts as an array/],
    [Number.NaN, /fraction NaN/],
    [[5, 6], /counts \[5,6\] add up to 11, expected 10/],
    [[10, 0], /a count is 0, expected a whole number in \[1, 10\]/],
  ])('refuses %j', (parts, message) => {
    expect(() => numbered(10).split(parts)).toThrow(OptionError);
    expect(() => numbered(10).split(parts)).toThrow(message);
  });
});

describe('checkFinite', () => {
  it('names the sample and the element', async () => {
    await numbered(10).checkFinite();
    const x = Array.from({ length: 5000 }, (_, i) => [i, i === 4321 ? Number.NaN : 1]);
    const bad = new TensorDataset(x, x);
    await expect(bad.checkFinite()).rejects.toThrow('checkFinite: x of sample 4321 has NaN at element 1');
    const y = new TensorDataset([1, 2], [1, Number.POSITIVE_INFINITY]);
    await expect(y.checkFinite()).rejects.toThrow('y of sample 1 has Infinity at element 0');
    await y.subset([0]).checkFinite(); // only its own samples
    await realize(bad.x);
  });
});
