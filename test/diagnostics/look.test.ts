import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  DataError,
  DTypeError,
  data,
  diagnostics,
  nn,
  OptionError,
  randomState,
  ShapeError,
  seed,
  type Tensor,
  tensor,
  zeros,
} from '../../src/index.js';
import { faults, parse, textBoxes } from '../plot/svg.js';

const { featureMaps, filters, gradCam, misclassified, saliency } = diagnostics;
const values = async (t: Tensor): Promise<number[]> => Array.from((await t.data()) as ArrayLike<number>);
/** Values of a few float32 operations on numbers of this size. */
function expectClose(got: readonly number[], expected: readonly number[]): void {
  expect(got).toHaveLength(expected.length);
  const scale = Math.max(1, ...expected.map(Math.abs));
  for (const [i, v] of got.entries()) expect(Math.abs(v - expected[i])).toBeLessThanOrEqual(16 * 2 ** -24 * scale);
}

/** Kernels of 2 × 2 with stride 2, then class scores of each map's mean: every number can be had by hand. */
const KERNELS = [
  [1, 0, 0, 1],
  [0, -1, 2, 0],
];
const CLASSES = [
  [1, -2],
  [3, 0.5],
  [-1, -1],
];
function network(): nn.Sequential {
  const model = new nn.Sequential(
    new nn.Conv2d(1, 2, 2, { stride: 2, bias: false }),
    new nn.Dropout(0.9),
    new nn.GlobalAvgPool2d(),
    new nn.Linear(2, 3, { bias: false }),
  );
  const weights = tensor(KERNELS.flat(), { dtype: 'float32' }).reshape([2, 1, 2, 2]);
  model.loadStateDict({ '0.weight': weights, '3.weight': tensor(CLASSES) });
  return model;
}
const PICTURES = tensor(Float32Array.from({ length: 32 }, (_, i) => ((i * 7) % 11) / 10)).reshape([2, 4, 4, 1]);
/** `[picture][channel][2 × 2]`. */
async function mapsByHand(): Promise<number[][][]> {
  const x = await values(PICTURES);
  return [0, 1].map((n) =>
    KERNELS.map((k) =>
      [0, 2, 8, 10].map((corner) => {
        const at = n * 16 + corner;
        return k[0] * x[at] + k[1] * x[at + 1] + k[2] * x[at + 4] + k[3] * x[at + 5];
      }),
    ),
  );
}
/** Bilinear, pixel centres at ¼ and ¾ between those of the small picture, ends held. */
function enlarged([a, b, c, d]: readonly number[]): number[] {
  const t = [0, 0.25, 0.75, 1];
  return t.flatMap((v) => t.map((u) => (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * c + u * d)));
}

describe('filters', () => {
  it('are the weights with channels last, of the first or a named convolution', async () => {
    const model = new nn.Sequential(new nn.Conv2d(2, 3, [1, 2]), new nn.ReLU(), new nn.Conv2d(3, 5, 2));
    const w = await values((await model.stateDict())['0.weight']);
    const first = await filters(model);
    expect(first.shape).toEqual([3, 1, 2, 2]);
    const got = await values(first);
    for (let o = 0; o < 3; o++)
      for (let u = 0; u < 2; u++)
        for (let c = 0; c < 2; c++) expect(got[(o * 2 + u) * 2 + c]).toBe(w[(o * 2 + c) * 2 + u]);
    expect((await filters(model, { layer: '2' })).shape).toEqual([5, 2, 2, 3]);
  });
});

describe('featureMaps', () => {
  it('are what the layer puts out in evaluation mode, and leave the model as it was', async () => {
    const model = network();
    model.namedModules().get('0')?.eval();
    const maps = await featureMaps(model, PICTURES, { layer: '1' });
    expect(maps.shape).toEqual([2, 2, 2, 2]);
    const expected = (await mapsByHand()).flatMap(([a, b]) => a.flatMap((v, p) => [v, b[p]]));
    expectClose(await values(maps), expected);
    expect(model.modules().map((m) => m.training)).toEqual([true, false, true, true, true]);
  });

  it('are of the last call of a layer that is called twice', async () => {
    class Twice extends nn.Module {
      double = new Double();
      forward(x: Tensor): Tensor {
        return this.double.forward(this.double.forward(x)).mean({ axis: [1, 2] });
      }
    }
    class Double extends nn.Module {
      forward(x: Tensor): Tensor {
        return x.mul(2);
      }
    }
    const x = await values(PICTURES);
    const model = new Twice();
    expectClose(
      await values(await featureMaps(model, PICTURES, { layer: 'double' })),
      x.map((v) => 4 * v),
    );
    // Its gradient is by the second output alone: weight 1/16, not 2/16.
    const cam = await gradCam(model, PICTURES, { layer: 'double' });
    expectClose(
      await values(cam),
      x.map((v) => (4 * v) / 16),
    );
  });
});

describe('saliency', () => {
  const linear = new nn.Sequential(new nn.Flatten(), new nn.Linear(12, 4));
  const pictures = tensor(Float32Array.from({ length: 24 }, (_, i) => Math.sin(i))).reshape([2, 2, 2, 3]);

  it.each([['plain', false] as const, ['smooth', { samples: 3 }] as const])(
    'of a linear model is |weights|: %s',
    async (_, smooth) => {
      const w = await values((await linear.stateDict())['1.weight']);
      const row = (c: number): number[] => w.slice(c * 12, c * 12 + 12).map(Math.abs);
      const maps = await saliency(linear, pictures, { classes: [3, 1], smooth });
      expect(maps.shape).toEqual(pictures.shape);
      expectClose(await values(maps), [...row(3), ...row(1)]);
      const scores = await values(linear.forward(pictures));
      const top = [0, 1].map((n) => [0, 1, 2, 3].reduce((a, b) => (scores[n * 4 + b] > scores[n * 4 + a] ? b : a)));
      expectClose(await values(await saliency(linear, pictures, { smooth })), top.flatMap(row));
    },
  );

  it('is smoothed by noise that its seed alone decides', async () => {
    class Square extends nn.Module {
      forward(x: Tensor): Tensor {
        return x
          .mul(x)
          .sum({ axis: [1, 2, 3] })
          .reshape([-1, 1]);
      }
    }
    seed(5);
    const before = JSON.stringify(randomState());
    const smooth = { samples: 400, noise: 0.1, seed: 3 };
    const [a, b, c] = await Promise.all(
      [smooth, smooth, { ...smooth, seed: 4 }].map((s) => saliency(new Square(), pictures, { smooth: s })),
    );
    expect(await values(a)).toEqual(await values(b));
    expect(await values(a)).not.toEqual(await values(c));
    expect(JSON.stringify(randomState())).toBe(before);
    // |2 (x + mean of the noise)|: the mean of 400 draws of standard deviation 0.2 is within 5 of its own, 0.01.
    const x = await values(pictures);
    for (const [i, v] of (await values(a)).entries()) expect(Math.abs(v - Math.abs(2 * x[i]))).toBeLessThan(2 * 0.05);
  });
});

describe('gradCam', () => {
  it('is relu of the maps weighted by their mean gradient, enlarged', async () => {
    const model = network();
    const maps = await mapsByHand();
    const cam = (n: number, c: number): number[] =>
      enlarged(
        [0, 1, 2, 3].map((p) =>
          Math.max(
            0,
            maps[n].reduce((s, m, k) => s + (CLASSES[c][k] / 4) * m[p], 0),
          ),
        ),
      );
    for (const c of [0, 1, 2]) {
      const got = await gradCam(model, PICTURES, { classes: c });
      expect(got.shape).toEqual([2, 4, 4]);
      expectClose(await values(got), [...cam(0, c), ...cam(1, c)]);
    }
    expectClose(await values(await gradCam(model, PICTURES, { layer: '0', classes: [1, 0] })), [
      ...cam(0, 1),
      ...cam(1, 0),
    ]);
    const mean = (m: readonly number[]): number => m.reduce((s, v) => s + v / 4, 0);
    const top = maps.map((m) => {
      const scores = CLASSES.map((w) => w[0] * mean(m[0]) + w[1] * mean(m[1]));
      return scores.indexOf(Math.max(...scores));
    });
    expectClose(await values(await gradCam(model, PICTURES)), [...cam(0, top[0]), ...cam(1, top[1])]);
    expect(model.training).toBe(true);
  });
});

/** Says class 0 for pictures darker than a half. */
class Brightness extends nn.Module {
  readonly outputs: number;
  constructor(outputs: number) {
    super();
    this.outputs = outputs;
  }
  forward(x: Tensor): Tensor {
    const bright = x
      .mean({ axis: [1, 2, 3] })
      .reshape([-1, 1])
      .sub(0.5);
    return this.outputs === 1 ? bright : bright.mul(tensor([[-1, 1]]));
  }
}
const shades = [0.1, 0.9, 0.2, 0.8, 0.7, 0.3];
const grey = tensor(Float32Array.from(shades.flatMap((v) => [v, v, v, v]))).reshape([6, 2, 2, 1]);
const labels = Int32Array.from([0, 0, 1, 1, 0, 0]);
const set = new data.TensorDataset(grey, labels);

describe('misclassified', () => {
  it.each([1, 2])('finds them by %i outputs, in a part of a data set too', async (outputs) => {
    const model = new Brightness(outputs);
    expect(await misclassified(model, set)).toEqual({
      count: 3,
      indices: Int32Array.of(1, 2, 4),
      predicted: Int32Array.of(1, 0, 1),
      labels: Int32Array.of(0, 1, 0),
    });
    const part = await misclassified(model, set.subset([5, 4, 2, 1]), { limit: 2, batchSize: 2 });
    expect(part).toEqual({
      count: 3,
      indices: Int32Array.of(1, 2),
      predicted: Int32Array.of(1, 0),
      labels: Int32Array.of(0, 1),
    });
  });
});

describe('sheets', () => {
  const rgb = tensor(Float32Array.from({ length: 96 }, (_, i) => (i % 13) - 6)).reshape([2, 4, 4, 3]);
  const colour = new nn.Sequential(
    new nn.Conv2d(3, 4, 2),
    new nn.ReLU(),
    new nn.GlobalAvgPool2d(),
    new nn.Linear(4, 2),
  );
  const dead = new nn.Sequential(
    new nn.Conv2d(1, 2, 2, { init: nn.init.zeros(), biasInit: nn.init.zeros() }),
    new nn.GlobalAvgPool2d(),
  );
  it.each<[string, number, () => Promise<string>]>([
    ['filters in colour', 4, () => diagnostics.filterSheet(colour)],
    ['filters in grey', 2, () => diagnostics.filterSheet(network(), { size: 40 })],
    ['filters of nothing', 2, () => diagnostics.filterSheet(dead)],
    ['feature maps', 8, () => diagnostics.featureSheet(colour, rgb, { layer: '1' })],
    ['dead maps', 4, () => diagnostics.featureSheet(dead, PICTURES, { layer: '0' })],
    ['saliency', 4, () => diagnostics.saliencySheet(colour, rgb, { smooth: { samples: 2 }, names: ['cat', 'dog'] })],
    ['Grad-CAM', 4, () => diagnostics.gradCamSheet(network(), PICTURES, { classes: 2, title: 'why' })],
    ['Grad-CAM of nothing', 4, () => diagnostics.gradCamSheet(dead, PICTURES)],
    ['misclassified', 3, () => diagnostics.misclassifiedSheet(new Brightness(2), set)],
    ['none misclassified', 0, () => diagnostics.misclassifiedSheet(new Brightness(2), set.subset([0, 3, 5]))],
  ])('%s', async (_, images, draw) => {
    const svg = await draw();
    expect(faults(svg)).toEqual([]);
    expect(svg.match(/<image /g)?.length ?? 0).toBe(images);
  });

  it('name classes and write files', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'neurite-look-'));
    try {
      const file = join(dir, 'wrong.svg');
      const svg = await diagnostics.misclassifiedSheet(new Brightness(2), set, { names: ['a', 'b'], limit: 2, file });
      expect(readFileSync(file, 'utf8')).toBe(svg);
      const texts = textBoxes(parse(svg)).map((b) => b.text);
      expect(texts.slice(1)).toEqual(['b, not a', 'a, not b']);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('bad input', () => {
  const model = network();
  const flat = new nn.Linear(2, 2);
  class Idle extends nn.Module {
    conv = new nn.Conv2d(1, 1, 1);
    forward(x: Tensor): Tensor {
      return x.mean({ axis: [1, 2] });
    }
  }
  it.each<[string, () => Promise<unknown>, new (message: string) => Error, RegExp]>([
    [
      'an unknown layer',
      () => featureMaps(new nn.LeNet5(), zeros([1, 28, 28, 1]), { layer: 'conv' }),
      OptionError,
      /no layer "conv"/,
    ],
    ['a misspelt layer', () => gradCam(new Idle(), PICTURES, { layer: 'cnv' }), OptionError, /Did you mean "conv"/],
    ['no layer', () => featureMaps(model, PICTURES, {} as { layer: string }), OptionError, /no layer/],
    ['an idle layer', () => featureMaps(new Idle(), PICTURES, { layer: 'conv' }), OptionError, /does not call/],
    ['a layer without positions', () => gradCam(model, PICTURES, { layer: '3' }), ShapeError, /"3".*\[2,3\]/],
    ['another kind of layer', () => filters(model, { layer: '3' }), OptionError, /expected a Conv2d/],
    ['a model without convolution', () => filters(flat), OptionError, /no Conv2d/],
    ['no model', () => saliency({} as nn.Module, PICTURES), OptionError, /nn.Module/],
    ['a class out of range', () => gradCam(model, PICTURES, { classes: 3 }), OptionError, /class is 3.*\[0, 2\]/],
    ['too few classes', () => saliency(model, PICTURES, { classes: [1] }), OptionError, /1 classes for 2 pictures/],
    ['a model of tables', () => saliency(flat, PICTURES), ShapeError, /does not take pictures \[2,4,4,1\]/],
    ['no scores', () => saliency(new nn.Conv2d(1, 1, 1), PICTURES), ShapeError, /expected scores/],
    ['no pictures', () => saliency(model, zeros([2, 4])), ShapeError, /pictures are \[2,4\]/],
    ['an array', () => saliency(model, [1] as unknown as Tensor), OptionError, /a tensor or a TensorDataset/],
    ['bytes', () => saliency(model, zeros([1, 4, 4, 1], { dtype: 'uint8' })), DTypeError, /cast/],
    ['no noise', () => saliency(model, PICTURES, { smooth: { noise: 0 } }), OptionError, /noise is 0/],
    ['an unknown option', () => saliency(model, PICTURES, { class: 1 } as object), OptionError, /classes/],
    [
      'a label that is no class',
      () => misclassified(new Brightness(2), set.withTargets(labels.map((l) => l + 1))),
      DataError,
      /label of sample 2 is 2/,
    ],
    [
      'no data set',
      () => misclassified(model, PICTURES as unknown as data.TensorDataset),
      OptionError,
      /TensorDataset/,
    ],
    [
      'too few names',
      () => diagnostics.gradCamSheet(model, PICTURES, { classes: 2, names: ['a'] }),
      OptionError,
      /1 names/,
    ],
  ])('refuses %s', async (_, call, kind, message) => {
    const error = await call().then(
      () => null,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toMatch(message);
  });
});
