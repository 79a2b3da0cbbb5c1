import { FormatError } from '../../core.js';
import type { JsonValue } from '../../json.js';
import { macrotask } from '../../macrotask.js';
import { type Context, type Cursor, END, type Pulled, type Stage } from './cursor.js';

/** A walk through one epoch of a pipeline. */
export interface PipelineIterator<T> extends AsyncIterableIterator<T> {
  /** The position after the last element handed out, as JSON; `iterate({ state })` continues with the very next one. */
  state(): JsonValue;
  /** Ends the walk and closes files, streams and workers. */
  return(): Promise<IteratorResult<T>>;
}

/** Milliseconds of elements that come at once, after which timers and sockets get their turn. */
const MAX_HOLD_MS = 8;

/** Begins an epoch, or continues the one that `state` is of. */
export function iterateStage<T>(stage: Stage<T>, context: Context, state?: JsonValue): PipelineIterator<T> {
  if (state === undefined) return new StageIterator(stage, context);
  const saved = state as { version?: unknown; epoch?: unknown; key?: unknown; at?: JsonValue } | null;
  const { version, epoch, key, at } = saved ?? {};
  if (version !== 1 || !isCount(epoch) || !Array.isArray(key) || key.length !== 2 || !key.every(isCount)) {
    throw new FormatError(`iterate: state is ${JSON.stringify(state).slice(0, 80)}, expected what state() gave`);
  }
  return new StageIterator(stage, { epoch, key: [key[0], key[1]] }, at);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

class StageIterator<T> implements PipelineIterator<T> {
  readonly #cursor: Cursor<T>;
  readonly #context: Context;
  #last: JsonValue | null = null;
  #tail: Promise<unknown> | null = null;
  #held = performance.now();
  #done = false;

  constructor(stage: Stage<T>, context: Context, at?: JsonValue) {
    this.#context = context;
    this.#cursor = stage.open(context, at);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next element; calls that do not wait for each other are answered in their order. */
  next(): Promise<IteratorResult<T>> {
    const mine = this.#tail === null ? this.#next() : this.#tail.then(() => this.#next());
    const settled = mine.then(
      () => {},
      () => {},
    );
    this.#tail = settled;
    settled.then(() => {
      if (this.#tail === settled) this.#tail = null;
    });
    return mine;
  }

  state(): JsonValue {
    const { epoch, key } = this.#context;
    return { version: 1, epoch, key, at: this.#last ?? this.#cursor.state() };
  }

  async return(): Promise<IteratorResult<T>> {
    await this.#end();
    return { done: true, value: undefined };
  }

  async #next(): Promise<IteratorResult<T>> {
    if (this.#done) return { done: true, value: undefined };
    if (performance.now() - this.#held > MAX_HOLD_MS) {
      await macrotask();
      this.#held = performance.now();
    }
    let value: Pulled<T>;
    try {
      value = await this.#cursor.pull();
    } catch (error) {
      if (this.#done) return { done: true, value: undefined }; // closed meanwhile: streams end with an error
      await this.#end();
      throw error;
    }
    if (value !== END && !this.#done) return { done: false, value };
    await this.#end();
    return { done: true, value: undefined };
  }

  async #end(): Promise<void> {
    if (this.#done) return;
    this.#last = this.#cursor.state();
    this.#done = true;
    await this.#cursor.close();
  }
}
