import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DataError, FormatError, OptionError } from '../../src/core.js';
import { cifar10, cifar100 } from '../../src/datasets/index.js';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'neurite-cifar-'));
});
afterAll(() => rm(root, { recursive: true }));

/** A picture as the files hold it: labels, then planes of red, green and blue. */
const record = (labels: number[], seed: number): Buffer =>
  Buffer.concat([Buffer.from(labels), Buffer.from(Uint8Array.from({ length: 3072 }, (_, i) => (i * 7 + seed) % 256))]);

async function folder(name: string, files: Record<string, Buffer | string>): Promise<string> {
  const dir = join(root, name);
  await mkdir(dir, { recursive: true });
  for (const [file, content] of Object.entries(files)) await writeFile(join(dir, file), content);
  return dir;
}

const TEN = Object.fromEntries([1, 2, 3, 4, 5].map((i) => [`data_batch_${i}.bin`, record([i], i)]));
const small = (more: Record<string, Buffer | string> = {}) => ({
  ...TEN,
  'test_batch.bin': Buffer.concat([record([9], 0), record([0], 1)]),
  ...more,
});

describe('cifar', () => {
  it('reads CIFAR-10 in the order of its files, channels last', async () => {
    const names = `${Array.from({ length: 10 }, (_, i) => `class ${i}`).join('\n')}\n\n`;
    const { train, test, classes, classNames, imageShape } = await cifar10({
      dir: await folder('ten', small({ 'batches.meta.txt': names })),
    });
    expect([train.length, test.length, classes, imageShape]).toEqual([5, 2, 10, [32, 32, 3]]);
    expect([...(await train.y.data()), ...(await test.y.data())]).toEqual([1, 2, 3, 4, 5, 9, 0]);
    expect(classNames?.[3]).toBe('class 3');
    const bytes = await train.x.data();
    // Picture 1, row 2, column 5, blue: position 2·1024 + 2·32 + 5 of the planes.
    expect(bytes[3072 + (2 * 32 + 5) * 3 + 2]).toBe(((2048 + 69) * 7 + 2) % 256);
    for await (const [x] of test.batches({ batchSize: 2 })) {
      expect([x.shape, x.dtype]).toEqual([[2, 32, 32, 3], 'float32']);
      expect((await x.data())[1]).toBe(Math.fround(((1024 * 7) % 256) / 255));
    }
  });

  it('reads CIFAR-100 with fine or coarse labels', async () => {
    const dir = await folder('hundred', { 'train.bin': record([19, 99], 0), 'test.bin': record([3, 42], 0) });
    const label = async (labels: 'fine' | 'coarse') => {
      const { train, classes, classNames } = await cifar100({ dir, labels });
      return [await train.y.item(), classes, classNames];
    };
    expect(await label('fine')).toEqual([99, 100, null]);
    expect(await label('coarse')).toEqual([19, 20, null]);
    process.env['NEURITE_DATA'] = root;
    await mkdir(join(root, 'cifar100'));
    await expect(cifar100()).rejects.toThrow(`NEURITE_DATA=${root} does not have the files`);
    delete process.env['NEURITE_DATA'];
    await expect(cifar100()).rejects.toThrow('NEURITE_DATA is not set; unpack the binary version');
  });

  it.each<[string, Record<string, Buffer | string>, typeof FormatError | typeof DataError, RegExp]>([
    [
      'cut',
      { 'data_batch_3.bin': record([1], 0).subarray(0, 3000) },
      FormatError,
      /data_batch_3\.bin: byte 0: got 3000 bytes, expected a multiple of 3073/,
    ],
    [
      'long',
      { 'test_batch.bin': Buffer.concat([record([1], 0), Buffer.alloc(9)]) },
      FormatError,
      /test_batch\.bin: byte 3073: got 3082/,
    ],
    ['empty', { 'data_batch_1.bin': '' }, FormatError, /got 0 bytes/],
    [
      'label',
      { 'data_batch_2.bin': Buffer.concat([record([1], 0), record([10], 0)]) },
      FormatError,
      /data_batch_2\.bin: byte 3073: label 10, expected a class in \[0, 10\)/,
    ],
    [
      'names',
      { 'batches.meta.txt': 'cat\ndog\n' },
      FormatError,
      /batches\.meta\.txt: got 2 names of classes, expected 10/,
    ],
  ])('says what is wrong: %s', async (name, files, kind, message) => {
    const run = cifar10({ dir: await folder(name, small(files)) });
    await expect(run).rejects.toThrow(message);
    await expect(run).rejects.toThrow(kind);
  });

  it('names missing files and unknown options', async () => {
    await expect(cifar10({ dir: await folder('none', {}) })).rejects.toThrow(
      /does not have data_batch_1\.bin, .*test_batch\.bin/,
    );
    await expect(cifar100({ labels: 'rough' as never })).rejects.toThrow(OptionError);
    await expect(cifar10({ folder: 'x' } as never)).rejects.toThrow('unknown option "folder"');
  });
});
