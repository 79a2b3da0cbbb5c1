import { type Compiled, type Tensor, take, tensor } from '../core.js';
import type { Table } from './batch.js';
import type { Feed, Issued, Origin, Part } from './chunks.js';

/** A compiled step over flat rows (see Layout), and what its results are of. */
export type Step = Compiled<Tensor[], readonly Tensor[]>;

/** How one step runs over its batches. */
export interface Program {
  /** Runs the step; with `accumulate` above 1, the last batch of each group. */
  readonly step: Step;
  /** The batches of a group before its last: adds up their gradients. Its last argument is the batch's share of the group. */
  readonly add: Step | null;
  /** Batches a step. */
  readonly accumulate: number;
  /** Calls `issue` with the model in the right mode. */
  readonly inMode: <T>(issue: () => T) => T;
}

const IN_FLIGHT = 2;

/** Rows of a table in a given order: many steps a native call. */
export class RowFeed implements Feed {
  readonly depth = IN_FLIGHT;
  private readonly program: Program;
  private readonly table: Table;
  private readonly order: Int32Array;
  private readonly batchSize: number;
  private readonly nameOf: (row: number) => string;
  /** Rows queued so far. */
  at: number;

  constructor(
    program: Program,
    table: Table,
    order: Int32Array,
    batchSize: number,
    at = 0,
    nameOf = (row: number): string => `sample ${row}`,
  ) {
    this.program = program;
    this.table = table;
    this.order = order;
    this.batchSize = batchSize;
    this.at = at;
    this.nameOf = nameOf;
  }

  get length(): number {
    return this.order.length;
  }

  issue(limit: number): Issued | null {
    const { program, order, batchSize, at } = this;
    const left = order.length - at;
    if (left === 0) return null;
    if (program.accumulate > 1) return this.group();
    const full = Math.floor(left / batchSize);
    const steps = full > 0 ? Math.min(limit, full) : 1;
    const batch = full > 0 ? batchSize : left;
    return { steps, parts: [this.scan(program.step, steps, batch)] };
  }

  /** One step of several batches, the last of which may be smaller, and fewer at the end of the data. */
  private group(): Issued {
    const { program, order, batchSize, at } = this;
    const rows = Math.min(program.accumulate * batchSize, order.length - at);
    const last = rows % batchSize === 0 ? batchSize : rows % batchSize;
    const before = (rows - last) / batchSize;
    const parts: Part[] = [];
    if (before > 0 && program.add !== null) parts.push(this.scan(program.add, before, batchSize, batchSize / rows));
    parts.push(this.scan(program.step, 1, last, last / rows));
    return { steps: 1, parts };
  }

  private scan(step: Step, count: number, batch: number, share?: number): Part {
    const indices = this.order.subarray(this.at, this.at + count * batch);
    const scalars = share === undefined ? {} : { scalars: [new Float32Array(count).fill(share)] };
    const results = this.program.inMode(() => step.scan({ data: this.table.tensors, indices, batch, ...scalars }));
    this.at += count * batch;
    return { count, batch, results, origin: (k) => this.origin(indices.slice(k * batch, (k + 1) * batch)) };
  }

  private origin(numbers: Int32Array): Origin {
    const { table } = this;
    return {
      rows: () => {
        const index = tensor(numbers, { dtype: 'int32' });
        const rows = table.layout.unflatten(table.tensors.map((t) => take(t, index)));
        return { ...rows, x: table.transform(rows.x) };
      },
      sample: (i) => this.nameOf(numbers[i]),
    };
  }
}
