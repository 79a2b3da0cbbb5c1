import { DTYPES } from '../dtype.js';
import { FormatError } from '../errors.js';
import { type JsonValue, parseExact, stringifyExact } from '../json.js';
import type { Shape } from '../shape.js';
import { crc32c, showCrc } from './crc32c.js';

/** What a checkpoint holds and how to know that it is whole; written last. */
export interface Manifest {
  readonly step: number;
  readonly metric: number | null;
  /** Version of Neurite that wrote it. */
  readonly library: string;
  readonly payload: PayloadEntry;
  readonly state: JsonValue;
}

export interface PayloadEntry {
  readonly bytes: number;
  readonly tensors: readonly TensorEntry[];
}

export interface TensorEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: Shape;
  /** Checksum of the values, eight hexadecimal digits. */
  readonly crc32c: string;
}

export const MANIFEST_FILE = 'manifest.json';
export const PAYLOAD_FILE = 'tensors.safetensors';

const FORMAT = 'neurite-checkpoint';
const VERSION = 1;
/** Between the content and its own checksum, at the end of the file. */
const SEAL = ',"crc32c":"';
const TAIL = SEAL.length + 8 + '"}\n'.length;

/** The manifest as the bytes of its file. @throws OptionError naming what in the state is no JSON. */
export function encodeManifest(where: string, { step, metric, library, payload, state }: Manifest): Uint8Array {
  const head = JSON.stringify({ format: FORMAT, version: VERSION, library, step, metric, payload });
  const body = `${head.slice(0, -1)},"state":${stringifyExact(`${where}: state`, state)}`;
  const bytes = Buffer.from(body, 'utf8');
  return Buffer.concat([bytes, Buffer.from(`${SEAL}${showCrc(crc32c(bytes))}"}\n`)]);
}

/**
 * Reads the bytes of a manifest; any changed byte is found.
 * @param path for messages.
 * @throws FormatError naming the path and what is wrong.
 */
export function decodeManifest(path: string, bytes: Uint8Array): Manifest {
  const fail = (what: string): never => {
    throw new FormatError(`checkpoint "${path}": ${what}`);
  };
  const body = bytes.subarray(0, Math.max(0, bytes.length - TAIL));
  const tail = Buffer.from(bytes.subarray(body.length)).toString('latin1');
  const seal = `${SEAL}${showCrc(crc32c(body))}"}\n`;
  if (tail !== seal) fail('the manifest is damaged or cut: its checksum does not fit its content');
  let value: JsonValue = null;
  try {
    value = parseExact(`${Buffer.from(body).toString('utf8')}}`);
  } catch (error) {
    fail(`the manifest is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  // The checksum fits, so what follows is about who wrote it, not about damage.
  if (!isObject(value) || value['format'] !== FORMAT) return fail(`the manifest's format is not "${FORMAT}"`);
  const { version, library, step, metric, payload, state } = value;
  if (version !== VERSION) {
    fail(`got version ${JSON.stringify(version)}, expected ${VERSION}; update neurite to read it`);
  }
  const right =
    isWhole(step) &&
    (metric === null || typeof metric === 'number') &&
    typeof library === 'string' &&
    state !== undefined &&
    isObject(payload) &&
    isWhole(payload['bytes']) &&
    Array.isArray(payload['tensors']) &&
    payload['tensors'].every(isTensorEntry);
  return right ? (value as unknown as Manifest) : fail('the manifest lacks a field, or one is of another type');
}

function isObject(x: JsonValue | undefined): x is { readonly [key: string]: JsonValue } {
  return typeof x === 'object' && x !== null && !Array.isArray(x);
}

function isWhole(x: JsonValue | undefined): x is number {
  return typeof x === 'number' && Number.isSafeInteger(x) && x >= 0;
}

function isTensorEntry(x: JsonValue): boolean {
  return (
    isObject(x) &&
    typeof x['name'] === 'string' &&
    DTYPES.some((d) => d === x['dtype']) &&
    Array.isArray(x['shape']) &&
    x['shape'].every(isWhole) &&
    typeof x['crc32c'] === 'string'
  );
}
