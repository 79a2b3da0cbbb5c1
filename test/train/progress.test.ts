import { describe, expect, it } from 'vitest';
import type { EpochRecord, ProgressEvent } from '../../src/train/events.js';
import { duration, epochLine, ProgressReporter, progressLine } from '../../src/train/progress.js';

const progress: ProgressEvent = {
  type: 'progress',
  epoch: 2,
  step: 234,
  stepsPerEpoch: 468,
  figures: { loss: 0.12345, accuracy: 0.9634 },
  samplesPerSecond: 312_345.6,
  secondsLeft: 3.21,
};
const record: EpochRecord = {
  epoch: 2,
  loss: 0.12,
  accuracy: 0.96,
  samplesPerSecond: 312_345.6,
  seconds: 0.19,
  valLoss: 0.00002,
  valAccuracy: 0.97,
};

describe('progressLine', () => {
  it('shows everything on a wide terminal', () => {
    expect(progressLine(progress, 5, 119)).toBe(
      'epoch 2/5 ███████████████░░░░░░░░░░░░░░░ 234/468  loss 0.1235  accuracy 0.9634  312,346 samples/s  3.2 s left',
    );
  });

  it('never exceeds the width and keeps the loss longest', () => {
    for (let width = 0; width <= 130; width++) {
      const line = progressLine(progress, 5, width);
      expect(line.length).toBeLessThanOrEqual(width);
      if (width >= 32) expect(line).toContain('loss 0.1235');
    }
    expect(progressLine(progress, 5, 60)).toBe('epoch 2/5 234/468  loss 0.1235  accuracy 0.9634  3.2 s left');
    expect(progressLine(progress, 5, 40)).toBe('epoch 2/5 █████░░░░ 234/468  loss 0.1235');
  });
});

describe('epochLine', () => {
  it('has all figures', () => {
    expect(epochLine(record, 10)).toBe(
      'epoch  2/10  loss 0.1200  accuracy 0.9600  val loss 2.00e-5  val accuracy 0.9700  312,346 samples/s  0.2 s',
    );
    expect(epochLine(record, 10, 104)).toMatch(/val accuracy 0\.9700 {2}312,346 samples\/s$/);
    expect(epochLine(record, 10, 90)).toMatch(/val accuracy 0\.9700 {2}0\.2 s$/);
    expect(epochLine(record, 10, 40)).toMatch(/val accuracy 0\.9700$/);
  });
});

it('duration', () => {
  expect([0, 9.94, 9.96, 59.4, 59.6, 185, 3723, Number.NaN].map(duration)).toEqual([
    '0.0 s',
    '9.9 s',
    '10 s',
    '59 s',
    '1:00',
    '3:05',
    '1:02:03',
    '? s',
  ]);
});

describe('ProgressReporter', () => {
  function reporter(tty: boolean) {
    const written: string[] = [];
    const clock = { ms: 0 };
    const stream = { write: (text: string) => written.push(text), isTTY: tty, columns: 200 };
    return { written, clock, reporter: new ProgressReporter(stream, () => clock.ms) };
  }
  const start = { type: 'start', epochs: 5, stepsPerEpoch: 468, batchSize: 128, samples: 60_000 } as const;

  it('redraws at most ten times a second in a terminal', () => {
    const { written, clock, reporter: r } = reporter(true);
    r.handle(start);
    for (; clock.ms < 1000; clock.ms += 7) r.handle(progress);
    expect(written.length).toBeLessThanOrEqual(10);
    expect(written.length).toBeGreaterThanOrEqual(9);
    for (const text of written) expect(text.startsWith('\r\u001b[2Kepoch 2/5 ')).toBe(true);
    r.handle({ type: 'epoch', record });
    expect(written.slice(-2)).toEqual(['\r\u001b[2K', `${epochLine(record, 5)}\n`]);
  });

  it('writes one plain line an epoch elsewhere', () => {
    const { written, clock, reporter: r } = reporter(false);
    r.handle(start);
    for (; clock.ms < 1000; clock.ms += 7) r.handle(progress);
    r.handle({ type: 'epoch', record });
    expect(written).toEqual([`${epochLine(record, 5)}\n`]);
  });

  it('leaves no half bar behind when the run ends early', () => {
    const { written, reporter: r } = reporter(true);
    r.handle(start);
    r.handle(progress);
    r.handle({
      type: 'end',
      history: { epochs: [], steps: 1, samples: 1, seconds: 1, samplesPerSecond: 1, stopped: 'aborted' },
    });
    expect(written.at(-1)).toBe('\r\u001b[2K');
  });
});
