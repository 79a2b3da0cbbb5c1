import { describe, expect, it } from 'vitest';
import {
  add,
  computationGraph,
  cos,
  crossEntropy,
  grad,
  maximum,
  mul,
  neg,
  pow,
  relu,
  sigmoid,
  sin,
  softmax,
  sub,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
} from '../../src/index.js';

/** The worked figures of the course notes about derivatives, each computed by the engine; `f64` leaves room to compare. */
const f64 = (x: number): Tensor => tensor(x, { dtype: 'float64' });
const at = (t: Tensor): number => t.itemSync();
/** A few dozen roundings of float64 at the size of the terms. */
const near = (actual: number, expected: number, size = 1): void =>
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(64 * 2 ** -52 * Math.max(size, Math.abs(expected)));
const POINTS = [-2.5, -1, -0.3, 0, 0.7, 1, 3.2];

describe('drills: partial derivatives by the rules of sums and powers', () => {
  it('2x⁴ − 7y²⁰ + z + 5: 8x³, −140y¹⁹, 1', () => {
    const f = (x: Tensor, y: Tensor, z: Tensor) => add(add(sub(mul(2, pow(x, 4)), mul(7, pow(y, 20))), z), 5);
    for (const x of [-1.5, 0.5, 2]) {
      const [dx, dy, dz] = grad(f, [0, 1, 2])(f64(x), f64(1.1), f64(x));
      near(at(dx), 8 * x ** 3);
      near(at(dy), -140 * 1.1 ** 19);
      expect(at(dz)).toBe(1);
    }
  });
  it('x − 3 + 2y: 1 and 2; a constant: 0; 9x: 9', () => {
    const [dx, dy] = grad((x: Tensor, y: Tensor) => add(sub(x, 3), mul(2, y)), [0, 1])(f64(4), f64(-2));
    expect([at(dx), at(dy)]).toEqual([1, 2]);
    expect(at(grad((_: Tensor) => f64(5))(f64(3)))).toBe(0);
    expect(at(grad((x: Tensor) => mul(9, x))(f64(3)))).toBe(9);
  });
});

describe('the chain and product rules', () => {
  it('o = sin(w²) + cos(w²): do/dw = −2w·sin(w²) + 2w·cos(w²), two paths through one node', () => {
    const o = (w: Tensor) => {
      const square = pow(w, 2);
      return add(sin(square), cos(square));
    };
    for (const w of POINTS) near(at(grad(o)(f64(w))), -2 * w * Math.sin(w * w) + 2 * w * Math.cos(w * w), 8);
  });
  it('d/dx cos x · sin x = cos² x − sin² x', () => {
    for (const x of POINTS)
      near(at(grad((t: Tensor) => mul(cos(t), sin(t)))(f64(x))), Math.cos(x) ** 2 - Math.sin(x) ** 2);
  });
  it('d/dx (x + 5)(x − 2) = 2x + 3', () => {
    for (const x of POINTS) near(at(grad((t: Tensor) => mul(add(t, 5), sub(t, 2)))(f64(x))), 2 * x + 3, 10);
  });
  it('dσ(σ(w))/dw = o(1 − o)·h(1 − h) with h = σ(w), o = σ(h), and so on for deeper compositions', () => {
    const logistic = (x: number) => 1 / (1 + Math.exp(-x));
    for (const w of POINTS) {
      const h = logistic(w);
      const o = logistic(h);
      near(at(grad((t: Tensor) => sigmoid(sigmoid(t)))(f64(w))), o * (1 - o) * h * (1 - h));
    }
    let [value, slope] = [0.4, 1];
    for (let i = 0; i < 8; i++) {
      value = logistic(value);
      slope *= value * (1 - value);
    }
    const deep = (t: Tensor) => Array.from({ length: 8 }).reduce<Tensor>((y) => sigmoid(y), t);
    near(at(grad(deep)(f64(0.4))), slope);
    expect(slope).toBeLessThan(0.25 ** 8); // σ' ≤ ¼: gradients vanish through many sigmoids
  });
});

describe('2¹⁰ paths: 10 layers of 2 nodes, each node fed by both of the layer before', () => {
  const LAYERS = 10;
  /** Layer i: h₁ = aᵢ·(h₁ + h₂), h₂ = bᵢ·(h₁ + h₂); the output adds both. */
  const factors = Array.from({ length: LAYERS }, (_, i) => [1 + 0.1 * i, 0.5 - 0.05 * i]);
  const network = (w: Tensor) => {
    let [p, q] = [w, w];
    for (const [a, b] of factors) [p, q] = [add(mul(a, p), mul(a, q)), add(mul(b, p), mul(b, q))];
    return add(p, q);
  };
  it('backprop is the sum over all paths', () => {
    // A path picks one of the two nodes in every layer; its product of factors is its derivative. From w there are two starts.
    let overPaths = 0;
    for (let path = 0; path < 2 ** LAYERS; path++) {
      overPaths += 2 * factors.reduce((product, f, i) => product * f[(path >> i) & 1], 1);
    }
    near(at(grad(network)(f64(1))), overPaths, overPaths);
  });
  it('in linear time: nodes of value and gradient grow by a constant a layer', () => {
    const nodesOf = (layers: number) => {
      const net = (w: Tensor) => {
        let [p, q] = [w, w];
        for (let i = 0; i < layers; i++) [p, q] = [add(mul(1.5, p), mul(1.5, q)), add(mul(0.5, p), mul(0.5, q))];
        return add(p, q);
      };
      return computationGraph((w: Tensor) => valueAndGrad(net)(w), f64(1)).nodes.length;
    };
    const counts = [9, 10, 11, 20, 40].map(nodesOf);
    expect(counts[1] - counts[0]).toBe(counts[2] - counts[1]);
    expect(counts[4] - counts[3]).toBe(20 * (counts[2] - counts[1]));
    expect(counts[1]).toBeLessThan(2 ** 10);
  });
});

describe('softmax and cross entropy', () => {
  it('the gradient at the logits is oᵢ − yᵢ', () => {
    const logits = tensor(Float64Array.of(4.2, 1.1, -3.5), { shape: [1, 3] });
    const g = grad((z: Tensor) => crossEntropy(z, tensor([1], { dtype: 'int32' })))(logits).dataSync();
    const o = softmax(logits).dataSync();
    expect([...o].map((v) => v.toFixed(4))).toEqual(['0.9565', '0.0431', '0.0004']); // the erratum of the notes
    for (const [i, v] of g.entries()) near(v, o[i] - (i === 1 ? 1 : 0));
  });
  it('averaged over a batch it is (oᵢ − yᵢ) / N', () => {
    const logits = tensor(Float64Array.of(1, 2, 0, -1, 0.5, 3), { shape: [2, 3] });
    const g = grad((z: Tensor) => crossEntropy(z, tensor([0, 2], { dtype: 'int32' })))(logits).dataSync();
    const o = softmax(logits).dataSync();
    for (const [i, v] of g.entries()) near(v, (o[i] - (i === 0 || i === 5 ? 1 : 0)) / 2);
  });
});

describe('stability and conventions', () => {
  it('σ at ±200 is exact and its slope finite: e⁻²⁰⁰, 1', () => {
    expect(at(sigmoid(f64(200)))).toBe(1);
    near(at(sigmoid(f64(-200))) / Math.exp(-200), 1);
    expect(at(grad((t: Tensor) => sigmoid(t))(f64(200)))).toBe(0);
    near(at(grad((t: Tensor) => sigmoid(t))(f64(-200))) / Math.exp(-200), 1);
    expect(at(sigmoid(tensor(-200)))).toBe(0); // float32 ends at 1.2e-38
    expect(at(grad((t: Tensor) => sigmoid(t))(tensor(-200)))).toBe(0);
  });
  it("subgradients: ReLU'(0) = 0, abs'(0) = 0, clip flat outside, the first maximum takes all", () => {
    expect(at(grad((t: Tensor) => relu(t))(f64(0)))).toBe(0);
    expect(at(grad((t: Tensor) => t.abs())(f64(0)))).toBe(0);
    const clipped = grad((t: Tensor) => t.clip(-1, 1).sum())(tensor([-2, -1, 0, 1, 2]));
    expect([...clipped.dataSync()]).toEqual([0, 1, 1, 1, 0]);
    const first = grad((t: Tensor) => t.max())(tensor([1, 5, 5, 2]));
    expect([...first.dataSync()]).toEqual([0, 1, 0, 0]);
    const [a, b] = grad((x: Tensor, y: Tensor) => sum(maximum(x, y)), [0, 1])(tensor([3]), tensor([3]));
    expect([at(a), at(b)]).toEqual([1, 0]);
    expect(at(grad((t: Tensor) => neg(t.neg().abs()))(f64(2)))).toBe(-1);
  });
});
