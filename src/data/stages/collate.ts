import {
  DataError,
  type DType,
  type HostArray,
  type Shape,
  ShapeError,
  stack,
  Tensor,
  writeTensor,
} from '../../core.js';
import { sizeOf } from '../../shape.js';

/** A number or array among the elements that a batch is made of. */
export interface CollateOptions {
  /** Value that fills shorter arrays up; without it arrays of unequal length are an error. */
  readonly pad: number | undefined;
  /** Length of the first axis to fill up to; without it that of the longest. */
  readonly padTo: number | undefined;
  /** Dtype of all parts, or of parts by the first key of their path. */
  readonly dtypes: DType | Readonly<Record<string, DType>> | undefined;
}

/** A leaf as flat values and shape. */
interface Leaf {
  readonly data: ArrayLike<number | boolean>;
  readonly shape: Shape;
}

/** Elements of the same structure, each part stacked along a new first axis. */
export function collate(elements: readonly unknown[], options: CollateOptions): unknown {
  return collateAt(elements, options, []);
}

function collateAt(values: readonly unknown[], options: CollateOptions, path: readonly string[]): unknown {
  const first = values[0];
  if (first instanceof Tensor) return stackTensors(values, path);
  if (typeof first === 'string') return values.map((v, i) => (typeof v === 'string' ? v : mixed(path, i, first, v)));
  if (isLeaf(first)) return stackLeaves(values, options, path);
  if (Array.isArray(first)) {
    return first.map((_, k) =>
      collateAt(
        values.map((v, i) => item(v, k, first, i, path)),
        options,
        [...path, String(k)],
      ),
    );
  }
  if (typeof first === 'object' && first !== null) {
    const keys = Object.keys(first);
    const out: Record<string, unknown> = {};
    for (const key of keys) {
      const column = new Array<unknown>(values.length);
      for (let i = 0; i < values.length; i++) column[i] = field(values[i], key, first, i, path);
      out[key] = collateAt(column, options, [...path, key]);
    }
    return out;
  }
  throw new DataError(
    `batch: ${nameOf(path)} is ${show(first)}, expected numbers, arrays, tensors, strings, or records and lists of them`,
  );
}

function isLeaf(value: unknown): value is number | boolean | HostArray | Leaf | readonly unknown[] {
  if (typeof value === 'number' || typeof value === 'boolean' || ArrayBuffer.isView(value)) return true;
  if (Array.isArray(value)) return isNumbers(value);
  return isShaped(value);
}

function isShaped(value: unknown): value is { readonly data: HostArray; readonly shape: Shape } {
  if (typeof value !== 'object' || value === null || !('data' in value) || !('shape' in value)) return false;
  return ArrayBuffer.isView(value.data) && Array.isArray(value.shape);
}

/** A list of numbers is an axis; a list of other things is a tuple. Nested lists of numbers are axes too. */
function isNumbers(value: readonly unknown[]): boolean {
  const first = value[0];
  if (typeof first === 'number' || typeof first === 'boolean' || value.length === 0) return true;
  return Array.isArray(first) && isNumbers(first);
}

function item(value: unknown, k: number, first: readonly unknown[], i: number, path: readonly string[]): unknown {
  if (Array.isArray(value) && value.length === first.length) return value[k];
  return mixed(path, i, first, value);
}

function field(value: unknown, key: string, first: object, i: number, path: readonly string[]): unknown {
  if (typeof value === 'object' && value !== null && key in value) return (value as Record<string, unknown>)[key];
  return mixed(path, i, first, value);
}

function mixed(path: readonly string[], i: number, first: unknown, value: unknown): never {
  throw new DataError(
    `batch: ${nameOf(path)} of element ${i} of the batch is ${show(value)}, of element 0 ${show(first)}; expected alike`,
  );
}

function nameOf(path: readonly string[]): string {
  return path.length === 0 ? 'the element' : `"${path.join('.')}"`;
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${(value as HostArray).length}`;
  if (typeof value === 'object' && value !== null) return `{ ${Object.keys(value).slice(0, 6).join(', ')} }`;
  return String(value);
}

function stackTensors(values: readonly unknown[], path: readonly string[]): Tensor {
  const [first] = values as readonly Tensor[];
  values.forEach((v, i) => {
    if (!(v instanceof Tensor)) mixed(path, i, first, v);
    if (v.shape.join() === first.shape.join()) return;
    throw new ShapeError(
      `batch: ${nameOf(path)} of element ${i} of the batch is [${v.shape}], of element 0 [${first.shape}]; ` +
        'only arrays can be padded, not tensors',
    );
  });
  return stack(values as readonly Tensor[]);
}

function stackLeaves(values: readonly unknown[], options: CollateOptions, path: readonly string[]): Tensor {
  const { dtypes } = options;
  const dtype = (typeof dtypes === 'string' ? dtypes : dtypes?.[path[0] ?? '']) ?? guess(values[0], path);
  const n = values.length;
  if (typeof values[0] === 'number' || typeof values[0] === 'boolean') {
    return writeTensor([n], dtype, (out) => {
      for (let i = 0; i < n; i++) {
        const v = values[i];
        if (typeof v !== 'number' && typeof v !== 'boolean') mixed(path, i, values[0], v);
        put(out, i, Number(v), dtype, path, i);
      }
    });
  }
  if (ArrayBuffer.isView(values[0]) && options.padTo === undefined) {
    const out = stackRows(values as readonly HostArray[], dtype);
    if (out !== null) return out;
  }
  return stackAny(values, options, dtype, path);
}

/** The fast way: typed arrays of one length that hold the dtype. null: something is different. */
function stackRows(values: readonly HostArray[], dtype: DType): Tensor | null {
  const n = values.length;
  const width = values[0].length;
  const Row = ROWS[dtype];
  for (const row of values) if (row.length !== width || row.constructor !== Row) return null;
  return writeTensor([n, width], dtype, (out) => {
    for (let i = 0; i < n; i++) out.set(values[i], i * width);
  });
}

/** The typed array whose rows can be copied as they are. */
const ROWS: Readonly<Record<DType, unknown>> = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: null,
};

function stackAny(values: readonly unknown[], options: CollateOptions, dtype: DType, path: readonly string[]): Tensor {
  const leaves = values.map((v, i) => (isLeaf(v) ? leafOf(v, i, path) : mixed(path, i, values[0], v)));
  const { shape } = leaves[0];
  const rest = shape.slice(1);
  const { pad, padTo } = options;
  let longest = padTo ?? shape[0] ?? 1;
  leaves.forEach((leaf, i) => {
    const [length] = leaf.shape;
    const fits = pad === undefined ? leaf.shape.join() === shape.join() : leaf.shape.slice(1).join() === rest.join();
    if (!fits || leaf.shape.length !== shape.length) {
      const hint =
        pad === undefined && rest.join() === leaf.shape.slice(1).join() ? '; give { pad: 0 } to fill up' : '';
      throw new ShapeError(
        `batch: ${nameOf(path)} of element ${i} of the batch is [${leaf.shape}], of element 0 [${shape}]${hint}`,
      );
    }
    if (padTo === undefined) longest = Math.max(longest, length ?? 1);
    else if (length !== undefined && length > padTo) {
      throw new ShapeError(
        `batch: ${nameOf(path)} of element ${i} of the batch has length ${length}, padTo is ${padTo}; cut it with map first`,
      );
    }
  });
  const full = shape.length === 0 || pad === undefined ? shape : [longest, ...rest];
  const width = sizeOf(full);
  return writeTensor([leaves.length, ...full], dtype, (out) => {
    if (pad !== undefined) {
      if (out.length > 0) put(out, 0, pad, dtype, path, 0);
      out.fill(pad);
    }
    leaves.forEach(({ data }, i) => {
      for (let j = 0; j < data.length; j++) put(out, i * width + j, Number(data[j]), dtype, path, i);
    });
  });
}

/** Refuses numbers the dtype cannot hold: a label of 1.5 cut to 1 is a lost bug. */
function put(out: HostArray, at: number, v: number, dtype: DType, path: readonly string[], i: number): void {
  out[at] = v;
  if (dtype === 'float32' || dtype === 'float64' || out[at] === v) return;
  throw new DataError(`batch: ${nameOf(path)} of element ${i} of the batch has ${v}, which ${dtype} cannot hold`);
}

function leafOf(value: unknown, i: number, path: readonly string[]): Leaf {
  if (ArrayBuffer.isView(value)) return { data: value as HostArray, shape: [(value as HostArray).length] };
  if (isShaped(value)) {
    if (sizeOf(value.shape) === value.data.length) return value;
    throw new ShapeError(
      `batch: ${nameOf(path)} of element ${i} of the batch has ${value.data.length} values for shape [${value.shape}]`,
    );
  }
  if (!Array.isArray(value)) return { data: [value as number], shape: [] };
  const shape: number[] = [];
  for (let level: unknown = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  const data = value.flat(shape.length) as number[];
  const whole = data.length === sizeOf(shape) && data.every((v) => typeof v === 'number' || typeof v === 'boolean');
  if (whole) return { data, shape };
  throw new ShapeError(
    `batch: ${nameOf(path)} of element ${i} of the batch is a ragged list or has other things than numbers in it`,
  );
}

function guess(value: unknown, path: readonly string[]): DType {
  if (typeof value === 'boolean') return 'bool';
  const data: unknown = isShaped(value) ? value.data : value;
  if (!ArrayBuffer.isView(data)) {
    let first: unknown = data;
    while (Array.isArray(first)) first = first[0];
    return typeof first === 'boolean' ? 'bool' : 'float32';
  }
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return 'uint8';
  if (
    data instanceof Int32Array ||
    data instanceof Int16Array ||
    data instanceof Int8Array ||
    data instanceof Uint16Array
  ) {
    return 'int32';
  }
  throw new DataError(
    `batch: ${nameOf(path)} is a ${data.constructor.name}, expected floats or integers up to 32 bits`,
  );
}
