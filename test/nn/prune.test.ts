import { describe, expect, it } from 'vitest';
import {
  compile,
  crossEntropy,
  flush,
  nn,
  normal,
  OptionError,
  ones,
  optim,
  seed,
  softmax,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
  zeros,
} from '../../src/index.js';

const weightOf = (layer: nn.Linear) => layer.weight.read();
const shareOfZeros = async (t: Tensor) => {
  const data = [...(await t.data())];
  return data.filter((v) => v === 0).length / data.length;
};

describe('prune', () => {
  it('sets exactly the smallest weights to zero, in each layer or over all', async () => {
    const model = new nn.Sequential(new nn.Linear(2, 2, { bias: false }), new nn.Linear(2, 1, { bias: false }));
    const [first, second] = [model[0], model[1]] as nn.Linear[];
    first.weight.assign(
      tensor([
        [0.1, -0.4],
        [0.2, 0.3],
      ]),
    );
    second.weight.assign(tensor([[5, -6]]));
    nn.prune(model, { amount: 0.5 });
    expect([...(await weightOf(first).data())]).toEqual([0, -0.4, 0, 0.3].map(Math.fround));
    expect([...(await weightOf(second).data())]).toEqual([0, -6]);
    const global = new nn.Sequential(new nn.Linear(2, 2, { bias: false }), new nn.Linear(2, 1, { bias: false }));
    (global[0] as nn.Linear).weight.assign(
      tensor([
        [0.1, -0.4],
        [0.2, 0.3],
      ]),
    );
    (global[1] as nn.Linear).weight.assign(tensor([[5, -6]]));
    nn.prune(global, { amount: 0.5, scope: 'global' });
    expect([...(await weightOf(global[0] as nn.Linear).data())]).toEqual([0, -0.4, 0, 0].map(Math.fround));
    expect([...(await weightOf(global[1] as nn.Linear).data())]).toEqual([5, -6]);
  });
  it('counts exactly when weights are equal, and keeps what is pruned', async () => {
    const layer = new nn.Linear(5, 2, { bias: false });
    layer.weight.assign(ones([2, 5]));
    nn.prune(layer, { amount: 0.3 });
    expect(await shareOfZeros(weightOf(layer))).toBe(0.3);
    nn.prune(layer, { amount: 0.3 });
    expect(await shareOfZeros(weightOf(layer))).toBe(0.3);
    nn.prune(layer, { amount: 0.7 });
    expect(await shareOfZeros(weightOf(layer))).toBe(0.7);
    nn.prune(layer, { amount: 0.1 });
    expect(await shareOfZeros(weightOf(layer))).toBe(0.7);
    nn.prune(layer, { amount: 1 });
    expect(await shareOfZeros(weightOf(layer))).toBe(1);
  });
  it('keeps zeros through training with momentum and weight decay, compiled or not, and in the state dict', async () => {
    const train = async (compiled: boolean) => {
      seed(1);
      const model = new nn.Sequential(new nn.Linear(4, 8), new nn.Tanh(), new nn.Linear(8, 2));
      nn.prune(model, { amount: 0 });
      const optimizer = new optim.SGD({ lr: 0.1, momentum: 0.9, weightDecay: 0.01 });
      const lossAndGrad = valueAndGrad(model, (x: Tensor, y: Tensor) => crossEntropy(model.forward(x), y));
      const step = (x: Tensor, y: Tensor) => {
        const [loss, grads] = lossAndGrad(x, y);
        optimizer.update(model, grads);
        return loss;
      };
      const go = compiled ? compile(step) : step;
      const x = normal([32, 4]);
      const y = x
        .slice([{}, { end: 1 }])
        .greater(0)
        .cast('int32')
        .reshape([32]);
      const losses: number[] = [];
      for (let i = 0; i < 12; i++) {
        if (i === 4) nn.prune(model, { amount: 0.5 });
        losses.push(await go(x, y).item());
      }
      await flush();
      return { model, losses };
    };
    const { model, losses } = await train(false);
    expect(losses[11]).toBeLessThan(losses[4]);
    expect(await shareOfZeros(weightOf(model[0] as nn.Linear))).toBe(0.5);
    expect((await train(true)).losses).toEqual(losses);
    const dict = await model.stateDict();
    expect(Object.keys(dict)).toContain('0.parametrizations.weight.mask');
    const other = nn.prune(new nn.Sequential(new nn.Linear(4, 8), new nn.Tanh(), new nn.Linear(8, 2)), { amount: 0 });
    other.loadStateDict(dict);
    const x = normal([3, 4]);
    expect([...(await other.forward(x).data())]).toEqual([...(await model.forward(x).data())]);
    nn.removeParametrization(other[0] as nn.Linear);
    expect(await shareOfZeros(weightOf(other[0] as nn.Linear))).toBe(0.5);
    expect(Object.keys(await other.stateDict())).toContain('0.weight');
  });
  it('names bad options', () => {
    expect(() => nn.prune(new nn.Linear(2, 2), { amount: 1.5 })).toThrow(/prune: amount is 1.5, expected a share/);
    expect(() => nn.prune(new nn.Linear(2, 2), { amout: 1 } as never)).toThrow(/amount/);
    expect(() => nn.prune(new nn.Linear(2, 2), { scope: 'all' as never })).toThrow(OptionError);
    expect(() => nn.prune(new nn.ReLU())).toThrow(/no parameter that "where" chooses/);
    expect(() => nn.prune(nn.weightNorm(new nn.Linear(2, 2)))).toThrow(OptionError);
  });
});

describe('Pruner', () => {
  it('follows the cubic schedule of Zhu and Gupta', async () => {
    seed(2);
    const layer = new nn.Linear(10, 10);
    const pruner = new nn.Pruner(layer, { final: 0.8, start: 1, steps: 4 });
    const shares = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => pruner.amountAt(n));
    const expected = [0, 0, 0, 0.8 * (1 - 0.75 ** 3), 0.8 * (1 - 0.5 ** 3), 0.8 * (1 - 0.25 ** 3), 0.8, 0.8];
    for (const [i, s] of shares.entries()) expect(s).toBeCloseTo(expected[i], 14);
    for (let i = 1; i < 8; i++) {
      expect(pruner.step()).toBe(shares[i]);
      expect(await shareOfZeros(weightOf(layer))).toBe(Math.round(shares[i] * 100) / 100);
    }
  });
  it('prunes at every so many steps, and goes on from its state', () => {
    const make = () => new nn.Pruner(new nn.Linear(4, 4), { initial: 0.2, final: 0.6, steps: 4, every: 2, power: 1 });
    const pruner = make();
    const shares = [1, 2, 3, 4, 5, 6].map(() => pruner.step());
    for (const [i, s] of [0.2, 0.2, 0.4, 0.4, 0.6, 0.6].entries()) expect(shares[i]).toBeCloseTo(s, 14);
    const again = make();
    again.loadStateDict(pruner.stateDict());
    expect(again.stateDict()).toEqual({ calls: 6 });
    expect(() => again.loadStateDict({ calls: -1 })).toThrow(/calls is -1/);
  });
  it.each([
    [{ final: 2, steps: 1 }, /final is 2/],
    [{ final: 0.5, initial: 0.6, steps: 1 }, /initial is 0.6, expected at most final = 0.5/],
    [{ final: 0.5, steps: 0 }, /steps is 0/],
    [{ final: 0.5, steps: 1, every: 0 }, /every is 0/],
    [{ final: 0.5, steps: 1, start: -1 }, /start is -1/],
    [{ final: 0.5, steps: 1, power: 0 }, /power is 0/],
  ])('%j is refused', (options, message) => {
    expect(() => new nn.Pruner(new nn.Linear(2, 2), options)).toThrow(message);
  });
});

describe('sparsity', () => {
  it('measures weights, connections, activations and dead units, and changes nothing', async () => {
    const model = new nn.Sequential(new nn.Linear(2, 4), new nn.ReLU(), new nn.Dropout(0.5));
    const layer = model[0] as nn.Linear;
    layer.weight.assign(
      tensor([
        [1, 0],
        [2, 3],
        [-4, -5],
        [6, 0],
      ]),
    );
    layer.bias?.assign(tensor([0, 0, -100, 0]));
    nn.prune(model, { amount: 0.25 });
    const rows = await nn.sparsity(
      model,
      tensor([
        [1, 1],
        [-1, 1],
      ]),
    );
    // Outputs before ReLU: rows [1, 5, -109, 6] and [-1, 1, -101, -6].
    expect(rows).toEqual([
      { path: '', layer: model.toString(), weights: null, connections: null, activations: 0.5, deadUnits: 0.25 },
      { path: '0', layer: 'Linear(2→4)', weights: 0.25, connections: 0.25, activations: 0, deadUnits: 0 },
      { path: '1', layer: 'ReLU', weights: null, connections: null, activations: 0.5, deadUnits: 0.25 },
      { path: '2', layer: 'Dropout(0.5)', weights: null, connections: null, activations: 0.5, deadUnits: 0.25 },
    ]);
    expect(model.training && layer.training).toBe(true);
    const plain = await nn.sparsity(
      new nn.Linear(2, 2, {
        init: () =>
          tensor([
            [0.5, 0],
            [2, 0],
          ]),
      }),
      undefined,
      { threshold: 1 },
    );
    expect(plain).toEqual([
      { path: '', layer: 'Linear(2→2)', weights: 0.75, connections: 0, activations: null, deadUnits: null },
    ]);
    await expect(nn.sparsity(model, undefined, { threshold: -1 })).rejects.toThrow(OptionError);
  });
});

describe('Ensemble', () => {
  const fixed = (rows: number[][]) =>
    new nn.Linear(rows[0].length, rows.length, { bias: false, init: () => tensor(rows) });
  const x = tensor([[1]]);
  const column = (values: number[]) => fixed(values.map((v) => [v]));

  it('averages probabilities and gives logits again', async () => {
    const models = [column([2, 0, 1]), column([0, 3, 1])];
    const p = await Promise.all(models.map((m) => softmax(m.forward(x)).data()));
    const logits = new nn.Ensemble(models).forward(x);
    const got = await softmax(logits).data();
    for (let k = 0; k < 3; k++) expect(got[k]).toBeCloseTo((p[0][k] + p[1][k]) / 2, 6);
    // They are log-probabilities already.
    expect(await sum(logits.exp()).item()).toBeCloseTo(1, 6);
  });
  it('averages one output as a sigmoid', async () => {
    const logit = await new nn.Ensemble([column([2]), column([-1])]).forward(x).item();
    const p = (1 / (1 + Math.exp(-2)) + 1 / (1 + Math.exp(1))) / 2;
    expect(logit).toBeCloseTo(Math.log(p / (1 - p)), 5);
    // Far out, where probabilities round to 0 and 1.
    expect(await new nn.Ensemble([column([200]), column([200])]).forward(x).item()).toBeCloseTo(200, 3);
  });
  it('votes, and averages outputs', async () => {
    const models = [column([2, 0, 1]), column([0, 3, 1]), column([1, 2, 0])];
    const third = Math.fround(1 / 3);
    expect([...(await new nn.Ensemble(models, { combine: 'vote' }).forward(x).data())]).toEqual([
      third,
      Math.fround(2 / 3),
      0,
    ]);
    expect(await new nn.Ensemble([column([1]), column([-1])], { combine: 'vote' }).forward(x).item()).toBe(0.5);
    expect([...(await new nn.Ensemble(models, { combine: 'mean' }).forward(x).data())]).toEqual(
      [1, 5 / 3, 2 / 3].map(Math.fround),
    );
  });
  it('keeps its models in its tree', () => {
    const ensemble = new nn.Ensemble([column([1]), column([2])]);
    expect([...ensemble.namedParameters().keys()]).toEqual(['models.0.weight', 'models.1.weight']);
    expect(String(ensemble)).toBe('Ensemble(2, probabilities)');
  });
  it('names bad input', () => {
    expect(() => new nn.Ensemble([])).toThrow(OptionError);
    expect(() => new nn.Ensemble([column([1])], { combine: 'max' as never })).toThrow(/combine is max, expected/);
    expect(() => new nn.Ensemble([column([1]), column([1, 2])]).forward(x)).toThrow(
      /model 0 gives \[1, 1\] and model 1 \[1, 2\]/,
    );
    expect(() => new nn.Ensemble([new nn.ReLU()]).forward(zeros([]))).toThrow(/expected \[\.\.\., classes\]/);
  });
});
