import { describe, expect, it } from 'vitest';
import { permutation, permutationAsync } from '../../src/graph/philox.js';
import { seed } from '../../src/graph/rng.js';
import { philox4x32 } from '../../src/philox.js';

describe('philox4x32', () => {
  // Known answers of Random123 1.14, tests/kat_vectors, "philox 4 32 10".
  it.each([
    [
      [0, 0, 0, 0, 0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [new Array<number>(6).fill(0xffffffff), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])('%j gives the published words', (input, expected) => {
    const out = new Uint32Array(4);
    philox4x32(out, input[0], input[1], input[2], input[3], input[4], input[5]);
    expect([...out]).toEqual(expected);
  });
});

describe('permutation', () => {
  it.each([0, 1, 2, 3, 257, 40_000])('of %i holds each index once', (n) => {
    const order = permutation(n, 1);
    expect(order).toHaveLength(n);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
  });

  it('repeats after seed() and differs from call to call and from seed to seed', () => {
    seed(7);
    const first = permutation(100);
    const second = permutation(100);
    expect(second).not.toEqual(first);
    seed(7);
    expect(permutation(100)).toEqual(first);
    seed(8);
    expect(permutation(100)).not.toEqual(first);
    expect(permutation(100, 3)).toEqual(permutation(100, 3));
    expect(permutation(100, 3)).not.toEqual(permutation(100, 3 + 2 ** 32));
  });

  it('draws every order of 4 equally often', () => {
    seed(0);
    const draws = 24_000;
    const counts = new Map<string, number>();
    for (let i = 0; i < draws; i++) {
      const key = permutation(4).join();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const expected = draws / 24;
    let chi2 = 0;
    for (const c of counts.values()) chi2 += (c - expected) ** 2 / expected;
    expect(chi2).toBeLessThan(49.7); // 99.9 % quantile of chi-squared with 23 degrees of freedom
  });

  it('gives the same order without holding the event loop', async () => {
    let ticks = 0;
    const timer = setInterval(() => {
      ticks++;
    }, 1);
    const order = await permutationAsync(1_000_000, 5);
    clearInterval(timer);
    expect(Buffer.compare(Buffer.from(order.buffer), Buffer.from(permutation(1_000_000, 5).buffer))).toBe(0);
    expect(ticks).toBeGreaterThan(1);
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 31])('refuses n = %s', (n) => {
    expect(() => permutation(n)).toThrow(/permutation: got .* expected a whole number/);
  });
});
