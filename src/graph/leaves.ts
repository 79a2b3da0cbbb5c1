import type { DType } from '../dtype.js';
import { checkShape, type Shape } from '../shape.js';
import type { Aval, OpDef, RefArray } from './op.js';
import type { State } from './state.js';
import { type Storage, Tensor } from './tensor.js';
import type { Feed } from './trace.js';

function leaf(name: string): OpDef {
  return {
    name,
    kind: 'leaf',
    infer: (_, attrs) => attrs.aval as Aval,
    vjp: () => [],
    reference: (): RefArray => {
      throw new Error(`internal: the reference reads ${name} leaves from storage`);
    },
  };
}

/** A realised value. */
export const dataOp: OpDef = leaf('data');
/** Placeholder for argument `index` of a compiled function. */
export const inputOp: OpDef = leaf('input');
/** A state cell at one version. */
export const stateOp: OpDef = leaf('state');
/** Every element is `value`; folded into the instructions that use it. */
export const fullOp: OpDef = leaf('full');
/** A float64 scalar read from the host at each run. */
export const feedOp: OpDef = leaf('feed');
/** One sample inside `vmap`: has no value of its own. */
export const sampleOp: OpDef = leaf('sample');

export function dataLeaf(shape: Shape, dtype: DType, storage: Storage): Tensor {
  const node = new Tensor(dataOp, [], {}, { shape, dtype }, null);
  node.storage = storage;
  return node;
}

/** `stepped`: run k of a scan reads row k of the operand. */
export function inputLeaf(index: number, shape: Shape, dtype: DType, stepped = false): Tensor {
  return new Tensor(inputOp, [], { index, stepped }, { shape, dtype }, null);
}

/** `version` is -1 inside a trace, where the cell's value at each call is meant. */
export function stateLeaf(cell: State, version: number): Tensor {
  return new Tensor(stateOp, [], { cell, version }, cell, null);
}

export function fullLeaf(shape: Shape, value: number, dtype: DType): Tensor {
  checkShape('full', shape);
  return new Tensor(fullOp, [], { value }, { shape, dtype }, null);
}

export function feedLeaf(feed: Feed): Tensor {
  return new Tensor(feedOp, [], { feed }, { shape: [], dtype: 'float64' }, null);
}

export function sampleLeaf(shape: Shape, dtype: DType): Tensor {
  return new Tensor(sampleOp, [], {}, { shape, dtype }, null);
}
