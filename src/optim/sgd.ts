import { OptionError, type RuleAttrs } from '../core.js';
import { FusedOptimizer } from './fused.js';
import type { OptimizerOptions } from './optimizer.js';
import { checkRange } from './options.js';

/** How momentum is written. */
export type MomentumForm = RuleAttrs['sgd']['form'];
const FORMS: readonly MomentumForm[] = ['sum', 'scaled', 'negative', 'average'];

export interface SGDOptions extends OptimizerOptions {
  /** In [0, 1] (default 0). */
  readonly momentum?: number;
  /** Dampening τ of the momentum, in [0, 1] (default 0); only with the form 'sum'. */
  readonly dampening?: number;
  /** Gradient at the look-ahead point (default false); needs momentum > 0 and dampening 0. */
  readonly nesterov?: boolean;
  /** Which of the four forms of momentum (default 'sum', PyTorch's). */
  readonly momentumForm?: MomentumForm;
}

/**
 * Stochastic gradient descent, with momentum in one of four forms. Batch, mini-batch and stochastic descent are this with
 * batches of N, B and 1 samples.
 *
 * g ← g + λ·w, then by `momentumForm`, v = 0 at first:
 * - 'sum' (PyTorch): v ← μ·v + (1 − τ)·g (v = g at the first update); w ← w − lr·v
 * - 'scaled': v ← μ·v + lr·g; w ← w − v. As 'sum' while lr is constant; a change of lr acts on new gradients only.
 * - 'negative': v ← μ·v − lr·g; w ← w + v. The same steps as 'scaled'.
 * - 'average': v ← μ·v + (1 − μ)·g; w ← w − lr·v. Steps 1 − μ times as long as those of 'sum'.
 *
 * With Nesterov, μ·v plus the term with g takes the place of v in the second equation.
 *
 * @param options `lr` (default 1e-3), `momentum` μ, `dampening` τ, `nesterov`, `momentumForm`, `weightDecay` λ (default 0) and
 *   those of every optimizer ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.SGD({ lr: 0.1, momentum: 0.9, nesterov: true });
 * @see Sutskever et al. (2013), On the importance of initialization and momentum in deep learning; PyTorch, torch.optim.SGD.
 */
export class SGD extends FusedOptimizer<'sgd'> {
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  readonly momentumForm: MomentumForm;
  protected readonly fused = 'sgd';
  protected readonly attrs: RuleAttrs['sgd'];

  constructor(options: SGDOptions = {}) {
    super(options, ['momentum', 'dampening', 'nesterov', 'momentumForm']);
    const { momentum = 0, dampening = 0, nesterov = false, momentumForm: form = 'sum' } = options;
    checkRange(this.name, 'momentum', momentum, 0, 1);
    checkRange(this.name, 'dampening', dampening, 0, 1);
    if (!FORMS.includes(form)) {
      throw new OptionError(`${this.name}: momentumForm is ${String(form)}, expected ${FORMS.join(', ')}`);
    }
    if (dampening !== 0 && form !== 'sum') {
      throw new OptionError(`${this.name}: dampening is ${dampening}, expected 0 with momentumForm '${form}'`);
    }
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw new OptionError(
        `${this.name}: nesterov got momentum ${momentum} and dampening ${dampening}, expected momentum > 0 and dampening 0`,
      );
    }
    this.momentum = momentum;
    this.dampening = dampening;
    this.nesterov = nesterov;
    this.momentumForm = form;
    this.attrs = { momentum, dampening, nesterov, form };
  }
}
