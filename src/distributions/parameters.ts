import {
  broadcastTo,
  equal,
  isFloat,
  log,
  log1p,
  mul,
  neg,
  type Operand,
  OptionError,
  type Shape,
  ShapeError,
  softplus,
  type Tensor,
  toTensor,
  where,
} from '../core.js';
import { shown } from '../options.js';
import { broadcastShapes, checkSizes } from '../shape.js';

/** Parameters as float tensors of one shape and dtype; numbers take that of the tensors, float32 when there are none. */
export function parameters(where: string, given: Readonly<Record<string, Operand>>): Tensor[] {
  const entries = Object.entries(given);
  for (const [name, value] of entries) {
    if (typeof value === 'number' && !Number.isFinite(value)) {
      throw new OptionError(`${where}: ${name} is ${value}, expected a finite number`);
    }
  }
  const tensor = entries.find(([, v]) => typeof v !== 'number');
  const dtype = tensor === undefined ? 'float32' : toTensor(tensor[1], undefined, where).dtype;
  const list = entries.map(([name, value]) => {
    const t = toTensor(value, dtype, `${where}: ${name}`);
    if (isFloat(t.dtype)) return t;
    throw new OptionError(`${where}: ${name} has dtype ${t.dtype}, expected float32 or float64`);
  });
  const shape = broadcastShapes(where, ...list.map((t) => t.shape));
  return list.map((t) => broadcastTo(t, shape));
}

/** Throws unless a parameter that is a number is one that `test` accepts. Tensors are not looked at: they may not exist yet. */
export function checkNumber(where: string, value: Operand, test: (x: number) => boolean, expected: string): void {
  if (typeof value === 'number' && !test(value)) throw new OptionError(`${where} is ${value}, expected ${expected}`);
}

/** Shape of `sample(shape)`: draws first, then the parameters'. */
export function sampleShape(where: string, shape: Shape, batch: Shape): number[] {
  checkSizes(where, shape, 'sample shape');
  if (shape.every((d) => Number.isInteger(d) && d >= 0)) return [...shape, ...batch];
  throw new ShapeError(`${where}: got sample shape ${shown(shape)}, expected whole numbers >= 0`);
}

/** c log p with 0 log 0 = 0, in value and gradient. */
export function xlogy(c: Tensor, p: Tensor): Tensor {
  const none = equal(c, 0);
  return where(none, 0, mul(c, log(where(none, 1, p))));
}

/** c log(1 - p) with 0 log 0 = 0, in value and gradient. */
export function xlog1my(c: Tensor, p: Tensor): Tensor {
  const none = equal(c, 0);
  return where(none, 0, mul(c, log1p(neg(where(none, 0, p)))));
}

/** c log sigmoid(z) with 0 for c = 0, also where the logarithm is -Infinity. */
export function xlogSigmoid(c: Tensor, z: Tensor): Tensor {
  const none = equal(c, 0);
  return where(none, 0, neg(mul(c, softplus(neg(where(none, 0, z))))));
}
