import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Activation, Micro, Reduction } from '../../src/program/opcodes.gen.js';
import { native, type QueuedFailure } from '../../src/runtime/native.js';
import * as w from './words.js';

const { f32, f32Slot, fused, gemm, i32, i32Slot, INOUT, instruction, READ, readF32, slot, STEPPED, WRITE } = w;

/** out = x + y over n elements in slots 0, 1, 2. */
const addProgram = (n: number): Int32Array =>
  w.words(
    [f32Slot(n, READ), f32Slot(n, READ), f32Slot(n, WRITE)],
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
        [{ operand: slot(2), register: 2 }],
      ),
    ],
  );

describe('FUSED', () => {
  it('stores a constant, one value for all elements, and a result that is also read later', () => {
    const n = 1300; // more than one block, and a part of one
    const program = native.load(
      w.words(
        [
          f32Slot(1, READ),
          f32Slot(n, READ),
          f32Slot(n, WRITE),
          i32Slot(n, WRITE),
          f32Slot(n, WRITE),
          f32Slot(n, WRITE),
        ],
        [
          fused(
            'float32',
            [n],
            [
              { operand: slot(0), strides: [0] },
              { operand: slot(1), strides: [1] },
            ],
            [2.5],
            [
              [Micro.MUL, 1, 2],
              [Micro.SUB, 0, 3],
              [Micro.MUL, 3, 4],
            ],
            [
              { operand: slot(2), register: 0 },
              { operand: slot(3), dtype: 'int32', register: 2 },
              { operand: slot(4), register: 4 },
              { operand: slot(5), register: 5 },
            ],
          ),
        ],
      ),
    );
    const x = Array.from({ length: n }, (_, i) => i - 600);
    const [same, whole, difference, product] = [0, 1, 2, 3].map(() => f32(...new Float32Array(n)));
    expect(native.run(program, [f32(7), f32(...x), same, whole, difference, product], 1)).toBeUndefined();
    expect(new Set(readF32(same, n))).toEqual(new Set([7]));
    expect(new Set(w.readI32(whole, n))).toEqual(new Set([2]));
    expect(readF32(difference, n)).toEqual(x.map((v) => 7 - 2.5 * v));
    expect(readF32(product, n)).toEqual(x.map((v) => Math.fround(2.5 * v * (7 - 2.5 * v))));
  });
});

describe('scan', () => {
  it('advances stepped slots and stops at the step that fails', () => {
    // total += data[index[k]], result[k] = total
    const program = native.load(
      w.words(
        [f32Slot(3, READ), i32Slot(1, READ | STEPPED), f32Slot(1, INOUT), f32Slot(1, WRITE | STEPPED)],
        [
          instruction('GATHER', 'float32', 3, 1, 1, slot(0), slot(1), 0),
          fused(
            'float32',
            [1],
            [
              { operand: 0, strides: [1] },
              { operand: slot(2), strides: [1] },
            ],
            [],
            [[Micro.ADD, 0, 1]],
            [
              { operand: slot(2), register: 2 },
              { operand: slot(3), register: 2 },
            ],
          ),
        ],
        1,
      ),
    );
    const data = f32(1, 10, 100);
    const [total, results] = [f32(0), f32(0, 0, 0, 0)];
    expect(native.run(program, [data, i32(0, 2, 1, 2), total, results], 4)).toBeUndefined();
    expect(readF32(results, 4)).toEqual([1, 101, 111, 211]);
    expect(readF32(total, 1)).toEqual([211]);

    const [again, partial] = [f32(0), f32(0, 0, 0, 0)];
    const status = native.run(program, [data, i32(0, 1, 3, 0), again, partial], 4);
    expect(status).toMatchObject({ code: 'index', step: 2, position: 0, value: 3 });
    expect(readF32(again, 1)).toEqual([11]);
    expect(readF32(partial, 4)).toEqual([1, 11, 0, 0]);
    expect(() => native.run(program, [data, i32(0, 1), total, results], 100)).toThrow(/too small/);
  });
});

describe('queue', () => {
  it('runs in order, tells of completion once, and skips what depends on a failure', async () => {
    const gather = native.load(
      w.words(
        [f32Slot(2, READ), i32Slot(1, READ), f32Slot(1, WRITE)],
        [instruction('GATHER', 'float32', 2, 1, 1, slot(0), slot(1), slot(2))],
      ),
    );
    const add = native.load(addProgram(1));
    const [good, bad, sum, other] = [f32(0), f32(0), f32(0), f32(0)];
    const data = f32(5, 6);
    const buffers = [
      [data, i32(1), good],
      [data, i32(9), bad],
      [good, bad, sum],
      [sum, good, f32(0)],
      [good, good, other],
    ];
    const failures: QueuedFailure[] = [];
    const finished = new Promise<void>((resolve) => {
      native.onComplete((lastId, failed) => {
        failures.push(...failed);
        if (lastId === 5) resolve();
      });
    });
    native.enqueue(gather, buffers[0], 1, 1, []);
    native.enqueue(gather, buffers[1], 1, 2, []);
    native.enqueue(add, buffers[2], 1, 3, [1, 2]);
    native.enqueue(add, buffers[3], 1, 4, [3]);
    native.enqueue(add, buffers[4], 1, 5, [1]);
    await finished;
    expect(failures.map(({ id, code, cause }) => ({ id, code, cause }))).toEqual([
      { id: 2, code: 'index', cause: undefined },
      { id: 3, code: 'dependency', cause: 2 },
      { id: 4, code: 'dependency', cause: 3 },
    ]);
    expect(readF32(sum, 1)).toEqual([0]);
    expect(readF32(other, 1)).toEqual([12]);
  });

  it('waits to a depth, and a sync run comes after everything queued', () => {
    const add = native.load(addProgram(1));
    const [one, two, result] = [f32(1), f32(0), f32(0)];
    let id = 100;
    const [source, target] = [
      [two, one, result],
      [result, one, two],
    ];
    for (let i = 0; i < 50; i++) {
      native.enqueue(add, source, 1, ++id, []);
      native.enqueue(add, target, 1, ++id, []);
    }
    expect(native.wait(10)).toBeGreaterThanOrEqual(190);
    native.run(add, source, 1);
    expect(readF32(result, 1)).toEqual([101]);
    expect(native.takeCompletions()).toEqual({ lastId: 200, failures: [] });
  });
});

describe('bound buffers', () => {
  const program = native.load(addProgram(4));
  const x = f32(1, 2, 3, 4);
  it('refuses a wrong number, size, type, detached or shared buffers', () => {
    expect(() => native.run(program, [x, x], 1)).toThrow('got 2 buffers, expected 3');
    expect(() => native.run(program, [x, x, new ArrayBuffer(15)], 1)).toThrow(/buffer 2 is too small/);
    expect(() => native.run(program, [x, x, x], 1)).toThrow(/shares memory/);
    const detached = new ArrayBuffer(128);
    structuredClone(detached, { transfer: [detached] });
    expect(() => native.run(program, [x, x, detached], 1)).toThrow(/too small/);
    // @ts-expect-error: not an ArrayBuffer
    expect(() => native.run(program, [x, x, new Float32Array(32)], 1)).toThrow(/expected an ArrayBuffer/);
    // @ts-expect-error: not a program
    expect(() => native.run({}, [x, x, x], 1)).toThrow(/expected what load\(\) returned/);
    for (const steps of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
      expect(() => native.run(program, [x, x, f32(0, 0, 0, 0)], steps)).toThrow(/steps/);
    }
  });

  it('enforces the memory limit', () => {
    const big = native.load(w.words([], [], 1 << 20)); // a 64 MiB arena
    native.trimArena();
    native.configure({ memoryLimit: 1 << 20 });
    try {
      expect(native.run(big, [], 1)).toMatchObject({ code: 'memory', value: 64 << 20 });
      expect(native.arenaBytes()).toBe(0);
    } finally {
      native.configure({ memoryLimit: 2 ** 40 });
    }
    expect(native.run(big, [], 1)).toBeUndefined();
    expect(native.arenaBytes()).toBeGreaterThanOrEqual(64 << 20);
    native.trimArena();
    expect(native.arenaBytes()).toBe(0);
  });

  it.runIf(existsSync('/proc/self/smaps'))('asks for huge pages for a large arena', () => {
    const advised = () =>
      readFileSync('/proc/self/smaps', 'utf8')
        .split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
        .filter((mapping) => /^VmFlags:.* hg\b/m.test(mapping))
        .reduce((sum, mapping) => sum + Number(/^Size: *(\d+) kB/m.exec(mapping)?.[1]), 0);
    native.trimArena();
    const before = advised();
    expect(native.run(native.load(w.words([], [], 1 << 20)), [], 1)).toBeUndefined(); // 64 MiB
    // A kernel without huge pages takes the advice for nothing, and some containers hide the flags.
    const shown = readFileSync('/proc/self/smaps', 'utf8').includes('VmFlags:');
    if (shown && existsSync('/sys/kernel/mm/transparent_hugepage')) {
      expect(advised() - before).toBeGreaterThanOrEqual(64 << 10);
    }
    native.trimArena();
  });
});

describe('bits', () => {
  it('do not depend on the number of threads', () => {
    const [m, n, k] = [300, 200, 100];
    const next = w.random(3);
    const fill = (size: number) => w.buffer(Float32Array.from({ length: size }, next));
    const program = native.load(
      w.words(
        [f32Slot(m * k, READ), f32Slot(k * n, READ), f32Slot(m * n, WRITE), f32Slot(n, WRITE), f32Slot(1, WRITE)],
        [
          gemm('float32', {
            m,
            n,
            k,
            activation: Activation.TANH,
            a: slot(0),
            b: slot(1),
            out: slot(2),
            colsum: slot(3),
          }),
          instruction('REDUCE', 'float32', Reduction.SUM, 1, m * n, 1, slot(2), slot(4)),
        ],
      ),
    );
    const [a, b] = [fill(m * k), fill(k * n)];
    const { threads } = native.info();
    const results = [1, 2, 3, 7, 64].map((count) => {
      native.configure({ threads: count });
      expect(native.info().threads).toBe(count);
      const out = [m * n, n, 1].map((size) => w.buffer(new Float32Array(size)));
      native.run(program, [a, b, ...out], 1);
      return out.map((o) =>
        Buffer.from(new Uint8Array(o, native.alignOffset(o), o.byteLength - 63)).toString('base64'),
      );
    });
    native.configure({ threads });
    for (const result of results) expect(result).toEqual(results[0]);
  });
});
