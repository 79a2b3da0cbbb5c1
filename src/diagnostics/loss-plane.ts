import { add, flush, mul, type Parameter, realize, stopGradient, type Tensor, tensor } from '../core.js';
import { type DataInput, TensorDataset } from '../data/index.js';
import { DataError, OptionError, ShapeError } from '../errors.js';
import { type Loss, type LossName, lossByName } from '../losses/index.js';
import type { Module } from '../nn/index.js';
import { checkOptions, wholeNumber } from '../options.js';
import type { Surface } from '../plot/index.js';
import { sizeOf } from '../shape.js';

export interface LossPlaneOptions {
  /** Name, or a function of outputs and targets that returns a scalar. */
  readonly loss: LossName | Loss;
  /** Parameters along the training, from `model.stateDict()`: at least three; the last is the middle of the plane. */
  readonly snapshots: readonly Readonly<Record<string, Tensor>>[];
  /** Points along each axis, in [3, 200]; default 25. */
  readonly resolution?: number;
  /** How far the plane reaches beyond the path, as a share of the path's extent, > 0; default 0.3. */
  readonly margin?: number;
  /** At most so many samples of the batch are used; default 512. */
  readonly samples?: number;
}

/** A slice through the loss of a model, for `plot.lossSurface(plane.surface, { paths: { training: plane.path } })`. */
export interface LossPlane {
  readonly surface: Surface;
  /** The snapshots' places in the plane. */
  readonly path: readonly (readonly [number, number])[];
  /** Share of the squared distances of the snapshots from the last one that lies in the plane, in [0, 1]. */
  readonly explained: number;
}

/**
 * The loss around the way that training took: on the plane through the last snapshot in the two directions that hold most of
 * the way (principal components of the differences from the last snapshot). Runs the model in evaluation mode, resolution²
 * times; parameters and modes are put back. Running statistics are those that the model has now.
 * @param model whose snapshots they are.
 * @param batch a TensorDataset or `{ x, y }`; the first 512 samples are used.
 * @param options `loss` and `snapshots` (required), `resolution`, `margin`, `samples`.
 * @throws OptionError for fewer than three snapshots; ShapeError for snapshots of another model; DataError when they lie on a
 *   line or are not finite.
 * @example
 * const { surface, path } = await diagnostics.lossPlane(model, train, { loss: 'crossEntropy', snapshots });
 * await plot.save(plot.lossSurface(surface, { paths: { training: path } }), 'loss.svg');
 * @see Li, Xu, Taylor, Studer and Goldstein (2018), Visualizing the loss landscape of neural nets, section 7.
 */
export async function lossPlane(
  model: Module,
  batch: TensorDataset | { readonly x: DataInput; readonly y: DataInput },
  options: LossPlaneOptions,
): Promise<LossPlane> {
  const where = 'lossPlane';
  checkOptions(where, options, ['loss', 'snapshots', 'resolution', 'margin', 'samples']);
  const { loss, snapshots, margin = 0.3 } = options;
  const n = wholeNumber(`${where}: resolution`, options.resolution ?? 25, 3, 200);
  const samples = wholeNumber(`${where}: samples`, options.samples ?? 512, 1);
  if (!(margin > 0 && Number.isFinite(margin)))
    throw new OptionError(`${where}: margin is ${margin}, expected a number > 0`);
  if (!Array.isArray(snapshots) || snapshots.length < 3) {
    throw new OptionError(
      `${where}: got ${snapshots?.length ?? 0} snapshots, expected at least 3 from model.stateDict()`,
    );
  }
  const cells = [...model.namedParameters()];
  const vectors = await differences(where, cells, snapshots);
  const { axes, path, explained } = principalPlane(where, vectors);
  const data = batch instanceof TensorDataset ? batch : new TensorDataset(batch.x, batch.y);
  const { value } = await data.batches({ batchSize: Math.min(samples, data.length) }).next();
  const [x, y] = value as [Tensor, Tensor];
  const lossOf = typeof loss === 'string' ? lossByName(loss) : loss;

  const ends = [0, 1].map((k) => {
    const at = path.map((p) => p[k]);
    const [low, high] = [Math.min(...at), Math.max(...at)];
    // At least a tenth of the way's length, so that a nearly straight one has a plane too.
    const reach = Math.max(high - low, 0.1 * Math.hypot(...path[0])) * margin;
    return Float64Array.from({ length: n }, (_, i) => low - reach + ((high - low + 2 * reach) * i) / (n - 1));
  });
  const moves = cells.map(([path, cell], i) => {
    const offset = cells.slice(0, i).reduce((sum, [, c]) => sum + sizeOf(c.shape), 0);
    const part = (axis: Float64Array): Tensor =>
      tensor(Float32Array.from(axis.subarray(offset, offset + sizeOf(cell.shape))), {
        shape: cell.shape,
        dtype: 'float32',
      }).cast(cell.dtype);
    return { cell, middle: snapshots[snapshots.length - 1][path], axes: axes.map(part) };
  });
  const place = (u: number, v: number): void => {
    // Tensors, not constants: the program stays the same.
    const [a, b] = [tensor(u), tensor(v)];
    for (const { cell, middle, axes } of moves) {
      const [s, t] = [a, b].map((c) => c.cast(cell.dtype));
      cell.assign(add(middle, add(mul(axes[0], s), mul(axes[1], t))));
    }
  };
  const z = await withModel(model, cells, async () => {
    const rows: Float64Array[] = [];
    for (const v of ends[1]) {
      const row = new Float64Array(n);
      for (let i = 0; i < n; i++) {
        place(ends[0][i], v);
        row[i] = Number(await lossOf(model.forward(x), y).item());
      }
      rows.push(row);
    }
    return rows;
  });
  return { surface: { x: ends[0], y: ends[1], z }, path, explained };
}

/** Snapshots minus the last one, each as one vector over all parameters; the last one itself is left out. */
async function differences(
  where: string,
  cells: readonly [string, Parameter][],
  snapshots: readonly Readonly<Record<string, Tensor>>[],
): Promise<Float64Array[]> {
  const flat = await Promise.all(
    snapshots.map(async (snapshot, s) => {
      const parts = await Promise.all(
        cells.map(async ([path, cell]) => {
          const t = snapshot[path];
          if (t === undefined || String(t.shape) !== String(cell.shape)) {
            const got = t === undefined ? 'nothing' : `[${t.shape}]`;
            throw new ShapeError(`${where}: snapshot ${s} has ${got} for "${path}", expected [${cell.shape}]`);
          }
          return Array.from((await t.data()) as Float32Array);
        }),
      );
      return Float64Array.from(parts.flat());
    }),
  );
  const last = flat[flat.length - 1];
  const vectors = flat.slice(0, -1).map((v) => v.map((a, i) => a - last[i]));
  const odd = vectors.findIndex((v) => !v.every(Number.isFinite));
  if (odd >= 0) throw new DataError(`${where}: snapshot ${odd} or the last one has values that are not finite`);
  return vectors;
}

/** The two leading directions of the vectors, and where each vector (and the origin, last) is in their plane. */
function principalPlane(where: string, vectors: readonly Float64Array[]) {
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  };
  // The eigenvectors of the small matrix V·Vᵀ give those of the large VᵀV.
  const gram = vectors.map((a) => vectors.map((b) => dot(a, b)));
  const total = gram.reduce((sum, row, i) => sum + row[i], 0);
  const axes: Float64Array[] = [];
  const coordinates: number[][] = [];
  let held = 0;
  for (let k = 0; k < 2; k++) {
    const { vector, value } = leading(gram);
    // float32 weights know their differences to about 1e-7.
    if (!(value > 1e-10 * total)) {
      throw new DataError(
        `${where}: the snapshots lie on a line, expected at least three that do not, from different steps`,
      );
    }
    const size = Math.sqrt(value) * (vector[0] > 0 ? -1 : 1); // the way begins at the left and below
    const axis = new Float64Array(vectors[0].length);
    for (const [s, v] of vectors.entries()) for (let i = 0; i < axis.length; i++) axis[i] += (vector[s] / size) * v[i];
    axes.push(axis);
    coordinates.push(vectors.map((v) => dot(v, axis)));
    held += value;
    for (const [i, row] of gram.entries()) for (let j = 0; j < row.length; j++) row[j] -= value * vector[i] * vector[j];
  }
  const path = vectors.map((_, s): [number, number] => [coordinates[0][s], coordinates[1][s]]);
  return { axes, path: [...path, [0, 0] as [number, number]], explained: Math.min(1, held / total) };
}

/** Leading eigenvalue and unit eigenvector of a symmetric matrix without negative eigenvalues, by power iteration. */
function leading(matrix: readonly (readonly number[])[]): { vector: number[]; value: number } {
  // The longest row is not orthogonal to it.
  const norms = matrix.map((row) => Math.hypot(...row));
  let vector = [...matrix[norms.indexOf(Math.max(...norms))]];
  let value = Math.hypot(...vector);
  if (!(value > 0)) return { vector, value: 0 };
  for (let step = 0, change = 1; step < 10_000 && change > 1e-15; step++) {
    const unit = vector.map((v) => v / value);
    vector = matrix.map((row) => row.reduce((sum, m, i) => sum + m * unit[i], 0));
    value = Math.hypot(...vector);
    if (!(value > 0)) return { vector: unit, value: 0 };
    change = vector.reduce((most, v, i) => Math.max(most, Math.abs(v / value - unit[i])), 0);
  }
  return { vector: vector.map((v) => v / value), value };
}

/** Runs `use` in evaluation mode; then parameters and modes are as before. */
async function withModel<T>(model: Module, cells: readonly [string, Parameter][], use: () => Promise<T>): Promise<T> {
  const copies = cells.map(([, cell]) => [cell, stopGradient(cell.read())] as const);
  await realize(...copies.map(([, copy]) => copy));
  const modes = model.modules().map((m) => [m, m.training] as const);
  model.eval();
  try {
    return await use();
  } finally {
    for (const [m, mode] of modes) m.train(mode); // parents first, so that children end in their own
    for (const [cell, copy] of copies) cell.assign(copy);
    await flush();
  }
}
