import { describe, expect, it } from 'vitest';
import { Activation, Micro, NONE, Reduction, Rule } from '../../src/program/opcodes.gen.js';
import { native } from '../../src/runtime/native.js';
import * as w from './words.js';

const { f32, f32Slot, fused, gemm, i32, i32Slot, INOUT, instruction, READ, readF32, readI32, slot, WRITE } = w;

const EPS = 2 ** -24;

describe('FUSED', () => {
  it('broadcasts rows, columns, scalars and constants', () => {
    const program = native.load(
      w.words(
        [f32Slot(6, READ), f32Slot(3, READ), f32Slot(2, READ), f32Slot(1, READ), f32Slot(6, WRITE)],
        [
          fused(
            'float32',
            [2, 3],
            [
              { operand: slot(0), strides: [3, 1] },
              { operand: slot(1), strides: [0, 1] },
              { operand: slot(2), strides: [1, 0] },
              { operand: slot(3), strides: [0, 0] },
            ],
            [10],
            [
              [Micro.ADD, 0, 1],
              [Micro.ADD, 5, 2],
              [Micro.ADD, 6, 3],
              [Micro.MUL, 7, 4],
            ],
            [{ operand: slot(4), register: 8 }],
          ),
        ],
      ),
    );
    const out = f32(...Array(6).fill(0));
    native.run(program, [f32(1, 2, 3, 4, 5, 6), f32(10, 20, 30), f32(100, 200), f32(0.5), out], 1);
    expect(readF32(out, 6)).toEqual([1115, 1225, 1335, 2145, 2255, 2365]);
  });

  it('walks negative and transposed strides over many tiles', () => {
    const [rows, cols] = [130, 257];
    const n = rows * cols;
    const x = Float32Array.from({ length: n }, (_, i) => i);
    const program = native.load(
      w.words(
        [f32Slot(n, READ), f32Slot(n, WRITE)],
        [
          fused(
            'float32',
            [cols, rows],
            [
              { operand: slot(0), strides: [1, cols] },
              { operand: slot(0), offset: n - 1, strides: [-rows, -1] },
            ],
            [],
            [[Micro.SUB, 0, 1]],
            [{ operand: slot(1), register: 2 }],
          ),
        ],
      ),
    );
    const out = w.buffer(new Float32Array(n));
    native.run(program, [w.buffer(x), out], 1);
    const expected = Array.from({ length: n }, (_, i) => (i % rows) * cols + Math.floor(i / rows) - (n - 1 - i));
    expect(readF32(out, n)).toEqual(expected);
  });

  it('works in place, with later reads of the replaced input', () => {
    const n = 5000;
    const program = native.load(
      w.words(
        [f32Slot(n, INOUT), f32Slot(n, WRITE), f32Slot(n, WRITE)],
        [
          // slot 0 = 2x, slot 1 = 2x + x, slot 2 = x: the input must survive until all three are computed.
          fused(
            'float32',
            [n],
            [{ operand: slot(0), strides: [1] }],
            [2],
            [
              [Micro.MUL, 0, 1],
              [Micro.ADD, 2, 0],
            ],
            [
              { operand: slot(0), register: 2 },
              { operand: slot(1), register: 3 },
              { operand: slot(2), register: 0 },
            ],
          ),
        ],
      ),
    );
    const x = Array.from({ length: n }, (_, i) => i);
    const buffers = [f32(...x), w.buffer(new Float32Array(n)), w.buffer(new Float32Array(n))];
    native.run(program, buffers, 1);
    expect(readF32(buffers[0], n)).toEqual(x.map((v) => 2 * v));
    expect(readF32(buffers[1], n)).toEqual(x.map((v) => 3 * v));
    expect(readF32(buffers[2], n)).toEqual(x);
  });

  it('converts between dtypes on the way in and out', () => {
    const program = native.load(
      w.words(
        [
          { dtype: 'uint8', elements: 4, flags: READ },
          f32Slot(4, WRITE),
          i32Slot(4, WRITE),
          { dtype: 'bool', elements: 4, flags: WRITE },
          w.f64Slot(4, WRITE),
        ],
        [
          fused(
            'float32',
            [2, 2],
            [{ operand: slot(0), dtype: 'uint8', strides: [1, 2] }],
            [0.5],
            [[Micro.MUL, 0, 1]],
            [
              { operand: slot(1), register: 2 },
              { operand: slot(2), dtype: 'int32', register: 2 },
              { operand: slot(3), dtype: 'bool', register: 2 },
              { operand: slot(4), dtype: 'float64', register: 2 },
            ],
          ),
        ],
      ),
    );
    const out = [new Float32Array(4), new Int32Array(4), new Uint8Array(4), new Float64Array(4)].map(w.buffer);
    native.run(program, [w.buffer(Uint8Array.of(0, 3, 5, 255)), ...out], 1);
    expect(readF32(out[0], 4)).toEqual([0, 2.5, 1.5, 127.5]);
    expect(readI32(out[1], 4)).toEqual([0, 2, 1, 127]);
    expect(w.readU8(out[2], 4)).toEqual([0, 1, 1, 1]);
    expect(w.readF64(out[3], 4)).toEqual([0, 2.5, 1.5, 127.5]);
  });
});

describe('GEMM', () => {
  it('matches float64 within the bound, for every transpose, with bias, activation and colsum', () => {
    const [m, n, k] = [150, 70, 90];
    const next = w.random(1);
    const fill = (size: number) => Float32Array.from({ length: size }, next);
    for (const [transA, transB] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ]) {
      const [a, b, bias] = [fill(m * k), fill(k * n), fill(n)];
      const program = native.load(
        w.words(
          [f32Slot(m * k, READ), f32Slot(k * n, READ), f32Slot(n, READ), f32Slot(m * n, WRITE), f32Slot(n, WRITE)],
          [
            gemm('float32', {
              transA,
              transB,
              m,
              n,
              k,
              activation: Activation.RELU,
              a: slot(0),
              b: slot(1),
              bias: slot(2),
              out: slot(3),
              colsum: slot(4),
            }),
          ],
        ),
      );
      const out = w.buffer(new Float32Array(m * n));
      const colsum = w.buffer(new Float32Array(n));
      native.run(program, [w.buffer(a), w.buffer(b), w.buffer(bias), out, colsum], 1);
      const got = readF32(out, m * n);
      let worst = 0;
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let sum = bias[j];
          let scale = Math.abs(bias[j]);
          for (let p = 0; p < k; p++) {
            const product = (transA ? a[p * m + i] : a[i * k + p]) * (transB ? b[j * k + p] : b[p * n + j]);
            sum += product;
            scale += Math.abs(product);
          }
          worst = Math.max(worst, Math.abs(got[i * n + j] - Math.max(0, sum)) / (EPS * (k + 2) * scale));
        }
      }
      expect(worst).toBeLessThan(1);
      // colsum has the bits of REDUCE SUM over the rows.
      const reduce = native.load(
        w.words(
          [f32Slot(m * n, READ), f32Slot(n, WRITE)],
          [instruction('REDUCE', 'float32', Reduction.SUM, 1, m, n, slot(0), slot(1))],
        ),
      );
      const sums = w.buffer(new Float32Array(n));
      native.run(reduce, [out, sums], 1);
      expect(readF32(colsum, n)).toEqual(readF32(sums, n));
    }
  });

  it('multiplies batches, sharing an operand of stride 0, and by the derivative of a saved activation', () => {
    const program = native.load(
      w.words(
        [f32Slot(8, READ), f32Slot(4, READ), f32Slot(8, READ), f32Slot(8, WRITE)],
        [
          gemm('float32', {
            batch: 2,
            m: 2,
            n: 2,
            k: 2,
            strideA: 4,
            activationGrad: Activation.RELU,
            a: slot(0),
            b: slot(1),
            aux: slot(2),
            out: slot(3),
          }),
        ],
      ),
    );
    const out = f32(...Array(8).fill(9));
    native.run(program, [f32(1, 2, 3, 4, 5, 6, 7, 8), f32(1, 0, 0, 2), f32(1, 0, 1, 1, 0, 1, 1, 0), out], 1);
    expect(readF32(out, 8)).toEqual([1, 0, 3, 8, 0, 12, 7, 0]);
  });

  it('gives the bias when k is 0 and nothing when m is 0', () => {
    const program = native.load(
      w.words(
        [f32Slot(0, READ), f32Slot(2, READ), f32Slot(4, WRITE), f32Slot(0, WRITE)],
        [
          gemm('float32', { m: 2, n: 2, k: 0, a: slot(0), b: slot(0), bias: slot(1), out: slot(2) }),
          gemm('float32', { m: 0, n: 2, k: 3, a: slot(0), b: slot(0), out: slot(3) }),
        ],
      ),
    );
    const out = f32(0, 0, 0, 0);
    native.run(program, [f32(), f32(3, 4), out, f32()], 1);
    expect(readF32(out, 4)).toEqual([3, 4, 3, 4]);
  });
});

describe('REDUCE', () => {
  const reduce = (code: number, outer: number, r: number, inner: number, x: Float32Array): number[] => {
    const arg = code === Reduction.ARGMAX || code === Reduction.ARGMIN;
    const results = outer * inner;
    const program = native.load(
      w.words(
        [f32Slot(x.length, READ), arg ? i32Slot(results, WRITE) : f32Slot(results, WRITE)],
        [instruction('REDUCE', 'float32', code, outer, r, inner, slot(0), slot(1))],
      ),
    );
    const out = w.buffer(new Float32Array(results));
    native.run(program, [w.buffer(x), out], 1);
    return arg ? readI32(out, results) : readF32(out, results);
  };

  it('sums blocks in a tree: error far below that of a running sum', () => {
    const next = w.random(2);
    for (const [outer, r, inner] of [
      [1, 100_003, 1],
      [3, 5000, 1],
      [2, 1000, 17],
      [1, 129, 1030],
      [40, 7, 5],
    ]) {
      const x = Float32Array.from({ length: outer * r * inner }, next);
      const got = reduce(Reduction.SUM, outer, r, inner, x);
      for (let o = 0; o < outer; o++) {
        for (let j = 0; j < inner; j++) {
          let sum = 0;
          let scale = 0;
          for (let i = 0; i < r; i++) {
            sum += x[(o * r + i) * inner + j];
            scale += Math.abs(x[(o * r + i) * inner + j]);
          }
          // A tree over blocks of at most 128 sequential additions: depth <= 128 + log2(r).
          expect(Math.abs(got[o * inner + j] - sum)).toBeLessThanOrEqual(EPS * (128 + 20) * scale);
        }
      }
    }
  });

  it('takes extremes over several blocks; NaN wins', () => {
    const x = Float32Array.from({ length: 9000 }, (_, i) => 1 - i);
    expect(reduce(Reduction.MAX, 1, 9000, 1, x)).toEqual([1]);
    expect(reduce(Reduction.MIN, 1, 9000, 1, x)).toEqual([-8998]);
    expect(reduce(Reduction.ARGMIN, 1, 9000, 1, x)).toEqual([8999]);
    x[8500] = Number.NaN;
    expect(reduce(Reduction.MAX, 1, 9000, 1, x)).toEqual([Number.NaN]);
    expect(reduce(Reduction.ARGMAX, 1, 9000, 1, x)).toEqual([8500]);
  });

  it('gives the identity of nothing', () => {
    expect(reduce(Reduction.SUM, 2, 0, 3, new Float32Array(0))).toEqual([0, 0, 0, 0, 0, 0]);
    expect(reduce(Reduction.PROD, 2, 0, 1, new Float32Array(0))).toEqual([1, 1]);
    expect(() => reduce(Reduction.MAX, 2, 0, 1, new Float32Array(0))).toThrow(/extreme/);
  });
});

describe('movement', () => {
  it('copies transposes, slices and reversals', () => {
    const [rows, cols] = [67, 131];
    const x = Float32Array.from({ length: rows * cols }, (_, i) => i);
    const copy = (dims: number[], offset: number, strides: number[]): number[] => {
      const n = dims.reduce((a, b) => a * b, 1);
      const program = native.load(
        w.words(
          [f32Slot(x.length, READ), f32Slot(n, WRITE)],
          [instruction('COPY', 'float32', dims.length, ...dims, slot(0), offset, ...strides, slot(1))],
        ),
      );
      const out = w.buffer(new Float32Array(n));
      native.run(program, [w.buffer(x), out], 1);
      return readF32(out, n);
    };
    const transposed = Array.from({ length: x.length }, (_, i) => (i % rows) * cols + Math.floor(i / rows));
    expect(copy([cols, rows], 0, [1, cols])).toEqual(transposed);
    expect(copy([3, 2], cols + 5, [cols, 2])).toEqual([136, 138, 267, 269, 398, 400]);
    expect(copy([4], 3, [-1])).toEqual([3, 2, 1, 0]);
    expect(copy([], 7, [])).toEqual([7]);
    expect(copy([2, 2, 2], 0, [0, 0, 1])).toEqual([0, 1, 0, 1, 0, 1, 0, 1]);
  });

  it('places a region and keeps the rest', () => {
    const program = native.load(
      w.words(
        [f32Slot(4, READ), f32Slot(12, INOUT)],
        [instruction('PLACE', 'float32', 2, 2, 2, slot(0), slot(1), 12, 5, 4, 1)],
      ),
    );
    const out = f32(...Array(12).fill(-1));
    native.run(program, [f32(1, 2, 3, 4), out], 1);
    expect(readF32(out, 12)).toEqual([-1, -1, -1, -1, -1, 1, 2, -1, -1, 3, 4, -1]);
  });

  it('gathers rows and adds them back in order', () => {
    const program = native.load(
      w.words(
        [f32Slot(6, READ), i32Slot(4, READ), f32Slot(8, WRITE), f32Slot(6, WRITE)],
        [
          instruction('GATHER', 'float32', 3, 2, 4, slot(0), slot(1), slot(2)),
          instruction('SCATTER_ADD', 'float32', 3, 2, 4, slot(2), slot(1), slot(3)),
        ],
      ),
    );
    const [rows, sums] = [f32(...Array(8).fill(0)), f32(...Array(6).fill(9))];
    native.run(program, [f32(1, 2, 3, 4, 5, 6), i32(2, 0, 2, 2), rows, sums], 1);
    expect(readF32(rows, 8)).toEqual([5, 6, 1, 2, 5, 6, 5, 6]);
    expect(readF32(sums, 6)).toEqual([1, 2, 0, 0, 15, 18]);
  });
});

describe('checks of user data', () => {
  it('reports a bad index and writes nothing', () => {
    const program = native.load(
      w.words(
        [f32Slot(6, READ), i32Slot(3, READ), f32Slot(6, WRITE), f32Slot(1, INOUT)],
        [
          instruction('GATHER', 'float32', 3, 2, 3, slot(0), slot(1), slot(2)),
          fused(
            'float32',
            [1],
            [{ operand: slot(3), strides: [1] }],
            [1],
            [[Micro.ADD, 0, 1]],
            [{ operand: slot(3), register: 2 }],
          ),
        ],
      ),
    );
    for (const bad of [3, -1, -2147483648, 2147483647]) {
      const [out, counter] = [f32(...Array(6).fill(7)), f32(0)];
      const status = native.run(program, [f32(1, 2, 3, 4, 5, 6), i32(0, bad, 1), out, counter], 1);
      expect(status).toMatchObject({ code: 'index', instruction: 0, step: 0, position: 1, value: bad });
      expect(readF32(out, 6)).toEqual(Array(6).fill(7));
      expect(readF32(counter, 1)).toEqual([0]);
    }
  });

  it('reports a bad label and the first value that is not finite', () => {
    const entropy = native.load(
      w.words(
        [f32Slot(6, READ), i32Slot(2, READ), f32Slot(2, WRITE)],
        [instruction('SOFTMAX_CE', 'float32', 2, 3, slot(0), slot(1), slot(2), NONE)],
      ),
    );
    const loss = f32(0, 0);
    expect(native.run(entropy, [f32(0, 0, 0, 0, 0, 0), i32(0, 3), loss], 1)).toMatchObject({
      code: 'index',
      position: 1,
    });
    expect(native.run(entropy, [f32(0, 0, 0, 0, 0, 0), i32(0, 2), loss], 1)).toBeUndefined();
    for (const value of readF32(loss, 2)) expect(Math.abs(value - Math.log(3))).toBeLessThan(4 * EPS * Math.log(3));

    const n = 200_000;
    const check = native.load(
      w.words([f32Slot(n, INOUT)], [instruction('CHECK_FINITE', 'float32', n, slot(0), slot(0))]),
    );
    const x = new Float32Array(n);
    expect(native.run(check, [w.buffer(x)], 1)).toBeUndefined();
    x[150_001] = Number.NEGATIVE_INFINITY;
    x[199_999] = Number.NaN;
    const status = native.run(check, [w.buffer(x)], 1);
    expect(status).toMatchObject({ code: 'nonFinite', position: 150_001, value: Number.NEGATIVE_INFINITY });
  });
});

describe('optimizers', () => {
  it('SGD with momentum and Adam follow the formulas and count steps', () => {
    const sgd = native.load(
      w.words(
        [w.f64Slot(1, READ), i32Slot(1, INOUT), f32Slot(2, INOUT), f32Slot(2, READ), f32Slot(2, INOUT)],
        [
          instruction(
            ...(['OPTIM', 'float32', ...w.rule(Rule.SGD, 0, 1, [0.5, 0])] as const),
            ...[slot(0), slot(1), NONE, NONE, 1, 2, slot(2), slot(3), slot(4)],
          ),
        ],
      ),
    );
    const lr = w.buffer(Float64Array.of(0.25));
    const [step, weight, gradient, velocity] = [i32(0), f32(1, 2), f32(1, -1), f32(0, 0)];
    native.run(sgd, [lr, step, weight, gradient, velocity], 2);
    expect(readI32(step, 1)).toEqual([2]);
    expect(readF32(velocity, 2)).toEqual([1.5, -1.5]);
    expect(readF32(weight, 2)).toEqual([1 - 0.25 - 0.375, 2 + 0.25 + 0.375]);

    const rule = w.rule(Rule.ADAM, 0, 3, [0.9, 0.999, 1e-8]);
    const adam = native.load(
      w.words(
        [w.f64Slot(1, READ), i32Slot(1, INOUT), ...[INOUT, READ, INOUT, INOUT].map((f) => f32Slot(1, f))],
        [instruction('OPTIM', 'float32', ...rule, slot(0), slot(1), NONE, NONE, 1, 1, ...[2, 3, 4, 5].map(slot))],
      ),
    );
    const buffers = [lr, i32(0), f32(1), f32(3), f32(0), f32(0)];
    native.run(adam, buffers, 1);
    // The first step of Adam moves by lr whatever the gradient; ten roundings at most.
    expect(Math.abs(readF32(buffers[2], 1)[0] - 0.75)).toBeLessThan(10 * EPS);
    expect(readI32(buffers[1], 1)).toEqual([1]);
  });
});
