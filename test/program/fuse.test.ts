import { describe, expect, test } from 'vitest';
import type { DType } from '../../src/dtype.js';
import { inputLeaf } from '../../src/graph/leaves.js';
import type { Tensor } from '../../src/graph/tensor.js';
import * as ops from '../../src/ops/index.js';
import { compileGraph, type ProgramSpec } from '../../src/program/index.js';
import { decode } from './decode.js';
import { both, graphOf, runBoth, traced, valuesFor } from './harness.js';
import type { Decoded } from './words.js';

const input = (index: number, shape: readonly number[], dtype: DType = 'float32') => inputLeaf(index, shape, dtype);
const instructions = (spec: ProgramSpec): readonly Decoded[] => decode(spec.words).instructions;
const names = (spec: ProgramSpec): string[] => instructions(spec).map((i) => i.opcode);

/** Runs the roots both ways and returns the fused program. */
function check(...roots: Tensor[]): ProgramSpec {
  const graph = graphOf(roots);
  return runBoth(graph, valuesFor(graph, 3, true)).fused;
}

describe('groups', () => {
  test('a chain is one instruction', () => {
    const x = input(0, [4, 3]);
    expect(names(check(ops.mul(ops.tanh(ops.add(x, 1)), x)))).toEqual(['FUSED']);
  });

  test('logic between comparisons of floats stays with them', () => {
    const x = input(0, [4, 3]);
    const inside = ops.logicalAnd(ops.greater(x, 0), ops.logicalNot(ops.less(6, x)));
    expect(names(check(ops.where(inside, x, 0)))).toEqual(['FUSED']);
  });

  test('a member needed outside is a second output', () => {
    const x = input(0, [4, 3]);
    const y = ops.exp(x);
    const spec = check(y, ops.mul(y, 2));
    expect(names(spec)).toEqual(['FUSED']);
    expect(instructions(spec)[0].outputs).toHaveLength(2);
  });

  test('a path that leaves the group and comes back keeps it apart', () => {
    const x = input(0, [4, 3]);
    const e = ops.exp(x);
    const spec = check(ops.div(e, ops.sum(e, { axis: 1, keepDims: true })));
    expect(names(spec)).toEqual(['FUSED', 'REDUCE', 'FUSED']);
  });

  test('a loss and the start of its gradient share one pass', () => {
    const [x, y] = [input(0, [8]), input(1, [8])];
    const d = ops.sub(x, y);
    const g = ops.mul(d, 0.25);
    const spec = check(ops.sum(ops.mul(d, d)), ops.sum(ops.matmul(ops.reshape(g, [1, 8]), input(2, [8, 2]))));
    expect(names(spec).filter((n) => n === 'FUSED')).toHaveLength(1);
  });

  test('views are read in place', () => {
    const x = input(0, [4, 3]);
    const spec = check(ops.add(ops.transpose(x, 0, 1), ops.flip(input(1, [4]), [0])));
    expect(names(spec)).toEqual(['FUSED']);
    expect(instructions(spec)[0].inputs.map((w) => [w.offset, w.strides])).toEqual([
      [0, [1, 3]],
      [3, [0, -1]],
    ]);
  });

  test('an output takes the place of an input that dies', () => {
    const x = input(0, [64]);
    const sorted = ops.softmax(ops.reshape(ops.softmax(ops.reshape(x, [1, 64])), [1, 64]));
    const spec = check(ops.softmax(ops.exp(sorted)));
    expect(spec.arenaBytes).toBe(512);
  });
});

describe('values that a register does not hold exactly go through memory', () => {
  test('uint8 wraps', () => {
    const x = input(0, [4], 'uint8');
    const spec = check(ops.cast(ops.add(ops.mul(x, 100), 100), 'int32'));
    expect(names(spec).length).toBeGreaterThan(1);
  });

  test('float to int32 truncates', () => {
    const graph = graphOf([ops.add(ops.cast(ops.cast(input(0, [3]), 'int32'), 'float32'), 0.5)]);
    const { roots } = runBoth(graph, new Map([[graph.nodes[0], [1.75, -1.75, -0.5]]]));
    expect([...roots[0]]).toEqual([1.5, -0.5, 0.5]);
  });

  test('float64 to float32 rounds', () => {
    const x = input(0, [3], 'float64');
    const graph = graphOf([ops.sub(ops.cast(ops.cast(x, 'float32'), 'float64'), x)]);
    const { roots } = runBoth(graph, new Map([[graph.nodes[0], [0.1, 1 / 3, 1]]]));
    expect([...roots[0]]).toEqual([Math.fround(0.1) - 0.1, Math.fround(1 / 3) - 1 / 3, 0]);
  });

  test('a comparison stays in its register', () => {
    const x = input(0, [4]);
    expect(names(check(ops.mul(ops.cast(ops.greater(x, 0), 'float32'), x)))).toEqual(['FUSED']);
  });

  test('a cast to bool of a fraction is true', () => {
    const x = input(0, [3]);
    const graph = graphOf([ops.where(ops.cast(x, 'bool'), x, -1)]);
    const { roots } = runBoth(graph, new Map([[graph.nodes[0], [0.5, -0, Number.NaN]]]));
    expect([...roots[0]]).toEqual([0.5, -1, Number.NaN]);
  });
});

describe('products', () => {
  const [x, w, b] = [input(0, [4, 3]), input(1, [5, 3]), input(2, [5])];

  test('bias, activation and column sums fold', () => {
    const h = ops.relu(ops.linear(x, w, b));
    expect(names(check(h, ops.sum(h, { axis: 0 })))).toEqual(['GEMM']);
  });

  test('batches of rows are more rows', () => {
    const cube = input(3, [2, 4, 3]);
    const spec = check(ops.tanh(ops.linear(cube, w, b)));
    expect(names(spec)).toEqual(['GEMM']);
    expect(instructions(spec)[0].p).toMatchObject({ batch: 1, m: 8 });
  });

  test('a value before the activation that is needed elsewhere stops the fold', () => {
    const h = ops.linear(x, w, b);
    expect(names(check(h, ops.relu(h)))).toEqual(['GEMM', 'FUSED']);
  });

  test('what is added to every row differently is no bias', () => {
    expect(names(check(ops.add(ops.matmul(x, ops.transpose(w, 0, 1)), input(3, [4, 1]))))).toEqual(['GEMM', 'FUSED']);
    expect(names(check(ops.add(ops.linear(x, w), input(3, [4, 5]))))).toEqual(['GEMM', 'FUSED']);
  });

  test('a product added to itself', () => {
    const p = ops.linear(x, w);
    check(ops.add(p, p));
  });

  test('one product as the bias of another', () => {
    const row = ops.matmul(input(3, [1, 3]), w, { transB: true });
    check(ops.add(ops.linear(x, w), row), ops.add(row, ops.matmul(input(4, [1, 5]), input(5, [5, 5]))));
  });

  test('transposes and repeated batches are read where they are', () => {
    const a = input(3, [2, 3, 4]);
    const shared = ops.broadcastTo(input(4, [3, 5]), [2, 3, 5]);
    expect(names(check(ops.matmul(ops.transpose(a, 1, 2), shared)))).toEqual(['GEMM']);
  });

  test('batches that broadcast in part are copied', () => {
    const [p, q] = [input(3, [2, 1, 4, 3]), input(4, [3, 3, 2])];
    expect(names(check(ops.matmul(p, q)))).toEqual(['COPY', 'COPY', 'GEMM']);
  });

  test('an inner size of 0 gives act(bias), and no rows give nothing', () => {
    check(ops.relu(ops.linear(input(3, [4, 0]), input(4, [5, 0]), b)));
    expect(names(check(ops.relu(ops.linear(input(3, [0, 3]), w, b))))).toEqual([]);
  });
});

describe('simplification keeps bits', () => {
  test('x + 0 is not x, x - 0 and x * 1 are', () => {
    const x = input(0, [4]);
    const graph = graphOf([
      ops.add(x, 0),
      ops.sub(x, 0),
      ops.mul(x, 1),
      ops.div(x, 1),
      ops.add(x, -0),
      ops.neg(ops.neg(x)),
    ]);
    const { fused } = runBoth(graph, new Map([[graph.nodes[0], [-0, 0, Number.NaN, -1]]]));
    expect(names(fused).filter((n) => n === 'FUSED')).toHaveLength(1);
  });

  test('equal nodes are one, constants fold and cast', () => {
    const x = input(0, [4]);
    const y = ops.mul(ops.tanh(x), ops.tanh(x));
    const [only] = instructions(
      check(ops.mul(y, ops.cast(ops.div(ops.full([], 1, { dtype: 'float64' }), 3), 'float32'))),
    );
    expect(only.micros.map((m) => m.micro)).toEqual(['TANH', 'MUL', 'MUL']);
    expect(only.constants).toEqual([Math.fround(1 / 3)]);
  });

  test('random ops are one only with one index', () => {
    const graph = traced(() => {
      const x = input(0, [8]);
      return [ops.dropout(x, 0.5), ops.dropout(x, 0.5), ops.uniform([8])];
    });
    const { fused } = runBoth(graph, valuesFor(graph));
    expect(instructions(fused).map((i) => [i.opcode, i.p.offset])).toEqual([
      ['DROPOUT', 0],
      ['DROPOUT', 1],
      ['RANDOM', 2],
    ]);
    const shifted = compileGraph({ ...graphOf([graph.roots[1]]), rngBase: 1, fuse: true });
    expect(instructions(shifted)[0].p.offset).toBe(0);
  });

  test('equal constants are one, and -0 is not 0', () => {
    const x = input(0, [4]);
    const graph = graphOf([ops.div(x, ops.full([4], 0)), ops.div(x, ops.full([4], -0))]);
    const { roots } = runBoth(graph, new Map([[graph.nodes[0], [1, -1, 2, 3]]]));
    expect([...roots[0]]).toEqual([Infinity, -Infinity, Infinity, Infinity]);
    expect([...roots[1]]).toEqual([-Infinity, Infinity, -Infinity, -Infinity]);
  });
});

describe('odd shapes', () => {
  test('nothing to compute', () => {
    const x = input(0, [0, 3]);
    expect(names(check(ops.add(x, 1), ops.concat([x, x], 0)))).toEqual([]);
  });

  test('reductions of nothing give their identity', () => {
    const graph = graphOf([
      ops.sum(input(0, [0, 3]), { axis: 0 }),
      ops.prod(input(1, [2, 0]), { axis: 1 }),
      ops.mean(input(2, [0])),
    ]);
    const { roots } = runBoth(graph, valuesFor(graph));
    expect(roots.map((r) => [...r])).toEqual([[0, 0, 0], [1, 1], [Number.NaN]]);
  });

  test('reductions of axes that are not neighbours, of views, of bytes', () => {
    const x = input(0, [2, 3, 4]);
    check(ops.sum(x, { axis: [0, 2] }), ops.max(ops.transpose(x, 0, 2), { axis: 1 }), ops.argmin(x, { axis: 0 }));
    check(
      ops.sum(input(1, [5], 'uint8')),
      ops.max(input(2, [5], 'uint8')),
      ops.any(input(3, [2, 3], 'bool'), { axis: 1 }),
    );
  });

  test('a root that is a leaf, a view of a leaf, a constant, the same value twice', () => {
    const x = input(0, [2, 3]);
    check(x, ops.transpose(x, 0, 1), ops.reshape(x, [6]), ops.full([2], 3), ops.add(x, 1), ops.add(x, 1));
  });

  test('outputs nobody uses are not computed', () => {
    const [logits, labels] = [input(0, [4, 3]), input(1, [4], 'int32')];
    const graph = graphOf([ops.softmaxCrossEntropy(logits, labels)]);
    const [only] = instructions(both(graph).fused);
    expect([only.m.loss === null, only.m.grad === null]).toEqual([false, true]);
  });
});
