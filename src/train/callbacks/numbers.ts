import { OptionError } from '../../core.js';

/** `value` when it is a finite number >= low. */
export function number(where: string, what: string, value: unknown, low: number): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= low) return value;
  const range = low === -Infinity ? 'a finite number' : `a finite number >= ${low}`;
  throw new OptionError(`${where}: ${what} is ${String(value)}, expected ${range}`);
}
