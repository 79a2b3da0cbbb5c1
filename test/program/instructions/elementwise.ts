import type { DType } from '../../../src/dtype.js';
import { OPS } from '../../../src/ops/index.js';
import { MICRO_ARITY, MICRO_INTEGER, Micro, type MicroName } from '../../../src/program/opcodes.gen.js';
import { product } from '../../runtime/convolution.js';
import { type Instruction, offsets } from '../machine.js';
import { compute } from '../micro.js';
import { dtypes, inverse } from '../words.js';

const micros = inverse<MicroName>(Micro);

/** Chains of micro-operations, and what moves or makes elements. */
export const elementwise = {
  FUSED: {
    decode(r) {
      r.expect('float32', 'float64', 'int32');
      const [rank, nIn, nConst, nMicro, nOut] = r.list(5, () => r.size());
      r.check(rank <= 8 && nIn <= 64 && nConst <= 64 && nMicro <= 256 && nOut >= 1 && nOut <= 64, 'limits');
      const dims = r.list(rank, () => r.size());
      r.dims = dims;
      r.inputs = r.list(nIn, () => {
        const word = r.word();
        const from = dtypes.get(r.word()) as DType;
        const offset = r.word();
        const strides = r.list(rank, () => r.word());
        return r.window(isDense(dims, strides, offset) ? 'aliased' : 'read', word, from, dims, offset, strides);
      });
      r.constants = r.list(nConst, () => r.f64());
      let registers = nIn + nConst;
      r.micros = r.list(nMicro, () => {
        const micro = micros.get(r.word()) as MicroName;
        r.check(micro !== undefined, 'unknown micro-operation');
        r.check(r.dtype !== 'int32' || MICRO_INTEGER[micro], `${micro} on int32`);
        const all = r.list(3, () => r.word());
        for (const [i, x] of all.entries()) {
          r.check(i < MICRO_ARITY[micro] ? x >= 0 && x < registers : x === -1, `operands of ${micro}`);
        }
        registers++;
        return { micro, operands: all.slice(0, MICRO_ARITY[micro]) };
      });
      r.outputs = r.list(nOut, () => {
        const word = r.word();
        const to = dtypes.get(r.word()) as DType;
        const register = r.word();
        r.check(register >= 0 && register < registers, 'output register');
        return { memory: r.access('write', word, to, 0, product(dims)), register };
      });
    },
    run(on, i) {
      const n = product(i.dims);
      const load = i.dtype === 'float32' ? Math.fround : i.dtype === 'int32' ? (x: number) => x | 0 : (x: number) => x;
      const registers = i.inputs.map((w) => on.readWindow(w).map(load));
      for (const c of i.constants) registers.push(new Float64Array(n).fill(load(c)));
      for (const { micro, operands } of i.micros) {
        const [a, b, c] = operands.map((x) => registers[x]);
        registers.push(Float64Array.from({ length: n }, (_, j) => compute(micro, i.dtype, a[j], b?.[j], c?.[j])));
      }
      for (const { memory, register } of i.outputs) on.write(memory, registers[register]);
    },
  },

  COPY: {
    decode(r) {
      r.dims = r.list(r.size(), () => r.size());
      const [word, offset] = [r.word(), r.word()];
      const strides = r.list(r.dims.length, () => r.word());
      r.inputs = [r.window('read', word, r.dtype, r.dims, offset, strides)];
      r.m.out = r.memory('write', r.dtype, product(r.dims));
    },
    run(on, { m, inputs }) {
      on.write(m.out, on.readWindow(inputs[0]));
    },
  },

  PLACE: {
    decode(r) {
      const dims = r.list(r.size(), () => r.size());
      r.dims = dims;
      r.m.in = r.memory('read', r.dtype, product(dims));
      const word = r.word();
      r.sizes('outElements');
      const offset = r.word();
      const strides = r.list(dims.length, () => r.word());
      r.inputs = [r.window('write', word, r.dtype, dims, offset, strides)];
      const reach = offset + dims.reduce((n, d, i) => n + Math.max(0, d - 1) * Math.max(0, strides[i]), 0);
      r.check(product(dims) === 0 || reach < r.p.outElements, 'region outside the result');
    },
    run(on, { m, inputs: [region] }) {
      const at = offsets(region);
      const values = on.read(m.in, at.length);
      const out = on.view(region, at.length === 0 ? 0 : Math.max(...at) + 1);
      at.forEach((o, j) => {
        out[o] = values[j];
        on.mark(region, o);
      });
    },
  },

  IOTA: {
    decode(r) {
      r.expect('float32', 'float64', 'int32');
      r.sizes('n');
      r.doubles('start', 'step');
      r.m.out = r.memory('write', r.dtype, r.p.n);
    },
    run(on, { p, m }, round) {
      const attrs = { start: p.start, step: p.step };
      on.reference(OPS.iota, { in: [], out: [m.out], attrs, shape: [p.n] }, round);
    },
  },

  CHECK_FINITE: {
    decode(r) {
      r.expect('float32', 'float64');
      r.sizes('n');
      r.m.in = r.memory('read', r.dtype, r.p.n);
      r.m.out = r.memory('write', r.dtype, r.p.n);
    },
    run(on, { p, m }) {
      const x = on.read(m.in, p.n);
      const bad = x.findIndex((v) => !Number.isFinite(v));
      if (bad >= 0) throw new Error(`value ${x[bad]} at ${bad}`);
      on.write(m.out, x);
    },
  },
} satisfies Record<string, Instruction>;

function isDense(dims: readonly number[], strides: readonly number[], offset: number): boolean {
  let expected = 1;
  for (let i = dims.length - 1; i >= 0; i--) {
    if (dims[i] !== 1 && strides[i] !== expected) return false;
    expected *= dims[i];
  }
  return offset === 0;
}
