import { describe, expect, it } from 'vitest';
import {
  add,
  compile,
  evaluate,
  fit,
  GradError,
  grad,
  matmul,
  mean,
  mse,
  mul,
  nn,
  normal,
  OptionError,
  optim,
  predict,
  ShapeError,
  seed,
  square,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
} from '../../src/index.js';

const list = (t: Tensor): number[] => [...t.dataSync()];
const x = tensor(Float64Array.of(1, -2, 0, 3));

describe('l1, l2 and elasticNet', () => {
  it('l2(λ) adds λ·Σw², gradient 2λw', () => {
    expect(nn.l2(0.5)(x).itemSync()).toBe(7);
    expect(list(grad(nn.l2(0.5))(x))).toEqual([1, -2, 0, 3]);
  });
  it('l1(λ) adds λ·Σ|w|, gradient λ·sign(w), 0 at 0; the elastic net both', () => {
    expect(nn.l1(0.5)(x).itemSync()).toBe(3);
    expect(list(grad(nn.l1(0.5))(x))).toEqual([0.5, -0.5, 0, 0.5]);
    expect(nn.elasticNet(0.5, 0.25)(x).itemSync()).toBe(6.5);
    expect(list(grad(nn.elasticNet(0.5, 0.25))(x))).toEqual([1, -1.5, 0, 2]);
  });
  it('l2(λ/2) in the loss steps as weightDecay: λ of an optimizer does', () => {
    const make = () => {
      seed(4);
      return new nn.Linear(3, 1, { bias: false });
    };
    const [a, b] = [make(), make()];
    const [input, target] = [normal([4, 3]), normal([4, 1])];
    const lossOf = (model: nn.Linear) => (i: Tensor, t: Tensor) => mse(model.forward(i), t);
    const [withPenalty, withDecay] = [new optim.SGD({ lr: 0.1 }), new optim.SGD({ lr: 0.1, weightDecay: 0.2 })];
    const penalised = (i: Tensor, t: Tensor) => add(lossOf(a)(i, t), nn.weightPenalty(a, nn.l2(0.1)));
    withPenalty.update(a, valueAndGrad(a, penalised)(input, target)[1]);
    withDecay.update(b, valueAndGrad(b, lossOf(b))(input, target)[1]);
    const [p, d] = [a, b].map((m) => list(m.weight.read()));
    for (const [i, v] of p.entries()) expect(Math.abs(v - d[i])).toBeLessThanOrEqual(4 * 2 ** -24);
  });
  it('weightPenalty chooses parameters by path', () => {
    const model = new nn.Linear(2, 2);
    model.loadStateDict({
      weight: tensor([
        [1, 2],
        [3, 4],
      ]),
      bias: tensor([5, 5]),
    });
    expect(nn.weightPenalty(model, nn.l1(1)).itemSync()).toBe(20);
    expect(nn.weightPenalty(model, nn.l1(1), (path) => path === 'weight').itemSync()).toBe(10);
    expect(() => nn.weightPenalty(model, nn.l1(1), () => false)).toThrow('no trainable parameter is chosen');
  });
  it('refuses other strengths', () => {
    expect(() => nn.l1(-1)).toThrow(new OptionError('l1: lambda is -1, expected a finite number >= 0'));
    expect(() => nn.l2(Number.NaN)).toThrow('l2: lambda is NaN');
    expect(() => nn.elasticNet(1, Infinity)).toThrow('elasticNet: lambda2 is Infinity');
    expect(() => new nn.ActivityRegularization({ l1: -1 })).toThrow('ActivityRegularization: l1 is -1');
    expect(() => new nn.ActivityRegularization({ l3: 1 } as never)).toThrow('unknown option "l3"');
  });
});

/** Hidden units are penalised, and so is the first weight: two sources of loss besides the end. */
class Net extends nn.Module {
  hidden = new nn.Linear(3, 4);
  out = new nn.Linear(4, 1);
  override config() {
    return [];
  }
  forward(input: Tensor): Tensor {
    const h = this.hidden.forward(input).tanh();
    this.addLoss(mean(square(h)).mul(0.5));
    this.addLoss(nn.weightPenalty(this.hidden, nn.l2(0.01)));
    return this.out.forward(h);
  }
}

describe('losses at hidden nodes', () => {
  seed(9);
  const model = new Net();
  const [input, target] = [normal([8, 3]), normal([8, 1])];
  const total = (i: Tensor, t: Tensor): Tensor => {
    const [output, added] = nn.collectLosses(() => model.forward(i));
    return added.reduce((a, b) => add(a, b), mse(output, t));
  };
  const byHand = (i: Tensor, t: Tensor): Tensor => {
    const h = add(matmul(i, model.hidden.weight, { transB: true }), model.hidden.bias as never).tanh();
    const output = add(matmul(h, model.out.weight, { transB: true }), model.out.bias as never);
    return add(
      add(mse(output, t), mul(0.5, mean(square(h)))),
      mul(0.01, sum(square(model.hidden.weight)).add(sum(square(model.hidden.bias as never)))),
    );
  };
  it('gradients flow from both', () => {
    const [loss, grads] = valueAndGrad(model, total)(input, target);
    const [expected, wanted] = valueAndGrad(model, byHand)(input, target);
    expect(Math.abs(loss.itemSync() - expected.itemSync())).toBeLessThanOrEqual(2 ** -22);
    for (const [path, g] of Object.entries(wanted)) {
      for (const [i, v] of list(g).entries()) expect(Math.abs(list(grads[path])[i] - v)).toBeLessThanOrEqual(2 ** -21);
    }
    const [, ends] = valueAndGrad(model, (i: Tensor, t: Tensor) => mse(model.forward(i), t))(input, target);
    expect(list(ends['hidden.weight'])).not.toEqual(list(grads['hidden.weight']));
    expect(list(ends['out.bias'])).toEqual(list(grads['out.bias']));
  });
  it('fit and evaluate add them, predict does not care', async () => {
    seed(1);
    const [a, b] = [new Net(), new Net()];
    b.loadStateDict(await a.stateDict());
    const options = { loss: 'mse', epochs: 1, batchSize: 8, shuffle: false } as const;
    const history = await fit(a, { x: input, y: target }, { ...options, optimizer: new optim.SGD({ lr: 0.1 }) });
    const step = compile((i: Tensor, t: Tensor) => {
      const optimizer = new optim.SGD({ lr: 0.1 });
      const [loss, grads] = valueAndGrad(b, (p: Tensor, q: Tensor) => {
        const [output, added] = nn.collectLosses(() => b.forward(p));
        return added.reduce((s, l) => add(s, l), mse(output, q));
      })(i, t);
      optimizer.update(b, grads);
      return loss;
    });
    const loss = await step(input, target).item();
    expect(history.epochs[0].loss).toBeCloseTo(loss, 6);
    expect(list(a.hidden.weight.read())).toEqual(list(b.hidden.weight.read()));
    const { loss: evaluated } = await evaluate(a, { x: input, y: target }, { loss: 'mse' });
    const output = await predict(a, input);
    const plain = await mse(output, target).item();
    const [, added] = nn.collectLosses(() => a.forward(input));
    const extra = added.map((t) => t.itemSync()).reduce((s, v) => s + v, 0);
    expect(evaluated).toBeCloseTo(plain + extra, 5);
    expect(extra).toBeGreaterThan(0);
  });
  it('ActivityRegularization adds its terms per sample, and an empty one none', () => {
    const layer = new nn.ActivityRegularization({ l1: 0.5, l2: 0.25 });
    const rows = tensor([
      [1, -2],
      [3, 0],
    ]);
    const [out, added] = nn.collectLosses(() => layer.forward(rows));
    expect(out).toBe(rows);
    expect(added.map((t) => t.itemSync())).toEqual([0.5 * 6 * 0.5, 0.25 * 14 * 0.5]);
    expect(nn.collectLosses(() => new nn.ActivityRegularization().forward(rows))[1]).toEqual([]);
    expect(String(layer)).toBe('ActivityRegularization(l1=0.5, l2=0.25)');
  });
  it('keeps passes within passes apart, and forgets them after an error', () => {
    const layer = new nn.ActivityRegularization({ l1: 1 });
    const [inner, outer] = nn.collectLosses(() => {
      layer.forward(tensor([1]));
      expect(() =>
        nn.collectLosses(() => {
          throw new GradError('x');
        }),
      ).toThrow(GradError);
      return nn.collectLosses(() => layer.forward(tensor([2])))[1];
    });
    expect([inner.length, outer.length]).toEqual([1, 1]);
    layer.forward(tensor([3])); // nobody collects
  });
  it('takes float scalars', () => {
    expect(() => model.addLoss(x)).toThrow(
      new ShapeError('Net: addLoss got float64 [4], expected a float scalar; reduce it, e.g. penalty.mean()'),
    );
    expect(() => model.addLoss(3 as never)).toThrow('addLoss got number');
  });
});
