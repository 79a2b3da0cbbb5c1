import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { zeros } from '../../src/index.js';
import { alignedArray, axpy, kernel } from '../../src/kernels/index.js';
import { native } from '../../src/runtime/native.js';

/** Bytes of this process for which huge pages were asked. */
function preferHuge(): number {
  let bytes = 0;
  let size = 0; // of the area whose figures are being read; its flags come last
  for (const line of readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    if (line.startsWith('Size:')) size = 1024 * Number.parseInt(line.slice(5), 10);
    else if (/^VmFlags:.* hg\b/.test(line)) bytes += size;
  }
  return bytes;
}

describe('alignedArray', () => {
  it.each([
    ['float32', Float32Array],
    ['float64', Float64Array],
    ['int32', Int32Array],
    ['uint8', Uint8Array],
    ['bool', Uint8Array],
  ] as const)('gives zeros of %s from a 64-byte boundary on', (dtype, Type) => {
    for (const length of [0, 1, 3, 16, 17, 1000]) {
      const array = alignedArray(length, dtype);
      expect(array).toBeInstanceOf(Type);
      expect(array).toHaveLength(length);
      expect(array.every((v) => v === 0)).toBe(true);
      expect((array.byteOffset - native.alignOffset(array.buffer as ArrayBuffer)) % 64).toBe(0);
    }
  });

  it('is float32 by default and never shares elements', () => {
    const small = [alignedArray(2), alignedArray(2)];
    small[0].fill(1);
    expect([...small[1]]).toEqual([0, 0]);
    axpy({ alpha: 3, x: small[0], y: small[1] });
    expect([...small[1]]).toEqual([3, 3]);
    const add = kernel([{ shape: [2] }, { shape: [2] }], (x, y) => x.add(y));
    const out = alignedArray(2);
    add(small, [out]);
    expect([...out]).toEqual([4, 4]);
  });

  it('refuses lengths that are none', () => {
    expect(() => alignedArray(-1)).toThrow('kernels: length is -1, expected a whole number >= 0');
    expect(() => alignedArray(1.5)).toThrow('length is 1.5');
  });
});

const transparent = existsSync('/sys/kernel/mm/transparent_hugepage/enabled');

describe.skipIf(!transparent)('huge pages', () => {
  it('are asked for by large arrays and tensors, not by small ones', () => {
    const MB = 1 << 20;
    const before = preferHuge();
    const small = alignedArray(MB / 2);
    expect(preferHuge()).toBe(before);
    const array = alignedArray(4 * MB);
    const afterArray = preferHuge();
    expect(afterArray - before).toBeGreaterThanOrEqual(14 * MB);
    const value = zeros([4 * MB]);
    expect(value.dataSync().length + array.length + small.length).toBe(8.5 * MB);
    expect(preferHuge() - afterArray).toBeGreaterThanOrEqual(14 * MB);
  });
});

describe('native.preferHugePages', () => {
  it('takes an ArrayBuffer of any size', () => {
    for (const bytes of [0, 1, 4 << 20]) expect(native.preferHugePages(new ArrayBuffer(bytes))).toBeUndefined();
    expect(() => native.preferHugePages(new Uint8Array(3) as unknown as ArrayBuffer)).toThrow(
      'expected an ArrayBuffer',
    );
  });
});
