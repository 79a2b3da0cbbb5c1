import type { FloatDType } from '../dtype.js';
import { didYouMean, OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { axisSizes, checkOptions, type Sizes } from '../options.js';
import { sizeOf } from '../shape.js';
import { alongAxis } from './adaptive-pool.js';
import { iota } from './create.js';
import { abs, add, clip, floor, maximum, minimum, mul, sub } from './elementwise.js';
import { take } from './gather.js';
import { broadcastTo, expandDims, permute, reshape } from './movement.js';
import { cast, type Operand, operandOf, toTensor } from './operand.js';

const MODES = ['nearest', 'linear', 'bilinear', 'trilinear'] as const;

export interface UpsampleOptions {
  /** Size of the result, for all axes or one each; this or `scaleFactor`. */
  readonly size?: Sizes;
  /** Factor of the sizes, > 0, for all axes or one each; the result is rounded down. */
  readonly scaleFactor?: number | readonly number[];
  /** 'nearest' (default), or 'linear', 'bilinear', 'trilinear' for one, two and three axes. */
  readonly mode?: 'nearest' | 'linear' | 'bilinear' | 'trilinear';
  /** Of the linear modes: whether the corners of both images are the same points (default false: their outer edges are). */
  readonly alignCorners?: boolean;
}

/** Size of the result on each axis, and input positions per output position. */
function scales(t: Tensor, dims: number, { size, scaleFactor }: UpsampleOptions): { out: number[]; step: number[] } {
  if ((size === undefined) === (scaleFactor === undefined)) {
    throw new OptionError('upsample: expected either size or scaleFactor');
  }
  const given = t.shape.slice(1, -1);
  if (size !== undefined) {
    const out = axisSizes('upsample', 'size', size, dims);
    return { out, step: out.map((o, a) => given[a] / o) };
  }
  const factors = (typeof scaleFactor === 'number' ? Array(dims).fill(scaleFactor) : scaleFactor) as readonly number[];
  if (!Array.isArray(factors) || factors.length !== dims || !factors.every((f) => f > 0 && Number.isFinite(f))) {
    const shown = Array.isArray(scaleFactor) ? `[${scaleFactor}]` : String(scaleFactor);
    throw new OptionError(`upsample: scaleFactor is ${shown}, expected a number > 0, or ${dims} of them`);
  }
  const out = factors.map((f, a) => Math.floor(given[a] * f));
  if (out.includes(0)) throw new ShapeError(`upsample: [${t.shape}] times ${String(scaleFactor)} leaves no positions`);
  return { out, step: factors.map((f) => 1 / f) };
}

/** Repeats or drops positions: out[o] = t[⌊o step⌋]. */
function nearest(t: Tensor, axis: number, out: number, step: number): Tensor {
  const size = t.shape[axis];
  if (out === size && step === 1) return t;
  const [before, after] = [t.shape.slice(0, axis), t.shape.slice(axis + 1)];
  const factor = 1 / step;
  if (Number.isInteger(factor) && out === size * factor) {
    const apart = reshape(t, [sizeOf(before), size, 1, sizeOf(after)]);
    const repeated = broadcastTo(apart, [sizeOf(before), size, factor, sizeOf(after)]);
    return reshape(repeated, [...before, out, ...after]);
  }
  const at = minimum(floor(mul(iota(out, { dtype: 'float64' }), step)), size - 1);
  return take(t, cast(at, 'int32'), { axis });
}

/** Weights [out, size] of the two neighbours of each position. */
function linearWeights(size: number, out: number, step: number, alignCorners: boolean, dtype: FloatDType): Tensor {
  const o = iota(out, { dtype: 'float64' });
  const at = alignCorners ? mul(o, out > 1 ? (size - 1) / (out - 1) : 0) : sub(mul(add(o, 0.5), step), 0.5);
  const distance = abs(sub(expandDims(clip(at, 0, size - 1), 1), iota(size, { dtype: 'float64' })));
  return cast(maximum(sub(1, distance), 0), dtype);
}

/**
 * Enlarges (or shrinks) images: the nearest pixel, or weights of its neighbours by distance.
 * 'nearest' `y[o] = x[⌊o · inputs / outputs⌋]`; the linear modes read between pixels at `(o + 1/2) inputs / outputs − 1/2`, with
 * `alignCorners` at `o (inputs − 1) / (outputs − 1)`
 * @param x float for the linear modes, [batch, …, channels] with one to three axes of positions, none of size 0
 * @param options `size` or `scaleFactor`; `mode`, `alignCorners`
 * @returns [batch, …sizes, channels]
 * @throws OptionError for illegal options, ShapeError for another shape, DTypeError
 * @example upsample(tensor([[[1], [3]]]), { scaleFactor: 2 }); // [[[1], [1], [3], [3]]]
 * @see PyTorch, torch.nn.functional.interpolate (whose channels are the second axis)
 */
export function upsample(x: Operand, options: UpsampleOptions): Tensor {
  checkOptions('upsample', options, ['size', 'scaleFactor', 'mode', 'alignCorners']);
  const { mode = 'nearest', alignCorners = false } = options;
  if (!MODES.includes(mode)) {
    throw new OptionError(
      `upsample: mode is '${String(mode)}', expected ${MODES.join(', ')}.${didYouMean(String(mode), MODES)}`,
    );
  }
  const t = mode === 'nearest' ? toTensor(x, undefined, 'upsample') : operandOf('upsample', x, 'float');
  const dims = t.shape.length - 2;
  const wanted = mode === 'nearest' ? dims : MODES.indexOf(mode);
  if (dims < 1 || dims > 3 || dims !== wanted || sizeOf(t.shape.slice(1, -1)) === 0) {
    const axes = mode === 'nearest' ? 'one to three axes' : `${wanted} ${wanted === 1 ? 'axis' : 'axes'}`;
    throw new ShapeError(
      `upsample: got [${t.shape}], expected [batch, …, channels] with ${axes} of positions for '${mode}'`,
    );
  }
  if (mode === 'nearest' && alignCorners)
    throw new OptionError("upsample: alignCorners has no meaning for mode 'nearest'");
  const { out, step } = scales(t, dims, options);
  return out.reduce((y, o, a) => {
    if (mode === 'nearest') return nearest(y, a + 1, o, step[a]);
    const size = t.shape[a + 1];
    if (o === size && (alignCorners || step[a] === 1)) return y;
    return alongAxis(linearWeights(size, o, step[a], alignCorners, t.dtype as FloatDType), y, a + 1);
  }, t);
}

function checkFactor(op: string, t: Tensor, factor: number): void {
  if (!Number.isInteger(factor) || factor < 1) {
    throw new OptionError(`${op}: the factor is ${String(factor)}, expected a whole number >= 1`);
  }
  if (t.shape.length !== 4) throw new ShapeError(`${op}: got [${t.shape}], expected [batch, height, width, channels]`);
}

/**
 * Makes blocks of r × r pixels of r² channels: `y[n, h r + i, w r + j, c] = x[n, h, w, c r² + i r + j]`.
 * @param x [batch, height, width, channels r²]
 * @param upscaleFactor r, >= 1
 * @returns [batch, height r, width r, channels]
 * @throws OptionError for a factor that is no whole number >= 1, ShapeError for another shape or channels that r² does not divide
 * @example pixelShuffle(tensor([[[[1, 2, 3, 4]]]]), 2); // [[[[1], [2]], [[3], [4]]]]
 * @see Shi et al. (2016), Real-time single image and video super-resolution; PyTorch, torch.nn.functional.pixel_shuffle
 */
export function pixelShuffle(x: Operand, upscaleFactor: number): Tensor {
  const t = toTensor(x, undefined, 'pixelShuffle');
  checkFactor('pixelShuffle', t, upscaleFactor);
  const [[n, h, w, channels], r] = [t.shape, upscaleFactor];
  const c = channels / r ** 2;
  if (!Number.isInteger(c)) {
    throw new ShapeError(
      `pixelShuffle: got [${t.shape}], expected channels that ${r}² divides; they are the last axis`,
    );
  }
  return reshape(permute(reshape(t, [n, h, w, c, r, r]), [0, 1, 4, 2, 5, 3]), [n, h * r, w * r, c]);
}

/**
 * Makes r² channels of blocks of r × r pixels: the inverse of {@link pixelShuffle}.
 * @param x [batch, height r, width r, channels]
 * @param downscaleFactor r, >= 1
 * @returns [batch, height, width, channels r²]
 * @throws OptionError for a factor that is no whole number >= 1, ShapeError for another shape or sides that r does not divide
 * @example pixelUnshuffle(tensor([[[[1], [2]], [[3], [4]]]]), 2); // [[[[1, 2, 3, 4]]]]
 * @see PyTorch, torch.nn.functional.pixel_unshuffle
 */
export function pixelUnshuffle(x: Operand, downscaleFactor: number): Tensor {
  const t = toTensor(x, undefined, 'pixelUnshuffle');
  checkFactor('pixelUnshuffle', t, downscaleFactor);
  const [[n, height, width, c], r] = [t.shape, downscaleFactor];
  if (height % r !== 0 || width % r !== 0) {
    throw new ShapeError(`pixelUnshuffle: got [${t.shape}], expected height and width that ${r} divides`);
  }
  const [h, w] = [height / r, width / r];
  return reshape(permute(reshape(t, [n, h, r, w, r, c]), [0, 1, 3, 5, 2, 4]), [n, h, w, c * r * r]);
}
