import { isFloat } from '../dtype.js';
import { Tensor } from '../graph/tensor.js';
import { alias, zerosLike } from '../ops/index.js';
import { checkFunction, checkList } from '../options.js';
import { leaves, mapTree } from '../tree.js';
import { type GradientOf, joinLoss, matchingTensors, rejectPromise, treeOfSources } from './arguments.js';
import { pullBack, record, type Source, type Tape } from './reverse.js';

/** A function at a point, and its derivative there in both directions. */
export interface Linearized<R> {
  readonly value: R;
  /** The float tensors of the value, in order. */
  readonly outputs: readonly Tensor[];
  readonly sources: readonly Source[];
  /** Cotangents of the outputs to cotangents of the sources. */
  pull(cotangents: readonly (Tensor | null)[]): Tensor[];
  /** Tangents of the sources to tangents of the outputs. */
  push(tangents: readonly (Tensor | null)[]): Tensor[];
}

/** Records `fn` once; `args` are trees whose leaves are differentiated. `names` are those of the arguments in messages. */
export function linearize<R>(
  caller: string,
  fn: (...args: readonly unknown[]) => R,
  args: readonly unknown[],
  names: readonly string[] = args.map((_, i) => `argument ${i}`),
): Linearized<R> {
  const sources: Source[] = [];
  const given = args.map((x, i) => treeOfSources(caller, x, names[i], sources));
  return linearizeAt(caller, () => fn(...given), sources);
}

/** The same for a function of tensors that it has already. */
export function linearizeAt<R>(caller: string, fn: () => R, sources: readonly Source[]): Linearized<R> {
  const { result, tape } = record(() => rejectPromise(caller, fn()));
  const outputs = leaves(result).filter((y): y is Tensor => y instanceof Tensor && isFloat(y.dtype));
  const pull = (cotangents: readonly (Tensor | null)[]): (Tensor | null)[] =>
    pullBack(caller, tape, pairs(outputs, cotangents), sources);
  let transposed: { tape: Tape; inputs: readonly Source[]; pulled: readonly (Tensor | null)[] } | null = null;
  return {
    value: result,
    outputs,
    sources,
    pull: (cotangents) => pull(cotangents).map((g, i) => g ?? zerosLike(sources[i].tensor)),
    // u -> J^T u is linear, so its own reverse mode at v is J v, whatever u is: nothing of the first backward pass is needed.
    push: (tangents) => {
      if (transposed === null) {
        const inputs = outputs.map((y, i) => ({ tensor: alias(zerosLike(y)), name: `output ${i}` }));
        const { result: pulled, tape: linear } = record(() => pull(inputs.map((s) => s.tensor)));
        transposed = { tape: linear, inputs, pulled };
      }
      const { inputs, pulled, tape: linear } = transposed;
      const seeds = pulled.flatMap((g, i): [Tensor, Tensor][] => {
        const v = tangents[i];
        return g === null || v === null ? [] : [[g, v]];
      });
      return pullBack(caller, linear, seeds, inputs).map((t, i) => t ?? zerosLike(outputs[i]));
    },
  };
}

function pairs(outputs: readonly Tensor[], cotangents: readonly (Tensor | null)[]): [Tensor, Tensor][] {
  return outputs.flatMap((y, i): [Tensor, Tensor][] => {
    const g = cotangents[i];
    return g === null ? [] : [[y, g]];
  });
}

/**
 * Value of `fn` and its derivative along a direction (Jacobian-vector product, forward mode).
 * `[fn(x), d fn(x + t v) / dt at t = 0]`
 *
 * The tangent is built as the transpose of the transpose: the backward pass of `fn` is written down, which is linear in its
 * cotangent, and differentiated once more. What is left does not use the cotangent, so compiling removes the backward pass and
 * the program computes value and tangent only.
 * @param fn of float tensors, or arrays and objects of them, giving the same (integer results have tangent 0)
 * @param primals arguments of `fn`
 * @param tangents the direction: the structure, shapes and dtypes of `primals`
 * @returns `[value, tangent]`, the tangent of the structure of the value
 * @throws GradError when an argument is no float tensor, a tangent does not fit, or an op on the way has no gradient
 * @example
 * const [y, dy] = jvp((x: Tensor) => x.mul(x), [tensor([1, 2])], [tensor([1, 0])]); // [1, 4] and [2, 0]
 * @see Griewank and Walther, Evaluating Derivatives, 2008, chapter 3; Radul et al., You Only Linearize Once, 2022
 */
export function jvp<P extends readonly unknown[], R>(
  fn: (...primals: P) => R,
  primals: P,
  tangents: { readonly [K in keyof P]: GradientOf<P[K]> },
): [value: R, tangent: GradientOf<R>] {
  checkFunction('jvp', 'fn', fn);
  checkList('jvp', 'primals', primals, 'arguments of fn');
  const { value, outputs, push } = linearize('jvp', fn as unknown as (...args: readonly unknown[]) => R, primals);
  const pushed = push(matchingTensors('jvp', 'tangent', primals, tangents));
  joinLoss(value, pushed);
  return [value, tangentTree(value, outputs, pushed) as GradientOf<R>];
}

/** The tree of `value` with tangents in place of tensors. */
function tangentTree(value: unknown, outputs: readonly Tensor[], tangents: readonly Tensor[]): unknown {
  return mapTree(value, (y) => {
    if (!(y instanceof Tensor)) return y;
    const at = outputs.indexOf(y);
    return at < 0 ? zerosLike(y) : tangents[at];
  });
}
