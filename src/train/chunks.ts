import { DataError, type HostArray, type Tensor } from '../core.js';
import { macrotask } from '../macrotask.js';
import type { Rows } from './batch.js';

/** Work of one native call: long enough to hide the cost of a call, short enough to stop or report soon. */
const CHUNK_MS = 50;
const MAX_STEPS = 4096;

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

/** One queued native call. */
export interface Part {
  /** Batches it runs over, of `batch` samples each. */
  readonly count: number;
  readonly batch: number;
  /** One tensor per result of the step; batches are stacked. */
  readonly results: readonly Tensor[];
  /** What batch k was, should it fail. */
  readonly origin: (k: number) => Origin;
}

/** The rows of a batch and what messages call one of its samples. */
export interface Origin {
  readonly rows: () => Rows;
  readonly sample: (i: number) => string;
}

/** Steps that were queued together; a step may be several batches. */
export interface Issued {
  readonly steps: number;
  readonly parts: readonly Part[];
}

/** Where steps come from. */
export interface Feed {
  /** Calls in flight: while one runs the results of others are read. */
  readonly depth: number;
  /** Queues at least one and up to `limit` steps, null at the end of the data. */
  issue(limit: number): Issued | null | Promise<Issued | null>;
}

/** Results of consecutive steps. */
export interface Chunk {
  /** Steps before this chunk in the pass. */
  readonly firstStep: number;
  readonly steps: number;
  readonly parts: readonly {
    readonly count: number;
    readonly batch: number;
    /** One array per result, batch after batch. */
    readonly values: readonly HostArray[];
  }[];
}

/** A step that failed because of its data: which one, and the rows it was given. */
export class StepFailure extends Error {
  readonly error: DataError;
  /** Steps of this pass before the failed one. */
  readonly step: number;
  readonly origin: Origin;

  constructor(error: DataError, step: number, origin: Origin) {
    super(error.message);
    this.error = error;
    this.step = step;
    this.origin = origin;
  }
}

export interface Pass {
  readonly feed: Feed;
  readonly pace: Pace;
  /** True ends the pass after the steps in flight. */
  readonly stopping?: () => boolean;
  /** Gets the results in order. */
  readonly onChunk: (chunk: Chunk) => void;
  /** Steps of this pass; default all there are. */
  readonly steps?: number;
  /** The next step, above the given one, after which {@link onStop} is called with nothing in flight. */
  readonly nextStop?: (step: number) => number;
  /** True asks for such a stop as soon as the steps in flight are done. */
  readonly stopWanted?: () => boolean;
  readonly onStop?: (step: number) => Promise<void>;
}

interface InFlight extends Issued {
  readonly firstStep: number;
  readonly values: readonly Promise<HostArray[]>[];
}

/**
 * Runs steps over a feed, many a native call, with the next call queued while one runs. How steps are put together never
 * changes their results. Ends at the end of the data, after `steps` steps, or early when `stopping`.
 * @returns steps done.
 */
export async function runPass(pass: Pass): Promise<number> {
  const { feed, pace, onChunk, stopping = () => false, steps: most = Infinity, nextStop = () => Infinity } = pass;
  const { stopWanted = () => false, onStop } = pass;
  const inFlight: InFlight[] = [];
  let nextStep = 0;
  let stop = nextStop(0);
  let ended = false;
  let failed = false;
  let lastDone = performance.now();
  try {
    for (;;) {
      while (!ended && !failed && inFlight.length < feed.depth && !stopping()) {
        if (stopWanted()) stop = nextStep;
        const room = Math.min(stop, most) - nextStep;
        if (room <= 0) break;
        const issued = await feed.issue(Math.min(pace.next(), room));
        if (issued === null) {
          ended = true;
          break;
        }
        const values = issued.parts.map((part) => Promise.all(part.results.map((r) => r.data())));
        for (const v of values) {
          v.catch(() => {
            failed = true;
          });
        }
        inFlight.push({ ...issued, firstStep: nextStep, values });
        nextStep += issued.steps;
      }
      const chunk = inFlight[0];
      if (chunk === undefined) {
        if (nextStep === stop) {
          await onStop?.(nextStep);
          stop = nextStop(nextStep);
          lastDone = performance.now();
        }
        if (ended || nextStep >= most || stopping()) return nextStep;
        continue;
      }
      const parts = await partsOf(chunk);
      inFlight.shift();
      const now = performance.now();
      pace.record(chunk.steps, now - lastDone);
      lastDone = now;
      onChunk({ firstStep: chunk.firstStep, steps: chunk.steps, parts });
      // The next chunk may have failed at the same moment; no step may follow it, so its rejection is heard first.
      await macrotask();
    }
  } finally {
    await Promise.allSettled(inFlight.flatMap((c) => c.values));
  }
}

async function partsOf(chunk: InFlight): Promise<Chunk['parts']> {
  const parts: { count: number; batch: number; values: HostArray[] }[] = [];
  let batches = 0;
  for (const [i, part] of chunk.parts.entries()) {
    const { count, batch } = part;
    try {
      parts.push({ count, batch, values: await chunk.values[i] });
    } catch (error) {
      if (!(error instanceof DataError) || error.at === undefined) throw error;
      const { step } = error.at;
      // Several batches of one step, or steps of one batch each.
      const done = chunk.steps === 1 ? 0 : batches + step;
      throw new StepFailure(error, chunk.firstStep + done, part.origin(step));
    }
    batches += count;
  }
  return parts;
}

/** The results of one queued call, of all its batches together. @throws StepFailure for values it cannot use. */
export async function valuesOf({ parts: [part] }: Issued): Promise<HostArray[]> {
  try {
    return await Promise.all(part.results.map((r) => r.data()));
  } catch (error) {
    if (!(error instanceof DataError) || error.at === undefined) throw error;
    throw new StepFailure(error, error.at.step, part.origin(error.at.step));
  }
}
