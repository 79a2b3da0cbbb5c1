import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../examples/optimizers.mjs', import.meta.url));
let root = '';
beforeAll(() => {
  if (!existsSync(new URL('../../dist/index.js', import.meta.url))) {
    throw new Error('the example imports the built package: run "npm run build" first');
  }
  root = mkdtempSync(join(tmpdir(), 'neurite-optimizers-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const run = (...args: string[]) => spawnSync(process.execPath, [script, ...args], { cwd: root, encoding: 'utf8' });

describe('example:optimizers', () => {
  it('compares, writes the page and the figures', () => {
    const { status, stdout, stderr } = run('--quick', '--json', '--out', 'out');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const result = JSON.parse(stdout.trim().split('\n').at(-1) as string);
    const { runs } = JSON.parse(readFileSync(join(root, 'out', 'optimizers.json'), 'utf8'));
    expect(runs).toHaveLength(result.runs);
    expect(new Set(runs.map((r: { data: string }) => r.data))).toEqual(new Set(['moons', 'circles']));
    for (const { losses, accuracy } of runs) {
      expect(losses.every(Number.isFinite)).toBe(true);
      expect(accuracy).toBeGreaterThanOrEqual(0);
      expect(accuracy).toBeLessThanOrEqual(1);
    }
    expect(result.best.accuracy).toBeGreaterThan(0.6); // better than guessing after four epochs
    const svg = readFileSync(join(root, result.file), 'utf8');
    for (const text of ['moons', 'circles', 'Rosenbrock', 'L-BFGS', 'learning rate', 'dropout and L2']) {
      expect(svg).toContain(text);
    }
  }, 60_000);

  it('says what is wrong with its options', () => {
    expect(run('--epochs', 'x')).toMatchObject({ status: 2, stderr: expect.stringContaining('--epochs is x') });
    expect(run('--what')).toMatchObject({ status: 2, stderr: expect.stringContaining("'--what'") });
    expect(run('--help').stdout).toContain('moons and circles, split 70/30');
  }, 30_000);
});
