import { OptionError } from '../core.js';
import { checkOptions, shown } from '../options.js';
import { type Schedule, whole, within } from './check.js';

export interface PlateauOptions {
  /** Factor of each drop, in (0, 1) (default 0.1). */
  readonly factor?: number;
  /** Results without improvement that are borne; the next one drops the rate (default 10). */
  readonly patience?: number;
  /** Results after a drop that are not counted (default 0). */
  readonly cooldown?: number;
  /** Smallest learning rate, in [0, lr] (default 0). */
  readonly minLr?: number;
  /** What an improvement must exceed, >= 0 (default 1e-4). */
  readonly threshold?: number;
  /** Whether the threshold is a share of the best result (default) or a difference. */
  readonly thresholdMode?: 'relative' | 'absolute';
  /** Whether smaller (default) or larger results are better. */
  readonly mode?: 'min' | 'max';
  /** Drops not larger than this are left out, >= 0 (default 1e-8). */
  readonly eps?: number;
}

/** State of a {@link Plateau} that survives JSON. */
export interface PlateauState {
  readonly lr: number;
  /** Best result so far, null before the first. */
  readonly best: number | null;
  /** Results without improvement since the last one or the last drop. */
  readonly waiting: number;
  /** Results of the cooldown still to come. */
  readonly cooling: number;
}

/** A schedule that falls when results stop improving; give it the result of each epoch. */
export interface Plateau extends Schedule {
  /**
   * Takes the next result, such as a validation loss; returns the learning rate from now on. NaN is no improvement.
   * @throws OptionError for what is no number.
   */
  update(result: number): number;
  /** The state, a plain object for a checkpoint. */
  stateDict(): PlateauState;
  /** Replaces the state. @throws OptionError, changing nothing, for what {@link stateDict} does not give. */
  loadStateDict(state: PlateauState): void;
}

/**
 * Reduces the learning rate when results stop improving: after more than `patience` results in a row without improvement
 * lr becomes max(lr·factor, minLr). The call itself ignores the step.
 * @param lr first learning rate, >= 0.
 * @param options `factor`, `patience`, `cooldown`, `minLr`, `threshold`, `thresholdMode`, `mode`, `eps`; PyTorch's defaults.
 *   A drop at the third result without improvement is `patience: 2`.
 * @throws OptionError for values out of range.
 * @example
 * const lr = schedules.reduceOnPlateau(0.1, { patience: 2 });
 * const optimizer = new optim.SGD({ lr });
 * // after each epoch: lr.update(validationLoss);
 * @see PyTorch, ReduceLROnPlateau.
 */
export function reduceOnPlateau(lr: number, options: PlateauOptions = {}): Plateau {
  const name = 'reduceOnPlateau';
  const known = ['factor', 'patience', 'cooldown', 'minLr', 'threshold', 'thresholdMode', 'mode', 'eps'];
  checkOptions(name, options, known);
  within(name, 'lr', lr);
  const { thresholdMode = 'relative', mode = 'min' } = options;
  const factor = within(name, 'factor', options.factor ?? 0.1, { high: 1, open: true });
  if (factor === 1) throw new OptionError(`${name}: factor is 1, expected a number in (0, 1)`);
  const patience = whole(name, 'patience', options.patience ?? 10, 0);
  const cooldown = whole(name, 'cooldown', options.cooldown ?? 0, 0);
  const minLr = within(name, 'minLr', options.minLr ?? 0, { high: lr });
  const threshold = within(name, 'threshold', options.threshold ?? 1e-4);
  const eps = within(name, 'eps', options.eps ?? 1e-8);
  if (thresholdMode !== 'relative' && thresholdMode !== 'absolute') {
    throw new OptionError(`${name}: thresholdMode is ${shown(thresholdMode)}, expected 'relative' or 'absolute'`);
  }
  if (mode !== 'min' && mode !== 'max') {
    throw new OptionError(`${name}: mode is ${shown(mode)}, expected 'min' or 'max'`);
  }
  const sign = mode === 'min' ? 1 : -1;
  let state: PlateauState = { lr, best: null, waiting: 0, cooling: 0 };

  const better = (result: number, best: number | null): boolean => {
    if (best === null) return !Number.isNaN(result);
    const wanted = thresholdMode === 'relative' ? best * (1 - sign * threshold) : best - sign * threshold;
    return sign * result < sign * wanted;
  };

  const update = (result: number): number => {
    if (typeof result !== 'number') {
      throw new OptionError(`${name}: update got ${String(result)}, expected a number such as a validation loss`);
    }
    let { best, waiting, cooling, lr: current } = state;
    if (better(result, best)) {
      best = result;
      waiting = 0;
    } else waiting++;
    if (cooling > 0) {
      cooling--;
      waiting = 0;
    }
    if (waiting > patience) {
      const next = Math.max(current * factor, minLr);
      if (current - next > eps) current = next;
      cooling = cooldown;
      waiting = 0;
    }
    state = { lr: current, best, waiting, cooling };
    return current;
  };

  const loadStateDict = (saved: PlateauState): void => {
    const where = `${name}.loadStateDict`;
    checkOptions(where, saved, ['lr', 'best', 'waiting', 'cooling']);
    const { best } = saved;
    if (best !== null && typeof best !== 'number') {
      throw new OptionError(`${where}: best is ${String(best)}, expected a number or null`);
    }
    state = {
      lr: within(where, 'lr', saved.lr),
      best,
      waiting: whole(where, 'waiting', saved.waiting, 0),
      cooling: whole(where, 'cooling', saved.cooling, 0),
    };
  };

  return Object.assign((_step: number) => state.lr, { update, stateDict: () => ({ ...state }), loadStateDict });
}
