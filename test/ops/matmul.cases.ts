import type { Tensor } from '../../src/graph/tensor.js';
import * as ops from '../../src/ops/index.js';
import type { matmulOps } from '../../src/ops/matmul.js';
import { float, floats, type OpCase } from './case.js';

type Options = ops.MatmulOptions;

/** Error of k products summed in any order: k * eps * |A||B| (Higham, Accuracy and Stability, 3.5). */
function product(a: number[], b: number[], options: Options = {}): OpCase {
  const k = a.length === 1 ? a[0] : options.transA === true ? a[a.length - 2] : a[a.length - 1];
  const flags = `${options.transA === true ? 'T' : ''}·${options.transB === true ? 'T' : ''}`;
  return {
    name: `[${a}] ${flags} [${b}]`,
    inputs: [float(a, -1, 1, 3), float(b, -1, 1, 4)],
    run: (x, y) => ops.matmul(x, y, options),
    bound: { count: Math.max(1, k), scale: (x, y) => ops.matmul(ops.abs(x), ops.abs(y), options) },
  };
}

const [TA, TB, TT]: Options[] = [{ transA: true }, { transB: true }, { transA: true, transB: true }];
const affine = (x: number[], out: number): OpCase => {
  const k = x[x.length - 1];
  const scale = (t: Tensor, w: Tensor, b: Tensor) => ops.linear(ops.abs(t), ops.abs(w), ops.abs(b));
  return {
    name: `linear [${x}] to ${out}`,
    inputs: [float(x, -1, 1, 3), float([out, k], -1, 1, 4), float([out], -1, 1, 5)],
    run: (t, w, b) => ops.linear(t, w, b),
    bound: { count: k + 1, scale },
  };
};

export const matmulCases = {
  matmul: [
    {
      name: 'known',
      inputs: [floats([1, 2, 3, 4], [2, 2]), floats([1, 1], [2, 1])],
      run: (a, b) => ops.matmul(a, b),
      bound: 'exact',
      expected: [3, 7],
    },
    ...[{}, TA, TB, TT].map((o) => product([2, 2], [2, 2], o)),
    product([2, 3], [3, 4]),
    product([3, 2], [3, 4], TA),
    product([2, 3], [4, 3], TB),
    product([3, 2], [4, 3], TT),
    product([1, 1], [1, 1]),
    product([3], [3]),
    product([3], [3, 2]),
    product([2, 3], [3]),
    product([3], [2, 3, 2]),
    product([2, 2, 3], [3]),
    product([2, 2, 3], [2, 3, 2]),
    product([2, 1, 2, 2], [1, 2, 2, 1]),
    product([2, 3, 2], [2, 3, 2], TA),
    product([2, 2, 3], [2, 2, 3], TB),
    product([2, 3], [2, 3, 2]),
    product([2, 2, 3], [3, 2]),
    product([2, 3, 2], [3, 2], TA),
    product([0, 3], [3, 2]),
    product([2, 0], [0, 3]),
    product([2, 3], [3, 0]),
    product([0, 2, 3], [0, 3, 2]),
    ...[15, 16, 17, 31, 33, 64, 97].map((n) => product([n, n], [n, n])),
    ...[TA, TB, TT].flatMap((o) => [17, 48].map((n) => product([n, n], [n, n], o))),
    product([1, 257], [257, 129]),
    product([129, 257], [257, 1]),
    product([5, 1023], [1023, 7]),
    product([5, 1025], [7, 1025], TB),
    product([3, 4096], [3, 4096], TB),
    product([128, 784], [128, 784], TB),
    product([784, 128], [784, 10], TA),
    product([3, 33, 17], [3, 17, 31]),
    {
      name: 'of views',
      inputs: [float([3, 4]), float([5, 4])],
      run: (a, b) => ops.matmul(ops.slice(a, [{ start: 1 }]), ops.transpose(b)),
      bound: {
        count: 4,
        scale: (a, b) => ops.matmul(ops.slice(ops.abs(a), [{ start: 1 }]), ops.transpose(ops.abs(b))),
      },
    },
    {
      name: 'NaN and infinity pass',
      inputs: [floats([1, NaN, Infinity, 0], [2, 2]), floats([1, 0, 0, 1], [2, 2])],
      run: (a, b) => ops.matmul(a, b),
      bound: 'exact',
      expected: [NaN, NaN, Infinity, NaN],
      grad: false,
    },
    affine([3, 4], 2),
    affine([4], 2),
    affine([2, 2, 3], 2),
    affine([17, 33], 31),
    { name: 'dot', inputs: [floats([1, 2]), floats([3, 4])], run: ops.dot, bound: 'exact', expected: [11] },
    { name: 'outer', inputs: [floats([1, 2]), floats([3, 4])], run: ops.outer, bound: 'exact', expected: [3, 4, 6, 8] },
  ],
} satisfies Record<keyof typeof matmulOps, OpCase[]>;
