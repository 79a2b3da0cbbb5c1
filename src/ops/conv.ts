import type { Aval, OpDef, RefArray } from '../graph/op.js';
import { type Attrs, build, type Tensor } from '../graph/tensor.js';
import { type Shape, sizeOf } from '../shape.js';
import { zeros } from './create.js';
import { checkDType, defineOp } from './define.js';
import { add } from './elementwise.js';
import { matmul } from './matmul.js';
import { movementOps, pad, permute, reshape, slice, stack } from './movement.js';

/**
 * Geometry of a convolution, one number per axis. Tap t of output position q meets input position
 * `q * stride + t * dilation - padding`; what lies outside the input counts as 0, so padding at the far end is in `output`.
 */
export interface ConvAttrs {
  readonly input: readonly number[];
  readonly kernel: readonly number[];
  readonly output: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
}

const attrsOf = (attrs: Attrs) => attrs as unknown as ConvAttrs;

/** Three axes, whatever the number is: leading ones are single positions. */
function lift(list: readonly number[], value: number): number[] {
  return [...new Array<number>(3 - list.length).fill(value), ...list];
}

/** Images, channels of x and channels of y, from x [n, ..., c] or y [n, ..., o] and w [o, c / groups, ...]. */
function sizesOf(image: Shape, weight: Shape, groups: number) {
  return { n: image[0], c: weight[1] * groups, o: weight[0] };
}

/** The words that all three instructions share. */
function geometry(image: Shape, weight: Shape, attrs: ConvAttrs): number[] {
  const { n, c, o } = sizesOf(image, weight, attrs.groups);
  const lists: [readonly number[], number][] = [
    [attrs.input, 1],
    [attrs.kernel, 1],
    [attrs.output, 1],
    [attrs.stride, 1],
    [attrs.padding, 0],
    [attrs.dilation, 1],
  ];
  return [n, c, o, attrs.groups, ...lists.flatMap(([list, value]) => lift(list, value))];
}

/** Two floating-point operations for each product. */
function flops(image: Shape, weight: Shape, { output }: ConvAttrs): number {
  return 2 * image[0] * sizeOf(output) * sizeOf(weight);
}

/** Visits every product of a convolution: positions in x, w and y. The oracle of all three ops. */
function eachTerm(
  image: Shape,
  weight: Shape,
  attrs: ConvAttrs,
  visit: (x: number, w: number, y: number) => void,
): void {
  const { n, c, o } = sizesOf(image, weight, attrs.groups);
  const [group, outs] = [c / attrs.groups, o / attrs.groups];
  const [input, kernel, output] = [lift(attrs.input, 1), lift(attrs.kernel, 1), lift(attrs.output, 1)];
  const [stride, padding, dilation] = [lift(attrs.stride, 1), lift(attrs.padding, 0), lift(attrs.dilation, 1)];
  const [pixels, places, taps] = [sizeOf(input), sizeOf(output), sizeOf(kernel)];
  for (let place = 0; place < places; place++) {
    for (let tap = 0; tap < taps; tap++) {
      let [q, t, pixel, inside, size] = [place, tap, 0, true, 1];
      for (let a = 2; a >= 0; a--) {
        const at = (q % output[a]) * stride[a] + (t % kernel[a]) * dilation[a] - padding[a];
        inside &&= at >= 0 && at < input[a];
        pixel += at * size;
        size *= input[a];
        q = Math.floor(q / output[a]);
        t = Math.floor(t / kernel[a]);
      }
      if (!inside) continue;
      for (let b = 0; b < n; b++) {
        for (let j = 0; j < o; j++) {
          const from = (b * pixels + pixel) * c + Math.floor(j / outs) * group;
          const y = (b * places + place) * o + j;
          for (let i = 0; i < group; i++) visit(from + i, (j * group + i) * taps + tap, y);
        }
      }
    }
  }
}

function accumulate(out: Aval, run: (data: Float64Array) => void): RefArray {
  const data = new Float64Array(sizeOf(out.shape));
  run(data);
  return { data, shape: out.shape };
}

/** [n, ..., groups * c] with the groups first and a row for each place: [groups, n * places, c]. */
function byGroup(y: Tensor, groups: number): Tensor {
  const channels = y.shape[y.shape.length - 1];
  const rows = sizeOf(y.shape.slice(0, -1));
  return permute(reshape(y, [rows, groups, channels / groups]), [1, 0, 2]);
}

/** Start of each tap on the padded input, in the order of the kernel. */
function tapStarts({ kernel, dilation }: ConvAttrs): number[][] {
  return kernel.reduce<number[][]>(
    (starts, k, a) => starts.flatMap((s) => Array.from({ length: k }, (_, t) => [...s, t * dilation[a]])),
    [[]],
  );
}

/** Sizes of the input with its padding, as far as any tap reaches. */
function paddedSizes({ input, kernel, output, stride, padding, dilation }: ConvAttrs): number[] {
  return input.map((size, a) =>
    Math.max(padding[a] + size, (output[a] - 1) * stride[a] + (kernel[a] - 1) * dilation[a] + 1),
  );
}

/** What each output place sees (im2col): [groups, n * places, c / groups * taps]. */
function columns(x: Tensor, attrs: ConvAttrs): Tensor {
  const { input, output, stride, padding, groups } = attrs;
  const padded = paddedSizes(attrs);
  const widths = padded.map((p, a): [number, number] => [padding[a], p - padding[a] - input[a]]);
  const wide = pad(x, [[0, 0], ...widths]);
  const taps = tapStarts(attrs).map((start) =>
    slice(wide, [
      {},
      ...start.map((s, a) => ({ start: s, end: s + (output[a] - 1) * stride[a] + 1, step: stride[a] })),
    ]),
  );
  const channels = x.shape[x.shape.length - 1] / groups;
  const rows = x.shape[0] * sizeOf(output);
  return permute(reshape(stack(taps, x.shape.length), [rows, groups, channels * taps.length]), [1, 0, 2]);
}

/** The adjoint of {@link columns}: every column back to the places it was read from, summed. */
function fromColumns(cols: Tensor, n: number, attrs: ConvAttrs): Tensor {
  const { input, output, stride, padding, groups } = attrs;
  const starts = tapStarts(attrs);
  const channels = (groups * cols.shape[2]) / starts.length;
  const apart = reshape(permute(cols, [1, 0, 2]), [n, ...output, channels, starts.length]);
  const shape = [n, ...paddedSizes(attrs), channels];
  const step = [1, ...stride, 1];
  const parts = starts.map((start, t) => {
    const tap = slice(apart, [...apart.shape.slice(0, -1).map(() => ({})), { start: t, end: t + 1 }]);
    const values = reshape(tap, [n, ...output, channels]);
    return build(movementOps.pad, [values], { shape, start: [0, ...start, 0], step, value: 0 });
  });
  const all = parts.reduce((a, b) => add(a, b));
  return slice(all, [{}, ...input.map((size, a) => ({ start: padding[a], end: padding[a] + size }))]);
}

/** w as [groups, o / groups, c / groups * taps]. */
function weightRows(w: Tensor, groups: number): Tensor {
  return reshape(w, [groups, w.shape[0] / groups, sizeOf(w.shape.slice(1))]);
}

/** [samples, n, ..., c] with the samples as groups of channels: [n, ..., samples * c]. */
function samplesToGroups(x: Tensor): Tensor {
  const rank = x.shape.length;
  const order = [...x.shape.map((_, a) => a).slice(1, -1), 0, rank - 1];
  return reshape(permute(x, order), [...x.shape.slice(1, -1), x.shape[0] * x.shape[rank - 1]]);
}

function groupsToSamples(y: Tensor, samples: number): Tensor {
  const rank = y.shape.length;
  const apart = reshape(y, [...y.shape.slice(0, -1), samples, y.shape[rank - 1] / samples]);
  return permute(apart, [rank - 1, ...y.shape.map((_, a) => a).slice(0, -1), rank]);
}

/** Samples that share the weight are more images; samples with weights of their own are groups of channels of one convolution. */
const batchImages: NonNullable<OpDef['batch']> = ({ op, inputs: [x, w], mapped, samples, full, size, attrs }) => {
  const { shape, dtype } = op.infer(samples, attrs) as Aval;
  if (size === 0) return zeros([0, ...shape], { dtype });
  if (mapped[1]) {
    const weights = reshape(full(1), [size * w.shape[1], ...w.shape.slice(2)]);
    const groups = size * attrsOf(attrs).groups;
    return groupsToSamples(build(op, [samplesToGroups(full(0)), weights], { ...attrs, groups }), size);
  }
  const images = reshape(x, [size * x.shape[1], ...x.shape.slice(2)]);
  return reshape(build(op, [images, w], attrs), [size, ...shape]);
};

/**
 * The three products of a convolution y = x * w. They are bilinear, and the gradients of each are the other two:
 * conv(x, w) = y, convDataGrad(y, w) its adjoint in x (the transposed convolution), convWeightGrad(x, y) its adjoint in w.
 * Layouts: x [n, ...input, c], w [o, c / groups, ...kernel], y [n, ...output, o]. attrs: {@link ConvAttrs}, the same for all.
 */
export const convOps = {
  conv: defineOp('conv', {
    kind: 'coarse',
    epilogue: true,
    infer: ([x, w], attrs) => {
      checkDType('conv', x.dtype, 'float');
      return { shape: [x.shape[0], ...attrsOf(attrs).output, w.shape[0]], dtype: x.dtype };
    },
    vjp: ({ g, inputs: [x, w], attrs, needs }) => [
      needs[0] ? dataGrad(g, w, attrs) : null,
      needs[1] ? weightGrad(x, g, attrs) : null,
    ],
    batch: batchImages,
    reference: ([x, w], attrs, [out]) =>
      accumulate(out, (y) => {
        eachTerm(x.shape, w.shape, attrsOf(attrs), (i, j, k) => {
          y[k] += x.data[i] * w.data[j];
        });
      }),
    lower: ({ inputs: [x, w], attrs }) => ({ opcode: 'CONV', params: geometry(x.shape, w.shape, attrsOf(attrs)) }),
    flops: ({ inputs: [x, w], attrs }) => flops(x.shape, w.shape, attrsOf(attrs)),
    decompose: ([x, w], attrs) => {
      const { groups, output } = attrsOf(attrs);
      const rows = matmul(columns(x, attrsOf(attrs)), weightRows(w, groups), { transB: true });
      return reshape(permute(rows, [1, 0, 2]), [x.shape[0], ...output, w.shape[0]]);
    },
  }),
  /** inputs y (a gradient), w */
  convDataGrad: defineOp('convDataGrad', {
    kind: 'coarse',
    epilogue: true,
    infer: ([y, w], attrs) => {
      checkDType('convDataGrad', y.dtype, 'float');
      const { input, groups } = attrsOf(attrs);
      return { shape: [y.shape[0], ...input, w.shape[1] * groups], dtype: y.dtype };
    },
    vjp: ({ g, inputs: [y, w], attrs, needs }) => [
      needs[0] ? forward(g, w, attrs) : null,
      needs[1] ? weightGrad(g, y, attrs) : null,
    ],
    batch: batchImages,
    reference: ([y, w], attrs, [out]) =>
      accumulate(out, (x) => {
        eachTerm(y.shape, w.shape, attrsOf(attrs), (i, j, k) => {
          x[i] += y.data[k] * w.data[j];
        });
      }),
    lower: ({ inputs: [y, w], attrs }) => ({
      opcode: 'CONV_DATA_GRAD',
      params: geometry(y.shape, w.shape, attrsOf(attrs)),
    }),
    flops: ({ inputs: [y, w], attrs }) => flops(y.shape, w.shape, attrsOf(attrs)),
    decompose: ([y, w], attrs) => {
      const { groups } = attrsOf(attrs);
      return fromColumns(matmul(byGroup(y, groups), weightRows(w, groups)), y.shape[0], attrsOf(attrs));
    },
  }),
  /** inputs x, y (a gradient) */
  convWeightGrad: defineOp('convWeightGrad', {
    kind: 'coarse',
    infer: ([x, y], attrs) => {
      checkDType('convWeightGrad', x.dtype, 'float');
      return { shape: weightShape(x.shape, y.shape, attrsOf(attrs)), dtype: x.dtype };
    },
    vjp: ({ g, inputs: [x, y], attrs, needs }) => [
      needs[0] ? dataGrad(y, g, attrs) : null,
      needs[1] ? forward(x, g, attrs) : null,
    ],
    batch: ({ full, size, attrs, samples: [x, y] }): Tensor => {
      const shape = weightShape(x.shape, y.shape, attrsOf(attrs));
      if (size === 0) return zeros([0, ...shape], { dtype: x.dtype });
      const groups = size * attrsOf(attrs).groups;
      const all = weightGrad(samplesToGroups(full(0)), samplesToGroups(full(1)), { ...attrs, groups });
      return reshape(all, [size, ...shape]);
    },
    reference: ([x, y], attrs, [out]) =>
      accumulate(out, (w) => {
        eachTerm(x.shape, out.shape, attrsOf(attrs), (i, j, k) => {
          w[j] += x.data[i] * y.data[k];
        });
      }),
    lower: ({ inputs: [x], outs: [w], attrs }) => ({
      opcode: 'CONV_WEIGHT_GRAD',
      params: geometry(x.shape, w.shape, attrsOf(attrs)),
    }),
    flops: ({ inputs: [x], outs: [w], attrs }) => flops(x.shape, w.shape, attrsOf(attrs)),
    decompose: ([x, y], attrs) => {
      const rows = matmul(byGroup(y, attrsOf(attrs).groups), columns(x, attrsOf(attrs)), { transA: true });
      return reshape(rows, weightShape(x.shape, y.shape, attrsOf(attrs)));
    },
  }),
};

function forward(x: Tensor, w: Tensor, attrs: Attrs): Tensor {
  return build(convOps.conv, [x, w], attrs);
}

function dataGrad(y: Tensor, w: Tensor, attrs: Attrs): Tensor {
  return build(convOps.convDataGrad, [y, w], attrs);
}

function weightGrad(x: Tensor, y: Tensor, attrs: Attrs): Tensor {
  return build(convOps.convWeightGrad, [x, y], attrs);
}

function weightShape(x: Shape, y: Shape, { groups, kernel }: ConvAttrs): number[] {
  return [y[y.length - 1], x[x.length - 1] / groups, ...kernel];
}
