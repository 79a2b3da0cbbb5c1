import { beforeEach, describe, expect, it } from 'vitest';
import { randomState, seed, type Tensor } from '../../src/core.js';
import * as nn from '../../src/nn/index.js';
import * as optim from '../../src/optim/index.js';
import { fit, lrFinder } from '../../src/train/index.js';
import { blobs, network, weights } from './helpers.js';

beforeEach(() => seed(1));

describe('lrFinder', () => {
  const OPTIONS = { loss: 'crossEntropy', optimizer: 'sgd', batchSize: 16 } as const;

  it('sweeps the rate exponentially, and finds where the loss falls', async () => {
    const { lr, loss, smoothed, suggestion } = await lrFinder(network(), blobs(300), {
      ...OPTIONS,
      start: 1e-4,
      end: 10,
      steps: 101,
    });
    expect(lr[0]).toBe(1e-4);
    expect(lr[20] / lr[0]).toBeCloseTo(10, 10);
    expect([loss.length, smoothed.length]).toEqual([lr.length, lr.length]);
    // The average, by its definition.
    let average = 0;
    smoothed.forEach((s, k) => {
      average = 0.9 * average + 0.1 * loss[k];
      expect(s).toBeCloseTo(average / (1 - 0.9 ** (k + 1)), 10);
    });
    // Plain gradient descent on this network needs more than 0.003 to move within 100 steps.
    expect(suggestion).toBeGreaterThan(0.003);
    expect(lr).toContain(suggestion);
    expect(Math.min(...smoothed)).toBeLessThan(smoothed[20] / 2);
  });

  it('leaves model, optimizer and random streams as they were', async () => {
    const outcome = async (search: boolean): Promise<unknown> => {
      seed(3);
      const model = new nn.Sequential(
        new nn.Linear(2, 8),
        new nn.BatchNorm1d(8),
        new nn.Dropout(0.2),
        new nn.Linear(8, 3),
      );
      const optimizer = new optim.Adam({ lr: 0.01 });
      const options = { ...OPTIONS, optimizer, epochs: 2 };
      await fit(model, blobs(60), options);
      if (search) await lrFinder(model, blobs(60), { ...OPTIONS, optimizer });
      const history = await fit(model, blobs(60), options);
      const buffers = await Promise.all(model.buffers().map((b) => b.read().data()));
      return [
        await weights(model),
        buffers,
        history.epochs.map((e) => e.loss),
        optimizer.steps,
        optimizer.lr,
        randomState(),
      ];
    };
    expect(await outcome(true)).toEqual(await outcome(false));
  });

  it('ends when the loss diverges or is not finite, and puts all back then, too', async () => {
    const model = new nn.Linear(2, 2);
    const before = await weights(model);
    const data = { x: blobs(64).x, y: blobs(64).x };
    const result = await lrFinder(model, data, { loss: 'mse', optimizer: 'sgd', batchSize: 16, end: 1e20 });
    expect(result.diverged).toBe(true);
    expect(result.lr.length).toBeLessThan(100);
    expect(await weights(model)).toEqual(before);
    const bad = (o: Tensor, t: Tensor): Tensor => o.sub(t).abs().sum({ axis: 0 });
    await expect(lrFinder(model, data, { loss: bad, optimizer: 'sgd' })).rejects.toThrow(/expected a scalar/);
    expect(await weights(model)).toEqual(before);
  });

  it.each<[string, object, RegExp]>([
    ['an unknown option', { step: 3 }, /lrFinder: unknown option "step".*Did you mean "steps"/],
    ['a start of 0', { start: 0 }, /start is 0, expected a number > 0/],
    ['an end below', { start: 1, end: 0.5 }, /end is 0\.5, expected a number > 1/],
    ['few steps', { steps: 5 }, /steps is 5, expected a whole number >= 10/],
    ['smoothing of 1', { smoothing: 1 }, /smoothing is 1/],
    ['divergence of 1', { divergence: 1 }, /divergence is 1/],
  ])('refuses %s', async (_name, more, message) => {
    await expect(lrFinder(network(), blobs(8), { ...OPTIONS, ...more })).rejects.toThrow(message);
  });
});
