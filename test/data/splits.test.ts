import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DataError, data, evaluate, fit, nn, OptionError, seed } from '../../src/index.js';

const golden = JSON.parse(readFileSync(new URL('./goldens/splits.json', import.meta.url), 'utf8'));
const plain = (folds: data.Fold[]) => folds.map(({ train, test }) => ({ train: [...train], test: [...test] }));
const count = (list: ArrayLike<number>, of: number) => Array.from(list).filter((v) => v === of).length;

describe('folds against scikit-learn', () => {
  it.each([2, 5, 47])('kFold, k = %i', (k) => {
    expect(plain(data.kFold(47, { k }))).toEqual(golden.kFold[k]);
  });
  it.each([2, 5])('stratifiedKFold, k = %i', (k) => {
    expect(plain(data.stratifiedKFold(golden.labels, { k }))).toEqual(golden.stratifiedKFold[k]);
    const names = golden.labels.map((c: number) => `class ${c}`);
    expect(plain(data.stratifiedKFold(names, { k }))).toEqual(golden.stratifiedKFold[k]);
  });
  it.each([2, 4])('groupKFold, k = %i', (k) => {
    expect(plain(data.groupKFold(golden.groups, { k }))).toEqual(golden.groupKFold[k]);
  });
  it('timeSeriesSplit', () => {
    for (const { options, folds } of golden.timeSeriesSplit)
      expect(plain(data.timeSeriesSplit(47, options))).toEqual(folds);
  });
  it('classWeights', () => {
    const weights = data.classWeights(golden.labels);
    weights.forEach((w, c) => {
      expect(w).toBe(Math.fround(golden.classWeights[c]));
    });
    const all = data.sampleWeights(golden.labels, weights);
    expect(all.reduce((a, b) => a + b, 0) / all.length).toBeCloseTo(1, 6);
  });
});

describe('shuffled folds', () => {
  it('test each sample once; the same seed gives the same folds', () => {
    const folds = data.kFold(20, { k: 3, shuffle: true, seed: 1 });
    expect(folds.flatMap((f) => [...f.test]).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, i) => i),
    );
    expect(plain(data.kFold(20, { k: 3, shuffle: true, seed: 1 }))).toEqual(plain(folds));
    expect(plain(data.kFold(20, { k: 3, shuffle: true, seed: 2 }))).not.toEqual(plain(folds));
    expect(plain(folds)).not.toEqual(plain(data.kFold(20, { k: 3 })));
  });
  it('keep the shares of classes', () => {
    for (const { test } of data.stratifiedKFold(golden.labels, { k: 4, shuffle: true, seed: 1 })) {
      for (const c of [0, 1, 2]) {
        const share = count(golden.labels, c) / 4;
        expect(
          Math.abs(
            count(
              Array.from(test, (i) => golden.labels[i]),
              c,
            ) - share,
          ),
        ).toBeLessThan(1);
      }
    }
  });
});

describe('splitIndices and trainDevTest', () => {
  it('cuts by shares (largest remainder) or counts', () => {
    expect(data.splitIndices(10, [0.75, 0.25]).map((p) => p.length)).toEqual([8, 2]);
    expect(data.splitIndices(10, [0.7, 0.15, 0.15]).map((p) => p.length)).toEqual([7, 2, 1]);
    expect(data.splitIndices(10, [7, 3]).map((p) => p.length)).toEqual([7, 3]);
    const all = data.splitIndices(10, [0.5, 0.5], { seed: 1 }).flatMap((p) => [...p]);
    expect(all.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(all).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
  it('chronological: without shuffle the parts follow each other', () => {
    expect(data.splitIndices(5, [3, 1, 1], { shuffle: false }).map((p) => [...p])).toEqual([[0, 1, 2], [3], [4]]);
  });
  it.each([true, false])('stratified, shuffle %s: every part has each class in its share', (shuffle) => {
    const parts = data.splitIndices(47, [0.6, 0.2, 0.2], { stratify: golden.labels, shuffle, seed: 3 });
    expect(parts.map((p) => p.length)).toEqual([28, 10, 9]);
    expect(new Set(parts.flatMap((p) => [...p])).size).toBe(47);
    for (const p of parts) {
      for (const c of [0, 1, 2]) {
        const exact = (count(golden.labels, c) * p.length) / 47;
        expect(
          Math.abs(
            count(
              Array.from(p, (i) => golden.labels[i]),
              c,
            ) - exact,
          ),
        ).toBeLessThanOrEqual(1);
      }
      if (!shuffle) expect([...p]).toEqual([...p].toSorted((a, b) => a - b));
    }
  });
  it('parts of a data set, by share and by count', async () => {
    const set = data.blobs(100, { seed: 1 });
    const { train, dev, test } = data.trainDevTest(set, {
      dev: 0.15,
      test: 0.15,
      seed: 1,
      stratify: await data.labelsOf(set),
    });
    expect([train.length, dev?.length, test?.length]).toEqual([70, 15, 15]);
    expect((await data.labelsOf(test!)).length).toBe(15);
    const two = data.trainDevTest(set, { test: 30, shuffle: false });
    expect([two.train.length, two.dev, two.test?.length]).toEqual([70, null, 30]);
  });
  it('names what cannot be', () => {
    expect(() => data.splitIndices(10, [0.5, 0.4])).toThrow(/add up to 0.9, expected 1/);
    expect(() => data.splitIndices(10, [5, 4])).toThrow(OptionError);
    expect(() => data.splitIndices(3, [0.9, 0.1])).toThrow(/part 1 .* would be empty/);
    expect(() => data.splitIndices(4, [2, 2], { stratify: [0, 0, 0, 1] })).toThrow(
      /class 1 has 1 samples and would be missing/,
    );
    expect(() => data.splitIndices(4, [2, 2], { stratify: [0, 1] })).toThrow(DataError);
    expect(() => data.trainDevTest(data.moons(10), {})).toThrow(/expected dev, test or both/);
  });
});

describe('what folds cannot be', () => {
  it('k > n, rare classes, few groups, no room', () => {
    expect(() => data.kFold(4, { k: 5 })).toThrow(/k is 5, expected a whole number in \[2, 4\]/);
    expect(() => data.kFold(4, { k: 1 })).toThrow(OptionError);
    expect(() => data.stratifiedKFold([0, 0, 0, 1], { k: 2 })).toThrow(
      /class 1 has 1 samples, expected at least k = 2/,
    );
    expect(() => data.groupKFold(['a', 'a', 'b'], { k: 3 })).toThrow(/2 groups, expected at least k = 3/);
    expect(() => data.timeSeriesSplit(10, { k: 5, testSize: 2 })).toThrow(/leave nothing to train on/);
    expect(() => data.classWeights([0, 2])).toThrow(/class 1 has no samples/);
    expect(() => data.classWeights([0, 0.5])).toThrow(/label 1 is 0.5/);
    expect(() => data.sampleWeights([0, 1], [1])).toThrow(/label 1 is 1, expected a class in \[0, 1\)/);
    expect(() => data.sampleWeights([0], [-1])).toThrow(DataError);
  });
});

describe('balancedSample', () => {
  const labels = Array.from({ length: 100 }, (_, i) => (i < 90 ? 'common' : 'rare'));
  it('makes classes equally frequent, repeating none before all have come', () => {
    const picks = data.balancedSample(labels, { seed: 1 });
    const rare = picks.filter((i) => i >= 90);
    expect([picks.length, rare.length]).toEqual([100, 50]);
    for (let i = 90; i < 100; i++) expect(count(rare, i)).toBe(5);
    expect(new Set(picks.filter((i) => i < 90)).size).toBe(50);
    expect([...data.balancedSample(labels, { seed: 1 })]).toEqual([...picks]);
  });
  it('checks its options', () => {
    expect(data.balancedSample(labels, { samples: 7, seed: 1 }).length).toBe(7);
    expect(() => data.balancedSample([])).toThrow(DataError);
    expect(() => data.balancedSample(labels, { samples: 1 })).toThrow(/samples is 1/);
  });
});

describe('crossValidate', () => {
  it('trains and tests once a fold; mean and deviation are over the folds', async () => {
    seed(1);
    const set = data.blobs(60, {
      centers: [
        [-4, 0],
        [4, 0],
      ],
      seed: 2,
    });
    const sizes: number[][] = [];
    const result = await data.crossValidate(set, data.kFold(60, { k: 3 }), async (train, test, fold) => {
      sizes.push([fold, train.length, test.length]);
      const model = new nn.Linear(2, 2);
      await fit(model, train, { loss: 'crossEntropy', optimizer: 'adam', epochs: 30 });
      return evaluate(model, test, { loss: 'crossEntropy', metrics: ['accuracy'] });
    });
    expect(sizes).toEqual([
      [0, 40, 20],
      [1, 40, 20],
      [2, 40, 20],
    ]);
    expect(result.folds.length).toBe(3);
    expect(Object.keys(result.mean)).toEqual(['loss', 'accuracy']);
  });
  it('has the sample deviation', async () => {
    const values = [1, 2, 6];
    const { mean, std } = await data.crossValidate(data.moons(6), data.kFold(6, { k: 3 }), async (_, __, i) => ({
      v: values[i],
    }));
    expect([mean.v, std.v]).toEqual([3, Math.sqrt(7)]);
  });
  it('wants folds that fit', async () => {
    const score = async () => ({ v: 1 });
    await expect(data.crossValidate(data.moons(6), [], score)).rejects.toThrow(/no folds/);
    await expect(data.crossValidate(data.moons(6), data.kFold(7), score)).rejects.toThrow(/outside \[0, 6\)/);
  });
});
