export {
  ELU,
  GELU,
  type GELUApproximation,
  Identity,
  LeakyReLU,
  LogSoftmax,
  ReLU,
  Sigmoid,
  SiLU,
  Softmax,
  Softplus,
  Tanh,
} from './activations.js';
export {
  AdaptiveAvgPool1d,
  AdaptiveAvgPool2d,
  AdaptiveAvgPool3d,
  AdaptiveMaxPool1d,
  AdaptiveMaxPool2d,
  AdaptiveMaxPool3d,
  GlobalAvgPool1d,
  GlobalAvgPool2d,
  GlobalAvgPool3d,
  GlobalMaxPool1d,
  GlobalMaxPool2d,
  GlobalMaxPool3d,
} from './adaptive-pooling.js';
export { collectLosses } from './added-loss.js';
export { BatchNorm1d, BatchNorm2d, BatchNorm3d, type BatchNormOptions } from './batch-norm.js';
export {
  Conv1d,
  Conv2d,
  Conv3d,
  type ConvLayerOptions,
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  type ConvTransposeLayerOptions,
} from './conv.js';
export { AlphaDropout, Dropout1d, Dropout2d, DropPath } from './dropouts.js';
export { Ensemble, type EnsembleOptions } from './ensemble.js';
export {
  DepthwiseSeparable,
  InvertedResidual,
  type InvertedResidualOptions,
  LeNet5,
  type LeNet5Options,
  type MobileBlockOptions,
  VGG,
  type VGGOptions,
} from './image-models.js';
export * as init from './init.js';
export { InstanceNorm1d, InstanceNorm2d, InstanceNorm3d, type InstanceNormOptions } from './instance-norm.js';
export { LayerNorm, type LayerNormOptions } from './layer-norm.js';
export { Dropout, Flatten } from './layers.js';
export { Linear, type LinearOptions } from './linear.js';
export type { LoadOptions, LoadReport } from './load.js';
export {
  type LoadedModel,
  type LoadModelOptions,
  loadModel,
  type Preprocessing,
  type SaveModelOptions,
  saveModel,
} from './model-file.js';
export { type AnyModule, type ConfigValue, Module, type ModuleConfig } from './module.js';
export type { ModuleClass, Registry } from './module-config.js';
export { Normalize } from './normalize.js';
export { GroupNorm, type GroupNormOptions, RMSNorm, type RMSNormOptions } from './norms.js';
export {
  removeParametrization,
  type SpectralNormOptions,
  spectralNorm,
  type WeightNormOptions,
  weightNorm,
} from './parametrize.js';
export { ActivityRegularization, elasticNet, l1, l2, type Penalty, weightPenalty } from './penalty.js';
export { AvgPool1d, AvgPool2d, AvgPool3d, MaxPool1d, MaxPool2d, MaxPool3d } from './pooling.js';
export { type PruneOptions, Pruner, type PrunerOptions, prune } from './prune.js';
export {
  CELU,
  GeneralizedRectifier,
  GLU,
  HardSigmoid,
  HardTanh,
  Maxout,
  Mish,
  PReLU,
  type PReLUOptions,
  ReLU6,
  SELU,
  Softsign,
  Step,
  SwiGLU,
} from './rectifiers.js';
export {
  BasicBlock,
  type BasicBlockOptions,
  ResNet,
  type ResNetOptions,
  type Shortcut,
  SkipConnection,
} from './residual.js';
export {
  PixelShuffle,
  PixelUnshuffle,
  ReflectionPad2d,
  ReplicationPad2d,
  Upsample,
  ZeroPad2d,
} from './resize.js';
export { Sequential } from './sequential.js';
export { type LayerSparsity, type SparsityOptions, sparsity } from './sparsity.js';
export type { SummaryOptions } from './summary.js';
export { exportTorch, type ImportTorchOptions, importTorch, type TorchNames } from './torch.js';
