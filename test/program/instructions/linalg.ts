import { OPS } from '../../../src/ops/index.js';
import type { Instruction } from '../machine.js';

function solver(op: typeof OPS.solve | typeof OPS.solveTriangular, flags: readonly string[]): Instruction {
  return {
    decode(r) {
      const { p, m, dtype } = r;
      r.expect('float32', 'float64');
      r.flags(...flags);
      r.sizes('batch', 'n', 'm');
      m.a = r.memory('read', dtype, p.batch * p.n * p.n);
      m.b = r.memory('read', dtype, p.batch * p.n * p.m);
      m.out = r.memory('write', dtype, p.batch * p.n * p.m);
    },
    run(on, { p, m }, round) {
      const given = [[m.a, [p.batch, p.n, p.n]] as const, [m.b, [p.batch, p.n, p.m]] as const];
      const attrs = { upper: p.upper === 1, trans: p.trans === 1, unit: p.unit === 1 };
      on.reference(op, { in: given, out: [m.out], attrs }, round);
    },
  };
}

export const linalg = {
  CHOLESKY: {
    decode(r) {
      r.expect('float32', 'float64');
      r.sizes('batch', 'n');
      r.m.in = r.memory('read', r.dtype, r.p.batch * r.p.n * r.p.n);
      r.m.out = r.memory('write', r.dtype, r.p.batch * r.p.n * r.p.n);
    },
    run(on, { p, m }, round) {
      on.reference(OPS.cholesky, { in: [[m.in, [p.batch, p.n, p.n]]], out: [m.out] }, round);
    },
  },
  SOLVE: solver(OPS.solve, ['trans']),
  SOLVE_TRIANGULAR: solver(OPS.solveTriangular, ['upper', 'trans', 'unit']),
} satisfies Record<string, Instruction>;
