import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DataError, data, FormatError, io, OptionError } from '../../src/index.js';

let dir = '';
const at = (name: string) => join(dir, name);
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'neurite-npy-'));
  const x = Float32Array.from({ length: 10 * 6 }, (_, i) => i);
  await io.writeNpy(at('x.npy'), { dtype: 'float32', shape: [10, 2, 3], data: x });
  await io.writeNpy(at('v.npy'), { dtype: 'float64', shape: [10, 2], data: Float64Array.from(x.subarray(0, 20)) });
  await io.writeNpy(at('y.npy'), {
    dtype: 'int32',
    shape: [10],
    data: Int32Array.from({ length: 10 }, (_, i) => i % 3),
  });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

it('reads rows of several files side by side, in blocks of any size, with their dtypes', async () => {
  for (const rows of [1, 3, 10, 99]) {
    const pipeline = await data.openNpy({ x: at('x.npy'), v: at('v.npy'), y: at('y.npy') }, { rows });
    expect(pipeline.length).toBe(10);
    const batches = await pipeline.batch(4).toArray();
    expect(batches.map((b) => (b.x as { shape: unknown }).shape)).toEqual([
      [4, 2, 3],
      [4, 2, 3],
      [2, 2, 3],
    ]);
    const { x, v, y } = batches[2] as unknown as Record<string, import('../../src/index.js').Tensor>;
    expect([x.dtype, v.dtype, y.dtype]).toEqual(['float32', 'float64', 'int32']);
    expect(Array.from(await x.data())).toEqual(Array.from({ length: 12 }, (_, i) => 48 + i));
    expect(Array.from(await v.data())).toEqual([16, 17, 18, 19]);
    expect(Array.from(await y.data())).toEqual([2, 0]);
  }
});

it('continues at any row, in a shuffle too, without reading what is before', async () => {
  const open = async () =>
    (await data.openNpy({ y: at('y.npy'), v: at('v.npy') }, { rows: 3 })).shuffle({ buffer: 4, seed: 2 });
  const all = await (await open()).toArray();
  for (const n of [0, 1, 4, 9, 10]) {
    const walk = (await open()).iterate();
    for (let i = 0; i < n; i++) await walk.next();
    expect(await (await open()).toArray({ state: JSON.parse(JSON.stringify(walk.state())) })).toEqual(all.slice(n));
  }
});

it('refuses what does not fit', async () => {
  await io.writeNpy(at('short.npy'), { dtype: 'int32', shape: [9], data: new Int32Array(9) });
  await io.writeNpy(at('scalar.npy'), { dtype: 'float32', shape: [], data: Float32Array.of(1) });
  await expect(data.openNpy({ x: at('x.npy'), y: at('short.npy') })).rejects.toThrow(
    /short.npy has 9 rows, .*x.npy has 10/,
  );
  await expect(data.openNpy({ x: at('scalar.npy') })).rejects.toThrow(DataError);
  await expect(data.openNpy({})).rejects.toThrow(OptionError);
  await expect(data.openNpy({ x: at('x.npy') }, { rows: 0 })).rejects.toThrow(/rows is 0/);
  await writeFile(at('no.npy'), 'hello');
  await expect(data.openNpy({ x: at('no.npy') })).rejects.toThrow(FormatError);
  const open = await data.openNpy({ y: at('short.npy') });
  await truncate(at('short.npy'), 150); // it shrinks between two looks
  await expect(open.toArray()).rejects.toThrow(FormatError);
});
