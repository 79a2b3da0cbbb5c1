import { OptionError } from '../errors.js';
import { shown } from '../options.js';

/** Size of a picture. */
export interface PlotSize {
  /** Width in pixels, in [160, 8192]; default 480. */
  readonly width?: number;
  /** Height in pixels, in [120, 8192]; default 320. */
  readonly height?: number;
}

/** What every chart takes. */
export interface PlotOptions extends PlotSize {
  readonly title?: string;
  readonly xLabel?: string;
  readonly yLabel?: string;
}

/** 'log' has equal steps for equal factors; values that are not above 0 leave a gap. */
export type ScaleName = 'linear' | 'log';

/** What charts with two numeric axes take. */
export interface AxesOptions extends PlotOptions {
  /** Default 'linear'. */
  readonly xScale?: ScaleName;
  /** Default 'linear'. */
  readonly yScale?: ScaleName;
  /** Ends of the x axis; default those of the data. */
  readonly xRange?: readonly [number, number];
  /** Ends of the y axis; default round numbers around the data. */
  readonly yRange?: readonly [number, number];
}

export const PLOT_OPTIONS = ['width', 'height', 'title', 'xLabel', 'yLabel'] as const;
export const AXES_OPTIONS = [...PLOT_OPTIONS, 'xScale', 'yScale', 'xRange', 'yRange'] as const;

/** Larger pictures are a mistake more often than a wish, and cost gigabytes as PNG. */
const MAX_PIXELS = 8192;

export function sizeOf(where: string, size: PlotSize, width = 480, height = 320): { width: number; height: number } {
  const got = { width: size.width ?? width, height: size.height ?? height };
  for (const [what, n] of Object.entries(got)) {
    if (typeof n !== 'number') throw new OptionError(`${where}: ${what} is ${shown(n)}, expected a number of pixels`);
  }
  if (!(got.width >= 160 && got.width <= MAX_PIXELS) || !(got.height >= 120 && got.height <= MAX_PIXELS)) {
    throw new OptionError(
      `${where}: got ${got.width} x ${got.height} pixels, expected at least 160 x 120 and at most ${MAX_PIXELS} each`,
    );
  }
  return got;
}

export function isLog(where: string, option: string, scale: ScaleName = 'linear'): boolean {
  if (scale === 'linear' || scale === 'log') return scale === 'log';
  throw new OptionError(`${where}: ${option} is ${shown(scale)}, expected 'linear' or 'log'`);
}

export function checkRange(where: string, option: string, range: readonly [number, number], log: boolean): void {
  if (!Array.isArray(range)) throw new OptionError(`${where}: ${option} is ${shown(range)}, expected [low, high]`);
  const [low, high] = range;
  if (Number.isFinite(low) && Number.isFinite(high) && low < high && !(log && low <= 0)) return;
  const wanted = `expected two finite numbers${log ? ' above 0' : ''}, the smaller first`;
  throw new OptionError(`${where}: ${option} is [${range.join(', ')}], ${wanted}`);
}

/** Smallest and largest of the values that can be drawn; null when there is none. */
export function extent(values: Iterable<number>, log = false): [number, number] | null {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const v of values) {
    if (!Number.isFinite(v) || (log && v <= 0)) continue;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return low <= high ? [low, high] : null;
}

/** Beyond it, differences of two values are no longer doubles. */
const LARGEST = 1e300;

export function checkDrawable(where: string, [low, high]: readonly [number, number], log: boolean): void {
  if (log || Math.max(-low, high) <= LARGEST) return;
  throw new OptionError(
    `${where}: values from ${low} to ${high} are too large for a linear axis; use a log scale, or leave out those that overflowed`,
  );
}
