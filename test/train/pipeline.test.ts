import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { seed, type Tensor, tensor } from '../../src/core.js';
import { type Batch, Pipeline, type TensorDataset } from '../../src/data/index.js';
import * as nn from '../../src/nn/index.js';
import { callbacks, evaluate, type FitOptions, fit, predict } from '../../src/train/index.js';
import { blobs, network, weights } from './helpers.js';

const OPTIONS: FitOptions = { loss: 'crossEntropy', optimizer: 'adam', metrics: ['accuracy'], epochs: 2 };
const scratch = mkdtempSync(join(tmpdir(), 'neurite-pipeline-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

beforeEach(() => seed(1));

function dropped(): nn.Sequential {
  return new nn.Sequential(new nn.Linear(2, 16), new nn.ReLU(), new nn.Dropout(0.2), new nn.Linear(16, 3));
}

const batches = (data: TensorDataset, size = 8): Pipeline<Batch> => Pipeline.from(data).batch(size);

describe('fit on a pipeline', () => {
  it('gives the bits of the same batches in memory', async () => {
    for (const more of [{}, { accumulate: 3 }]) {
      const data = blobs(45);
      const history = [];
      const parameters = [];
      for (const source of [data, batches(data), batches(data).prefetch(2)]) {
        seed(4);
        const model = dropped();
        const own = source === data ? { batchSize: 8, shuffle: false } : {};
        const { epochs, steps, samples } = await fit(model, source, { ...OPTIONS, ...own, ...more });
        history.push([steps, samples, epochs.map((e) => [e.loss, e.accuracy])]);
        parameters.push(await weights(model));
      }
      expect(history[1]).toEqual(history[0]);
      expect(parameters[1]).toEqual(parameters[0]);
      expect(history[2]).toEqual(history[0]);
      expect(parameters[2]).toEqual(parameters[0]);
    }
  });

  it('takes another order each epoch, and pipelines that do not know their length', async () => {
    const seen: string[] = [];
    const pipeline = Pipeline.from(blobs(24))
      .shuffle({ buffer: 24, seed: 3 })
      .filter(() => true)
      .batch(6)
      .map(async (batch) => {
        seen.push(String(await batch.y.data()));
        return batch;
      });
    expect(pipeline.length).toBeNull();
    const run = fit(network(), pipeline, { ...OPTIONS, validation: batches(blobs(9)) });
    for await (const event of run) {
      if (event.type === 'start')
        expect([event.stepsPerEpoch, event.samples, event.batchSize]).toEqual([null, null, null]);
      if (event.type === 'progress') expect(event.secondsLeft).toBeNull();
    }
    const { epochs, steps } = await run;
    expect([steps, epochs.length]).toEqual([8, 2]);
    expect(epochs[1].valLoss).toBeGreaterThan(0);
    expect(seen.slice(0, 4)).not.toEqual(seen.slice(4));
  });

  it('goes on over its end with stepsPerEpoch', async () => {
    const { epochs, steps } = await fit(network(), batches(blobs(24)), { ...OPTIONS, epochs: 3, stepsPerEpoch: 5 });
    expect([epochs.length, steps]).toEqual([3, 15]);
    const endless = await fit(network(), batches(blobs(24)).repeat(), { ...OPTIONS, epochs: 2, stepsPerEpoch: 5 });
    expect(endless.steps).toBe(10);
  });

  it('resumes in the middle of an epoch, bit for bit', async () => {
    const pipeline = (): Pipeline<Batch> =>
      Pipeline.from(blobs(45)).shuffle({ buffer: 20, seed: 3 }).batch(6).prefetch(2);
    const begin = () => {
      seed(2);
      return dropped();
    };
    const whole = begin();
    const history = await fit(whole, pipeline(), { ...OPTIONS, epochs: 3 });
    const directory = join(scratch, 'resume');
    const crash = {
      name: 'crash',
      onStep: ({ totalSteps }: { totalSteps: number }) => {
        if (totalSteps === 14) throw new Error('crashed');
      },
    };
    const save = new callbacks.Checkpoint({ directory, everySteps: 5 });
    const options: FitOptions = { ...OPTIONS, epochs: 3 };
    await expect(fit(begin(), pipeline(), { ...options, callbacks: [save, crash] })).rejects.toThrow('crashed');
    const model = begin();
    const resumed = await fit(model, pipeline(), { ...options, resume: directory });
    expect(await weights(model)).toEqual(await weights(whole));
    expect(resumed.epochs.map((e) => [e.loss, e.accuracy])).toEqual(history.epochs.map((e) => [e.loss, e.accuracy]));
  });

  it('asks for no more batches than it can run, and closes what it leaves', async () => {
    let made = 0;
    let closed = false;
    async function* source() {
      try {
        for (;;) {
          made++;
          yield { x: tensor([[1, 2]]), y: tensor(Int32Array.of(0)) };
        }
      } finally {
        closed = true;
      }
    }
    const pipeline = Pipeline.from(() => source());
    const stop = {
      name: 'stop',
      onStep: ({ totalSteps }: { totalSteps: number }, run: { stop(reason: string): void }) => {
        if (totalSteps === 20) run.stop('enough');
      },
    };
    const history = await fit(network(), pipeline, { ...OPTIONS, callbacks: [stop] });
    expect([history.steps, made, closed]).toEqual([20, 20, true]);
  });

  it('takes weights, and class numbers as floats', async () => {
    const rows = Array.from({ length: 12 }, (_, i) => ({ x: [i, 1], y: i % 3, weight: i % 2 }));
    const pipeline = Pipeline.from(rows).batch(4);
    const { epochs } = await fit(network(), pipeline, { ...OPTIONS, optimizer: 'sgd' });
    expect(epochs[0].loss).toBeGreaterThan(0);
    const half = Pipeline.from([{ x: [1, 2], y: 0.5 }]).batch(1);
    await expect(fit(network(), half, OPTIONS)).rejects.toThrow(/whole class numbers, y of sample 0 is 0\.5/);
  });

  it.each<[string, Pipeline<unknown>, RegExp]>([
    ['no batches', Pipeline.from([]), /the pipeline gave no batch/],
    ['no targets', Pipeline.from([{ x: [1, 2] }]).batch(1), /batch 1 is a Object, expected \{ x, y \}/],
    ['elements that are none', Pipeline.from([1, 2]), /batch 1 is 1, expected \{ x, y \} of tensors/],
    ['no tensors', Pipeline.from([{ x: [1, 2], y: 1 }]), /a batch holds a number, expected tensors/],
    [
      'lengths that differ',
      Pipeline.from([{ x: tensor([[1, 2]]), y: tensor(Int32Array.of(0, 1)) }]),
      /batch 1 has tensors \[\[1,2\], \[2\]\], expected the same number of samples/,
    ],
    [
      'forms that change',
      Pipeline.from<unknown>([
        { x: tensor([[1, 2]]), y: tensor(Int32Array.of(0)) },
        { x: [tensor([[1, 2]])], y: tensor(Int32Array.of(0)) },
      ]),
      /the form \{ x: \[tensor\], y: tensor \}, the first had \{ x: tensor, y: tensor \}/,
    ],
    [
      'a bad label',
      Pipeline.from([0, 1, 2, 3].map((y) => ({ x: [1, 2], y }))).batch(2),
      /label 3 of sample 1 of batch 2/,
    ],
    [
      'NaN',
      Pipeline.from([1, Number.NaN].map((v) => ({ x: [v, 2], y: 0 }))).batch(1),
      /at epoch 1, step 2: x of sample 0 of batch 2 has NaN at element 0/,
    ],
  ])('refuses %s', async (_name, pipeline, message) => {
    await expect(fit(network(), pipeline as Pipeline<Batch>, OPTIONS)).rejects.toThrow(message);
  });

  it('refuses options that only data in memory can have', () => {
    const run = (more: Partial<FitOptions>) => () => fit(network(), batches(blobs(8)), { ...OPTIONS, ...more });
    expect(run({ batchSize: 4 })).toThrow(/is a pipeline, which has no option batchSize; use pipeline\.batch/);
    expect(run({ shuffle: true })).toThrow(/no option shuffle/);
    expect(run({ sampleWeight: [1] })).toThrow(/no option sampleWeight/);
    expect(run({ validation: 0.1 })).toThrow(/validation is a share and the data a pipeline/);
  });
});

describe('evaluate and predict', () => {
  it('give on a pipeline what they give in memory', async () => {
    const model = dropped();
    const data = blobs(37);
    const options = { loss: 'crossEntropy', metrics: ['accuracy'] } as const;
    const figures = await evaluate(model, data, { ...options, batchSize: 8 });
    expect(await evaluate(model, batches(data), options)).toEqual(figures);
    const whole = await (await predict(model, data, { batchSize: 8 })).data();
    expect(await (await predict(model, batches(data))).data()).toEqual(whole);
    const inputs = Pipeline.from(data)
      .map(({ x }) => x)
      .batch(8);
    expect(await (await predict(model, inputs)).data()).toEqual(whole);
    await expect(predict(model, Pipeline.from([]))).rejects.toThrow(/the pipeline gave no batch/);
  });

  it('predict streams batch by batch, no faster than asked', async () => {
    const model = dropped();
    const data = blobs(37);
    const whole = await (await predict(model, data, { batchSize: 8 })).data();
    for (const source of [data, batches(data)]) {
      const parts: Tensor[] = [];
      const options = source === data ? { batchSize: 8 } : {};
      for await (const part of predict(model, source, options)) parts.push(part);
      expect(parts.map((p) => p.shape)).toEqual([
        [8, 3],
        [8, 3],
        [8, 3],
        [8, 3],
        [5, 3],
      ]);
      const values = await Promise.all(parts.map((p) => p.data()));
      expect(values.flatMap((v) => [...v])).toEqual([...whole]);
    }
    let made = 0;
    let closed = false;
    function* endless() {
      try {
        for (;;) yield tensor([[made++, 1]]);
      } finally {
        closed = true;
      }
    }
    let taken = 0;
    for await (const _ of predict(
      model,
      Pipeline.from(() => endless()),
    ))
      if (++taken === 5) break;
    expect(closed).toBe(true);
    expect(made).toBeLessThanOrEqual(7);
  });

  it('predict is a promise that reports its errors, and an iterable that is read once', async () => {
    await expect(predict(new nn.Linear(3, 1), blobs(4))).rejects.toThrow(/expected last dimension 3/);
    expect(await predict({} as never, blobs(4)).catch((e: unknown) => (e as Error).message)).toMatch(
      /got a Object as model/,
    );
    const prediction = predict(network(), blobs(4));
    expect((await prediction.finally(() => {})).shape).toEqual([4, 3]);
    const iterated = predict(network(), blobs(4));
    for await (const _ of iterated) break;
    expect(() => iterated[Symbol.asyncIterator]()).toThrow(/can be read once/);
  });

  it('predict and evaluate work while fit runs, on parameters of one moment, and change no bit of it', async () => {
    const options: FitOptions = { ...OPTIONS, epochs: 40, batchSize: 4, shuffle: false };
    seed(6);
    const alone = dropped();
    await fit(alone, blobs(60), options);
    seed(6);
    const model = dropped();
    // The output of a row is the same in every batch, so one moment gives one row.
    const same = tensor(new Float32Array(2 * 600).fill(0.5), { shape: [600, 2] });
    const run = fit(model, blobs(60), options);
    let running = true;
    void run.then(() => {
      running = false;
    });
    const seen = new Set<string>();
    while (running) {
      const out = await (await predict(model, same, { batchSize: 7 })).data();
      const rows = new Set(Array.from({ length: 595 }, (_, i) => String(out.slice(3 * i, 3 * i + 3))));
      expect(rows.size).toBe(1);
      seen.add([...rows][0]);
      await evaluate(model, blobs(9), { loss: 'crossEntropy' });
      await sleep(0);
    }
    expect(seen.size).toBeGreaterThan(1);
    expect(await weights(model)).toEqual(await weights(alone));
    expect(model.modules().every((m) => m.training)).toBe(true);
  });
});
