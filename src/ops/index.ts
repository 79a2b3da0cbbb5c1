import type { OpDef } from '../graph/op.js';
import { activationOps } from './activation.js';
import { alongOps } from './along.js';
import { compareOps } from './compare.js';
import { convOps } from './conv.js';
import { createOps } from './create.js';
import { elementwiseOps } from './elementwise.js';
import { gatherOps } from './gather.js';
import { groupNormOps } from './group-norm.js';
import { guardOps } from './guard.js';
import { linalgOps } from './linalg.js';
import { matmulOps } from './matmul.js';
import { movementOps } from './movement.js';
import { normOps } from './norm.js';
import { operandOps } from './operand.js';
import { optimOps } from './optim.js';
import { poolOps } from './pool.js';
import { randomOps } from './random.js';
import { reduceOps } from './reduce.js';
import { scanOps } from './scan.js';
import { softmaxOps } from './softmax.js';
import { sortOps } from './sort.js';

/** Every op by name. A family's records are its only definition, so none can be left out. */
export const OPS = {
  ...operandOps,
  ...elementwiseOps,
  ...compareOps,
  ...activationOps,
  ...reduceOps,
  ...movementOps,
  ...matmulOps,
  ...softmaxOps,
  ...normOps,
  ...groupNormOps,
  ...poolOps,
  ...gatherOps,
  ...randomOps,
  ...guardOps,
  ...optimOps,
  ...createOps,
  ...alongOps,
  ...scanOps,
  ...sortOps,
  ...linalgOps,
  ...convOps,
} satisfies Record<string, OpDef>;
export type OpName = keyof typeof OPS;

export type { Sizes } from '../options.js';
export { elu, gelu, leakyRelu, mish, relu, sigmoid, silu, softsign, tanh } from './activation.js';
export {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  adaptiveMaxPool3d,
  globalAvgPool,
  globalMaxPool,
} from './adaptive-pool.js';
export { type AlongOptions, gather, scatter } from './along.js';
export { index, repeat, roll, tile } from './arrange.js';
export {
  equal,
  greater,
  greaterEqual,
  isFinite,
  isNaN,
  less,
  lessEqual,
  logicalAnd,
  logicalNot,
  logicalOr,
  notEqual,
  where,
} from './compare.js';
export {
  type ConvOptions,
  type ConvTransposeOptions,
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
} from './convolution.js';
export { arange, type CreateOptions, eye, full, linspace, oneHot, ones, onesLike, zeros, zerosLike } from './create.js';
export { einsum } from './einsum.js';
export {
  abs,
  add,
  ceil,
  clip,
  cos,
  div,
  erf,
  exp,
  expm1,
  floor,
  log,
  log1p,
  maximum,
  minimum,
  mul,
  neg,
  pow,
  reciprocal,
  round,
  rsqrt,
  type SoftplusOptions,
  sign,
  sin,
  softplus,
  sqrt,
  square,
  sub,
  tan,
  trunc,
} from './elementwise.js';
export { scatterAdd, type TakeOptions, take } from './gather.js';
export { groupNorm } from './group-norm.js';
export { checkFinite } from './guard.js';
export { type BincountOptions, bincount, type HistogramOptions, histogram } from './histogram.js';
export {
  cholesky,
  inverse,
  type SolveTriangularOptions,
  solve,
  solveTriangular,
} from './linalg.js';
export { dot, linear, type MatmulOptions, matmul, outer } from './matmul.js';
export { diag, diagonal, trace, tril, triu } from './matrix.js';
export {
  alias,
  broadcastTo,
  concat,
  expandDims,
  flatten,
  flip,
  type PadOptions,
  pad,
  permute,
  reshape,
  type SliceRange,
  slice,
  split,
  squeeze,
  stack,
  stopGradient,
  transpose,
} from './movement.js';
export { batchNorm, layerNorm, type NormalizeOptions, type RmsNormOptions, rmsNorm } from './norm.js';
export { cast, type Operand, toTensor } from './operand.js';
export {
  clipScale,
  optimizerStep,
  ruleSlotShape,
  ruleSlots,
  type StepAttrs,
  type StepControls,
  type StepParam,
  sumSquares,
} from './optim.js';
export type { OptimizerRule, RuleAttrs } from './optim-rules.js';
export {
  type AvgPoolOptions,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  type MaxPoolOptions,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  type PoolOptions,
} from './pooling.js';
export { bernoulli, dropout, hostNormals, hostUniforms, normal, uniform } from './random.js';
export {
  type AxisOptions,
  celu,
  generalizedRectifier,
  glu,
  hardSigmoid,
  hardTanh,
  maxout,
  prelu,
  relu6,
  selu,
  step,
  swiglu,
} from './rectifier.js';
export {
  type ArgReduceOptions,
  all,
  any,
  argmax,
  argmin,
  type ExtremeOptions,
  logSumExp,
  max,
  mean,
  min,
  type NormOptions,
  norm,
  prod,
  type ReduceOptions,
  type RenormOptions,
  renorm,
  std,
  sum,
  type VarianceOptions,
  variance,
} from './reduce.js';
export { pixelShuffle, pixelUnshuffle, type UpsampleOptions, upsample } from './resize.js';
export { type CategoricalOptions, categorical, randint, randperm } from './sampling.js';
export { cumprod, cumsum, type ScanOptions } from './scan.js';
export { logSoftmax, type SoftmaxOptions, softmax, softmaxCrossEntropy } from './softmax.js';
export { argsort, type SortOptions, sort, type TopKOptions, topK } from './sort.js';
