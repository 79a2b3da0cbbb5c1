import type { Instruction } from '../machine.js';
import { finished } from '../micro.js';
import { reduceAxis } from './reduce.js';

const extent = (batch: number, stride: number, one: number) =>
  batch === 0 || one === 0 ? 0 : (batch - 1) * stride + one;

/** Products of matrices with their epilogue. */
export const gemm = {
  GEMM: {
    decode(r) {
      const { p, m, dtype } = r;
      r.expect('float32', 'float64');
      r.flags('transA', 'transB');
      r.sizes('activation', 'activationGrad', 'batch', 'm', 'n', 'k', 'strideA', 'strideB');
      r.check(p.activation <= 3 && p.activationGrad <= 3, 'activation');
      m.a = r.memory('read', dtype, extent(p.batch, p.strideA, p.m * p.k));
      m.b = r.memory('read', dtype, extent(p.batch, p.strideB, p.k * p.n));
      m.out = r.memory('write', dtype, p.batch * p.m * p.n);
      m.bias = r.optional('read', dtype, p.n);
      m.aux = r.optional('read', dtype, p.batch * p.m * p.n);
      m.colsum = r.optional('write', dtype, p.n);
      r.check((m.aux !== null) === (p.activationGrad !== 0), 'aux without derivative');
      r.check(m.colsum === null || p.batch === 1, 'colsum of a batch');
    },
    run(on, i, round) {
      const { p, m, dtype } = i;
      const a = on.read(m.a, extent(p.batch, p.strideA, p.m * p.k));
      const b = on.read(m.b, extent(p.batch, p.strideB, p.k * p.n));
      const bias = m.bias === null ? null : on.read(m.bias, p.n);
      const aux = m.aux === null ? null : on.read(m.aux, p.batch * p.m * p.n);
      const out = new Float64Array(p.batch * p.m * p.n);
      for (let at = 0; at < out.length; at++) {
        const [s, row, col] = [Math.floor(at / (p.m * p.n)), Math.floor(at / p.n) % p.m, at % p.n];
        let sum = 0;
        for (let q = 0; q < p.k; q++) {
          const x = a[s * p.strideA + (p.transA ? q * p.m + row : row * p.k + q)];
          const y = b[s * p.strideB + (p.transB ? col * p.k + q : q * p.n + col)];
          sum = round(sum + round(x * y));
        }
        out[at] = finished(i, sum, bias?.[col] ?? null, aux?.[at] ?? 0, round);
      }
      on.write(m.out, out);
      if (m.colsum !== null) on.write(m.colsum, reduceAxis(1, [1, p.m, p.n], out, dtype));
    },
  },
} satisfies Record<string, Instruction>;
