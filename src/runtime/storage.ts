import { type DType, type HostArray, hostView, itemSize } from '../dtype.js';
import type { Storage } from '../graph/tensor.js';
import { type Shape, sizeOf } from '../shape.js';
import { native } from './native.js';

/** A run whose result is not known yet; `engine/queue` implements it. */
export interface PendingRun {
  readonly id: number;
}

const ALIGNMENT = 64;

/**
 * Memory of one value: a private ArrayBuffer that V8 counts and frees, 64 bytes longer than needed so that native code can
 * align it. Nobody outside the engine ever sees the buffer.
 */
export class HostStorage implements Storage {
  readonly buffer: ArrayBuffer;
  readonly byteLength: number;
  /** The queued run that will write it, null when its content is settled. */
  run: PendingRun | null = null;
  /** Why the run that should have written it did not. */
  error: Error | null = null;

  constructor(byteLength: number) {
    this.buffer = new ArrayBuffer(byteLength + ALIGNMENT - 1);
    this.byteLength = byteLength;
  }

  /** The content as a typed array over the memory itself. Call only when no run is in flight on it. */
  view(dtype: DType): HostArray {
    return hostView(dtype, this.buffer, native.alignOffset(this.buffer), this.byteLength / itemSize(dtype));
  }
}

let limit = Number.POSITIVE_INFINITY;
/** Bytes in use at the last exact count, and what was allocated since: an upper bound that costs one addition to keep. */
let counted = 0;
let since = 0;

/** The one entry through which values get memory; enforces the settable limit. */
export function allocate(shape: Shape, dtype: DType, steps = 1): HostStorage {
  const bytes = sizeOf(shape) * itemSize(dtype) * steps;
  if (counted + since + bytes > limit) {
    counted = bytesInUse();
    since = 0;
    if (counted + bytes > limit) throw overLimit(shape, dtype, bytes);
  }
  since += bytes;
  try {
    return new HostStorage(bytes);
  } catch (cause) {
    throw new RangeError(`out of memory: [${shape}] ${dtype} needs ${bytes} bytes`, { cause });
  }
}

function overLimit(shape: Shape, dtype: DType, bytes: number): RangeError {
  return new RangeError(
    `memory limit: [${shape}] ${dtype} needs ${bytes} bytes, ${counted} of ${limit} are in use; ` +
      'use a smaller batch or raise configure({ memoryLimit })',
  );
}

/** Bytes of tensors and program memory this process holds now (garbage that V8 has not collected included). */
export function bytesInUse(): number {
  return process.memoryUsage().arrayBuffers + native.arenaBytes();
}

export function memoryLimit(): number {
  return limit;
}

export function setMemoryLimit(bytes: number): void {
  limit = bytes;
  counted = bytesInUse();
  since = 0;
}
