import { describe, it } from 'vitest';
import { concat, mul, optim, Parameter, slice, square, sub, sum, type Tensor, valueAndGrad } from '../../src/index.js';
import { expectClose, type GoldenTensor, readGolden, TOLERANCE, toTensor } from './golden.js';

interface Run {
  readonly optimizer: 'SGD' | 'Adam' | 'AdamW' | 'RMSprop' | 'Adagrad';
  readonly options: optim.OptimizerOptions;
  readonly weights: GoldenTensor;
}

const golden = readGolden<{ curvature: GoldenTensor; target: GoldenTensor; start: GoldenTensor; runs: Run[] }>(
  'optimizer-options',
);

/** 0.5 Σ c (w - t)² of two parameters, whose gradients are clipped together; twenty steps. */
describe('clipping, penalties and further optimizers against PyTorch', () => {
  it.each(golden.runs.map((r) => [`${r.optimizer} ${JSON.stringify(r.options)}`, r] as const))('%s', async (_, run) => {
    const [curvature, target, start] = [golden.curvature, golden.target, golden.start].map(toTensor);
    const a = new Parameter(slice(start, [{ end: 3 }]), 'a');
    const b = new Parameter(slice(start, [{ start: 3 }]), 'b');
    const model = {
      trainableCells: () =>
        new Map([
          ['a', a],
          ['b', b],
        ]),
    };
    const optimizer = new optim[run.optimizer](run.options);
    const lossAndGrad = valueAndGrad(model, () => {
      const w = concat([a.read(), b.read()]);
      return mul(0.5, sum(mul(curvature, square(sub(w, target)))));
    });
    const weights: number[] = [];
    for (let step = 0; step < run.weights.shape[0]; step++) {
      const [, gradients] = lossAndGrad() as [Tensor, Record<string, Tensor>];
      await optimizer.step(model, gradients);
      weights.push(...(await a.read().data()), ...(await b.read().data()));
    }
    expectClose(weights, run.weights.data, TOLERANCE.float32);
  });
});
