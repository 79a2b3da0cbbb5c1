import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { data, FormatError, OptionError, seed, type Tensor } from '../../src/index.js';

const { Pipeline } = data;
const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const module = new URL('./modules/work.mjs', import.meta.url);

/** Elements, and the state after each, as JSON text: index 0 is before the first. */
async function walkAll<T>(pipeline: data.Pipeline<T>, epoch: number) {
  const walk = pipeline.iterate({ epoch });
  const states = [JSON.stringify(walk.state())];
  const elements: T[] = [];
  for await (const element of walk) {
    elements.push(element);
    states.push(JSON.stringify(walk.state()));
  }
  return { elements, states };
}

/** At every position, a new pipeline continues with the very next element, and the states it gives then continue too. */
async function expectContinues<T>(build: () => data.Pipeline<T>, epoch = 1): Promise<void> {
  const { elements, states } = await walkAll(build(), epoch);
  for (let at = 0; at < states.length; at++) {
    const walk = build().iterate({ state: JSON.parse(states[at]) });
    expect(JSON.stringify(walk.state()), `state kept at ${at}`).toBe(states[at]);
    const rest: T[] = [];
    let second: string | null = null;
    for await (const element of walk) {
      rest.push(element);
      if (rest.length === 2) second = JSON.stringify(walk.state());
    }
    expect(rest, `continued at ${at}`).toEqual(elements.slice(at));
    if (second !== null && at % 5 === 0) {
      const again = await build().toArray({ state: JSON.parse(second) });
      expect(again, `continued at ${at}, then 2 later`).toEqual(elements.slice(at + 2));
    }
  }
}

const sources: Record<string, (n: number) => data.Pipeline<number>> = {
  array: (n) => Pipeline.from(range(n)),
  generator: (n) => Pipeline.from(() => range(n).values()),
  stream: (n) => Pipeline.from<number>(() => Readable.from(range(n))),
};

type Operator = (p: data.Pipeline<number>) => data.Pipeline<number>;
const operators: Record<string, Operator> = {
  map: (p) => p.map((v) => v + 1),
  mapWithIndex: (p) => p.map((v, i) => v * 100 + i),
  mapAsync: (p) => p.map(async (v) => v + 1),
  mapConcurrent: (p) => p.map(async (v, i) => v * 100 + i, { concurrency: 3 }),
  filter: (p) => p.filter((v, i) => (v + i) % 3 !== 0),
  shuffle: (p) => p.shuffle({ buffer: 4, seed: 3 }),
  shuffleBySeed: (p) => p.shuffle({ buffer: 64 }),
  balance: (p) => p.balance({ label: (v) => v % 2, buffer: 3, seed: 2 }),
  prefetch: (p) => p.prefetch(3),
  cache: (p) => p.cache(),
  repeat: (p) => p.repeat(2),
  endless: (p) => p.repeat().take(9),
  take: (p) => p.take(5),
  skip: (p) => p.skip(2),
  shard: (p) => p.shard(1, 2),
  shardEven: (p) => p.shard(0, 3, { even: true }),
  concat: (p) => p.concat(Pipeline.from([-1, -2]), p),
  interleave: (p) => p.interleave(Pipeline.from([-1, -2]).prefetch(1)),
  zip: (p) => p.zip(Pipeline.from(range(6)).shuffle({ seed: 1 })).map(([a, b]) => a * 1000 + b),
  batch: (p) => p.batch(2, { collate: (list) => list.reduce((a, b) => a * 31 + b, 7) }),
};

describe('state of the pipeline', () => {
  it.each(Object.keys(operators))('continues with the next element after %s', async (name) => {
    await expectContinues(() => operators[name](sources['array'](7)));
  });

  it.each(Object.keys(sources))('continues a %s', async (name) => {
    await expectContinues(() => sources[name](5).shuffle({ buffer: 2, seed: 1 }).prefetch(2));
  });

  it('continues any chain of operators', async () => {
    const chains = fc.array(fc.constantFrom(...Object.keys(operators)), { minLength: 2, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(sources)),
        fc.integer({ min: 0, max: 9 }),
        chains,
        async (s, n, ops) => {
          await expectContinues(() => ops.reduce((p, op) => operators[op](p).take(40), sources[s](n)));
        },
      ),
      { numRuns: 60, seed: 20, endOnFailure: true },
    );
  }, 30_000);

  it('continues with worker threads', async () => {
    const build = () => Pipeline.from(range(6)).map<number>(module, { workers: 1 }).batch(2, { collate: String });
    const { elements, states } = await walkAll(build(), 0);
    for (const at of [1, 3]) {
      expect(await build().toArray({ state: JSON.parse(states[at]) })).toEqual(elements.slice(at));
    }
  });

  it('continues a data set in the middle of a batch pipeline, tensors and all', async () => {
    const all = new data.TensorDataset(
      { data: Float32Array.from(range(40)), shape: [20, 2] },
      Int32Array.from(range(20)),
    );
    const build = () => Pipeline.from(all).shuffle({ buffer: 20 }).batch(3).prefetch(2);
    const read = async (state?: data.PipelineIterator<unknown>['state'] extends () => infer S ? S : never) => {
      const out: number[][] = [];
      for await (const { x } of build().iterate(state === undefined ? {} : { state }))
        out.push(Array.from(await (x as Tensor).data()));
      return out;
    };
    const whole = await read();
    const walk = build().iterate();
    await walk.next();
    await walk.next();
    const state = JSON.parse(JSON.stringify(walk.state()));
    await walk.return();
    seed(99); // the state has the seed of its epoch
    expect(await read(state)).toEqual(whole.slice(2));
    seed(0);
  });

  it('is the same before and after the end, and gives nothing more then', async () => {
    const build = () => Pipeline.from(range(5)).shuffle({ seed: 1 }).prefetch(2).batch(2, { collate: String });
    const walk = build().iterate();
    for await (const _ of walk);
    expect(await build().toArray({ state: walk.state() })).toEqual([]);
    expect(await walk.next()).toEqual({ done: true, value: undefined });
  });

  it('a shuffle that continues reads no more than two blocks again', async () => {
    let reads = 0;
    const build = () => {
      const source = Pipeline.from(range(1000)).map((v) => {
        reads++;
        return v;
      });
      return source.shuffle({ buffer: 10, seed: 1 });
    };
    const walk = build().iterate();
    for (let i = 0; i < 777; i++) await walk.next();
    const state = walk.state();
    await walk.return();
    reads = 0;
    const next = build().iterate({ state });
    await next.next();
    expect(reads).toBeLessThanOrEqual(20);
    await next.return();
  });

  it('skips elements without computing them where it can', async () => {
    let calls = 0;
    const build = () =>
      Pipeline.from(range(50)).map(
        async (v) => {
          calls++;
          return v;
        },
        { concurrency: 4 },
      );
    const walk = build().iterate();
    for (let i = 0; i < 30; i++) await walk.next();
    const state = walk.state();
    await walk.return();
    calls = 0;
    const next = build().iterate({ state });
    expect(await next.next()).toEqual({ done: false, value: 30 });
    expect(calls).toBeLessThanOrEqual(2);
    await next.return();
  });

  it.each<[string, unknown, RegExp]>([
    ['null', null, /state is null, expected what state\(\) gave/],
    ['another version', { version: 2, epoch: 0, key: [0, 0], at: null }, /expected what state\(\) gave/],
    ['no key', { version: 1, epoch: 0, key: [0], at: null }, /expected what state\(\) gave/],
    [
      'another operator',
      { version: 1, epoch: 0, key: [0, 0], at: { op: 'map' } },
      /shuffle: the state was saved by a pipeline that has "map" here/,
    ],
    [
      'another buffer',
      { version: 1, epoch: 0, key: [0, 0], at: { op: 'shuffle', buffer: 7 } },
      /saved with buffer 7, this pipeline has 4/,
    ],
    [
      'a count below 0',
      { version: 1, epoch: 0, key: [0, 0], at: { op: 'shuffle', given: -1 } },
      /"given" of the state is -1/,
    ],
    [
      'another source',
      { version: 1, epoch: 0, key: [0, 0], at: { op: 'shuffle', from: { op: 'from', length: 3 } } },
      /from: the state was saved with length 3, this pipeline has 9/,
    ],
    ['a number', { version: 1, epoch: 0, key: [0, 0], at: 5 }, /shuffle: state is 5/],
  ])('refuses %s', (_, state, message) => {
    const pipeline = Pipeline.from(range(9)).shuffle({ buffer: 4 });
    expect(() => pipeline.iterate({ state: state as never })).toThrow(FormatError);
    expect(() => pipeline.iterate({ state: state as never })).toThrow(message);
  });

  it('refuses another epoch than that of the state', () => {
    const pipeline = Pipeline.from(range(9));
    const state = pipeline.iterate({ epoch: 2 }).state();
    expect(() => pipeline.iterate({ epoch: 1, state })).toThrow(OptionError);
    expect(() => pipeline.iterate({ epoch: 2, state })).not.toThrow();
  });
});
