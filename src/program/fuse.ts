import type { DType } from '../dtype.js';
import { fullOp } from '../graph/leaves.js';
import { sameShape } from '../shape.js';
import type { Graph, Located, Node } from './ir.js';
import { MICRO_INTEGER, type MicroName } from './opcodes.gen.js';
import { constantOf } from './simplify.js';

/** Limits of one FUSED instruction (native/program/fused.cc checks the same). */
const MAX_INPUTS = 64;
export const MAX_CONSTANTS = 64;
const MAX_MICROS = 256;
const MAX_OUTPUTS = 64;

export type ComputeDType = 'float32' | 'float64' | 'int32';

/**
 * The register type an elementwise node computes in. Integers use float64 for what integer registers lack: it is exact. Logic
 * between booleans takes the type that most comparisons have, to stay in one group with them.
 */
export function computeDType(node: Node): ComputeDType {
  if (node.dtype === 'bool' && node.inputs.every((x) => x.dtype === 'bool')) return 'float32';
  let dtype: ComputeDType = 'int32';
  const meet = (d: DType) => {
    if (d === 'float64' || (d === 'float32' && dtype === 'int32')) dtype = d;
  };
  meet(node.dtype);
  for (const x of node.inputs) meet(x.dtype);
  const micro = node.op.micro as string;
  if (dtype === 'int32' && micro !== 'CAST' && !MICRO_INTEGER[micro as MicroName]) return 'float64';
  return dtype;
}

/** Micro-operations whose result is 0 or 1 whatever comes in. */
const BOOLEAN = new Set([
  'EQUAL',
  'NOT_EQUAL',
  'LESS',
  'LESS_EQUAL',
  'GREATER',
  'GREATER_EQUAL',
  'AND',
  'OR',
  'NOT',
  'IS_FINITE',
  'IS_NAN',
]);

/**
 * Whether the register holds exactly what a store and a load would give. Not so where the store converts: float64 to
 * float32 rounds, float to integer truncates, uint8 wraps. Such a value is read back from memory.
 */
function isExactInRegister(node: Node): boolean {
  if (node.dtype === 'bool') return BOOLEAN.has(node.op.micro as string) || node.op.micro === 'CAST';
  return node.dtype === computeDType(node);
}

/**
 * Elementwise nodes cut into groups, each one FUSED instruction, members in order.
 *
 * Each node has a depth, counted from the end: the most barriers on a path from it, where every edge that cannot stay in
 * registers is a barrier. Connected nodes of equal depth form a group. Depth never grows along an edge and falls at each
 * barrier, so no path leaves a group and comes back: there are no cycles, and nothing is computed twice.
 */
export function fuseGroups(graph: Graph, located: readonly Located[], absorbed: (node: Node) => boolean): Node[][] {
  const { nodes } = graph;
  const fusible = (node: Node) => node.op.kind === 'elementwise' && !absorbed(node);
  if (!graph.fuse) return nodes.filter(fusible).map((n) => [n]);

  const depth = new Int32Array(nodes.length);
  const parent = new Int32Array(nodes.length).map((_, i) => i);
  const find = (i: number): number => {
    while (parent[i] !== i) {
      parent[i] = parent[parent[i]];
      i = parent[i];
    }
    return i;
  };
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    const inRegisters = (user: Node) => fusible(node) && fusible(user) && canShareRegister(node, user);
    for (const user of node.users) depth[i] = Math.max(depth[i], depth[user.index] + (inRegisters(user) ? 0 : 1));
    for (const user of node.users) {
      if (depth[user.index] === depth[i] && inRegisters(user)) parent[find(user.index)] = find(i);
    }
  }
  const gather = (): Map<number, Node[]> => {
    const groups = new Map<number, Node[]>();
    for (const node of nodes) {
      if (!fusible(node)) continue;
      const root = find(node.index);
      const group = groups.get(root);
      if (group === undefined) groups.set(root, [node]);
      else group.push(node);
    }
    return groups;
  };
  // A group with one result that needs nothing later than its producer's inputs joins the producer: a loss and the start of
  // its gradient look at the same differences. Depths still fall along every edge between groups afterwards.
  const cells = new Set(graph.writes.map((w) => w.value));
  const early = [...gather().values()].sort((a, b) => depth[b[0].index] - depth[a[0].index]);
  for (const group of early) {
    const producer = producerOf(group, depth, located, fusible, find);
    if (producer === null || group.some((n) => cells.has(n)) || outputsOf(group).length !== 1) continue;
    for (const node of group) depth[node.index] = depth[producer.index];
    parent[find(group[0].index)] = find(producer.index);
  }
  return [...gather().values()].flatMap((g) => split(g, located));
}

/** An input in registers of another group, when all other inputs of this group exist before that group runs. */
function producerOf(
  group: readonly Node[],
  depth: Int32Array,
  located: readonly Located[],
  fusible: (node: Node) => boolean,
  find: (i: number) => number,
): Node | null {
  let producer: Node | null = null;
  const own = depth[group[0].index];
  for (const node of group) {
    for (const x of node.inputs) {
      if (depth[x.index] > own && fusible(x) && canShareRegister(x, node)) {
        if (producer === null || depth[x.index] < depth[producer.index]) producer = x;
      }
    }
  }
  if (producer === null) return null;
  const start = depth[producer.index];
  const root = find(producer.index);
  const members = new Set(group);
  const fits = (x: Node, user: Node): boolean => {
    if (members.has(x)) return true;
    if (fusible(x) && find(x.index) === root) return canShareRegister(x, user);
    return depth[x.index] > start || located[x.index].base.op.kind === 'leaf';
  };
  return group.every((n) => n.inputs.every((x) => fits(x, n))) ? producer : null;
}

function canShareRegister(node: Node, user: Node): boolean {
  return sameShape(node.shape, user.shape) && computeDType(node) === computeDType(user) && isExactInRegister(node);
}

/** Cuts a group at the limits of one instruction, in order, which makes no cycle either. */
function split(group: Node[], located: readonly Located[]): Node[][] {
  const parts: Node[][] = [];
  let part = new Set<Node>();
  let inputs = new Set<Node>();
  let constants = new Set<number | string>();
  for (const node of group) {
    const reads = node.inputs.filter((x) => !part.has(x));
    const literals = reads.map((x) => constantOf(located[x.index].base)).filter((c) => c !== null);
    if (node.dtype === 'bool') literals.push(0); // a cast to bool compares with it
    const nextInputs = new Set([...inputs, ...reads.filter((x) => located[x.index].base.op !== fullOp)]);
    const nextConstants = new Set([...constants, ...literals.map((c) => (Object.is(c, -0) ? '-0' : c))]);
    const fits = part.size < MAX_MICROS && nextInputs.size <= MAX_INPUTS && nextConstants.size <= MAX_CONSTANTS;
    if (fits || part.size === 0) {
      inputs = nextInputs;
      constants = nextConstants;
    } else {
      parts.push([...part]);
      part = new Set();
      inputs = new Set();
      constants = new Set();
      for (const x of node.inputs) {
        const c = constantOf(located[x.index].base);
        if (c === null) inputs.add(x);
        else constants.add(Object.is(c, -0) ? '-0' : c);
      }
    }
    part.add(node);
  }
  parts.push([...part]);
  return parts.flatMap(limitOutputs);
}

/** The members whose values are needed outside. */
export function outputsOf(group: readonly Node[]): Node[] {
  const members = new Set(group);
  return group.filter((n) => n.pinned || n.users.some((u) => !members.has(u)));
}

function limitOutputs(part: Node[]): Node[][] {
  if (part.length <= MAX_OUTPUTS || outputsOf(part).length <= MAX_OUTPUTS) return [part];
  const half = part.length >> 1;
  return [...limitOutputs(part.slice(0, half)), ...limitOutputs(part.slice(half))];
}
