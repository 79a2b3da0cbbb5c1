import type { DType } from '../../src/dtype.js';
import { NeuriteError } from '../../src/errors.js';
import { inputLeaf } from '../../src/graph/leaves.js';
import type { State } from '../../src/graph/state.js';
import type { Tensor } from '../../src/graph/tensor.js';
import * as allOps from '../../src/ops/index.js';
import { type Shape, sizeOf } from '../../src/shape.js';
import { cell, evaluate, type Graph, random, traced } from './harness.js';

const ops = { ...allOps };
type Next = () => number;
const pick = <T>(next: Next, list: readonly T[]): T => list[Math.floor(next() * list.length)];

const UNARY = [
  'neg',
  'abs',
  'square',
  'exp',
  'tanh',
  'sigmoid',
  'relu',
  'floor',
  'softplus',
  'sign',
  'sqrt',
  'isNaN',
] as const;
const BINARY = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum'] as const;
const COMPARE = ['equal', 'less', 'greaterEqual', 'notEqual', 'logicalAnd'] as const;
const SHAPES: readonly Shape[] = [[], [3], [4, 3], [4, 1], [1, 3], [2, 4, 3], [3, 4], [3, 3], [0, 3], [1]];

/** One more node from the values there are; null when the drawn op does not fit them. */
function grow(next: Next, pool: readonly Tensor[], float: DType): Tensor | null {
  const x = pick(next, pool);
  const isFloat = x.dtype === 'float32' || x.dtype === 'float64';
  const y = pick(
    next,
    pool.filter((t) => t.dtype === x.dtype),
  );
  const rank = x.shape.length;
  switch (Math.floor(next() * 23)) {
    case 0:
    case 1:
    case 2:
      return isFloat ? ops[pick(next, UNARY)](x) : ops.cast(x, float);
    case 3:
    case 4:
    case 5:
    case 6:
      return x.dtype === 'bool' ? ops.logicalNot(x) : ops[pick(next, BINARY)](x, y);
    case 7:
      return x.dtype === 'bool'
        ? null
        : ops[pick(next, ['add', 'mul', 'sub', 'div'] as const)](x, pick(next, [0, 1, 2, -1, -0]));
    case 8:
      return ops[pick(next, COMPARE)](x, y);
    case 9: {
      const condition = pool.find((t) => t.dtype === 'bool');
      return condition === undefined || x.dtype === 'bool' ? null : ops.where(condition, x, y);
    }
    case 10:
      return ops.cast(x, pick(next, [float, 'int32', 'uint8', 'bool']));
    case 11: {
      const axis = Math.floor(next() * rank);
      return rank === 0 || x.dtype === 'bool' ? null : ops.sum(x, { axis, keepDims: next() < 0.5 });
    }
    case 12:
      return rank < 2 || x.dtype === 'bool' ? null : ops.sum(x, { axis: [0, rank - 1], keepDims: next() < 0.5 });
    case 13:
      return rank === 0 || sizeOf(x.shape) === 0 || !isFloat ? null : pick(next, [ops.max, ops.argmax])(x, { axis: 0 });
    case 14:
      return rank < 2 ? null : ops.transpose(x, 0, rank - 1);
    case 15:
      return ops.reshape(x, [sizeOf(x.shape)]);
    case 16:
      return rank === 0 || x.shape[0] < 2 ? null : ops.slice(x, [{ start: 1 }]);
    case 17:
      return rank === 0 ? null : ops.flip(x, [rank - 1]);
    case 18:
      return rank === 0 ? null : ops.concat([x, x], rank - 1);
    case 19:
      return rank === 0 || x.dtype === 'bool'
        ? null
        : ops.pad(
            x,
            x.shape.map(() => [1, 0] as const),
            { value: 2 },
          );
    case 20:
    case 21: {
      if (!isFloat || rank < 2 || y.shape.length < 2) return null;
      const [transA, transB] = [next() < 0.5, next() < 0.5];
      const k = x.shape[rank - (transA ? 2 : 1)];
      if (k !== y.shape[y.shape.length - (transB ? 1 : 2)]) return null;
      const product = ops.matmul(x, y, { transA, transB });
      const n = product.shape[product.shape.length - 1];
      const bias = pool.find((t) => t.dtype === x.dtype && t.shape.length === 1 && t.shape[0] === n);
      const sum = bias === undefined || next() < 0.3 ? product : ops.add(product, bias);
      const out = next() < 0.5 ? sum : ops[pick(next, ['relu', 'tanh', 'sigmoid'] as const)](sum);
      return next() < 0.3 ? ops.sum(out, { axis: 0 }) : out;
    }
    case 22: {
      if (rank === 0 || x.dtype === 'bool') return null;
      const axis = Math.floor(next() * rank);
      return pick(next, [
        () => ops.cumsum(x, { axis, reverse: next() < 0.5 }),
        () => ops.sort(x, { axis, descending: next() < 0.5 }),
        () => ops.gather(x, ops.argsort(x, { axis }), { axis }),
      ])();
    }
    default:
      return null;
  }
}

/** A graph of about `size` ops on leaves of all dtypes, some cells read and some replaced. */
export function randomGraph(seed: number, float: DType, size: number): Graph {
  const next = random(seed);
  const cells: State[] = [[4, 3], [3], [], [3, 3]].map((shape, i) => cell(shape, float, `cell${i}`));
  return traced(() => {
    const dtypes: DType[] = [float, float, float, 'int32', 'uint8', 'bool'];
    const pool = Array.from({ length: 6 }, (_, i) => inputLeaf(i, pick(next, SHAPES), pick(next, dtypes)));
    for (const c of cells) if (next() < 0.7) pool.push(c.read());
    for (let i = 0; i < size; i++) {
      let node: Tensor | null = null;
      try {
        node = grow(next, pool, float);
      } catch (error) {
        if (!(error instanceof NeuriteError)) throw error; // shapes that do not broadcast
      }
      if (node !== null && sizeOf(node.shape) < 500) pool.push(node);
    }
    for (const c of cells) {
      const fitting = pool.filter((t) => t.dtype === c.dtype && t.shape.join() === c.shape.join());
      if (fitting.length > 0 && next() < 0.7) c.assign(pick(next, fitting));
    }
    const roots = pool.slice(6).filter(() => next() < 0.25);
    return roots.length > 0 ? roots : [pool[pool.length - 1]];
  });
}

/** Casts of what no integer can hold are undefined; such graphs have no one answer. */
export function isDefined(graph: Graph, values: ReadonlyMap<Tensor, ArrayLike<number>>): boolean {
  const casts = graph.nodes.filter((n) => n.op.name === 'cast' && (n.dtype === 'int32' || n.dtype === 'uint8'));
  const inputs = { ...graph, roots: casts.map((n) => n.inputs[0]), writes: [] };
  return evaluate(inputs, values).roots.every((r) =>
    Array.from(r as ArrayLike<number>).every((x) => Math.abs(x) < 2 ** 31),
  );
}
