import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { seed } from '../../src/core.js';
import { type Callback, callbacks, type FitOptions, fit } from '../../src/train/index.js';
import { blobs, network } from './helpers.js';

const scratch = mkdtempSync(join(tmpdir(), 'neurite-logs-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const OPTIONS: FitOptions = {
  loss: 'crossEntropy',
  optimizer: 'adam',
  metrics: ['accuracy'],
  epochs: 3,
  batchSize: 16,
  validation: blobs(9),
  validationEvery: 2,
};

beforeEach(() => seed(1));

describe('CsvLogger and JsonlLogger', () => {
  it('have a line an epoch, with empty fields for figures that an epoch lacks', async () => {
    const csv = join(scratch, 'new', 'epochs.csv');
    const jsonl = join(scratch, 'new', 'epochs.jsonl');
    const history = await fit(network(), blobs(48), {
      ...OPTIONS,
      callbacks: [new callbacks.CsvLogger(csv), new callbacks.JsonlLogger(jsonl)],
    });
    const lines = readFileSync(csv, 'utf8').trim().split('\n');
    expect(lines[0]).toBe('epoch,loss,accuracy,valLoss,valAccuracy,seconds,samplesPerSecond');
    const rows = lines.slice(1).map((line) => line.split(','));
    const [first, second] = history.epochs;
    expect(rows.map((r) => Number(r[1]))).toEqual(history.epochs.map((e) => e.loss));
    expect(rows[0].slice(3, 5)).toEqual(['', '']);
    expect(rows[1].slice(3, 5)).toEqual([String(second.valLoss), String(second.valAccuracy)]);
    const parsed = readFileSync(jsonl, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(parsed).toEqual(history.epochs);
    expect(parsed[0]).toEqual(first);
  });

  it('are those of one run after a resume', async () => {
    const csv = join(scratch, 'resumed.csv');
    const directory = join(scratch, 'resumed');
    const crash: Callback = {
      name: 'crash',
      onEpoch: ({ record }) => {
        if (record.epoch === 2) throw new Error('crashed');
      },
    };
    // Logged before the crash, saved only before it: epoch 2 must not be there twice.
    const logs = (): Callback[] => [new callbacks.CsvLogger(csv), new callbacks.Checkpoint({ directory })];
    await expect(fit(network(), blobs(48), { ...OPTIONS, callbacks: [...logs(), crash] })).rejects.toThrow('crashed');
    expect(readFileSync(csv, 'utf8').trim().split('\n')).toHaveLength(3);
    const history = await fit(network(), blobs(48), { ...OPTIONS, callbacks: logs(), resume: 'auto' });
    const rows = readFileSync(csv, 'utf8').trim().split('\n').slice(1);
    expect(rows.map((r) => r.split(',').slice(0, 2).map(Number))).toEqual(history.epochs.map((e) => [e.epoch, e.loss]));
  });

  it('name the file that cannot be written', async () => {
    const file = join(scratch, 'new', 'epochs.csv', 'below');
    const run = fit(network(), blobs(48), { ...OPTIONS, callbacks: [new callbacks.CsvLogger(file)] });
    await expect(run).rejects.toThrow(/CsvLogger ".*below": /);
    expect(() => new callbacks.JsonlLogger('')).toThrow(/file is , expected a path/);
  });
});

/** Payloads of the records of an event file: length, its checksum, data, its checksum. */
function records(file: string): Buffer[] {
  const bytes = readFileSync(file);
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    out.push(bytes.subarray(at + 12, at + 12 + length));
    at += 12 + length + 4;
  }
  return out;
}

it('TensorBoard has scalars of epochs and steps, and histograms', async () => {
  const directory = join(scratch, 'board');
  await fit(network(), blobs(48), {
    ...OPTIONS,
    callbacks: [new callbacks.TensorBoard({ directory, everySteps: 2, histograms: 3 })],
  });
  const [file] = readdirSync(directory);
  const count = (tag: string): number => records(join(directory, file)).filter((r) => r.includes(tag)).length;
  expect(statSync(join(directory, file)).size).toBeGreaterThan(500);
  expect(['epoch/loss', 'epoch/valLoss', 'epoch/learningRate', 'step/loss', '0.weight', '2.bias'].map(count)).toEqual([
    3, 2, 3, 4, 1, 1,
  ]);
  expect(() => new callbacks.TensorBoard({ directory: '' })).toThrow(/directory is , expected a path/);
  expect(() => new callbacks.TensorBoard({ directory, everySteps: 0 })).toThrow(/everySteps is 0/);
  expect(() => new callbacks.TensorBoard({ directory, histograms: 1.5 })).toThrow(/histograms is 1\.5/);
});

describe('ProgressBar', () => {
  const written = async (mode: 'auto' | 'tty' | 'plain' | 'silent', isTTY: boolean): Promise<string> => {
    let text = '';
    const write = (more: string): void => {
      text += more;
    };
    const stream = { isTTY, columns: 70, write };
    await fit(network(), blobs(48), { ...OPTIONS, callbacks: [new callbacks.ProgressBar({ stream, mode })] });
    return text;
  };

  it('is a bar in a terminal, lines elsewhere, or silent', async () => {
    const line = /epoch 3\/3 {2}loss [\d.]+ {2}accuracy [\d.]+ {2}val loss [\d.]+/m;
    for (const text of [await written('auto', true), await written('tty', false)]) {
      expect(text).toContain('\r\u001b[2K');
      expect(text).toMatch(line);
    }
    for (const text of [await written('auto', false), await written('plain', true)]) {
      expect(text).not.toContain('\u001b');
      expect(text.trim().split('\n')).toHaveLength(3);
      expect(text).toMatch(line);
    }
    expect(await written('silent', true)).toBe('');
    expect(() => new callbacks.ProgressBar({ mode: 'loud' as never })).toThrow(/mode is "loud"/);
    expect(() => new callbacks.ProgressBar({ stream: {} as never })).toThrow(/expected an object with write/);
  });
});
