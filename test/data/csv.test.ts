import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseNumber } from '../../src/data/files/number.js';
import { DataError, data, FormatError, NeuriteError, OptionError } from '../../src/index.js';

const { openCsv, jsonLines } = data;
const bytes = (text: string) => Buffer.from(text);
const rowsOf = async (text: string | Buffer, options?: data.CsvOptions) =>
  (await openCsv(bytes(text as string), options)).rows().toArray();
const failure = async (promise: Promise<unknown>) =>
  promise.then(
    () => new Error('nothing was refused'),
    (e: unknown) => e as Error,
  );

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'neurite-csv-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const SMALL = 'name,age,ratio,ok,zip\r\n"Ada, ""Countess""",36,0.5,true,00123\r\nBob,NA,1e-3,false,94110\r\n';

describe('openCsv', () => {
  it('finds names and types, and reads quotes, CRLF and missing fields', async () => {
    const table = await openCsv(bytes(SMALL));
    expect(table.columns).toEqual([
      { name: 'name', type: 'string', missing: false, inferred: true },
      { name: 'age', type: 'integer', missing: true, inferred: true },
      { name: 'ratio', type: 'number', missing: false, inferred: true },
      { name: 'ok', type: 'boolean', missing: false, inferred: true },
      { name: 'zip', type: 'string', missing: false, inferred: true },
    ]);
    expect(await table.rows().toArray()).toEqual([
      { name: 'Ada, "Countess"', age: 36, ratio: 0.5, ok: true, zip: '00123' },
      { name: 'Bob', age: Number.NaN, ratio: 0.001, ok: false, zip: '94110' },
    ]);
  });

  it.each<[string, string, data.CsvOptions, unknown[]]>([
    [
      'line ends in quotes',
      'a,b\n"x\ny",1\n"p\r\nq",2',
      {},
      [
        { a: 'x\ny', b: 1 },
        { a: 'p\r\nq', b: 2 },
      ],
    ],
    ['LF, CR and CRLF', 'a\n1\r2\r\n3', {}, [{ a: 1 }, { a: 2 }, { a: 3 }]],
    ['a byte order mark', '\ufeffa,b\n1,2', {}, [{ a: 1, b: 2 }]],
    [
      'empty lines',
      '\n\na,b\n\n1,2\n\n\n3,4\n\n',
      {},
      [
        { a: 1, b: 2 },
        { a: 3, b: 4 },
      ],
    ],
    [
      'empty fields',
      'a,b,c\n,x,\n1,,2',
      {},
      [
        { a: Number.NaN, b: 'x', c: Number.NaN },
        { a: 1, b: null, c: 2 },
      ],
    ],
    ['quoted missing words as text', 'a\n"NA"\n""\nNA', {}, [{ a: 'NA' }, { a: '' }, { a: null }]],
    ['quoted numbers', 'a,b\n"1.5","2"', {}, [{ a: 1.5, b: 2 }]],
    ['spaces around numbers', 'a,b\n 1 ,\t2', {}, [{ a: 1, b: 2 }]],
    ['semicolons', 'a;b\n1,5;2', { delimiter: ';' }, [{ a: '1,5', b: 2 }]],
    ['tabs', 'a\tb\nx, y\t2', { delimiter: '\t' }, [{ a: 'x, y', b: 2 }]],
    [
      'no header',
      '1,x\n2,y',
      { header: false },
      [
        { column1: 1, column2: 'x' },
        { column1: 2, column2: 'y' },
      ],
    ],
    ['given names', '1,x', { header: ['n', 's'] }, [{ n: 1, s: 'x' }]],
    ['names that are missing', 'a,,\n1,2,3', {}, [{ a: 1, column2: 2, column3: 3 }]],
    ['given types', 'a,b\n1,2', { types: { a: 'string' } }, [{ a: '1', b: 2 }]],
    ['given missing words', 'a\n?\n1', { missing: ['?'] }, [{ a: Number.NaN }, { a: 1 }]],
    ['quotes that mean nothing', 'a,b\n5" tall,"x', { quotes: false }, [{ a: '5" tall', b: '"x' }]],
    ['letters beyond ASCII', 'näme\nÅngström 😀\nß', {}, [{ näme: 'Ångström 😀' }, { näme: 'ß' }]],
    ['infinity', 'a\n-inf\nInfinity\n1', {}, [{ a: -Infinity }, { a: Infinity }, { a: 1 }]],
    ['one header and no rows', 'a,b\n', {}, []],
  ])('reads %s', async (_, text, options, expected) => {
    expect(await rowsOf(text, options)).toEqual(expected);
  });

  it.each<[string, string, data.CsvOptions, RegExp]>([
    ['an empty file', '', {}, /the file is empty/],
    ['too few fields', 'a,b\n1,2\n3', {}, /line 3: got 1 fields, expected 2/],
    ['too many fields', 'a,b\n1,2,3', {}, /line 2: got 3 fields, expected 2/],
    ['a quote that is not closed', 'a,b\n1,"x\n2,y\n', {}, /line 2: the quote that opens field 2 is never closed/],
    ['text after a closing quote', 'a,b\n1,"x"y', {}, /line 2: field 2 has "y" after its closing quote/],
    ['a quote inside a field', 'a\n5"', {}, /line 2: field 1 has a quote inside.*quotes: false/],
    ['names that come twice', 'a,b,a\n1,2,3', {}, /two columns have the name "a"/],
    ['text that is not UTF-8', 'latin1', {}, /line 2: field 1 is not UTF-8/],
    ['UTF-16', 'utf16', {}, /UTF-16, expected UTF-8/],
    ['a long record', `a\n"${'x'.repeat(300)}`, { maxRecord: 100 }, /line 2: a record of more than 100 bytes/],
  ])('refuses %s, naming the line', async (_, text, options, message) => {
    let content = bytes(text);
    if (text === 'latin1') content = Buffer.from('a\ncaf\xe9 au lait\n', 'latin1');
    if (text === 'utf16') content = Buffer.from('\ufeffa,b\n', 'utf16le');
    // In pieces, as a stream gives them, it is the same.
    const pieces = () =>
      Array.from({ length: Math.ceil(content.length / 40) }, (_v, i) => content.subarray(i * 40, i * 40 + 40));
    for (const source of [content, pieces]) {
      const error = await failure(openCsv(source, options).then((t) => t.rows().toArray()));
      expect(error).toBeInstanceOf(FormatError);
      expect(error.message).toMatch(message);
    }
  });

  it('names line, column, value and what was expected when a later row does not fit the first ones', async () => {
    const text = `age,ok,n\n${'1,true,3\n'.repeat(5)}"two\nlines",true,3\n`;
    const table = await openCsv(bytes(text), { sample: 3 });
    const error = await failure(table.rows().toArray());
    expect(error.message).toBe(
      'openCsv: the stream: line 7, column "age": got "two\\nlines", expected a whole number below 2^53, as in the first rows; ' +
        'give { types: { "age": \'string\' } }',
    );
    const bad = await openCsv(bytes('ok\ntrue\nmaybe'), { types: { ok: 'boolean' } });
    expect((await failure(bad.rows().toArray())).message).toMatch(
      /line 3, column "ok": got "maybe", expected true or false$/,
    );
    const half = await openCsv(bytes('n\n1\n1.5'), { sample: 1 });
    expect((await failure(half.rows().toArray())).message).toMatch(
      /line 3, column "n": got "1.5", expected a whole number/,
    );
  });

  it('refuses options that make no sense', async () => {
    for (const [options, message] of [
      [{ delimiter: ',,' }, /delimiter is ",,"/],
      [{ delimiter: '"' }, /expected one ASCII character/],
      [{ types: { b: 'number' } }, /no column "b"/],
      [{ types: { a: 'float' } }, /type of "a" is float, expected number, integer/],
      [{ header: [] }, /header is empty/],
      [{ sample: 0 }, /sample is 0/],
      [{ separator: ';' }, /unknown option "separator"/],
    ] as const) {
      const error = await failure(openCsv(bytes('a\n1'), options as never));
      expect(error).toBeInstanceOf(OptionError);
      expect(error.message).toMatch(message);
    }
    const table = await openCsv(bytes('a,b\n1,x'));
    expect(() => table.numbers()).toThrow(/column "b" is text.*TableEncoder/);
    expect(() => table.numbers(['aa'])).toThrow(/no column "aa", expected one of a, b\. Did you mean "a"/);
    expect(() => table.samples({ y: 'b' })).toThrow(/samples: y: column "b" is text/);
    await expect(openCsv(3 as never)).rejects.toThrow(OptionError);
  });

  it('gives columns of numbers as float32 rows, and samples', async () => {
    const table = await openCsv(bytes('a,b,c\n1,true,0.1\nNA,false,-2\n3,NA,1e9\n'));
    expect((await table.numbers().toArray()).map((r) => [...r])).toEqual([
      [1, 1, Math.fround(0.1)],
      [Number.NaN, 0, -2],
      [3, Number.NaN, 1e9],
    ]);
    const [batch] = await table.samples({ y: 'c' }).batch(3).toArray();
    expect(batch.x.shape).toEqual([3, 2]);
    expect(Array.from(await batch.y.data())).toEqual([Math.fround(0.1), -2, 1e9]);
    expect((await table.samples({ x: ['b'], y: 'a' }).toArray())[0]).toEqual({ x: Float32Array.of(1), y: 1 });
  });

  it('reads files, gzip, URLs and streams in any pieces alike, epoch after epoch', async () => {
    const file = join(dir, 'small.csv');
    await writeFile(file, SMALL);
    const zipped = join(dir, 'small.csv.gz');
    await writeFile(zipped, Buffer.concat([gzipSync(SMALL.slice(0, 30)), gzipSync(SMALL.slice(30))])); // two members
    const expected = await rowsOf(SMALL);
    const content = bytes(SMALL);
    const one = Array.from(content, (b) => Uint8Array.of(b));
    for (const source of [
      file,
      new URL(`file://${file}`),
      zipped,
      gzipSync(SMALL),
      () => createReadStream(file),
      one,
      [SMALL],
    ]) {
      const table = await openCsv(source);
      expect(await table.rows().toArray()).toEqual(expected);
      expect(await table.rows().toArray()).toEqual(expected);
    }
    for (const source of [createReadStream(file), Readable.from(one), Readable.from([gzipSync(SMALL)]), one.values()]) {
      const table = await openCsv(source as Readable);
      expect(await table.rows().toArray()).toEqual(expected);
      await expect(table.rows().toArray()).rejects.toThrow(/read already; give a path/);
    }
  });

  it('uses tabs for .tsv files', async () => {
    const file = join(dir, 'small.tsv');
    await writeFile(file, 'a\tb\n1\tx, y\n');
    expect(await (await openCsv(file)).rows().toArray()).toEqual([{ a: 1, b: 'x, y' }]);
  });

  it('continues at any row: from the byte in a plain file, by passing over in gzip and streams', async () => {
    const text = `a,b\n${Array.from({ length: 50 }, (_, i) => `${i},"row\n${i}"\n`).join('')}`;
    const file = join(dir, 'many.csv');
    await writeFile(file, text);
    await writeFile(`${file}.gz`, gzipSync(text));
    for (const source of [file, `${file}.gz`, () => Readable.from([text])]) {
      const table = await openCsv(source);
      const all = await table.rows().toArray();
      for (const at of [0, 1, 17, 49, 50]) {
        const walk = table.rows().iterate();
        for (let i = 0; i < at; i++) await walk.next();
        const state = JSON.parse(JSON.stringify(walk.state()));
        await walk.return();
        expect(await table.rows().toArray({ state })).toEqual(all.slice(at));
      }
      const shuffled = () => table.rows().shuffle({ buffer: 8, seed: 1 }).prefetch(2);
      const walk = shuffled().iterate();
      for (let i = 0; i < 21; i++) await walk.next();
      expect(await shuffled().toArray({ state: walk.state() })).toEqual((await shuffled().toArray()).slice(21));
      await walk.return();
    }
    // A wrong line number after continuing would send people to the wrong place.
    await writeFile(file, `${text}oops,x\n`);
    const table = await openCsv(file, { types: { a: 'integer' } });
    const walk = table.rows().iterate();
    for (let i = 0; i < 50; i++) await walk.next();
    const error = await failure(table.rows().toArray({ state: walk.state() }));
    expect(error.message).toMatch(/line 102, column "a": got "oops"/);
    await walk.return();
  });

  it('closes the file on an early break, an error, and after the end', async () => {
    const file = join(dir, 'many.csv');
    const open = async () => (await readFile('/proc/self/stat').catch(() => null)) !== null;
    if (!(await open())) return; // descriptors are counted where /proc is
    const { readdir } = await import('node:fs/promises');
    const count = async () => (await readdir('/proc/self/fd')).length;
    const table = await openCsv(file, { types: { a: 'string' } });
    await table.rows().toArray();
    const before = await count();
    for (let i = 0; i < 5; i++) {
      for await (const _ of table.rows()) break;
      await table.rows().toArray();
      await failure(openCsv(file, { header: ['x'] }));
      await failure(openCsv(`${file}.gz`, { header: ['x'] }));
    }
    expect(await count()).toBeLessThanOrEqual(before);
  });

  it('says so when gzip is cut off or damaged', async () => {
    const zipped = gzipSync(SMALL.repeat(1).padEnd(3000, `x,1,1,true,1\n`));
    const cut = await failure(openCsv(zipped.subarray(0, zipped.length - 12)).then((t) => t.rows().toArray()));
    expect(cut).toBeInstanceOf(FormatError);
    expect(cut.message).toMatch(/gzip data is damaged or cut off after byte \d+/);
    const damaged = Buffer.from(zipped);
    damaged[20] ^= 0xff;
    expect(await failure(openCsv(damaged).then((t) => t.rows().toArray()))).toBeInstanceOf(FormatError);
  });

  it('takes no more memory than a record may have from a gzip bomb', async () => {
    const bomb = gzipSync(Buffer.alloc(80_000_000, 'a'), { level: 9 });
    expect(bomb.length).toBeLessThan(100_000);
    const before = process.memoryUsage().rss;
    const error = await failure(openCsv(bomb, { maxRecord: 1 << 20 }));
    expect(error.message).toMatch(/a record of more than 1048576 bytes/);
    expect(process.memoryUsage().rss - before).toBeLessThan(40_000_000);
  });

  it('reads a prefix of any file, or refuses it with a FormatError', async () => {
    const whole = await rowsOf(SMALL);
    for (let length = 0; length <= SMALL.length; length++) {
      const content = bytes(SMALL).subarray(0, length);
      const result = await openCsv(content)
        .then((t) => t.rows().toArray())
        .catch((e: unknown) => e);
      if (result instanceof Error) expect(result).toBeInstanceOf(FormatError);
      else expect((result as unknown[]).length).toBeLessThanOrEqual(whole.length);
    }
    const zipped = gzipSync(SMALL);
    for (let length = 2; length < zipped.length; length++) {
      const error = await failure(openCsv(zipped.subarray(0, length)).then((t) => t.rows().toArray()));
      expect(error, `gzip cut at ${length}`).toBeInstanceOf(FormatError);
    }
  });

  it('survives any bytes, in any pieces, the same way', async () => {
    const interesting = fc.constantFrom(...bytes('",\r\n\t 1a.-e'), 0, 0xef, 0xbb, 0xbf, 0xff, 0xc3, 0xa9);
    await fc.assert(
      fc.asyncProperty(fc.array(interesting, { maxLength: 40 }), fc.integer({ min: 1, max: 7 }), async (list, size) => {
        const content = Buffer.from(list);
        const pieces = () =>
          Array.from({ length: Math.ceil(list.length / size) }, (_, i) => content.subarray(i * size, i * size + size));
        const read = (source: data.ByteSource) =>
          openCsv(source)
            .then((t) => t.rows().toArray())
            .catch((e: unknown) => {
              expect(e).toBeInstanceOf(NeuriteError);
              return (e as Error).message.replace(/got \d+/, 'got');
            });
        expect(await read(pieces)).toEqual(await read(content));
      }),
      { numRuns: 400, seed: 5 },
    );
  });

  it('reads back what a writer of RFC 4180 wrote', async () => {
    const cell = fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', 'a', ' ', 'é', '1'), maxLength: 6 });
    const table = fc
      .integer({ min: 1, max: 4 })
      .chain((width) =>
        fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 6 }),
      );
    await fc.assert(
      fc.asyncProperty(table, fc.constantFrom('\n', '\r\n'), async (rows, end) => {
        const names = rows[0].map((_, k) => `c${k}`);
        const text = [names, ...rows].map((row) => row.map((c) => `"${c.replaceAll('"', '""')}"`).join()).join(end);
        const types = Object.fromEntries(names.map((n) => [n, 'string' as const]));
        expect((await rowsOf(text, { types })).map((row) => names.map((n) => row[n]))).toEqual(rows);
      }),
      { numRuns: 200, seed: 6 },
    );
  });
});

describe('parseNumber', () => {
  const parse = (text: string) => parseNumber(bytes(text), 0, text.length);
  it('gives the bits that Number gives', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (v) => {
        expect(parse(String(v))).toBe(Number(String(v)));
      }),
      { numRuns: 2000, seed: 1 },
    );
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 0, maxLength: 22 });
    const decimal = fc.tuple(
      fc.constantFrom('', '-', '+'),
      digits,
      fc.constantFrom('', '.'),
      digits,
      fc.constantFrom('', 'e5', 'E-20', 'e+300', 'e-330'),
    );
    fc.assert(
      fc.property(decimal, ([sign, a, point, b, e]) => {
        if (a === '' && (point === '' || b === '')) return;
        const text = `${sign}${a}${point}${point === '' ? '' : b}${e}`;
        expect(parse(text)).toBe(Number(text));
      }),
      { numRuns: 4000, seed: 2 },
    );
  });
  it.each([
    '',
    ' ',
    '.',
    '-',
    '+.',
    '1.2.3',
    '1e',
    '1e+',
    '1e5x',
    '0x10',
    '1_000',
    '1 2',
    'abc',
    'e5',
    'in',
    'infinit',
    '--1',
    '1,5',
  ])('refuses %j', (text) => expect(parse(text)).toBeNaN());
});

describe('jsonLines', () => {
  it('reads values, passes over empty lines, and continues', async () => {
    const file = join(dir, 'a.jsonl');
    await writeFile(file, '\ufeff{"x":[1,2],"y":"é"}\r\n\n3\n"a\\nb"\nnull');
    const lines = jsonLines<unknown>(file);
    const all = [{ x: [1, 2], y: 'é' }, 3, 'a\nb', null];
    expect(await lines.toArray()).toEqual(all);
    const walk = lines.iterate();
    await walk.next();
    await walk.next();
    expect(await lines.toArray({ state: walk.state() })).toEqual(all.slice(2));
    await walk.return();
    expect(await jsonLines(gzipSync('1\n2')).toArray()).toEqual([1, 2]);
    expect(await jsonLines(Readable.from(['1\n2', '3\n'])).toArray()).toEqual([1, 23]);
  });

  it('names the line that is wrong', async () => {
    expect((await failure(jsonLines(bytes('1\n{"a":\n2')).toArray())).message).toMatch(
      /^jsonLines: the stream: line 2: is not JSON: /,
    );
    expect((await failure(jsonLines(Buffer.from([34, 0xff, 34])).toArray())).message).toMatch(/line 1: is not UTF-8/);
    expect((await failure(jsonLines(bytes('x'.repeat(99)), { maxRecord: 10 }).toArray())).message).toMatch(/line 1: /);
    const once = jsonLines(Readable.from(['1']));
    await once.toArray();
    expect(await failure(once.toArray())).toBeInstanceOf(DataError);
    await expect(jsonLines(join(dir, 'none')).toArray()).rejects.toThrow(
      /jsonLines: read ".*none": no such file; relative paths start at/,
    );
  });
});
