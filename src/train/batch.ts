import { DataError, OptionError, ShapeError, Tensor, tensor } from '../core.js';
import { type DataInput, Pipeline, type Batch as Rows, TensorDataset, type TensorTree } from '../data/index.js';
import { checkArray, shown } from '../options.js';
import { leaves, mapTree, treeKey } from '../tree.js';

export type { Rows, TensorTree };

/** Inputs or targets: one as `TensorDataset` takes it, or several: an array of tensors, or a record. */
export type Inputs = DataInput | readonly Tensor[] | { readonly [name: string]: DataInput };

/**
 * A data set, a pipeline of batches `{ x, y, weight }`, or x and y as `TensorDataset` takes them; `weight` is one number >= 0 a
 * sample.
 */
export type DataLike =
  | TensorDataset
  | Pipeline<Rows>
  | { readonly x: Inputs; readonly y: Inputs; readonly weight?: ArrayLike<number> | Tensor };

/** How rows are laid out as the arguments of a program: leaves of x, leaves of y, the weights. */
export class Layout {
  private readonly key: string;
  private readonly template: Rows;
  private readonly inputs: number;
  private readonly targets: number;

  constructor(rows: Rows) {
    this.template = rows;
    this.key = Layout.keyOf(rows);
    this.inputs = leaves(rows.x).length;
    this.targets = rows.y === undefined ? 0 : leaves(rows.y).length;
  }

  /** Throws unless the rows have the form that the first ones had. */
  check(where: string, rows: Rows): void {
    const key = Layout.keyOf(rows);
    if (key === this.key) return;
    throw new DataError(
      `${where}: a batch has the form ${key}, the first had ${this.key}; give all batches the same parts`,
    );
  }

  private static keyOf({ x, y, weight }: Rows): string {
    const targets = y === undefined ? '' : `, y: ${treeKey(y, leafKey)}`;
    return `{ x: ${treeKey(x, leafKey)}${targets}${weight === undefined ? '' : ', weight: tensor'} }`;
  }

  flatten({ x, y, weight }: Rows): Tensor[] {
    const flat = [...leaves(x), ...(y === undefined ? [] : leaves(y))] as Tensor[];
    if (weight !== undefined) flat.push(weight);
    return flat;
  }

  unflatten(flat: readonly Tensor[]): Rows {
    const { template, inputs, targets } = this;
    let next = 0;
    const refill = (tree: TensorTree) => mapTree(tree, () => flat[next++]) as TensorTree;
    const x = refill(template.x);
    const y = template.y === undefined ? {} : { y: refill(template.y) };
    const weight = flat.length > inputs + targets ? { weight: flat[inputs + targets] } : {};
    return { x, ...y, ...weight };
  }
}

function leafKey(leaf: unknown): string {
  if (leaf instanceof Tensor) return 'tensor';
  throw new DataError(`a batch holds a ${typeof leaf}, expected tensors, or arrays and records of them`);
}

/** Samples in memory: tensors of the same length, and which of their rows count. */
export class Table {
  readonly layout: Layout;
  readonly rows: Rows;
  /** Row numbers and their order. */
  readonly index: TensorDataset;
  readonly tensors: readonly Tensor[];

  constructor(rows: Rows, index: TensorDataset) {
    this.layout = new Layout(rows);
    this.rows = rows;
    this.index = index;
    this.tensors = this.layout.flatten(rows);
  }

  get length(): number {
    return this.index.length;
  }

  /** What the model gets of a batch of stored x. */
  transform(x: TensorTree): TensorTree {
    return x instanceof Tensor ? this.index.transform(x) : x;
  }

  /** Random parts: the first has the share `1 - fraction`. */
  split(fraction: number): [Table, Table] {
    const [first, rest] = this.index.split(1 - fraction);
    return [new Table(this.rows, first), new Table(this.rows, rest)];
  }

  withTargets(y: TensorTree): Table {
    return new Table({ ...this.rows, y }, this.index);
  }

  /** One weight for each sample of this table, in its order; those it has already are multiplied. */
  withWeights(where: string, weights: ArrayLike<number>): Table {
    const stored = this.index.x.shape[0];
    const all = new Float32Array(stored);
    const seen = new Uint8Array(stored);
    for (let i = 0; i < this.length; i++) {
      const row = this.index.rows === null ? i : this.index.rows[i];
      const weight = Math.fround(weights[i]);
      if (seen[row] === 1 && all[row] !== weight) {
        throw new OptionError(
          `${where}: sample ${i} is in the data twice with different weights, ${all[row]} and ${weight}`,
        );
      }
      seen[row] = 1;
      all[row] = weight;
    }
    const own = this.rows.weight;
    const weight = own === undefined ? tensor(all) : own.mul(tensor(all));
    return new Table({ ...this.rows, weight }, this.index);
  }
}

/** Where rows come from. */
export type Source = Table | Pipeline<unknown>;

/** `data` as a table, unless it is a pipeline. */
export function sourceOf(where: string, data: DataLike): Source {
  return data instanceof Pipeline ? data : tableOf(where, data);
}

function tableOf(where: string, data: Exclude<DataLike, Pipeline<Rows>>): Table {
  if (data instanceof TensorDataset) return new Table({ x: data.x, y: data.y }, data);
  if (typeof data !== 'object' || data === null || !('x' in data && 'y' in data)) {
    throw new OptionError(`${where}: got ${shown(data)} as data, expected a TensorDataset, a Pipeline or { x, y }`);
  }
  if (isPlainInput(data.x) && isPlainInput(data.y)) {
    const table = tableOf(where, new TensorDataset(data.x, data.y));
    return data.weight === undefined
      ? table
      : table.withWeights(where, checkedWeights(where, data.weight, table.length));
  }
  const rows = { x: inputsOf(`${where}: x`, data.x), y: inputsOf(`${where}: y`, data.y) };
  const all = leaves([rows.x, rows.y]) as Tensor[];
  const lengths = all.map((t) => t.shape[0]);
  if (lengths.some((n) => n !== lengths[0])) {
    throw new DataError(`${where}: x and y have ${lengths.join(', ')} samples, expected as many in each`);
  }
  const table = new Table(rows, new TensorDataset(all[0], all[0]));
  return data.weight === undefined ? table : table.withWeights(where, checkedWeights(where, data.weight, table.length));
}

/** Inputs alone, for prediction. */
export function inputTable(x: TensorDataset | Inputs): Table {
  if (x instanceof TensorDataset) return new Table({ x: x.x }, x);
  if (isPlainInput(x)) return inputTable(TensorDataset.unlabelled(x));
  const tree = inputsOf('predict: x', x);
  const all = leaves(tree) as Tensor[];
  if (all.some((t) => t.shape[0] !== all[0].shape[0])) {
    throw new DataError(
      `predict: the inputs have ${all.map((t) => t.shape[0]).join(', ')} samples, expected as many each`,
    );
  }
  return new Table({ x: tree }, TensorDataset.unlabelled(all[0]));
}

/** Checks one weight a sample: finite and >= 0. */
export function checkedWeights(where: string, weights: ArrayLike<number> | Tensor, n: number): ArrayLike<number> {
  const list = weights instanceof Tensor ? weights.dataSync() : weights;
  checkArray(where, 'sampleWeight', list);
  if (list.length !== n) throw new DataError(`${where}: got ${list.length} sample weights for ${n} samples`);
  for (let i = 0; i < n; i++) {
    if (!(list[i] >= 0 && Number.isFinite(list[i]))) {
      throw new DataError(`${where}: the weight of sample ${i} is ${list[i]}, expected a finite number >= 0`);
    }
  }
  return list;
}

/** One tensor, its values, or nested numbers: not several. */
function isPlainInput(x: Inputs): x is DataInput {
  if (Array.isArray(x)) return !(x[0] instanceof Tensor);
  if (x instanceof Tensor || ArrayBuffer.isView(x)) return true;
  return typeof x !== 'object' || x === null || ('data' in x && 'shape' in x);
}

function inputsOf(where: string, x: Inputs): TensorTree {
  if (isPlainInput(x)) return new TensorDataset(x, x).x;
  if (Array.isArray(x)) return x.map((t, i) => withSamples(`${where}[${i}]`, t));
  const record = Object.entries(x as Readonly<Record<string, DataInput>>);
  if (record.length === 0) throw new DataError(`${where} is an empty record, expected at least one tensor`);
  return Object.fromEntries(record.map(([name, value]) => [name, withSamples(`${where}.${name}`, value)]));
}

function withSamples(where: string, value: DataInput): Tensor {
  if (value instanceof Tensor && value.shape.length === 0) {
    throw new ShapeError(`${where} is a scalar, expected [samples, ...]`);
  }
  return TensorDataset.unlabelled(value).x;
}
