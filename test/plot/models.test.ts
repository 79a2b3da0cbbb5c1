import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { DataError, ShapeError } from '../../src/errors.js';
import { argmax, data, metrics, nn, OptionError, seed, type Tensor, tensor } from '../../src/index.js';
import { contour } from '../../src/plot/contours.js';
import { calibration, decisionBoundary, lossSurface, precisionRecall, roc } from '../../src/plot/index.js';
import { encodePng } from '../../src/plot/png.js';
import { faults, parse, textBoxes } from './svg.js';

const labels = [0, 0, 1, 1, 1, 0, 1, 0, 0, 1];
const scores = [0.1, 0.4, 0.35, 0.8, 0.9, 0.2, 0.6, 0.3, 0.55, 0.7];

/** Points of the first path with this stroke (and width). */
function pathPoints(svg: string, stroke: string): number[][] {
  const d = new RegExp(`<path d="([^"]*)"[^>]*stroke="${stroke}"`).exec(svg)?.[1] ?? '';
  return [...d.matchAll(/[ML]([-\d.]+) ([-\d.]+)/g)].map((m) => [Number(m[1]), Number(m[2])]);
}

/** Where the axes' corners are, from the path of the axes. */
function corners(svg: string): { left: number; right: number; top: number; bottom: number } {
  const m = /<path d="M([\d.]+) ([\d.]+)V([\d.]+)H([\d.]+)" fill="none"/.exec(svg) as RegExpExecArray;
  return { left: Number(m[1]), top: Number(m[2]), bottom: Number(m[3]), right: Number(m[4]) };
}

const texts = (svg: string): string[] => textBoxes(parse(svg)).map((b) => b.text);

describe('roc, precisionRecall, calibration', () => {
  it('draw the numbers of the metrics room and tell the areas', () => {
    const curve = metrics.rocCurve(labels, scores);
    const svg = roc(curve);
    expect(faults(svg)).toEqual([]);
    expect(texts(svg)).toContain(`AUC ${curve.area.toFixed(3)}`);
    const { left, right, top, bottom } = corners(svg);
    const drawn = pathPoints(svg, '#006cb4');
    const points = curve.thresholds.map((_, i) => [
      left + curve.falsePositiveRate[i] * (right - left),
      bottom - curve.truePositiveRate[i] * (bottom - top),
    ]);
    expect(drawn.length).toBeGreaterThan(7); // of many on one vertical the middle ones are left out
    for (const [x, y] of drawn) {
      expect(Math.min(...points.map(([u, v]) => Math.max(Math.abs(u - x), Math.abs(v - y))))).toBeLessThan(0.2);
    }

    const pr = precisionRecall({ net: metrics.precisionRecallCurve(labels, scores) }, { baseline: 0.5, title: 'PR' });
    expect(faults(pr)).toEqual([]);
    expect(texts(pr)).toContain('net (AP 0.943)');
    const reliability = metrics.reliability(scores, labels, { bins: 5 });
    const cal = calibration(reliability);
    expect(faults(cal)).toEqual([]);
    expect(texts(cal)).toContain(`ECE ${reliability.expectedError.toFixed(3)}`);
    expect(texts(calibration({ a: reliability, b: reliability })).filter((t) => /ECE/.test(t))).toHaveLength(2);
  });

  it.each([
    ['nothing', () => roc({})],
    ['another curve', () => roc(metrics.reliability(scores, labels) as never)],
    ['scores', () => calibration({ net: scores } as never)],
    [
      'a baseline that is no share',
      () => precisionRecall(metrics.precisionRecallCurve(labels, scores), { baseline: 7 }),
    ],
    ['an unknown option', () => roc(metrics.rocCurve(labels, scores), { heigth: 3 } as object)],
  ])('refuse %s', (_name, draw) => {
    expect(draw).toThrow(OptionError);
  });
});

describe('contour', () => {
  const n = 41;
  const line = Float64Array.from({ length: n }, (_, i) => -1 + (2 * i) / (n - 1));
  const same = { x: (v: number) => 1000 * v, y: (v: number) => 1000 * v };

  it('follows a circle to second order in the cell', () => {
    const values = Float64Array.from({ length: n * n }, (_, k) => line[k % n] ** 2 + line[Math.floor(k / n)] ** 2);
    const path = contour({ x: line, y: line, values }, 0.5, same);
    const points = [...path.matchAll(/[ML]([-\d.]+) ([-\d.]+)/g)].map(
      (m) => Math.hypot(Number(m[1]), Number(m[2])) / 1000,
    );
    expect(points.length).toBeGreaterThan(100);
    // Linear interpolation of u² in a cell of width h is wrong by at most h²/4 in u², so by h²/4 / (2r) in r; 1e-4 rounding.
    const bound = 0.05 ** 2 / 4 / (2 * Math.SQRT1_2) + 1e-4;
    for (const r of points) expect(Math.abs(r - Math.SQRT1_2)).toBeLessThan(bound);
  });

  it('joins a saddle as its centre says', () => {
    const cell = (values: number[]) => contour({ x: [0, 1], y: [0, 1], values }, 0, { x: (v) => v, y: (v) => v });
    // (0,0) and (1,1) high: with a high centre they are one region, the lines cut off the other two corners.
    expect(cell([3, -1, -1, 3])).toBe('M0.8 0L1 0.3M0.3 1L0 0.8');
    expect(cell([1, -3, -3, 1])).toBe('M0 0.3L0.3 0M1 0.8L0.8 1');
  });

  it('leaves out cells with values that are not finite', () => {
    expect(contour({ x: [0, 1], y: [0, 1], values: [1, -1, Number.NaN, 1] }, 0, same)).toBe('');
  });
});

describe('lossSurface', () => {
  const bowl = (x: number, y: number): number => x * x + 4 * y * y;
  const ranges = { xRange: [-3, 3], yRange: [-2, 2] } as const;

  it('draws contours at their heights, paths and the minimum', () => {
    const svg = lossSurface(bowl, {
      ...ranges,
      levels: [4],
      resolution: 201,
      paths: {
        sgd: [
          [2, 1],
          [1, 0],
        ],
      },
      minimum: [0, 0],
    });
    expect(faults(svg)).toEqual([]);
    expect(texts(svg)).toContain('sgd');
    const { left, right, top, bottom } = corners(svg);
    const ellipse = pathPoints(svg, '#ffffff').map(([x, y]) =>
      bowl(((x - left) / (right - left)) * 6 - 3, ((bottom - y) / (bottom - top)) * 4 - 2),
    );
    expect(ellipse.length).toBeGreaterThan(200);
    for (const z of ellipse) expect(Math.abs(z - 4)).toBeLessThan(0.05); // a tenth of a pixel is 0.0015 in x, the slope at most 16
    expect(pathPoints(svg, '#006cb4')[1][0]).toBeCloseTo(left + (4 / 6) * (right - left), 0);
  });

  it('takes a grid, a log scale, values that are not finite, a flat surface, and a path that ran away', () => {
    const grid = {
      x: [0, 1, 2],
      y: [0, 1],
      z: [
        [1, 10, Number.NaN],
        [100, Infinity, 5],
      ],
    };
    expect(faults(lossSurface(grid, { zScale: 'log', title: 'grid' }))).toEqual([]);
    expect(faults(lossSurface(() => 3, ranges))).toEqual([]);
    const svg = lossSurface(bowl, {
      ...ranges,
      paths: {
        wild: [
          [0, 0],
          [1e9, -1e9],
          [Number.NaN, 0],
          [-1e300, 0],
        ],
      },
    });
    expect(faults(svg)).toEqual([]);
  });

  it.each([
    ['a function without ranges', () => lossSurface(bowl)],
    ['no finite value', () => lossSurface(() => Number.NaN, ranges)],
    ['nothing above 0 on a log scale', () => lossSurface(() => -1, { ...ranges, zScale: 'log' })],
    ['a function that gives tensors', () => lossSurface((() => tensor(1)) as never, ranges)],
    ['a ragged grid', () => lossSurface({ x: [0, 1], y: [0, 1], z: [[1, 2], [3]] })],
    [
      'a grid that does not rise',
      () =>
        lossSurface({
          x: [0, 1, 1],
          y: [0, 1],
          z: [
            [1, 2, 3],
            [3, 4, 5],
          ],
        }),
    ],
    ['an empty path', () => lossSurface(bowl, { ...ranges, paths: { none: [] } })],
    ['a minimum that is none', () => lossSurface(bowl, { ...ranges, minimum: [0, Number.NaN] })],
    ['another map', () => lossSurface(bowl, { ...ranges, map: 'jet' as 'viridis' })],
    ['a resolution of 1', () => lossSurface(bowl, { ...ranges, resolution: 1 })],
  ])('refuses %s', (_name, draw) => {
    expect(draw).toThrow(OptionError);
  });
});

describe('decisionBoundary', () => {
  const line = {
    x: [
      [-1, 0],
      [1, 1],
      [2, -1],
    ],
    y: [0, 1, 1],
  };

  /** One logit: x₁ − 0.5. */
  class Half extends nn.Module {
    seen: boolean[] = [];
    forward(x: Tensor): Tensor {
      this.seen.push(this.training);
      return x.matmul(tensor([[1], [0]])).sub(0.5);
    }
  }

  it('draws the boundary where the logit is 0, in evaluation mode', async () => {
    const model = new Half();
    const svg = await decisionBoundary(model, line, { xRange: [-2, 3], yRange: [-2, 2], resolution: 20 });
    expect(faults(svg)).toEqual([]);
    expect([new Set(model.seen), model.training]).toEqual([new Set([false]), true]);
    const { left, right } = corners(svg);
    const drawn = pathPoints(svg, '#737b85" stroke-width="1.8').filter(([x]) => x > left);
    expect(drawn.length).toBeGreaterThan(30);
    for (const [x] of drawn) expect(x).toBeCloseTo(left + (right - left) / 2, 0);
    expect(texts(svg)).toContain('class 1');
  });

  it('takes functions of logits, probabilities and classes, and one-hot labels', async () => {
    const half = new Half();
    const options = { xRange: [-2, 3], yRange: [-2, 2], resolution: 20 } as const;
    const logits = await decisionBoundary(half, line, options);
    const two = await decisionBoundary((x) => half.forward(x).matmul(tensor([[-0.5, 0.5]])), line, options);
    expect(pathPoints(two, '#737b85" stroke-width="1.8').length).toBeGreaterThan(0);
    const p = await decisionBoundary(
      (x) => half.forward(x).sigmoid(),
      {
        x: line.x,
        y: [
          [1, 0],
          [0, 1],
          [0, 1],
        ],
      },
      { ...options, fromLogits: false },
    );
    expect(p.replace(/href="[^"]*"/, '')).toBe(logits.replace(/href="[^"]*"/, ''));
    const answers = await decisionBoundary(
      (x) => argmax(half.forward(x).matmul(tensor([[-1, 1]])), { axis: -1 }),
      line,
      options,
    );
    expect(faults(answers)).toEqual([]);
    expect(faults(await decisionBoundary(half, { x: [[1, 1]], y: [[0]] }))).toEqual([]);
  });

  it('draws a trained kind of model for data of the data room', async () => {
    seed(1);
    const net = new nn.Sequential(new nn.Linear(2, 8), new nn.Tanh(), new nn.Dropout(0.5), new nn.Linear(8, 3));
    const blobs = data.blobs(60, {
      centers: [
        [-3, 0],
        [3, 0],
        [0, 4],
      ],
      seed: 1,
    });
    const draw = () => decisionBoundary(net, blobs, { classes: ['a', 'b', 'c'], title: 'Blobs', resolution: 30 });
    const svg = await draw();
    expect(faults(svg)).toEqual([]);
    expect(await draw()).toBe(svg);
  });

  const half = new Half();
  it.each<[string, () => Promise<string>, new (message: string) => Error, RegExp]>([
    ['three features', () => decisionBoundary(half, { x: [[1, 2, 3]], y: [0] }), ShapeError, /two features/],
    ['labels that are no class', () => decisionBoundary(half, { x: [[1, 2]], y: [0.5] }), DataError, /label 0 is 0.5/],
    [
      'NaN from the model',
      () => decisionBoundary((x) => x.sum({ axis: 1 }).sub(50).log(), line),
      DataError,
      /NaN at \(/,
    ],
    ['one answer for all points', () => decisionBoundary((x) => x.sum(), line), ShapeError, /for points/],
    [
      'features that are NaN',
      () => decisionBoundary(half, { x: [[Number.NaN, Number.NaN]], y: [0] }),
      DataError,
      /finite/,
    ],
    ['too few names', () => decisionBoundary(half, line, { classes: ['a'] }), OptionError, /expected 2 names/],
    [
      'an unknown option',
      () => decisionBoundary(half, line, { res: 3 } as object),
      OptionError,
      /unknown option "res"/,
    ],
  ])('refuses %s', async (_name, draw, kind, message) => {
    await expect(draw()).rejects.toThrow(kind);
    await expect(draw()).rejects.toThrow(message);
  });
});

describe('encodePng', () => {
  it('writes chunks that say what they should', () => {
    const pixels = Uint8Array.from({ length: 2 * 3 * 4 }, (_, i) => i * 10);
    const png = encodePng(pixels, 2, 3, 4);
    expect(png.subarray(0, 8).toString('hex')).toBe('89504e470d0a1a0a');
    expect(png.subarray(12, 16).toString()).toBe('IHDR');
    expect([png.readUInt32BE(16), png.readUInt32BE(20), ...png.subarray(24, 29)]).toEqual([2, 3, 8, 6, 0, 0, 0]);
    const length = png.readUInt32BE(33);
    expect(png.subarray(37, 41).toString()).toBe('IDAT');
    const rows = inflateSync(png.subarray(41, 41 + length));
    expect(rows.length).toBe(3 * 9);
    expect([...rows.subarray(9, 18)]).toEqual([0, ...pixels.subarray(8, 16)]);
    expect(png.subarray(-8).toString('hex')).toBe('49454e44ae426082'); // the end's checksum is the same in every file
  });
});
