// What only a run can show: failures that depend on data, draws, and that compiled functions repeat them.
import { describe, expect, it } from 'vitest';
import {
  arange,
  argsort,
  categorical,
  cholesky,
  compile,
  cumsum,
  DataError,
  eye,
  gather,
  histogram,
  inverse,
  matmul,
  mean,
  mul,
  norm,
  randint,
  randperm,
  ShapeError,
  scatter,
  seed,
  solve,
  solveTriangular,
  sort,
  stack,
  sum,
  svd,
  type Tensor,
  TraceError,
  take,
  tensor,
  topK,
  unique,
  uniqueSync,
  zeros,
} from '../../src/index.js';

const ints = (values: number[]) => tensor(Int32Array.from(values));

describe('a run stops with a DataError that says where', () => {
  const singular = tensor([
    [1, 2],
    [2, 4],
  ]);
  const bad: [string, () => Tensor, RegExp][] = [
    [
      'solve',
      () => solve(singular, tensor([1, 1])),
      /^solve: matrix at position 0 has no usable pivot in row 1; .*eye/,
    ],
    ['solve with NaN', () => solve(tensor([[NaN]]), tensor([1])), /^solve: matrix at position 0/],
    [
      'inverse',
      () => inverse(stack([eye(2), zeros([2, 2])])),
      /^solve: matrix at position 1 has no usable pivot in row 0/,
    ],
    [
      'cholesky',
      () => cholesky(stack([eye(2), singular])),
      /^cholesky: matrix at position 1 has no usable pivot in row 1/,
    ],
    ['cholesky, negative', () => cholesky(tensor([[-1]])), /row 0.*positive definite/],
    ['solveTriangular', () => solveTriangular(zeros([1, 1]), tensor([1])), /^solveTriangular: matrix at position 0/],
    ['gather', () => gather(tensor([1, 2]), ints([0, 2])), /^gather: index 2 at position 1 is out of range/],
    ['gather below', () => gather(tensor([1, 2]), ints([-1])), /^gather: index -1 at position 0/],
    ['scatter', () => scatter(tensor([1, 2]), ints([0, 7]), 3), /^scatter: index 7 at position 1/],
  ];
  it.each(bad)('%s', async (_, run, message) => {
    await expect(run().data()).rejects.toThrow(DataError);
    await expect(run().data()).rejects.toThrow(message);
  });
  it('reports the first matrix of many, whoever meets it', async () => {
    const many = tensor(new Float32Array(64 * 4).fill(1), { shape: [64, 2, 2] });
    await expect(inverse(many).data()).rejects.toThrow(/position 0 .* row 1/);
  });
});

describe('draws', () => {
  it('categorical follows its weights and never takes a class of weight 0', async () => {
    seed(5);
    const weights = tensor([0, 1, 0, 3, 0]);
    const n = 40_000;
    const drawn = await categorical(weights, { shape: [n], fromLogits: false }).data();
    const counts = [0, 0, 0, 0, 0];
    for (const v of drawn) counts[v]++;
    expect([counts[0], counts[2], counts[4]]).toEqual([0, 0, 0]);
    // Five standard deviations of a binomial count.
    expect(Math.abs(counts[3] / n - 0.75)).toBeLessThan(5 * Math.sqrt((0.75 * 0.25) / n));
  });
  it('categorical takes logits by default and keeps batch axes last', async () => {
    seed(6);
    const logits = tensor([
      [1000, 0],
      [0, 1000],
    ]);
    const drawn = categorical(logits, { shape: [3] });
    expect(drawn.shape).toEqual([3, 2]);
    expect(drawn.dtype).toBe('int32');
    expect([...(await drawn.data())]).toEqual([0, 1, 0, 1, 0, 1]);
    expect([...(await categorical(tensor([-Infinity, 0])).data())]).toEqual([1]);
  });
  it('randint is uniform over its range', async () => {
    seed(7);
    const n = 60_000;
    const counts = new Array<number>(6).fill(0);
    for (const v of await randint(-2, 4, [n]).data()) counts[v + 2]++;
    for (const c of counts) expect(Math.abs(c - n / 6)).toBeLessThan(5 * Math.sqrt((n * 5) / 36));
  });
  it('randperm is a permutation, another one each time, the same for a seed', async () => {
    seed(8);
    const [a, b] = [await randperm(1000).data(), await randperm(1000).data()];
    expect([...a].sort((x, y) => x - y)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect([...a]).not.toEqual([...b]);
    seed(8);
    expect([...(await randperm(1000).data())]).toEqual([...a]);
    expect([...(await randperm(0).data())]).toEqual([]);
  });
  it('a compiled function draws anew each call', async () => {
    seed(9);
    const draw = compile(() => randperm(50));
    expect([...(await draw().data())]).not.toEqual([...(await draw().data())]);
  });
});

describe('svd', () => {
  it.each([
    [3, 3, [2, 0, 1, 0, 3, -1, 4, 1, 1]],
    [2, 4, [1, 2, 3, 4, 5, 6, 7, 9]],
    [4, 2, [1, 2, 2, 4, 3, 6, 4, 8]], // rank 1
    [2, 2, [0, 0, 0, 0]],
  ])('[%i, %i]: the factors are orthogonal and give the matrix again', async (m, n, values) => {
    const a = tensor(Float64Array.from(values), { shape: [m, n] });
    const { u, s, v } = await svd(a);
    expect([u.shape, s.shape, v.shape]).toEqual([[m, Math.min(m, n)], [Math.min(m, n)], [n, Math.min(m, n)]]);
    const back = await matmul(mul(u, s), v, { transB: true }).data();
    const largest = s.dataSync()[0];
    // Rotations of 4 rows in float64, a few sweeps.
    back.forEach((x: number, i: number) => {
      expect(Math.abs(x - values[i])).toBeLessThanOrEqual(64 * 2 ** -52 * largest);
    });
    expect([...s.dataSync()]).toEqual([...s.dataSync()].sort((x, y) => y - x));
  });
  it('gives the nuclear and the spectral norm', async () => {
    const { s } = await svd(
      tensor([
        [3, 0],
        [4, 5],
      ]),
    );
    const [first, second] = s.dataSync();
    expect(first).toBeCloseTo(Math.sqrt(45), 5);
    expect(second).toBeCloseTo(Math.sqrt(5), 5);
    expect(
      norm(
        tensor([
          [3, 0],
          [4, 5],
        ]),
        { ord: 'fro' },
      ).itemSync(),
    ).toBeCloseTo(Math.sqrt(50), 5);
    expect(() => norm(tensor([[1]]), { ord: 'nuc' as never })).toThrow(/expected a number or 'fro'.*svd/);
  });
  it('refuses what is no matrix of numbers', async () => {
    await expect(svd(tensor([1, 2]))).rejects.toThrow(/svd: got \[2\], expected a matrix/);
    await expect(svd(tensor([[1, NaN]]))).rejects.toThrow(/svd: got NaN at \[0, 1\]/);
  });
});

describe('unique', () => {
  it('gives values, inverse and counts', async () => {
    const x = tensor([
      [3, 1, NaN],
      [3, NaN, -0],
    ]);
    const { values, inverse: which, counts } = await unique(x);
    expect([...(await values.data())]).toEqual([-0, 1, 3, NaN]);
    expect([...(await counts.data())]).toEqual([1, 1, 2, 2]);
    expect(which.shape).toEqual([2, 3]);
    expect([...(await take(values, which).data())]).toEqual([3, 1, NaN, 3, NaN, -0]);
  });
  it('keeps the dtype, and takes nothing and bool', () => {
    const bytes = uniqueSync(tensor(Uint8Array.of(7, 7, 2)));
    expect(bytes.values.dtype).toBe('uint8');
    expect([...bytes.values.dataSync()]).toEqual([2, 7]);
    expect(uniqueSync(zeros([0])).values.shape).toEqual([0]);
    expect([...uniqueSync(zeros([3], { dtype: 'bool' })).counts.dataSync()]).toEqual([3]);
  });
  it('compares slices along an axis', async () => {
    const x = tensor([
      [1, 2, 1],
      [NaN, 0, NaN],
      [1, 2, 1],
    ]);
    const rows = await unique(x, { axis: 0 });
    expect(rows.values.shape).toEqual([2, 3]);
    expect([...rows.values.dataSync()]).toEqual([1, 2, 1, NaN, 0, NaN]);
    expect([[...rows.inverse.dataSync()], [...rows.counts.dataSync()]]).toEqual([
      [0, 1, 0],
      [2, 1],
    ]);
    const columns = uniqueSync(x, { axis: -1 });
    expect(columns.values.shape).toEqual([3, 2]);
    expect([...columns.inverse.dataSync()]).toEqual([0, 1, 0]);
    expect(uniqueSync(zeros([0, 2]), { axis: 0 }).values.shape).toEqual([0, 2]);
    expect(() => uniqueSync(x, { axis: 2 })).toThrow(ShapeError);
  });
  it('refuses to run inside compile', () => {
    expect(() => compile((x: Tensor) => uniqueSync(x).values)(tensor([1]))).toThrow(TraceError);
  });
});

describe('properties on many shapes', () => {
  const SIZES = [1, 2, 15, 16, 17, 255, 256, 257, 1009];
  it.each(SIZES)('%i elements', async (n) => {
    seed(n);
    const x = randint(-50, 50, [3, n]);
    const [up, order] = [sort(x), argsort(x)];
    expect([...(await gather(x, order).data())]).toEqual([...(await up.data())]);
    expect([...(await sum(up, { axis: 1 }).data())]).toEqual([...(await sum(x, { axis: 1 }).data())]);
    const rows = await up.data();
    for (let i = 1; i < rows.length; i++) if (i % n !== 0) expect(rows[i]).toBeGreaterThanOrEqual(rows[i - 1]);
    const k = Math.min(n, 5);
    const [first, down] = [topK(x, k), { descending: true }];
    for (const [some, all] of [
      [first.values, sort(x, down)],
      [first.indices, argsort(x, down)],
    ]) {
      expect([...(await some.data())]).toEqual([...(await all.slice([{}, { end: k }]).data())]);
    }
    const running = cumsum(x);
    expect([...(await running.slice([{}, { start: -1 }]).data())]).toEqual([...(await sum(x, { axis: 1 }).data())]);
    const { counts } = histogram(x.cast('float32'), { bins: 7 });
    expect(await sum(counts).item()).toBe(3 * n);
  });
  it('float sums are as exact as one rounding', async () => {
    const x = tensor(Float32Array.from({ length: 100_000 }, () => 0.1));
    const last = (await cumsum(x).data()).at(-1) as number;
    // 0.1 as a float32 times the count, rounded once.
    expect(last).toBe(Math.fround(Math.fround(0.1) * 100_000));
    expect(await mean(arange(0, 10, 1, { dtype: 'float32' })).item()).toBe(4.5);
  });
});
