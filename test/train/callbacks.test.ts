import { beforeEach, describe, expect, it, vi } from 'vitest';
import { OptionError, seed } from '../../src/core.js';
import * as optim from '../../src/optim/index.js';
import * as schedules from '../../src/schedules/index.js';
import { Pace } from '../../src/train/chunks.js';
import {
  type Callback,
  callbacks,
  type EpochEvent,
  type FitOptions,
  fit,
  type StepEvent,
} from '../../src/train/index.js';
import { blobs, network, weights } from './helpers.js';

const OPTIONS: FitOptions = { loss: 'crossEntropy', optimizer: 'sgd', epochs: 3, batchSize: 16 };

beforeEach(() => {
  vi.restoreAllMocks();
  seed(1);
});

/** Gives each epoch's record other figures than it had, for callbacks that watch them. */
function figures(name: string, values: readonly number[]): Callback {
  return {
    name: 'figures',
    onEpoch: ({ record }: EpochEvent) => {
      Object.assign(record, { [name]: values[record.epoch - 1] });
    },
  };
}

describe('a callback', () => {
  it('is called in order, and each call is awaited', async () => {
    const calls: string[] = [];
    const note = (what: string) => async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      calls.push(what);
    };
    const spy: Callback = {
      name: 'spy',
      every: 2,
      onStart: note('start'),
      onStep: async ({ step, epoch }) => note(`step ${epoch}.${step}`)(),
      onEpoch: note('epoch'),
      onEnd: note('end'),
      close: note('close'),
    };
    await fit(network(), blobs(48), { ...OPTIONS, epochs: 2, callbacks: [spy] });
    expect(calls).toEqual(['start', 'step 1.2', 'epoch', 'step 2.1', 'step 2.3', 'epoch', 'end', 'close']);
  });

  it('sees each step with its own loss and nothing behind it, and changes no bit', async () => {
    const plain = network();
    const { epochs } = await fit(plain, blobs(60), { ...OPTIONS, optimizer: 'adam' });
    seed(1);
    const model = network();
    const events: StepEvent[] = [];
    const seen: unknown[] = [];
    const spy: Callback = {
      name: 'spy',
      onStep: async (event, run) => {
        events.push(event);
        seen.push([run.steps, await weights(model)]);
      },
    };
    await fit(model, blobs(60), { ...OPTIONS, optimizer: 'adam', callbacks: [spy] });
    expect(await weights(model)).toEqual(await weights(plain));
    expect(events.map((e) => [e.epoch, e.step, e.totalSteps])).toEqual(
      Array.from({ length: 12 }, (_, i) => [1 + Math.floor(i / 4), 1 + (i % 4), i + 1]),
    );
    const first = events.slice(0, 4).map((e) => e.loss);
    expect((first[0] * 16 + first[1] * 16 + first[2] * 16 + first[3] * 12) / 60).toBeCloseTo(epochs[0].loss, 12);
    expect(new Set(seen.map((s) => JSON.stringify(s))).size).toBe(12);
    expect(seen.at(-1)).toEqual([12, await weights(model)]);
  });

  it('leaves the chunks alone when it wants no steps', async () => {
    const limits: number[] = [];
    vi.spyOn(Pace.prototype, 'next').mockReturnValue(1000);
    const spy: Callback = { name: 'spy', onProgress: ({ step }) => void limits.push(step) };
    await fit(network(), blobs(160), { ...OPTIONS, epochs: 1, callbacks: [spy] });
    expect(limits).toEqual([10]);
    const stepping: Callback = { ...spy, every: 4, onStep: () => {} };
    await fit(network(), blobs(160), { ...OPTIONS, epochs: 1, callbacks: [stepping] });
    expect(limits.slice(1)).toEqual([4, 8, 10]);
  });

  it('stops the run at exactly its step', async () => {
    const stop: Callback = {
      name: 'stop',
      onStep: ({ totalSteps }, run) => {
        if (totalSteps === 7) run.stop('seven are enough');
      },
    };
    const history = await fit(network(), blobs(64), { ...OPTIONS, callbacks: [stop] });
    expect(history).toMatchObject({ steps: 7, stopped: 'stopped', reason: 'seven are enough' });
    expect(history.epochs).toHaveLength(1);
  });

  it('ends the run with its error, and is closed', async () => {
    const close = vi.fn();
    const bad: Callback = {
      name: 'bad',
      onStart: () => Promise.reject(new Error('from onStart')),
      close,
    };
    await expect(fit(network(), blobs(32), { ...OPTIONS, callbacks: [bad] })).rejects.toThrow('from onStart');
    expect(close).toHaveBeenCalledOnce();
  });

  it.each<[string, unknown, RegExp]>([
    ['no array', {}, /callbacks must be an array/],
    ['a class', [callbacks.EarlyStopping], /is the class EarlyStopping; write new/],
    ['no object', ['EarlyStopping'], /a callback is EarlyStopping, expected an object with a name/],
    ['no name', [{}], /expected an object with a name/],
    ['one name twice', [{ name: 'a' }, { name: 'a' }], /two callbacks are called "a"/],
    ['a bad every', [{ name: 'a', every: 0 }], /every of callback "a" is 0/],
  ])('refuses %s', (_name, given, message) => {
    expect(() => fit(network(), blobs(32), { ...OPTIONS, callbacks: given as never })).toThrow(message);
  });
});

describe('EarlyStopping', () => {
  const stopping = (options: callbacks.EarlyStoppingOptions, values: readonly number[]) => {
    const early = new callbacks.EarlyStopping({ monitor: 'loss', ...options });
    return fit(network(), blobs(32), {
      ...OPTIONS,
      epochs: values.length,
      callbacks: [figures(options.monitor ?? 'loss', values), early],
      metrics: ['accuracy'],
    });
  };

  it.each<[callbacks.EarlyStoppingOptions, number[], number]>([
    [{}, [3, 2, 1, 0], 4],
    [{}, [3, 3, 1, 0], 2],
    [{ patience: 1 }, [3, 3, 1, 0], 2],
    [{ patience: 2 }, [3, 3, 2, 2, 2, 0], 5],
    [{ patience: 2, minDelta: 0.5 }, [3, 2.6, 2.4, 2.2, 2.1, 0], 5],
    [{ patience: 2, baseline: 1 }, [3, 2, 1, 0], 2],
    [{ patience: 1, startFromEpoch: 3 }, [1, 2, 3, 3, 3, 0], 5],
    [{ monitor: 'accuracy', patience: 1 }, [0.5, 0.6, 0.55, 1], 3],
    [{ patience: 2 }, [Number.NaN, Number.NaN, 1, 0], 2],
  ])('%j after %j ends at epoch %i', async (options, values, epochs) => {
    const history = await stopping(options, values);
    expect(history.epochs).toHaveLength(epochs);
    expect(history.stopped).toBe(epochs === values.length ? 'done' : 'stopped');
  });

  it('says why, and gives the best parameters back', async () => {
    const early = new callbacks.EarlyStopping({ monitor: 'loss', patience: 2, restoreBest: true });
    const model = network();
    const after: unknown[] = [];
    const keep: Callback = { name: 'keep', onEpoch: async () => void after.push(await weights(model)) };
    const history = await fit(model, blobs(32), {
      ...OPTIONS,
      epochs: 9,
      callbacks: [figures('loss', [3, 2, 4, 5, 1]), early, keep],
    });
    expect(history.reason).toBe('EarlyStopping: loss has not improved for 2 epochs, the best was epoch 2');
    expect([early.best, early.bestEpoch]).toEqual([2, 2]);
    expect(await weights(model)).toEqual(after[1]);
    expect(after).toHaveLength(4);
  });

  it('names a figure that the epochs do not have', async () => {
    const run = (monitor: string) =>
      fit(network(), blobs(32), { ...OPTIONS, callbacks: [new callbacks.EarlyStopping({ monitor })] });
    await expect(run('valLoss')).rejects.toThrow(
      /monitor is "valLoss", the epochs have loss; give fit the option valid/,
    );
    await expect(run('los')).rejects.toThrow(/Did you mean "loss"/);
    expect(() => new callbacks.EarlyStopping({ patience: -1 })).toThrow(OptionError);
    expect(() => new callbacks.EarlyStopping({ minDelta: Number.NaN })).toThrow(/minDelta is NaN/);
    expect(() => new callbacks.EarlyStopping({ mode: 'best' as never })).toThrow(/mode is "best"/);
    expect(() => new callbacks.EarlyStopping({ patients: 1 } as never)).toThrow(/Did you mean "patience"/);
  });
});

describe('learning rates', () => {
  const rates = async (options: Partial<FitOptions>): Promise<number[]> => {
    const seen: number[] = [];
    const spy: Callback = { name: 'spy', onStep: ({ lr }) => void seen.push(lr) };
    const optimizer = new optim.SGD({ lr: 1 });
    await fit(network(), blobs(32), {
      ...OPTIONS,
      optimizer,
      ...options,
      callbacks: [...(options.callbacks ?? []), spy],
    });
    return seen;
  };

  it('follow a schedule by steps and by epochs', async () => {
    const halving = schedules.exponential(1, { gamma: 0.5 });
    expect(await rates({ schedule: halving })).toEqual([0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625]);
    expect(await rates({ schedule: halving, scheduleBy: 'epoch' })).toEqual([1, 1, 0.5, 0.5, 0.25, 0.25]);
    expect(() => new callbacks.LearningRateSchedule(0.1 as never)).toThrow(/schedule is 0\.1, expected a function/);
    expect(() => fit(network(), blobs(32), { ...OPTIONS, scheduleBy: 'epoch' })).toThrow(/scheduleBy needs a schedule/);
  });

  it('fall on a plateau', async () => {
    const values = [1, 1, 1, 0.5];
    const reduce = new callbacks.ReduceOnPlateau({ monitor: 'loss', factor: 0.5, patience: 1 });
    expect(await rates({ epochs: 4, callbacks: [figures('loss', values), reduce] })).toEqual([
      1, 1, 1, 1, 1, 1, 0.5, 0.5,
    ]);
    const schedule = schedules.constant(1);
    await expect(rates({ schedule, callbacks: [reduce] })).rejects.toThrow(
      /learning rate of the optimizer is a schedule/,
    );
    expect(() => new callbacks.ReduceOnPlateau({ factor: 2 })).toThrow(OptionError);
  });
});

it('TimeLimit ends the run after the steps in flight', async () => {
  const history = await fit(network(), blobs(64), { ...OPTIONS, epochs: 1e6, timeLimit: 0.05 });
  expect(history).toMatchObject({ stopped: 'stopped', reason: 'TimeLimit: 0.05 s are over' });
  expect(history.steps).toBeGreaterThan(0);
  expect(() => fit(network(), blobs(64), { ...OPTIONS, timeLimit: 0 })).toThrow(/timeLimit is 0, expected/);
});

it('TerminateOnNaN ends the run with the cause as reason', async () => {
  const y = blobs(32).x;
  const options: FitOptions = { ...OPTIONS, loss: 'mse', optimizer: new optim.SGD({ lr: 1e10 }), epochs: 200 };
  const model = network();
  const { Sequential, Linear } = await import('../../src/nn/index.js');
  const diverging = new Sequential(new Linear(2, 4), new Linear(4, 2));
  const history = await fit(diverging, { x: y, y }, { ...options, callbacks: [new callbacks.TerminateOnNaN()] });
  expect(history.stopped).toBe('stopped');
  expect(history.reason).toMatch(/^TerminateOnNaN: fit: the loss is .* at epoch \d+, step \d+/);
  await expect(
    fit(model, { x: [[1, 2]], y: [7] }, { ...OPTIONS, batchSize: 1, callbacks: [new callbacks.TerminateOnNaN()] }),
  ).rejects.toThrow(/label 7/);
});
