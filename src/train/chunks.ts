import { setImmediate as macrotask } from 'node:timers/promises';
import { type Compiled, DataError, type HostArray, type Tensor } from '../core.js';

/** Work of one native call: long enough to hide the cost of a call, short enough to stop or report soon. */
const CHUNK_MS = 50;
const MAX_STEPS = 4096;
/** One runs while the results of the other are read. */
const IN_FLIGHT = 2;

/** How many steps make about {@link CHUNK_MS}; keeps what it learnt from one epoch to the next. */
export class Pace {
  private stepsPerMs = 0;
  private last = 0;

  /** Grows at most fourfold at a time: the first measurements are of short chunks. */
  next(): number {
    const wanted = Math.floor(this.stepsPerMs * CHUNK_MS);
    this.last = Math.max(1, Math.min(wanted, this.last * 4, MAX_STEPS));
    return this.last;
  }

  record(steps: number, ms: number): void {
    this.stepsPerMs = steps / Math.max(ms, 0.01);
  }
}

/** Results of consecutive steps. */
export interface Chunk {
  /** Steps before this chunk in the pass. */
  readonly firstStep: number;
  readonly steps: number;
  /** Samples of each step. */
  readonly batch: number;
  /** One array per result of the step, step after step. */
  readonly values: readonly HostArray[];
}

/** A step that failed because of its data: which one, and the rows it was given. */
export class StepFailure extends Error {
  readonly error: DataError;
  /** Steps of this pass before the failed one. */
  readonly step: number;
  readonly rows: Int32Array;

  constructor(error: DataError, step: number, rows: Int32Array) {
    super(error.message);
    this.error = error;
    this.step = step;
    this.rows = rows;
  }
}

export interface Pass {
  readonly step: Compiled<readonly never[], readonly Tensor[]> | Compiled<[Tensor, Tensor], readonly Tensor[]>;
  /** Arguments of the step are rows of these. */
  readonly data: readonly Tensor[];
  /** Rows in the order they are used. */
  readonly order: Int32Array;
  readonly batchSize: number;
  readonly pace: Pace;
  readonly signal?: AbortSignal | undefined;
  /** Gets the results in order. */
  readonly onChunk: (chunk: Chunk) => void;
}

/**
 * Runs a compiled step over all rows, batch by batch, many steps a native call, with the next call queued while one runs.
 * The last batch may be smaller. How steps are put together never changes their results. Ends early, after the steps in
 * flight, when the signal is aborted.
 */
export async function runPass({ step, data, order, batchSize, pace, signal, onChunk }: Pass): Promise<void> {
  const inFlight: {
    firstStep: number;
    steps: number;
    batch: number;
    rows: Int32Array;
    values: Promise<HostArray[]>;
  }[] = [];
  const fullSteps = Math.floor(order.length / batchSize);
  let queued = 0;
  let nextStep = 0;
  let failed = false;
  let lastDone = performance.now();
  try {
    for (;;) {
      while (inFlight.length < IN_FLIGHT && queued < order.length && !failed && signal?.aborted !== true) {
        const steps = nextStep < fullSteps ? Math.min(pace.next(), fullSteps - nextStep) : 1;
        const batch = nextStep < fullSteps ? batchSize : order.length - queued;
        const rows = order.subarray(queued, queued + steps * batch);
        const results = step.scan({ data, indices: rows, batch });
        const values = Promise.all(results.map((r) => r.data()));
        values.catch(() => {
          failed = true;
        });
        inFlight.push({ firstStep: nextStep, steps, batch, rows, values });
        queued += rows.length;
        nextStep += steps;
      }
      const chunk = inFlight[0];
      if (chunk === undefined) return;
      const values = await valuesOf(chunk);
      inFlight.shift();
      const now = performance.now();
      pace.record(chunk.steps, now - lastDone);
      lastDone = now;
      onChunk({ firstStep: chunk.firstStep, steps: chunk.steps, batch: chunk.batch, values });
      // The next chunk may have failed at the same moment; no step may follow it, so its rejection is heard first.
      await macrotask();
    }
  } finally {
    await Promise.allSettled(inFlight.map((c) => c.values));
  }
}

async function valuesOf(chunk: {
  readonly firstStep: number;
  readonly batch: number;
  readonly rows: Int32Array;
  readonly values: Promise<HostArray[]>;
}): Promise<HostArray[]> {
  try {
    return await chunk.values;
  } catch (error) {
    if (!(error instanceof DataError) || error.at === undefined) throw error;
    const { step } = error.at;
    const rows = chunk.rows.slice(step * chunk.batch, (step + 1) * chunk.batch);
    throw new StepFailure(error, chunk.firstStep + step, rows);
  }
}
