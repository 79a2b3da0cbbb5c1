import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  avgPool2d,
  compile,
  configure,
  dot,
  grad,
  info,
  maxPool1d,
  maxPool2d,
  mul,
  nn,
  normal,
  OptionError,
  pixelShuffle,
  pixelUnshuffle,
  relu,
  reshape,
  ShapeError,
  seed,
  sub,
  sum,
  type Tensor,
  tensor,
  upsample,
  valueAndGrad,
  vmap,
  zeros,
} from '../../src/index.js';
import { expectGolden, type GoldenTensor, toTensor } from '../goldens/golden.js';

interface Case {
  readonly layer: string;
  readonly args: readonly unknown[];
  readonly x: GoldenTensor;
  readonly output: GoldenTensor;
  readonly cotangent: GoldenTensor;
  readonly dx: GoldenTensor;
}
const golden = JSON.parse(readFileSync(new URL('./goldens/pooling.json', import.meta.url), 'utf8')) as {
  cases: Case[];
  sizes: number[][];
};

describe('pooling, resizing and padding against PyTorch', () => {
  it.each(golden.cases.map((c) => [`${c.layer} ${JSON.stringify(c.args)} of [${c.x.shape}]`, c] as const))(
    '%s',
    async (_, c) => {
      const layer = new (nn as unknown as Record<string, new (...args: unknown[]) => nn.Module>)[c.layer](...c.args);
      const [[, y], dx] = valueAndGrad((x: Tensor) => {
        const out = layer.forward(x);
        return [sum(mul(out, toTensor(c.cotangent))), out];
      })(toTensor(c.x)) as unknown as [[Tensor, Tensor], Tensor];
      await Promise.all([expectGolden(y, c.output), expectGolden(dx, c.dx)]);
    },
  );

  it('have its sizes, and refuse what does not fit', () => {
    for (const [size, kernel, stride, padding, dilation, ceil, windows] of golden.sizes) {
      const run = () => maxPool1d(zeros([1, size, 1]), kernel, { stride, padding, dilation, ceilMode: ceil === 1 });
      if (windows < 0) expect(run).toThrow(ShapeError);
      else expect(run().shape).toEqual([1, windows, 1]);
    }
  });
});

describe('windows', () => {
  it("cover an image with padding 'same'", () => {
    expect(maxPool2d(zeros([1, 7, 8, 2]), [3, 2], { stride: 2, padding: 'same' }).shape).toEqual([1, 4, 4, 2]);
    expect(avgPool2d(zeros([1, 7, 8, 2]), 3, { stride: 1, padding: 'same' }).shape).toEqual([1, 7, 8, 2]);
  });

  it('that hang over the edge with padding of different widths count what lies in both', async () => {
    // 'same' puts the odd position behind: [1, 2] and [3, 0].
    const x = tensor([[[1], [2], [3]]]);
    const pool = (countIncludePad: boolean) =>
      new nn.AvgPool1d(2, { padding: 'same', countIncludePad }).forward(x).data();
    expect([...(await pool(true))]).toEqual([1.5, 1.5]);
    expect([...(await pool(false))]).toEqual([1.5, 3]);
  });

  it('give the same bits for any number of threads, and have exact adjoints', async () => {
    seed(3);
    const x = normal([2, 21, 25, 19]);
    const run = async () => {
      const pool = (v: Tensor) => maxPool2d(relu(v), 3, { stride: 2, padding: 1 });
      const y = pool(x);
      const g = normal(y.shape, { mean: 1 });
      const average = (v: Tensor) => avgPool2d(v, [3, 4], { stride: 2, ceilMode: true });
      return Promise.all([
        y.data(),
        grad((v: Tensor) => sum(mul(pool(v), stop(g))))(x).data(),
        average(x).data(),
        grad((v: Tensor) => sum(average(v)))(x).data(),
      ]);
    };
    const stop = (g: Tensor) => g;
    const { threads } = info();
    const found: unknown[] = [];
    for (const n of [1, 2, 5]) {
      configure({ threads: n });
      seed(4);
      found.push(await run());
    }
    configure({ threads });
    expect(found[1]).toEqual(found[0]);
    expect(found[2]).toEqual(found[0]);
  });

  it('map over samples, and compile, to the same', async () => {
    seed(5);
    const x = normal([3, 2, 5, 6, 4]);
    const one = (v: Tensor) => maxPool2d(v, 2, { stride: 1 });
    const mapped = await vmap(one)(x).data();
    expect(mapped).toEqual(await reshape(one(reshape(x, [6, 5, 6, 4])), [3, 2, 4, 5, 4]).data());
    const step = compile((v: Tensor) => sum(one(v)));
    expect(await step(reshape(x, [6, 5, 6, 4])).item()).toBe(await sum(vmap(one)(x)).item());
  });
});

describe('resizing', () => {
  it('by linear weights has the transpose as its gradient: ⟨up(x), y⟩ = ⟨x, up′(y)⟩', async () => {
    seed(6);
    const [x, y] = [normal([1, 5, 7, 2], { dtype: 'float64' }), normal([1, 9, 4, 2], { dtype: 'float64' })];
    const up = (v: Tensor) => upsample(v, { size: [9, 4], mode: 'bilinear' });
    const back = grad((v: Tensor) => sum(mul(up(v), y)))(x);
    const flat = (t: Tensor) => reshape(t, [-1]);
    const difference = sub(dot(flat(up(x)), flat(y)), dot(flat(x), flat(back)));
    // 72 products of size 3 or less.
    expect(Math.abs(await difference.item())).toBeLessThan(72 * 9 * 2 ** -52);
  });

  it('by pixels moves every value, there and back', async () => {
    seed(7);
    const x = normal([2, 3, 4, 18]);
    expect(await pixelUnshuffle(pixelShuffle(x, 3), 3).data()).toEqual(await x.data());
  });
});

describe('bad input', () => {
  const image = zeros([1, 8, 8, 3]);
  it.each<[string, () => unknown, new (...args: never[]) => Error, string]>([
    ['kernel of 0', () => new nn.MaxPool2d(0), OptionError, 'MaxPool2d: kernelSize is 0, expected a whole number >= 1'],
    ['kernel of 3 sizes', () => new nn.MaxPool2d([1, 2, 3]), OptionError, 'kernelSize is [1,2,3], expected'],
    ['stride of 0', () => new nn.AvgPool2d(2, { stride: 0 }), OptionError, 'AvgPool2d: stride is 0'],
    ['dilation of 0', () => new nn.MaxPool2d(2, { dilation: [1, 0] }), OptionError, 'dilation is [1,0]'],
    ['negative padding', () => new nn.MaxPool2d(2, { padding: -1 }), OptionError, 'padding is -1, expected'],
    [
      'padding of a whole window',
      () => new nn.MaxPool2d(3, { padding: 2 }),
      OptionError,
      'at most half of the window, 1×1',
    ],
    [
      'padding by name',
      () => new nn.MaxPool2d(3, { padding: 'full' as 'same' }),
      OptionError,
      "'full', expected a size, 'same' or 'valid'",
    ],
    [
      'unknown option',
      () => new nn.AvgPool2d(2, { dilation: 2 } as object),
      OptionError,
      'AvgPool2d: unknown option "dilation"',
    ],
    [
      'ceilMode of a number',
      () => new nn.AvgPool2d(2, { ceilMode: 1 as unknown as boolean }),
      OptionError,
      'ceilMode is 1',
    ],
    ['divisor of 0', () => new nn.AvgPool2d(2, { divisorOverride: 0 }), OptionError, 'divisorOverride is 0'],
    ['output size of 0', () => new nn.AdaptiveAvgPool2d(0), OptionError, 'AdaptiveAvgPool2d: outputSize is 0'],
    [
      'three axes',
      () => new nn.MaxPool2d(2).forward(zeros([8, 8, 3])),
      ShapeError,
      'MaxPool2d(2): got [8, 8, 3], expected [batch, height, width, channels]',
    ],
    [
      'a window larger than the image',
      () => maxPool2d(zeros([1, 3, 28, 28]), 4),
      ShapeError,
      'a window of 4 does not fit height 3 with padding 0; images are [batch, height, width, channels]',
    ],
    ['images of size 0', () => maxPool2d(zeros([1, 0, 4, 3]), 1), ShapeError, 'got height 0'],
    ['no positions', () => new nn.GlobalAvgPool2d().forward(zeros([2, 0, 4, 3])), ShapeError, 'none of size 0'],
    ['size and scale', () => new nn.Upsample({ size: 3, scaleFactor: 2 }), OptionError, 'either size or scaleFactor'],
    ['mode', () => upsample(image, { size: 3, mode: 'bilinaer' as 'bilinear' }), OptionError, 'bilinear'],
    [
      'bilinear of a sequence',
      () => upsample(zeros([1, 4, 2]), { size: 3, mode: 'bilinear' }),
      ShapeError,
      '2 axes of positions',
    ],
    ['scale of 0', () => upsample(image, { scaleFactor: 0 }), OptionError, 'scaleFactor is 0'],
    ['scale to nothing', () => upsample(image, { scaleFactor: 0.01 }), ShapeError, 'leaves no positions'],
    ['aligned corners of nearest', () => upsample(image, { size: 3, alignCorners: true }), OptionError, 'no meaning'],
    ['channels that r² does not divide', () => new nn.PixelShuffle(2).forward(image), ShapeError, '2² divides'],
    ['sides that r does not divide', () => new nn.PixelUnshuffle(3).forward(image), ShapeError, 'that 3 divides'],
    ['a mirror as wide as the image', () => new nn.ReflectionPad2d(8).forward(image), ShapeError, 'at most 7'],
    ['padding of three widths', () => new nn.ZeroPad2d([1, 2, 3]), OptionError, '[left, right, top, bottom]'],
  ])('%s', (_, run, type, text) => {
    expect(run).toThrow(type);
    expect(run).toThrow(text);
  });
});
