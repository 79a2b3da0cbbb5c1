import { fullOp } from '../graph/leaves.js';
import { sameShape, sizeOf } from '../shape.js';
import type { Graph, Located, Node } from './ir.js';
import { isWhole } from './locate.js';
import { reductionShape } from './reduction.js';
import { isDense } from './views.js';

/** What one GEMM (or convolution) computes besides the product. `out` is the node whose value it stores. */
export interface Gemm {
  readonly product: Node;
  out: Node;
  bias: Node | null;
  activation: string;
  activationGrad: string;
  aux: Node | null;
  /** A SUM over the rows of `out`. */
  colsum: Node | null;
  /** The nodes it stands for, product first. */
  readonly members: Node[];
}

/** Batch, rows and columns of a product; leading axes of A become rows when B is shared, which changes no sum. */
export function gemmShape(product: Node): { batch: number; m: number; n: number; k: number } {
  const [a, b] = product.inputs;
  const transA = product.attrs['transA'] === true;
  const [m, n] = product.shape.slice(-2);
  const k = a.shape[a.shape.length - (transA ? 2 : 1)];
  const batch = sizeOf(product.shape.slice(0, -2));
  if (batch !== 1 && !transA && sizeOf(b.shape.slice(0, -2)) === 1 && sizeOf(a.shape) === batch * m * k) {
    return { batch: 1, m: batch * m, n, k };
  }
  return { batch, m, n, k };
}

/**
 * Folds into each product what follows it: + bias, activation, times an activation's derivative, column sums. A step is
 * folded only when nothing else needs the value before it; the kernel rounds after each, so bits stay.
 */
export function foldEpilogues(graph: Graph, located: readonly Located[]): Map<Node, Gemm> {
  const owner = new Map<Node, Gemm>();
  for (const node of graph.nodes) {
    const product = node.op.kind === 'matmul';
    if (!product && node.op.epilogue !== true) continue;
    const gemm: Gemm = {
      product: node,
      out: node,
      bias: null,
      activation: 'IDENTITY',
      activationGrad: 'IDENTITY',
      aux: null,
      colsum: null,
      members: [node],
    };
    if (graph.fuse) {
      while (absorb(gemm, located, owner)) gemm.members.push(gemm.out);
      if (product) gemm.colsum = findColsum(gemm, located, owner);
      if (gemm.colsum !== null) gemm.members.push(gemm.colsum);
    }
    for (const member of gemm.members) owner.set(member, gemm);
  }
  return owner;
}

/** Folds the only user of the value, if it can be; `gemm.out` is then that user. */
function absorb(gemm: Gemm, located: readonly Located[], owner: ReadonlyMap<Node, Gemm>): boolean {
  const value = throughReshapes(gemm.out, located);
  if (value.pinned || value.users.length !== 1) return false;
  const [next] = value.users;
  if (next.op.kind !== 'elementwise' || next.dtype !== value.dtype || owner.has(next)) return false;
  if (!sameShape(next.shape, value.shape)) return false;
  const early = gemm.activation === 'IDENTITY' && gemm.activationGrad === 'IDENTITY';
  if (next.op.micro === 'ADD' && early && gemm.bias === null) {
    const bias = next.inputs[0] === value ? next.inputs[1] : next.inputs[0];
    const { shape } = gemm.product;
    if (!isBias(bias, shape[shape.length - 1], next, located)) return false;
    gemm.bias = bias;
  } else if (next.op.activation !== undefined && early) {
    gemm.activation = next.op.activation;
  } else if (next.op.activationGrad !== undefined && gemm.activationGrad === 'IDENTITY') {
    const [g, y] = next.inputs;
    if (g !== value || y.dtype !== value.dtype || !sameShape(y.shape, value.shape) || isConstant(y, located))
      return false;
    if (!isWhole(y, located[y.index])) return false;
    gemm.activationGrad = next.op.activationGrad;
    gemm.aux = y;
  } else {
    return false;
  }
  gemm.out = next;
  return true;
}

/** The last of the reshapes of a value, each its only use: they change no memory. */
function throughReshapes(node: Node, located: readonly Located[]): Node {
  let value = node;
  while (!value.pinned && value.users.length === 1 && isReshape(value.users[0], located)) value = value.users[0];
  return value;
}

function isReshape(node: Node, located: readonly Located[]): boolean {
  return node.op.view !== undefined && located[node.index].base !== node && isWhole(node, located[node.index]);
}

/** A vector along the last axis, dense in memory. */
function isBias(bias: Node, n: number, sum: Node, located: readonly Located[]): boolean {
  const { base, view } = located[bias.index];
  if (bias.dtype !== sum.dtype || isConstant(bias, located) || sum.shape[sum.shape.length - 1] !== n) return false;
  if (bias.shape[bias.shape.length - 1] !== n || sizeOf(bias.shape) !== n) return false;
  return isDense(view) && sizeOf(base.shape) === n;
}

function isConstant(node: Node, located: readonly Located[]): boolean {
  return located[node.index].base.op === fullOp;
}

function findColsum({ product, out }: Gemm, located: readonly Located[], owner: ReadonlyMap<Node, Gemm>): Node | null {
  const { batch, m, n } = gemmShape(product);
  if (batch !== 1 || m === 0) return null; // a product without rows is no instruction
  for (const value of [out, ...out.users.filter((u) => isReshape(u, located))]) {
    for (const user of value.users) {
      if (user.op.reduction !== 'SUM' || user.dtype !== out.dtype || owner.has(user)) continue;
      const shape = reductionShape(value.shape, user.attrs['axes'] as readonly number[]);
      if (shape?.outer === 1 && shape.r === m && shape.inner === n) return user;
    }
  }
  return null;
}
