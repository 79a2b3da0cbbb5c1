import { describe, expect, it } from 'vitest';
import {
  add,
  argmax,
  checkpoint,
  compile,
  customGrad,
  div,
  dot,
  exp,
  GradError,
  grad,
  hessian,
  hvp,
  jacobian,
  jvp,
  matmul,
  mul,
  nn,
  normal,
  OptionError,
  optim,
  Parameter,
  reshape,
  seed,
  sin,
  softmax,
  sub,
  sum,
  type Tensor,
  tanh,
  tensor,
  valueAndGrad,
  vjp,
  vmap,
  where,
} from '../../src/index.js';
import { programOf } from './programs.js';

const f64 = (values: number[], shape = [values.length]): Tensor => tensor(Float64Array.from(values), { shape });
const list = (t: Tensor): number[] => [...t.dataSync()];
const EPS = 2 ** -52;
/** Sums of up to 20 terms of size up to `scale`, each a few roundings. */
const near = (actual: Tensor, expected: Tensor, scale = 10): void => {
  expect([...actual.shape]).toEqual([...expected.shape]);
  const [a, e] = [list(actual), list(expected)];
  for (const [i, y] of a.entries()) expect(Math.abs(y - e[i])).toBeLessThanOrEqual(EPS * 20 * 8 * scale);
};

seed(11);
const W = normal([3, 4], { dtype: 'float64' });
const x = normal([4], { dtype: 'float64' });
const v = normal([4], { dtype: 'float64' });
const u = normal([3], { dtype: 'float64' });
const f = (t: Tensor) => softmax(tanh(matmul(W, mul(t, t))));
const scalar = (t: Tensor) => sum(mul(f(t), tensor(Float64Array.from([1, -2, 3]))));

describe('laws', () => {
  it('u . (J v) = (J^T u) . v', () => {
    const [, tangent] = jvp(f, [x], [v]);
    const [, pullback] = vjp(f, x);
    near(dot(u, tangent), dot(pullback(u)[0], v));
  });
  it('J forward = J reverse, and its rows and columns are vjps and jvps', () => {
    const [forward, reverse] = (['forward', 'reverse'] as const).map((mode) => jacobian(f, 0, { mode })(x));
    near(forward, reverse);
    near(matmul(forward, v), jvp(f, [x], [v])[1]);
    near(matmul(u, reverse), vjp(f, x)[1](u)[0]);
  });
  it('hvp = H v, H is symmetric', () => {
    const h = hessian(scalar)(x);
    const [value, [product]] = hvp(scalar, [x], [v]);
    near(product, matmul(h, v));
    near(h, h.transpose());
    near(value, scalar(x));
  });
  it('vjp is linear in its cotangent, jvp in its tangent', () => {
    const [, pullback] = vjp(f, x);
    const w = f64([0.3, -1, 2]);
    near(pullback(add(u, mul(2, w)))[0], add(pullback(u)[0], mul(2, pullback(w)[0])));
    const along = (t: Tensor) => jvp(f, [x], [t])[1];
    const t = f64([0.5, 1, -3, 2]);
    near(along(sub(v, mul(3, t))), sub(along(v), mul(3, along(t))));
  });
  it('differentiation in any order agrees: grad of jvp, jvp of grad, grad of vjp', () => {
    const product = hvp(scalar, [x], [v])[1][0];
    near(grad((t: Tensor) => jvp(scalar, [t], [v])[1])(x), product);
    near(jvp(grad(scalar), [x], [v])[1], product);
    near(vjp(grad(scalar), x)[1](v)[0], product);
    near(jacobian(grad(scalar), 0, { mode: 'reverse' })(x), hessian(scalar)(x));
  });
  it('works inside compile, and of a compiled function', () => {
    const all = compile((t: Tensor) => [
      jvp(f, [t], [v])[1],
      jacobian(f)(t),
      hessian(scalar)(t),
      hvp(scalar, [t], [v])[1][0],
    ]);
    const [tangent, j, h, product] = all(x);
    near(tangent, jvp(f, [x], [v])[1]);
    near(j, jacobian(f)(x));
    near(h, hessian(scalar)(x));
    near(product, matmul(hessian(scalar)(x), v));
    near(grad(compile(scalar))(x), grad(scalar)(x));
  });
});

describe('in any order', () => {
  const rows = normal([3, 4], { dtype: 'float64' });
  const total = (t: Tensor) => vmap(scalar)(t).sum();
  it('hessian and hvp of a mapped function, mapped hvp, jacobian of a mapped function', () => {
    const h = reshape(hessian(total)(rows), [12, 12]);
    const blocks = vmap(hessian(scalar))(rows);
    for (let s = 0; s < 3; s++) {
      const range = { start: 4 * s, end: 4 * s + 4 };
      near(h.slice([range, range]), reshape(blocks.slice([{ start: s, end: s + 1 }]), [4, 4]));
    }
    const ones = rows.mul(0).add(1);
    near(hvp(total, [rows], [ones])[1][0], vmap((t: Tensor) => hvp(scalar, [t], [t.mul(0).add(1)])[1][0])(rows));
    const j = jacobian((t: Tensor) => vmap(f)(t))(rows);
    expect(j.shape).toEqual([3, 3, 3, 4]);
    near(sum(j, { axis: 2 }), vmap(jacobian(f))(rows));
    near(
      grad((t: Tensor) => vmap((r: Tensor) => jvp(scalar, [r], [r])[1])(t).sum())(rows),
      vmap(grad((r: Tensor) => jvp(scalar, [r], [r])[1]))(rows),
    );
  });
  it('the third derivative three ways', () => {
    const along = (g: (t: Tensor) => Tensor) => (t: Tensor) => jvp(g, [t], [v])[1];
    const third = along(along(along(scalar)))(x);
    near(third, dot(hvp(along(scalar), [x], [v])[1][0], v), 100);
    near(third, along((t: Tensor) => dot(matmul(hessian(scalar)(t), v), v))(x), 100);
  });
});

describe('models', () => {
  seed(5);
  const model = new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.Linear(4, 2));
  const [input, target] = [normal([6, 3]), normal([6, 2])];
  const loss = () => model.forward(input).sub(target).square().mean();
  it('hvp by path is the hvp of the function of its parameters', () => {
    const vectors = Object.fromEntries([...model.namedParameters()].map(([p, c]) => [p, normal([...c.shape])]));
    const [value, product] = hvp(model, loss, vectors);
    const [w1, b1, w2, b2] = model.parameters().map((p) => p.read());
    const free = (a: Tensor, b: Tensor, c: Tensor, d: Tensor) =>
      add(matmul(tanh(add(matmul(input, a, { transB: true }), b)), c, { transB: true }), d)
        .sub(target)
        .square()
        .mean();
    const [expected, products] = hvp(free, [w1, b1, w2, b2], Object.values(vectors) as never);
    expect(Math.abs(value.itemSync() - expected.itemSync())).toBeLessThan(1e-6);
    expect(Object.keys(product)).toEqual(Object.keys(vectors));
    Object.values(product).forEach((p, i) => {
      // Sums of up to 24 products of float32.
      const [a, e] = [list(p), list(products[i] as Tensor)];
      for (const [k, y] of a.entries()) expect(Math.abs(y - e[k])).toBeLessThanOrEqual(2 ** -23 * 24 * 8);
    });
    const [, some] = hvp(model, loss, { '0.bias': vectors['0.bias'] });
    expect(Object.keys(some)).toEqual(Object.keys(vectors));
    expect(() => hvp(model, loss, { '0.bia': vectors['0.bias'] })).toThrow('Did you mean "0.bias"?');
    expect(() => hvp(model, loss, { '0.bias': normal([3]) })).toThrow(
      'hvp: the vector of "0.bias": got float32 [3], expected float32 [4]',
    );
    expect(() => hvp(model, undefined as never, {})).toThrow('write hvp(model, () => loss, vectors)');
  });
  it('train the same bits with and without checkpoint, parameters updated in place', () => {
    const train = (wrap: boolean) => {
      seed(2);
      const net = new nn.Sequential(new nn.Linear(3, 8), new nn.Tanh(), new nn.Dropout(0.3), new nn.Linear(8, 2));
      const optimizer = new optim.Adam({ lr: 0.05 });
      const forward = wrap ? checkpoint((t: Tensor) => net.forward(t)) : (t: Tensor) => net.forward(t);
      const lossAndGrad = valueAndGrad(net, (a: Tensor, b: Tensor) => forward(a).sub(b).square().mean());
      const step = compile((a: Tensor, b: Tensor) => {
        const [value, grads] = lossAndGrad(a, b);
        optimizer.update(net, grads);
        return value;
      });
      const losses = Array.from({ length: 12 }, () => step.sync(input, target).itemSync());
      return [losses, ...net.parameters().map((p) => list(p.read()))];
    };
    expect(train(true)).toEqual(train(false));
  });
});

describe('trees', () => {
  const point = { w: f64([1, 2]), rest: [f64([3])] };
  const g = (p: typeof point) => ({ y: mul(p.w, p.rest[0]), z: sum(mul(p.w, p.w)) });
  it('jvp and vjp keep structures', () => {
    const [value, tangent] = jvp(g, [point], [{ w: f64([1, 0]), rest: [f64([10])] }]);
    expect(list(value.y)).toEqual([3, 6]);
    expect(list(tangent.y)).toEqual([13, 20]);
    expect(list(tangent.z)).toEqual([2]);
    const [, pullback] = vjp(g, point);
    const [back] = pullback({ y: f64([1, 1]), z: f64([1], []) });
    expect([list(back.w), list(back.rest[0])]).toEqual([[5, 7], [3]]);
  });
  it('jacobian has the argument at each leaf of the result', () => {
    for (const mode of ['forward', 'reverse'] as const) {
      const j = jacobian(g, 0, { mode })(point);
      expect(list(j.y.w)).toEqual([3, 0, 0, 3]);
      expect(j.y.rest[0].shape).toEqual([2, 1]);
      expect(list(j.y.rest[0])).toEqual([1, 2]);
      expect(list(j.z.w)).toEqual([2, 4]);
    }
  });
  it('jacobian of nothing has no elements', () => {
    const none = normal([0], { dtype: 'float64' });
    for (const mode of ['forward', 'reverse'] as const) {
      expect(jacobian((t: Tensor) => mul(t, 2), 0, { mode })(none).shape).toEqual([0, 0]);
      expect(jacobian((t: Tensor) => sum(t), 0, { mode })(none).shape).toEqual([0]);
    }
  });
  it('hessian of several arguments has a block for each pair', () => {
    const h = hessian((a: Tensor, b: Tensor) => sum(mul(mul(a, a), b)), [0, 1])(f64([2, 3]), f64([5, 7]));
    expect(h.map((row) => row.map(list))).toEqual([
      [
        [10, 0, 0, 14],
        [4, 0, 0, 6],
      ],
      [
        [4, 0, 0, 6],
        [0, 0, 0, 0],
      ],
    ]);
  });
});

describe('forward mode', () => {
  it('contains nothing of the backward pass: the tangent does not depend on the cotangent', () => {
    const model = new nn.Sequential(new nn.Linear(20, 30), new nn.Tanh(), new nn.Linear(30, 10));
    const input = normal([7, 20]);
    const [value, tangent] = jvp((t: Tensor) => model.forward(t), [input], [normal([7, 20])]);
    const gemms = (roots: readonly Tensor[]) =>
      programOf(() => roots).listing.match(/gemm float32 \[\d+,\d+,\d+\]/g) ?? [];
    // Two products forward, two for the tangent, none of the shapes [7,20,30] or [7,30,10] that a backward pass has.
    expect(gemms([value]).sort()).toEqual(['gemm float32 [7,10,30]', 'gemm float32 [7,30,20]']);
    expect(gemms([value, tangent]).sort()).toEqual([
      'gemm float32 [7,10,30]',
      'gemm float32 [7,10,30]',
      'gemm float32 [7,30,20]',
      'gemm float32 [7,30,20]',
    ]);
  });
  it('a jacobian of many inputs is one program of batched products, not a loop', () => {
    const square = (t: Tensor) => tanh(matmul(t, t));
    for (const mode of ['forward', 'reverse'] as const) {
      const { listing } = programOf(() => [jacobian(square, 0, { mode })(normal([5, 5]))]);
      expect(listing.match(/: gemm/g)?.length).toBe(3); // forward, and 25 products at once by each rule of the matrix product
    }
  });
});

describe('customGrad', () => {
  // log(1 + e^x) with a backward that does not overflow: the example of JAX's documentation.
  const log1pexp = customGrad(
    (t: Tensor) => exp(t).add(1).log(),
    ({ grad: g, inputs: [t] }) => [mul(g, sub(1, div(1, add(exp(t), 1))))],
  );
  it('replaces the rules of the ops inside, to second order', () => {
    const slope = grad((t: Tensor) => log1pexp(t).sum());
    expect(list(slope(f64([0, 100])))).toEqual([0.5, 1]);
    const second = grad((t: Tensor) => slope(t).sum())(f64([0]));
    expect(list(second)[0]).toBeCloseTo(0.25, 15);
    expect(Number.isNaN(list(grad((t: Tensor) => exp(t).add(1).log().sum())(f64([1000])))[0])).toBe(true);
  });
  it('is what the rule says, also when that is not the derivative', () => {
    const square = customGrad(
      (a: Tensor, b: Tensor) => mul(a, b),
      ({ grad: g, output }) => [mul(g, output), null],
    );
    const [da, db] = grad((a: Tensor, b: Tensor) => square(a, b).sum(), [0, 1])(f64([2]), f64([5]));
    expect([list(da), list(db)]).toEqual([[10], [0]]);
    // d/da (a b) through `output` follows the rule again: (a b)(a b).
    const again = grad((a: Tensor) => grad((t: Tensor) => square(t, f64([5])).sum())(a).sum())(f64([2]));
    expect(list(again)).toEqual([10]);
  });
  it('gives a gradient to what has none, in compile, forward mode and vmap', () => {
    const pick = customGrad(
      (t: Tensor) => argmax(t).cast('float64'),
      ({ grad: g, inputs: [t] }) => [mul(g, softmax(t))],
    );
    const slope = grad((t: Tensor) => pick(t));
    const at = f64([1, 3, 2]);
    near(slope(at), softmax(at));
    near(compile(slope)(at), softmax(at));
    near(
      jvp(pick, [at], [f64([1, 0, 0])])[1],
      softmax(at)
        .slice([{ end: 1 }])
        .reshape([]),
    );
    const rows = f64([1, 3, 2, 0, -1, 5], [2, 3]);
    near(vmap(slope)(rows), softmax(rows));
    near(grad((t: Tensor) => vmap(pick)(t).sum())(rows), softmax(rows));
    const scaled = customGrad(
      (t: Tensor, s: Tensor) => mul(t, s),
      ({ grad: g, inputs: [t, s] }) => [mul(g, s), sum(mul(g, t))],
    );
    const shared = (s: Tensor) => vmap((t: Tensor) => scaled(t, s))(rows).sum();
    expect(list(grad(shared)(f64([2], [])))).toEqual([10]);
  });
  it('costs nothing: the program is that of the function', () => {
    const t = normal([5]);
    const words = (y: Tensor) => programOf(() => [y]).listing;
    const plain = (a: Tensor) => exp(a).add(1).log();
    expect(words(log1pexp(t))).toBe(words(plain(t)));
  });
  it('names what is wrong with a rule', () => {
    const bad = (rule: () => unknown) =>
      grad((t: Tensor) => customGrad((a: Tensor) => sin(a), rule as never)(t).sum())(f64([1, 2]));
    expect(() => bad(() => [])).toThrow('customGrad: the rule returned 0 gradients, expected a list of 1');
    expect(() => bad(() => [f64([1])])).toThrow('gave float64 [1] for argument 0, expected float64 [2]');
    expect(() =>
      customGrad(
        (a: Tensor) => argmax(a),
        () => [null],
      )(f64([1])),
    ).toThrow('returned int32');
    expect(() =>
      customGrad(
        (a: Tensor) => a,
        () => [null],
      )(3 as never),
    ).toThrow('argument 0 is number');
  });
});

describe('checkpoint', () => {
  const width = 64;
  const blocks = Array.from({ length: 6 }, () => [
    new Parameter(normal([width, width], { std: 0.1 })),
    new Parameter(normal([width, width], { std: 0.1 })),
  ]);
  const model = { trainableCells: () => new Map(blocks.flat().map((p, i) => [`p${i}`, p])) };
  const forward = (wrap: (fn: (t: Tensor) => Tensor) => (t: Tensor) => Tensor) => (input: Tensor) => {
    let h = input;
    for (const [a, b] of blocks) h = wrap((t) => sin(tanh(sin(matmul(tanh(sin(matmul(t, a))), b)))))(h);
    return h.square().mean();
  };
  const plain = forward((fn) => fn);
  const saved = forward((fn) => checkpoint(fn));

  it('keeps every bit of loss and gradients; second derivatives up to the order of sums', () => {
    const input = normal([32, width]);
    const [loss, grads] = valueAndGrad(model, plain)(input);
    const [loss2, grads2] = valueAndGrad(model, saved)(input);
    expect(list(loss2)).toEqual(list(loss));
    for (const path of Object.keys(grads)) expect(list(grads2[path])).toEqual(list(grads[path]));
    const [p] = blocks[0];
    const penalty = (fn: typeof plain) =>
      valueAndGrad(model, () => grad(fn)(input).square().sum())()[1][
        [...model.trainableCells()].find(([, c]) => c === p)![0]
      ];
    // Second derivatives add up the same terms in another order; the terms are below 1e-6.
    const [a, b] = [list(penalty(saved)), list(penalty(plain))];
    for (const [i, y] of a.entries()) expect(Math.abs(y - b[i])).toBeLessThanOrEqual(2 ** -23 * 64 * 1e-6);
  });
  it('makes the arena smaller, at the price of a second forward pass', () => {
    const measure = (fn: typeof plain) => {
      const program = programOf(() => {
        const [loss, grads] = valueAndGrad(model, fn)(normal([256, width]));
        return [loss, ...Object.values(grads)];
      });
      return { arena: program.arenaBytes, products: program.listing.match(/: gemm/g)?.length ?? 0 };
    };
    const [a, b] = [measure(plain), measure(saved)];
    // 12 products forward and 23 backward (the input needs no gradient); 11 of the forward pass are done again: the last
    // product of the last block is needed for its own activation, too.
    expect(a.products).toBe(35);
    expect(b.products).toBe(47);
    // Plain keeps 5 values a block, a checkpoint one a block and 5 of the one at work.
    const value = 256 * width * 4;
    expect(a.arena).toBeGreaterThan(6 * 5 * value);
    expect(b.arena).toBeLessThan((6 + 5 + 4) * value);
  });
  it('draws the same random numbers again', () => {
    const w = new Parameter(f64([1, 2, 3, 4]));
    const cell = { trainableCells: () => new Map([['w', w]]) };
    const noisy = (t: Tensor) => {
      seed(5);
      const [loss, { w: g }] = valueAndGrad(cell, () => {
        const body = (s: Tensor) => sin(mul(add(s, normal([4], { dtype: 'float64' })), w));
        return sum(t.shape[0] === 0 ? body(w.read()) : checkpoint(body)(w.read()));
      })();
      return [list(loss), list(g)];
    };
    expect(noisy(f64([1]))).toEqual(noisy(f64([])));
  });
  it('passes structures and other arguments through; works in vmap and jvp and nested', () => {
    const body = checkpoint((p: { a: Tensor; n: number }) => ({ y: sin(mul(p.a, p.n)), n: p.n }));
    const out = body({ a: f64([1]), n: 2 });
    expect(out.n).toBe(2);
    expect(list(grad((t: Tensor) => body({ a: t, n: 2 }).y.sum())(f64([1])))).toEqual([Math.cos(2) * 2]);
    near(jvp(checkpoint(f), [x], [v])[1], jvp(f, [x], [v])[1]);
    const rows = normal([3, 4], { dtype: 'float64' });
    near(vmap(grad((t: Tensor) => sum(checkpoint(scalar)(t))))(rows), vmap(grad(scalar))(rows));
    near(grad((t: Tensor) => vmap(checkpoint(scalar))(t).sum())(rows), vmap(grad(scalar))(rows));
    const twice = checkpoint((t: Tensor) => scalar(checkpoint((s: Tensor) => sin(s))(t)));
    near(grad(twice)(x), grad((t: Tensor) => scalar(sin(t)))(x));
    near(hessian(checkpoint(scalar))(x), hessian(scalar)(x));
    near(compile(grad(checkpoint(scalar)))(x), grad(scalar)(x));
  });
});

describe('errors say which argument', () => {
  const thrown = (fn: () => unknown): string => {
    try {
      fn();
    } catch (e) {
      expect(e instanceof GradError || e instanceof OptionError).toBe(true);
      return (e as Error).message;
    }
    throw new Error('nothing was thrown');
  };
  const whole = tensor([1, 2], { dtype: 'int32' });
  it('of jvp', () => {
    expect(thrown(() => jvp((a: Tensor, b: Tensor) => mul(a, b), [x, whole], [x, whole]))).toMatch(
      "jvp: argument 1 has dtype int32, expected float32 or float64; add .cast('float32')",
    );
    expect(thrown(() => jvp(f, [x], [u]))).toMatch('jvp: tangent[0]: got float64 [3], expected float64 [4]');
    expect(thrown(() => jvp((p: { w: Tensor }) => p.w, [{ w: x }], [{ v: x }] as never))).toMatch(
      'jvp: tangent: got [0].v, expected [0].w',
    );
    expect(thrown(() => jvp((p: { w: Tensor[] }) => p.w[0], [{ w: [3 as never] }], [{ w: [x] }]))).toMatch(
      'jvp: argument 0.w[0] is number',
    );
  });
  it('of jacobian, hessian and hvp', () => {
    expect(thrown(() => jacobian(f)(whole))).toMatch('jacobian: argument 0 has dtype int32');
    expect(thrown(() => jacobian(f, 2)(x))).toMatch('jacobian: cannot differentiate argument 2 of a call with 1');
    expect(thrown(() => jacobian(f, 0, { mode: 'backward' as never }))).toMatch('mode is "backward"');
    expect(thrown(() => jacobian(f, 0, { moed: 'forward' } as never))).toMatch('Did you mean "mode"?');
    expect(thrown(() => jacobian((t: Tensor) => ({ i: argmax(t) }))(x))).toMatch('the result.i is no float tensor');
    expect(thrown(() => hessian(f)(x))).toMatch('the loss has shape [3], expected a scalar');
    expect(thrown(() => hvp(f as never, [x], [v]))).toMatch('the loss has shape [3]');
  });
  it('of an op without a gradient in forward mode: the tangent is 0', () => {
    const [, tangent] = jvp((t: Tensor) => argmax(t), [x], [v]);
    expect(tangent.dtype).toBe('int32');
    expect(list(tangent)).toEqual([0]);
    expect(list(where(x.greater(100), x, 0))).toEqual([0, 0, 0, 0]);
  });
});
