import { didYouMean, OptionError } from './errors.js';

/** Sizes of windows that slide over the axes of an image: arithmetic that convolution and the layers made of it share. */

/** One whole number for every axis, or one per axis from the front. */
export type PerAxis = number | readonly number[];

/**
 * Rows and columns of zeros put around: a number for every side, one (or `[low, high]`) per axis, or by name: 'valid' none,
 * 'same' so much that the output has ceil(input / stride) positions (an odd one goes to the end), 'full' all positions that
 * meet the input at all.
 */
export type Padding = number | 'valid' | 'same' | 'full' | readonly (number | readonly [low: number, high: number])[];

export type Pair = readonly [low: number, high: number];
/** What stands in the padding: zeros, or values of the input. */
export type PaddingMode = 'zeros' | 'reflect' | 'replicate' | 'circular';
/** Padding as pairs, or the rule that finds them when the sizes are known. */
export type PaddingRule = 'same' | 'full' | readonly Pair[];

const MODES: readonly string[] = ['zeros', 'reflect', 'replicate', 'circular'] satisfies PaddingMode[];
const NAMES = ['valid', 'same', 'full'];
const isWhole = (n: unknown, least: number): n is number =>
  typeof n === 'number' && Number.isSafeInteger(n) && n >= least;

/** `value` as one number per axis. `where` names the option. @throws OptionError unless they are whole numbers >= `least`. */
export function perAxis(where: string, value: unknown, axes: number, least: number): number[] {
  const list: unknown[] = Array.isArray(value) ? value : new Array(axes).fill(value);
  if (list.length === axes && list.every((n) => isWhole(n, least))) return [...list] as number[];
  const several = axes === 1 ? '' : ` or ${axes} of them`;
  throw new OptionError(`${where} is ${JSON.stringify(value)}, expected a whole number >= ${least}${several}`);
}

/** Padding with its numbers checked. @throws OptionError for negative or fractional ones, other names, other counts of axes. */
export function paddingRule(where: string, padding: unknown, axes: number): PaddingRule {
  if (padding === 'same' || padding === 'full') return padding;
  if (typeof padding === 'string' && padding !== 'valid') {
    const known = NAMES.map((n) => `'${n}'`).join(', ');
    throw new OptionError(`${where} is '${padding}', expected ${known} or numbers.${didYouMean(padding, NAMES)}`);
  }
  const list: unknown[] = Array.isArray(padding) ? padding : new Array(axes).fill(padding === 'valid' ? 0 : padding);
  const pairs = list.map((p) => (Array.isArray(p) ? (p as unknown[]) : [p, p]));
  if (pairs.length === axes && pairs.every((p) => p.length === 2 && p.every((n) => isWhole(n, 0)))) {
    return pairs as unknown as Pair[];
  }
  throw new OptionError(
    `${where} is ${JSON.stringify(padding)}, expected a whole number >= 0, 'valid', 'same', 'full' or ${axes} numbers or pairs [low, high]`,
  );
}

/** Positions from the first to the last tap of a window. */
export function spanOf(kernel: number, dilation: number): number {
  return dilation * (kernel - 1) + 1;
}

/** What the rule puts on each side of an axis of `input` positions. */
export function paddingOf(
  rule: PaddingRule,
  axis: number,
  input: number,
  { kernel, stride, dilation }: { readonly kernel: number; readonly stride: number; readonly dilation: number },
): Pair {
  const span = spanOf(kernel, dilation);
  if (rule === 'full') return [span - 1, span - 1];
  if (rule !== 'same') return rule[axis];
  const total = Math.max(0, (Math.ceil(input / stride) - 1) * stride + span - input);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

/** @throws OptionError for a mode that nobody knows. */
export function checkPaddingMode(where: string, mode: string): void {
  if (MODES.includes(mode)) return;
  const known = MODES.join(', ');
  throw new OptionError(
    `${where}: paddingMode is '${String(mode)}', expected ${known}.${didYouMean(String(mode), MODES)}`,
  );
}

/** @throws OptionError for an outputPadding that no convolution with this stride and dilation leaves open. */
export function checkOutputPadding(
  where: string,
  extra: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
  same: boolean,
): void {
  extra.forEach((n, a) => {
    const below = Math.max(stride[a], dilation[a]);
    if (n >= below) {
      throw new OptionError(
        `${where}: outputPadding is ${n} with stride ${stride[a]} and dilation ${dilation[a]}, expected less than ${below}`,
      );
    }
    if (n > 0 && same) {
      throw new OptionError(
        `${where}: outputPadding is ${n} with padding 'same', whose output has input × stride positions`,
      );
    }
  });
}
