import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { DeviceError, randomState, restoreRandomState } from '../core.js';
import { macrotask } from '../macrotask.js';
import { type Shape, sizeOf } from '../shape.js';
import { blendLabels, drawMix } from './mix.js';
import { Painter, type Pixels } from './painter.js';
import { isMix, type MixStep, type PaintPlan } from './steps.js';
import type { Answer, Order, Supplies } from './worker.js';

/** Some pictures of a pass, as {@link Studio.paint} takes them. */
export interface Sitting {
  /** Pictures that come in, in memory from {@link Studio.share}. */
  readonly source: Pixels;
  /** Which of them, in order; left out: all. */
  readonly rows?: Int32Array;
  /** Which pass over the data. */
  readonly pass: number;
  /** Number of the first picture in its pass. */
  readonly first: number;
  /** Pictures a batch; batches begin at the first picture. */
  readonly batch: number;
}

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, Waiting>;
}

/** Compiled code: from the sources, too, a thread runs what was built, since it cannot compile TypeScript. */
const PROGRAM = new URL('../../dist/augment/worker.js', import.meta.url);
/** Fewer pictures than this are not worth another thread. */
const LEAST = 16;
/** Time on this thread, without others, after which timers and sockets get their turn. */
const MAX_HOLD_MS = 8;

export function cores(): number {
  return availableParallelism();
}

/** Threads that make augmented pictures in shared memory. Close it when done. */
export class Studio {
  /** Shape of a picture that comes out. */
  readonly outputShape: Shape;
  readonly #plan: PaintPlan;
  readonly #mixes: readonly MixStep[];
  readonly #count: number;
  #threads: Thread[] | null = null;
  #painter: Painter | null = null;
  #orders = 0;
  #failure: Error | null = null;

  constructor(plan: PaintPlan, outputShape: Shape, workers: number) {
    this.#plan = plan;
    this.outputShape = outputShape;
    this.#mixes = plan.steps.filter(isMix);
    this.#count = workers;
  }

  /** Threads beside this one. */
  get workers(): number {
    return this.#count;
  }

  /** Number of a new pass over the data: the next index of the 'augment' stream, which `seed()` restarts. */
  nextPass(): number {
    const state = randomState();
    const { augment } = state.counters;
    restoreRandomState({ ...state, counters: { ...state.counters, augment: augment + 1 } });
    return augment;
  }

  /** A copy that all threads see. */
  share(pixels: ArrayLike<number>): Pixels {
    const shared = this.#room(pixels.length);
    shared.set(pixels);
    return shared;
  }

  /**
   * Makes pictures, each thread a part of them.
   * @returns their values, in memory that nobody else has.
   * @throws DeviceError when a thread cannot start or died.
   */
  async paint({ source, rows, pass, first, batch }: Sitting): Promise<Pixels> {
    const count = rows?.length ?? source.length / sizeOf(this.#plan.shape);
    const out = this.#room(count * sizeOf(this.outputShape));
    const job = { source, rows: rows === undefined ? null : sharedRows(rows), pass, first, batch, out };
    if (this.#count === 0) {
      this.#painter ??= new Painter(this.#plan);
      let held = performance.now();
      for (let start = 0; start < count; start += LEAST) {
        this.#painter.paint({ ...job, start, end: Math.min(count, start + LEAST) });
        if (performance.now() - held < MAX_HOLD_MS) continue;
        await macrotask();
        held = performance.now();
      }
      return out;
    }
    this.#threads ??= Array.from({ length: this.#count }, () => this.#start());
    const parts = Math.min(this.#count, Math.ceil(count / LEAST));
    const idle = [...this.#threads].sort((a, b) => a.waiting.size - b.waiting.size);
    await Promise.all(
      Array.from({ length: parts }, (_, i) => {
        const [start, end] = [Math.floor((i * count) / parts), Math.floor(((i + 1) * count) / parts)];
        return this.#ask(idle[i], { ...job, start, end });
      }),
    );
    return out;
  }

  /**
   * Labels of a {@link Sitting} as shares of classes `[n, classes]`, blended as its pictures are.
   * @param labels class number of each picture, below `classes`.
   */
  labels(
    labels: ArrayLike<number>,
    classes: number,
    { pass, first, batch }: Omit<Sitting, 'source' | 'rows'>,
  ): Float32Array {
    const out = new Float32Array(labels.length * classes);
    const [height, width] = this.outputShape;
    for (let at = 0; at < labels.length; at += batch) {
      const mix =
        this.#mixes.length === 0 ? null : drawMix(this.#mixes, this.#plan.key, pass, first + at, [height, width]);
      blendLabels(mix, labels, at, Math.min(batch, labels.length - at), classes, out);
    }
    return out;
  }

  /** Ends the threads; what they were making is given up. */
  async close(): Promise<void> {
    this.#failure ??= new DeviceError('augment: the threads that make pictures were closed');
    await Promise.all((this.#threads ?? []).map(({ worker }) => worker.terminate()));
  }

  #room(length: number): Pixels {
    return this.#plan.dtype === 'uint8'
      ? new Uint8Array(new SharedArrayBuffer(length))
      : new Float32Array(new SharedArrayBuffer(length * 4));
  }

  #ask({ worker, waiting }: Thread, job: Order['job']): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const id = this.#orders++;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      worker.ref(); // somebody waits
      worker.postMessage({ id, job } satisfies Order);
    });
  }

  #start(): Thread {
    const { Worker } = process.getBuiltinModule('node:worker_threads');
    const worker = new Worker(PROGRAM, { workerData: { neuritePaint: this.#plan } satisfies Supplies, execArgv: [] });
    const waiting = new Map<number, Waiting>();
    const end = (error: Error): void => {
      this.#failure ??= error;
      for (const { reject } of waiting.values()) reject(this.#failure);
      waiting.clear();
    };
    worker.on('message', ({ id, error }: Answer) => {
      const order = waiting.get(id);
      waiting.delete(id);
      if (waiting.size === 0) worker.unref();
      if (error === undefined) order?.resolve();
      else order?.reject(new DeviceError(`augment: a thread failed: ${error}`));
    });
    worker.on('error', (error) => {
      const hint = 'augment.compose(steps, { workers: 0 }) does without threads';
      end(new DeviceError(`augment: a thread could not run: ${error.message}; ${hint}`, { cause: error }));
    });
    worker.on('exit', (code) => end(new DeviceError(`augment: a thread ended with code ${code}`)));
    worker.unref();
    return { worker, waiting };
  }
}

function sharedRows(rows: Int32Array): Int32Array {
  const shared = new Int32Array(new SharedArrayBuffer(rows.length * 4));
  shared.set(rows);
  return shared;
}
