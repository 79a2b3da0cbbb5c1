import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OptionError } from '../../src/errors.js';
import { crc32c } from '../../src/io/crc32c.js';
import { type EventContent, eventRecord, histogramOf } from '../../src/io/event-proto.js';
import { EventWriter } from '../../src/io/index.js';

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'neurite-events-'));
});
afterAll(() => rm(scratch, { recursive: true }));

interface Golden {
  readonly cases: readonly { readonly wallTime: number; readonly content: EventContent; readonly record: string }[];
}

it('CRC-32C of the published vectors', () => {
  const text = Buffer.from('123456789');
  expect(crc32c(text)).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => 31 - i))).toBe(0x113fdb5c);
  for (let cut = 0; cut <= 9; cut++) expect(crc32c(text.subarray(cut), crc32c(text.subarray(0, cut)))).toBe(0xe3069283);
});

it('records have the bytes that TensorBoard writes', async () => {
  const golden = JSON.parse(await readFile(new URL('goldens/events.json', import.meta.url), 'utf8')) as Golden;
  for (const { wallTime, content, record } of golden.cases) {
    expect(Buffer.from(eventRecord(wallTime, content)).toString('base64')).toBe(record);
  }
});

describe('histograms', () => {
  it('count every finite value once, between the limits around it', () => {
    const values = [0, -0, 1, -1, 0.5, 1e-13, -1e-13, 1e300, -1e300, Number.NaN, Infinity, -Infinity];
    const h = histogramOf(values);
    if (h === null) throw new Error('no histogram');
    expect(h).toMatchObject({ min: -1e300, max: 1e300, count: 9 });
    expect(h.buckets.reduce((a, b) => a + b, 0)).toBe(9);
    const finite = values.filter(Number.isFinite);
    for (const [i, limit] of h.limits.entries()) {
      const inside = finite.filter((v) => v < limit && (i === 0 || v >= h.limits[i - 1])).length;
      expect(h.buckets[i], `below ${limit}`).toBe(inside);
    }
    // No two empty buckets in a row.
    expect(h.buckets.some((b, i) => b === 0 && h.buckets[i + 1] === 0)).toBe(false);
  });
  it('of nothing finite are none', () => {
    expect(histogramOf([Number.NaN])).toBeNull();
    expect(histogramOf(new Float32Array(0))).toBeNull();
  });
});

/** The records of a file: each length and checksum is checked. */
function split(bytes: Buffer): Buffer[] {
  const mask = (crc: number) => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(bytes.readUInt32LE(at + 8)).toBe(mask(crc32c(bytes.subarray(at, at + 8))));
    const body = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(mask(crc32c(body)));
    out.push(body);
    at += 16 + length;
  }
  return out;
}

describe('EventWriter', () => {
  it('writes the version, then every value in order, whatever their number', async () => {
    const directory = join(scratch, 'a', 'run');
    const events = new EventWriter(directory);
    for (let i = 0; i < 3000; i++) events.scalar('train/loss', i, i);
    await events.flush();
    expect(split(await readFile(events.path))).toHaveLength(3001);
    events.histogram('w', Float32Array.of(1, 2), 3000);
    events.histogram('w', [Number.NaN], 3001);
    await events.close();
    await events.close();
    const records = split(await readFile(events.path));
    expect(records).toHaveLength(3002);
    expect(records[0].toString('latin1')).toContain('brain.Event:2');
    expect(records.slice(1, 3001).every((r, i) => r.readFloatLE(r.length - 4) === i)).toBe(true);
    expect(await readdir(directory)).toEqual([expect.stringMatching(/^events\.out\.tfevents\.\d{10}\./)]);
  });

  it('two writers of one directory have files of their own', async () => {
    const [a, b] = [new EventWriter(scratch), new EventWriter(scratch)];
    expect(a.path).not.toBe(b.path);
    await Promise.all([a.close(), b.close()]);
  });

  it('refuses bad steps, tags and values', async () => {
    expect(() => new EventWriter('')).toThrow(OptionError);
    const events = new EventWriter(scratch);
    expect(() => events.scalar('loss', 1, -1)).toThrow(
      /EventWriter.scalar "loss": step is -1, expected a whole number/,
    );
    expect(() => events.scalar('', 1, 1)).toThrow(/tag is "", expected a name/);
    expect(() => events.scalar('loss', '1' as unknown as number, 1)).toThrow(/value is 1, expected a number/);
    await events.close();
    expect(() => events.histogram('w', [1], 1)).toThrow(/histogram "w": the writer was closed/);
  });

  it('tells of a failing write at flush and close, and keeps quiet otherwise', async () => {
    const file = join(scratch, 'file');
    await writeFile(file, '');
    const events = new EventWriter(file);
    events.scalar('loss', 1, 1);
    await expect(events.flush()).rejects.toThrow(/write ".*events\.out\.tfevents.*"/);
    await expect(events.close()).rejects.toThrow(/write/);
  });
});
