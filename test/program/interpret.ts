// Executes encoded programs in plain TypeScript: the meaning of opcodes.inc, slow and obvious. Arena memory starts
// undefined, and reading what nobody wrote is an error.
import type { DType } from '../../src/dtype.js';
import { type HostArray, hostView } from '../../src/dtype.js';
import type { OpDef } from '../../src/graph/op.js';
import type { Attrs } from '../../src/graph/tensor.js';
import type { ArrayReference } from '../../src/ops/define.js';
import { OPS } from '../../src/ops/index.js';
import { NUMBERS, RULES, type Rule as RuleOf } from '../../src/ops/optim-rules.js';
import { normals, uniforms } from '../../src/ops/philox.js';
import { DTYPE_BYTES, type MicroName, Rule, SlotFlag } from '../../src/program/opcodes.gen.js';
import { conv, forProducts, product } from '../runtime/convolution.js';
import { type Decoded, type DecodedProgram, decode, type Memory, type Window } from './decode.js';

/** One run. `slots[i]` holds the elements of slot i and is changed in place. Throws when an instruction fails. */
export function interpret(words: Int32Array, slots: readonly HostArray[]): void {
  const program = decode(words);
  slots.forEach((s, i) => {
    if (s.length !== program.slots[i].elements)
      throw new Error(`slot ${i}: ${s.length} of ${program.slots[i].elements} elements`);
  });
  const machine = new Machine(program, slots);
  program.instructions.forEach((instruction, i) => {
    try {
      machine.run(instruction);
    } catch (error) {
      throw new Error(`instruction ${i} (${instruction.opcode}): ${(error as Error).message}`, { cause: error });
    }
  });
}

const ACTIVATIONS: readonly (MicroName | null)[] = [null, 'RELU', 'TANH', 'SIGMOID'];
const GRADIENTS: readonly (MicroName | null)[] = [null, 'RELU_GRAD', 'TANH_GRAD', 'SIGMOID_GRAD'];

/** A sum of products with the epilogue of its instruction. */
function finished(
  { p, dtype }: Decoded,
  sum: number,
  bias: number | null,
  aux: number,
  round: (x: number) => number,
): number {
  let x = bias === null ? sum : round(sum + bias);
  const activation = ACTIVATIONS[p.activation];
  if (activation !== null) x = compute(activation, dtype, x);
  const gradient = GRADIENTS[p.activationGrad];
  return gradient === null ? x : compute(gradient, dtype, x, aux);
}

class Machine {
  private readonly arena: ArrayBuffer;
  /** One byte for each byte of memory: 1 when it was written. */
  private readonly arenaKnown: Uint8Array;
  private readonly slotKnown: Uint8Array[];
  private readonly slots: readonly HostArray[];

  constructor(program: DecodedProgram, slots: readonly HostArray[]) {
    this.slots = slots;
    this.arena = new ArrayBuffer(program.arenaBytes);
    new Uint8Array(this.arena).fill(0xff);
    this.arenaKnown = new Uint8Array(program.arenaBytes);
    this.slotKnown = program.slots.map((s) =>
      new Uint8Array(s.elements * DTYPE_BYTES[s.dtype]).fill((s.flags & SlotFlag.READ) !== 0 ? 1 : 0),
    );
  }

  private view(memory: Memory, n: number): HostArray {
    if (memory.slot < 0) return hostView(memory.dtype, this.arena, memory.start, n);
    return this.slots[memory.slot].subarray(0, n) as HostArray;
  }

  private mark(memory: Memory, element: number): void {
    const width = DTYPE_BYTES[memory.dtype];
    const known = memory.slot < 0 ? this.arenaKnown : this.slotKnown[memory.slot];
    known.fill(1, memory.start + element * width, memory.start + (element + 1) * width);
  }

  private need(memory: Memory, element: number): void {
    const known = memory.slot < 0 ? this.arenaKnown : this.slotKnown[memory.slot];
    if (known[memory.start + element * DTYPE_BYTES[memory.dtype]] !== 1)
      throw new Error(`reads element ${element}, never written`);
  }

  read(memory: Memory | null, n: number): Float64Array {
    if (memory === null) throw new Error('absent operand');
    for (let i = 0; i < n; i++) this.need(memory, i);
    return Float64Array.from(this.view(memory, n));
  }

  readWindow(w: Window): Float64Array {
    const n = w.dims.reduce((a, b) => a * b, 1);
    const at = offsets(w);
    const all = this.view(w, n === 0 ? 0 : Math.max(...at) + 1);
    return Float64Array.from(at, (o) => {
      this.need(w, o);
      return all[o];
    });
  }

  write(memory: Memory | null, values: Float64Array): void {
    if (memory === null) return;
    const out = this.view(memory, values.length);
    values.forEach((x, i) => {
      out[i] = stored(x, memory.dtype);
      this.mark(memory, i);
    });
  }

  run(i: Decoded): void {
    const { p, m } = i;
    const round = i.dtype === 'float32' ? Math.fround : (x: number) => x;
    switch (i.opcode) {
      case 'FUSED':
        this.fused(i);
        break;
      case 'COPY':
        this.write(m.out, this.readWindow(i.inputs[0]));
        break;
      case 'PLACE': {
        const [region] = i.inputs;
        const at = offsets(region);
        const values = this.read(m.in, at.length);
        const out = this.view(region, at.length === 0 ? 0 : Math.max(...at) + 1);
        at.forEach((o, j) => {
          out[o] = values[j];
          this.mark(region, o);
        });
        break;
      }
      case 'REDUCE':
        this.write(m.out, reduce(p.reduction, p, this.read(m.in, p.outer * p.r * p.inner), i.dtype));
        break;
      case 'GEMM':
        this.gemm(i, round);
        break;
      case 'SOFTMAX':
      case 'LOG_SOFTMAX':
        this.write(
          m.out,
          rows(this.read(m.in, p.rows * p.cols), p.cols, (x, lse) =>
            round(i.opcode === 'SOFTMAX' ? Math.exp(x - lse) : x - lse),
          ),
        );
        break;
      case 'SOFTMAX_CE': {
        const x = this.read(m.in, p.rows * p.cols);
        const labels = this.read(m.labels, p.rows);
        const logP = rows(x, p.cols, (v, lse) => v - lse);
        const bad = labels.findIndex((l) => l < 0 || l >= p.cols);
        if (bad >= 0) throw new Error(`label ${labels[bad]} at ${bad}`);
        this.write(
          m.loss,
          labels.map((l, r) => round(-logP[r * p.cols + l])),
        );
        this.write(
          m.grad,
          logP.map((v, j) => round(Math.exp(v) - (labels[Math.floor(j / p.cols)] === j % p.cols ? 1 : 0))),
        );
        break;
      }
      case 'GATHER':
      case 'SCATTER_ADD': {
        const gather = i.opcode === 'GATHER';
        const index = this.read(m.index, p.n);
        const from = this.read(m.in, (gather ? p.tableRows : p.n) * p.row);
        const out = new Float64Array((gather ? p.n : p.tableRows) * p.row);
        index.forEach((at, k) => {
          if (at < 0 || at >= p.tableRows) throw new Error(`index ${at} at ${k}`);
          for (let j = 0; j < p.row; j++) {
            if (gather) out[k * p.row + j] = from[at * p.row + j];
            else out[at * p.row + j] = round(out[at * p.row + j] + from[k * p.row + j]);
          }
        });
        this.write(m.out, out);
        break;
      }
      case 'RANDOM': {
        const u = this.uniforms(i, p.n);
        const [draw] = [this.draw(i)];
        if (p.distribution === 0)
          this.write(
            m.out,
            u.map((x) => round(p.a + (p.b - p.a) * x)),
          );
        else if (p.distribution === 1)
          this.write(
            m.out,
            normals(p.n, draw).map((z) => round(p.a + p.b * z)),
          );
        else
          this.write(
            m.out,
            u.map((x) => Number(x < p.a)),
          );
        break;
      }
      case 'DROPOUT': {
        const u = this.uniforms(i, p.n);
        this.write(
          m.out,
          this.read(m.in, p.n).map((x, j) => (u[j] >= p.p ? round(x * round(1 / (1 - p.p))) : 0)),
        );
        break;
      }
      case 'CHECK_FINITE': {
        const x = this.read(m.in, p.n);
        const bad = x.findIndex((v) => !Number.isFinite(v));
        if (bad >= 0) throw new Error(`value ${x[bad]} at ${bad}`);
        this.write(m.out, x);
        break;
      }
      case 'OPTIM':
        this.optimizer(i, round);
        break;
      case 'SUM_SQUARES': {
        const squares = i.params.map(({ n, m: { g } }) => this.read(g, n).reduce((s, v) => s + v * v, 0));
        this.write(m.out, Float64Array.of(squares.reduce((a, b) => a + b, 0)));
        break;
      }
      case 'SOFTMAX_GRAD':
      case 'LOG_SOFTMAX_GRAD': {
        const shape = [p.rows, p.cols];
        const op = i.opcode === 'SOFTMAX_GRAD' ? OPS.softmaxGrad : OPS.logSoftmaxGrad;
        this.reference(
          op,
          {
            in: [
              [m.g, shape],
              [m.in, shape],
            ],
            out: [m.out],
            eps: 0,
          },
          round,
        );
        break;
      }
      case 'LAYER_NORM':
      case 'BATCH_NORM':
      case 'LAYER_NORM_GRAD':
      case 'BATCH_NORM_GRAD': {
        const shape = [p.rows, p.cols];
        const groups = [i.opcode.startsWith('LAYER') ? p.rows : p.cols];
        const ops = { LAYER_NORM: OPS.layerNorm, BATCH_NORM: OPS.batchNorm };
        const gradOps = { LAYER_NORM_GRAD: OPS.layerNormGrad, BATCH_NORM_GRAD: OPS.batchNormGrad };
        const params = [m.weight, m.bias ?? null].filter((x) => x !== null).map((x) => [x, [p.cols]] as const);
        if (i.opcode === 'LAYER_NORM' || i.opcode === 'BATCH_NORM') {
          const out = [m.y, m.mean, m.spread];
          this.reference(ops[i.opcode], { in: [[m.x, shape], ...params], out, eps: p.eps }, round);
          if (p.relu === 1)
            this.write(
              m.y,
              this.read(m.y, p.rows * p.cols).map((v) => (v > 0 || Number.isNaN(v) ? v : 0)),
            );
        } else if (p.relu === 1) {
          const [g, x] = [m.g, m.x].map((v) => this.read(v, p.rows * p.cols));
          const [mean, variance] = [m.mean, m.spread].map((v) => this.read(v, p.cols));
          const [weight, bias] = [m.weight, m.bias].map((v) => (v === null ? null : this.read(v, p.cols)));
          const masked = g.map((v, at) => {
            const j = at % p.cols;
            const scale = round(round(1 / Math.sqrt(variance[j] + p.eps)) * (weight?.[j] ?? 1));
            return round(round(x[at] - mean[j]) * scale) + (bias?.[j] ?? 0) > 0 ? v : 0;
          });
          const full = [masked, x].map((data) => ({ data, shape }));
          const columns = [mean, variance, ...(weight === null ? [] : [weight])].map((data) => ({
            data,
            shape: groups,
          }));
          const reference = OPS.batchNormGrad.reference as ArrayReference;
          const results = reference([...full, ...columns], { eps: p.eps }, []) as { data: Float64Array }[];
          [m.dx, m.dweight, m.dbias].forEach((out, k) => {
            this.write(out, results[k].data.map(round));
          });
        } else {
          const inputs = [[m.g, shape], [m.x, shape], [m.mean, groups], [m.spread, groups], ...params] as const;
          const out = [m.dx, m.dweight, m.dbias];
          this.reference(gradOps[i.opcode], { in: inputs, out, eps: p.eps ?? 0 }, round);
        }
        break;
      }
      case 'RMS_NORM':
      case 'RMS_NORM_GRAD': {
        const shape = [p.rows, p.cols];
        const weight = m.weight === null ? [] : [[m.weight, [p.cols]] as const];
        if (i.opcode === 'RMS_NORM') {
          this.reference(OPS.rmsNorm, { in: [[m.x, shape], ...weight], out: [m.y, m.spread], eps: p.eps }, round);
        } else {
          const inputs = [[m.g, shape], [m.x, shape], [m.spread, [p.rows]], ...weight] as const;
          this.reference(OPS.rmsNormGrad, { in: inputs, out: [m.dx, m.dweight] }, round);
        }
        break;
      }
      case 'SORT': {
        const shape = [p.rows, p.k];
        const out = [m.values, m.indices];
        const attrs = { k: p.k, descending: p.descending === 1 };
        this.reference(OPS.sort, { in: [[m.in, [p.rows, p.cols]]], out, attrs, shape }, (x) => x);
        break;
      }
      case 'SCAN': {
        const shape = [p.outer, p.r, p.inner];
        const op = [OPS.cumsum, OPS.cumprod, OPS.linearScan][p.kind];
        const factors = m.a === null ? [] : [[m.a, shape] as const];
        const attrs = { axis: 1, reverse: p.reverse === 1 };
        this.reference(op, { in: [[m.in, shape], ...factors], out: [m.out], attrs }, round);
        break;
      }
      case 'GATHER_AXIS': {
        const [shape, chosen] = [p.r, p.k].map((n) => [p.outer, n, p.inner]);
        const io = { in: [[m.in, shape] as const, [m.index, chosen] as const], out: [m.out] };
        this.reference(OPS.gather, { ...io, attrs: { axis: 1 }, shape: chosen }, round);
        break;
      }
      case 'SCATTER_AXIS': {
        const [shape, chosen] = [p.r, p.k].map((n) => [p.outer, n, p.inner]);
        const base = m.base === null ? [] : [[m.base, shape] as const];
        const io = { in: [[m.in, chosen] as const, [m.index, chosen] as const, ...base], out: [m.out] };
        this.reference(OPS.scatter, { ...io, attrs: { axis: 1, mode: p.set ? 'set' : 'add' }, shape }, round);
        break;
      }
      case 'CHOLESKY':
        this.reference(OPS.cholesky, { in: [[m.in, [p.batch, p.n, p.n]]], out: [m.out] }, round);
        break;
      case 'SOLVE':
      case 'SOLVE_TRIANGULAR': {
        const io = {
          in: [[m.a, [p.batch, p.n, p.n]] as const, [m.b, [p.batch, p.n, p.m]] as const],
          out: [m.out],
          attrs: { upper: p.upper === 1, trans: p.trans === 1, unit: p.unit === 1 },
        };
        this.reference(i.opcode === 'SOLVE' ? OPS.solve : OPS.solveTriangular, io, round);
        break;
      }
      case 'IOTA':
        this.reference(
          OPS.iota,
          { in: [], out: [m.out], attrs: { start: p.start, step: p.step }, shape: [p.n] },
          round,
        );
        break;
      case 'GROUP_NORM':
      case 'GROUP_NORM_GRAD':
        this.groupNorm(i, round);
        break;
      case 'MAX_POOL':
      case 'MAX_POOL_GRAD':
      case 'MAX_POOL_TAKE':
      case 'AVG_POOL':
      case 'AVG_POOL_GRAD':
        this.pooling(i, round);
        break;
      case 'CONV':
      case 'CONV_DATA_GRAD':
      case 'CONV_WEIGHT_GRAD':
        this.convolution(i, round);
        break;
      default:
        i.opcode satisfies never;
    }
  }

  private draw(i: Decoded): { key: [number, number]; index: number; dtype: 'float32' | 'float64' } {
    const [low, high, index] = this.read(i.m.rng, 4);
    return { key: [low >>> 0, high >>> 0], index: (index >>> 0) + i.p.offset, dtype: i.dtype as 'float32' };
  }

  private uniforms(i: Decoded, n: number): Float64Array {
    return uniforms(n, this.draw(i));
  }

  /** An instruction whose meaning is the float64 oracle of its op. */
  private reference(
    op: OpDef,
    io: {
      readonly in: readonly (readonly [Memory | null, readonly number[]])[];
      readonly out: readonly (Memory | null)[];
      readonly eps?: number;
      readonly attrs?: Attrs;
      /** Of the outputs, for references that look at it. */
      readonly shape?: readonly number[];
    },
    round: (x: number) => number,
  ): void {
    const inputs = io.in.map(([x, shape]) => ({
      data: this.read(
        x,
        shape.reduce((a, b) => a * b, 1),
      ),
      shape,
    }));
    const outs = io.shape === undefined ? [] : [{ shape: io.shape, dtype: 'float64' as const }];
    const results = (op.reference as ArrayReference)(inputs, io.attrs ?? { eps: io.eps }, outs);
    for (const [k, { data }] of (Array.isArray(results) ? results : [results]).entries()) {
      this.write(io.out[k], data.map(round));
    }
  }

  private fused(i: Decoded): void {
    const n = i.dims.reduce((a, b) => a * b, 1);
    const load = i.dtype === 'float32' ? Math.fround : i.dtype === 'int32' ? (x: number) => x | 0 : (x: number) => x;
    const registers = i.inputs.map((w) => this.readWindow(w).map(load));
    for (const c of i.constants) registers.push(new Float64Array(n).fill(load(c)));
    for (const { micro, operands } of i.micros) {
      const [a, b, c] = operands.map((r) => registers[r]);
      registers.push(Float64Array.from({ length: n }, (_, j) => compute(micro, i.dtype, a[j], b?.[j], c?.[j])));
    }
    for (const { memory, register } of i.outputs) this.write(memory, registers[register]);
  }

  private gemm(i: Decoded, round: (x: number) => number): void {
    const { p, m, dtype } = i;
    const extent = (stride: number, one: number) => (p.batch === 0 || one === 0 ? 0 : (p.batch - 1) * stride + one);
    const a = this.read(m.a, extent(p.strideA, p.m * p.k));
    const b = this.read(m.b, extent(p.strideB, p.k * p.n));
    const bias = m.bias === null ? null : this.read(m.bias, p.n);
    const aux = m.aux === null ? null : this.read(m.aux, p.batch * p.m * p.n);
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
    this.write(m.out, out);
    if (m.colsum !== null) this.write(m.colsum, reduce(1, { outer: 1, r: p.m, inner: p.n }, out, dtype));
  }

  private groupNorm({ opcode, p, m }: Decoded, round: (x: number) => number): void {
    const cols = p.groups * p.width;
    const [shape, statistics] = [
      [p.n, p.positions, cols],
      [p.n, p.groups],
    ];
    const weight = m.weight === null ? [] : [[m.weight, [cols]] as const];
    const bias = m.bias === null || opcode === 'GROUP_NORM_GRAD' ? [] : [[m.bias, [cols]] as const];
    const attrs = { eps: p.eps, groups: p.groups };
    if (p.relu === 1) throw new Error('a folded ReLU is not interpreted');
    if (opcode === 'GROUP_NORM') {
      const out = [m.y, m.mean, m.spread];
      this.reference(OPS.groupNorm, { in: [[m.x, shape], ...weight, ...bias], out, attrs }, round);
    } else {
      const inputs = [[m.g, shape], [m.x, shape], [m.mean, statistics], [m.spread, statistics], ...weight] as const;
      this.reference(OPS.groupNormGrad, { in: inputs, out: [m.y, m.dweight, m.dbias], attrs }, round);
    }
  }

  private pooling({ opcode, p, m }: Decoded, round: (x: number) => number): void {
    const axes = (name: string) => [0, 1, 2].map((a) => p[name + a] ?? 1);
    const [images, windows] = ['in', 'out'].map((name) => [p.n, ...axes(name), p.c]);
    const attrs = {
      ...Object.fromEntries(
        ['in', 'kernel', 'out', 'stride', 'padLow', 'padHigh', 'dilation'].map((k) => [k, axes(k)]),
      ),
      ...{ countIncludePad: p.countIncludePad === 1, divisor: p.divisor },
    };
    const ops = { MAX_POOL: OPS.maxPool, MAX_POOL_GRAD: OPS.maxPoolGrad, MAX_POOL_TAKE: OPS.maxPoolTake };
    const op = { ...ops, AVG_POOL: OPS.avgPool, AVG_POOL_GRAD: OPS.avgPoolGrad }[opcode as keyof typeof ops];
    const [given, shape] = opcode.endsWith('GRAD') ? [windows, images] : [images, windows];
    const first = [m.in, given] as const;
    const inputs = opcode === 'MAX_POOL' || m.index === undefined ? [first] : [first, [m.index, windows] as const];
    this.reference(op, { in: inputs, out: [m.out, m.index ?? null], shape, attrs }, round);
  }

  private convolution(i: Decoded, round: (x: number) => number): void {
    const { p, m } = i;
    const axes = (name: string): number[] => [0, 1, 2].map((a) => p[name + a]);
    const [inside, kernel, out] = [axes('in'), axes('kernel'), axes('out')];
    const { n, c, o, groups } = p;
    const x = n * product(inside) * c;
    const w = ((o * c) / groups) * product(kernel);
    const y = n * product(out) * o;
    const g = conv({
      ...{ n, c, o, groups, in: inside, kernel, out },
      ...{ stride: axes('stride'), pad: axes('pad'), dilation: axes('dilation') },
    });
    const [sizeA, sizeB, size] = { CONV: [x, w, y], CONV_DATA_GRAD: [y, w, x], CONV_WEIGHT_GRAD: [x, y, w] }[
      i.opcode as 'CONV'
    ];
    const [a, b, sums] = [this.read(m.a, sizeA), this.read(m.b, sizeB), new Float64Array(size)];
    forProducts(g, (ix, iw, iy) => {
      const [at, ia, ib] = { CONV: [iy, ix, iw], CONV_DATA_GRAD: [ix, iy, iw], CONV_WEIGHT_GRAD: [iw, ix, iy] }[
        i.opcode as 'CONV'
      ];
      sums[at] = round(sums[at] + round(a[ia] * b[ib]));
    });
    if (i.opcode !== 'CONV_WEIGHT_GRAD') {
      const channels = i.opcode === 'CONV' ? o : c;
      const bias = m.bias === null ? null : this.read(m.bias, channels);
      const aux = m.aux === null ? null : this.read(m.aux, size);
      for (let at = 0; at < size; at++)
        sums[at] = finished(i, sums[at], bias?.[at % channels] ?? null, aux?.[at] ?? 0, round);
    }
    this.write(m.out, sums);
  }

  private optimizer({ p, m, params, constants }: Decoded, round: (x: number) => number): void {
    const [lr] = this.read(m.lr, 1);
    const [step] = this.read(m.step, 1);
    if (m.gate !== null && this.read(m.gate, 1)[0] === 0) return;
    const scale = m.scale === null ? 1 : this.read(m.scale, 1)[0];
    const next = ruleOf(p, constants, lr, step + 1);
    for (const { n, m: memory } of params) {
      const g = this.read(memory.g, n);
      const cells = Object.keys(memory).filter((name) => name !== 'g');
      const values = cells.map((name) => this.read(memory[name], n));
      for (let i = 0; i < n; i++) {
        const [w, ...slots] = values.map((v) => v[i]);
        const clipped = Math.min(Math.max(round(g[i] * round(scale)), -p.clipValue), p.clipValue);
        const d = round((p.flags & 1 ? -clipped : clipped) + p.l1 * Math.sign(w));
        const decoupled = (p.flags & 2) !== 0;
        const kept = decoupled ? round(w * (1 - lr * p.weightDecay)) : w;
        const result = next(kept, decoupled ? d : round(d + p.weightDecay * w), slots);
        for (const [k, x] of result.entries()) values[k][i] = round(x);
      }
      for (const [k, name] of cells.entries()) this.write(memory[name], values[k]);
    }
    this.write(m.step, Float64Array.of(step + 1));
  }
}

/** The rules that the programs of these tests use, from the words of the instruction. */
function ruleOf({ rule, flags, present }: Decoded['p'], o: readonly number[], lr: number, t: number) {
  const use = <A>(r: RuleOf<A>, attrs: A) => {
    const scalars = r.scalars(NUMBERS, attrs, lr, t);
    return (w: number, g: number, slots: readonly number[]) => r.step(NUMBERS, attrs, w, g, slots, scalars);
  };
  if (rule === Rule.SGD && flags < 8) {
    const momentum = present === 0 ? 0 : o[0];
    return use(RULES.sgd, { momentum, dampening: o[1], nesterov: (flags & 4) !== 0, form: 'sum' });
  }
  if (rule === Rule.ADAM && present === 3) {
    const [beta1, beta2, eps] = o;
    const rest = { epsInSqrt: (flags & 4) !== 0, biasCorrection: (flags & 8) === 0, amsgrad: false };
    return use(RULES.adam, { beta1, beta2, eps, ...rest });
  }
  throw new Error(`the interpreter has no rule ${rule} with flags ${flags}`);
}

function offsets({ dims, strides, offset }: Window): number[] {
  let list = [offset];
  dims.forEach((d, i) => {
    list = list.flatMap((o) => Array.from({ length: d }, (_, k) => o + k * strides[i]));
  });
  return list;
}

function stored(x: number, dtype: DType): number {
  switch (dtype) {
    case 'int32':
      return Math.trunc(x) | 0;
    case 'uint8':
      return Math.trunc(x) & 255;
    case 'bool':
      return x !== 0 ? 1 : 0;
    default:
      return x;
  }
}

/** Runs of memory are added from the end, rows from the start: as in native code, the order depends on the layout. */
function reduce(
  reduction: number,
  { outer, r, inner }: Pick<Record<string, number>, 'outer' | 'r' | 'inner'> | Record<string, number>,
  x: Float64Array,
  dtype: DType,
): Float64Array {
  const round = dtype === 'float32' ? Math.fround : dtype === 'int32' ? (v: number) => v | 0 : (v: number) => v;
  const start = [0, 1, -Infinity, Infinity, 0, 0][reduction - 1];
  const bound = dtype === 'int32' ? [0, 1, -(2 ** 31), 2 ** 31 - 1, 0, 0][reduction - 1] : start;
  const out = new Float64Array(outer * inner);
  for (let at = 0; at < out.length; at++) {
    const [o, j] = [Math.floor(at / inner), at % inner];
    const values = Array.from({ length: r }, (_, i) => x[(o * r + i) * inner + j]);
    if (inner === 1 && reduction <= 2) values.reverse();
    if (reduction === 1) out[at] = values.reduce((a, v) => round(a + v), 0);
    else if (reduction === 2)
      out[at] = values.reduce((a, v) => (dtype === 'int32' ? Math.imul(a, v) : round(a * v)), 1);
    else if (reduction === 3) out[at] = values.reduce((a, v) => Math.max(a, v), bound);
    else if (reduction === 4) out[at] = values.reduce((a, v) => Math.min(a, v), bound);
    else {
      const nan = values.findIndex(Number.isNaN);
      out[at] = nan >= 0 ? nan : values.indexOf(reduction === 5 ? Math.max(...values) : Math.min(...values));
    }
  }
  return out;
}

function rows(x: Float64Array, cols: number, value: (x: number, logSumExp: number) => number): Float64Array {
  return x.map((v, i) => {
    const row = x.subarray(Math.floor(i / cols) * cols, Math.floor(i / cols) * cols + cols);
    const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
    return value(v, top + Math.log(row.reduce((s, b) => s + Math.exp(b - top), 0)));
  });
}

/** One micro-operation on one element, rounded to the register type. */
function compute(micro: MicroName, dtype: DType, a: number, b = 0, c = 0): number {
  if (dtype === 'int32') return integer(micro, a, b, c);
  return (dtype === 'float32' ? Math.fround : (x: number) => x)(real(micro, dtype, a, b, c));
}

function integer(micro: MicroName, a: number, b: number, c: number): number {
  if (micro === 'MUL') return Math.imul(a, b);
  if (micro === 'DIV') return b === 0 ? 0 : Math.trunc(a / b) | 0;
  return real(micro, 'int32', a, b, c) | 0;
}

function real(micro: MicroName, dtype: DType, a: number, b: number, c: number): number {
  const f = dtype === 'float32' ? Math.fround : (x: number) => x;
  switch (micro) {
    case 'ADD':
      return a + b;
    case 'SUB':
      return a - b;
    case 'MUL':
      return a * b;
    case 'DIV':
      return a / b;
    case 'MAXIMUM':
      return Math.max(a, b);
    case 'MINIMUM':
      return Math.min(a, b);
    case 'POW':
      return a ** b;
    case 'EQUAL':
      return Number(a === b);
    case 'NOT_EQUAL':
      return Number(a !== b);
    case 'LESS':
      return Number(a < b);
    case 'LESS_EQUAL':
      return Number(a <= b);
    case 'GREATER':
      return Number(a > b);
    case 'GREATER_EQUAL':
      return Number(a >= b);
    case 'AND':
      return Number(a !== 0 && b !== 0);
    case 'OR':
      return Number(a !== 0 || b !== 0);
    case 'NOT':
      return Number(a === 0);
    case 'WHERE':
      return a !== 0 ? b : c;
    case 'NEG':
      return -a;
    case 'ABS':
      return Math.abs(a);
    case 'SIGN':
      return Number.isNaN(a) ? a : a > 0 ? 1 : a < 0 ? -1 : 0;
    case 'FLOOR':
      return Math.floor(a);
    case 'CEIL':
      return Math.ceil(a);
    case 'ROUND': {
      const r = Math.round(a);
      return Math.abs(a % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
    }
    case 'TRUNC':
      return Math.trunc(a);
    case 'SQRT':
      return Math.sqrt(a);
    case 'RSQRT':
      return 1 / f(Math.sqrt(a));
    case 'RECIPROCAL':
      return 1 / a;
    case 'EXP':
      return Math.exp(a);
    case 'EXPM1':
      return Math.expm1(a);
    case 'LOG':
      return Math.log(a);
    case 'LOG1P':
      return Math.log1p(a);
    case 'SIN':
      return Math.sin(a);
    case 'COS':
      return Math.cos(a);
    case 'TAN':
      return Math.tan(a);
    case 'TANH':
      return Math.tanh(a);
    case 'SIGMOID':
      return 1 / (1 + Math.exp(-a));
    case 'ERF':
      return erf(a);
    case 'SOFTPLUS':
      return Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)));
    case 'RELU':
      return Number.isNaN(a) ? a : a > 0 ? a : 0;
    case 'RELU_GRAD':
      return b > 0 ? a : 0;
    case 'TANH_GRAD':
      return a * f(f(1 - b) * f(1 + b));
    case 'SIGMOID_GRAD':
      return a * f(b * f(1 - b));
    case 'CLAMP':
      return Math.min(Math.max(a, b), c);
    case 'INSIDE':
      return Number(b < a && a < c);
    case 'WHERE_POSITIVE':
      return a > 0 ? b : c;
    case 'GELU':
      return f(0.5 * a) * f(1 + f(erf(f(a * f(Math.SQRT1_2)))));
    case 'GELU_GRAD': {
      const t = f(b * f(Math.SQRT1_2));
      const density = f(f(1 / Math.sqrt(2 * Math.PI)) * f(Math.exp(-f(t * t))));
      return a * f(f(0.5 * f(1 + f(erf(t)))) + f(b * density));
    }
    case 'IS_FINITE':
      return Number(Number.isFinite(a));
    case 'IS_NAN':
      return Number(Number.isNaN(a));
    default:
      return micro satisfies never;
  }
}

/** Abramowitz and Stegun 7.1.6. */
function erf(x: number): number {
  if (Math.abs(x) > 6 || Number.isNaN(x)) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
