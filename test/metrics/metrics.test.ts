import { describe, expect, it } from 'vitest';
import { compile, DataError, metrics, OptionError, ShapeError, type Tensor, tensor, zeros } from '../../src/index.js';

const int32 = (values: number[], shape = [values.length]) => tensor(Int32Array.from(values), { shape });
const value = async (m: metrics.Metric, x: Tensor, y: Tensor) => {
  const sum = m.batch(x, y);
  expect([sum.shape, sum.dtype]).toEqual([[], 'float32']);
  return m.finish(m.init + (await sum.item()), x.shape[0]);
};
const scores = tensor([
  [1, 3, 2],
  [9, 0, 9],
  [0, 0, 0],
  [-1, -2, -3],
]);

describe('accuracy', () => {
  it('is the fraction of right classes; the first of equal outputs is predicted', async () => {
    expect(await value(metrics.accuracy(), scores, int32([1, 2, 0, 1]))).toBe(0.5);
    expect(await value(metrics.accuracy(), scores, tensor(Uint8Array.of(1, 0, 0, 0)))).toBe(1);
  });
  it('is binary when labels have the shape of the outputs', async () => {
    const z = tensor([[0.5], [-1], [2], [0]]);
    expect(await value(metrics.accuracy(), z, tensor([[1], [1], [1], [0]]))).toBe(0.75);
    expect(await value(metrics.accuracy({ threshold: 1 }), z, int32([0, 0, 1, 0], [4, 1]))).toBe(1);
    expect(await value(metrics.accuracy(), z.reshape([4]), tensor([true, false, true, true]))).toBe(0.75);
  });
  it('counts an example with several labels by their mean', async () => {
    const x = tensor([
      [
        [1, 0],
        [1, 0],
      ],
      [
        [0, 1],
        [1, 0],
      ],
    ]);
    expect(await value(metrics.accuracy(), x, int32([0, 1, 1, 0], [2, 2]))).toBe(0.75);
  });
  it('refuses labels of another shape', () => {
    expect(() => metrics.accuracy().batch(scores, int32([1, 2]))).toThrow(ShapeError);
    expect(() => metrics.accuracy().batch(zeros([]), zeros([]))).toThrow(/without batch axis/);
  });
});

describe('topKAccuracy', () => {
  it('with k = 1 is accuracy, ties included', async () => {
    for (const labels of [
      [1, 2, 0, 1],
      [1, 0, 2, 0],
      [0, 0, 1, 2],
    ]) {
      const y = int32(labels);
      expect(await value(metrics.topKAccuracy(1), scores, y)).toBe(await value(metrics.accuracy(), scores, y));
    }
  });
  it('counts labels among the k largest', async () => {
    expect(await value(metrics.topKAccuracy(2), scores, int32([2, 2, 1, 2]))).toBe(0.75);
    expect(await value(metrics.topKAccuracy(3), scores, int32([0, 1, 2, 2]))).toBe(1);
    expect(await value(metrics.topKAccuracy(9), scores, int32([0, 1, 2, 7]))).toBe(0.75); // 7 is no class
  });
  it('takes NaN for wrong', async () => {
    const x = tensor([
      [Number.NaN, Number.NaN, Number.NaN],
      [1, Number.NaN, 0],
    ]);
    expect(await value(metrics.topKAccuracy(1), x, int32([0, 0]))).toBe(0);
    expect(() => metrics.topKAccuracy(0)).toThrow(OptionError);
    expect(metrics.topKAccuracy(5).name).toBe('top5Accuracy');
  });
});

describe('errors', () => {
  const [x, y] = [
    tensor([
      [1, 2],
      [3, 4],
    ]),
    tensor([
      [1, 0],
      [0, 4],
    ]),
  ];
  it('are means over all elements', async () => {
    expect(await value(metrics.meanAbsoluteError(), x, y)).toBe(5 / 4);
    expect(await value(metrics.meanSquaredError(), x, y)).toBe(13 / 4);
    expect(await value(metrics.rootMeanSquaredError(), x, y)).toBe(Math.sqrt(13 / 4));
    expect(() => metrics.meanAbsoluteError().batch(x, zeros([2]))).toThrow(ShapeError);
  });
  it('do not depend on how batches are cut: the root is taken at the end', async () => {
    const m = metrics.rootMeanSquaredError();
    const running = new metrics.RunningMetric(m);
    expect(running.value).toBeNaN();
    const [a, b] = [tensor([3, 0, 0]), tensor([4])];
    running.add(await m.batch(a, zeros([3])).item(), 3);
    running.add(await m.batch(b, zeros([1])).item(), 1);
    expect(running.value).toBe(Math.sqrt(25 / 4));
    running.reset();
    expect(running.value).toBeNaN();
  });
});

it('a compiled step returns the sums of several metrics', async () => {
  const list = [metrics.accuracy(), metrics.topKAccuracy(2)];
  const step = compile((x: Tensor, y: Tensor) => list.map((m) => m.batch(x, y)));
  const sums = step(scores, int32([1, 2, 0, 1]));
  expect(await Promise.all(sums.map((s) => s.item()))).toEqual([2, 4]);
});

describe('confusionMatrix', () => {
  it('has labels as rows and predictions as columns', () => {
    expect(metrics.confusionMatrix([0, 1, 1, 2], [0, 1, 0, 1])).toEqual([
      [1, 0, 0],
      [1, 1, 0],
      [0, 1, 0],
    ]);
    expect(metrics.confusionMatrix(Int32Array.of(1), Uint8Array.of(0), { classes: 2 })).toEqual([
      [0, 0],
      [1, 0],
    ]);
    expect(metrics.confusionMatrix([], [])).toEqual([]);
  });
  it('names what is no class', () => {
    expect(() => metrics.confusionMatrix([0], [0, 1])).toThrow(ShapeError);
    expect(() => metrics.confusionMatrix([0, 2], [0, 1], { classes: 2 })).toThrow(
      /label 1 is 2, expected a class in \[0, 2\)/,
    );
    expect(() => metrics.confusionMatrix([0], [0.5])).toThrow(/prediction 0 is 0\.5/);
    expect(() => metrics.confusionMatrix([-1], [0])).toThrow(DataError);
    expect(() => metrics.confusionMatrix([1e9], [0])).toThrow(/give \{ classes \}/);
    expect(() => metrics.confusionMatrix([0], [0], { classes: -1 })).toThrow(OptionError);
  });
});

it('metricByName knows its names', () => {
  expect(metrics.metricByName('accuracy').name).toBe('accuracy');
  expect(metrics.metricByName('rootMeanSquaredError').name).toBe('rootMeanSquaredError');
  expect(() => metrics.metricByName('acuracy' as 'accuracy')).toThrow(/Did you mean "accuracy"/);
  expect(() => metrics.metricByName('valueOf' as 'accuracy')).toThrow(OptionError);
});
