import { seed } from '../../src/graph/rng.js';
import { build } from '../../src/graph/tensor.js';
import * as ops from '../../src/ops/index.js';
import { randomOps } from '../../src/ops/random.js';
import { type Bound, float, type OpCase } from './case.js';

const SHAPES = [[], [0], [1], [3], [4], [5], [15, 1], [17], [63], [64], [65], [100_003]];

/** Every graph draws from the start of the stream, so that a case is the same numbers each time it is built. */
function drawn(make: (shape: readonly number[]) => ReturnType<typeof ops.uniform>, bound: Bound): OpCase[] {
  const run = (shape: readonly number[]) => () => {
    seed(12345);
    return make(shape);
  };
  return SHAPES.map((shape) => ({ name: `[${shape}]`, inputs: [], run: run(shape), bound }));
}

// The float32 kernel's log, sin and cos have 3 ulps each around a radius up to 6, and turns are exact.
const NORMAL: Bound = { count: 16, scale: () => ops.full([1], 6) };

export const randomCases = {
  uniform: [
    ...drawn((shape) => ops.uniform(shape), 'exact'),
    ...drawn((shape) => ops.uniform(shape, { low: -3, high: 5 }), { count: 2, scale: () => ops.full([1], 8) }),
  ],
  normal: [
    ...drawn((shape) => ops.normal(shape), NORMAL),
    ...drawn((shape) => ops.normal(shape, { mean: 1, std: 0.5 }), NORMAL),
  ],
  bernoulli: [0, 0.1, 0.5, 1].flatMap((p) => drawn((shape) => ops.bernoulli(shape, { p }), 'exact')),
  // The index is fixed: a gradient check builds the node many times and means one mask.
  dropout: [0, 0.25, 0.5, 1].flatMap((p) =>
    [[0], [1], [3], [17], [100_003]].map(
      (shape): OpCase => ({
        name: `[${shape}] p = ${p}`,
        inputs: [float(shape, 1, 2)],
        run: (x) => {
          seed(777);
          const { index } = ops.uniform([1]).attrs;
          return build(randomOps.dropout, [x], { p, index });
        },
        bound: { ulps: 1 },
      }),
    ),
  ),
} satisfies Record<keyof typeof randomOps, OpCase[]>;
