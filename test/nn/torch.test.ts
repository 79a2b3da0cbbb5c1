import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError, io, nn, OptionError, ShapeError, type Tensor, tensor } from '../../src/index.js';

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
const toCamel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
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

describe('images', () => {
  interface Model {
    readonly file: string;
    readonly shape: number[];
    readonly output: { readonly shape: number[]; readonly data: number[] };
  }
  const images = async (): Promise<Record<'encoder' | 'decoder' | 'sequence', Model>> =>
    JSON.parse(await readFile(new URL('../goldens/conv.json', import.meta.url), 'utf8')).models;

  /** The formula of make_conv_goldens.py. */
  const inputOf = ({ shape }: Model) => {
    const value = (i: number) => (((i * 7919 + 99 * 104729 + 13) % 1009) / 1009 - 0.5) * 2;
    const n = shape.reduce((a, b) => a * b, 1);
    return tensor(
      Float32Array.from({ length: n }, (_, i) => value(i)),
      { shape },
    );
  };

  class Encoder extends nn.Module {
    conv = new nn.Conv2d(2, 3, 3, { stride: 2, padding: 1 });
    norm = new nn.BatchNorm1d(24);
    slopes = new nn.PReLU(24);
    dense: nn.Module = new nn.Linear(24, 5);
    head = new nn.Linear(5, 4);
    forward(x: Tensor): Tensor {
      const h = this.conv.forward(x).relu().flatten(1);
      return this.head.forward(this.dense.forward(this.slopes.forward(this.norm.forward(h))).tanh());
    }
  }
  class Decoder extends nn.Module {
    dense = new nn.Linear(4, 30);
    up = new nn.ConvTranspose2d(3, 2, 2, { stride: 2 });
    forward(z: Tensor): Tensor {
      return this.up.forward(this.dense.forward(z).relu().reshape([-1, 2, 5, 3]));
    }
  }
  class Sequence extends nn.Module {
    conv = new nn.Conv1d(2, 3, 2);
    flatten = new nn.Flatten();
    dense = new nn.Linear(15, 2);
    forward(x: Tensor): Tensor {
      return this.dense.forward(this.flatten.forward(this.conv.forward(x)));
    }
  }
  const make = { encoder: () => new Encoder(), decoder: () => new Decoder(), sequence: () => new Sequence() };

  it.each(['encoder', 'decoder', 'sequence'] as const)("gives PyTorch's outputs, and goes back: %s", async (name) => {
    const model = (await images())[name];
    const given = join(scratch, `${name}.safetensors`);
    await writeFile(given, Buffer.from(model.file, 'base64'));
    const net = make[name]();
    const inputShape = [1, ...model.shape.slice(1)];
    expect(await nn.importTorch(net, given, { inputShape })).toEqual({ missing: [], unexpected: [] });
    expect(net.training).toBe(true);
    const y = net.eval().forward(inputOf(model));
    expect(y.shape).toEqual(model.output.shape);
    const values = await y.data();
    // Sums of at most 24 products of numbers below 2, two or three in a row.
    for (const [i, v] of model.output.data.entries()) expect(Math.abs(values[i] - v)).toBeLessThan(72 * 2 ** -23 * 4);

    const back = join(scratch, `${name}-back.safetensors`);
    await nn.exportTorch(net, back, { inputShape });
    const [before, after] = [await io.readSafetensors(given), await io.readSafetensors(back)];
    expect(Object.fromEntries(after.tensors)).toEqual(Object.fromEntries(before.tensors));

    // The same from memory; the order matters, or nothing was shown.
    const dict = Object.fromEntries(
      [...before.tensors].map(([key, { data, shape, dtype }]) => [key, tensor(data, { shape: [...shape], dtype })]),
    );
    const again = make[name]();
    await nn.importTorch(again, dict, { inputShape });
    expect(await again.eval().forward(inputOf(model)).data()).toEqual(values);
    const wrong = make[name]();
    await wrong.loadTensors(new Map([...before.tensors].map(([k, t]) => [toCamel(k), t])));
    expect(await wrong.eval().forward(inputOf(model)).data()).not.toEqual(values);
  });

  it.each(['weightNorm', 'spectralNorm'] as const)(
    'works for weights that are computed from others: %s',
    async (name) => {
      const { [name]: wrap } = nn;
      const [torch, net] = [new Encoder(), new Encoder()];
      wrap(torch.dense);
      wrap(net.dense);
      await nn.importTorch(net, await torch.stateDict(), { inputShape: [3, 7, 4, 2] });
      const weightOf = (m: Encoder) => (m.eval().dense as nn.Linear).weight.read();
      const expected = await weightOf(torch).reshape([5, 3, 4, 2]).permute([0, 2, 3, 1]).reshape([5, 24]).data();
      const actual = await weightOf(net).data();
      // Norms of 24 numbers, or products with vectors of 24, in another order.
      for (const [i, v] of actual.entries()) {
        expect(Math.abs(v - expected[i])).toBeLessThan(2 * 26 * 2 ** -23 * Math.abs(expected[i]));
      }
    },
  );

  it('does not guess: without inputShape a model with convolutions and dense layers is refused', async () => {
    for (const run of [
      () => nn.importTorch(new Encoder(), {}, { strict: false }),
      () => nn.exportTorch(new Encoder(), join(scratch, 'none.safetensors')),
    ]) {
      await expect(run()).rejects.toThrow(OptionError);
      await expect(run()).rejects.toThrow(
        /Encoder has convolutions and dense layers; give inputShape, batch included, such as \{ inputShape: \[1, 28, 28, 1\] \}/,
      );
    }
    // Convolutions alone have PyTorch's layouts.
    const net = new nn.Sequential(new nn.Conv2d(1, 2, 3), new nn.BatchNorm2d(2));
    expect((await nn.importTorch(net, {}, { strict: false })).missing).toHaveLength(7);
    await expect(nn.importTorch(net, { a: 1 } as never)).rejects.toThrow('importTorch: "a" is not a tensor');
    await expect(nn.importTorch(new Encoder(), {}, { inputShape: [1, 28, 28, 1] })).rejects.toThrow(
      'expected 2 channels last',
    );
  });

  it('leaves alone what is no image: tokens, pooled channels, one channel', async () => {
    const dict = async (m: nn.Module) => m.stateDict();
    const check = async (net: nn.Module, inputShape: number[]) => {
      const before = await dict(net);
      await nn.importTorch(net, before, { inputShape });
      const after = await dict(net);
      for (const [key, t] of Object.entries(before)) expect(await after[key].data()).toEqual(await t.data());
    };
    class Pooled extends nn.Module {
      conv = new nn.Conv2d(1, 6, 3);
      dense = new nn.Linear(6, 3);
      forward(x: Tensor): Tensor {
        return this.dense.forward(this.conv.forward(x).mean({ axis: [1, 2] }));
      }
    }
    await check(new Pooled(), [2, 5, 5, 1]);
    await check(new nn.Sequential(new nn.LayerNorm(4), new nn.Flatten(), new nn.Linear(12, 2)), [2, 3, 4]);
    await check(new nn.Sequential(new nn.Flatten(), new nn.Linear(9, 2)), [1, 3, 3, 1]);
  });

  it('a weight that meets images of two sizes is refused', async () => {
    class Twice extends nn.Module {
      a = new nn.Conv2d(2, 2, 1);
      dense = new nn.Linear(12, 1);
      forward(x: Tensor): Tensor {
        const h = this.a.forward(x);
        return this.dense.forward(h.flatten(1)).add(this.dense.forward(h.reshape([-1, 2, 1, 6]).flatten(1)));
      }
    }
    await expect(nn.importTorch(new Twice(), {}, { inputShape: [2, 2, 3, 2] })).rejects.toThrow(
      /"dense.weight" meets flattened images of \[2,3,2\] and \[2,1,6\]/,
    );
  });
});
