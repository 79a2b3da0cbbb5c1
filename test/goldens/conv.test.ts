import { describe, expect, it } from 'vitest';
import {
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  flush,
  grad,
  mul,
  NeuriteError,
  nn,
  ones,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
  zeros,
} from '../../src/index.js';
import { expectGolden, type GoldenTensor, readGolden } from './golden.js';

interface LayerCase {
  readonly layer: 'Conv2d';
  readonly args: readonly [number, number, number, nn.ConvLayerOptions];
  readonly salt: number;
  readonly shape: readonly number[];
  readonly output: GoldenTensor;
  readonly gradients: readonly GoldenTensor[];
}

type Axes = number[];
type SizeRow = [0 | 1, Axes, Axes, Axes, Axes | 'same', Axes, Axes, Axes | null];

const golden = readGolden<{ layers: LayerCase[]; sizes: SizeRow[] }>('conv');

/** The rule of make_conv_goldens.py: integers and exact IEEE operations only, so the bits are the same in every language. */
function formula(shape: readonly number[], salt: number, scale: number): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const value = (i: number) => (((i * 7919 + salt * 104729 + 13) % 1009) / 1009 - 0.5) * scale;
  return tensor(
    Float32Array.from({ length: count }, (_, i) => value(i)),
    { shape: [...shape] },
  );
}

describe('convolution layers against PyTorch', () => {
  it.each(golden.layers.map((c) => [`${c.layer} ${JSON.stringify(c.args)}`, c] as const))('%s', async (_, c) => {
    const layer = new nn[c.layer](...c.args);
    const cells = layer.parameters();
    for (const [i, cell] of cells.entries()) cell.assign(formula(cell.shape, c.salt + i + 1, 0.8));
    await flush();
    const x = formula(c.shape, c.salt, 2);
    await expectGolden(layer.forward(x), c.output);

    const cotangent = formula(c.output.shape, c.salt + 3, 2);
    const loss = (v: Tensor) => sum(mul(layer.forward(v), cotangent));
    await expectGolden(grad(loss)(x), c.gradients[0]);
    const [, gradients] = valueAndGrad(layer, loss)(x);
    expect(c.gradients.length).toBe(1 + cells.length);
    for (const [i, g] of Object.values(gradients).entries()) await expectGolden(g, c.gradients[i + 1]);
  });
});

const FORWARD = [conv1d, conv2d, conv3d];
const TRANSPOSED = [convTranspose1d, convTranspose2d, convTranspose3d];

describe('sizes of outputs', () => {
  it('are PyTorch’s in 500 random configurations, and what it refuses is refused', () => {
    let refused = 0;
    for (const row of golden.sizes) {
      const [turned, input, kernel, stride, padding, dilation, outputPadding, output] = row;
      const x = zeros([1, ...input, 1]);
      const w = ones([1, 1, ...kernel]);
      const options = { stride, padding, dilation };
      const axis = input.length - 1;
      const run = () => (turned ? TRANSPOSED[axis](x, w, { ...options, outputPadding }) : FORWARD[axis](x, w, options));
      if (output === null) {
        expect(run, JSON.stringify(row)).toThrow(NeuriteError);
        refused++;
      } else {
        expect(run().shape, JSON.stringify(row)).toEqual([1, ...output, 1]);
      }
    }
    expect(golden.sizes.length).toBe(500);
    expect(refused).toBeGreaterThan(20);
  });
});
