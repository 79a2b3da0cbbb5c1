import { build, type Tensor } from '../graph/tensor.js';
import { checkOptions } from '../options.js';
import { normalizeAxis, type Shape, sizeOf } from '../shape.js';
import { type ArrayReference, batchAlong, checkDType, defineOp } from './define.js';
import { mul } from './elementwise.js';
import { pad, slice } from './movement.js';
import { cast, type Operand, toTensor } from './operand.js';
import type { AxisOptions } from './rectifier.js';

type ScanAttrs = { readonly axis: number; readonly reverse: boolean };

/** Order of the codes in opcodes.inc. */
const KINDS = ['cumsum', 'cumprod', 'linearScan'] as const;

function scanLowering(name: (typeof KINDS)[number], shape: Shape, { axis, reverse }: ScanAttrs) {
  return {
    opcode: 'SCAN',
    params: [
      KINDS.indexOf(name),
      Number(reverse),
      sizeOf(shape.slice(0, axis)),
      shape[axis],
      sizeOf(shape.slice(axis + 1)),
    ],
  };
}

/** `next` gets the running value, the element and, of a linear scan, its factor. */
function scanReference(start: number, next: (running: number, x: number, a: number) => number): ArrayReference {
  return ([x, a], attrs) => {
    const { axis, reverse } = attrs as unknown as ScanAttrs;
    const data = new Float64Array(x.data.length);
    const inner = sizeOf(x.shape.slice(axis + 1));
    const r = x.shape[axis];
    for (let lane = 0; r > 0 && lane < data.length / r; lane++) {
      let running = start;
      for (let i = 0; i < r; i++) {
        const row = reverse ? r - 1 - i : i;
        const at = (Math.floor(lane / inner) * r + row) * inner + (lane % inner);
        running = next(running, x.data[at], a?.data[at] ?? 1);
        data[at] = running;
      }
    }
    return { data, shape: x.shape };
  };
}

/** Records of running values along an axis. attrs: axis, reverse. */
export const scanOps = {
  cumsum: defineOp('cumsum', {
    kind: 'coarse',
    batch: batchAlong,
    infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
    vjp: ({ g, attrs }) => [sums(g, attrs as unknown as ScanAttrs)],
    reference: scanReference(0, (sum, x) => sum + x),
    lower: ({ inputs: [x], attrs }) => ({
      ...scanLowering('cumsum', x.shape, attrs as unknown as ScanAttrs),
      tail: [{ in: 0 }, 'none', { out: 0 }],
    }),
  }),
  cumprod: defineOp('cumprod', {
    kind: 'coarse',
    batch: batchAlong,
    infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
    // d_i = (product before i) S_i with S_i = g_i + x_(i + 1) S_(i + 1): no division, so it is right at zeros.
    vjp: ({ g, inputs: [x], out, attrs }) => {
      const { axis, reverse } = attrs as unknown as ScanAttrs;
      const tails = linearScan(shifted(x, axis, !reverse, 0), g, { axis, reverse: !reverse });
      return [mul(shifted(out, axis, reverse, 1), tails)];
    },
    reference: scanReference(1, (product, x) => product * x),
    lower: ({ inputs: [x], attrs }) => ({
      ...scanLowering('cumprod', x.shape, attrs as unknown as ScanAttrs),
      tail: [{ in: 0 }, 'none', { out: 0 }],
    }),
  }),
  /** inputs b, a: y_i = a_i y_(i - 1) + b_i from 0; closed under differentiation. */
  linearScan: defineOp('linearScan', {
    kind: 'coarse',
    batch: batchAlong,
    infer: ([b]) => ({ shape: b.shape, dtype: b.dtype }),
    vjp: ({ g, inputs: [, a], out, attrs }) => {
      const { axis, reverse } = attrs as unknown as ScanAttrs;
      const toB = linearScan(shifted(a, axis, !reverse, 0), g, { axis, reverse: !reverse });
      return [toB, mul(toB, shifted(out, axis, reverse, 0))];
    },
    reference: scanReference(0, (y, b, a) => a * y + b),
    lower: ({ inputs: [b], attrs }) => ({
      ...scanLowering('linearScan', b.shape, attrs as unknown as ScanAttrs),
      tail: [{ in: 0 }, { in: 1 }, { out: 0 }],
    }),
  }),
};

/** Gradient of a running sum: that from the other side. */
function sums(g: Tensor, { axis, reverse }: ScanAttrs): Tensor {
  return build(scanOps.cumsum, [g], { axis, reverse: !reverse });
}

function linearScan(a: Tensor, b: Tensor, attrs: ScanAttrs): Tensor {
  return build(scanOps.linearScan, [b, a], attrs);
}

/** Element i is element i - 1 of `x` (i + 1 when `back`), `fill` at the end that has none. */
function shifted(x: Tensor, axis: number, back: boolean, fill: number): Tensor {
  const n = x.shape[axis];
  if (n === 0) return x;
  const kept = slice(
    x,
    x.shape.map((_, a) => (a !== axis ? {} : back ? { start: 1 } : { end: n - 1 })),
  );
  const widths = x.shape.map((_, a): [number, number] => (a !== axis ? [0, 0] : back ? [0, 1] : [1, 0]));
  return pad(kept, widths, { value: fill });
}

export interface ScanOptions extends AxisOptions {
  /** Start at the end of the axis; default false. */
  readonly reverse?: boolean;
}

function scan(op: 'cumsum' | 'cumprod', x: Operand, { axis = -1, reverse = false }: ScanOptions): Tensor {
  const t = toTensor(x, undefined, op);
  const wide = t.dtype === 'bool' || t.dtype === 'uint8' ? cast(t, 'int32') : t;
  checkDType(op, wide.dtype, 'number');
  return build(scanOps[op], [wide], { axis: normalizeAxis(op, axis, t.shape.length), reverse });
}

/**
 * Running sum along an axis.
 * `y_i = x_0 + … + x_i`; float32 is summed in double and rounded once an element. Integers and bool give int32, which wraps.
 * @param x rank 1 or more
 * @param options `axis`, default the last; `reverse`: from the end
 * @returns the shape of `x`
 * @throws ShapeError when the axis does not exist
 * @example cumsum(tensor([1, 2, 3])); // [1, 3, 6]
 */
export function cumsum(x: Operand, options: ScanOptions = {}): Tensor {
  checkOptions('cumsum', options, ['axis', 'reverse']);
  return scan('cumsum', x, options);
}

/**
 * Running product along an axis; its gradient is right at zeros too.
 * `y_i = x_0 · … · x_i`, in double for float32. Integers and bool give int32, which wraps.
 * @param x rank 1 or more
 * @param options `axis`, default the last; `reverse`: from the end
 * @returns the shape of `x`
 * @throws ShapeError when the axis does not exist
 * @example cumprod(tensor([1, 2, 3])); // [1, 2, 6]
 */
export function cumprod(x: Operand, options: ScanOptions = {}): Tensor {
  checkOptions('cumprod', options, ['axis', 'reverse']);
  return scan('cumprod', x, options);
}
