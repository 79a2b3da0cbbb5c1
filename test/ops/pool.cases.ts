import { build, buildAll, type Tensor } from '../../src/graph/tensor.js';
import * as ops from '../../src/ops/index.js';
import { type Axes3, type PoolAttrs, poolOps } from '../../src/ops/pool.js';
import { float, floats, type Input, indices, ints, type OpCase } from './case.js';

/** Images, channels and windows; sizes of the result follow. */
interface Geometry {
  readonly n: number;
  readonly c: number;
  readonly size: Axes3;
  readonly kernel: Axes3;
  readonly stride?: Axes3;
  readonly pad?: Axes3;
  readonly dilation?: Axes3;
  readonly ceil?: boolean;
  readonly countIncludePad?: boolean;
  readonly divisor?: number;
}

const three = (f: (a: 0 | 1 | 2) => number): Axes3 => [f(0), f(1), f(2)];

function attrsOf(g: Geometry): PoolAttrs {
  const { size, kernel, stride = kernel, pad = [0, 0, 0], dilation = [1, 1, 1] } = g;
  const out = three((a) => {
    const free = size[a] + 2 * pad[a] - (kernel[a] - 1) * dilation[a] - 1;
    return (g.ceil ? Math.ceil(free / stride[a]) : Math.floor(free / stride[a])) + 1;
  });
  const { countIncludePad = false, divisor = 0 } = g;
  return { in: size, kernel, out, stride, padLow: pad, padHigh: pad, dilation, countIncludePad, divisor };
}

/** Channels around the vector widths; windows that touch, overlap, leave gaps, hang over the edge, lie in padding. */
const GEOMETRIES: readonly Geometry[] = [
  { n: 1, c: 2, size: [1, 2, 3], kernel: [1, 2, 2], stride: [1, 1, 1] },
  { n: 2, c: 1, size: [1, 1, 7], kernel: [1, 1, 3], stride: [1, 1, 2], pad: [0, 0, 1] },
  { n: 1, c: 1, size: [2, 3, 4], kernel: [2, 2, 2], stride: [1, 1, 2] },
  { n: 1, c: 3, size: [1, 2, 4], kernel: [1, 1, 2], stride: [1, 1, 3] },
  { n: 2, c: 6, size: [1, 28, 28], kernel: [1, 2, 2] },
  { n: 1, c: 17, size: [1, 9, 8], kernel: [1, 3, 3], stride: [1, 2, 2], pad: [0, 1, 1] },
  { n: 1, c: 64, size: [1, 31, 33], kernel: [1, 2, 2] },
  { n: 3, c: 15, size: [3, 4, 5], kernel: [2, 3, 2], stride: [1, 1, 1], pad: [1, 1, 1] },
  { n: 1, c: 33, size: [1, 10, 11], kernel: [1, 3, 2], stride: [1, 3, 2], pad: [0, 1, 0], ceil: true },
];
const DILATED: readonly Geometry[] = [
  { n: 1, c: 2, size: [1, 1, 6], kernel: [1, 1, 2], stride: [1, 1, 1], dilation: [1, 1, 3] },
  { n: 2, c: 5, size: [1, 9, 10], kernel: [1, 3, 3], stride: [1, 2, 1], pad: [0, 2, 1], dilation: [1, 2, 2] },
];
const AVERAGED: readonly Geometry[] = [
  { n: 1, c: 2, size: [1, 2, 5], kernel: [1, 2, 3], stride: [1, 1, 2], pad: [0, 0, 1], countIncludePad: true },
  { n: 1, c: 2, size: [1, 2, 4], kernel: [1, 2, 3], stride: [1, 1, 2], ceil: true, countIncludePad: true },
  { n: 1, c: 9, size: [1, 7, 7], kernel: [1, 4, 2], stride: [1, 3, 2], pad: [0, 1, 1], divisor: 3 },
];

const name = (g: Geometry) =>
  `[${[g.n, ...g.size, g.c]}] ${g.kernel}/${g.stride ?? g.kernel}+${g.pad ?? 0}${g.ceil ? ' ceil' : ''}${g.dilation ? ` x${g.dilation}` : ''}${g.countIncludePad ? ' all' : ''}${g.divisor ? ` /${g.divisor}` : ''}`;
const taps = ({ kernel }: Geometry) => kernel[0] * kernel[1] * kernel[2];
const images = (g: Geometry, salt = 1) => float([g.n, ...g.size, g.c], -2, 2, salt);
const windows = (g: Geometry, salt = 1) => float([g.n, ...attrsOf(g).out, g.c], -2, 2, salt);
function chosen(g: Geometry): Input {
  const shape = [g.n, ...attrsOf(g).out, g.c];
  const { values } = indices(
    shape.reduce((a, b) => a * b),
    taps(g),
    3,
  );
  return ints(values, shape, 'uint8');
}

/** No rounding at all, or (gradient) sums of as many values as windows overlap, each below 2. */
const EXACT = 'exact' as const;
const sums = (g: Geometry) => ({ count: taps(g) + 2, scale: () => ops.full([1], 2) });

/** Distinct values, so that differences of 1e-4 change no maximum. */
function spread(g: Geometry): Input {
  const shape = [g.n, ...g.size, g.c];
  const n = shape.reduce((a, b) => a * b);
  return { shape, dtype: 'float32', values: Array.from({ length: n }, (_, i) => (((i * 7919) % n) / n) * 4 - 2) };
}

export const poolCases = {
  maxPool: [
    ...[...GEOMETRIES, ...DILATED].map(
      (g): OpCase => ({
        name: name(g),
        inputs: [spread(g)],
        run: (x) => buildAll(poolOps.maxPool, [x], attrsOf(g)),
        bound: EXACT,
      }),
    ),
    {
      name: 'the first of equal values, NaN before all',
      inputs: [floats([3, 3, 1, NaN, 5, NaN, -Infinity, -Infinity], [1, 1, 1, 8, 1])],
      run: (x) =>
        [...buildAll(poolOps.maxPool, [x], attrsOf({ n: 1, c: 1, size: [1, 1, 8], kernel: [1, 1, 2] }))].reverse(),
      bound: EXACT,
      expected: [0, 1, 1, 0],
      grad: false,
    },
    {
      name: 'no images',
      inputs: [float([0, 1, 4, 4, 3])],
      run: (x) => buildAll(poolOps.maxPool, [x], attrsOf({ n: 0, c: 3, size: [1, 4, 4], kernel: [1, 2, 2] })),
      bound: EXACT,
    },
  ],
  maxPoolGrad: [...GEOMETRIES, ...DILATED].map(
    (g): OpCase => ({
      name: name(g),
      inputs: [windows(g), chosen(g)],
      run: (x, index) => build(poolOps.maxPoolGrad, [x, index], attrsOf(g)),
      bound: sums(g),
    }),
  ),
  maxPoolTake: [...GEOMETRIES, ...DILATED].map(
    (g): OpCase => ({
      name: name(g),
      inputs: [images(g), chosen(g)],
      run: (x, index) => build(poolOps.maxPoolTake, [x, index], attrsOf(g)),
      bound: EXACT,
    }),
  ),
  avgPool: [...GEOMETRIES, ...AVERAGED].map(
    (g): OpCase => ({
      name: name(g),
      inputs: [images(g)],
      run: (x) => build(poolOps.avgPool, [x], attrsOf(g)),
      bound: sums(g),
    }),
  ),
  avgPoolGrad: [...GEOMETRIES, ...AVERAGED].map(
    (g): OpCase => ({
      name: name(g),
      inputs: [windows(g)],
      run: (x) => build(poolOps.avgPoolGrad, [x], attrsOf(g)),
      bound: sums(g),
    }),
  ),
} satisfies Record<keyof typeof poolOps, OpCase[]>;

const WEIGHTED = { count: 24, scale: () => ops.full([1], 2) };
const resized = (shape: number[], options: Parameters<typeof ops.upsample>[1]): OpCase => ({
  name: `[${shape}] ${JSON.stringify(options)}`,
  inputs: [float(shape)],
  run: (x: Tensor) => ops.upsample(x, options),
  bound: WEIGHTED,
});

/** Functions made of them, and of matrix products. */
export const imageCases = {
  maxPool2d: [
    {
      name: 'known',
      inputs: [floats([1, 5, 2, 3, 4, 0], [1, 2, 3, 1])],
      run: (x) => ops.maxPool2d(x, 2, { stride: 1 }),
      bound: EXACT,
      expected: [5, 5],
    },
    {
      name: 'more taps than an index holds',
      inputs: [float([1, 17, 18, 2])],
      run: (x) => ops.maxPool2d(x, [16, 17], { stride: 1, padding: [1, 0] }),
      bound: EXACT,
    },
    {
      name: 'more taps on one axis than an index holds',
      inputs: [float([1, 2, 300, 2])],
      run: (x) => ops.maxPool2d(x, [2, 299], { stride: 1 }),
      bound: EXACT,
    },
  ],
  adaptiveAvgPool2d: [
    {
      name: 'uneven',
      inputs: [float([1, 3, 4, 2])],
      run: (x) => ops.adaptiveAvgPool2d(x, [2, 3]),
      bound: WEIGHTED,
    },
    { name: 'even', inputs: [float([1, 4, 2, 2])], run: (x) => ops.adaptiveAvgPool2d(x, [2, 1]), bound: WEIGHTED },
  ],
  adaptiveMaxPool2d: [
    { name: 'uneven', inputs: [float([1, 3, 4, 2])], run: (x) => ops.adaptiveMaxPool2d(x, [2, 3]), bound: EXACT },
  ],
  globalMaxPool: [
    { name: 'volume', inputs: [float([2, 2, 3, 2, 1])], run: (x) => ops.globalMaxPool(x), bound: EXACT },
    { name: '20 x 20', inputs: [float([1, 20, 20, 3])], run: (x) => ops.globalMaxPool(x), bound: EXACT },
  ],
  globalAvgPool: [{ name: 'sequence', inputs: [float([2, 4, 3])], run: (x) => ops.globalAvgPool(x), bound: WEIGHTED }],
  upsample: [
    resized([1, 2, 3, 2], { scaleFactor: 2 }),
    resized([1, 2, 3, 2], { size: [3, 5] }),
    resized([1, 2, 3, 2], { size: [3, 5], mode: 'bilinear' }),
    resized([1, 2, 3, 2], { size: [3, 1], mode: 'bilinear', alignCorners: true }),
    resized([2, 5, 2], { scaleFactor: 1.7, mode: 'linear' }),
    resized([1, 2, 2, 3, 1], { scaleFactor: 2, mode: 'trilinear', alignCorners: true }),
  ],
  pixelShuffle: [
    {
      name: 'known',
      inputs: [floats([1, 2, 3, 4], [1, 1, 1, 4])],
      run: (x) => ops.pixelShuffle(x, 2),
      bound: EXACT,
      expected: [1, 2, 3, 4],
    },
    {
      name: 'and back',
      inputs: [float([1, 2, 3, 4])],
      run: (x) => ops.sub(ops.pixelUnshuffle(ops.pixelShuffle(x, 2), 2), x),
      bound: EXACT,
    },
  ],
} satisfies Record<string, OpCase[]>;
