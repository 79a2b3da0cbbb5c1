import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OptionError } from '../../src/errors.js';
import { learningCurve, lines, page, scatter } from '../../src/plot/index.js';
import { logTicks, niceTicks } from '../../src/plot/ticks.js';
import { faults, parse, textBoxes } from './svg.js';

describe('niceTicks', () => {
  it.each([
    [0, 1, 5, ['0', '0.2', '0.4', '0.6', '0.8', '1.0']],
    [0.045, 0.31, 5, ['0', '0.1', '0.2', '0.3', '0.4']],
    [0.909, 0.986, 5, ['0.90', '0.92', '0.94', '0.96', '0.98', '1.00']],
    [-3, 7, 5, ['-4', '-2', '0', '2', '4', '6', '8']],
    [0, 0, 4, ['-0.0010', '-0.0005', '0', '0.0005', '0.0010']],
    [1e-7, 5e-7, 4, ['1e-7', '2e-7', '3e-7', '4e-7', '5e-7']],
    [1e6, 1.0004e6, 4, ['1.0000e6', '1.0001e6', '1.0002e6', '1.0003e6', '1.0004e6']],
  ])('from %d to %d, %i steps', (low, high, count, labels) => {
    expect(niceTicks(low, high, count).labels).toEqual(labels);
  });

  it('keeps to whole numbers when asked', () => {
    expect(niceTicks(1, 2, 8, true).values).toEqual([1, 2]);
    expect(niceTicks(1, 1, 8, true).values).toEqual([0, 1, 2]);
  });

  it('covers the range with few, evenly spaced, differently labelled ticks', () => {
    const reasonable = fc.double({ min: -1e9, max: 1e9, noNaN: true });
    fc.assert(
      fc.property(reasonable, reasonable, (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const { values, labels } = niceTicks(low, high);
        const slack = (values[1] - values[0]) * 1e-6;
        expect(values[0]).toBeLessThanOrEqual(low + slack);
        expect(values.at(-1)).toBeGreaterThanOrEqual(high - slack);
        expect(values.length).toBeLessThanOrEqual(7);
        expect(new Set(labels).size).toBe(labels.length);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('logTicks', () => {
  it.each([
    [1e-4, 1, ['1e-4', '0.001', '0.01', '0.1', '1']],
    [0.3, 4, ['0.2', '0.5', '1', '2', '5']],
    [1, 1, ['1', '2']],
    [1e-9, 1e6, ['1e-5', '1', '1e5']],
    [5e-324, 1.7e308, ['1e-200', '1', '1e200']],
  ])('from %d to %d', (low, high, labels) => {
    expect(logTicks(low, high).labels).toEqual(labels);
  });

  it('covers the range with few, rising, differently labelled ticks', () => {
    const positive = fc.double({ min: 1e-300, max: 1e300, noNaN: true });
    fc.assert(
      fc.property(positive, positive, fc.integer({ min: 2, max: 9 }), (a, b, count) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const { values, labels, ends = [values[0], values[values.length - 1]] } = logTicks(low, high, count);
        expect(ends[0]).toBeLessThanOrEqual(low * (1 + 1e-8));
        expect(ends[1]).toBeGreaterThanOrEqual(high * (1 - 1e-8));
        expect(values.length).toBeGreaterThan(0);
        expect(values.length).toBeLessThanOrEqual(count + 4);
        expect(values.every((v, i) => i === 0 || v > values[i - 1])).toBe(true);
        expect(new Set(labels).size).toBe(labels.length);
      }),
      { numRuns: 2000 },
    );
  });
});

const history = {
  epochs: [
    { epoch: 1, loss: 0.31, accuracy: 0.909, seconds: 0.2, samplesPerSecond: 3e5, valLoss: 0.155, valAccuracy: 0.953 },
    { epoch: 2, loss: 0.12, accuracy: 0.963, seconds: 0.2, samplesPerSecond: 3e5, valLoss: 0.11, valAccuracy: 0.966 },
    { epoch: 3, loss: 0.08, accuracy: 0.975, seconds: 0.2, samplesPerSecond: 3e5, valLoss: 0.12, valAccuracy: 0.961 },
  ],
};

/** y coordinates of the marked points of each series, in the order drawn. */
function heights(svg: string): number[][] {
  return [...svg.matchAll(/<g fill="#[0-9a-f]{6}">(.*?)<\/g>/g)].map((g) =>
    [...g[1].matchAll(/cy="([\d.]+)"/g)].map((c) => Number(c[1])),
  );
}

describe('learningCurve', () => {
  it('draws loss and metric panels with training and validation', () => {
    const svg = learningCurve(history);
    expect(faults(svg)).toEqual([]);
    expect(svg.match(/>training</g)).toHaveLength(2);
    expect(svg.match(/>validation</g)).toHaveLength(2);
    for (const label of ['Loss', 'Accuracy', 'epoch']) expect(svg).toContain(`>${label}<`);
    expect(svg).not.toContain('Seconds');
    const [trainLoss, valLoss, trainAccuracy, valAccuracy] = heights(svg);
    // Down the page is less: the loss falls, its validation rises again at the end, accuracy the other way round.
    expect(trainLoss[0]).toBeLessThan(trainLoss[1]);
    expect(trainLoss[1]).toBeLessThan(trainLoss[2]);
    expect(valLoss[2]).toBeLessThan(valLoss[1]);
    expect(trainAccuracy[2]).toBeLessThan(trainAccuracy[0]);
    expect(valAccuracy[2]).toBeGreaterThan(valAccuracy[1]);
  });

  it('draws a single epoch, and a run without validation or metrics', () => {
    expect(heights(learningCurve({ epochs: [history.epochs[0]] }))).toHaveLength(4);
    const svg = learningCurve({ epochs: [{ epoch: 1, loss: 2 }] });
    expect(heights(svg)).toHaveLength(1);
    expect(svg).not.toContain('validation');
  });

  it('takes metrics whose names begin with val for what they are', () => {
    const svg = learningCurve({ epochs: [{ epoch: 1, loss: 2, value: 3, valValue: 4 }] });
    expect(svg).toContain('>Value<');
    expect(heights(svg)).toHaveLength(3);
  });

  it('refuses an empty history', () => {
    expect(() => learningCurve(Promise.resolve({}) as never)).toThrow(/got a Promise, .*write await before fit/);
    expect(() => learningCurve({ epochs: [] })).toThrow(/no finished epoch/);
  });
});

describe('lines', () => {
  it('leaves gaps where values are not finite, and draws no NaN', () => {
    const svg = lines({ a: [1, Number.NaN, 2, 3, Infinity] });
    expect(faults(svg)).toEqual([]);
    expect(svg).toMatch(/<path d="M[\d.]+ [\d.]+M[\d.]+ [\d.]+L[\d.]+ [\d.]+"/);
  });

  it('puts values where the ticks say, on both scales', () => {
    for (const [yScale, y] of [
      ['linear', [0, 5, 10]],
      ['log', [0.01, 1, 100]],
    ] as const) {
      const svg = lines([{ y, x: [0, 1, 2] }], { yScale });
      const drawn = heights(svg)[0];
      const tick = (label: number): number =>
        (textBoxes(parse(svg)).find((b) => b.text === String(label) && b.right < 80)?.bottom ?? 0) - 2.4 - 4;
      for (const i of [0, 2]) expect(Math.abs(drawn[i] - tick(y[i]))).toBeLessThan(0.2); // two roundings to tenths
      expect(drawn[1]).toBeCloseTo((drawn[0] + drawn[2]) / 2, 0);
    }
  });

  it('leaves out what a log scale cannot show', () => {
    const svg = lines({ a: [0, -1, 1, 10] }, { yScale: 'log' });
    expect(heights(svg)[0]).toHaveLength(2);
    expect(() => lines({ a: [0, -1] }, { yScale: 'log' })).toThrow(/no finite point above 0/);
  });

  it('keeps the extremes of many points, in a small file', () => {
    const y = Float64Array.from({ length: 1_000_000 }, (_, i) =>
      i === 123_456 ? 7 : i === 654_321 ? -7 : Math.sin(i),
    );
    const svg = lines([{ name: 'many', y }]);
    expect(svg.length).toBeLessThan(100_000);
    const drawn = [
      ...(/<path d="(M[^"]*L[^"]*)" fill="none" stroke="#006cb4"/.exec(svg)?.[1] ?? '').matchAll(
        /[ML][\d.]+ ([\d.]+)/g,
      ),
    ].map((m) => Number(m[1]));
    const spikes = heights(lines({ many: [-7, 7] }));
    expect(Math.max(...drawn)).toBeCloseTo(spikes[0][0], 0);
    expect(Math.min(...drawn)).toBeCloseTo(spikes[0][1], 0);
  });

  it('escapes text', () => {
    const nasty = '<script>alert(1)</script> & "c" \'d\'\u0007 \ud800';
    const svg = lines([{ name: nasty, y: [0] }], { title: nasty, xLabel: nasty, yLabel: nasty });
    expect(svg).not.toContain('<script');
    expect(textBoxes(parse(svg)).map((b) => b.text)).toContain('<script>alert(1)</script> & "c" \'d\'  \ufffd');
    expect(parse(svg).attributes['aria-label']).toMatch(/^<script>/);
  });

  it('takes numbers for names from JavaScript', () => {
    const svg = lines([{ name: 7 as unknown as string, y: [1] }], { title: 8 as unknown as string });
    expect(textBoxes(parse(svg)).map((b) => b.text)).toEqual(expect.arrayContaining(['7', '8']));
  });

  it('is readable for data of every kind', () => {
    const number = fc.oneof(
      fc.double({ min: -1e300, max: 1e300 }),
      fc.double({ min: -1e6, max: 1e6 }),
      fc.double({ min: -1, max: 1 }),
      fc.constantFrom(0, 1, 1 + 1e-15, 1e-320, Number.NaN, Infinity, -Infinity),
    );
    const series = fc.record({
      name: fc.string({ maxLength: 60, unit: 'binary' }),
      y: fc.array(number, { minLength: 1, maxLength: 60 }),
    });
    const options = fc.record({
      width: fc.integer({ min: 300, max: 900 }),
      height: fc.integer({ min: 260, max: 700 }),
      title: fc.string({ maxLength: 120 }),
      xLabel: fc.string({ maxLength: 90 }),
      yLabel: fc.string({ maxLength: 90 }),
      yScale: fc.constantFrom('linear' as const, 'log' as const),
    });
    fc.assert(
      fc.property(fc.array(series, { minLength: 1, maxLength: 8 }), options, (list, given) => {
        const all = list.flatMap((s) => s.y).filter((v) => Number.isFinite(v) && (given.yScale === 'linear' || v > 0));
        if (all.length === 0) expect(() => lines(list, given)).toThrow(OptionError);
        else expect(faults(lines(list, given))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['no series', () => lines([])],
    ['no points', () => lines([{ name: 'a', x: [1], y: [Number.NaN] }], { title: 'T' })],
    ['empty arrays', () => lines({ a: [] })],
    ['different lengths', () => lines([{ name: 'a', x: [1, 2], y: [1] }])],
    ['a tiny size', () => lines({ a: [1] }, { width: 10 })],
    ['an immense size', () => lines({ a: [1] }, { width: 1e6 })],
    ['a size that is no number', () => lines({ a: [1] }, { width: Number.NaN })],
    [
      'no room beside the labels',
      () =>
        lines(
          { a: [-1.23456e-200, 1], ['b'.repeat(30)]: [1], ['c'.repeat(30)]: [1] },
          { width: 160, height: 120, xLabel: 'x', yLabel: 'y', title: 't' },
        ),
    ],
    ['strings', () => lines({ a: ['1', '2'] as unknown as number[] })],
    ['an unknown option', () => lines({ a: [1] }, { tittle: 'x' } as object)],
    ['a colour that is no number of one', () => lines([{ y: [1], colour: -1 }])],
    ['another scale', () => lines({ a: [1] }, { yScale: 'logarithmic' as 'log' })],
    ['a range the wrong way round', () => lines({ a: [1] }, { yRange: [1, 0] })],
    ['a range with 0 on a log scale', () => lines({ a: [1] }, { yRange: [0, 1], yScale: 'log' })],
    ['values that a linear axis cannot hold', () => lines({ a: [-1.5e308, 1.5e308] })],
  ])('refuses %s', (_name, draw) => {
    expect(draw).toThrow(OptionError);
  });
});

describe('scatter', () => {
  it('draws each series with its own sign, once for each half pixel', () => {
    const svg = scatter([
      { name: 'a', x: [1, 1, 2], y: [1, 1, 3] },
      { name: 'b', x: [1, Number.NaN], y: [2, 2] },
    ]);
    expect(faults(svg)).toEqual([]);
    const paths = [...svg.matchAll(/<path d="([^"]*)" fill="#[0-9a-f]{6}" fill-opacity/g)].map((m) => m[1]);
    expect(paths.map((d) => d.match(/M/g)?.length)).toEqual([2, 1]);
    expect(paths[0]).toContain('a3.5 3.5');
    expect(paths[1]).toMatch(/^M[^a]*Z$/);
  });

  it('draws one point, and a hundred thousand in a small file', () => {
    expect(faults(scatter([{ name: 'a', x: [3], y: [4] }]))).toEqual([]);
    const n = 100_000;
    const x = Float32Array.from({ length: n }, (_, i) => (Math.sin(i * 12.9898) * 43758.5) % 1);
    const y = x.map((v, i) => (v * 7.3 + Math.cos(i)) % 1);
    expect(scatter([{ x, y }], { width: 240, height: 200 }).length).toBeLessThan(n * 45);
  });

  it.each([
    ['no points', () => scatter([{ x: [], y: [] }])],
    ['a radius of 0', () => scatter([{ x: [1], y: [1] }], { radius: 0 })],
    ['an unknown option', () => scatter([{ x: [1], y: [1] }], { size: 3 } as object)],
  ])('refuses %s', (_name, draw) => {
    expect(draw).toThrow(OptionError);
  });
});

describe('page', () => {
  const one = lines({ a: [1, 2] }, { width: 300, height: 200, title: 'One' });
  const two = lines({ a: [1, 2] }, { width: 400, height: 240, title: 'Two' });

  it('puts pictures in rows and columns that fit them', () => {
    const svg = page([one, two, one], { columns: 2, title: 'All' });
    expect(faults(svg)).toEqual([]);
    const root = parse(svg);
    expect([root.attributes['width'], root.attributes['height']]).toEqual(['700', String(36 + 240 + 200)]);
    const at = root.children.filter((c) => c.name === 'svg').map(({ attributes: a }) => [a['x'], a['y'], a['width']]);
    expect(at).toEqual([
      ['0', '36', '300'],
      ['300', '36', '400'],
      ['0', '276', '300'],
    ]);
  });

  it('takes pages', () => {
    expect(faults(page([page([one, two], { columns: 1, title: 'Inner' }), one]))).toEqual([]);
  });

  it.each([
    ['nothing', () => page([]), /no pictures/],
    ['no SVG', () => page([one, 'hello']), /picture 1 is not an SVG/],
    ['a promise', () => page([Promise.resolve(one) as unknown as string]), /await it/],
    ['half a column', () => page([one], { columns: 0.5 }), /columns is 0.5/],
  ])('refuses %s', (_name, draw, message) => {
    expect(draw).toThrow(OptionError);
    expect(draw).toThrow(message);
  });
});
