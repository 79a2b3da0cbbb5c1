import { describe, expect, it } from 'vitest';
import {
  DataError,
  DTypeError,
  data,
  evaluate,
  fit,
  metrics,
  nn,
  OptionError,
  ShapeError,
  seed,
  tensor,
  zeros,
} from '../../src/index.js';

const int32 = (values: number[]) => tensor(Int32Array.from(values));

describe('in fit and evaluate', () => {
  it('every metric by name gives the figure of all samples at once', async () => {
    seed(3);
    const train = data.blobs(101, { centers: 3, noise: 3, seed: 5 });
    const model = new nn.Linear(2, 3);
    const names = [
      'precision',
      'recall',
      'f1',
      'rocAuc',
      'prAuc',
      'logLoss',
      'perplexity',
      'calibrationError',
    ] as const;
    const history = await fit(model, train, {
      loss: 'crossEntropy',
      optimizer: 'adam',
      metrics: names,
      epochs: 2,
      batchSize: 8,
      validation: train,
    });
    const outputs = model.forward(train.x);
    const result = await evaluate(model, train, { loss: 'crossEntropy', metrics: names, batchSize: 10 });
    for (const name of names) {
      const whole = await metrics.measure(metrics.metricByName(name), outputs, train.y);
      expect(result[name], name).toBeCloseTo(whole, 5);
      const val = `val${name[0].toUpperCase()}${name.slice(1)}`;
      expect(history.epochs[1][val], val).toBeCloseTo(whole, 5);
    }
  });
  it('costly figures are left out of progress events and stand in the epoch', async () => {
    const train = data.blobs(64, { centers: 2, seed: 1 });
    const seen: string[][] = [];
    const history = await fit(new nn.Linear(2, 2), train, {
      loss: 'crossEntropy',
      optimizer: 'sgd',
      metrics: ['rocAuc', 'f1'],
      batchSize: 8,
      onProgress: (event) => void seen.push(Object.keys(event.figures)),
    });
    expect(seen.length).toBeGreaterThan(0);
    for (const keys of seen) expect(keys).toEqual(['loss', 'f1']);
    expect(history.epochs[0]['rocAuc']).toBeGreaterThan(0);
  });
});

describe('what is undefined or wrong', () => {
  it('is NaN while ROC-AUC has one class only, and an error for curves', async () => {
    expect(await metrics.measure(metrics.rocAuc(), tensor([[0.1], [0.2]]), tensor([[1], [1]]))).toBeNaN();
    expect(() => metrics.rocCurve([1, 1], [1, 2])).toThrow(/every label is 1/);
    expect(() => metrics.rocCurve([0, 0], [1, 2])).toThrow(/no label is 1/);
    expect(() => metrics.rocCurve([0, 2], [1, 2])).toThrow(/label 1 is 2/);
    expect(() => metrics.rocCurve([0, 1], [1, Number.NaN])).toThrow(/score 1 is NaN/);
    expect(() => metrics.precisionRecallCurve([0, 1], [1])).toThrow(ShapeError);
  });
  it('infinite scores have an order', () => {
    const inf = Number.POSITIVE_INFINITY;
    expect(metrics.rocCurve([0, 1, 1], [-inf, inf, inf]).area).toBe(1);
    // A tie counts half, also between the highest.
    expect(metrics.rocCurve([1, 0], [inf, inf]).area).toBe(0.5);
    expect(metrics.rocCurve([1, 0, 0], [2, 2, 1])).toMatchObject({ area: 0.75, thresholds: [inf, 2, 1] });
  });
  it('names labels that are no class and outputs that are NaN', async () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    await expect(metrics.measure(metrics.f1(), x, int32([0, 2]))).rejects.toThrow(
      /label is 2, expected a class in \[0, 2\)/,
    );
    await expect(metrics.measure(metrics.rocAuc(), x, int32([0, -1]))).rejects.toThrow(DataError);
    await expect(metrics.measure(metrics.rocAuc(), tensor([[Number.NaN], [1]]), tensor([[0], [1]]))).rejects.toThrow(
      /sample 0 is NaN/,
    );
    await expect(metrics.measure(metrics.f1(), zeros([0, 2]), int32([]))).rejects.toThrow(/at least one sample/);
    expect(() => metrics.f1().batch(x, tensor([0.5, 1]))).toThrow(DTypeError);
    expect(() => metrics.f1({ average: 'binary' }).batch(zeros([2, 3]), int32([0, 1]))).toThrow(
      /3 classes, expected 2/,
    );
  });
  it('checks options', () => {
    expect(() => metrics.f1({ average: 'mean' as 'micro' })).toThrow(/average is mean/);
    expect(() => metrics.precision({ threshold: Number.NaN })).toThrow(OptionError);
    expect(() => metrics.rocAuc({ average: 'micro' as 'macro' })).toThrow(OptionError);
    expect(() => metrics.perplexity({ ignoreIndex: 0.5 })).toThrow(/ignoreIndex/);
    expect(() => metrics.calibrationError({ bins: 0 })).toThrow(/bins is 0/);
    expect(() => metrics.reliability([1.5], [1])).toThrow(/probability 0 is 1.5/);
    expect(() => metrics.reliability([0.5], [2])).toThrow(/outcome 0 is 2/);
    expect(() => metrics.reliability([], [])).toThrow(DataError);
    expect(() => metrics.classificationReport([], [])).toThrow(/no labels/);
    expect(() => metrics.accuracy({ treshold: 0.5 } as object)).toThrow(/Did you mean "threshold"/);
    expect(() => metrics.accuracy({ threshold: Number.NaN })).toThrow(/threshold is NaN/);
    expect(() => metrics.meanAbsoluteError({ names: 'x' } as object)).toThrow(/meanAbsoluteError: unknown option/);
    expect(() => metrics.logLoss({ logits: true } as object)).toThrow(/unknown option "logits"/);
  });
});

it('perplexity leaves ignored labels out', async () => {
  const logits = tensor([
    [
      [0, 0, 0, 0],
      [9, 0, 0, 0],
    ],
    [
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ],
  ]);
  const labels = tensor(Int32Array.of(1, -1, 2, -1), { shape: [2, 2] });
  expect(await metrics.measure(metrics.perplexity({ ignoreIndex: -1 }), logits, labels)).toBeCloseTo(4, 5);
  expect(
    await metrics.measure(
      metrics.perplexity({ ignoreIndex: 1 }),
      logits.slice([{ end: 1 }]),
      tensor(Int32Array.of(1, 1), { shape: [1, 2] }),
    ),
  ).toBeNaN();
});

it('R² of targets that do not vary is 1 when met and 0 else; one sample has none', async () => {
  const y = tensor([[5], [5]]);
  expect(await metrics.measure(metrics.rSquared(), y, y)).toBe(1);
  expect(await metrics.measure(metrics.rSquared(), tensor([[5], [6]]), y)).toBe(0);
  expect(await metrics.measure(metrics.rSquared(), tensor([[5]]), tensor([[5]]))).toBeNaN();
});

it('log loss of a wrong certainty is finite', async () => {
  const value = await metrics.measure(metrics.logLoss({ fromLogits: false }), tensor([[1, 0]]), int32([1]));
  expect(value).toBeCloseTo(23 * Math.LN2, 4);
});

it('a probability on the edge of bins belongs to the lower one', () => {
  const { bins } = metrics.reliability([0, 0.1, 0.3, 0.7, 1], [0, 0, 0, 1, 1], { bins: 10 });
  expect(bins.map((b) => b.count)).toEqual([2, 0, 1, 0, 0, 0, 1, 0, 0, 1]);
});
