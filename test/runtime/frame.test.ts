// Frames: a program bound once, run often. What is bound must fit, stay alive and never overlap.
import { describe, expect, it } from 'vitest';
import { Micro } from '../../src/program/opcodes.gen.js';
import { type Memory, type NativeFrame, native } from '../../src/runtime/native.js';
import * as w from './words.js';

const { f32, f32Slot, fused, INOUT, READ, readF32, slot } = w;

/** total += x over n elements: slot 0 is the cell, slot 1 the argument. */
const accumulate = (n: number) =>
  native.load(
    w.words(
      [f32Slot(n, INOUT), f32Slot(n, READ)],
      [
        fused(
          'float32',
          [n],
          [
            { operand: slot(0), strides: [1] },
            { operand: slot(1), strides: [1] },
          ],
          [],
          [[Micro.ADD, 0, 1]],
          [{ operand: slot(0), register: 2 }],
        ),
      ],
    ),
  );

const code = (c: string) => expect.objectContaining({ code: c });

describe('frame', () => {
  it('runs with the fixed buffers and whatever is put into the open slots', () => {
    const total = f32(0, 0, 0);
    const frame = native.frame(accumulate(3), [total, undefined]);
    expect(native.runFrame(frame, [f32(1, 2, 3)])).toBeUndefined();
    expect(native.runFrame(frame, [f32(10, 20, 30)])).toBeUndefined();
    expect(readF32(total, 3)).toEqual([11, 22, 33]);
  });

  it('takes a part of a buffer where one is open', () => {
    const total = f32(0, 0);
    const frame = native.frame(accumulate(2), [total, undefined]);
    const slab = new ArrayBuffer(256);
    const start = native.alignOffset(slab);
    new Float32Array(slab, start + 64, 2).set([5, 6]);
    native.runFrame(frame, [new Uint8Array(slab, start + 64, 8)]);
    expect(readF32(total, 2)).toEqual([5, 6]);
  });

  it('refuses wrong counts, small buffers and shared memory, and runs nothing', () => {
    const program = accumulate(64);
    const total = f32(...Array(64).fill(1));
    expect(() => native.frame(program, [total])).toThrow(code('ERR_NEURITE_BINDING'));
    expect(() => native.frame(program, [f32(1), undefined])).toThrow(/buffer 0 is too small/);
    expect(() => native.frame(program, [total, total])).toThrow(/shares memory/);
    const frame = native.frame(program, [total, undefined]);
    expect(() => native.runFrame(frame, [])).toThrow(/got 0 buffers, expected 1/);
    expect(() => native.runFrame(frame, [f32(1)])).toThrow(/buffer 1 is too small/);
    expect(() => native.runFrame(frame, [total])).toThrow(/buffer 1 shares memory/);
    expect(readF32(total, 64)).toEqual(Array(64).fill(1));
    native.runFrame(frame, [f32(...Array(64).fill(2))]);
    expect(readF32(total, 64)).toEqual(Array(64).fill(3));
  });

  it('refuses what is no frame, no program and no buffer', () => {
    const program = accumulate(1);
    expect(() => native.runFrame(program as unknown as NativeFrame, [])).toThrow(/expected what frame\(\) returned/);
    expect(() => native.frame({} as never, [])).toThrow(/expected what load\(\) returned/);
    expect(() => native.frame(program, [f32(0), 5 as unknown as Memory])).toThrow(
      /buffers\[1\]: expected an ArrayBuffer/,
    );
    const frame = native.frame(program, [f32(0), undefined]);
    expect(() => native.run(frame as never, [f32(0), f32(0)], 1)).toThrow(/expected what load\(\) returned/);
  });

  it('keeps its buffers alive and shows them to nobody who could change them', () => {
    const frame = native.frame(accumulate(1), [f32(0), undefined]) as unknown as { buffers: unknown[] };
    expect(Object.isFrozen(frame.buffers)).toBe(true);
    expect(() => {
      frame.buffers = [];
    }).toThrow(TypeError);
  });
});

describe('denormals', () => {
  it('are flushed in a run and IEEE in JavaScript after it', () => {
    const tiny = new Float64Array([2 ** -1040]);
    const total = f32(0);
    const frame = native.frame(accumulate(1), [total, undefined]);
    native.runFrame(frame, [f32(1e-40)]);
    native.run(accumulate(1), [total, f32(1e-40)], 1);
    expect(readF32(total, 1)).toEqual([0]);
    expect(tiny[0] / 2 + tiny[0] / 4).toBe(3 * 2 ** -1042);
  });
});
