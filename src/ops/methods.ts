import { GradError } from '../errors.js';
import { Tensor } from '../graph/tensor.js';
import type { DType } from '../dtype.js';
import type { Shape } from '../shape.js';
import * as ops from './index.js';

/** Methods that are the functions of the same name with the tensor as first argument. */
interface OpMethods {
  neg(): Tensor;
  abs(): Tensor;
  sign(): Tensor;
  floor(): Tensor;
  ceil(): Tensor;
  round(): Tensor;
  trunc(): Tensor;
  sqrt(): Tensor;
  rsqrt(): Tensor;
  reciprocal(): Tensor;
  square(): Tensor;
  exp(): Tensor;
  expm1(): Tensor;
  log(): Tensor;
  log1p(): Tensor;
  sin(): Tensor;
  cos(): Tensor;
  tan(): Tensor;
  erf(): Tensor;
  softplus(): Tensor;
  relu(): Tensor;
  tanh(): Tensor;
  sigmoid(): Tensor;
  isFinite(): Tensor;
  isNaN(): Tensor;
  logicalNot(): Tensor;
  stopGradient(): Tensor;
  add(other: ops.Operand): Tensor;
  sub(other: ops.Operand): Tensor;
  mul(other: ops.Operand): Tensor;
  div(other: ops.Operand): Tensor;
  pow(other: ops.Operand): Tensor;
  maximum(other: ops.Operand): Tensor;
  minimum(other: ops.Operand): Tensor;
  equal(other: ops.Operand): Tensor;
  notEqual(other: ops.Operand): Tensor;
  less(other: ops.Operand): Tensor;
  lessEqual(other: ops.Operand): Tensor;
  greater(other: ops.Operand): Tensor;
  greaterEqual(other: ops.Operand): Tensor;
  logicalAnd(other: ops.Operand): Tensor;
  logicalOr(other: ops.Operand): Tensor;
  sum(options?: ops.ReduceOptions): Tensor;
  prod(options?: ops.ReduceOptions): Tensor;
  max(options?: ops.ReduceOptions): Tensor;
  min(options?: ops.ReduceOptions): Tensor;
  mean(options?: ops.ReduceOptions): Tensor;
  any(options?: ops.ReduceOptions): Tensor;
  all(options?: ops.ReduceOptions): Tensor;
  logSumExp(options?: ops.ReduceOptions): Tensor;
  variance(options?: ops.VarianceOptions): Tensor;
  std(options?: ops.VarianceOptions): Tensor;
  norm(options?: ops.NormOptions): Tensor;
  argmax(options?: ops.ArgReduceOptions): Tensor;
  argmin(options?: ops.ArgReduceOptions): Tensor;
  cast(dtype: DType): Tensor;
  clip(low: number, high: number): Tensor;
  reshape(shape: Shape): Tensor;
  flatten(startAxis?: number): Tensor;
  transpose(a?: number, b?: number): Tensor;
  permute(axes: readonly number[]): Tensor;
  slice(ranges: readonly ops.SliceRange[]): Tensor;
  flip(axes?: number | readonly number[]): Tensor;
  squeeze(axes?: number | readonly number[]): Tensor;
  expandDims(axis: number): Tensor;
  broadcastTo(shape: Shape): Tensor;
  split(parts: number | readonly number[], axis?: number): Tensor[];
  pad(widths: readonly (readonly [number, number])[], value?: number): Tensor;
  matmul(other: ops.Operand, options?: ops.MatmulOptions): Tensor;
  dot(other: ops.Operand): Tensor;
  outer(other: ops.Operand): Tensor;
  softmax(options?: ops.SoftmaxOptions): Tensor;
  logSoftmax(options?: ops.SoftmaxOptions): Tensor;
  take(index: ops.Operand): Tensor;
}

declare module '../graph/tensor.js' {
  interface Tensor extends OpMethods {
    /** Exists only to say what to write instead: gradients are values here. */
    backward(): never;
  }
}

const METHODS = [
  'neg',
  'abs',
  'sign',
  'floor',
  'ceil',
  'round',
  'trunc',
  'sqrt',
  'rsqrt',
  'reciprocal',
  'square',
  'exp',
  'expm1',
  'log',
  'log1p',
  'sin',
  'cos',
  'tan',
  'erf',
  'softplus',
  'relu',
  'tanh',
  'sigmoid',
  'isFinite',
  'isNaN',
  'logicalNot',
  'stopGradient',
  'add',
  'sub',
  'mul',
  'div',
  'pow',
  'maximum',
  'minimum',
  'equal',
  'notEqual',
  'less',
  'lessEqual',
  'greater',
  'greaterEqual',
  'logicalAnd',
  'logicalOr',
  'sum',
  'prod',
  'max',
  'min',
  'mean',
  'any',
  'all',
  'logSumExp',
  'variance',
  'std',
  'norm',
  'argmax',
  'argmin',
  'cast',
  'clip',
  'reshape',
  'flatten',
  'transpose',
  'permute',
  'slice',
  'flip',
  'squeeze',
  'expandDims',
  'broadcastTo',
  'split',
  'pad',
  'matmul',
  'dot',
  'outer',
  'softmax',
  'logSoftmax',
  'take',
] as const satisfies readonly (keyof OpMethods & keyof typeof ops)[];
type Missing = Exclude<keyof OpMethods, (typeof METHODS)[number]>;
true satisfies [Missing] extends [never] ? true : Missing;

function backward(): never {
  throw new GradError(`backward: tensors carry no .grad; gradients are values. Instead of loss.backward() write
  const lossAndGrad = valueAndGrad(model, (x, y) => crossEntropy(model.forward(x), y));
  const [loss, grads] = lossAndGrad(x, y);
  optimizer.update(model, grads);`);
}

for (const name of METHODS) {
  const fn = ops[name] as (x: Tensor, ...rest: unknown[]) => unknown;
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return fn(this, ...rest);
    },
    configurable: true,
    writable: true,
  });
}
Object.defineProperty(Tensor.prototype, 'backward', { value: backward, configurable: true, writable: true });
