import { beforeEach, describe, expect, it, vi } from 'vitest';
import { seed, type Tensor, tensor } from '../../src/core.js';
import { TensorDataset } from '../../src/data/index.js';
import { crossEntropy, mse } from '../../src/losses/index.js';
import * as nn from '../../src/nn/index.js';
import * as optim from '../../src/optim/index.js';
import { type Callback, callbacks, evaluate, type FitOptions, fit, predict } from '../../src/train/index.js';
import { blobs, network, weights } from './helpers.js';

const OPTIONS: FitOptions = { loss: 'crossEntropy', optimizer: 'sgd', epochs: 2, batchSize: 8, shuffle: false };

beforeEach(() => {
  vi.restoreAllMocks();
  seed(1);
});

/** All parameters after a fit from the same start. */
async function fitted(options: Partial<FitOptions>, data: TensorDataset = blobs(40)): Promise<number[]> {
  seed(3);
  const model = network();
  await fit(model, data, { ...OPTIONS, optimizer: new optim.SGD({ lr: 0.1 }), ...options });
  return Object.values(await weights(model)).flat();
}

function expectClose(got: readonly number[], expected: readonly number[], roundings: number): void {
  expect(got).toHaveLength(expected.length);
  // Weights, gradients and sums of a few samples are of the order of 1.
  got.forEach((v, i) => {
    expect(Math.abs(v - expected[i])).toBeLessThanOrEqual(roundings * 2 ** -24);
  });
}

describe('accumulate', () => {
  it('is as one large batch, at the ragged end of an epoch too', async () => {
    // 40 samples: 8·3 and 16; 37: 8·3 and 8 + 5.
    for (const n of [40, 37]) {
      const large = await fitted({ batchSize: 24 }, blobs(n));
      const small = await fitted({ batchSize: 8, accumulate: 3 }, blobs(n));
      // Sums of 24 gradients of the order of 1 in another order, four updates.
      expectClose(small, large, 4 * 24);
      expect(small).not.toEqual(await fitted({ batchSize: 8 }, blobs(n)));
    }
  });

  it('counts updates as steps and all samples in the figures', async () => {
    const seen: number[] = [];
    const history = await fit(network(), blobs(37), {
      ...OPTIONS,
      accumulate: 3,
      metrics: ['accuracy'],
      callbacks: [{ name: 'spy', onStep: ({ loss }) => void seen.push(loss) }],
    });
    expect(history).toMatchObject({ steps: 4, samples: 74 });
    expect((seen[0] * 24 + seen[1] * 13) / 37).toBeCloseTo(history.epochs[0].loss, 12);
  });

  it('changes nothing when a batch of a group is bad', async () => {
    const data = blobs(32);
    const y = (await data.y.data()).slice();
    y[20] = 9;
    seed(3);
    const model = network();
    const before = await weights(model);
    const run = fit(model, new TensorDataset(data.x, y), { ...OPTIONS, accumulate: 4 });
    await expect(run).rejects.toThrow(/label 9 of sample 20 is out of range at epoch 1, step 1/);
    expect(await weights(model)).toEqual(before);
  });
});

describe('clipping', () => {
  it('is what the optimizer does with its own limits', async () => {
    for (const limit of [{ clipNorm: 0.05 }, { clipValue: 0.01 }, { clipNorm: 0.05, clipValue: 0.01 }]) {
      const byFit = await fitted(limit);
      const byOptimizer = await fitted({ optimizer: new optim.SGD({ lr: 0.1, ...limit }) });
      expectClose(byFit, byOptimizer, 20);
      expect(byFit).not.toEqual(await fitted({}));
    }
    expect(() => fit(network(), blobs(8), { ...OPTIONS, clipNorm: 0 })).toThrow(/clipNorm is 0, expected a finite/);
    expect(() => fit(network(), blobs(8), { ...OPTIONS, clipValue: Number.NaN })).toThrow(/clipValue is NaN/);
  });
});

describe('weights', () => {
  it('of 0 leave samples out, of 2 count them twice', async () => {
    const data = blobs(24);
    const weight = Array.from({ length: 24 }, (_, i) => [0, 1, 2][i % 3]);
    const rows = weight.flatMap((w, i) => new Array(w).fill(i));
    const weighted = await fitted({ batchSize: 24, sampleWeight: weight }, data);
    const repeated = await fitted({ batchSize: 24 }, data.subset(rows));
    expectClose(weighted, repeated, 4 * 24);
  });

  it('of classes are weights of samples, and balanced ones make rare classes count', async () => {
    const data = blobs(24);
    const perClass = await fitted({ classWeight: [1, 2, 4] }, data);
    const labels = await data.y.data();
    const perSample = await fitted({ sampleWeight: Array.from(labels, (c) => [1, 2, 4][c]) }, data);
    expect(perClass).toEqual(perSample);
    const uneven = data.subset([0, 1, 2, 3, 6, 9, 12, 15]);
    const balanced = await fitted({ classWeight: 'balanced' }, uneven);
    expect(balanced).toEqual(await fitted({ classWeight: [8 / 18, 8 / 3, 8 / 3] }, uneven));
  });

  it('weigh the figures of fit and evaluate', async () => {
    const data = blobs(20);
    const weight = Float32Array.from({ length: 20 }, (_, i) => i % 4);
    const model = network();
    const losses = await crossEntropy(model.forward(data.x), data.y, { reduction: 'none' }).data();
    let sum = 0;
    let total = 0;
    losses.forEach((l, i) => {
      sum += l * weight[i];
      total += weight[i];
    });
    const figures = await evaluate(model, { x: data.x, y: data.y, weight }, { loss: 'crossEntropy', batchSize: 7 });
    expect(Math.abs(figures.loss - sum / total)).toBeLessThanOrEqual(16 * 2 ** -24 * figures.loss);
  });

  it('reach a loss of one’s own, which must use them', async () => {
    const weight = [1, 2, 3, 4, 5, 6, 7, 8];
    const data = { x: blobs(8).x, y: blobs(8).x, weight };
    const model = new nn.Linear(2, 2);
    const options = { optimizer: 'sgd', batchSize: 4 } as const;
    await fit(model, data, { ...options, loss: (o, t, given) => mse(o, t, given) });
    await expect(fit(model, data, { ...options, loss: (o, t) => mse(o, t) })).rejects.toThrow(
      /there are sample weights and the loss function does not use them/,
    );
  });

  it.each<[string, Partial<FitOptions>, RegExp]>([
    ['too few', { sampleWeight: [1, 2] }, /got 2 sample weights for 8 samples/],
    ['a negative one', { sampleWeight: [1, 1, 1, -1, 1, 1, 1, 1] }, /weight of sample 3 is -1/],
    ['NaN', { sampleWeight: new Float32Array(8).fill(Number.NaN) }, /weight of sample 0 is NaN/],
  ])('refuses %s', (_name, options, message) => {
    expect(() => fit(network(), blobs(8), { ...OPTIONS, ...options })).toThrow(message);
  });

  it('refuses class weights that do not fit', async () => {
    await expect(fit(network(), blobs(8), { ...OPTIONS, classWeight: [1, -1, 1] })).rejects.toThrow(/-1 for class 1/);
    await expect(fit(network(), blobs(8), { ...OPTIONS, classWeight: [] })).rejects.toThrow(/classWeight is empty/);
    await expect(fit(network(), blobs(8), { ...OPTIONS, classWeight: [1, 2] })).rejects.toThrow(/2/);
    const y = blobs(8).x;
    await expect(fit(new nn.Linear(2, 2), { x: y, y }, { ...OPTIONS, loss: 'mse', classWeight: [1] })).rejects.toThrow(
      /classWeight needs one class number a sample as targets, got float32 \[8,2\]/,
    );
  });
});

/** Two inputs, two outputs. */
class Fork extends nn.Module<[a: Tensor, b: Tensor], { sum: Tensor; kind: Tensor }> {
  left = new nn.Linear(2, 4);
  right = new nn.Linear(3, 4);
  sum = new nn.Linear(4, 1);
  kind = new nn.Linear(4, 3);
  forward(a: Tensor, b: Tensor) {
    const h = this.left.forward(a).add(this.right.forward(b)).tanh();
    return { sum: this.sum.forward(h), kind: this.kind.forward(h) };
  }
}

describe('several inputs and outputs', () => {
  const a = blobs(30).x;
  const b = tensor(
    Float32Array.from({ length: 90 }, (_, i) => Math.sin(i)),
    { shape: [30, 3] },
  );
  const y = {
    sum: tensor(
      Float32Array.from({ length: 30 }, (_, i) => Math.cos(i)),
      { shape: [30, 1] },
    ),
    kind: blobs(30).y,
  };

  it('train on the weighted sum of their losses, with figures for each', async () => {
    const model = new Fork();
    const history = await fit(
      model,
      { x: [a, b], y },
      {
        loss: { sum: 'mse', kind: 'crossEntropy' },
        lossWeights: { sum: 0.5 },
        metrics: { kind: ['accuracy'] },
        optimizer: new optim.Adam({ lr: 0.05 }),
        epochs: 30,
        batchSize: 7,
        validation: 0.2,
      },
    );
    const [first] = history.epochs;
    const last = history.epochs[29];
    expect(Object.keys(first)).toEqual(
      expect.arrayContaining(['loss', 'sumLoss', 'kindLoss', 'kindAccuracy', 'valKindLoss']),
    );
    expect(first.loss).toBeCloseTo(0.5 * first.sumLoss + first.kindLoss, 5);
    expect(last.loss).toBeLessThan(first.loss / 2);
    const figures = await evaluate(model, { x: [a, b], y }, { loss: { sum: 'mse', kind: 'crossEntropy' } });
    expect(figures.loss).toBeCloseTo(figures.sumLoss + figures.kindLoss, 5);
    const out = await predict(model, [a, b], { batchSize: 7 });
    expect([out.sum.shape, out.kind.shape]).toEqual([
      [30, 1],
      [30, 3],
    ]);
    expect(await mse(out.sum, y.sum).item()).toBeCloseTo(figures.sumLoss, 5);
  });

  it('take a function of all outputs, and a record of inputs as one argument', async () => {
    class Named extends nn.Module<[x: { a: Tensor; b: Tensor }], Tensor> {
      inner = new nn.Linear(2, 1);
      forward(x: { a: Tensor; b: Tensor }): Tensor {
        return this.inner.forward(x.a).add(x.b.mean({ axis: 1, keepDims: true }));
      }
    }
    const named = new Named();
    await fit(named, { x: { a, b }, y: y.sum }, { loss: 'mse', optimizer: 'sgd' });
    expect((await predict(named, { a, b })).shape).toEqual([30, 1]);
    const loss = (o: { sum: Tensor; kind: Tensor }, t: { sum: Tensor; kind: Tensor }): Tensor =>
      mse(o.sum, t.sum).add(crossEntropy(o.kind, t.kind));
    const { epochs } = await fit(new Fork(), { x: [a, b], y }, { loss, optimizer: 'adam', epochs: 2 });
    expect(epochs[1].loss).toBeLessThan(epochs[0].loss);
  });

  it('several losses of one output are added up', async () => {
    const options = { optimizer: 'sgd', epochs: 1, batchSize: 30 } as const;
    const data = { x: a, y: a };
    const { epochs } = await fit(new nn.Linear(2, 2), data, {
      ...options,
      loss: ['mse', 'mae'],
      lossWeights: [1, 0.1],
    });
    expect(epochs[0].loss).toBeCloseTo(epochs[0].loss0 + 0.1 * epochs[0].loss1, 5);
  });

  it('a bad label is named without its sample, NaN with it', async () => {
    const kind = Int32Array.from({ length: 30 }, (_, i) => (i === 3 ? 8 : 0));
    const options = { loss: { sum: 'mse', kind: 'crossEntropy' }, optimizer: 'sgd', shuffle: false } as const;
    await expect(fit(new Fork(), { x: [a, b], y: { ...y, kind } }, options)).rejects.toThrow(/label 8 is out of range/);
    const sum = tensor(
      Float32Array.from({ length: 30 }, (_, i) => (i === 5 ? Number.NaN : 0)),
      { shape: [30, 1] },
    );
    await expect(fit(new Fork(), { x: [a, b], y: { ...y, sum } }, options)).rejects.toThrow(/y of sample 5 has NaN/);
  });

  it.each<[string, object, RegExp]>([
    [
      'an output that is not there',
      { loss: { summ: 'mse' } },
      /is for output "summ", the outputs have sum, kind.*mean "sum"/,
    ],
    ['one loss for several outputs', { loss: 'mse' }, /takes one output, the model has several \(sum, kind\)/],
    ['a metric for several outputs', { loss: { sum: 'mse' }, metrics: ['accuracy'] }, /give metrics as a record/],
  ])('refuses %s', async (_name, options, message) => {
    await expect(fit(new Fork(), { x: [a, b], y }, { optimizer: 'sgd', ...options } as never)).rejects.toThrow(message);
  });

  it('refuses what makes no sense at once', () => {
    const run = (data: object, options: object) => () =>
      fit(new Fork(), data as never, { optimizer: 'sgd', loss: { sum: 'mse' }, ...options } as never);
    expect(run({ x: [a, b], y }, { lossWeights: { kind: 1 } })).toThrow(/lossWeights has "kind", the losses are sum/);
    expect(run({ x: [a, b], y }, { loss: 'mse', lossWeights: [1] })).toThrow(/lossWeights need several losses/);
    expect(run({ x: [a, b], y }, { loss: {} })).toThrow(/loss is empty/);
    expect(run({ x: [a, b], y }, { lossWeights: { sum: Number.NaN } })).toThrow(/loss weight sum is NaN/);
    expect(run({ x: [a, blobs(29).x], y }, {})).toThrow(/x and y have 30, 29, 30, 30 samples/);
    expect(run({ x: {}, y }, {})).toThrow(/fit: x is an empty record/);
    expect(run({ x: [a, tensor(1)], y }, {})).toThrow(/x\[1\] is a scalar/);
  });
});

describe('epochs', () => {
  it('of stepsPerEpoch go on through the data', async () => {
    const data = blobs(40);
    const plain = await fitted({ epochs: 4, shuffle: true }, data);
    const cut = await fitted({ epochs: 10, stepsPerEpoch: 2, shuffle: true }, data);
    expect(cut).toEqual(plain);
    const { epochs, steps } = await fit(network(), data, { ...OPTIONS, epochs: 3, stepsPerEpoch: 7 });
    expect([epochs.length, steps]).toEqual([3, 21]);
  });

  it('are validated every so many, and at the end', async () => {
    const { epochs } = await fit(network(), blobs(40), { ...OPTIONS, epochs: 5, validation: 0.2, validationEvery: 2 });
    expect(epochs.map((e) => 'valLoss' in e)).toEqual([false, true, false, true, true]);
  });
});

describe('ema', () => {
  it('averages after each step, and validates the averages', async () => {
    const data = blobs(40);
    const model = network();
    const ema = new optim.EMA(model, { decay: 0.8 });
    const expected = new Map<string, Float64Array>();
    let steps = 0;
    const follow: Callback = {
      name: 'follow',
      onStep: async () => {
        steps++;
        for (const [path, w] of Object.entries(await weights(model))) {
          const a = expected.get(path) ?? Float64Array.from(w);
          expected.set(path, a);
          if (steps > 1) for (const [i, v] of w.entries()) a[i] += 0.2 * (v - a[i]);
        }
      },
    };
    const options: FitOptions = { ...OPTIONS, optimizer: new optim.SGD({ lr: 0.2 }), ema, callbacks: [follow] };
    const history = await fit(model, data, { ...options, validation: blobs(9) });
    const trained = await evaluate(model, blobs(9), { loss: 'crossEntropy' });
    ema.copyTo();
    const averaged = await evaluate(model, blobs(9), { loss: 'crossEntropy' });
    expect(history.epochs[1].valLoss).toBe(averaged.loss);
    expect(history.epochs[1].valLoss).not.toBe(trained.loss);
    for (const [path, w] of Object.entries(await weights(model))) {
      // Ten averages of numbers below 2, three roundings each.
      expectClose(w, Array.from(expected.get(path) as Float64Array), 2 * 3 * 10);
    }
  });

  it('is what restoreBest restores, since validation looked at it', async () => {
    const model = network();
    const early = new callbacks.EarlyStopping({ patience: 9, restoreBest: true });
    const options = { ...OPTIONS, optimizer: new optim.SGD({ lr: 0.2 }), callbacks: [early] };
    const ema = new optim.EMA(model, { decay: 0.8 });
    await fit(model, blobs(40), { ...options, epochs: 3, ema, validation: blobs(9) });
    const restored = await evaluate(model, blobs(9), { loss: 'crossEntropy' });
    expect(restored.loss).toBe(early.best);
  });

  it('must be an EMA', () => {
    expect(() => fit(network(), blobs(8), { ...OPTIONS, ema: 0.9 as never })).toThrow(
      /ema is 0\.9, expected new optim\.EMA/,
    );
  });
});

it('warns of an activation that the loss applies again', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const model = new nn.Sequential(new nn.Linear(2, 3), new nn.Softmax());
  await fit(model, blobs(16), OPTIONS);
  expect(warn).toHaveBeenCalledOnce();
  expect(warn.mock.calls[0][0]).toMatch(/ends in softmax and the loss "crossEntropy" applies it again/);
  warn.mockClear();
  const binary = new nn.Sequential(new nn.Linear(2, 1), new nn.Sigmoid());
  const y = Array.from({ length: 16 }, (_, i) => [i % 2]);
  await evaluate(binary, { x: blobs(16).x, y }, { loss: 'binaryCrossEntropy' });
  expect(warn.mock.calls[0][0]).toMatch(/ends in sigmoid/);
  warn.mockClear();
  await fit(network(), blobs(16), OPTIONS);
  expect(warn).not.toHaveBeenCalled();
});
