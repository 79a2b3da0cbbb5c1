import { OPS } from '../../../src/ops/index.js';
import type { Instruction } from '../machine.js';

function inTable(index: Float64Array, tableRows: number): Float64Array {
  const bad = index.findIndex((i) => i < 0 || i >= tableRows);
  if (bad >= 0) throw new Error(`index ${index[bad]} at ${bad}`);
  return index;
}

/** Rows of tables, and elements along an axis, by index. */
export const gather = {
  GATHER: {
    decode(r) {
      const { p, m, dtype } = r;
      r.sizes('tableRows', 'row', 'n');
      m.in = r.memory('read', dtype, p.tableRows * p.row);
      m.index = r.memory('read', 'int32', p.n);
      m.out = r.memory('write', dtype, p.n * p.row);
    },
    run(on, { p, m }) {
      const index = inTable(on.read(m.index, p.n), p.tableRows);
      const table = on.read(m.in, p.tableRows * p.row);
      const out = new Float64Array(p.n * p.row);
      index.forEach((i, k) => {
        out.set(table.subarray(i * p.row, (i + 1) * p.row), k * p.row);
      });
      on.write(m.out, out);
    },
  },

  SCATTER_ADD: {
    decode(r) {
      const { p, m, dtype } = r;
      r.expect('float32', 'float64', 'int32');
      r.sizes('tableRows', 'row', 'n');
      m.in = r.memory('read', dtype, p.n * p.row);
      m.index = r.memory('read', 'int32', p.n);
      m.out = r.memory('write', dtype, p.tableRows * p.row);
    },
    run(on, { p, m }, round) {
      const index = inTable(on.read(m.index, p.n), p.tableRows);
      const from = on.read(m.in, p.n * p.row);
      const out = new Float64Array(p.tableRows * p.row);
      index.forEach((i, k) => {
        for (let j = 0; j < p.row; j++) out[i * p.row + j] = round(out[i * p.row + j] + from[k * p.row + j]);
      });
      on.write(m.out, out);
    },
  },

  GATHER_AXIS: {
    decode(r) {
      const { p, m, dtype } = r;
      r.sizes('outer', 'r', 'inner', 'k');
      m.in = r.memory('read', dtype, p.outer * p.r * p.inner);
      m.index = r.memory('read', 'int32', p.outer * p.k * p.inner);
      m.out = r.memory('write', dtype, p.outer * p.k * p.inner);
    },
    run(on, { p, m }, round) {
      const [shape, chosen] = [p.r, p.k].map((n) => [p.outer, n, p.inner]);
      const io = { in: [[m.in, shape] as const, [m.index, chosen] as const], out: [m.out] };
      on.reference(OPS.gather, { ...io, attrs: { axis: 1 }, shape: chosen }, round);
    },
  },

  SCATTER_AXIS: {
    decode(r) {
      const { p, m, dtype } = r;
      r.flags('set');
      if (!p.set) r.expect('float32', 'float64', 'int32');
      r.sizes('outer', 'r', 'inner', 'k');
      m.base = r.optional('read', dtype, p.outer * p.r * p.inner);
      m.in = r.memory('read', dtype, p.outer * p.k * p.inner);
      m.index = r.memory('read', 'int32', p.outer * p.k * p.inner);
      m.out = r.memory('write', dtype, p.outer * p.r * p.inner);
    },
    run(on, { p, m }, round) {
      const [shape, chosen] = [p.r, p.k].map((n) => [p.outer, n, p.inner]);
      const base = m.base === null ? [] : [[m.base, shape] as const];
      const io = { in: [[m.in, chosen] as const, [m.index, chosen] as const, ...base], out: [m.out] };
      on.reference(OPS.scatter, { ...io, attrs: { axis: 1, mode: p.set ? 'set' : 'add' }, shape }, round);
    },
  },
} satisfies Record<string, Instruction>;
