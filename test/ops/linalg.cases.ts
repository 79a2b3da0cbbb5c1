import type { Tensor } from '../../src/graph/tensor.js';
import * as ops from '../../src/ops/index.js';
import type { linalgOps } from '../../src/ops/linalg.js';
import { type Bound, float, floats, ints, type OpCase } from './case.js';

/** A well-conditioned matrix from any: far from singular, as x is at most 1. */
const dominant = (x: Tensor) => {
  const n = x.shape.at(-1) as number;
  return ops.add(x, ops.mul(ops.eye(n, undefined, { dtype: x.dtype }), 4 + n));
};
const positive = (x: Tensor) => dominant(ops.matmul(x, x, { transB: true }));
/** Of order n with condition below 4: a residual of n roundings moves x by at most that. In float32 a factor is one rounding. */
const solved = (n: number): Bound => ({ count: 8 * n + 8, scale: (x) => ops.add(ops.mul(ops.sum(x), 0), 4) });

const BATCHES = [
  [1, 1],
  [3, 3],
  [2, 3, 3],
  [17, 17],
  [0, 2, 2],
];

export const linalgCases = {
  cholesky: [
    {
      name: 'known',
      inputs: [floats([4, 2, 2, 5], [2, 2])],
      run: ops.cholesky,
      bound: 'exact',
      expected: [2, 0, 1, 2],
      grad: false,
    },
    {
      name: 'the upper triangle is not read',
      inputs: [floats([4, NaN, 2, 5], [2, 2])],
      run: ops.cholesky,
      bound: 'exact',
      expected: [2, 0, 1, 2],
      grad: false,
    },
    ...BATCHES.map(
      (shape): OpCase => ({
        name: `[${shape}]`,
        inputs: [float(shape, -1, 1)],
        run: (x) => ops.cholesky(positive(x)),
        bound: { count: 16 * (shape.at(-1) as number) + 16, scale: (x) => ops.add(ops.mul(positive(x), 0), 8) },
      }),
    ),
  ],
  solve: [
    {
      name: 'known, rows exchanged',
      inputs: [floats([0, 2, 4, 0], [2, 2]), floats([2, 2])],
      run: (a, b) => ops.solve(a, b),
      bound: 'exact',
      expected: [0.5, 1],
    },
    ...BATCHES.map(
      (shape): OpCase => ({
        name: `[${shape}]`,
        inputs: [float(shape, -1, 1), float([...shape.slice(0, -1), 2], -1, 1)],
        run: (a, b) => ops.solve(dominant(a), b),
        bound: solved(shape.at(-1) as number),
      }),
    ),
    {
      name: 'batches broadcast',
      inputs: [float([3, 3], -1, 1), float([2, 3, 1], -1, 1)],
      run: (a, b) => ops.solve(dominant(a), b),
      bound: solved(3),
    },
    { name: 'inverse', inputs: [float([3, 3], -1, 1)], run: (a) => ops.inverse(dominant(a)), bound: solved(3) },
  ],
  solveTriangular: [
    {
      name: 'known',
      inputs: [floats([2, 0, 1, 4], [2, 2]), floats([2, 5])],
      run: (a, b) => ops.solveTriangular(a, b),
      bound: 'exact',
      expected: [1, 1],
    },
    ...[0, 1, 2, 3, 4, 5, 6, 7].map((bits): OpCase => {
      const options = { upper: (bits & 1) > 0, trans: (bits & 2) > 0, unitDiagonal: (bits & 4) > 0 };
      return {
        name: JSON.stringify(options),
        inputs: [float([2, 3, 3], -0.5, 0.5), float([2, 3, 2], -1, 1)],
        run: (a, b) => ops.solveTriangular(options.unitDiagonal ? a : dominant(a), b, options),
        bound: solved(3),
      };
    }),
    {
      name: 'n = 33',
      inputs: [float([33, 33], -1, 1), float([33, 5], -1, 1)],
      run: (a, b) => ops.solveTriangular(dominant(a), b),
      bound: solved(33),
    },
  ],
} satisfies Record<keyof typeof linalgOps, OpCase[]>;

const exact = (name: string, inputs: OpCase['inputs'], run: OpCase['run'], expected?: number[]): OpCase => ({
  name,
  inputs,
  run,
  bound: 'exact',
  ...(expected === undefined ? {} : { expected }),
});
const six = floats([1, 2, 3, 4, 5, 6], [2, 3]);

/** einsum against the sum of absolute products. */
const sumOf = (name: string, equation: string, shapes: number[][], terms: number): OpCase => ({
  name: `${name}: ${equation}`,
  inputs: shapes.map((s, i) => float(s, -1, 1, i + 1)),
  run: (...xs) => ops.einsum(equation, ...xs),
  bound: { count: 2 * terms + 2, scale: (...xs) => ops.einsum(equation, ...xs.map((x) => ops.abs(x))) },
});

export const matrixCases = {
  tril: [
    exact('known', [six], (x) => ops.tril(x), [1, 0, 0, 4, 5, 0]),
    exact('above', [six], (x) => ops.tril(x, 1), [1, 2, 0, 4, 5, 6]),
    exact('NaN above is dropped', [floats([1, NaN, 2, 3], [2, 2])], (x) => ops.tril(x), [1, 0, 2, 3]),
    exact('batch', [float([2, 3, 3])], (x) => ops.tril(x, -1)),
    exact('of nothing', [float([0, 3])], (x) => ops.tril(x)),
  ].map((c) => ({ ...c, grad: !c.name.startsWith('NaN') })),
  triu: [
    exact('known', [six], (x) => ops.triu(x), [1, 2, 3, 0, 5, 6]),
    exact('below', [six], (x) => ops.triu(x, -1), [1, 2, 3, 4, 5, 6]),
    exact('int32', [ints([1, 2, 3, 4], [2, 2])], (x) => ops.triu(x, 1), [0, 2, 0, 0]),
  ],
  diagonal: [
    exact('known', [six], (x) => ops.diagonal(x), [1, 5]),
    exact('above', [six], (x) => ops.diagonal(x, 1), [2, 6]),
    exact('far above', [six], (x) => ops.diagonal(x, 2), [3]),
    exact('below', [six], (x) => ops.diagonal(x, -1), [4]),
    exact('none', [six], (x) => ops.diagonal(x, 5), []),
    exact('batch of tall', [float([2, 5, 3])], (x) => ops.diagonal(x, -2)),
    exact('of a transpose', [six], (x) => ops.diagonal(ops.transpose(x), -1), [2, 6]),
  ],
  diag: [
    exact('known', [floats([1, 2])], (x) => ops.diag(x), [1, 0, 0, 2]),
    exact('above', [floats([1, 2])], (x) => ops.diag(x, 1), [0, 1, 0, 0, 0, 2, 0, 0, 0]),
    exact('below', [floats([1, 2])], (x) => ops.diag(x, -1), [0, 0, 0, 1, 0, 0, 0, 2, 0]),
    exact('NaN and infinity stay on it', [floats([NaN, Infinity])], (x) => ops.diag(x), [NaN, 0, 0, Infinity]),
    exact('of one', [floats([3])], (x) => ops.diag(x, 1), [0, 3, 0, 0]),
    exact('of nothing', [floats([])], (x) => ops.diag(x), []),
    exact('of nothing, above', [floats([])], (x) => ops.diag(x, 1), [0]),
    exact('of a matrix', [six], (x) => ops.diag(x), [1, 5]),
  ].map((c) => ({ ...c, grad: !c.name.startsWith('NaN') })),
  trace: [exact('known', [six], ops.trace, [6])],
  einsum: [
    sumOf(
      'matrix product',
      'ij,jk->ik',
      [
        [2, 3],
        [3, 4],
      ],
      3,
    ),
    sumOf(
      'implicit result',
      'ij,jk',
      [
        [2, 3],
        [3, 2],
      ],
      3,
    ),
    sumOf('trace', 'ii->', [[3, 3]], 3),
    sumOf('diagonal', 'ii->i', [[3, 3]], 1),
    sumOf('transpose', 'ij->ji', [[2, 3]], 1),
    sumOf('sum of all', 'ij->', [[2, 3]], 6),
    sumOf('outer', 'i,j->ij', [[2], [3]], 1),
    sumOf(
      'Hadamard',
      'ij,ij->ij',
      [
        [2, 3],
        [2, 3],
      ],
      1,
    ),
    sumOf(
      'batch',
      'bij,bjk->bik',
      [
        [2, 2, 3],
        [2, 3, 2],
      ],
      3,
    ),
    sumOf('summed away before', 'ij,k->i', [[2, 3], [4]], 12),
    sumOf('three', 'i,ij,j->', [[2], [2, 3], [3]], 6),
    sumOf(
      'three, kept',
      'bi,ij,bj->b',
      [
        [2, 2],
        [2, 3],
        [2, 3],
      ],
      6,
    ),
    sumOf(
      'rest',
      '...ij,...jk->...ik',
      [
        [2, 1, 2, 3],
        [3, 3, 2],
      ],
      3,
    ),
    sumOf('rest in front by default', '...ij->...ji', [[2, 2, 3]], 1),
    sumOf('rest of one operand', 'i...,i->...', [[2, 3], [2]], 2),
    sumOf('repeated letter', 'iij,j->i', [[2, 2, 3], [3]], 3),
    sumOf('scalars', ',->', [[], []], 1),
    sumOf(
      'large',
      'bij,bkj->bik',
      [
        [7, 33, 65],
        [7, 31, 65],
      ],
      65,
    ),
    exact('int32', [ints([1, 2, 3, 4], [2, 2]), ints([1, 1])], (a, b) => ops.einsum('ij,j->i', a, b), [3, 7]),
  ],
} satisfies Record<string, OpCase[]>;
