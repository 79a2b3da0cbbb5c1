import { checkFunction } from '../options.js';
import { feedLeaf } from './leaves.js';
import type { Tensor } from './tensor.js';
import { graphState } from './trace.js';

/**
 * A host number as a float64 scalar of the graph, such as a learning rate. Outside `compile` the number is read now. In a
 * compiled function `read(k)` is called at every run, for step k of a scan (0 otherwise), so a change never recompiles;
 * `advance(n)` is called after n steps were issued (negative when a scan stopped early).
 */
export function hostScalar(read: (step: number) => number, advance: (steps: number) => void = () => {}): Tensor {
  checkFunction('hostScalar', 'read', read);
  checkFunction('hostScalar', 'advance', advance);
  if (graphState.trace !== null) return feedLeaf({ read, advance });
  const value = read(0);
  advance(1);
  return feedLeaf({ read: () => value, advance: () => {} });
}
