import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { OptionError } from '../../src/errors.js';
import { EventQueue, type History, type RunEvent } from '../../src/train/events.js';
import { Run, type RunControl } from '../../src/train/run.js';

const history: History = { epochs: [], steps: 1, samples: 2, seconds: 3, samplesPerSecond: 4, stopped: 'done' };
const start: RunEvent = { type: 'start', epochs: 1, stepsPerEpoch: 1, batchSize: 1, samples: 1 };
const progress = (step: number): RunEvent => ({
  type: 'progress',
  epoch: 1,
  step,
  stepsPerEpoch: 1000,
  figures: {},
  samplesPerSecond: 1,
  secondsLeft: 1,
});
const epoch = (n: number): RunEvent => ({
  type: 'epoch',
  record: { epoch: n, loss: 1, samplesPerSecond: 1, seconds: 1 },
});

async function collect(run: Run): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of run) events.push(event);
  return events;
}

describe('EventQueue', () => {
  it('drops the oldest progress events of a slow reader and nothing else', async () => {
    const queue = new EventQueue();
    queue.push(start);
    for (let e = 1; e <= 50; e++) {
      for (let s = 1; s <= 100; s++) queue.push(progress(100 * e + s));
      queue.push(epoch(e));
    }
    queue.close();
    const events: RunEvent[] = [];
    for (let event = await queue.next(); event !== null; event = await queue.next()) events.push(event);
    expect(events[0]).toBe(start);
    expect(events.filter((e) => e.type === 'epoch').map((e) => e.record.epoch)).toEqual(
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
    const steps = events.filter((e) => e.type === 'progress').map((e) => e.step);
    expect(steps).toEqual(Array.from({ length: 32 }, (_, i) => 5069 + i)); // the newest
  });

  it('wakes a waiting reader', async () => {
    const queue = new EventQueue();
    const first = queue.next();
    await sleep(5);
    queue.push(start);
    expect(await first).toBe(start);
    const end = queue.next();
    queue.close();
    expect(await end).toBeNull();
  });
});

describe('Run', () => {
  it('resolves to a plain history, also through an async function', async () => {
    const run = new Run(async () => history);
    const result = await (async () => run)();
    expect(result).toBe(history);
    expect(await run.finally()).toBe(history);
    expect('then' in result).toBe(false);
  });

  it('delivers events in order, also to a reader that comes late', async () => {
    const run = new Run(async ({ emit }: RunControl) => {
      for (const event of [start, progress(1), epoch(1), { type: 'end', history } as const]) emit(event);
      return history;
    });
    await run;
    expect((await collect(run)).map((e) => e.type)).toEqual(['start', 'progress', 'epoch', 'end']);
  });

  it('break aborts and waits for the loop to stop', async () => {
    let stoppedAt = -1;
    const run = new Run(async ({ signal, emit }) => {
      for (let s = 0; ; s++) {
        if (signal.aborted) {
          stoppedAt = s;
          return { ...history, stopped: 'aborted' };
        }
        emit(progress(s));
        await sleep(1);
      }
    });
    for await (const event of run) if (event.type === 'progress' && event.step === 3) break;
    expect(stoppedAt).toBeGreaterThanOrEqual(4);
    expect((await run).stopped).toBe('aborted');
  });

  it('obeys the signal, before and during the run, and lets go of it', async () => {
    const wait = async ({ signal }: RunControl): Promise<History> => {
      while (!signal.aborted) await sleep(1);
      return { ...history, stopped: 'aborted' };
    };
    expect((await new Run(wait, AbortSignal.abort())).stopped).toBe('aborted');
    const controller = new AbortController();
    const run = new Run(wait, controller.signal);
    setTimeout(() => controller.abort(), 5);
    expect((await run).stopped).toBe('aborted');
  });

  it('throws the error to the reader after the events, and to whoever awaits', async () => {
    const fail = async ({ emit }: RunControl): Promise<History> => {
      emit(start);
      await sleep(1);
      throw new Error('boom');
    };
    const seen: string[] = [];
    await expect(async () => {
      for await (const event of new Run(fail)) seen.push(event.type);
    }).rejects.toThrow('boom');
    expect(seen).toEqual(['start']);
    await expect(new Run(fail)).rejects.toThrow('boom');
    expect(await new Run(fail).catch(() => 'caught')).toBe('caught');
  });

  it('can be iterated once', async () => {
    const run = new Run(async () => history);
    await collect(run);
    expect(() => run[Symbol.asyncIterator]()).toThrow(OptionError);
  });
});
