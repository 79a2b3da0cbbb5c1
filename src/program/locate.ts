import { sizeOf } from '../shape.js';
import type { Graph, Located, Node } from './ir.js';
import { denseView, isDense } from './views.js';

/**
 * Where each value lives: movement views compose into one window on the value they start from, until one cannot be
 * expressed on the window below it; then that one is copied first (it becomes a base of its own).
 */
export function locate(graph: Graph): Located[] {
  const located: Located[] = new Array(graph.nodes.length);
  for (const node of graph.nodes) {
    located[node.index] = (node.op.view !== undefined && locateView(graph, node, located)) || {
      base: node,
      view: denseView(node.shape),
    };
  }
  return located;
}

function locateView(graph: Graph, node: Node, located: readonly Located[]): Located | null {
  const view = node.op.view as NonNullable<Node['op']['view']>;
  const [x] = node.inputs;
  const below = located[x.index];
  if (graph.fuse) {
    const composed = view(below.view, node, node.attrs);
    if (composed !== null) return { base: below.base, view: composed };
  }
  const plain = view(denseView(x.shape), node, node.attrs);
  if (plain === null) throw new Error(`internal: ${node.op.name} has no view of a dense input`);
  // Op by op, only a view that changes no order (reshape) is free.
  if (!graph.fuse && !(isDense(plain) && sizeOf(node.shape) === sizeOf(x.shape))) return null;
  return isWhole(x, below) && isDense(plain) ? { base: below.base, view: plain } : { base: x, view: plain };
}

/** Whether the window is all of the base's memory in order, so that no copy is needed to have the value dense. */
export function isWhole(node: Node, { base, view }: Located): boolean {
  return isDense(view) && sizeOf(node.shape) === sizeOf(base.shape) && base.dtype === node.dtype;
}
