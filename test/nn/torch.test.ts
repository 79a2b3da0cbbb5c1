import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError, io, nn, OptionError, ShapeError, tensor } from '../../src/index.js';

const golden = JSON.parse(await readFile(new URL('goldens/torch-model.json', import.meta.url), 'utf8')) as {
  readonly file: string;
  readonly bfloat16: string;
  readonly x: number[][];
  readonly y: number[][];
};
let scratch = '';
let file = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'neurite-torch-'));
  file = join(scratch, 'torch.safetensors');
  await writeFile(file, Buffer.from(golden.file, 'base64'));
});
afterAll(() => rm(scratch, { recursive: true }));

/** The layers of test/nn/goldens/make_torch_model.py in one Sequential. */
const make = (outputs = 2) =>
  new nn.Sequential(
    new nn.Linear(3, 4),
    new nn.BatchNorm1d(4),
    new nn.PReLU(4),
    new nn.LayerNorm(4),
    new nn.Linear(4, outputs, { bias: false }),
  );
const prefixes = { 'body.': '', 'head.': '4.' };

describe('importTorch', () => {
  it("gives PyTorch's outputs", async () => {
    const model = make().eval() as nn.Sequential;
    expect(await nn.importTorch(model, file, { prefixes })).toEqual({ missing: [], unexpected: [] });
    const y = await model.forward(tensor(golden.x)).data();
    // Sums of at most 4 products, a norm and a square root: a few units in the last place of values below 4.
    for (const [i, v] of golden.y.flat().entries()) expect(Math.abs(y[i] - v)).toBeLessThan(4 * 8 * 2 ** -23);
    expect(await model.buffers()[2].read().data()).toEqual(Int32Array.of(3));
  });

  it('takes half-precision weights', async () => {
    const half = join(scratch, 'half.safetensors');
    await writeFile(half, Buffer.from(golden.bfloat16, 'base64'));
    const [rounded, exact] = [make(), make()];
    await nn.importTorch(rounded, half, { prefixes });
    await nn.importTorch(exact, file, { prefixes });
    const [short, long] = [await rounded.stateDict(), await exact.stateDict()];
    for (const path of Object.keys(long)) {
      const [s, l] = [await short[path].data(), await long[path].data()];
      // bfloat16 has 8 significant bits, so rounding moves a value by at most 2^-9 of the next power of two.
      for (const [i, v] of l.entries()) expect(Math.abs(s[i] - v), path).toBeLessThanOrEqual(Math.abs(v) * 2 ** -8);
      expect(s.some((v) => v !== 0)).toBe(true);
    }
  });

  it('says which names do not fit, and takes the rest when asked to', async () => {
    const model = make(7);
    await expect(nn.importTorch(model, file, { prefixes })).rejects.toThrow(ShapeError);
    await expect(nn.importTorch(model, file)).rejects.toThrow(/missing: 0\.weight.*unexpected: body\./);
    const body = { 'body.': '' };
    const report = await nn.importTorch(model, file, { prefixes: body, strict: false });
    expect(report).toEqual({ missing: ['4.weight'], unexpected: ['head.weight'] });
    await expect(nn.importTorch(model, file, { prefixes: { 'body.0.': '', 'body.3.': '' } })).rejects.toThrow(
      /two tensors would be called "(bias|weight)"; change prefixes/,
    );
    await expect(nn.importTorch(model, file, { prefix: 'x' } as object)).rejects.toThrow(OptionError);
  });

  it('refuses pickles with the way out', async () => {
    const pickled = join(scratch, 'model.pt');
    for (const start of ['PK\x03\x04....', '\x80\x02....']) {
      await writeFile(pickled, start, 'latin1');
      const loading = nn.importTorch(make(), pickled);
      await expect(loading).rejects.toBeInstanceOf(FormatError);
      await expect(loading).rejects.toThrow(/pickled file of torch\.save.*safetensors\.torch\.save_file/);
    }
  });
});

describe('exportTorch', () => {
  it('writes the names and values that came from PyTorch', async () => {
    const model = make();
    await nn.importTorch(model, file, { prefixes });
    // Read from right to left, '' is also the beginning of '4.'; the longest wins.
    const out = join(scratch, 'out.safetensors');
    await nn.exportTorch(model, out, { prefixes });
    const [given, made] = [await io.readSafetensors(file), await io.readSafetensors(out)];
    expect(Object.fromEntries(made.tensors)).toEqual(Object.fromEntries(given.tensors));
    expect([...made.tensors.keys()]).toContain('body.1.num_batches_tracked');
    expect(made.metadata).toEqual({ format: 'pt' });
  });
});
