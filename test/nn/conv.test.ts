import { describe, expect, it } from 'vitest';
import {
  compile,
  conv2d,
  grad,
  mul,
  type NeuriteError,
  nn,
  normal,
  OptionError,
  optim,
  perSampleGrad,
  ShapeError,
  seed,
  sub,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
  zeros,
} from '../../src/index.js';

const { Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d } = nn;
const EPS64 = 2 ** -52;

describe('convolution layers', () => {
  it('have weights, shapes and names as PyTorch’s, channels last', () => {
    const shapes: [nn.Module, number[], number[], number[]][] = [
      [new Conv1d(3, 8, 5, { stride: 2 }), [8, 3, 5], [2, 11, 3], [2, 4, 8]],
      [new Conv2d(4, 6, [3, 2], { groups: 2, padding: 'same' }), [6, 2, 3, 2], [1, 7, 9, 4], [1, 7, 9, 6]],
      [new Conv3d(1, 2, 2, { padding: [[1, 0], 0, 1] }), [2, 1, 2, 2, 2], [1, 3, 3, 3, 1], [1, 3, 2, 4, 2]],
      [new ConvTranspose1d(3, 8, 4, { stride: 2, padding: 1 }), [3, 8, 4], [2, 11, 3], [2, 22, 8]],
      [
        new ConvTranspose2d(4, 6, 3, { groups: 2, padding: 'same', stride: 3 }),
        [4, 3, 3, 3],
        [1, 7, 9, 4],
        [1, 21, 27, 6],
      ],
      [
        new ConvTranspose3d(2, 1, 2, { outputPadding: 1, stride: 2 }),
        [2, 1, 2, 2, 2],
        [1, 2, 2, 2, 2],
        [1, 5, 5, 5, 1],
      ],
    ];
    for (const [layer, weight, x, y] of shapes) {
      const cells = layer.namedParameters();
      expect([...cells.keys()]).toEqual(['weight', 'bias']);
      expect(cells.get('weight')?.shape).toEqual(weight);
      expect(cells.get('bias')?.shape).toEqual([y[y.length - 1]]);
      expect(layer.forward(zeros(x)).shape).toEqual(y);
    }
  });

  it('show what tells them apart', () => {
    expect(String(new Conv2d(3, 16, 3))).toBe('Conv2d(3→16, 3×3)');
    const options = {
      stride: 2,
      padding: 1,
      dilation: [1, 2],
      groups: 4,
      bias: false,
      paddingMode: 'circular',
    } as const;
    expect(String(new Conv2d(4, 8, [3, 5], options))).toBe(
      'Conv2d(4→8, 3×5, stride 2×2, dilation 1×2, padding 1, paddingMode circular, groups 4, no bias)',
    );
    expect(String(new ConvTranspose1d(4, 8, 4, { stride: 2, outputPadding: 1, padding: [[1, 0]] }))).toBe(
      'ConvTranspose1d(4→8, 4, stride 2, padding [[1,0]], outputPadding 1)',
    );
    const model = new nn.Sequential(new Conv2d(1, 8, 3), new nn.ReLU(), new nn.Flatten(), new nn.Linear(8 * 6 * 6, 10));
    expect(model.summary([2, 8, 8, 1])).toMatch(/0 +Conv2d\(1→8, 3×3\) +\[2, 6, 6, 8\] +80\n/);
  });

  it('start as PyTorch’s: uniform with b = 1/√fanIn, fanIn = channels of the group times taps', async () => {
    seed(5);
    const layers: [nn.Module, number][] = [
      [new Conv2d(16, 32, 3, { groups: 2 }), 8 * 9],
      [new ConvTranspose2d(16, 64, 3, { groups: 2 }), 32 * 9], // PyTorch takes the second axis whatever it means
    ];
    for (const [layer, fanIn] of layers) {
      for (const p of layer.parameters()) {
        const values = [...(await p.read().data())];
        const largest = values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
        expect(largest).toBeLessThanOrEqual(Math.fround(1 / Math.sqrt(fanIn)));
        // The largest of n numbers is above 1 - 5 / n of the bound but once in 150 times, and the seed is fixed.
        expect(largest * Math.sqrt(fanIn)).toBeGreaterThan(1 - 5 / values.length);
      }
    }
    const model = new nn.Sequential(new Conv2d(8, 64, 3), new nn.ReLU(), new Conv2d(64, 64, 3));
    expect([...nn.init.initFor(model)]).toEqual([
      ['0.weight', 'relu'],
      ['2.weight', 'linear'],
    ]);
    const weight = [...(await (model[0] as nn.Conv2d).weight.read().data())];
    // 4608 values of variance 2 / 72: the sample variance is off by 1 / √(4608 / 2) = 2 % at one deviation.
    expect(weight.reduce((s, v) => s + v * v, 0) / weight.length).toBeCloseTo(2 / 72, 2);
    expect(Math.max(...(await (model[0] as nn.Conv2d).bias!.read().data()))).toBe(0);
  });

  it('a Dirac kernel is the identity, by groups too', async () => {
    seed(6);
    const x = normal([2, 5, 4, 6]);
    const expected = await x.data();
    for (const groups of [1, 2, 6]) {
      const layer = new Conv2d(6, 6, [3, 5], { padding: 'same', groups, bias: false, init: nn.init.dirac({ groups }) });
      expect(await layer.forward(x).data()).toEqual(expected);
    }
    expect(() => new Conv2d(6, 6, 3, { init: nn.init.dirac({ groups: 4 }) })).toThrow(
      'init.dirac: groups is 4, expected a divisor of the 6 outputs',
    );
  });

  it('a transposed convolution is the adjoint: <conv x, y> = <x, convTranspose y>', async () => {
    seed(7);
    const inner = async (a: Tensor, b: Tensor) => (await sum(mul(a, b)).data())[0];
    for (const [options, outputPadding] of [
      [{}, 0],
      [{ stride: 2, padding: 'same' }, 0],
      [{ stride: [2, 3], padding: [[2, 0], 1], dilation: [1, 2] }, [1, 2]], // what the strides leave over
      [{ groups: 4, padding: 'full' }, 0],
    ] as const) {
      const shared = { ...options, bias: false, dtype: 'float64' } as const;
      const forward = new Conv2d(4, 8, [3, 2], shared);
      const back = new ConvTranspose2d(8, 4, [3, 2], { ...shared, outputPadding });
      back.loadStateDict(await forward.stateDict());
      const x = normal([2, 8, 12, 4], { dtype: 'float64' });
      const y = forward.forward(x);
      const g = normal(y.shape, { dtype: 'float64' });
      const [a, b] = [await inner(y, g), await inner(x, back.forward(g))];
      const sizes = conv2d(x.abs(), forward.weight.read().abs(), options);
      // Sums of at most 24 or 96 products, then of at most 768 or 2 · 11 · 13 · 8 of those.
      expect(Math.abs(a - b)).toBeLessThan(2 * (96 + 2288) * EPS64 * (await inner(sizes, g.abs())));
    }
  });

  it('depthwise is a convolution of each channel by itself', async () => {
    seed(8);
    const x = normal([2, 6, 7, 5], { dtype: 'float64' });
    const layer = new Conv2d(5, 10, 3, { groups: 5, padding: 1, stride: 2, dtype: 'float64' });
    const y = await layer.forward(x).data();
    const state = await layer.stateDict();
    for (let c = 0; c < 5; c++) {
      const one = new Conv2d(1, 2, 3, { padding: 1, stride: 2, dtype: 'float64' });
      one.loadStateDict({
        weight: state.weight.slice([{ start: 2 * c, end: 2 * c + 2 }]),
        bias: state.bias.slice([{ start: 2 * c, end: 2 * c + 2 }]),
      });
      const part = await one.forward(x.slice([{}, {}, {}, { start: c, end: c + 1 }])).data();
      for (const [i, v] of part.entries()) {
        // Sums of 10 terms below 10.
        expect(Math.abs(v - y[Math.floor(i / 2) * 10 + 2 * c + (i % 2)])).toBeLessThan(10 * EPS64 * 10);
      }
    }
  });

  it('train: a kernel is found again from what it did to images', async () => {
    seed(9);
    const [teacher, student] = [new Conv2d(2, 3, 3, { padding: 1 }), new Conv2d(2, 3, 3, { padding: 1 })];
    const adam = new optim.Adam({ lr: 0.02 });
    const step = compile(() => {
      const x = normal([8, 6, 6, 2]);
      const lossOf = () => sub(student.forward(x), teacher.forward(x)).square().mean();
      const [loss, grads] = valueAndGrad(student, lossOf)();
      adam.update(student, grads);
      return loss;
    });
    const first = await step().item();
    let last = first;
    for (let i = 0; i < 300; i++) last = await step().item();
    expect(last).toBeLessThan(1e-5 * first);
  });

  it('weight norm, spectral norm and pruning work on kernels', async () => {
    seed(10);
    const x = normal([1, 5, 5, 2]);
    const layer = new Conv2d(2, 4, 3);
    const before = await layer.forward(x).data();
    nn.weightNorm(layer);
    expect(layer.namedParameters().get('parametrizations.weight.original0')?.shape).toEqual([4, 1, 1, 1]);
    const after = await layer.forward(x).data();
    // v·(g / ‖v‖) is within 3 roundings of v; outputs are sums of 18 products below 1.
    for (const [i, v] of after.entries()) expect(Math.abs(v - before[i])).toBeLessThan(22 * 2 ** -23 * 4);
    const spectral = nn.spectralNorm(new Conv2d(2, 4, 3));
    expect(spectral.forward(x).shape).toEqual([1, 3, 3, 4]);
    const pruned = nn.prune(new Conv2d(2, 4, 3), { amount: 0.75 });
    const zero = (await (pruned as nn.Conv2d).weight.read().data()).filter((v) => v === 0).length;
    expect(zero).toBe(54);
    expect(new nn.Sequential(pruned).forward(x).shape).toEqual([1, 3, 3, 4]);
  });

  it('gives gradients for each sample, and of gradients', async () => {
    seed(11);
    const layer = new Conv2d(1, 2, 2, { dtype: 'float64' });
    const x = normal([3, 4, 4, 1], { dtype: 'float64' });
    const each = perSampleGrad(layer, (image: Tensor) =>
      layer
        .forward(image.reshape([1, 4, 4, 1]))
        .tanh()
        .sum(),
    );
    const perSample = await each(x).weight.data();
    for (let s = 0; s < 3; s++) {
      const [, own] = valueAndGrad(layer, () =>
        layer
          .forward(x.slice([{ start: s, end: s + 1 }]))
          .tanh()
          .sum(),
      )();
      const one = await own.weight.data();
      for (const [i, v] of one.entries()) expect(Math.abs(perSample[8 * s + i] - v)).toBeLessThan(64 * EPS64 * 10);
    }
    // d²/dx² of sum(conv(x)³) has 6·w·w conv(x) in it: not zero, and symmetric.
    const cube = (v: Tensor) => layer.forward(v).pow(3).sum();
    const u = normal(x.shape, { dtype: 'float64' });
    const v = normal(x.shape, { dtype: 'float64' });
    const along = async (a: Tensor, b: Tensor) =>
      (await sum(mul(grad((t: Tensor) => sum(mul(grad(cube)(t), a)))(x), b)).data())[0];
    const [uv, vu] = [await along(u, v), await along(v, u)];
    expect(Math.abs(uv)).toBeGreaterThan(1e-3);
    expect(Math.abs(uv - vu)).toBeLessThan(1e-12 * Math.max(1, Math.abs(uv)));
  });
});

describe('what is wrong is named', () => {
  const image = zeros([1, 8, 8, 3]);
  const inModel = new nn.Sequential(new Conv2d(3, 4, 3, { stride: 2 }), new Conv2d(4, 4, 5));
  it.each<[string, new (message: string) => NeuriteError, () => unknown, string]>([
    [
      'kernel size 0',
      OptionError,
      () => new Conv2d(3, 4, 0),
      'Conv2d: kernelSize is 0, expected a whole number >= 1 or 2 of them',
    ],
    [
      'too many sizes',
      OptionError,
      () => new Conv1d(3, 4, [3, 3]),
      'Conv1d: kernelSize is [3,3], expected a whole number >= 1',
    ],
    ['no channels', OptionError, () => new Conv2d(0, 4, 3), 'Conv2d: inChannels is 0, expected a whole number >= 1'],
    ['half a channel', OptionError, () => new Conv2d(3, 0.5, 3), 'Conv2d: outChannels is 0.5'],
    [
      'groups',
      OptionError,
      () => new Conv2d(4, 6, 3, { groups: 4 }),
      'Conv2d: groups is 4, expected a divisor of outChannels = 6',
    ],
    ['stride 0', OptionError, () => new Conv2d(3, 4, 3, { stride: [1, 0] }), 'Conv2d: stride is [1,0]'],
    [
      'negative padding',
      OptionError,
      () => new Conv2d(3, 4, 3, { padding: [[0, -1], 0] }),
      'Conv2d: padding is [[0,-1],0]',
    ],
    [
      'a padding mode',
      OptionError,
      () => new Conv2d(3, 4, 3, { paddingMode: 'reflct' as never }),
      'Did you mean "reflect"?',
    ],
    [
      'an unknown option',
      OptionError,
      () => new Conv2d(3, 4, 3, { strides: 2 } as never),
      'Conv2d: unknown option "strides"',
    ],
    [
      'an option of the other kind',
      OptionError,
      () => new ConvTranspose2d(3, 4, 3, { paddingMode: 'zeros' } as never),
      'ConvTranspose2d: unknown option "paddingMode"',
    ],
    [
      'outputPadding',
      OptionError,
      () => new ConvTranspose2d(3, 4, 3, { outputPadding: 1 }),
      'ConvTranspose2d: outputPadding is 1 with stride 1',
    ],
    ['dtype', OptionError, () => new Conv2d(3, 4, 3, { dtype: 'int32' as never }), 'Conv2d: dtype is int32'],
    [
      'channels first',
      ShapeError,
      () => new Conv2d(3, 4, 3).forward(zeros([1, 3, 8, 8])),
      'Conv2d(3→4, 3×3): got [1,3,8,8], expected 3 channels last (weight [4,3,3,3]); this looks like NCHW; use x.permute([0, 2, 3, 1])',
    ],
    [
      'a kernel in a model',
      ShapeError,
      () => inModel.forward(image),
      'Conv2d(4→4, 5×5) "1": the kernel 5×5 is larger than the padded input 3×3',
    ],
    [
      'a mirror',
      ShapeError,
      () => new Conv2d(3, 4, 3, { padding: 8, paddingMode: 'reflect' }).forward(image),
      'padding 8, paddingMode reflect): got widths 8 and 8 for axis 1',
    ],
    [
      'images without a channel axis',
      ShapeError,
      () => new Conv2d(1, 4, 3).forward(zeros([5, 8, 8])),
      'expandDims(x, -1) a channel axis',
    ],
  ])('%s', (_, kind, make, says) => {
    expect(make).toThrow(kind);
    expect(make).toThrow(says);
  });

  it('a batch of none is a result of none', async () => {
    expect(new Conv2d(3, 4, 3).forward(zeros([0, 8, 8, 3])).shape).toEqual([0, 6, 6, 4]);
    const layer = new Conv2d(1, 1, 1);
    const [, g] = valueAndGrad(layer, (x: Tensor) => sum(layer.forward(x)))(tensor([], { shape: [0, 2, 2, 1] }));
    expect([...(await g.weight.data())]).toEqual([0]);
  });
});
