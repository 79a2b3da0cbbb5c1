import type { Worker } from 'node:worker_threads';
import { DataError } from '../../core.js';
import { prefetchStage } from './buffers.js';
import { chain, discard, END, type MaybePromise, type Pulled, type Stage, StageState, stepError } from './cursor.js';

/** Calls a function for an element; `close` gives up what is under way. */
interface Caller {
  call(value: unknown, index: number): Promise<unknown>;
  close(): Promise<void>;
}

/** A task under way; boxed, because a promise would be waited for. */
interface Box<R> {
  readonly task: Promise<R>;
}

/** `map` with up to `ahead` calls under way at once; results keep the order of the elements. */
export function parallelMapStage<T, R>(from: Stage<T>, ahead: number, open: () => Caller): Stage<R> {
  const launch: Stage<Box<R>> = {
    name: 'launch',
    length: from.length,
    randoms: from.randoms,
    open(context, state) {
      const read = new StageState('launch', state);
      const up = from.open(context, read.inner());
      let index = read.count('index');
      let caller: Caller | null = null;
      const start = (value: Pulled<T>): Pulled<Box<R>> => {
        if (value === END) return END;
        const i = index++;
        caller ??= open();
        const task = caller.call(value, i).catch((error: unknown) => {
          throw stepError('map', i, error);
        }) as Promise<R>;
        task.catch(() => {}); // whoever takes it from the queue hears of it; nobody does after an early end
        return { task };
      };
      return {
        pull: () => chain(up.pull(), start),
        discard: (n) => {
          index += n;
          return discard(up, n);
        },
        state: () => ({ op: 'launch', index, from: up.state() }),
        close: async () => {
          await caller?.close();
          await up.close();
        },
      };
    },
  };
  const boxes = prefetchStage(launch, ahead, 'parallelMap');
  return {
    name: 'parallelMap',
    length: from.length,
    randoms: from.randoms,
    open(context, state) {
      const cursor = boxes.open(context, state);
      return {
        pull: () => chain(cursor.pull(), (box): MaybePromise<Pulled<R>> => (box === END ? END : box.task)),
        state: () => cursor.state(),
        close: () => cursor.close(),
      };
    },
  };
}

/** Calls of an asynchronous function on this thread. */
export function localCaller<T>(fn: (value: T, index: number) => unknown): Caller {
  return {
    call: async (value, index) => fn(value as T, index),
    close: async () => {},
  };
}

/** What a worker runs: it loads the module, then answers calls. Errors cross as text; error objects of users may not be cloneable. */
const PROGRAM = `
const { parentPort, workerData } = require('node:worker_threads');
const ready = import(workerData.url).then((module) => {
  const fn = module[workerData.name];
  if (typeof fn === 'function') return fn;
  throw new Error('the module has no function "' + workerData.name + '"; it exports ' + Object.keys(module).join(', '));
});
ready.catch(() => {});
parentPort.on('message', async ({ id, value, index }) => {
  try {
    const fn = await ready;
    parentPort.postMessage({ id, value: await fn(value, index) });
  } catch (error) {
    parentPort.postMessage({ id, error: String(error?.message ?? error), stack: String(error?.stack ?? '') });
  }
});
`;

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
  readonly stack?: string;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, Waiting>;
  /** Why it takes no more calls. */
  ended: Error | null;
}

/** Threads that have loaded a module and call one of its functions; each call goes to the thread with the fewest. */
export class WorkerCaller implements Caller {
  readonly #threads: readonly Thread[];
  #calls = 0;

  constructor(url: string, name: string, count: number) {
    this.#threads = Array.from({ length: count }, () => startThread(url, name));
  }

  call(value: unknown, index: number): Promise<unknown> {
    let best = this.#threads[0];
    for (const t of this.#threads) if (t.waiting.size < best.waiting.size) best = t;
    const { worker, waiting, ended } = best;
    if (ended !== null) return Promise.reject(ended);
    const id = this.#calls++;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      worker.ref(); // somebody waits; an abandoned iterator alone must not keep the process
      try {
        worker.postMessage({ id, value, index });
      } catch (error) {
        waiting.delete(id);
        reject(new DataError(`cannot be sent to a worker: ${(error as Error).message}; map it to plain arrays first`));
      }
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }
}

function startThread(url: string, name: string): Thread {
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const worker = new Worker(PROGRAM, { eval: true, workerData: { url, name } });
  const thread: Thread = { worker, waiting: new Map(), ended: null };
  const { waiting } = thread;
  const end = (error: Error): void => {
    thread.ended ??= error;
    for (const { reject } of waiting.values()) reject(thread.ended);
    waiting.clear();
  };
  worker.on('message', ({ id, value, error, stack }: Answer) => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (waiting.size === 0) worker.unref();
    if (error === undefined) call?.resolve(value);
    else call?.reject(Object.assign(new Error(error), stack === '' ? {} : { stack }));
  });
  worker.on('error', end);
  worker.on('exit', (code) => end(new DataError(`a worker of ${url} ended with code ${code}`)));
  worker.unref();
  return thread;
}
