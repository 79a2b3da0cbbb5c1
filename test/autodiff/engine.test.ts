import { describe, expect, it } from 'vitest';
import { gradcheck } from '../../src/autodiff/index.js';
import { grad, Parameter, seed, type Tensor, tensor, valueAndGrad } from '../../src/core.js';
import * as ops from '../../src/ops/index.js';

/** Autodiff with values computed natively, also in the middle of a function. */
const f64 = (values: number[]): Tensor => tensor(Float64Array.from(values));

describe('with the engine', () => {
  it('differentiates through control flow that depends on values', () => {
    const f = (x: Tensor) => {
      let y = ops.mul(x, x);
      for (let i = 0; y.itemSync() < 100 && i < 50; i++) y = ops.mul(y, 2);
      return y;
    };
    // 3^2 doubled four times is 144 = 16 x^2.
    expect(grad(f)(tensor(3)).itemSync()).toBe(96);
    expect(grad(grad(f))(tensor(3)).itemSync()).toBe(32);
  });
  it('keeps the second output of a loss whose first was read', () => {
    const labels = tensor([1], { dtype: 'int32' });
    const f = (x: Tensor) => {
      const loss = ops.sum(ops.softmaxCrossEntropy(x, labels));
      expect(loss.itemSync()).toBeCloseTo(Math.LN2, 6);
      return loss;
    };
    expect([...grad(f)(tensor([[0, 0]])).dataSync()]).toEqual([0.5, -0.5]);
  });
  it('draws the same dropout mask backward', () => {
    seed(3);
    const [y, g] = valueAndGrad((x: Tensor) => [ops.sum(x), ops.dropout(x, 0.5)] as const)(ops.ones([1000]));
    expect([...g.dataSync()].every((v) => v === 1)).toBe(true);
    const [[, mask], slope] = valueAndGrad((x: Tensor) => {
      const kept = ops.dropout(x, 0.5);
      return [ops.sum(kept), kept] as const;
    })(ops.ones([1000]));
    expect([...slope.dataSync()]).toEqual([...mask.dataSync()]);
    expect(y[1].dataSync().length).toBe(1000);
  });
  it('computes the loss before a write overwrites what it read', async () => {
    const w = new Parameter(tensor([2]), 'w');
    const model = { trainableCells: () => new Map([['w', w]]) };
    const [loss, grads] = valueAndGrad(model, () => ops.sum(ops.square(w)))();
    w.assign(ops.sub(w, ops.mul(0.25, grads.w)));
    expect([...(await w.read().data())]).toEqual([1]);
    expect(await loss.item()).toBe(4);
  });
  it('checks gradients natively in float64', () => {
    const evaluate = (roots: readonly Tensor[]) => roots.map((r) => r.dataSync() as Float64Array);
    const network = (x: Tensor, w: Tensor) =>
      ops.logSoftmax(ops.tanh(ops.matmul(ops.reshape(x, [2, 2]), ops.reshape(w, [2, 3]))));
    gradcheck(network, [f64([0.1, -0.2, 0.3, 0.4]), f64([1, -1, 0.5, 0.25, -0.75, 2])], { evaluate, order: 2 });
  });
});
