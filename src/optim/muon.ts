import type { RuleAttrs, Tensor } from '../core.js';
import { OptionError } from '../errors.js';
import { FusedOptimizer } from './fused.js';
import type { OptimizerOptions, ParameterStep, StepResult, StepSettings } from './optimizer.js';
import { checkFlag, checkRange, withDefaults } from './options.js';

export interface MuonOptions extends OptimizerOptions {
  /** In [0, 1) (default 0.95). */
  readonly momentum?: number;
  /** Gradient at the look-ahead point (default true). */
  readonly nesterov?: boolean;
  /** Iterations of Newton and Schulz, a whole number in [1, 99] (default 5). */
  readonly nsSteps?: number;
  /** Coefficients a, b, c of the iteration (default [3.4445, −4.775, 2.0315]). */
  readonly nsCoefficients?: readonly [number, number, number];
  /** Least norm a matrix is divided by, > 0 (default 1e-7). */
  readonly eps?: number;
  /** 'original' scales lr by √max(1, rows/columns), 'matchRmsAdamW' by 0.2·√max(rows, columns) (default 'original'). */
  readonly adjustLr?: 'original' | 'matchRmsAdamW';
}

/**
 * Muon: momentum made orthogonal, so that every direction of a matrix moves as far. For the matrices of hidden layers; biases,
 * norms, embeddings and the output layer are for another optimizer. Filters count as matrices [out, rest].
 *
 * w ← w − lr·λ·w; b ← μ·b + (1 − μ)·g; u = μ·b + (1 − μ)·g with Nesterov, else b; X = u / ‖u‖, then `nsSteps` times
 * A = X·Xᵀ, X ← a·X + (b·A + c·A²)·X; w ← w − lr·√max(1, rows/columns)·X.
 *
 * @param options `lr` (default 1e-3), `momentum` μ, `nesterov`, `nsSteps`, `nsCoefficients`, `eps`, `adjustLr`, `weightDecay` λ
 *   (default 0.1, decoupled) and those of every optimizer ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range, and by `update` for a parameter with fewer than two
 *   dimensions.
 * @example
 * const muon = new optim.Muon({ lr: 0.02 });
 * const matrices = Object.fromEntries(Object.entries(grads).filter(([, g]) => g.shape.length >= 2));
 * muon.update(model, matrices);
 * @see Jordan et al. (2024), Muon: an optimizer for hidden layers in neural networks; PyTorch, torch.optim.Muon, which iterates
 *   in bfloat16.
 */
export class Muon extends FusedOptimizer<'muon'> {
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly nsSteps: number;
  readonly nsCoefficients: readonly [number, number, number];
  readonly eps: number;
  readonly adjustLr: 'original' | 'matchRmsAdamW';
  protected readonly fused = 'muon';
  protected readonly attrs: RuleAttrs['muon'];

  constructor(options: MuonOptions = {}) {
    const known = ['momentum', 'nesterov', 'nsSteps', 'nsCoefficients', 'eps', 'adjustLr'];
    super(withDefaults({ weightDecay: 0.1, decoupledWeightDecay: true }, options), known);
    const { momentum = 0.95, nesterov = true, nsSteps = 5, eps = 1e-7, adjustLr = 'original' } = options;
    const { nsCoefficients = [3.4445, -4.775, 2.0315] } = options;
    checkRange(this.name, 'momentum', momentum, 0, 1, true);
    checkFlag(this.name, 'nesterov', nesterov);
    checkRange(this.name, 'eps', eps, 0);
    if (!(Number.isInteger(nsSteps) && nsSteps >= 1 && nsSteps < 100)) {
      throw new OptionError(`${this.name}: nsSteps is ${String(nsSteps)}, expected a whole number in [1, 99]`);
    }
    if (!(nsCoefficients.length === 3 && nsCoefficients.every(Number.isFinite))) {
      throw new OptionError(`${this.name}: nsCoefficients is ${String(nsCoefficients)}, expected three numbers`);
    }
    if (adjustLr !== 'original' && adjustLr !== 'matchRmsAdamW') {
      throw new OptionError(`${this.name}: adjustLr is ${String(adjustLr)}, expected 'original' or 'matchRmsAdamW'`);
    }
    this.momentum = momentum;
    this.nesterov = nesterov;
    this.nsSteps = nsSteps;
    this.nsCoefficients = nsCoefficients;
    this.eps = eps;
    this.adjustLr = adjustLr;
    this.attrs = { momentum, nesterov, eps, nsCoefficients, nsSteps, adjustLr };
  }

  protected override rule(
    lr: Tensor,
    step: Tensor,
    weightDecay: number,
    params: readonly ParameterStep[],
    settings: StepSettings,
  ): StepResult {
    const { w } = params.find((p) => p.w.shape.length < 2) ?? {};
    if (w === undefined) return super.rule(lr, step, weightDecay, params, settings);
    throw new OptionError(
      `${this.name}: got a parameter [${w.shape.join(', ')}], expected two or more dimensions; give biases and norms to another optimizer`,
    );
  }
}
