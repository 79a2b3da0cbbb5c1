import { add, div, greater, logicalAnd, mul, pow, sqrt, sub, sumSquares, type Tensor, where } from '../core.js';
import { like, ParameterOptimizer } from './descent.js';
import type { OptimizerOptions, ParameterStep } from './optimizer.js';
import { checkBetas, checkRange } from './options.js';

/** ‖x‖, a float64 scalar. */
const length = (x: Tensor): Tensor => sqrt(sumSquares([x]));

/** `ratio` where both norms are above 0, else 1. */
function trust(a: Tensor, b: Tensor, ratio: Tensor): Tensor {
  return where(logicalAnd(greater(a, 0), greater(b, 0)), ratio, 1);
}

export interface LARSOptions extends OptimizerOptions {
  /** In [0, 1] (default 0.9). */
  readonly momentum?: number;
  /** Length of a step beside the length of the weights, > 0 (default 1e-3). */
  readonly trustCoefficient?: number;
  /** Added to the denominator of the ratio, >= 0 (default 1e-8). */
  readonly eps?: number;
}

/**
 * LARS: momentum whose step, parameter by parameter, has a length in proportion to that of the weights; for very large batches.
 *
 * q = η·‖w‖ / (‖g‖ + λ·‖w‖ + ε) (1 when ‖w‖ or ‖g‖ is 0, and for parameters that `decayExempt` takes);
 * v ← μ·v + lr·q·(g + λ·w); w ← w − v.
 *
 * @param options `lr` (default 0.1), `momentum` μ, `trustCoefficient` η, `eps` ε, `weightDecay` λ (default 0, always inside the
 *   ratio) and those of every optimizer ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.LARS({ lr: 1, weightDecay: 1e-4, decayExempt: 'biasAndNorm' });
 * @see You et al. (2017), Large batch training of convolutional networks.
 */
export class LARS extends ParameterOptimizer {
  readonly momentum: number;
  readonly trustCoefficient: number;
  readonly eps: number;
  protected readonly slotNames: readonly string[] = ['momentumBuffer'];
  protected override readonly decaysItself = true;

  constructor(options: LARSOptions = {}) {
    super({ lr: 0.1, ...options }, ['momentum', 'trustCoefficient', 'eps']);
    const { momentum = 0.9, trustCoefficient = 1e-3, eps = 1e-8 } = options;
    checkRange(this.name, 'momentum', momentum, 0, 1);
    checkRange(this.name, 'trustCoefficient', trustCoefficient, 0);
    checkRange(this.name, 'eps', eps, 0);
    this.momentum = momentum;
    this.trustCoefficient = trustCoefficient;
    this.eps = eps;
  }

  protected one({ w, g, slots }: ParameterStep, lr: Tensor, _: Tensor, decay: number, exempt: boolean) {
    const [ofW, ofG] = [length(w), length(g)];
    const below = add(add(ofG, mul(decay, ofW)), this.eps);
    const ratio = trust(ofW, ofG, div(mul(this.trustCoefficient, ofW), below));
    const rate = like(w, exempt ? lr : mul(lr, ratio));
    const d = decay === 0 ? g : add(g, mul(decay, w));
    const velocity = add(mul(this.momentum, slots['momentumBuffer']), mul(rate, d));
    return { w: sub(w, velocity), slots: { momentumBuffer: velocity } };
  }
}

export interface LAMBOptions extends OptimizerOptions {
  /** Decay of the averages of g and g², each in [0, 1) (default [0.9, 0.999]). */
  readonly betas?: readonly [number, number];
  /** Added to the root in the denominator, >= 0 (default 1e-6). */
  readonly eps?: number;
}

/**
 * LAMB: Adam whose step, parameter by parameter, is as long as the weights; for very large batches.
 *
 * m and v as Adam's; r = m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε) + λ·w; w ← w − lr·‖w‖ / ‖r‖·r (the ratio is 1 when a norm is 0,
 * and for parameters that `decayExempt` takes).
 *
 * @param options `lr` (default 1e-3), `betas`, `eps`, `weightDecay` λ (default 1e-2, always inside r) and those of every optimizer
 *   ({@link OptimizerOptions}).
 * @throws OptionError for an option that is unknown or outside its range.
 * @example new optim.LAMB({ lr: 2e-3, decayExempt: 'biasAndNorm' });
 * @see You et al. (2020), Large batch optimization for deep learning: training BERT in 76 minutes.
 */
export class LAMB extends ParameterOptimizer {
  readonly betas: readonly [number, number];
  readonly eps: number;
  protected readonly slotNames: readonly string[] = ['expAvg', 'expAvgSq'];
  protected override readonly decaysItself = true;

  constructor(options: LAMBOptions = {}) {
    super({ weightDecay: 1e-2, decoupledWeightDecay: true, ...options }, ['betas', 'eps']);
    const { eps = 1e-6 } = options;
    this.betas = checkBetas(this.name, options.betas, [0.9, 0.999]);
    checkRange(this.name, 'eps', eps, 0);
    this.eps = eps;
  }

  protected one({ w, g, slots }: ParameterStep, lr: Tensor, t: Tensor, decay: number, exempt: boolean) {
    const [beta1, beta2] = this.betas;
    const m = add(mul(beta1, slots['expAvg']), mul(1 - beta1, g));
    const v = add(mul(beta2, slots['expAvgSq']), mul(1 - beta2, mul(g, g)));
    const [of1, of2] = [beta1, beta2].map((beta) => like(w, sub(1, pow(beta, t))));
    const adam = div(div(m, of1), add(sqrt(div(v, of2)), this.eps));
    const r = decay === 0 ? adam : add(adam, mul(decay, w));
    const [ofW, ofR] = [length(w), length(r)];
    const rate = exempt ? lr : mul(lr, trust(ofW, ofR, div(ofW, ofR)));
    return { w: sub(w, mul(like(w, rate), r)), slots: { expAvg: m, expAvgSq: v } };
  }
}
