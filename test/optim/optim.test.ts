import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  compile,
  DataError,
  flush,
  GradError,
  nn,
  OptionError,
  optim,
  Parameter,
  ShapeError,
  seed,
  type Tensor,
  take,
  tensor,
  valueAndGrad,
  zeros,
} from '../../src/index.js';
import { Bare, valuesOf } from './bare.js';

const { Adam, AdamW, optimizerByName, SGD } = optim;

interface Golden {
  readonly shape: number[];
  readonly data: number[];
}
interface Run {
  readonly name: optim.OptimizerName;
  readonly options: Record<string, unknown>;
  readonly after: Golden[][];
}
const { start, grads, runs } = JSON.parse(readFileSync(new URL('goldens/optimizers.json', import.meta.url), 'utf8'))
  .cases as { start: Golden[]; grads: (Golden | null)[][]; runs: Run[] };

const f64 = ({ data, shape }: Golden): Tensor => tensor(Float64Array.from(data), { shape });

const optionsOf = ({ weight_decay, ...rest }: Record<string, unknown>) =>
  (weight_decay === undefined ? rest : { ...rest, weightDecay: weight_decay }) as optim.OptimizerOptions;

function close(got: number[][], want: Golden[], bound: number): void {
  for (const [p, { data }] of want.entries()) {
    for (const [i, w] of data.entries()) {
      expect(Math.abs(got[p][i] - w), `p${p}[${i}]`).toBeLessThanOrEqual(bound * (1 + Math.abs(w)));
    }
  }
}

describe('each rule follows PyTorch in float64, a parameter that joins late included', () => {
  it.each(runs.map((r) => [`${r.name} ${JSON.stringify(r.options)}`, r] as const))('%s', async (_, run) => {
    const model = new Bare(...start.map(f64));
    const optimizer = optimizerByName(run.name, optionsOf(run.options));
    for (const [i, step] of grads.entries()) {
      const given = Object.fromEntries(step.flatMap((g, p) => (g === null ? [] : [[`p.${p}`, f64(g)]])));
      await optimizer.step(model, given);
      // 20 roundings a step, 6 steps; Adam's 1 − βᵗ loses up to 10 bits at β = 0.999.
      close(await valuesOf(model), run.after[i], 120 * 2 ** -42);
    }
    expect(optimizer.steps).toBe(6);
  });

  it('float32 parameters, compiled, agree to float32', async () => {
    for (const run of runs) {
      const model = new Bare(...start.map((g) => tensor(Float32Array.from(g.data), { shape: g.shape })));
      const optimizer = optimizerByName(run.name, optionsOf(run.options));
      const first = compile((a: Tensor) => optimizer.update(model, { 'p.0': a }));
      const both = compile((a: Tensor, b: Tensor) => optimizer.update(model, { 'p.0': a, 'p.1': b }));
      for (const step of grads) {
        const [a, b] = step.map((g) => (g === null ? null : tensor(Float32Array.from(g.data), { shape: g.shape })));
        if (b === null) first(a as Tensor);
        else both(a as Tensor, b);
      }
      close(await valuesOf(model), run.after[5], 120 * 2 ** -21);
      expect([first.traces, both.traces, optimizer.steps]).toEqual([1, 1, 6]);
    }
  });
});

describe('update', () => {
  it('runs nothing, leaves absent gradients alone, and a second one carries the first out', async () => {
    const model = new Bare(tensor([1]), tensor([1]));
    const optimizer = new SGD({ lr: 0.5 });
    optimizer.update(model, { 'p.0': tensor([1]) });
    expect(model.p[0].stored).toBe(-1);
    optimizer.update(model, { 'p.0': tensor([1]) });
    expect(model.p[0].stored).toBe(1);
    await flush();
    expect(await valuesOf(model)).toEqual([[0], [1]]);
  });

  it('a loss read after it is the loss before it', async () => {
    const model = new Bare(tensor([3]));
    const optimizer = new SGD({ lr: 0.5 });
    const lossOf = valueAndGrad(model, () => model.p[0].read().square().sum());
    const seen: number[] = [];
    for (let i = 0; i < 3; i++) {
      const [loss, grads] = lossOf();
      optimizer.update(model, grads);
      seen.push(await loss.item());
    }
    expect(seen).toEqual([9, 0, 0]); // w = 3 − 0.5 · 6 = 0
  });

  it('refuses gradients that belong to nothing', () => {
    const model = new Bare(zeros([2]), zeros([1]));
    const optimizer = new Adam();
    expect(() => optimizer.update(model, { 'p.9': zeros([2]) })).toThrow(GradError);
    expect(() => optimizer.update(model, { 'p.9': zeros([2]) })).toThrow(/gradient for "p.9".*Did you mean "p\.\d"/);
    expect(() => optimizer.update(model, { 'p.0': zeros([3]) })).toThrow(ShapeError);
    expect(() => optimizer.update(model, { 'p.0': zeros([2], { dtype: 'float64' }) })).toThrow(
      /float64 \[2\], expected float32 \[2\]/,
    );
    model.freeze();
    expect(() => optimizer.update(model, { 'p.0': zeros([2]) })).toThrow(GradError);
    expect(() => optimizer.update(new Bare(zeros([2])), {})).toThrow(/another model/);
    expect(optimizer.steps).toBe(0);
  });

  it('without gradients does nothing', async () => {
    const model = new Bare(tensor([1]));
    const optimizer = new Adam();
    await optimizer.step(model, {});
    expect(optimizer.steps).toBe(0);
    expect(await valuesOf(model)).toEqual([[1]]);
  });

  it('a replaced layer starts with fresh slots', async () => {
    const model = new nn.Sequential(new nn.Linear(1, 2));
    const optimizer = new Adam();
    await optimizer.step(model, { '0.bias': tensor([1, 1]) });
    model[0] = new nn.Linear(1, 3);
    await optimizer.step(model, { '0.bias': tensor([1, 1, 1]) });
    expect((await optimizer.stateDict())['0.bias.expAvg'].shape).toEqual([3]);
  });

  it('takes a rule of the user', async () => {
    class SignDescent extends optim.Optimizer {
      protected readonly slotNames = ['count'];
      protected rule(lr: Tensor, step: Tensor, _: number, params: readonly optim.ParameterStep[]): optim.StepResult {
        const next = ({ w, g, slots }: optim.ParameterStep) => ({
          w: w.sub(g.sign().mul(lr.cast(w.dtype))),
          slots: { count: slots['count'].add(1) },
        });
        return { step: step.add(1), params: params.map(next) };
      }
    }
    const model = new Bare(tensor([1, 1]));
    const optimizer = new SignDescent({ lr: 0.25 });
    for (let i = 0; i < 2; i++) await optimizer.step(model, { 'p.0': tensor([5, -0.1]) });
    expect(await valuesOf(model)).toEqual([[0.5, 1.5]]);
    const dict = await optimizer.stateDict();
    expect([await dict['p.0.step'].item(), [...(await dict['p.0.count'].data())]]).toEqual([2, [2, 2]]);
  });
});

describe('learning rates', () => {
  it('a schedule is asked for each step and never recompiles, in eager, compiled and scanned runs', async () => {
    const asked: number[] = [];
    const lr = (step: number) => {
      asked.push(step);
      return 1 / (step + 1);
    };
    const model = new Bare(tensor([0]));
    const optimizer = new SGD({ lr });
    await optimizer.step(model, { 'p.0': tensor([1]) });
    const step = compile((g: Tensor) => {
      optimizer.update(model, { 'p.0': g.sum({ axis: 0 }) });
      return g.sum();
    });
    await step(tensor([[1]])).item();
    await step.scan({ data: [tensor([[1], [1]])], indices: Int32Array.of(0, 1, 0), batch: 1 }).data();
    expect(new Set(asked)).toEqual(new Set([0, 1, 2, 3, 4]));
    const sum = 1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5;
    expect(Math.abs((await valuesOf(model))[0][0] + sum)).toBeLessThan(5 * 2 ** -24 * sum);
    expect([optimizer.steps, optimizer.currentLr]).toEqual([5, 1 / 6]);
  });

  it('a scan that stops early takes back the steps it did not run', async () => {
    const model = new Bare(tensor([0]));
    const optimizer = new SGD({ lr: (step) => step + 1 });
    const table = tensor([[1], [2]]);
    const step = compile((index: Tensor) => {
      const g = take(table, index).reshape([1]);
      optimizer.update(model, { 'p.0': g });
      return g.sum();
    });
    const data = [tensor(Int32Array.of(0, 1, 9))];
    const losses = step.scan({ data, indices: Int32Array.of(0, 1, 2, 0), batch: 1 });
    await expect(losses.data()).rejects.toThrow(DataError);
    expect(optimizer.steps).toBe(2);
    expect(await valuesOf(model)).toEqual([[-(1 * 1 + 2 * 2)]]);
    expect(await (await optimizer.stateDict())['p.0.step'].item()).toBe(2);
  });

  it('may be set between runs of a compiled step', async () => {
    const model = new Bare(tensor([0]));
    const optimizer = new SGD({ lr: 1 });
    const step = compile((g: Tensor) => {
      optimizer.update(model, { 'p.0': g });
      return g.sum();
    });
    step(tensor([1]));
    optimizer.lr = 0.25;
    await step(tensor([1])).item();
    expect(await valuesOf(model)).toEqual([[-1.25]]);
    expect(step.traces).toBe(1);
  });

  it('one that is no number stops the update, which changes nothing', async () => {
    const model = new Bare(tensor([1]), tensor([1]));
    const groups = [{ params: (p: string) => p === 'p.1', lr: () => Number.NaN }];
    const optimizer = new SGD({ lr: 1, groups });
    expect(() => optimizer.update(model, { 'p.0': tensor([1]), 'p.1': tensor([1]) })).toThrow(
      /SGD: lr at step 0 is NaN, expected a finite number >= 0/,
    );
    expect(await valuesOf(model)).toEqual([[1], [1]]);
    expect(() => {
      optimizer.lr = -1;
    }).toThrow(OptionError);
  });
});

describe('groups', () => {
  it('first match wins; the rest keeps the options of the optimizer; steps are counted once', async () => {
    const model = new Bare(tensor([1]), tensor([1]), tensor([1]));
    const optimizer = new SGD({
      lr: 0.5,
      weightDecay: 1,
      groups: [
        { params: (p) => p === 'p.0', lr: (step) => (step === 0 ? 0 : 0.25), weightDecay: 0 },
        { params: (p) => p !== 'p.2', lr: 1 },
      ],
    });
    const ones = { 'p.0': tensor([1]), 'p.1': tensor([1]), 'p.2': tensor([1]) };
    await optimizer.step(model, ones);
    expect(await valuesOf(model)).toEqual([[1], [-1], [0]]);
    await optimizer.step(model, ones);
    expect(await valuesOf(model)).toEqual([[0.75], [-1], [-0.5]]);
    expect(optimizer.steps).toBe(2);
  });

  it('parameters of two dtypes are updated side by side', async () => {
    const model = new Bare(tensor([1]), tensor(Float64Array.of(1)));
    const optimizer = new Adam({ lr: 0.5 });
    await optimizer.step(model, { 'p.0': tensor([2]), 'p.1': tensor(Float64Array.of(2)) });
    const [[a], [b]] = await valuesOf(model);
    expect(Math.abs(a - 0.5)).toBeLessThan(2 ** -21);
    expect(Math.abs(b - 0.5)).toBeLessThan(1e-8);
  });
});

describe('stateDict', () => {
  const make = () => {
    seed(4);
    const model = new nn.Sequential(new nn.Linear(2, 3), new nn.Tanh(), new nn.Linear(3, 1));
    const optimizer = new Adam({ lr: (step) => 0.1 / (step + 1) });
    const x = tensor([
      [0.5, -1],
      [2, 0.25],
    ]);
    const lossOf = valueAndGrad(model, (x: Tensor) => model.forward(x).square().mean());
    const step = compile((x: Tensor) => {
      const [loss, grads] = lossOf(x);
      optimizer.update(model, grads);
      return loss;
    });
    return {
      model,
      optimizer,
      train: async (n: number) => {
        for (let i = 0; i < n; i++) await step(x).item();
      },
    };
  };

  it('continues bit for bit, into a compiled step that had other slots', async () => {
    const a = make();
    await a.train(7);
    const [weights, state] = [await a.model.stateDict(), await a.optimizer.stateDict()];
    expect(Object.keys(state)).toHaveLength(1 + 4 * 3);
    expect(await state['step'].item()).toBe(7);
    const b = make();
    await b.train(3);
    b.model.loadStateDict(weights);
    await b.optimizer.loadStateDict(state);
    expect(b.optimizer.steps).toBe(7);
    const kept = await b.optimizer.stateDict();
    for (const key of Object.keys(state)) expect(await kept[key].data()).toEqual(await state[key].data());
    await a.train(5);
    await b.train(5);
    expect(await valuesOf(b.model)).toEqual(await valuesOf(a.model));
    expect(await (await b.optimizer.stateDict())['0.weight.expAvgSq'].data()).toEqual(
      await (await a.optimizer.stateDict())['0.weight.expAvgSq'].data(),
    );
  });

  it('refuses a state of another kind, changing nothing', async () => {
    const { optimizer, train, model } = make();
    await train(1);
    const state = await optimizer.stateDict();
    const sgd = new SGD({ momentum: 0.9 });
    await expect(sgd.loadStateDict(state)).rejects.toThrow(/unknown key "0\.weight\.expAvg"/);
    const { step: _, ...rest } = state;
    await expect(optimizer.loadStateDict(rest)).rejects.toThrow(/"step" is missing/);
    const { '0.bias.expAvg': __, ...lacking } = state;
    await expect(optimizer.loadStateDict(lacking)).rejects.toThrow(/"0\.bias" lacks expAvg/);
    expect(optimizer.steps).toBe(1);
    await optimizer.loadStateDict({ ...state, '0.bias.expAvg': zeros([9]) });
    expect(() => optimizer.update(model, { '0.bias': zeros([3]) })).toThrow(
      /slot "0\.bias\.expAvg" is float32 \[9\], expected float32 \[3\]/,
    );
  });
});

describe('clipping and penalties', () => {
  /** One update of a single weight [3, -4, 0] by a rule written in user code, which gets gradients already shaped. */
  class Descent extends optim.Optimizer {
    protected readonly slotNames = [];
    protected rule(lr: Tensor, step: Tensor, _: number, params: readonly optim.ParameterStep[]): optim.StepResult {
      const d = this.maximize ? -1 : 1;
      const move = ({ w, g }: optim.ParameterStep) => ({ w: w.sub(g.mul(lr.cast(w.dtype)).mul(d)), slots: {} });
      return { step: step.add(1), params: params.map(move) };
    }
  }
  it.each([false, true])('act on custom rules as on the built-in ones (maximize %s)', async (maximize) => {
    const options = { lr: 0.5, clipNorm: 2, clipValue: 1.5, l1: 0.25, maximize };
    const results = [];
    for (const optimizer of [new SGD(options), new Descent(options)]) {
      const w = new Parameter(tensor([3, -4, 0]), 'w');
      await optimizer.step({ trainableCells: () => new Map([['w', w]]) }, { w: tensor([6, -8, 0]) });
      results.push([...(await w.read().data())]);
    }
    // Scaled to norm 2: [1.2, -1.6, 0]; clipped: [1.2, -1.5, 0]; penalty: 0.25 sign(w).
    const sign = maximize ? -1 : 1;
    const expected = [3 - 0.5 * (sign * 1.2 + 0.25), -4 + 0.5 * (sign * 1.5 + 0.25), 0];
    for (const r of results) for (const [i, v] of r.entries()) expect(Math.abs(v - expected[i])).toBeLessThan(4e-6);
  });
});

describe('options', () => {
  it.each([
    [() => new SGD({ lr: -1 }), /SGD: lr is -1, expected a finite number >= 0/],
    [() => new SGD({ lr: Number.POSITIVE_INFINITY }), /lr is Infinity/],
    [() => new SGD({ lr: '0.1' as unknown as number }), /lr is "0.1", expected/],
    [() => new SGD({ momentum: 1.5 }), /momentum is 1.5, expected a number in \[0, 1\]/],
    [() => new SGD({ dampening: -0.1 }), /dampening/],
    [() => new SGD({ nesterov: true }), /nesterov got momentum 0/],
    [() => new SGD({ nesterov: true, momentum: 0.9, dampening: 0.1 }), /dampening 0.1/],
    [() => new Adam({ betas: [0.9, 1] }), /Adam: betas\[1\] is 1, expected a number in \[0, 1\)/],
    [() => new Adam({ betas: [0.9] as unknown as [number, number] }), /betas/],
    [() => new Adam({ eps: -1 }), /eps/],
    [() => new AdamW({ weightDecay: -1 }), /AdamW: weightDecay/],
    [() => new Adam({ learningRate: 1 } as optim.AdamOptions), /unknown option "learningRate", expected lr,/],
    [() => new Adam({ beta: 1 } as optim.AdamOptions), /Did you mean "betas"/],
    [() => new Adam({ groups: [{ params: 'bias' as never }] }), /groups\[0\]: params must be a function/],
    [() => new Adam({ groups: [{ params: () => true, lr: -1 }] }), /groups\[0\]: lr is -1/],
    [() => new SGD({ l1: -1 }), /SGD: l1 is -1/],
    [() => new SGD({ clipNorm: 0 }), /SGD: clipNorm is 0, expected a finite number > 0/],
    [() => new Adam({ clipValue: Number.NaN }), /Adam: clipValue is NaN/],
    [() => new optim.RMSprop({ alpha: 1 }), /RMSprop: alpha is 1, expected a number in \[0, 1\)/],
    [() => new optim.RMSprop({ momentum: -1 }), /RMSprop: momentum/],
    [() => new optim.Adagrad({ lrDecay: -1 }), /Adagrad: lrDecay/],
    [() => new optim.Adagrad({ initialAccumulatorValue: -1 }), /Adagrad: initialAccumulatorValue/],
    [() => optimizerByName('adm' as 'adam'), /"adm"; known: sgd, adam, adamw, rmsprop, .*lars\. Did you mean "adam"/],
    [() => optimizerByName('constructor' as 'adam'), OptionError],
  ])('%s', (make, message) => {
    expect(make).toThrow(OptionError);
    expect(make).toThrow(message);
  });

  it("defaults are PyTorch's", () => {
    const [sgd, adam, adamw] = [new SGD(), new Adam(), new AdamW()];
    expect([sgd.lr, sgd.momentum, sgd.dampening, sgd.weightDecay, sgd.nesterov]).toEqual([1e-3, 0, 0, 0, false]);
    expect([adam.lr, adam.betas, adam.eps, adam.weightDecay]).toEqual([1e-3, [0.9, 0.999], 1e-8, 0]);
    expect(adamw.weightDecay).toBe(1e-2);
    expect(new AdamW({ lr: 1, weightDecay: 0 }).weightDecay).toBe(0);
    const [rmsprop, adagrad] = [new optim.RMSprop(), new optim.Adagrad()];
    expect([rmsprop.lr, rmsprop.alpha, rmsprop.eps, rmsprop.momentum, rmsprop.centered]).toEqual([
      1e-2,
      0.99,
      1e-8,
      0,
      false,
    ]);
    expect([adagrad.lr, adagrad.lrDecay, adagrad.eps, adagrad.initialAccumulatorValue]).toEqual([1e-2, 0, 1e-10, 0]);
  });
});
