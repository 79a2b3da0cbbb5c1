import * as ops from '../../src/ops/index.js';
import { float, floats, ints, type OpCase } from './case.js';

const exact = (name: string, inputs: OpCase['inputs'], run: OpCase['run'], expected?: number[]): OpCase => ({
  name,
  inputs,
  run,
  bound: 'exact',
  ...(expected === undefined ? {} : { expected }),
});
const six = floats([1, 2, 3, 4, 5, 6], [2, 3]);
const four = floats([1, 2, 3, 4]);
const tied = floats([2, 5, 5, 1, 5, 0], [2, 3]);
const MODES = ['reflect', 'replicate', 'circular'] as const;
const PADDED = { reflect: [3, 2, 1, 2, 3, 2], replicate: [1, 1, 1, 2, 3, 3], circular: [2, 3, 1, 2, 3, 1] };

export const arrangeCases = {
  sliceRules: [
    exact('clamped', [four], (x) => ops.slice(x, [{ start: -9, end: 9 }]), [1, 2, 3, 4]),
    exact('past the end', [four], (x) => ops.slice(x, [{ start: 7, end: 9 }]), []),
    exact('backwards', [four], (x) => ops.slice(x, [{ step: -1 }]), [4, 3, 2, 1]),
    exact('backwards by two', [four], (x) => ops.slice(x, [{ step: -2 }]), [4, 2]),
    exact('backwards from and to', [four], (x) => ops.slice(x, [{ start: 2, end: 0, step: -1 }]), [3, 2]),
    exact('backwards to before the start', [four], (x) => ops.slice(x, [{ start: 1, end: -9, step: -1 }]), [2, 1]),
    exact('backwards from past the end', [four], (x) => ops.slice(x, [{ start: 9, step: -3 }]), [4, 1]),
    exact('the wrong way', [four], (x) => ops.slice(x, [{ start: 2, end: 1 }]), []),
    exact('two axes', [six], (x) => ops.slice(x, [{ step: -1 }, { start: -1, end: 0, step: -2 }]), [6, 3]),
    exact('of nothing', [floats([])], (x) => ops.slice(x, [{ step: -1 }]), []),
  ],
  index: [
    exact('row', [six], (x) => ops.index(x, 1), [4, 5, 6]),
    exact('column from the back', [six], (x) => ops.index(x, -1, 1), [3, 6]),
    exact('scalar', [four], (x) => ops.index(x, 2), [3]),
  ],
  takeAxis: [
    exact('columns', [six, ints([2, 0])], (x, i) => ops.take(x, i, { axis: 1 }), [3, 1, 6, 4]),
    exact('middle axis, matrix of indices', [float([2, 3, 2]), ints([2, 0, 1, 1], [2, 2])], (x, i) =>
      ops.take(x, i, { axis: 1 }),
    ),
    exact('scalar index', [six, ints([1], [])], (x, i) => ops.take(x, i, { axis: -1 }), [2, 5]),
  ],
  tile: [
    exact('vector', [floats([1, 2])], (x) => ops.tile(x, [2]), [1, 2, 1, 2]),
    exact('new axis', [floats([1, 2])], (x) => ops.tile(x, [2, 2]), [1, 2, 1, 2, 1, 2, 1, 2]),
    exact('fewer than axes', [six], (x) => ops.tile(x, [2]), [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6]),
    exact('none', [six], (x) => ops.tile(x, [0, 1]), []),
    exact('six axes', [float([1, 2, 1, 2, 1, 2])], (x) => ops.tile(x, [2, 1, 2, 1, 1, 1])),
  ],
  repeat: [
    exact('elements', [floats([1, 2])], (x) => ops.repeat(x, 2), [1, 1, 2, 2]),
    exact('columns', [floats([1, 2, 3, 4], [2, 2])], (x) => ops.repeat(x, 2, 1), [1, 1, 2, 2, 3, 3, 4, 4]),
    exact('none', [four], (x) => ops.repeat(x, 0), []),
  ],
  roll: [
    exact('known', [floats([1, 2, 3])], (x) => ops.roll(x, 1), [3, 1, 2]),
    exact('to the front, more than all', [floats([1, 2, 3])], (x) => ops.roll(x, -4), [2, 3, 1]),
    exact('flattened', [six], (x) => ops.roll(x, 2), [5, 6, 1, 2, 3, 4]),
    exact('two axes', [six], (x) => ops.roll(x, [1, -1], [0, 1]), [5, 6, 4, 2, 3, 1]),
    exact('of nothing', [floats([])], (x) => ops.roll(x, 1, 0), []),
  ],
  padModes: MODES.flatMap((mode) => [
    exact(`${mode} known`, [floats([1, 2, 3])], (x) => ops.pad(x, [[2, 1]], { mode }), PADDED[mode]),
    exact(`${mode} two axes`, [float([3, 4])], (x) =>
      ops.pad(
        x,
        [
          [1, 2],
          [3, 0],
        ],
        { mode },
      ),
    ),
    exact(`${mode} no widths`, [six], (x) => ops.pad(x, [[0, 0]], { mode }), [1, 2, 3, 4, 5, 6]),
  ]),
  ties: [
    ...[ops.max, ops.min].flatMap((fn) => [
      exact(`${fn.name} shared`, [tied], (x) => fn(x, { axis: 1, ties: 'share' })),
      exact(`${fn.name} summed`, [tied], (x) => fn(x, { ties: 'sum', keepDims: true })),
      { ...exact(`${fn.name} of distinct`, [six], (x) => fn(x, { axis: 0, ties: 'share' })), grad: true },
    ]),
  ].map((c) => ({ ...c, grad: c.name.endsWith('distinct') })),
  normOrders: [
    exact('0 counts', [floats([0, 3, -2])], (x) => ops.norm(x, { ord: 0 }), [2]),
    exact('-Infinity', [floats([3, -2, 4])], (x) => ops.norm(x, { ord: -Infinity }), [2]),
    ...[0.5, 3, -1, -2].map(
      (ord): OpCase => ({
        name: `${ord}`,
        inputs: [floats([3, -2, 4, 1], [2, 2])],
        run: (x) => ops.norm(x, { ord, axis: 1 }),
        // pow has 4 ulps and its result is raised to 1 / ord, which multiplies relative errors by it.
        bound: { ulps: 32, float64: 64 },
      }),
    ),
  ],
  renorm: [
    {
      name: 'known',
      inputs: [floats([3, 4, 0, 0.5], [2, 2])],
      run: (x) => ops.renorm(x, 1),
      // Five roundings; the sum with 1e-7 moves the norm by 2e-8 of itself.
      bound: { ulps: 5 },
      expected: [3 / 5.0000001, 4 / 5.0000001, 0, 0.5],
    },
    { name: 'columns', inputs: [float([3, 4])], run: (x) => ops.renorm(x, 1.5, { axis: 1 }), bound: { ulps: 16 } },
    { name: 'vector', inputs: [floats([3, -0.5])], run: (x) => ops.renorm(x, 1, { ord: 1 }), bound: { ulps: 5 } },
  ] satisfies OpCase[],
  histogram: [
    exact('known', [floats([1, 2, 1])], (x) => ops.histogram(x, { bins: 2, range: [0, 4] }).counts, [2, 1]),
    exact(
      'edges belong to the right, the last to the left',
      [floats([0, 1, 2, 3, -0.5, 3.5, NaN])],
      (x) => ops.histogram(x, { bins: 3, range: [0, 3] }).counts,
      [1, 1, 2],
    ),
    exact('edges', [floats([0, 1])], (x) => ops.histogram(x, { bins: 4 }).edges, [0, 0.25, 0.5, 0.75, 1]),
    exact('one value', [floats([2, 2])], (x) => ops.histogram(x, { bins: 2 }).counts, [0, 2]),
    exact(
      'weights',
      [floats([0, 1, 2]), floats([0.5, 2, 4])],
      (x, w) => ops.histogram(x, { bins: 2, weights: w }).counts,
      [0.5, 6],
    ),
    exact('density', [floats([0, 1, 1, 2])], (x) => ops.histogram(x, { bins: 2, density: true }).counts, [0.25, 0.75]),
    exact('large', [float([10_007], -3, 3)], (x) => ops.histogram(x, { bins: 64, range: [-3, 3] }).counts),
  ].map((c) => ({ ...c, grad: false })),
  bincount: [
    exact('known', [ints([0, 2, 2])], (x) => ops.bincount(x, 4), [1, 0, 2, 0]),
    exact('weights', [ints([0, 2, 2]), floats([1, 2, 3])], (x, weights) => ops.bincount(x, 3, { weights }), [1, 0, 5]),
    exact('nothing', [ints([])], (x) => ops.bincount(x, 2), [0, 0]),
  ],
} satisfies Record<string, OpCase[]>;
