import { expect, it } from 'vitest';
import { hostUniforms, randomState, restoreRandomState, seed, uniform } from '../../src/index.js';

/** What a fresh seed gives: two nodes built one after the other, and numbers drawn on the host. */
async function draws(value: number): Promise<number[]> {
  seed(value);
  const [a, b] = [uniform([2]), uniform([2])];
  return [...(await a.data()), ...(await b.data()), ...hostUniforms(2)];
}

it('a seed gives its numbers however often and after however many others it is set', { timeout: 120_000 }, async () => {
  const first = await draws(7);
  const other = await draws(8);
  expect(new Set([...first, ...other]).size).toBe(12);
  // Indices are below 2^53: 10,000 seeds, the same or others, must not use them up.
  for (let i = 0; i < 10_000; i++) seed(7);
  expect(await draws(7)).toEqual(first);
  for (let i = 0; i < 140_000; i++) seed(1000 + i);
  expect(await draws(7)).toEqual(first);
  expect(await draws(8)).toEqual(other);
});

it('a node keeps the seed it was built under', async () => {
  const [a] = [await draws(1), await draws(2)];
  seed(1);
  const early = uniform([2]);
  for (let i = 0; i < 1000; i++) seed(i + 10);
  seed(2);
  const late = uniform([2]);
  seed(1);
  const again = uniform([2]);
  const [x, y, z] = [[...(await late.data())], [...(await early.data())], [...(await again.data())]];
  expect(y).toEqual(a.slice(0, 2));
  expect(z).toEqual(y);
  expect(x).not.toEqual(y);
});

it('a state restored goes on where it was, also far along', async () => {
  seed(3);
  for (const ops of [5, 2 ** 37 - 1, 2 ** 37, 2 ** 45 + 3]) {
    const state = { ...randomState(), counters: { ops, data: 0, augment: 0 } };
    const run = async (): Promise<number[]> => {
      restoreRandomState(state);
      const nodes = [uniform([1]), uniform([1]), uniform([1])];
      expect(randomState().counters.ops).toBe(ops + 3);
      const out: number[] = [];
      for (const n of nodes) out.push((await n.data())[0]);
      return out;
    };
    const first = await run();
    expect(new Set(first).size).toBe(3);
    expect(await run()).toEqual(first);
    // One at a time: each is at its own place of the stream.
    restoreRandomState({ ...state, counters: { ...state.counters, ops: ops + 1 } });
    expect((await uniform([1]).data())[0]).toBe(first[1]);
  }
});
