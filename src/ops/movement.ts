import { promote } from '../dtype.js';
import { didYouMean, OptionError, ShapeError } from '../errors.js';
import { aliasOp } from '../graph/alias.js';
import type { OpDef, View } from '../graph/op.js';
import { type Attrs, build, type Tensor } from '../graph/tensor.js';
import { checkList, checkOptions, shown, wholeNumber } from '../options.js';
import { checkSizes, normalizeAxes, normalizeAxis, type Shape, sameShape, sizeOf, stridesOf } from '../shape.js';
import { coordinateReference, defineOp, forEachCoordinate, indexOf, NO_GRADIENT } from './define.js';
import { cast, type Operand, toTensor } from './operand.js';

/** Records of ops without arithmetic: a strided view of the input, or inputs placed into a larger result. */
export const movementOps = {
  alias: { ...aliasOp, batch: ({ inputs }): Tensor => build(movementOps.alias, inputs) },
  stopGradient: {
    ...aliasOp,
    name: 'stopGradient',
    vjp: NO_GRADIENT,
    batch: ({ inputs }): Tensor => build(movementOps.stopGradient, inputs),
  },
  /** The input, in the eyes of the compiler another value: what is made of it is not merged with what is made of the input. */
  barrier: {
    ...aliasOp,
    name: 'barrier',
    barrier: true,
    vjp: ({ g }) => [g],
    batch: ({ inputs }): Tensor => build(movementOps.barrier, inputs),
  },
  reshape: defineOp('reshape', {
    kind: 'movement',
    infer: ([x], attrs) => ({ shape: attrs.shape as Shape, dtype: x.dtype }),
    vjp: ({ g, inputs: [x] }) => [reshape(g, x.shape)],
    view: (x, out) => reshapeView(x, out.shape),
    batch: ({ inputs, size, attrs }): Tensor => build(movementOps.reshape, inputs, sampled(attrs, size)),
    reference: ([x], _, [out]) => ({ data: x.data.slice(), shape: out.shape }),
  }),
  permute: defineOp('permute', {
    kind: 'movement',
    infer: ([x], attrs) => ({ shape: (attrs.axes as number[]).map((a) => x.shape[a]), dtype: x.dtype }),
    vjp: ({ g, attrs }) => [permute(g, inverseOf(attrs.axes as number[]))],
    view: (x, out, attrs) => ({ ...x, shape: out.shape, strides: (attrs.axes as number[]).map((a) => x.strides[a]) }),
    batch: ({ inputs, attrs }): Tensor =>
      build(movementOps.permute, inputs, { axes: [0, ...(attrs.axes as number[]).map((a) => a + 1)] }),
    reference: coordinateReference((c, attrs) => {
      const source: number[] = [];
      for (const [i, a] of (attrs.axes as number[]).entries()) source[a] = c[i];
      return source;
    }),
  }),
  broadcastTo: defineOp('broadcastTo', {
    kind: 'movement',
    infer: ([x], attrs) => ({ shape: attrs.shape as Shape, dtype: x.dtype }),
    vjp: ({ g }) => [g], // autodiff sums it to the input's shape
    view: (x, out) => {
      const lead = out.shape.length - x.shape.length;
      const strides = out.shape.map((d, i) => (i < lead || x.shape[i - lead] !== d ? 0 : x.strides[i - lead]));
      return { ...x, shape: out.shape, strides };
    },
    batch: ({ inputs: [x], samples: [one], size, attrs }): Tensor => {
      const lead = (attrs.shape as Shape).length - one.shape.length;
      const lifted = reshape(x, [size, ...new Array<number>(lead).fill(1), ...one.shape]);
      return build(movementOps.broadcastTo, [lifted], sampled(attrs, size));
    },
    reference: coordinateReference((c, _, shape) =>
      shape.map((d, i) => (d === 1 ? 0 : c[c.length - shape.length + i])),
    ),
  }),
  /** Element c of axis a is element start[a] + c * step[a] of the input; steps may be negative. */
  slice: defineOp('slice', {
    kind: 'movement',
    infer: ([x], attrs) => ({ shape: attrs.shape as Shape, dtype: x.dtype }),
    vjp: ({ g, inputs: [x], attrs }) => [unslice(g, x.shape, attrs.start as number[], attrs.step as number[])],
    view: (x, out, attrs) => ({
      shape: out.shape,
      offset: sizeOf(out.shape) === 0 ? x.offset : x.offset + indexOf(attrs.start as number[], x.strides),
      strides: x.strides.map((s, a) => s * (attrs.step as number[])[a]),
    }),
    batch: ({ inputs, size, attrs }): Tensor => build(movementOps.slice, inputs, sampled(attrs, size)),
    reference: coordinateReference((c, attrs) =>
      c.map((at, a) => (attrs.start as number[])[a] + at * (attrs.step as number[])[a]),
    ),
  }),
  /** The input at start + c * step (steps positive) of a tensor filled with `value`: the inverse of slice. */
  pad: defineOp('pad', {
    kind: 'movement',
    infer: ([x], attrs) => ({ shape: attrs.shape as Shape, dtype: x.dtype }),
    vjp: ({ g, inputs: [x], attrs }) => [sliceNode(g, x.shape, attrs.start as number[], attrs.step as number[])],
    place: ([x], out, attrs) => ({
      fill: attrs.value as number,
      regions: [regionOf(x.shape, out.shape, attrs.start as number[], attrs.step as number[])],
    }),
    batch: ({ inputs, size, attrs }): Tensor => build(movementOps.pad, inputs, sampled(attrs, size)),
    reference: ([x], attrs, [out]) => {
      const data = new Float64Array(sizeOf(out.shape)).fill(attrs.value as number);
      const strides = stridesOf(out.shape);
      const [start, step] = [attrs.start as number[], attrs.step as number[]];
      forEachCoordinate(x.shape, (c, i) => {
        data[
          indexOf(
            c.map((at, a) => start[a] + at * step[a]),
            strides,
          )
        ] = x.data[i];
      });
      return { data, shape: out.shape };
    },
  }),
  concat: defineOp('concat', {
    kind: 'movement',
    infer: (inputs, attrs) => {
      const axis = attrs.axis as number;
      const shape = [...inputs[0].shape];
      for (const x of inputs.slice(1)) shape[axis] += x.shape[axis];
      return { shape, dtype: inputs[0].dtype };
    },
    vjp: ({ g, inputs, attrs, needs }) => {
      const axis = attrs.axis as number;
      const ends = endsAlong(inputs, axis);
      return inputs.map((x, i) => {
        const ranges: SliceRange[] = x.shape.map((_, a) =>
          a === axis ? { start: ends[i] - x.shape[axis], end: ends[i] } : {},
        );
        return needs[i] ? slice(g, ranges) : null;
      });
    },
    place: (inputs, out, attrs) => {
      const axis = attrs.axis as number;
      const ends = endsAlong(inputs, axis);
      const regions = inputs.map((x, i) => {
        const start = x.shape.map((d, a) => (a === axis ? ends[i] - d : 0));
        return regionOf(x.shape, out.shape, start, null);
      });
      return { fill: null, regions };
    },
    batch: ({ inputs, full, attrs }): Tensor => {
      const list = inputs.map((_, i) => full(i));
      return build(movementOps.concat, list, { axis: (attrs.axis as number) + 1 });
    },
    reference: (inputs, attrs, [out]) => {
      const axis = attrs.axis as number;
      const data: number[] = [];
      const outer = sizeOf(out.shape.slice(0, axis));
      for (let o = 0; o < outer; o++) {
        for (const x of inputs) {
          const run = sizeOf(x.shape.slice(axis));
          for (let i = 0; i < run; i++) data.push(x.data[o * run + i]);
        }
      }
      return { data: Float64Array.from(data), shape: out.shape };
    },
  }),
} satisfies Record<string, OpDef>;

/** Attributes of a movement op for `size` samples along a new axis 0. */
function sampled(attrs: Attrs, size: number): Attrs {
  const shape = [size, ...(attrs.shape as Shape)];
  if (attrs.start === undefined) return { ...attrs, shape };
  return { ...attrs, shape, start: [0, ...(attrs.start as number[])], step: [1, ...(attrs.step as number[])] };
}

function inverseOf(axes: readonly number[]): number[] {
  const inverse: number[] = [];
  for (const [i, a] of axes.entries()) inverse[a] = i;
  return inverse;
}

function endsAlong(inputs: readonly { shape: Shape }[], axis: number): number[] {
  let end = 0;
  return inputs.map((x) => (end += x.shape[axis]));
}

function regionOf(shape: Shape, outShape: Shape, start: readonly number[], step: readonly number[] | null): View {
  const strides = stridesOf(outShape);
  const offset = sizeOf(shape) === 0 ? 0 : indexOf(start, strides);
  return { shape, offset, strides: step === null ? strides : strides.map((s, a) => s * step[a]) };
}

function sliceNode(x: Tensor, shape: Shape, start: readonly number[], step: readonly number[]): Tensor {
  return build(movementOps.slice, [x], { shape, start, step });
}

/** Gradient of slice: `g` at the places it was read from, zero elsewhere. */
function unslice(g: Tensor, shape: Shape, start: readonly number[], step: readonly number[]): Tensor {
  const backward = step.flatMap((s, a) => (s < 0 ? [a] : []));
  const first = start.map((s, a) => (step[a] < 0 && g.shape[a] > 0 ? s + step[a] * (g.shape[a] - 1) : s));
  return build(movementOps.pad, [flip(g, backward)], { shape, start: first, step: step.map(Math.abs), value: 0 });
}

/**
 * `shape` as a view of `x`, or null when elements that are neighbours in `shape` are not evenly spaced in `x`.
 * Dimensions of both are matched in groups of equal size; a group of `x` must be one evenly strided run.
 */
function reshapeView(x: View, shape: Shape): View | null {
  if (sizeOf(shape) === 0) return { shape, offset: x.offset, strides: stridesOf(shape) };
  const from = x.shape.flatMap((d, i) => (d === 1 ? [] : [{ d, stride: x.strides[i] }]));
  const strides: number[] = new Array(shape.length).fill(1);
  let at = 0;
  for (let to = 0; to < shape.length; ) {
    if (shape[to] === 1) {
      to++;
      continue;
    }
    const [firstFrom, firstTo] = [at, to];
    let [have, want] = [from[at++].d, shape[to++]];
    while (have !== want) {
      if (have < want) have *= from[at++].d;
      else want *= shape[to++];
    }
    for (let i = firstFrom; i + 1 < at; i++) {
      if (from[i].stride !== from[i + 1].stride * from[i + 1].d) return null;
    }
    let stride = from[at - 1].stride;
    for (let i = to - 1; i >= firstTo; i--) {
      strides[i] = stride;
      stride *= shape[i];
    }
  }
  return { shape, offset: x.offset, strides };
}

/**
 * The same elements in another shape, in row-major order.
 * @param x any shape
 * @param shape sizes; one may be -1 and is computed from the others
 * @returns `shape`
 * @throws ShapeError when the number of elements differs
 * @example reshape(tensor([1, 2, 3, 4, 5, 6]), [2, -1]); // [[1, 2, 3], [4, 5, 6]]
 */
export function reshape(x: Operand, shape: Shape): Tensor {
  const t = toTensor(x, undefined, 'reshape');
  checkSizes('reshape', shape);
  let target = [...shape];
  const free = target.indexOf(-1);
  if (free >= 0) {
    const known = sizeOf(target.filter((_, i) => i !== free));
    const size = known === 0 ? 0 : sizeOf(t.shape) / known;
    target = target.map((d, i) => (i === free ? size : d));
  }
  const legal = target.every((d) => Number.isInteger(d) && d >= 0);
  if (!legal || sizeOf(target) !== sizeOf(t.shape)) {
    throw new ShapeError(`reshape: [${t.shape}] has ${sizeOf(t.shape)} elements, which do not fit ${shown(shape)}`);
  }
  return sameShape(target, t.shape) ? t : build(movementOps.reshape, [t], { shape: target });
}

/**
 * Merges the axes from `startAxis` to the last into one.
 * @param x shape [d0, d1, …]
 * @param startAxis first axis to merge; default 0, layers use 1 to keep the batch
 * @returns [d0, …, d(startAxis - 1), product of the rest]
 * @throws ShapeError when the axis does not exist
 * @example flatten(zeros([8, 28, 28]), 1).shape; // [8, 784]
 */
export function flatten(x: Operand, startAxis = 0): Tensor {
  const t = toTensor(x, undefined, 'flatten');
  if (t.shape.length === 0 && startAxis === 0) return reshape(t, [1]);
  const axis = normalizeAxis('flatten', startAxis, t.shape.length);
  return reshape(t, [...t.shape.slice(0, axis), sizeOf(t.shape.slice(axis))]);
}

/**
 * Reorders axes: axis i of the result is axis `axes[i]` of `x`.
 * @param x any shape
 * @param axes every axis once; negative counts from the back
 * @returns the reordered shape
 * @throws ShapeError when `axes` is not a permutation
 * @example permute(zeros([2, 3, 4]), [2, 0, 1]).shape; // [4, 2, 3]
 */
export function permute(x: Operand, axes: readonly number[]): Tensor {
  const t = toTensor(x, undefined, 'permute');
  checkSizes('permute', axes, 'axes');
  const order = axes.map((a) => normalizeAxis('permute', a, t.shape.length));
  if (order.length !== t.shape.length || new Set(order).size !== order.length) {
    throw new ShapeError(
      `permute: got axes [${axes}], expected each of the ${t.shape.length} axes of [${t.shape}] once`,
    );
  }
  return order.every((a, i) => a === i) ? t : build(movementOps.permute, [t], { axes: order });
}

/**
 * Swaps two axes, the last two by default.
 * @param x rank 2 or more by default
 * @throws ShapeError when an axis does not exist
 * @example transpose(zeros([2, 3])).shape; // [3, 2]
 */
export function transpose(x: Operand, a = -2, b = -1): Tensor {
  const t = toTensor(x, undefined, 'transpose');
  const axes = t.shape.map((_, i) => i);
  const [i, j] = [normalizeAxis('transpose', a, axes.length), normalizeAxis('transpose', b, axes.length)];
  [axes[i], axes[j]] = [axes[j], axes[i]];
  return permute(t, axes);
}

/**
 * Part of one axis, as in NumPy: from `start` up to, not including, `end` in steps of `step` (default 1, never 0). Without bounds
 * the whole axis, for a negative step from its end to its start.
 */
export interface SliceRange {
  readonly start?: number;
  readonly end?: number;
  readonly step?: number;
}

const RANGE = ['start', 'end', 'step'] satisfies (keyof SliceRange)[];

/** First position and number of elements of a range of an axis: bounds count from the back below 0, then are clamped. */
function rangeOf(axis: number, size: number, { start, end, step = 1 }: SliceRange): [from: number, count: number] {
  if (!Number.isInteger(step) || step === 0) {
    throw new OptionError(`slice: axis ${axis}: got step ${shown(step)}, expected a whole number other than 0`);
  }
  for (const v of [start, end]) {
    if (v === undefined || Number.isInteger(v)) continue;
    throw new OptionError(`slice: axis ${axis}: got ${shown(v)} as a bound, expected whole numbers`);
  }
  // Going back, the place before the first element is a bound too.
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const bound = (v: number) => Math.min(high, Math.max(low, v < 0 ? v + size : v));
  const from = start === undefined ? (step > 0 ? low : high) : bound(start);
  const to = end === undefined ? (step > 0 ? high : low) : bound(end);
  return [from, Math.max(0, Math.ceil((to - from) / step))];
}

/**
 * A rectangular part with NumPy's rules: negative bounds count from the back, bounds outside are clamped, steps may be negative.
 * @param x any shape
 * @param ranges one per axis from the front; axes without one are kept whole
 * @returns a shape with `ceil((end - start) / step)` along each sliced axis
 * @throws OptionError for a step of 0 or bounds that are not whole, ShapeError for more ranges than axes
 * @example slice(tensor([[1, 2, 3], [4, 5, 6]]), [{}, { start: 1 }]); // [[2, 3], [5, 6]]
 */
export function slice(x: Operand, ranges: readonly SliceRange[]): Tensor {
  const t = toTensor(x, undefined, 'slice');
  checkList('slice', 'ranges', ranges, 'ranges such as { start: 1 }');
  for (const range of ranges) if (range !== undefined) checkOptions('slice: a range', range, RANGE);
  if (ranges.length > t.shape.length)
    throw new ShapeError(`slice: got ${ranges.length} ranges for a tensor of shape [${t.shape}]`);
  const list = t.shape.map((size, a) => rangeOf(a, size, ranges[a] ?? {}));
  const shape = list.map(([, count]) => count);
  const step = t.shape.map((_, a) => ranges[a]?.step ?? 1);
  if (sameShape(shape, t.shape) && step.every((s, a) => s > 0 || shape[a] < 2)) return t;
  // An empty part starts nowhere.
  const start = list.map(([from, count]) => (count === 0 ? 0 : from));
  return sliceNode(t, shape, start, step);
}

/**
 * Reverses axes.
 * @param x any shape
 * @param axes which; default all
 * @throws ShapeError when an axis does not exist
 * @example flip(tensor([1, 2, 3])); // [3, 2, 1]
 */
export function flip(x: Operand, axes?: number | readonly number[]): Tensor {
  const t = toTensor(x, undefined, 'flip');
  const list = normalizeAxes('flip', axes, t.shape.length);
  if (list.length === 0) return t;
  const start = t.shape.map((d, a) => (list.includes(a) ? Math.max(0, d - 1) : 0));
  const step = t.shape.map((_, a) => (list.includes(a) ? -1 : 1));
  return sliceNode(t, t.shape, start, step);
}

/**
 * Removes axes of size 1.
 * @param x any shape
 * @param axes which; default all of size 1
 * @throws ShapeError when a named axis has another size
 * @example squeeze(zeros([1, 3, 1])).shape; // [3]
 */
export function squeeze(x: Operand, axes?: number | readonly number[]): Tensor {
  const t = toTensor(x, undefined, 'squeeze');
  if (axes === undefined)
    return reshape(
      t,
      t.shape.filter((d) => d !== 1),
    );
  const list = normalizeAxes('squeeze', axes, t.shape.length);
  for (const a of list) {
    if (t.shape[a] !== 1) throw new ShapeError(`squeeze: axis ${a} of [${t.shape}] has size ${t.shape[a]}, expected 1`);
  }
  return reshape(
    t,
    t.shape.filter((_, a) => !list.includes(a)),
  );
}

/**
 * Inserts an axis of size 1 so that it is axis `axis` of the result.
 * @param x any shape
 * @param axis -1 appends it
 * @throws ShapeError when the axis is outside the result
 * @example expandDims(zeros([2, 3]), 0).shape; // [1, 2, 3]
 */
export function expandDims(x: Operand, axis: number): Tensor {
  const t = toTensor(x, undefined, 'expandDims');
  const at = normalizeAxis('expandDims', axis, t.shape.length + 1);
  return reshape(t, [...t.shape.slice(0, at), 1, ...t.shape.slice(at)]);
}

/**
 * Repeats axes of size 1 (and new leading ones) without copying.
 * @param x a shape that broadcasts to `shape`
 * @returns `shape`
 * @throws ShapeError when it does not
 * @example broadcastTo(tensor([1, 2]), [3, 2]); // [[1, 2], [1, 2], [1, 2]]
 */
export function broadcastTo(x: Operand, shape: Shape): Tensor {
  const t = toTensor(x, undefined, 'broadcastTo');
  checkSizes('broadcastTo', shape);
  const lead = shape.length - t.shape.length;
  if (lead < 0 || t.shape.some((d, i) => d !== 1 && d !== shape[lead + i])) {
    throw new ShapeError(`broadcastTo: [${t.shape}] does not broadcast to ${shown(shape)}`);
  }
  return sameShape(shape, t.shape) ? t : build(movementOps.broadcastTo, [t], { shape: [...shape] });
}

/** Casts all operands to the dtype they meet in. */
function sameDType(op: string, tensors: readonly Operand[]): Tensor[] {
  checkList(op, 'tensors', tensors, 'tensors');
  if (tensors.length === 0) throw new ShapeError(`${op}: got no tensors, expected at least one`);
  const list = tensors.map((t) => toTensor(t, undefined, op));
  const dtype = list.map((t) => t.dtype).reduce((a, b) => promote(op, a, b));
  return list.map((t) => cast(t, dtype));
}

/**
 * Joins tensors along an axis that they have.
 * @param tensors equal shapes but for `axis`
 * @param axis default 0
 * @returns the shape with the sizes along `axis` added up
 * @throws ShapeError when the other sizes differ, DTypeError when the dtypes do not mix
 * @example concat([tensor([1, 2]), tensor([3])]); // [1, 2, 3]
 */
export function concat(tensors: readonly Operand[], axis = 0): Tensor {
  const list = sameDType('concat', tensors);
  const first = list[0].shape;
  if (first.length === 0) throw new ShapeError('concat: got a scalar, expected rank 1 or more; use stack');
  const at = normalizeAxis('concat', axis, first.length);
  for (const t of list) {
    if (t.shape.length !== first.length || t.shape.some((d, a) => a !== at && d !== first[a])) {
      throw new ShapeError(`concat: got [${first}] and [${t.shape}], expected shapes equal but for axis ${at}`);
    }
  }
  return list.length === 1 ? list[0] : build(movementOps.concat, list, { axis: at });
}

/**
 * Joins tensors along a new axis.
 * @param tensors equal shapes
 * @param axis place of the new axis; default 0
 * @returns the shape with `tensors.length` inserted at `axis`
 * @throws ShapeError when the shapes differ
 * @example stack([tensor([1, 2]), tensor([3, 4])]); // [[1, 2], [3, 4]]
 */
export function stack(tensors: readonly Operand[], axis = 0): Tensor {
  const list = sameDType('stack', tensors);
  for (const t of list) {
    if (!sameShape(t.shape, list[0].shape)) {
      throw new ShapeError(`stack: got [${list[0].shape}] and [${t.shape}], expected equal shapes`);
    }
  }
  const at = normalizeAxis('stack', axis, list[0].shape.length + 1);
  return concat(
    list.map((t) => expandDims(t, at)),
    at,
  );
}

/**
 * Cuts a tensor along an axis.
 * @param x rank 1 or more
 * @param parts number of equal parts, or the size of each
 * @param axis default 0
 * @returns the parts, in order
 * @throws ShapeError when the parts do not add up to the size of the axis
 * @example split(tensor([1, 2, 3, 4]), 2); // [1, 2] and [3, 4]
 */
export function split(x: Operand, parts: number | readonly number[], axis = 0): Tensor[] {
  const t = toTensor(x, undefined, 'split');
  const at = normalizeAxis('split', axis, t.shape.length);
  if (typeof parts === 'number') wholeNumber('split: parts', parts, 1);
  else checkSizes('split', parts, 'parts');
  const sizes: readonly number[] =
    typeof parts === 'number' ? new Array<number>(parts).fill(t.shape[at] / parts) : parts;
  const legal = sizes.every((s) => Number.isInteger(s) && s >= 0) && sizes.reduce((a, b) => a + b, 0) === t.shape[at];
  if (!legal) {
    const want = typeof parts === 'number' ? `${parts} equal parts` : `sizes [${parts}]`;
    throw new ShapeError(
      `split: axis ${at} of [${t.shape}] has size ${t.shape[at]}, which does not split into ${want}`,
    );
  }
  let end = 0;
  return sizes.map((size) => {
    end += size;
    return slice(
      t,
      t.shape.map((_, a) => (a === at ? { start: end - size, end } : {})),
    );
  });
}

export interface PadOptions {
  /**
   * What is put around (default 'constant'): `value`; the values mirrored at the edge, which is not repeated ('reflect'); the
   * edge repeated ('replicate'); the values of the other side ('circular').
   */
  readonly mode?: 'constant' | 'reflect' | 'replicate' | 'circular';
  /** Of mode 'constant'; default 0. */
  readonly value?: number;
}

const PAD_MODES = ['constant', 'reflect', 'replicate', 'circular'] as const;

/**
 * Surrounds a tensor with a constant, or with its own values.
 * @param x any shape
 * @param widths [before, after] per axis from the front; axes without an entry get none
 * @param options `mode`: 'constant' (default), 'reflect', 'replicate' or 'circular'; `value` of a constant, default 0
 * @returns the shape with before + after added to each axis
 * @throws ShapeError for a negative width, too many entries, or more than the axis holds: a mirror has size - 1, a circle size
 *   elements a side; OptionError for another mode
 * @example pad(tensor([1, 2]), [[1, 2]]); // [0, 1, 2, 0, 0]
 * @see NumPy, numpy.pad (reflect, edge, wrap); PyTorch, torch.nn.functional.pad
 */
export function pad(x: Operand, widths: readonly (readonly [number, number])[], options: PadOptions = {}): Tensor {
  checkOptions('pad', options, ['mode', 'value']);
  const { mode = 'constant', value = 0 } = options;
  const t = toTensor(x, undefined, 'pad');
  checkList('pad', 'widths', widths, 'pairs such as [1, 1]');
  const legal = widths.every(
    (w) => Array.isArray(w) && w.length === 2 && w.every((n) => Number.isInteger(n) && n >= 0),
  );
  if (widths.length > t.shape.length || !legal) {
    throw new ShapeError(
      `pad: got [${widths.map(shown)}] for [${t.shape}], expected a pair of whole numbers >= 0 per axis`,
    );
  }
  if (!PAD_MODES.includes(mode)) {
    const known = PAD_MODES.join(', ');
    throw new OptionError(`pad: got mode '${String(mode)}', expected ${known}.${didYouMean(String(mode), PAD_MODES)}`);
  }
  if (mode !== 'constant') return widths.reduce((y, [before, after], a) => padAxis(y, a, before, after, mode), t);
  const shape = t.shape.map((d, a) => d + (widths[a]?.[0] ?? 0) + (widths[a]?.[1] ?? 0));
  if (sameShape(shape, t.shape)) return t;
  const start = t.shape.map((_, a) => widths[a]?.[0] ?? 0);
  return build(movementOps.pad, [t], { shape, start, step: t.shape.map(() => 1), value });
}

/** One axis with its own values on both sides. */
function padAxis(
  t: Tensor,
  axis: number,
  before: number,
  after: number,
  mode: 'reflect' | 'replicate' | 'circular',
): Tensor {
  const n = t.shape[axis];
  if (before === 0 && after === 0) return t;
  const most = mode === 'reflect' ? n - 1 : mode === 'circular' ? n : n > 0 ? Infinity : 0;
  if (before > most || after > most) {
    throw new ShapeError(
      `pad: got widths ${before} and ${after} for axis ${axis} of [${t.shape}], expected at most ${Math.max(0, most)} with mode '${mode}'`,
    );
  }
  const part = (range: SliceRange) => slice(t, [...t.shape.slice(0, axis).map(() => ({})), range]);
  const edge = (at: number, width: number) =>
    broadcastTo(
      part({ start: at, end: at + 1 }),
      t.shape.map((d, a) => (a === axis ? width : d)),
    );
  const [left, right] =
    mode === 'reflect'
      ? [flip(part({ start: 1, end: before + 1 }), axis), flip(part({ start: n - 1 - after, end: n - 1 }), axis)]
      : mode === 'replicate'
        ? [edge(0, before), edge(n - 1, after)]
        : [part({ start: n - before }), part({ end: after })];
  return concat([left, t, right], axis);
}

/**
 * The same values, through which no gradient flows.
 * @param x any shape
 * @returns the shape of `x`
 * @example const target = stopGradient(teacher.forward(x));
 */
export function stopGradient(x: Operand): Tensor {
  return build(movementOps.stopGradient, [toTensor(x, undefined, 'stopGradient')]);
}

/** `x` as a node of its own, so that its other uses do not count when differentiating with respect to it. */
export function alias(x: Tensor): Tensor {
  return build(movementOps.alias, [toTensor(x, undefined, 'alias')]);
}
