import { expect, it } from 'vitest';
import { lastJson, runScript } from './run.js';

it('timers keep firing while fit runs', { timeout: 60_000 }, async () => {
  const { ticks, worst, seconds } = lastJson(await runScript('event-loop.mjs'));
  console.log(`worst delay of a 1 ms timer during ${seconds.toFixed(2)} s of training: ${worst.toFixed(1)} ms`);
  // A blocked loop gives a handful of ticks, one for each epoch or chunk; a free one about a thousand a second.
  expect(ticks).toBeGreaterThan(seconds * 50);
});
