import { DataError, type RandomState, randomState, restoreRandomState, type Tensor, tensor } from '../core.js';
import type { Pipeline, PipelineIterator } from '../data/index.js';
import type { JsonValue } from '../json.js';
import { shown } from '../options.js';
import { leaves } from '../tree.js';
import type { BatchAugmenter } from './augmented.js';
import { Layout, type Rows, type Source, Table, type TensorTree } from './batch.js';
import type { Feed, Issued, Part } from './chunks.js';
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

/** What a program gets of flat rows: known from the start for a table, from the first batch on for a pipeline. */
export class Form {
  private layout: Layout | null;
  private readonly table: Table | null;
  private readonly where: string;

  constructor(where: string, source: Source) {
    this.where = where;
    this.table = source instanceof Table ? source : null;
    this.layout = this.table?.layout ?? null;
  }

  flatten(rows: Rows): Tensor[] {
    if (this.layout === null) this.layout = new Layout(rows);
    else this.layout.check(this.where, rows);
    return this.layout.flatten(rows);
  }

  /** Rows as the model takes them. */
  rowsOf(flat: readonly Tensor[]): Rows {
    const rows = (this.layout as Layout).unflatten(flat);
    return this.table === null ? rows : { ...rows, x: this.table.transform(rows.x) };
  }
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

  get atEnd(): boolean {
    return this.feed?.at === this.table.length;
  }

  startEpoch(mid: boolean): void {
    if (!mid && this.atEnd) this.feed = null;
  }

  issue(limit: number): Issued | null | Promise<Issued | null> {
    const { feed } = this;
    if (feed !== null && !this.atEnd) return feed.issue(limit);
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

interface StreamPosition {
  /** Passes begun before this one. */
  readonly pass: number;
  readonly ended: boolean;
  readonly iterator: JsonValue;
  /** Of the augmentation, when there is one. */
  readonly augment?: JsonValue;
}

export interface StreamOptions {
  readonly where: string;
  readonly endless: boolean;
  /** Whether the program needs targets. */
  readonly labelled: boolean;
  readonly form: Form;
  /** Makes the targets of a batch what the loss takes. */
  readonly targets: (y: TensorTree) => Promise<TensorTree>;
  /** Changes the pictures of batches. */
  readonly augmenter?: BatchAugmenter | null;
}

/** Batches of a pipeline: a native call each. The next is asked for only when it can be queued. */
export class StreamSampler implements Sampler {
  /** Small steps: enough in flight that none waits for the event loop. */
  readonly depth = 8;
  atEnd = false;
  private readonly pipeline: Pipeline<unknown>;
  private readonly program: Program;
  private readonly options: StreamOptions;
  private iterator: PipelineIterator<unknown> | null = null;
  private pass = 0;
  /** Batches of this pass, for messages. */
  private batches = 0;

  constructor(pipeline: Pipeline<unknown>, program: Program, options: StreamOptions) {
    this.pipeline = pipeline;
    this.program = program;
    this.options = options;
  }

  startEpoch(mid: boolean): void {
    if (!mid && this.atEnd) this.nextPass();
  }

  async issue(): Promise<Issued | null> {
    const { program } = this;
    const group: { rows: Rows; size: number; number: number }[] = [];
    while (group.length < program.accumulate) {
      const rows = await this.next();
      if (rows === null) break;
      group.push({ rows, size: (leaves(rows.x)[0] as Tensor).shape[0], number: this.batches });
    }
    if (group.length === 0) return null;
    const samples = group.reduce((sum, { size }) => sum + size, 0);
    const parts = group.map(({ rows, size, number }, i): Part => {
      const step = program.add !== null && i < group.length - 1 ? program.add : program.step;
      const flat = this.options.form.flatten(rows);
      if (program.add !== null) flat.push(tensor(size / samples));
      const results = program.inMode(() => step(...flat));
      const sample = (k: number): string => `sample ${k} of batch ${number}`;
      return { count: 1, batch: size, results, origin: () => ({ rows: () => rows, sample }) };
    });
    return { steps: 1, parts };
  }

  stateDict(): JsonValue {
    const { pass, atEnd: ended, iterator } = this;
    const augment = this.options.augmenter?.stateDict() ?? null;
    const position: StreamPosition = { pass, ended, iterator: ended ? null : (iterator?.state() ?? null), augment };
    return position as unknown as JsonValue;
  }

  async loadStateDict(state: JsonValue): Promise<void> {
    const { pass, ended, iterator, augment = null } = state as unknown as StreamPosition;
    this.options.augmenter?.loadStateDict(augment);
    this.pass = pass;
    this.atEnd = ended;
    if (iterator !== null) this.iterator = this.pipeline.iterate({ state: iterator });
  }

  async close(): Promise<void> {
    await this.iterator?.return?.();
    this.iterator = null;
    await this.options.augmenter?.close();
  }

  private nextPass(): void {
    this.pass++;
    this.iterator = null;
    this.batches = 0;
    this.atEnd = false;
    this.options.augmenter?.nextPass();
  }

  /** The next batch; null at the end of the pass. */
  private async next(): Promise<Rows | null> {
    const { where, endless, labelled } = this.options;
    if (this.atEnd) {
      if (!endless) return null;
      this.nextPass();
    }
    const fresh = this.iterator === null;
    this.iterator ??= this.pipeline.iterate({ epoch: this.pass });
    const { value, done } = await this.iterator.next();
    if (done === true) {
      this.atEnd = true;
      this.iterator = null;
      if (fresh) throw new DataError(`${where}: the pipeline gave no batch`);
      return endless ? this.next() : null;
    }
    this.batches++;
    const rows = rowsOf(where, value, labelled, this.batches);
    const prepared = rows.y === undefined ? rows : { ...rows, y: await this.options.targets(rows.y) };
    return (await this.options.augmenter?.change(prepared)) ?? prepared;
  }
}

/** An element of a pipeline as rows. @throws DataError for what is none. */
function rowsOf(where: string, element: unknown, labelled: boolean, number: number): Rows {
  const isBatch = typeof element === 'object' && element !== null && Object.hasOwn(element, 'x');
  if (labelled && !(isBatch && Object.hasOwn(element, 'y'))) {
    throw new DataError(
      `${where}: batch ${number} is ${shown(element)}, expected { x, y } of tensors; end the pipeline with batch(size)`,
    );
  }
  const { x, y, weight } = (isBatch ? element : { x: element }) as Rows;
  const rows: Rows = {
    x,
    ...(labelled && y !== undefined ? { y } : {}),
    ...(labelled && weight !== undefined ? { weight } : {}),
  };
  const all = new Layout(rows).flatten(rows);
  const size = all[0]?.shape[0];
  for (const t of all) {
    if (t.shape.length > 0 && t.shape[0] === size && size > 0) continue;
    throw new DataError(
      `${where}: batch ${number} has tensors [${all.map((a) => `[${a.shape}]`).join(', ')}], expected the same number of ` +
        'samples in axis 0 of each',
    );
  }
  return rows;
}
