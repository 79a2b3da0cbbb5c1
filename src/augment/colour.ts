import { OptionError } from '../core.js';
import { wholeNumber } from '../options.js';
import { Augmentation } from './augmentation.js';
import { type Amount, amountOf, type ChanceOptions, chanceOf, rangeOf } from './check.js';
import { openRange } from './geometric.js';
import type { Range } from './steps.js';

/**
 * Brightens or darkens: v ← black + f·(v − black).
 * @param amount 0.2: factors from 0.8 to 1.2; or a range [low, high], >= 0.
 * @param options `probability`, default 1.
 * @throws OptionError for a negative factor.
 * @example augment.brightness(0.2);
 * @see torchvision, ColorJitter.
 */
export function brightness(amount: Amount, options: ChanceOptions = {}): Augmentation {
  return jitter('brightness', amount, options);
}

/**
 * Draws values apart or together about the mean grey of the picture: v ← mean + f·(v − mean).
 * @param amount 0.2: factors from 0.8 to 1.2; or a range [low, high], >= 0.
 * @param options `probability`, default 1.
 * @throws OptionError for a negative factor.
 * @example augment.contrast([0.5, 1.5]);
 * @see torchvision, ColorJitter.
 */
export function contrast(amount: Amount, options: ChanceOptions = {}): Augmentation {
  return jitter('contrast', amount, options);
}

/**
 * Makes colours stronger or paler: each pixel v ← grey + f·(v − grey), grey = 0.2989 R + 0.587 G + 0.114 B.
 * @param amount 0.2: factors from 0.8 to 1.2; or a range [low, high], >= 0; 0 is grey.
 * @param options `probability`, default 1.
 * @throws OptionError for a negative factor; ShapeError, with pictures, unless they have three channels.
 * @example augment.saturation(0.3);
 * @see torchvision, ColorJitter.
 */
export function saturation(amount: Amount, options: ChanceOptions = {}): Augmentation {
  return jitter('saturation', amount, options);
}

function jitter(kind: 'brightness' | 'contrast' | 'saturation', amount: Amount, options: ChanceOptions): Augmentation {
  const probability = chanceOf(kind, options);
  return new Augmentation([{ kind, probability, factor: rangeOf(`${kind}: amount`, amount, 1, 0) }]);
}

/**
 * Adds Gaussian noise to each value.
 * @param std standard deviation as a share of the distance from black to white, >= 0.
 * @param options `probability`, default 1.
 * @throws OptionError for a negative one.
 * @example augment.noise(0.05);
 */
export function noise(std: number, options: ChanceOptions = {}): Augmentation {
  const probability = chanceOf('noise', options);
  return new Augmentation([{ kind: 'noise', probability, std: amountOf('noise: std', std, false) }]);
}

export interface EraseOptions extends ChanceOptions {
  /** Share of the picture's area, in (0, 1]; default [0.02, 0.33]. */
  readonly area?: Range;
  /** Width by height; default [0.3, 3.3]. */
  readonly ratio?: Range;
  /** What stands there then: a value (default 0), or 'random' for uniform noise between black and white. */
  readonly value?: number | 'random';
}

/**
 * Random erasing: blanks a box of random size, form and place; nothing when ten boxes do not fit.
 * @param options `probability` (default 0.5), `area`, `ratio`, `value`.
 * @throws OptionError for ranges that are none.
 * @example augment.erase({ area: [0.02, 0.2], value: 'random' });
 * @see Zhong et al. (2020), Random erasing data augmentation; torchvision, RandomErasing.
 */
export function erase(options: EraseOptions = {}): Augmentation {
  const probability = chanceOf('erase', options, ['area', 'ratio', 'value'], 0.5);
  const area = openRange('erase: area', options.area ?? [0.02, 0.33], 1);
  const ratio = openRange('erase: ratio', options.ratio ?? [0.3, 3.3], Infinity);
  const { value = 0 } = options;
  if (value !== 'random') finite('erase', value);
  return new Augmentation([{ kind: 'erase', probability, area, ratio, value }]);
}

export interface CutoutOptions extends ChanceOptions {
  /** What stands there then; default 0. */
  readonly value?: number;
}

/**
 * Cutout: blanks a square whose centre is anywhere; what of it lies outside is cut off.
 * @param size pixels of a side, >= 1.
 * @param options `value` (default 0), `probability` (default 1).
 * @throws OptionError for others.
 * @example augment.cutout(8);
 * @see DeVries and Taylor (2017), Improved regularization of convolutional neural networks with cutout.
 */
export function cutout(size: number, options: CutoutOptions = {}): Augmentation {
  const probability = chanceOf('cutout', options, ['value']);
  const { value = 0 } = options;
  finite('cutout', value);
  return new Augmentation([{ kind: 'cutout', probability, size: wholeNumber('cutout: size', size, 1, 65_536), value }]);
}

function finite(where: string, value: unknown): void {
  if (typeof value === 'number' && Number.isFinite(value)) return;
  throw new OptionError(`${where}: value is ${String(value)}, expected a finite number`);
}
