import { type Differentiable, OptionError } from '../core.js';
import { checkObject, shown } from '../options.js';

/** A learning rate, or a schedule: learning rate from the number of updates before. */
export type LearningRate = number | ((step: number) => number);

/** The rate before update `step`; throws when a schedule gives something unusable. */
export function learningRateAt(where: string, lr: LearningRate, step: number): number {
  if (typeof lr === 'number') return lr;
  const value = lr(step);
  checkRange(where, `lr at step ${step}`, value, 0);
  return value;
}

/** Throws unless `value` is a finite number in [low, high], or [low, high) with `open`. */
export function checkRange(
  where: string,
  what: string,
  value: unknown,
  low: number,
  high = Infinity,
  open = false,
): void {
  const inside = typeof value === 'number' && value >= low && (open ? value < high : value <= high);
  if (inside && Number.isFinite(value)) return;
  const range = high === Infinity ? `a finite number >= ${low}` : `a number in [${low}, ${high}${open ? ')' : ']'}`;
  throw new OptionError(`${where}: ${what} is ${shown(value)}, expected ${range}`);
}

/** The options of an optimizer, over its own defaults. */
export function withDefaults<T extends object>(defaults: Partial<T>, options: T): T {
  checkObject('optimizer', options);
  return { ...defaults, ...options };
}

/** Throws unless `model` has trainable cells, as every nn.Module has. */
export function checkTrainable(where: string, model: unknown): void {
  if (typeof (model as Partial<Differentiable> | null | undefined)?.trainableCells === 'function') return;
  throw new OptionError(`${where}: got ${shown(model)} as model, expected an nn.Module`);
}

/** The betas given, or `initial`; throws unless they are two numbers in [0, 1). */
export function checkBetas(
  where: string,
  given: unknown,
  initial: readonly [number, number],
): readonly [number, number] {
  const betas: unknown = given === undefined ? initial : given;
  if (!Array.isArray(betas) || betas.length !== 2) {
    throw new OptionError(`${where}: betas is ${shown(betas)}, expected two numbers in [0, 1)`);
  }
  for (const [i, beta] of betas.entries()) checkRange(where, `betas[${i}]`, beta, 0, 1, true);
  return [betas[0], betas[1]];
}

export { checkFlag } from '../options.js';
