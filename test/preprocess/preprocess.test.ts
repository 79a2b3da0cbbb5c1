import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DataError, data, FormatError, OptionError, preprocess, ShapeError, Tensor, tensor } from '../../src/index.js';

const golden = JSON.parse(readFileSync(new URL('./goldens/preprocess.json', import.meta.url), 'utf8'));
const table = (rows: number[][]) => ({ data: Float64Array.from(rows.flat()), shape: [rows.length, rows[0].length] });
const [train, test] = [table(golden.train), table(golden.test)];

/** Both sides are float64; the covariance route loses a few more digits than the SVD: about ε · (mean / spread)². */
function expectClose(got: ArrayLike<number>, expected: number[][] | number[], tolerance = 1e-9) {
  const flat = expected.flat();
  expect(got.length).toBe(flat.length);
  const largest = Math.max(1, ...flat.map(Math.abs));
  for (let i = 0; i < flat.length; i++) {
    expect(Math.abs(got[i] - flat[i]), `element ${i}: ${got[i]} against ${flat[i]}`).toBeLessThanOrEqual(
      tolerance * largest,
    );
  }
}

type Name = 'MeanCenterer' | 'StandardScaler' | 'MinMaxScaler' | 'RobustScaler' | 'Normalizer' | 'PCA';
interface Case {
  name: Name;
  options: object;
  train: number[][];
  test: number[][];
  inverse?: number[][];
  explained?: number[];
  explainedRatio?: number[];
}
const cases = (golden.cases as Case[]).map((c) => [`${c.name} ${JSON.stringify(c.options)}`, c] as const);

describe('against scikit-learn', () => {
  it.each(cases)('%s', async (_, c) => {
    const made = new (preprocess[c.name] as new (o: object) => preprocess.Transformer)(c.options);
    expectClose((await made.fitTransform(train)).data, c.train);
    const out = await made.transform(test);
    expectClose(out.data, c.test);
    if (c.name !== 'Normalizer') expectClose((await made.inverse(out)).data, c.inverse ?? golden.test);
    if (made instanceof preprocess.PCA) {
      expectClose(made.explained, c.explained!);
      expectClose(made.explainedRatio, c.explainedRatio!);
    }
    const again = preprocess.fromJSON(JSON.parse(JSON.stringify(made))) as preprocess.Transformer;
    expect((await again.transform(test)).data).toEqual(out.data);
    expect(again.constructor).toBe(made.constructor);
  });
  it.each(['mean', 'median', 'mostFrequent', 'constant'] as const)('Imputer, %s', async (strategy) => {
    const rows = golden.impute.x.map((r: (number | null)[]) => r.map((v) => v ?? Number.NaN));
    const imputer = new preprocess.Imputer({ strategy });
    expectClose((await imputer.fitTransform(table(rows))).data, golden.impute[strategy], 1e-15);
    const again = preprocess.fromJSON(JSON.parse(JSON.stringify(imputer))) as preprocess.Imputer;
    expect(again.fill).toEqual(imputer.fill);
    const marked = rows.map((r: number[]) => r.map((v) => (Number.isNaN(v) ? -99 : v)));
    const byNumber = new preprocess.Imputer({ strategy, missing: -99 });
    expectClose((await byNumber.fitTransform(table(marked))).data, golden.impute[strategy], 1e-15);
  });
  it('encoders', () => {
    const { rows, oneHot, dropFirst, ordinal, label } = golden.encode;
    const encoder = new preprocess.OneHotEncoder();
    const out = encoder.fitTransform(rows);
    expectClose(out.data, oneHot, 0);
    expect(encoder.inverse(out)).toEqual(rows);
    const dropped = new preprocess.OneHotEncoder({ dropFirst: true });
    expectClose(dropped.fitTransform(rows).data, dropFirst, 0);
    expect(dropped.inverse(dropped.transform(rows))).toEqual(rows);
    const numbers = new preprocess.OrdinalEncoder();
    expectClose(numbers.fitTransform(rows).data, ordinal, 0);
    expect(numbers.inverse(numbers.transform(rows))).toEqual(rows);
    const labels = rows.map((r: string[]) => r[0]);
    const names = new preprocess.LabelEncoder();
    expect([...names.fitTransform(labels)]).toEqual(label);
    expect(names.inverse(label)).toEqual(labels);
    for (const made of [encoder, dropped, numbers]) {
      const again = preprocess.fromJSON(JSON.parse(JSON.stringify(made))) as preprocess.OneHotEncoder;
      expect(again.transform(rows)).toEqual(made.transform(rows));
    }
    const back = preprocess.fromJSON(JSON.parse(JSON.stringify(names))) as preprocess.LabelEncoder;
    expect(back.classes).toEqual(names.classes);
  });
});

describe('Whitening', () => {
  it.each(['zca', 'pca'] as const)('%s gives covariance 1 and can be undone', async (kind) => {
    const w = new preprocess.Whitening({ kind });
    const y = (await w.fitTransform(train)).data;
    const [n, d] = train.shape;
    for (let a = 0; a < d; a++) {
      for (let b = 0; b < d; b++) {
        let sum = 0;
        for (let i = 0; i < n; i++) sum += y[i * d + a] * y[i * d + b];
        expect(sum / (n - 1)).toBeCloseTo(a === b ? 1 : 0, 8);
      }
    }
    if (kind === 'zca')
      for (let i = 0; i < d; i++)
        for (let j = 0; j < i; j++) expect(w.matrix[i * d + j]).toBeCloseTo(w.matrix[j * d + i], 10);
    expectClose((await w.inverse(await w.transform(test))).data, golden.test);
    const again = preprocess.fromJSON(JSON.parse(JSON.stringify(w))) as preprocess.Whitening;
    expect((await again.transform(test)).data).toEqual((await w.transform(test)).data);
  });
  it('refuses features that depend on each other, unless it may add epsilon', async () => {
    const x = [
      [1, 2],
      [2, 4],
      [3, 6.0],
    ];
    await expect(new preprocess.Whitening().fit(x)).rejects.toThrow(/singular.*epsilon/);
    const { data: y } = await new preprocess.Whitening({ epsilon: 1e-3 }).fitTransform(x);
    expect([...y].every(Number.isFinite)).toBe(true);
    await expect(new preprocess.PCA({ whiten: true }).fit(x)).rejects.toThrow(/component 1 has no variance/);
  });
});

describe('forms of input', () => {
  it('a data set keeps targets, is fitted on its own rows only, and its transform counts', async () => {
    const all = new data.TensorDataset([[0], [2], [4], [1000]], [[10], [11], [12], [13]]);
    const [first, rest] = all.split([3, 1], { shuffle: false });
    const scaler = await new preprocess.StandardScaler().fit(first);
    expect([...scaler.offset]).toEqual([2]);
    const out = await scaler.transform(rest.map((x) => x.mul(0)));
    expect(out).toBeInstanceOf(data.TensorDataset);
    expect(await out.y.data()).toEqual(Float32Array.of(13));
    expect((await out.x.data())[0]).toBeCloseTo(-2 / Math.sqrt(8 / 3), 6);
  });
  it('tensors give tensors, float64 stays float64, axes stay', async () => {
    const x = tensor(
      Float64Array.from({ length: 12 }, (_, i) => i * i),
      { shape: [3, 2, 2] },
    );
    const scaler = new preprocess.MinMaxScaler();
    const out = await scaler.fitTransform(x);
    expect(out).toBeInstanceOf(Tensor);
    expect([out.dtype, out.shape]).toEqual(['float64', [3, 2, 2]]);
    const rows = await scaler.transform([[1, 2, 3, 4]]);
    expect(rows.data).toBeInstanceOf(Float32Array);
    expect(rows.shape).toEqual([1, 4]);
  });
  it('a pipeline fits each step on what the one before gives, and can be saved', async () => {
    const pipe = new preprocess.Pipeline([new preprocess.StandardScaler(), new preprocess.PCA({ components: 5 })]);
    const out = await pipe.fitTransform(train);
    const byHand = await new preprocess.PCA().fitTransform(await new preprocess.StandardScaler().fitTransform(train));
    expect(out.data).toEqual(byHand.data);
    expectClose((await pipe.inverse(out)).data, golden.train);
    const again = preprocess.fromJSON(JSON.parse(JSON.stringify(pipe))) as preprocess.Pipeline;
    expect((await again.transform(test)).data).toEqual((await pipe.transform(test)).data);
  });
  it('large means do not cost digits', async () => {
    const x = { data: Float64Array.from({ length: 2000 }, (_, i) => 1e9 + (i % 2)), shape: [2000, 1] };
    const s = await new preprocess.StandardScaler().fit(x);
    expect([s.offset[0], s.scale[0]]).toEqual([1e9 + 0.5, 0.5]);
  });
});

describe('bad input', () => {
  it('constant features are named, or only centred', async () => {
    const x = [
      [1, 0.1],
      [2, 0.1],
      [4, 0.1],
    ];
    for (const name of ['StandardScaler', 'MinMaxScaler', 'RobustScaler'] as const) {
      await expect(new preprocess[name]().fit(x), name).rejects.toThrow(/feature 1 has no spread.*constant: 'center'/);
      const out = await new preprocess[name]({ constant: 'center' }).fitTransform(x);
      for (let i = 0; i < 3; i++) expect(out.data[2 * i + 1]).toBeCloseTo(0, 12);
    }
  });
  it('NaN, infinity and empty data', async () => {
    const scaler = new preprocess.StandardScaler();
    await expect(
      scaler.fit([
        [1, 2],
        [3, Number.NaN],
      ]),
    ).rejects.toThrow(/row 1 has NaN at feature 1.*Imputer/);
    await expect(new preprocess.Imputer().fit([[Number.POSITIVE_INFINITY]])).rejects.toThrow(/row 0 has Infinity/);
    await expect(new preprocess.Imputer().fit([[Number.NaN], [Number.NaN]])).rejects.toThrow(/feature 0 has no value/);
    await expect(scaler.fit([])).rejects.toThrow(/expected at least one row/);
    await expect(scaler.fit([[1, 2], [3]])).rejects.toThrow(ShapeError);
    await expect(scaler.fit({ data: Float32Array.of(1, 2, 3), shape: [2, 2] })).rejects.toThrow(/3 values for shape/);
    await expect(new preprocess.PCA().fit([[1, 2]])).rejects.toThrow(/got 1 row/);
    await expect(
      new preprocess.PCA().fit([
        [1, 2],
        [1, 2],
      ]),
    ).rejects.toThrow(/all rows are equal/);
    await expect(
      new preprocess.PCA({ components: 3 }).fit([
        [1, 2],
        [3, 5],
      ]),
    ).rejects.toThrow(/at most min/);
  });
  it('use before fit, other widths, what cannot be undone', async () => {
    await expect(new preprocess.StandardScaler().transform([[1]])).rejects.toThrow(/call fit/);
    expect(() => new preprocess.StandardScaler().toJSON()).toThrow(/call fit/);
    const scaler = await new preprocess.StandardScaler().fit([
      [1, 2],
      [3, 5],
    ]);
    await expect(scaler.transform([[1]])).rejects.toThrow(/1 features, expected 2/);
    const normalizer = new preprocess.Normalizer();
    const out = await normalizer.fitTransform([
      [3, 4],
      [0, 0],
    ]);
    expect([...out.data].map((v) => Math.round(v * 10) / 10)).toEqual([0.6, 0.8, 0, 0]);
    await expect(normalizer.inverse(out)).rejects.toThrow(/cannot be undone/);
  });
  it('options', () => {
    expect(() => new preprocess.StandardScaler({ constant: 'drop' as 'error' })).toThrow(/constant is drop/);
    expect(() => new preprocess.MinMaxScaler({ range: [1, 1] })).toThrow(OptionError);
    expect(() => new preprocess.RobustScaler({ quantiles: [75, 25] })).toThrow(/quantiles/);
    expect(() => new preprocess.Normalizer({ norm: 'l3' as 'l2' })).toThrow(/norm is l3/);
    expect(() => new preprocess.PCA({ components: 1.5 })).toThrow(/components is 1.5/);
    expect(() => new preprocess.Whitening({ epsilon: -1 })).toThrow(/epsilon is -1/);
    expect(() => new preprocess.Imputer({ value: 3 })).toThrow(/constant/);
    expect(() => new preprocess.Pipeline([])).toThrow(/at least one/);
    expect(() => new preprocess.OneHotEncoder({ dropFirst: true, unknown: 'ignore' })).toThrow(/choose one/);
    expect(() => new preprocess.OrdinalEncoder({ categories: [['a', 'a']] })).toThrow(/without repeats/);
    expect(() => new preprocess.StandardScaler({ constnat: 'error' } as object)).toThrow(/Did you mean "constant"/);
  });
  it('categories', () => {
    const encoder = new preprocess.OneHotEncoder().fit(['a', 'b']);
    expect(() => encoder.transform(['a', 'c'])).toThrow(/row 1 has "c" in column 0/);
    const lenient = new preprocess.OneHotEncoder({ unknown: 'ignore' }).fit(['a', 'b']);
    expect([...lenient.transform(['c']).data]).toEqual([0, 0]);
    expect(() => lenient.inverse(lenient.transform(['c']))).toThrow(/row 0 has no category/);
    expect(() => encoder.fit([Number.NaN])).toThrow(DataError);
    expect(() => encoder.transform([['a', 'b']])).toThrow(ShapeError);
    const sizes = new preprocess.OrdinalEncoder({ categories: [['low', 'high']], unknown: -1 }).fit(['high', 'low']);
    expect([...sizes.transform(['low', 'high', 'mid']).data]).toEqual([0, 1, -1]);
    expect(() => new preprocess.OrdinalEncoder({ categories: [['low']] }).fit(['mid'])).toThrow(
      /not among the categories/,
    );
    expect(() => sizes.inverse({ data: Float32Array.of(-1), shape: [1, 1] })).toThrow(/has -1 in column 0/);
    expect(() => new preprocess.LabelEncoder().fit(['x']).transform(['y'])).toThrow(/label 0 is "y"/);
    expect(() => new preprocess.LabelEncoder().fit(['x']).inverse([1])).toThrow(/expected a class in \[0, 1\)/);
  });
  it('states that are not what toJSON wrote', async () => {
    const good = JSON.parse(JSON.stringify(await new preprocess.StandardScaler().fit([[1], [2]])));
    expect(() => preprocess.fromJSON({ ...good, type: 'Scaler' })).toThrow(/type is "Scaler"/);
    expect(() => preprocess.fromJSON({ ...good, version: 2 })).toThrow(/"version" is 2/);
    expect(() => preprocess.fromJSON({ ...good, scale: [0] })).toThrow(/"scale"/);
    expect(() => preprocess.fromJSON({ ...good, scale: [1, 2] })).toThrow(FormatError);
    expect(() => preprocess.fromJSON({ ...good, offset: ['1'] })).toThrow(/"offset"/);
    expect(() => preprocess.PCA.fromJSON(good)).toThrow(/"type" is "StandardScaler", expected "PCA"/);
  });
});
