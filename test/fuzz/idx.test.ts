// Mutants of valid IDX files, plain and gzip: each is read, or refused with a FormatError.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, expect, it } from 'vitest';
import { type HostTensor, readIdx } from '../../src/datasets/idx.js';
import { FormatError } from '../../src/errors.js';
import { MAX_RANK, sizeOf } from '../../src/shape.js';
import { Dice, limit, report, runs, seed } from './effort.js';

const directory = mkdtempSync(join(tmpdir(), 'neurite-fuzz-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const WIDTHS: Readonly<Record<number, number>> = { 8: 1, 9: 1, 11: 2, 12: 4, 13: 4, 14: 8 };

function idx(type: number, shape: readonly number[]): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = type;
  header[3] = shape.length;
  shape.forEach((d, i) => {
    header.writeUInt32BE(d, 4 + 4 * i);
  });
  const data = Uint8Array.from({ length: sizeOf(shape) * WIDTHS[type] }, (_, i) => (37 * i) % 256);
  return Buffer.concat([header, data]);
}

const seeds = [
  ...[idx(8, [5, 2, 3]), idx(8, [7]), idx(9, [4, 2]), idx(11, [3]), idx(12, [2, 2]), idx(13, [1, 3]), idx(14, [2])],
  ...[idx(8, [0, 9]), idx(8, [1, 1, 1, 1, 1, 1, 1, 1])],
];
const DIMENSIONS = [0, 1, 2, 3, 255, 256, 65_535, 65_536, 2 ** 20, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

function changePlain(bytes: Buffer, dice: Dice): Buffer {
  const out = Buffer.from(bytes);
  const at = dice.below(out.length + 1);
  const way = dice.below(8);
  if (way <= 2 && out.length >= 8) {
    const axis = 4 + 4 * dice.below(Math.min(out[3], Math.floor((out.length - 4) / 4)));
    if (axis + 4 <= out.length) {
      const near = (out.readUInt32BE(axis) + dice.below(5) - 2) >>> 0;
      out.writeUInt32BE(way === 0 ? near : dice.pick(DIMENSIONS), axis);
    }
  } else if (way === 3 && out.length >= 4) out[2] = dice.pick([0, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255]);
  else if (way === 4 && out.length >= 4) out[3] = dice.pick([0, 1, 2, 3, 4, 5, 8, 9, 255]);
  else if (way === 5) return out.subarray(0, at);
  else if (way === 6) return Buffer.concat([out, Buffer.alloc(1 + dice.below(20), dice.below(256))]);
  else if (at < out.length) out[at] ^= 1 << dice.below(8);
  return out;
}

function changePacked(bytes: Buffer, dice: Dice): Buffer {
  const out = Buffer.from(bytes);
  const at = dice.below(out.length);
  const way = dice.below(5);
  if (way === 0) return out.subarray(0, at);
  if (way === 1)
    return Buffer.concat([out, dice.below(2) === 0 ? out : Buffer.alloc(1 + dice.below(9), dice.below(256))]);
  if (way === 2) out[at] ^= 1 << dice.below(8);
  if (way === 3) out[dice.below(Math.min(10, out.length))] = dice.below(256);
  return out;
}

function mutate(bytes: Buffer, dice: Dice): Buffer {
  let out = bytes;
  for (let changes = 1 + dice.below(2); changes > 0; changes--) out = changePlain(out, dice);
  if (dice.below(3) > 0) return out;
  out = gzipSync(out, { level: 1 + dice.below(9) });
  return dice.below(2) === 0 ? out : changePacked(out, dice);
}

/** What the reader promises of anything it accepts. */
function checkAccepted({ data, shape }: HostTensor, bytes: Buffer): void {
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const content = packed ? gunzipSync(bytes) : bytes;
  if (shape.length < 1 || shape.length > MAX_RANK) throw new Error(`rank ${shape.length}`);
  if (data.length !== sizeOf(shape)) throw new Error(`shape [${shape}] with ${data.length} values`);
  const start = 4 + 4 * shape.length;
  if (start + data.length * WIDTHS[content[2]] !== content.length) throw new Error('not every byte was accounted for');
  if (data instanceof Uint8Array) expect(Buffer.from(data)).toEqual(content.subarray(start));
}

it(
  'mutated IDX files are read or refused with a FormatError, in little memory',
  async () => {
    const dice = new Dice(seed);
    const count = runs(2000);
    const path = join(directory, 'mutant');
    const before = process.resourceUsage().maxRSS;
    let accepted = 0;
    for (let i = 0; i < count; i++) {
      const bytes = mutate(seeds[i % seeds.length], dice);
      writeFileSync(path, bytes);
      try {
        const result = await readIdx(path);
        accepted++;
        checkAccepted(result, bytes);
      } catch (error) {
        if (error instanceof FormatError && error.message.startsWith(path)) continue;
        throw new Error(`mutant ${i} of seed ${seed}: ${String(error)}\n${bytes.toString('hex')}`, { cause: error });
      }
    }
    report('IDX', { mutants: count, accepted });
    expect(accepted).toBeGreaterThan(count / 20);
    expect(accepted).toBeLessThan(count / 2);
    // Headers here promise up to 16 GiB; what is allocated must depend on the file. 512 MiB leaves the collector its freedom.
    expect((process.resourceUsage().maxRSS - before) / 1024).toBeLessThan(512);
  },
  limit(60),
);
