import { OptionError } from '../core.js';

/** Learning rate as a function of time: updates, or epochs with {@link perEpoch}. Usable as `lr` of every optimizer. */
export type Schedule = (step: number) => number;

/** Returns a finite number in [low, high], open where stated. */
export function within(
  where: string,
  what: string,
  value: unknown,
  { low = 0, high = Infinity, open = false }: { low?: number; high?: number; open?: boolean } = {},
): number {
  const ok = typeof value === 'number' && Number.isFinite(value) && (open ? value > low : value >= low);
  if (ok && value <= high) return value;
  const range =
    high === Infinity
      ? `a finite number ${open ? '>' : '>='} ${low}`
      : `a number in ${open ? '(' : '['}${low}, ${high}]`;
  throw new OptionError(`${where}: ${what} is ${String(value)}, expected ${range}`);
}

/** Returns a whole number >= low. */
export function whole(where: string, what: string, value: unknown, low = 1): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= low) return value;
  throw new OptionError(`${where}: ${what} is ${String(value)}, expected a whole number >= ${low}`);
}
