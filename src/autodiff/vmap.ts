import { OptionError, ShapeError } from '../errors.js';
import { sampleLeaf } from '../graph/leaves.js';
import { State } from '../graph/state.js';
import { Tensor } from '../graph/tensor.js';
import { graphState } from '../graph/trace.js';
import { alias, broadcastTo, permute, reshape } from '../ops/index.js';
import { checkFunction, checkOptions, shown } from '../options.js';
import { normalizeAxis } from '../shape.js';
import { leaves, mapTree } from '../tree.js';
import { rejectPromise } from './arguments.js';
import { Batcher, type Randomness } from './batch.js';
import { record } from './reverse.js';

/** An axis, null for "the same for all samples", or a tree of these that is a prefix of the arguments or results. */
export type Axes = number | null | readonly Axes[] | { readonly [key: string]: Axes };

export interface VmapOptions {
  /**
   * Axis of the samples in each argument, null for arguments that all samples share; one for all arguments, or a list with an
   * entry per argument, which may be a tree of axes. Default 0.
   */
  readonly inAxes?: Axes;
  /** Axis of the samples in each result; one for all, or a tree. null for a result that is the same for all. Default 0. */
  readonly outAxes?: Axes;
  /** Random ops inside: 'error' (default), 'same' numbers for all samples, or 'different'. */
  readonly randomness?: 'error' | Randomness;
}

/**
 * Maps a function of one sample over an axis of its arguments, all samples at once: the graph of one sample is rewritten, op by
 * op, into the graph of all. Composes with `grad`, `jvp`, `jacobian`, `compile` and itself.
 *
 * `vmap(fn)(x)[i] = fn(x[i])`
 *
 * Rules by kind: elementwise ops, reductions and movement get one more axis; products become batched products (one larger
 * product when the samples share the right factor); softmax and other ops over rows get more rows; `take` and `scatterAdd` get
 * offsets or one more axis; other coarse ops are decomposed into these, or run sample by sample when they cannot be.
 *
 * @param fn of tensors, or arrays and objects of them (other arguments are passed on), giving the same; it must not ask for
 *   values that differ by sample
 * @param options see {@link VmapOptions}
 * @returns a function of the arguments of `fn`, each with one more axis where `inAxes` says so
 * @throws ShapeError when the axes have different sizes or do not exist; OptionError for illegal options or random ops without
 *   `randomness`; GradError when `fn` assigns a value that differs by sample to a cell
 * @example
 * const dots = vmap((a: Tensor, b: Tensor) => dot(a, b));
 * dots(tensor([[1, 2], [3, 4]]), tensor([[1, 1], [2, 2]])); // [3, 14]
 * @see PyTorch, torch.func.vmap; Bradbury et al., JAX: composable transformations of Python+NumPy programs, 2018
 */
export function vmap<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  options: VmapOptions = {},
): (...args: A) => R {
  checkFunction('vmap', 'fn', fn);
  checkOptions('vmap', options, ['inAxes', 'outAxes', 'randomness']);
  const { inAxes = 0, outAxes = 0, randomness = 'error' } = options;
  if (randomness !== 'error' && randomness !== 'same' && randomness !== 'different') {
    throw new OptionError(`vmap: randomness is ${shown(randomness)}, expected 'error', 'same' or 'different'`);
  }
  return (...args) => {
    if (Array.isArray(inAxes) && inAxes.length !== args.length) {
      throw new OptionError(`vmap: inAxes has ${inAxes.length} entries, the call ${args.length} arguments`);
    }
    const samples = new Map<Tensor, Tensor>();
    let size = -1;
    let first = '';
    const given = args.map((arg, n) => {
      const axes: Axes = Array.isArray(inAxes) ? inAxes[n] : (inAxes as Axes);
      return mapTree(arg, (x, path) => {
        const name = `argument ${n}${path}`;
        const axis = axisAt(axes, path, `inAxes of argument ${n}`);
        if (!(x instanceof Tensor || x instanceof State) || axis === null) return x;
        const t = x instanceof State ? x.read() : x;
        if (t.shape.length === 0) {
          throw new ShapeError(`vmap: ${name} is a scalar and has no axis of samples; give it null in inAxes`);
        }
        const at = normalizeAxis(`vmap: ${name}`, axis, t.shape.length);
        if (size < 0) [size, first] = [t.shape[at], name];
        else if (t.shape[at] !== size) {
          throw new ShapeError(`vmap: ${name} has ${t.shape[at]} samples along axis ${axis}, ${first} has ${size}`);
        }
        const order = [at, ...t.shape.map((_, a) => a).filter((a) => a !== at)];
        const leaf = sampleLeaf(
          order.slice(1).map((a) => t.shape[a]),
          t.dtype,
        );
        samples.set(leaf, alias(permute(t, order)));
        return leaf;
      });
    });
    if (size < 0) {
      throw new OptionError('vmap: no argument is mapped; at least one needs an axis in inAxes that is not null');
    }
    const [result, batcher] = runMapped(() => fn(...(given as unknown as A)), samples, size, randomness);
    return mapTree(result, (y, path) => {
      const value = y instanceof State ? y.read() : y;
      if (!(value instanceof Tensor)) return y;
      const axis = axisAt(outAxes, path, 'outAxes');
      return placed(batcher.of(value), value, axis, size, `result${path}`);
    }) as R;
  };
}

/** Runs a function on samples and rewrites what it built. */
function runMapped<R>(
  fn: () => R,
  samples: ReadonlyMap<Tensor, Tensor>,
  size: number,
  randomness: 'error' | Randomness,
): [result: R, batcher: Batcher] {
  const startId = graphState.nextId;
  graphState.maps++;
  let recorded: ReturnType<typeof record<R>>;
  try {
    recorded = record(fn);
  } finally {
    graphState.maps--;
  }
  const { result, tape } = recorded;
  rejectPromise('vmap', result);
  const batcher = new Batcher(samples, size, randomness, startId);
  batcher.rewrite(tape);
  for (const y of leaves(result)) if (y instanceof Tensor) batcher.meet(y);
  return [result, batcher];
}

/** A result with its samples along `axis`. */
function placed(batched: Tensor | null, sample: Tensor, axis: number | null, size: number, name: string): Tensor {
  if (axis === null) {
    if (batched === null) return sample;
    throw new ShapeError(`vmap: ${name} differs from sample to sample; outAxes must not be null there`);
  }
  const all = batched ?? broadcastTo(reshape(sample, [1, ...sample.shape]), [size, ...sample.shape]);
  const at = normalizeAxis(`vmap: ${name}`, axis, all.shape.length);
  const order = sample.shape.map((_, a) => a + 1);
  order.splice(at, 0, 0);
  return permute(all, order);
}

/** What the prefix tree `axes` says of the leaf at `path` (as `mapTree` writes it). */
function axisAt(axes: Axes, path: string, what: string): number | null {
  let at: Axes | undefined = axes;
  for (const step of path.match(/\.[^.[]*|\[\d+\]/g) ?? []) {
    if (at === null || typeof at === 'number') return at;
    at = Array.isArray(at) ? at[Number(step.slice(1, -1))] : (at as Record<string, Axes>)[step.slice(1)];
    if (at === undefined) throw new OptionError(`vmap: ${what} says nothing about ${path}`);
  }
  if (at === null || Number.isInteger(at)) return at as number | null;
  throw new OptionError(`vmap: ${what} is ${shown(at)} at ${path || 'a tensor'}, expected an axis or null`);
}
