import { didYouMean, GradError, OptionError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { eye, permute, reshape, zeros } from '../ops/index.js';
import { checkFunction, checkList, checkOptions, shown } from '../options.js';
import { type Shape, sizeOf } from '../shape.js';
import { mapTree } from '../tree.js';
import { checkArgnums, checkModel, type GradientOf, joinLoss, matchingTensors } from './arguments.js';
import {
  type Argnums,
  cellSources,
  type Differentiable,
  type Gradients,
  type GradientsOf,
  grad,
  type LossResult,
  valueAndGrad,
} from './grad.js';
import { jvp, type Linearized, linearize, linearizeAt } from './jvp.js';
import { vmap } from './vmap.js';

/** A tree of the structure of `R` whose leaves have the structure of the argument. */
export type JacobianOf<R, G> = R extends Tensor ? G : { readonly [K in keyof R]: JacobianOf<R[K], G> };

export interface JacobianOptions {
  /** Default 'auto': 'forward' when the arguments have fewer elements than the result, else 'reverse'. */
  readonly mode?: 'auto' | 'forward' | 'reverse';
}

/**
 * A function that computes every partial derivative of `fn`, all rows (reverse) or columns (forward) in one batched pass.
 * `J[...i, ...j] = d fn(x)[i] / d x[j]`
 * @param fn of tensors, or arrays and objects of them, giving float tensors likewise
 * @param argnums which arguments to differentiate, default 0; a list gives one Jacobian for each
 * @param options `mode`: reverse costs about one backward pass per element of the result, forward one forward pass per element
 *   of the arguments; both give the same numbers up to rounding
 * @returns a function of the arguments of `fn`; for a result of shape `[...out]` and an argument `[...in]` a tensor
 *   `[...out, ...in]`; for trees, the structure of the result with the structure of the argument at each leaf
 * @throws GradError when an argument or the result is not a float tensor; OptionError for an unknown mode
 * @example jacobian((x: Tensor) => x.mul(x))(tensor([1, 2])); // [[2, 0], [0, 4]]
 * @see PyTorch, torch.func.jacrev and jacfwd; Griewank and Walther, Evaluating Derivatives, 2008
 */
export function jacobian<A extends readonly unknown[], R, const N extends Argnums = 0>(
  fn: (...args: A) => R,
  argnums?: N,
  options: JacobianOptions = {},
): (...args: A) => JacobianOf<R, GradientsOf<A, N>> {
  checkFunction('jacobian', 'fn', fn);
  checkArgnums('jacobian', argnums ?? 0);
  checkOptions('jacobian', options, ['mode']);
  const { mode = 'auto' } = options;
  if (mode !== 'auto' && mode !== 'forward' && mode !== 'reverse') {
    throw new OptionError(`jacobian: mode is ${shown(mode)}, expected 'auto', 'forward' or 'reverse'`);
  }
  return (...args) => {
    const list: readonly number[] = Array.isArray(argnums) ? argnums : [(argnums ?? 0) as number];
    const picked = list.map((n) => {
      if (Number.isInteger(n) && n >= 0 && n < args.length) return args[n];
      throw new GradError(`jacobian: cannot differentiate argument ${n} of a call with ${args.length} arguments`);
    });
    const at = linearize(
      'jacobian',
      (...own) => {
        const given: unknown[] = [...args];
        for (const [i, n] of list.entries()) given[n] = own[i];
        return fn(...(given as unknown as A));
      },
      picked,
      list.map((n) => `argument ${n}`),
    );
    const { value, outputs, sources } = at;
    mapTree(value, (y, path) => {
      if (outputs.includes(y as Tensor)) return;
      throw new GradError(
        `jacobian: the result${path} is no float tensor; return it as a float tensor or leave it out`,
      );
    });
    const count = (tensors: readonly Tensor[]) => tensors.reduce((n, t) => n + sizeOf(t.shape), 0);
    const inputs = sources.map((s) => s.tensor);
    const forward = mode === 'forward' || (mode === 'auto' && count(inputs) < count(outputs));
    const blocks = forward ? columns(at, inputs) : rows(at, inputs);
    joinLoss(value, blocks.flat());
    return mapTree(value, (y) => {
      const row = blocks[outputs.indexOf(y as Tensor)];
      let next = 0;
      const trees = picked.map((tree) => mapTree(tree, () => row[next++]));
      return Array.isArray(argnums) ? trees : trees[0];
    }) as JacobianOf<R, GradientsOf<A, N>>;
  };
}

/** blocks[o][i] = d output o / d input i, one backward pass for all elements of an output. */
function rows({ outputs, pull }: Linearized<unknown>, inputs: readonly Tensor[]): Tensor[][] {
  return outputs.map((y, o) => {
    const n = sizeOf(y.shape);
    if (n === 0) return inputs.map((x) => zeros([...y.shape, ...x.shape], { dtype: x.dtype }));
    const one = (g: Tensor) => pull(outputs.map((_, k) => (k === o ? g : null)));
    const grads = vmap(one)(unitVectors(y, n));
    return grads.map((g, i) => reshape(g, [...y.shape, ...inputs[i].shape]));
  });
}

/** The same from one forward pass for all elements of an input. */
function columns({ outputs, push }: Linearized<unknown>, inputs: readonly Tensor[]): Tensor[][] {
  const byInput = inputs.map((x, i) => {
    const n = sizeOf(x.shape);
    if (n === 0) return outputs.map((y) => zeros([...y.shape, ...x.shape], { dtype: y.dtype }));
    const one = (v: Tensor) => push(inputs.map((_, k) => (k === i ? v : null)));
    const tangents = vmap(one)(unitVectors(x, n));
    return tangents.map((t, o) => columnsLast(t, outputs[o].shape, x.shape));
  });
  return outputs.map((_, o) => byInput.map((list) => list[o]));
}

/** Each element of `like` once 1 and the others 0: [n, ...shape]. */
function unitVectors(like: Tensor, n: number): Tensor {
  return reshape(eye(n, n, { dtype: like.dtype }), [n, ...like.shape]);
}

/** [n, ...out] as [...out, ...in], n being the elements of `in`. */
function columnsLast(t: Tensor, out: Shape, input: Shape): Tensor {
  const order = [...out.map((_, a) => a + 1), 0];
  return reshape(permute(t, order), [...out, ...input]);
}

/**
 * A function that computes the matrix of second derivatives of a scalar function, forward over reverse.
 * `H[...i, ...j] = d^2 fn(x) / d x[i] d x[j]`
 * @param fn returns a scalar loss, or `[loss, aux]` (aux is dropped)
 * @param argnums which arguments to differentiate, default 0; a list gives `H[a][b]` for each pair
 * @returns a function of the arguments of `fn`; for an argument `[...in]` a tensor `[...in, ...in]`
 * @throws GradError when the loss is not a float scalar or an argument is not a float tensor
 * @example hessian((x: Tensor) => x.pow(3).sum())(tensor([1, 2])); // [[6, 0], [0, 12]]
 * @see PyTorch, torch.func.hessian
 */
export function hessian<A extends readonly unknown[], const N extends Argnums = 0>(
  fn: (...args: A) => LossResult,
  argnums?: N,
): (...args: A) => JacobianOf<GradientsOf<A, N>, GradientsOf<A, N>> {
  checkFunction('hessian', 'fn', fn);
  const gradient = grad(fn, argnums) as (...args: A) => GradientsOf<A, N>;
  return jacobian(gradient, argnums, { mode: 'forward' });
}

/**
 * Value of a scalar function and the product of its Hessian with a vector, forward over reverse: about twice the cost of a
 * gradient, and the Hessian is never formed.
 * `[fn(x), H v]`
 * @param fn returns a scalar loss, or `[loss, aux]`
 * @param primals arguments of `fn`: float tensors, or arrays and objects of them
 * @param tangents v: the structure, shapes and dtypes of `primals`
 * @returns `[what fn returns, H v]`, the product of the structure of `primals`
 * @throws GradError when the loss is not a float scalar, an argument is not a float tensor, or `tangents` does not fit
 * @example
 * const [loss, product] = hvp((x: Tensor) => x.pow(3).sum(), [tensor([1, 2])], [tensor([1, 1])]); // 9 and [[6, 12]]
 * @see Pearlmutter, Fast Exact Multiplication by the Hessian, 1994
 */
export function hvp<P extends readonly unknown[], R extends LossResult>(
  fn: (...primals: P) => R,
  primals: P,
  tangents: { readonly [K in keyof P]: GradientOf<P[K]> },
): [value: R, product: { readonly [K in keyof P]: GradientOf<P[K]> }];
/**
 * The same for the trainable cells of a model: the vector and the product are records by path, as gradients are.
 * @param model anything with trainable cells
 * @param fn returns a scalar loss of the model, or `[loss, aux]`
 * @param tangents v by path; paths that are left out count as 0
 * @returns `[what fn returns, H v by path]`, for the cells that have a gradient
 * @throws GradError when a path is not that of a trainable cell, or a tensor does not fit its cell
 * @example const [loss, product] = hvp(model, () => crossEntropy(model.forward(x), y), grads);
 */
export function hvp<R extends LossResult>(
  model: Differentiable,
  fn: () => R,
  tangents: Gradients,
): [value: R, product: Gradients];
export function hvp(
  target: Differentiable | ((...primals: readonly unknown[]) => LossResult),
  second: readonly unknown[] | (() => LossResult),
  tangents: unknown,
): [LossResult, unknown] {
  if (typeof target !== 'function') return modelProduct(target, second as () => LossResult, tangents as Gradients);
  checkList('hvp', 'primals', second, 'arguments of fn');
  checkList('hvp', 'tangents', tangents, 'tensors like primals');
  const primals = second as readonly unknown[];
  const everything = primals.map((_, i) => i);
  let value: LossResult | undefined;
  const gradient = (...args: readonly unknown[]) => {
    const [result, grads] = valueAndGrad(target, everything)(...args);
    value = result;
    return grads;
  };
  const [, product] = jvp(gradient, primals, tangents as readonly unknown[] as never);
  return [value as LossResult, product];
}

function modelProduct(model: Differentiable, fn: () => LossResult, tangents: Gradients): [LossResult, Gradients] {
  checkModel('hvp', model);
  if (typeof fn !== 'function') {
    throw new GradError('hvp: got a model without a function; write hvp(model, () => loss, vectors)');
  }
  if (typeof tangents !== 'object' || tangents === null) {
    throw new GradError(`hvp: tangents is ${shown(tangents)}, expected a tensor for each path`);
  }
  const sources = cellSources(model);
  const paths = sources.map((s) => s.name);
  for (const path of Object.keys(tangents)) {
    if (!paths.includes(path)) {
      throw new GradError(`hvp: "${path}" is no trainable cell of the model.${didYouMean(path, paths)}`);
    }
  }
  const vectors = sources.map(({ tensor, name }) =>
    tangents[name] === undefined ? null : matchingTensors('hvp', `the vector of "${name}"`, tensor, tangents[name])[0],
  );
  const lossAndGrad = valueAndGrad(model, fn);
  let result: LossResult | undefined;
  const gradient = (): Gradients => {
    const [loss, grads] = lossAndGrad();
    result = loss;
    return grads;
  };
  const { value: grads, push } = linearizeAt('hvp', gradient, sources);
  const products = push(vectors);
  joinLoss(grads, products);
  return [
    result as LossResult,
    Object.freeze(Object.fromEntries(Object.keys(grads).map((path, i) => [path, products[i]]))),
  ];
}
