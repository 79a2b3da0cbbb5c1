import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ImageFolderOptions, imageFolder } from '../../src/datasets/index.js';
import { DataError, fit, nn, OptionError } from '../../src/index.js';
import { encodePng } from '../../src/plot/png.js';

// Through a variable: its types are not needed. Where it cannot be installed, the message that says so is what is tested.
const PEER = 'sharp';
const sharp = await import(PEER).then(
  (m) => m.default,
  () => null,
);
let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'neurite-folder-'));
});
afterAll(() => rm(root, { recursive: true }));
afterEach(() => {
  vi.restoreAllMocks();
});

async function put(path: string, content: Uint8Array | string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

/** A PNG whose left half has one colour and its right half another. */
const halves = (left: number[], right: number[], height = 4, width = 8): Buffer => {
  const pixels = new Uint8Array(height * width * 3);
  for (let i = 0; i < height * width; i++) pixels.set(i % width < width / 2 ? left : right, i * 3);
  return encodePng(pixels, width, height, 3);
};

async function small(name: string): Promise<string> {
  await put(`${name}/red/2.PNG`, halves([200, 0, 0], [200, 0, 0]));
  await put(`${name}/red/deep/1.png`, halves([100, 0, 0], [100, 0, 0]));
  await put(`${name}/red/notes.txt`, 'no picture');
  await put(`${name}/blue/a.png`, halves([0, 0, 250], [0, 0, 50]));
  await put(`${name}/.cache/x.png`, 'hidden');
  return join(root, name);
}

describe('imageFolder', () => {
  it('finds classes and files by name, to any depth, without decoding', async () => {
    const dir = await small('names');
    await symlink(join(dir, 'red'), join(dir, 'rot'), 'junction');
    const folder = await imageFolder(dir, { size: 4 });
    expect(folder.classes).toEqual(['blue', 'red', 'rot']);
    expect([...folder.labels]).toEqual([0, 1, 1, 2, 2]);
    expect(folder.files.map((f) => f.slice(dir.length + 1))).toEqual([
      'blue/a.png',
      'red/2.PNG',
      'red/deep/1.png',
      'rot/2.PNG',
      'rot/deep/1.png',
    ]);
    const [a, b] = folder.split(0.6, { seed: 1 });
    expect([a.length, b.length, [...a.files, ...b.files].sort()]).toEqual([3, 2, folder.files.sort()]);
    expect(b.classes).toBe(folder.classes);
  });

  it('decodes to bytes in memory, or float32 in a pipeline, of one size', async () => {
    const folder = await imageFolder(await small('pixels'), { size: [2, 4], resize: 'fill' });
    if (sharp === null) return expect(folder.dataset()).rejects.toThrow(/npm install sharp/);
    const set = await folder.dataset();
    expect([set.x.shape, set.x.dtype, [...(await set.y.data())]]).toEqual([[3, 2, 4, 3], 'uint8', [0, 1, 1]]);
    const bytes = await set.x.data();
    // The filter of the resizing overshoots by 3 beside the edge.
    const ends = [...bytes.subarray(0, 3), ...bytes.subarray(9, 12), ...bytes.subarray(24, 27)];
    for (const [i, v] of [0, 0, 250, 0, 0, 50, 200, 0, 0].entries()) expect(Math.abs(ends[i] - v)).toBeLessThan(6);
    const [{ x, y }] = await folder
      .pipeline()
      .batch(3, { dtypes: { y: 'int32' } })
      .toArray();
    expect([x.shape, x.dtype, y.dtype]).toEqual([[3, 2, 4, 3], 'float32', 'int32']);
    expect([...(await x.data())]).toEqual(Array.from(bytes, (v) => Math.fround(v / 255)));
    const grey = await imageFolder(folder.dir, { size: [2, 4], channels: 1, resize: 'fill' });
    expect((await grey.dataset()).x.shape).toEqual([3, 2, 4, 1]);
  });

  it('reads JPEG and WebP, crops or pads other forms, and trains from the pipeline', async () => {
    const dir = join(root, 'forms');
    if (sharp !== null) {
      const png = halves([240, 240, 240], [20, 20, 20], 8, 16);
      await put('forms/a/1.jpg', await sharp(png).jpeg({ quality: 100 }).toBuffer());
      await put('forms/b/1.webp', await sharp(png).webp({ lossless: true }).toBuffer());
    } else for (const file of ['forms/a/1.jpg', 'forms/b/1.webp']) await put(file, 'nothing decodes it');
    const folder = await imageFolder(dir, { size: 8, channels: 1, resize: 'contain' });
    if (sharp === null) return expect(folder.dataset()).rejects.toThrow(/npm install sharp/);
    const data = await (await folder.dataset()).x.data();
    for (const picture of [data.subarray(0, 64), data.subarray(64)]) {
      expect(picture[0]).toBeLessThan(8); // padded with black above
      expect(picture[4 * 8]).toBeGreaterThan(230);
      expect(Math.abs(picture[4 * 8 + 7] - 20)).toBeLessThan(8); // JPEG rounds
    }
    const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(64, 2));
    const batches = folder.pipeline({ shuffle: true, seed: 1 }).batch(2, { dtypes: { y: 'int32' } });
    const history = await fit(model, batches, {
      loss: 'crossEntropy',
      optimizer: 'adam',
      epochs: 2,
    });
    expect(history.samples).toBe(4);
  });

  it('names a broken file, or skips it with a warning', async () => {
    const dir = await small('broken');
    await put('broken/red/3.png', halves([1, 1, 1], [2, 2, 2]).subarray(0, 60));
    const strict = await imageFolder(dir, { size: 4 });
    if (sharp === null) return expect(strict.dataset()).rejects.toThrow(/npm install sharp/);
    await expect(strict.dataset()).rejects.toThrow(/red.3\.png cannot be read as a picture/);
    await expect(strict.pipeline().toArray()).rejects.toThrow(DataError);
    const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const lenient = await imageFolder(dir, { size: 4, broken: 'skip' });
    expect((await lenient.dataset()).length).toBe(3);
    expect(await lenient.pipeline().toArray()).toHaveLength(3);
    expect(lenient.skipped).toEqual([join(dir, 'red', '3.png')]);
    expect(warnings).toHaveBeenCalledTimes(1);
  });

  it('refuses folders and options it cannot use', async () => {
    const dir = await small('bad');
    const bad = async (options: object, message: string): Promise<void> => {
      const run = imageFolder(dir, options as ImageFolderOptions);
      await expect(run).rejects.toThrow(message);
      await expect(run).rejects.toThrow(OptionError);
    };
    await bad({}, 'size is missing');
    await bad({ size: 0 }, 'size is 0, expected a whole number in [1, 16384]');
    await bad({ size: 4, channels: 4 }, 'channels is 4, expected 1 (grey) or 3 (colour)');
    await bad({ size: 4, resize: 'crop' }, "resize is crop, expected 'cover'");
    await bad({ size: 4, broken: 'ignore' }, "broken is ignore, expected 'throw' or 'skip'");
    await bad({ size: 4, sise: 1 }, 'Did you mean "size"?');
    await mkdir(join(dir, 'green'));
    await expect(imageFolder(dir, { size: 4 })).rejects.toThrow(/green has no pictures .*allowEmpty: true/);
    expect((await imageFolder(dir, { size: 4, allowEmpty: true })).classes).toEqual(['blue', 'green', 'red']);
    await expect(imageFolder(join(dir, 'blue'), { size: 4 })).rejects.toThrow(
      'has no folders, expected one for each class',
    );
    await expect(imageFolder(join(dir, 'none'), { size: 4 })).rejects.toThrow('cannot be read: ENOENT');
    const folder = await imageFolder(dir, { size: 4, allowEmpty: true });
    expect(() => folder.split(1)).toThrow('leaves no part empty');
    expect(() => folder.pipeline({ concurrency: 0 })).toThrow('concurrency is 0');
  });
});
