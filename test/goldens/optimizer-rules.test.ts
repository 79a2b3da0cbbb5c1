import { describe, expect, it } from 'vitest';
import {
  add,
  mul,
  nn,
  optim,
  Parameter,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
} from '../../src/index.js';
import { readGolden } from './golden.js';

type Name = Exclude<keyof typeof optim, 'Optimizer' | 'FusedOptimizer' | 'EMA' | 'optimizerByName'>;
interface Run {
  readonly optimizer: Name;
  readonly options: optim.OptimizerOptions;
  /** Weights after each of `steps`. */
  readonly weights: readonly (readonly number[])[];
}
const golden = readGolden<{
  shapes: number[][];
  curvature: number[];
  target: number[];
  start: number[];
  steps: number[];
  runs: Run[];
}>('optimizer-rules');

const parts = (flat: readonly number[]): [Tensor, Tensor] => {
  const [[rows, cols], [n]] = golden.shapes;
  const f64 = (from: number, to: number, shape: number[]) => tensor(Float64Array.from(flat.slice(from, to)), { shape });
  return [f64(0, rows * cols, [rows, cols]), f64(rows * cols, rows * cols + n, [n])];
};

class Bare extends nn.Module {
  matrix: Parameter;
  vector: Parameter;
  constructor(matrix: Tensor, vector: Tensor) {
    super();
    this.matrix = new Parameter(matrix);
    this.vector = new Parameter(vector);
  }
  forward(x: Tensor): Tensor {
    return x;
  }
}

/** 0.5 Σ c (w − t)², condition number 1000, twenty steps in float64. */
describe('every rule against PyTorch, or the formulas of its paper where PyTorch lacks it', () => {
  it.each(golden.runs.map((r) => [`${r.optimizer} ${JSON.stringify(r.options)}`, r] as const))('%s', async (_, run) => {
    const [[c0, c1], [t0, t1]] = [golden.curvature, golden.target].map(parts);
    const model = new Bare(...parts(golden.start));
    const optimizer = new (optim[run.optimizer] as new (options: optim.OptimizerOptions) => optim.Optimizer)(
      run.options,
    );
    const loss = (c: Tensor, w: Tensor, t: Tensor) => mul(0.5, sum(mul(c, square(sub(w, t)))));
    const lossAndGrad = valueAndGrad(model, () =>
      add(loss(c0, model.matrix.read(), t0), loss(c1, model.vector.read(), t1)),
    );
    for (let step = 1; step <= 20; step++) {
      const [, grads] = lossAndGrad() as [Tensor, Record<string, Tensor>];
      await optimizer.step(model, run.optimizer === 'Muon' ? { matrix: grads['matrix'] } : grads);
      const at = golden.steps.indexOf(step);
      if (at < 0) continue;
      const weights = [...(await model.matrix.read().data()), ...(await model.vector.read().data())];
      const wrong = weights.filter((w, i) => {
        // Rounding of the first step, 2⁻⁵², grows at most fourfold a step (momentum at curvature 1000), and what it divides by
        // is at least 1e-3 of the gradient.
        const bound = 2 ** -36 * (1 + Math.abs(run.weights[at][i]));
        return !(Math.abs(w - run.weights[at][i]) <= bound);
      });
      expect(wrong, `after step ${step}: ${weights} against ${run.weights[at]}`).toEqual([]);
    }
  });

  it('covers every optimizer', () => {
    const known = Object.keys(optim).filter((name) => {
      const value = optim[name as keyof typeof optim];
      return typeof value === 'function' && value.prototype instanceof optim.Optimizer;
    });
    const elsewhere = ['FusedOptimizer'];
    const covered = new Set<string>([...golden.runs.map((r) => r.optimizer), ...elsewhere]);
    expect(known.filter((name) => !covered.has(name))).toEqual([]);
  });
});
