import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError, OptionError } from '../../src/errors.js';
import {
  npyInfo,
  parseNpy,
  parseNpz,
  readNpy,
  readNpz,
  type TensorData,
  writeNpy,
  writeNpz,
} from '../../src/io/index.js';

interface Case {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: readonly (number | boolean | string)[];
  readonly file: string;
  readonly message?: string;
}
interface Goldens {
  readonly npy: readonly Case[];
  readonly refused: readonly Case[];
  readonly npz: { readonly stored: string; readonly deflated: string };
}
const goldens = JSON.parse(await readFile(new URL('goldens/files.json', import.meta.url), 'utf8')) as Goldens;
const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));
const golden = (name: string): Uint8Array => {
  const found = goldens.npy.find((c) => c.name === name);
  if (found === undefined) throw new Error(name);
  return bytesOf(found.file);
};

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'neurite-npy-'));
});
afterAll(() => rm(scratch, { recursive: true }));

function refused(bytes: Uint8Array): string {
  try {
    parseNpy(bytes, 'x.npy');
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    expect((error as Error).message).toMatch(/^npy "x\.npy" at byte \d+: /);
    return (error as Error).message;
  }
  throw new Error('accepted');
}

/** A version 1 file with that header text and data. */
function build(text: string, data: Uint8Array | number = 0): Uint8Array {
  const body = typeof data === 'number' ? new Uint8Array(data) : data;
  const head = Buffer.from(`\x93NUMPY\x01\x00..${text}`, 'latin1');
  head.writeUInt16LE(head.length - 10, 8);
  return new Uint8Array(Buffer.concat([head, body]));
}

describe('arrays that NumPy wrote', () => {
  it.each(goldens.npy.map((c) => [c.name, c] as const))('%s', async (name, { shape, values, file }) => {
    const tensor = parseNpy(bytesOf(file));
    expect(tensor.shape).toEqual(shape);
    expect([...tensor.data]).toEqual(values.map((v) => (v === 'inf' ? Infinity : Number(v))));
    const path = join(scratch, 'golden.npy');
    await writeFile(path, bytesOf(file));
    expect(await readNpy(path)).toEqual(tensor);
    expect(await npyInfo(path)).toEqual({ shape: tensor.shape, dtype: tensor.dtype });
    const expected = { '?': 'bool', u1: 'uint8', f2: 'float32', f4: 'float32', f8: 'float64' }[name.slice(-2)];
    if (name.length === 3) expect(tensor.dtype).toBe(expected ?? 'int32');
  });

  it.each(goldens.refused.map((c) => [c.name, c] as const))('refuses %s', (_, { file, message }) => {
    expect(refused(bytesOf(file))).toMatch(new RegExp(message ?? ''));
  });

  it('reads rows from their place', async () => {
    const path = join(scratch, 'rows.npy');
    for (const name of ['<f4', '>i8', '<f8 fortran', 'one axis']) {
      await writeFile(path, golden(name));
      const all = await readNpy(path);
      const width = all.data.length / all.shape[0];
      for (let start = 0; start <= all.shape[0]; start++) {
        const part = await readNpy(path, { start, end: all.shape[0] });
        expect(part.shape).toEqual([all.shape[0] - start, ...all.shape.slice(1)]);
        expect([...part.data]).toEqual([...all.data.slice(start * width)]);
      }
      expect([...(await readNpy(path, { end: 1 })).data]).toEqual([...all.data.slice(0, width)]);
    }
    await expect(readNpy(path, { end: 6 })).rejects.toThrow(/end is 6, expected a whole number in \[0, 5\]/);
    await expect(readNpy(path, { start: 3, end: 2 })).rejects.toThrow(/start is 3/);
    await expect(readNpy(path, { rows: 1 } as object)).rejects.toThrow(/unknown option "rows"/);
  });
});

describe('writing', () => {
  const tensors: Record<string, TensorData> = {
    a: { dtype: 'float32', shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) },
    b: { dtype: 'float64', shape: [], data: Float64Array.of(Math.PI) },
    c: { dtype: 'int32', shape: [1], data: Int32Array.of(-5) },
    d: { dtype: 'uint8', shape: [0, 2], data: new Uint8Array(0) },
    'e/bool': { dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0) },
  };

  it('gives the bytes of numpy.save', async () => {
    const path = join(scratch, 'written.npy');
    for (const name of ['?', '|u1', '<i4', '<f4', '<f8', 'scalar', 'empty', 'one axis']) {
      await writeNpy(path, parseNpy(golden(name)));
      expect(new Uint8Array(await readFile(path)), name).toEqual(golden(name));
    }
  });

  it.each([false, true])('round trip of an archive, compress: %s', async (compress) => {
    const path = join(scratch, 'written.npz');
    await writeNpz(path, tensors, { compress });
    expect(await readNpz(path)).toEqual(new Map(Object.entries(tensors)));
    expect(await readNpz(path, { names: ['c'] })).toEqual(new Map([['c', tensors['c']]]));
    const first = await readFile(path);
    await writeNpz(path, new Map(Object.entries(tensors)), { compress });
    expect(await readFile(path)).toEqual(first);
  });

  it('refuses what does not fit', async () => {
    const path = join(scratch, 'never.npy');
    const data = Float32Array.of(1, 2);
    await expect(writeNpy(path, { dtype: 'float32', shape: [3], data })).rejects.toThrow(
      /2 values, expected shape \[3\]/,
    );
    await expect(writeNpy(path, { dtype: 'int32', shape: [2], data })).rejects.toThrow(/needs Int32Array, got Float32/);
    await expect(writeNpz(path, { '../x': tensors['a'] })).rejects.toThrow(/name "\.\.\/x" has an empty part/);
    await expect(writeNpz(path, { a: { dtype: 'float32', shape: [3], data } })).rejects.toThrow(OptionError);
    await expect(readFile(path)).rejects.toThrow(/ENOENT/);
  });
});

describe('damaged NPY', () => {
  const header = (descr: string, order: string, shape: string) =>
    `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }\n`;

  it('cut at any byte, and a byte more', async () => {
    for (const name of ['<f4', 'version 2', 'version 3', 'scalar', '<i8 fortran']) {
      const bytes = golden(name);
      for (let n = 0; n < bytes.length; n++) refused(bytes.subarray(0, n));
      expect(refused(Buffer.concat([bytes, Uint8Array.of(0)]))).toMatch(/there is something after the array/);
    }
    const path = join(scratch, 'cut.npy');
    await writeFile(path, golden('<f4'));
    for (let n = golden('<f4').length - 1; n >= 0; n -= 5) {
      await truncate(path, n);
      await expect(readNpy(path)).rejects.toThrow(FormatError);
    }
  });

  it.each([
    ['another magic', new Uint8Array(100), /magic bytes/],
    ['version 4', bytesOf('k05VTVBZBAA='), /version is 4\.0/],
    ['a header above the cap', build(`${header("'<f4'", 'False', '()')}${' '.repeat(10_000)}`, 4), /at most 10000/],
    ['no dictionary', build('[]'), /expected '\{'/],
    ['an expression', build(header("'<f4'", 'False', '(2*3,)'), 24), /expected '(,|\))'|expected ','/],
    ['a call', build(header('open("x")', 'False', '()'), 4), /expected a string in quotes/],
    ['an escape', build(header("'\\x3cf4'", 'False', '()'), 4), /a string with an escape/],
    ['a string without an end', build("{'descr: "), /a string without an end/],
    ['no comma in a tuple of one', build(header("'<f4'", 'False', '(3)'), 12), /after the only dimension/],
    ['a list as shape', build(header("'<f4'", 'False', '[3]'), 12), /expected '\('/],
    ['a negative dimension', build(header("'<f4'", 'False', '(-1,)')), /whole number >= 0/],
    ['a fraction', build(header("'<f4'", 'False', '(1.0,)'), 4), /after the only dimension/],
    ['a dimension above 2^53', build(header("'<f4'", 'False', '(9007199254740993,)')), /above 2\^53/],
    ['a product of 2^64', build(header("'<f4'", 'False', '(65536, 65536, 65536, 65536)')), /more than 2\^53 - 1 bytes/],
    ['a promise of memory', build(header("'<f8'", 'False', '(1000000000000,)'), 8), /needs 8000000000000 bytes/],
    ['fortran_order: 1', build(header("'<f4'", '1', '()'), 4), /expected True or False/],
    ['a key twice', build("{'shape': (), 'shape': ()}"), /'shape' is there twice/],
    ['an unknown key', build("{'x': 1}"), /key 'x' is unknown/],
    ['a key missing', build("{'descr': '<f4', 'shape': ()}", 4), /needs 'descr', 'fortran_order' and 'shape'/],
    ['something after', build(`${header("'<f4'", 'False', '()')}x`, 4), /goes on after its dictionary/],
    ['no byte order for 4 bytes', build(header("'|f4'", 'False', '()'), 4), /dtype is '\|f4'/],
    ['a bool of 2', build(header("'|b1'", 'False', '(2,)'), Uint8Array.of(1, 2)), /a bool is 2, expected 0 or 1/],
    ['prototype names', build(header("'<constructor'", 'False', '()'), 4), /dtype is '<constructor'/],
  ])('%s', (_, bytes, message) => {
    expect(refused(bytes)).toMatch(message);
  });

  it('takes what NumPy takes: double quotes, Python 2 longs, any spaces, no last comma', () => {
    const text = '{ "shape" : ( 2L , 1L ) ,"fortran_order":True,"descr":"<f4"}  \n';
    expect(parseNpy(build(text, 8)).shape).toEqual([2, 1]);
    expect(parseNpy(build(header("'<f4'", 'False', '(0, 9007199254740991)'))).shape).toEqual([0, 9007199254740991]);
  });

  it('any change of one byte gives an array or a FormatError', () => {
    const bytes = golden('<i2');
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 0x20, 0x27, 0x28, 0x2c, 0x39, 0x7d, 0xff]) {
        const changed = bytes.slice();
        changed[at] = value;
        try {
          parseNpy(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }
    }
  });
});

describe('NPZ', () => {
  it.each(['stored', 'deflated'] as const)('reads what NumPy wrote, %s', async (kind) => {
    const arrays = await parseNpz(bytesOf(goldens.npz[kind]));
    expect([...arrays.keys()]).toEqual(['x', 'labels/y']);
    expect(arrays.get('x')?.shape).toEqual([100, 5]);
    expect(arrays.get('x')?.data[499]).toBe(1);
    expect([...(arrays.get('labels/y')?.data ?? [])]).toEqual(Array.from({ length: 100 }, (_, i) => i % 3));
    const path = join(scratch, 'numpy.npz');
    await writeFile(path, bytesOf(goldens.npz[kind]));
    expect(await readNpz(path)).toEqual(arrays);
  });

  it.each(['stored', 'deflated'] as const)('cut at any byte, and any byte changed, %s', async (kind) => {
    const bytes = bytesOf(goldens.npz[kind]);
    for (let n = 0; n < bytes.length; n += 3) {
      await expect(parseNpz(bytes.subarray(0, n))).rejects.toThrow(FormatError);
    }
    const whole = await parseNpz(bytes);
    for (let at = 0; at < bytes.length; at += 3) {
      const changed = bytes.slice();
      changed[at] ^= 1 << (at % 8);
      try {
        const arrays = await parseNpz(changed);
        // Times and attributes may change; arrays may not, except in name.
        expect([...arrays.values()]).toEqual([...whole.values()]);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }
  });

  it('caps what is unpacked', async () => {
    const path = join(scratch, 'bomb.npz');
    const zeros: TensorData = { dtype: 'uint8', shape: [4_000_000], data: new Uint8Array(4_000_000) };
    await writeNpz(path, { zeros }, { compress: true });
    const bytes = await readFile(path);
    expect(bytes.length).toBeLessThan(10_000);
    await expect(readNpz(path, { maxBytes: 1_000_000 })).rejects.toThrow(/take 4000128 bytes unpacked, more than/);
    // Sizes that lie: smaller than what is packed, and larger than deflate can pack.
    const central = bytes.lastIndexOf(Buffer.from('PK\x01\x02', 'latin1'));
    const lie = Buffer.from(bytes);
    lie.writeUInt32LE(1000, central + 24);
    await expect(parseNpz(lie)).rejects.toThrow(/"zeros\.npy" cannot be unpacked/);
    lie.writeUInt32LE(0xfffffff0, central + 24);
    await expect(parseNpz(lie)).rejects.toThrow(/claims 4294967280 bytes in \d+, which cannot be/);
  });

  it('refuses names that climb, other members, the same bytes twice', async () => {
    const path = join(scratch, 'names.npz');
    const one: TensorData = { dtype: 'uint8', shape: [1], data: Uint8Array.of(1) };
    await writeNpz(path, { aaaaa: one, bbbbb: one });
    const text = (await readFile(path)).toString('latin1');
    const renamed = (to: string) => Buffer.from(text.replaceAll('aaaaa.npy', to), 'latin1');
    await expect(parseNpz(renamed('../aa.npy'))).rejects.toThrow(
      /name "\.\.\/aa\.npy" has an empty part, '\.' or '\.\.'/,
    );
    await expect(parseNpz(renamed('/aaaa.npy'))).rejects.toThrow(/has an empty part/);
    await expect(parseNpz(renamed('C:aaa.npy'))).rejects.toThrow(/a drive/);
    await expect(parseNpz(renamed('a\\aaa.npy'))).rejects.toThrow(/backslash/);
    await expect(parseNpz(renamed('aaaa\0.npy'))).rejects.toThrow(/control character/);
    await expect(parseNpz(renamed('aaaaa.txt'))).rejects.toThrow(/"aaaaa\.txt" is no \.npy array/);
    await expect(parseNpz(renamed('bbbbb.npy'))).rejects.toThrow(/"bbbbb\.npy" is there twice/);
    const central = text.indexOf('PK\x01\x02');
    const second = text.indexOf('PK\x01\x02', central + 1);
    const shared = Buffer.from(text, 'latin1');
    shared.writeUInt32LE(0, second + 42);
    await expect(parseNpz(shared)).rejects.toThrow(/overlaps the member before it/);
    const encrypted = Buffer.from(text, 'latin1');
    encrypted[central + 8] |= 1;
    await expect(parseNpz(encrypted)).rejects.toThrow(/"aaaaa\.npy" is encrypted/);
    const method = Buffer.from(text, 'latin1');
    method[central + 10] = 12;
    await expect(parseNpz(method)).rejects.toThrow(/packed by method 12/);
    const wide = Buffer.from(text, 'latin1');
    wide.writeUInt32LE(0xffffffff, central + 20);
    await expect(parseNpz(wide)).rejects.toThrow(/64-bit extension/);
    await expect(parseNpz(Buffer.from('x'.repeat(100)))).rejects.toThrow(/not a zip archive/);
    await expect(readNpz(path, { names: ['c'] })).rejects.toThrow(/no array "c"; it holds aaaaa, bbbbb/);
    await expect(readNpz(path, { maxBytes: -1 })).rejects.toThrow(OptionError);
  });

  it('an archive of nothing, and one behind a comment', async () => {
    const path = join(scratch, 'none.npz');
    await writeNpz(path, {});
    expect(await readNpz(path)).toEqual(new Map());
    const bytes = await readFile(path);
    bytes.writeUInt16LE(5, bytes.length - 2);
    expect(await parseNpz(Buffer.concat([bytes, Buffer.from('hello')]))).toEqual(new Map());
  });
});
