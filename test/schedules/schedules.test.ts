import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  compile,
  mse,
  nn,
  OptionError,
  optim,
  programsCompiled,
  schedules,
  type Tensor,
  tensor,
  valueAndGrad,
} from '../../src/index.js';

interface Curve {
  readonly name: string;
  readonly lr: number;
  readonly options: object | null;
  readonly values: readonly number[];
}
interface Goldens {
  readonly curves: readonly Curve[];
  readonly results: readonly number[];
  readonly plateaus: readonly { readonly options: schedules.PlateauOptions; readonly values: readonly number[] }[];
}
const { curves, results, plateaus } = JSON.parse(
  readFileSync(new URL('goldens/schedules.json', import.meta.url), 'utf8'),
) as Goldens;

const made: Record<string, (lr: number, options: never) => schedules.Schedule> = {
  constant: schedules.constant,
  exponential: schedules.exponential,
  step: schedules.step,
  multiStep: schedules.multiStep,
  polynomial: schedules.polynomial,
  cosine: schedules.cosine,
  warmRestarts: schedules.warmRestarts,
  linearWarmup: schedules.linearWarmup,
  oneCycle: schedules.oneCycle,
  warmupThenCosine: (lr) => schedules.linearWarmup(schedules.cosine(lr, { steps: 20 }), { steps: 5, startFactor: 0.1 }),
};

describe('full curves agree with PyTorch', () => {
  it.each(curves.map((c, i) => [`${i} ${c.name} ${JSON.stringify(c.options)}`, c] as const))('%s', (_, c) => {
    const schedule = made[c.name](c.lr, c.options as never);
    for (const [t, want] of c.values.entries()) {
      // PyTorch computes most rates from the one before: one rounding or two a step, relative to the largest rate.
      expect(Math.abs(schedule(t) - want), `step ${t}: ${schedule(t)} for ${want}`).toBeLessThanOrEqual(
        4 * c.values.length * 2 ** -53 * c.lr,
      );
    }
  });
  it('each schedule is there', () => {
    expect(new Set(curves.map((c) => c.name))).toEqual(new Set(Object.keys(made)));
  });
});

describe('worked figures', () => {
  it('0.1 at t = 10: 0.0905 exponential, 0.0909 inverse time', () => {
    expect(schedules.exponential(0.1, { rate: 0.01 })(10)).toBeCloseTo(0.0905, 4);
    expect(schedules.inverseTime(0.1, { rate: 0.01 })(10)).toBeCloseTo(0.0909, 4);
    expect(schedules.inverseTime(0.1, { rate: 0.01 })(0)).toBe(0.1);
  });
  it('halved every 5 epochs from 0.1: 0.05 after 5, 0.025 after 10', () => {
    const rate = schedules.step(0.1, { every: 5, factor: 0.5 });
    expect([4, 5, 10].map(rate)).toEqual([0.1, 0.05, 0.025]);
    const perEpoch = schedules.perEpoch(rate, 100);
    expect([499, 500, 999, 1000].map(perEpoch)).toEqual([0.1, 0.05, 0.05, 0.025]);
  });
});

describe('ends', () => {
  it('stay at the last rate', () => {
    expect(schedules.cosine(0.1, { steps: 10, end: 0.01 })(1000)).toBe(0.01);
    expect(schedules.polynomial(0.1, { steps: 10, end: 0.02 })(11)).toBe(0.02);
    const cycle = schedules.oneCycle(0.1, { steps: 10 });
    expect(cycle(1000)).toBe(cycle(9));
  });
});

describe('reduceOnPlateau', () => {
  it.each(plateaus.map((p) => [JSON.stringify(p.options), p] as const))('agrees with PyTorch: %s', (_, p) => {
    const rate = schedules.reduceOnPlateau(0.1, p.options);
    expect(results.map(rate.update)).toEqual(p.values);
  });

  it('factor 0.1 at the third epoch without improvement', () => {
    const rate = schedules.reduceOnPlateau(0.1, { patience: 2 });
    expect([1, 2, 2, 2].map(rate.update)).toEqual([0.1, 0.1, 0.1, 0.1 * 0.1]);
  });

  it('goes on from its state, which survives JSON, and refuses another', () => {
    const options = { patience: 1, cooldown: 1, factor: 0.5 };
    const whole = schedules.reduceOnPlateau(0.1, options);
    const want = results.map(whole.update);
    for (const cut of [0, 3, 9]) {
      const first = schedules.reduceOnPlateau(0.1, options);
      results.slice(0, cut).map(first.update);
      const second = schedules.reduceOnPlateau(7, options);
      second.loadStateDict(JSON.parse(JSON.stringify(first.stateDict())));
      expect(results.slice(cut).map(second.update)).toEqual(want.slice(cut));
    }
    const state = whole.stateDict();
    for (const bad of [{ lr: -1 }, { waiting: 0.5 }, { best: 'x' as never }, { other: 1 }]) {
      expect(() => whole.loadStateDict({ ...state, ...bad })).toThrow(OptionError);
    }
    expect(whole.stateDict()).toEqual(state);
  });

  it('takes NaN as no improvement, even at first, and refuses what is no number', () => {
    const rate = schedules.reduceOnPlateau(0.1, { patience: 1 });
    expect([Number.NaN, Number.NaN].map(rate.update)).toEqual([0.1, 0.1 * 0.1]);
    expect(rate.stateDict().best).toBeNull();
    expect(() => rate.update(undefined as unknown as number)).toThrow(OptionError);
  });
});

describe('options', () => {
  it.each([
    ['exponential: lr is -1', () => schedules.exponential(-1, { rate: 1 })],
    ['exponential: got neither or both', () => schedules.exponential(1, {})],
    ['exponential: got neither or both', () => schedules.exponential(1, { rate: 1, gamma: 1 })],
    ['exponential: gamma is 1.1, expected a number in (0, 1]', () => schedules.exponential(1, { gamma: 1.1 })],
    ['inverseTime: rate is NaN', () => schedules.inverseTime(1, { rate: Number.NaN })],
    ['step: every is 0, expected a whole number >= 1', () => schedules.step(1, { every: 0 })],
    ['step: unknown option "gamma"', () => schedules.step(1, { every: 1, gamma: 1 } as never)],
    ['multiStep: milestones are 5, 3', () => schedules.multiStep(1, { milestones: [5, 3] })],
    ['multiStep: milestones[0] is 0.5', () => schedules.multiStep(1, { milestones: [0.5] })],
    ['multiStep: milestones must be a list', () => schedules.multiStep(1, { milestones: 3 as never })],
    ['polynomial: power is 0', () => schedules.polynomial(1, { steps: 1, power: 0 })],
    ['polynomial: end is 2, expected a number in [0, 1]', () => schedules.polynomial(1, { steps: 1, end: 2 })],
    ['cosine: steps is 1.5', () => schedules.cosine(1, { steps: 1.5 })],
    ['warmRestarts: multiplier is 0', () => schedules.warmRestarts(1, { first: 1, multiplier: 0 })],
    ['linearWarmup: startFactor is 2', () => schedules.linearWarmup(1, { steps: 1, startFactor: 2 })],
    [
      'oneCycle: riseShare is 0.6, expected a number in (0, 0.5]',
      () => schedules.oneCycle(1, { steps: 9, riseShare: 0.6, threePhase: true }),
    ],
    ['oneCycle: riseShare 0.3 of 3 steps is no rise', () => schedules.oneCycle(1, { steps: 3 })],
    ['oneCycle: anneal is "cos"', () => schedules.oneCycle(1, { steps: 9, anneal: 'cos' as never })],
    ['oneCycle: divFactor is 0', () => schedules.oneCycle(1, { steps: 9, divFactor: 0 })],
    ['reduceOnPlateau: factor is 1,', () => schedules.reduceOnPlateau(1, { factor: 1 })],
    ['reduceOnPlateau: patience is -1', () => schedules.reduceOnPlateau(1, { patience: -1 })],
    ['reduceOnPlateau: minLr is 2', () => schedules.reduceOnPlateau(1, { minLr: 2 })],
    ['reduceOnPlateau: mode is "auto"', () => schedules.reduceOnPlateau(1, { mode: 'auto' as never })],
    ['reduceOnPlateau: thresholdMode is "rel"', () => schedules.reduceOnPlateau(1, { thresholdMode: 'rel' as never })],
    ['perEpoch: stepsPerEpoch is 0', () => schedules.perEpoch(schedules.constant(1), 0)],
    ['perEpoch: the first argument', () => schedules.perEpoch(1 as never, 1)],
    ['constant: lr is Infinity', () => schedules.constant(Infinity)],
  ])('%s', (message, make) => {
    expect(make).toThrow(OptionError);
    expect(make).toThrow(message);
  });
});

describe('a changing learning rate', () => {
  it('moves the weights as said and compiles once', async () => {
    for (const compiled of [true, false]) {
      const model = new nn.Linear(1, 1, { bias: false, init: nn.init.constant(1), dtype: 'float64' });
      const plateau = schedules.reduceOnPlateau(0.5, { patience: 0 });
      const rates = schedules.warmRestarts(0.1, { first: 7 });
      const optimizer = new optim.SGD({ lr: rates });
      const lossAndGrad = valueAndGrad(model, (x: Tensor) => mse(model.forward(x), x.mul(0)));
      const body = (x: Tensor) => {
        const [loss, grads] = lossAndGrad(x);
        optimizer.update(model, grads);
        return loss;
      };
      const step = compiled ? compile(body) : body;
      const x = tensor([[1]], { dtype: 'float64' });
      let w = 1;
      let programs = 0;
      for (let t = 0; t < 30; t++) {
        if (t === 10) optimizer.lr = 0.03; // by assignment while running
        if (t === 20) optimizer.lr = plateau;
        if (t > 20) plateau.update(1);
        const rate = t < 10 ? rates(t) : t < 20 ? 0.03 : plateau(t);
        expect(optimizer.currentLr).toBe(rate);
        await step(x).item();
        if (t === 1) programs = programsCompiled();
        w -= rate * 2 * w;
        expect(Math.abs((await model.weight.read().item()) - w)).toBeLessThan(1e-14);
      }
      expect(programsCompiled()).toBe(programs);
    }
  });
});
