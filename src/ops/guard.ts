import { build, type Tensor } from '../graph/tensor.js';
import { sizeOf } from '../shape.js';
import { defineOp } from './define.js';
import { type Operand, operandOf } from './operand.js';

/** Records of checks on values at run time. */
export const guardOps = {
  checkFinite: defineOp('checkFinite', {
    kind: 'coarse',
    fallible: true,
    infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
    vjp: ({ g }) => [g],
    batch: ({ inputs }): Tensor => build(guardOps.checkFinite, inputs),
    reference: ([x]) => x,
    lower: ({ inputs: [x] }) => ({ opcode: 'CHECK_FINITE', params: [sizeOf(x.shape)] }),
  }),
};

/**
 * The same values; a NaN or infinity among them stops the run with a DataError that names this place.
 * @param x float, any shape
 * @returns the shape of `x`
 * @throws DTypeError for integers and bool
 * @example const safe = checkFinite(loss);
 */
export function checkFinite(x: Operand): Tensor {
  return build(guardOps.checkFinite, [operandOf('checkFinite', x, 'float')]);
}
