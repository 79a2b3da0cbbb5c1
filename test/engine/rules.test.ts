// The rules of state, order and memory that users rely on, one test each; compile and cells have files of their own.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { queued } from '../../src/engine/queue.js';
import {
  compile,
  configure,
  dropout,
  flush,
  flushSync,
  matmul,
  memory,
  nn,
  ones,
  optim,
  predict,
  randomState,
  restoreRandomState,
  seed,
  sum,
  type Tensor,
  tensor,
  uniform,
  valueAndGrad,
  zeros,
} from '../../src/index.js';

beforeEach(() => flushSync());
afterEach(() => vi.restoreAllMocks());

describe('cells', () => {
  it('a held parameter shows new values, a clone the value at the call', async () => {
    const model = new nn.Linear(2, 1);
    const { weight } = model;
    const optimizer = new optim.SGD({ lr: 1 });
    await flush();
    const before = await weight.read().data();
    const copy = weight.read().clone();
    const [, grads] = valueAndGrad(model, (x: Tensor) => sum(model.forward(x)))(tensor([[1, 2]]));
    optimizer.update(model, grads);
    expect([...(await weight.read().data())]).toEqual([before[0] - 1, before[1] - 2].map(Math.fround));
    expect(await copy.data()).toEqual(before);
  });

  it('freezing a layer re-traces a compiled step and stops its updates', async () => {
    seed(1);
    const model = new nn.Sequential(new nn.Linear(2, 2), new nn.Linear(2, 1));
    const optimizer = new optim.SGD({ lr: 0.1 });
    const lossAndGrad = valueAndGrad(model, (x: Tensor) => sum(model.forward(x)));
    const step = compile((x: Tensor) => {
      const [loss, grads] = lossAndGrad(x);
      optimizer.update(model, grads);
      return loss;
    });
    const x = tensor([[1, 2]]);
    await step(x).item();
    model.freeze((path) => path.startsWith('0.'));
    const values = async () => Object.values(await model.stateDict()).map((t) => t.data());
    const [w0, , w1] = await Promise.all(await values());
    await step(x).item();
    const [v0, , v1] = await Promise.all(await values());
    expect(step.traces).toBe(2);
    expect(v0).toEqual(w0);
    expect(v1).not.toEqual(w1);
  });
});

describe('order', () => {
  it('a loop that never awaits is held back, so the queue stays short', async () => {
    const a = uniform([300, 300]);
    const step = compile((x: Tensor) => matmul(x, x).mul(1e-3));
    let x: Tensor = a;
    let longest = 0;
    for (let i = 0; i < 400; i++) {
      x = step(x);
      longest = Math.max(longest, queued());
    }
    expect(longest).toBeLessThanOrEqual(64);
    expect(longest).toBeGreaterThan(8); // it did run ahead
    await x.data();
    expect(queued()).toBe(0);
  });

  it('a synchronous read waits for what is queued before it', () => {
    const step = compile((x: Tensor) => x.add(1));
    let x: Tensor = zeros([100_000]);
    for (let i = 0; i < 50; i++) x = step(x);
    expect(x.sum().itemSync()).toBe(5_000_000);
  });

  it('predict sees the parameters as they are between steps', async () => {
    const model = new nn.Linear(1, 1, { bias: false });
    model.weight.assign(tensor([[0]]));
    const grow = compile(() => model.weight.assign(model.weight.read().add(1)));
    const seen: Promise<number>[] = [];
    for (let i = 0; i < 20; i++) {
      grow();
      seen.push(predict(model, tensor([[1], [1], [1]])).then(async (y) => new Set(await y.data()).size));
    }
    expect(await Promise.all(seen)).toEqual(Array(20).fill(1)); // never a mixture of two versions
  });
});

describe('memory', () => {
  it('tensor() copies at the call and data() returns a fresh array', async () => {
    const source = new Float32Array([1, 2]);
    const t = tensor(source);
    source[0] = 9;
    const first = await t.data();
    expect([...first]).toEqual([1, 2]);
    first[0] = 9;
    expect([...t.dataSync()]).toEqual([1, 2]);
  });

  it('the limit ends as a RangeError with the shape, loses nothing, and can be raised', async () => {
    const keep = tensor([1, 2, 3]);
    const limit = memory().limit;
    configure({ memoryLimit: memory().bytes + 4 * 2 ** 20 });
    try {
      expect(() => zeros([4000, 1000]).dataSync()).toThrow(RangeError);
      expect(() => tensor(new Float32Array(4_000_000))).toThrow(
        /memory limit: \[4000000\] float32 needs 16000000 bytes/,
      );
      // The result is small; the product in between is not, even if the values of earlier tests are collected meanwhile.
      const big = matmul(ones([20_000, 1]), ones([1, 20_000])).sum();
      await expect(big.item()).rejects.toThrow(/memory limit: intermediate values, the largest \[20000,20000\]/);
      expect([...(await keep.add(1).data())]).toEqual([2, 3, 4]);
    } finally {
      configure({ memoryLimit: limit });
    }
    expect(zeros([4000, 1000]).dataSync().length).toBe(4_000_000);
  });
});

describe('random numbers', () => {
  it('go on from a saved state with the same bits', async () => {
    seed(5);
    uniform([3]).dataSync();
    const state = randomState();
    const draw = async () => [await uniform([4]).data(), await dropout(ones([8]), 0.5).data()];
    const first = await draw();
    expect(await draw()).not.toEqual(first);
    restoreRandomState(state);
    expect(await draw()).toEqual(first);
  });

  it('reject seeds that are no whole numbers', () => {
    for (const bad of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => seed(bad)).toThrow(/seed: got .* expected a whole/);
  });
});

describe('configure', () => {
  it('names what is wrong', () => {
    expect(() => configure({ threads: 0 })).toThrow(/threads is 0, expected a whole number in \[1, 1024\]/);
    expect(() => configure({ memoryLimit: -1 })).toThrow(/memoryLimit is -1/);
    expect(() => configure({ isa: 'sse9' })).toThrow(/sse9/);
    expect(() => configure({ thread: 2 } as never)).toThrow(/unknown option "thread"/);
  });
});
