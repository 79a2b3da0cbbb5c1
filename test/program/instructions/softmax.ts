import { OPS } from '../../../src/ops/index.js';
import type { Instruction } from '../machine.js';

/** Of each row the logarithm of the sum of exponentials goes to `value`. */
function forward(value: (x: number, logSumExp: number) => number): Instruction {
  return {
    decode(r) {
      r.expect('float32', 'float64');
      r.sizes('rows', 'cols');
      r.m.in = r.memory('read', r.dtype, r.p.rows * r.p.cols);
      r.m.out = r.memory('write', r.dtype, r.p.rows * r.p.cols);
    },
    run(on, { p, m }, round) {
      on.write(
        m.out,
        rows(on.read(m.in, p.rows * p.cols), p.cols, (x, lse) => round(value(x, lse))),
      );
    },
  };
}

function backward(op: typeof OPS.softmaxGrad | typeof OPS.logSoftmaxGrad): Instruction {
  return {
    decode(r) {
      r.expect('float32', 'float64');
      r.sizes('rows', 'cols');
      r.m.g = r.memory('read', r.dtype, r.p.rows * r.p.cols);
      r.m.in = r.memory('read', r.dtype, r.p.rows * r.p.cols);
      r.m.out = r.memory('write', r.dtype, r.p.rows * r.p.cols);
    },
    run(on, { p, m }, round) {
      const shape = [p.rows, p.cols];
      const given = [m.g, m.in].map((x) => [x, shape] as const);
      on.reference(op, { in: given, out: [m.out] }, round);
    },
  };
}

export const softmax = {
  SOFTMAX: forward((x, lse) => Math.exp(x - lse)),
  LOG_SOFTMAX: forward((x, lse) => x - lse),
  SOFTMAX_GRAD: backward(OPS.softmaxGrad),
  LOG_SOFTMAX_GRAD: backward(OPS.logSoftmaxGrad),

  SOFTMAX_CE: {
    decode(r) {
      const { p, m, dtype } = r;
      r.expect('float32', 'float64');
      r.sizes('rows', 'cols');
      m.in = r.memory('read', dtype, p.rows * p.cols);
      m.labels = r.memory('read', 'int32', p.rows);
      m.loss = r.optional('write', dtype, p.rows);
      m.grad = r.optional('write', dtype, p.rows * p.cols);
    },
    run(on, { p, m }, round) {
      const labels = on.read(m.labels, p.rows);
      const logP = rows(on.read(m.in, p.rows * p.cols), p.cols, (v, lse) => v - lse);
      const bad = labels.findIndex((l) => l < 0 || l >= p.cols);
      if (bad >= 0) throw new Error(`label ${labels[bad]} at ${bad}`);
      const losses = labels.map((l, row) => round(-logP[row * p.cols + l]));
      const isLabel = (j: number) => labels[Math.floor(j / p.cols)] === j % p.cols;
      on.write(m.loss, losses);
      on.write(
        m.grad,
        logP.map((v, j) => round(Math.exp(v) - (isLabel(j) ? 1 : 0))),
      );
    },
  },
} satisfies Record<string, Instruction>;

function rows(x: Float64Array, cols: number, value: (x: number, logSumExp: number) => number): Float64Array {
  return x.map((v, i) => {
    const row = x.subarray(Math.floor(i / cols) * cols, Math.floor(i / cols) * cols + cols);
    const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
    return value(v, top + Math.log(row.reduce((s, b) => s + Math.exp(b - top), 0)));
  });
}
