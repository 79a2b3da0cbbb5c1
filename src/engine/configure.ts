import { DeviceError, OptionError } from '../errors.js';
import { checkOptions, shown, wholeNumber } from '../options.js';
import { addonPath } from '../runtime/loader.js';
import { native } from '../runtime/native.js';
import { bytesInUse, memoryLimit, setMemoryLimit } from '../runtime/storage.js';
import { drain } from './queue.js';

/** What the native library is and runs on. */
export interface Info {
  readonly version: string;
  /** Instruction set in use: 'scalar', 'avx2', 'avx512' or 'neon'. */
  readonly isa: string;
  /** Instruction sets this machine can run, best first. */
  readonly isas: readonly string[];
  readonly threads: number;
  readonly cpu: string;
  readonly vendor: string;
  readonly compiler: string;
  /** File that the native library was loaded from. */
  readonly path: string;
}

/**
 * The native library, instruction set, threads and CPU in use.
 * @example console.log(info().isa); // 'avx512'
 */
export function info(): Info {
  return { ...native.info(), path: addonPath() };
}

export interface ConfigureOptions {
  /** Threads of the process-wide pool, 1 or more (NEURITE_THREADS). Results have the same bits for any number. */
  readonly threads?: number;
  /** Bytes that tensors and programs may use together. */
  readonly memoryLimit?: number;
  /** Instruction set (NEURITE_ISA). */
  readonly isa?: string;
}

/**
 * Changes settings of this process; waits until queued runs are done.
 * @throws OptionError for a value out of range, DeviceError for an instruction set this CPU cannot run.
 * @example configure({ threads: 1, memoryLimit: 2 * 2 ** 30 });
 */
export function configure(options: ConfigureOptions): void {
  checkOptions('configure', options, ['threads', 'memoryLimit', 'isa']);
  const { threads, memoryLimit: limit, isa } = options;
  if (threads !== undefined) wholeNumber('configure: threads', threads, 1, 1024);
  if (limit !== undefined && !(typeof limit === 'number' && limit > 0)) {
    throw new OptionError(`configure: memoryLimit is ${shown(limit)}, expected a number of bytes above 0`);
  }
  if (isa !== undefined && typeof isa !== 'string') {
    throw new OptionError(`configure: isa is ${shown(isa)}, expected the name of an instruction set`);
  }
  drain();
  try {
    native.configure({
      ...(threads === undefined ? {} : { threads }),
      ...(isa === undefined ? {} : { isa }),
      ...(limit === undefined || limit === Number.POSITIVE_INFINITY ? {} : { memoryLimit: limit }),
    });
  } catch (cause) {
    throw new DeviceError((cause as Error).message, { cause });
  }
  if (limit !== undefined) setMemoryLimit(limit);
}

export interface MemoryInfo {
  /** Bytes held by tensors of 16 KiB and more (garbage that V8 has not collected yet included) and program memory. */
  readonly bytes: number;
  /** Bytes of the executor's arena, a part of `bytes`. */
  readonly arenaBytes: number;
  readonly limit: number;
}

/**
 * Memory that tensors and programs hold now.
 * @example console.log(memory().bytes);
 */
export function memory(): MemoryInfo {
  return { bytes: bytesInUse(), arenaBytes: native.arenaBytes(), limit: memoryLimit() };
}

export interface DeviceInfo {
  readonly name: string;
  readonly available: boolean;
  /** Why the device cannot be used, or what it is. */
  readonly detail: string;
}

/**
 * Devices programs can run on, with the reason why one is absent.
 * @example console.table(devices());
 */
export function devices(): readonly DeviceInfo[] {
  const { cpu, isa, threads } = native.info();
  return [
    { name: 'cpu', available: true, detail: `${cpu}, ${isa}, ${threads} thread${threads === 1 ? '' : 's'}` },
    { name: 'cuda', available: false, detail: 'this version of Neurite has no CUDA plug-in' },
  ];
}
