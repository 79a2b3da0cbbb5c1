import type { Graph, Located, Node } from './ir.js';
import { isWhole } from './locate.js';

/** A ReLU that an op with `relu` in its record takes in. */
export interface FoldedRelu {
  /** Node whose value output 0 is, when it is not the op's own. */
  readonly out: Node | null;
  /** What input 0 is instead: the gradient before it is masked. */
  readonly g: Node | null;
  /** The third input of the op whose output was masked. */
  readonly bias: Node | null;
  /** The nodes it stands for, the op first. */
  readonly members: readonly Node[];
}

/**
 * Folds into normalisations the ReLU of their output, and into their gradients its mask: nothing is written and read between
 * them. The kernels do the same arithmetic in one pass, so bits stay.
 */
export function foldRelus(
  graph: Graph,
  located: readonly Located[],
  taken: (node: Node) => boolean,
): Map<Node, FoldedRelu> {
  const folds = new Map<Node, FoldedRelu>();
  if (!graph.fuse) return folds;
  const add = (fold: FoldedRelu) => {
    for (const member of fold.members) folds.set(member, fold);
  };
  for (const node of graph.nodes) {
    if (node.op.relu === 'output') {
      const relu = reluOf(node, located);
      if (relu !== null && !taken(relu)) add({ out: relu, g: null, bias: null, members: [node, relu] });
    } else if (node.op.relu === 'gradient') {
      const mask = producer(node.inputs[0], located);
      if (mask.op.activationGrad !== 'RELU' || taken(mask) || folds.has(mask)) continue;
      const [g, y] = mask.inputs;
      const forward = normOf(y, located);
      if (forward === null || !isOnlyFor(mask, node, located) || !isGradientOf(node, forward, located)) continue;
      add({ out: null, g, bias: forward.inputs[2] ?? null, members: [node, mask] });
    }
  }
  return folds;
}

/** The value that reshapes show, or the node itself. */
function producer(node: Node, located: readonly Located[]): Node {
  const { base } = located[node.index];
  return isWhole(node, located[node.index]) ? base : node;
}

/** The one use of output 0, which the node itself stands for, when that is a ReLU. */
function reluOf(node: Node, located: readonly Located[]): Node | null {
  let value = node;
  let users = node.users.filter((u) => u.op.kind !== 'item');
  while (!value.pinned && users.length === 1) {
    const [next] = users;
    if (next.op.activation === 'RELU') return next.dtype === node.dtype ? next : null;
    if (next.op.view === undefined || located[next.index].base !== node || !isWhole(next, located[next.index])) break;
    value = next;
    users = next.users;
  }
  return null;
}

/** The normalisation whose output 0 the ReLU `y` has for its input. */
function normOf(y: Node, located: readonly Located[]): Node | null {
  const relu = producer(y, located);
  if (relu.op.activation !== 'RELU') return null;
  const forward = producer(relu.inputs[0], located);
  return forward.op.relu === 'output' ? forward : null;
}

/** Whether `mask` is needed for `node` only. */
function isOnlyFor(mask: Node, node: Node, located: readonly Located[]): boolean {
  let value = mask;
  while (!value.pinned && value.users.length === 1) {
    const [next] = value.users;
    if (next === node) return node.inputs.indexOf(value) === 0 && node.inputs.lastIndexOf(value) === 0;
    if (next.op.view === undefined || !isWhole(next, located[next.index])) return false;
    value = next;
  }
  return false;
}

function isGradientOf(node: Node, forward: Node, located: readonly Located[]): boolean {
  const [, x, ...rest] = node.inputs;
  const count = (forward.outs as NonNullable<Node['outs']>).length;
  const same = (a: Node, b: Node | undefined) =>
    a === b || (b !== undefined && producer(a, located) === producer(b, located));
  const isItem = (a: Node, index: number) => {
    const { op, inputs, attrs } = producer(a, located);
    return op.kind === 'item' && inputs[0] === forward && attrs['index'] === index;
  };
  if (!same(x, forward.inputs[0]) || node.attrs['eps'] !== forward.attrs['eps']) return false;
  for (let k = 1; k < count; k++) if (!isItem(rest[k - 1], k)) return false;
  const weight = rest[count - 1];
  return weight === undefined ? forward.inputs[1] === undefined : same(weight, forward.inputs[1]);
}
