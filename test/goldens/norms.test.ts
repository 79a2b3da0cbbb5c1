import { describe, expect, it } from 'vitest';
import { grad, mul, nn, sum, type Tensor, valueAndGrad } from '../../src/index.js';
import { expectGolden, type GoldenCase, type GoldenTensor, readGolden, toTensor } from './golden.js';

interface Evaluation {
  readonly x: GoldenTensor;
  readonly output: GoldenTensor;
  readonly cotangent: GoldenTensor;
  readonly gradients: readonly GoldenTensor[];
}
interface Step extends Evaluation {
  readonly runningMean: GoldenTensor;
  readonly runningVar: GoldenTensor;
  readonly numBatchesTracked: number;
}
interface BatchNormRun {
  readonly name: string;
  readonly options: { readonly momentum?: number | null; readonly eps?: number; readonly affine?: boolean };
  readonly parameters: readonly GoldenTensor[];
  readonly steps: readonly Step[];
  readonly evaluated: Evaluation;
}

const golden = readGolden<{ layerNorm: GoldenCase[]; batchNorm: BatchNormRun[] }>('norms');

/** float32 near |y| of 5 after sums of up to 150 terms; PyTorch's own tolerance is 1.3e-6 and 1e-5. */
const SUMS = { rtol: 1.3e-6, atol: 4e-5 };

describe('LayerNorm against PyTorch', () => {
  it.each(golden.layerNorm.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const { normalizedShape, ...options } = c.options as { normalizedShape: number[]; affine: boolean };
    const [x, weight, bias] = c.inputs.map(toTensor);
    const layer = new nn.LayerNorm(normalizedShape, options);
    if (weight !== undefined) layer.loadStateDict(bias === undefined ? { weight } : { weight, bias });
    await expectGolden(layer.forward(x), c.output);
    const loss = (v: Tensor) => sum(mul(layer.forward(v), toTensor(c.cotangent!)));
    await expectGolden(grad(loss)(x), c.gradients![0]);
    const [, gradients] = valueAndGrad(layer, loss)(x);
    expect(Object.keys(gradients).length).toBe(c.gradients!.length - 1);
    if (weight !== undefined) await expectGolden(gradients.weight, c.gradients![1], SUMS);
    if (bias !== undefined) await expectGolden(gradients.bias, c.gradients![2], SUMS);
  });
});

describe('BatchNorm1d against PyTorch', () => {
  it.each(golden.batchNorm.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const layer = new nn.BatchNorm1d(c.steps[0].x.shape.at(-1) as number, c.options);
    const [weight, bias] = c.parameters.map(toTensor);
    if (weight !== undefined) layer.loadStateDict({ weight, bias }, { strict: false });

    // One realisation a step: forward runs once, so the statistics move once.
    const check = async (e: Evaluation): Promise<void> => {
      const x = toTensor(e.x);
      const [[, y], gradients] = valueAndGrad(layer, () => {
        const out = layer.forward(x);
        return [sum(mul(out, toTensor(e.cotangent))), out] as const;
      })();
      await expectGolden(y, e.output);
      if (weight !== undefined) await expectGolden(gradients.weight, e.gradients[1], SUMS);
      if (bias !== undefined) await expectGolden(gradients.bias, e.gradients[2], SUMS);
    };
    for (const step of c.steps) {
      await check(step);
      await expectGolden((layer.runningMean as NonNullable<typeof layer.runningMean>).read(), step.runningMean);
      await expectGolden((layer.runningVar as NonNullable<typeof layer.runningVar>).read(), step.runningVar);
      expect(await layer.numBatchesTracked?.read().item()).toBe(step.numBatchesTracked);
    }
    layer.eval();
    await check(c.evaluated);
    const inputGradient = grad((v: Tensor) => sum(mul(layer.forward(v), toTensor(c.evaluated.cotangent))));
    await expectGolden(inputGradient(toTensor(c.evaluated.x)), c.evaluated.gradients[0]);

    layer.train();
    const [last] = c.steps;
    const slope = grad((v: Tensor) => sum(mul(layer.forward(v), toTensor(last.cotangent))));
    await expectGolden(slope(toTensor(last.x)), last.gradients[0]);
  });
});
