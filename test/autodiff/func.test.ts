import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  crossEntropy,
  gelu,
  grad,
  hessian,
  hvp,
  jacobian,
  jvp,
  layerNorm,
  linear,
  logSumExp,
  matmul,
  mul,
  Parameter,
  perSampleGrad,
  pow,
  reshape,
  sigmoid,
  sin,
  sum,
  type Tensor,
  tanh,
  tensor,
  transpose,
  valueAndGrad,
  vjp,
  vmap,
} from '../../src/index.js';

/** torch.func in float64: jvp, vjp, jacrev, jacfwd, hessian, vmap and per-sample gradients. */
interface Golden {
  readonly shape: number[];
  readonly data: number[];
}
type GoldenTree = Golden | readonly GoldenTree[];
const golden = JSON.parse(readFileSync(new URL('./goldens/func.json', import.meta.url), 'utf8')) as {
  readonly inputs: Record<string, Golden>;
  readonly labels: number[];
  readonly results: Record<string, GoldenTree>;
};

const input = (name: string): Tensor => {
  const { shape, data } = golden.inputs[name];
  return tensor(Float64Array.from(data), { shape });
};
const [x, v, w1, b1, w2, xs, a, b, u3] = ['x', 'v', 'w1', 'b1', 'w2', 'xs', 'a', 'b', 'u3'].map(input);
const ys = tensor(golden.labels, { dtype: 'int32' });
const b0 = (): Tensor => reshape(b.slice([{ end: 1 }]), [4, 2]);

const net = (t: Tensor) => matmul(w2, tanh(matmul(w1, t).add(b1)));
const scalar = (t: Tensor) => logSumExp(net(t)).add(mul(0.5, sum(mul(sin(t), pow(t, 3)))));
const two = (t: Tensor, w: Tensor) => sum(pow(sigmoid(matmul(w, t)), 2));
const cells = { w1: new Parameter(w1), b1: new Parameter(b1), w2: new Parameter(w2) };
const model = { trainableCells: () => new Map(Object.entries(cells)) };
const loss = (t: Tensor, y: Tensor) => {
  const h = layerNorm(linear(t, cells.w1, cells.b1), [5]);
  return crossEntropy(linear(gelu(h), cells.w2), y);
};

const results: Record<string, () => unknown> = {
  jvp: () => jvp(net, [x], [v]),
  vjp: () => vjp(net, x)[1](u3),
  jacobian: () => jacobian(net, 0, { mode: 'reverse' })(x),
  jacobianForward: () => jacobian(net, 0, { mode: 'forward' })(x),
  jacobianOfTwo: () => jacobian(two, [0, 1])(x, w1),
  hessian: () => hessian(scalar)(x),
  hessianOfTwo: () => hessian(two, [0, 1])(x, w1),
  hvp: () => hvp(scalar, [x], [v])[1][0],
  vmap: () => vmap(net)(xs),
  vmapGrad: () => vmap(grad(scalar))(xs),
  vmapJacobian: () => vmap(jacobian(net))(xs),
  vmapHessian: () => vmap(hessian(scalar))(xs),
  vmapAxes: () => vmap((p: Tensor, q: Tensor) => matmul(p, q), { inAxes: [2, null], outAxes: 1 })(a, transpose(b0())),
  vmapTwice: () => {
    const dot = (p: Tensor, q: Tensor) => matmul(p, q);
    return vmap(vmap(dot, { inAxes: [0, null] }), { inAxes: [0, null] })(
      a,
      b0()
        .slice([{}, { end: 1 }])
        .reshape([4]),
    );
  },
  vmapMatmul: () => vmap((p: Tensor, q: Tensor) => matmul(p, q))(a, b),
  gradOfJvp: () => grad((t: Tensor) => jvp(scalar, [t], [v])[1])(x),
  thirdDerivative: () => jacobian(hessian(scalar), 0, { mode: 'forward' })(x),
  perSampleGrad: () => Object.values(perSampleGrad(model, loss)(xs, ys)),
  batchGrad: () => Object.values(valueAndGrad(model, loss)(xs, ys)[1]),
};

/** Sums of at most 30 products of a few functions, each within 4 ulps, of values up to about 30. */
const TOLERANCE = 2 ** -52 * 30 * 4 * 30;

function compare(actual: unknown, expected: GoldenTree): void {
  if (Array.isArray(expected)) {
    const list = actual as readonly unknown[];
    expect(list.length).toBe(expected.length);
    for (const [i, e] of (expected as readonly GoldenTree[]).entries()) compare(list[i], e);
    return;
  }
  const { shape, data } = expected as Golden;
  const t = actual as Tensor;
  expect([...t.shape]).toEqual(shape);
  for (const [i, y] of t.dataSync().entries()) expect(Math.abs(y - data[i])).toBeLessThanOrEqual(TOLERANCE);
}

describe('torch.func', () => {
  it('has a function here for each result', () => {
    expect(Object.keys(results).sort()).toEqual(Object.keys(golden.results).sort());
  });
  it.each(Object.keys(results))('%s', (name) => {
    const [actual, expected] = [results[name](), golden.results[name]];
    compare(actual, expected);
  });
});
