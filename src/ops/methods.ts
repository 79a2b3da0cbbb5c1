import type { DType } from '../dtype.js';
import { GradError } from '../errors.js';
import { Tensor } from '../graph/tensor.js';
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
  max(options?: ops.ExtremeOptions): Tensor;
  min(options?: ops.ExtremeOptions): Tensor;
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
  pad(widths: readonly (readonly [number, number])[], options?: ops.PadOptions): Tensor;
  matmul(other: ops.Operand, options?: ops.MatmulOptions): Tensor;
  dot(other: ops.Operand): Tensor;
  outer(other: ops.Operand): Tensor;
  softmax(options?: ops.SoftmaxOptions): Tensor;
  logSoftmax(options?: ops.SoftmaxOptions): Tensor;
  take(index: ops.Operand, options?: ops.TakeOptions): Tensor;
  gather(index: ops.Operand, options?: ops.AlongOptions): Tensor;
  scatter(index: ops.Operand, values: ops.Operand, options?: ops.AlongOptions): Tensor;
  scatterAdd(index: ops.Operand, values: ops.Operand, options?: ops.AlongOptions): Tensor;
  sort(options?: ops.SortOptions): Tensor;
  argsort(options?: ops.SortOptions): Tensor;
  topK(k: number, options?: ops.TopKOptions): { values: Tensor; indices: Tensor };
  cumsum(options?: ops.ScanOptions): Tensor;
  cumprod(options?: ops.ScanOptions): Tensor;
  index(index: number, axis?: number): Tensor;
  tile(repeats: readonly number[]): Tensor;
  repeat(times: number, axis?: number): Tensor;
  roll(shift: number | readonly number[], axes?: number | readonly number[]): Tensor;
  tril(offset?: number): Tensor;
  triu(offset?: number): Tensor;
  diag(offset?: number): Tensor;
  diagonal(offset?: number): Tensor;
  trace(): Tensor;
  elu(alpha?: number): Tensor;
  gelu(options?: Parameters<typeof ops.gelu>[1]): Tensor;
  silu(): Tensor;
  mish(): Tensor;
  softsign(): Tensor;
  leakyRelu(negativeSlope?: number): Tensor;
  relu6(): Tensor;
  selu(): Tensor;
  celu(alpha?: number): Tensor;
  step(options?: Parameters<typeof ops.step>[1]): Tensor;
  hardSigmoid(): Tensor;
  hardTanh(options?: Parameters<typeof ops.hardTanh>[1]): Tensor;
  generalizedRectifier(alpha: ops.Operand): Tensor;
  prelu(slope: ops.Operand): Tensor;
  maxout(pieces: number, options?: ops.AxisOptions): Tensor;
  glu(options?: ops.AxisOptions): Tensor;
  swiglu(options?: ops.AxisOptions): Tensor;
  renorm(limit: number, options?: ops.RenormOptions): Tensor;
  solve(other: ops.Operand): Tensor;
  solveTriangular(other: ops.Operand, options?: ops.SolveTriangularOptions): Tensor;
  cholesky(): Tensor;
  inverse(): Tensor;
  oneHot(classes: number, options?: ops.CreateOptions): Tensor;
  bincount(length: number, options?: ops.BincountOptions): Tensor;
  histogram(options?: ops.HistogramOptions): { counts: Tensor; edges: Tensor };
  /** This tensor where `condition` holds, else `other`: `where(condition, x, other)`. */
  where(condition: ops.Operand, other: ops.Operand): Tensor;
}

declare module '../graph/tensor.js' {
  interface Tensor extends OpMethods {
    /** Exists only to say what to write instead: gradients are values here. */
    backward(): never;
  }
}

/** A method that is missing here, or whose signature is not that of its function, is a type error. */
const METHODS: { [K in keyof OpMethods]: (x: Tensor, ...rest: Parameters<OpMethods[K]>) => ReturnType<OpMethods[K]> } =
  {
    neg: ops.neg,
    abs: ops.abs,
    sign: ops.sign,
    floor: ops.floor,
    ceil: ops.ceil,
    round: ops.round,
    trunc: ops.trunc,
    sqrt: ops.sqrt,
    rsqrt: ops.rsqrt,
    reciprocal: ops.reciprocal,
    square: ops.square,
    exp: ops.exp,
    expm1: ops.expm1,
    log: ops.log,
    log1p: ops.log1p,
    sin: ops.sin,
    cos: ops.cos,
    tan: ops.tan,
    erf: ops.erf,
    softplus: ops.softplus,
    relu: ops.relu,
    tanh: ops.tanh,
    sigmoid: ops.sigmoid,
    isFinite: ops.isFinite,
    isNaN: ops.isNaN,
    logicalNot: ops.logicalNot,
    stopGradient: ops.stopGradient,
    add: ops.add,
    sub: ops.sub,
    mul: ops.mul,
    div: ops.div,
    pow: ops.pow,
    maximum: ops.maximum,
    minimum: ops.minimum,
    equal: ops.equal,
    notEqual: ops.notEqual,
    less: ops.less,
    lessEqual: ops.lessEqual,
    greater: ops.greater,
    greaterEqual: ops.greaterEqual,
    logicalAnd: ops.logicalAnd,
    logicalOr: ops.logicalOr,
    sum: ops.sum,
    prod: ops.prod,
    max: ops.max,
    min: ops.min,
    mean: ops.mean,
    any: ops.any,
    all: ops.all,
    logSumExp: ops.logSumExp,
    variance: ops.variance,
    std: ops.std,
    norm: ops.norm,
    argmax: ops.argmax,
    argmin: ops.argmin,
    cast: ops.cast,
    clip: ops.clip,
    reshape: ops.reshape,
    flatten: ops.flatten,
    transpose: ops.transpose,
    permute: ops.permute,
    slice: ops.slice,
    flip: ops.flip,
    squeeze: ops.squeeze,
    expandDims: ops.expandDims,
    broadcastTo: ops.broadcastTo,
    split: ops.split,
    pad: ops.pad,
    matmul: ops.matmul,
    dot: ops.dot,
    outer: ops.outer,
    softmax: ops.softmax,
    logSoftmax: ops.logSoftmax,
    take: ops.take,
    gather: ops.gather,
    scatter: ops.scatter,
    scatterAdd: ops.scatterAdd,
    sort: ops.sort,
    argsort: ops.argsort,
    topK: ops.topK,
    cumsum: ops.cumsum,
    cumprod: ops.cumprod,
    index: ops.index,
    tile: ops.tile,
    repeat: ops.repeat,
    roll: ops.roll,
    tril: ops.tril,
    triu: ops.triu,
    diag: ops.diag,
    diagonal: ops.diagonal,
    trace: ops.trace,
    elu: ops.elu,
    gelu: ops.gelu,
    silu: ops.silu,
    mish: ops.mish,
    softsign: ops.softsign,
    leakyRelu: ops.leakyRelu,
    relu6: ops.relu6,
    selu: ops.selu,
    celu: ops.celu,
    step: ops.step,
    hardSigmoid: ops.hardSigmoid,
    hardTanh: ops.hardTanh,
    generalizedRectifier: ops.generalizedRectifier,
    prelu: ops.prelu,
    maxout: ops.maxout,
    glu: ops.glu,
    swiglu: ops.swiglu,
    renorm: ops.renorm,
    solve: ops.solve,
    solveTriangular: ops.solveTriangular,
    cholesky: ops.cholesky,
    inverse: ops.inverse,
    oneHot: ops.oneHot,
    bincount: ops.bincount,
    histogram: ops.histogram,
    where: (x, condition, other) => ops.where(condition, x, other),
  };

function backward(): never {
  throw new GradError(`backward: tensors carry no .grad; gradients are values. Instead of loss.backward() write
  const lossAndGrad = valueAndGrad(model, (x, y) => crossEntropy(model.forward(x), y));
  const [loss, grads] = lossAndGrad(x, y);
  optimizer.update(model, grads);`);
}

function install(name: string, method: (this: Tensor, ...rest: never[]) => unknown): void {
  Object.defineProperty(Tensor.prototype, name, { value: method, configurable: true, writable: true });
}

for (const [name, fn] of Object.entries(METHODS)) {
  install(name, function (this: Tensor, ...rest: never[]) {
    return (fn as (x: Tensor, ...rest: never[]) => unknown)(this, ...rest);
  });
}
install('backward', backward);
