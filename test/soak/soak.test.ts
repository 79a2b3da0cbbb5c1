import { expect, it } from 'vitest';
import { runScript } from '../process/run.js';

it('a short soak: same numbers in every round and worker, no file left open', { timeout: 120_000 }, async () => {
  const { stdout, stderr } = await runScript('../soak/soak.mjs', { args: ['--minutes', '0.1'] });
  const report = JSON.parse(stdout.trim().split('\n').at(-1) || '{}');
  expect(report, stderr).toMatchObject({ wrong: 0, failed: false });
  expect(report.rounds).toBeGreaterThanOrEqual(40);
  expect(report.files.last).toBe(report.files.first);
});
