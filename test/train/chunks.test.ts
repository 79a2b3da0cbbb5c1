import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Tensor } from '../../src/core.js';
import { type Feed, Pace, runPass } from '../../src/train/chunks.js';

afterEach(() => {
  vi.restoreAllMocks();
});

/** An executor that takes `stepMs(step)` for a step, one call after the other, by a clock that only it turns. */
function machine(stepMs: (step: number) => number) {
  let clock = 0;
  let issued = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
  const calls: { steps: number; ms: number }[] = [];
  const feed: Feed = {
    depth: 2,
    issue(limit) {
      const first = issued;
      issued += limit;
      let ms = 0;
      for (let i = first; i < issued; i++) ms += stepMs(i);
      calls.push({ steps: limit, ms });
      const data = async () => {
        await new Promise((resolve) => setImmediate(resolve));
        clock += ms;
        return new Float32Array(limit);
      };
      const results = [{ data } as unknown as Tensor];
      return { steps: limit, parts: [{ count: limit, batch: 1, results, origin: () => ({}) as never }] };
    },
  };
  return { feed, calls, clock: () => clock };
}

describe('a pass over fast or slow steps', () => {
  const CASES: [name: string, stepMs: (step: number) => number, wait: number][] = [
    ['of 10 microseconds', () => 0.01, 100],
    ['of half a millisecond', () => 0.5, 100],
    ['of 30 ms', () => 30, 100],
    ['of 200 ms: a step is never cut', () => 200, 400],
    ['that become ten times as fast', (step) => (step < 400 ? 1 : 0.1), 100],
  ];
  it.each(CASES)('%s: stops and reports soon, after the calls in flight', async (_name, stepMs, wait) => {
    const { feed, calls, clock } = machine(stepMs);
    const asked = 2000;
    const reports: number[] = [];
    const steps = await runPass({
      feed,
      pace: new Pace(),
      stopping: () => clock() >= asked,
      onChunk: () => reports.push(clock()),
    });
    expect(clock() - asked).toBeLessThanOrEqual(wait);
    expect(steps).toBe(calls.reduce((sum, c) => sum + c.steps, 0));
    reports.forEach((at, i) => {
      expect(at - (reports[i - 1] ?? 0)).toBeLessThanOrEqual(wait);
    });
    // And no shorter than they need be: a call costs as much as a small step.
    const settled = calls.slice(-5);
    for (const { steps: n, ms } of settled) expect(n === 4096 || ms + stepMs(Infinity) > 50 - 1e-6).toBe(true);
  });
});
