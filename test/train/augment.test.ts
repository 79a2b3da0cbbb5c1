import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { augment, callbacks, data, type FitOptions, fit, nn, seed, tensor } from '../../src/index.js';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'neurite-augment-'));
});
afterAll(() => rm(root, { recursive: true }));

/** 40 pictures of 6 x 6: a bar in column or row 1, by class. */
const pixels = new Uint8Array(40 * 36);
for (let i = 0; i < 40; i++) {
  for (let k = 0; k < 6; k++) pixels[i * 36 + (i % 2 === 0 ? 6 * k + 1 : 6 + k)] = 200 + i;
}
const labels = Int32Array.from({ length: 40 }, (_, i) => i % 2);
const bars = new data.TensorDataset({ data: pixels, shape: [40, 6, 6, 1] }, labels, {
  transform: (x) => x.cast('float32').div(255),
});
const floats = (): data.Pipeline<data.Batch> =>
  data.Pipeline.from(bars).shuffle({ buffer: 64, seed: 2 }).batch(8) as unknown as data.Pipeline<data.Batch>;

const changes = (workers: number, ...more: augment.Augmentation[]): augment.Augmentation =>
  augment.compose([augment.shift(0.2), augment.elastic({ alpha: 4 }), ...more], { workers });

async function train(options: Partial<FitOptions>, from: typeof bars | data.Pipeline<data.Batch> = bars) {
  seed(7);
  const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(36, 2));
  const rows = from === bars ? { batchSize: 8 } : {};
  const history = await fit(model, from, {
    loss: 'crossEntropy',
    optimizer: 'adam',
    metrics: ['accuracy'],
    epochs: 3,
    ...rows,
    ...options,
  });
  const { '1.weight': weight } = await model.stateDict();
  return { weight: [...(await weight.data())], loss: history.epochs.map((e) => e.loss), history };
}

describe('fit with augment', () => {
  it('trains on changed pictures, the same for any number of threads, accumulation of batches and native calls', async () => {
    const plain = await train({});
    const alone = await train({ augment: changes(0) });
    expect(alone.loss).not.toEqual(plain.loss);
    expect((await train({ augment: changes(2) })).weight).toEqual(alone.weight);
    // A callback at every step cuts the native calls to one step each.
    const watch = { name: 'watch', onStep: () => {} };
    expect((await train({ augment: changes(1), callbacks: [watch] })).weight).toEqual(alone.weight);
    // 40 samples are 5 batches of 8; groups of 2 with a last one of 1.
    const accumulated = await train({ augment: changes(1), accumulate: 2 });
    expect(accumulated.history.steps).toBe(9);
  });

  it.each([
    ['mixup', augment.mixup()],
    ['cutmix', augment.cutmix()],
  ])('blends labels with %s; validation has class numbers', async (_, mix) => {
    const { history } = await train({ augment: changes(1, mix), validation: bars, epochs: 20 });
    const last = history.epochs.at(-1);
    expect(last?.['valAccuracy']).toBeGreaterThan(0.9);
    expect(last?.loss).toBeGreaterThan(last?.['valLoss'] as number);
  });

  it.each([
    ['memory', () => bars],
    ['a pipeline', floats],
  ])('goes on from a checkpoint in the middle of an epoch, with %s', async (name, from) => {
    const options = { augment: changes(1), epochs: 3 };
    const whole = await train(options, from());
    const directory = join(root, name);
    const save = (): callbacks.Checkpoint => new callbacks.Checkpoint({ directory, everySteps: 7 });
    const stop = {
      name: 'stop',
      onStep: ({ totalSteps }: { totalSteps: number }, run: { stop(reason: string): void }) => {
        if (totalSteps === 7) run.stop('enough');
      },
    };
    expect((await train({ ...options, callbacks: [save(), stop] }, from())).history.steps).toBe(7);
    const resumed = await train({ ...options, callbacks: [save()], resume: 'auto' }, from());
    expect(resumed.weight).toEqual(whole.weight);
    expect(resumed.loss).toEqual(whole.loss);
    await expect(train({ callbacks: [save()], resume: 'auto' }, from())).rejects.toThrow(/augment/);
  });

  it('names the sample behind a loss that is no number', async () => {
    const x = new Float32Array(40 * 36).fill(1);
    x[5 * 36] = Number.NaN;
    const odd = new data.TensorDataset({ data: x, shape: [40, 6, 6] }, labels);
    const run = train({ augment: augment.compose([augment.flip()], { workers: 0 }), batchSize: 8 }, odd);
    await expect(run).rejects.toThrow(/sample 5, augmented/);
  });

  it.each<[Partial<FitOptions>, () => typeof bars | data.Pipeline<data.Batch>, string]>([
    [{ augment: [augment.flip()] as never }, () => bars, 'put the list into augment.compose'],
    [
      { augment: changes(0) },
      () => bars.map((x) => x).withTargets(labels) && flat(),
      'read them with mnist({ image: true })',
    ],
    [{ augment: changes(0, augment.mixup()) }, floats, 'give mixup or cutmix { classes }'],
    [
      { augment: changes(0, augment.mixup({ classes: 2 })), loss: 'mse' },
      () => scalars(),
      'blend one class number a sample',
    ],
    [
      { augment: changes(0, augment.mixup({ classes: 2 })) },
      () => threes(),
      'is no class in [0, 2) of mixup or cutmix',
    ],
    [{ augment: changes(0) }, () => integers(), 'pictures are int32, expected uint8 or float32'],
  ])('refuses %#', async (options, from, message) => {
    await expect((async () => train(options, from()))()).rejects.toThrow(message);
  });
});

const flat = (): typeof bars => new data.TensorDataset({ data: pixels, shape: [40, 36] }, labels);
const scalars = (): typeof bars => bars.withTargets(new Float32Array(40));
const threes = (): typeof bars => bars.withTargets(new Int32Array(40).fill(3));
const integers = (): typeof bars =>
  new data.TensorDataset(tensor(Int32Array.from(pixels), { shape: [40, 6, 6, 1] }), labels);
