import type { DType } from '../dtype.js';
import { DTypeError, GradError, ShapeError } from '../errors.js';
import { shown } from '../options.js';
import { type Shape, sameShape } from '../shape.js';
import { aliasOp } from './alias.js';
import { sampleOp, stateLeaf } from './leaves.js';
import { build, type Storage, Tensor } from './tensor.js';
import { graphState } from './trace.js';

/**
 * A state cell: parameter, buffer, optimizer slot or counter; the only mutable thing. Reading it makes a node for the
 * current version; `assign` records a write that the next realisation carries out.
 */
export class State {
  readonly id: number;
  /** Path in the module tree, for messages; set when the tree is named. */
  name: string;
  readonly shape: Shape;
  readonly dtype: DType;
  /** Value of version `stored`, null until the first write has run. */
  storage: Storage | null;
  /** Logical version: counts assigns, run or not. */
  version: number;
  stored: number;
  /** Node of the current version, cached so that equal reads are one node. */
  private node: Tensor | null;
  /** The leaf of the stored value that the last realisation met (see engine/realize). */
  met: Tensor | null = null;

  /** `init` is the value of version 0; it is computed by the next realisation. */
  constructor(init: Tensor, name = '') {
    checkValue(new.target.name, init);
    this.id = graphState.nextId++;
    this.name = name;
    this.shape = init.shape;
    this.dtype = init.dtype;
    this.storage = null;
    this.version = 0;
    this.stored = -1;
    this.node = build(aliasOp, [init]);
    graphState.pending.set(this, this.node);
  }

  /** The value as a graph node: of the pending write if there is one, else of the stored version. */
  read(): Tensor {
    const trace = graphState.trace;
    if (trace !== null) {
      const written = trace.writes.get(this);
      if (written !== undefined) return written;
      let node = trace.reads.get(this);
      if (node === undefined) {
        node = stateLeaf(this, -1);
        trace.reads.set(this, node);
      }
      return node;
    }
    this.node ??= stateLeaf(this, this.version);
    return this.node;
  }

  /**
   * Records `value` as the next version; runs nothing.
   * @throws ShapeError, DTypeError when `value` does not fit the cell; GradError inside `vmap` when it differs by sample.
   */
  assign(value: Tensor): void {
    const label = this.name === '' ? 'assign' : `assign to "${this.name}"`;
    checkValue(label, value);
    if (!sameShape(value.shape, this.shape)) {
      throw new ShapeError(`${label}: got [${value.shape}], expected [${this.shape}]`);
    }
    if (value.dtype !== this.dtype) throw new DTypeError(`${label}: got ${value.dtype}, expected ${this.dtype}`);
    if (graphState.maps > 0 && differsBySample(value)) {
      throw new GradError(
        `${label}: the value differs from sample to sample of vmap, and a cell holds one; use eval() for layers with ` +
          'running statistics, or return the value and assign it outside',
      );
    }
    const trace = graphState.trace;
    if (trace !== null) {
      trace.writes.set(this, value);
      return;
    }
    this.version += 1;
    this.node = value;
    graphState.pending.set(this, value);
  }

  /** True while a write outside a trace has not run. */
  get dirty(): boolean {
    return graphState.pending.has(this);
  }

  /** Called by the engine when the pending write cannot run: the stored version stays current. */
  abandon(): void {
    if (this.stored < 0) return; // an initial value may be tried again
    this.version = this.stored;
    this.node = null;
    graphState.pending.delete(this);
  }

  /** Called by the engine when version `version` is in `storage`; `node` is the leaf that stands for it, if there is one. */
  settle(storage: Storage, version: number, node: Tensor | null = null): void {
    this.storage = storage;
    this.stored = version;
    if (this.version === version) this.node = node;
  }

  /** Called by the engine when the run that should have written `node` failed: later reads are of the value that stayed. */
  forget(node: Tensor): void {
    if (this.node === node) this.node = null;
  }
}

/** A trainable state cell. `requiresGrad = false` (see `Module.freeze`) takes it out of differentiation. */
export class Parameter extends State {
  requiresGrad = true;
}

function checkValue(where: string, value: unknown): void {
  if (!(value instanceof Tensor)) {
    throw new DTypeError(`${where}: got ${shown(value)}, expected a Tensor; wrap data in tensor(...)`);
  }
}

function differsBySample(value: Tensor): boolean {
  const met = new Set([value]);
  for (const node of met) {
    if (node.op === sampleOp) return true;
    for (const x of node.inputs) met.add(x);
  }
  return false;
}
