import { type DType, type HostArray, hostView, itemSize } from '../dtype.js';
import { ShapeError, TraceError } from '../errors.js';
import { stateOp } from '../graph/leaves.js';
import type { State } from '../graph/state.js';
import { Tensor } from '../graph/tensor.js';
import { graphState } from '../graph/trace.js';
import { alias } from '../ops/index.js';
import type { HostStorage } from '../runtime/storage.js';
import { sizeOf } from '../shape.js';
import { stale } from './collect.js';
import './print.js';
import { ready, readySync } from './queue.js';
import { realizeNow } from './realize.js';
import { type Svd, svd } from './svd.js';
import { type Unique, type UniqueOptions, unique, uniqueSync } from './unique.js';

declare module '../graph/tensor.js' {
  interface Tensor {
    /** The values as a fresh typed array; computes what is needed, off this thread. */
    data(): Promise<HostArray>;
    /** The same, waiting on this thread. */
    dataSync(): HostArray;
    /** The value of a one-element tensor. @throws ShapeError when it has more or fewer elements. */
    item(): Promise<number>;
    itemSync(): number;
    /** Marks the tensor to be computed by the next run, before an update overwrites what it needs. */
    keep(): this;
    /** A tensor with the value this one has now, whatever happens to the cells it reads. */
    clone(): Tensor;
    /** {@link unique} of this tensor: its distinct values, or with `axis` its distinct slices. */
    unique(options?: UniqueOptions): Promise<Unique>;
    /** The same, waiting on this thread. */
    uniqueSync(options?: UniqueOptions): Unique;
    /** {@link svd} of this matrix. */
    svd(): Promise<Svd>;
  }
}

Object.assign(Tensor.prototype, {
  async data(this: Tensor): Promise<HostArray> {
    const { dtype } = this;
    return copyOut(await settled(this), dtype);
  },
  dataSync(this: Tensor): HostArray {
    const storage = storageFor(this, true);
    readySync(storage);
    return copyOut(storage, this.dtype);
  },
  async item(this: Tensor): Promise<number> {
    checkOne(this);
    return (await settled(this)).view(this.dtype)[0];
  },
  itemSync(this: Tensor): number {
    checkOne(this);
    const storage = storageFor(this, true);
    readySync(storage);
    return storage.view(this.dtype)[0];
  },
  keep(this: Tensor): Tensor {
    if (graphState.trace !== null) throw new TraceError('keep: return the tensor from the compiled function instead');
    if (this.storage === null) graphState.joinNext.add(this);
    return this;
  },
  clone(this: Tensor): Tensor {
    const copy = alias(this);
    if (graphState.trace === null) realizeNow([copy], false);
    return copy;
  },
  unique(this: Tensor, options?: UniqueOptions): Promise<Unique> {
    return unique(this, options);
  },
  uniqueSync(this: Tensor, options?: UniqueOptions): Unique {
    return uniqueSync(this, options);
  },
  svd(this: Tensor): Promise<Svd> {
    return svd(this);
  },
});

/** Memory that holds the value `t` has at the call. */
async function settled(t: Tensor): Promise<HostStorage> {
  let storage = storageFor(t, false);
  // A cell is overwritten by runs queued after this call: its value now is copied now, or by a run in the queue.
  if (t.op === stateOp && storage.run !== null) storage = storageFor(alias(t), false);
  if (storage.run !== null) await ready(storage);
  if (storage.error !== null) throw storage.error;
  return storage;
}

/** Memory that holds, or will hold, the value of `t`; computes it when there is none. */
export function storageFor(t: Tensor, sync: boolean): HostStorage {
  if (t.storage === null) realizeNow([t], sync);
  // The constant or leaf that a pending write stored has its own memory only when asked for again.
  if (t.storage === null && t.op !== stateOp) realizeNow([t], sync);
  if (t.storage !== null) return t.storage as HostStorage;
  const { cell, version } = t.attrs as { cell: State; version: number };
  if (version === -1) throw new TraceError('a value read while compile traced a function was used outside; return it');
  if (cell.stored !== version) throw stale(cell, version);
  return cell.storage as HostStorage;
}

function copyOut(storage: HostStorage, dtype: DType): HostArray {
  const view = storage.view(dtype);
  const copy = hostView(dtype, new ArrayBuffer(storage.byteLength), 0, storage.byteLength / itemSize(dtype));
  copy.set(view as Float32Array);
  return copy;
}

function checkOne(t: Tensor): void {
  if (sizeOf(t.shape) !== 1) throw new ShapeError(`item: got [${t.shape}], expected one element; use data()`);
}
