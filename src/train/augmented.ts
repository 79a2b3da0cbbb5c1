import type { Augmentation, Pixels, Studio } from '../augment/index.js';
import {
  DataError,
  type HostArray,
  isFloat,
  itemSize,
  OptionError,
  type RandomState,
  randomState,
  restoreRandomState,
  Tensor,
  tensor,
} from '../core.js';
import { TensorDataset } from '../data/index.js';
import type { JsonValue } from '../json.js';
import { sizeOf } from '../shape.js';
import { type Rows, Table, type TensorTree } from './batch.js';
import type { Issued } from './chunks.js';
import { type Program, RowFeed } from './feeds.js';
import type { Sampler } from './sampler.js';

/** Pictures made ahead at a time: enough for a good native call, little enough to begin soon. */
const BLOCK_BYTES = 2 ** 23;
const BLOCK_ROWS = 2048;
/** Blocks that are made while one is trained on. */
const AHEAD = 3;

/** Pictures of several steps, ready to train on. */
interface Block {
  readonly start: number;
  readonly feed: RowFeed;
}

/** What came to memory that threads share, once a run. */
interface Source {
  readonly studio: Studio;
  readonly pixels: Pixels;
  /** The other leaves, row by row. */
  readonly rest: readonly { readonly data: HostArray; readonly tensor: Tensor }[];
  readonly classes: number;
}

interface AugmentedPosition {
  /** Random state before the order of this pass was drawn. */
  readonly random: RandomState;
  readonly at: number;
}

export interface AugmentedOptions {
  readonly augmentation: Augmentation;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly endless: boolean;
}

/**
 * Passes over pictures in memory, each in a new order and with new random changes. Threads make the next blocks of pictures while
 * the native program trains on one; how they are cut changes nothing, since a picture depends on its place in the pass alone.
 */
export class AugmentedSampler implements Sampler {
  readonly depth = 2;
  private readonly table: Table;
  private readonly program: Program;
  private readonly options: AugmentedOptions;
  private source: Promise<Source> | null = null;
  private random: RandomState = randomState();
  private order: Int32Array | null = null;
  private pass = 0;
  /** Rows whose pictures were asked for, and those handed out before the current block. */
  private asked = 0;
  private readonly ahead: Promise<Block>[] = [];
  private block: Block | null = null;
  private at = 0;

  constructor(table: Table, program: Program, options: AugmentedOptions) {
    if (!(table.rows.x instanceof Tensor)) {
      throw new OptionError('fit: augment is for one input, the pictures; the data has several');
    }
    options.augmentation.outputShape(table.rows.x.shape.slice(1));
    this.table = table;
    this.program = program;
    this.options = options;
  }

  get atEnd(): boolean {
    return this.order !== null && this.position() === this.table.length;
  }

  startEpoch(mid: boolean): void {
    if (!mid && this.atEnd) this.order = null;
  }

  async issue(limit: number): Promise<Issued | null> {
    if (this.order === null || (this.atEnd && this.options.endless)) await this.begin(0);
    if (this.atEnd) return null;
    if (this.block === null || this.position() === this.at) {
      this.block = await (this.ahead.shift() as Promise<Block>);
      this.at = this.block.start + this.block.feed.length;
      this.ask(await (this.source as Promise<Source>));
    }
    return this.block.feed.issue(limit);
  }

  stateDict(): JsonValue {
    const position: AugmentedPosition | null =
      this.order === null ? null : { random: this.random, at: this.position() };
    return position as unknown as JsonValue;
  }

  async loadStateDict(state: JsonValue): Promise<void> {
    if (state === null) return;
    const { random, at } = state as unknown as AugmentedPosition;
    restoreRandomState(random);
    await this.begin(at);
  }

  async close(): Promise<void> {
    if (this.source !== null) await this.source.then(({ studio }) => studio.close()).catch(() => {});
  }

  /** Rows handed out in this pass. */
  private position(): number {
    return this.block === null ? this.at : this.block.start + this.block.feed.at;
  }

  private async begin(at: number): Promise<void> {
    this.random = randomState();
    this.order = await this.table.index.order(this.options.shuffle);
    this.source ??= this.open();
    const source = await this.source;
    this.pass = source.studio.nextPass();
    this.asked = at;
    this.at = at;
    this.block = null;
    this.ahead.length = 0;
    this.ask(source);
  }

  private async open(): Promise<Source> {
    const { table, options } = this;
    const x = table.rows.x as Tensor;
    const { augmentation } = options;
    const studio = augmentation.open({ shape: x.shape.slice(1), dtype: x.dtype });
    const rest = await Promise.all(table.tensors.slice(1).map(async (t) => ({ data: await t.data(), tensor: t })));
    const classes = augmentation.mixes ? await classesOf(augmentation, table.rows.y, true) : 0;
    return { studio, pixels: studio.share(await x.data()), rest, classes };
  }

  /** Has the next blocks made. */
  private ask(source: Source): void {
    const { table, program, options } = this;
    const { studio } = source;
    const step = options.batchSize * program.accumulate;
    const bytes = sizeOf(studio.outputShape) * itemSize((table.rows.x as Tensor).dtype);
    const rows = Math.min(BLOCK_ROWS, Math.floor(BLOCK_BYTES / bytes));
    const size = Math.max(1, Math.floor(rows / step)) * step;
    while (this.ahead.length < AHEAD && this.asked < table.length) {
      const [start, end] = [this.asked, Math.min(table.length, this.asked + size)];
      const block = this.make(source, start, (this.order as Int32Array).slice(start, end));
      block.catch(() => {}); // whoever takes it hears of it
      this.ahead.push(block);
      this.asked = end;
    }
  }

  private async make({ studio, pixels, rest, classes }: Source, start: number, rows: Int32Array): Promise<Block> {
    const { table, program, pass } = this;
    const { batchSize: batch } = this.options;
    const n = rows.length;
    const out = await studio.paint({ source: pixels, rows, pass, first: start, batch });
    const x = tensor(out, { shape: [n, ...studio.outputShape] });
    const others = rest.map(({ data, tensor: t }, i) => {
      const picked = gather(data, t.shape[0], rows);
      if (classes === 0 || i > 0) return tensor(picked, { shape: [n, ...t.shape.slice(1)], dtype: t.dtype });
      return tensor(studio.labels(picked, classes, { pass, first: start, batch }), { shape: [n, classes] });
    });
    const index = new TensorDataset(x, x, { transform: (t) => table.transform(t) as Tensor });
    const block = new Table(table.layout.unflatten([x, ...others]), index);
    const order = Int32Array.from({ length: n }, (_, i) => i);
    const name = (i: number): string => `sample ${rows[i]}, augmented`;
    return { start, feed: new RowFeed(program, block, order, batch, 0, name) };
  }
}

/** Rows of a table of `stored` rows. */
function gather(data: HostArray, stored: number, rows: Int32Array): HostArray {
  const width = data.length / stored;
  const picked = new (data.constructor as new (length: number) => HostArray)(rows.length * width);
  for (let i = 0; i < rows.length; i++) picked.set(data.subarray(rows[i] * width, (rows[i] + 1) * width), i * width);
  return picked;
}

/** Classes of labels that are to be blended. @throws DataError, OptionError for labels that cannot be. */
async function classesOf(augmentation: Augmentation, y: TensorTree | undefined, all: boolean): Promise<number> {
  if (!(y instanceof Tensor) || y.shape.length !== 1 || isFloat(y.dtype)) {
    const got = y instanceof Tensor ? `${y.dtype} [${y.shape}]` : 'several';
    throw new OptionError(
      `fit: mixup and cutmix blend one class number a sample (int32 or uint8), got ${got} as targets`,
    );
  }
  const labels = await y.data();
  let largest = 0;
  for (let i = 0; i < labels.length; i++) if (labels[i] > largest) largest = labels[i];
  const given = augmentation.steps.flatMap((s) => ('classes' in s && s.classes !== null ? [s.classes] : []));
  if (given.length === 0 && !all) {
    throw new OptionError('fit: a pipeline does not say how many classes it has; give mixup or cutmix { classes }');
  }
  const classes = given.length === 0 ? Math.max(2, largest + 1) : Math.max(...given);
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] >= 0 && labels[i] < classes) continue;
    throw new DataError(`fit: label ${labels[i]} of sample ${i} is no class in [0, ${classes}) of mixup or cutmix`);
  }
  return classes;
}

/** Changes the pictures of a pipeline's batches. */
export class BatchAugmenter {
  private readonly augmentation: Augmentation;
  private studio: { readonly studio: Studio; readonly form: string } | null = null;
  /** Number of this pass, and the pictures before the next batch. */
  private position: { pass: number; first: number } | null = null;

  constructor(augmentation: Augmentation) {
    this.augmentation = augmentation;
  }

  nextPass(): void {
    this.position = null;
  }

  async change(rows: Rows): Promise<Rows> {
    const { x } = rows;
    if (!(x instanceof Tensor)) {
      throw new OptionError('fit: augment is for one input, the pictures; the batches have several');
    }
    const shape = x.shape.slice(1);
    const form = `${x.dtype} [${shape}]`;
    this.studio ??= { form, studio: this.augmentation.open({ shape, dtype: x.dtype }) };
    if (this.studio.form !== form) {
      throw new DataError(`fit: augment got pictures ${form} after ${this.studio.form}; give all the same size`);
    }
    const { studio } = this.studio;
    this.position ??= { pass: studio.nextPass(), first: 0 };
    const { pass, first } = this.position;
    const batch = x.shape[0];
    const out = await studio.paint({ source: studio.share(await x.data()), pass, first, batch });
    this.position.first += batch;
    const changed = { ...rows, x: tensor(out, { shape: [batch, ...studio.outputShape] }) };
    if (!this.augmentation.mixes) return changed;
    const classes = await classesOf(this.augmentation, rows.y, false);
    const y = studio.labels(await (rows.y as Tensor).data(), classes, { pass, first, batch });
    return { ...changed, y: tensor(y, { shape: [batch, classes] }) };
  }

  stateDict(): JsonValue {
    return this.position as unknown as JsonValue;
  }

  loadStateDict(state: JsonValue): void {
    this.position = state === null ? null : { ...(state as unknown as { pass: number; first: number }) };
  }

  async close(): Promise<void> {
    await this.studio?.studio.close();
  }
}
