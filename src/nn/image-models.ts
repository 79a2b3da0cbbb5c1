import { type FloatDType, OptionError, type Tensor } from '../core.js';
import { checkOptions, wholeNumber } from '../options.js';
import { ReLU, Tanh } from './activations.js';
import { BatchNorm2d } from './batch-norm.js';
import { Conv2d } from './conv.js';
import { kaimingNormal } from './init.js';
import { Dropout, Flatten } from './layers.js';
import { Linear } from './linear.js';
import { Module, type ModuleConfig } from './module.js';
import { AvgPool2d, MaxPool2d } from './pooling.js';
import { ReLU6 } from './rectifiers.js';
import { plainConv, SkipConnection } from './residual.js';
import { Sequential } from './sequential.js';

export interface LeNet5Options {
  /** Height and width of the images: 28 (default) or 32. */
  readonly imageSize?: 28 | 32;
  /** Channels of the images (default 1). */
  readonly inChannels?: number;
  /** Number of outputs (default 10). */
  readonly classes?: number;
  /** 'relu' (default) with maxima of windows, or 'tanh' with averages as in 1998. */
  readonly activation?: 'relu' | 'tanh';
  /** float32 unless stated. */
  readonly dtype?: FloatDType;
}

/**
 * LeNet-5: two 5 × 5 convolutions with 6 and 16 channels, each followed by 2 × 2 pooling, and three linear layers of 120, 84 and
 * `classes` outputs. 61,706 parameters for one channel and ten classes.
 * @param options `imageSize`, `inChannels`, `classes`, `activation`, `dtype`.
 * @throws OptionError for options outside their range; ShapeError from `forward`.
 * @example new nn.LeNet5().forward(zeros([64, 28, 28, 1])).shape; // [64, 10]
 * @see LeCun et al. (1998), Gradient-based learning applied to document recognition.
 */
export class LeNet5 extends Module {
  readonly options: LeNet5Options;
  readonly features: Sequential;
  readonly classifier: Sequential;

  constructor(options: LeNet5Options = {}) {
    super();
    checkOptions('LeNet5', options, ['imageSize', 'inChannels', 'classes', 'activation', 'dtype']);
    const { imageSize = 28, inChannels = 1, classes = 10, activation = 'relu', dtype = 'float32' } = options;
    if (imageSize !== 28 && imageSize !== 32) {
      throw new OptionError(`LeNet5: imageSize is ${String(imageSize)}, expected 28 or 32`);
    }
    if (activation !== 'relu' && activation !== 'tanh') {
      throw new OptionError(`LeNet5: activation is '${String(activation)}', expected 'relu' or 'tanh'`);
    }
    wholeNumber('LeNet5: classes', classes, 1);
    const act = () => (activation === 'relu' ? new ReLU() : new Tanh());
    const pool = () => (activation === 'relu' ? new MaxPool2d(2) : new AvgPool2d(2));
    const padding = imageSize === 28 ? 2 : 0;
    this.options = options;
    this.features = new Sequential(
      new Conv2d(inChannels, 6, 5, { padding, dtype }),
      act(),
      pool(),
      new Conv2d(6, 16, 5, { dtype }),
      act(),
      pool(),
    );
    const dense = [new Linear(400, 120, { dtype }), act(), new Linear(120, 84, { dtype }), act()];
    this.classifier = new Sequential(new Flatten(), ...dense, new Linear(84, classes, { dtype }));
  }

  /** @param x `[batch, imageSize, imageSize, inChannels]` @returns `[batch, classes]`, logits */
  forward(x: Tensor): Tensor {
    return this.classifier.forward(this.features.forward(x));
  }

  override config(): ModuleConfig {
    return [{ ...this.options }];
  }
}

export interface VGGOptions {
  /** Height and width of the images, at least 2 to the number of stages (default 32). */
  readonly imageSize?: number;
  /** Channels of the images (default 3). */
  readonly inChannels?: number;
  /** Number of outputs (default 10). */
  readonly classes?: number;
  /** Output channels of the convolutions of each stage (default [[32, 32], [64, 64], [128, 128]]). */
  readonly stages?: readonly (readonly number[])[];
  /** Outputs of the hidden linear layer (default 128). */
  readonly hidden?: number;
  /** Probability of dropout before both linear layers (default 0.5). */
  readonly dropout?: number;
  /** Whether every convolution is followed by batch norm (default true). */
  readonly batchNorm?: boolean;
  /** float32 unless stated. */
  readonly dtype?: FloatDType;
}

/**
 * A small VGG: stages of 3 × 3 convolutions with ReLU, each halving the image by 2 × 2 maxima, then two linear layers with dropout.
 * @param options `imageSize`, `inChannels`, `classes`, `stages`, `hidden`, `dropout`, `batchNorm`, `dtype`.
 * @throws OptionError for options outside their range; ShapeError from `forward`.
 * @example new nn.VGG({ imageSize: 28, inChannels: 1 }).forward(zeros([8, 28, 28, 1])).shape; // [8, 10]
 * @see Simonyan and Zisserman (2015), Very deep convolutional networks for large-scale image recognition.
 */
export class VGG extends Module {
  readonly options: VGGOptions;
  readonly features: Sequential;
  readonly classifier: Sequential;

  constructor(options: VGGOptions = {}) {
    super();
    const known = ['imageSize', 'inChannels', 'classes', 'stages', 'hidden', 'dropout', 'batchNorm', 'dtype'];
    checkOptions('VGG', options, known);
    const { imageSize = 32, inChannels = 3, classes = 10, hidden = 128, dropout = 0.5, batchNorm = true } = options;
    const {
      stages = [
        [32, 32],
        [64, 64],
        [128, 128],
      ] as const,
      dtype = 'float32',
    } = options;
    const listed = Array.isArray(stages) && stages.length > 0;
    if (!listed || !stages.every((s) => Array.isArray(s) && s.length > 0)) {
      throw new OptionError('VGG: stages is empty, expected the channels of the convolutions of each stage');
    }
    wholeNumber('VGG: imageSize', imageSize, 2 ** stages.length);
    const layers: Module[] = [];
    let last = inChannels;
    for (const stage of stages) {
      for (const c of stage) {
        const init = kaimingNormal({ mode: 'fanOut' });
        layers.push(new Conv2d(last, c, 3, { padding: 1, bias: !batchNorm, init, dtype }));
        if (batchNorm) layers.push(new BatchNorm2d(c, { dtype }));
        layers.push(new ReLU());
        last = c;
      }
      layers.push(new MaxPool2d(2));
    }
    const side = Math.floor(imageSize / 2 ** stages.length);
    this.options = options;
    this.features = new Sequential(...layers);
    this.classifier = new Sequential(
      new Flatten(),
      new Dropout(dropout),
      new Linear(side * side * last, hidden, { dtype }),
      new ReLU(),
      new Dropout(dropout),
      new Linear(hidden, classes, { dtype }),
    );
  }

  /** @param x `[batch, imageSize, imageSize, inChannels]` @returns `[batch, classes]`, logits */
  forward(x: Tensor): Tensor {
    return this.classifier.forward(this.features.forward(x));
  }

  override config(): ModuleConfig {
    return [{ ...this.options } as ModuleConfig[number]];
  }
}

/** Convolution, batch norm and, unless the block is to be linear there, ReLU6. */
function step(conv: Conv2d, dtype: FloatDType, linear = false): Module[] {
  return [conv, new BatchNorm2d(conv.outChannels, { dtype }), ...(linear ? [] : [new ReLU6()])];
}

export interface MobileBlockOptions {
  /** Stride of the depthwise convolution, >= 1 (default 1). */
  readonly stride?: number;
  /** float32 unless stated. */
  readonly dtype?: FloatDType;
}

/**
 * Depthwise separable convolution: a 3 × 3 filter for every channel, then a 1 × 1 convolution that mixes channels, each with batch
 * norm and ReLU6. About 9 times fewer products than one 3 × 3 convolution.
 * @param inChannels channels of the input, >= 1.
 * @param outChannels channels of the output, >= 1.
 * @param options `stride`, `dtype`.
 * @throws OptionError for options outside their range; ShapeError from `forward`.
 * @example new nn.DepthwiseSeparable(8, 16, { stride: 2 }).forward(zeros([1, 28, 28, 8])).shape; // [1, 14, 14, 16]
 * @see Howard et al. (2017), MobileNets: efficient convolutional neural networks for mobile vision applications.
 */
export class DepthwiseSeparable extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly stride: number;
  readonly dtype: FloatDType;
  readonly conv: Sequential;

  constructor(inChannels: number, outChannels: number, options: MobileBlockOptions = {}) {
    super();
    checkOptions('DepthwiseSeparable', options, ['stride', 'dtype']);
    const { stride = 1, dtype = 'float32' } = options;
    this.inChannels = wholeNumber('DepthwiseSeparable: inChannels', inChannels, 1);
    this.outChannels = wholeNumber('DepthwiseSeparable: outChannels', outChannels, 1);
    this.stride = stride;
    this.dtype = dtype;
    this.conv = new Sequential(
      ...step(plainConv(inChannels, inChannels, 3, { stride, groups: inChannels, dtype }), dtype),
      ...step(plainConv(inChannels, outChannels, 1, { dtype }), dtype),
    );
  }

  forward(x: Tensor): Tensor {
    return this.conv.forward(x);
  }

  override config(): ModuleConfig {
    return [this.inChannels, this.outChannels, { stride: this.stride, dtype: this.dtype }];
  }
}

export interface InvertedResidualOptions extends MobileBlockOptions {
  /** Factor of the channels inside the block, >= 1 (default 6). */
  readonly expand?: number;
}

/**
 * MobileNetV2's block: a 1 × 1 convolution to `expand` times the channels, a depthwise 3 × 3, a linear 1 × 1 back; with stride 1
 * and equal channels the input is added.
 * @param inChannels channels of the input, >= 1.
 * @param outChannels channels of the output, >= 1.
 * @param options `stride`, `expand`, `dtype`.
 * @throws OptionError for options outside their range; ShapeError from `forward`.
 * @example new nn.InvertedResidual(16, 16).forward(zeros([1, 14, 14, 16])).shape; // [1, 14, 14, 16]
 * @see Sandler et al. (2018), MobileNetV2: inverted residuals and linear bottlenecks.
 */
export class InvertedResidual extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly stride: number;
  readonly expand: number;
  readonly dtype: FloatDType;
  readonly block: Sequential | SkipConnection;

  constructor(inChannels: number, outChannels: number, options: InvertedResidualOptions = {}) {
    super();
    checkOptions('InvertedResidual', options, ['stride', 'expand', 'dtype']);
    const { stride = 1, expand = 6, dtype = 'float32' } = options;
    this.inChannels = wholeNumber('InvertedResidual: inChannels', inChannels, 1);
    this.outChannels = wholeNumber('InvertedResidual: outChannels', outChannels, 1);
    this.expand = wholeNumber('InvertedResidual: expand', expand, 1);
    this.stride = stride;
    this.dtype = dtype;
    const hidden = inChannels * expand;
    const body = new Sequential(
      ...(expand === 1 ? [] : step(plainConv(inChannels, hidden, 1, { dtype }), dtype)),
      ...step(plainConv(hidden, hidden, 3, { stride, groups: hidden, dtype }), dtype),
      ...step(plainConv(hidden, outChannels, 1, { dtype }), dtype, true),
    );
    this.block = stride === 1 && inChannels === outChannels ? new SkipConnection(body) : body;
  }

  forward(x: Tensor): Tensor {
    return this.block.forward(x);
  }

  override config(): ModuleConfig {
    const { inChannels, outChannels, stride, expand, dtype } = this;
    return [inChannels, outChannels, { stride, expand, dtype }];
  }
}
