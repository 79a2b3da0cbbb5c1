// A compiled function run on this thread: bound once, and bound anew when it has to be.
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  checkFinite,
  compile,
  DataError,
  dropout,
  hostScalar,
  ones,
  Parameter,
  realize,
  State,
  seed,
  type Tensor,
  tensor,
  valueAndGrad,
  zeros,
} from '../../src/index.js';
import * as nn from '../../src/nn/index.js';
import { native } from '../../src/runtime/native.js';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('sync runs of a compiled function', () => {
  it('bind the cells once', () => {
    const total = new State(zeros([3]));
    const step = compile((x: Tensor) => {
      total.assign(total.read().add(x));
      return total.read().sum();
    });
    step.sync(ones([3]));
    const frames = vi.spyOn(native, 'frame');
    const runs = vi.spyOn(native, 'run');
    const losses = [1, 2, 3, 4].map((k) => step.sync(tensor([k, k, k])).itemSync());
    expect(losses).toEqual([6, 12, 21, 33]);
    expect(frames.mock.calls.length).toBeLessThanOrEqual(1);
    expect(runs).not.toHaveBeenCalled();
  });

  it('give results of their own, that later runs leave alone', () => {
    const double = compile((x: Tensor) => ({ twice: x.mul(2), sums: [x.sum()] }));
    const results = [1, 2, 3, 4].map((k) => double.sync(tensor([k, 1])));
    expect(results.map((r) => [...r.twice.dataSync(), r.sums[0].itemSync()])).toEqual([
      [2, 2, 2],
      [4, 2, 3],
      [6, 2, 4],
      [8, 2, 5],
    ]);
  });

  it('agree with queued runs, whatever their order', async () => {
    const run = async (sync: (k: number) => boolean): Promise<number[]> => {
      seed(4);
      const w = new Parameter(zeros([2]));
      let rate = 1;
      const step = compile((x: Tensor) => {
        w.assign(w.read().add(dropout(x, 0.5).mul(hostScalar(() => rate).cast('float32'))));
        return w.read().sum();
      });
      const losses: Tensor[] = [];
      for (let k = 0; k < 12; k++) {
        rate = k + 1;
        const x = tensor([k, 2 * k]);
        losses.push(sync(k) ? step.sync(x) : step(x));
      }
      return Promise.all(losses.map((l) => l.item()));
    };
    const queued = await run(() => false);
    expect(await run(() => true)).toEqual(queued);
    expect(await run((k) => k % 3 !== 0)).toEqual(queued);
  });

  it('see writes made outside, other shapes and arguments that are cells', async () => {
    const w = new State(ones([2]));
    const f = compile((x: Tensor) => {
      w.assign(w.read().mul(2));
      return x.add(w.read());
    });
    expect([...f.sync(tensor([0, 0])).dataSync()]).toEqual([2, 2]);
    w.assign(tensor([10, 20]));
    expect([...f.sync(tensor([1, 1])).dataSync()]).toEqual([21, 41]);
    expect([...f.sync(w.read()).dataSync()]).toEqual([60, 120]);
    expect([...f.sync(tensor([[1], [2]])).dataSync()]).toEqual([81, 161, 82, 162]);
    expect([...f.sync(tensor([0, 0])).dataSync()]).toEqual([160, 320]);
    await realize();
  });

  it('change nothing when they fail, and go on afterwards', () => {
    const w = new State(ones([1]));
    const f = compile((x: Tensor) => {
      w.assign(w.read().add(checkFinite(x)));
      return w.read();
    });
    f.sync(tensor([1]));
    f.sync(tensor([1]));
    expect(() => f.sync(tensor([Number.NaN]))).toThrow(DataError);
    expect(w.read().itemSync()).toBe(3);
    expect(f.sync(tensor([1])).itemSync()).toBe(4);
  });
});

describe('the module tree', () => {
  class Net extends nn.Module {
    parts: Record<string, nn.AnyModule> = { a: new nn.Linear(2, 2) as unknown as nn.AnyModule };
    list = [new nn.Linear(2, 2)];
    forward(x: Tensor): Tensor {
      return this.list.reduce((y, l) => l.forward(y), x);
    }
  }

  it('is walked again when a field, an array or a record changes', () => {
    const net = new Net();
    const paths = () => [...net.trainableCells().keys()];
    expect(paths()).toEqual(['parts.a.weight', 'parts.a.bias', 'list.0.weight', 'list.0.bias']);
    expect(net.trainableCells()).toBe(net.trainableCells());
    net.list.push(new nn.Linear(2, 2));
    expect(paths()).toContain('list.1.bias');
    net.parts['b'] = new nn.Linear(2, 2) as unknown as nn.AnyModule;
    expect(paths()).toContain('parts.b.weight');
    delete net.parts['a'];
    expect(paths()).not.toContain('parts.a.weight');
    const weight = net.list[0].weight;
    (net.list as nn.Linear[])[0] = new nn.Linear(2, 2);
    expect([...net.trainableCells().values()]).not.toContain(weight);
  });

  it('follows frozen parameters and does not hand out its own maps', () => {
    const net = new Net();
    expect(net.trainableCells().size).toBe(4);
    net.freeze((p) => p.startsWith('parts'));
    expect([...net.trainableCells().keys()]).toEqual(['list.0.weight', 'list.0.bias']);
    net.unfreeze();
    expect(net.trainableCells().size).toBe(4);
    net.namedModules().clear();
    net.namedParameters().clear();
    expect(net.namedModules().size).toBe(3);
    expect(net.namedParameters().size).toBe(4);
  });

  it('names a shared module after the model that was walked last', () => {
    const shared = new nn.Linear(2, 2);
    const one = new nn.Sequential(shared);
    const two = new nn.Sequential(new nn.Tanh(), shared);
    one.parameters();
    expect(shared.weight.name).toBe('0.weight');
    two.parameters();
    expect(shared.weight.name).toBe('1.weight');
    one.parameters();
    expect(shared.weight.name).toBe('0.weight');
  });

  it('records what nested gradients build', () => {
    const cubic = (x: Tensor) => x.mul(x).mul(x).sum();
    const slope = (x: Tensor) => valueAndGrad(cubic)(x)[1].sum();
    const [value, second] = valueAndGrad(slope)(tensor([1, 2]));
    expect(value.itemSync()).toBe(15);
    expect([...second.dataSync()]).toEqual([6, 12]);
  });
});
