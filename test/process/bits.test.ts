import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { info } from '../../src/core.js';
import { lastJson, runScript } from './run.js';

const digest = async (threads: number, env: Record<string, string> = {}) =>
  lastJson(await runScript('bits.mjs', { args: [String(threads)], env }));

describe('same seed, same bits', () => {
  for (const isa of info().isas) {
    it(`${isa}: 1, 2, 3 and 8 threads, fused and eager`, { timeout: 120_000 }, async () => {
      const first = await digest(1, { NEURITE_ISA: isa });
      expect(first).toMatchObject({ isa, threads: 1 });
      for (const threads of [2, 3, 8]) {
        expect(await digest(threads, { NEURITE_ISA: isa })).toEqual({ ...first, threads });
      }
      const eager = await digest(2, { NEURITE_ISA: isa, NEURITE_EAGER: '1' });
      expect(eager.digest).toBe(first.digest);
    });
  }

  const other = fileURLToPath(new URL('../../build/gyp/neurite.node', import.meta.url));
  it.runIf(existsSync(other))('a node-gyp build gives the bits of a CMake build', { timeout: 60_000 }, async () => {
    expect(await digest(2, { NEURITE_BINARY: other })).toEqual(await digest(2));
  });
});
