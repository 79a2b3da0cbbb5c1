import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSmallMnist } from './small-mnist.js';

const script = fileURLToPath(new URL('../../examples/mnist.mjs', import.meta.url));
let root = '';

beforeAll(async () => {
  if (!existsSync(new URL('../../dist/index.js', import.meta.url))) {
    throw new Error('the example imports the built package: run "npm run build" first');
  }
  root = await mkdtemp(join(tmpdir(), 'neurite-example-'));
  await writeSmallMnist(join(root, 'data'), 2000, 500);
});
afterAll(() => rm(root, { recursive: true, force: true }));

function start(...args: string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [script, ...args], { cwd: root, env: { ...process.env, NEURITE_DEBUG: '' } });
}

async function finish(
  child: ChildProcessWithoutNullStreams,
): Promise<{ code: number | null; out: string; err: string }> {
  let out = '';
  let err = '';
  child.stdout.on('data', (d: Buffer) => {
    out += d.toString();
  });
  child.stderr.on('data', (d: Buffer) => {
    err += d.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, out, err };
}

const run = (...args: string[]) => finish(start(...args));

describe('the job: 784-128-128-10, Adam 1e-3, batch 128, 5 epochs of MNIST', () => {
  for (const seed of ['1', '2', '3']) {
    it(`reaches 97.5 % with seed ${seed}`, async () => {
      const { code, out } = await run('--seed', seed, '--json', '--out', `seed-${seed}`);
      const result = JSON.parse(out.trim().split('\n').at(-1) ?? '');
      expect([code, result.epochs, result.trainSamples, result.testSamples]).toEqual([0, 5, 60_000, 10_000]);
      expect(result.testAccuracy).toBeGreaterThanOrEqual(0.975);
    });
  }
});

describe('examples/mnist.mjs', () => {
  it('trains, reports, saves, and predicts with what it saved', async () => {
    const { code, out, err } = await run(
      '--data',
      'data',
      '--epochs',
      '3',
      '--hidden',
      '32',
      '--lr',
      '0.01',
      '--out',
      'a',
    );
    expect(code).toBe(0);
    expect(out).toMatch(/2000 training and 500 test images/);
    expect(out).toMatch(/Linear\(784→32\)/);
    expect(out).toMatch(/test loss \d\.\d{4}, test accuracy \d\d\.\d\d %/);
    expect(out).toMatch(/label\\predicted +0 +1/);
    expect(err.trim().split('\n')).toHaveLength(3); // no terminal: one line an epoch
    const history = JSON.parse(await readFile(join(root, 'a/history.json'), 'utf8'));
    expect(history.epochs).toHaveLength(3);
    expect(history.result.testAccuracy).toBeGreaterThan(0.8);
    expect(history.settings.hidden).toEqual([32]);
    expect(await readFile(join(root, 'a/learning-curve.svg'), 'utf8')).toContain('>validation</text>');

    const predicted = await run('predict', '--data', 'data', '--model', 'a/model.safetensors', '--index', '7');
    expect(predicted.code).toBe(0);
    expect(predicted.out).toContain('██');
    expect(predicted.out).toMatch(/test image 7 is labelled 9/);
    expect(predicted.out.match(/ %/g)).toHaveLength(10);
  });

  it('--json prints one object as the last line and nothing on stderr; equal seeds give equal results', async () => {
    const args = [
      '--data',
      'data',
      '--epochs',
      '2',
      '--hidden',
      '16,16',
      '--optimizer',
      'sgd',
      '--seed',
      '3',
      '--json',
      '--out',
      'b',
    ];
    const results = [];
    for (const threads of ['1', '2']) {
      const { code, out, err } = await run(...args, '--threads', threads);
      expect([code, err]).toEqual([0, '']);
      const result = JSON.parse(out.trim().split('\n').at(-1) as string);
      expect(result).toMatchObject({ epochs: 2, trainSamples: 2000, testSamples: 500, threads: Number(threads) });
      expect(result.samplesPerSecond).toBeCloseTo(4000 / result.seconds, 3);
      expect(result.peakRssBytes).toBeGreaterThan(10e6);
      expect(result.isa).toMatch(/^(scalar|avx2|avx512|neon)$/);
      results.push([result.testLoss, result.testAccuracy]);
    }
    expect(results[1]).toEqual(results[0]);
  });

  it('stops cleanly at Ctrl-C and saves what was trained', async () => {
    const child = start('--data', 'data', '--epochs', '1000000', '--hidden', '16', '--out', 'c');
    const done = finish(child);
    let lines = 0;
    child.stderr.on('data', (d: Buffer) => {
      lines += d.toString().split('\n').length - 1;
      if (lines >= 2 && lines < 1e6) {
        lines = 1e9;
        child.kill('SIGINT');
      }
    });
    const { code, out, err } = await done;
    expect(code).toBe(130);
    expect(err).toContain('stopping');
    expect(out).toMatch(/saved model\.safetensors/);
    const history = JSON.parse(await readFile(join(root, 'c/history.json'), 'utf8'));
    expect(history.stopped).toBe('aborted');
    expect(history.epochs.length).toBeGreaterThanOrEqual(2);
    expect(existsSync(join(root, 'c/model.safetensors'))).toBe(true);
  });

  it.each<[string[], number, RegExp]>([
    [['--epoch', '3'], 2, /^error: unknown option --epoch\. Did you mean "--epochs"\?\n.*--help/],
    [['--epochs', 'three'], 2, /^error: --epochs is "three", expected a whole number of at least 1\n/],
    [['--batch', '0'], 2, /^error: --batch is "0"/],
    [['--hidden', '128,,3'], 2, /^error: --hidden is ""/],
    [['--lr', '-1'], 2, /^error: --lr is "-1", expected a number above 0/],
    [['--lr'], 2, /^error: --lr needs a value/],
    [['--optimizer', 'adm'], 2, /^error: --optimizer is "adm", expected adam, adamw, sgd\. Did you mean "adam"\?/],
    [['--json=yes'], 2, /^error: --json takes no value/],
    [['extra'], 2, /^error: unknown command "extra"/],
    [['--json', 'extra'], 2, /^error: unexpected "extra"/],
    [['predict'], 2, /^error: predict needs --model FILE/],
    [['predict', '--model', 'nowhere'], 1, /^error: read "nowhere": no such file/],
    [['--data', 'nowhere'], 1, /^error: mnist: nowhere does not have all four files/],
    [
      ['--data', 'data', '--batch', '2001'],
      1,
      /^error: fit: batchSize 2001 is larger than the data set of 2000 samples/,
    ],
  ])('%j ends with code %i and one clear line', async (args, code, message) => {
    const result = await run(...args);
    expect(result.err).toMatch(message);
    expect(result.code).toBe(code);
    expect(result.err).not.toContain('    at '); // no stack
  });

  it('--help says everything', async () => {
    const { code, out } = await run('--help');
    expect(code).toBe(0);
    for (const option of ['--data', '--epochs', '--threads', '--json', 'predict']) expect(out).toContain(option);
  });
});
