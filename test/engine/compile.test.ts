import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  add,
  checkFinite,
  compile,
  dropout,
  flush,
  flushSync,
  guarded,
  hostScalar,
  mul,
  Parameter,
  State,
  seed,
  sum,
  type Tensor,
  TraceError,
  tensor,
  uniform,
} from '../../src/core.js';
import { settings } from '../../src/engine/settings.js';
import { native } from '../../src/runtime/native.js';

beforeEach(() => {
  flushSync();
  vi.restoreAllMocks();
});

describe('compile', () => {
  it('traces once per structure and returns trees of tensors', async () => {
    let calls = 0;
    const f = compile((x: Tensor, k: { scale: number }) => {
      calls++;
      return { y: x.mul(k.scale), pair: [x.add(1), 'label'] as const };
    });
    const r = f(tensor([1, 2]), { scale: 3 });
    expect([...(await r.y.data())]).toEqual([3, 6]);
    expect([...(await r.pair[0].data())]).toEqual([2, 3]);
    expect(r.pair[1]).toBe('label');
    f(tensor([5, 6]), { scale: 3 });
    expect(calls).toBe(1);
    expect([...(await f(tensor([5, 6]), { scale: 4 }).y.data())]).toEqual([20, 24]);
    expect([...(await f(tensor([5]), { scale: 4 }).y.data())]).toEqual([20]);
    expect(f.traces).toBe(3);
  });

  it('reads captured tensors and cells live, and lazy captured values once', async () => {
    const w = new Parameter(tensor([10]));
    const lazy = tensor([1]).add(1);
    const f = compile((x: Tensor) => add(add(x, w), lazy));
    expect(await f(tensor([1])).item()).toBe(13);
    w.assign(tensor([20]));
    expect(await f(tensor([1])).item()).toBe(23);
    expect(f.traces).toBe(1);
  });

  it('takes a cell that it updates as an argument, and a value read before as a constant', async () => {
    const w = new Parameter(tensor([1]));
    await flush();
    const before = w.read();
    const f = compile((x: Tensor) => {
      w.assign(w.read().add(10));
      return add(x, before.mul(100));
    });
    expect(await f(w.read()).item()).toBe(101);
    expect(await f(w.read()).item()).toBe(111);
    expect(w.read().itemSync()).toBe(21);
  });

  it('updates cells in place, in call order, one native call a step', async () => {
    const w = new Parameter(tensor([0]));
    await flush();
    const step = compile((x: Tensor) => {
      const old = w.read();
      w.assign(old.add(x));
      return old.mul(1);
    });
    await step(tensor([0])).data();
    const queue = vi.spyOn(native, 'enqueue');
    const run = vi.spyOn(native, 'run');
    const results = Array.from({ length: 200 }, () => step(tensor([1])));
    expect(queue.mock.calls.length + run.mock.calls.length).toBe(200);
    const values = await Promise.all(results.map((r) => r.item()));
    expect(values).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(w.read().itemSync()).toBe(200);
    expect(step.sync(tensor([5])).itemSync()).toBe(200);
    expect(w.read().itemSync()).toBe(205);
  });

  it('takes the result of a queued run as argument of the next', async () => {
    const inc = compile((x: Tensor) => x.add(1));
    let x = tensor([0]);
    for (let i = 0; i < 300; i++) x = inc(x);
    expect(await x.item()).toBe(300);
  });

  it('re-traces when a guard changes and comes back without a new trace', async () => {
    const mode = { training: true };
    const f = compile((x: Tensor) => (guarded(() => mode.training) ? x.mul(2) : x.mul(3)));
    expect(await f(tensor([1])).item()).toBe(2);
    mode.training = false;
    expect(await f(tensor([1])).item()).toBe(3);
    mode.training = true;
    expect(await f(tensor([1])).item()).toBe(2);
    expect(f.traces).toBe(2);
  });

  it('reads host scalars at every run without re-tracing', async () => {
    let lr = 1;
    let issued = 0;
    const f = compile((x: Tensor) => {
      const s = hostScalar(
        (k) => lr + k,
        (n) => {
          issued += n;
        },
      );
      return mul(x, s.cast('float32'));
    });
    expect(await f(tensor([2])).item()).toBe(2);
    lr = 5;
    expect(await f(tensor([2])).item()).toBe(10);
    expect(f.traces).toBe(1);
    const r = f.scan({ data: [tensor([[1], [2]])], indices: new Int32Array([0, 1, 1]), batch: 1 });
    expect([...(await r.data())]).toEqual([5, 12, 14]);
    expect(issued).toBe(5);
  });

  it('refuses values, async functions and leaked placeholders', async () => {
    expect(() => compile((x: Tensor) => x.itemSync())(tensor([1]))).toThrow(TraceError);
    expect(() => compile(async (x: Tensor) => x)(tensor([1]))).toThrow(/async/);
    let leaked: Tensor | undefined;
    compile((x: Tensor) => {
      leaked = x.add(1);
      return x;
    })(tensor([1]));
    expect(() => (leaked as Tensor).dataSync()).toThrow(TraceError);
    expect(() => compile((f: () => void) => f)(() => {})).toThrow(/compile: an argument is a function/);
  });

  it('keeps working after a trace that threw', async () => {
    let fail = true;
    const f = compile((x: Tensor) => {
      if (fail) throw new Error('mine');
      return x.add(1);
    });
    expect(() => f(tensor([1]))).toThrow('mine');
    fail = false;
    expect(await f(tensor([1])).item()).toBe(2);
  });

  it('creates cells on first use inside a trace', async () => {
    let slot: State | undefined;
    const f = compile((x: Tensor) => {
      slot ??= new State(tensor([100]));
      slot.assign(slot.read().add(x));
      return slot.read().mul(1);
    });
    expect(await f(tensor([1])).item()).toBe(101);
    expect(await f(tensor([1])).item()).toBe(102);
    expect((slot as State).read().itemSync()).toBe(102);
  });

  it('warns when constants keep changing', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const f = compile((x: Tensor, k: number) => x.mul(k));
    for (let k = 0; k < 20; k++) f(tensor([1]), k);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(String(warn.mock.calls[0][0])).toMatch(/traced 17 times/);
  });
});

describe('scan', () => {
  const make = () => {
    seed(7);
    const w = new Parameter(uniform([3]));
    const step = compile((x: Tensor) => {
      const noise = dropout(x, 0.5);
      const y = sum(mul(noise, w));
      w.assign(w.read().add(y.mul(0.125)));
      return y;
    });
    return { w, step };
  };
  const rows = () => tensor(Array.from({ length: 8 }, (_, i) => [i + 0.5, 1 / (i + 1), -i * 0.3]));

  it('equals single calls bit for bit, random numbers included, compiled, uncompiled, eager', async () => {
    const indices = Int32Array.from([0, 1, 2, 3, 4, 5, 6, 7, 0, 2, 4, 6]);
    const scanned = make();
    const losses = await scanned.step.scan({ data: [rows()], indices, batch: 2 }).data();
    const data = await rows().data();
    const batchOf = (s: number) =>
      tensor(Array.from(indices.subarray(2 * s, 2 * s + 2), (i) => [...data.subarray(3 * i, 3 * i + 3)]));
    const single = make();
    for (let s = 0; s < 6; s++) expect(await single.step(batchOf(s)).item()).toBe(losses[s]);
    expect(await single.w.read().data()).toEqual(await scanned.w.read().data());

    for (const eager of [false, true]) {
      settings.eager = eager;
      seed(7);
      const w = new Parameter(uniform([3]));
      for (let s = 0; s < 6; s++) {
        const y = sum(mul(dropout(batchOf(s), 0.5), w));
        y.keep();
        w.assign(w.read().add(y.mul(0.125)));
        await flush();
        expect(await y.item()).toBe(losses[s]);
      }
      expect(await w.read().data()).toEqual(await scanned.w.read().data());
      settings.eager = false;
    }
  });

  it('stops at the first step that is not finite, with the state of the last good step', async () => {
    const w = new Parameter(tensor([0]));
    let steps = 0;
    const step = compile((x: Tensor) => {
      const lr = hostScalar(
        () => 1,
        (n) => {
          steps += n;
        },
      );
      const loss = checkFinite(sum(x));
      w.assign(w.read().add(lr.cast('float32')));
      return loss;
    });
    const data = [tensor([[1], [2], [Number.NaN], [4]])];
    const r = step.scan({ data, indices: Int32Array.from([0, 1, 2, 3]), batch: 1 });
    await expect(r.data()).rejects.toMatchObject({ code: 'ERR_DATA', at: { step: 2, op: 'checkFinite' } });
    expect(w.read().itemSync()).toBe(2);
    expect(steps).toBe(2);
  });

  it('passes scalar arguments step by step', async () => {
    const f = compile((x: Tensor, s: Tensor) => mul(sum(x), s));
    const r = f.scan({
      data: [tensor([[1], [2]])],
      indices: Int32Array.from([0, 1]),
      batch: 1,
      scalars: [[10, 100]],
    } as never);
    expect([...(await (r as Tensor).data())]).toEqual([10, 200]);
  });

  it('checks its input', () => {
    const f = compile((x: Tensor) => sum(x));
    const data = [tensor([[1], [2]])];
    expect(() => f.scan({ data, indices: new Int32Array(3), batch: 2 })).toThrow(/3 indices .* steps of 2/);
    expect(() => f.scan({ data, indices: new Int32Array(0), batch: 2 })).toThrow(/0 indices/);
    expect(() => f.scan({ data, indices: new Int32Array(2), batch: 0 })).toThrow(/batch is 0/);
    expect(() => f.scan({ data: [tensor(1)], indices: new Int32Array(2), batch: 1 })).toThrow(/scalar/);
  });

  it('names the step of a bad index', async () => {
    const f = compile((x: Tensor) => sum(x));
    const r = f.scan({ data: [tensor([[1], [2]])], indices: Int32Array.from([0, 1, 5]), batch: 1 });
    await expect(r.data()).rejects.toThrow(/index 5 at position 0 .*step 2/);
  });
});
