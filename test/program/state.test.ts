import { describe, expect, test } from 'vitest';
import { hostScalar } from '../../src/graph/feed.js';
import { inputLeaf } from '../../src/graph/leaves.js';
import type { Tensor } from '../../src/graph/tensor.js';
import {
  add,
  checkFinite,
  matmul,
  mul,
  optimizerStep,
  softmaxCrossEntropy,
  sub,
  sum,
  transpose,
} from '../../src/ops/index.js';
import { bits, both, cell, run, runBoth, traced, type Values, valuesFor } from './harness.js';

const SGD = { momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, form: 'sum' } as const;
const ADAM = {
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  epsInSqrt: false,
  biasCorrection: true,
  amsgrad: false,
};

const opcodes = (listing: string) =>
  listing
    .split('\n')
    .filter((l) => /^\d+:/.test(l))
    .map((l) => l.split(' ')[1].toUpperCase());

function leafValue(graph: { nodes: readonly Tensor[] }, values: Values, name: string): number[] {
  const leaf = graph.nodes.find((n) => (n.attrs.cell as { name?: string } | undefined)?.name === name);
  return [...(values.get(leaf as Tensor) as number[])];
}

describe('cells', () => {
  test('a counter is increased in place by one instruction', () => {
    const a = cell([], 'int32', 'a');
    const graph = traced(() => {
      a.assign(add(a.read(), 1));
      return [];
    });
    const values = valuesFor(graph);
    const result = runBoth(graph, values);
    expect(result.writes[0][0]).toBe(leafValue(graph, values, 'a')[0] + 1);
    expect(opcodes(result.fused.listing)).toEqual(['FUSED']);
  });

  test('two cells swap', () => {
    const a = cell([5], 'float32', 'a');
    const b = cell([5], 'float32', 'b');
    const graph = traced(() => {
      const [x, y] = [a.read(), b.read()];
      a.assign(y);
      b.assign(x);
      return [];
    });
    const values = valuesFor(graph);
    const result = runBoth(graph, values);
    expect([...result.writes[0]]).toEqual(leafValue(graph, values, 'b'));
    expect([...result.writes[1]]).toEqual(leafValue(graph, values, 'a'));
    expect(opcodes(result.fused.listing)).toEqual(['COPY', 'COPY', 'COPY']);
  });

  test('three cells rotate and one is computed from all of them', () => {
    const cells = ['a', 'b', 'c'].map((n) => cell([4], 'float32', n));
    const s = cell([4], 'float32', 's');
    const graph = traced(() => {
      const old = cells.map((c) => c.read());
      for (const [i, c] of cells.entries()) c.assign(old[(i + 1) % 3]);
      s.assign(add(add(old[0], old[1]), mul(old[2], s.read())));
      return [old[1]];
    });
    const values = valuesFor(graph);
    const [a, b, c] = ['a', 'b', 'c'].map((n) => leafValue(graph, values, n));
    const result = runBoth(graph, values);
    expect(result.writes.slice(0, 3).map((w) => [...w])).toEqual([b, c, a]);
    expect([...result.roots[0]]).toEqual(b);
  });

  test('a cell assigned its own value is not copied', () => {
    const a = cell([3], 'float32', 'a');
    const graph = traced(() => {
      a.assign(a.read());
      return [];
    });
    expect(opcodes(both(graph).fused.listing)).toEqual([]);
  });

  test('a cell replaced by its transpose', () => {
    const a = cell([3, 3], 'float32', 'a');
    const graph = traced(() => {
      a.assign(transpose(a.read(), 0, 1));
      return [];
    });
    const values = valuesFor(graph);
    const old = leafValue(graph, values, 'a');
    const { writes } = runBoth(graph, values);
    expect([...writes[0]]).toEqual([0, 1, 2].flatMap((i) => [0, 1, 2].map((j) => old[3 * j + i])));
  });

  test('a cell plus its transpose is not written over itself', () => {
    const a = cell([3, 3], 'float32', 'a');
    const graph = traced(() => {
      a.assign(add(a.read(), transpose(a.read(), 0, 1)));
      return [];
    });
    runBoth(graph, valuesFor(graph));
  });

  test('the same value for two cells and a root', () => {
    const [a, b] = [cell([3], 'float32', 'a'), cell([3], 'float32', 'b')];
    const graph = traced(() => {
      const v = add(mul(a.read(), 2), b.read());
      a.assign(v);
      b.assign(v);
      return [v];
    });
    const { writes, roots } = runBoth(graph, valuesFor(graph));
    expect(bits(writes[0])).toEqual(bits(writes[1]));
    expect(bits(roots[0])).toEqual(bits(writes[1]));
  });

  test('what can fail runs before the first write', () => {
    const a = cell([3], 'float32', 'a');
    const graph = traced(() => {
      const next = add(a.read(), 1);
      a.assign(next);
      return [checkFinite(mul(next, 3))];
    });
    const values = valuesFor(graph);
    const { fused, eager } = both(graph);
    runBoth(graph, values);
    const bad = new Map(values).set(graph.writes[0].leaf as Tensor, [1, Number.NaN, 2]);
    for (const spec of [fused, eager]) expect(() => run(spec, graph, bad)).toThrow('CHECK_FINITE');
  });
});

/** w' = step(w, g) with g = 2 w x, and what `use` makes of it. */
function sgd(use: (w: Tensor, next: Tensor, x: Tensor) => readonly Tensor[]) {
  const w = cell([4], 'float32', 'w');
  const step = cell([], 'int32', 'step');
  const graph = traced(() => {
    const x = inputLeaf(0, [4], 'float32');
    const old = w.read();
    const { step: t, params } = optimizerStep(
      'sgd',
      SGD,
      hostScalar(() => 0.1),
      step.read(),
      [{ w: old, g: mul(mul(old, x), 2), slots: [] }],
    );
    w.assign(params[0].w);
    step.assign(t);
    return use(old, params[0].w, x);
  });
  const values = valuesFor(graph);
  return { graph, values, ...runBoth(graph, values) };
}

describe('optimizer steps in place', () => {
  test('with nothing else to do the cell is updated where it is', () => {
    const { fused } = sgd(() => []);
    expect(opcodes(fused.listing)).toEqual(['FUSED', 'OPTIM']);
    expect(fused.arenaBytes).toBe(64);
  });

  test('readers of the old value come first', () => {
    const { fused, roots, graph, values } = sgd((w) => [sum(mul(w, 3)), w]);
    expect([...roots[1]]).toEqual(leafValue(graph, values, 'w'));
    expect(opcodes(fused.listing).at(-1)).toBe('OPTIM');
  });

  test('delta = new - old needs a copy', () => {
    const { roots, writes, graph, values } = sgd((w, next) => [sub(next, w)]);
    const old = leafValue(graph, values, 'w');
    expect([...roots[0]]).toEqual([...writes[0]].map((x, i) => Math.fround(x - old[i])));
  });

  test('an average of the new value follows the step in place', () => {
    const w = cell([4], 'float32', 'w');
    const average = cell([4], 'float32', 'average');
    const step = cell([], 'int32', 'step');
    const graph = traced(() => {
      const { params, step: t } = optimizerStep(
        'sgd',
        SGD,
        hostScalar(() => 0.1),
        step.read(),
        [{ w: w.read(), g: mul(w.read(), 2), slots: [] }],
      );
      w.assign(params[0].w);
      step.assign(t);
      average.assign(add(mul(average.read(), 0.9), mul(params[0].w, 0.1)));
      return [];
    });
    const { fused } = runBoth(graph, valuesFor(graph));
    expect(opcodes(fused.listing)).toEqual(['FUSED', 'OPTIM', 'FUSED']);
  });

  test('a copy of the new value for another cell', () => {
    const w = cell([4], 'float32', 'w');
    const target = cell([4], 'float32', 'target');
    const step = cell([], 'int32', 'step');
    const graph = traced(() => {
      const { params, step: t } = optimizerStep(
        'sgd',
        SGD,
        hostScalar(() => 0.1),
        step.read(),
        [{ w: w.read(), g: target.read(), slots: [] }],
      );
      w.assign(params[0].w);
      step.assign(t);
      target.assign(params[0].w);
      return [];
    });
    const { writes } = runBoth(graph, valuesFor(graph));
    expect(bits(writes[2])).toEqual(bits(writes[0]));
  });

  test('a loss of the new weights that can fail keeps every write after it', () => {
    const w = cell([4, 3], 'float32', 'w');
    const [m, v] = [cell([4, 3], 'float32', 'm'), cell([4, 3], 'float32', 'v')];
    const step = cell([], 'int32', 'step');
    const graph = traced(() => {
      const x = inputLeaf(0, [2, 4], 'float32');
      const labels = inputLeaf(1, [2], 'int32');
      const g = matmul(x, matmul(x, w.read()), { transA: true });
      const adam = optimizerStep(
        'adam',
        ADAM,
        hostScalar(() => 0.01),
        step.read(),
        [{ w: w.read(), g, slots: [m.read(), v.read()] }],
      );
      const [p] = adam.params;
      w.assign(p.w);
      m.assign(p.slots[0]);
      v.assign(p.slots[1]);
      step.assign(adam.step);
      return [sum(softmaxCrossEntropy(matmul(x, p.w), labels))];
    });
    const values = valuesFor(graph);
    values.set(graph.nodes.find((n) => n.dtype === 'int32' && n.shape.length === 1) as Tensor, [0, 2]);
    runBoth(graph, values);
  });

  test('two steps in one program', () => {
    const w = cell([4], 'float32', 'w');
    const step = cell([], 'int32', 'step');
    const graph = traced(() => {
      for (let i = 0; i < 2; i++) {
        const { params, step: t } = optimizerStep(
          'sgd',
          SGD,
          hostScalar(() => 0.1),
          step.read(),
          [{ w: w.read(), g: mul(w.read(), 2), slots: [] }],
        );
        w.assign(params[0].w);
        step.assign(t);
      }
      return [];
    });
    runBoth(graph, valuesFor(graph));
  });

  test('two steps from the same old weights', () => {
    const w = cell([4], 'float32', 'w');
    const step = cell([], 'int32', 'step');
    const graph = traced(() => {
      const once = (rate: number) =>
        optimizerStep(
          'sgd',
          SGD,
          hostScalar(() => rate),
          step.read(),
          [{ w: w.read(), g: mul(w.read(), 2), slots: [] }],
        );
      const [a, b] = [once(0.1), once(0.2)];
      w.assign(b.params[0].w);
      step.assign(b.step);
      return [a.params[0].w, sub(a.params[0].w, b.params[0].w)];
    });
    runBoth(graph, valuesFor(graph));
  });

  test('one tensor for weight and gradient, and equal moments, are copied apart', () => {
    const w = cell([4], 'float32', 'w');
    const step = cell([], 'int32', 'step');
    const graph = traced(() => {
      const zero = mul(w.read(), 0);
      const { params, step: t } = optimizerStep(
        'adam',
        ADAM,
        hostScalar(() => 0.1),
        step.read(),
        [{ w: w.read(), g: w.read(), slots: [zero, mul(w.read(), 0)] }],
      );
      w.assign(params[0].w);
      step.assign(t);
      return [...params[0].slots];
    });
    runBoth(graph, valuesFor(graph));
  });

  test('the old weight in the arena is returned as it was', () => {
    const step = cell([], 'int32', 'step');
    const graph = traced(() => {
      const w = mul(inputLeaf(0, [4], 'float32'), 3);
      const { params, step: t } = optimizerStep(
        'sgd',
        SGD,
        hostScalar(() => 0.1),
        step.read(),
        [{ w, g: mul(w, 2), slots: [] }],
      );
      step.assign(t);
      return [w, params[0].w];
    });
    const { roots } = runBoth(graph, valuesFor(graph));
    expect(bits(roots[0])).not.toEqual(bits(roots[1]));
  });
});
