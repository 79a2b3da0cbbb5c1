import type { Tensor } from '../../src/graph/tensor.js';
import { build } from '../../src/graph/tensor.js';
import * as ops from '../../src/ops/index.js';
import { scanOps } from '../../src/ops/scan.js';
import { type Bound, float, floats, ints, type OpCase } from './case.js';

const SHAPES: [number[], number][] = [
  [[1], 0],
  [[7], -1],
  [[0], 0],
  [[3, 0], 0],
  [[2, 3, 2], 1],
  [[3, 4], 0],
  [[17, 33], 1],
  [[3, 300], 0],
];

/** In float32 sums are kept in double: one rounding of each result. In float64 as many as elements. */
const summed = (n: number, scale: (x: Tensor) => Tensor): Bound => ({ count: n + 1, scale });

function both(name: 'cumsum' | 'cumprod'): OpCase[] {
  const fn = name === 'cumsum' ? ops.cumsum : ops.cumprod;
  const scale = (x: Tensor, axis: number, reverse: boolean) => fn(ops.abs(x), { axis, reverse });
  return [false, true].flatMap((reverse) => [
    ...SHAPES.map(
      ([shape, axis]): OpCase => ({
        name: `[${shape}] along ${axis}${reverse ? ' from the end' : ''}`,
        inputs: [float(shape, -1.5, 1.5, shape.length)],
        run: (x) => fn(x, { axis, reverse }),
        bound: summed(shape.at(axis) as number, (x) => scale(x, axis, reverse)),
      }),
    ),
    {
      name: `with zeros${reverse ? ' from the end' : ''}`,
      inputs: [floats([2, 0, 3, 0, 4])],
      run: (x) => fn(x, { reverse }),
      bound: 'exact',
    } satisfies OpCase,
  ]);
}

export const scanCases = {
  cumsum: [
    ...both('cumsum'),
    { name: 'known', inputs: [floats([1, 2, 3])], run: (x) => ops.cumsum(x), bound: 'exact', expected: [1, 3, 6] },
    {
      name: 'int32 wraps',
      inputs: [ints([2 ** 31 - 1, 1])],
      run: (x) => ops.slice(ops.cumsum(x), [{ end: 1 }]),
      bound: 'exact',
      expected: [2 ** 31 - 1],
    },
    { name: 'bool counts', inputs: [ints([1, 0, 1], [3], 'bool')], run: (x) => ops.cumsum(x), bound: 'exact' },
    {
      name: 'of a transpose',
      inputs: [float([2, 3])],
      run: (x) => ops.cumsum(ops.transpose(x)),
      bound: summed(3, (x) => ops.cumsum(ops.abs(ops.transpose(x)))),
    },
    {
      name: 'infinity and NaN stay',
      inputs: [floats([1, Infinity, 2, NaN, 3])],
      run: (x) => ops.cumsum(x),
      bound: 'exact',
      expected: [1, Infinity, Infinity, NaN, NaN],
      grad: false,
    },
    {
      name: 'large',
      inputs: [float([100_003])],
      run: (x) => ops.cumsum(x),
      bound: summed(100_003, (x) => ops.cumsum(ops.abs(x))),
      grad: false,
    },
  ],
  cumprod: [
    ...both('cumprod'),
    { name: 'known', inputs: [floats([1, 2, 3])], run: (x) => ops.cumprod(x), bound: 'exact', expected: [1, 2, 6] },
    { name: 'int32', inputs: [ints([2, 3, 4])], run: (x) => ops.cumprod(x), bound: 'exact', expected: [2, 6, 24] },
  ],
  linearScan: [
    {
      name: 'known',
      inputs: [floats([1, 1, 1]), floats([7, 0.5, 2])],
      run: (b, a) => build(scanOps.linearScan, [b, a], { axis: 0, reverse: false }),
      bound: 'exact',
      expected: [1, 1.5, 4],
    },
    ...SHAPES.map(
      ([shape, at]): OpCase => ({
        name: `[${shape}] along ${at} from the end`,
        inputs: [float(shape, -1, 1, 3), float(shape, -1, 1, 4)],
        run: (b, a) => build(scanOps.linearScan, [b, a], { axis: at < 0 ? 0 : at, reverse: true }),
        bound: {
          count: 2 * (shape.at(at) as number) + 1,
          scale: (b, a) =>
            build(scanOps.linearScan, [ops.abs(b), ops.abs(a)], { axis: at < 0 ? 0 : at, reverse: true }),
        },
      }),
    ),
  ],
} satisfies Record<keyof typeof scanOps, OpCase[]>;
