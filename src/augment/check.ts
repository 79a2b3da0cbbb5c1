import { OptionError } from '../core.js';
import { checkOptions, shown } from '../options.js';
import type { Range, Size } from './steps.js';

/** How often a step is done. */
export interface ChanceOptions {
  /** Probability that a picture gets this step, in [0, 1]; default 1. */
  readonly probability?: number;
}

/** A range [low, high], or one number: how far a value strays from `middle`. */
export type Amount = number | Range;

/** `amount` as a range within [least, most]. @throws OptionError naming the step. */
export function rangeOf(where: string, amount: Amount, middle: number, least = -Infinity, most = Infinity): Range {
  const single = typeof amount === 'number';
  const [low, high] = single ? [Math.max(least, middle - amount), middle + amount] : amountPair(where, amount);
  if (Number.isFinite(low) && Number.isFinite(high) && low <= high && low >= least && high <= most) return [low, high];
  const bounds = most === Infinity ? (least === -Infinity ? '' : ` >= ${least}`) : ` in [${least}, ${most}]`;
  const got = shown(amount);
  throw new OptionError(`${where} is ${got}, expected a number >= 0 or a range [low, high]${bounds}`);
}

function amountPair(where: string, amount: unknown): Range {
  if (Array.isArray(amount) && amount.length === 2) return amount as unknown as Range;
  throw new OptionError(`${where} is ${shown(amount)}, expected a number >= 0 or a range [low, high]`);
}

/** Options of a step, checked; the probability in [0, 1]. */
export function chanceOf(where: string, options: ChanceOptions, known: readonly string[] = [], fallback = 1): number {
  checkOptions(where, options, ['probability', ...known]);
  return shareOf(`${where}: probability`, options.probability ?? fallback);
}

/** A number in [0, 1]. */
export function shareOf(where: string, value: number): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value;
  throw new OptionError(`${where} is ${shown(value)}, expected a number in [0, 1]`);
}

/** A finite number above 0, or not below it. */
export function amountOf(where: string, value: number, positive: boolean): number {
  if (typeof value === 'number' && Number.isFinite(value) && (positive ? value > 0 : value >= 0)) return value;
  throw new OptionError(`${where} is ${shown(value)}, expected a finite number ${positive ? '>' : '>='} 0`);
}

/** `[height, width]` of whole numbers >= 1, or one number for both. */
export function sizeOfCrop(where: string, size: number | Size): Size {
  const pair = typeof size === 'number' ? [size, size] : size;
  if (Array.isArray(pair) && pair.length === 2 && pair.every((d) => Number.isInteger(d) && d >= 1 && d <= 65_536)) {
    return [pair[0], pair[1]];
  }
  throw new OptionError(`${where} is ${shown(size)}, expected a whole number >= 1 or [height, width]`);
}
