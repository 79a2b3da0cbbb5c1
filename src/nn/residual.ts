import { add, type FloatDType, OptionError, pad, relu, slice, type Tensor } from '../core.js';
import { checkOptions, shown, wholeNumber } from '../options.js';
import { GlobalAvgPool2d } from './adaptive-pooling.js';
import { BatchNorm2d } from './batch-norm.js';
import { Conv2d } from './conv.js';
import { DropPath } from './dropouts.js';
import { kaimingNormal } from './init.js';
import { Linear } from './linear.js';
import { type AnyModule, Module, type ModuleConfig } from './module.js';
import { Sequential } from './sequential.js';

/** How a block whose shape changes passes its input on: strided with zeros for new channels, or by a 1 × 1 convolution. */
export type Shortcut = 'identity' | 'projection';

/** Convolution without bias as networks with batch norm have it, He-initialised by its outputs (torchvision's way). */
export function plainConv(
  inChannels: number,
  outChannels: number,
  kernelSize: number,
  { stride = 1, groups = 1, dtype = 'float32' as FloatDType } = {},
): Conv2d {
  const padding = (kernelSize - 1) / 2;
  const init = kaimingNormal({ mode: 'fanOut' });
  return new Conv2d(inChannels, outChannels, kernelSize, { stride, padding, groups, bias: false, init, dtype });
}

function checkShortcut(name: string, shortcut: Shortcut): void {
  if (shortcut === 'identity' || shortcut === 'projection') return;
  throw new OptionError(`${name}: shortcut is '${String(shortcut)}', expected 'identity' or 'projection'`);
}

/**
 * Adds what layers compute to their input: y = x + f(x), or shortcut(x) + f(x). Gradients reach every layer of a deep network
 * through the sum.
 * @param body f, whose result has the shape of x (or of the shortcut's result).
 * @param shortcut what the input goes through, or null (default) for nothing.
 * @throws OptionError when something that is not a module is given; ShapeError from `forward` when the shapes differ.
 * @example new nn.SkipConnection(new nn.Sequential(new nn.Linear(8, 8), new nn.ReLU())).forward(zeros([2, 8])).shape; // [2, 8]
 * @see He et al. (2016), Deep residual learning for image recognition.
 */
export class SkipConnection extends Module {
  readonly body: Module;
  readonly shortcut: Module | null;

  constructor(body: Module, shortcut: Module | null = null) {
    super();
    for (const [what, given] of Object.entries({ body, shortcut })) {
      if (!(given instanceof Module) && !(given === null && what === 'shortcut')) {
        throw new OptionError(`SkipConnection: ${what} is ${String(given)}, expected a Module`);
      }
    }
    this.body = body;
    this.shortcut = shortcut;
  }

  forward(x: Tensor): Tensor {
    return add(this.shortcut === null ? x : this.shortcut.forward(x), this.body.forward(x));
  }

  override config(): ModuleConfig {
    return [this.body as AnyModule, this.shortcut as AnyModule | null];
  }
}

export interface BasicBlockOptions {
  /** Stride of the first convolution and the shortcut, >= 1 (default 1). */
  readonly stride?: number;
  /** Where the shape changes: 'projection' (default), or 'identity' without parameters. */
  readonly shortcut?: Shortcut;
  /** Probability of skipping the block for a sample in training, see {@link DropPath} (default 0). */
  readonly dropPath?: number;
  /** float32 unless stated. */
  readonly dtype?: FloatDType;
}

/**
 * Residual block of two 3 × 3 convolutions: y = relu(shortcut(x) + bn(conv(relu(bn(conv(x)))))).
 *
 * Parameters are called as torchvision's: conv1, bn1, conv2, bn2, and downsample of a projection.
 *
 * @param inChannels channels of the input, >= 1.
 * @param outChannels channels of the output, >= 1; with an 'identity' shortcut not below inChannels.
 * @param options `stride`, `shortcut`, `dropPath`, `dtype`.
 * @throws OptionError for options outside their range; ShapeError from `forward`.
 * @example new nn.BasicBlock(16, 32, { stride: 2 }).forward(zeros([4, 28, 28, 16])).shape; // [4, 14, 14, 32]
 * @see He et al. (2016), Deep residual learning for image recognition, §3.3 (shortcuts A and B) and §4.2.
 */
export class BasicBlock extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly stride: number;
  readonly shortcut: Shortcut;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Sequential | null;
  readonly dropPath: DropPath | null;

  constructor(inChannels: number, outChannels: number, options: BasicBlockOptions = {}) {
    super();
    checkOptions('BasicBlock', options, ['stride', 'shortcut', 'dropPath', 'dtype']);
    const { stride = 1, shortcut = 'projection', dropPath = 0, dtype = 'float32' } = options;
    checkShortcut('BasicBlock', shortcut);
    this.inChannels = wholeNumber('BasicBlock: inChannels', inChannels, 1);
    this.outChannels = wholeNumber('BasicBlock: outChannels', outChannels, shortcut === 'identity' ? inChannels : 1);
    this.stride = wholeNumber('BasicBlock: stride', stride, 1);
    this.shortcut = shortcut;
    this.conv1 = plainConv(inChannels, outChannels, 3, { stride, dtype });
    this.bn1 = new BatchNorm2d(outChannels, { dtype });
    this.conv2 = plainConv(outChannels, outChannels, 3, { dtype });
    this.bn2 = new BatchNorm2d(outChannels, { dtype });
    const projects = shortcut === 'projection' && (stride !== 1 || inChannels !== outChannels);
    const conv = projects ? plainConv(inChannels, outChannels, 1, { stride, dtype }) : null;
    this.downsample = conv === null ? null : new Sequential(conv, new BatchNorm2d(outChannels, { dtype }));
    this.dropPath = dropPath === 0 ? null : new DropPath(dropPath);
  }

  /** @param x `[batch, height, width, inChannels]` @returns `[batch, ⌈height/stride⌉, ⌈width/stride⌉, outChannels]` */
  forward(x: Tensor): Tensor {
    const h = relu(this.bn1.forward(this.conv1.forward(x)));
    const y = this.bn2.forward(this.conv2.forward(h));
    return relu(add(this.dropPath === null ? y : this.dropPath.forward(y), this.#passed(x)));
  }

  #passed(x: Tensor): Tensor {
    const { stride, inChannels, outChannels, downsample } = this;
    if (downsample !== null) return downsample.forward(x);
    const fewer = stride === 1 ? x : slice(x, [{}, { step: stride }, { step: stride }]);
    const before = (outChannels - inChannels) >> 1;
    if (outChannels === inChannels) return fewer;
    return pad(fewer, [
      [0, 0],
      [0, 0],
      [0, 0],
      [before, outChannels - inChannels - before],
    ]);
  }

  override config(): ModuleConfig {
    const { inChannels, outChannels, stride, shortcut, dropPath } = this;
    const { dtype } = this.conv1.weight;
    return [inChannels, outChannels, { stride, shortcut, dropPath: dropPath?.p ?? 0, dtype }];
  }

  override toString(): string {
    return `BasicBlock(${this.inChannels}→${this.outChannels}${this.stride === 1 ? '' : `, stride ${this.stride}`})`;
  }
}

export interface ResNetOptions {
  /** Layers with weights, 6 n + 2: 8, 14, 20 (default), 32, 44, 56, 110. */
  readonly depth?: number;
  /** Channels of the images (default 3). */
  readonly inChannels?: number;
  /** Number of outputs (default 10). */
  readonly classes?: number;
  /** Factor of the channels 16, 32 and 64 (default 1). */
  readonly width?: number;
  /** Where the shape changes: 'identity' (default; the paper's A) or 'projection' (B). */
  readonly shortcut?: Shortcut;
  /** Probability of skipping the last block in training, falling linearly to 0 at the first (default 0). */
  readonly dropPath?: number;
  /** float32 unless stated. */
  readonly dtype?: FloatDType;
}

/**
 * Residual network for small images `[batch, height, width, inChannels]`, such as 28 × 28 or 32 × 32: a 3 × 3 convolution, three
 * stages of (depth − 2) / 6 blocks with 16, 32 and 64 channels at full, half and quarter size, an average, a linear layer.
 *
 * ResNet-20 has 269,722 parameters for 3 channels and 10 classes (272,474 with projections), ResNet-32 464,154, ResNet-56
 * 853,018. Convolutions start as kaimingNormal by their outputs, batch norm as ones and zeros. Names are torchvision's: conv1,
 * bn1, layer1 … layer3, fc.
 *
 * @param options `depth`, `inChannels`, `classes`, `width`, `shortcut`, `dropPath`, `dtype`.
 * @throws OptionError for a depth that is not 6 n + 2 and options outside their range; ShapeError from `forward`.
 * @example
 * const model = new nn.ResNet({ depth: 20, inChannels: 1 });
 * model.forward(zeros([8, 28, 28, 1])).shape; // [8, 10]
 * @see He et al. (2016), Deep residual learning for image recognition, §4.2.
 */
export class ResNet extends Module {
  readonly options: ResNetOptions;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly pool = new GlobalAvgPool2d();
  readonly fc: Linear;

  constructor(options: ResNetOptions = {}) {
    super();
    checkOptions('ResNet', options, ['depth', 'inChannels', 'classes', 'width', 'shortcut', 'dropPath', 'dtype']);
    const { depth = 20, inChannels = 3, classes = 10, width = 1, shortcut = 'identity', dropPath = 0 } = options;
    const { dtype = 'float32' } = options;
    if (!Number.isInteger(depth) || depth < 8 || depth % 6 !== 2) {
      throw new OptionError(`ResNet: depth is ${String(depth)}, expected 6 n + 2: 8, 14, 20, 32, 44, 56, 110 …`);
    }
    checkShortcut('ResNet', shortcut);
    const channels = [16, 32, 64].map((c) => c * width);
    if (!(typeof width === 'number' && width > 0) || !channels.every(Number.isInteger)) {
      throw new OptionError(`ResNet: width is ${shown(width)}, expected a factor > 0 of 16 channels`);
    }
    wholeNumber('ResNet: inChannels', inChannels, 1);
    wholeNumber('ResNet: classes', classes, 1);
    if (!(typeof dropPath === 'number' && dropPath >= 0 && dropPath < 1)) {
      throw new OptionError(`ResNet: dropPath is ${shown(dropPath)}, expected a probability in [0, 1)`);
    }
    this.options = options;
    const blocks = (depth - 2) / 6;
    this.conv1 = plainConv(inChannels, channels[0], 3, { dtype });
    this.bn1 = new BatchNorm2d(channels[0], { dtype });
    let last = channels[0];
    const stage = (s: number) => {
      const list = Array.from({ length: blocks }, (_, b) => {
        const skip = (dropPath * (s * blocks + b)) / Math.max(1, 3 * blocks - 1);
        const own = { stride: s > 0 && b === 0 ? 2 : 1, shortcut, dropPath: skip, dtype };
        const block = new BasicBlock(last, channels[s], own);
        last = channels[s];
        return block;
      });
      return new Sequential(...list);
    };
    this.layer1 = stage(0);
    this.layer2 = stage(1);
    this.layer3 = stage(2);
    this.fc = new Linear(channels[2], classes, { dtype });
  }

  /** @param x `[batch, height, width, inChannels]` @returns `[batch, classes]`, logits */
  forward(x: Tensor): Tensor {
    let h = relu(this.bn1.forward(this.conv1.forward(x)));
    for (const stage of [this.layer1, this.layer2, this.layer3]) h = stage.forward(h);
    return this.fc.forward(this.pool.forward(h));
  }

  override config(): ModuleConfig {
    return [{ ...this.options }];
  }

  override toString(): string {
    const { depth = 20, width = 1 } = this.options;
    return `ResNet(depth ${depth}${width === 1 ? '' : `, width ${width}`})`;
  }
}
