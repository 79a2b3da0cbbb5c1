import { buildAll, type Tensor } from '../../src/graph/tensor.js';
import { groupNormOps } from '../../src/ops/group-norm.js';
import * as ops from '../../src/ops/index.js';
import { normOps } from '../../src/ops/norm.js';
import { float, floats, type OpCase } from './case.js';

const EPS = 1e-5;
/** [rows, cols]: around the vector widths, slices of 64 and 128 rows, blocks of 4096 columns. */
const SHAPES = [
  [1, 2],
  [2, 3],
  [3, 5],
  [4, 4],
  [5, 15],
  [4, 16],
  [3, 17],
  [2, 33],
  [65, 31],
  [129, 7],
  [300, 64],
  [2, 5000],
  [97, 1031],
];
const AFFINE = ['none', 'weight', 'both'] as const;
const affine = (i: number) => AFFINE[i % 3];

/**
 * Values of size up to 4 about a mean of up to 1: the mean has n / 16 roundings or fewer, which the difference x - mean keeps
 * whole, and 1 / sqrt(variance + eps) half of those of the variance. Scale: the size of x over the deviation, times the weight.
 */
function forward(name: 'layerNorm' | 'batchNorm'): OpCase[] {
  const byRow = name === 'layerNorm';
  const axis = byRow ? 1 : 0;
  return SHAPES.filter(([rows]) => byRow || rows > 1).map(([rows, cols], i): OpCase => {
    const kind = affine(i);
    const params =
      kind === 'none' ? [] : [float([cols], 0.5, 2, 2), ...(kind === 'both' ? [float([cols], -1, 1, 3)] : [])];
    const n = byRow ? cols : rows;
    const spread = (x: Tensor) => ops.rsqrt(ops.add(ops.variance(x, { axis, correction: 0, keepDims: true }), EPS));
    return {
      name: `[${rows}, ${cols}] ${kind}`,
      inputs: [float([rows, cols], -2, 4, i + 1), ...params],
      run: (...x) => buildAll(normOps[name], x, { eps: EPS, affine: kind }),
      bound: {
        count: n + 16,
        scale: (x) => {
          const r = spread(x);
          const size = ops.add(ops.mul(ops.add(ops.mul(x, 0), 10), ops.add(r, ops.mul(ops.mul(r, r), 4))), 2);
          const flat = ops.add(
            ops.reshape(ops.mul(ops.add(r, ops.mul(r, ops.mul(r, r))), 0), [byRow ? rows : cols]),
            8,
          );
          const perGroup = byRow
            ? ops.add(flat, ops.reshape(ops.mul(ops.add(r, ops.mul(r, ops.mul(r, r))), 16), [rows]))
            : ops.mul(flat, 4);
          return [size, flat, perGroup];
        },
      },
    };
  });
}

/** Sums of n terms of size |g| |z| weight with z of a few units: n roundings of the largest of them, times rstd in dx. */
function backward(name: 'layerNormGrad' | 'batchNormGrad'): OpCase[] {
  const byRow = name === 'layerNormGrad';
  return SHAPES.map(([rows, cols], i): OpCase => {
    const weighted = i % 2 === 0;
    const groups = byRow ? rows : cols;
    return {
      name: `[${rows}, ${cols}]${weighted ? ' weight' : ''}`,
      inputs: [
        float([rows, cols], -1, 1, 1),
        float([rows, cols], -2, 2, 2),
        float([groups], -0.5, 0.5, 3),
        float([groups], 0.5, 1.5, 4),
        ...(weighted ? [float([cols], 0.5, 2, 5)] : []),
      ],
      run: (...x) => buildAll(normOps[name], x, { eps: EPS, affine: weighted ? 'weight' : 'none' }),
      // |z| <= 2.5 * 1.5, |h| <= 2, rstd <= 1.5: dx <= 1.5 (2 + 2 + 4 * 8); a column of dweight has terms up to 4.
      bound: {
        count: 16,
        scale: (g) => [
          ops.mul(ops.add(ops.mul(g, 0), byRow ? cols / 16 + 2 : rows / 16 + 2), 54),
          ops.full([1], 4 * (rows + 2)),
          ops.full([1], rows + 2),
        ],
      },
    };
  });
}

export const normCases = {
  layerNorm: [
    ...forward('layerNorm'),
    {
      name: 'known',
      inputs: [floats([1, 3, -2, 2], [2, 2])],
      run: (x) => ops.layerNorm(x, [2], { eps: 0 }),
      bound: { ulps: 2 },
      expected: [-1, 1, -1, 1],
    },
    {
      name: 'two axes',
      inputs: [float([2, 2, 3]), float([2, 3], 0.5, 2, 2), float([2, 3], -1, 1, 3)],
      run: (x, weight, bias) => ops.layerNorm(x, [2, 3], { weight, bias }),
      bound: { count: 32, scale: () => ops.full([1], 8) },
    },
    // The mean is a million times the deviation: E[x^2] - E[x]^2 would lose everything.
    {
      name: 'far from zero',
      inputs: [floats([1_000_001, 999_999], [1, 2])],
      run: (x) => ops.layerNorm(x, [2], { eps: 0 }),
      bound: { ulps: 2 },
      expected: [1, -1],
      grad: false,
    },
    {
      name: 'NaN stays in its row',
      inputs: [floats([1, NaN, 1, 3], [2, 2])],
      run: (x) => ops.layerNorm(x, [2], { eps: 0 }),
      bound: { ulps: 2 },
      expected: [NaN, NaN, -1, 1],
      grad: false,
    },
    {
      name: 'no rows',
      inputs: [float([0, 3])],
      run: (x) => ops.layerNorm(x, [3]),
      bound: 'exact',
    },
  ],
  layerNormGrad: backward('layerNormGrad'),
  rmsNorm: [
    // |x| <= 4, the sum of squares has cols / 16 roundings or fewer, of which the root keeps half; one each for root, product.
    ...SHAPES.map(
      ([rows, cols], i): OpCase => ({
        name: `[${rows}, ${cols}]${i % 2 === 0 ? ' weight' : ''}`,
        inputs: [float([rows, cols], -2, 4, i + 1), ...(i % 2 === 0 ? [float([cols], 0.5, 2, 2)] : [])],
        run: (...x) => buildAll(normOps.rmsNorm, x, { eps: EPS, affine: i % 2 === 0 ? 'weight' : 'none' }),
        bound: {
          count: cols / 16 + 8,
          scale: (...x) =>
            buildAll(normOps.rmsNorm, x, { eps: EPS, affine: i % 2 === 0 ? 'weight' : 'none' }).map(ops.abs),
        },
      }),
    ),
    {
      name: 'known',
      inputs: [floats([3, 4, -6, 8], [2, 2])],
      run: (x) => ops.rmsNorm(x, [2], { eps: 0 }),
      bound: { ulps: 2 },
      expected: [0.6 * Math.SQRT2, 0.8 * Math.SQRT2, -0.6 * Math.SQRT2, 0.8 * Math.SQRT2],
    },
    {
      name: 'two axes',
      inputs: [float([2, 2, 3]), float([2, 3], 0.5, 2, 2)],
      run: (x, weight) => ops.rmsNorm(x, [2, 3], { weight }),
      bound: { count: 16, scale: () => ops.full([1], 6) },
    },
    {
      name: 'of zeros',
      inputs: [floats([0, 0], [1, 2])],
      run: (x) => ops.rmsNorm(x, [2]),
      bound: 'exact',
      expected: [0, 0],
      // The slope there is 1 / sqrt(eps), and differences reach beyond it.
      grad: false,
    },
    {
      name: 'NaN stays in its row',
      inputs: [floats([1, NaN, 1, 1], [2, 2])],
      run: (x) => ops.rmsNorm(x, [2], { eps: 0 }),
      bound: { ulps: 2 },
      expected: [NaN, NaN, 1, 1],
      grad: false,
    },
    { name: 'no rows', inputs: [float([0, 3])], run: (x) => ops.rmsNorm(x, [3]), bound: 'exact' },
  ],
  rmsNormGrad: SHAPES.map(([rows, cols], i): OpCase => {
    const weighted = i % 2 === 0;
    return {
      name: `[${rows}, ${cols}]${weighted ? ' weight' : ''}`,
      inputs: [
        float([rows, cols], -1, 1, 1),
        float([rows, cols], -2, 2, 2),
        float([rows], 0.5, 1.5, 4),
        ...(weighted ? [float([cols], 0.5, 2, 5)] : []),
      ],
      run: (...x) => buildAll(normOps.rmsNormGrad, x, { eps: EPS, affine: weighted ? 'weight' : 'none' }),
      // As of layerNormGrad, without the mean.
      bound: {
        count: 16,
        scale: (g) => [ops.mul(ops.add(ops.mul(g, 0), cols / 16 + 2), 54), ops.full([1], 4 * (rows + 2))],
      },
    };
  }),
  batchNorm: [
    ...forward('batchNorm'),
    {
      name: 'known',
      inputs: [floats([1, -2, 3, 2], [2, 2])],
      run: (x) => ops.batchNorm(x, { eps: 0 }).y,
      bound: { ulps: 2 },
      expected: [-1, -1, 1, 1],
    },
    {
      name: 'rank 3',
      inputs: [float([2, 2, 3]), float([3], 0.5, 2, 2), float([3], -1, 1, 3)],
      run: (x, weight, bias) => Object.values(ops.batchNorm(x, { weight, bias })),
      bound: { count: 32, scale: () => [ops.full([1], 16), ops.full([1], 4), ops.full([1], 8)] },
    },
    {
      name: 'far from zero',
      inputs: [floats([1_000_001, 999_999], [2, 1])],
      run: (x) => ops.batchNorm(x, { eps: 0 }).y,
      bound: { ulps: 2 },
      expected: [1, -1],
      grad: false,
    },
  ],
  batchNormGrad: backward('batchNormGrad'),
} satisfies Record<keyof typeof normOps, OpCase[]>;

/** Values up to 4: the mean and the root of up to 45 of them, as of layerNorm. */
const grouped = (shape: number[], groups: number, affine = false): OpCase => ({
  name: `[${shape}] in ${groups}${affine ? ', affine' : ''}`,
  inputs: [
    float(shape, -2, 4, groups),
    ...(affine ? [float([shape.at(-1) as number], 0.5, 2, 2), float([shape.at(-1) as number], -1, 1, 3)] : []),
  ],
  run: (x, weight, bias) => ops.groupNorm(x, groups, affine ? { weight, bias } : {}),
  bound: { count: 64, scale: () => ops.full([1], 16) },
});

/** One position a sample is layer norm's; a bias alone gets ones for its weight. */
export const groupedRowCases = {
  'groupNorm of rows': [
    grouped([2, 4], 1),
    grouped([3, 6], 2, true),
    {
      name: 'bias alone',
      inputs: [float([2, 3, 4], -2, 4, 1), float([4], -1, 1, 2)],
      run: (x, bias) => ops.groupNorm(x, 2, { bias }),
      bound: { count: 64, scale: () => ops.full([1], 16) },
    },
  ],
} satisfies Record<string, OpCase[]>;

export const groupNormCases = {
  groupNorm: [
    {
      name: 'known',
      inputs: [floats([1, 3, 5, 9, 1, 3, 5, 9], [1, 2, 4])],
      run: (x) => ops.groupNorm(x, 2, { eps: 0 }),
      bound: { ulps: 2 },
      expected: [-1, 1, -1, 1, -1, 1, -1, 1],
    },
    grouped([2, 3, 4], 2, true),
    grouped([1, 2, 2, 4], 4),
    grouped([3, 5, 3, 6], 3, true),
    grouped([2, 7, 5], 5),
    grouped([0, 3, 4], 2),
    grouped([2, 300, 6], 3, true),
    grouped([3, 9, 9, 66], 2, true),
  ],
  // |z| <= 2.5 * 1.5, |h| <= 2, rstd <= 1.5, as of layerNormGrad: dx <= 54; a column of dweight has terms up to 4.
  groupNormGrad: (
    [
      [1, 2, 4, 2],
      [2, 3, 2, 1],
      [2, 2, 3, 3],
      [3, 300, 6, 2],
      [2, 70, 33, 3],
      [4, 140, 64, 8],
    ] as const
  ).map(([n, positions, channels, groups], i): OpCase => {
    const kind = i % 2 === 0 ? 'weight' : 'none';
    return {
      name: `[${n}, ${positions}, ${channels}] in ${groups} ${kind}`,
      inputs: [
        float([n, positions, channels], -1, 1, 1),
        float([n, positions, channels], -2, 2, 2),
        float([n, groups], -0.5, 0.5, 3),
        float([n, groups], 0.5, 1.5, 4),
        ...(kind === 'weight' ? [float([channels], 0.5, 2, 5)] : []),
      ],
      run: (...x) => buildAll(groupNormOps.groupNormGrad, x, { eps: EPS, affine: kind, groups }),
      bound: {
        count: 16 + positions / 8,
        scale: (g) => [ops.mul(ops.add(ops.mul(g, 0), 1), 54), ops.full([1], 4 * n), ops.full([1], n)],
      },
    };
  }),
} satisfies Record<keyof typeof groupNormOps, OpCase[]>;
