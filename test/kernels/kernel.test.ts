import { describe, expect, it } from 'vitest';
import { dropout, matmul, relu, State, seed, sum, take, tensor, zeros } from '../../src/index.js';
import * as kernels from '../../src/kernels/index.js';
import { native } from '../../src/runtime/native.js';

const { axpy, kernel, map, softmax } = kernels;

describe('kernel', () => {
  it('fuses a layer into one product', () => {
    const layer = kernel([{ shape: [2, 3] }, { shape: [3, 2] }, { shape: [2] }], (x, w, b) =>
      relu(matmul(x, w).add(b)),
    );
    expect(layer.listing.match(/gemm/gi)).toHaveLength(1);
    expect(layer.listing).not.toMatch(/fused/i);
    const out = new Float32Array(4);
    layer([Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(1, 0, 0, 1, 1, -1), Float32Array.of(-5, 1)], [out]);
    expect([...out]).toEqual([0, 0, 5, 0]);
  });

  it('gives several results and writes into inputs', () => {
    const both = kernel([{ shape: [3] }, { shape: [3] }], (x, y) => [x.add(y), x.mul(2)], { into: [1, null] });
    const y = Float32Array.of(1, 1, 1);
    const doubled = new Float32Array(3);
    both([Float32Array.of(1, 2, 3), y], [doubled]);
    expect([...y]).toEqual([2, 3, 4]);
    expect([...doubled]).toEqual([2, 4, 6]);
  });

  it('may overwrite an input that it does not read, and return an input', () => {
    const fill = kernel([{ shape: [2] }, { shape: [2] }], (x, y) => [x, y.mul(1)], { into: [1, null] });
    const y = Float32Array.of(9, 9);
    const old = new Float32Array(2);
    fill([Float32Array.of(1, 2), y], [old]);
    expect([...y]).toEqual([1, 2]);
    expect([...old]).toEqual([9, 9]);
  });

  it('draws new random numbers at each call, from the seed', () => {
    const drop = kernel([{ shape: [64] }], (x) => dropout(x, 0.5));
    const x = new Float32Array(64).fill(1);
    const draw = () => {
      const out = new Float32Array(64);
      drop([x], [out]);
      return out;
    };
    seed(3);
    const [first, second] = [draw(), draw()];
    expect(second).not.toEqual(first);
    seed(3);
    expect([draw(), draw()]).toEqual([first, second]);
  });

  it('passes on what a run finds wrong with the data, and leaves inputs alone', () => {
    const gather = kernel([{ shape: [4] }, { shape: [2], dtype: 'int32' }], (t, i) => take(t, i).add(1));
    const table = Float32Array.of(1, 2, 3, 4);
    expect(() => gather([table, Int32Array.of(0, 7)], [new Float32Array(2)])).toThrow(/take: index 7/);
    const out = new Float32Array(2);
    gather([table, Int32Array.of(3, 0)], [out]);
    expect([...out]).toEqual([5, 2]);
  });

  it('refuses state, captured tensors and repeated results', () => {
    const captured = tensor([1, 2]);
    const cell = new State(zeros([2]));
    const specs = [{ shape: [2] }];
    expect(() => kernel(specs, (x) => x.add(captured))).toThrow(/not one of its inputs/);
    expect(() => kernel(specs, (x) => x.add(cell.read()))).toThrow(/State or Parameter/);
    expect(() => kernel(specs, (x) => [x, x])).toThrow(/returned twice/);
    expect(() => kernel(specs, (x) => sum(x), { into: [0] })).toThrow(/result 0 is float32 \[\]/);
    expect(() => kernel(specs, (x) => x.mul(2), { into: [1] })).toThrow(/into\[0\] is 1/);
    expect(() => kernel([{ shape: [-1] }], (x) => x)).toThrow(/inputs\[0\]/);
    // A refused function leaves no trace behind.
    expect(captured.add(1).dataSync()).toEqual(Float32Array.of(2, 3));
  });

  it('checks the number of arrays', () => {
    const twice = kernel([{ shape: [2] }], (x) => x.mul(2));
    expect(() => twice([])).toThrow(/got 0 inputs and 0 outputs, expected 1 and 1/);
    expect(() => twice([new Float32Array(2)], [new Int32Array(2)])).toThrow(/outputs\[0\] is a Int32Array/);
  });
});

describe('the addon', () => {
  // What no TypeScript check stands before: it must refuse on its own.
  const words = (() => {
    let seen: Int32Array | undefined;
    const { load } = native;
    native.load = (w) => {
      seen = w;
      return load(w);
    };
    kernel([{ shape: [4] }], (x) => x.mul(3));
    native.load = load;
    return seen as Int32Array;
  })();
  const program = native.load(words);
  const f = (n: number) => new Float32Array(n);

  it.each([
    ['too few', [f(4)]],
    ['too short', [f(4), f(3)]],
    ['of another type', [f(4), new Int32Array(4)]],
    ['not arrays', [f(4), 'abcd']],
    ['shared', [f(4), new Float32Array(new SharedArrayBuffer(16))]],
  ] as const)('refuses views that are %s', (_, views) => {
    expect(() => native.runViews(program, views as never)).toThrow(/array|views/);
  });

  it('refuses overlap and takes a getter that detaches a view', () => {
    const whole = f(8);
    expect(() => native.runViews(program, [whole.subarray(0, 4), whole.subarray(3, 7)])).toThrow(/shares memory/);
    const views = [f(4), f(4)];
    Object.defineProperty(views, 1, {
      get: () => {
        structuredClone(views[0].buffer, { transfer: [views[0].buffer] });
        return f(4);
      },
    });
    expect(() => native.runViews(program, views)).toThrow(/detached|short/);
    expect(() => native.runViews({} as never, views)).toThrow();
    expect(() => native.runViews(program, null as never)).toThrow(/views/);
  });
});

describe('row kernels', () => {
  // Digits: values are below 10 and few roundings happen, each of 2^-24 of the value.
  it.each([Float32Array, Float64Array])('agree with their definition in %o', (Real) => {
    const x = new Real(Array.from({ length: 12 }, (_, i) => Math.sin(i) * 4));
    const out = new Real(12);
    softmax({ rows: 3, columns: 4, x, out });
    const log = new Real(12);
    softmax({ rows: 3, columns: 4, x, out: log, log: true });
    for (let r = 0; r < 3; r++) {
      const row = [...x.subarray(4 * r, 4 * r + 4)].map(Math.exp);
      const total = row.reduce((a, b) => a + b);
      row.forEach((e, j) => {
        expect(out[4 * r + j]).toBeCloseTo(e / total, 6);
        expect(log[4 * r + j]).toBeCloseTo(Math.log(e / total), 5);
      });
    }
    expect(kernels.sum(x)).toBeCloseTo(
      [...x].reduce((a, b) => a + b),
      5,
    );
    const y = new Real(x);
    axpy({ alpha: 2, x, y });
    y.forEach((v, i) => void expect(v).toBeCloseTo(3 * x[i], 5));
    map('tanh', x, out);
    out.forEach((v, i) => void expect(v).toBeCloseTo(Math.tanh(x[i]), 6));
  });

  it('take empty arrays', () => {
    expect(kernels.sum(new Float32Array(0))).toBe(0);
    axpy({ alpha: 1, x: new Float32Array(0), y: new Float32Array(0) });
    softmax({ rows: 0, columns: 4, x: new Float32Array(0), out: new Float32Array(0) });
  });

  it('name an unknown function', () => {
    expect(() => map('exq' as never, new Float32Array(1), new Float32Array(1))).toThrow(/no function "exq"/);
    expect(() => map('exp', new Float32Array(1), new Float32Array(2))).toThrow(/x has 1 elements, expected 2/);
  });
});
