import { type DType, isFloat } from '../dtype.js';
import { feedOp, fullOp } from '../graph/leaves.js';
import type { Aval, RefArray } from '../graph/op.js';
import type { Tensor } from '../graph/tensor.js';
import type { Feed } from '../graph/trace.js';
import { type Shape, sizeOf, stridesOf } from '../shape.js';

/** Values of a leaf that is neither a constant nor a feed; integers and booleans as numbers. */
export type LeafValues = (leaf: Tensor) => Float64Array;

type ScalarReference = (...x: number[]) => number;
type ArrayReference = (
  inputs: readonly RefArray[],
  attrs: Tensor['attrs'],
  outs: readonly Aval[],
) => RefArray | readonly RefArray[];

/**
 * The oracle: evaluates a graph node by node in float64 with the references of the op records. Floats are never rounded to
 * float32; integers and booleans are stored as the native code stores them. It knows records, not op names.
 * @param roots nodes to compute
 * @param leafValues values of data, input and state leaves
 * @returns one array per root
 */
export function evaluateReference(roots: readonly Tensor[], leafValues: LeafValues): Float64Array[] {
  const values = new Map<Tensor, readonly RefArray[]>();
  for (const node of inOrder(roots)) values.set(node, compute(node, values, leafValues));
  return roots.map((r) => (values.get(r) as readonly RefArray[])[0].data);
}

/** Everything the roots need; ids grow with creation, so sorting by id puts inputs first. */
function inOrder(roots: readonly Tensor[]): Tensor[] {
  const found = new Set<Tensor>(roots);
  for (const node of found) for (const x of node.inputs) found.add(x); // a Set also visits what is added on the way
  return [...found].sort((a, b) => a.id - b.id);
}

function compute(
  node: Tensor,
  values: ReadonlyMap<Tensor, readonly RefArray[]>,
  leafValues: LeafValues,
): readonly RefArray[] {
  const { op, attrs, shape, dtype } = node;
  if (op.kind === 'leaf') {
    if (op === fullOp)
      return [{ data: stored(new Float64Array(sizeOf(shape)).fill(attrs.value as number), dtype, true), shape }];
    if (op === feedOp) return [{ data: Float64Array.of((attrs.feed as Feed).read(0)), shape }];
    const data = leafValues(node);
    if (data.length !== sizeOf(shape))
      throw new Error(`internal: got ${data.length} values for a ${op.name} leaf [${shape}]`);
    return [{ data, shape }];
  }
  if (op.kind === 'item') return [(values.get(node.inputs[0]) as readonly RefArray[])[attrs.index as number]];
  const inputs = node.inputs.map((x) => (values.get(x) as readonly RefArray[])[0]);
  const outs: readonly Aval[] = node.outs ?? [node];
  if (op.kind === 'elementwise')
    return [{ data: stored(broadcastMap(op.reference as ScalarReference, inputs, shape), dtype), shape }];
  const result = (op.reference as ArrayReference)(inputs, attrs, outs);
  const list: readonly RefArray[] = Array.isArray(result) ? (result as readonly RefArray[]) : [result as RefArray];
  for (const [i, r] of list.entries()) stored(r.data, outs[i].dtype);
  return list;
}

/** Applies a scalar function over inputs that broadcast to `shape`. */
function broadcastMap(fn: ScalarReference, inputs: readonly RefArray[], shape: Shape): Float64Array {
  const rank = shape.length;
  const strides = inputs.map((x) => {
    const own = stridesOf(x.shape);
    const lead = rank - x.shape.length;
    return shape.map((_, d) => (d < lead || x.shape[d - lead] === 1 ? 0 : own[d - lead]));
  });
  const out = new Float64Array(sizeOf(shape));
  const at = new Array<number>(inputs.length).fill(0);
  const c = new Array<number>(rank).fill(0);
  const args = new Array<number>(inputs.length);
  for (let i = 0; i < out.length; i++) {
    for (let k = 0; k < inputs.length; k++) args[k] = inputs[k].data[at[k]];
    out[i] = fn(...args);
    for (let d = rank - 1; d >= 0; d--) {
      c[d]++;
      for (let k = 0; k < at.length; k++) at[k] += strides[k][d];
      if (c[d] < shape[d]) break;
      for (let k = 0; k < at.length; k++) at[k] -= strides[k][d] * shape[d];
      c[d] = 0;
    }
  }
  return out;
}

/** In place: what a tensor of `dtype` keeps of these numbers. Constants are rounded to float32, results are not. */
function stored(data: Float64Array, dtype: DType, constant = false): Float64Array {
  if (isFloat(dtype) && !(constant && dtype === 'float32')) return data;
  const keep: (x: number) => number =
    dtype === 'float32'
      ? Math.fround
      : dtype === 'bool'
        ? (x) => (x !== 0 ? 1 : 0)
        : dtype === 'uint8'
          ? (x) => x & 255
          : (x) => x | 0;
  for (let i = 0; i < data.length; i++) data[i] = keep(data[i]);
  return data;
}
