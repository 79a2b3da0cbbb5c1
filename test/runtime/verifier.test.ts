import { describe, expect, it } from 'vitest';
import { Header, Micro, NONE, Reduction, Rule } from '../../src/program/opcodes.gen.js';
import { native } from '../../src/runtime/native.js';
import * as w from './words.js';

const { f32Slot, fused, gemm, i32Slot, INOUT, instruction, READ, slot, WRITE } = w;

const io = (n: number): w.SlotSpec[] => [f32Slot(n, READ), f32Slot(n, WRITE)];
const dense = (operand: number): w.FusedInput => ({ operand, strides: [1] });
const relu = (n: number, from: number, to: number): readonly number[] =>
  fused('float32', [n], [dense(from)], [], [[Micro.RELU, 0]], [{ operand: to, register: 1 }]);

/** A valid program with one header word changed. */
function header(index: number, value: number): Int32Array {
  const out = w.words(io(4), [relu(4, slot(0), slot(1))]);
  out[index] = value;
  return out;
}

const two31 = 2147483647;

const refused: [rule: string, program: Int32Array, reason: RegExp][] = [
  ['too short for a header', new Int32Array(3), /header/],
  ['magic', header(Header.MAGIC, 7), /magic/],
  ['version', header(Header.VERSION, 2), /version 2/],
  ['length', header(Header.WORDS, 5), /5 words/],
  ['negative slots', header(Header.SLOTS, -1), /slots/],
  ['too many slots', header(Header.SLOTS, two31), /slots/],
  ['negative instructions', header(Header.INSTRUCTIONS, -1), /instructions/],
  ['instruction budget', header(Header.INSTRUCTIONS, 1_000_001), /limit is 1000000/],
  ['missing instruction', header(Header.INSTRUCTIONS, 2), /instruction 1: is cut off/],
  ['words left over', header(Header.INSTRUCTIONS, 0), /follow the last/],
  [
    'k beyond the row',
    w.words(io(4), [instruction('SORT', 'float32', 1, 4, 5, 0, slot(0), slot(1), NONE)]),
    /k is larger/,
  ],
  ['no result', w.words(io(4), [instruction('SORT', 'float32', 1, 4, 4, 0, slot(0), NONE, NONE)]), /neither values/],
  [
    'kind of scan',
    w.words(io(4), [instruction('SCAN', 'float32', 3, 0, 1, 4, 1, slot(0), NONE, slot(1))]),
    /kind is 3/,
  ],
  [
    'sum with a factor',
    w.words(io(4), [instruction('SCAN', 'float32', 0, 0, 1, 4, 1, slot(0), slot(0), slot(1))]),
    /linear kind/,
  ],
  [
    'linear without',
    w.words(io(4), [instruction('SCAN', 'float32', 2, 0, 1, 4, 1, slot(0), NONE, slot(1))]),
    /linear kind/,
  ],
  [
    'linear INT32',
    w.words([i32Slot(4, INOUT)], [instruction('SCAN', 'int32', 2, 0, 1, 4, 1, slot(0), slot(0), slot(0))]),
    /INT32/,
  ],
  [
    'IOTA of a fraction',
    w.words([i32Slot(4, INOUT)], [instruction('IOTA', 'int32', 4, ...w.f64(0.5), ...w.f64(1), slot(0))]),
    /does not fit INT32/,
  ],
  [
    'IOTA of NaN',
    w.words([i32Slot(4, INOUT)], [instruction('IOTA', 'int32', 4, ...w.f64(NaN), ...w.f64(1), slot(0))]),
    /does not fit INT32/,
  ],
  [
    'index beyond its slot',
    w.words(
      [f32Slot(4, READ), i32Slot(2, READ), f32Slot(3, WRITE)],
      [instruction('GATHER_AXIS', 'float32', 1, 4, 1, 3, slot(0), slot(1), slot(2))],
    ),
    /index covers/,
  ],
  [
    'matrices that overflow',
    w.words(io(4), [instruction('SOLVE', 'float32', 0, two31, two31, two31, slot(0), slot(0), slot(1))]),
    /2\^63/,
  ],
  ['a system beyond its slot', w.words(io(4), [instruction('CHOLESKY', 'float32', 2, 2, slot(0), slot(1))]), /covers/],
  ['negative arena', header(Header.ARENA, -1), /arena/],
  ['slot dtype', header(6, 9), /slot 0 has unknown dtype 9/],
  ['slot elements', header(7, -4), /slot 0 has -4 elements/],
  ['slot flags', header(8, 8), /slot 0 has unknown flags/],
  ['opcode', header(12, 99), /unknown opcode 99/],
  ['instruction length 0', header(13, 0), /length 0/],
  ['instruction length too long', header(13, two31), /length 2147483647/],
  ['instruction dtype', header(14, 77), /unknown dtype 77/],
  ['FUSED dtype', header(14, 3), /does not compute in UINT8/],
  ['rank', header(15, 9), /rank is 9/],
  [
    'unknown micro-operation',
    w.words(io(4), [fused('float32', [4], [dense(slot(0))], [], [[999, 0]], [{ operand: slot(1), register: 1 }])]),
    /micro-operation 999/,
  ],
  [
    'register not computed yet',
    w.words(io(4), [
      fused('float32', [4], [dense(slot(0))], [], [[Micro.NEG, 1]], [{ operand: slot(1), register: 1 }]),
    ]),
    /register is 1/,
  ],
  [
    'unused operand given',
    w.words(io(4), [
      fused('float32', [4], [dense(slot(0))], [], [[Micro.NEG, 0, 0]], [{ operand: slot(1), register: 1 }]),
    ]),
    /unused operand/,
  ],
  [
    'output register',
    w.words(io(4), [
      fused('float32', [4], [dense(slot(0))], [], [[Micro.NEG, 0]], [{ operand: slot(1), register: 2 }]),
    ]),
    /output register is 2/,
  ],
  [
    'float micro-operation on INT32',
    w.words(
      [i32Slot(4, INOUT)],
      [fused('int32', [4], [dense(slot(0))], [], [[Micro.EXP, 0]], [{ operand: slot(0), register: 1 }])],
    ),
    /does not exist for INT32/,
  ],
  [
    'INT32 constant',
    w.words([i32Slot(4, INOUT)], [fused('int32', [4], [], [Number.NaN], [], [{ operand: slot(0), register: 0 }])]),
    /does not fit INT32/,
  ],
  ['no outputs', w.words(io(4), [fused('float32', [4], [dense(slot(0))], [], [], [])]), /number of outputs/],
  [
    'too many inputs',
    w.words(io(4), [
      fused('float32', [4], Array(65).fill(dense(slot(0))), [], [], [{ operand: slot(1), register: 0 }]),
    ]),
    /number of inputs is 65/,
  ],
  ['slot index', w.words(io(4), [relu(4, slot(0), slot(2))]), /names slot 2 of 2/],
  ['absent operand', w.words(io(4), [relu(4, slot(0), NONE)]), /absent/],
  ['beyond a slot', w.words(io(4), [relu(5, slot(0), slot(1))]), /covers bytes 0 to 20 of 16 in slot 0/],
  ['beyond the arena', w.words(io(64), [relu(64, slot(0), 1)], 4), /in the arena/],
  [
    'slot dtype disagrees',
    w.words([i32Slot(4, READ), f32Slot(4, WRITE)], [relu(4, slot(0), slot(1))]),
    /FLOAT32 but slot 0 holds INT32/,
  ],
  ['write to a READ slot', w.words(io(4), [relu(4, slot(0), slot(0))]), /READ only/],
  [
    'read of an unwritten WRITE slot',
    w.words([f32Slot(4, WRITE), f32Slot(4, WRITE)], [relu(4, slot(0), slot(1))]),
    /not yet written/,
  ],
  [
    'view before its memory',
    w.words(io(4), [
      fused('float32', [4], [{ operand: slot(0), strides: [-1] }], [], [], [{ operand: slot(1), register: 0 }]),
    ]),
    /starts 3 elements before/,
  ],
  [
    'view beyond its memory',
    w.words(io(4), [
      fused('float32', [2], [{ operand: slot(0), strides: [4] }], [], [], [{ operand: slot(1), register: 0 }]),
    ]),
    /covers/,
  ],
  ['huge reach', w.words(io(4), [instruction('COPY', 'float32', 2, two31, 2, slot(0), 0, two31, 1, slot(1))]), /2\^48/],
  [
    'overflowing dims',
    w.words(io(4), [instruction('COPY', 'float32', 4, 65536, 65536, 65536, 65536, slot(0), 0, 0, 0, 0, 0, slot(1))]),
    /2\^63/,
  ],
  ['partial overlap in the arena', w.words([], [relu(32, 0, 1)], 4), /output overlaps input/],
  [
    'in place over a strided input',
    w.words(
      [f32Slot(4, INOUT)],
      [
        fused(
          'float32',
          [4],
          [{ operand: slot(0), offset: 3, strides: [-1] }],
          [],
          [],
          [{ operand: slot(0), register: 0 }],
        ),
      ],
    ),
    /overlaps/,
  ],
  [
    'in place over a narrower dtype',
    w.words(
      [],
      [fused('float32', [16], [{ operand: 0, dtype: 'uint8', strides: [1] }], [], [], [{ operand: 0, register: 0 }])],
      1,
    ),
    /overlaps/,
  ],
  [
    'two outputs on one range',
    w.words(io(4), [
      fused(
        'float32',
        [4],
        [dense(slot(0))],
        [],
        [],
        [
          { operand: slot(1), register: 0 },
          { operand: slot(1), register: 0 },
        ],
      ),
    ]),
    /output overlaps output/,
  ],
  [
    'GEMM in place',
    w.words([f32Slot(4, INOUT)], [gemm('float32', { m: 2, n: 2, k: 2, a: slot(0), b: slot(0), out: slot(0) })]),
    /out overlaps/,
  ],
  [
    'GEMM sizes that overflow',
    w.words(io(4), [
      gemm('float32', { batch: two31, m: two31, n: two31, k: two31, a: slot(0), b: slot(0), out: slot(1) }),
    ]),
    /2\^63/,
  ],
  [
    'GEMM batch stride',
    w.words(io(8), [gemm('float32', { batch: 2, m: 2, n: 2, k: 2, strideA: 5, a: slot(0), b: slot(0), out: slot(1) })]),
    /a covers/,
  ],
  [
    'GEMM colsum of a batch',
    w.words(
      [f32Slot(8, READ), f32Slot(8, WRITE), f32Slot(2, WRITE)],
      [gemm('float32', { batch: 2, m: 2, n: 2, k: 2, a: slot(0), b: slot(0), out: slot(1), colsum: slot(2) })],
    ),
    /batch = 1/,
  ],
  [
    'GEMM derivative without aux',
    w.words(io(4), [gemm('float32', { m: 2, n: 2, k: 2, activationGrad: 1, a: slot(0), b: slot(0), out: slot(1) })]),
    /needs aux/,
  ],
  [
    'GEMM on INT32',
    w.words(
      [i32Slot(4, READ), i32Slot(4, WRITE)],
      [gemm('int32', { m: 2, n: 2, k: 2, a: slot(0), b: slot(0), out: slot(1) })],
    ),
    /does not compute in INT32/,
  ],
  [
    'ARGMAX with inner',
    w.words(
      [f32Slot(8, READ), i32Slot(4, WRITE)],
      [instruction('REDUCE', 'float32', Reduction.ARGMAX, 2, 2, 2, slot(0), slot(1))],
    ),
    /inner = 1/,
  ],
  [
    'PLACE outside',
    w.words([f32Slot(4, READ), f32Slot(8, INOUT)], [instruction('PLACE', 'float32', 1, 4, slot(0), slot(1), 6, 3, 1)]),
    /leaves out/,
  ],
  [
    'PLACE twice on one element',
    w.words(
      [f32Slot(4, READ), f32Slot(8, INOUT)],
      [instruction('PLACE', 'float32', 2, 2, 2, slot(0), slot(1), 8, 0, 1, 1)],
    ),
    /twice/,
  ],
  [
    'SOFTMAX_CE without outputs',
    w.words(
      [f32Slot(4, READ), i32Slot(2, READ)],
      [instruction('SOFTMAX_CE', 'float32', 2, 2, slot(0), slot(1), NONE, NONE)],
    ),
    /neither/,
  ],
  [
    'dropout probability',
    w.words(
      [f32Slot(4, READ), f32Slot(4, WRITE), i32Slot(4, READ)],
      [instruction('DROPOUT', 'float32', 4, ...w.f64(1.5), 0, slot(2), slot(0), slot(1))],
    ),
    /expected 0 to 1/,
  ],
  [
    'a slot the rule does not have',
    w.words(
      [w.f64Slot(1, READ), i32Slot(1, INOUT), f32Slot(2, INOUT), f32Slot(2, READ)],
      [
        instruction(
          'OPTIM',
          'float32',
          ...w.rule(Rule.SGD, 0, 2, [0.9, 0]),
          slot(0),
          slot(1),
          NONE,
          NONE,
          1,
          2,
          slot(2),
          slot(3),
        ),
      ],
    ),
    /slots 2 are not those of rule 0/,
  ],
  [
    'an unknown rule',
    w.words(
      [w.f64Slot(1, READ), i32Slot(1, INOUT), f32Slot(2, INOUT), f32Slot(2, READ)],
      [instruction('OPTIM', 'float32', ...w.rule(99, 0, 0, []), slot(0), slot(1), NONE, NONE, 1, 2, slot(2), slot(3))],
    ),
    /rule/,
  ],
  [
    'a negative clipValue',
    w.words(
      [w.f64Slot(1, READ), i32Slot(1, INOUT), f32Slot(2, INOUT), f32Slot(2, READ)],
      [
        instruction(
          'OPTIM',
          'float32',
          ...w.rule(Rule.SGD, 0, 0, [0, 0], [0, -1, 0]),
          ...[slot(0), slot(1), NONE, NONE, 1, 2, slot(2), slot(3)],
        ),
      ],
    ),
    /clipValue is -1/,
  ],
  [
    'one parameter twice',
    w.words(
      [w.f64Slot(1, READ), i32Slot(1, INOUT), f32Slot(2, INOUT), f32Slot(2, READ)],
      [
        instruction(
          'OPTIM',
          'float32',
          ...w.rule(Rule.SGD, 0, 0, [0.9, 0]),
          slot(0),
          slot(1),
          NONE,
          NONE,
          2,
          2,
          slot(2),
          slot(3),
          2,
          slot(2),
          slot(3),
        ),
      ],
    ),
    /w overlaps w/,
  ],
  [
    'a fallible instruction after an inout write',
    w.words(
      [f32Slot(4, INOUT), f32Slot(4, WRITE)],
      [relu(4, slot(0), slot(0)), instruction('CHECK_FINITE', 'float32', 4, slot(0), slot(1))],
    ),
    /instruction 1 \(CHECK_FINITE\).*inout/,
  ],
  [
    'trailing words in an instruction',
    w.words(io(4), [instruction('CHECK_FINITE', 'float32', 4, slot(0), slot(1), 0)]),
    /7 words, expected 6/,
  ],
  ['an instruction cut short', w.words(io(4), [instruction('CHECK_FINITE', 'float32', 4, slot(0))]), /ends before out/],
];

describe('verifier', () => {
  it.each(refused)('refuses: %s', (_, program, reason) => {
    let error: (Error & { code?: string }) | undefined;
    try {
      native.load(program);
    } catch (caught) {
      error = caught as Error;
    }
    expect(error?.message).toMatch(reason);
    expect(error?.code).toBe('ERR_NEURITE_PROGRAM');
  });

  it('takes the valid neighbours of what it refuses', () => {
    native.load(w.words(io(4), [relu(4, slot(0), slot(1))]));
    native.load(w.words([], [relu(32, 0, 0)], 2));
    native.load(w.words([], [relu(32, 0, 2)], 4));
    native.load(
      w.words(
        [f32Slot(4, WRITE), f32Slot(4, WRITE), f32Slot(4, READ)],
        [relu(4, slot(2), slot(0)), relu(4, slot(0), slot(1))],
      ),
    );
    native.load(
      w.words(
        [f32Slot(4, INOUT)],
        [instruction('CHECK_FINITE', 'float32', 4, slot(0), slot(0)), relu(4, slot(0), slot(0))],
      ),
    );
    native.load(
      w.words(
        [f32Slot(0, READ), f32Slot(0, WRITE)],
        [instruction('COPY', 'float32', 2, 0, two31, slot(0), 5, 1, 1, slot(1))],
      ),
    );
  });

  it('takes only an Int32Array', () => {
    for (const bad of [new Float32Array(8), [1, 2], null, undefined, new ArrayBuffer(64)]) {
      // @ts-expect-error: wrong on purpose
      expect(() => native.load(bad)).toThrow(/Int32Array/);
    }
  });
});
