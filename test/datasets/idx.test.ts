import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readIdx } from '../../src/datasets/idx.js';
import { FormatError } from '../../src/errors.js';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'neurite-idx-'));
});
afterAll(() => rm(dir, { recursive: true }));

function header(type: number, dims: readonly number[], rank = dims.length): Buffer {
  const head = Buffer.alloc(4 + 4 * dims.length);
  head[2] = type;
  head[3] = rank;
  dims.forEach((d, i) => {
    head.writeUInt32BE(d, 4 + 4 * i);
  });
  return head;
}

async function file(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, bytes);
  return path;
}

const images = Buffer.concat([header(8, [2, 2, 3]), Buffer.from([0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255])]);

describe('readIdx', () => {
  it('reads bytes, plain and compressed, whatever the name', async () => {
    for (const path of [await file('plain.gz', images), await file('packed', gzipSync(images))]) {
      const { data, shape } = await readIdx(path);
      expect(shape).toEqual([2, 2, 3]);
      expect(data).toBeInstanceOf(Uint8Array);
      expect([...data]).toEqual([0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255]);
    }
  });

  it.each([
    [9, 'int8', Buffer.from([0xff, 0x7f]), Int32Array.of(-1, 127)],
    [11, 'int16', Buffer.from([0xff, 0xfe, 0x01, 0x00]), Int32Array.of(-2, 256)],
    [12, 'int32', Buffer.from([0xff, 0xff, 0xff, 0xfd, 0, 1, 0, 0]), Int32Array.of(-3, 65536)],
    [13, 'float32', Buffer.from([0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0]), Float32Array.of(1, -2.5)],
    [14, 'float64', Buffer.from([0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xc0, 4, 0, 0, 0, 0, 0, 0]), Float64Array.of(1, -2.5)],
  ])('reads element type %i (%s)', async (type, _name, bytes, expected) => {
    const path = await file(`type-${type}`, Buffer.concat([header(type, [2]), bytes]));
    expect(await readIdx(path)).toEqual({ data: expected, shape: [2] });
  });

  it('turns the bytes of every part of a file, also of one above a mebibyte', async () => {
    const n = 2 ** 18 + 3;
    const values = Buffer.alloc(4 * n);
    for (let i = 0; i < n; i++) values.writeInt32BE(i, 4 * i);
    const { data } = await readIdx(await file('large', Buffer.concat([header(12, [n]), values])));
    expect(data.every((v, i) => v === i)).toBe(true);
  });

  it('reads a file without elements', async () => {
    expect(await readIdx(await file('empty', header(8, [0, 28, 28])))).toEqual({
      data: new Uint8Array(0),
      shape: [0, 28, 28],
    });
  });

  it('refuses a file cut off at any byte, plain or inside the gzip', async () => {
    for (let n = 0; n < images.length; n++) {
      const cut = images.subarray(0, n);
      for (const path of [await file('cut', cut), await file('cut.gz', gzipSync(cut))]) {
        await expect(readIdx(path)).rejects.toThrow(FormatError);
        await expect(readIdx(path)).rejects.toThrow(`${path}: byte ${n}: the file is cut off`);
      }
    }
  });

  it('refuses gzip data cut off at any byte, or damaged', async () => {
    const packed = gzipSync(images);
    for (let n = 3; n < packed.length; n++) {
      await expect(readIdx(await file('part.gz', packed.subarray(0, n)))).rejects.toThrow(FormatError);
    }
    const damaged = Buffer.from(packed);
    damaged[packed.length - 6] ^= 0xff; // checksum
    await expect(readIdx(await file('damaged.gz', damaged))).rejects.toThrow(/gzip data is damaged/);
  });

  it('refuses extra bytes', async () => {
    const long = Buffer.concat([images, Buffer.from([9])]);
    await expect(readIdx(await file('long', long))).rejects.toThrow(/byte 28: the file has extra bytes: got 29 bytes/);
    await expect(readIdx(await file('long.gz', gzipSync(long)))).rejects.toThrow(/has extra bytes: got at least 29/);
  });

  it.each([
    ['text', Buffer.from('label,pixel0\n'), /byte 0: got 6c616265, expected 0000/],
    ['element type', header(7, [1]), /byte 2: element type 0x07 is unknown, expected one of 0x08 0x09/],
    ['rank 0', header(8, []), /byte 3: rank 0, expected 1 to 8/],
    ['rank 9', header(8, new Array<number>(9).fill(1)), /byte 3: rank 9/],
    ['a huge header', header(14, [0xffffffff, 0xffffffff]), /byte 4: dimensions \[4294967295,4294967295\] hold more/],
    ['zero times huge', header(8, [0, 0xffffffff, 2]), /byte 4: dimensions/],
    ['a size it does not have', header(8, [60000, 28, 28]), /cut off: got 16 bytes, expected 47040016/],
  ])('refuses %s', async (_name, bytes, message) => {
    await expect(readIdx(await file('bad', bytes))).rejects.toThrow(message);
  });

  it('does not allocate what a small gzip file only claims to hold', async () => {
    const path = await file('claim.gz', gzipSync(header(8, [2_000_000_000])));
    const before = process.memoryUsage().arrayBuffers;
    await expect(readIdx(path)).rejects.toThrow(/more than \d+ compressed bytes can hold/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16e6);
  });

  it('stops inflating a gzip bomb at the size of the header', async () => {
    const path = await file('bomb.gz', gzipSync(Buffer.concat([header(8, [10]), Buffer.alloc(64e6)])));
    const before = process.memoryUsage().arrayBuffers;
    await expect(readIdx(path)).rejects.toThrow(/has extra bytes: got at least/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16e6);
  });

  it('refuses a folder and a missing file', async () => {
    await expect(readIdx(dir)).rejects.toThrow(/regular file|EISDIR/);
    await expect(readIdx(join(dir, 'nowhere'))).rejects.toThrow(/ENOENT/);
  });
});
