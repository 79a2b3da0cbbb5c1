import { createRequire } from 'node:module';
import { test, expect } from 'vitest';
import { randomGraph, isDefined } from './random.test.js';
import { cases } from './snapshots.test.js';
import { array, bits, both, valuesFor, type Graph, type Values } from './harness.js';
import { sizeOf } from '../../src/shape.js';
import { itemSize, hostView } from '../../src/dtype.js';
const native = createRequire(import.meta.url)('/work/main/build/Release/neurite.node');
function run(spec: any, graph: Graph, values: Values) {
  const alloc = (dtype: any, n: number) => { const b = new ArrayBuffer(n * itemSize(dtype) + 63); const off = native.alignOffset(b); return { b, v: hostView(dtype, b, off, n) }; };
  const roots = graph.roots.map((t) => alloc(t.dtype, sizeOf(t.shape)));
  const writes = graph.writes.map((w) => { const a = alloc(w.value.dtype, sizeOf(w.value.shape)); if (w.leaf) a.v.set(values.get(w.leaf) as any); return a; });
  const cells = new Map(graph.writes.map((w, i) => [w.leaf, writes[i]]));
  const slots = spec.slots.map((s: any) => {
    if (s.kind === 'write') return writes[s.write];
    if (s.kind === 'root') return roots[s.root];
    if (s.kind === 'rng') { const a = alloc('int32', 4); a.v.set([7, 11, 3, 0]); return a; }
    const leaf = graph.nodes[s.node];
    if (cells.get(leaf)) return cells.get(leaf);
    const a = alloc(leaf.dtype, sizeOf(leaf.shape)); a.v.set(values.get(leaf) as any); return a;
  });
  let p;
  try { p = native.load(spec.words); } catch (e) { throw new Error((e as Error).message + '\n' + spec.listing); }
  const f = native.run(p, slots.map((s: any) => s.b), 1);
  if (f) throw new Error(JSON.stringify(f) + '\n' + spec.listing);
  return { roots: roots.map((r) => r.v), writes: writes.map((r) => r.v) };
}
function compare(graph: Graph, values: Values, tag: string) {
  const { fused, eager } = both(graph);
  const a = run(fused, graph, values), b = run(eager, graph, values);
  for (const k of ['roots', 'writes'] as const) a[k].forEach((x, i) => {
    const g = bits(x), w = bits(b[k][i]); const at = g.findIndex((v, j) => v !== w[j]);
    if (at >= 0) throw new Error(`${tag} ${k}[${i}][${at}] fused ${g[at]} eager ${w[at]}\n${fused.listing}\n${eager.listing}`);
  });
}
for (const isa of native.info().isas) test(`native ${isa}`, () => {
  native.configure({ isa });
  let n = 0;
  for (const float of ['float32', 'float64'] as const) for (const special of [false, true]) for (let seed = 1; seed <= 1500; seed++) {
    const graph = randomGraph(seed, float, 30);
    const values = valuesFor(graph, seed, special);
    if (!isDefined(graph, values)) continue;
    compare(graph, values, `seed ${seed} ${float}`); n++;
  }
  for (const name of Object.keys(cases)) {
    const graph = cases[name]();
    const values = valuesFor(graph);
    for (const q of graph.nodes) if (q.dtype === 'int32' && q.shape.length === 1 && q.op.kind === 'leaf') values.set(q, new Array(q.shape[0]).fill(1));
    compare(graph, values, name);
  }
  console.log(isa, n);
}, 600000);
