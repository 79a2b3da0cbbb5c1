import { type RandomState, randomState, restoreRandomState } from '../core.js';
import type { JsonValue } from '../json.js';
import type { Table } from './batch.js';
import type { Feed, Issued } from './chunks.js';
import { type Program, RowFeed } from './feeds.js';

/** The data of a run, over all its epochs; a position in it can be saved and found again. */
export interface Sampler extends Feed {
  /** Called before an epoch; `mid` when the epoch goes on from a saved position. */
  startEpoch(mid: boolean): void;
  /** Whether everything of this pass was handed out. */
  readonly atEnd: boolean;
  stateDict(): JsonValue;
  /** Finds a position again; leaves the random streams anywhere. */
  loadStateDict(state: JsonValue): Promise<void>;
  /** Lets go of what is open; the run is over. */
  close(): Promise<void>;
}

interface RowPosition {
  /** Random state before the order of this pass was drawn. */
  readonly random: RandomState;
  readonly at: number;
}

/** Passes over a table, each in a new order. An epoch is a pass, or with `endless` as many steps as its caller takes. */
export class RowSampler implements Sampler {
  readonly depth = 2;
  private readonly table: Table;
  private readonly program: Program;
  private readonly batchSize: number;
  private readonly shuffle: boolean;
  private readonly endless: boolean;
  private feed: RowFeed | null = null;
  private random: RandomState = randomState();

  constructor(table: Table, program: Program, options: { batchSize: number; shuffle: boolean; endless: boolean }) {
    this.table = table;
    this.program = program;
    this.batchSize = options.batchSize;
    this.shuffle = options.shuffle;
    this.endless = options.endless;
  }

  startEpoch(mid: boolean): void {
    if (!mid && this.feed?.at === this.table.length) this.feed = null;
  }

  get atEnd(): boolean {
    return this.feed?.at === this.table.length;
  }

  issue(limit: number): Issued | null | Promise<Issued | null> {
    const { feed } = this;
    if (feed !== null && feed.at < this.table.length) return feed.issue(limit);
    if (feed !== null && !this.endless) return null;
    return this.begin(0).then((next) => next.issue(limit));
  }

  stateDict(): JsonValue {
    const position: RowPosition | null = this.feed === null ? null : { random: this.random, at: this.feed.at };
    return position as unknown as JsonValue;
  }

  async loadStateDict(state: JsonValue): Promise<void> {
    if (state === null) return;
    const { random, at } = state as unknown as RowPosition;
    restoreRandomState(random);
    await this.begin(at);
  }

  async close(): Promise<void> {}

  private async begin(at: number): Promise<RowFeed> {
    this.random = randomState();
    const order = await this.table.index.order(this.shuffle);
    this.feed = new RowFeed(this.program, this.table, order, this.batchSize, at);
    return this.feed;
  }
}
