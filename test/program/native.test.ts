// The same programs on the native executor, when it is built: its verifier takes every program, and fused and op-by-op
// evaluation agree in every bit on every instruction set.
import { describe, expect, test } from 'vitest';
import { type DType, type HostArray, hostView, itemSize } from '../../src/dtype.js';
import type { ProgramSpec } from '../../src/program/index.js';
import type { NativeAddon } from '../../src/runtime/native.js';
import { sizeOf } from '../../src/shape.js';
import { bits, both, type Graph, type Values, valuesFor } from './harness.js';
import { cases, valuesOf } from './models.js';
import { isDefined, randomGraph } from './random-graphs.js';

const native: NativeAddon | null = await import('../../src/runtime/native.js').then(
  (m) => m.native,
  () => null,
);

interface Memory {
  readonly buffer: ArrayBuffer;
  readonly view: HostArray;
}

function memory(addon: NativeAddon, dtype: DType, n: number, values?: ArrayLike<number>): Memory {
  const buffer = new ArrayBuffer(n * itemSize(dtype) + 63);
  const view = hostView(dtype, buffer, addon.alignOffset(buffer), n);
  if (values !== undefined) view.set(values);
  return { buffer, view };
}

function runNative(addon: NativeAddon, spec: ProgramSpec, graph: Graph, values: Values): HostArray[] {
  const roots = graph.roots.map((t) => memory(addon, t.dtype, sizeOf(t.shape)));
  const writes = graph.writes.map(({ leaf, value }) =>
    memory(addon, value.dtype, sizeOf(value.shape), leaf === null ? undefined : values.get(leaf)),
  );
  const slots = spec.slots.map((slot): Memory => {
    switch (slot.kind) {
      case 'root':
        return roots[slot.root];
      case 'write':
        return writes[slot.write];
      case 'rng':
        return memory(addon, 'int32', 4, [7, 11, 3, 0]);
      case 'leaf':
      case 'feed': {
        const leaf = graph.nodes[slot.node];
        const cell = graph.writes.findIndex((w) => w.leaf === leaf);
        return cell >= 0 ? writes[cell] : memory(addon, leaf.dtype, sizeOf(leaf.shape), values.get(leaf));
      }
      default:
        return slot satisfies never;
    }
  });
  const failure = addon.run(
    addon.load(spec.words),
    slots.map((s) => s.buffer),
    1,
  );
  if (failure !== undefined) throw new Error(failure.message);
  return [...roots, ...writes].map((m) => m.view);
}

function compare(addon: NativeAddon, graph: Graph, values: Values, name: string): void {
  const { fused, eager } = both(graph);
  const [got, want] = [fused, eager].map((spec) => {
    try {
      return runNative(addon, spec, graph, values).map(bits);
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}\n${spec.listing}`, { cause: error });
    }
  });
  for (const [i, x] of got.entries()) expect(x, `${name}, result ${i}\n${fused.listing}`).toEqual(want[i]);
}

describe.skipIf(native === null)('native', () => {
  const addon = native as NativeAddon;
  for (const isa of native?.info().isas ?? []) {
    test(`${isa}: random graphs`, () => {
      addon.configure({ isa });
      for (const float of ['float32', 'float64'] as const) {
        for (let seed = 1; seed <= 300; seed++) {
          const graph = randomGraph(seed, float, 30);
          const values = valuesFor(graph, seed, seed % 2 === 0);
          if (isDefined(graph, values)) compare(addon, graph, values, `seed ${seed}`);
        }
      }
    });

    for (const name of Object.keys(cases)) {
      test(`${isa}: ${name}`, () => {
        addon.configure({ isa });
        const graph = cases[name]();
        compare(addon, graph, valuesOf(graph), name);
      });
    }
  }
});
