import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { faults } from '../plot/svg.js';
import { writeSmallMnist } from './small-mnist.js';

const script = fileURLToPath(new URL('../../examples/activations.mjs', import.meta.url));
let root = '';

beforeAll(async () => {
  if (!existsSync(new URL('../../dist/index.js', import.meta.url))) {
    throw new Error('the example imports the built package: run "npm run build" first');
  }
  root = await mkdtemp(join(tmpdir(), 'neurite-activations-'));
  await writeSmallMnist(join(root, 'data'), 640, 100);
});
afterAll(() => rm(root, { recursive: true, force: true }));

function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [script, ...args],
      { cwd: root, env: { ...process.env, NEURITE_DEBUG: '' } },
      (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code), out, err });
      },
    );
  });
}

describe('examples/activations.mjs', () => {
  it('compares seven activations and draws their gradients', async () => {
    const { code, out, err } = await run('--data', 'data', '--quick', '--depth', '6', '--width', '32', '--json');
    expect([code, err]).toEqual([0, '']);
    const { results } = JSON.parse(out);
    expect(results.map((r: { name: string }) => r.name)).toEqual([
      'ReLU',
      'leaky ReLU',
      'PReLU',
      'ELU',
      'SELU',
      'tanh',
      'sigmoid',
    ]);
    for (const { name, before, losses } of results) {
      expect([before.length, losses.step]).toEqual([7, [1, 2, 3, 4, 5]]);
      // The sigmoid's slope is at most a quarter; the others hand the gradient on.
      expect(before[0] / before[6] < 0.01, name).toBe(name === 'sigmoid');
    }
    expect(JSON.parse(await readFile(join(root, 'runs/activations/activations.json'), 'utf8')).results).toHaveLength(7);
    expect(faults(await readFile(join(root, 'runs/activations/activations.svg'), 'utf8'))).toEqual([]);
  });

  it.each<[string[], RegExp]>([
    [['--depth', '0'], /^error: --depth is "0", expected a whole number of at least 1\n.*--help/],
    [['--lr', 'fast'], /^error: --lr is "fast", expected a number above 0/],
    [['--dept', '3'], /^error: Unknown option '--dept'/],
    [['--data', 'nowhere'], /^error: mnist: nowhere does not have all four files/],
  ])('%j ends with one clear line', async (args, message) => {
    const { code, err } = await run(...args);
    expect(code).toBe(args[0] === '--data' ? 1 : 2);
    expect(err).toMatch(message);
    expect(err).not.toContain('    at ');
  });
});
