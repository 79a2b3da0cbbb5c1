import { OptionError } from '../errors.js';
import { State } from '../graph/state.js';
import { Tensor } from '../graph/tensor.js';
import { shown } from '../options.js';
import { storageFor } from './methods.js';
import { drain, idle, ready, readySync } from './queue.js';
import { realizeNow } from './realize.js';

export { programsCompiled } from './cache.js';
export { type Compiled, compile, type ScanInput } from './compile.js';
export { configure, type DeviceInfo, devices, type Info, info, type MemoryInfo, memory } from './configure.js';
export { type NestedNumbers, type TensorData, type TensorOptions, tensor, writeTensor } from './create.js';
export { type GradCheckOptions, type GradCheckReport, gradCheck } from './gradcheck.js';
export { queued } from './queue.js';
export { type Svd, svd } from './svd.js';
export { type Unique, type UniqueOptions, unique, uniqueSync } from './unique.js';

/**
 * Computes tensors, all pending writes with them, as one program off this thread.
 * @example await realize(a, b); // one run for both
 */
export async function realize(...tensors: readonly Tensor[]): Promise<void> {
  checkTensors('realize', tensors);
  realizeNow(tensors, false);
  for (const t of tensors) await ready(storageFor(t, false));
}

/** The same, waiting on this thread. */
export function realizeSync(...tensors: readonly Tensor[]): void {
  checkTensors('realizeSync', tensors);
  realizeNow(tensors, true);
  for (const t of tensors) readySync(storageFor(t, true));
}

function checkTensors(where: string, tensors: readonly unknown[]): void {
  for (const t of tensors) {
    if (!(t instanceof Tensor)) throw new OptionError(`${where}: got ${shown(t)}, expected tensors`);
  }
}

/** Carries out pending writes (assign, optimizer.update) and resolves when everything queued is done. */
export async function flush(): Promise<void> {
  realizeNow([], false);
  await idle();
}

/** The same, waiting on this thread. */
export function flushSync(): void {
  realizeNow([], true);
  drain();
}

/** True when `cell` has a write that has not been carried out. */
export function isPending(cell: State): boolean {
  if (!(cell instanceof State)) throw new OptionError(`isPending: got ${shown(cell)}, expected a State or Parameter`);
  return cell.dirty;
}
