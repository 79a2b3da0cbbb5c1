import { describe, expect, it } from 'vitest';
import { ShapeError, writeTensor } from '../../src/index.js';

describe('writeTensor', () => {
  it('gives an array of the size, all zeros, and keeps what was written', async () => {
    for (const dtype of ['float32', 'float64', 'int32', 'uint8'] as const) {
      const t = writeTensor([2, 3], dtype, (values) => {
        expect(Array.from(values)).toEqual([0, 0, 0, 0, 0, 0]);
        values.set([1, 2, 3], 3);
      });
      expect([t.shape, t.dtype]).toEqual([[2, 3], dtype]);
      expect(Array.from(await t.data())).toEqual([0, 0, 0, 1, 2, 3]);
      expect(Array.from(await t.add(t).data())).toEqual([0, 0, 0, 2, 4, 6]);
    }
  });
  it('makes 0 and 1 of what is written for bool', async () => {
    const t = writeTensor([3], 'bool', (values) => values.set([0, 7, 1]));
    expect(Array.from(await t.data())).toEqual([0, 1, 1]);
  });
  it('takes scalars and empty tensors, and refuses what is no shape', async () => {
    expect(await writeTensor([], 'float32', (v) => v.fill(4)).item()).toBe(4);
    expect((await writeTensor([0, 5], 'int32', (v) => expect(v.length).toBe(0)).data()).length).toBe(0);
    expect(() => writeTensor([-1], 'float32', () => {})).toThrow(ShapeError);
    expect(() =>
      writeTensor([1], 'float32', () => {
        throw new Error('mine');
      }),
    ).toThrow('mine');
  });
});
