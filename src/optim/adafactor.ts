import type { RuleAttrs } from '../core.js';
import { OptionError } from '../errors.js';
import { shown } from '../options.js';
import { FusedOptimizer } from './fused.js';
import type { OptimizerOptions } from './optimizer.js';
import { checkRange, withDefaults } from './options.js';

export interface AdafactorOptions extends OptimizerOptions {
  /** Exponent of the decay of the averages, <= 0: their newest value weighs t^β₂ (default −0.8). */
  readonly beta2Decay?: number;
  /** ε₁ keeps the denominators from 0 (default the dtype's epsilon), ε₂ is the least scale of a parameter (default 1e-3). */
  readonly eps?: readonly [number | null, number];
  /** Greatest root mean square of an update, d >= 1 (default 1). */
  readonly d?: number;
}

/**
 * Adafactor: second moments kept as one number a row and one a column; a vector counts as a matrix of one column.
 *
 * β = t^β₂; R ← R + β·(mean of g² over columns − R); C ← C + β·(mean over rows − C); u = g / √max(R·C / max(mean R, ε₁), ε₁²);
 * α = max(ε₂, RMS(w))·min(lr, 1/√t); w ← w − α·u / max(1, RMS(u) / d), after w ← w − lr·λ·w.
 *
 * @param options `lr` (default 1e-2), `beta2Decay`, `eps`, `d`, `weightDecay` λ (default 0, decoupled unless stated) and those of
 *   every optimizer ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.Adafactor({ lr: 1e-2 });
 * @see Shazeer and Stern (2018), Adafactor: adaptive learning rates with sublinear memory cost; PyTorch, torch.optim.Adafactor.
 */
export class Adafactor extends FusedOptimizer<'adafactor'> {
  readonly beta2Decay: number;
  readonly eps: readonly [number | null, number];
  readonly d: number;
  protected readonly fused = 'adafactor';
  protected readonly attrs: RuleAttrs['adafactor'];

  constructor(options: AdafactorOptions = {}) {
    super(withDefaults({ lr: 1e-2, decoupledWeightDecay: true }, options), ['beta2Decay', 'eps', 'd']);
    const { beta2Decay = -0.8, eps: [eps1, eps2] = [null, 1e-3], d = 1 } = options;
    if (!(typeof beta2Decay === 'number' && beta2Decay <= 0 && beta2Decay > -Infinity)) {
      throw new OptionError(`${this.name}: beta2Decay is ${shown(beta2Decay)}, expected a finite number <= 0`);
    }
    if (eps1 !== null) checkRange(this.name, 'eps[0]', eps1, 0);
    checkRange(this.name, 'eps[1]', eps2, 0);
    checkRange(this.name, 'd', d, 1);
    this.beta2Decay = beta2Decay;
    this.eps = [eps1, eps2];
    this.d = d;
    this.attrs = { beta2Decay, eps1, eps2, d };
  }
}
