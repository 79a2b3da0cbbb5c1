// Lowered programs as text: a change of the compiler that is meant to change nothing shows no difference here.
import { describe, expect, test } from 'vitest';
import { both, runBoth } from './harness.js';
import { cases, valuesOf } from './models.js';

const opcodes = (listing: string): string[] =>
  listing.split('\n').flatMap((line) => (/^\d+:/.test(line) ? [line.split(' ')[1]] : []));

describe('lowered programs', () => {
  for (const [name, make] of Object.entries(cases)) {
    test(name, async () => {
      await expect(both(make()).fused.listing).toMatchFileSnapshot(`../programs/${name}.txt`);
    });
  }

  test('an MLP training step is one instruction for each product, and few others', () => {
    const { fused } = both(cases['mlp-adam']());
    const count = (name: string) => opcodes(fused.listing).filter((o) => o === name).length;
    expect(count('gemm')).toBe(8); // 3 forward, 3 for weights, 2 for inputs
    expect(count('softmax_ce')).toBe(1);
    expect(count('optim')).toBe(1);
    expect(count('fused')).toBeLessThanOrEqual(2); // mean of the loss, gradient of the mean
    expect(count('reduce')).toBe(2); // the loss, the last bias
    expect(count('copy')).toBe(0);
    expect(opcodes(fused.listing).at(-1)).toBe('optim');
    expect(fused.listing.match(/ relu ->/g)).toHaveLength(2);
    expect(fused.listing.match(/relu' .* colsum /g)).toHaveLength(2);
  });

  test('programs of small nets agree with op-by-op evaluation in every bit', () => {
    for (const name of ['logistic-sgd', 'tiny-2-16-1', 'broadcast-reduce-zoo']) {
      const graph = cases[name]();
      runBoth(graph, valuesOf(graph));
    }
  });
});
