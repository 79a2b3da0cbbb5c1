import { type DType, DTypeError, OptionError, randomState, ShapeError, Tensor, tensor } from '../core.js';
import { checkList, checkOptions, shown, wholeNumber } from '../options.js';
import type { Shape } from '../shape.js';
import { checkSizes } from '../shape.js';
import { type Fill, isMix, type Range, type Step, shapeAfter } from './steps.js';
import { cores, Studio } from './studio.js';

export interface ComposeOptions {
  /** What lies outside a picture: a value (default 0), 'nearest' for the edge's pixel, 'reflect' for the mirrored picture. */
  readonly fill?: Fill;
  /** Values of black and white; default [0, 255] for bytes, [0, 1] for floats. Colour steps and noise stay inside. */
  readonly range?: Range;
  /** Threads that make pictures; 0: none but this one. Default half the processors, up to 8. */
  readonly workers?: number;
}

export interface ApplyOptions {
  /** For pictures that depend on nothing else; without it they are the next of the 'augment' stream of `seed()`. */
  readonly seed?: number;
}

/** The pictures that come in. */
export interface StudioOptions extends ApplyOptions {
  /** `[height, width]` or `[height, width, channels]` of a picture. */
  readonly shape: Shape;
  /** uint8 or float32; what comes out has it, too. */
  readonly dtype: DType;
  /** Threads, >= 0; default as composed. */
  readonly workers?: number;
}

/** Mixed into the seed, so that pictures share no numbers with initial weights and orders of the same seed. */
const TAG = 0x85ebca6b;
const OPTIONS = ['fill', 'range', 'workers'] as const;

/**
 * Random changes to pictures, made anew each time one is used for training. Made by the functions of this room and `compose`;
 * `fit` takes one as its option `augment`.
 *
 * Neighbouring geometric steps are one resampling, so that they blur once. What becomes of a picture depends on the seed, the
 * epoch and its place in it alone: not on the number of threads.
 */
export class Augmentation {
  readonly steps: readonly Step[];
  readonly fill: Fill;
  readonly range: Range | null;
  readonly workers: number;

  /** For the functions of this room; users call those. */
  constructor(steps: readonly Step[], options: ComposeOptions = {}) {
    checkList('compose', 'steps', steps, 'steps');
    checkOptions('compose', options, OPTIONS);
    const { fill = 0, range, workers } = options;
    if (!(fill === 'nearest' || fill === 'reflect' || (typeof fill === 'number' && Number.isFinite(fill)))) {
      throw new OptionError(`compose: fill is ${shown(fill)}, expected a finite number, 'nearest' or 'reflect'`);
    }
    if (range !== undefined && !(Array.isArray(range) && range.length === 2 && range[0] < range[1])) {
      throw new OptionError(`compose: range is ${shown(range)}, expected [black, white] with black < white`);
    }
    this.steps = steps;
    this.fill = fill;
    this.range = range ?? null;
    this.workers = wholeNumber('compose: workers', workers ?? Math.min(8, Math.ceil(cores() / 2)), 0, 256);
  }

  /** Whether labels become shares of classes: mixup or cutmix is among the steps. */
  get mixes(): boolean {
    return this.steps.some(isMix);
  }

  /**
   * Shape of a picture afterwards.
   * @param shape `[height, width]` or `[height, width, channels]`.
   * @throws ShapeError for another rank, or pictures a step cannot take.
   */
  outputShape(shape: Shape): Shape {
    const [height, width, channels] = this.#checked('augment', shape);
    return shapeAfter(this.steps, [height, width, channels]).slice(0, shape.length);
  }

  /**
   * One augmented version of each picture, for your own loops and to look at; `fit` does it by itself.
   * @param x `[n, height, width]` or `[n, height, width, channels]`, uint8 or float32.
   * @param options `seed`.
   * @returns the pictures, of x's dtype.
   * @throws ShapeError, DTypeError for other tensors; OptionError with mixup or cutmix, whose labels would be lost.
   * @example const turned = await augment.rotate(20).apply(images, { seed: 1 });
   */
  async apply(x: Tensor, options: ApplyOptions = {}): Promise<Tensor> {
    checkOptions('apply', options, ['seed']);
    if (!(x instanceof Tensor)) throw new DTypeError('apply: got no tensor; wrap the pictures in tensor(…)');
    if (this.mixes) throw new OptionError('apply: mixup and cutmix change labels, too; use fit with { augment }');
    const shape = x.shape.slice(1);
    this.#checked('apply', shape);
    const studio = this.open({ shape, dtype: x.dtype, workers: 0, ...options });
    const pass = options.seed === undefined ? studio.nextPass() : 0;
    const out = await studio.paint({ source: studio.share(await x.data()), pass, first: 0, batch: x.shape[0] });
    return tensor(out, { shape: [x.shape[0], ...studio.outputShape] });
  }

  /**
   * Threads that make pictures, for training loops that feed themselves; they start with the first order.
   * @param options `shape` and `dtype` of the pictures; `seed`, default that of `seed()`; `workers`.
   * @throws ShapeError, DTypeError for pictures a step cannot take.
   */
  open(options: StudioOptions): Studio {
    checkOptions('open', options, ['shape', 'dtype', 'seed', 'workers']);
    const { shape, dtype, seed } = options;
    const workers = wholeNumber('open: workers', options.workers ?? this.workers, 0, 256);
    const checked = this.#checked('augment', shape);
    if (dtype !== 'uint8' && dtype !== 'float32') {
      throw new DTypeError(`augment: pictures are ${dtype}, expected uint8 or float32; cast them first`);
    }
    const [low, high] =
      seed === undefined
        ? randomState().seed
        : [wholeNumber('augment: seed', seed, 0) >>> 0, Math.floor(seed / 2 ** 32)];
    const key = [low, (high ^ TAG) >>> 0] as const;
    const range = this.range ?? (dtype === 'uint8' ? ([0, 255] as const) : ([0, 1] as const));
    const plan = { steps: this.steps, shape: checked, dtype, fill: this.fill, range, key };
    return new Studio(plan, this.outputShape(shape), workers);
  }

  /** The steps, as console.log shows them. */
  toString(): string {
    return `Augmentation(${this.steps.map((s) => s.kind).join(', ')})`;
  }

  /** The shape with channels. */
  #checked(where: string, shape: Shape): [number, number, number] {
    checkSizes(where, shape);
    const [height, width, channels = 1] = shape;
    if (shape.length < 2 || shape.length > 3 || shape.includes(0)) {
      const hint =
        shape.length === 1 ? '; flat pictures have lost their form: read them with mnist({ image: true })' : '';
      throw new ShapeError(
        `${where}: a picture is [${shape}], expected [height, width] or [height, width, channels]${hint}`,
      );
    }
    let size: readonly [number, number] = [height, width];
    for (const step of this.steps) {
      if (step.kind === 'saturation' && channels !== 3) {
        throw new ShapeError(`${where}: saturation is of pictures with 3 channels, got [${shape}]; leave it out`);
      }
      if (step.kind === 'crop' && step.size !== null) {
        const [h, w] = [size[0] + 2 * step.padding, size[1] + 2 * step.padding];
        if (step.size[0] > h || step.size[1] > w) {
          throw new ShapeError(
            `${where}: crop of [${step.size}] from pictures of [${size}], [${h},${w}] with the padding`,
          );
        }
      }
      if (step.kind === 'crop' || step.kind === 'resizedCrop') size = step.size ?? size;
    }
    return [height, width, channels];
  }
}
