import { OptionError } from '../core.js';
import { checkOptions, shown, wholeNumber } from '../options.js';
import { Augmentation } from './augmentation.js';
import { type Amount, amountOf, type ChanceOptions, chanceOf, rangeOf, shareOf, sizeOfCrop } from './check.js';
import type { Range, Size } from './steps.js';

/**
 * Turns pictures about their centre.
 * @param degrees counter-clockwise: up to so many either way, or a range [low, high].
 * @param options `probability`, default 1.
 * @throws OptionError for a range that is none.
 * @example augment.rotate(15);
 * @see torchvision, RandomRotation.
 */
export function rotate(degrees: Amount, options: ChanceOptions = {}): Augmentation {
  const probability = chanceOf('rotate', options);
  return new Augmentation([{ kind: 'rotate', probability, degrees: rangeOf('rotate: degrees', degrees, 0) }]);
}

/** A share of the picture's size by axis. */
export interface ShiftAmounts {
  readonly x?: Amount;
  readonly y?: Amount;
}

/**
 * Moves pictures; positive is right and down.
 * @param amount share of the width and height, in [0, 1]: up to so much either way, a range [low, high], or `{ x, y }` apart
 *   (default 0 each).
 * @param options `probability`, default 1.
 * @throws OptionError for more than the whole picture.
 * @example augment.shift(2 / 28); // two pixels of 28
 * @example augment.shift({ x: 0.1 });
 * @see torchvision, RandomAffine with translate; Keras, RandomTranslation.
 */
export function shift(amount: Amount | ShiftAmounts, options: ChanceOptions = {}): Augmentation {
  const probability = chanceOf('shift', options);
  const apart = typeof amount === 'object' && amount !== null && !Array.isArray(amount);
  if (apart) checkOptions('shift', amount, ['x', 'y']);
  const { x = 0, y = 0 } = apart ? (amount as ShiftAmounts) : { x: amount as Amount, y: amount as Amount };
  const checked = (axis: string, a: Amount): Range => {
    if (typeof a === 'number' && a > 1) {
      throw new OptionError(
        `shift: ${axis} is ${a}, expected a share of the size in [0, 1]; 2 pixels of 28 are 2 / 28`,
      );
    }
    return rangeOf(`shift: ${axis}`, a, 0, -1, 1);
  };
  return new Augmentation([{ kind: 'shift', probability, x: checked('x', x), y: checked('y', y) }]);
}

export interface ZoomOptions extends ChanceOptions {
  /** Factor of the height when it is drawn apart; without, both axes have the same. */
  readonly y?: Amount;
}

/**
 * Makes what is on pictures larger or smaller about the centre; their size stays.
 * @param factor 0.1: from 0.9 to 1.1; or a range [low, high], above 0. Above 1 is larger.
 * @param options `y` for a factor of its own, `probability`.
 * @throws OptionError for a factor that can be 0.
 * @example augment.zoom([0.8, 1.2]);
 * @see torchvision, RandomAffine with scale.
 */
export function zoom(factor: Amount, options: ZoomOptions = {}): Augmentation {
  const probability = chanceOf('zoom', options, ['y']);
  const x = factors('zoom: factor', factor);
  const y = options.y === undefined ? null : factors('zoom: y', options.y);
  return new Augmentation([{ kind: 'zoom', probability, x, y }]);
}

function factors(where: string, amount: Amount): Range {
  const range = rangeOf(where, amount, 1, 0);
  if (range[0] > 0) return range;
  throw new OptionError(`${where} is ${shown(amount)}, expected factors above 0; a number is less than 1`);
}

export interface ShearOptions extends ChanceOptions {
  /** Degrees of the other shear, of columns against each other; default 0. */
  readonly y?: Amount;
}

/**
 * Slants pictures: rows against each other, about the centre.
 * @param degrees up to so many either way, or a range [low, high]; below 90.
 * @param options `y` to slant columns too, `probability`.
 * @throws OptionError for 90 degrees and more.
 * @example augment.shear(10);
 * @see torchvision, RandomAffine with shear.
 */
export function shear(degrees: Amount, options: ShearOptions = {}): Augmentation {
  const probability = chanceOf('shear', options, ['y']);
  const angles = (where: string, amount: Amount): Range => {
    const range = rangeOf(where, amount, 0);
    if (range[0] > -90 && range[1] < 90) return range;
    throw new OptionError(`${where} is ${shown(amount)}, expected less than 90 degrees either way`);
  };
  const [x, y] = [angles('shear: degrees', degrees), angles('shear: y', options.y ?? 0)];
  return new Augmentation([{ kind: 'shear', probability, x, y }]);
}

export interface FlipOptions {
  /** Probability that left and right are exchanged; default 0.5. */
  readonly horizontal?: number;
  /** Probability that top and bottom are exchanged; default 0. */
  readonly vertical?: number;
}

/**
 * Mirrors pictures.
 * @param options probabilities in [0, 1]: `horizontal` (0.5), `vertical` (0).
 * @throws OptionError for others.
 * @example augment.flip();
 * @see torchvision, RandomHorizontalFlip and RandomVerticalFlip.
 */
export function flip(options: FlipOptions = {}): Augmentation {
  checkOptions('flip', options, ['horizontal', 'vertical']);
  const horizontal = shareOf('flip: horizontal', options.horizontal ?? 0.5);
  const vertical = shareOf('flip: vertical', options.vertical ?? 0);
  return new Augmentation([{ kind: 'flip', horizontal, vertical }]);
}

export interface CropOptions {
  /** Pixels of the outside that are added on each side before; default 0. */
  readonly padding?: number;
}

/**
 * Cuts out a part at a random place.
 * @param size of the part, `[height, width]` or one number; null: that of the picture, which with `padding` moves it by whole
 *   pixels.
 * @param options `padding`, default 0.
 * @throws OptionError for sizes that are no whole numbers; ShapeError, with pictures, for a part larger than them.
 * @example augment.crop(32, { padding: 4 }); // as for CIFAR-10
 * @see torchvision, RandomCrop.
 */
export function crop(size: number | Size | null, options: CropOptions = {}): Augmentation {
  checkOptions('crop', options, ['padding']);
  const padding = wholeNumber('crop: padding', options.padding ?? 0, 0, 65_536);
  return new Augmentation([{ kind: 'crop', size: size === null ? null : sizeOfCrop('crop: size', size), padding }]);
}

export interface ResizedCropOptions {
  /** Share of the picture's area, in (0, 1]; default [0.08, 1]. */
  readonly area?: Range;
  /** Width by height; default [3/4, 4/3]. */
  readonly ratio?: Range;
}

/**
 * Cuts out a part of random size and form and brings it to one size, bilinearly.
 * @param size `[height, width]` afterwards, or one number.
 * @param options `area` (default [0.08, 1]), `ratio` of width to height (default [3/4, 4/3]).
 * @throws OptionError for ranges that are none.
 * @example augment.resizedCrop(224, { area: [0.3, 1] });
 * @see torchvision, RandomResizedCrop, without antialiasing.
 */
export function resizedCrop(size: number | Size, options: ResizedCropOptions = {}): Augmentation {
  checkOptions('resizedCrop', options, ['area', 'ratio']);
  const area = openRange('resizedCrop: area', options.area ?? [0.08, 1], 1);
  const ratio = openRange('resizedCrop: ratio', options.ratio ?? [3 / 4, 4 / 3], Infinity);
  return new Augmentation([{ kind: 'resizedCrop', size: sizeOfCrop('resizedCrop: size', size), area, ratio }]);
}

/** A range within (0, most]. */
export function openRange(where: string, given: Range, most: number): Range {
  const right = Array.isArray(given) && given.length === 2 && given.every(Number.isFinite);
  if (right && given[0] > 0 && given[0] <= given[1] && given[1] <= most) return [given[0], given[1]];
  const bounds = most === Infinity ? 'above 0' : `in (0, ${most}]`;
  throw new OptionError(`${where} is ${shown(given)}, expected [low, high] ${bounds}`);
}

export interface ElasticOptions extends ChanceOptions {
  /** Strength: the noise, in [-1, 1] before it is smoothed, is multiplied with it to give pixels; default 34. */
  readonly alpha?: number;
  /** Pixels of the Gaussian's standard deviation: larger is smoother; default 4. */
  readonly sigma?: number;
}

/**
 * Bends pictures as handwriting varies: each pixel comes from a place moved by smooth random noise.
 *
 * u(x, y) = α·(G_σ ∗ noise)(x, y) pixels, apart for each axis; about α / (6.1 σ) pixels in the mean square.
 * @param options `alpha` (default 34), `sigma` (default 4): right for 28 × 28; `probability`.
 * @throws OptionError for numbers out of range.
 * @example augment.elastic({ alpha: 34, sigma: 4 });
 * @see Simard, Steinkraus, Platt (2003), Best practices for convolutional neural networks applied to visual document analysis.
 */
export function elastic(options: ElasticOptions = {}): Augmentation {
  const probability = chanceOf('elastic', options, ['alpha', 'sigma']);
  const alpha = amountOf('elastic: alpha', options.alpha ?? 34, false);
  const sigma = amountOf('elastic: sigma', options.sigma ?? 4, true);
  if (sigma > 100) throw new OptionError(`elastic: sigma is ${sigma}, expected at most 100 pixels`);
  return new Augmentation([{ kind: 'elastic', probability, alpha, sigma }]);
}
