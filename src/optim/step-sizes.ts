import { OptionError, type RuleAttrs } from '../core.js';
import { FusedOptimizer } from './fused.js';
import type { OptimizerOptions } from './optimizer.js';
import { checkRange, withDefaults } from './options.js';

export interface RpropOptions extends OptimizerOptions {
  /** Factors of a step size when the gradient's sign changed, in (0, 1), and when it did not, > 1 (default [0.5, 1.2]). */
  readonly etas?: readonly [number, number];
  /** Least and greatest step size, 0 <= least <= greatest (default [1e-6, 50]). */
  readonly stepSizes?: readonly [number, number];
}

/**
 * Rprop: a step size for each weight, grown while its gradient keeps its sign and cut when it changes; only the sign of the
 * gradient counts. For full batches.
 *
 * s = g·p; a ← clamp(a·(s > 0 ? η⁺ : s < 0 ? η⁻ : 1), least, greatest); p ← s < 0 ? 0 : g; w ← w − a·sign(p). a starts at lr.
 *
 * @param options `lr` (default 1e-2), the first step size; `etas` [η⁻, η⁺], `stepSizes`, `weightDecay` (default 0) and those of
 *   every optimizer ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.Rprop({ lr: 0.01 });
 * @see Riedmiller and Braun (1993), A direct adaptive method for faster backpropagation learning; PyTorch, torch.optim.Rprop.
 */
export class Rprop extends FusedOptimizer<'rprop'> {
  readonly etas: readonly [number, number];
  readonly stepSizes: readonly [number, number];
  protected readonly fused = 'rprop';
  protected readonly attrs: RuleAttrs['rprop'];

  constructor(options: RpropOptions = {}) {
    super(withDefaults({ lr: 1e-2 }, options), ['etas', 'stepSizes']);
    const { etas = [0.5, 1.2], stepSizes = [1e-6, 50] } = options;
    const [etaMinus, etaPlus] = etas;
    const [stepMin, stepMax] = stepSizes;
    if (!(0 < etaMinus && etaMinus < 1 && 1 < etaPlus && etaPlus < Infinity)) {
      throw new OptionError(`${this.name}: etas is ${String(etas)}, expected 0 < etas[0] < 1 < etas[1]`);
    }
    if (!(0 <= stepMin && stepMin <= stepMax && stepMax < Infinity)) {
      throw new OptionError(`${this.name}: stepSizes is ${String(stepSizes)}, expected 0 <= least <= greatest`);
    }
    this.etas = [etaMinus, etaPlus];
    this.stepSizes = [stepMin, stepMax];
    this.attrs = { etaMinus, etaPlus, stepMin, stepMax };
  }

  protected override initialSlot(name: string, lr: number): number {
    return name === 'stepSize' ? lr : 0;
  }
}

export interface DeltaBarDeltaOptions extends OptimizerOptions {
  /** Added to a rate when the gradient agrees with its average, κ >= 0 (default 1e-3). */
  readonly kappa?: number;
  /** Part of a rate taken off when they disagree, φ in [0, 1) (default 0.1). */
  readonly phi?: number;
  /** Decay of the average gradient, θ in [0, 1) (default 0.7). */
  readonly theta?: number;
}

/**
 * Delta-bar-delta: a learning rate for each weight, raised by a constant while the gradient agrees with its recent average and
 * cut by a factor when it does not. For full batches.
 *
 * s = a·g; r ← s > 0 ? r + κ : s < 0 ? r·(1 − φ) : r; a ← θ·a + (1 − θ)·g; w ← w − r·g. r starts at lr.
 *
 * @param options `lr` (default 1e-2), the first rate; `kappa` κ, `phi` φ, `theta` θ, `weightDecay` (default 0) and those of every
 *   optimizer ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.DeltaBarDelta({ lr: 0.01, kappa: 1e-3 });
 * @see Jacobs (1988), Increased rates of convergence through learning rate adaptation.
 */
export class DeltaBarDelta extends FusedOptimizer<'deltaBarDelta'> {
  readonly kappa: number;
  readonly phi: number;
  readonly theta: number;
  protected readonly fused = 'deltaBarDelta';
  protected readonly attrs: RuleAttrs['deltaBarDelta'];

  constructor(options: DeltaBarDeltaOptions = {}) {
    super(withDefaults({ lr: 1e-2 }, options), ['kappa', 'phi', 'theta']);
    const { kappa = 1e-3, phi = 0.1, theta = 0.7 } = options;
    checkRange(this.name, 'kappa', kappa, 0);
    checkRange(this.name, 'phi', phi, 0, 1, true);
    checkRange(this.name, 'theta', theta, 0, 1, true);
    this.kappa = kappa;
    this.phi = phi;
    this.theta = theta;
    this.attrs = { theta, kappa, phi };
  }

  protected override initialSlot(name: string, lr: number): number {
    return name === 'rate' ? lr : 0;
  }
}
