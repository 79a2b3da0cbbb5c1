import { describe, expect, it } from 'vitest';
import {
  compile,
  configure,
  flush,
  normal,
  OptionError,
  optim,
  ShapeError,
  seed,
  type Tensor,
  tensor,
  valueAndGrad,
  zeros,
} from '../../src/index.js';
import { Bare, valuesOf } from './bare.js';

const MAKE: Record<string, () => optim.Optimizer> = {
  'SGD average': () => new optim.SGD({ momentum: 0.9, momentumForm: 'average' }),
  'Adam amsgrad': () => new optim.Adam({ amsgrad: true }),
  RMSprop: () => new optim.RMSprop({ centered: true, momentum: 0.5 }),
  Adagrad: () => new optim.Adagrad(),
  Adadelta: () => new optim.Adadelta(),
  Adamax: () => new optim.Adamax(),
  NAdam: () => new optim.NAdam(),
  RAdam: () => new optim.RAdam(),
  Lion: () => new optim.Lion(),
  Rprop: () => new optim.Rprop(),
  DeltaBarDelta: () => new optim.DeltaBarDelta(),
  Adafactor: () => new optim.Adafactor(),
  LARS: () => new optim.LARS(),
  LAMB: () => new optim.LAMB({ accumulate: 2 }),
  Muon: () => new optim.Muon(),
};

describe('every optimizer', () => {
  it.each(Object.entries(MAKE))('%s: the state goes round, compiled and not, with equal bits', async (_, make) => {
    const start = normal([5, 7]);
    const gradient = normal([5, 7]);
    const steps = async (model: Bare, optimizer: optim.Optimizer, n: number, compiled = false) => {
      const step = () => optimizer.update(model, { 'p.0': gradient });
      const run = compiled ? compile(step) : step;
      for (let i = 0; i < n; i++) {
        run();
        await flush();
      }
    };
    const [a, b] = [new Bare(start), new Bare(start)];
    const [one, two] = [make(), make()];
    await steps(a, one, 7);
    await steps(b, two, 3, true);
    const three = make();
    const c = new Bare(b.p[0].read().clone());
    await three.loadStateDict(await two.stateDict());
    await steps(c, three, 4, true);
    expect(await valuesOf(c)).toEqual(await valuesOf(a));
    expect(three.steps).toBe(one.steps);
    for (const [name, value] of Object.entries(await one.stateDict())) {
      expect(await (await three.stateDict())[name].data(), name).toEqual(await value.data());
    }
  });

  it('gives the same bits on one thread and on more', async () => {
    const results: number[][][] = [];
    for (const threads of [1, 2]) {
      configure({ threads });
      seed(3);
      const model = new Bare(normal([300, 301]), normal([17]));
      const g = { 'p.0': normal([300, 301]), 'p.1': normal([17]) };
      for (const [name, make] of Object.entries(MAKE)) {
        const optimizer = make();
        await optimizer.step(model, name === 'Muon' ? { 'p.0': g['p.0'] } : g);
      }
      results.push(await valuesOf(model));
    }
    configure({ threads: 2 });
    expect(results[0]).toEqual(results[1]);
  });
});

describe('accumulate', () => {
  const data = tensor([
    [1, 2],
    [3, -1],
    [0.5, 0.25],
    [-2, 1],
    [1, 1],
    [0, 3],
  ]);
  const make = (options: optim.AdamOptions) => {
    const model = new Bare(tensor([[0.5, -1]]));
    const optimizer = new optim.Adam({ lr: 0.1, clipNorm: 0.5, weightDecay: 0.01, ...options });
    const lossOf = valueAndGrad(model, (x: Tensor) => x.mul(model.p[0].read()).sum({ axis: 1 }).square().mean());
    return { model, optimizer, lossOf };
  };
  const rows = (from: number, to: number) => data.slice([{ start: from, end: to }]);

  it('n small batches do what one of n times the size does, eager, compiled and scanned', async () => {
    const whole = make({});
    for (const [from, to] of [
      [0, 4],
      [4, 6],
      [0, 2],
    ] as const) {
      if (to - from !== 4) continue;
      whole.optimizer.update(whole.model, whole.lossOf(rows(from, to))[1]);
    }
    await flush();
    const [[expected]] = [await valuesOf(whole.model)];
    const results: number[][] = [];
    for (const way of ['eager', 'compiled', 'scanned']) {
      const { model, optimizer, lossOf } = make({ accumulate: 2 });
      const step = compile((x: Tensor) => {
        const [loss, grads] = lossOf(x);
        optimizer.update(model, grads);
        return loss;
      });
      if (way === 'scanned') {
        await step.scan({ data: [data], indices: Int32Array.of(0, 1, 2, 3, 4, 5), batch: 2 }).data();
      } else {
        for (const from of [0, 2, 4]) {
          if (way === 'compiled') step(rows(from, from + 2));
          else optimizer.update(model, lossOf(rows(from, from + 2))[1]);
        }
      }
      await flush();
      expect([optimizer.steps, (await optimizer.stateDict())['accumulated'].itemSync()]).toEqual([1, 1]);
      results.push((await valuesOf(model))[0]);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    // Halves of two sums against one sum of four: two more roundings of gradients below 64.
    for (const [i, w] of results[0].entries()) expect(Math.abs(w - expected[i])).toBeLessThan(8 * 2 ** -23);
  });

  it('a schedule counts steps, and a rule of ordinary ops waits as well', async () => {
    const asked: number[] = [];
    const lr = (step: number) => {
      asked.push(step);
      return 1;
    };
    const model = new Bare(tensor([[3, 4]]));
    const optimizer = new optim.LARS({ lr, accumulate: 3, trustCoefficient: 0.1, momentum: 0 });
    for (let i = 0; i < 2; i++) await optimizer.step(model, { 'p.0': tensor([[1, 0]]) });
    expect(await valuesOf(model)).toEqual([[3, 4]]);
    await optimizer.step(model, { 'p.0': tensor([[1, 0]]) });
    expect((await valuesOf(model))[0][0]).toBeCloseTo(2.5, 5); // 0.1 · ‖w‖ = 0.5 along the gradient
    await optimizer.step(model, { 'p.0': tensor([[1, 0]]) });
    expect(new Set(asked)).toEqual(new Set([0, 1]));
    expect(optimizer.steps).toBe(1);
  });

  it('refuses a state of another number', async () => {
    const { optimizer, model } = make({ accumulate: 2 });
    await optimizer.step(model, { 'p.0': tensor([[1, 1]]) });
    await expect(new optim.Adam().loadStateDict(await optimizer.stateDict())).rejects.toThrow(/gradSum/);
    const plain = new optim.SGD();
    await plain.step(new Bare(zeros([1])), { 'p.0': zeros([1]) });
    await expect(new optim.SGD({ accumulate: 2 }).loadStateDict(await plain.stateDict())).rejects.toThrow(OptionError);
  });
});

describe('options of every optimizer', () => {
  it('decayExempt leaves biases and norms alone, decay and l1 alike', async () => {
    for (const decayExempt of ['biasAndNorm', (path: string) => path === 'p.1'] as const) {
      const model = new Bare(tensor([[2]]), tensor([2]));
      const optimizer = new optim.SGD({ lr: 0.5, weightDecay: 0.5, l1: 0.25, decayExempt });
      await optimizer.step(model, { 'p.0': zeros([1, 1]), 'p.1': zeros([1]) });
      expect(await valuesOf(model)).toEqual([[2 - 0.5 * (1 + 0.25)], [2]]);
    }
  });

  it('elastic net is l1 with weightDecay; decoupled decay does not pass through the moments', async () => {
    const [a, b] = [new Bare(tensor([[2]])), new Bare(tensor([[2]]))];
    await new optim.SGD({ lr: 0.5, l1: 0.1, weightDecay: 0.2 }).step(a, { 'p.0': tensor([[1]]) });
    expect((await valuesOf(a))[0][0]).toBeCloseTo(2 - 0.5 * (1 + 0.1 + 0.4), 6);
    await new optim.RMSprop({ lr: 0.5, weightDecay: 0.2, decoupledWeightDecay: true }).step(b, {
      'p.0': zeros([1, 1]),
    });
    expect((await valuesOf(b))[0][0]).toBeCloseTo(2 * 0.9, 6);
  });

  it('maxNorm bounds the rows of matrices, and only those', async () => {
    const model = new Bare(
      tensor([
        [3, 4],
        [0.3, 0.4],
        [0, 0],
      ]),
      tensor([30, 40]),
    );
    const optimizer = new optim.SGD({ lr: 0, maxNorm: 1 });
    await optimizer.step(model, { 'p.0': zeros([3, 2]), 'p.1': zeros([2]) });
    const [matrix, vector] = await valuesOf(model);
    for (const [i, w] of [0.6, 0.8, 0.3, 0.4, 0, 0].entries()) expect(matrix[i]).toBeCloseTo(w, 6);
    expect(vector).toEqual([30, 40]);
  });

  it('momentum forms: scaled and negative are one, average is shorter by 1 − μ', async () => {
    const weightAfter = async (momentumForm: optim.MomentumForm, lr: number) => {
      const model = new Bare(tensor(Float64Array.of(1)));
      const optimizer = new optim.SGD({ lr, momentum: 0.75, momentumForm });
      for (let i = 0; i < 4; i++) await optimizer.step(model, { 'p.0': tensor(Float64Array.of(0.5)) });
      return (await valuesOf(model))[0][0];
    };
    expect(await weightAfter('scaled', 0.125)).toBe(await weightAfter('negative', 0.125));
    expect(await weightAfter('average', 0.5)).toBe(await weightAfter('sum', 0.125));
    expect(await weightAfter('scaled', 0.125)).toBe(await weightAfter('sum', 0.125)); // while lr is constant
  });

  it.each([
    [() => new optim.SGD({ accumulate: 0 }), /SGD: accumulate is 0, expected a whole number >= 1/],
    [() => new optim.SGD({ accumulate: 1.5 }), /accumulate is 1.5/],
    [() => new optim.SGD({ maxNorm: -1 }), /SGD: maxNorm is -1, expected a finite number > 0/],
    [() => new optim.SGD({ decayExempt: 'bias' as 'biasAndNorm' }), /decayExempt is bias, expected 'biasAndNorm' or/],
    [() => new optim.SGD({ momentumForm: 'ema' as 'sum' }), /momentumForm is ema, expected sum, scaled/],
    [() => new optim.SGD({ dampening: 0.5, momentumForm: 'average' }), /dampening is 0.5, expected 0/],
    [() => new optim.Adam({ amsgrad: 1 as never }), /Adam: amsgrad is 1, expected true or false/],
    [() => new optim.Adam({ betas: null as never }), OptionError],
    [() => new optim.Adadelta({ rho: 2 }), /Adadelta: rho is 2, expected a number in \[0, 1\]/],
    [() => new optim.Adamax({ eps: -1 }), /Adamax: eps/],
    [() => new optim.NAdam({ momentumDecay: -1 }), /NAdam: momentumDecay/],
    [() => new optim.RAdam({ betas: [0.9, 1] }), /RAdam: betas\[1\]/],
    [() => new optim.Lion({ betas: [-1, 0] }), /Lion: betas\[0\]/],
    [() => new optim.Rprop({ etas: [1.2, 0.5] }), /Rprop: etas is 1.2,0.5, expected 0 < etas\[0\] < 1/],
    [() => new optim.Rprop({ stepSizes: [1, 0] }), /Rprop: stepSizes is 1,0/],
    [() => new optim.DeltaBarDelta({ phi: 1 }), /DeltaBarDelta: phi is 1/],
    [() => new optim.Adafactor({ d: 0.5 }), /Adafactor: d is 0.5/],
    [() => new optim.Adafactor({ beta2Decay: 1 }), /Adafactor: beta2Decay is 1/],
    [() => new optim.LARS({ trustCoefficient: -1 }), /LARS: trustCoefficient/],
    [() => new optim.LAMB({ eps: Number.NaN }), /LAMB: eps is NaN/],
    [() => new optim.Muon({ nsSteps: 0 }), /Muon: nsSteps is 0, expected a whole number in \[1, 99\]/],
    [() => new optim.Muon({ nsCoefficients: [1, 2] as never }), /nsCoefficients is 1,2/],
    [() => new optim.Muon({ adjustLr: 'x' as 'original' }), /adjustLr is x/],
    [() => new optim.EMA(new Bare(zeros([1])), { decay: 1 }), /EMA: decay is 1, expected a number in \[0, 1\)/],
    [() => new optim.Muon().update(new Bare(zeros([3])), { 'p.0': zeros([3]) }), /Muon: got a parameter \[3\]/],
  ])('%s', (make, message) => expect(make).toThrow(message));
});

describe('EMA', () => {
  it('copies at first, then follows; swap exchanges and copyTo gives', async () => {
    const model = new Bare(tensor([8]), tensor(Float64Array.of(8)));
    const ema = new optim.EMA(model, { decay: 0.75 });
    const optimizer = new optim.SGD({ lr: 1 });
    const step = compile((g: Tensor, h: Tensor) => {
      optimizer.update(model, { 'p.0': g, 'p.1': h });
      ema.update();
    });
    for (const g of [4, -4, 2]) step(tensor([g]), tensor(Float64Array.of(g))); // weights 4, 8, 6
    const average = (4 * 0.75 + 8 * 0.25) * 0.75 + 6 * 0.25;
    ema.swap();
    expect(await valuesOf(model)).toEqual([[average], [average]]);
    ema.swap();
    expect(await valuesOf(model)).toEqual([[6], [6]]);
    const other = new Bare(tensor([0]), tensor(Float64Array.of(0)));
    ema.copyTo(other);
    expect(await valuesOf(other)).toEqual([[average], [average]]);
    const again = new optim.EMA(other, { decay: 0.75 });
    again.loadStateDict(await ema.stateDict());
    again.update();
    ema.update();
    expect(await (await again.stateDict())['step.float32'].item()).toBe(4);
    expect(() => again.loadStateDict({ nothing: zeros([1]) })).toThrow(/unknown key "nothing"/);
    expect(() => again.loadStateDict({})).toThrow(/"step\.float32" is missing/);
    await flush();
    const wrong = { ...(await ema.stateDict()), 'p.0': zeros([2]) };
    expect(() => again.loadStateDict(wrong)).toThrow(ShapeError);
    expect(() => ema.copyTo(new Bare(zeros([1])))).toThrow(/no trainable parameter "p.1"/);
  });

  it('bias correction: the average from zero over 1 − βᵗ, and an effective window of 1 / (1 − β)', async () => {
    const beta = 0.9;
    const model = new Bare(tensor(Float64Array.of(0)));
    const ema = new optim.EMA(model, { decay: beta, biasCorrection: true });
    let m = 0;
    for (let t = 1; t <= 60; t++) {
      const x = t <= 30 ? Math.sin(t) : 1;
      model.p[0].assign(tensor(Float64Array.of(x)));
      ema.update();
      await flush();
      m = beta * m + (1 - beta) * x;
      const [got] = await (await ema.stateDict())['p.0'].data();
      // Each step rounds four times, and errors fade by β: at most 4 · 10 roundings of numbers below 1.
      expect(Math.abs(got - m / (1 - beta ** t))).toBeLessThan(40 * 2 ** -52);
    }
    // The weights of the samples, (1 − β) βⁱ: those of the last 1 / (1 − β) = 10 make 1 − β¹⁰ ≈ 1 − 1/e.
    const window = Math.round(1 / (1 - beta));
    const inside = Array.from({ length: window }, (_, i) => (1 - beta) * beta ** i).reduce((a, b) => a + b, 0);
    expect(window).toBe(10);
    expect(Math.abs(inside - (1 - 1 / Math.E))).toBeLessThan(0.02);
  });
});
