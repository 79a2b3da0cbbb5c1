import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { native } from '../../src/runtime/native.js';

const child = fileURLToPath(new URL('./child.mjs', import.meta.url));
const binary =
  process.env['NEURITE_BINARY'] ?? fileURLToPath(new URL('../../build/Release/neurite.node', import.meta.url));

/** What a scenario of child.mjs prints; rejects when the process fails or crashes. */
async function scenario<T>(name: string, environment: Record<string, string> = {}): Promise<T> {
  const env = { ...process.env, NEURITE_ISA: '', NEURITE_THREADS: '', ...environment };
  const { stdout } = await promisify(execFile)(process.execPath, [child, name, binary], { env, timeout: 50_000 });
  return JSON.parse(stdout) as T;
}

interface Info {
  readonly isa: string;
  readonly isas: readonly string[];
  readonly threads: number;
}

describe('NEURITE_ISA', () => {
  it.each(native.info().isas)('honours %s', async (isa) => {
    expect((await scenario<Info>('info', { NEURITE_ISA: isa })).isa).toBe(isa);
  });

  it('refuses one this machine cannot use, and says which it can', async () => {
    const foreign = process.arch === 'arm64' ? 'avx2' : 'neon';
    const usable = `usable here: ${native.info().isas.join(', ')}`;
    await expect(scenario('info', { NEURITE_ISA: foreign })).rejects.toThrow(`NEURITE_ISA=${foreign}: `);
    await expect(scenario('info', { NEURITE_ISA: foreign })).rejects.toThrow(usable);
    await expect(scenario('info', { NEURITE_ISA: 'mmx' })).rejects.toThrow('unknown instruction set');
    expect(() => native.configure({ isa: foreign })).toThrow(expect.objectContaining({ code: 'ERR_NEURITE_ISA' }));
  });
});

describe('NEURITE_THREADS', () => {
  it('bounds the team', async () => {
    expect((await scenario<Info>('info', { NEURITE_THREADS: '1' })).threads).toBe(1);
    const { threads } = await scenario<Info>('info');
    expect((await scenario<Info>('info', { NEURITE_THREADS: '256' })).threads).toBe(threads);
  });

  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : '';
  const [, cpu] = /^Cpus_allowed_list:\s*(\d+)/m.exec(status) ?? [];
  const confines = cpu !== undefined && spawnSync('taskset', ['-c', cpu, 'true']).status === 0;
  it.runIf(confines)('and the default are bounded by the CPUs the process may use', async () => {
    const on = (NEURITE_THREADS: string) =>
      promisify(execFile)('taskset', ['-c', cpu, process.execPath, child, 'info', binary], {
        env: { ...process.env, NEURITE_ISA: '', NEURITE_THREADS },
        timeout: 50_000,
      }).then(({ stdout }) => (JSON.parse(stdout) as Info).threads);
    expect(await on('')).toBe(1);
    expect(await on('8')).toBe(1);
  });

  it('must be a whole number', async () => {
    for (const bad of ['0', '-1', 'many', '2.5', '100000']) {
      await expect(scenario('info', { NEURITE_THREADS: bad })).rejects.toThrow('NEURITE_THREADS');
    }
  });
});

describe('process', () => {
  it('uses no CPU while idle', async () => {
    // A thread that spins for 300 ms uses 300; the event loop alone uses a few.
    expect(await scenario<number>('idle')).toBeLessThan(60);
  });

  it('stays alive until queued runs are reported, then ends', async () => {
    expect(await scenario('pending')).toBe(7);
  });

  it('exits at once in the middle of a run', async () => {
    expect(await scenario('exit')).toBe('leaving');
  });

  it('survives workers that are terminated in the middle of a run', async () => {
    expect(await scenario('terminate')).toBe('alive');
  });

  it('gives workers that share the pool the same bits', async () => {
    expect(await scenario('share')).toEqual([true, true, true, true]);
  });
});
