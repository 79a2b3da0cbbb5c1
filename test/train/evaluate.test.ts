import { beforeEach, describe, expect, it } from 'vitest';
import { DataError, OptionError, ShapeError, seed, type Tensor, tensor } from '../../src/core.js';
import { crossEntropy } from '../../src/losses/index.js';
import * as nn from '../../src/nn/index.js';
import { evaluate, predict } from '../../src/train/index.js';
import { blobs, network } from './helpers.js';

beforeEach(() => seed(1));

describe('evaluate', () => {
  it('is the mean over all samples, whatever the batches', async () => {
    const model = network();
    const data = blobs(103);
    const loss = await crossEntropy(model.forward(data.x), data.y).item();
    const classes = await model.forward(data.x).argmax({ axis: -1 }).data();
    const labels = await data.y.data();
    const accuracy = labels.filter((label, i) => classes[i] === label).length / 103;
    for (const batchSize of [1, 10, 103, 1000]) {
      const figures = await evaluate(model, data, { loss: 'crossEntropy', metrics: ['accuracy'], batchSize });
      // Means of means in another order: a few roundings of float32.
      expect(Math.abs(figures.loss - loss)).toBeLessThanOrEqual(8 * 2 ** -24 * loss);
      expect(figures.accuracy).toBeCloseTo(accuracy, 12);
      expect(Object.keys(figures)).toEqual(['loss', 'accuracy']);
    }
  });

  it('switches dropout off and gives the modes back', async () => {
    const model = new nn.Sequential(new nn.Linear(2, 8), new nn.Dropout(0.5), new nn.Linear(8, 3));
    const first = await evaluate(model, blobs(30), { loss: 'crossEntropy' });
    expect(await evaluate(model, blobs(30), { loss: 'crossEntropy' })).toEqual(first);
    expect(model.training).toBe(true);
    expect(model[1].training).toBe(true);
  });

  it('refuses what it does not know', async () => {
    const data = blobs(3);
    await expect(evaluate(network(), data, { loss: 'crossEntropy', metric: ['accuracy'] } as never)).rejects.toThrow(
      /evaluate: unknown option "metric".*Did you mean "metrics"\?/,
    );
    await expect(evaluate(network(), data, { loss: 'crossEntropy', batchSize: 0 })).rejects.toThrow(OptionError);
    await expect(evaluate({} as never, data, { loss: 'mse' })).rejects.toThrow(/got a Object as model/);
  });
});

describe('predict', () => {
  it('gives one row a sample, for all kinds of input and batch sizes', async () => {
    const model = network();
    const data = blobs(41);
    const values = await data.x.data();
    const expected = [...(await model.forward(data.x).data())];
    const nested = Array.from({ length: 41 }, (_, i) => [values[2 * i], values[2 * i + 1]]);
    for (const x of [data, data.x, nested, { data: values, shape: [41, 2] }]) {
      const out = await predict(model, x, { batchSize: 10 });
      expect(out.shape).toEqual([41, 3]);
      const got = await out.data();
      // Blocks of the matrix product may differ with the batch: k + 1 roundings in each of two layers of k = 2 and 16.
      expected.forEach((v, i) => {
        expect(Math.abs(got[i] - v)).toBeLessThanOrEqual(20 * 2 ** -24 * 4);
      });
    }
    expect([...(await (await predict(model, data.subset([7]))).data())]).toHaveLength(3);
  });

  it('is in evaluation mode and gives the mode back', async () => {
    const model = new nn.Sequential(new nn.Linear(2, 8), new nn.Dropout(0.9));
    const data = blobs(20);
    expect([...(await (await predict(model, data)).data())]).not.toContain(0);
    expect(model.training).toBe(true);
  });

  it('keeps dtypes, higher ranks and transforms', async () => {
    class Classes extends nn.Module {
      forward(x: Tensor): Tensor {
        return x.argmax({ axis: -1 });
      }
    }
    const out = await predict(
      new Classes(),
      [
        [
          [1, 2],
          [4, 3],
        ],
        [
          [5, 6],
          [8, 9],
        ],
        [
          [1, 0],
          [0, 1],
        ],
      ],
      { batchSize: 2 },
    );
    expect([out.dtype, out.shape]).toEqual(['int32', [3, 2]]);
    expect([...(await out.data())]).toEqual([1, 0, 1, 1, 0, 1]);
    const doubled = await predict(
      new nn.Identity(),
      blobs(3).map((x) => x.mul(2)),
    );
    expect([...(await doubled.data())]).toEqual([...(await blobs(3).x.mul(2).data())]);
  });

  it('refuses a model that does not keep the samples apart, and no samples', async () => {
    class Sum extends nn.Module {
      forward(x: Tensor): Tensor {
        return x.sum({ axis: 0 });
      }
    }
    await expect(predict(new Sum(), blobs(4))).rejects.toThrow(ShapeError);
    await expect(predict(network(), [])).rejects.toThrow(DataError);
    await expect(predict(network(), tensor(1))).rejects.toThrow(/x is a scalar, expected \[samples/);
  });
});
