import { type DType, type HostArray, hostView, itemSize } from '../dtype.js';
import type { Storage } from '../graph/tensor.js';
import { type Shape, sizeOf } from '../shape.js';
import { type Memory, native } from './native.js';

/** A run whose result is not known yet; `engine/queue` implements it. */
export interface PendingRun {
  readonly id: number;
}

const ALIGNMENT = 64;

/** Values of up to 64 bytes (losses, counters) share buffers: making one costs more than a small network's whole step. */
const SLAB_VALUES = 16;
let slab = new ArrayBuffer(0);
let slabNext = 0;
let slabEnd = 0;

function fromSlab(byteLength: number): Uint8Array {
  if (slabNext === slabEnd) {
    slab = new ArrayBuffer((SLAB_VALUES + 1) * ALIGNMENT - 1);
    slabNext = native.alignOffset(slab);
    slabEnd = slabNext + SLAB_VALUES * ALIGNMENT;
  }
  const memory = new Uint8Array(slab, slabNext, byteLength);
  slabNext += ALIGNMENT;
  return memory;
}

/** From so many bytes on, at least one huge page fits wherever the memory starts. */
const HUGE = 4 << 20;

function newBuffer(byteLength: number): ArrayBuffer {
  const buffer = new ArrayBuffer(byteLength + ALIGNMENT - 1);
  // Its pages cost fewer faults when it is first written, and the rows that a batch gathers fewer look-ups afterwards.
  if (byteLength >= HUGE) native.preferHugePages(buffer);
  return buffer;
}

/**
 * Memory of one value: a private ArrayBuffer that V8 counts and frees, 64 bytes longer than needed so that native code can
 * align it, or an aligned part of one. Nobody outside the engine ever sees it.
 */
export class HostStorage implements Storage {
  readonly memory: Memory;
  readonly byteLength: number;
  /** The queued run that will write it, null when its content is settled. */
  run: PendingRun | null = null;
  /** Why the run that should have written it did not. */
  error: Error | null = null;

  constructor(byteLength: number) {
    this.memory = byteLength <= ALIGNMENT ? fromSlab(byteLength) : newBuffer(byteLength);
    this.byteLength = byteLength;
  }

  /** The content as a typed array over the memory itself. Call only when no run is in flight on it. */
  view(dtype: DType): HostArray {
    const { memory } = this;
    const length = this.byteLength / itemSize(dtype);
    if (memory instanceof Uint8Array) return hostView(dtype, memory.buffer as ArrayBuffer, memory.byteOffset, length);
    return hostView(dtype, memory, native.alignOffset(memory), length);
  }
}

let limit = Number.POSITIVE_INFINITY;
/** Bytes of the values that are large enough to count; the others are bounded by the JavaScript heap they also take. */
let live = 0;
const COUNTED = 16_384; // making so large a value costs as much as registering it
const registry = new FinalizationRegistry<number>((bytes) => {
  live -= bytes;
});

/** The one entry through which values get memory; enforces the settable limit. */
export function allocate(shape: Shape, dtype: DType, steps = 1): HostStorage {
  const bytes = sizeOf(shape) * itemSize(dtype) * steps;
  if (bytes < COUNTED) return new HostStorage(bytes);
  if (live + native.arenaBytes() + bytes > limit) {
    const inUse = bytesInUse();
    if (inUse + bytes > limit) {
      throw new RangeError(
        `memory limit: [${shape}] ${dtype} needs ${bytes} bytes, ${inUse} of ${limit} are in use; ` +
          'use a smaller batch or raise configure({ memoryLimit })',
      );
    }
  }
  let storage: HostStorage;
  try {
    storage = new HostStorage(bytes);
  } catch (cause) {
    throw new RangeError(`out of memory: [${shape}] ${dtype} needs ${bytes} bytes`, { cause });
  }
  live += bytes;
  registry.register(storage, bytes);
  return storage;
}

/** Throws unless the arena may grow to the `bytes` a program needs for its intermediate values. */
export function checkArena(bytes: number, values: readonly { readonly shape: Shape }[]): void {
  if (live + bytes <= limit) return;
  const growth = bytes - native.arenaBytes();
  if (growth <= 0) return;
  const inUse = bytesInUse();
  if (inUse + growth <= limit) return;
  const largest = values.map((v) => v.shape).reduce((a, b) => (sizeOf(b) > sizeOf(a) ? b : a));
  throw new RangeError(
    `memory limit: intermediate values, the largest [${largest}], need ${bytes} bytes, ${inUse} of ${limit} are in use; ` +
      'use a smaller batch or raise configure({ memoryLimit })',
  );
}

/**
 * Bytes that tensors and program memory hold now. What V8 has freed is subtracted when the event loop next turns; until
 * then all array buffers of the process are the better bound.
 */
export function bytesInUse(): number {
  return Math.min(live, process.memoryUsage().arrayBuffers) + native.arenaBytes();
}

export function memoryLimit(): number {
  return limit;
}

export function setMemoryLimit(bytes: number): void {
  limit = bytes;
}
