import { describe, expect, it } from 'vitest';
import { lastJson, runScript } from './run.js';

// The process itself moves by some MiB; a leak of 128 bytes a step would be this much.
const SLACK = 128 * 100_000;
// A young generation of fixed size: V8 otherwise grows it by 30 MiB in its own time, which is no leak.
const NODE_ARGS = ['--expose-gc', '--max-semi-space-size=2'];

describe('resident memory of a 2-16-1 network over 100,000 steps', () => {
  for (const mode of ['sync', 'async', 'compiledSync', 'compiledAsync']) {
    it(`stays flat: ${mode}`, { timeout: 180_000 }, async () => {
      const result = await runScript('steps.mjs', { args: [mode, '100000'], nodeArgs: NODE_ARGS });
      const { early, late, loss } = lastJson(result);
      expect(loss).toBeLessThan(0.01); // it did learn XOR
      expect(late - early).toBeLessThan(SLACK);
    });
  }
});
