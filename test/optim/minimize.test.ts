import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  compile,
  DataError,
  DTypeError,
  diag,
  GradError,
  nn,
  normal,
  OptionError,
  optim,
  Parameter,
  ShapeError,
  seed,
  stopGradient,
  type Tensor,
  tensor,
  valueAndGrad,
} from '../../src/index.js';
import { readGolden } from '../goldens/golden.js';

const { minimize, conjugateGradient } = optim;
const f64 = (...x: number[]) => tensor(Float64Array.from(x));
const part = (p: Tensor, i: number) => p.slice([{ start: i, end: i + 1 }]);

/** (1 − x)² + 100 (y − x²)², least at (1, 1). */
const rosenbrock = (p: Tensor): Tensor => {
  const [x, y] = [part(p, 0), part(p, 1)];
  return x.sub(1).square().add(y.sub(x.square()).square().mul(100)).sum();
};
const START = f64(-1.2, 1);

afterEach(() => {
  vi.restoreAllMocks();
});
const warnings = () => vi.spyOn(process, 'emitWarning').mockImplementation(() => {});

describe('Rosenbrock', () => {
  it("L-BFGS takes PyTorch's steps", async () => {
    const { lbfgs } = readGolden<{ lbfgs: readonly [number, number, number][] }>('optimizer-rules');
    const seen: (readonly number[])[] = [];
    await minimize(rosenbrock, START, {
      historySize: 5,
      tolerance: 1e-9,
      onStep: ({ x, value }) => void seen.push([...x, value]),
    });
    expect(seen.length).toBeGreaterThan(25);
    for (const [i, [x, y]] of seen.slice(0, 25).entries()) {
      // Rounding grows with the condition of the Hessian, about 2500, and more where steps turn in the valley.
      expect(Math.abs(x - lbfgs[i][0]), `step ${i + 1}`).toBeLessThan(1e-7);
      expect(Math.abs(y - lbfgs[i][1]), `step ${i + 1}`).toBeLessThan(1e-7);
    }
  });

  it.each([
    ['lbfgs', {}, 60],
    ['newton', {}, 40],
    ['cg', {}, 100],
    ['cg', { beta: 'fletcherReeves', maxIterations: 400 }, 400],
  ] as const)('%s %j finds the minimum', async (method, options, most) => {
    warnings();
    const result = await minimize(rosenbrock, START, { method, tolerance: 1e-8, ...options });
    expect(result.success, result.message).toBe(true);
    const [x, y] = await result.x.data();
    // The least eigenvalue of the Hessian at the minimum is 0.399: a gradient of 1e-8 is within 1e-8 / 0.399 of it.
    expect(Math.max(Math.abs(x - 1), Math.abs(y - 1))).toBeLessThan(5e-8);
    expect(result.iterations).toBeLessThanOrEqual(most);
    expect([...(await START.data())]).toEqual([-1.2, 1]);
  });
});

describe('Newton', () => {
  it('solves a quadratic in one step', async () => {
    const bowl = (p: Tensor) => p.square().mul(f64(1, 4)).sum();
    const { iterations, gradientNorm } = await minimize(bowl, f64(3, -2), { method: 'newton' });
    expect(iterations).toBe(1);
    expect(gradientNorm).toBeLessThan(8 * 8 * 2 ** -52); // a few roundings of a gradient of 16
  });

  it('raises the damping of a singular Hessian, and says so', async () => {
    const warn = warnings();
    const valley = (p: Tensor) => p.sum().square();
    const { success, message, value } = await minimize(valley, f64(3, -1), { method: 'newton' });
    expect(success).toBe(true);
    expect(value).toBeLessThan(1e-10);
    expect(message).toMatch(/singular or not positive definite; .* was added to its diagonal/);
    expect(warn).toHaveBeenCalledOnce();
  });

  it('damping shortens steps', async () => {
    const { iterations } = await minimize((p: Tensor) => p.square().sum(), f64(3), { method: 'newton', damping: 2 });
    expect(iterations).toBeGreaterThan(5); // each takes (2 / (2 + 2)) of the way
  });
});

describe('conjugate gradient', () => {
  it('solves n equations in n steps, matrix or product', async () => {
    seed(5);
    const n = 12;
    const m = normal([n, n], { dtype: 'float64' });
    const a = m.matmul(m.transpose()).add(diag(f64(...new Array(n).fill(n))));
    const x = normal([n], { dtype: 'float64' });
    const b = a.matmul(x.reshape([n, 1])).reshape([n]);
    for (const given of [a, (v: Tensor) => a.matmul(v.reshape([n, 1])).reshape([n])]) {
      const found = await conjugateGradient(given, b, { tolerance: 1e-10 });
      expect(found.success).toBe(true);
      expect(found.iterations).toBeLessThanOrEqual(n);
      const [got, want] = [await found.x.data(), await x.data()];
      // The condition of A is below 10, so the error is at most 10 times the residual.
      for (let i = 0; i < n; i++) expect(Math.abs(got[i] - want[i])).toBeLessThan(1e-8);
    }
  });

  it('takes as many steps as A has different eigenvalues', async () => {
    const { x, iterations } = await conjugateGradient(diag(f64(2, 2, 8, 8)), f64(2, 4, 8, 16));
    expect(iterations).toBe(2);
    for (const [i, v] of [1, 2, 1, 2].entries()) expect((await x.data())[i]).toBeCloseTo(v, 12);
    const again = await conjugateGradient(diag(f64(2, 8)), f64(2, 8), { x0: f64(1, 1) });
    expect([again.iterations, again.residual]).toEqual([0, 0]);
  });

  it('refuses what it cannot solve', async () => {
    await expect(conjugateGradient(diag(f64(1, -1)), f64(0, 1))).rejects.toThrow(/not positive definite: p·Ap is -1/);
    await expect(conjugateGradient(diag(f64(1)), f64(1, 1))).rejects.toThrow(ShapeError);
    await expect(conjugateGradient(diag(f64(1)), tensor([[1]]))).rejects.toThrow(/expected a float vector/);
    await expect(conjugateGradient(diag(f64(1)), f64(1), { maxIterations: 0 })).rejects.toThrow(OptionError);
  });
});

describe('a model', () => {
  it('is fitted over all data, float32, and left at the best point', async () => {
    const x = tensor([2, 3, 5, 7, 9], { shape: [5, 1] });
    const y = tensor([-0.5, 0, 1, 2, 3], { shape: [5, 1] });
    for (const method of ['lbfgs', 'cg', 'newton'] as const) {
      seed(1);
      const line = new nn.Linear(1, 1);
      const loss = () => line.forward(x).sub(y).square().mean();
      const { success, value, message } = await minimize(line, loss, { method, tolerance: 1e-4 });
      expect(success, `${method}: ${message}`).toBe(true);
      expect(value).toBeLessThan(1e-7);
      expect((await line.weight.read().data())[0]).toBeCloseTo(0.5, 3);
      expect((await (line.bias as Parameter).read().data())[0]).toBeCloseTo(-1.5, 2);
    }
  });

  it('keeps its weights when the loss is not finite', async () => {
    const line = new nn.Linear(1, 1);
    const before = await line.weight.read().data();
    const loss = () => line.forward(tensor([[Number.NaN]])).sum();
    await expect(minimize(line, loss)).rejects.toThrow(DataError);
    expect(await line.weight.read().data()).toEqual(before);
  });
});

describe('what can go wrong', () => {
  it('a line search that fails ends the run with a warning', async () => {
    const warn = warnings();
    // The gradient points the wrong way, so no step along −g lowers the value.
    const wrong = (p: Tensor) => p.sum().sub(stopGradient(p).sum().mul(2));
    const { success, message, value } = await minimize(wrong, f64(1));
    expect([success, value]).toEqual([false, -1]);
    expect(message).toMatch(/no lower value was found along −g/);
    expect(warn).toHaveBeenCalledOnce();
  });

  it('too few iterations are no success', async () => {
    const warn = warnings();
    const { success, message, iterations } = await minimize(rosenbrock, START, { maxIterations: 3 });
    expect([success, iterations]).toEqual([false, 3]);
    expect(message).toBe('3 iterations were not enough');
    expect(warn).toHaveBeenCalledOnce();
  });

  it('values beyond the range of the function are stepped back from', async () => {
    const barrier = (p: Tensor) => p.sub(p.log()).sum(); // least at 1, NaN below 0
    const { x, success } = await minimize(barrier, f64(20));
    expect(success).toBe(true);
    expect((await x.data())[0]).toBeCloseTo(1, 4);
  });

  it('unknowns are trees of one float dtype', async () => {
    const fn = ({ a, b }: { a: Tensor; b: readonly Tensor[] }) =>
      a.sub(3).square().sum().add(b[0].add(1).square().sum());
    const { x } = await minimize(fn, { a: f64(0, 0), b: [tensor(Float64Array.of(5, 5), { shape: [2, 1] })] });
    expect([x.a.shape, x.b[0].shape]).toEqual([[2], [2, 1]]);
    expect((await x.a.data())[1]).toBeCloseTo(3, 5);
    expect((await x.b[0].data())[1]).toBeCloseTo(-1, 5);
    const sum = (l: readonly Tensor[]) => l[0].sum();
    await expect(minimize(sum, [f64(1), tensor([1])])).rejects.toThrow(DTypeError);
    await expect(minimize(sum, [tensor(Int32Array.of(1))])).rejects.toThrow(DTypeError);
    await expect(minimize(sum, [] as Tensor[])).rejects.toThrow(GradError);
    await expect(minimize(sum, [3 as never])).rejects.toThrow(GradError);
  });

  it.each([
    [{ method: 'bfgs' as 'lbfgs' }, /method is bfgs, expected one of lbfgs, cg, newton/],
    [{ maxIterations: 0 }, /maxIterations is 0/],
    [{ historySize: 1.5 }, /historySize is 1.5/],
    [{ tolerance: -1 }, /tolerance is -1/],
    [{ damping: Number.NaN }, /damping is NaN/],
    [{ beta: 'x' as 'polakRibiere' }, /beta is x/],
    [{ iterations: 3 } as optim.MinimizeOptions, /unknown option "iterations"/],
  ])('%j', async (options, says) => {
    await expect(minimize(rosenbrock, START, options)).rejects.toThrow(OptionError);
    await expect(minimize(rosenbrock, START, options)).rejects.toThrow(says);
  });
});

describe('worked problems', () => {
  /** Steps until the loss of `fn` is below `goal`, by one compiled step. */
  const stepsOf = async (fn: (p: Tensor) => Tensor, from: Tensor, optimizer: optim.Optimizer, goal: number) => {
    const w = new Parameter(from, 'w');
    const model = { trainableCells: () => new Map([['w', w]]) };
    const lossAndGrad = valueAndGrad(model, () => fn(w.read()));
    const step = compile(() => {
      const [loss, grads] = lossAndGrad();
      optimizer.update(model, grads);
      return loss;
    });
    for (let i = 0; i < 20_000; i++) if ((await step().item()) < goal) return { steps: i, traces: step.traces };
    throw new Error('no convergence');
  };
  const bowl = (p: Tensor) => p.square().mul(f64(1, 4)).sum();

  it('the bowl x² + 4y²: momentum needs fewer steps than plain descent at the same rate', async () => {
    const from = f64(4, 2);
    const plain = await stepsOf(bowl, from, new optim.SGD({ lr: 0.02 }), 1e-6);
    const momentum = await stepsOf(bowl, from, new optim.SGD({ lr: 0.02, momentum: 0.8 }), 1e-6);
    const nesterov = await stepsOf(bowl, from, new optim.SGD({ lr: 0.02, momentum: 0.8, nesterov: true }), 1e-6);
    // Plain descent shrinks x by 1 − 2 · 0.02 a step: ln(4 / 1e-3) / −ln 0.96 = 203.2 steps.
    expect(plain.steps).toBe(204);
    expect(momentum.steps).toBeLessThan(plain.steps / 2);
    expect(nesterov.steps).toBeLessThan(momentum.steps);
  });

  it('Rosenbrock: momentum and Adam go down the valley faster than plain descent', async () => {
    const plain = await stepsOf(rosenbrock, START, new optim.SGD({ lr: 1e-3 }), 1e-3);
    const momentum = await stepsOf(rosenbrock, START, new optim.SGD({ lr: 1e-3, momentum: 0.9 }), 1e-3);
    const adam = await stepsOf(rosenbrock, START, new optim.Adam({ lr: 0.05 }), 1e-3);
    expect(momentum.steps).toBeLessThan(plain.steps / 5);
    expect(adam.steps).toBeLessThan(plain.steps / 5);
  });

  it('a learning rate that changes every step compiles once', async () => {
    const decayed = await stepsOf(bowl, f64(4, 2), new optim.SGD({ lr: (k) => 0.1 / (1 + 0.01 * k) }), 1e-6);
    expect(decayed.traces).toBe(1);
    expect(decayed.steps).toBeGreaterThan(5);
  });
});
