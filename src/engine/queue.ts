import { DataError, NeuriteError } from '../errors.js';
import type { State } from '../graph/state.js';
import type { Tensor } from '../graph/tensor.js';
import type { Feed } from '../graph/trace.js';
import { type Memory, type NativeProgram, native, type QueuedFailure, type RunFailure } from '../runtime/native.js';
import { HostStorage, type PendingRun } from '../runtime/storage.js';

/** What an instruction came from. */
export interface Origin {
  readonly op: string;
  readonly scope: string;
  /** Where it was built (NEURITE_DEBUG=1). */
  readonly stack?: string;
}

/** A cell that a run replaces. */
export interface CallCell {
  readonly cell: State;
  readonly storage: HostStorage;
  /** First write: there is no old value to keep if the run fails. */
  readonly fresh: boolean;
  /** Node of the written value, when it is not a leaf. */
  readonly value: Tensor | null;
}

/** A program with everything bound, ready to run. */
export interface Call {
  readonly program: NativeProgram;
  /** One per instruction, for messages. */
  readonly origins: readonly Origin[];
  /** One per slot; kept alive here until the run is over, since native code only has the addresses. */
  readonly storages: readonly HostStorage[];
  readonly outputs: readonly HostStorage[];
  readonly cells: readonly CallCell[];
  readonly feeds: readonly Feed[];
  readonly steps: number;
}

/** A queued run. Settled in order, when native code reports or when the caller waits. */
class Run implements PendingRun {
  readonly id: number;
  readonly call: Call;
  error: Error | null = null;
  /** Somebody has seen, or will see, the error. */
  observed = false;
  private waiting: { promise: Promise<void>; resolve: () => void; reject: (e: Error) => void } | null = null;

  constructor(id: number, call: Call) {
    this.id = id;
    this.call = call;
  }

  done(): Promise<void> {
    this.observed = true;
    if (this.waiting === null) {
      let resolve!: () => void;
      let reject!: (e: Error) => void;
      const promise = new Promise<void>((yes, no) => {
        resolve = yes;
        reject = no;
      });
      this.waiting = { promise, resolve, reject };
    }
    return this.waiting.promise;
  }

  finish(error: Error | null): void {
    this.error = error;
    if (error === null) this.waiting?.resolve();
    else this.waiting?.reject(error);
  }
}

const queue = new Map<number, Run>();
let nextRun = 1;
let listening = false;

/** Runs in flight above which a caller waits, so that a loop that never awaits cannot queue without bound. */
const MAX_QUEUED = 64;

/** Cells whose last write failed without anybody having seen the error yet: the next run that uses one reports it. */
const unseen = new WeakMap<State, Run>();
let anyFailed = false;

/** Queues a call on the executor thread. */
export function enqueue(call: Call): void {
  if (!listening) {
    native.onComplete((lastId, failures) => settle(lastId, failures));
    listening = true;
  }
  if (queue.size >= MAX_QUEUED) waitFor(MAX_QUEUED / 2);
  const run = new Run(nextRun++, call);
  const dependsOn: number[] = [];
  for (const s of call.storages) {
    if (s.error !== null) throw s.error;
    if (s.run !== null && !dependsOn.includes(s.run.id)) dependsOn.push(s.run.id);
  }
  native.enqueue(call.program, memoryOf(call.storages), call.steps, run.id, dependsOn);
  queue.set(run.id, run);
  for (const feed of call.feeds) feed.advance(call.steps);
  for (const s of written(call)) s.run = run;
}

/** Runs a call on this thread, after everything queued. */
export function runNow(call: Call): void {
  drain();
  for (const s of call.storages) if (s.error !== null) throw s.error;
  const status = native.run(call.program, memoryOf(call.storages), call.steps);
  for (const feed of call.feeds) feed.advance(call.steps);
  if (status !== undefined) stopped(call, status);
}

/** Settles a run of this thread that stopped, and throws why. */
export function stopped(call: Call, status: RunFailure): never {
  const error = runError(call, status);
  fail(call, error, status.step);
  throw error;
}

/** Waits, without turning the event loop, until nothing is queued. */
export function drain(): void {
  if (queue.size > 0) waitFor(0);
}

/** Number of runs that have not been settled. */
export function queued(): number {
  return queue.size;
}

/** Resolves when `storage` holds its value, rejects when the run that should write it failed. */
export async function ready(storage: HostStorage): Promise<void> {
  if (storage.run !== null) await (storage.run as Run).done();
  if (storage.error !== null) throw storage.error;
}

/** The same, waiting on this thread. */
export function readySync(storage: HostStorage): void {
  if (storage.run !== null) {
    (storage.run as Run).observed = true;
    drain();
  }
  if (storage.error !== null) throw storage.error;
}

/** Resolves when every run queued so far is over; rejects with the first error nobody else has seen. */
export async function idle(): Promise<void> {
  const last = [...queue.values()].at(-1);
  if (last !== undefined) await last.done();
}

/** Throws the error of a failed write to `cell` that nobody has seen. */
export function reportUnseen(cell: State): void {
  if (!anyFailed) return;
  const run = unseen.get(cell);
  if (run === undefined) return;
  unseen.delete(cell);
  if (run.observed || run.error === null) return;
  run.observed = true;
  throw run.error;
}

function waitFor(depth: number): void {
  native.wait(depth);
  const { lastId, failures } = native.takeCompletions();
  settle(lastId, failures);
}

function settle(lastId: number, failures: readonly QueuedFailure[]): void {
  for (const [id, run] of queue) {
    if (id > lastId) break;
    queue.delete(id);
    const status = failures.find((f) => f.id === id);
    for (const s of written(run.call)) if (s.run === run) s.run = null;
    if (status === undefined) {
      run.finish(null);
      continue;
    }
    const error = status.cause === undefined ? runError(run.call, status) : (failed.get(status.cause) ?? lostCause());
    remember(id, error);
    fail(run.call, error, status.step);
    for (const { cell } of run.call.cells) unseen.set(cell, run);
    anyFailed = true;
    run.finish(error);
  }
}

/** Errors of recent failed runs, for the runs that were skipped because of them. */
const failed = new Map<number, Error>();
function remember(id: number, error: Error): void {
  failed.set(id, error);
  for (const old of failed.keys()) {
    if (old >= id - 4 * MAX_QUEUED) break;
    failed.delete(old);
  }
}
function lostCause(): Error {
  return new NeuriteError('ERR_DATA', 'a run was skipped because an earlier one that it depends on failed');
}

/** A failed run changed nothing: its outputs have no value, its cells keep theirs. */
function fail(call: Call, error: Error, stepsDone: number): void {
  for (const s of call.outputs) s.error = error;
  for (const { cell, storage, fresh, value } of call.cells) {
    if (fresh) storage.error = error;
    if (value === null) continue;
    const lost = new HostStorage(0); // the node of the written value has none: the cell kept its old one
    lost.error = error;
    value.storage = lost;
    cell.forget(value);
  }
  for (const feed of call.feeds) feed.advance(-(call.steps - stepsDone));
}

function memoryOf(storages: readonly HostStorage[]): Memory[] {
  const memory: Memory[] = new Array(storages.length);
  for (let i = 0; i < storages.length; i++) memory[i] = storages[i].memory;
  return memory;
}

function* written(call: Call): Generator<HostStorage> {
  yield* call.outputs;
  for (const { storage } of call.cells) yield storage;
}

const SINGULAR_HINT =
  'solve needs a matrix of full rank, cholesky one that is symmetric and positive definite; add a small multiple of eye(n)';

function runError(call: Call, status: RunFailure): Error {
  const at = call.origins[status.instruction];
  const op = at?.op ?? 'program';
  const where = at === undefined || at.scope === '' ? op : `${op} in "${at.scope}"`;
  const step = call.steps > 1 ? `, step ${status.step}` : '';
  const location = {
    op,
    module: at?.scope ?? '',
    step: status.step,
    position: status.position,
    value: status.value,
  };
  const made = at?.stack ? `\ncreated at\n${at.stack}` : '';
  const message = `${where}: ${status.message}${step}${made}`;
  switch (status.code) {
    case 'index':
    case 'nonFinite':
      return new DataError(message, location);
    case 'singular':
      return new DataError(`${message}; ${SINGULAR_HINT}`, location);
    case 'memory':
      return new RangeError(`${message}; use a smaller batch or raise configure({ memoryLimit })`);
    case 'aborted':
    case 'dependency':
      return new NeuriteError('ERR_DATA', message);
    default:
      return status.code satisfies never;
  }
}
