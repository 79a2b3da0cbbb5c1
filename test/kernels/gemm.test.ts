import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { configure, info } from '../../src/index.js';
import { type GemmOptions, gemm, type RealArray } from '../../src/kernels/index.js';

const threads = info().threads;
afterAll(() => configure({ threads }));

/** Numbers in [-1, 1), the same for the same seed. */
function values(n: number, seed: number): Float64Array {
  let s = seed >>> 0;
  return Float64Array.from({ length: n }, () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return Math.fround(s / 2 ** 31 - 1);
  });
}

/** An array that starts `offset` elements into its buffer, so that nothing is aligned to a vector. */
function placed(Real: Float32ArrayConstructor | Float64ArrayConstructor, x: Float64Array, offset: number): RealArray {
  const out = new Real(new ArrayBuffer((x.length + offset) * Real.BYTES_PER_ELEMENT), offset * Real.BYTES_PER_ELEMENT);
  out.set(x);
  return out;
}

const acts = {
  none: (x: number) => x,
  relu: (x: number) => Math.max(x, 0),
  tanh: Math.tanh,
  sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
};

/** The definition in float64, and for each element the sum of magnitudes that rounding errors are proportional to. */
function reference(o: GemmOptions, old: ArrayLike<number>) {
  const { m, n, k, a, b, bias, transA, transB, alpha = 1, beta = 0, batch = 1, activation = 'none' } = o;
  const out = new Float64Array(batch * m * n);
  const size = new Float64Array(out.length);
  for (let q = 0; q < batch; q++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        let magnitude = 0;
        for (let p = 0; p < k; p++) {
          const x = a[q * m * k + (transA ? p * m + i : i * k + p)] * b[q * k * n + (transB ? j * k + p : p * n + j)];
          sum += x;
          magnitude += Math.abs(x);
        }
        const at = (q * m + i) * n + j;
        const added = beta === 0 ? 0 : beta * old[at];
        const z = alpha * sum + added + (bias?.[j] ?? 0);
        out[at] = acts[activation as keyof typeof acts](z);
        size[at] = Math.abs(alpha) * magnitude + Math.abs(added) + Math.abs(bias?.[j] ?? 0) + 1;
      }
    }
  }
  return { out, size };
}

const shapes = fc.record({
  m: fc.integer({ min: 0, max: 40 }),
  n: fc.integer({ min: 0, max: 70 }),
  k: fc.integer({ min: 0, max: 50 }),
  batch: fc.integer({ min: 1, max: 3 }),
  transA: fc.boolean(),
  transB: fc.boolean(),
  alpha: fc.constantFrom(1, -0.5, 0),
  beta: fc.constantFrom(0, 1, 2.5),
  hasBias: fc.boolean(),
  activation: fc.constantFrom('none', 'relu', 'tanh', 'sigmoid') as fc.Arbitrary<keyof typeof acts>,
  double: fc.boolean(),
  offset: fc.integer({ min: 0, max: 9 }),
});

describe('gemm', () => {
  it('is its definition for any shape, transposition, factor, place in memory and number of threads', () => {
    fc.assert(
      fc.property(shapes, ({ hasBias, double, offset, ...s }) => {
        const Real = double ? Float64Array : Float32Array;
        const { m, n, k, batch } = s;
        const make = (length: number, seed: number) => placed(Real, values(length, seed), offset);
        const o = {
          ...s,
          a: make(batch * m * k, 1),
          b: make(batch * k * n, 2),
          ...(hasBias ? { bias: make(n, 3) } : {}),
        };
        const old = make(batch * m * n, 4);
        const results = [1, 2, 3, 5].map((t) => {
          configure({ threads: t });
          const c = old.slice();
          gemm({ ...o, c });
          return c;
        });
        for (const other of results.slice(1)) expect(other).toEqual(results[0]);
        const want = reference({ ...o, c: old }, old);
        // k products, their sums, alpha, beta, bias: k + 4 roundings of at most half an ulp of the magnitudes; the
        // activations have slope <= 1 and add 3 ulp of a value <= the same bound.
        const unit = double ? 2 ** -53 : 2 ** -24;
        for (let i = 0; i < results[0].length; i++) {
          expect(Math.abs(results[0][i] - want.out[i])).toBeLessThanOrEqual((k + 4 + 6) * unit * want.size[i]);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('does not read C when beta is 0', () => {
    const c = new Float32Array(4).fill(Number.NaN);
    gemm({ m: 2, n: 2, k: 1, a: Float32Array.of(1, 2), b: Float32Array.of(3, 4), c });
    expect([...c]).toEqual([3, 4, 6, 8]);
  });

  it('splits large products without changing bits', () => {
    const [m, n, k] = [190, 230, 310];
    const a = Float32Array.from(values(m * k, 5));
    const b = Float32Array.from(values(k * n, 6));
    const results = [1, 2, 3, 8].map((t) => {
      configure({ threads: t });
      const c = new Float32Array(m * n);
      gemm({ m, n, k, a, b, c });
      return c;
    });
    for (const other of results.slice(1)) expect(other).toEqual(results[0]);
  });

  it('names what does not fit', () => {
    const a = new Float32Array(6);
    const b = new Float32Array(6);
    const c = new Float32Array(4);
    const dims = { m: 2, n: 2, k: 3 };
    expect(() => gemm({ ...dims, a: a.subarray(1), b, c })).toThrow(/a has 5 elements, expected 6/);
    expect(() => gemm({ ...dims, a, b, c: new Float32Array(5) })).toThrow(/c has 5 elements, expected 4/);
    expect(() => gemm({ ...dims, a, b, c: new Float64Array(4) as never })).toThrow(
      /a is a Float32Array, expected a Float64/,
    );
    expect(() => gemm({ ...dims, m: -1, a, b, c })).toThrow(/m is -1/);
    expect(() => gemm({ ...dims, m: 1.5, a, b, c })).toThrow(/m is 1.5/);
    expect(() => gemm({ ...dims, a, b, c: [0, 0, 0, 0] as never })).toThrow(/expected a Float32Array or Float64Array/);
    expect(() => gemm({ ...dims, a, b, c, activation: 'rely' as never })).toThrow(/Did you mean "relu"/);
    expect(() => gemm({ ...dims, a: undefined as never, b, c })).toThrow(/a is undefined/);
    expect(() => gemm({ m: 2 ** 40, n: 2, k: 3, a, b, c })).toThrow(/elements/);
  });

  it('refuses an output that overlaps, and shared or detached buffers', () => {
    const whole = new Float32Array(20);
    const dims = { m: 2, n: 2, k: 3 };
    const b = new Float32Array(6);
    const overlapping = { ...dims, a: whole.subarray(0, 6), b, c: whole.subarray(5, 9) };
    expect(() => gemm(overlapping)).toThrow(/c is written but shares memory with a/);
    gemm({ ...overlapping, c: whole.subarray(6, 10) });
    gemm({ ...dims, a: b, b, c: whole.subarray(0, 4) }); // inputs may be the same
    const shared = new Float32Array(new SharedArrayBuffer(24)) as Float32Array;
    expect(() => gemm({ ...dims, a: shared, b, c: whole.subarray(0, 4) })).toThrow(/a lies on a SharedArrayBuffer/);
    const gone = new Float32Array(6);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    expect(() => gemm({ ...dims, a: gone, b, c: whole.subarray(0, 4) })).toThrow(/a has 0 elements.*transferred/);
  });
});
