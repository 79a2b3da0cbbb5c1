import {
  abs,
  argsort,
  concat,
  type DType,
  flatten,
  greaterEqual,
  type JsonValue,
  mul,
  OptionError,
  ones,
  Parameter,
  reshape,
  type Shape,
  State,
  split,
  stopGradient,
  type Tensor,
} from '../core.js';
import { checkOptions, shown } from '../options.js';
import { sizeOf } from '../shape.js';
import { checkModule } from './describe.js';
import type { AnyModule, ModuleConfig } from './module.js';
import { Parametrization, parametrize } from './parametrize.js';

/** w · mask: weights that are pruned stay zero whatever an optimizer does, and get no gradient. */
export class Pruned extends Parametrization {
  original: Parameter;
  /** 1 where the weight is kept, 0 where it is pruned. */
  mask: State;

  constructor(weight: Parameter) {
    super();
    this.original = new Parameter(weight.read(), 'original');
    this.mask = new State(ones(weight.shape, { dtype: weight.dtype }), 'mask');
  }

  get shape(): Shape {
    return this.original.shape;
  }
  get dtype(): DType {
    return this.original.dtype;
  }
  override config(): ModuleConfig {
    return ['prune', {}];
  }
  forward(): Tensor {
    return mul(this.original.read(), this.mask.read());
  }
}

export interface PruneOptions {
  /** Share of the weights that are zero afterwards, in [0, 1]; default 0.5. */
  readonly amount?: number;
  /** Whether the share holds in each layer (default) or over all of them together: small weights go first, wherever they are. */
  readonly scope?: 'layer' | 'global';
  /** Which parameters, by path; default every `weight` of two axes or more. */
  readonly where?: (path: string, parameter: Parameter) => boolean;
}

const OPTIONS = ['amount', 'scope', 'where'];

/** Masked weights of a model, masked now if they are not yet. */
function masked(op: string, model: AnyModule, where: PruneOptions['where']): Pruned[] {
  checkModule(op, model);
  const chosen: Pruned[] = [];
  for (const [path, layer] of model.namedModules()) {
    if (layer instanceof Pruned) continue;
    const fields = layer as unknown as Record<string, unknown>;
    for (const name of Object.getOwnPropertyNames(fields)) {
      const value = fields[name];
      const full = path === '' ? name : `${path}.${name}`;
      const parameter = value instanceof Pruned ? value.original : value;
      if (!(parameter instanceof Parameter) || layer instanceof Parametrization) continue;
      const wanted = where === undefined ? name === 'weight' && parameter.shape.length > 1 : where(full, parameter);
      if (!wanted) continue;
      if (!(value instanceof Pruned)) parametrize(op, layer, name, (w) => new Pruned(w));
      chosen.push(fields[name] as Pruned);
    }
  }
  if (chosen.length === 0) throw new OptionError(`${op}: ${model.label} has no parameter that "where" chooses`);
  return chosen;
}

function checkAmount(op: string, what: string, amount: number): void {
  if (!(typeof amount === 'number' && amount >= 0 && amount <= 1)) {
    throw new OptionError(`${op}: ${what} is ${shown(amount)}, expected a share in [0, 1]`);
  }
}

/** Masks out the smallest weights, exactly `amount` of them (rounded to whole weights); what is pruned already stays so. */
function maskSmallest(weights: readonly Pruned[], amount: number): void {
  const sizes = weights.map((w) => abs(flatten(stopGradient(w.read()))));
  const all = concat(sizes);
  const n = sizeOf(all.shape);
  // The rank of each; equal ones in order, so that the number is exact.
  const rank = argsort(argsort(all));
  const kept = greaterEqual(rank, Math.round(amount * n)).cast(all.dtype);
  const parts = split(
    kept,
    sizes.map((s) => s.shape[0]),
  );
  for (const [i, w] of weights.entries()) w.mask.assign(mul(w.mask.read(), reshape(parts[i], w.shape)));
}

function pruneTo(weights: readonly Pruned[], amount: number, scope: 'layer' | 'global'): void {
  if (scope === 'global') maskSmallest(weights, amount);
  else for (const w of weights) maskSmallest([w], amount);
}

/**
 * Magnitude pruning: sets the smallest weights of a model to zero for good.
 *
 * A mask is multiplied in at every use, so training goes on with the others only; masks lie in the state dict
 * (`parametrizations.weight.mask`) and are saved with the model. Pruned again with a larger amount, more weights go. `amount: 0` only puts
 * the masks in place: do that before the optimizer is made, and prune while training. {@link removeParametrization} makes a layer's
 * weight plain again, with its zeros.
 *
 * @param model any module; changed in place.
 * @param options `amount` of weights that are zero afterwards (default 0.5), `scope` 'layer' (default) or 'global', `where`.
 * @returns the model
 * @throws OptionError for an amount outside [0, 1], another scope, or when no parameter is chosen.
 * @example nn.prune(new nn.Linear(8, 4), { amount: 0.75 });
 * @see Han et al. (2015), Learning both weights and connections; PyTorch, torch.nn.utils.prune.l1_unstructured, global_unstructured.
 */
export function prune<M extends AnyModule>(model: M, options: PruneOptions = {}): M {
  checkOptions('prune', options, OPTIONS);
  const { amount = 0.5, scope = 'layer', where } = options;
  checkAmount('prune', 'amount', amount);
  checkScope('prune', scope);
  pruneTo(masked('prune', model, where), amount, scope);
  return model;
}

function checkScope(op: string, scope: string): void {
  if (scope !== 'layer' && scope !== 'global') {
    throw new OptionError(`${op}: scope is ${String(scope)}, expected 'layer' or 'global'`);
  }
}

export interface PrunerOptions extends Omit<PruneOptions, 'amount'> {
  /** Share of zeros at the start, in [0, final]; default 0. */
  readonly initial?: number;
  /** Share of zeros at the end, in [0, 1]. */
  readonly final: number;
  /** First call of `step` that prunes, >= 0; default 0. */
  readonly start?: number;
  /** Calls of `step` between the first and the last pruning, >= 1. */
  readonly steps: number;
  /** Prune at every so many calls, >= 1; default 1. */
  readonly every?: number;
  /** Exponent of the schedule, > 0: 3 (default) prunes fast while there is much to prune, 1 evenly. */
  readonly power?: number;
}

/**
 * Iterative magnitude pruning: prunes a little at a time between training steps or epochs, which keeps more accuracy than one cut.
 *
 * share(t) = final + (initial − final)·(1 − (t − start) / steps)^power, t the number of calls of `step()` so far
 *
 * Masks are in place once it is made; make it before the optimizer. Its counter is `stateDict()`; the masks are the model's.
 *
 * @param model any module; changed in place.
 * @param options `final`, `steps`; `initial`, `start`, `every`, `power`, `scope`, `where`.
 * @throws OptionError for options outside their range, or when no parameter is chosen.
 * @example
 * const pruner = new nn.Pruner(new nn.Linear(8, 4), { final: 0.9, steps: 10 });
 * pruner.step(); // after each epoch
 * @see Zhu and Gupta (2017), To prune, or not to prune.
 */
export class Pruner {
  readonly options: Required<Omit<PrunerOptions, 'where'>>;
  readonly #weights: readonly Pruned[];
  #calls = 0;

  constructor(model: AnyModule, options: PrunerOptions) {
    checkOptions('Pruner', options, ['initial', 'final', 'start', 'steps', 'every', 'power', 'scope', 'where']);
    const { initial = 0, final, start = 0, steps, every = 1, power = 3, scope = 'layer', where } = options;
    checkAmount('Pruner', 'final', final);
    checkAmount('Pruner', 'initial', initial);
    if (initial > final) throw new OptionError(`Pruner: initial is ${initial}, expected at most final = ${final}`);
    for (const [what, n, least] of [
      ['start', start, 0],
      ['steps', steps, 1],
      ['every', every, 1],
    ] as const) {
      if (!Number.isInteger(n) || n < least) {
        throw new OptionError(`Pruner: ${what} is ${String(n)}, expected a whole number >= ${least}`);
      }
    }
    if (!(power > 0 && Number.isFinite(power)))
      throw new OptionError(`Pruner: power is ${power}, expected a number > 0`);
    checkScope('Pruner', scope);
    this.options = { initial, final, start, steps, every, power, scope };
    this.#weights = masked('Pruner', model, where);
  }

  /** Share of zeros that the schedule asks for after `calls` calls of {@link step}; 0 before the first pruning. */
  amountAt(calls: number): number {
    const { initial, final, start, steps, every, power } = this.options;
    const t = calls - 1 - start;
    if (t < 0) return 0;
    const done = t >= steps ? steps : Math.floor(t / every) * every;
    return final + (initial - final) * (1 - done / steps) ** power;
  }

  /** Counts one step or epoch, and prunes when the schedule says so; the next run carries it out. @returns the share of zeros asked for. */
  step(): number {
    this.#calls++;
    const amount = this.amountAt(this.#calls);
    if (amount > this.amountAt(this.#calls - 1)) pruneTo(this.#weights, amount, this.options.scope);
    return amount;
  }

  stateDict(): JsonValue {
    return { calls: this.#calls };
  }

  /** @throws OptionError when the state is not that of a pruner. */
  loadStateDict(state: JsonValue): void {
    const calls = (state as { calls?: unknown } | null)?.calls;
    if (typeof calls !== 'number' || !Number.isInteger(calls) || calls < 0) {
      throw new OptionError(`Pruner.loadStateDict: calls is ${String(calls)}, expected a whole number >= 0`);
    }
    this.#calls = calls;
  }
}
