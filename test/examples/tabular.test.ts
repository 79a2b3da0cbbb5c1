import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../examples/tabular.mjs', import.meta.url));
let out = '';
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), 'neurite-tabular-'));
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

const run = (...args: string[]) =>
  spawnSync(process.execPath, [script, '--out', out, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NEURITE_DEBUG: '' },
  });

describe('examples/tabular.mjs', () => {
  it('goes from raw rows to saved models, figures and pictures', { timeout: 120_000 }, () => {
    const { status, stdout, stderr } = run('--json', '--texts', '800', '--words', '500', '--epochs', '20');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const { iris, spam } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
    expect([iris.trainRows, iris.testRows, iris.inputs]).toEqual([120, 30, 4]);
    expect([spam.trainRows, spam.testRows, spam.inputs]).toEqual([640, 160, 500]);
    expect(iris.accuracy).toBeGreaterThan(0.8); // six flowers of thirty; a third each by guessing
    expect(spam.accuracy).toBeGreaterThan(0.8); // two thirds are no spam
    expect(spam.rocAuc).toBeGreaterThan(0.9);
    const files = readdirSync(out).sort();
    for (const name of ['iris', 'spam']) {
      expect(files.filter((f) => f.startsWith(name))).toEqual(
        ['-calibration.svg', '-learning-curve.svg', '-roc.svg', '.safetensors'].map((e) => `${name}${e}`),
      );
      expect(readFileSync(join(out, `${name}-roc.svg`), 'utf8')).toMatch(/^<svg[\s\S]*AUC[\s\S]*<\/svg>\s*$/);
    }
  });

  it('says what is wrong with its options', () => {
    for (const [args, message] of [
      [['--only', 'wine'], /--only is "wine", expected iris or spam/],
      [['--epochs', '0'], /--epochs is "0"/],
      [['--colour', 'red'], /'--colour'/],
    ] as const) {
      const { status, stderr } = run(...args);
      expect(status).toBe(2);
      expect(stderr).toMatch(message);
    }
    expect(run('--help').stdout).toMatch(/--only NAME/);
  });
});
