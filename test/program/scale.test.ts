import { describe, expect, test } from 'vitest';
import { inputLeaf } from '../../src/graph/leaves.js';
import type { Tensor } from '../../src/graph/tensor.js';
import { add, concat, matmul, mul, relu, reshape, sum, tanh, transpose } from '../../src/ops/index.js';
import { compileGraph } from '../../src/program/index.js';
import { decode } from './decode.js';
import { graphOf, run, runBoth, valuesFor } from './harness.js';

const LENGTH = 100_000;

/** LENGTH nodes, `width` a step. */
function chain(width: number, step: (x: Tensor, i: number) => Tensor): Tensor {
  let x: Tensor = inputLeaf(0, [2, 2], 'float32');
  for (let i = 0; i < LENGTH / width; i++) x = step(x, i);
  return x;
}

describe('long chains compile without recursion', () => {
  const cases: Record<string, [number, (x: Tensor, i: number) => Tensor]> = {
    elementwise: [1, (x, i) => (i % 2 === 0 ? tanh(x) : add(x, x))],
    movement: [3, (x) => reshape(reshape(transpose(x, 0, 1), [4]), [2, 2])],
    products: [2, (x) => relu(matmul(x, x))],
    'broadcast and reduce': [2, (x) => add(x, sum(x, { axis: 0 }))],
  };
  for (const [name, [width, step]] of Object.entries(cases)) {
    test(name, () => {
      const graph = graphOf([chain(width, step)]);
      const spec = compileGraph({ ...graph, rngBase: 0, fuse: true });
      expect(spec.arenaBytes).toBeLessThanOrEqual(512);
    });
  }

  test('a chain cut into instructions computes the same', () => {
    let x: Tensor = inputLeaf(0, [5], 'float32');
    for (let i = 0; i < 700; i++) x = i % 3 === 0 ? tanh(x) : mul(x, 1 + i / 1000);
    const graph = graphOf([x]);
    const { fused } = runBoth(graph, valuesFor(graph));
    expect(decode(fused.words).instructions.length).toBeGreaterThan(2);
    expect(decode(fused.words).instructions.length).toBeLessThan(15);
  });
});

describe('limits of one instruction', () => {
  test('more inputs than one instruction takes', () => {
    const leaves = Array.from({ length: 200 }, (_, i) => inputLeaf(i, [3], 'float32'));
    const graph = graphOf([leaves.reduce((a, b) => add(a, b))]);
    const { fused } = runBoth(graph, valuesFor(graph));
    expect(decode(fused.words).instructions).toHaveLength(4);
  });

  test('more outputs than one instruction has', () => {
    const x = inputLeaf(0, [3], 'float32');
    const roots: Tensor[] = [];
    for (let i = 0; i < 150; i++) roots.push(add(roots[i - 1] ?? x, x));
    const graph = graphOf(roots);
    runBoth(graph, valuesFor(graph));
  });

  test('inputs of one instruction many times over', () => {
    const leaves = Array.from({ length: 100 }, (_, i) => inputLeaf(i, [i % 2 === 0 ? 3 : 1], 'float32'));
    const graph = graphOf([
      concat(
        leaves.map((x) => mul(x, 2)),
        0,
      ),
      sum(concat(leaves, 0)),
    ]);
    runBoth(graph, valuesFor(graph));
  });
});

describe('memory', () => {
  test('a deep forward and backward pass reuses the arena', () => {
    // 50 products whose results are dead after the next one need two buffers.
    let x: Tensor = inputLeaf(0, [16, 16], 'float32');
    const w = inputLeaf(1, [16, 16], 'float32');
    for (let i = 0; i < 50; i++) x = relu(matmul(x, w));
    const graph = graphOf([sum(x)]);
    const spec = compileGraph({ ...graph, rngBase: 0, fuse: true });
    expect(spec.arenaBytes).toBe(2 * 16 * 16 * 4);
    run(spec, graph, valuesFor(graph));
  });
});
