import type { Tensor } from './tensor.js';

const stacks = new WeakMap<Tensor, string>();

/** NEURITE_DEBUG=1: nodes remember where they were made, and errors of runs show it. */
export const debugging = process.env.NEURITE_DEBUG === '1';

export function rememberCreation(node: Tensor): void {
  const stack = new Error('created').stack ?? '';
  const frames = stack.split('\n').slice(1);
  const user = frames.findIndex((f) => !/[\\/](src|dist)[\\/](graph|ops|autodiff|nn|losses|optim)[\\/]/.test(f));
  stacks.set(node, frames.slice(Math.max(user, 0)).join('\n'));
}

/** Where a node was made, from the first frame outside the library's building code; '' unless debugging. */
export function creationStack(node: Tensor): string {
  return stacks.get(node) ?? '';
}
