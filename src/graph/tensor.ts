import type { DType } from '../dtype.js';
import { checkShape, type Shape } from '../shape.js';
import { debugging, rememberCreation } from './debug.js';
import type { Aval, OpDef, RefArray } from './op.js';
import { graphState, noteBuilt } from './trace.js';

/** Parameters of an op: numbers, strings, booleans and arrays of numbers; they are part of the program's identity. */
export type Attrs = Readonly<Record<string, unknown>>;
export const NO_ATTRS: Attrs = Object.freeze({});

/** Memory of a realised value. The graph only carries it; `runtime/storage` knows what it is. */
export interface Storage {
  readonly byteLength: number;
}

/**
 * A node of the lazy graph and, once realised, its value. Shape and dtype are known, and errors thrown, on the line that
 * builds it; numbers exist after a realisation (`await t.data()`, `t.dataSync()`, `realize(t)`).
 */
export class Tensor {
  /** Increasing with creation: inputs always have smaller ids. */
  readonly id: number;
  op: OpDef;
  inputs: readonly Tensor[];
  attrs: Attrs;
  readonly shape: Shape;
  readonly dtype: DType;
  /** Value, when realised; `op` is then the leaf `data`. */
  storage: Storage | null;
  /** Outputs of a multi-output op (this node is output 0), null for the others. */
  readonly outs: readonly Aval[] | null;
  /** Run counter when the oldest unrealised ancestor was made; chains that outlive many runs join the next one. */
  readonly epoch: number;
  /** Module path at creation, for messages. */
  readonly scope: string;
  /** Values that must be realised together with this node if it feeds a pending write (set by valueAndGrad). */
  companions: readonly Tensor[] | null;
  /** Stamp of the last walk that met this node, plus its position there (see engine/collect). */
  mark: number;

  constructor(op: OpDef, inputs: readonly Tensor[], attrs: Attrs, aval: Aval, outs: readonly Aval[] | null) {
    this.id = graphState.nextId++;
    this.op = op;
    this.inputs = inputs;
    this.attrs = attrs;
    this.shape = aval.shape;
    this.dtype = aval.dtype;
    this.storage = null;
    this.outs = outs;
    let epoch = graphState.runs;
    for (const x of inputs) if (x.storage === null && x.inputs.length > 0 && x.epoch < epoch) epoch = x.epoch;
    this.epoch = epoch;
    this.scope = graphState.scope;
    this.companions = null;
    this.mark = 0;
    if (inputs.length > 0) noteBuilt(this);
    if (debugging) rememberCreation(this);
  }
}

/** Builds a node: infers shape and dtype (throwing on this line) and records the operation. */
export function build(op: OpDef, inputs: readonly Tensor[], attrs: Attrs = NO_ATTRS): Tensor {
  const result = op.infer(inputs, attrs);
  const outs = Array.isArray(result) ? (result as readonly Aval[]) : null;
  const first = outs === null ? (result as Aval) : outs[0];
  if (inputs.length === 0 || inputs[0].shape !== first.shape) checkShape(op.name, first.shape); // an input's was checked
  return new Tensor(op, inputs, attrs, first, outs);
}

/** Output `index` of a multi-output node. */
export function itemOf(node: Tensor, index: number): Tensor {
  const outs = node.outs;
  if (outs === null || outs[index] === undefined)
    throw new RangeError(`internal: ${node.op.name} has no output ${index}`);
  return new Tensor(itemOp, [node], { index }, outs[index], null);
}

/** All outputs of a multi-output op. */
export function buildAll(op: OpDef, inputs: readonly Tensor[], attrs: Attrs = NO_ATTRS): Tensor[] {
  const node = build(op, inputs, attrs);
  return (node.outs ?? [node]).map((_, i) => itemOf(node, i));
}

const itemOp: OpDef = {
  name: 'item',
  kind: 'item',
  infer: ([x], attrs) => (x.outs as readonly Aval[])[attrs.index as number],
  vjp: null, // autodiff routes item gradients to its producer
  reference: (inputs: readonly RefArray[]) => inputs[0],
};
