import { OptionError } from '../errors.js';
import { checkFunction, shown } from '../options.js';
import { EventQueue, type History, type RunEvent } from './events.js';

/** What the training loop sees of its run. */
export interface RunControl {
  /** Aborted when the run should end after the steps in flight. */
  readonly signal: AbortSignal;
  emit(event: RunEvent): void;
}

/**
 * A training run that is under way. `await` it for the {@link History}; iterate it for events while it runs. Leaving the
 * loop with `break` ends the training after the steps in flight, as {@link abort} does: that is no error, the history
 * says `stopped: 'aborted'`.
 *
 * @example
 * for await (const event of fit(model, train, options)) {
 *   if (event.type === 'epoch' && event.record.valLoss < 0.1) break;
 * }
 */
export class Run implements PromiseLike<History>, AsyncIterable<RunEvent, void, void> {
  private readonly result: Promise<History>;
  private readonly queue = new EventQueue();
  private readonly controller = new AbortController();
  private iterated = false;

  constructor(start: (control: RunControl) => Promise<History>, signal?: AbortSignal) {
    checkFunction('Run', 'start', start);
    if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
      throw new OptionError(`fit: signal is ${shown(signal)}, expected an AbortSignal`);
    }
    const { controller, queue } = this;
    const abort = (): void => controller.abort();
    if (signal?.aborted === true) abort();
    signal?.addEventListener('abort', abort, { once: true });
    this.result = start({ signal: controller.signal, emit: (event) => queue.push(event) });
    const finish = (failure?: { readonly error: unknown }): void => {
      signal?.removeEventListener('abort', abort);
      queue.close(failure);
    };
    // Both branches are handled here; `result` itself stays unhandled, so that an error nobody looks at is reported.
    this.result.then(
      () => finish(),
      (error: unknown) => finish({ error }),
    );
  }

  /** Ends the training after the steps in flight. */
  abort(): void {
    this.controller.abort();
  }

  // biome-ignore lint/suspicious/noThenProperty: a run is awaited for its history
  then<A = History, B = never>(
    onFulfilled?: ((history: History) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.result.then(onFulfilled, onRejected);
  }

  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<History | B> {
    return this.result.catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<History> {
    return this.result.finally(onFinally);
  }

  /** Events from the start of the run; a failed run throws after the last one. @throws OptionError the second time. */
  [Symbol.asyncIterator](): AsyncGenerator<RunEvent, void, void> {
    if (this.iterated) throw new OptionError('fit: the events of a run can be read once');
    this.iterated = true;
    this.result.catch(() => {}); // the iterator throws it
    return this.events();
  }

  private async *events(): AsyncGenerator<RunEvent, void, void> {
    let ended = false;
    try {
      for (let event = await this.queue.next(); event !== null; event = await this.queue.next()) yield event;
      ended = true;
    } finally {
      if (!ended) {
        this.abort();
        await this.result.catch(() => {});
      }
    }
  }
}
