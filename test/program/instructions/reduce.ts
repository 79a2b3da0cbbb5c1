import type { DType } from '../../../src/dtype.js';
import { OPS } from '../../../src/ops/index.js';
import type { Instruction } from '../machine.js';

/** Along the middle axis of [outer, r, inner], and order in rows. */
export const reduce = {
  REDUCE: {
    decode(r) {
      const { p, m, dtype } = r;
      r.expect('float32', 'float64', 'int32');
      r.sizes('reduction', 'outer', 'r', 'inner');
      r.check(p.reduction >= 1 && p.reduction <= 6, 'reduction');
      const isIndex = p.reduction >= 5;
      r.check(!isIndex || p.inner === 1, 'inner of an index reduction');
      m.in = r.memory('read', dtype, p.outer * p.r * p.inner);
      m.out = r.memory('write', isIndex ? 'int32' : dtype, p.outer * p.inner);
    },
    run(on, { p, m, dtype }) {
      on.write(m.out, reduceAxis(p.reduction, [p.outer, p.r, p.inner], on.read(m.in, p.outer * p.r * p.inner), dtype));
    },
  },

  SCAN: {
    decode(r) {
      const { p, m, dtype } = r;
      r.sizes('kind');
      r.flags('reverse');
      r.sizes('outer', 'r', 'inner');
      r.check(p.kind <= 2, 'kind');
      r.expect('float32', 'float64', ...(p.kind < 2 ? (['int32'] as const) : []));
      m.in = r.memory('read', dtype, p.outer * p.r * p.inner);
      m.a = r.optional('read', dtype, p.outer * p.r * p.inner);
      r.check((m.a !== null) === (p.kind === 2), 'a');
      m.out = r.memory('write', dtype, p.outer * p.r * p.inner);
    },
    run(on, { p, m }, round) {
      const shape = [p.outer, p.r, p.inner];
      const op = [OPS.cumsum, OPS.cumprod, OPS.linearScan][p.kind];
      const factors = m.a === null ? [] : [[m.a, shape] as const];
      const attrs = { axis: 1, reverse: p.reverse === 1 };
      on.reference(op, { in: [[m.in, shape], ...factors], out: [m.out], attrs }, round);
    },
  },

  SORT: {
    decode(r) {
      const { p, m, dtype } = r;
      r.expect('float32', 'float64', 'int32');
      r.sizes('rows', 'cols', 'k');
      r.flags('descending');
      r.check(p.k <= p.cols, 'k');
      m.in = r.memory('read', dtype, p.rows * p.cols);
      m.values = r.optional('write', dtype, p.rows * p.k);
      m.indices = r.optional('write', 'int32', p.rows * p.k);
    },
    run(on, { p, m }) {
      const attrs = { k: p.k, descending: p.descending === 1 };
      const io = { in: [[m.in, [p.rows, p.cols]] as const], out: [m.values, m.indices], attrs, shape: [p.rows, p.k] };
      on.reference(OPS.sort, io, (x) => x);
    },
  },
} satisfies Record<string, Instruction>;

/** Runs of memory are added from the end, rows from the start: as in native code, the order depends on the layout. */
export function reduceAxis(
  reduction: number,
  [outer, r, inner]: readonly [number, number, number],
  x: Float64Array,
  dtype: DType,
): Float64Array {
  const round = dtype === 'float32' ? Math.fround : dtype === 'int32' ? (v: number) => v | 0 : (v: number) => v;
  const [lowest, highest] = dtype === 'int32' ? [-(2 ** 31), 2 ** 31 - 1] : [-Infinity, Infinity];
  const out = new Float64Array(outer * inner);
  for (let at = 0; at < out.length; at++) {
    const [o, j] = [Math.floor(at / inner), at % inner];
    const values = Array.from({ length: r }, (_, i) => x[(o * r + i) * inner + j]);
    if (inner === 1 && reduction <= 2) values.reverse();
    if (reduction === 1) out[at] = values.reduce((a, v) => round(a + v), 0);
    else if (reduction === 2)
      out[at] = values.reduce((a, v) => (dtype === 'int32' ? Math.imul(a, v) : round(a * v)), 1);
    else if (reduction === 3) out[at] = values.reduce((a, v) => Math.max(a, v), lowest);
    else if (reduction === 4) out[at] = values.reduce((a, v) => Math.min(a, v), highest);
    else {
      const nan = values.findIndex(Number.isNaN);
      out[at] = nan >= 0 ? nan : values.indexOf(reduction === 5 ? Math.max(...values) : Math.min(...values));
    }
  }
  return out;
}
