import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataError, data, nn, OptionError, ShapeError, zeros } from '../../src/index.js';

/** Channel 0: 0 … 599 by sample and place; channel 1: bytes with a period. */
const pictures = new Float32Array(300 * 2 * 2);
for (let i = 0; i < pictures.length; i += 2) {
  pictures[i] = 1000 + i / 2;
  pictures[i + 1] = (i % 7) / 7;
}
const set = new data.TensorDataset({ data: pictures, shape: [300, 2, 1, 2] }, new Int32Array(300), {
  transform: (x) => x.mul(2),
});

describe('Normalize', () => {
  it('is fitted to each channel of what the model gets, over several batches, and saved with the model', async () => {
    const layer = await nn.Normalize.fit(set);
    const moments = [0, 1].map((c) => {
      const values = Array.from(pictures).filter((_, i) => i % 2 === c);
      const mean = values.reduce((s, v) => s + 2 * v, 0) / values.length;
      return [mean, Math.sqrt(values.reduce((s, v) => s + (2 * v - mean) ** 2, 0) / values.length)];
    });
    const [mean, std] = [await layer.mean.read().data(), await layer.std.read().data()];
    // float32 sums of 512 values: at most 512 · 2⁻²⁴ of their size.
    moments.forEach(([m, s], c) => {
      expect(Math.abs(mean[c] / m - 1)).toBeLessThan(512 * 2 ** -24);
      expect(Math.abs(std[c] / s - 1)).toBeLessThan(512 * 2 ** -24);
    });
    const dir = await mkdtemp(join(tmpdir(), 'neurite-normalize-'));
    try {
      const model = new nn.Sequential(layer, new nn.Flatten(), new nn.Linear(4, 1));
      await nn.saveModel(model, join(dir, 'a'));
      const { model: loaded } = await nn.loadModel(join(dir, 'a'));
      const batch = zeros([3, 2, 1, 2]);
      expect(await loaded.forward(batch).data()).toEqual(await model.forward(batch).data());
      expect(loaded.toString()).toBe(model.toString());
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('refuses what it cannot use', async () => {
    expect(() => new nn.Normalize([0], [0])).toThrow(OptionError);
    expect(() => new nn.Normalize([0, 1], [1])).toThrow('expected as many finite numbers of each');
    expect(() => new nn.Normalize([0], [1]).forward(zeros([2, 3]))).toThrow(ShapeError);
    const flat = new data.TensorDataset(zeros([4, 2, 3]), zeros([4]));
    await expect(nn.Normalize.fit(flat)).rejects.toThrow(DataError);
    await expect(nn.Normalize.fit(flat)).rejects.toThrow('channel 0 has mean 0 and deviation 0');
  });
});
