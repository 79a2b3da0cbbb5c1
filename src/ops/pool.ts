import type { FloatDType } from '../dtype.js';
import type { RefArray } from '../graph/op.js';
import { type Attrs, build, buildAll, itemOf, type Tensor } from '../graph/tensor.js';
import { type Shape, sizeOf } from '../shape.js';
import { gather } from './along.js';
import { equal, where } from './compare.js';
import { full, iota } from './create.js';
import { checkDType, defineOp, forEachCoordinate } from './define.js';
import { add, div, maximum, minimum, mul, sub } from './elementwise.js';
import { scatterAdd, take } from './gather.js';
import { broadcastTo, expandDims, pad, permute, reshape, slice } from './movement.js';
import { cast } from './operand.js';
import { argmax, sum } from './reduce.js';

/** Sizes by depth, height and width. */
export type Axes3 = readonly [number, number, number];

/**
 * Attributes of the records, whose images are [n, depth, height, width, c]. A window stands at out * stride - padLow. Maxima have
 * `dilation`, averages are divided by `divisor`, or when it is 0 by the positions in the image and, with countIncludePad, in the
 * padding.
 */
export type PoolAttrs = {
  readonly in: Axes3;
  readonly kernel: Axes3;
  readonly out: Axes3;
  readonly stride: Axes3;
  readonly padLow: Axes3;
  readonly padHigh: Axes3;
  readonly dilation: Axes3;
  readonly countIncludePad: boolean;
  readonly divisor: number;
};

const attrsOf = (attrs: Attrs) => attrs as unknown as PoolAttrs;
const AXES = [0, 1, 2] as const;

/** Calls visit(element of the window's image, element of [n, out..., c], tap) for every tap inside, windows and taps in order. */
function eachTap([n, , , , c]: Shape, attrs: PoolAttrs, visit: (from: number, to: number, tap: number) => void): void {
  const { in: size, kernel, out, stride, padLow, dilation } = attrs;
  let to = 0;
  forEachCoordinate([n, ...out, c], ([image, oz, oy, ox, channel]) => {
    const o = [oz, oy, ox];
    forEachCoordinate(kernel, (k, tap) => {
      const at = AXES.map((a) => o[a] * stride[a] - padLow[a] + k[a] * dilation[a]);
      if (AXES.some((a) => at[a] < 0 || at[a] >= size[a])) return;
      visit((((image * size[0] + at[0]) * size[1] + at[1]) * size[2] + at[2]) * c + channel, to, tap);
    });
    to++;
  });
}

/** What the sum of the window at `o` is multiplied by. */
function shareAt(attrs: PoolAttrs, o: readonly number[]): number {
  const { in: size, kernel, stride, padLow, padHigh, countIncludePad, divisor } = attrs;
  if (divisor > 0) return 1 / divisor;
  const counts = AXES.map((a) => {
    const start = o[a] * stride[a] - padLow[a];
    const end = Math.min(start + kernel[a], size[a] + (countIncludePad ? padHigh[a] : 0));
    return end - (countIncludePad ? start : Math.max(0, start));
  });
  return 1 / sizeOf(counts);
}

/** Shares of all windows in the order of [n, out..., c]. */
function sharesOf([n, , , , c]: Shape, attrs: PoolAttrs): Float64Array {
  const shares = new Float64Array(n * sizeOf(attrs.out) * c);
  forEachCoordinate([n, ...attrs.out, c], ([, ...o], i) => {
    shares[i] = shareAt(attrs, o);
  });
  return shares;
}

/** The same from fine ops: [out..., 1]. */
function shares(like: Tensor, attrs: PoolAttrs): Tensor {
  const { in: size, kernel, out, stride, padLow, padHigh, countIncludePad, divisor } = attrs;
  const dtype = like.dtype as FloatDType;
  if (divisor > 0) return full([1], 1 / divisor, { dtype });
  const counts = AXES.map((a) => {
    const start = iota(out[a], { start: -padLow[a], step: stride[a], dtype });
    const end = minimum(add(start, kernel[a]), size[a] + (countIncludePad ? padHigh[a] : 0));
    const count = sub(end, countIncludePad ? start : maximum(start, 0));
    return reshape(
      count,
      [0, 1, 2, 3].map((b) => (a === b ? out[a] : 1)),
    );
  });
  return div(1, mul(mul(counts[0], counts[1]), counts[2]));
}

/** Position of tap k of window o on an axis of the padded image: [out, kernel]. */
function tapIndex({ kernel, out, stride, dilation }: PoolAttrs, a: number): Tensor {
  return add(mul(expandDims(iota(out[a]), 1), stride[a]), mul(iota(kernel[a]), dilation[a]));
}

/** Size of the padded image of `windowsOf` on an axis. */
function reach({ in: size, kernel, out, stride, padLow, dilation }: PoolAttrs, a: number): number {
  return Math.max(size[a] + padLow[a], (out[a] - 1) * stride[a] + (kernel[a] - 1) * dilation[a] + 1);
}

/** Values of every tap: [n, out..., c, taps], `fill` outside the image. */
export function windowsOf(x: Tensor, attrs: PoolAttrs, fill: number): Tensor {
  const { in: size, kernel, out, padLow } = attrs;
  const around = AXES.map((a): [number, number] => [padLow[a], reach(attrs, a) - size[a] - padLow[a]]);
  let t = pad(x, [[0, 0], ...around], { value: fill });
  for (const a of AXES) t = take(t, tapIndex(attrs, a), { axis: 1 + 2 * a });
  return reshape(permute(t, [0, 1, 3, 5, 7, 2, 4, 6]), [x.shape[0], ...out, x.shape[4], sizeOf(kernel)]);
}

/** Adjoint of `windowsOf`: adds the values of taps up where they came from. */
function imagesOf(values: Tensor, attrs: PoolAttrs): Tensor {
  const { in: size, kernel, out, padLow } = attrs;
  const [n, c] = [values.shape[0], values.shape[4]];
  let t = permute(reshape(values, [n, ...out, c, ...kernel]), [1, 5, 2, 6, 3, 7, 0, 4]);
  // Each pass turns the first axis' windows and taps into places and moves them behind the others.
  for (const a of AXES) {
    const places = scatterAdd(reach(attrs, a), tapIndex(attrs, a), t);
    const rank = places.shape.length;
    t = permute(
      places,
      places.shape.map((_, i) => (i + 1) % rank),
    );
  }
  // [n, c, depth, height, width]
  const inside = AXES.map((a) => ({ start: padLow[a], end: padLow[a] + size[a] }));
  return permute(slice(t, [{}, {}, ...inside]), [0, 2, 3, 4, 1]);
}

const maxWords = ({ in: size, kernel, out, stride, padLow, dilation }: PoolAttrs, x: Shape) => [
  x[0],
  x[4],
  ...[size, kernel, out, stride, padLow, dilation].flat(),
];
const avgWords = (
  { in: size, kernel, out, stride, padLow, padHigh, countIncludePad, divisor }: PoolAttrs,
  x: Shape,
) => [x[0], x[4], ...[size, kernel, out, stride, padLow, padHigh].flat(), Number(countIncludePad), divisor];

const windowShape = (x: Shape, attrs: Attrs): Shape => [x[0], ...attrsOf(attrs).out, x[4]];
const imageShape = (g: Shape, attrs: Attrs): Shape => [g[0], ...attrsOf(attrs).in, g[4]];

/** Samples of `vmap` are more images. */
const batchImages: NonNullable<Parameters<typeof defineOp>[1]['batch']> = ({
  op,
  inputs,
  samples,
  full: all,
  size,
  attrs,
}) => {
  const joined = inputs.map((_, i) => {
    const t = all(i);
    return reshape(t, [size * t.shape[1], ...t.shape.slice(2)]);
  });
  const node = build(op, joined, attrs);
  const outs = node.outs === null ? [node] : node.outs.map((_, k) => itemOf(node, k));
  const apart = outs.map((y) => reshape(y, [size, samples[0].shape[0], ...y.shape.slice(1)]));
  return node.outs === null ? apart[0] : apart;
};

const picked = (index: Tensor) => expandDims(cast(index, 'int32'), 5);

/**
 * Records of pooling. The index of a maximum is the tap's number in its window, of which there are at most 255. The gradient of
 * the maximum and its adjoint `maxPoolTake`, and the average and its gradient, are each other's rules: every order exists.
 */
export const poolOps = {
  /** [y, index (uint8)] */
  maxPool: defineOp('maxPool', {
    kind: 'coarse',
    optionalOutputs: true,
    batch: batchImages,
    infer: ([x], attrs) => {
      checkDType('maxPool', x.dtype, 'float');
      const shape = windowShape(x.shape, attrs);
      return [
        { shape, dtype: x.dtype },
        { shape, dtype: 'uint8' },
      ];
    },
    vjp: ({ gs: [g], outs: [, index], attrs }) => [g === null ? null : one('maxPoolGrad', [g, index], attrs)],
    reference: ([x], attrs, [{ shape }]): RefArray[] => {
      const y = new Float64Array(sizeOf(shape)).fill(-Infinity);
      const index = new Float64Array(y.length);
      const seen = new Uint8Array(y.length);
      eachTap(x.shape, attrsOf(attrs), (from, to, tap) => {
        const v = x.data[from];
        if (seen[to] !== 0 && !(v > y[to] || (Number.isNaN(v) && !Number.isNaN(y[to])))) return;
        [seen[to], y[to], index[to]] = [1, v, tap];
      });
      return [
        { data: y, shape },
        { data: index, shape },
      ];
    },
    lower: ({ inputs: [x], attrs }) => ({ opcode: 'MAX_POOL', params: maxWords(attrsOf(attrs), x.shape) }),
    decompose: ([x], attrs) => {
      const windows = windowsOf(x, attrsOf(attrs), -Infinity);
      const index = argmax(windows, { axis: 5, keepDims: true });
      const shape = windowShape(x.shape, attrs);
      return [reshape(gather(windows, index), shape), cast(reshape(index, shape), 'uint8')];
    },
  }),
  /** inputs g, index; dx */
  maxPoolGrad: defineOp('maxPoolGrad', {
    kind: 'coarse',
    batch: batchImages,
    infer: ([g], attrs) => ({ shape: imageShape(g.shape, attrs), dtype: g.dtype }),
    vjp: ({ g, inputs: [, index], attrs }) => [one('maxPoolTake', [g, index], attrs), null],
    reference: ([g, index], attrs, [{ shape }]) => {
      const data = new Float64Array(sizeOf(shape));
      eachTap(shape, attrsOf(attrs), (from, to, tap) => {
        if (index.data[to] === tap) data[from] += g.data[to];
      });
      return { data, shape };
    },
    lower: ({ inputs: [g], attrs }) => ({ opcode: 'MAX_POOL_GRAD', params: maxWords(attrsOf(attrs), g.shape) }),
    decompose: ([g, index], attrs) => {
      const taps = sizeOf(attrsOf(attrs).kernel);
      return imagesOf(where(equal(picked(index), iota(taps)), expandDims(g, 5), 0), attrsOf(attrs));
    },
  }),
  /** inputs x, index; y */
  maxPoolTake: defineOp('maxPoolTake', {
    kind: 'coarse',
    batch: batchImages,
    infer: ([x], attrs) => ({ shape: windowShape(x.shape, attrs), dtype: x.dtype }),
    vjp: ({ g, inputs: [, index], attrs }) => [one('maxPoolGrad', [g, index], attrs), null],
    reference: ([x, index], attrs, [{ shape }]) => {
      const data = new Float64Array(sizeOf(shape));
      eachTap(x.shape, attrsOf(attrs), (from, to, tap) => {
        if (index.data[to] === tap) data[to] = x.data[from];
      });
      return { data, shape };
    },
    lower: ({ inputs: [x], attrs }) => ({ opcode: 'MAX_POOL_TAKE', params: maxWords(attrsOf(attrs), x.shape) }),
    decompose: ([x, index], attrs) =>
      reshape(gather(windowsOf(x, attrsOf(attrs), 0), picked(index)), windowShape(x.shape, attrs)),
  }),
  avgPool: defineOp('avgPool', {
    kind: 'coarse',
    batch: batchImages,
    infer: ([x], attrs) => {
      checkDType('avgPool', x.dtype, 'float');
      return { shape: windowShape(x.shape, attrs), dtype: x.dtype };
    },
    vjp: ({ g, attrs }) => [one('avgPoolGrad', [g], attrs)],
    reference: ([x], attrs, [{ shape }]) => {
      const data = new Float64Array(sizeOf(shape));
      eachTap(x.shape, attrsOf(attrs), (from, to) => {
        data[to] += x.data[from];
      });
      const share = sharesOf(x.shape, attrsOf(attrs));
      return { data: data.map((v, i) => v * share[i]), shape };
    },
    lower: ({ inputs: [x], attrs }) => ({ opcode: 'AVG_POOL', params: avgWords(attrsOf(attrs), x.shape) }),
    decompose: ([x], attrs) => mul(sum(windowsOf(x, attrsOf(attrs), 0), { axis: 5 }), shares(x, attrsOf(attrs))),
  }),
  avgPoolGrad: defineOp('avgPoolGrad', {
    kind: 'coarse',
    batch: batchImages,
    infer: ([g], attrs) => ({ shape: imageShape(g.shape, attrs), dtype: g.dtype }),
    vjp: ({ g, attrs }) => [one('avgPool', [g], attrs)],
    reference: ([g], attrs, [{ shape }]) => {
      const data = new Float64Array(sizeOf(shape));
      const share = sharesOf(shape, attrsOf(attrs));
      eachTap(shape, attrsOf(attrs), (from, to) => {
        data[from] += g.data[to] * share[to];
      });
      return { data, shape };
    },
    lower: ({ inputs: [g], attrs }) => ({ opcode: 'AVG_POOL_GRAD', params: avgWords(attrsOf(attrs), g.shape) }),
    decompose: ([g], attrs) => {
      const each = expandDims(mul(g, shares(g, attrsOf(attrs))), 5);
      return imagesOf(broadcastTo(each, [...g.shape, sizeOf(attrsOf(attrs).kernel)]), attrsOf(attrs));
    },
  }),
};

type PoolOp = 'maxPool' | 'maxPoolGrad' | 'maxPoolTake' | 'avgPool' | 'avgPoolGrad';

/** A node of the record of that name. */
function one(name: PoolOp, inputs: readonly Tensor[], attrs: Attrs): Tensor {
  return build(poolOps[name], inputs, attrs);
}

/** Values of the largest taps. */
export function maxPoolOf(x: Tensor, attrs: PoolAttrs): Tensor {
  return buildAll(poolOps.maxPool, [x], attrs)[0];
}

export function avgPoolOf(x: Tensor, attrs: PoolAttrs): Tensor {
  return one('avgPool', [x], attrs);
}
