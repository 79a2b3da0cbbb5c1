import { add, div, log, mul, OptionError, ShapeError, square, sub, type Tensor, where } from '../core.js';
import { shown } from '../options.js';
import { Bernoulli } from './bernoulli.js';
import { Categorical } from './categorical.js';
import { Normal } from './normal.js';
import { Uniform } from './uniform.js';

/** Any distribution of this room. */
export type Distribution = Bernoulli | Categorical | Normal | Uniform;

/**
 * Kullback–Leibler divergence of two distributions of one family, in nats.
 * `KL(p || q) = E_p[ln p(x) - ln q(x)]`; Infinity where p can give what q cannot
 * @param p the first, from whose draws the mean is taken
 * @param q the second; their parameters broadcast
 * @returns the broadcast shape of the parameters
 * @throws OptionError for two families; ShapeError for different numbers of classes
 * @example klDivergence(new Normal(0, 1), new Normal(1, 1)); // 0.5
 * @see Kullback and Leibler, On Information and Sufficiency, 1951; PyTorch, torch.distributions.kl_divergence
 */
export function klDivergence(p: Distribution, q: Distribution): Tensor {
  if (p instanceof Normal && q instanceof Normal) {
    const ratio = square(div(p.scale, q.scale));
    const shift = square(div(sub(p.loc, q.loc), q.scale));
    return mul(0.5, sub(sub(add(ratio, shift), 1), log(ratio)));
  }
  if (p instanceof Uniform && q instanceof Uniform) {
    const widths = log(div(sub(q.high, q.low), sub(p.high, p.low)));
    return where(q.covers(p).greater(0), widths, Number.POSITIVE_INFINITY);
  }
  if (p instanceof Bernoulli && q instanceof Bernoulli) {
    return sub(p.expectedLog(p.probs), q.expectedLog(p.probs));
  }
  if (p instanceof Categorical && q instanceof Categorical) {
    if (p.classes !== q.classes) throw new ShapeError(`klDivergence: got ${p.classes} and ${q.classes} classes`);
    return sub(p.expectedLog(p), q.expectedLog(p));
  }
  throw new OptionError(
    `klDivergence: got ${shown(p)} and ${shown(q)}, expected two of one family; estimate it as the mean of ` +
      'p.logProb(x) - q.logProb(x) over x = p.sample([n])',
  );
}
