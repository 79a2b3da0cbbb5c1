import { Activation, Micro, NONE, Reduction, Rule } from '../../src/program/opcodes.gen.js';
import { both } from '../program/harness.js';
import { cases } from '../program/models.js';
import { conv, type Geometry, product } from '../runtime/convolution.js';
import * as w from '../runtime/words.js';

const { f32Slot, f64Slot, fused, gemm, i32Slot, INOUT, instruction, READ, slot, WRITE } = w;

/** A convolution and its gradients in one program. */
function convolutions(g: Geometry): Int32Array {
  const x = g.n * product(g.in) * g.c;
  const y = g.n * product(g.out) * g.o;
  const weights = ((g.o * g.c) / g.groups) * product(g.kernel);
  return w.words(
    [...[x, weights, g.o, y].map((n) => f32Slot(n, READ)), ...[y, x, weights].map((n) => f32Slot(n, WRITE))],
    [
      instruction('CONV', 'float32', Activation.RELU, 0, ...g.words, slot(0), slot(1), slot(4), slot(2), NONE),
      instruction(
        'CONV_DATA_GRAD',
        'float32',
        ...[0, Activation.TANH, ...g.words, slot(3), slot(1), slot(5), NONE, slot(0)],
      ),
      instruction('CONV_WEIGHT_GRAD', 'float32', ...g.words, slot(0), slot(3), slot(6)),
    ],
  );
}
/** n c in kernel out stride padLow, then dilation or padHigh. */
const POOL = [1, 2, 1, 3, 6, 1, 2, 2, 1, 1, 4, 1, 2, 2, 0, 1, 1, 1, 2, 1];
const AVERAGE = [1, 2, 1, 3, 6, 1, 1, 2, 1, 3, 3, 1, 1, 2, 0, 0, 0, 0, 0, 1];

/** Valid programs with every instruction between them: what mutations start from. */
const written: readonly Int32Array[] = [
  w.words(
    [f32Slot(24, READ), f32Slot(4, READ), f32Slot(24, WRITE)],
    [
      fused(
        'float32',
        [2, 3, 4],
        [
          { operand: slot(0), strides: [4, 8, 1] },
          { operand: slot(1), strides: [0, 0, 1] },
          { operand: slot(1), offset: 3, strides: [0, 0, -1] },
        ],
        [0.5, 3],
        [
          [Micro.ADD, 0, 1],
          [Micro.EXP, 5],
          [Micro.WHERE, 6, 2, 3],
          [Micro.MUL, 7, 4],
        ],
        [
          { operand: slot(2), register: 8 },
          { operand: 0, dtype: 'int32', register: 6 },
        ],
      ),
      fused('int32', [24], [{ operand: 0, strides: [1] }], [], [[Micro.NEG, 0]], [{ operand: 0, register: 1 }]),
    ],
    8,
  ),
  w.words(
    [f32Slot(24, READ), f32Slot(24, WRITE), f32Slot(60, INOUT)],
    [
      instruction('COPY', 'float32', 3, 2, 3, 4, slot(0), 0, 1, 8, 2, slot(1)),
      instruction('PLACE', 'float32', 2, 4, 6, slot(1), slot(2), 60, 12, 10, 1),
    ],
  ),
  w.words(
    [f32Slot(600, READ), f32Slot(5, WRITE), i32Slot(20, WRITE)],
    [
      instruction('REDUCE', 'float32', Reduction.SUM, 1, 120, 5, slot(0), slot(1)),
      instruction('REDUCE', 'float32', Reduction.ARGMAX, 20, 30, 1, slot(0), slot(2)),
    ],
  ),
  w.words(
    [f32Slot(70, READ), f32Slot(70, READ), f32Slot(7, READ), f32Slot(49, WRITE), f32Slot(7, WRITE)],
    [
      gemm('float32', {
        transB: true,
        activation: Activation.SIGMOID,
        m: 7,
        n: 7,
        k: 10,
        a: slot(0),
        b: slot(1),
        bias: slot(2),
        out: slot(3),
        colsum: slot(4),
      }),
      gemm('float32', {
        batch: 2,
        m: 3,
        n: 2,
        k: 4,
        strideA: 12,
        strideB: 8,
        activationGrad: Activation.TANH,
        a: slot(0),
        b: slot(1),
        out: 0,
        aux: slot(1),
      }),
    ],
    2,
  ),
  w.words(
    [f32Slot(20, READ), f32Slot(20, WRITE), i32Slot(4, READ), f32Slot(4, WRITE)],
    [
      instruction('SOFTMAX', 'float32', 4, 5, slot(0), slot(1)),
      instruction('LOG_SOFTMAX', 'float32', 4, 5, slot(1), 0),
      instruction('SOFTMAX_CE', 'float32', 4, 5, slot(0), slot(2), slot(3), 2),
    ],
    4,
  ),
  w.words(
    [f32Slot(20, READ), i32Slot(6, READ), f32Slot(30, WRITE), f32Slot(20, WRITE)],
    [
      instruction('GATHER', 'float32', 4, 5, 6, slot(0), slot(1), slot(2)),
      instruction('SCATTER_ADD', 'float32', 4, 5, 6, slot(2), slot(1), slot(3)),
    ],
  ),
  w.words(
    [i32Slot(4, READ), f32Slot(33, WRITE), f32Slot(33, INOUT), f64Slot(5, WRITE)],
    [
      instruction('RANDOM', 'float32', 1, 33, ...w.f64(0), ...w.f64(1), 3, slot(0), slot(1)),
      instruction('RANDOM', 'float64', 0, 5, ...w.f64(0), ...w.f64(1), 3, slot(0), slot(3)),
      instruction('DROPOUT', 'float32', 33, ...w.f64(0.25), 4, slot(0), slot(1), 0),
      instruction('CHECK_FINITE', 'float32', 33, slot(2), slot(2)),
    ],
    3,
  ),
  w.words(
    [f64Slot(1, READ), i32Slot(1, INOUT), f32Slot(9, INOUT), f32Slot(9, READ), f32Slot(9, INOUT), f32Slot(9, INOUT)],
    [
      instruction(
        'OPTIM',
        'float32',
        ...w.rule(Rule.SGD, 4, 1, [0.9, 0], [0.01, Number.POSITIVE_INFINITY, 0]),
        ...[slot(0), slot(1), NONE, NONE, 1, 9, slot(2), slot(3), slot(4)],
      ),
      instruction(
        'OPTIM',
        'float32',
        ...w.rule(Rule.ADAM, 2, 3, [0.9, 0.999, 1e-8], [0.01, 1, 0.1]),
        ...[slot(0), slot(1), slot(0), slot(0), 1, 9, slot(2), slot(3), slot(4), slot(5)],
      ),
    ],
  ),
  w.words(
    [...[15, 5, 5].map((n) => f32Slot(n, READ)), ...[15, 3, 3, 15, 5, 5].map((n) => f32Slot(n, WRITE))],
    [
      instruction('LAYER_NORM', 'float32', 3, 5, ...w.f64(1e-5), ...[0, 1, 2, 3, 4, 5].map(slot)),
      instruction('LAYER_NORM_GRAD', 'float32', 3, 5, ...[3, 0, 4, 5, 1, 6, 7, 8].map(slot)),
      instruction('RMS_NORM', 'float32', 3, 5, ...w.f64(1e-5), ...[0, 1, 3, 5].map(slot)),
      instruction('RMS_NORM_GRAD', 'float32', 3, 5, ...[3, 0, 5, 1, 6, 7].map(slot)),
    ],
  ),
  w.words(
    [...[15, 5, 5].map((n) => f32Slot(n, READ)), ...[15, 5, 5, 15, 5, 5].map((n) => f32Slot(n, WRITE))],
    [
      instruction('BATCH_NORM', 'float32', 3, 5, ...w.f64(1e-5), 1, ...[0, 1, 2, 3, 4, 5].map(slot)),
      instruction('BATCH_NORM_GRAD', 'float32', 3, 5, ...w.f64(1e-5), 1, ...[3, 0, 4, 5, 1, 2, 6, 7, 8].map(slot)),
      instruction('SOFTMAX', 'float32', 3, 5, slot(0), slot(3)),
      instruction('SOFTMAX_GRAD', 'float32', 3, 5, slot(0), slot(3), slot(6)),
      instruction('LOG_SOFTMAX_GRAD', 'float32', 3, 5, slot(0), slot(3), slot(6)),
    ],
  ),
  w.words(
    [
      f64Slot(1, READ),
      i32Slot(1, INOUT),
      f32Slot(9, READ),
      ...[9, 9, 9, 9].map((n) => f32Slot(n, INOUT)),
      f64Slot(1, WRITE),
    ],
    [
      instruction('SUM_SQUARES', 'float32', 2, 9, slot(2), 9, slot(3), slot(7)),
      instruction(
        'OPTIM',
        'float32',
        ...w.rule(Rule.RMSPROP, 5, 7, [0.99, 1e-8, 0.9]),
        ...[slot(0), slot(1), NONE, NONE, 1, 9, slot(3), slot(2), slot(4), slot(5), slot(6)],
      ),
      instruction(
        'OPTIM',
        'float32',
        ...w.rule(Rule.NADAM, 0, 3, [0.9, 0.999, 1e-8, 0.9998]),
        ...[slot(0), slot(1), NONE, slot(0), 1, 9, slot(3), slot(2), slot(4), slot(5)],
      ),
    ],
  ),
  w.words(
    [f64Slot(1, READ), i32Slot(1, INOUT), f32Slot(6, READ), ...[6, 6, 6].map((n) => f32Slot(n, INOUT))],
    [
      [Rule.LARS, 0, 1, [0.9, 0.1, 1e-8], [0.1, Number.POSITIVE_INFINITY, 0]],
      [Rule.LAMB, 4, 3, [0.9, 0.999, 1e-6], [0.1, 1, 0.1]],
    ].map((rule) =>
      instruction(
        'OPTIM',
        'float32',
        ...w.rule(...(rule as Parameters<typeof w.rule>)),
        ...[
          slot(0),
          slot(1),
          NONE,
          slot(0),
          1,
          6,
          slot(3),
          slot(2),
          slot(4),
          ...(rule[0] === Rule.LAMB ? [slot(5)] : []),
        ],
      ),
    ),
  ),
  w.words(
    [f64Slot(1, READ), i32Slot(1, INOUT), f32Slot(6, READ), ...[6, 6, 3, 2].map((n) => f32Slot(n, INOUT))],
    [
      instruction(
        'OPTIM',
        'float32',
        ...w.rule(Rule.ADAFACTOR, 2, 3, [-0.8, -1, 1e-3, 1], [0.1, Number.POSITIVE_INFINITY, 0]),
        ...[slot(0), slot(1), slot(0), NONE, 1, 1, 3, 2, slot(3), slot(2), slot(5), slot(6)],
      ),
      instruction(
        'OPTIM',
        'float32',
        ...w.rule(Rule.MUON, 6, 1, [0.95, 1e-7, 3.4, -4.8, 2, 2]),
        ...[slot(0), slot(1), NONE, NONE, 1, 1, 3, 2, slot(3), slot(2), slot(4)],
      ),
    ],
  ),
  w.words(
    [f32Slot(20, READ), f32Slot(12, WRITE), i32Slot(12, WRITE), f64Slot(6, READ), f64Slot(6, WRITE), i32Slot(6, WRITE)],
    [
      instruction('SORT', 'float32', 4, 5, 3, 1, slot(0), slot(1), slot(2)),
      instruction('SORT', 'float64', 1, 6, 6, 0, slot(3), slot(4), slot(5)),
      instruction('SCAN', 'float32', 0, 1, 2, 5, 2, slot(0), NONE, 0),
      instruction('SCAN', 'float64', 2, 0, 1, 6, 1, slot(3), slot(3), 2),
      instruction('SCAN', 'int32', 1, 0, 1, 12, 1, slot(2), NONE, 3),
      instruction('IOTA', 'int32', 6, ...w.f64(-3), ...w.f64(2), slot(5)),
    ],
    4,
  ),
  w.words(
    [f32Slot(24, READ), i32Slot(16, READ), f32Slot(16, WRITE), f32Slot(24, WRITE), f32Slot(24, WRITE)],
    [
      instruction('GATHER_AXIS', 'float32', 2, 3, 4, 2, slot(0), slot(1), slot(2)),
      instruction('SCATTER_AXIS', 'float32', 1, 2, 3, 4, 2, slot(0), slot(2), slot(1), slot(3)),
      instruction('SCATTER_AXIS', 'float32', 0, 2, 3, 4, 2, NONE, slot(2), slot(1), slot(4)),
    ],
  ),
  w.words(
    [f32Slot(18, READ), f32Slot(12, READ), f32Slot(18, WRITE), f32Slot(12, WRITE)],
    [
      instruction('CHOLESKY', 'float32', 2, 3, slot(0), slot(2)),
      instruction('SOLVE', 'float32', 1, 2, 3, 2, slot(0), slot(1), slot(3)),
      instruction('SOLVE_TRIANGULAR', 'float32', 1, 0, 1, 2, 3, 2, slot(0), slot(1), 0),
    ],
    1,
  ),
  convolutions(conv({ n: 2, c: 3, o: 5, in: [1, 4, 3], kernel: [1, 3, 2], pad: [0, 1, 1], stride: [1, 2, 1] })),
  convolutions(conv({ n: 1, c: 4, o: 4, groups: 2, in: [2, 3, 5], kernel: [2, 1, 3], dilation: [1, 1, 2] })),
  convolutions(conv({ n: 1, c: 3, o: 6, groups: 3, in: [1, 4, 4], kernel: [1, 3, 3], pad: [0, 1, 1] })),
  convolutions(conv({ n: 1, c: 18, o: 17, in: [1, 5, 3], kernel: [1, 1, 1], stride: [1, 2, 1] })),
  w.words(
    [
      f32Slot(36, READ),
      { dtype: 'uint8', elements: 8, flags: WRITE },
      ...[8, 36, 8, 18, 36].map((n) => f32Slot(n, WRITE)),
    ],
    [
      instruction('MAX_POOL', 'float32', ...POOL, slot(0), slot(2), slot(1)),
      instruction('MAX_POOL_GRAD', 'float32', ...POOL, slot(2), slot(1), slot(3)),
      instruction('MAX_POOL_TAKE', 'float32', ...POOL, slot(0), slot(1), slot(4)),
      instruction('AVG_POOL', 'float32', ...AVERAGE, 1, 0, slot(0), slot(5)),
      instruction('AVG_POOL_GRAD', 'float32', ...AVERAGE, 0, 3, slot(5), slot(6)),
    ],
  ),
  w.words(
    [...[24, 4, 4].map((n) => f32Slot(n, READ)), ...[24, 4, 4, 24, 4, 4].map((n) => f32Slot(n, WRITE))],
    [
      instruction('GROUP_NORM', 'float32', 2, 3, 2, 2, ...w.f64(1e-5), 1, ...[0, 1, 2, 3, 4, 5].map(slot)),
      instruction(
        'GROUP_NORM_GRAD',
        'float32',
        2,
        3,
        2,
        2,
        ...w.f64(1e-5),
        1,
        ...[3, 0, 4, 5, 1, 2, 6, 7, 8].map(slot),
      ),
    ],
  ),
  // Empty, so its place beyond the arena is nothing to refuse, and no pointer must be made of it.
  w.words([i32Slot(0, WRITE)], [instruction('REDUCE', 'float32', Reduction.ARGMAX, 0, 30, 1, 2, slot(0))]),
];

/** What the compiler makes of small nets, fused and not. */
const compiled = ['logistic-sgd', 'tiny-2-16-1', 'broadcast-reduce-zoo'].flatMap((name) => {
  const programs = both(cases[name]());
  return [programs.fused.words, programs.eager.words];
});

/** Valid programs: what mutations start from. */
export const programs: readonly Int32Array[] = [...written, ...compiled];

/** One program a line, for readers that have no TypeScript: seeds.txt. */
export function seedLines(): string {
  return programs.map((p) => `${p.join(' ')}\n`).join('');
}
