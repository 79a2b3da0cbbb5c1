import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSmallMnist } from './small-mnist.js';

const script = fileURLToPath(new URL('../../examples/mnist-mlp-99.mjs', import.meta.url));
let root = '';
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'neurite-mlp-99-'));
  await writeSmallMnist(join(root, 'data'), 1200, 200);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const run = (...args: string[]) =>
  spawnSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
    cwd: root,
    env: { ...process.env, NEURITE_DEBUG: '' },
  });

describe('examples/mnist-mlp-99.mjs', () => {
  it('learns from few pictures, saves the model, and prints its figures as the last line', { timeout: 120_000 }, () => {
    const args = ['--data', 'data', '--epochs', '6', '--width', '48', '--batch', '32', '--lr', '0.05', '--out', 'a'];
    const { status, stdout, stderr } = run(...args, '--json');
    expect([status, stderr]).toEqual([0, '']);
    const result = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
    expect(result).toMatchObject({ epochs: 6, seed: 1 });
    expect(result.testAccuracy).toBeGreaterThan(0.6); // a tenth by guessing
    expect(result.samplesPerSecond).toBeCloseTo((6 * 1100) / result.seconds, 3);
    expect(existsSync(join(root, 'a/mnist-mlp-99.safetensors'))).toBe(true);
  });

  it('refuses wrong options', () => {
    expect(run('--lr', '0').stderr).toContain('error: --lr is "0", expected a number > 0\n');
    const { status, stderr } = run('--epochs', '0');
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining('--epochs is "0", expected a whole number of at least 1'),
    ]);
  });
});
