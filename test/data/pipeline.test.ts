import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { DataError, data, OptionError, ShapeError, seed, type Tensor, tensor } from '../../src/index.js';

const { Pipeline } = data;
const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const sorted = (list: readonly number[]) => [...list].sort((a, b) => a - b);

async function values(t: Tensor) {
  return { shape: t.shape, dtype: t.dtype, data: Array.from(await t.data()) };
}

describe('sources', () => {
  it.each([
    ['array', () => Pipeline.from([1, 2, 3]), 3],
    ['typed array', () => Pipeline.from(Float64Array.of(1, 2, 3)), 3],
    ['set', () => Pipeline.from(new Set([1, 2, 3])), null],
    [
      'generator function',
      () =>
        Pipeline.from(function* () {
          yield* [1, 2, 3];
        }),
      null,
    ],
    [
      'async generator function',
      () =>
        Pipeline.from(async function* () {
          yield* [1, 2, 3];
        }),
      null,
    ],
    [
      'promises',
      () =>
        Pipeline.from(function* () {
          yield* [1, 2, 3].map((v) => Promise.resolve(v));
        }),
      null,
    ],
    ['stream', () => Pipeline.from<number>(() => Readable.from([1, 2, 3])), null],
  ])('reads a %s, epoch after epoch', async (_, open, length) => {
    const pipeline = open() as data.Pipeline<number>;
    expect(pipeline.length).toBe(length);
    expect(await pipeline.toArray()).toEqual([1, 2, 3]);
    expect(await pipeline.toArray({ epoch: 1 })).toEqual([1, 2, 3]);
  });

  it('reads a data set as samples, its rows after its transform, with its dtypes', async () => {
    const x = Uint8Array.from(range(2500 * 2), (v) => v % 250);
    const all = new data.TensorDataset({ data: x, shape: [2500, 2] }, Int32Array.from(range(2500)), {
      transform: (t) => t.cast('float32').mul(2),
    });
    const part = all.subset([2000, 3, 2499]);
    const [batch] = await Pipeline.from(part).batch(8).toArray();
    expect(await values(batch.x)).toEqual({ shape: [3, 2], dtype: 'float32', data: [0, 2, 12, 14, 496, 498] });
    expect(await values(batch.y)).toEqual({ shape: [3], dtype: 'int32', data: [2000, 3, 2499] });
    // Without a transform the stored samples are copied at once; the rows are the same.
    const stored = new data.TensorDataset({ data: x, shape: [2500, 2] }, all.y).subset([2000, 3, 2499]);
    const [bytes] = await Pipeline.from(stored).batch(8).toArray();
    expect(await values(bytes.x)).toEqual({ shape: [3, 2], dtype: 'uint8', data: [0, 1, 6, 7, 248, 249] });
    expect((await values(bytes.y)).data).toEqual([2000, 3, 2499]);
    expect((await Pipeline.from(all).skip(2400).toArray()).map((s) => s.y)).toEqual(range(2500).slice(2400));
  });

  it('refuses a second epoch of an iterator or stream', async () => {
    const stream = Pipeline.from<number>(Readable.from([1, 2]));
    expect(await stream.toArray()).toEqual([1, 2]);
    await expect(stream.toArray()).rejects.toThrow(/read already; give a function/);
    const iterator = Pipeline.from([1, 2].values());
    expect(await iterator.toArray()).toEqual([1, 2]);
    await expect(iterator.toArray()).rejects.toThrow(DataError);
  });

  it('names what is no source', async () => {
    expect(() => Pipeline.from(3 as never)).toThrow(/source is 3, expected an array/);
    await expect(Pipeline.from((() => 5) as never).toArray()).rejects.toThrow(OptionError);
  });

  it('says at which element a source failed', async () => {
    const broken = Pipeline.from(async function* () {
      yield 1;
      throw new Error('disk gone');
    });
    await expect(broken.toArray()).rejects.toThrow('from: element 1: disk gone');
  });
});

describe('operators', () => {
  const ten = Pipeline.from(range(10));

  it('map, filter, take, skip', async () => {
    expect(await ten.map((v, i) => v * 10 + i).toArray()).toEqual(range(10).map((v) => v * 11));
    expect(
      await ten
        .map(async (v) => v + 1)
        .filter(async (v) => v % 2 === 0)
        .toArray(),
    ).toEqual([2, 4, 6, 8, 10]);
    expect(await ten.skip(7).toArray()).toEqual([7, 8, 9]);
    expect(await ten.skip(70).toArray()).toEqual([]);
    expect(await ten.take(0).toArray()).toEqual([]);
    expect(await ten.skip(2).take(3).toArray()).toEqual([2, 3, 4]);
  });

  it('take reads no more than it needs', async () => {
    let made = 0;
    const source = Pipeline.from(function* () {
      for (;;) yield made++;
    });
    expect(await source.take(3).toArray()).toEqual([0, 1, 2]);
    expect(made).toBe(3);
  });

  it('repeat, concat, interleave, zip', async () => {
    expect(await Pipeline.from([1, 2]).repeat(3).toArray()).toEqual([1, 2, 1, 2, 1, 2]);
    expect(await Pipeline.from([1, 2]).repeat().take(5).toArray()).toEqual([1, 2, 1, 2, 1]);
    expect(await Pipeline.from<number>([]).repeat().toArray()).toEqual([]);
    expect(
      await Pipeline.from([1])
        .concat(Pipeline.from<number>([]), Pipeline.from([2, 3]))
        .toArray(),
    ).toEqual([1, 2, 3]);
    const three = [Pipeline.from([1, 4]), Pipeline.from([2]), Pipeline.from([3, 5, 6])] as const;
    expect(await three[0].interleave(three[1], three[2]).toArray()).toEqual([1, 2, 3, 4, 5, 6]);
    const zipped: data.Pipeline<readonly [number, string]> = Pipeline.from([1, 2, 3]).zip(Pipeline.from(['a', 'b']));
    expect(await zipped.toArray()).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
  });

  it('shard gives each element to one rank, or equally many to each', async () => {
    for (const n of [9, 10, 11, 12]) {
      const parts = await Promise.all([0, 1, 2, 3].map((rank) => Pipeline.from(range(n)).shard(rank, 4).toArray()));
      expect(sorted(parts.flat())).toEqual(range(n));
      parts.forEach((part, rank) => {
        expect(part.every((v) => v % 4 === rank)).toBe(true);
        expect(Pipeline.from(range(n)).shard(rank, 4).length).toBe(part.length);
      });
      const even = Pipeline.from(range(n)).shard(3, 4, { even: true });
      expect((await even.toArray()).length).toBe(Math.floor(n / 4));
      expect(even.length).toBe(Math.floor(n / 4));
    }
  });

  it('cache computes each element once', async () => {
    let calls = 0;
    const cached = ten.map((v) => v * ++calls).cache();
    const first = await cached.toArray();
    expect(await cached.toArray({ epoch: 1 })).toEqual(first);
    expect(calls).toBe(10);
    const stopped = ten.map((v) => v + 0 * ++calls).cache();
    for await (const v of stopped) if (v === 4) break; // an epoch that is not read to its end keeps nothing
    expect(await stopped.toArray()).toEqual(range(10));
    expect(calls).toBe(10 + 5 + 10);
  });

  it.each<[string, data.Pipeline<unknown>, number | null]>([
    ['map', ten.map((v) => v), 10],
    ['filter', ten.filter(() => true), null],
    ['batch', ten.batch(4), 3],
    ['batch, dropLast', ten.batch(4, { dropLast: true }), 2],
    ['repeat', ten.repeat(3), 30],
    ['repeat without end', ten.repeat(), Number.POSITIVE_INFINITY],
    ['take of that', ten.repeat().take(25), 25],
    ['skip', ten.skip(12), 0],
    ['concat', ten.concat(ten), 20],
    ['interleave', ten.interleave(ten, ten), 30],
    ['zip', ten.zip(ten.take(4)), 4],
    ['cache, prefetch, shuffle', ten.cache().prefetch(2).shuffle(), 10],
    ['unknown', Pipeline.from(new Set([1])).concat(Pipeline.from([1])), null],
  ])('length of %s', (_, pipeline, length) => expect(pipeline.length).toBe(length));

  it('refuses options out of range', () => {
    const bad: [() => unknown, RegExp][] = [
      [() => ten.batch(0), /batch: size is 0/],
      [() => ten.batch(2, { padTo: 3 }), /padTo needs pad/],
      [() => ten.batch(2, { dtypes: { y: 'int' as never } }), /dtype is int.*Did you mean "int32"/],
      [() => ten.batch(2, { droplast: true } as never), /unknown option "droplast".*dropLast/],
      [() => ten.shuffle({ buffer: 0 }), /shuffle: buffer is 0/],
      [() => ten.shuffle({ seed: -1 }), /shuffle: seed is -1/],
      [() => ten.prefetch(0), /prefetch: size is 0/],
      [() => ten.repeat(0), /repeat: count is 0/],
      [() => ten.take(-1), /take: count is -1/],
      [() => ten.shard(2, 2), /shard: rank is 2, expected a whole number in \[0, 1\]/],
      [() => ten.balance({} as never), /label is missing/],
      [() => ten.concat([1] as never), /concat: got 1, expected pipelines/],
      [() => ten.map(3 as never), /map: got 3/],
      [() => ten.map(((v: number) => v) as never, { workers: 2 } as never), /cannot move to worker threads.*module/],
      [() => ten.map(new URL('file:///x.mjs'), {}), /give \{ workers: 1 \}/],
      [() => ten.iterate({ epoch: -1 }), /epoch is -1/],
    ];
    for (const [fn, message] of bad) {
      expect(fn).toThrow(OptionError);
      expect(fn).toThrow(message);
    }
  });

  it('names operator and element when a function of the user fails, and keeps its error', async () => {
    const fail = (v: number) => {
      if (v === 6) throw new TypeError('no sixes');
      return true;
    };
    for (const [name, pipeline] of [
      ['map', ten.skip(2).map(fail)],
      ['map', ten.skip(2).map(async (v) => fail(v))],
      ['map', ten.skip(2).map(async (v) => fail(v), { concurrency: 3 })],
      ['filter', ten.skip(2).filter(fail)],
      ['filter', ten.skip(2).filter(async (v) => fail(v))],
      ['balance', ten.skip(2).balance({ label: (v) => Number(fail(v)) })],
    ] as const) {
      const error = await pipeline.toArray().then(
        () => null,
        (e: unknown) => e,
      );
      expect(error).toBeInstanceOf(DataError);
      expect((error as Error).message).toBe(`${name}: element 4: no sixes`);
      expect((error as Error).cause).toBeInstanceOf(TypeError);
    }
  });

  it('gives what came before the error first, with elements made ahead too', async () => {
    const failing = ten.map((v) => {
      if (v === 3) throw new Error('three');
      return v;
    });
    for (const pipeline of [failing, failing.prefetch(8)]) {
      const seen: number[] = [];
      await expect(
        (async () => {
          for await (const v of pipeline) {
            seen.push(v);
            await sleep(1);
          }
        })(),
      ).rejects.toThrow('three');
      expect(seen).toEqual([0, 1, 2]);
    }
  });
});

describe('shuffle', () => {
  const hundred = Pipeline.from(range(100));

  it('depends on seed and epoch alone, and on seed() without a seed', async () => {
    const a = await hundred.shuffle({ buffer: 100, seed: 1 }).toArray();
    expect(sorted(a)).toEqual(range(100));
    expect(a).not.toEqual(range(100));
    expect(
      await hundred
        .map((v) => v)
        .shuffle({ buffer: 100, seed: 1 })
        .toArray(),
    ).toEqual(a);
    expect(await hundred.shuffle({ buffer: 100, seed: 2 }).toArray()).not.toEqual(a);
    expect(await hundred.shuffle({ buffer: 100, seed: 1 }).toArray({ epoch: 1 })).not.toEqual(a);
    const free = hundred.shuffle();
    seed(5);
    const b = await free.toArray();
    expect(await free.toArray()).toEqual(b);
    seed(6);
    expect(await free.toArray()).not.toEqual(b);
    seed(5);
    expect(await free.toArray()).toEqual(b);
  });

  it('repeat gives each pass its own order, and later epochs others', async () => {
    const twice = hundred.shuffle({ seed: 1 }).repeat(2);
    const [first, second] = [await twice.toArray({ epoch: 0 }), await twice.toArray({ epoch: 1 })];
    const passes = [first.slice(0, 100), first.slice(100), second.slice(0, 100), second.slice(100)];
    expect(new Set(passes.map(String)).size).toBe(4);
    for (const pass of passes) expect(sorted(pass)).toEqual(range(100));
  });

  it('two shuffles with one seed are not the same shuffle', async () => {
    const one = await hundred.shuffle({ buffer: 100, seed: 1 }).toArray();
    const two = await hundred.shuffle({ buffer: 100, seed: 1 }).shuffle({ buffer: 100, seed: 1 }).toArray();
    expect(two).not.toEqual(one.map((v) => one[v]));
    expect(sorted(two)).toEqual(range(100));
  });

  it('keeps no more than its buffer ahead, and moves elements within blocks', async () => {
    let read = 0;
    const source = Pipeline.from(function* () {
      for (; read < 100; ) yield read++;
    });
    let given = 0;
    for await (const v of source.shuffle({ buffer: 10, seed: 3 })) {
      expect(Math.floor(v / 10)).toBe(Math.floor(given / 10));
      given++;
      expect(read - given).toBeLessThanOrEqual(10);
    }
    expect(given).toBe(100);
  });

  it('makes every order of a block equally likely', async () => {
    // 6 orders of 3 elements, 1200 epochs: chi-square with 5 degrees of freedom is above 20.5 once in 1000 times.
    const counts = new Map<string, number>();
    const three = Pipeline.from([0, 1, 2]).shuffle({ seed: 11 });
    for (let epoch = 0; epoch < 1200; epoch++) {
      const order = String(await three.toArray({ epoch }));
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    let chi = 0;
    for (const count of counts.values()) chi += (count - 200) ** 2 / 200;
    expect(counts.size).toBe(6);
    expect(chi).toBeLessThan(20.5);
  });
});

describe('balance', () => {
  const rows = range(1000).map((i) => ({ i, label: i % 10 === 0 ? 'rare' : 'common' }));

  it('gives as many elements, classes equally often, by seed and epoch', async () => {
    const balanced = Pipeline.from(rows).balance({ label: (r) => r.label, seed: 1 });
    const out = await balanced.toArray();
    expect(out.length).toBe(1000);
    const rare = out.filter((r) => r.label === 'rare');
    expect(rare.length).toBe(500);
    expect(new Set(rare.map((r) => r.i)).size).toBe(100); // all of them, five times on average
    expect(await balanced.toArray()).toEqual(out);
    expect(await balanced.toArray({ epoch: 1 })).not.toEqual(out);
  });

  it('keeps balance with a small buffer and classes that come late', async () => {
    const late = [...rows.filter((r) => r.label === 'common'), ...rows.filter((r) => r.label === 'rare')];
    const out = await Pipeline.from(late)
      .balance({ label: (r) => r.label, buffer: 8, seed: 1 })
      .toArray();
    expect(out.length).toBe(1000);
    const second = out.slice(900);
    expect(Math.abs(second.filter((r) => r.label === 'rare').length - 50)).toBeLessThanOrEqual(1);
  });

  it('refuses a class that is neither number nor string', async () => {
    const bad = Pipeline.from([1, 2]).balance({ label: () => Number.NaN });
    await expect(bad.toArray()).rejects.toThrow('balance: element 0: class is NaN');
  });
});

describe('batch', () => {
  it('stacks numbers, arrays, records, tuples and strings', async () => {
    const rows = range(5).map((i) => ({
      x: Float32Array.of(i, -i),
      y: i,
      name: `n${i}`,
      flags: [i > 2, true],
      pair: [Int16Array.of(i), 'a'] as const,
    }));
    const batches = await Pipeline.from(rows)
      .batch(3, { dtypes: { y: 'int32' } })
      .toArray();
    expect(batches.length).toBe(2);
    expect(await values(batches[1].x)).toEqual({ shape: [2, 2], dtype: 'float32', data: [3, -3, 4, -4] });
    expect(await values(batches[1].y)).toEqual({ shape: [2], dtype: 'int32', data: [3, 4] });
    expect(await values(batches[1].flags as unknown as Tensor)).toEqual({
      shape: [2, 2],
      dtype: 'bool',
      data: [1, 1, 1, 1],
    });
    expect(batches[1].name).toEqual(['n3', 'n4']);
    expect(await values(batches[1].pair[0])).toEqual({ shape: [2, 1], dtype: 'int32', data: [3, 4] });
    expect((await Pipeline.from(rows).batch(3, { dropLast: true }).toArray()).length).toBe(1);
  });

  it('stacks nested lists, shaped arrays and tensors', async () => {
    const [nested] = await Pipeline.from([
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [7, 8],
      ],
    ])
      .batch(2)
      .toArray();
    expect(await values(nested as unknown as Tensor)).toEqual({
      shape: [2, 2, 2],
      dtype: 'float32',
      data: range(8).map((v) => v + 1),
    });
    const shaped = { data: Float64Array.of(1, 2, 3, 4), shape: [2, 2] };
    const [b] = await Pipeline.from([shaped, shaped]).batch(2).toArray();
    expect((await values(b)).shape).toEqual([2, 2, 2]);
    expect(b.dtype).toBe('float64');
    const [t] = await Pipeline.from([tensor([1, 2]), tensor([3, 4])])
      .batch(2)
      .toArray();
    expect(await values(t)).toEqual({ shape: [2, 2], dtype: 'float32', data: [1, 2, 3, 4] });
  });

  it('pads arrays of unequal length, to the longest or a given length', async () => {
    const ragged = Pipeline.from([Int32Array.of(1, 2, 3), Int32Array.of(4), new Int32Array(0)]);
    const [longest] = await ragged.batch(3, { pad: -1 }).toArray();
    expect(await values(longest)).toEqual({ shape: [3, 3], dtype: 'int32', data: [1, 2, 3, 4, -1, -1, -1, -1, -1] });
    const [fixed] = await ragged.batch(3, { pad: 0, padTo: 4 }).toArray();
    expect(fixed.shape).toEqual([3, 4]);
    const [steps] = await Pipeline.from([
      [[1, 2]],
      [
        [3, 4],
        [5, 6],
      ],
    ])
      .batch(2, { pad: 0 })
      .toArray();
    expect((await values(steps as unknown as Tensor)).data).toEqual([1, 2, 0, 0, 3, 4, 5, 6]);
    await expect(ragged.batch(3, { pad: 0.5 }).toArray()).rejects.toThrow(/has 0.5, which int32 cannot hold/);
    await expect(ragged.batch(3).toArray()).rejects.toThrow(
      /element 1 of the batch is \[1\], of element 0 \[3\]; give \{ pad: 0 \}/,
    );
    await expect(ragged.batch(3, { pad: 0, padTo: 2 }).toArray()).rejects.toThrow(/has length 3, padTo is 2/);
  });

  it.each<[string, readonly unknown[], RegExp]>([
    ['shapes', [{ x: [1, 2] }, { x: [1, 2, 3] }], /"x" of element 1 of the batch is \[3\], of element 0 \[2\]/],
    ['a missing key', [{ x: 1, y: 2 }, { x: 1 }], /element 1 of the batch is \{ x \}, of element 0 \{ x, y \}/],
    ['kinds', [1, 'a'], /element 1 of the batch is "a", of element 0 1/],
    ['strings and others', ['a', 1], /element 1 of the batch is 1/],
    ['tuples', [['a', 1], ['b']], /a list of 1/],
    ['null', [null, null], /is null, expected numbers, arrays/],
    ['wide integers', [BigInt64Array.of(1n)], /BigInt64Array/],
    ['ragged lists', [[[1], [2, 3]]], /ragged/],
    ['a wrong shape', [{ data: new Float32Array(3), shape: [2, 2] }], /3 values for shape \[2,2\]/],
    ['tensors', [tensor([1]), tensor([1, 2])], /only arrays can be padded/],
  ])('refuses elements that differ: %s', async (_, elements, message) => {
    const error = await Pipeline.from(elements)
      .batch(2)
      .toArray()
      .then(
        () => null,
        (e: unknown) => e as Error,
      );
    expect(error?.message).toMatch(message);
    expect(error instanceof ShapeError || error instanceof DataError).toBe(true);
  });

  it('refuses numbers the dtype cannot hold', async () => {
    const bad = Pipeline.from([{ y: 1 }, { y: 1.5 }]).batch(2, { dtypes: { y: 'int32' } });
    await expect(bad.toArray()).rejects.toThrow('"y" of element 1 of the batch has 1.5, which int32 cannot hold');
  });

  it('collates as the user wants', async () => {
    const sums = Pipeline.from(range(5)).batch(2, { collate: (list) => list.reduce((a, b) => a + b, 0) });
    const out: number[] = await sums.toArray();
    expect(out).toEqual([1, 5, 4]);
  });
});

describe('closing and back-pressure', () => {
  function watched(n = 100) {
    const log = { made: 0, closed: 0 };
    const pipeline = Pipeline.from(async function* () {
      try {
        for (; log.made < n; ) yield log.made++;
      } finally {
        log.closed++;
      }
    });
    return { log, pipeline };
  }

  it.each<[string, (p: data.Pipeline<number>) => data.Pipeline<unknown>]>([
    ['map', (p) => p.map((v) => v)],
    ['shuffle', (p) => p.shuffle({ buffer: 5 })],
    ['batch, prefetch', (p) => p.batch(2).prefetch(3)],
    ['concurrent map', (p) => p.map(async (v) => v, { concurrency: 3 })],
    ['concat', (p) => p.concat(Pipeline.from([1]))],
    ['interleave', (p) => Pipeline.from([1]).interleave(p)],
    ['zip', (p) => Pipeline.from([1, 2, 3, 4]).zip(p)],
    ['cache, repeat', (p) => p.cache().repeat()],
    ['balance', (p) => p.balance({ label: () => 0 })],
    ['take', (p) => p.take(2)],
  ])('an early break through %s closes the source', async (_, build) => {
    const { log, pipeline } = watched();
    let n = 0;
    for await (const _v of build(pipeline)) if (++n === 2) break;
    expect(log.closed).toBe(1);
  });

  it('an error closes the source', async () => {
    const { log, pipeline } = watched();
    await expect(
      pipeline
        .map(() => {
          throw new Error('x');
        })
        .toArray(),
    ).rejects.toThrow();
    expect(log.closed).toBe(1);
  });

  it('does not read ahead of the consumer more than it says', async () => {
    const { log, pipeline } = watched();
    const walk = pipeline.batch(2).prefetch(3).iterate();
    await walk.next();
    await sleep(20);
    expect(log.made).toBe(2 * (1 + 3));
    await sleep(20);
    expect(log.made).toBe(8);
    await walk.return();
  });

  it('an end while a stream has nothing to say does not hang, and destroys the stream', async () => {
    const silent = new Readable({ objectMode: true, read() {} });
    silent.push(1);
    const walk = Pipeline.from<number>(silent).iterate();
    expect(await walk.next()).toEqual({ done: false, value: 1 });
    const pending = walk.next();
    await walk.return();
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(silent.destroyed).toBe(true);
  });

  it('answers calls of next() that do not wait in order', async () => {
    const walk = Pipeline.from(range(4))
      .map(async (v) => {
        await sleep(4 - v);
        return v;
      })
      .iterate();
    const all = await Promise.all(range(5).map(() => walk.next()));
    expect(all.map((r) => r.value)).toEqual([0, 1, 2, 3, undefined]);
  });

  it('lets timers run while it passes over millions of elements', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const endless = Pipeline.from(function* () {
      for (let i = 0; i < 1_500_000; i++) yield i;
    });
    await endless.filter((v) => v === -1).toArray();
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(2);
  });

  it('runs calls of an asynchronous function side by side, in order, no more than asked', async () => {
    let running = 0;
    let most = 0;
    const out = await Pipeline.from(range(20))
      .map(
        async (v) => {
          most = Math.max(most, ++running);
          await sleep((v * 7) % 5);
          running--;
          return v;
        },
        { concurrency: 4 },
      )
      .toArray();
    expect(out).toEqual(range(20));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(5); // 4 made ahead and the one that is waited for
  });
});

describe('worker threads', () => {
  const module = new URL('./modules/work.mjs', import.meta.url);
  const numbers = Pipeline.from(range(12));

  it('map in order, in several threads', async () => {
    expect(await numbers.map<number>(module, { workers: 2 }).toArray()).toEqual(range(12).map((v) => v * v));
    const out = await numbers
      .map<{ x: number; index: number; threadId: number }>(module, { workers: 2, name: 'slowAtFirst' })
      .toArray();
    expect(out.map((r) => r.x)).toEqual(range(12));
    expect(out.map((r) => r.index)).toEqual(range(12));
    expect(new Set(out.map((r) => r.threadId)).size).toBe(2);
  });

  it('errors name the element', async () => {
    const run = (name: string) => numbers.map(module, { workers: 2, name }).toArray();
    await expect(run('failsAt5')).rejects.toThrow('map: element 5: five is too much');
    await expect(run('nothing')).rejects.toThrow(
      /map: element 0: the module has no function "nothing"; it exports .*default/,
    );
    await expect(run('endsProcess')).rejects.toThrow(/map: element \d+: a worker of .*work.mjs ended with code 7/);
    const functions = Pipeline.from([() => 1]).map(module, { workers: 1 });
    await expect(functions.toArray()).rejects.toThrow(/map: element 0: cannot be sent to a worker/);
    const missing = numbers.map(new URL('./none.mjs', import.meta.url), { workers: 1 });
    await expect(missing.toArray()).rejects.toThrow(/map: element 0: Cannot find module/);
  });

  it('an early break ends the threads', async () => {
    for await (const _ of numbers.map(module, { workers: 2, name: 'slowAtFirst' })) break;
    const handles = process.getActiveResourcesInfo().filter((r) => r === 'MessagePort' || r === 'Worker');
    expect(handles.length).toBeLessThanOrEqual(1); // the test runner's own
  });
});
