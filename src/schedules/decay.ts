import { OptionError } from '../core.js';
import { checkOptions } from '../options.js';
import { type Schedule, whole, within } from './check.js';

/**
 * The same learning rate at every step.
 * @param lr >= 0.
 * @throws OptionError for an lr out of range.
 * @example new optim.SGD({ lr: schedules.constant(0.1) });
 */
export function constant(lr: number): Schedule {
  within('constant', 'lr', lr);
  return () => lr;
}

/** Give one of the two. */
export interface ExponentialOptions {
  /** k of lr·e^(−kt), >= 0. */
  readonly rate?: number;
  /** γ of lr·γ^t, in (0, 1]: PyTorch's way; γ = e^(−k). */
  readonly gamma?: number;
}

/**
 * Exponential decay: lr·e^(−rate·t), or lr·gamma^t.
 * @param lr learning rate at t = 0, >= 0.
 * @param options `rate` >= 0 or `gamma` in (0, 1].
 * @throws OptionError for values out of range, or when not exactly one of the two is given.
 * @example schedules.exponential(0.1, { rate: 0.01 })(10); // 0.0905
 * @see PyTorch, ExponentialLR.
 */
export function exponential(lr: number, options: ExponentialOptions): Schedule {
  checkOptions('exponential', options, ['rate', 'gamma']);
  within('exponential', 'lr', lr);
  const { rate, gamma } = options;
  if ((rate === undefined) === (gamma === undefined)) {
    throw new OptionError('exponential: got neither or both of rate and gamma, expected one of them');
  }
  if (rate !== undefined) {
    within('exponential', 'rate', rate);
    return (t) => lr * Math.exp(-rate * t);
  }
  const factor = within('exponential', 'gamma', gamma, { high: 1, open: true });
  return (t) => lr * factor ** t;
}

/**
 * Inverse time decay: lr / (1 + rate·t).
 * @param lr learning rate at t = 0, >= 0.
 * @param options `rate` >= 0.
 * @throws OptionError for values out of range.
 * @example schedules.inverseTime(0.1, { rate: 0.01 })(10); // 0.0909
 * @see Robbins and Monro (1951), A stochastic approximation method.
 */
export function inverseTime(lr: number, options: { readonly rate: number }): Schedule {
  checkOptions('inverseTime', options, ['rate']);
  within('inverseTime', 'lr', lr);
  const rate = within('inverseTime', 'rate', options.rate);
  return (t) => lr / (1 + rate * t);
}

export interface StepOptions {
  /** Steps (or epochs) between two drops, a whole number >= 1. */
  readonly every: number;
  /** Factor of each drop, in (0, 1] (default 0.1). */
  readonly factor?: number;
}

/**
 * Step decay: lr·factor^⌊t / every⌋.
 * @param lr learning rate at t = 0, >= 0.
 * @param options `every` >= 1; `factor` in (0, 1], default 0.1.
 * @throws OptionError for values out of range.
 * @example schedules.step(0.1, { every: 5, factor: 0.5 })(10); // 0.025
 * @see PyTorch, StepLR.
 */
export function step(lr: number, options: StepOptions): Schedule {
  checkOptions('step', options, ['every', 'factor']);
  within('step', 'lr', lr);
  const every = whole('step', 'every', options.every);
  const factor = within('step', 'factor', options.factor ?? 0.1, { high: 1, open: true });
  return (t) => lr * factor ** Math.floor(t / every);
}

export interface MultiStepOptions {
  /** Steps (or epochs) at which the rate drops: whole numbers >= 0 that do not fall; one given twice drops twice. */
  readonly milestones: readonly number[];
  /** Factor of each drop, in (0, 1] (default 0.1). */
  readonly factor?: number;
}

/**
 * Drops at given steps: lr·factor^(number of milestones <= t).
 * @param lr learning rate before the first milestone, >= 0.
 * @param options `milestones`, ascending; `factor` in (0, 1], default 0.1.
 * @throws OptionError for values out of range or milestones that fall.
 * @example schedules.multiStep(0.1, { milestones: [30, 80] })(50); // 0.01
 * @see PyTorch, MultiStepLR.
 */
export function multiStep(lr: number, options: MultiStepOptions): Schedule {
  checkOptions('multiStep', options, ['milestones', 'factor']);
  within('multiStep', 'lr', lr);
  if (!Array.isArray(options.milestones)) throw new OptionError('multiStep: milestones must be a list of steps');
  const milestones = options.milestones.map((m, i) => whole('multiStep', `milestones[${i}]`, m, 0));
  if (milestones.some((m, i) => i > 0 && m < milestones[i - 1])) {
    throw new OptionError(`multiStep: milestones are ${milestones.join(', ')}, expected them in ascending order`);
  }
  const factor = within('multiStep', 'factor', options.factor ?? 0.1, { high: 1, open: true });
  return (t) => lr * factor ** milestones.filter((m) => m <= t).length;
}

export interface PolynomialOptions {
  /** Steps (or epochs) until `end`, a whole number >= 1. */
  readonly steps: number;
  /** Exponent, > 0 (default 1, linear). */
  readonly power?: number;
  /** Learning rate from then on, in [0, lr] (default 0). */
  readonly end?: number;
}

/**
 * Polynomial decay: (lr − end)·(1 − t/steps)^power + end, then `end`.
 * @param lr learning rate at t = 0, >= 0.
 * @param options `steps` >= 1; `power` > 0, default 1; `end` in [0, lr], default 0.
 * @throws OptionError for values out of range.
 * @example schedules.polynomial(0.1, { steps: 100, power: 2 })(50); // 0.025
 * @see PyTorch, PolynomialLR.
 */
export function polynomial(lr: number, options: PolynomialOptions): Schedule {
  checkOptions('polynomial', options, ['steps', 'power', 'end']);
  within('polynomial', 'lr', lr);
  const steps = whole('polynomial', 'steps', options.steps);
  const power = within('polynomial', 'power', options.power ?? 1, { open: true });
  const end = within('polynomial', 'end', options.end ?? 0, { high: lr });
  return (t) => (lr - end) * (1 - Math.min(t, steps) / steps) ** power + end;
}
