import { describe, it } from 'vitest';
import { grad, mul, nn, sum, type Tensor, valueAndGrad } from '../../src/index.js';
import { expectGolden, type GoldenCase, readGolden, toTensor } from './golden.js';

const golden = readGolden<{ activations: GoldenCase[]; linear: GoldenCase[] }>('layers');

type Layer = new (...args: readonly unknown[]) => nn.Module;

describe('activation layers against PyTorch', () => {
  it.each(golden.activations.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const Activation = (nn as unknown as Record<string, Layer>)[c.op];
    const layer = new Activation(...((c.options.args as unknown[] | undefined) ?? []));
    const x = toTensor(c.inputs[0]);
    const cotangent = toTensor(c.cotangent!);
    await expectGolden(layer.forward(x), c.output);
    await expectGolden(grad((v: Tensor) => sum(mul(layer.forward(v), cotangent)))(x), c.gradients![0]);
  });
});

describe('Linear against PyTorch', () => {
  it.each(golden.linear.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const [x, weight, bias] = c.inputs.map(toTensor);
    const [outFeatures, inFeatures] = weight.shape;
    const layer = new nn.Linear(inFeatures, outFeatures, { bias: bias !== undefined });
    layer.loadStateDict(bias === undefined ? { weight } : { weight, bias });
    await expectGolden(layer.forward(x), c.output);

    const cotangent = toTensor(c.cotangent!);
    const loss = (v: Tensor) => sum(mul(layer.forward(v), cotangent));
    await expectGolden(grad(loss)(x), c.gradients![0]);
    const [, gradients] = valueAndGrad(layer, loss)(x);
    await expectGolden(gradients.weight, c.gradients![1]);
    if (bias !== undefined) await expectGolden(gradients.bias, c.gradients![2]);
  });
});
