import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  flush,
  mul,
  nn,
  OptionError,
  Parameter,
  relu,
  type State,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
  zeros,
} from '../../src/index.js';
import { expectGolden, type GoldenTensor } from '../goldens/golden.js';

interface Case {
  readonly layer: string;
  readonly args: readonly unknown[];
  readonly shape: readonly number[];
  readonly count: number;
  readonly output: GoldenTensor;
  readonly dx: GoldenTensor;
  readonly gradients: Readonly<Record<string, GoldenTensor>>;
  readonly running: Readonly<Record<string, GoldenTensor>>;
  readonly evaluated: GoldenTensor;
}
const golden = JSON.parse(readFileSync(new URL('./goldens/image-models.json', import.meta.url), 'utf8')) as {
  counts: Readonly<Record<string, number>>;
  cases: Case[];
};

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** The formula of make_image_models.py. */
function values(shape: readonly number[], salt: number, make: (v: number) => number = (v) => v): Tensor {
  const data = Float32Array.from({ length: size(shape) }, (_, i) =>
    make(((i * 7919 + salt * 104729) % 1009) / 1009 - 0.5),
  );
  return tensor(data, { shape: [...shape] });
}

function fill(model: nn.Module): void {
  const byName = ([a]: [string, Parameter], [b]: [string, Parameter]) => (a < b ? -1 : 1);
  [...model.namedParameters()].sort(byName).forEach(([name, p], k) => {
    const root = Math.sqrt(size(p.shape.slice(1)));
    const gain = (v: number) => (p.shape.length > 1 ? (v * 4) / root : name.endsWith('weight') ? v + 1 : v);
    p.assign(values(p.shape, k, gain));
  });
}

const count = (model: nn.Module) => model.parameters().reduce((n, p) => n + size(p.shape), 0);

/** Has the image as a parameter, so that one pass gives its gradient too. */
class OfImage extends nn.Module {
  readonly image: Parameter;
  readonly model: nn.Module;
  constructor(image: Tensor, model: nn.Module) {
    super();
    this.image = new Parameter(image, 'image');
    this.model = model;
  }
  forward(): Tensor {
    return this.model.forward(this.image.read());
  }
}

describe('image models against PyTorch', () => {
  it.each(golden.cases.map((c) => [`${c.layer} ${JSON.stringify(c.args)}`, c] as const))('%s', async (_, c) => {
    const model = new (nn as unknown as Record<string, new (...args: unknown[]) => nn.Module>)[c.layer](...c.args);
    fill(model);
    expect(count(model)).toBe(c.count);
    const weights = values(c.output.shape, 77);
    const whole = new OfImage(
      values(c.shape, 99, (v) => 4 * v),
      model,
    );
    const run = valueAndGrad(whole, () => {
      const y = whole.forward();
      return [sum(mul(y, weights)), y];
    });
    const [[, y], gradients] = run() as unknown as [[Tensor, Tensor], Record<string, Tensor>];
    // Sums of up to 400 products through as many as 9 layers: a few hundred roundings of the largest value.
    const loose = (g: GoldenTensor) => ({ rtol: 1e-5, atol: 1e-5 * Math.max(1, ...g.data.map(Math.abs)) });
    await expectGolden(y, c.output, loose(c.output));
    for (const [path, g] of Object.entries(c.gradients)) await expectGolden(gradients[`model.${path}`], g, loose(g));
    await expectGolden(gradients['image'], c.dx, loose(c.dx));
    await flush();
    const buffers = model.namedBuffers();
    for (const [path, b] of Object.entries(c.running)) {
      await expectGolden((buffers.get(path) as State).read(), b, loose(b));
    }
    model.eval();
    await expectGolden(whole.forward(), c.evaluated, loose(c.evaluated));
  });

  it('have the same numbers of parameters', () => {
    for (const [name, n] of Object.entries(golden.counts)) {
      const [depth, shortcut] = name.split(' ');
      const model = new nn.ResNet({ depth: Number(depth), shortcut: shortcut as nn.Shortcut });
      expect(count(model)).toBe(n);
    }
    expect(count(new nn.LeNet5())).toBe(61_706);
  });
});

describe('image models', () => {
  it('take images of 28 and 32 pixels', () => {
    expect(new nn.ResNet({ depth: 8, inChannels: 1 }).forward(zeros([2, 28, 28, 1])).shape).toEqual([2, 10]);
    expect(new nn.VGG({ inChannels: 1, imageSize: 28 }).forward(zeros([2, 28, 28, 1])).shape).toEqual([2, 10]);
    expect(new nn.VGG({ batchNorm: false, classes: 4 }).forward(zeros([2, 32, 32, 3])).shape).toEqual([2, 4]);
  });

  it('skip blocks by a chance that grows with depth, in training only', async () => {
    const chances = new nn.ResNet({ depth: 14, dropPath: 0.5, width: 0.25 })
      .modules()
      .filter((m) => m instanceof nn.DropPath)
      .map((m) => m.p);
    expect(chances).toEqual([0.1, 0.2, 0.3, 0.4, 0.5]);
    // A block that is always skipped is relu of its input.
    const block = new nn.BasicBlock(2, 2, { dropPath: 1 });
    const x = values([2, 4, 4, 2], 1);
    expect(await block.forward(x).data()).toEqual(await relu(x).data());
    await flush();
    expect(await block.eval().forward(x).data()).not.toEqual(await relu(x).data());
  });

  it.each<[string, () => unknown, string]>([
    ['depth', () => new nn.ResNet({ depth: 18 }), 'ResNet: depth is 18, expected 6 n + 2'],
    ['width', () => new nn.ResNet({ width: 0.3 }), 'width is 0.3'],
    ['classes', () => new nn.ResNet({ classes: 0 }), 'classes is 0'],
    ['shortcut', () => new nn.ResNet({ shortcut: 'A' as nn.Shortcut }), "shortcut is 'A', expected 'identity'"],
    ['fewer channels', () => new nn.BasicBlock(4, 2, { shortcut: 'identity' }), 'outChannels is 2'],
    ['stride', () => new nn.BasicBlock(4, 4, { stride: 0 }), 'stride is 0'],
    ['image size', () => new nn.LeNet5({ imageSize: 30 as 28 }), 'imageSize is 30, expected 28 or 32'],
    ['stages', () => new nn.VGG({ stages: [] }), 'stages is empty'],
    ['image too small', () => new nn.VGG({ imageSize: 4 }), 'imageSize is 4, expected a whole number >= 8'],
    ['expand', () => new nn.InvertedResidual(2, 2, { expand: 0 }), 'expand is 0'],
    ['body', () => new nn.SkipConnection(3 as unknown as nn.Module), 'SkipConnection: body is 3, expected a Module'],
  ])('refuse %s', (_, make, text) => {
    expect(make).toThrow(OptionError);
    expect(make).toThrow(text);
  });
});
