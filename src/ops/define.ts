import { type DType, isFloat } from '../dtype.js';
import { DTypeError } from '../errors.js';
import type { Aval, OpDef, RefArray } from '../graph/op.js';
import { type Attrs, build, itemOf, type Tensor } from '../graph/tensor.js';
import { broadcastShapes, type Shape, sameShape, sizeOf, stridesOf } from '../shape.js';

export type VjpRule = NonNullable<OpDef['vjp']>;
export type ArrayReference = (
  inputs: readonly RefArray[],
  attrs: Attrs,
  outs: readonly Aval[],
) => RefArray | RefArray[];

/**
 * Rule of ops whose derivative is zero wherever it exists (`floor`, comparisons, `stopGradient`). Autodiff compares by
 * identity and does not even walk past such an op.
 */
export const NO_GRADIENT: VjpRule = () => [];

/** Batching rule of ops that treat each row (or each matrix) by itself: more samples are more rows. */
export const batchRows: NonNullable<OpDef['batch']> = ({ op, inputs, full, attrs }) => {
  const node = build(
    op,
    inputs.map((_, i) => full(i)),
    attrs,
  );
  return node.outs === null ? node : node.outs.map((_, k) => itemOf(node, k));
};

/** Batching rule of ops along `attrs.axis` of inputs of one rank: the axis moves by one. */
export const batchAlong: NonNullable<OpDef['batch']> = (c) =>
  batchRows({ ...c, attrs: { ...c.attrs, axis: (c.attrs.axis as number) + 1 } });

/** Any op but an elementwise one; its reference works on whole arrays. */
export function defineOp(
  name: string,
  fields: Omit<OpDef, 'name' | 'reference'> & { reference: ArrayReference },
): OpDef {
  return { name, ...fields };
}

/** 'float': float32 and float64. 'number': those, int32 and uint8. 'any': bool as well. */
export type Accepts = 'float' | 'number' | 'any';

/** Throws unless `dtype` is one that the op computes in. */
export function checkDType(op: string, dtype: DType, accepts: Accepts): void {
  if (isFloat(dtype) || accepts === 'any') return;
  if (accepts === 'float')
    throw new DTypeError(`${op}: got ${dtype}, expected float32 or float64; add .cast('float32')`);
  if (dtype === 'bool') {
    throw new DTypeError(`${op}: got bool, expected a number type; add .cast('int32'), or use logicalAnd / logicalOr`);
  }
}

interface ElementwiseOptions {
  /** Default 'float'. */
  readonly accepts?: Accepts;
  /** The result is bool whatever the inputs are. */
  readonly bool?: boolean;
  readonly activation?: string;
  readonly activationGrad?: string;
  /** Replaces the rule "inputs of one accepted dtype, which broadcast". */
  readonly infer?: OpDef['infer'];
}

/**
 * An elementwise op of one micro-operation. Its inputs have one dtype (the functions in this folder promote first) and
 * broadcast; the sum over broadcast axes in the gradient is autodiff's.
 */
export function defineElementwise(
  name: string,
  micro: string,
  reference: (...x: number[]) => number,
  vjp: OpDef['vjp'],
  { accepts = 'float', bool = false, ...rest }: ElementwiseOptions = {},
): OpDef {
  const inferSame = (inputs: readonly Tensor[]): Aval => {
    const dtype = inputs[0].dtype;
    checkDType(name, dtype, accepts);
    let { shape } = inputs[0];
    for (const x of inputs) {
      if (x.dtype !== dtype) throw new DTypeError(`${name}: got ${dtype} and ${x.dtype}`);
      if (!sameShape(shape, x.shape)) shape = broadcastShapes(name, ...inputs.map((i) => i.shape));
    }
    return { shape, dtype: bool ? 'bool' : dtype };
  };
  return { name, kind: 'elementwise', micro, infer: inferSame, reference, vjp, ...rest };
}

/** `rule` gets the output gradient, the input and the output; null where the derivative is zero. */
export function defineUnary(
  name: string,
  micro: string,
  reference: (x: number) => number,
  rule: ((g: Tensor, x: Tensor, y: Tensor) => Tensor) | null,
  options?: ElementwiseOptions,
): OpDef {
  const vjp: VjpRule = rule === null ? NO_GRADIENT : ({ g, inputs: [x], out }) => [rule(g, x, out)];
  return defineElementwise(name, micro, reference as (...x: number[]) => number, vjp, options);
}

type Side = (g: Tensor, a: Tensor, b: Tensor, y: Tensor) => Tensor;

/** `left` and `right` are the gradients of the two inputs, null where zero; each is built only when it is wanted. */
export function defineBinary(
  name: string,
  micro: string,
  reference: (a: number, b: number) => number,
  left: Side | null,
  right: Side | null,
  options?: ElementwiseOptions,
): OpDef {
  const vjp: VjpRule =
    left === null && right === null
      ? NO_GRADIENT
      : ({ g, inputs: [a, b], out, needs }) => [
          left !== null && needs[0] ? left(g, a, b, out) : null,
          right !== null && needs[1] ? right(g, a, b, out) : null,
        ];
  return defineElementwise(name, micro, reference as (...x: number[]) => number, vjp, options);
}

/** Calls `visit` with the coordinates of every element of `shape` in row-major order; the array is reused. */
export function forEachCoordinate(shape: Shape, visit: (coordinates: readonly number[], index: number) => void): void {
  const c: number[] = new Array(shape.length).fill(0);
  const n = sizeOf(shape);
  for (let i = 0; i < n; i++) {
    visit(c, i);
    for (let d = shape.length - 1; d >= 0; d--) {
      if (++c[d] < shape[d]) break;
      c[d] = 0;
    }
  }
}

/** Position of `coordinates` in a dense array with these strides. */
export function indexOf(coordinates: readonly number[], strides: readonly number[]): number {
  let at = 0;
  for (let d = 0; d < strides.length; d++) at += coordinates[d] * strides[d];
  return at;
}

/** Reference of a movement op from its definition: the input coordinates that each output coordinate shows. */
export function coordinateReference(
  source: (out: readonly number[], attrs: Attrs, inputShape: Shape) => readonly number[],
): ArrayReference {
  return ([x], attrs, [out]) => {
    const data = new Float64Array(sizeOf(out.shape));
    const strides = stridesOf(x.shape);
    forEachCoordinate(out.shape, (c, i) => {
      data[i] = x.data[indexOf(source(c, attrs, x.shape), strides)];
    });
    return { data, shape: out.shape };
  };
}
