import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { info } from '../../src/core.js';
import { lastJson, runScript } from './run.js';

const digest = async (env: Record<string, string>) => lastJson(await runScript('bits.mjs', { env }));

describe('same seed, same bits', () => {
  for (const isa of info().isas) {
    it(`${isa}: 1, 2, 3 and 8 threads, fused and eager`, { timeout: 120_000 }, async () => {
      const first = await digest({ NEURITE_ISA: isa, NEURITE_THREADS: '1' });
      expect(first).toMatchObject({ isa, threads: 1 });
      for (const threads of ['2', '3', '8']) {
        const other = await digest({ NEURITE_ISA: isa, NEURITE_THREADS: threads });
        expect(other).toEqual({ ...first, threads: Number(threads) });
      }
      const eager = await digest({ NEURITE_ISA: isa, NEURITE_THREADS: '2', NEURITE_EAGER: '1' });
      expect(eager.digest).toBe(first.digest);
    });
  }

  const other = fileURLToPath(new URL('../../build/gyp/neurite.node', import.meta.url));
  it.runIf(existsSync(other))('a node-gyp build gives the bits of a CMake build', { timeout: 60_000 }, async () => {
    const gyp = await digest({ NEURITE_BINARY: other });
    expect(gyp).toEqual(await digest({}));
  });
});
