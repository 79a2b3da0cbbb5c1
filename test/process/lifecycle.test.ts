import { describe, expect, it } from 'vitest';
import { lastJson, runScript } from './run.js';

describe('worker threads', () => {
  it('train in four workers at once with equal results; 20 are terminated mid-step', { timeout: 120_000 }, async () => {
    const result = lastJson(await runScript('workers.mjs'));
    expect(result).toMatchObject({ same: 1, terminated: 20 });
    expect(result.after).toBeGreaterThan(0);
  });
});

describe('process exit while runs are queued', () => {
  const cases: [string, number | null, string | null][] = [
    ['exit', 7, null],
    ['throw', 1, null],
    ['sigterm', null, 'SIGTERM'],
    ['exit-in-callback', 7, null],
    ['natural', 0, null],
  ];
  for (const [how, code, signal] of cases) {
    it(how, { timeout: 30_000 }, async () => {
      for (let i = 0; i < 5; i++) {
        const result = await runScript('exit.mjs', { args: [how] });
        expect([result.code, result.signal], result.stderr).toEqual([code, signal]);
      }
    });
  }
});
