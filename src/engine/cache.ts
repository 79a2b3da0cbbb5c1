import type { State } from '../graph/state.js';
import type { Tensor } from '../graph/tensor.js';
import { compileGraph, type GraphSpec, type ProgramSpec } from '../program/index.js';
import { type NativeProgram, native } from '../runtime/native.js';
import { KeyWriter } from './key.js';
import { settings } from './settings.js';

/** A verified program, ready to be bound. */
export interface LoadedProgram {
  readonly spec: ProgramSpec;
  readonly handle: NativeProgram;
  readonly key: Int32Array;
  readonly hash: number;
}

/** A cell to replace: `leaf` is its old value in the graph, null when that is not read. */
export interface Write {
  readonly cell: State;
  readonly leaf: Tensor | null;
  readonly value: Tensor;
}

const CAPACITY = 64;
const programs = new Map<number, LoadedProgram[]>();
const recent = new Set<LoadedProgram>();
let latest: LoadedProgram | null = null;
const writer = new KeyWriter();
const counts = { compiled: 0, evicted: 0, warned: false };

/** The program of a graph: from the cache when a graph of the same structure was compiled before. */
export function programFor(
  nodes: readonly Tensor[],
  roots: readonly Tensor[],
  writes: readonly Write[],
  rngBase: number,
): LoadedProgram {
  writeKey(nodes, roots, writes, rngBase);
  if (latest !== null && writer.equals(latest.key)) return latest; // a loop runs one program again and again
  const hash = writer.hash();
  const bucket = programs.get(hash);
  const hit = bucket?.find((p) => writer.equals(p.key));
  if (hit !== undefined) {
    recent.delete(hit);
    recent.add(hit);
    latest = hit;
    return hit;
  }
  const key = writer.copy();
  const loaded = { ...loadProgram({ nodes, roots, writes, rngBase, fuse: !settings.eager }), key, hash };
  if (bucket === undefined) programs.set(hash, [loaded]);
  else bucket.push(loaded);
  recent.add(loaded);
  latest = loaded;
  if (recent.size > CAPACITY) evict();
  return loaded;
}

/** Compiles without the cache (compile and scan keep their own programs). */
export function loadProgram(graph: GraphSpec): { spec: ProgramSpec; handle: NativeProgram } {
  counts.compiled++;
  const spec = compileGraph(graph);
  return { spec, handle: native.load(spec.words) };
}

export function programsCompiled(): number {
  return counts.compiled;
}

function writeKey(nodes: readonly Tensor[], roots: readonly Tensor[], writes: readonly Write[], rngBase: number): void {
  const first = nodes[0].mark; // marks number the nodes of the walk that made `nodes`, which was the last one
  writer.reset();
  writer.int(settings.eager ? 1 : 0);
  for (const node of nodes) writer.node(node, first, rngBase);
  writer.int(-1);
  for (const r of roots) writer.int(r.mark - first);
  for (const w of writes) {
    writer.int(-2);
    writer.int(w.leaf === null ? -1 : w.leaf.mark - first);
    writer.int(w.value.mark - first);
  }
}

function evict(): void {
  const [oldest] = recent;
  recent.delete(oldest);
  const left = (programs.get(oldest.hash) ?? []).filter((p) => p !== oldest);
  if (left.length === 0) programs.delete(oldest.hash);
  else programs.set(oldest.hash, left);
  counts.evicted++;
  if (counts.evicted > CAPACITY && !counts.warned) {
    counts.warned = true;
    process.emitWarning(
      `more than ${2 * CAPACITY} different programs were compiled; shapes or constants change from run to run. ` +
        'Keep batch shapes equal (dropLast) and pass changing numbers as tensors.',
      'NeuriteWarning',
    );
  }
}
