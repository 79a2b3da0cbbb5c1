// Random small graphs: the fused program, the op-by-op program and the oracle agree.
import { describe, expect, test } from 'vitest';
import { evaluate, runBoth, valuesFor } from './harness.js';
import { isDefined, randomGraph } from './random-graphs.js';

const STEPS = new Set(['floor', 'cast', 'equal', 'less', 'greaterEqual', 'notEqual', 'sign', 'argmax', 'sort']);

describe('random graphs', () => {
  for (const float of ['float32', 'float64'] as const) {
    for (const special of [false, true]) {
      test(`${float}${special ? ' with NaN and infinities' : ''}: fused and op by op agree in every bit`, () => {
        let compiled = 0;
        let text = '';
        for (let seed = 1; seed <= 300; seed++) {
          const graph = randomGraph(seed, float, 30);
          const values = valuesFor(graph, seed, special);
          if (!isDefined(graph, values)) continue;
          try {
            text += runBoth(graph, values).fused.listing;
          } catch (error) {
            throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
          }
          compiled++;
        }
        // The generator reaches what the compiler can do.
        expect(compiled).toBeGreaterThan(special ? 80 : 200);
        for (const what of [
          /gemm .* \+ .* relu/,
          /gemm .*ᵀ/,
          / colsum /,
          /r5 = /,
          /; @\d+ = r\d+; [@%]\d+ = /,
          /place/,
          /copy/,
          /scan/,
          /sort/,
        ]) {
          expect(what.test(text), String(what)).toBe(true);
        }
      });
    }
  }

  test('float64: the program agrees with the oracle', () => {
    let compared = 0;
    for (let seed = 1; seed <= 600; seed++) {
      const graph = randomGraph(seed, 'float64', 15);
      // Rounding may put these on either side of a step.
      if (graph.nodes.some((n) => STEPS.has(n.op.name))) continue;
      const values = valuesFor(graph, seed);
      compared++;
      const got = runBoth(graph, values);
      const want = evaluate(graph, values);
      for (const kind of ['roots', 'writes'] as const) {
        got[kind].forEach((x, i) => {
          x.forEach((v, j) => {
            const w = want[kind][i][j];
            // Sums run in another order: eps * terms * scale, with room for chains.
            const close = Object.is(v, w) || v === w || Math.abs(v - w) <= 1e-9 * Math.max(1, Math.abs(w));
            if (!close)
              throw new Error(`seed ${seed}: ${kind}[${i}][${j}] is ${v}, expected ${w}\n${got.fused.listing}`);
          });
        });
      }
    }
    expect(compared).toBeGreaterThan(100);
  });
});
