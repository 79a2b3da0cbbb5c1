import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OptionError } from '../../src/errors.js';
import { schedules } from '../../src/index.js';
import {
  bars,
  confusionMatrix,
  heatmap,
  hiddenWidth,
  histogram,
  histogramCounts,
  imageGrid,
  layers,
  lrFinder,
  schedule,
  unrolledRnn,
} from '../../src/plot/index.js';
import bins from './goldens/histogram.json' with { type: 'json' };
import { faults, parse, textBoxes } from './svg.js';

const texts = (svg: string): string[] => textBoxes(parse(svg)).map((b) => b.text);

describe('heatmap', () => {
  it('writes values that can be read into cells of their colour', () => {
    const svg = heatmap(
      [
        [0, 0.5],
        [1, Number.NaN],
      ],
      { rows: ['a', 'b'], columns: ['c', 'd'], title: 'T' },
    );
    expect(faults(svg)).toEqual([]);
    expect(texts(svg)).toEqual(expect.arrayContaining(['a', 'b', 'c', 'd', '0', '0.5', '1']));
    expect([...svg.matchAll(/<rect[^>]*fill="(#......)"/g)].map((m) => m[1])).toEqual([
      '#440154',
      '#21918c',
      '#fde725',
    ]);
    expect(svg).toMatch(/fill="#ffffff">0</);
    expect(svg).toMatch(/fill="#000000">1</);
  });

  it('draws many cells as one image, and leaves out names that do not fit', () => {
    const values = Array.from({ length: 300 }, (_, i) => Float32Array.from({ length: 200 }, (_, j) => i * j));
    const svg = heatmap(values, { scale: 'log', map: 'greys' });
    expect(faults(svg)).toEqual([]);
    expect(svg.match(/<image/g)).toHaveLength(2); // and the scale beside it
    expect(texts(svg).length).toBeLessThan(80);
  });

  it('takes one cell, equal cells, long names', () => {
    expect(faults(heatmap([[3]]))).toEqual([]);
    expect(
      faults(
        heatmap(
          [
            [3, 3],
            [3, 3],
          ],
          { rows: ['x'.repeat(90), 'y'], columns: ['z'.repeat(90), 'y'], xLabel: 'x', yLabel: 'y' },
        ),
      ),
    ).toEqual([]);
  });

  it.each([
    ['no rows', () => heatmap([])],
    ['no columns', () => heatmap([[]])],
    ['ragged rows', () => heatmap([[1, 2], [3]])],
    ['nothing finite', () => heatmap([[Number.NaN]])],
    ['too few names', () => heatmap([[1, 2]], { columns: ['a'] })],
    ['too many cells', () => heatmap(Array.from({ length: 5000 }, () => [1]))],
    ['another map', () => heatmap([[1]], { map: 'rainbow' as 'greys' })],
    ['a range that is none', () => heatmap([[1]], { range: [1, 1] })],
    ['an unknown option', () => heatmap([[1]], { colour: 'red' } as object)],
  ])('refuses %s', (_name, draw) => {
    expect(draw).toThrow(OptionError);
  });
});

describe('confusionMatrix', () => {
  it('shows counts or shares, and every class', () => {
    const matrix = [
      [50, 3, 0],
      [2, 40, 9],
      [0, 4, 60],
    ];
    const classes = ['setosa', 'versicolor', 'virginica'];
    const counts = confusionMatrix(matrix, { classes });
    expect(faults(counts)).toEqual([]);
    for (const name of classes) expect(texts(counts).filter((t) => t === name)).toHaveLength(2);
    expect(texts(counts)).toEqual(expect.arrayContaining(['50', '9', '60', 'predicted', 'label']));
    const shares = confusionMatrix(matrix, { classes, normalize: true });
    expect(texts(shares)).toEqual(expect.arrayContaining(['0.94', '0.78', '0.18']));
  });

  it.each([1, 2, 10, 30, 200])('draws %i classes', (n) => {
    const matrix = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? 12345 : 0)));
    expect(faults(confusionMatrix(matrix))).toEqual([]);
  });

  it.each([
    ['nothing', () => confusionMatrix([])],
    ['a matrix that is not square', () => confusionMatrix([[1, 2]])],
    [
      'counts below 0',
      () =>
        confusionMatrix([
          [1, -2],
          [0, 0],
        ]),
    ],
    ['NaN', () => confusionMatrix([[Number.NaN]])],
    ['too few names', () => confusionMatrix([[1]], { classes: [] })],
  ])('refuses %s', (_name, draw) => {
    expect(draw).toThrow(OptionError);
  });
});

describe('bars', () => {
  it('draws bars as high as their values, down for less than 0', () => {
    const svg = bars(['a', 'b', 'c'], { x: [2, -1, Number.NaN], y: [1, 0.5, 4] });
    expect(faults(svg)).toEqual([]);
    const paths = [...svg.matchAll(/<path d="([^"]*)" fill="#(006cb4|d86000)"\/>/g)]
      .map((m) => m[1])
      .filter((d) => !d.startsWith('M-7'));
    const heights = paths.map((d) =>
      [...d.matchAll(/M[\d.]+ ([\d.]+)V([\d.]+)/g)].map((m) => Number(m[1]) - Number(m[2])),
    );
    expect(heights.map((h) => h.length)).toEqual([2, 3]);
    expect(heights[0][0] / heights[0][1]).toBeCloseTo(-2, 1);
    expect(heights[1][2] / heights[1][1]).toBeCloseTo(8, 0);
  });

  it.each([
    ['no values', () => bars([], { x: [] })],
    ['another length', () => bars(['a'], { x: [1, 2] })],
    ['nothing finite', () => bars(['a'], { x: [Number.NaN] })],
  ])('refuses %s', (_name, draw) => {
    expect(draw).toThrow(OptionError);
  });
});

describe('histogram', () => {
  it.each(bins.cases)('counts as numpy: $name', ({ values, bins: n, range, edges, counts }) => {
    const options = {
      ...(n === null ? {} : { bins: n }),
      ...(range === null ? {} : { range: range as [number, number] }),
    };
    const got = histogramCounts(values, options);
    expect(got.counts).toEqual(counts);
    // Both are low + i·(high − low)/n, in other orders of rounding.
    const scale = Math.max(...edges.map(Math.abs));
    got.edges.forEach((e, i) => {
      expect(Math.abs(e - edges[i])).toBeLessThanOrEqual(4 * 2 ** -52 * scale);
    });
  });

  it('puts every value into the bin whose edges hold it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 }),
        fc.integer({ min: 1, max: 50 }),
        (values, n) => {
          const { edges, counts } = histogramCounts(values, { bins: n });
          const expected = counts.map(
            (_, i) =>
              values.filter((v) => v >= edges[i] && (v < edges[i + 1] || (i === n - 1 && v <= edges[n]))).length,
          );
          expect(counts).toEqual(expected);
          expect(counts.reduce((a, b) => a + b)).toBe(values.length);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('draws several lists in the same bins and says what it left out', () => {
    const svg = histogram({ a: [1, 2, 2, 3], b: [2, Number.NaN, Infinity] }, { density: true });
    expect(faults(svg)).toEqual([]);
    expect(texts(svg)).toEqual(expect.arrayContaining(['a', 'b (2 not finite)', 'density']));
    expect(faults(histogram([7]))).toEqual([]);
    expect(faults(histogram([], { range: [0, 1] }))).toEqual([]);
    expect(faults(histogram(new Float32Array([1e-30, 1e30])))).toEqual([]);
    expect(histogramCounts([0, 0, 0, 1e12]).counts.length).toBeLessThanOrEqual(200);
  });

  it.each([
    ['nothing', () => histogram([])],
    ['no lists', () => histogram({})],
    ['NaN only', () => histogram([Number.NaN])],
    ['no bins', () => histogram([1], { bins: 0 })],
    ['a range the wrong way round', () => histogram([1], { range: [1, 0] })],
    ['values beyond doubles', () => histogram([-1.7e308, 1.7e308])],
  ])('refuses %s', (_name, draw) => {
    expect(draw).toThrow(OptionError);
  });
});

/** Bytes of the images in the picture, row by row with their filter bytes. */
function imagesIn(svg: string): number[][] {
  return [...svg.matchAll(/base64,([^"]*)"/g)].map((m) => {
    const png = Buffer.from(m[1], 'base64');
    return [...inflateSync(png.subarray(41, 41 + png.readUInt32BE(33)))];
  });
}

describe('imageGrid', () => {
  it('keeps bytes as they are and scales floats', () => {
    const bytes = imageGrid(
      { data: Uint8Array.of(0, 7, 255, 9, 1, 2, 3, 4), shape: [2, 2, 2] },
      { labels: ['a', 'b'], title: 'Two' },
    );
    expect(faults(bytes)).toEqual([]);
    expect(imagesIn(bytes)).toEqual([
      [0, 0, 7, 0, 255, 9],
      [0, 1, 2, 0, 3, 4],
    ]);
    const floats = imageGrid([Float32Array.of(0, 0.5, 1, 2), [Number.NaN, -1, 0.25, 1]], { shape: [1, 4] });
    expect(imagesIn(floats)).toEqual([
      [0, 0, 128, 255, 255],
      [0, 0, 0, 64, 255],
    ]);
    expect(imagesIn(imageGrid([[-1, 1]], { shape: [1, 2, 1], range: [-1, 1] }))).toEqual([[0, 0, 255]]);
    expect(imagesIn(imageGrid([[1, 0, 0, 0, 1, 0]], { shape: [1, 2, 3] }))).toEqual([[0, 255, 0, 0, 0, 255, 0]]);
  });

  it('is a grid', () => {
    const root = parse(imageGrid({ data: new Uint8Array(7 * 4), shape: [7, 2, 2] }, { columns: 3, size: 40 }));
    const at = root.children
      .filter((c) => c.name === 'image')
      .map(({ attributes: a }) => [Number(a['x']), Number(a['y'])]);
    expect(new Set(at.map(([x]) => x)).size).toBe(3);
    expect(new Set(at.map(([, y]) => y)).size).toBe(3);
  });

  it.each([
    ['a list without shape', () => imageGrid([[1]])],
    ['a shape twice', () => imageGrid({ data: [1], shape: [1, 1, 1] }, { shape: [1, 1] })],
    ['two channels', () => imageGrid([[1, 2]], { shape: [1, 1, 2] })],
    ['no images', () => imageGrid([], { shape: [1, 1] })],
    ['too few values', () => imageGrid({ data: [1, 2, 3], shape: [1, 2, 2] })],
    ['an image of another size', () => imageGrid([[1], [1, 2]], { shape: [1, 1] })],
    ['too few labels', () => imageGrid([[1]], { shape: [1, 1], labels: [] })],
  ])('refuses %s', (_name, draw) => {
    expect(draw).toThrow(OptionError);
  });
});

describe('figures of training', () => {
  it('lrFinder marks the suggestion and cuts off the explosion', () => {
    const learningRates = Float64Array.from({ length: 60 }, (_, i) => 1e-5 * 10 ** (i / 12));
    const losses = learningRates.map((lr) => (lr > 0.3 ? 1e20 * lr : 2.3 - Math.log10(lr / 1e-5) * 0.3));
    const svg = lrFinder({ learningRates, losses, suggestion: 0.03 });
    expect(faults(svg)).toEqual([]);
    expect(texts(svg)).toContain('lr 0.03');
    expect(texts(svg).join(' ')).not.toMatch(/e1\d/);
    expect(faults(lrFinder({ learningRates: [0.1], losses: [1] }))).toEqual([]);
    expect(() => lrFinder({ learningRates, losses: [1] })).toThrow(OptionError);
    expect(() => lrFinder({ learningRates, losses, suggestion: -1 })).toThrow(OptionError);
    expect(() => lrFinder({ learningRates: [], losses: [] })).toThrow(OptionError);
  });

  it('schedule draws one or several', () => {
    expect(faults(schedule(schedules.cosine(0.1, { steps: 50 }), { steps: 50 }))).toEqual([]);
    const svg = schedule({ step: schedules.step(0.1, { every: 30 }), flat: () => 0.01 }, { steps: 100, yScale: 'log' });
    expect(texts(svg)).toEqual(expect.arrayContaining(['step', 'flat', 'learning rate']));
    expect(() => schedule(() => 1, {} as { steps: number })).toThrow(/steps is undefined/);
  });

  it('layers draws a line a series over the names of layers', () => {
    const svg = layers(['0', '2', '4'], { relu: [0.3, 0.4, 0.9], dead: [0, 0, 0.1] });
    expect(faults(svg)).toEqual([]);
    expect(svg.match(/<circle/g)).toHaveLength(4);
    expect(() => layers(['0'], { relu: [1, 2] })).toThrow(OptionError);
    expect(() => layers(['0'], { relu: [0] })).toThrow(OptionError);
  });

  it('hiddenWidth marks the width with the least validation loss', () => {
    const svg = hiddenWidth({
      widths: [1, 4, 16, 64],
      training: [0.5, 0.3, 0.1, 0.02],
      validation: [0.5, 0.35, 0.3, 0.6],
    });
    expect(faults(svg)).toEqual([]);
    expect(texts(svg)).toContain('16 units');
    expect(() => hiddenWidth({ widths: [1], training: [1, 2], validation: [1] })).toThrow(OptionError);
  });
});

describe('unrolledRnn', () => {
  it.each([1, 4, 20])('draws %i steps with the same weights at each', (steps) => {
    const svg = unrolledRnn({ steps, cell: 'LSTM', title: 'Unrolled' });
    expect(faults(svg)).toEqual([]);
    const seen = texts(svg);
    expect(seen.filter((t) => t === 'LSTM')).toHaveLength(steps + 1); // and the loop
    expect(seen.filter((t) => t === 'W')).toHaveLength(steps + 1);
    expect(seen.filter((t) => t === 'U')).toHaveLength(steps); // the loop's, and between the steps
    expect(seen).toEqual(expect.arrayContaining(['x₁', 'y₁', 'h₀', 'xₜ']));
  });

  it('leaves out outputs, and takes other names', () => {
    const last = texts(unrolledRnn({ steps: 12, outputs: 'last', names: { output: 'class', state: 's' } }));
    expect(last.filter((t) => t.startsWith('class'))).toEqual(['classₜ', 'class₁₂']);
    expect(last).toContain('s₀');
    expect(
      faults(
        unrolledRnn({
          outputs: 'none',
          cell: 'a very long name',
          names: { input: 'another very long name', W: 'weights' },
        }),
      ),
    ).toEqual([]);
  });

  it.each([
    ['no steps', () => unrolledRnn({ steps: 0 })],
    ['other outputs', () => unrolledRnn({ outputs: 'some' as 'all' })],
    ['an unknown name', () => unrolledRnn({ names: { hidden: 'h' } as object })],
  ])('refuses %s', (_name, draw) => {
    expect(draw).toThrow(OptionError);
  });
});
