import { expect, it } from 'vitest';
import { lastJson, runScript } from './run.js';

// `npm run test:large` trains on 5 GB this way; here the same on 60 MB.
it('trains on a CSV that is made while it is read, in constant memory', { timeout: 60_000 }, async () => {
  const args = ['--gigabytes', '0.06', '--json'];
  const result = await runScript('large.mjs', { args, nodeArgs: ['--max-semi-space-size=8'] });
  expect(result.stderr).toBe('');
  const { rows, peakMegabytes, firstHalfMegabytes, secondHalfMegabytes, firstLoss, lastLoss } = lastJson(result);
  expect(rows).toBeGreaterThan(400_000);
  expect(peakMegabytes).toBeLessThan(300);
  // 30 MB pass in each half; what is kept of them would show.
  expect(secondHalfMegabytes - firstHalfMegabytes).toBeLessThan(25);
  expect(lastLoss).toBeLessThan(firstLoss / 10);
});
