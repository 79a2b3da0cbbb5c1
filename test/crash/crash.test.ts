import { expect, it } from 'vitest';
import { lastJson, runScript } from '../process/run.js';

it('a run that is killed at random moments always goes on and ends in the same bytes', async () => {
  const totals = lastJson(await runScript('../crash/run.mjs', { args: ['--kills', '20'] }));
  expect(totals['kills']).toBeGreaterThanOrEqual(20);
  expect(totals['runs']).toBeGreaterThanOrEqual(1);
}, 120_000);
