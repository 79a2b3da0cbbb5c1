import { reachable } from '../../src/engine/collect.js';
import type { Tensor } from '../../src/graph/tensor.js';
import { compileGraph, type ProgramSpec } from '../../src/program/index.js';

/** The fused program that would compute what `build` returns. */
export function programOf(build: () => readonly Tensor[]): ProgramSpec {
  const roots = [...new Set(build())];
  return compileGraph({ nodes: reachable(roots), roots, writes: [], rngBase: 0, fuse: true });
}
