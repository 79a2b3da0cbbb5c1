import { OptionError } from '../core.js';
import { checkOptions, shown } from '../options.js';
import { type Schedule, whole, within } from './check.js';

/** From `start` to `end` along half a cosine, share 0 … 1 of the way. */
function halfCosine(start: number, end: number, share: number): number {
  return end + ((start - end) * (1 + Math.cos(Math.PI * share))) / 2;
}

export interface CosineOptions {
  /** Steps (or epochs) until `end`, a whole number >= 1. */
  readonly steps: number;
  /** Learning rate from then on, in [0, lr] (default 0). */
  readonly end?: number;
}

/**
 * Cosine annealing: end + (lr − end)·(1 + cos(πt/steps))/2, then `end` (PyTorch's rises again).
 * @param lr learning rate at t = 0, >= 0.
 * @param options `steps` >= 1; `end` in [0, lr], default 0.
 * @throws OptionError for values out of range.
 * @example schedules.cosine(0.1, { steps: 100 })(50); // 0.05
 * @see Loshchilov and Hutter (2017), SGDR; PyTorch, CosineAnnealingLR.
 */
export function cosine(lr: number, options: CosineOptions): Schedule {
  checkOptions('cosine', options, ['steps', 'end']);
  within('cosine', 'lr', lr);
  const steps = whole('cosine', 'steps', options.steps);
  const end = within('cosine', 'end', options.end ?? 0, { high: lr });
  return (t) => halfCosine(lr, end, Math.min(t, steps) / steps);
}

export interface WarmRestartsOptions {
  /** Steps (or epochs) of the first cycle, a whole number >= 1. */
  readonly first: number;
  /** Length of a cycle by that of the one before, a whole number >= 1 (default 1). */
  readonly multiplier?: number;
  /** Learning rate at the end of a cycle, in [0, lr] (default 0). */
  readonly end?: number;
}

/**
 * Cosine annealing with warm restarts: each cycle falls from lr to `end` along half a cosine.
 * @param lr learning rate at the start of each cycle, >= 0.
 * @param options `first` >= 1; `multiplier` >= 1, default 1; `end` in [0, lr], default 0.
 * @throws OptionError for values out of range.
 * @example schedules.warmRestarts(0.1, { first: 10, multiplier: 2 })(10); // 0.1
 * @see Loshchilov and Hutter (2017), SGDR; PyTorch, CosineAnnealingWarmRestarts.
 */
export function warmRestarts(lr: number, options: WarmRestartsOptions): Schedule {
  checkOptions('warmRestarts', options, ['first', 'multiplier', 'end']);
  within('warmRestarts', 'lr', lr);
  const first = whole('warmRestarts', 'first', options.first);
  const multiplier = whole('warmRestarts', 'multiplier', options.multiplier ?? 1);
  const end = within('warmRestarts', 'end', options.end ?? 0, { high: lr });
  return (t) => {
    let length = first;
    let at = t;
    if (multiplier === 1) at = t % first;
    else {
      for (; at >= length; length *= multiplier) at -= length;
    }
    return halfCosine(lr, end, at / length);
  };
}

export interface LinearWarmupOptions {
  /** Steps (or epochs) of the warm-up, a whole number >= 1. */
  readonly steps: number;
  /** Share of the rate at t = 0, in [0, 1] (default 1/3, PyTorch's). */
  readonly startFactor?: number;
}

/**
 * Linear warm-up to a learning rate, or to the start of a schedule which then begins.
 *
 * For t < steps lr·(startFactor + (1 − startFactor)·t/steps), then lr; for a schedule its rate at 0 in place of lr, then
 * schedule(t − steps).
 * @param lr a rate >= 0, or a schedule.
 * @param options `steps` >= 1; `startFactor` in [0, 1], default 1/3.
 * @throws OptionError for values out of range.
 * @example schedules.linearWarmup(schedules.cosine(0.1, { steps: 900 }), { steps: 100 });
 * @see Goyal et al. (2017), Accurate, large minibatch SGD; PyTorch, LinearLR and SequentialLR.
 */
export function linearWarmup(lr: number | Schedule, options: LinearWarmupOptions): Schedule {
  checkOptions('linearWarmup', options, ['steps', 'startFactor']);
  if (typeof lr !== 'function') within('linearWarmup', 'lr', lr);
  const steps = whole('linearWarmup', 'steps', options.steps);
  const start = within('linearWarmup', 'startFactor', options.startFactor ?? 1 / 3, { high: 1 });
  const then = typeof lr === 'function' ? lr : () => lr;
  return (t) => (t < steps ? then(0) * (start + ((1 - start) * t) / steps) : then(t - steps));
}

export interface OneCycleOptions {
  /** Steps of the whole cycle, a whole number >= 1; the last rate is that of step `steps` − 1. */
  readonly steps: number;
  /** Share of the steps that rise, in (0, 1) (default 0.3). */
  readonly riseShare?: number;
  /** lr / divFactor is the first rate; >= 1 (default 25). */
  readonly divFactor?: number;
  /** The first rate / finalDivFactor is the last; >= 1 (default 1e4). */
  readonly finalDivFactor?: number;
  /** Falls back to the first rate as fast as it rose, then to the last (default false). */
  readonly threePhase?: boolean;
  /** Form of rise and fall (default 'cosine'). */
  readonly anneal?: 'cosine' | 'linear';
}

/**
 * One-cycle policy: from lr/divFactor up to lr, then down to lr/divFactor/finalDivFactor; it stays there after `steps`.
 * @param lr the largest learning rate, >= 0.
 * @param options `steps` >= 1; `riseShare` in (0, 1), default 0.3; `divFactor`, default 25; `finalDivFactor`, default 1e4;
 *   `threePhase`, default false (true needs riseShare <= 0.5); `anneal`, default 'cosine'.
 * @throws OptionError for values out of range, or a rise shorter than a step.
 * @example schedules.oneCycle(0.1, { steps: 1000 })(0); // 0.004
 * @see Smith and Topin (2018), Super-convergence; PyTorch, OneCycleLR.
 */
export function oneCycle(lr: number, options: OneCycleOptions): Schedule {
  const name = 'oneCycle';
  checkOptions(name, options, ['steps', 'riseShare', 'divFactor', 'finalDivFactor', 'threePhase', 'anneal']);
  within(name, 'lr', lr);
  const steps = whole(name, 'steps', options.steps);
  const { riseShare = 0.3, threePhase = false, anneal = 'cosine' } = options;
  const largest = threePhase ? 0.5 : 1;
  if (!(riseShare > 0 && riseShare < 1 && riseShare <= largest)) {
    const range = threePhase ? '(0, 0.5] with three phases' : '(0, 1)';
    throw new OptionError(`${name}: riseShare is ${String(riseShare)}, expected a number in ${range}`);
  }
  if (anneal !== 'cosine' && anneal !== 'linear') {
    throw new OptionError(`${name}: anneal is ${shown(anneal)}, expected 'cosine' or 'linear'`);
  }
  const initial = lr / within(name, 'divFactor', options.divFactor ?? 25, { low: 1 });
  const final = initial / within(name, 'finalDivFactor', options.finalDivFactor ?? 1e4, { low: 1 });
  const top = riseShare * steps - 1;
  if (!(typeof top === 'number' && top > 0)) {
    throw new OptionError(`${name}: riseShare ${riseShare} of ${steps} steps is no rise, expected more than one step`);
  }
  const phases = threePhase
    ? [
        { end: top, from: initial, to: lr },
        { end: 2 * top, from: lr, to: initial },
        { end: steps - 1, from: initial, to: final },
      ]
    : [
        { end: top, from: initial, to: lr },
        { end: steps - 1, from: lr, to: final },
      ];
  const between = anneal === 'cosine' ? halfCosine : (a: number, b: number, share: number) => a + (b - a) * share;
  return (t) => {
    const at = Math.min(t, steps - 1);
    const i = phases.findIndex(({ end }) => at <= end);
    const start = i === 0 ? 0 : phases[i - 1].end;
    const { end, from, to } = phases[i];
    return between(from, to, (at - start) / (end - start));
  };
}

/**
 * A schedule of epochs as one of updates: schedule(⌊t / stepsPerEpoch⌋).
 * @param schedule learning rate of an epoch, the first is 0.
 * @param stepsPerEpoch updates an epoch, ⌈samples / batchSize⌉, a whole number >= 1.
 * @throws OptionError for a stepsPerEpoch out of range.
 * @example schedules.perEpoch(schedules.step(0.1, { every: 5, factor: 0.5 }), 469);
 */
export function perEpoch(schedule: Schedule, stepsPerEpoch: number): Schedule {
  if (typeof schedule !== 'function') throw new OptionError('perEpoch: the first argument must be a schedule');
  const n = whole('perEpoch', 'stepsPerEpoch', stepsPerEpoch);
  return (t) => schedule(Math.floor(t / n));
}
