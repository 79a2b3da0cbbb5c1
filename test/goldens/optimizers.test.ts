import { describe, it } from 'vitest';
import { mul, optim, Parameter, square, sub, sum, type Tensor, valueAndGrad } from '../../src/index.js';
import { expectClose, type GoldenTensor, readGolden, TOLERANCE, toTensor } from './golden.js';

interface Run {
  readonly optimizer: 'SGD' | 'Adam' | 'AdamW';
  readonly options: { readonly lr: number };
  readonly losses: GoldenTensor;
  readonly weights: GoldenTensor;
}

const golden = readGolden<{ curvature: GoldenTensor; target: GoldenTensor; start: GoldenTensor; runs: Run[] }>(
  'optimizers',
);

/** 0.5 Σ c (w - t)², condition number 1000, twenty steps. */
describe('optimizer traces against PyTorch', () => {
  it.each(golden.runs.map((r) => [`${r.optimizer} ${JSON.stringify(r.options)}`, r] as const))('%s', async (_, run) => {
    const curvature = toTensor(golden.curvature);
    const target = toTensor(golden.target);
    const w = new Parameter(toTensor(golden.start), 'w');
    const model = { trainableCells: () => new Map([['w', w]]) };
    const optimizer = new optim[run.optimizer](run.options);
    const lossAndGrad = valueAndGrad(model, () => mul(0.5, sum(mul(curvature, square(sub(w, target))))));

    const losses: number[] = [];
    const weights: number[] = [];
    for (let step = 0; step < run.losses.data.length; step++) {
      const [loss, gradients] = lossAndGrad() as [Tensor, Record<string, Tensor>];
      await optimizer.step(model, gradients);
      losses.push(await loss.item());
      weights.push(...(await w.read().data()));
    }
    expectClose(losses, run.losses.data, TOLERANCE.traceLoss);
    expectClose(weights, run.weights.data, TOLERANCE.float32);
  });
});
