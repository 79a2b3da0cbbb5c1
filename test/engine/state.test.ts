import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  add,
  compile,
  DataError,
  flush,
  flushSync,
  mul,
  Parameter,
  realizeSync,
  StaleError,
  seed,
  sum,
  type Tensor,
  take,
  tensor,
  uniform,
  valueAndGrad,
  zeros,
} from '../../src/core.js';
import { graphState } from '../../src/graph/trace.js';
import { native } from '../../src/runtime/native.js';

const cellOf = (values: number[]) => new Parameter(tensor(values));
const model = (w: Parameter) => ({ trainableCells: () => new Map([['w', w]]) });

beforeEach(() => {
  flushSync();
  vi.restoreAllMocks();
});

describe('state cells', () => {
  it('shows a pending write to later reads, before and after it runs', async () => {
    const w = cellOf([1, 2]);
    const before = w.read();
    const twice = before.mul(2);
    realizeSync(twice);
    w.assign(w.read().add(10));
    const after = w.read().mul(1);
    expect([...(await after.data())]).toEqual([11, 12]);
    expect([...(await w.read().data())]).toEqual([11, 12]);
    expect([...twice.dataSync()]).toEqual([2, 4]);
  });

  it('computes the loss read after an update from the values before it, in one native call', async () => {
    const w = cellOf([3]);
    await flush();
    const spyRun = vi.spyOn(native, 'run');
    const spyQueue = vi.spyOn(native, 'enqueue');
    const [loss, grads] = valueAndGrad(model(w), () => sum(mul(w, w)))();
    w.assign(w.read().sub(grads.w.mul(0.5)));
    await flush();
    expect(spyRun.mock.calls.length + spyQueue.mock.calls.length).toBe(1);
    expect(await loss.item()).toBe(9);
    expect([...(await w.read().data())]).toEqual([0]);
    expect(spyRun.mock.calls.length + spyQueue.mock.calls.length).toBe(1);
  });

  it('throws StaleError for a lazy tensor whose cell was overwritten, and keep() prevents it', async () => {
    const w = cellOf([1]);
    w.name = 'layer.weight';
    await flush();
    const old = add(w, 1);
    const kept = add(w, 2).keep();
    w.assign(tensor([5]));
    await flush();
    expect(() => old.dataSync()).toThrow(StaleError);
    await expect(old.data()).rejects.toThrow(/version 0 of "layer\.weight".*keep\(\)/);
    expect(kept.itemSync()).toBe(3);
  });

  it('swaps two cells in one run', async () => {
    const a = cellOf([1, 2]);
    const b = cellOf([3, 4]);
    await flush();
    const [ra, rb] = [a.read(), b.read()];
    a.assign(rb);
    b.assign(ra);
    await flush();
    expect([...(await a.read().data())]).toEqual([3, 4]);
    expect([...(await b.read().data())]).toEqual([1, 2]);
  });

  it('keeps every cell as it was when a run fails, and says where', async () => {
    const w = cellOf([1, 2, 3]);
    w.name = 'embedding';
    await flush();
    const rows = take(w, tensor(new Int32Array([0, 7])));
    w.assign(w.read().add(sum(rows)));
    const error = await flush().then(
      () => null,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).message).toMatch(/index 7 at position 1/);
    expect((error as DataError).at).toMatchObject({ step: 0, position: 1, value: 7 });
    expect([...(await w.read().data())]).toEqual([1, 2, 3]);
    w.assign(w.read().add(1));
    expect([...(await w.read().data())]).toEqual([2, 3, 4]);
  });

  it('rejects queued runs that read the result of a failed one', async () => {
    const bad = take(tensor([1, 2]), tensor(new Int32Array([9])));
    const first = bad.data();
    const second = bad.add(1).data();
    await expect(first).rejects.toThrow(/index 9/);
    await expect(second).rejects.toThrow(/index 9/);
  });

  it('reports the failure of a write that nobody awaited at the next use of the cell', async () => {
    const w = cellOf([1]);
    await flush();
    const pick = compile((i: Tensor) => w.assign(take(w, i)));
    pick(tensor(new Int32Array([3]))); // nobody looks at the result
    await tensor([1]).add(1).data(); // a later run that does not depend on it is fine
    expect(() => w.read().add(1).dataSync()).toThrow(/index 3/);
    expect(w.read().add(1).itemSync()).toBe(2);
  });

  it('reads the value a cell has at the call, whatever is queued behind', async () => {
    const n = 200_000;
    const w = new Parameter(zeros([n]));
    const step = compile(() => w.assign(w.read().add(1)));
    for (let i = 0; i < 20; i++) {
      step();
      const now = w.read().data();
      step();
      step();
      expect(new Set(await now)).toEqual(new Set([3 * i + 1]));
    }
  });

  it('draws a lazy initial value under the seed it was built with', async () => {
    seed(1);
    const a = new Parameter(uniform([4]));
    seed(2);
    const b = new Parameter(uniform([4]));
    const [va, vb] = [await a.read().data(), await b.read().data()];
    seed(1);
    expect(await uniform([4]).data()).toEqual(va);
    expect(va).not.toEqual(vb);
  });

  it('does not let a chain of lazy sums grow with the number of runs', () => {
    let total = tensor(0).add(0);
    for (let i = 0; i < 1000; i++) {
      total = total.add(1);
      tensor([i]).add(1).dataSync();
    }
    expect(graphState.runs - total.epoch).toBeLessThan(100);
    expect(total.itemSync()).toBe(1000);
  });

  it('realises a chain of 100,000 operations', () => {
    let x = tensor([0]);
    for (let i = 0; i < 100_000; i++) x = x.add(1);
    expect(x.itemSync()).toBe(100_000);
  });
});

describe('assign', () => {
  it('names the cell, what came and what was expected', () => {
    const w = cellOf([1, 2]);
    w.name = '0.weight';
    expect(() => w.assign(tensor([1, 2, 3]))).toThrow('assign to "0.weight": got [3], expected [2]');
    expect(() => w.assign(tensor(new Int32Array(2)))).toThrow(/got int32, expected float32/);
  });
});
