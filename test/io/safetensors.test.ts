import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError, OptionError } from '../../src/errors.js';
import {
  parseSafetensors,
  readSafetensors,
  serializeSafetensors,
  type TensorData,
  writeFileAtomic,
  writeSafetensors,
} from '../../src/io/index.js';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'neurite-io-'));
});
afterAll(() => rm(directory, { recursive: true }));

/** A file from header text and data, with the length word right unless given. */
function build(header: string | Uint8Array, data: Uint8Array | number = 0, length?: bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const body = typeof data === 'number' ? new Uint8Array(data) : data;
  const out = new Uint8Array(8 + json.length + body.length);
  new DataView(out.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  out.set(json, 8);
  out.set(body, 8 + json.length);
  return out;
}

const entry = (dtype: string, shape: string, offsets: string) =>
  `{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${offsets}]}`;
const one = (dtype: string, shape: string, offsets: string) => `{"test":${entry(dtype, shape, offsets)}}`;

function refused(bytes: Uint8Array): string {
  try {
    parseSafetensors(bytes, 'x.safetensors');
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    const { message } = error as Error;
    expect(message).toMatch(/^safetensors "x\.safetensors" at byte \d+: /);
    return message;
  }
  throw new Error('accepted');
}

const sample: Record<string, TensorData> = {
  'layer.weight': { dtype: 'float32', shape: [2, 3], data: Float32Array.of(1, -2, 3.5, Number.NaN, -0, Infinity) },
  double: { dtype: 'float64', shape: [2], data: Float64Array.of(Math.PI, Number.MIN_VALUE) },
  labels: { dtype: 'int32', shape: [3], data: Int32Array.of(-1, 0, 2 ** 31 - 1) },
  bytes: { dtype: 'uint8', shape: [5], data: Uint8Array.of(0, 1, 2, 254, 255) },
  mask: { dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) },
  scalar: { dtype: 'float32', shape: [], data: Float32Array.of(7) },
  empty: { dtype: 'float32', shape: [2, 0], data: new Float32Array(0) },
  'naïve "quoted"\n\u{1F9E0}': { dtype: 'uint8', shape: [1], data: Uint8Array.of(9) },
};

describe('round trip', () => {
  it('keeps dtypes, shapes, bits, names and metadata, in memory and through a file', async () => {
    const metadata = { format: 'neurite', 'a "key"': 'värde' };
    const file = join(directory, 'round.safetensors');
    await writeSafetensors(file, sample, metadata);
    const bytes = serializeSafetensors(new Map(Object.entries(sample)), metadata);
    expect(new Uint8Array(await readFile(file))).toEqual(bytes);
    for (const read of [parseSafetensors(bytes), await readSafetensors(file)]) {
      expect(read.metadata).toEqual(metadata);
      expect(new Set(read.tensors.keys())).toEqual(new Set(Object.keys(sample)));
      for (const [name, t] of Object.entries(sample)) expect(read.tensors.get(name)).toEqual(t);
    }
  });

  it('writes an aligned header and aligns every tensor', () => {
    const bytes = serializeSafetensors(sample);
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    for (const [name, { data_offsets }] of Object.entries(header) as [string, { data_offsets: [number, number] }][]) {
      expect(data_offsets[0] % sample[name].data.BYTES_PER_ELEMENT).toBe(0);
    }
    expect(bytes[8]).toBe('{'.charCodeAt(0));
  });

  it('is the same file whatever the order of the tensors', () => {
    const turned = Object.fromEntries(Object.entries(sample).reverse());
    expect(serializeSafetensors(turned)).toEqual(serializeSafetensors(sample));
  });

  it('holds for any names and sizes', () => {
    const tensors = fc.dictionary(
      fc.string({ unit: 'grapheme' }).filter((s) => s !== '__metadata__'),
      fc.uint8Array({ maxLength: 40 }).map((data): TensorData => ({ dtype: 'uint8', shape: [data.length], data })),
    );
    fc.assert(
      fc.property(tensors, (t) => {
        expect(parseSafetensors(serializeSafetensors(t)).tensors).toEqual(new Map(Object.entries(t)));
      }),
    );
  });

  it('reads a Node Buffer, which may start anywhere in a larger memory', () => {
    const bytes = serializeSafetensors(sample);
    for (const lead of [0, 1, 13]) {
      const memory = Buffer.alloc(lead + bytes.length + 100, 0xee);
      memory.set(bytes, lead);
      const { tensors } = parseSafetensors(memory.subarray(lead, lead + bytes.length));
      for (const [name, t] of Object.entries(sample)) expect(tensors.get(name)).toEqual(t);
      for (const { data } of tensors.values()) expect(data.buffer.byteLength).toBe(data.byteLength);
    }
  });

  it('copies: arrays do not share memory with the bytes', () => {
    const bytes = serializeSafetensors({ a: { dtype: 'uint8', shape: [1], data: Uint8Array.of(3) } });
    const { tensors } = parseSafetensors(bytes);
    bytes.fill(0);
    expect(tensors.get('a')?.data[0]).toBe(3);
  });
});

describe('the Python package', () => {
  it('reads what we write, bit for bit: its file is ours', async () => {
    const goldens = JSON.parse(await readFile(new URL('goldens/files.json', import.meta.url), 'utf8'));
    const bytes = new Uint8Array(Buffer.from(goldens.safetensors as string, 'base64'));
    const { tensors, metadata } = parseSafetensors(bytes);
    expect(metadata).toEqual({ format: 'pt' });
    expect(Object.fromEntries(tensors)).toEqual({
      a: { dtype: 'float32', shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) },
      'b.bias': { dtype: 'float64', shape: [2], data: Float64Array.of(Math.PI, Number.MIN_VALUE) },
      step: { dtype: 'int32', shape: [], data: Int32Array.of(7) },
      empty: { dtype: 'float32', shape: [2, 0], data: new Float32Array(0) },
      mask: { dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) },
      bytes: { dtype: 'uint8', shape: [3], data: Uint8Array.of(0, 1, 255) },
      'naïve "quoted"': { dtype: 'uint8', shape: [1], data: Uint8Array.of(9) },
    });
    expect(serializeSafetensors(tensors, metadata)).toEqual(bytes);
  });
});

describe('dtypes of other libraries', () => {
  it.each([
    ['I64', BigInt64Array.of(-(2n ** 31n), 2n ** 31n - 1n), 'int32', [-(2 ** 31), 2 ** 31 - 1]],
    ['U64', BigUint64Array.of(0n, 2n ** 31n - 1n), 'int32', [0, 2 ** 31 - 1]],
    ['U32', Uint32Array.of(7, 2 ** 31 - 1), 'int32', [7, 2 ** 31 - 1]],
    ['I16', Int16Array.of(-32768, 32767), 'int32', [-32768, 32767]],
    ['U16', Uint16Array.of(0, 65535), 'int32', [0, 65535]],
    ['I8', Int8Array.of(-128, 127), 'int32', [-128, 127]],
    ['F16', Uint16Array.of(0x3c00, 0xfc00), 'float32', [1, -Infinity]],
    ['BF16', Uint16Array.of(0x3f80, 0xc2f7), 'float32', [1, -123.5]],
  ] as const)('%s', (dtype, values, as, expected) => {
    const bytes = new Uint8Array(values.buffer);
    const { tensors } = parseSafetensors(build(one(dtype, '2', `0,${bytes.length}`), bytes));
    expect(tensors.get('test')?.dtype).toBe(as);
    expect([...(tensors.get('test')?.data ?? [])]).toEqual(expected);
  });
});

describe('what the format allows', () => {
  it.each([
    ['0-d', one('I32', '', '0,4'), 4, []],
    ['2-d', one('I32', '2,2', '0,16'), 16, [2, 2]],
    ['zero-sized, with spaces', one('I32', '2,0', '0, 0'), 0, [2, 0]],
    ['zero first', one('F32', '0,9007199254740991', '0,0'), 0, [0, 9007199254740991]],
  ])('%s', (_, header, size, shape) => {
    expect(parseSafetensors(build(header, size)).tensors.get('test')?.shape).toEqual(shape);
  });

  it('no tensors, and whitespace after the header', () => {
    expect(parseSafetensors(build('{}\r \t\n')).tensors.size).toBe(0);
  });

  it('empty tensors between, before and after others', () => {
    const header = `{"c":${entry('U8', '0', '2,2')},"b":${entry('U8', '1', '1,2')},"z":${entry('U8', '0', '1,1')},"a":${entry('U8', '1', '0,1')}}`;
    expect([...parseSafetensors(build(header, Uint8Array.of(5, 6))).tensors.keys()]).toEqual(['a', 'z', 'b', 'c']);
  });

  it('names that mean something to JavaScript objects', () => {
    const header = `{"__proto__":${entry('U8', '1', '0,1')},"constructor":${entry('U8', '1', '1,2')},"__metadata__":{"__proto__":"x"}}`;
    const { tensors, metadata } = parseSafetensors(build(header, Uint8Array.of(5, 6)));
    expect(tensors.get('__proto__')?.data[0]).toBe(5);
    expect(Object.getOwnPropertyDescriptor(metadata, '__proto__')?.value).toBe('x');
    expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype);
  });
});

describe('what must be refused', () => {
  const big = '18446744073709551614'; // 2^64 - 2, which JSON.parse rounds
  const cases: [string, Uint8Array, RegExp][] = [
    ['empty file', new Uint8Array(0), /at byte 0: file has 0 bytes/],
    ['seven bytes', new Uint8Array(7), /at byte 0: file has 7 bytes/],
    ['header too large', build(one('I32', '2,2', '0,16'), 16, 0xffffff000000003cn), /header length .* above 100000000/],
    ['header just too large', build('{}', 0, 100_000_001n), /above 100000000/],
    ['length beyond the file', build('', 0, 60n), /beyond the end of a file of 8 bytes/],
    ['header length 0', build('', 0), /at byte 8: header does not start with '\{'/],
    ['not UTF-8', build(Uint8Array.of(0xff)), /does not start with/],
    ['not JSON', build('{'), /at byte 9: .*got the end/],
    ['leading whitespace', build('\t\n{}\r '), /does not start with/],
    ['byte order mark', build('\ufeff{}'), /does not start with/],
    ['NUL padding', build('{}\0\0'), /at byte 10: header goes on/],
    ['two objects', build('{}{}'), /at byte 10: header goes on/],
    ['trailing comma', build(`{"a":${entry('U8', '0', '0,0')},}`), /a string/],
    ['array at the top', build('[]'), /does not start with/],
    ['polyglot tail', build(one('I32', '2,2', '0,16'), 16 + 35), /at byte 84: 35 bytes after the last tensor/],
    ['two bytes missing', build(one('I32', '2,2', '0,16'), 14), /ends at data offset 16, but the file has 14/],
    ['size does not fit', build(one('I32', '2,2', '0,4'), 4), /needs 16 bytes, but data_offsets give 4/],
    ['offsets turned round', build(one('U8', '0', '4,0'), 4), /expected \[begin, end\]/],
    ['one offset', build(one('U8', '0', '0'), 0), /expected \[begin, end\]/],
    ['three offsets', build(one('U8', '1', '0,1,1'), 1), /expected \[begin, end\]/],
    ['u64 overflow in the shape', build(one('I32', `2,${big}`, '0,16'), 16), /number above 2\^53/],
    ['u64 overflow in the bytes', build(one('I32', '2,9223372036854775807', '0,16'), 16), /number above 2\^53/],
    ['overflow of safe integers', build(one('I32', '2,9007199254740991', '0,16'), 16), /more than 2\^53 - 1 bytes/],
    ['product 2^64 = 0', build(one('F32', '65536,65536,65536,65536', '0,0')), /more than 2\^53 - 1 bytes/],
    ['product 2^64 = 0 in bytes only', build(one('F64', '2147483648,1073741824', '0,0')), /more than 2\^53 - 1 bytes/],
    ['overflow before a zero', build(one('U8', '9007199254740991,9007199254740991,0', '0,0')), /more than 2\^53/],
    ['offset above 2^53', build(one('U8', '1', `0,${big}`), 1), /number above 2\^53/],
    ['negative dimension', build(one('U8', '-1', '0,1'), 1), /whole number >= 0/],
    ['fraction', build(one('U8', '1.0', '0,1'), 1), /whole number >= 0/],
    ['exponent', build(one('U8', '1e0', '0,1'), 1), /whole number >= 0/],
    ['leading zero', build(one('U8', '01', '0,1'), 1), /whole number >= 0/],
    ['string as a dimension', build(one('U8', '"1"', '0,1'), 1), /whole number >= 0/],
    [
      'duplicate tensor',
      build(`{"a":${entry('U8', '1', '0,1')},"a":${entry('U8', '1', '1,2')}}`, 2),
      /duplicate key "a"/,
    ],
    [
      'duplicate by escape',
      build(`{"a":${entry('U8', '1', '0,1')},"\\u0061":${entry('U8', '1', '1,2')}}`, 2),
      /duplicate key "a"/,
    ],
    [
      'duplicate field',
      build('{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
      /duplicate key "dtype"/,
    ],
    ['duplicate metadata', build('{"__metadata__":{"k":"1","k":"2"}}'), /duplicate key "k"/],
    ['two metadata', build('{"__metadata__":{},"__metadata__":{}}'), /duplicate key "__metadata__"/],
    ['metadata not a string', build('{"__metadata__":{"k":1}}'), /a string \(metadata "k"\)/],
    ['metadata nested', build('{"__metadata__":{"k":{}}}'), /a string/],
    ['missing field', build('{"a":{"dtype":"U8","shape":[0]}}'), /needs dtype, shape and data_offsets/],
    ['unknown field', build('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}}'), /unknown field "x"/],
    [
      'foreign dtype',
      build(one('F8_E4M3', '1', '0,1'), 1),
      /tensor "test" has dtype F8_E4M3; expected one of F64, F32/,
    ],
    ['widened dtype of another size', build(one('I64', '1', '0,4'), 4), /needs 8 bytes, but data_offsets give 4/],
    [
      'an integer above int32',
      build(one('I64', '2', '0,16'), new Uint8Array(BigInt64Array.of(1n, -(2n ** 40n)).buffer)),
      /at byte 74: tensor "test": the integer -1099511627776 does not fit int32/,
    ],
    [
      'bool that is neither',
      build(one('BOOL', '2', '0,2'), Uint8Array.of(1, 2)),
      /at byte \d+: tensor "test" is BOOL but holds 2/,
    ],
    ['control character in a name', build('{"a\nb":{}}'), /control character/],
    ['bad escape', build('{"\\x":{}}'), /bad escape/],
    ['lone surrogate', build('{"\\ud800":{}}'), /lone surrogate/],
    ['endless string', build('{"abc'), /string without an end/],
    ['endless string after a backslash', build('{"abc\\'), /string without an end/],
    [
      'non-UTF-8 name',
      build(Uint8Array.of(0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a)),
      /at byte 10: string is not valid UTF-8/,
    ],
    ['overlong UTF-8', build(Uint8Array.of(0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a)), /not valid UTF-8/],
  ];
  it.each(cases)('%s', (_, bytes, message) => {
    expect(refused(bytes)).toMatch(message);
  });

  it('tensors that share bytes', () => {
    const same = Array.from({ length: 10 }, (_, i) => `"weight_${i}":${entry('F32', '2,2', '0,16')}`);
    expect(refused(build(`{${same.join()}}`, 16))).toMatch(/starts at data offset 0, expected 16: it overlaps/);
    const partly = `{"a":${entry('U8', '4', '0,4')},"b":${entry('U8', '4', '2,6')}}`;
    expect(refused(build(partly, 6))).toMatch(/tensor "b" .* overlaps/);
  });

  it('holes at the start and between', () => {
    expect(refused(build(one('U8', '1', '1,2'), 2))).toMatch(/leaves a hole/);
    const gap = `{"a":${entry('U8', '1', '0,1')},"b":${entry('U8', '1', '2,3')}}`;
    expect(refused(build(gap, 3))).toMatch(/tensor "b" .* leaves a hole/);
    expect(refused(build('{}', 1))).toMatch(/1 bytes after the last tensor/);
  });

  it('a valid file cut at any byte, and one with a byte more', async () => {
    const bytes = serializeSafetensors(sample, { format: 'neurite' });
    for (let n = 0; n < bytes.length; n++) refused(bytes.subarray(0, n));
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    refused(longer);
    const file = join(directory, 'cut.safetensors');
    await writeFile(file, bytes);
    for (let n = bytes.length - 1; n >= 0; n -= 7) {
      await truncate(file, n);
      await expect(readSafetensors(file)).rejects.toThrow(FormatError);
    }
  });

  it('any change of one header byte gives an error or a valid reading, never another exception', () => {
    const bytes = serializeSafetensors(
      { 'a.b': { dtype: 'int32', shape: [2], data: Int32Array.of(1, 2) } },
      { k: 'v' },
    );
    const end = bytes.length - 8;
    for (let at = 0; at < end; at++) {
      for (const value of [0, 0x22, 0x30, 0x39, 0x5c, 0x7b, 0x7d, 0x80, 0xff]) {
        const changed = bytes.slice();
        changed[at] = value;
        try {
          parseSafetensors(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }
    }
  });

  it('a header of deep brackets or many keys, without deep recursion', () => {
    refused(build(`{"a":${'['.repeat(1_000_000)}`));
    refused(build(`{"a":${'{"a":'.repeat(200_000)}`));
  });

  it('memory is not taken for what the file does not hold', async () => {
    const before = process.memoryUsage().arrayBuffers;
    refused(build(one('F64', '1000000000', '0,8000000000'), 16));
    const file = join(directory, 'claims.safetensors');
    await writeFile(file, build('{}', 0, 99_999_999n));
    await expect(readSafetensors(file)).rejects.toThrow(/beyond the end of a file of 10 bytes/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000);
  });
});

describe('writing', () => {
  it('refuses what does not fit', () => {
    const data = Float32Array.of(1, 2);
    expect(() => serializeSafetensors({ a: { dtype: 'float32', shape: [3], data } })).toThrow(
      /"a" has 2 values, expected shape \[3\]/,
    );
    expect(() => serializeSafetensors({ a: { dtype: 'int32', shape: [2], data } })).toThrow(
      /got Float32Array, expected Int32Array/,
    );
    expect(() => serializeSafetensors({ a: { dtype: 'float32', shape: [-1, -2], data } })).toThrow(OptionError);
    expect(() => serializeSafetensors({ __metadata__: { dtype: 'float32', shape: [2], data } })).toThrow(
      /__metadata__/,
    );
    expect(() => serializeSafetensors({ '\ud800': { dtype: 'float32', shape: [2], data } })).toThrow(/valid Unicode/);
    expect(() => serializeSafetensors({}, { k: 1 as unknown as string })).toThrow(/metadata "k" is number/);
  });

  it('leaves the old file when it fails, and no temporary file', async () => {
    const file = join(directory, 'kept.bin');
    await writeFileAtomic(file, [Uint8Array.of(1)]);
    const failing = function* () {
      yield Uint8Array.of(2);
      throw new Error('disk on fire');
    };
    await expect(writeFileAtomic(file, failing())).rejects.toThrow(/write ".*kept\.bin": disk on fire/);
    expect([...(await readFile(file))]).toEqual([1]);
    expect((await readdir(directory)).filter((f) => f.endsWith('.tmp'))).toEqual([]);
  });

  it('writers at the same time leave one whole file', async () => {
    const file = join(directory, 'race.safetensors');
    const write = (value: number) =>
      writeSafetensors(file, { a: { dtype: 'uint8', shape: [1000], data: new Uint8Array(1000).fill(value) } });
    await Promise.all([1, 2, 3, 4].map(write));
    const { tensors } = await readSafetensors(file);
    expect(new Set(tensors.get('a')?.data).size).toBe(1);
  });
});

describe('files that cannot be opened', () => {
  it('names the path and the way out', async () => {
    const missing = join(directory, 'no', 'such.safetensors');
    await expect(readSafetensors(missing)).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(/read ".*such\.safetensors": no such file; relative paths start at/),
      cause: expect.objectContaining({ code: 'ENOENT' }),
    });
    await expect(writeSafetensors(missing, {})).rejects.toThrow(
      /write ".*such\.safetensors": no such directory; create it/,
    );
    await expect(readSafetensors(directory)).rejects.toThrow(/it is (a directory|not a regular file)/);
    await expect(writeSafetensors(directory, {})).rejects.toThrow(/write/);
  });

  it.skipIf(process.platform === 'win32')('does not wait for a named pipe', async () => {
    const pipe = join(directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await expect(readSafetensors(pipe)).rejects.toThrow(/not a regular file/);
  });

  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)('says that permission is missing', async () => {
    const file = join(directory, 'secret.safetensors');
    await writeSafetensors(file, {});
    await chmod(file, 0);
    await expect(readSafetensors(file)).rejects.toThrow(/permission denied/);
  });

  it.skipIf(process.platform !== 'linux')('keeps no file open', async () => {
    const file = join(directory, 'open.safetensors');
    await writeFile(file, 'nonsense');
    const openFiles = async () => (await readdir('/proc/self/fd')).length;
    const before = await openFiles();
    for (let i = 0; i < 100; i++) await expect(readSafetensors(file)).rejects.toThrow(FormatError);
    expect(await openFiles()).toBeLessThan(before + 50);
  });
});
