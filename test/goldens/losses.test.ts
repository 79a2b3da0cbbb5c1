import { describe, it } from 'vitest';
import { binaryCrossEntropy, crossEntropy, grad, mse, mul, sum, type Tensor } from '../../src/index.js';
import { expectGolden, type GoldenCase, readGolden, toTensor } from './golden.js';

const { cases } = readGolden<{ cases: GoldenCase[] }>('losses');

type Loss = (prediction: Tensor, target: Tensor, options: object) => Tensor;
const LOSSES: Record<string, Loss> = { binaryCrossEntropy, crossEntropy, mse };

describe('losses against PyTorch', () => {
  it.each(cases.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const [prediction, target] = c.inputs.map(toTensor);
    const loss = (p: Tensor) => LOSSES[c.op](p, target, c.options);
    await expectGolden(loss(prediction), c.output);
    const cotangent = toTensor(c.cotangent!);
    await expectGolden(grad((p: Tensor) => sum(mul(loss(p), cotangent)))(prediction), c.gradients![0]);
  });
});
