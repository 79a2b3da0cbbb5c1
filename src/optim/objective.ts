import {
  compile,
  type Differentiable,
  type DType,
  DTypeError,
  flush,
  GradError,
  grad,
  isFloat,
  mul,
  type Parameter,
  reshape,
  type Shape,
  slice,
  sum,
  Tensor,
  tensor,
  valueAndGrad,
} from '../core.js';
import { checkFunction, shown } from '../options.js';
import { sizeOf } from '../shape.js';
import { leaves, mapTree } from '../tree.js';
import { checkTrainable } from './options.js';
import type { Vector } from './vectors.js';

/** A scalar function of one flat vector, evaluated by compiled programs. */
export interface Objective {
  readonly start: Vector;
  evaluate(x: Vector): Promise<{ readonly value: number; readonly gradient: Vector }>;
  /** H(x) v */
  hessianProduct(x: Vector, v: Vector): Promise<Vector>;
}

/** Numbers, a tensor, or arrays and objects of tensors. */
export type Unknowns = Tensor | readonly Unknowns[] | { readonly [name: string]: Unknowns };

const flat = (x: Vector, dtype: DType): Tensor => tensor(dtype === 'float64' ? x : Float32Array.from(x), { dtype });

function objective(f: (z: Tensor) => Tensor, start: Vector, dtype: DType): Objective {
  const value = compile((z: Tensor) => valueAndGrad(f)(z));
  const product = compile((z: Tensor, v: Tensor) => grad((p: Tensor) => sum(mul(grad(f)(p), v)))(z));
  return {
    start,
    async evaluate(x) {
      const [loss, gradient] = value(flat(x, dtype));
      const [l, g] = await Promise.all([loss.item(), gradient.data()]);
      return { value: l, gradient: Float64Array.from(g) };
    },
    async hessianProduct(x, v) {
      return Float64Array.from(await product(flat(x, dtype), flat(v, dtype)).data());
    },
  };
}

/** The parts of `z` in order, each with its shape. */
function parts(z: Tensor, shapes: readonly Shape[]): Tensor[] {
  let at = 0;
  return shapes.map((shape) => {
    const start = at;
    at += sizeOf(shape);
    return reshape(slice(z, [{ start, end: at }]), shape);
  });
}

function oneDType(where: string, values: readonly { readonly dtype: DType }[]): DType {
  const [first] = values;
  if (first === undefined) throw new GradError(`${where}: got nothing to change`);
  for (const { dtype } of values) {
    if (isFloat(dtype) && dtype === first.dtype) continue;
    throw new DTypeError(`${where}: got ${first.dtype} and ${dtype}, expected float32 or float64 throughout`);
  }
  return first.dtype;
}

async function joined(values: readonly Tensor[]): Promise<Vector> {
  const arrays = await Promise.all(values.map((v) => v.data()));
  return Float64Array.from(arrays.flatMap((a) => [...a]));
}

/** A function of tensors. */
export async function objectiveOfTensors<X extends Unknowns>(
  where: string,
  fn: (x: X) => Tensor,
  x0: X,
): Promise<{ readonly objective: Objective; readonly unflatten: (x: Vector) => X }> {
  checkFunction(where, 'fn', fn);
  const tensors = leaves(x0).map((leaf) => {
    if (leaf instanceof Tensor) return leaf;
    throw new GradError(`${where}: got ${shown(leaf)} among the unknowns, expected tensors`);
  });
  const dtype = oneDType(where, tensors);
  const shapes = tensors.map((t) => t.shape);
  const inTree = (list: readonly Tensor[]): X => {
    let next = 0;
    return mapTree(x0, () => list[next++]) as X;
  };
  const of = (z: Tensor): Tensor => fn(inTree(parts(z, shapes)));
  const start = await joined(tensors);
  return { objective: objective(of, start, dtype), unflatten: (x) => inTree(parts(flat(x, dtype), shapes)) };
}

/** The trainable cells of a model; every evaluation sets them, `restore` leaves them at x. */
export async function objectiveOfModel(
  where: string,
  model: Differentiable,
  fn: () => Tensor,
): Promise<{ readonly objective: Objective; readonly restore: (x: Vector) => Promise<void> }> {
  checkTrainable(where, model);
  checkFunction(where, 'fn', fn);
  const cells: readonly Parameter[] = [...new Set(model.trainableCells().values())];
  const dtype = oneDType(where, cells);
  const shapes = cells.map((c) => c.shape);
  const set = (z: Tensor) => {
    for (const [i, part] of parts(z, shapes).entries()) cells[i].assign(part);
  };
  const of = (z: Tensor): Tensor => {
    set(z);
    return fn();
  };
  const start = await joined(cells.map((c) => c.read()));
  const restore = async (x: Vector): Promise<void> => {
    set(flat(x, dtype));
    await flush();
  };
  return { objective: objective(of, start, dtype), restore };
}
