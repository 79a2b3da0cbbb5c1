// The only place that loads the native addon.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { DeviceError } from '../errors.js';

/** What stopped a run; nothing was written to in/out slots by the step it names. */
export interface RunFailure {
  readonly code: 'index' | 'nonFinite' | 'memory' | 'aborted' | 'dependency';
  /** Index of the instruction, -1 when none had started. */
  readonly instruction: number;
  /** Step of a scan, from 0. */
  readonly step: number;
  /** Element of the instruction's input: of the index or label tensor, or of the tensor checked to be finite; else -1. */
  readonly position: number;
  /** The offending index or value; for 'memory' the bytes asked for. */
  readonly value: number;
  readonly message: string;
}

/** A failed run of the queue. */
export interface QueuedFailure extends RunFailure {
  readonly id: number;
  /** For 'dependency': id of the failed run that this one depended on. */
  readonly cause?: number;
}

/** A verified program; opaque. */
export interface NativeProgram {
  readonly __nativeProgram: never;
}

export interface NativeInfo {
  readonly version: string;
  /** Instruction set in use. */
  readonly isa: string;
  /** Instruction sets this machine can use, best first. */
  readonly isas: readonly string[];
  readonly threads: number;
  readonly vendor: string;
  readonly cpu: string;
  readonly compiler: string;
}

/** The addon's functions. Errors they throw carry `code` ERR_NEURITE_PROGRAM, _BINDING, _ISA, _MEMORY or _ARGUMENT. */
export interface NativeAddon {
  info(): NativeInfo;
  /** Process-wide; takes effect for runs that start later. `memoryLimit` bounds the arena of each environment, in bytes. */
  configure(options: { threads?: number; isa?: string; memoryLimit?: number }): void;
  /** Verifies and copies a program. */
  load(words: Int32Array): NativeProgram;
  /**
   * Runs on this thread once the queue is empty. One buffer a slot, each with 63 spare bytes: the program uses it from its
   * first 64-byte boundary on (`alignOffset`).
   */
  run(program: NativeProgram, buffers: readonly ArrayBuffer[], steps: number): RunFailure | undefined;
  /**
   * Queues a run; ids ascend from 1. The caller keeps the buffers alive and unmoved until the run is reported. A run whose
   * dependency failed is skipped and reported with code 'dependency'.
   */
  enqueue(
    program: NativeProgram,
    buffers: readonly ArrayBuffer[],
    steps: number,
    id: number,
    dependsOn: readonly number[],
  ): void;
  /** Sets the function that hears of finished runs, on this thread: all up to `lastId`, those in `failures` failed. */
  onComplete(callback: (lastId: number, failures: readonly QueuedFailure[]) => void): void;
  /** Blocks until at most `depth` runs are unfinished; returns the id of the last finished one (0: none yet). */
  wait(depth: number): number;
  /** What onComplete would be told now; it is not told again. */
  takeCompletions(): { readonly lastId: number; readonly failures: readonly QueuedFailure[] };
  /** Bytes before the first 64-byte boundary of a buffer, 0 to 63. */
  alignOffset(buffer: ArrayBuffer): number;
  arenaBytes(): number;
  /** Gives the arena back once the queue is empty. */
  trimArena(): void;
}

function libc(): string {
  if (process.platform !== 'linux') return '';
  try {
    return readFileSync('/usr/bin/ldd', 'latin1').includes('musl') ? '.musl' : '.glibc';
  } catch {
    return '.glibc';
  }
}

function candidates(): string[] {
  const explicit = process.env['NEURITE_BINARY'];
  if (explicit !== undefined && explicit !== '') return [explicit];
  // This file is src/runtime or dist/runtime: the package is two folders up either way.
  const root = new URL('../../', import.meta.url);
  return [`prebuilds/${process.platform}-${process.arch}/neurite${libc()}.node`, 'build/Release/neurite.node'].map(
    (path) => fileURLToPath(new URL(path, root)),
  );
}

function load(): NativeAddon {
  const require = createRequire(import.meta.url);
  const tried: string[] = [];
  for (const path of candidates()) {
    if (!existsSync(path)) {
      tried.push(`${path}: not there`);
      continue;
    }
    try {
      return require(path) as NativeAddon;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      // The addon itself refused, for example NEURITE_ISA: another copy would too.
      if (code?.startsWith('ERR_NEURITE')) throw new DeviceError(message, { cause: error });
      tried.push(`${path}: ${message}`);
    }
  }
  throw new DeviceError(
    `No native addon for ${process.platform}-${process.arch}, Node ${process.version}. Tried:\n  ${tried.join('\n  ')}\n` +
      'In a checkout run `npm run build` (it needs a C++20 compiler and CMake, or Python 3 and make); ' +
      'or set NEURITE_BINARY to the path of a built neurite.node.',
  );
}

/** The native addon, loaded when this module is first imported. */
export const native: NativeAddon = load();
