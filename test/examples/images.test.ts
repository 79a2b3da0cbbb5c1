import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSmallMnist } from './small-mnist.js';

let root = '';

beforeAll(async () => {
  if (!existsSync(new URL('../../dist/index.js', import.meta.url))) {
    throw new Error('the examples import the built package: run "npm run build" first');
  }
  root = await mkdtemp(join(tmpdir(), 'neurite-images-'));
  await writeSmallMnist(join(root, 'data'), 1280, 200);
});
afterAll(() => rm(root, { recursive: true, force: true }));

function run(script: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const path = fileURLToPath(new URL(`../../examples/${script}`, import.meta.url));
  const env = { ...process.env, NEURITE_DEBUG: '' };
  return new Promise((resolve) => {
    execFile(process.execPath, [path, ...args], { cwd: root, env }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

describe('examples of images', () => {
  it.each([
    ['cnn.mjs', [], 0.5],
    ['mnist-995.mjs', ['--models', '2'], 0.2],
  ] as const)('%s learns from a few batches', async (script, more, least) => {
    const { code, out, err } = await run(script, '--data', 'data', '--quick', '--epochs', '1', '--json', ...more);
    expect([code, err]).toEqual([0, '']);
    const { testAccuracy, samplesPerSecond, seconds } = JSON.parse(out.trim().split('\n').at(-1) as string);
    expect(testAccuracy).toBeGreaterThan(least);
    expect(samplesPerSecond * seconds).toBeCloseTo(1280 * Math.max(1, more.length), 0);
  });

  it.each<[string, string[], RegExp]>([
    ['cnn.mjs', ['--epochs', '0'], /^error: --epochs is "0", expected a whole number of at least 1\n.*cnn.mjs --help/],
    ['cnn.mjs', ['--data', 'nowhere'], /^error: mnist: nowhere does not have all four files/],
    ['mnist-995.mjs', ['--model', '3'], /^error: Unknown option '--model'/],
  ])('%s %j is an error', async (script, args, message) => {
    const { code, out, err } = await run(script, ...args);
    expect([code > 0, out]).toEqual([true, '']);
    expect(err).toMatch(message);
  });
});
