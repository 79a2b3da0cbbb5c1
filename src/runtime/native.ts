// What the native addon offers; loader.ts finds it.
import type { HostArray } from '../dtype.js';
import { loadAddon } from './loader.js';

/** What stopped a run; nothing was written to in/out slots by the step it names. */
export interface RunFailure {
  readonly code: 'index' | 'nonFinite' | 'singular' | 'memory' | 'aborted' | 'dependency';
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

/** A program and what most of its slots are bound to; opaque. */
export interface NativeFrame {
  readonly __nativeFrame: never;
}

/** What a slot is bound to: a buffer, or a part of one. */
export type Memory = ArrayBuffer | Uint8Array;

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
  run(program: NativeProgram, buffers: readonly Memory[], steps: number): RunFailure | undefined;
  /**
   * A program with its slots bound and checked once; undefined leaves a slot open. The frame keeps the buffers alive; they
   * must not be detached.
   */
  frame(program: NativeProgram, buffers: readonly (Memory | undefined)[]): NativeFrame;
  /** Runs one step of a frame on this thread, once the queue is empty, with these buffers in the open slots, in order. */
  runFrame(frame: NativeFrame, open: readonly Memory[]): RunFailure | undefined;
  /**
   * Runs once on this thread, on the caller's own typed arrays: one a slot, of its element type, at least as long; written
   * ones share no memory with others. For `neurite/kernels`.
   */
  runViews(program: NativeProgram, views: readonly HostArray[]): RunFailure | undefined;
  /**
   * Queues a run; ids ascend from 1. The caller keeps the buffers alive and unmoved until the run is reported. A run whose
   * dependency failed is skipped and reported with code 'dependency'.
   */
  enqueue(
    program: NativeProgram,
    buffers: readonly Memory[],
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
  /** Asks the system for huge pages (2 MiB) where whole ones fit into a buffer that nothing has touched yet. */
  preferHugePages(buffer: ArrayBuffer): void;
  arenaBytes(): number;
  /** Gives the arena back once the queue is empty. */
  trimArena(): void;
}

/** The native addon, loaded when this module is first imported. */
export const native = loadAddon() as NativeAddon;
