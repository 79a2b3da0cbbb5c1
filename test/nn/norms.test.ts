import { describe, expect, it } from 'vitest';
import {
  compile,
  configure,
  flush,
  info,
  mul,
  nn,
  normal,
  OptionError,
  optim,
  ShapeError,
  seed,
  sum,
  type Tensor,
  valueAndGrad,
  zeros,
} from '../../src/index.js';

const { BatchNorm1d, LayerNorm, Linear, ReLU, Sequential } = nn;

describe('LayerNorm', () => {
  it('gives every sample mean 0 and variance 1 over the last axes, in training and evaluation', async () => {
    seed(1);
    const layer = new LayerNorm([4, 5], { affine: false, eps: 0 });
    const x = normal([3, 4, 5], { mean: 7, std: 3 });
    const [a, b] = [await layer.forward(x).data(), await layer.eval().forward(x).data()];
    expect(a).toEqual(b);
    for (let row = 0; row < 3; row++) {
      const values = a.subarray(20 * row, 20 * row + 20) as Float32Array;
      const mean = values.reduce((s, v) => s + v, 0) / 20;
      const variance = values.reduce((s, v) => s + (v - mean) ** 2, 0) / 20;
      // A mean of 7 has eps 7 of rounding before the division by 3.
      expect(Math.abs(mean)).toBeLessThan(16 * 2 ** -23);
      expect(Math.abs(variance - 1)).toBeLessThan(64 * 2 ** -23);
    }
    expect(layer.parameters()).toEqual([]);
    expect(String(layer)).toBe('LayerNorm(4×5)');
    expect(new LayerNorm(3, { bias: false }).parameters().length).toBe(1);
  });

  it('names itself and what it expected', () => {
    expect(() => new LayerNorm(0)).toThrow(OptionError);
    expect(() => new LayerNorm([])).toThrow(OptionError);
    expect(() => new LayerNorm(2, { eps: -1 })).toThrow(/LayerNorm: eps is -1/);
    expect(() => new LayerNorm(5).forward(zeros([2, 4]))).toThrow(ShapeError);
    expect(() => new LayerNorm(5).forward(zeros([2, 4]))).toThrow(/got \[2, 4\], expected last dimension 5/);
    expect(() => new LayerNorm([5, 4]).forward(zeros([4]))).toThrow(/expected last dimensions \[5, 4\]/);
  });
});

describe('BatchNorm1d', () => {
  it('has parameters, buffers and a state dict under the names of PyTorch', async () => {
    const layer = new BatchNorm1d(3);
    expect([...layer.namedParameters().keys()]).toEqual(['weight', 'bias']);
    expect([...layer.namedBuffers().keys()]).toEqual(['runningMean', 'runningVar', 'numBatchesTracked']);
    expect(Object.keys(await layer.stateDict())).toHaveLength(5);
    await expect(new BatchNorm1d(3, { affine: false, trackRunningStats: false }).stateDict()).resolves.toEqual({});
  });

  it('updates running statistics once a forward in training only, eagerly and compiled', async () => {
    seed(2);
    const x = normal([64, 2], { mean: 3, std: 2 });
    const statistics = async (layer: nn.BatchNorm1d) => {
      await flush();
      const cells = [layer.runningMean, layer.runningVar, layer.numBatchesTracked] as NonNullable<
        typeof layer.runningMean
      >[];
      return Promise.all(cells.map((c) => c.read().data()));
    };
    const [eager, compiled] = [new BatchNorm1d(2), new BatchNorm1d(2)];
    const step = compile((v: Tensor) => sum(compiled.forward(v)));
    for (let i = 0; i < 3; i++) {
      await sum(eager.forward(x)).data();
      await step(x).data();
    }
    const seen = await statistics(eager);
    expect(await statistics(compiled)).toEqual(seen);
    expect(seen[2]).toEqual(Int32Array.of(3));
    for (const layer of [eager, compiled]) layer.eval();
    await sum(eager.forward(x)).data();
    await step(x).data();
    expect(await statistics(eager)).toEqual(seen);
    expect(await statistics(compiled)).toEqual(seen);
    // momentum 0.1 three times from 0 towards about 3: 3 (1 - 0.9^3), six standard errors of 2 / 8.
    expect(Math.abs(seen[0][0] - 3 * (1 - 0.9 ** 3))).toBeLessThan(6 * (2 / 8) * 0.271);
  });

  it('without running statistics evaluates with those of the batch', async () => {
    seed(3);
    const layer = new BatchNorm1d(2, { trackRunningStats: false });
    const x = normal([8, 2]);
    expect(await layer.eval().forward(x).data()).toEqual(await layer.train().forward(x).data());
  });

  it('names itself and what it expected', () => {
    expect(() => new BatchNorm1d(2.5)).toThrow(OptionError);
    expect(() => new BatchNorm1d(2, { momentum: 2 })).toThrow(/momentum is 2/);
    expect(() => new BatchNorm1d(2, { eps: Number.NaN })).toThrow(/eps is NaN/);
    expect(() => new BatchNorm1d(2).forward(zeros([4, 3]))).toThrow(/got \[4, 3\], expected \[batch, 2\]/);
    expect(() => new BatchNorm1d(2).forward(zeros([1, 2]))).toThrow(/more than 1 value a feature.*eval\(\)/);
    expect(new BatchNorm1d(2).eval().forward(zeros([1, 2])).shape).toEqual([1, 2]);
  });
});

describe('bits', () => {
  /** Weights and statistics after three steps of a network with both layers; 300 rows are several slices. */
  async function train(): Promise<Float32Array[]> {
    seed(4);
    const model = new Sequential(
      new Linear(20, 70),
      new BatchNorm1d(70),
      new ReLU(),
      new LayerNorm(70),
      new Linear(70, 3),
    );
    const optimizer = new optim.RMSprop({ clipNorm: 0.5, l1: 1e-4, momentum: 0.5 });
    const x = normal([300, 20]);
    const target = normal([300, 3]);
    const lossAndGrad = valueAndGrad(model, () => {
      const error = model.forward(x).sub(target);
      return mul(error, error).mean();
    });
    for (let i = 0; i < 3; i++) {
      const [, gradients] = lossAndGrad();
      await optimizer.step(model, gradients);
    }
    const values = await Promise.all(Object.values(await model.stateDict()).map((t) => t.data()));
    return values as Float32Array[];
  }

  it('are the same for any number of threads', async () => {
    const before = info().threads;
    const results: Float32Array[][] = [];
    for (const threads of [1, 2, 3, 5, 8]) {
      configure({ threads });
      results.push(await train());
    }
    configure({ threads: before });
    for (const r of results.slice(1)) expect(r).toEqual(results[0]);
    expect(results[0].every((v) => v.every(Number.isFinite))).toBe(true);
  });
});
