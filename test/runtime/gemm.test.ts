// GEMM below the compiler: the cuts that its handler makes by shape.
import { afterAll, describe, expect, it } from 'vitest';
import { Activation, Reduction } from '../../src/program/opcodes.gen.js';
import { native } from '../../src/runtime/native.js';
import * as w from './words.js';
import { f32Slot, gemm, instruction, READ, readF32, slot, WRITE } from './words.js';

const EPS = 2 ** -24;
const { threads } = native.info();
afterAll(() => native.configure({ threads }));

const fill = (size: number, seed: number): Float32Array => Float32Array.from({ length: size }, w.random(seed));

describe('GEMM with a long k and a small C', () => {
  // More than 8192 products and at most 128 x 128 elements: k is cut into slices; the last one is shorter.
  const [m, n, k] = [9, 20, 12_300];

  for (const transA of [false, true]) {
    for (const transB of [false, true]) {
      it(`${transA ? 'T' : 'N'}${transB ? 'T' : 'N'}: is right, with an epilogue, and the same for 1, 3 and 8 threads`, () => {
        const [a, b, bias, aux] = [fill(m * k, 1), fill(k * n, 2), fill(n, 3), fill(m * n, 4)];
        const operands = { transA, transB, m, n, k, a: slot(0), b: slot(1), out: slot(4) };
        const slots = [
          f32Slot(m * k, READ),
          f32Slot(k * n, READ),
          f32Slot(n, READ),
          f32Slot(m * n, READ),
          f32Slot(m * n, WRITE),
          f32Slot(n, WRITE),
        ];
        const plain = native.load(w.words(slots, [gemm('float32', operands)]));
        const full = native.load(
          w.words(slots, [
            gemm('float32', {
              ...operands,
              bias: slot(2),
              aux: slot(3),
              activationGrad: Activation.RELU,
              colsum: slot(5),
            }),
          ]),
        );
        const run = (program: typeof plain): [number[], number[]] => {
          const [out, colsum] = [w.buffer(new Float32Array(m * n)), w.buffer(new Float32Array(n))];
          native.run(program, [w.buffer(a), w.buffer(b), w.buffer(bias), w.buffer(aux), out, colsum], 1);
          return [readF32(out, m * n), readF32(colsum, n)];
        };
        native.configure({ threads: 1 });
        const [product] = run(plain);
        const [finished, sums] = run(full);
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < n; j++) {
            let sum = 0;
            let scale = 0;
            for (let p = 0; p < k; p++) {
              const term = (transA ? a[p * m + i] : a[i * k + p]) * (transB ? b[j * k + p] : b[p * n + j]);
              sum += term;
              scale += Math.abs(term);
            }
            // Chains of 512 (the scalar unit rounds products too), then block and slice sums.
            expect(Math.abs(product[i * n + j] - sum)).toBeLessThanOrEqual(EPS * (2 * 512 + k / 512 + 4) * scale);
            // The epilogue has the bits of separate operations.
            const want = aux[i * n + j] > 0 ? Math.fround(product[i * n + j] + bias[j]) : 0;
            expect(finished[i * n + j]).toBe(want);
          }
        }
        for (const count of [3, 8]) {
          native.configure({ threads: count });
          expect(run(plain)[0]).toEqual(product);
          expect(run(full)).toEqual([finished, sums]);
        }
      });
    }
  }
});

describe('GEMM colsum', () => {
  // The kernel sums 128 rows at a time: one block, a whole number of them, and an odd number with a rest.
  for (const [m, n, k] of [
    [100, 300, 80],
    [256, 70, 90],
    [700, 130, 40],
    [300, 1, 50],
  ]) {
    it(`${m} x ${n}: has the bits of REDUCE SUM over the rows for 1, 3 and 8 threads`, () => {
      const [a, b] = [w.buffer(fill(m * k, 1)), w.buffer(fill(k * n, 2))];
      const program = native.load(
        w.words(
          [f32Slot(m * k, READ), f32Slot(k * n, READ), f32Slot(m * n, WRITE), f32Slot(n, WRITE), f32Slot(n, WRITE)],
          [
            gemm('float32', { m, n, k, a: slot(0), b: slot(1), out: slot(2), colsum: slot(3) }),
            instruction('REDUCE', 'float32', Reduction.SUM, 1, m, n, slot(2), slot(4)),
          ],
        ),
      );
      let first: number[] | undefined;
      for (const count of [1, 3, 8]) {
        native.configure({ threads: count });
        const [out, colsum, sums] = [m * n, n, n].map((size) => w.buffer(new Float32Array(size)));
        native.run(program, [a, b, out, colsum, sums], 1);
        expect(readF32(colsum, n)).toEqual(readF32(sums, n));
        first ??= readF32(colsum, n);
        expect(readF32(colsum, n)).toEqual(first);
      }
    });
  }
});
