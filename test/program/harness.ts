import { type DType, type HostArray, hostView, itemSize } from '../../src/dtype.js';
import type { Aval, RefArray } from '../../src/graph/op.js';
import { State } from '../../src/graph/state.js';
import type { Tensor } from '../../src/graph/tensor.js';
import { graphState } from '../../src/graph/trace.js';
import { full } from '../../src/ops/index.js';
import { compileGraph, type GraphSpec, type ProgramSpec } from '../../src/program/index.js';
import { broadcastShapes, type Shape, sizeOf, stridesOf } from '../../src/shape.js';
import { interpret } from './interpret.js';

export type Graph = Pick<GraphSpec, 'nodes' | 'roots' | 'writes'>;

/** All nodes that `roots` need, inputs first. */
export function reachable(roots: readonly Tensor[]): Tensor[] {
  const seen = new Set(roots);
  for (const node of seen) for (const x of node.inputs) seen.add(x); // a Set visits what is added while it is walked
  return [...seen].sort((a, b) => a.id - b.id);
}

export function graphOf(roots: readonly Tensor[], writes: Graph['writes'] = []): Graph {
  const values = writes.map((w) => w.value);
  return { nodes: reachable([...roots, ...values]), roots: [...new Set(roots)], writes };
}

/** What `compile` records when it traces `fn`: roots are the tensors it returns, writes its assignments. */
export function traced(fn: () => readonly Tensor[]): Graph & { cells: State[] } {
  const trace = { startId: graphState.nextId, reads: new Map(), writes: new Map(), randomOps: 0, guards: [] };
  graphState.trace = trace;
  try {
    const roots = fn();
    const cells: State[] = [...trace.writes.keys()];
    const values = [...trace.writes.values()];
    const used = new Set(reachable([...roots, ...values]));
    const writes = cells.map((cell, i) => {
      const leaf = trace.reads.get(cell);
      return { leaf: leaf !== undefined && used.has(leaf) ? leaf : null, value: values[i] };
    });
    return { ...graphOf(roots, writes), cells };
  } finally {
    graphState.trace = null;
  }
}

/** A cell whose first value nobody computes: tests bind it. */
export function cell(shape: Shape, dtype: DType = 'float32', name = ''): State {
  const state = new State(full(shape, 0, { dtype }), name);
  graphState.pending.delete(state);
  return state;
}

export function both(graph: Graph): { fused: ProgramSpec; eager: ProgramSpec } {
  return {
    fused: compileGraph({ ...graph, rngBase: 0, fuse: true }),
    eager: compileGraph({ ...graph, rngBase: 0, fuse: false }),
  };
}

export interface Result {
  readonly roots: HostArray[];
  readonly writes: HostArray[];
}

/** Values of leaves by node. Missing ones are made up from a fixed generator. */
export type Values = ReadonlyMap<Tensor, ArrayLike<number>>;

export function array(dtype: DType, n: number): HostArray {
  return hostView(dtype, new ArrayBuffer(n * itemSize(dtype)), 0, n);
}

/** Binds and runs a program on the interpreter. */
export function run(spec: ProgramSpec, graph: Graph, values: Values): Result {
  const roots = graph.roots.map((t) => array(t.dtype, sizeOf(t.shape)));
  const written = graph.writes.map((w) => array(w.value.dtype, sizeOf(w.value.shape)));
  graph.writes.forEach(({ leaf }, i) => {
    if (leaf !== null) written[i].set(values.get(leaf) as ArrayLike<number>);
  });
  const cells = new Map(graph.writes.map((w, i) => [w.leaf, written[i]]));
  const slots = spec.slots.map((slot) => {
    switch (slot.kind) {
      case 'leaf':
      case 'feed': {
        const leaf = graph.nodes[slot.node];
        const cellArray = cells.get(leaf);
        if (cellArray !== undefined) return cellArray;
        const copy = array(leaf.dtype, sizeOf(leaf.shape));
        copy.set(values.get(leaf) as ArrayLike<number>);
        return copy;
      }
      case 'write':
        return written[slot.write];
      case 'root':
        return roots[slot.root];
      case 'rng':
        return Int32Array.of(7, 11, 3, 0);
      default:
        return slot satisfies never;
    }
  });
  try {
    interpret(spec.words, slots);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${spec.listing}`, { cause: error });
  }
  return { roots, writes: written };
}

/** A small generator, so that failures repeat (mulberry32). */
export function random(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Numbers for every leaf: small, with zeros of both signs; integers 0 … 3. `special` adds NaN and infinities. */
export function valuesFor(graph: Graph, seed = 1, special = false): Map<Tensor, number[]> {
  const next = random(seed);
  const values = new Map<Tensor, number[]>();
  const odd = special ? [0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] : [0, -0];
  for (const node of graph.nodes) {
    if (node.op.kind !== 'leaf' || node.op.name === 'full') continue;
    const one = (): number => {
      if (node.dtype === 'bool') return Number(next() < 0.5);
      if (node.dtype === 'int32' || node.dtype === 'uint8') return Math.floor(next() * 4);
      if (next() < 0.1) return odd[Math.floor(next() * odd.length)];
      const x = next() * 4 - 2;
      return node.dtype === 'float32' ? Math.fround(x) : x;
    };
    values.set(node, Array.from({ length: sizeOf(node.shape) }, one));
  }
  return values;
}

/** Elements as strings that tell -0 from 0 and take every NaN for one. */
export function bits(a: HostArray): string[] {
  return Array.from(a, (x) => (Object.is(x, -0) ? '-0' : String(x)));
}

/** Runs both programs; throws unless they agree in every bit. */
export function runBoth(graph: Graph, values: Values): Result & { fused: ProgramSpec; eager: ProgramSpec } {
  const { fused, eager } = both(graph);
  const [a, b] = [run(fused, graph, values), run(eager, graph, values)];
  for (const kind of ['roots', 'writes'] as const) {
    a[kind].forEach((x, i) => {
      const [got, want] = [bits(x), bits(b[kind][i])];
      const at = got.findIndex((v, j) => v !== want[j]);
      if (at >= 0) {
        throw new Error(
          `${kind}[${i}] element ${at}: fused ${got[at]}, eager ${want[at]}\n${fused.listing}\n${eager.listing}`,
        );
      }
    });
  }
  return { ...a, fused, eager };
}

/** The float64 oracle of every op, stored by dtype; float32 is not rounded. */
export function evaluate(graph: Graph, values: Values): Result {
  const results = new Map<Tensor, readonly RefArray[]>();
  for (const node of graph.nodes) {
    const { op } = node;
    const shape = node.shape;
    if (op.kind === 'leaf') {
      const data =
        op.name === 'full' ? new Float64Array(sizeOf(shape)).fill(node.attrs.value as number) : values.get(node);
      results.set(node, [{ data: Float64Array.from(data as ArrayLike<number>), shape }]);
      continue;
    }
    const inputs = node.inputs.map((x) => (results.get(x) as readonly RefArray[])[0]);
    if (op.kind === 'item') {
      results.set(node, [(results.get(node.inputs[0]) as readonly RefArray[])[node.attrs.index as number]]);
      continue;
    }
    const outs: readonly Aval[] = node.outs ?? [node];
    if (op.kind === 'elementwise') {
      results.set(node, [elementwise(op.reference as (...x: number[]) => number, inputs, node)]);
      continue;
    }
    type Whole = (inputs: readonly RefArray[], attrs: unknown, outs: readonly Aval[]) => RefArray | readonly RefArray[];
    const result = (op.reference as Whole)(inputs, node.attrs, outs);
    results.set(node, Array.isArray(result) ? (result as RefArray[]) : [result as RefArray]);
  }
  const of = (t: Tensor): HostArray => (results.get(t) as readonly RefArray[])[0].data;
  return { roots: graph.roots.map(of), writes: graph.writes.map((w) => of(w.value)) };
}

function elementwise(f: (...x: number[]) => number, inputs: readonly RefArray[], { shape, dtype }: Aval): RefArray {
  const full = broadcastShapes('evaluate', shape, ...inputs.map((x) => x.shape));
  const sources = inputs.map((x) => {
    const strides = stridesOf(x.shape);
    const lead = full.length - x.shape.length;
    return full.map((_, i) => (i < lead || x.shape[i - lead] === 1 ? 0 : strides[i - lead]));
  });
  const dense = stridesOf(full);
  const data = new Float64Array(sizeOf(full));
  for (let at = 0; at < data.length; at++) {
    const x = sources.map((strides, k) => {
      let offset = 0;
      for (let i = 0; i < full.length; i++) offset += (Math.floor(at / dense[i]) % full[i]) * strides[i];
      return inputs[k].data[offset];
    });
    const y = f(...x);
    data[at] =
      dtype === 'bool'
        ? Number(y !== 0)
        : dtype === 'int32'
          ? Math.trunc(y) | 0
          : dtype === 'uint8'
            ? Math.trunc(y) & 255
            : y;
  }
  return { data, shape };
}
