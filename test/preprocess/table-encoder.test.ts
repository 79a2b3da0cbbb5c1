import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DataError, data, FormatError, OptionError, preprocess } from '../../src/index.js';

const golden = JSON.parse(readFileSync(new URL('./goldens/table.json', import.meta.url), 'utf8'));
const { BagOfWords, TableEncoder } = preprocess;

/** One rounding to float32, of values computed in float64 on both sides. */
function expectRows(table: preprocess.Table, expected: number[][]) {
  const flat = expected.flat();
  expect(table.shape).toEqual([expected.length, expected[0].length]);
  flat.forEach((v, i) => {
    expect(Math.abs(table.data[i] - v), `element ${i}`).toBeLessThanOrEqual(2 ** -23 * Math.max(1, Math.abs(v)));
  });
}

describe('BagOfWords', () => {
  it.each(
    golden.words as {
      options: preprocess.BagOfWordsOptions;
      vocabulary: string[];
      train: number[][];
      fresh: number[][];
    }[],
  )('is CountVectorizer and TfidfVectorizer: $options', async ({ options, vocabulary, train, fresh }) => {
    const words = new BagOfWords(options);
    expectRows(await words.fitTransform(golden.texts), train);
    expect(words.vocabulary).toEqual(vocabulary);
    expectRows(words.transform(golden.fresh), fresh);
    const again = preprocess.fromJSON(JSON.parse(JSON.stringify(words))) as preprocess.BagOfWords;
    expect(again).toBeInstanceOf(BagOfWords);
    expect(again.transform(golden.fresh).data).toEqual(words.transform(golden.fresh).data);
  });

  it('fits a stream and goes into a pipeline', async () => {
    const texts = data.Pipeline.from<string>(golden.texts);
    const words = await new BagOfWords().fit(texts);
    const [batch] = await texts.map(words.encode).batch(5).toArray();
    expect(Array.from(await batch.data())).toEqual(golden.words[0].train.flat());
  });

  it('refuses what it cannot use', async () => {
    expect(() => new BagOfWords({ maxFeatures: 0 })).toThrow(/maxFeatures is 0/);
    expect(() => new BagOfWords({ weighting: 'idf' as never })).toThrow(
      /weighting is idf, expected count, binary, tfidf/,
    );
    expect(() => new BagOfWords().transform(['a'])).toThrow(/call fit with the training texts first/);
    expect(() => new BagOfWords().toJSON()).toThrow(OptionError);
    await expect(new BagOfWords().fit([])).rejects.toThrow(/got no texts/);
    await expect(new BagOfWords().fit(['a b', '!'])).rejects.toThrow(/no word is in 1 of the 2 texts/);
    await expect(new BagOfWords().fit(['ok', 3 as never])).rejects.toThrow(
      'BagOfWords.fit: text 1 is 3, expected a text',
    );
    const state = (await new BagOfWords().fit(['aa bb'])).toJSON();
    for (const wrong of [{ vocabulary: ['aa', 'aa'] }, { vocabulary: [1, 2] }, { rarity: [1] }, { version: 2 }]) {
      expect(() => preprocess.fromJSON({ ...state, ...wrong } as never)).toThrow(FormatError);
    }
  });
});

describe('TableEncoder', () => {
  const rows = golden.rows as Record<string, number | string>[];
  const inputs = { age: 'standard', income: 'minMax', city: 'oneHot', size: 'ordinal' } as const;

  it('is ColumnTransformer, fitted on the training rows only', async () => {
    const encoder = await new TableEncoder({ inputs }).fit(rows.slice(0, golden.fitted));
    const { x, y } = await encoder.transform(rows);
    expectRows(x, golden.columns);
    expect(y).toBeNull();
    expect(encoder.outputs).toEqual(['age', 'income', 'city=Bern', 'city=Oslo', 'city=Rome', 'size']);
    const again = preprocess.fromJSON(JSON.parse(JSON.stringify(encoder))) as preprocess.TableEncoder;
    expect((await again.transform(rows)).x).toEqual(x);
    expect(again.outputs).toEqual(encoder.outputs);
  });

  it('takes rows of a CSV stream, finds encodings by type, and gives samples, data sets and labels', async () => {
    const text = 'w,ok,colour,kind\n1,true,red,b\n3,false,blue,a\nNA,true,,b\n';
    const table = await data.openCsv(Buffer.from(text));
    const encoder = new TableEncoder({ target: 'kind', missing: 'mean', unknown: 'ignore' });
    await encoder.fit(table.rows());
    expect(encoder.outputs).toEqual(['w', 'ok', 'colour=blue', 'colour=red']);
    expect(encoder.classes).toEqual(['a', 'b']);
    const set = await encoder.dataset(table.rows());
    expect(Array.from(await set.x.data())).toEqual([-1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0]);
    expect([set.y.dtype, ...(await set.y.data())]).toEqual(['int32', 1, 0, 1]);
    expect(encoder.decode([1, 0])).toEqual(['b', 'a']);
    const [batch] = await table
      .rows()
      .map(encoder.encode)
      .batch(3, { dtypes: { y: 'int32' } })
      .toArray();
    expect(Array.from(await batch.x.data())).toEqual(Array.from(await set.x.data()));
    expect(encoder.encode({ w: 2, ok: false, colour: 'green' })).toEqual({ x: new Float32Array(4), y: Number.NaN });
    const again = preprocess.fromJSON(JSON.parse(JSON.stringify(encoder))) as preprocess.TableEncoder;
    expect((await again.transform(table.rows())).y).toEqual(Int32Array.of(1, 0, 1));
  });

  it('targets are values or classes, as their type or the option says', async () => {
    const small = [
      { a: 1, t: 5 },
      { a: 2, t: 7 },
    ];
    const values = await new TableEncoder({ target: 't' }).fit(small);
    expect((await values.transform(small)).y).toEqual(Float32Array.of(5, 7));
    expect(values.classes).toBeNull();
    const classes = await new TableEncoder({ target: 't', targetType: 'class' }).fit(small);
    expect((await classes.transform(small)).y).toEqual(Int32Array.of(0, 1));
    expect(() => values.decode([0])).toThrow(/the targets are no classes/);
  });

  it('moments do not cancel: mean 1e8, deviation 1', async () => {
    const wide = Array.from({ length: 1000 }, (_, i) => ({ v: 1e8 + (i % 2 === 0 ? 1 : -1) }));
    const encoder = await new TableEncoder().fit(wide);
    expect(Math.abs(encoder.encode(wide[0]).x[0] - 1)).toBeLessThan(1e-6);
  });

  it.each<[string, preprocess.TableEncoderOptions, preprocess.TableRow[], RegExp]>([
    ['no rows', {}, [], /got no rows/],
    [
      'a constant column',
      {},
      [
        { a: 1, b: 2 },
        { a: 2, b: 2 },
      ],
      /column "b" is 2 in every row.*constant: 'center'/,
    ],
    [
      'a missing number',
      {},
      [{ a: 1 }, { a: Number.NaN }],
      /fit: row 1, column "a": got NaN, expected a number; or give \{ missing: 'mean' \}/,
    ],
    ['infinity', {}, [{ a: 1 }, { a: Infinity }], /row 1, column "a": got Infinity, expected a finite number/],
    ['a text among numbers', {}, [{ a: 1 }, { a: 'x' }], /row 1, column "a": got "x", expected a finite number/],
    ['a missing category', {}, [{ a: 'x' }, { a: null }], /row 1, column "a": got null, expected a category/],
    ['only missing values', { missing: 'mean' }, [{ a: Number.NaN }], /column "a" has no values/],
    ['only nulls', {}, [{ a: null }], /column "a" has no values/],
    ['too many categories', { maxCategories: 2 }, [{ a: 'x' }, { a: 'y' }, { a: 'z' }], /more than 2 categories/],
    ['a column that is not there', { inputs: { b: 'number' } }, [{ a: 1 }], /no column "b"; the row has a/],
    ['a row without the target', { target: 't' }, [{ a: 1 }], /no column "t"/],
    ['a missing target', { target: 't' }, [{ a: 1, t: Number.NaN }], /target "t": got NaN, expected a finite number/],
    ['a null class', { target: 't' }, [{ a: 1, t: null }], /target "t": got null, expected a class/],
  ])('refuses %s', async (_, options, list, message) => {
    const error = await new TableEncoder(options).fit(list).then(
      () => null,
      (e: unknown) => e as Error,
    );
    expect(error).toBeInstanceOf(DataError);
    expect(error?.message).toMatch(message);
  });

  it('refuses later rows and states that do not fit', async () => {
    const encoder = await new TableEncoder({ target: 't' }).fit([
      { a: 1, c: 'x', t: 'p' },
      { a: 2, c: 'y', t: 'q' },
    ]);
    await expect(
      encoder.transform([
        { a: 1, c: 'x', t: 'p' },
        { a: 1, c: 'z', t: 'p' },
      ]),
    ).rejects.toThrow(/encode: row 1, column "c": got "z", expected a category of the training data/);
    expect(() => encoder.encode({ a: 1, c: 'x', t: 'r' })).toThrow(/"r", which the training data did not have/);
    expect(() => encoder.encode({ a: 1, t: 'p' })).toThrow(/no column "c"/);
    const state = encoder.toJSON() as unknown as { columns: object[] };
    for (const wrong of [
      { columns: [] },
      { columns: [{ name: 'a', encoding: 'standard', offset: 0, scale: 0, fill: null }] },
      { columns: [{ name: 'a', encoding: 'magic' }] },
      { columns: [{ name: 'c', encoding: 'oneHot', categories: [null] }] },
      { classes: [] },
    ]) {
      expect(() => preprocess.fromJSON({ ...state, ...wrong } as never)).toThrow(FormatError);
    }
  });

  it('refuses options', () => {
    for (const [options, message] of [
      [{ inputs: {} }, /inputs is empty/],
      [{ inputs: { a: 'zscore' } }, /encoding of "a" is zscore, expected standard, minMax/],
      [{ inputs: { a: 'number' }, target: 'a' }, /both target and input/],
      [{ missing: 'drop' }, /missing is drop, expected error or mean/],
      [{ targets: 'a' }, /unknown option "targets".*"target"/],
    ] as const) {
      expect(() => new TableEncoder(options as never)).toThrow(OptionError);
      expect(() => new TableEncoder(options as never)).toThrow(message);
    }
    expect(() => new TableEncoder().encode({ a: 1 })).toThrow(/nothing was learnt yet/);
  });
});
