import type { ArrayReference } from '../../../src/ops/define.js';
import { OPS } from '../../../src/ops/index.js';
import type { Instruction, Machine, Round } from '../machine.js';
import type { Decoded, Memory, Reader } from '../words.js';

/** x, the parameters, y and the statistics of a normalisation of [rows, cols] by rows or by columns. */
function readForward(r: Reader, of: 'rows' | 'cols'): void {
  const { p, m, dtype } = r;
  r.expect('float32', 'float64');
  r.sizes('rows', 'cols');
  r.doubles('eps');
  if (of === 'cols') r.sizes('relu');
  m.x = r.memory('read', dtype, p.rows * p.cols);
  m.weight = r.optional('read', dtype, p.cols);
  m.bias = r.optional('read', dtype, p.cols);
  m.y = r.optional('write', dtype, p.rows * p.cols);
  r.check(of === 'rows' || p.rows > 0, 'statistics of nothing');
  for (const name of ['mean', 'spread'])
    m[name] = of === 'rows' ? r.optional('write', dtype, p.rows) : r.memory('write', dtype, p.cols);
}

function readBackward(r: Reader, of: 'rows' | 'cols'): void {
  const { p, m, dtype } = r;
  r.expect('float32', 'float64');
  r.sizes('rows', 'cols');
  if (of === 'cols') r.doubles('eps');
  if (of === 'cols') r.sizes('relu');
  m.g = r.memory('read', dtype, p.rows * p.cols);
  m.x = r.memory('read', dtype, p.rows * p.cols);
  m.mean = r.memory('read', dtype, p[of]);
  m.spread = r.memory('read', dtype, p[of]);
  m.weight = r.optional('read', dtype, p.cols);
  m.bias = of === 'cols' ? r.optional('read', dtype, p.cols) : null;
  m.dx = r.optional('write', dtype, p.rows * p.cols);
  m.dweight = r.optional('write', dtype, p.cols);
  m.dbias = r.optional('write', dtype, p.cols);
}

/** Those of the parameters that are there, each of `cols` elements. */
const given = (cols: number, ...params: (Memory | null)[]) =>
  params.filter((x) => x !== null).map((x) => [x, [cols]] as const);

/** The gradient of batch norm with ReLU: g counts where the normalised x is positive. */
function reluGrad(on: Machine, { p, m }: Decoded, round: Round): void {
  const [g, x] = [m.g, m.x].map((v) => on.read(v, p.rows * p.cols));
  const [mean, variance] = [m.mean, m.spread].map((v) => on.read(v, p.cols));
  const [weight, bias] = [m.weight, m.bias].map((v) => (v === null ? null : on.read(v, p.cols)));
  const masked = g.map((v, at) => {
    const j = at % p.cols;
    const scale = round(round(1 / Math.sqrt(variance[j] + p.eps)) * (weight?.[j] ?? 1));
    return round(round(x[at] - mean[j]) * scale) + (bias?.[j] ?? 0) > 0 ? v : 0;
  });
  const full = [masked, x].map((data) => ({ data, shape: [p.rows, p.cols] }));
  const columns = [mean, variance, ...(weight === null ? [] : [weight])].map((data) => ({ data, shape: [p.cols] }));
  const reference = OPS.batchNormGrad.reference as ArrayReference;
  const results = reference([...full, ...columns], { eps: p.eps }, []) as { data: Float64Array }[];
  for (const [k, out] of [m.dx, m.dweight, m.dbias].entries()) on.write(out, results[k].data.map(round));
}

function group(backward: boolean): Instruction {
  return {
    decode(r) {
      const { p, m, dtype } = r;
      r.expect('float32', 'float64');
      r.sizes('n', 'positions', 'groups', 'width');
      r.doubles('eps');
      r.sizes('relu');
      const cols = p.groups * p.width;
      r.check(p.positions * cols > 0, 'statistics of nothing');
      const all = p.n * p.positions * cols;
      if (backward) m.g = r.memory('read', dtype, all);
      m.x = r.memory('read', dtype, all);
      for (const name of backward ? ['mean', 'spread'] : []) m[name] = r.memory('read', dtype, p.n * p.groups);
      m.weight = r.optional('read', dtype, cols);
      m.bias = r.optional('read', dtype, cols);
      m.y = r.optional('write', dtype, all);
      for (const name of backward ? ['dweight', 'dbias'] : ['mean', 'spread'])
        m[name] = r.optional('write', dtype, backward ? cols : p.n * p.groups);
    },
    run(on, { p, m }, round) {
      if (p.relu === 1) throw new Error('a folded ReLU is not interpreted');
      const cols = p.groups * p.width;
      const [shape, statistics] = [
        [p.n, p.positions, cols],
        [p.n, p.groups],
      ];
      const attrs = { eps: p.eps, groups: p.groups };
      if (backward) {
        const inputs = [
          [m.g, shape],
          [m.x, shape],
          [m.mean, statistics],
          [m.spread, statistics],
        ] as const;
        const io = { in: [...inputs, ...given(cols, m.weight)], out: [m.y, m.dweight, m.dbias], attrs };
        on.reference(OPS.groupNormGrad, io, round);
      } else {
        const io = {
          in: [[m.x, shape] as const, ...given(cols, m.weight, m.bias)],
          out: [m.y, m.mean, m.spread],
          attrs,
        };
        on.reference(OPS.groupNorm, io, round);
      }
    },
  };
}

export const norm = {
  LAYER_NORM: {
    decode: (r) => readForward(r, 'rows'),
    run(on, { p, m }, round) {
      const inputs = [[m.x, [p.rows, p.cols]] as const, ...given(p.cols, m.weight, m.bias)];
      on.reference(OPS.layerNorm, { in: inputs, out: [m.y, m.mean, m.spread], attrs: { eps: p.eps } }, round);
    },
  },
  LAYER_NORM_GRAD: {
    decode: (r) => readBackward(r, 'rows'),
    run(on, { p, m }, round) {
      const [full, rows] = [[p.rows, p.cols], [p.rows]];
      const inputs = [
        [m.g, full],
        [m.x, full],
        [m.mean, rows],
        [m.spread, rows],
      ] as const;
      const io = { in: [...inputs, ...given(p.cols, m.weight)], out: [m.dx, m.dweight, m.dbias], attrs: {} };
      on.reference(OPS.layerNormGrad, io, round);
    },
  },
  BATCH_NORM: {
    decode: (r) => readForward(r, 'cols'),
    run(on, { p, m }, round) {
      const inputs = [[m.x, [p.rows, p.cols]] as const, ...given(p.cols, m.weight, m.bias)];
      on.reference(OPS.batchNorm, { in: inputs, out: [m.y, m.mean, m.spread], attrs: { eps: p.eps } }, round);
      if (p.relu === 1) {
        const y = on.read(m.y, p.rows * p.cols);
        on.write(
          m.y,
          y.map((v) => (v > 0 || Number.isNaN(v) ? v : 0)),
        );
      }
    },
  },
  BATCH_NORM_GRAD: {
    decode: (r) => readBackward(r, 'cols'),
    run(on, i, round) {
      const { p, m } = i;
      if (p.relu === 1) return reluGrad(on, i, round);
      const [full, cols] = [[p.rows, p.cols], [p.cols]];
      const inputs = [
        [m.g, full],
        [m.x, full],
        [m.mean, cols],
        [m.spread, cols],
      ] as const;
      const io = { in: [...inputs, ...given(p.cols, m.weight, m.bias)], out: [m.dx, m.dweight, m.dbias] };
      on.reference(OPS.batchNormGrad, { ...io, attrs: { eps: p.eps } }, round);
    },
  },
  RMS_NORM: {
    decode(r) {
      const { p, m, dtype } = r;
      r.expect('float32', 'float64');
      r.sizes('rows', 'cols');
      r.doubles('eps');
      m.x = r.memory('read', dtype, p.rows * p.cols);
      m.weight = r.optional('read', dtype, p.cols);
      m.y = r.optional('write', dtype, p.rows * p.cols);
      m.spread = r.optional('write', dtype, p.rows);
    },
    run(on, { p, m }, round) {
      const inputs = [[m.x, [p.rows, p.cols]] as const, ...given(p.cols, m.weight)];
      on.reference(OPS.rmsNorm, { in: inputs, out: [m.y, m.spread], attrs: { eps: p.eps } }, round);
    },
  },
  RMS_NORM_GRAD: {
    decode(r) {
      const { p, m, dtype } = r;
      r.expect('float32', 'float64');
      r.sizes('rows', 'cols');
      m.g = r.memory('read', dtype, p.rows * p.cols);
      m.x = r.memory('read', dtype, p.rows * p.cols);
      m.spread = r.memory('read', dtype, p.rows);
      m.weight = r.optional('read', dtype, p.cols);
      m.dx = r.optional('write', dtype, p.rows * p.cols);
      m.dweight = r.optional('write', dtype, p.cols);
    },
    run(on, { p, m }, round) {
      const inputs = [
        [m.g, [p.rows, p.cols]],
        [m.x, [p.rows, p.cols]],
        [m.spread, [p.rows]],
      ] as const;
      const io = { in: [...inputs, ...given(p.cols, m.weight)], out: [m.dx, m.dweight], attrs: {} };
      on.reference(OPS.rmsNormGrad, io, round);
    },
  },
  GROUP_NORM: group(false),
  GROUP_NORM_GRAD: group(true),
} satisfies Record<string, Instruction>;
