import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { seed } from '../../src/core.js';
import { CheckpointDirectory } from '../../src/io/index.js';
import * as metrics from '../../src/metrics/index.js';
import * as nn from '../../src/nn/index.js';
import * as optim from '../../src/optim/index.js';
import * as schedules from '../../src/schedules/index.js';
import { type Callback, callbacks, type FitOptions, fit, type History, type RunEvent } from '../../src/train/index.js';
import { blobs } from './helpers.js';

const scratch = mkdtempSync(join(tmpdir(), 'neurite-resume-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let next = 0;
const folder = (): string => join(scratch, String(next++));

beforeEach(() => {
  vi.restoreAllMocks();
});

/** As a program begins that is started again. */
function begin(optimizer: optim.Optimizer): { model: nn.Sequential; optimizer: optim.Optimizer } {
  seed(11);
  const model = new nn.Sequential(
    new nn.Linear(2, 12),
    new nn.BatchNorm1d(12),
    new nn.ReLU(),
    new nn.Dropout(0.3),
    new nn.Linear(12, 3),
  );
  // Its rule is one of matrices.
  if (optimizer instanceof optim.Muon) model.freeze((_path, { shape }) => shape.length < 2);
  return { model, optimizer };
}

const crash: (at: number) => Callback = (at) => ({
  name: 'crash',
  onStep: ({ totalSteps }) => {
    if (totalSteps === at) throw new Error('crashed');
  },
});

interface Outcome {
  readonly bytes: Buffer;
  readonly history: History;
}

/** Everything but the clock. */
function timeless({ epochs, steps, samples, stopped }: History): unknown {
  return { steps, samples, stopped, epochs: epochs.map((e) => ({ ...e, seconds: 0, samplesPerSecond: 0 })) };
}

/** A run of 5 epochs of 7 steps; with `crashAt`, one that ends there after a save, and another that goes on from it. */
async function run(
  make: () => optim.Optimizer,
  options: Partial<FitOptions> = {},
  { crashAt, saveEvery = 3 }: { crashAt?: number; saveEvery?: number } = {},
): Promise<Outcome> {
  const directory = folder();
  const all = (more: readonly Callback[]): FitOptions => ({
    loss: 'crossEntropy',
    optimizer: 'sgd',
    metrics: ['accuracy', metrics.f1()],
    epochs: 5,
    batchSize: 8,
    validation: 0.2,
    ...options,
    callbacks: [...(options.callbacks ?? []), ...more],
  });
  const save = (): Callback => new callbacks.Checkpoint({ directory, everySteps: saveEvery });
  if (crashAt !== undefined) {
    const { model, optimizer } = begin(make());
    // Listed after the checkpoint, but called before it: a step that crashes is not saved.
    await expect(fit(model, blobs(66), { ...all([save(), crash(crashAt)]), optimizer })).rejects.toThrow('crashed');
  }
  const { model, optimizer } = begin(make());
  const resume = crashAt === undefined ? {} : { resume: directory };
  const history = await fit(model, blobs(66), { ...all([]), optimizer, ...resume });
  const file = `${directory}.safetensors`;
  await model.save(file);
  return { bytes: readFileSync(file), history };
}

/** Bases of others, not optimizers themselves. */
const ABSTRACT = ['Optimizer', 'FusedOptimizer'];
/** Every optimizer that the library exports, with its defaults. */
const OPTIMIZERS = Object.entries(optim).filter(
  (e): e is [string, new (o: optim.OptimizerOptions) => optim.Optimizer] =>
    typeof e[1] === 'function' && e[1].prototype instanceof optim.Optimizer && !ABSTRACT.includes(e[0]),
);

describe('resumed runs end in the same bytes', () => {
  it('there are optimizers to look at', () => expect(OPTIMIZERS.length).toBeGreaterThanOrEqual(5));

  it.each(OPTIMIZERS)(
    '%s, with dropout, running statistics and shuffling, in the middle of an epoch',
    async (_n, Class) => {
      const make = (): optim.Optimizer => new Class({ lr: 0.01 });
      const whole = await run(make);
      const resumed = await run(make, {}, { crashAt: 17, saveEvery: 8 });
      expect(resumed.bytes.equals(whole.bytes)).toBe(true);
      expect(timeless(resumed.history)).toEqual(timeless(whole.history));
    },
  );

  it.each([
    [3, 4],
    [3, 7],
    [7, 8],
    [7, 14],
    [6, 13],
    [1, 2],
  ])('saved every %i steps, crashed after step %i', async (saveEvery, crashAt) => {
    const make = (): optim.Optimizer => new optim.SGD({ lr: 0.05, momentum: 0.9 });
    const whole = await run(make);
    const resumed = await run(make, {}, { crashAt, saveEvery });
    expect(resumed.bytes.equals(whole.bytes)).toBe(true);
    expect(timeless(resumed.history)).toEqual(timeless(whole.history));
  });

  it.each<[string, () => optim.Optimizer, Partial<FitOptions>]>([
    ['accumulation and stepsPerEpoch', () => new optim.Adam(), { accumulate: 2, stepsPerEpoch: 5 }],
    [
      'a schedule by epochs',
      () => new optim.SGD(),
      { schedule: schedules.exponential(0.1, { gamma: 0.5 }), scheduleBy: 'epoch' },
    ],
    [
      'a schedule that has a state',
      () => new optim.SGD({ lr: schedules.reduceOnPlateau(0.5, { patience: 0, threshold: 0.2 }) }),
      {
        callbacks: [
          {
            name: 'plateau',
            onEpoch: ({ record }, run) => void (run.optimizer.lr as schedules.Plateau).update(record.loss),
          },
        ],
      },
    ],
    ['a schedule by steps', () => new optim.Adam({ lr: schedules.cosine(0.05, { steps: 30 }) }), {}],
    [
      'sample weights and clipping',
      () => new optim.Adam(),
      { sampleWeight: new Float32Array(66).fill(0.5), clipNorm: 0.1 },
    ],
    ['metrics that collect scores', () => new optim.Adam(), { metrics: [metrics.rocAuc()] }],
  ])('with %s', async (_name, make, options) => {
    const whole = await run(make, options);
    const resumed = await run(make, options, { crashAt: 13, saveEvery: 4 });
    expect(resumed.bytes.equals(whole.bytes)).toBe(true);
    expect(timeless(resumed.history)).toEqual(timeless(whole.history));
  });

  it('with the state of the callbacks', async () => {
    const make = (): optim.Optimizer => new optim.SGD({ lr: 0.5 });
    const own = (): Partial<FitOptions> => ({
      epochs: 12,
      callbacks: [
        new callbacks.EarlyStopping({ patience: 4, minDelta: 0.05, restoreBest: true }),
        new callbacks.ReduceOnPlateau({ patience: 0, factor: 0.5, threshold: 0.2 }),
      ],
    });
    const whole = await run(make, own());
    // New callbacks for each part of the run, as a program that is started again has.
    const directory = folder();
    const part = async (more: Partial<FitOptions>, crashAt?: number): Promise<Outcome> => {
      const { model, optimizer } = begin(make());
      const { callbacks: mine = [], ...rest } = own();
      const save = new callbacks.Checkpoint({ directory, everySteps: 5 });
      const all = [...mine, save, ...(crashAt === undefined ? [] : [crash(crashAt)])];
      const base = {
        loss: 'crossEntropy',
        metrics: ['accuracy', metrics.f1()],
        batchSize: 8,
        validation: 0.2,
      } as const;
      const history = await fit(model, blobs(66), { ...base, ...rest, optimizer, callbacks: all, ...more });
      await model.save(`${directory}.safetensors`);
      return { bytes: readFileSync(`${directory}.safetensors`), history };
    };
    await expect(part({}, 22)).rejects.toThrow('crashed');
    await expect(part({ resume: 'auto' }, 33)).rejects.toThrow('crashed');
    const resumed = await part({ resume: 'auto' });
    expect(resumed.bytes.equals(whole.bytes)).toBe(true);
    expect(timeless(resumed.history)).toEqual(timeless(whole.history));
    expect(resumed.history.reason).toBe(whole.history.reason);
  });

  it('with averages of the parameters', async () => {
    const part = async (directory: string, crashAt: number | null, resume: boolean): Promise<unknown> => {
      const { model, optimizer } = begin(new optim.Adam({ lr: 0.01 }));
      const ema = new optim.EMA(model, { decay: 0.9 });
      const save = new callbacks.Checkpoint({ directory, everySteps: 5 });
      const more = crashAt === null ? [] : [crash(crashAt)];
      const options: FitOptions = { loss: 'crossEntropy', optimizer, ema, epochs: 4, batchSize: 8, validation: 0.2 };
      const resumed = resume ? { resume: 'auto' as const } : {};
      const history = await fit(model, blobs(66), { ...options, ...resumed, callbacks: [save, ...more] });
      const trained = await model.parameters()[0].read().data();
      ema.copyTo();
      await model.save(`${directory}.safetensors`);
      expect(await model.parameters()[0].read().data()).not.toEqual(trained);
      return [timeless(history), readFileSync(`${directory}.safetensors`).toString('base64')];
    };
    const whole = await part(folder(), null, false);
    const directory = folder();
    await expect(part(directory, 17, false)).rejects.toThrow('crashed');
    expect(await part(directory, null, true)).toEqual(whole);
  });

  it('also when the signal ended the first part', async () => {
    const make = (): optim.Optimizer => new optim.Adam({ lr: 0.01 });
    const whole = await run(make);
    const directory = folder();
    const part = async (more: Partial<FitOptions>): Promise<Outcome> => {
      const { model, optimizer } = begin(make());
      const base = {
        loss: 'crossEntropy',
        metrics: ['accuracy', metrics.f1()],
        batchSize: 8,
        validation: 0.2,
      } as const;
      const save = new callbacks.Checkpoint({ directory, everyEpochs: 100 });
      const options: FitOptions = { ...base, epochs: 5, optimizer, resume: 'auto', callbacks: [save], ...more };
      const history = await fit(model, blobs(66), options);
      await model.save(`${directory}.safetensors`);
      return { bytes: readFileSync(`${directory}.safetensors`), history };
    };
    const controller = new AbortController();
    const onProgress = ({ epoch }: { epoch: number }): void => {
      if (epoch === 3) controller.abort();
    };
    const first = await part({ signal: controller.signal, onProgress });
    expect(first.history.stopped).toBe('aborted');
    const resumed = await part({});
    expect(resumed.bytes.equals(whole.bytes)).toBe(true);
    expect(timeless(resumed.history)).toEqual(timeless(whole.history));
  });
});

describe('Checkpoint', () => {
  const base = (): FitOptions => ({ loss: 'crossEntropy', optimizer: new optim.Adam(), epochs: 4, batchSize: 16 });

  it('saves every so many epochs, keeps the last and the best, and says so', async () => {
    const directory = folder();
    const { model } = begin(new optim.SGD());
    const checkpoint = new callbacks.Checkpoint({ directory, keepLast: 2, keepBest: 1, monitor: 'loss' });
    const spoil: Callback = {
      name: 'spoil',
      onEpoch: ({ record }) => void Object.assign(record, { loss: [4, 1, 3, 2][record.epoch - 1] }),
    };
    const events: RunEvent[] = [];
    for await (const e of fit(model, blobs(48), { ...base(), callbacks: [checkpoint, spoil] })) events.push(e);
    const saved = events.flatMap((e) => (e.type === 'checkpoint' ? [e.step] : []));
    expect(saved).toEqual([3, 6, 9, 12]);
    const list = await new CheckpointDirectory(directory).list();
    expect(list.map(({ step, metric }) => [step, metric])).toEqual([
      [6, 1],
      [9, 3],
      [12, 2],
    ]);
    const best = await new CheckpointDirectory(directory).load('best');
    expect([...(best?.tensors.keys() ?? [])]).toEqual(
      expect.arrayContaining(['model.0.weight', 'model.1.runningMean', 'optimizer.step', 'optimizer.0.weight.expAvg']),
    );
  });

  it('saves by the minute, between steps', async () => {
    const directory = folder();
    const { model } = begin(new optim.SGD());
    const checkpoint = new callbacks.Checkpoint({ directory, everyMinutes: 0.001, keepLast: 1000 });
    const history = await fit(model, blobs(48), { ...base(), epochs: 1e6, callbacks: [checkpoint], timeLimit: 0.6 });
    const list = await new CheckpointDirectory(directory).list();
    expect(list.length).toBeGreaterThanOrEqual(2);
    expect(list.at(-1)?.step).toBe(history.steps);
  });

  it('starts afresh with auto and no checkpoint, and goes on from a path', async () => {
    const directory = folder();
    const options = (): FitOptions => ({ ...base(), callbacks: [new callbacks.Checkpoint({ directory })] });
    const first = begin(new optim.SGD());
    await fit(first.model, blobs(48), { ...options(), resume: 'auto' });
    const again = begin(new optim.SGD());
    const history = await fit(again.model, blobs(48), { ...base(), epochs: 5, resume: directory });
    expect(history.epochs.map((e) => e.epoch)).toEqual([1, 2, 3, 4, 5]);
    const [one] = readdirSync(directory).filter((f) => f.startsWith('step-000000000009'));
    const third = begin(new optim.SGD());
    const seen: number[] = [];
    const spy: Callback = { name: 'spy', onStart: (run) => void seen.push(run.steps, run.history.length) };
    await fit(third.model, blobs(48), { ...base(), resume: join(directory, one), callbacks: [spy] });
    expect(seen).toEqual([9, 3]);
  });

  it('does nothing more when the run is finished', async () => {
    const directory = folder();
    const options = (): FitOptions => ({
      ...base(),
      callbacks: [new callbacks.Checkpoint({ directory })],
      resume: 'auto',
    });
    const first = await fit(begin(new optim.SGD()).model, blobs(48), options());
    const second = await fit(begin(new optim.SGD()).model, blobs(48), options());
    expect(second).toEqual(first);
  });

  it('refuses what does not fit, changing nothing', async () => {
    const directory = folder();
    await fit(begin(new optim.SGD()).model, blobs(48), {
      ...base(),
      callbacks: [new callbacks.Checkpoint({ directory })],
    });
    const resumed = (more: Partial<FitOptions>, model: nn.Module = begin(new optim.SGD()).model, data = blobs(48)) =>
      fit(model, data, { ...base(), resume: directory, ...more });
    await expect(resumed({ batchSize: 8 })).rejects.toThrow(/made with batchSize 16, this run has 8/);
    await expect(resumed({ optimizer: 'sgd' })).rejects.toThrow(/made with optimizer Adam, this run has SGD/);
    await expect(resumed({}, undefined, blobs(47))).rejects.toThrow(/made with samples 48, this run has 47/);
    await expect(resumed({}, new nn.Linear(2, 3))).rejects.toThrow(/the tensors do not fit the model; missing: weight/);
    await expect(resumed({ resume: join(directory, 'nothing') })).rejects.toThrow(/holds no checkpoint/);
    await expect(resumed({ resume: 'auto' })).rejects.toThrow(/no callback Checkpoint/);
    expect(() => resumed({ resume: '' })).toThrow(/resume is , expected/);
    expect(() => new callbacks.Checkpoint({ directory: '' })).toThrow(/directory is , expected a path/);
    expect(() => new callbacks.Checkpoint({ directory, everySteps: 0 })).toThrow(/everySteps is 0/);
    expect(() => new callbacks.Checkpoint({ directory, keep: 2 } as never)).toThrow(/unknown option "keep"/);
    const foreign = folder();
    await new CheckpointDirectory(foreign).save(1, { tensors: new Map(), state: { epoch: 1 } });
    await expect(resumed({ resume: foreign })).rejects.toThrow(/got a state of format null, expected 1/);
  });

  it('warns when the machine is another', async () => {
    const directory = folder();
    await fit(begin(new optim.SGD()).model, blobs(48), {
      ...base(),
      callbacks: [new callbacks.Checkpoint({ directory })],
    });
    const checkpoints = new CheckpointDirectory(directory);
    const last = await checkpoints.load();
    const state = { ...(last?.state as object), machine: { library: '0.0.1', isa: 'mmx', vendor: 'Cyrix' } };
    await checkpoints.save(12, { tensors: last?.tensors ?? new Map(), state });
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    await fit(begin(new optim.SGD()).model, blobs(48), { ...base(), resume: directory });
    expect(warn.mock.calls[0][0]).toMatch(/made with library 0\.0\.1 \(here .*\), isa mmx \(here .*\), vendor Cyrix/);
  });

  it('ends the run with the error of the disk', async () => {
    const directory = join(scratch, 'file');
    await begin(new optim.SGD()).model.save(directory);
    const run = fit(begin(new optim.SGD()).model, blobs(48), {
      ...base(),
      callbacks: [new callbacks.Checkpoint({ directory })],
    });
    await expect(run).rejects.toThrow(/file/);
  });
});
