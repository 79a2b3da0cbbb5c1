// Mutants of valid safetensors files: each is read, or refused with a FormatError that names a byte inside the file.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { FormatError } from '../../src/errors.js';
import {
  parseSafetensors,
  readSafetensors,
  type SafetensorsFile,
  serializeSafetensors,
  type TensorData,
} from '../../src/io/safetensors.js';
import { sizeOf } from '../../src/shape.js';
import { Dice, limit, report, runs, seed } from './effort.js';

const directory = mkdtempSync(join(tmpdir(), 'neurite-fuzz-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const tensors: Readonly<Record<string, TensorData>> = {
  'a.weight': { dtype: 'float32', shape: [2, 3], data: Float32Array.of(1, -2, 0.5, Number.NaN, 4, 5) },
  'a.bias': { dtype: 'float64', shape: [2], data: Float64Array.of(1, 2) },
  step: { dtype: 'int32', shape: [], data: Int32Array.of(7) },
  'naïve "\\ 名': { dtype: 'uint8', shape: [1, 4, 1], data: Uint8Array.of(9, 8, 7, 6) },
  mask: { dtype: 'bool', shape: [3], data: Uint8Array.of(0, 1, 1) },
  none: { dtype: 'float32', shape: [0, 5], data: new Float32Array(0) },
};
const seeds = [
  serializeSafetensors(tensors, { format: 'neurite', note: 'é\n' }),
  serializeSafetensors({ w: tensors['a.weight'] }),
  serializeSafetensors({}),
];

const NUMBERS = [
  ...['0', '1', '2', '-1', '00', '1.5', '1e3', '4294967296', '9007199254740991', '9007199254740992'],
  ...['18446744073709551615', '18446744073709551616', '65536,65536,65536,65536', '', 'null', '"1"', '[0]', ' 7 '],
];
const PIECES = [
  ...['{', '}', '[', ']', ',', ':', '"', '\\', '\\u0000', '\\ud800', '\\u', '\0', '\n', '\ufeff', 'é', '🙂'],
  ...['"dtype":"F32"', '"shape":[', '"data_offsets":[0,0]', '"__metadata__":{"k":"v"}', '"__proto__":{}', 'true'],
  ...['F16', 'F64', 'BOOL', 'U8', 'I32', '"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},'],
];
const LENGTHS = [
  0n,
  1n,
  2n,
  7n,
  8n,
  100_000_000n,
  100_000_001n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** `bytes` with the part from `start` to `end` replaced. */
function splice(bytes: Uint8Array, start: number, end: number, insert: Uint8Array): Uint8Array {
  return Buffer.concat([bytes.subarray(0, start), insert, bytes.subarray(end)]);
}

function headerLength(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0, true);
}

function setHeaderLength(bytes: Uint8Array, length: bigint): Uint8Array {
  const out = Uint8Array.from(bytes);
  new DataView(out.buffer).setBigUint64(0, BigInt.asUintN(64, length), true);
  return out;
}

/** Changes the header's text and keeps its length field true of it, so that the parser is reached. */
function changeHeader(bytes: Uint8Array, dice: Dice): Uint8Array {
  const end = 8 + Number(headerLength(bytes));
  const text = Buffer.from(bytes.subarray(8, end)).toString('latin1'); // a character a byte
  let [from, to] = [dice.below(text.length + 1), 0];
  let insert = '';
  const numbers = [...text.matchAll(/\d+/g)];
  const way = dice.below(5);
  if (way <= 1 && numbers.length > 0) {
    const number = dice.pick(numbers);
    from = number.index;
    to = from + number[0].length;
    insert = way === 0 ? dice.pick(NUMBERS) : String(Number(number[0]) + dice.below(9) - 4);
  } else if (way === 2) {
    to = from;
    insert = Buffer.from(dice.pick(PIECES), 'utf8').toString('latin1');
  } else if (way === 3) {
    to = Math.min(text.length, from + dice.below(6));
  } else {
    const copyFrom = dice.below(text.length + 1);
    to = from + dice.below(4);
    insert = text.slice(copyFrom, copyFrom + dice.below(40));
  }
  const changed = text.slice(0, from) + insert + text.slice(to);
  return setHeaderLength(splice(bytes, 8, end, Buffer.from(changed, 'latin1')), BigInt(changed.length));
}

function mutate(bytes: Uint8Array, dice: Dice): Uint8Array {
  let out = bytes;
  for (let changes = 1 + dice.below(3); changes > 0; changes--) {
    // Only changeHeader needs a sound length, and the others may have broken it.
    const sound = out.length >= 8 && headerLength(out) <= BigInt(out.length - 8);
    const at = dice.below(out.length + 1);
    const way = dice.below(10);
    if (way < 6 && sound) out = changeHeader(out, dice);
    else if (way === 6) out = Uint8Array.from(out, (b, i) => (i === at ? b ^ (1 << dice.below(8)) : b));
    else if (way === 7) out = out.subarray(0, at);
    else if (way === 8)
      out = splice(
        out,
        at,
        at,
        Uint8Array.from({ length: 1 + dice.below(9) }, () => dice.below(256)),
      );
    else if (out.length >= 8) {
      const length = headerLength(out) + BigInt(dice.below(9) - 4);
      out = setHeaderLength(out, dice.below(2) === 0 ? dice.pick(LENGTHS) : length);
    }
  }
  return out;
}

/** What a reader promises of anything it accepts. */
function checkAccepted(file: SafetensorsFile, bytes: Uint8Array): void {
  let total = 0;
  for (const { dtype, shape, data } of file.tensors.values()) {
    if (data.length !== sizeOf(shape)) throw new Error(`shape [${shape}] with ${data.length} values`);
    if (dtype === 'bool' && (data as Uint8Array).some((v) => v > 1)) throw new Error('a bool above 1');
    total += data.byteLength;
  }
  const header = Buffer.from(bytes.subarray(8, 8 + Number(headerLength(bytes)))).toString('latin1');
  // Read into wider elements, such a tensor has another size.
  const widened = /"(F16|BF16|[IU]16|I8|U32|[IU]64)"/.test(header);
  if (!widened && 8 + Number(headerLength(bytes)) + total !== bytes.length)
    throw new Error('not every byte was accounted for');
  const again = parseSafetensors(serializeSafetensors(file.tensors, file.metadata));
  expect([...again.tensors].sort()).toEqual([...file.tensors].sort());
  expect(again.metadata).toEqual(file.metadata);
}

function outcome(read: () => SafetensorsFile, bytes: Uint8Array): SafetensorsFile | string {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const at = Number(/ at byte (\d+): ./.exec(error.message)?.[1]);
    if (!(at >= 0 && at <= bytes.length)) throw new Error(`no byte of the file is named: ${error.message}`);
    return error.message;
  }
}

it(
  'mutated safetensors files are read or refused with a FormatError',
  async () => {
    const dice = new Dice(seed);
    const count = runs(10_000);
    let [accepted, compared] = [0, 0];
    const path = join(directory, 'mutant.safetensors');
    for (let i = 0; i < count; i++) {
      const mutant = mutate(seeds[i % seeds.length], dice);
      const bytes = i % 2 === 0 ? mutant : Buffer.from(mutant); // a view into Node's pool, at an odd offset
      try {
        const result = outcome(() => parseSafetensors(bytes, path), bytes);
        if (typeof result !== 'string') {
          accepted++;
          checkAccepted(result, bytes);
        }
        if (i % 20 !== 0) continue;
        compared++;
        writeFileSync(path, bytes);
        const fromFile = await readSafetensors(path).catch((error: unknown) => {
          if (error instanceof FormatError) return error.message;
          throw error;
        });
        expect(fromFile).toEqual(result);
      } catch (error) {
        const hex = Buffer.from(bytes).toString('hex');
        throw new Error(`mutant ${i} of seed ${seed}: ${String(error)}\n${hex}`, { cause: error });
      }
    }
    report('safetensors', { mutants: count, accepted, 'read from files too': compared });
    // Both sides of the fence must be met, or the test tests nothing.
    expect(accepted).toBeGreaterThan(count / 100);
    expect(accepted).toBeLessThan(count / 2);
  },
  limit(60),
);
