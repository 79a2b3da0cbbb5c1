import { afterEach, describe, expect, it } from 'vitest';
import { configure, grad, info, type Tensor, tensor } from '../../src/core.js';
import { settings } from '../../src/engine/settings.js';
import { inputLeaf } from '../../src/graph/leaves.js';
import * as ops from '../../src/ops/index.js';
import { both, graphOf, run } from './harness.js';

/** A ReLU behind batch or group norm and its mask before the gradient are part of their instructions, and no bit changes. */
const SHAPES = [[3, 4, 5, 18], [18], [18], [2, 6, 7, 70]];

/** Three norms: with weight and bias, with a weight, with neither and as wide as several vectors; each followed by a ReLU. */
function net([x, weight, bias, wide]: readonly Tensor[]): Tensor {
  const a = ops.relu(ops.batchNorm(x, { weight, bias }).y);
  const b = ops.relu(ops.batchNorm(ops.mul(a, x), { weight }).y);
  const { y, mean } = ops.batchNorm(wide);
  const c = ops.relu(y);
  return ops.add(ops.sum(ops.mul(ops.cos(b), a)), ops.add(ops.sum(ops.sin(c)), ops.sum(mean)));
}

/** The same of group norm: in several groups, in one, and each channel by itself over several slices of rows. */
function grouped([x, weight, bias, wide]: readonly Tensor[]): Tensor {
  const a = ops.relu(ops.groupNorm(x, 3, { weight, bias }));
  const b = ops.relu(ops.groupNorm(ops.mul(a, x), 1, { weight }));
  const c = ops.relu(ops.groupNorm(ops.reshape(wide, [1, 588, 10]), 10));
  return ops.add(ops.sum(ops.mul(ops.cos(b), a)), ops.sum(ops.sin(c)));
}

const gradients = (inputs: readonly Tensor[], f = net) =>
  grad(
    (...xs: Tensor[]) => f(xs),
    SHAPES.map((_, i) => i),
  )(...inputs);

describe('folding ReLU into norms', () => {
  const inputs = SHAPES.map((shape, i) => inputLeaf(i, shape, 'float32'));
  const programs = (roots: readonly Tensor[]) => both(graphOf(roots));

  it('makes one instruction of each pair', () => {
    const { fused, eager } = programs([net(inputs), ...gradients(inputs)]);
    const norms = fused.instructions.filter((i) => i.opcode.startsWith('BATCH')).map((i) => i.op);
    expect(norms.sort()).toEqual([...Array(3).fill('batchNorm+relu'), ...Array(3).fill('batchNormGrad+reluGrad')]);
    expect(fused.listing).toMatch(/batch_norm.* relu -> /);
    expect(fused.listing).toMatch(/batch_norm_grad.* relu' bias %2 -> /);
    expect(eager.instructions.some((i) => i.op.includes('+'))).toBe(false);
  });

  it('does so for group norm', () => {
    const { fused } = programs([grouped(inputs), ...gradients(inputs, grouped)]);
    const norms = fused.instructions.filter((i) => i.opcode.startsWith('GROUP')).map((i) => i.op);
    expect(norms.sort()).toEqual([...Array(3).fill('groupNorm+relu'), ...Array(3).fill('groupNormGrad+reluGrad')]);
    expect(fused.listing).toMatch(/group_norm.* relu -> /);
    expect(fused.listing).toMatch(/group_norm_grad.* bias %2 relu' -> /);
  });

  it('leaves a value alone that something else needs', () => {
    const [x, weight, bias] = inputs;
    const { y } = ops.batchNorm(x, { weight, bias });
    const { fused } = programs([ops.sum(ops.relu(y)), ops.sum(ops.cos(y))]);
    expect(fused.instructions.filter((i) => i.opcode === 'BATCH_NORM').map((i) => i.op)).toEqual(['batchNorm']);
    // A norm's gradient behind the mask of another norm's output keeps it apart.
    const other = ops.batchNorm(x, { weight: bias, bias: weight }).y;
    const masked = grad((v: Tensor) => ops.sum(ops.mul(ops.relu(v), x)))(other);
    const dx = grad((v: Tensor) => ops.sum(ops.mul(ops.batchNorm(v, { weight, bias }).y, masked)))(x);
    const names = programs([dx]).fused.instructions.map((i) => i.op);
    expect(names.some((n) => n.startsWith('batchNormGrad'))).toBe(true);
    expect(names).not.toContain('batchNormGrad+reluGrad');
  });

  const { isas, isa, threads } = info();
  afterEach(() => {
    settings.eager = false;
    configure({ isa, threads });
  });

  const data = SHAPES.map((shape, i) => {
    const n = shape.reduce((a, b) => a * b);
    return Float32Array.from({ length: n }, (_, k) => ((k * 7919 + i * 104729) % 1009) / 1009 - 0.5);
  });

  it.each(isas)('%s: fused and eager, 1, 2 and 5 threads give the same bits', async (name) => {
    const leaves = SHAPES.map((shape, i) => tensor(data[i], { shape }));
    const results: Float32Array[] = [];
    for (const [eager, n] of [
      [false, 1],
      [true, 1],
      [false, 2],
      [true, 5],
    ] as const) {
      configure({ isa: name, threads: n });
      settings.eager = eager;
      const roots = [net, grouped].flatMap((f) => [f(leaves), ...gradients(leaves, f)]);
      const values = await Promise.all(roots.map((g) => g.data()));
      results.push(Float32Array.from(values.flatMap((v) => [...v])));
    }
    for (const other of results.slice(1)) expect(other).toEqual(results[0]);
    expect(results[0].every(Number.isFinite)).toBe(true);
  });

  it('means what the instructions say, to the interpreter', () => {
    const graph = graphOf([net(inputs), ...gradients(inputs)]);
    const { fused, eager } = both(graph);
    const values = new Map(inputs.map((leaf, i) => [leaf, data[i]]));
    const [one, other] = [fused, eager].map((spec) => run(spec, graph, values).roots);
    for (const [k, root] of one.entries()) {
      // Statistics are rounded once here and in the middle there; gradients are sums of up to 60 terms below 4.
      for (const [j, v] of root.entries()) expect(Math.abs(v - other[k][j])).toBeLessThan(240 * 2 ** -22);
    }
  });
});
