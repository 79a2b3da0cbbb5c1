import { isFloat } from '../dtype.js';
import { GradError } from '../errors.js';
import { stateOp } from '../graph/leaves.js';
import type { Parameter, State } from '../graph/state.js';
import { Tensor } from '../graph/tensor.js';
import { graphState } from '../graph/trace.js';
import { alias, full, zerosLike } from '../ops/index.js';
import { checkFunction } from '../options.js';
import { leaves, mapTree } from '../tree.js';
import {
  checkArgnums,
  checkModel,
  type GradientOf,
  joinLoss,
  matchingTensors,
  rejectPromise,
  treeOfSources,
} from './arguments.js';
import { pullBack, record, type Source } from './reverse.js';

/** Anything with named trainable cells, such as a Module. */
export interface Differentiable {
  trainableCells(): ReadonlyMap<string, Parameter>;
}

/** What a differentiated function returns: the loss, or the loss and anything else. */
export type LossResult = Tensor | readonly [loss: Tensor, aux: unknown];
/** Gradients by path of the trainable cell; frozen and unreached cells are absent. */
export type Gradients = Readonly<Record<string, Tensor>>;
/** Gradient of the argument, or one for each of several. */
export type GradientsOf<A extends readonly unknown[], N> = N extends readonly number[]
  ? { readonly [K in keyof N]: N[K] extends keyof A ? GradientOf<A[N[K]]> : Tensor }
  : N extends keyof A
    ? GradientOf<A[N]>
    : Tensor;

export type Argnums = number | readonly number[];

/**
 * A function that computes `fn` and the gradient of a model: `[fn(...), gradients of the trainable cells by path]`.
 * Gradients are graph nodes, so they can be differentiated again.
 * @param model anything with trainable cells
 * @param fn returns a scalar loss, or `[loss, aux]`; aux is passed through
 * @returns a function of the arguments of `fn`
 * @throws GradError when the loss is not a float scalar, or depends on a cell through an op without a gradient
 * @example
 * const lossAndGrad = valueAndGrad(model, (x: Tensor, y: Tensor) => crossEntropy(model.forward(x), y));
 * const [loss, grads] = lossAndGrad(x, y);
 * optimizer.update(model, grads);
 */
export function valueAndGrad<A extends readonly unknown[], R extends LossResult>(
  model: Differentiable,
  fn: (...args: A) => R,
): (...args: A) => [value: R, grads: Gradients];
/**
 * A function that computes `fn` and its gradient: `[fn(...), gradient]`, one gradient for each of `argnums` when that is a
 * list. Gradients are graph nodes, so they can be differentiated again.
 * @param fn returns a scalar loss, or `[loss, aux]`; aux is passed through
 * @param argnums which arguments to differentiate, default 0; each a float tensor, or arrays and objects of them
 * @returns a function of the arguments of `fn`
 * @throws GradError when the loss is not a float scalar, or depends on an argument through an op without a gradient
 * @example
 * const [value, slope] = valueAndGrad((x: Tensor) => x.mul(x).sum())(tensor([1, 2])); // 5 and [2, 4]
 */
export function valueAndGrad<A extends readonly unknown[], R extends LossResult, const N extends Argnums = 0>(
  fn: (...args: A) => R,
  argnums?: N,
): (...args: A) => [value: R, grads: GradientsOf<A, N>];
export function valueAndGrad(
  target: Differentiable | ((...args: readonly unknown[]) => LossResult),
  second?: Argnums | ((...args: readonly unknown[]) => LossResult),
): (...args: readonly unknown[]) => [LossResult, unknown] {
  if (typeof target === 'function') {
    const argnums = (second as Argnums | undefined) ?? 0;
    checkArgnums('valueAndGrad', argnums);
    return (...args) => gradientOfArguments('valueAndGrad', target, argnums, args);
  }
  checkModel('valueAndGrad', target);
  if (typeof second !== 'function') {
    throw new GradError('valueAndGrad: got a model without a function; write valueAndGrad(model, (x, y) => loss)');
  }
  return (...args) => gradientOfModel(target, () => second(...args));
}

/**
 * A function that computes the gradient of `fn`; see {@link valueAndGrad}.
 * @param fn returns a scalar loss, or `[loss, aux]` (aux is dropped)
 * @param argnums which arguments to differentiate; default 0
 * @returns a function of the arguments of `fn`
 * @throws GradError when the loss is not a float scalar, or depends on an argument through an op without a gradient
 * @example grad((x: Tensor) => x.pow(3).sum())(tensor([1, 2])); // [3, 12]
 */
export function grad<A extends readonly unknown[], const N extends Argnums = 0>(
  fn: (...args: A) => LossResult,
  argnums?: N,
): (...args: A) => GradientsOf<A, N> {
  checkFunction('grad', 'fn', fn);
  checkArgnums('grad', argnums ?? 0);
  const untyped = fn as unknown as (...args: readonly unknown[]) => LossResult;
  return (...args) => gradientOfArguments('grad', untyped, argnums ?? 0, args)[1] as GradientsOf<A, N>;
}

/**
 * Value of `fn` and the function that pulls a cotangent of that value back to the arguments (vector-Jacobian product).
 * `pullback(v)[i] = v^T d fn / d args[i]`
 * @param fn of float tensors, with a float tensor (or arrays and objects of them) as result
 * @returns `[value, pullback]`; the cotangent has the structure, shapes and dtypes of the value
 * @throws GradError when an argument is no float tensor or a cotangent does not fit
 * @example
 * const [y, pullback] = vjp((x: Tensor) => x.mul(x), tensor([1, 2, 3]));
 * pullback(ones([3])); // [[2, 4, 6]]
 */
export function vjp<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  ...args: A
): [value: R, pullback: (cotangent: GradientOf<R>) => { readonly [K in keyof A]: GradientOf<A[K]> }] {
  checkFunction('vjp', 'fn', fn);
  const sources: Source[] = [];
  const given = args.map((x, i) => treeOfSources('vjp', x, `argument ${i}`, sources));
  const { result, tape } = record(() => fn(...(given as unknown as A)));
  const outputs = leaves(rejectPromise('vjp', result));
  outputs.forEach((y, i) => {
    if (!(y instanceof Tensor) || !isFloat(y.dtype)) throw new GradError(`vjp: output ${i} is no float tensor`);
  });
  const pullback = (cotangent: unknown) => {
    const seeds = matchingTensors('vjp', 'cotangent', result, cotangent);
    const grads = pullBack(
      'vjp',
      tape,
      seeds.map((g, i): [Tensor, Tensor] => [outputs[i] as Tensor, g]),
      sources,
    );
    let next = 0;
    return mapTree(given, (x) => grads[next++] ?? zerosLike(x as Tensor));
  };
  return [result, pullback as (cotangent: GradientOf<R>) => { readonly [K in keyof A]: GradientOf<A[K]> }];
}

function gradientOfArguments(
  caller: string,
  fn: (...args: readonly unknown[]) => LossResult,
  argnums: Argnums,
  args: readonly unknown[],
): [LossResult, unknown] {
  const list = typeof argnums === 'number' ? [argnums] : argnums;
  const sources: Source[] = [];
  const given = [...args];
  for (const n of new Set(list)) {
    if (!Number.isInteger(n) || n < 0 || n >= args.length) {
      throw new GradError(`${caller}: cannot differentiate argument ${n} of a call with ${args.length} arguments`);
    }
    given[n] = treeOfSources(caller, args[n], `argument ${n}`, sources);
  }
  const { result, tape } = record(() => fn(...given));
  const grads = pullBack(caller, tape, [seeded(caller, result)], sources);
  const bySource = new Map(sources.map((s, i) => [s.tensor, grads[i] ?? zerosLike(s.tensor)]));
  joinLoss(result, [...bySource.values()]);
  const gradient = (n: number): unknown => mapTree(given[n], (x) => bySource.get(x as Tensor));
  return [result, typeof argnums === 'number' ? gradient(argnums) : argnums.map(gradient)];
}

/** The trainable cells of a model, read before recording: the nodes that a function will get, whatever computes them. */
export function cellSources(model: Differentiable): Source[] {
  const cells = model.trainableCells();
  separateCells(cells);
  const sources: Source[] = [];
  for (const [name, cell] of cells) sources.push({ tensor: cell.read(), name, isPath: true });
  return sources;
}

function gradientOfModel(model: Differentiable, fn: () => LossResult): [LossResult, Gradients] {
  const sources = cellSources(model);
  const { result, tape } = record(fn);
  const grads = pullBack('valueAndGrad', tape, [seeded('valueAndGrad', result)], sources);
  const byPath: Record<string, Tensor> = {};
  for (let i = 0; i < grads.length; i++) {
    const g = grads[i];
    if (g !== null) byPath[sources[i].name] = g;
  }
  joinLoss(
    result,
    grads.filter((g) => g !== null),
  );
  return [result, Object.freeze(byPath)];
}

/**
 * Cells written with one tensor (a shared initial value, an average that starts as a copy) read as one node until the write
 * has run. Gives the others a node of their own, so that each trainable cell is a source by itself.
 */
function separateCells(cells: ReadonlyMap<string, Parameter>): void {
  if (allSeparate(cells)) return;
  const owner = new Map<Tensor, State>();
  for (const cell of cells.values()) {
    if (owner.has(cell.read())) cell.assign(alias(cell.read()));
    owner.set(cell.read(), cell);
  }
  for (const [cell, value] of [...(graphState.trace?.writes ?? graphState.pending)]) {
    if ((owner.get(value) ?? cell) !== cell) cell.assign(alias(value));
  }
}

/** Whether each reads as a leaf of its own, as after every run. */
function allSeparate(cells: ReadonlyMap<string, Parameter>): boolean {
  for (const cell of cells.values()) {
    const { op, attrs } = cell.read();
    if (op !== stateOp || attrs.cell !== cell) return false;
  }
  return true;
}

/** The loss and its cotangent 1. */
function seeded(caller: string, result: LossResult): [Tensor, Tensor] {
  rejectPromise(caller, result);
  const loss: unknown = Array.isArray(result) ? result[0] : result;
  if (!(loss instanceof Tensor)) {
    throw new GradError(`${caller}: the function returned ${typeof loss}, expected a scalar tensor or [loss, aux]`);
  }
  if (loss.shape.length !== 0) {
    throw new GradError(
      `${caller}: the loss has shape [${loss.shape}], expected a scalar; reduce it, e.g. loss.mean()`,
    );
  }
  if (!isFloat(loss.dtype)) {
    throw new GradError(`${caller}: the loss has dtype ${loss.dtype}, expected float32 or float64`);
  }
  return [loss, full([], 1, { dtype: loss.dtype })];
}
