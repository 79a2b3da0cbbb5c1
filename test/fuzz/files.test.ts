// Mutants of NPY and NPZ files and of checkpoint manifests: each is read, or refused with a FormatError.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { FormatError } from '../../src/errors.js';
import { decodeManifest, encodeManifest } from '../../src/io/checkpoint-manifest.js';
import { crc32c, showCrc } from '../../src/io/crc32c.js';
import { parseNpy, parseNpz, readNpz, type TensorData, writeNpz } from '../../src/io/index.js';
import { sizeOf } from '../../src/shape.js';
import { Dice, limit, report, runs, seed } from './effort.js';

const directory = mkdtempSync(join(tmpdir(), 'neurite-fuzz-files-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const goldens = JSON.parse(await readFile(new URL('../io/goldens/files.json', import.meta.url), 'utf8')) as {
  readonly npy: readonly { readonly file: string }[];
  readonly npz: Readonly<Record<string, string>>;
};
const bytesOf = (base64: string): Buffer => Buffer.from(base64, 'base64');
const PIECES = [
  "'",
  '"',
  '(',
  ')',
  ',',
  '{',
  '}',
  ':',
  '<',
  '>',
  '|O',
  "'<i8'",
  'True',
  '(2,',
  '9007199254740992',
  '-1',
  '1e9',
  '\\',
  '\0',
];

/** One to three small changes: a bit, a cut, bytes put in or taken out, a piece of a header. */
function mutate(bytes: Buffer, dice: Dice, header: number): Buffer {
  let out = Buffer.from(bytes);
  for (let changes = 1 + dice.below(3); changes > 0; changes--) {
    const at = dice.below(Math.min(out.length, dice.below(2) === 0 ? header : out.length) + 1);
    const way = dice.below(6);
    if (way <= 1) out = Buffer.from(Uint8Array.from(out, (b, i) => (i === at ? b ^ (1 << dice.below(8)) : b)));
    else if (way === 2) out = out.subarray(0, at);
    else if (way === 3) out = Buffer.concat([out.subarray(0, at), out.subarray(at + 1 + dice.below(3))]);
    else {
      const piece = way === 4 ? Buffer.from(dice.pick(PIECES), 'latin1') : Buffer.from([dice.below(256)]);
      const end = dice.below(2) === 0 ? at : at + piece.length;
      out = Buffer.concat([out.subarray(0, at), piece, out.subarray(end)]);
    }
  }
  return out;
}

function checkTensor({ shape, data, dtype }: TensorData): void {
  if (data.length !== sizeOf(shape)) throw new Error(`shape [${shape}] with ${data.length} values`);
  if (dtype === 'bool' && (data as Uint8Array).some((v) => v > 1)) throw new Error('a bool above 1');
}

/** Runs `read` on every mutant; says which one broke it. */
async function fuzz(
  what: string,
  count: number,
  seeds: readonly Buffer[],
  header: number,
  read: (bytes: Buffer) => void | Promise<void>,
): Promise<number> {
  const dice = new Dice(seed);
  let accepted = 0;
  for (let i = 0; i < count; i++) {
    const mutant = mutate(seeds[i % seeds.length], dice, header);
    try {
      await read(mutant);
      accepted++;
    } catch (error) {
      if (error instanceof FormatError) continue;
      throw new Error(`${what}: mutant ${i} of seed ${seed}: ${String(error)}\n${mutant.toString('hex')}`, {
        cause: error,
      });
    }
  }
  report(what, { mutants: count, accepted });
  expect(accepted).toBeLessThan(count);
  return accepted;
}

it(
  'mutated NPY files',
  async () => {
    const seeds = goldens.npy.map((g) => bytesOf(g.file));
    const accepted = await fuzz('npy', runs(6000), seeds, 128, (bytes) => checkTensor(parseNpy(bytes, 'x')));
    expect(accepted).toBeGreaterThan(0);
  },
  limit(60),
);

it(
  'mutated NPZ files',
  async () => {
    const small: TensorData = { dtype: 'int32', shape: [2, 2], data: Int32Array.of(1, 2, 3, 4) };
    const path = join(directory, 'seed.npz');
    await writeNpz(path, { a: small, 'b/c': small }, { compress: true });
    const seeds = [await readFile(path), bytesOf(goldens.npz['deflated'])];
    const mutated = join(directory, 'mutant.npz');
    let files = 0;
    const accepted = await fuzz('npz', runs(1500), seeds, 100, async (bytes) => {
      const arrays = await parseNpz(bytes, 'x', { maxBytes: 1e6 });
      for (const tensor of arrays.values()) checkTensor(tensor);
      writeFileSync(mutated, bytes);
      expect(await readNpz(mutated)).toEqual(arrays);
      files++;
    });
    expect(files).toBe(accepted);
    expect(accepted).toBeGreaterThan(0);
  },
  limit(60),
);

it(
  'mutated manifests, and ones whose checksum was made to fit',
  async () => {
    const manifest = encodeManifest('test', {
      step: 12,
      metric: 0.5,
      library: '0.1.0',
      payload: { bytes: 100, tensors: [{ name: 'a.b', dtype: 'float32', shape: [2, 3], crc32c: '00c0ffee' }] },
      state: { epoch: 1, nested: [null, true, Number.NaN, 'é', { x: [] }] },
    });
    const seeds = [Buffer.from(manifest)];
    // Nothing gets past the checksum but what changes nothing.
    await fuzz('manifest', runs(6000), seeds, manifest.length, (bytes) => {
      decodeManifest('x', bytes);
      if (!bytes.equals(manifest)) throw new Error('accepted a changed manifest');
    });
    const sealed = await fuzz('sealed manifest', runs(6000), seeds, manifest.length, (bytes) => {
      const body = bytes.subarray(0, bytes.length - ',"crc32c":"00000000"}\n'.length);
      const m = decodeManifest('x', Buffer.concat([body, Buffer.from(`,"crc32c":"${showCrc(crc32c(body))}"}\n`)]));
      if (!Number.isSafeInteger(m.step) || m.step < 0 || !Array.isArray(m.payload.tensors))
        throw new Error('bad fields');
    });
    expect(sealed).toBeGreaterThan(0);
  },
  limit(60),
);
