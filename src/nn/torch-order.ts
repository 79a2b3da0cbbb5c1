import { OptionError, type Shape, type State, type Tensor, zeros } from '../core.js';
import type { TensorData } from '../io/index.js';
import { sameShape, sizeOf } from '../shape.js';
import type { Module } from './module.js';
import { outputsOf } from './summary.js';

/** An axis (from the back) of a cell that runs over a flattened image of `sizes` [...positions, channels]. */
export interface ImageAxis {
  readonly axis: number;
  readonly sizes: Shape;
}

/**
 * PyTorch's images are channels first, so what it flattens runs over [channels, ...positions], here over [...positions,
 * channels]. Finds the parameters and buffers with an axis that meets a flattened image, by walking the graph of one forward
 * pass: from every reshape of an image to a vector on to the first product, and from every reshape of a vector to an image back to
 * the product that made it. Sequences [batch, length, channels] count as images where they belong to a 1-d convolution.
 * @throws OptionError when one axis of a parameter meets images of two sizes
 */
export function imageAxes(where: string, model: Module, inputShape: Shape): Map<State, ImageAxis[]> {
  const cells = [...model.namedParameters(), ...model.namedBuffers()];
  const finder = new Finder(where, new Map(cells.map(([path, cell]) => [cell.read(), { path, cell }])));
  const modes = model.modules().map((m) => [m, m.training] as const);
  model.eval();
  try {
    const out = outputsOf(model, zeros(inputShape)).get(model as never);
    finder.walk([out].flat().filter((t) => typeof t === 'object' && t !== null && 'op' in t) as Tensor[]);
  } finally {
    for (const [m, training] of modes) m.train(training); // parents first
  }
  return finder.found;
}

/** The tensor with the axis in PyTorch's order from one in ours (`toTorch`), or the other way round. */
export function reorder({ shape, data, dtype }: TensorData, { axis, sizes }: ImageAxis, toTorch: boolean): TensorData {
  const at = shape.length + axis;
  const channels = sizes[sizes.length - 1];
  const positions = sizeOf(sizes) / channels;
  const inner = sizeOf(shape.slice(at + 1));
  const run = shape[at] * inner;
  const out = data.slice();
  for (let start = 0; start < data.length; start += run) {
    for (let p = 0; p < positions; p++) {
      for (let c = 0; c < channels; c++) {
        const ours = start + (p * channels + c) * inner;
        const torch = start + (c * positions + p) * inner;
        const [to, from] = toTorch ? [torch, ours] : [ours, torch];
        for (let i = 0; i < inner; i++) out[to + i] = data[from + i];
      }
    }
  }
  return { shape, data: out, dtype };
}

const isConvolution = (t: Tensor) => t.op.name === 'conv' || t.op.name === 'convDataGrad';
const isSequence = (t: Tensor) => isConvolution(t) && t.shape.length === 3;
const lastOf = (shape: Shape) => shape[shape.length - 1];

class Finder {
  readonly found = new Map<State, ImageAxis[]>();
  readonly #where: string;
  readonly #cells: ReadonlyMap<Tensor, { readonly path: string; readonly cell: State }>;
  /** Values whose last axis runs over a flattened image. */
  readonly #vectors = new Map<Tensor, Shape>();
  /** Values that come from, or go to, a 1-d convolution. */
  readonly #sequences = new Set<Tensor>();
  readonly #marked = new Set<string>();

  constructor(where: string, cells: ReadonlyMap<Tensor, { readonly path: string; readonly cell: State }>) {
    this.#where = where;
    this.#cells = cells;
  }

  walk(roots: readonly Tensor[]): void {
    const reached = new Set(roots);
    for (const node of reached) for (const x of node.inputs) reached.add(x); // a Set visits what is added while it is walked
    const nodes = [...reached].sort((a, b) => a.id - b.id);
    for (const node of nodes) {
      const passes = node.op.kind !== 'matmul' && node.inputs.some((x) => this.#sequences.has(x));
      if (isSequence(node) || passes) this.#sequences.add(node);
    }
    for (const node of [...nodes].reverse()) {
      if (isSequence(node)) this.#sequences.add(node.inputs[0]);
      else if (node.shape.length === 3 && node.op.kind !== 'matmul' && this.#sequences.has(node)) {
        for (const x of node.inputs) if (x.shape.length === 3) this.#sequences.add(x);
      }
    }
    for (const node of nodes) this.#visit(node);
  }

  #visit(node: Tensor): void {
    const [x, y] = node.inputs;
    if (x === undefined) return;
    if (node.op.kind === 'matmul') {
      const sizes = this.#vectors.get(x);
      if (sizes !== undefined && node.attrs.transA !== true) this.#mark(y, node.attrs.transB === true ? -1 : -2, sizes);
      return;
    }
    if (node.op.name === 'reshape') {
      if (this.#joins(x, node)) this.#vectors.set(node, x.shape.slice(1));
      if (this.#joins(node, x)) this.#mark(x, -1, node.shape.slice(1));
    }
    if (!keepsOrder(node)) return;
    const sizes = node.inputs.map((t) => this.#vectors.get(t)).find((s) => s !== undefined);
    if (sizes === undefined || sizeOf(sizes) !== lastOf(node.shape)) return;
    this.#vectors.set(node, sizes);
    for (const t of node.inputs) if (!this.#vectors.has(t)) this.#mark(t, -1, sizes);
  }

  /** Whether `flat` is [batch, elements] of images [batch, ...positions, channels] with more than one of both. */
  #joins(image: Tensor, flat: Tensor): boolean {
    if (flat.shape.length !== 2 || image.shape.length < 3 || image.shape[0] !== flat.shape[0]) return false;
    if (image.shape.length === 3 && !this.#sequences.has(image)) return false;
    const channels = lastOf(image.shape);
    return channels > 1 && flat.shape[1] > channels && flat.shape[1] === sizeOf(image.shape.slice(1));
  }

  /** Follows an axis that runs over a flattened image back to the cells it comes from. */
  #mark(t: Tensor, axis: number, sizes: Shape): void {
    if (t.shape.length < -axis || t.shape[t.shape.length + axis] !== sizeOf(sizes)) return; // repeated along the axis
    const key = `${t.id} ${axis} ${sizes}`;
    if (this.#marked.has(key)) return;
    this.#marked.add(key);
    const known = this.#cells.get(t);
    if (known !== undefined) {
      this.#record(known, axis, sizes);
      return;
    }
    const { op, inputs, attrs } = t;
    if (op.kind === 'matmul') {
      const [a, b] = inputs;
      if (axis === -1) this.#mark(b, attrs.transB === true ? -2 : -1, sizes);
      else this.#mark(a, attrs.transA === true ? -1 : -2, sizes);
    } else if (isConvolution(t) && attrs.groups === 1 && axis === -1) {
      this.#mark(inputs[1], op.name === 'conv' ? -t.shape.length : 1 - t.shape.length, sizes);
    } else if (op.name === 'permute') {
      const from = (attrs.axes as number[])[t.shape.length + axis];
      this.#mark(inputs[0], from - t.shape.length, sizes);
    } else if (op.name === 'reshape') {
      const tail = t.shape.slice(axis);
      if (sameShape(inputs[0].shape.slice(axis), tail)) this.#mark(inputs[0], axis, sizes);
    } else if (op.kind === 'elementwise' || keepsOrder(t)) {
      for (const x of inputs) this.#mark(x, axis, sizes);
    }
  }

  #record({ path, cell }: { readonly path: string; readonly cell: State }, axis: number, sizes: Shape): void {
    const list = this.found.get(cell) ?? [];
    const same = list.find((known) => known.axis === axis);
    if (same !== undefined && !sameShape(same.sizes, sizes)) {
      throw new OptionError(
        `${this.#where}: "${path}" meets flattened images of [${same.sizes}] and [${sizes}], which PyTorch orders differently`,
      );
    }
    if (same === undefined) this.found.set(cell, [...list, { axis, sizes }]);
    // The power iteration of spectral norm has vectors along both axes; it is no part of the product.
    if (!path.endsWith('original') || cell.shape.length !== 2) return;
    const vector = `${path.slice(0, -'original'.length)}0.${axis === -1 ? '_v' : '_u'}`;
    for (const other of this.#cells.values()) {
      if (other.path === vector) this.#record(other, -1, sizes);
    }
  }
}

/** Ops whose value at a place of the last axis stands for the same place of their inputs. */
function keepsOrder({ op, inputs: [x], shape, attrs }: Tensor): boolean {
  if (op.kind === 'elementwise' || op.kind === 'item' || op.kind === 'coarse') return !REARRANGE.has(op.name);
  if (op.forwards === true || ['alias', 'stopGradient', 'barrier', 'broadcastTo'].includes(op.name)) return true;
  if (op.name === 'reshape') return lastOf(x.shape) === lastOf(shape);
  const whole = (list: unknown) => (list as number[])[shape.length - 1];
  return (
    op.name === 'slice' && lastOf(x.shape) === lastOf(shape) && whole(attrs.start) === 0 && whole(attrs.step) === 1
  );
}

const REARRANGE = new Set(['sort', 'take', 'gather', 'scatter', 'scatterAdd', 'conv', 'convDataGrad']);
