export { Bernoulli, type ProbsOrLogits } from './bernoulli.js';
export { Categorical } from './categorical.js';
export { type Distribution, klDivergence } from './kl.js';
export { Normal } from './normal.js';
export { Uniform } from './uniform.js';
