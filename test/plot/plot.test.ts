import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OptionError } from '../../src/errors.js';
import { learningCurve, lineCharts } from '../../src/plot/index.js';
import { niceTicks } from '../../src/plot/ticks.js';

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
    expect(() => learningCurve({ epochs: [] })).toThrow(/no finished epoch/);
  });
});

describe('lineCharts', () => {
  it('leaves gaps where values are not finite, and draws no NaN', () => {
    const svg = lineCharts([{ series: [{ name: 'a', x: [1, 2, 3, 4], y: [1, Number.NaN, 2, 3] }] }]);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(svg).toMatch(/<path d="M[\d.]+ [\d.]+M[\d.]+ [\d.]+L[\d.]+ [\d.]+"/);
  });

  it('escapes text', () => {
    const svg = lineCharts([{ title: '<b> & "c"\u0007', series: [{ name: 'x<y', x: [0], y: [0] }] }]);
    expect(svg).toContain('&lt;b&gt; &amp; &quot;c&quot; <');
    expect(svg).toContain('x&lt;y');
  });

  it('is one well-formed element', () => {
    const svg = learningCurve(history);
    const stack: string[] = [];
    for (const [, close, name, self] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
      if (close === '/') expect(stack.pop()).toBe(name);
      else if (self !== '/') stack.push(name);
    }
    expect(stack).toEqual([]);
  });

  it.each([
    ['no charts', () => lineCharts([])],
    ['no points', () => lineCharts([{ title: 'T', series: [{ name: 'a', x: [1], y: [Number.NaN] }] }])],
    ['different lengths', () => lineCharts([{ series: [{ name: 'a', x: [1, 2], y: [1] }] }])],
    ['a tiny size', () => lineCharts([{ series: [{ name: 'a', x: [1], y: [1] }] }], { width: 10 })],
    [
      'a size that is no number',
      () => lineCharts([{ series: [{ name: 'a', x: [1], y: [1] }] }], { width: Number.NaN }),
    ],
  ])('refuses %s', (_name, draw) => {
    expect(draw).toThrow(OptionError);
  });
});
