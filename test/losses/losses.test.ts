import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  binaryCrossEntropy,
  categoricalCrossEntropy,
  crossEntropy,
  DataError,
  DTypeError,
  grad,
  type Loss,
  lossByName,
  mse,
  OptionError,
  ShapeError,
  type Tensor,
  tensor,
  zeros,
} from '../../src/index.js';

interface Golden {
  readonly shape: number[];
  readonly data: number[];
}
interface Case {
  readonly name: 'mse' | 'crossEntropy' | 'binaryCrossEntropy';
  readonly options: Record<string, unknown>;
  readonly outputs: Golden;
  readonly targets: Golden;
  readonly value: Golden;
  readonly grad: Golden;
}
const cases = JSON.parse(readFileSync(new URL('goldens/losses.json', import.meta.url), 'utf8')).cases as Case[];
const losses = { mse, crossEntropy, binaryCrossEntropy } as unknown as Record<
  string,
  (x: Tensor, y: Tensor, o: object) => Tensor
>;
const int32 = (values: number[], shape = [values.length]) => tensor(Int32Array.from(values), { shape });

describe('value and gradient agree with PyTorch in float64', () => {
  it.each(cases.map((c, i) => [`${i} ${c.name} ${JSON.stringify(c.options)}`, c] as const))('%s', async (_, c) => {
    const x = tensor(Float64Array.from(c.outputs.data), { shape: c.outputs.shape });
    const y =
      c.name === 'crossEntropy'
        ? int32(c.targets.data, c.targets.shape)
        : tensor(Float64Array.from(c.targets.data), { shape: c.targets.shape });
    const value = losses[c.name](x, y, c.options);
    expect(value.shape).toEqual(c.value.shape);
    const gradient = grad((t: Tensor) => losses[c.name](t, y, c.options).sum())(x) as Tensor;
    for (const [got, want] of [
      [value, c.value],
      [gradient, c.grad],
    ] as const) {
      const data = await got.data();
      // PyTorch's own form of the loss cancels at |z|; the bound is 64 roundings of the largest input or result.
      const scale = Math.max(1, ...c.outputs.data.map(Math.abs));
      for (const [i, w] of want.data.entries()) {
        expect(Math.abs(data[i] - w)).toBeLessThanOrEqual(64 * 2 ** -53 * (scale + Math.abs(w)));
      }
    }
  });
});

describe('crossEntropy', () => {
  it('worked figure: true-class probabilities 0.70, 0.15, 0.60, 0.50 give 0.8644', async () => {
    const logits = tensor([
      [0.7, 0.3],
      [0.85, 0.15],
      [0.6, 0.4],
      [0.5, 0.5],
    ]).log();
    expect(await crossEntropy(logits, int32([0, 1, 0, 0])).item()).toBeCloseTo(0.8644, 4);
  });

  it('takes uint8 labels and a single example', async () => {
    const logits = tensor([[1, 2, 3]]);
    const want = await crossEntropy(logits, int32([2])).item();
    expect(await crossEntropy(logits, tensor(Uint8Array.of(2))).item()).toBe(want);
    expect(await crossEntropy(tensor([1, 2, 3]), tensor(2, { dtype: 'int32' })).item()).toBe(want);
  });

  it('takes shares of classes, as mixup makes them', async () => {
    const logits = tensor([
      [1, 2, 3],
      [0, 1, 0],
    ]);
    const shares = tensor([
      [0.25, 0, 0.75],
      [0, 1, 0],
    ]);
    const options = { labelSmoothing: 0.1, weights: tensor([1, 3]) };
    expect(await crossEntropy(logits, shares, options).item()).toBe(
      await categoricalCrossEntropy(logits, shares, options).item(),
    );
    expect(() => crossEntropy(logits, shares, { ignoreIndex: 1 })).toThrow('ignoreIndex is for class numbers');
  });

  it('says what is wrong with labels', async () => {
    const logits = zeros([4, 3]);
    expect(() => crossEntropy(logits, zeros([4]))).toThrow(DTypeError);
    expect(() => crossEntropy(logits, zeros([4]))).toThrow(
      /float32 labels, expected int32 class numbers; use labels\.cast\('int32'\)/,
    );
    expect(() => crossEntropy(logits, zeros([4, 3], { dtype: 'bool' }))).toThrow(/one-hot: use argmax/);
    expect(() => crossEntropy(logits, int32([0, 1, 2, 0], [4, 1]))).toThrow(
      new ShapeError(
        'crossEntropy: got logits [4, 3] and labels [4, 1], expected labels [4]; reshape the labels to [4]',
      ),
    );
    expect(() => crossEntropy(logits, int32([0]))).toThrow(ShapeError);
    expect(() => crossEntropy(zeros([]), tensor(0, { dtype: 'int32' }))).toThrow(/scalar logits/);
    expect(() => crossEntropy(int32([1, 2], [1, 2]), int32([0]))).toThrow(DTypeError);
    for (const bad of [-1, 3])
      await expect(crossEntropy(logits, int32([0, bad, 1, 1])).item()).rejects.toThrow(DataError);
  });
});

describe('binaryCrossEntropy', () => {
  it('keeps precision in both tails and a right gradient at 0 and ±200, in float32', async () => {
    const z = tensor([100, -100, 0, 200, -200]);
    const y = tensor([1, 0, 1, 0, 1]);
    const values = await binaryCrossEntropy(z, y, { reduction: 'none' }).data();
    expect([...values]).toEqual([expect.closeTo(0, 40), expect.closeTo(0, 40), Math.fround(Math.LN2), 200, 200]);
    const g = grad((t: Tensor) => binaryCrossEntropy(t, y, { reduction: 'sum' }))(z) as Tensor;
    const got = await g.data();
    for (const [i, w] of [0, 0, -0.5, 1, -1].entries()) expect(Math.abs(got[i] - w)).toBeLessThan(2 ** -22);
  });

  it('at probabilities 0 and 1 gives 100 for a wrong label, 0 for a right one, and finite gradients', async () => {
    const p = tensor([0, 1, 0, 1]);
    const y = tensor([1, 0, 0, 1]);
    const options = { reduction: 'none', fromLogits: false } as const;
    expect([...(await binaryCrossEntropy(p, y, options).data())].map(Math.abs)).toEqual([100, 100, 0, 0]);
    const g = grad((t: Tensor) => binaryCrossEntropy(t, y, options).sum())(p) as Tensor;
    expect((await g.data()).every(Number.isFinite)).toBe(true);
    expect(await binaryCrossEntropy(tensor([-0.1, 1.1]), tensor([1, 0]), { fromLogits: false }).item()).toBeNaN();
  });

  it('takes bool and integer targets', async () => {
    const z = tensor([0.5, -2]);
    const want = await binaryCrossEntropy(z, tensor([1, 0])).item();
    expect(await binaryCrossEntropy(z, tensor([true, false])).item()).toBe(want);
    expect(await binaryCrossEntropy(z, int32([1, 0])).item()).toBe(want);
  });
});

describe('shapes and options', () => {
  it('nothing is broadcast', () => {
    expect(() => mse(zeros([4, 1]), zeros([4]))).toThrow(
      new ShapeError('mse: got outputs [4, 1] and targets [4], expected equal shapes; reshape the targets to [4, 1]'),
    );
    expect(() => binaryCrossEntropy(zeros([2]), zeros([3]))).toThrow(ShapeError);
  });
  it('an unknown reduction or name is an error', () => {
    expect(() => mse(zeros([1]), zeros([1]), { reduction: 'avg' as 'mean' })).toThrow(OptionError);
    expect(() => lossByName('crossentrop' as 'mse')).toThrow(/Did you mean "crossEntropy"/);
    expect(() => lossByName('toString' as 'mse')).toThrow(OptionError);
  });
  it('names give the losses', () => {
    const all: Loss[] = (['mse', 'crossEntropy', 'binaryCrossEntropy'] as const).map(lossByName);
    expect(all).toEqual([mse, crossEntropy, binaryCrossEntropy]);
  });
});
