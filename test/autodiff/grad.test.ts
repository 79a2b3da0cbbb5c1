import { describe, expect, it } from 'vitest';
import { grad, gradcheck, valueAndGrad, vjp } from '../../src/autodiff/index.js';
import { GradError } from '../../src/errors.js';
import { fullLeaf } from '../../src/graph/leaves.js';
import { Parameter, State } from '../../src/graph/state.js';
import { build, type Tensor } from '../../src/graph/tensor.js';
import { withScope } from '../../src/graph/trace.js';
import { defineUnary } from '../../src/ops/define.js';
import '../../src/ops/methods.js';
import * as ops from '../../src/ops/index.js';
import { evaluate, float, ints, referenceLeaf } from '../ops/case.js';

const leaf = (values: readonly number[], shape = [values.length]) => referenceLeaf({ values, shape, dtype: 'float64' });
const scalar = (x: number) => leaf([x], []);
const value = (t: Tensor): number[] => [...evaluate([t])[0]];

describe('derivatives from course notes', () => {
  it('of 2x^4 - 7y^20 + z + 5', () => {
    const f = (x: Tensor, y: Tensor, z: Tensor) =>
      ops.add(ops.add(ops.sub(ops.mul(2, ops.pow(x, 4)), ops.mul(7, ops.pow(y, 20))), z), 5);
    const [dx, dy, dz] = grad(f, [0, 1, 2])(scalar(3), scalar(1.1), scalar(0.5));
    expect(value(dx)[0]).toBeCloseTo(8 * 3 ** 3, 9);
    expect(value(dy)[0]).toBeCloseTo(-140 * 1.1 ** 19, 9);
    expect(value(dz)).toEqual([1]);
  });
  it('of x - 3 + 2y', () => {
    const f = (x: Tensor, y: Tensor) => ops.add(ops.sub(x, 3), ops.mul(2, y));
    expect(grad(f, [0, 1])(scalar(7), scalar(8)).map(value)).toEqual([[1], [2]]);
  });
  it('of a constant and of 9x', () => {
    expect(value(grad((_: Tensor) => fullLeaf([], 4, 'float64'))(scalar(7)))).toEqual([0]);
    expect(value(grad((x: Tensor) => ops.mul(9, x))(scalar(7)))).toEqual([9]);
  });
  it('of higher order', () => {
    const cube = (x: Tensor) => ops.mul(x, ops.mul(x, x));
    expect(value(grad(grad(grad(cube)))(scalar(5)))).toEqual([6]);
    expect(value(grad(grad(grad(grad(cube))))(scalar(5)))).toEqual([0]);
    const d4tanh = value(grad(grad(grad(grad((x: Tensor) => ops.tanh(x)))))(scalar(0.3)))[0];
    const t = Math.tanh(0.3);
    expect(d4tanh).toBeCloseTo((1 - t * t) * (16 * t - 24 * t ** 3), 9);
  });
});

describe('conventions', () => {
  const slope = (f: (x: Tensor) => Tensor, x: number[]) => value(grad((t: Tensor) => ops.sum(f(t)))(leaf(x)));
  it('relu and abs have slope 0 at 0', () => {
    expect(slope(ops.relu, [-1, 0, 2])).toEqual([0, 0, 1]);
    expect(slope(ops.abs, [-1, 0, 2])).toEqual([-1, 0, 1]);
  });
  it('the first maximum takes the gradient', () => {
    expect(slope((x) => ops.max(x), [1, 3, 3, 2])).toEqual([0, 1, 0, 0]);
    expect(slope((x) => ops.min(x), [4, 3, 3, 5])).toEqual([0, 1, 0, 0]);
    expect(slope((x) => ops.maximum(x, 3), [1, 3, 4])).toEqual([0, 1, 1]);
    expect(slope((x) => ops.minimum(3, x), [1, 3, 4])).toEqual([1, 0, 0]);
  });
  it('clip is flat outside and not on its bounds', () => {
    expect(slope((x) => ops.clip(x, 0, 1), [-1, 0, 0.5, 1, 2])).toEqual([0, 1, 1, 1, 0]);
  });
  it('pow is flat where the exponent is 0, and norm and std at zero', () => {
    expect(slope((x) => ops.pow(x, 0), [0, 2])).toEqual([0, 0]);
    expect(slope((x) => ops.pow(x, leaf([0, 1])), [0, 2])).toEqual([0, 1]);
    expect(slope((x) => ops.norm(x), [0, 0])).toEqual([0, 0]);
    expect(slope((x) => ops.std(x), [2, 2])).toEqual([0, 0]);
  });
  it('rounding and sign are flat; stopGradient blocks', () => {
    for (const f of [ops.floor, ops.ceil, ops.round, ops.trunc, ops.sign, ops.stopGradient])
      expect(slope(f, [0.3, -1.2])).toEqual([0, 0]);
    expect(slope((x) => ops.mul(x, ops.stopGradient(x)), [3])).toEqual([3]);
  });
  it('prod has a gradient at zeros', () => {
    expect(slope((x) => ops.prod(x), [2, 0, 5])).toEqual([0, 10, 0]);
    expect(slope((x) => ops.prod(x), [0, 0, 5])).toEqual([0, 0, 0]);
  });
});

describe('structure', () => {
  it('sums over broadcast axes once', () => {
    const f = (a: Tensor, b: Tensor) => ops.sum(ops.mul(a, b));
    const [da, db] = grad(f, [0, 1])(leaf([1, 2, 3], [3, 1]), leaf([10, 20]));
    expect([da.shape, value(da)]).toEqual([
      [3, 1],
      [30, 30, 30],
    ]);
    expect([db.shape, value(db)]).toEqual([[2], [6, 6]]);
  });
  it('takes arrays and objects as arguments', () => {
    const f = (p: { w: Tensor; rest: Tensor[] }) => ops.sum(ops.mul(p.w, p.rest[0]));
    const g = grad(f)({ w: leaf([1, 2]), rest: [leaf([3, 4])] });
    expect(value(g.w)).toEqual([3, 4]);
    expect(value(g.rest[0])).toEqual([1, 2]);
  });
  it('passes aux through and treats captures as constants', () => {
    const x = leaf([3]);
    const [[loss, aux], g] = valueAndGrad((t: Tensor) => [ops.sum(ops.mul(t, x)), 'aux'] as const)(x);
    expect([value(loss)[0], aux, value(g)]).toEqual([9, 'aux', [3]]);
  });
  it('counts one tensor given twice as two arguments', () => {
    const x = scalar(3);
    const f = (a: Tensor, b: Tensor) => ops.mul(ops.mul(a, a), b);
    expect(grad(f, [0, 1])(x, x).map(value)).toEqual([[18], [9]]);
    expect(value(grad(f)(x, x))).toEqual([18]);
  });
  it('is linear in nodes though paths double at each', () => {
    const f = (x: Tensor) => {
      let y = x;
      for (let i = 0; i < 60; i++) y = ops.mul(0.5, ops.add(y, y)); // 2^60 paths
      return y;
    };
    expect(value(grad(f)(scalar(1)))).toEqual([1]);
  });
  it('does not overflow the stack on long chains', () => {
    const f = (x: Tensor) => {
      let y = x;
      for (let i = 0; i < 20_000; i++) y = ops.neg(y);
      return y;
    };
    expect(value(grad(f)(scalar(1)))).toEqual([1]);
  });
  it('keeps nodes that are realised in the middle', () => {
    const f = (x: Tensor) => {
      const y = ops.mul(x, x);
      const z = ops.mul(y, 3);
      y.inputs = []; // what a realisation does
      y.op = fullLeaf([], 0, 'float64').op;
      y.attrs = { value: 16 };
      return z;
    };
    expect(value(grad(f)(scalar(4)))).toEqual([24]);
  });
  it('gives nothing to integer inputs and goes through casts', () => {
    const index = referenceLeaf(ints([1, 1, 0]));
    const f = (t: Tensor) => ops.sum(ops.mul(ops.cast(ops.take(t, index), 'float64'), leaf([1, 10, 100])));
    expect(value(grad(f)(leaf([5, 6])))).toEqual([100, 11]);
  });
  it('pulls cotangents back through several outputs', () => {
    const [[s, d], pullback] = vjp(
      (x: Tensor, y: Tensor) => [ops.add(x, y), ops.mul(x, y)],
      leaf([2, 3]),
      leaf([5, 7]),
    );
    expect([value(s), value(d)]).toEqual([
      [7, 10],
      [10, 21],
    ]);
    const [gx, gy] = pullback([leaf([1, 0]), leaf([0, 1])]);
    expect([value(gx), value(gy)]).toEqual([
      [1, 7],
      [1, 3],
    ]);
  });
  it('is linear in the cotangent', () => {
    const [y, pullback] = vjp((x: Tensor) => ops.softmax(ops.tanh(x)), leaf([0.3, -1, 2]));
    const [u, v] = [leaf([1, 2, 3]), leaf([-1, 0.5, 4])];
    const both = value(pullback(ops.add(u, ops.mul(2, v)))[0]);
    const apart = value(ops.add(pullback(u)[0], ops.mul(2, pullback(v)[0])));
    for (const [i, b] of both.entries()) expect(b).toBeCloseTo(apart[i], 12);
    expect(y.shape).toEqual([3]);
  });
});

describe('models', () => {
  const model = () => {
    const cells = new Map([
      ['w', new Parameter(leaf([2], [1, 1]), 'w')],
      ['unused', new Parameter(leaf([9]), 'unused')],
    ]);
    return { cells, trainableCells: () => new Map([...cells].filter(([, c]) => c.requiresGrad)) };
  };
  it('returns a frozen record without unreached and frozen cells', () => {
    const m = model();
    const f = valueAndGrad(m, (x: Tensor) => ops.sum(ops.matmul(x, m.cells.get('w') as Parameter)));
    const [loss, grads] = f(leaf([3, 4], [2, 1]));
    expect(value(loss)).toEqual([14]);
    expect(Object.keys(grads)).toEqual(['w']);
    expect(Object.isFrozen(grads)).toBe(true);
    expect(value(grads.w)).toEqual([7]);
    m.cells.get('w')!.requiresGrad = false;
    expect(Object.keys(f(leaf([3, 4], [2, 1]))[1])).toEqual([]);
  });
  it('gives gradients the loss and aux as companions', () => {
    const m = model();
    const [[loss, aux], grads] = valueAndGrad(m, (x: Tensor) => {
      const y = ops.matmul(x, m.cells.get('w') as Parameter);
      return [ops.sum(y), { y, note: 'n' }] as const;
    })(leaf([1], [1, 1]));
    expect(grads.w.companions).toEqual([loss, aux.y]);
  });
  it('keeps cells apart that start as one tensor', () => {
    const start = leaf([3]);
    const [a, b] = [new Parameter(start, 'a'), new Parameter(start, 'b')];
    const teacher = new State(b.read());
    const m = {
      trainableCells: () =>
        new Map([
          ['a', a],
          ['b', b],
        ]),
    };
    const f = valueAndGrad(m, () => ops.sum(ops.mul(ops.mul(a, a), ops.mul(b, teacher))));
    const [, grads] = f();
    expect([value(grads.a), value(grads.b)]).toEqual([[54], [27]]);
  });
  it('differentiates a gradient penalty', () => {
    const m = model();
    const w = m.cells.get('w') as Parameter;
    const penalty = (x: Tensor) => ops.sum(ops.square(grad((t: Tensor) => ops.sum(ops.mul(ops.square(t), w)))(x)));
    const [, grads] = valueAndGrad(m, penalty)(leaf([3], [1, 1])); // (2 x w)^2, by w: 8 x^2 w
    expect(value(grads.w)).toEqual([144]);
  });
});

describe('errors', () => {
  const message = (fn: () => unknown): string => {
    try {
      fn();
    } catch (e) {
      expect(e).toBeInstanceOf(GradError);
      return (e as GradError).message;
    }
    throw new Error('nothing was thrown');
  };
  const x = leaf([1, 2]);
  it('of the loss', () => {
    expect(message(() => grad((t: Tensor) => t)(x))).toMatch(
      'the loss has shape [2], expected a scalar; reduce it, e.g. loss.mean()',
    );
    expect(message(() => grad((_: Tensor) => 3 as never)(x))).toMatch('returned number');
    expect(message(() => grad((async (t: Tensor) => t) as never)(x as never))).toMatch('async');
    expect(message(() => grad((t: Tensor) => ops.argmax(t))(x))).toMatch('dtype int32');
  });
  it('of arguments', () => {
    expect(message(() => grad((t: Tensor) => t)(3 as never))).toMatch('tensor(3)');
    expect(message(() => grad((t: Tensor) => ops.sum(t))(referenceLeaf(ints([1]))))).toMatch(".cast('float32')");
    expect(message(() => grad((t: Tensor) => ops.sum(t), 1)(x))).toMatch('argument 1');
    expect(message(() => vjp((t: Tensor) => t, x)[1](leaf([1])))).toMatch(
      'cotangent: got float64 [1], expected float64 [2]',
    );
  });
  it('of an op without a gradient, with its module', () => {
    const attrs = { momentum: 0, dampening: 0, nesterov: false, form: 'sum' } as const;
    const step = (t: Tensor) => {
      const next = ops.optimizerStep('sgd', attrs, scalar(0.1), fullLeaf([], 0, 'int32'), [
        { w: t, g: ops.ones([2], { dtype: 'float64' }), slots: [] },
      ]);
      return ops.sum(next.params[0].w);
    };
    expect(message(() => grad((t: Tensor) => withScope('inner', () => step(t)))(x))).toMatch(
      'depends on argument 0 through sgd in "inner"',
    );
  });
  it('of backward(), showing what to write', () => {
    expect(message(() => x.backward())).toMatch('optimizer.update(model, grads)');
  });
});

describe('gradcheck', () => {
  const wrongFirst = defineUnary('wrongFirst', 'EXP', Math.exp, (g, _, y) => ops.mul(g, ops.mul(1.01, y)));
  // First order right, second order wrong: the derivative is cut off from x.
  const wrongSecond = defineUnary('wrongSecond', 'SIN', Math.sin, (g, x) => ops.mul(g, ops.stopGradient(ops.cos(x))));
  const x = referenceLeaf(float([3]), 'float64');
  it('finds a wrong rule', () => {
    expect(() => gradcheck((t) => build(wrongFirst, [t]), [x], { evaluate })).toThrow(
      /gradient of input 0 \[3\], element 0/,
    );
  });
  it('finds a wrong second derivative', () => {
    gradcheck((t) => build(wrongSecond, [t]), [x], { evaluate });
    expect(() => gradcheck((t) => build(wrongSecond, [t]), [x], { evaluate, order: 2 })).toThrow(
      /second derivative of input 0/,
    );
  });
  it('finds a gradient that is missing', () => {
    expect(() => gradcheck((t) => ops.mul(ops.stopGradient(t), 2), [x], { evaluate })).toThrow(GradError);
  });
});
