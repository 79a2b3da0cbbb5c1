import { beforeEach, describe, expect, it, vi } from 'vitest';
import { compile, permutation, seed, type Tensor, take, tensor, valueAndGrad } from '../../src/core.js';
import { TensorDataset } from '../../src/data/index.js';
import { crossEntropy } from '../../src/losses/index.js';
import * as nn from '../../src/nn/index.js';
import * as optim from '../../src/optim/index.js';
import { Pace } from '../../src/train/chunks.js';
import { evaluate, type FitOptions, fit, type History, type RunEvent } from '../../src/train/index.js';
import { blobs, network, weights } from './helpers.js';

const OPTIONS: FitOptions = {
  loss: 'crossEntropy',
  optimizer: 'adam',
  metrics: ['accuracy'],
  epochs: 3,
  batchSize: 16,
};

beforeEach(() => {
  vi.restoreAllMocks();
  seed(1);
});

describe('fit', () => {
  it('learns, and says so in plain numbers', async () => {
    const data = blobs(300);
    const [train, validation] = data.split(0.8, { seed: 1 });
    const model = network();
    const optimizer = new optim.Adam({ lr: 0.01 });
    const history = await fit(model, train, { ...OPTIONS, optimizer, epochs: 10, validation });
    const last = history.epochs[9];
    expect(last.accuracy).toBeGreaterThan(0.97);
    expect(last.valAccuracy).toBeGreaterThan(0.95);
    expect(last.loss).toBeLessThan(history.epochs[0].loss / 4);
    expect(JSON.parse(JSON.stringify(history))).toEqual(history);
    expect(history).toMatchObject({ steps: 150, samples: 2400, stopped: 'done' });
    expect(history.samplesPerSecond).toBeCloseTo(history.samples / history.seconds, 6);
    expect(history.epochs.map((e) => e.epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const seconds = history.epochs.reduce((sum, e) => sum + e.seconds, 0);
    expect(seconds).toBeCloseTo(history.seconds, 6);
    const test = await evaluate(model, validation, OPTIONS_EVALUATE);
    expect(test.loss).toBe(last.valLoss);
    expect(test.accuracy).toBe(last.valAccuracy);
  });

  it('gives the same bits for the same seed and others for another', async () => {
    const train = async (s: number): Promise<unknown> => {
      seed(s);
      const model = new nn.Sequential(new nn.Linear(2, 8), new nn.Dropout(0.3), new nn.ReLU(), new nn.Linear(8, 3));
      const { epochs } = await fit(model, blobs(100), OPTIONS);
      return { losses: epochs.map((e) => e.loss), weights: await weights(model) };
    };
    const first = await train(5);
    expect(await train(5)).toEqual(first);
    expect(await train(6)).not.toEqual(first);
  });

  it('gives the same bits however steps are put together', async () => {
    const results: unknown[] = [];
    for (const k of [1, 2, 5, 1000, null]) {
      vi.restoreAllMocks();
      if (k !== null) vi.spyOn(Pace.prototype, 'next').mockReturnValue(k);
      seed(9);
      const model = new nn.Sequential(new nn.Linear(2, 8), new nn.Dropout(0.3), new nn.ReLU(), new nn.Linear(8, 3));
      const { epochs } = await fit(model, blobs(101), { ...OPTIONS, batchSize: 7 });
      results.push({ losses: epochs.map((e) => [e.loss, e.accuracy]), weights: await weights(model) });
    }
    for (const result of results) expect(result).toEqual(results[0]);
  });

  it('does what the three-line loop does, bit for bit, the smaller last batch included', async () => {
    const data = blobs(50);
    seed(3);
    const byFit = network();
    const history = await fit(byFit, data, { ...OPTIONS, epochs: 2 });

    seed(3);
    const byHand = network();
    const optimizer = new optim.Adam();
    const lossAndGrad = valueAndGrad(byHand, (x: Tensor, y: Tensor) => crossEntropy(byHand.forward(x), y));
    const step = compile((x: Tensor, y: Tensor) => {
      const [loss, grads] = lossAndGrad(x, y);
      optimizer.update(byHand, grads);
      return loss;
    });
    const losses: number[] = [];
    for (let epoch = 0; epoch < 2; epoch++) {
      const order = permutation(50);
      let sum = 0;
      for (let start = 0; start < 50; start += 16) {
        const index = tensor(order.slice(start, start + 16));
        sum += (await step(take(data.x, index), take(data.y, index)).item()) * index.shape[0];
      }
      losses.push(sum / 50);
    }
    expect(history.steps).toBe(8);
    expect(history.epochs.map((e) => e.loss)).toEqual(losses);
    expect(await weights(byFit)).toEqual(await weights(byHand));
  });

  it('takes x and y, float class numbers, and a batch that is the whole data set by default', async () => {
    const x = [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ];
    const optimizer = new optim.Adam({ lr: 0.05 });
    const model = new nn.Sequential(new nn.Linear(2, 16), new nn.Tanh(), new nn.Linear(16, 2));
    const options: FitOptions = { loss: 'crossEntropy', optimizer, metrics: ['accuracy'], epochs: 100 };
    const history = await fit(model, { x, y: [0, 1, 1, 0] }, options);
    expect(history.steps).toBe(100);
    expect(history.epochs[99].accuracy).toBe(1);
  });

  it('takes a loss of one’s own and other losses by name', async () => {
    const x = Array.from({ length: 32 }, (_, i) => [i / 32]);
    const y = x.map(([v]) => [2 * v - 1]);
    const absolute = (outputs: Tensor, targets: Tensor): Tensor => outputs.sub(targets).abs().mean();
    for (const loss of ['mse', absolute] as const) {
      const optimizer = new optim.Adam({ lr: 0.05 });
      const metrics = ['meanAbsoluteError'] as const;
      const { epochs } = await fit(
        new nn.Linear(1, 1),
        { x, y },
        { loss, optimizer, metrics, epochs: 120, batchSize: 8 },
      );
      expect(epochs[119].meanAbsoluteError).toBeLessThan(0.05);
    }
  });

  it('sets a share aside for validation', async () => {
    const history = await fit(network(), blobs(100), { ...OPTIONS, epochs: 1, validation: 0.2 });
    expect(history.samples).toBe(80);
    expect(history.epochs[0].valAccuracy).toBeGreaterThanOrEqual(0);
  });

  it('trains in training mode, evaluates in evaluation mode, and gives each module its own back', async () => {
    const seen: boolean[] = [];
    class Spy extends nn.Module {
      forward(x: Tensor): Tensor {
        seen.push(this.training);
        return x;
      }
    }
    const model = new nn.Sequential(new Spy(), new nn.Linear(2, 8), new nn.Dropout(0.5), new nn.Linear(8, 3));
    model.eval();
    model[2].train();
    await fit(model, blobs(60), { ...OPTIONS, epochs: 2, batchSize: 20, validation: blobs(30) });
    expect(seen).toEqual([true, false]); // one trace of each, though the model ran many times
    expect(model.modules().map((m) => m.training)).toEqual([false, false, false, true, false]);
    await expect(fit(model, { x: [[1, 2]], y: Int32Array.of(7) }, OPTIONS_ONE)).rejects.toThrow(/label 7/);
    expect(model.modules().map((m) => m.training)).toEqual([false, false, false, true, false]);
  });

  it('leaves the event loop free', async () => {
    const model = new nn.Sequential(
      new nn.Linear(2, 256),
      new nn.ReLU(),
      new nn.Linear(256, 256),
      new nn.ReLU(),
      new nn.Linear(256, 3),
    );
    const run = fit(model, blobs(6000), { ...OPTIONS, epochs: 2, batchSize: 60 });
    let ticks = 0;
    const timer = setInterval(() => {
      ticks++;
    }, 1);
    const { seconds } = await run;
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(seconds * 50); // a held loop gives a handful, one for each chunk
  });
});

const OPTIONS_EVALUATE = { loss: 'crossEntropy', metrics: ['accuracy'] } as const;
const OPTIONS_ONE: FitOptions = { loss: 'crossEntropy', optimizer: 'sgd' };

describe('a run', () => {
  it('gives events in order, counted as documented', async () => {
    const events: RunEvent[] = [];
    vi.spyOn(Pace.prototype, 'next').mockReturnValue(2);
    const run = fit(network(), blobs(70), { ...OPTIONS, epochs: 2, validation: blobs(9) });
    for await (const event of run) events.push(event);
    // 70 samples in batches of 16: two chunks of two steps, then the batch of 6.
    expect(events.map((e) => (e.type === 'progress' ? e.step : e.type))).toEqual([
      'start',
      2,
      4,
      5,
      'epoch',
      2,
      4,
      5,
      'epoch',
      'end',
    ]);
    expect(events[0]).toEqual({ type: 'start', epochs: 2, stepsPerEpoch: 5, batchSize: 16, samples: 70 });
    const history = await run;
    expect(events.at(-1)).toEqual({ type: 'end', history });
    expect(events.flatMap((e) => (e.type === 'epoch' ? [e.record] : []))).toEqual(history.epochs);
    const lastProgress = events[3];
    expect(lastProgress.type === 'progress' && lastProgress.figures.loss).toBe(history.epochs[0].loss);
  });

  it('calls onProgress and onEpoch, and waits for the latter', async () => {
    const calls: string[] = [];
    await fit(network(), blobs(32), {
      ...OPTIONS,
      epochs: 2,
      onProgress: (e) => calls.push(`step ${e.step}`),
      onEpoch: async ({ epoch }) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        calls.push(`epoch ${epoch}`);
      },
    });
    expect(calls.filter((c) => c.startsWith('epoch'))).toEqual(['epoch 1', 'epoch 2']);
    expect(calls.indexOf('epoch 1')).toBeLessThan(calls.lastIndexOf('step 2'));
    expect(calls.at(-1)).toBe('epoch 2');
  });

  it('ends with the error of a callback', async () => {
    const onEpoch = (): never => {
      throw new Error('from the callback');
    };
    await expect(fit(network(), blobs(32), { ...OPTIONS, onEpoch })).rejects.toThrow('from the callback');
  });

  it('stops at a signal between steps and changes nothing afterwards', async () => {
    const controller = new AbortController();
    const model = network();
    const history = await fit(model, blobs(2000), {
      ...OPTIONS,
      epochs: 1e6,
      batchSize: 4,
      signal: controller.signal,
      onProgress: ({ epoch }) => {
        if (epoch === 3) controller.abort();
      },
    });
    expect(history.stopped).toBe('aborted');
    // Two epochs, and the third when the steps in flight were its last.
    expect(history.steps).toBeGreaterThan(1000);
    expect(history.steps).toBeLessThanOrEqual(1500);
    expect(history.epochs).toHaveLength(Math.floor(history.steps / 500));
    const before = await weights(model);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(await weights(model)).toEqual(before);
  });

  it('does nothing under an aborted signal', async () => {
    const model = network();
    const before = await weights(model);
    const history = await fit(model, blobs(32), { ...OPTIONS, signal: AbortSignal.abort() });
    expect(history).toEqual({ epochs: [], steps: 0, samples: 0, seconds: 0, samplesPerSecond: 0, stopped: 'aborted' });
    expect(await weights(model)).toEqual(before);
  });

  it('stops at break, in the first epoch too', async () => {
    const run = fit(network(), blobs(2000), { ...OPTIONS, epochs: 1e6, batchSize: 4 });
    for await (const event of run) if (event.type === 'progress') break;
    const history: History = await run;
    expect(history.stopped).toBe('aborted');
    expect(history.steps).toBeLessThan(1e6);
  });

  it('does not train a model twice at a time, but again afterwards', async () => {
    const model = network();
    const first = fit(model, blobs(200), OPTIONS);
    expect(() => fit(model, blobs(200), OPTIONS)).toThrow(/being trained by another run/);
    await first;
    expect((await fit(model, blobs(200), OPTIONS)).stopped).toBe('done');
  });

  it('writes one line an epoch to a stream that is no terminal', async () => {
    const lines: string[] = [];
    await fit(network(), blobs(64), { ...OPTIONS, epochs: 2, progress: { write: (text) => lines.push(text) } });
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(
      /^epoch 2\/2 {2}loss \d\.\d{4} {2}accuracy \d\.\d{4} {2}[\d,]+ samples\/s {2}\d+\.\d s\n$/,
    );
  });
});

describe('fit refuses', () => {
  const data = new TensorDataset(
    [
      [1, 2],
      [3, 4],
    ],
    Int32Array.of(0, 1),
  );
  it.each<[string, object, RegExp]>([
    ['an unknown option', { epoch: 3 }, /fit: unknown option "epoch".*Did you mean "epochs"\?/],
    ['an unknown loss', { loss: 'crossEntrop' }, /no loss is called "crossEntrop".*Did you mean "crossEntropy"\?/],
    ['no loss', { loss: undefined }, /fit: loss is undefined, expected a name/],
    ['an unknown optimizer', { optimizer: 'adem' }, /no optimizer is called "adem".*Did you mean "adam"\?/],
    ['an optimizer class', { optimizer: optim.Adam }, /write new, as in new optim\.Adam/],
    ['an unknown metric', { metrics: ['acuracy'] }, /no metric is called "acuracy".*Did you mean "accuracy"\?/],
    ['a metric twice', { metrics: ['accuracy', 'accuracy'] }, /two figures are called "accuracy"/],
    ['no epochs', { epochs: 0 }, /fit: epochs is 0, expected a whole number >= 1/],
    ['half an epoch', { epochs: 0.5 }, /fit: epochs is 0\.5/],
    [
      'a batch that is too large',
      { batchSize: 3 },
      /batchSize 3 is larger than the data set of 2 samples; use 2 or less/,
    ],
    ['a share of 1', { validation: 1 }, /validation is 1, expected a share in \(0, 1\)/],
    ['epochs as text', { epochs: '3' }, /fit: epochs is "3", expected a whole number >= 1/],
    ['metrics that are no list', { metrics: 'accuracy' }, /fit: metrics is "accuracy", expected a list such as \['acc/],
    ['an optimizer without new', { optimizer: optim.Adam }, /optimizer is the function or class Adam, .*write new/],
    ['a signal that is none', { signal: {} }, /signal is no AbortSignal/],
  ])('%s', (_name, options, message) => {
    expect(() => fit(network(), data, { ...OPTIONS_ONE, ...options } as FitOptions)).toThrow(message);
  });

  it('what is no model, and what is no data', () => {
    expect(() => fit(nn.ReLU as never, data, OPTIONS_ONE)).toThrow(/the function or class ReLU as model.*write new/);
    expect(() => fit(network(), [[1, 2]] as never, OPTIONS_ONE)).toThrow(
      /got an array of 1 as data, expected a TensorDataset/,
    );
  });

  it('a loss that is no scalar, and shapes that do not fit, by rejecting', async () => {
    const loss = (outputs: Tensor): Tensor => outputs;
    await expect(fit(network(), data, { ...OPTIONS_ONE, loss })).rejects.toThrow(
      /the loss has shape \[2,3\], expected a scalar/,
    );
    await expect(fit(new nn.Linear(3, 3), data, OPTIONS_ONE)).rejects.toThrow(
      /Linear.*got \[2, 2\], expected last dimension 3/,
    );
  });
});
