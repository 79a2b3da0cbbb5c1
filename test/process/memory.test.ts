import { describe, expect, it } from 'vitest';
import { lastJson, runScript } from './run.js';

// V8 alone moves by a few MiB. A leak of 128 bytes a step would be 6.4 MB over the second 50,000 steps.
const SLACK = 6 * 2 ** 20;

describe('resident memory of a 2-16-1 network over 100,000 steps', () => {
  for (const mode of ['sync', 'async', 'compiledSync', 'compiledAsync']) {
    it(`stays flat: ${mode}`, { timeout: 180_000 }, async () => {
      const result = await runScript('steps.mjs', { args: [mode, '100000'], nodeArgs: ['--expose-gc'] });
      const { early, late, loss } = lastJson(result);
      expect(loss).toBeLessThan(0.01); // it did learn XOR
      expect(late - early).toBeLessThan(SLACK);
    });
  }
});
