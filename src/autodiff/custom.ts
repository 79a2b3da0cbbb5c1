import { isFloat } from '../dtype.js';
import { GradError } from '../errors.js';
import { fullOp } from '../graph/leaves.js';
import { ruledBy } from '../graph/rule.js';
import { build, Tensor } from '../graph/tensor.js';
import { movementOps } from '../ops/movement.js';
import { checkFunction, shown } from '../options.js';
import { sameShape } from '../shape.js';
import { leaves, mapTree } from '../tree.js';
import { rejectPromise } from './arguments.js';
import { pullBack, record, type Tape } from './reverse.js';

/** What a custom gradient rule gets. */
export interface CustomGradContext<A extends readonly Tensor[]> {
  /** Gradient of the result. */
  readonly grad: Tensor;
  readonly inputs: A;
  readonly output: Tensor;
}

/**
 * A function with a gradient rule of your own, in place of the rules of the ops it is made of.
 *
 * The rule is made of ops, so it is differentiated like everything else: a rule that uses `inputs` and `output` has right second
 * derivatives. Forward mode and `vmap` follow from it too. No gradient flows to tensors that `fn` captures: pass them.
 * @param fn of tensors, giving a float tensor
 * @param rule gives, for each argument of `fn`, its gradient (shape and dtype of the argument) or null for none
 * @returns a function of the arguments of `fn`
 * @throws GradError when the rule gives the wrong number of gradients, or one of the wrong shape or dtype
 * @example
 * // Forward a step, backward the identity inside [-1, 1].
 * const binarize = customGrad((x: Tensor) => x.sign(), ({ grad, inputs: [x] }) => [
 *   where(x.abs().lessEqual(1), grad, 0),
 * ]);
 * @see PyTorch, torch.autograd.Function; JAX, custom_vjp
 */
export function customGrad<A extends readonly Tensor[]>(
  fn: (...inputs: A) => Tensor,
  rule: (context: CustomGradContext<A>) => readonly (Tensor | null)[],
): (...inputs: A) => Tensor {
  checkFunction('customGrad', 'fn', fn);
  checkFunction('customGrad', 'rule', rule);
  return (...inputs) => {
    inputs.forEach((x: unknown, i) => {
      if (!(x instanceof Tensor)) {
        throw new GradError(`customGrad: argument ${i} is ${x === null ? 'null' : typeof x}, expected a Tensor`);
      }
    });
    const value: unknown = rejectPromise('customGrad', fn(...inputs));
    if (!(value instanceof Tensor) || !isFloat(value.dtype)) {
      throw new GradError(
        `customGrad: the function returned ${value instanceof Tensor ? value.dtype : typeof value}, expected a float tensor`,
      );
    }
    const [result] = ruledBy([value], inputs, ({ gs, outs, inputs: xs }) => {
      const grads = rule({ grad: gs[0] as Tensor, inputs: xs as unknown as A, output: outs[0] });
      if (!Array.isArray(grads) || grads.length !== xs.length) {
        const got = Array.isArray(grads) ? `${grads.length} gradients` : typeof grads;
        throw new GradError(`customGrad: the rule returned ${got}, expected a list of ${xs.length}, one per argument`);
      }
      return grads.map((g: Tensor | null, i) => {
        const x = xs[i];
        if (g !== null && !(g instanceof Tensor)) {
          throw new GradError(`customGrad: the rule gave ${shown(g)} for argument ${i}, expected a tensor or null`);
        }
        if (g === null || (sameShape(g.shape, x.shape) && g.dtype === x.dtype)) return g;
        throw new GradError(
          `customGrad: the rule gave ${g.dtype} [${g.shape}] for argument ${i}, expected ${x.dtype} [${x.shape}]`,
        );
      });
    });
    return result;
  };
}

/**
 * A function whose intermediate values are not kept for the backward pass but computed again there: less memory for about one
 * more forward pass. Random ops draw the same numbers again. Values keep every bit, and gradients too, unless a captured tensor
 * is used elsewhere as well: then their sum may be added up in another order.
 *
 * What is kept are the arguments, the results, and what `fn` makes of captured tensors alone. `jvp` computes the value twice.
 * @param fn of tensors (arguments and results may be arrays and objects of them, and anything else); captured parameters are
 *   differentiated too
 * @returns a function with the arguments and results of `fn`
 * @throws GradError when `fn` is async
 * @example
 * const block = checkpoint((x: Tensor) => model.block.forward(x));
 * @see Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016; Griewank and Walther, Algorithm 799: Revolve, 2000
 */
export function checkpoint<A extends readonly unknown[], R>(fn: (...args: A) => R): (...args: A) => R {
  checkFunction('checkpoint', 'fn', fn);
  return (...args) => {
    const { result, tape } = record(() => rejectPromise('checkpoint', fn(...args)));
    const made = new Set(tape.map((e) => e.node));
    const values = [...new Set(leaves(result).filter((y): y is Tensor => y instanceof Tensor && made.has(y)))];
    if (values.length === 0) return result;
    const outside = new Set<Tensor>();
    for (const { inputs } of tape) for (const x of inputs) if (!made.has(x) && x.op !== fullOp) outside.add(x);
    const dependencies = [...outside];
    const kept = ruledBy(values, dependencies, ({ gs, inputs, needs }) => {
      // The barrier keeps the compiler from finding that all this has been computed before.
      const again = inputs.map((x) => build(movementOps.barrier, [x]));
      const { result: replayed, tape: second } = record(() =>
        replay(tape, new Map(dependencies.map((x, i) => [x, again[i]]))),
      );
      const seeds = values.flatMap((y, i): [Tensor, Tensor][] => {
        const g = gs[i];
        return g === null ? [] : [[replayed(y), g]];
      });
      const wanted = again.flatMap((tensor, i) => (needs[i] ? [{ tensor, name: `input ${i} of a checkpoint` }] : []));
      const grads = pullBack('checkpoint', second, seeds, wanted);
      let next = 0;
      return again.map((_, i) => (needs[i] ? grads[next++] : null));
    });
    const byValue = new Map(values.map((y, i) => [y, kept[i]]));
    return mapTree(result, (y) => byValue.get(y as Tensor) ?? y) as R;
  };
}

/** Builds everything on the tape again from other inputs; random ops keep their stream index. */
function replay(tape: Tape, made: Map<Tensor, Tensor>): (t: Tensor) => Tensor {
  const at = (t: Tensor) => made.get(t) ?? t;
  for (const { node, op, inputs, attrs } of tape) made.set(node, build(op, inputs.map(at), attrs));
  return at;
}
