// CONV, CONV_DATA_GRAD and CONV_WEIGHT_GRAD below the compiler, against loops over the definition.
import { afterAll, describe, expect, it } from 'vitest';
import { Activation, NONE } from '../../src/program/opcodes.gen.js';
import { native } from '../../src/runtime/native.js';
import { conv, forProducts, type Geometry, product } from './convolution.js';
import * as w from './words.js';
import { f32Slot, instruction, READ, readF32, readF64, slot, WRITE } from './words.js';

const { threads } = native.info();
afterAll(() => native.configure({ threads }));

/** Sums of products and of their absolute values: out[index] += a * b. */
class Sums {
  readonly value: Float64Array;
  readonly scale: Float64Array;
  readonly count: Float64Array;
  constructor(size: number) {
    this.value = new Float64Array(size);
    this.scale = new Float64Array(size);
    this.count = new Float64Array(size);
  }
  add(i: number, term: number): void {
    this.value[i] += term;
    this.scale[i] += Math.abs(term);
    this.count[i]++;
  }
}

const cases: Record<string, Geometry> = {
  'no image': conv({ n: 0, c: 3, o: 4, in: [1, 5, 5], kernel: [1, 3, 3] }),
  'one pixel': conv({ n: 1, c: 1, o: 1, in: [1, 1, 1], kernel: [1, 1, 1] }),
  'no input channel': conv({ n: 2, c: 0, o: 3, in: [1, 3, 3], kernel: [1, 2, 2] }),
  'no output channel': conv({ n: 2, c: 3, o: 0, in: [1, 3, 3], kernel: [1, 2, 2] }),
  'no input pixel': conv({ n: 1, c: 2, o: 3, in: [1, 0, 3], kernel: [1, 1, 1], out: [1, 2, 3] }),
  'same 3x3': conv({ n: 2, c: 5, o: 7, in: [1, 6, 9], kernel: [1, 3, 3], pad: [0, 1, 1] }),
  'first layer': conv({ n: 2, c: 3, o: 33, in: [1, 13, 11], kernel: [1, 7, 7], pad: [0, 3, 3], stride: [1, 2, 2] }),
  'pointwise, strided': conv({ n: 2, c: 17, o: 16, in: [1, 5, 6], kernel: [1, 1, 1], stride: [1, 2, 3] }),
  'stride 3, dilation 2': conv({
    ...{ n: 1, c: 4, o: 3, in: [1, 12, 11], kernel: [1, 3, 2], pad: [0, 2, 1] },
    ...{ stride: [1, 3, 2], dilation: [1, 2, 3] },
  }),
  'kernel wider than the input': conv({ n: 1, c: 2, o: 2, in: [1, 2, 3], kernel: [1, 5, 7], pad: [0, 4, 6] }),
  groups: conv({ n: 2, c: 6, o: 9, groups: 3, in: [1, 5, 5], kernel: [1, 3, 3], pad: [0, 1, 1] }),
  depthwise: conv({ n: 2, c: 19, o: 19, groups: 19, in: [1, 6, 5], kernel: [1, 3, 3], pad: [0, 1, 1] }),
  'depthwise, strided': conv({
    ...{ n: 1, c: 21, o: 21, groups: 21, in: [1, 7, 23], kernel: [1, 5, 5] },
    ...{ pad: [0, 2, 2], stride: [1, 2, 2] },
  }),
  'depthwise, dilated volume': conv({
    ...{ n: 2, c: 5, o: 5, groups: 5, in: [3, 5, 14], kernel: [2, 2, 3] },
    ...{ pad: [1, 1, 4], stride: [1, 3, 2], dilation: [2, 1, 3] },
  }),
  'depthwise, two outputs each': conv({ n: 1, c: 5, o: 10, groups: 5, in: [1, 4, 4], kernel: [1, 2, 2] }),
  volume: conv({ n: 2, c: 3, o: 4, in: [4, 3, 5], kernel: [2, 3, 2], pad: [1, 1, 0], stride: [2, 1, 1] }),
  line: conv({ n: 3, c: 2, o: 5, in: [1, 1, 17], kernel: [1, 1, 4], pad: [0, 0, 3], dilation: [1, 1, 2] }),
  'more output than the input reaches': conv({
    ...{ n: 1, c: 3, o: 2, in: [1, 3, 3], kernel: [1, 2, 2], out: [1, 6, 5], stride: [1, 2, 2] },
  }),
};

describe.each(['float32', 'float64'] as const)('convolutions in %s', (dtype) => {
  const eps = dtype === 'float32' ? 2 ** -24 : 2 ** -53;
  const slotOf = dtype === 'float32' ? f32Slot : w.f64Slot;
  const read = dtype === 'float32' ? readF32 : readF64;
  const fill = (size: number, seed: number): Float32Array | Float64Array =>
    dtype === 'float32'
      ? Float32Array.from({ length: size }, w.random(seed))
      : Float64Array.from({ length: size }, w.random(seed));

  it.each(Object.entries(cases))('%s: values, epilogue and the bits of 1, 2, 3, 5 and 8 threads', (_, g) => {
    const sizes = {
      x: g.n * product(g.in) * g.c,
      w: ((g.o * g.c) / g.groups) * product(g.kernel),
      y: g.n * product(g.out) * g.o,
    };
    const [x, kernel, y] = [fill(sizes.x, 1), fill(sizes.w, 2), fill(sizes.y, 3)];
    const [biasY, biasX] = [fill(g.o, 4), fill(g.c, 5)];
    const given = [sizes.x, sizes.w, sizes.y, g.o, g.c];
    const made = [sizes.y, sizes.x, sizes.w, sizes.y, sizes.x];
    const program = native.load(
      w.words(
        [...given.map((n) => slotOf(n, READ)), ...made.map((n) => slotOf(n, WRITE))],
        [
          instruction('CONV', dtype, 0, 0, ...g.words, slot(0), slot(1), slot(5), NONE, NONE),
          instruction('CONV_DATA_GRAD', dtype, 0, 0, ...g.words, slot(2), slot(1), slot(6), NONE, NONE),
          instruction('CONV_WEIGHT_GRAD', dtype, ...g.words, slot(0), slot(2), slot(7)),
          instruction(
            'CONV',
            dtype,
            ...[Activation.RELU, Activation.SIGMOID, ...g.words, slot(0), slot(1), slot(8), slot(3), slot(2)],
          ),
          instruction(
            'CONV_DATA_GRAD',
            dtype,
            ...[Activation.IDENTITY, Activation.RELU, ...g.words, slot(2), slot(1), slot(9), slot(4), slot(0)],
          ),
        ],
      ),
    );
    const run = (count: number): number[][] => {
      native.configure({ threads: count });
      const outs = made.map((n) => w.buffer(fill(n, 9)));
      native.run(program, [...[x, kernel, y, biasY, biasX].map((v) => w.buffer(v)), ...outs], 1);
      return outs.map((out, i) => read(out, made[i]));
    };

    const want = [new Sums(sizes.y), new Sums(sizes.x), new Sums(sizes.w)];
    forProducts(g, (i, k, j) => {
      want[0].add(j, x[i] * kernel[k]);
      want[1].add(i, y[j] * kernel[k]);
      want[2].add(k, x[i] * y[j]);
    });
    const got = run(1);
    want.forEach(({ value, scale, count }, which) => {
      got[which].forEach((v, i) => {
        // One rounding of each product and each sum; float64 sums are compared with float64 ones.
        const bound = eps * (dtype === 'float32' ? 2 : 4) * count[i] * scale[i];
        expect(Math.abs(v - value[i]), `output ${which}, element ${i}`).toBeLessThanOrEqual(bound);
      });
    });
    // The epilogue has the bits of separate operations, up to those of the products' sum plus bias.
    const round = dtype === 'float32' ? Math.fround : (v: number) => v;
    got[3].forEach((v, i) => {
      const before = Math.max(0, round(got[0][i] + biasY[i % g.o]));
      expect(v).toBeCloseTo(round(before * round(y[i] * round(1 - y[i]))), dtype === 'float32' ? 6 : 12);
    });
    expect(got[4]).toEqual(got[1].map((v, i) => (x[i] > 0 ? round(v + biasX[i % g.c]) : 0)));
    for (const count of [2, 3, 5, 8]) expect(run(count)).toEqual(got);
  });
});

describe('refuses', () => {
  const g = conv({ n: 1, c: 4, o: 6, groups: 2, in: [1, 3, 3], kernel: [1, 2, 2] });
  const load = (words: readonly number[], tail: readonly number[] = [NONE, NONE]) =>
    native.load(
      w.words(
        [36, 48, 24, 24].map((n, i) => f32Slot(n, i < 2 || i === 3 ? READ : WRITE)),
        [instruction('CONV', 'float32', ...words, slot(0), slot(1), slot(2), ...tail)],
      ),
    );
  const changed = (index: number, value: number): number[] => [0, 0, ...g.words.with(index, value)];

  it('what does not fit', () => {
    expect(() => load([0, 0, ...g.words])).not.toThrow();
    for (const [name, words, tail, reason] of [
      ['groups of 0', changed(3, 0), undefined, /groups is 0, expected 1/],
      ['groups that divide no channels', changed(3, 3), undefined, /groups 3 does not divide 4 and 6 channels/],
      ['a kernel of 0', changed(8, 0), undefined, /kernel is 0/],
      ['a stride of 0', changed(14, 0), undefined, /stride is 0/],
      ['a dilation of 0', changed(21, 0), undefined, /dilation is 0/],
      ['negative padding', changed(17, -1), undefined, /pad is -1, expected a size/],
      ['an image beyond its memory', changed(0, 2), undefined, /x covers bytes 0 to 288 of 144 in slot 0/],
      ['sizes that overflow', changed(4, 2147483647).with(7, 2147483647).with(8, 2147483647), undefined, /2\^63/],
      ['an activation', [9, 0, ...g.words], undefined, /activation is 9/],
      ['a gate without aux', [0, 1, ...g.words], undefined, /activationGrad needs aux/],
      ['aux without a gate', [0, 0, ...g.words], [NONE, slot(3)], /aux without activationGrad/],
    ] as const) {
      expect(() => load(words, tail), name).toThrow(reason);
    }
  });
});
