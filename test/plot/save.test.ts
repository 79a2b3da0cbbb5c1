import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { NeuriteError, OptionError } from '../../src/errors.js';
import { lines, save, toPng } from '../../src/plot/index.js';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'neurite-plot-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));
beforeEach(() => {
  vi.doUnmock('@resvg/resvg-js');
  vi.resetModules();
});

const svg = lines({ loss: [3, 2, 1] });

describe('save', () => {
  it('writes SVG as it is', async () => {
    const file = join(dir, 'loss.svg');
    await save(svg, file);
    expect(await readFile(file, 'utf8')).toBe(svg);
    expect(await readdir(dir)).toEqual(['loss.svg']);
  });

  it('draws a PNG with the package when it is there, and says what to install when it is not', async () => {
    const file = join(dir, 'real.png');
    const there = await import('@resvg/resvg-js' as string).then(
      () => true,
      () => false,
    );
    const saved = save(lines({ loss: [3, 2, 1] }, { width: 300, height: 200 }), file, { background: 'white' });
    if (!there) return expect(saved).rejects.toThrow(/npm install @resvg/);
    await saved;
    const png = await readFile(file);
    expect(png.subarray(0, 8).toString('hex')).toBe('89504e470d0a1a0a');
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([600, 400]);
  });

  it('hands PNG to the optional package', async () => {
    const seen: unknown[] = [];
    class Resvg {
      constructor(...args: unknown[]) {
        seen.push(args);
      }
      render() {
        return { asPng: () => Uint8Array.of(1, 2, 3) };
      }
    }
    vi.doMock('@resvg/resvg-js', () => ({ Resvg }));
    const file = join(dir, 'loss.PNG');
    await save(svg, file, { scale: 3, background: 'white' });
    expect([...(await readFile(file))]).toEqual([1, 2, 3]);
    expect(seen[0]).toMatchObject([svg, { fitTo: { mode: 'zoom', value: 3 }, background: 'white' }]);
  });

  it('says what to install when that is missing', async () => {
    vi.doMock('@resvg/resvg-js', () => {
      throw new Error('Cannot find package');
    });
    await expect(toPng(svg)).rejects.toThrow(/npm install @resvg\/resvg-js/);
    await expect(save(svg, join(dir, 'a.png'))).rejects.toMatchObject({ code: 'ERR_DEVICE' });
  });

  it.each<[string, () => Promise<unknown>, new (...args: never[]) => Error, RegExp]>([
    ['another ending', () => save(svg, join(dir, 'a.pdf')), OptionError, /ends in .svg or .png/],
    ['options that SVG has no use for', () => save(svg, join(dir, 'a.svg'), { scale: 2 }), OptionError, /scale/],
    ['a promise', () => save(Promise.resolve(svg) as never, 'a.svg'), OptionError, /await it/],
    ['no picture', () => toPng(undefined as never), OptionError, /got undefined/],
    ['a scale of 0', () => toPng(svg, { scale: 0 }), OptionError, /scale is 0/],
    ['a folder that is not there', () => save(svg, join(dir, 'nowhere', 'a.svg')), NeuriteError, /no such directory/],
  ])('refuses %s', async (_name, call, kind, message) => {
    await expect(call()).rejects.toThrow(kind);
    await expect(call()).rejects.toThrow(message);
  });
});
