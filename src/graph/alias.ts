import type { OpDef, RefArray } from './op.js';

/**
 * The input unchanged, as a node of its own: separates a tensor from its other uses, because autodiff differentiates with
 * respect to nodes and a state cell is known by the node that holds its value.
 */
export const aliasOp: OpDef = {
  name: 'alias',
  kind: 'movement',
  infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
  vjp: ({ g }) => [g],
  view: (x) => x,
  reference: ([x]: readonly RefArray[]) => x,
};
