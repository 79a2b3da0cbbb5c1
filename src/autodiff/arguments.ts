import { isFloat } from '../dtype.js';
import { GradError } from '../errors.js';
import { Tensor } from '../graph/tensor.js';
import { alias } from '../ops/index.js';
import { shown, wholeNumber } from '../options.js';
import { sameShape } from '../shape.js';
import { leaves, mapTree } from '../tree.js';
import type { Source } from './reverse.js';

/** The gradient of an argument has its structure: a tensor, or arrays and plain objects of tensors. */
export type GradientOf<T> = T extends Tensor ? Tensor : { readonly [K in keyof T]: GradientOf<T[K]> };

/** An argument as a source of its own, so that captures of the same tensor stay constants. */
function argumentSource(caller: string, x: unknown, name: string): Source {
  if (!(x instanceof Tensor)) {
    const hint = typeof x === 'number' ? `tensor(${x})` : 'a Tensor (cell.read() for a State)';
    throw new GradError(
      `${caller}: ${name} is ${x === null ? 'null' : typeof x}, expected a float tensor; pass ${hint}`,
    );
  }
  if (!isFloat(x.dtype)) {
    throw new GradError(`${caller}: ${name} has dtype ${x.dtype}, expected float32 or float64; add .cast('float32')`);
  }
  return { tensor: alias(x), name };
}

/** Throws unless `argnums` is a whole number >= 0 or an array of them. */
export function checkArgnums(caller: string, argnums: unknown): void {
  for (const n of Array.isArray(argnums) ? argnums : [argnums]) wholeNumber(`${caller}: argnums`, n, 0);
}

/** Throws unless `model` has trainable cells. */
export function checkModel(caller: string, model: unknown): void {
  if (typeof (model as { trainableCells?: unknown } | null | undefined)?.trainableCells === 'function') return;
  throw new GradError(`${caller}: the first argument is ${shown(model)}, expected a model or a function`);
}

export function rejectPromise<R>(caller: string, result: R): R {
  if (result instanceof Promise) {
    throw new GradError(`${caller}: the function is async; build the graph synchronously and await values afterwards`);
  }
  return result;
}

/** The tree with every leaf a source of its own, which is added to `sources`. */
export function treeOfSources(caller: string, tree: unknown, name: string, sources: Source[]): unknown {
  return mapTree(tree, (x, path) => {
    const source = argumentSource(caller, x, `${name}${path}`);
    sources.push(source);
    return source.tensor;
  });
}

/**
 * One tensor for each leaf of `like`, in order, from a tree of the same structure.
 * @throws GradError naming `what` and its place when one is missing, is no tensor, or has another shape or dtype
 */
export function matchingTensors(caller: string, what: string, like: unknown, given: unknown): Tensor[] {
  const wanted: [Tensor, string][] = [];
  mapTree(like, (x, path) => wanted.push([x as Tensor, path]));
  const list: [unknown, string][] = [];
  mapTree(given, (x, path) => list.push([x, path]));
  if (list.length !== wanted.length || list.some(([, path], i) => path !== wanted[i][1])) {
    const paths = (entries: readonly [unknown, string][]) => entries.map(([, path]) => path || 'one tensor').join(', ');
    throw new GradError(`${caller}: ${what}: got ${paths(list)}, expected ${paths(wanted)}`);
  }
  return list.map(([g, path], i) => {
    const [x] = wanted[i];
    if (!(g instanceof Tensor) || !sameShape(g.shape, x.shape) || g.dtype !== x.dtype) {
      const got = g instanceof Tensor ? `${g.dtype} [${g.shape}]` : g === null ? 'null' : typeof g;
      throw new GradError(`${caller}: ${what}${path}: got ${got}, expected ${x.dtype} [${x.shape}]`);
    }
    return g;
  });
}

/** Whoever runs the gradients runs the loss and aux as well, before the parameters they read are overwritten. */
export function joinLoss(result: unknown, grads: readonly Tensor[]): void {
  const values = leaves(result).filter((x): x is Tensor => x instanceof Tensor && x.storage === null);
  if (values.length === 0) return;
  for (const g of grads) g.companions = g.companions === null ? values : [...g.companions, ...values];
}
