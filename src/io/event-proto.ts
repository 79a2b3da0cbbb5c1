import type { HostArray } from '../dtype.js';
import { crc32c } from './crc32c.js';

/** What an event holds besides its time: the version that opens a file, or one value of a step. */
export type EventContent =
  | { readonly fileVersion: string }
  | { readonly step: number; readonly tag: string; readonly scalar: number }
  | { readonly step: number; readonly tag: string; readonly histogram: Histogram };

/** Counts of values by bucket: `buckets[i]` lie below `limits[i]` and not below `limits[i − 1]`. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly sumSquares: number;
  readonly limits: readonly number[];
  readonly buckets: readonly number[];
}

/**
 * One event as a TFRecord: length, its checksum, a protocol buffer `tensorflow.Event`, its checksum.
 * @param wallTime seconds since 1970.
 * @see https://www.tensorflow.org/tutorials/load_data/tfrecord; tensorflow/core/util/event.proto, summary.proto
 */
export function eventRecord(wallTime: number, content: EventContent): Uint8Array {
  const event = new Message().double(1, wallTime);
  if ('fileVersion' in content) event.text(3, content.fileVersion);
  else event.whole(2, content.step).message(5, new Message().message(1, summaryValue(content)));
  const body = event.bytes();
  const record = Buffer.alloc(12 + body.length + 4);
  record.writeBigUInt64LE(BigInt(body.length), 0);
  record.writeUInt32LE(masked(crc32c(record.subarray(0, 8))), 8);
  body.copy(record, 12);
  record.writeUInt32LE(masked(crc32c(body)), 12 + body.length);
  return record;
}

/**
 * The histogram of the finite values, in TensorFlow's buckets: limits ±10⁻¹²·1.1ᵏ up to 10²⁰, and 0.
 * @returns null when no value is finite.
 */
export function histogramOf(values: HostArray | readonly number[]): Histogram | null {
  const limits = bucketLimits();
  const counts = new Float64Array(limits.length);
  let [min, max, count, sum, sumSquares] = [Infinity, -Infinity, 0, 0, 0];
  for (const v of values) {
    if (!Number.isFinite(v)) continue;
    count++;
    sum += v;
    sumSquares += v * v;
    if (v < min) min = v;
    if (v > max) max = v;
    counts[firstAbove(limits, v)]++;
  }
  if (count === 0) return null;
  const [kept, buckets]: [number[], number[]] = [[], []];
  for (let i = 0; i < limits.length; i++) {
    // A run of empty buckets is one.
    if (counts[i] === 0) while (i + 1 < limits.length && counts[i + 1] === 0) i++;
    kept.push(limits[i]);
    buckets.push(counts[i]);
  }
  return { min, max, count, sum, sumSquares, limits: kept, buckets };
}

function summaryValue(content: Exclude<EventContent, { readonly fileVersion: string }>): Message {
  const value = new Message().text(1, content.tag);
  if ('scalar' in content) return value.float(2, content.scalar);
  const { min, max, count, sum, sumSquares, limits, buckets } = content.histogram;
  const histogram = new Message().double(1, min).double(2, max).double(3, count).double(4, sum).double(5, sumSquares);
  return value.message(5, histogram.doubles(6, limits).doubles(7, buckets));
}

/** A checksum of data that holds checksums is a poor one; the format turns and shifts them. */
function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

let limitsMade: Float64Array | null = null;

function bucketLimits(): Float64Array {
  if (limitsMade === null) {
    const above: number[] = [];
    for (let v = 1e-12; v < 1e20; v *= 1.1) above.push(v);
    above.push(Number.MAX_VALUE);
    limitsMade = Float64Array.from([...above.map((v) => -v).reverse(), 0, ...above]);
  }
  return limitsMade;
}

/** Index of the first limit above `v`, the last one at most. */
function firstAbove(limits: Float64Array, v: number): number {
  let [low, high] = [0, limits.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (limits[middle] > v) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** A protocol buffer message, written field by field; zero numbers are left out, as proto3 does, where they mean the same. */
class Message {
  readonly #parts: Buffer[] = [];

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  double(field: number, value: number): this {
    if (value === 0 && !Object.is(value, -0)) return this;
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    return this.#add(field, FIXED64, bytes);
  }

  /** Part of a choice, so written even when 0. */
  float(field: number, value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    return this.#add(field, FIXED32, bytes);
  }

  whole(field: number, value: number): this {
    return value === 0 ? this : this.#add(field, VARINT, varint(value));
  }

  text(field: number, value: string): this {
    return this.#sized(field, Buffer.from(value, 'utf8'));
  }

  message(field: number, value: Message): this {
    return this.#sized(field, value.bytes());
  }

  doubles(field: number, values: readonly number[]): this {
    return this.#sized(field, Buffer.from(Float64Array.from(values).buffer));
  }

  #sized(field: number, bytes: Buffer): this {
    return this.#add(field, SIZED, Buffer.concat([varint(bytes.length), bytes]));
  }

  #add(field: number, wire: number, bytes: Buffer): this {
    this.#parts.push(varint((field << 3) | wire), bytes);
    return this;
  }
}

const VARINT = 0;
const FIXED64 = 1;
const SIZED = 2;
const FIXED32 = 5;

/** A whole number in [0, 2^53) in groups of seven bits, lowest first. */
function varint(value: number): Buffer {
  const out: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) | 128);
  out.push(value);
  return Buffer.from(out);
}
