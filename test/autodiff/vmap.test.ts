import { describe, expect, it } from 'vitest';
import type { OpDef } from '../../src/graph/op.js';
import { buildAll } from '../../src/graph/tensor.js';
import {
  add,
  bernoulli,
  compile,
  dot,
  dropout,
  flush,
  GradError,
  grad,
  layerNorm,
  matmul,
  mean,
  mul,
  nn,
  norm,
  normal,
  OptionError,
  optim,
  perSampleGrad,
  reshape,
  ShapeError,
  State,
  seed,
  slice,
  softmaxCrossEntropy,
  stack,
  sum,
  type Tensor,
  TraceError,
  take,
  tensor,
  valueAndGrad,
  vmap,
  zeros,
} from '../../src/index.js';
import { OPS } from '../../src/ops/index.js';

const list = (t: Tensor): number[] => [...t.dataSync()];
const rows = tensor([
  [1, 2],
  [3, 4],
  [5, 6],
]);

describe('axes', () => {
  it('maps any axis, shares others, and puts results anywhere', () => {
    const scale = (a: Tensor, b: Tensor) => mul(a, b);
    expect(list(vmap(scale)(rows, rows))).toEqual([1, 4, 9, 16, 25, 36]);
    const by = tensor([10, 100]);
    const out = vmap(scale, { inAxes: [1, 0], outAxes: 1 })(rows, by);
    expect([out.shape, list(out)]).toEqual([
      [3, 2],
      [10, 200, 30, 400, 50, 600],
    ]);
    expect(vmap(scale, { inAxes: [-1, null], outAxes: -1 })(rows, tensor([1, 2, 3])).shape).toEqual([3, 2]);
  });
  it('keeps the order of the other axes when the samples are along the last of three', () => {
    const cube = tensor([
      [
        [0, 1],
        [2, 3],
        [4, 5],
      ],
      [
        [6, 7],
        [8, 9],
        [10, 11],
      ],
    ]);
    const out = vmap((a: Tensor) => a.reshape([6]), { inAxes: 2 })(cube);
    expect([out.shape, list(out)]).toEqual([
      [2, 6],
      [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11],
    ]);
  });
  it('takes and gives trees, and passes other arguments on', () => {
    const fn = (p: { a: Tensor; b: Tensor[] }, k: number) => ({ s: add(p.a, p.b[0]).mul(k), k });
    const args = { a: rows, b: [tensor([1, 1])] };
    const out = vmap(fn, { inAxes: [{ a: 0, b: [null] }, null] })(args, 2);
    expect([out.k, list(out.s)]).toEqual([2, [4, 6, 8, 10, 12, 14]]);
    const two = vmap((a: Tensor) => [a, a.sum()] as const, { outAxes: [1, 0] })(rows);
    expect([two[0].shape, two[1].shape]).toEqual([[2, 3], [3]]);
  });
  it('repeats a result that does not differ, or leaves it with outAxes null', () => {
    const fn = (a: Tensor) => [a.sum(), tensor([7])] as const;
    expect(vmap(fn)(rows)[1].shape).toEqual([3, 1]);
    expect(vmap(fn, { outAxes: [0, null] })(rows)[1].shape).toEqual([1]);
    expect(() => vmap(fn, { outAxes: null })(rows)).toThrow('vmap: result[0] differs from sample to sample');
  });
  it('maps nothing at all and one sample', () => {
    const fn = (a: Tensor) => [a.sum(), a.argmax(), a.matmul(zeros([2, 4]))];
    expect(vmap(fn)(zeros([0, 2])).map((t) => t.shape)).toEqual([[0], [0], [0, 4]]);
    expect(vmap(fn)(zeros([1, 2])).map((t) => t.shape)).toEqual([[1], [1], [1, 4]]);
  });
  it('computes what the samples share once', () => {
    const w = normal([2, 2]);
    const step = compile((x: Tensor) => vmap((r: Tensor) => r.matmul(w.exp()))(x));
    const expected = rows.matmul(w.exp());
    expect(list(step(rows))).toEqual(list(expected));
  });
  it('nests', () => {
    const cube = tensor(
      Float32Array.from({ length: 24 }, (_, i) => i),
      { shape: [2, 3, 4] },
    );
    const pairs = vmap((a: Tensor) => vmap((b: Tensor) => vmap((c: Tensor) => dot(b, c), { inAxes: 0 })(a))(a))(cube);
    const expected = matmul(cube, cube, { transB: true });
    expect(list(pairs)).toEqual(list(expected));
  });
});

describe('equals a loop over the samples', () => {
  seed(2);
  const x = normal([5, 6], { dtype: 'float64' });
  const loop = (fn: (t: Tensor, i: number) => Tensor) =>
    stack(Array.from({ length: 5 }, (_, i) => fn(reshape(slice(x, [{ start: i, end: i + 1 }]), [6]), i)));
  const near = (a: Tensor, b: Tensor) => {
    expect([...a.shape]).toEqual([...b.shape]);
    const [p, q] = [list(a), list(b)];
    for (const [i, y] of p.entries()) expect(Math.abs(y - q[i])).toBeLessThanOrEqual(2 ** -52 * 200);
  };
  const labels = tensor([1, 0, 2, 2, 1], { dtype: 'int32' });
  const table = normal([3, 6], { dtype: 'float64' });
  it('for norms, losses and lookups', () => {
    const normed = (t: Tensor) => layerNorm(reshape(t, [2, 3]), [3]);
    near(vmap(normed)(x), loop(normed));
    const square = (t: Tensor) =>
      sum(
        layerNorm(reshape(t, [2, 3]), [3])
          .square()
          .mul(tensor(Float64Array.from([1, 2, 3]))),
      );
    near(vmap(grad(square))(x), loop(grad(square)));
    const label = (i: number) => reshape(slice(labels, [{ start: i, end: i + 1 }]), []);
    const one = (t: Tensor, y: Tensor) => sum(softmaxCrossEntropy(reshape(t, [1, 6]), reshape(y, [1])));
    near(
      vmap(one)(x, labels),
      loop((t, i) => one(t, label(i))),
    );
    const looked = (t: Tensor, y: Tensor) => mul(t, take(table, y));
    near(
      vmap(looked)(x, labels),
      loop((t, i) => looked(t, label(i))),
    );
    const inside = (t: Tensor, y: Tensor) => take(t, y);
    near(
      vmap(inside)(x, labels),
      loop((t, i) => inside(t, label(i))),
    );
    near(
      vmap(grad(inside))(x, labels),
      loop((t, i) => grad(inside)(t, label(i))),
    );
  });
  it('stops at an index outside its own sample, not in the next one', async () => {
    const bad = tensor([0, 6, 0, 0, 0], { dtype: 'int32' });
    await expect(vmap((t: Tensor, y: Tensor) => take(t, y))(x, bad).data()).rejects.toThrow(/index 6|6/);
    const low = tensor([0, 0, -1, 0, 0], { dtype: 'int32' });
    await expect(vmap((t: Tensor, y: Tensor) => take(t, y))(x, low).data()).rejects.toThrow('-1');
  });
  it('for a whole training step of an ensemble: vmap over weights and optimizer', () => {
    const [w, y] = [normal([4, 6], { dtype: 'float64' }), normal([5], { dtype: 'float64' })];
    const step = (t: Tensor) => t.sub(grad((s: Tensor) => mean(matmul(x, s).sub(y).square()))(t).mul(0.1));
    const all = vmap(step)(w);
    for (let i = 0; i < 4; i++) {
      const row = (t: Tensor) => reshape(slice(t, [{ start: i, end: i + 1 }]), [6]);
      near(row(all), step(row(w)));
    }
  });
});

describe('inside', () => {
  it('an op without a rule and without parts runs sample by sample', () => {
    const plain: OpDef = { ...OPS.sort, name: 'plainSort' };
    Reflect.deleteProperty(plain, 'batch');
    const sorted = (t: Tensor) => buildAll(plain, [t], { k: 2, descending: false });
    const [values, order] = vmap(sorted)(
      tensor([
        [3, 1],
        [5, 9],
        [2, 2],
      ]),
    );
    expect([list(values), list(order)]).toEqual([
      [1, 3, 5, 9, 2, 2],
      [1, 0, 0, 1, 0, 1],
    ]);
    expect(vmap(sorted)(zeros([0, 2])).map((t) => t.shape)).toEqual([
      [0, 2],
      [0, 2],
    ]);
  });
  it('losses are computed together with the update that overwrites what they read', async () => {
    const net = new nn.Linear(2, 1, { bias: false });
    net.loadStateDict({ weight: tensor([[1, 1]]) });
    const one = valueAndGrad(net, (a: Tensor) => net.forward(a).square().sum());
    const [losses, grads] = vmap(one)(rows);
    expect(list(grads.weight)).toEqual([6, 12, 42, 56, 110, 132]);
    const optimizer = new optim.SGD({ lr: 1 });
    const [later, slopes] = vmap(one)(rows);
    optimizer.update(net, { weight: mean(slopes.weight, { axis: 0 }) });
    await flush();
    expect(list(later)).toEqual([9, 49, 121]);
    expect(list(losses)).toEqual([9, 49, 121]);
  });
});

describe('random numbers', () => {
  const ones = tensor(
    Float32Array.from({ length: 40 }, () => 1),
    { shape: [4, 10] },
  );
  it('are an error unless chosen', () => {
    for (const fn of [(t: Tensor) => dropout(t, 0.5), (t: Tensor) => t.add(normal([10])), () => bernoulli([3])]) {
      expect(() => vmap(fn as (t: Tensor) => Tensor)(ones)).toThrow(OptionError);
    }
    expect(() => vmap((t: Tensor) => dropout(t, 0.5))(ones)).toThrow(
      "vmap: the function draws random numbers (dropout); choose randomness: 'different'",
    );
  });
  it('the same for all samples, or different', () => {
    const distinct = (t: Tensor) => {
      const values = list(t);
      return new Set([0, 1, 2, 3].map((i) => values.slice(i * 10, i * 10 + 10).join())).size;
    };
    for (const fn of [(t: Tensor) => dropout(t, 0.5), (t: Tensor) => t.add(normal([10]))]) {
      expect(distinct(vmap(fn, { randomness: 'same' })(ones))).toBe(1);
      expect(distinct(vmap(fn, { randomness: 'different' })(ones))).toBe(4);
    }
    seed(3);
    const shared = list(vmap((t: Tensor) => dropout(t, 0.5), { randomness: 'same' })(ones)).slice(0, 10);
    seed(3);
    expect(shared).toEqual(list(dropout(tensor(Float32Array.from({ length: 10 }, () => 1)), 0.5)));
  });
  it('the backward pass has the mask of the forward pass', () => {
    for (const randomness of ['same', 'different'] as const) {
      const both = vmap(
        valueAndGrad((t: Tensor) => {
          const y = dropout(t, 0.5);
          return [sum(y), y] as const;
        }),
        { randomness },
      );
      const [[, mask], g] = both(ones);
      expect(list(g)).toEqual(list(mask));
    }
  });
});

describe('what cannot be mapped', () => {
  it('sizes, scalars, options', () => {
    expect(() => vmap(dot)(rows, rows.transpose())).toThrow(
      new ShapeError('vmap: argument 1 has 2 samples along axis 0, argument 0 has 3'),
    );
    expect(() => vmap((p: { s: Tensor }) => p.s)({ s: tensor(1) })).toThrow(
      'vmap: argument 0.s is a scalar and has no axis of samples; give it null in inAxes',
    );
    expect(() => vmap(dot, { inAxes: 3 })(rows, rows)).toThrow(
      'vmap: argument 0: axis 3 is outside a tensor of rank 2',
    );
    expect(() => vmap(dot, { inAxes: [0] })(rows, rows)).toThrow('inAxes has 1 entries, the call 2 arguments');
    expect(() => vmap(dot, { inAxes: null })(rows, rows)).toThrow('no argument is mapped');
    expect(() => vmap(dot, { inAxes: [0, 1.5] })(rows, rows)).toThrow('expected an axis or null');
    expect(() => vmap((p: { s: Tensor }) => p.s, { inAxes: [{ t: 0 }] })({ s: rows })).toThrow('says nothing about .s');
    expect(() => vmap(dot, { inAxis: 0 } as never)).toThrow('Did you mean "inAxes"?');
    expect(() => vmap(dot, { randomness: 'some' as never })).toThrow('randomness is "some"');
    expect(() => vmap((a: Tensor) => a, { outAxes: 4 })(rows)).toThrow('vmap: result: axis 4');
    expect(() => vmap((async (a: Tensor) => a) as never)(rows as never)).toThrow('the function is async');
  });
  it('values that differ by sample', () => {
    const peek = (a: Tensor) => (a.sum().itemSync() > 0 ? a : a.neg());
    expect(() => vmap(peek)(rows)).toThrow(TraceError);
    expect(() => vmap(peek)(rows)).toThrow('use where(...) instead of if');
    const shared = tensor([2]);
    expect(list(vmap((a: Tensor) => a.mul(shared.itemSync()))(rows))).toEqual([2, 4, 6, 8, 10, 12]);
  });
  it('writes to cells, which stay as they are', () => {
    const cell = new State(zeros([2]), 'stats');
    cell.assign(tensor([1, 1]));
    const writing = (value: (a: Tensor) => Tensor) => () =>
      vmap((a: Tensor) => {
        cell.assign(value(a));
        return a;
      })(rows);
    const own = writing((a) => a.mul(2));
    expect(own).toThrow(GradError);
    expect(own).toThrow('assign to "stats": the value differs');
    expect(list(cell.read())).toEqual([1, 1]);
    writing(() => tensor([5, 5]))();
    expect(list(cell.read())).toEqual([5, 5]);
  });
});

describe('perSampleGrad', () => {
  seed(8);
  const model = new nn.Sequential(new nn.Linear(3, 4), new nn.LayerNorm([4]), new nn.GELU(), new nn.Linear(4, 3));
  const loss = (x: Tensor, y: Tensor) => mean(softmaxCrossEntropy(model.forward(x), y));
  const x = normal([6, 3]);
  const y = tensor([0, 2, 1, 1, 0, 2], { dtype: 'int32' });
  /** Sums of up to 12 products of float32, terms below 2. */
  const NEAR = 2 ** -23 * 12 * 2 * 4;
  it('is what a loop over the samples gives, and its mean the gradient of the batch', () => {
    const each = perSampleGrad(model, loss)(x, y);
    const [, batch] = valueAndGrad(model, loss)(x, y);
    expect(Object.keys(each)).toEqual(Object.keys(batch));
    for (const [path, g] of Object.entries(each)) {
      expect([...g.shape]).toEqual([6, ...batch[path].shape]);
      const average = list(mean(g, { axis: 0 }));
      for (const [i, b] of list(batch[path]).entries()) expect(Math.abs(average[i] - b)).toBeLessThanOrEqual(NEAR);
    }
    for (let s = 0; s < 6; s++) {
      const row = (t: Tensor) => slice(t, [{ start: s, end: s + 1 }]);
      const [, alone] = valueAndGrad(model, loss)(row(x), row(y));
      for (const [path, g] of Object.entries(alone)) {
        const own = list(row(each[path]));
        for (const [i, b] of list(g).entries()) expect(Math.abs(own[i] - b)).toBeLessThanOrEqual(NEAR);
      }
    }
  });
  it('clips each sample inside compile and trains', () => {
    const optimizer = new optim.SGD({ lr: 0.1 });
    const net = new nn.Linear(3, 2);
    const own = (a: Tensor, b: Tensor) => mean(softmaxCrossEntropy(net.forward(a), b));
    const labels = tensor([0, 1, 1, 1, 0, 0], { dtype: 'int32' });
    const each = perSampleGrad(net, own);
    const step = compile((a: Tensor, b: Tensor) => {
      const grads = each(a, b);
      const clipped = Object.entries(grads).map(([path, g]) => {
        const axes = g.shape.map((_, i) => i).slice(1);
        const size = norm(g, { axis: axes, keepDims: true });
        return [path, mean(mul(g, size.add(1e-6).reciprocal().minimum(1)), { axis: 0 })];
      });
      optimizer.update(net, Object.fromEntries(clipped));
      return own(a, b);
    });
    const losses = Array.from({ length: 30 }, () => step.sync(x, labels).itemSync());
    expect(losses[29]).toBeLessThan(losses[0]);
  });
  it('leaves out what is frozen and takes dropout with its own mask for each sample', () => {
    const net = new nn.Sequential(new nn.Linear(3, 64), new nn.Dropout(0.5), new nn.Linear(64, 1));
    net.freeze((path) => path.startsWith('0'));
    const fn = (a: Tensor) => sum(net.forward(a));
    expect(() => perSampleGrad(net, fn)(x)).toThrow('randomness');
    const g = perSampleGrad(net, fn, { randomness: 'different' })(
      tensor(Float32Array.of(1, 1, 1, 1, 1, 1), { shape: [2, 3] }),
    );
    expect(Object.keys(g)).toEqual(['2.weight', '2.bias']);
    const values = list(g['2.weight']);
    expect(values.slice(0, 64)).not.toEqual(values.slice(64));
  });
  it('says what is wrong', () => {
    expect(() => perSampleGrad(model, loss)(x, tensor([1], { dtype: 'int32' }))).toThrow(
      'vmap: argument 1 has 1 samples along axis 0, argument 0 has 6',
    );
    expect(() => perSampleGrad(model, undefined as never)).toThrow('write perSampleGrad(model, (x, y) => loss)');
    const batchNorm = new nn.Sequential(new nn.Linear(3, 3), new nn.BatchNorm1d(3));
    expect(() => perSampleGrad(batchNorm, (a: Tensor) => sum(batchNorm.forward(a)))(x)).toThrow(/batch|sample/);
    batchNorm.eval();
    expect(perSampleGrad(batchNorm, (a: Tensor) => sum(batchNorm.forward(a)))(x)['1.weight'].shape).toEqual([6, 3]);
  });
});
