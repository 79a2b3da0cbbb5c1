import {
  add,
  cast,
  clip,
  clipScale,
  type Differentiable,
  type DType,
  div,
  flush,
  flushSync,
  full,
  GradError,
  type Gradients,
  guarded,
  hostScalar,
  minimum,
  mul,
  norm,
  notEqual,
  OptionError,
  type Parameter,
  realize,
  State,
  sign,
  stopGradient,
  Tensor,
  tensor,
  where,
} from '../core.js';
import { didYouMean, ShapeError } from '../errors.js';
import { checkList, checkObject, checkOptions, shown } from '../options.js';
import { type Shape, sameShape } from '../shape.js';
import { checkRange, checkTrainable, type LearningRate, learningRateAt } from './options.js';

/** Parameters, chosen by path, that differ from the others in learning rate or weight decay. */
export interface ParameterGroup {
  /** Whether the parameter of this path belongs to the group; the first group that takes a path has it. */
  readonly params: (path: string) => boolean;
  readonly lr?: LearningRate;
  readonly weightDecay?: number;
}

/** Options of every optimizer. */
export interface OptimizerOptions {
  /** Learning rate, >= 0, or a schedule from the number of updates before this one (default 1e-3). */
  readonly lr?: LearningRate;
  /** Weight decay, >= 0. */
  readonly weightDecay?: number;
  /** Goes up the gradient instead of down (default false). */
  readonly maximize?: boolean;
  /** L1 penalty, >= 0 (default 0): adds l1·sign(w) to the gradient, as weightDecay adds λ·w (L2). */
  readonly l1?: number;
  /** Greatest Euclidean norm, > 0, of all gradients of an update together; larger ones are scaled down before anything else. */
  readonly clipNorm?: number;
  /** Greatest absolute value, > 0, of any element of a gradient; applied after `clipNorm`. */
  readonly clipValue?: number;
  /** Weight decay shrinks the weights by lr·λ·w instead of joining the gradient (default false; true in AdamW, Lion, Muon, LAMB). */
  readonly decoupledWeightDecay?: boolean;
  /**
   * Parameters that `weightDecay` and `l1` leave alone: 'biasAndNorm' for all with fewer than two dimensions, which are the
   * biases and the weights of normalisation layers, or a predicate of the path (default none).
   */
  readonly decayExempt?: 'biasAndNorm' | ((path: string) => boolean);
  /**
   * Updates whose gradients are averaged into one step, a whole number >= 1 (default 1): n calls of batch b do what one of
   * batch n·b does. Everything else, schedules and clipping included, sees the averaged steps only.
   */
  readonly accumulate?: number;
  /**
   * Greatest Euclidean norm, > 0, of each unit's incoming weights: after a step every row w[i, …] of a parameter with two or more
   * dimensions is scaled back to it.
   */
  readonly maxNorm?: number;
  readonly groups?: readonly ParameterGroup[];
}

/** What a rule gets for one parameter. */
export interface ParameterStep {
  readonly w: Tensor;
  readonly g: Tensor;
  /** Values of the slots named by `slotNames`. */
  readonly slots: Readonly<Record<string, Tensor>>;
}

/** What a rule gets beside the learning rate. */
export interface StepSettings {
  /** The L1 penalty of these parameters. */
  readonly l1: number;
  /** float64 scalar that multiplies the gradients (`clipNorm`), null for none. */
  readonly scale: Tensor | null;
  /** Whether `decayExempt` takes these parameters; their `weightDecay` and `l1` are 0. */
  readonly exempt: boolean;
  /** float64 scalar that is 0 when the step must change nothing (`accumulate`), null for none. */
  readonly gate: Tensor | null;
}

/** What a rule returns: the step count + 1 and the new values, parameters in the order given. */
export interface StepResult {
  readonly step: Tensor;
  readonly params: readonly { readonly w: Tensor; readonly slots: Readonly<Record<string, Tensor>> }[];
}

/** State of one parameter. Those of one group and dtype that joined at the same update share the cell of the step count. */
interface Slots {
  /** The parameter they were made for; a layer that is replaced starts anew. */
  readonly owner: Parameter;
  readonly group: number;
  /** Whether weight decay and the L1 penalty leave it alone. */
  readonly exempt: boolean;
  readonly step: State;
  readonly cells: Readonly<Record<string, State>>;
}

/** A parameter with a gradient, and what belongs to it. */
interface Member {
  readonly path: string;
  readonly cell: Parameter;
  /** Cells of the slots, in the order of `slotNames`. */
  readonly slots: readonly State[];
  /** Sum of the gradients since the last step, with `accumulate`. */
  readonly sum: State | null;
}

/** The members that share a step count: one native instruction. */
interface Batch {
  readonly step: State;
  readonly weightDecay: number;
  readonly l1: number;
  readonly exempt: boolean;
  /** The group's learning rate for step k of a scan; `advance` counts the steps issued. */
  readonly rate: (k: number) => number;
  readonly advance: (n: number) => void;
  readonly members: readonly Member[];
}

/** Who is updated together: the same at every update until the model, its frozen parameters or the state change. */
interface Plan {
  readonly cells: ReadonlyMap<string, Parameter>;
  readonly layout: number;
  /** Paths that have a gradient, in the order of `cells`. */
  readonly paths: readonly string[];
  readonly batches: readonly Batch[];
}

/** State of one parameter from a state dict; cells are made of it when the parameter is first updated. */
interface SavedSlots {
  readonly step: number;
  readonly values: Readonly<Record<string, Tensor>>;
}

/**
 * Base of the optimizers: binds to the first model it updates, keeps slots by parameter path, and turns gradients into one
 * native instruction per parameter group.
 *
 * A rule of your own names its slots and computes new values from ordinary ops:
 * @example
 * class SignDescent extends optim.Optimizer {
 *   protected readonly slotNames = [];
 *   protected rule(lr: Tensor, step: Tensor, _decay: number, params: readonly optim.ParameterStep[]): optim.StepResult {
 *     const move = ({ w, g }: optim.ParameterStep) => ({ w: w.sub(g.sign().mul(lr.cast(w.dtype))), slots: {} });
 *     return { step: step.add(1), params: params.map(move) };
 *   }
 * }
 */
export abstract class Optimizer {
  readonly weightDecay: number;
  readonly maximize: boolean;
  readonly l1: number;
  readonly clipNorm: number | null;
  readonly clipValue: number | null;
  readonly decoupledWeightDecay: boolean;
  readonly accumulate: number;
  readonly maxNorm: number | null;
  readonly groups: readonly ParameterGroup[];
  readonly #exempt: (path: string, cell: Parameter) => boolean;
  #lr: LearningRate;
  #model: Differentiable | null = null;
  #slots = new Map<string, Slots>();
  #saved = new Map<string, SavedSlots>();
  /** Updates issued, of which `accumulate` make a step. */
  #updates = 0;
  /** Counts replacements of the cells; a compiled step that holds the old ones is traced again. */
  #layout = 0;
  readonly #readLayout = () => this.#layout;
  #plan: Plan | null = null;

  /** @param known names of the options the optimizer takes beside {@link OptimizerOptions}. */
  constructor(options: OptimizerOptions = {}, known: readonly string[] = []) {
    checkList(this.name, 'known', known, 'names');
    checkOptions(this.name, options, [...COMMON, ...known]);
    const { lr = 1e-3, weightDecay = 0, maximize = false, l1 = 0, clipNorm, clipValue, groups = [] } = options;
    const { decoupledWeightDecay = false, decayExempt, accumulate = 1, maxNorm } = options;
    checkRate(this.name, 'lr', lr);
    checkRange(this.name, 'weightDecay', weightDecay, 0);
    checkRange(this.name, 'l1', l1, 0);
    for (const [what, limit] of Object.entries({ clipNorm, clipValue, maxNorm })) {
      if (limit === undefined || (typeof limit === 'number' && limit > 0 && Number.isFinite(limit))) continue;
      throw new OptionError(`${this.name}: ${what} is ${shown(limit)}, expected a finite number > 0`);
    }
    if (!Number.isSafeInteger(accumulate) || accumulate < 1) {
      throw new OptionError(`${this.name}: accumulate is ${shown(accumulate)}, expected a whole number >= 1`);
    }
    checkList(this.name, 'groups', groups, 'groups such as { params, lr }');
    for (const [i, group] of groups.entries()) {
      const where = `${this.name}: groups[${i}]`;
      checkOptions(where, group, ['params', 'lr', 'weightDecay']);
      if (typeof group.params !== 'function') throw new OptionError(`${where}: params must be a function of the path`);
      if (group.lr !== undefined) checkRate(where, 'lr', group.lr);
      if (group.weightDecay !== undefined) checkRange(where, 'weightDecay', group.weightDecay, 0);
    }
    this.#lr = lr;
    this.weightDecay = weightDecay;
    this.maximize = maximize;
    this.l1 = l1;
    this.clipNorm = clipNorm ?? null;
    this.clipValue = clipValue ?? null;
    this.decoupledWeightDecay = decoupledWeightDecay;
    this.accumulate = accumulate;
    this.maxNorm = maxNorm ?? null;
    this.#exempt = exemption(this.name, decayExempt);
    this.groups = [...groups];
  }

  /** Names of the slots the rule keeps per parameter, zero at first. */
  protected abstract readonly slotNames: readonly string[];

  /**
   * Whether the rule applies `scale`, `clipValue`, `l1` and `gate` itself, as the built-in ones do inside their instruction. When
   * false, the gradients it gets have the first three, and what it returns while the gate is closed is dropped.
   */
  protected readonly shapesGradients: boolean = false;

  /** Shape of the slot of this name beside a parameter of `shape` (the same unless overridden). */
  protected slotShape(_name: string, shape: Shape): Shape {
    return shape;
  }

  /** First value of the slots of this name (0 unless overridden), given the learning rate of the first step. */
  protected initialSlot(_name: string, _lr: number): number {
    return 0;
  }

  /**
   * The update rule: new values of parameters and slots.
   * @param lr float64 scalar; @param step int32 scalar, updates these parameters had before; @param weightDecay the group's;
   * @param settings what options do that a rule with `shapesGradients` does itself.
   */
  protected abstract rule(
    lr: Tensor,
    step: Tensor,
    weightDecay: number,
    params: readonly ParameterStep[],
    settings: StepSettings,
  ): StepResult;

  /** Name for messages. */
  get name(): string {
    return this.constructor.name;
  }

  /** Learning rate or schedule; may be set at any time, also between runs of a compiled step, which is not traced again. */
  get lr(): LearningRate {
    return this.#lr;
  }
  set lr(lr: LearningRate) {
    checkRate(this.name, 'lr', lr);
    this.#lr = lr;
  }

  /** Learning rate of the next update (of parameters outside the groups). */
  get currentLr(): number {
    return learningRateAt(this.name, this.#lr, this.steps);
  }

  /** Steps issued so far: updates, or with `accumulate: n` every n-th of them. */
  get steps(): number {
    return Math.floor(this.#updates / this.accumulate);
  }

  /**
   * Records the update of the model's parameters as pending writes; runs nothing. The next realisation carries it out
   * together with the loss. A second update while the first is pending runs the first.
   *
   * @param model the model of the first update, ever after.
   * @param grads path → gradient, as `valueAndGrad(model, …)` gives them; parameters without one are left alone.
   * @throws GradError for a path that is no trainable parameter; ShapeError for a gradient of another shape; OptionError
   *   for another model.
   * @example
   * const [loss, grads] = valueAndGrad(model, lossOf)(x, y);
   * optimizer.update(model, grads);
   */
  update(model: Differentiable, grads: Gradients): void {
    checkObject(`${this.name}.update: grads`, grads, 'gradients by path, as valueAndGrad gives');
    const cells = this.#bind(model).trainableCells();
    guarded(this.#readLayout);
    const { batches } = this.#planOf(cells, grads);
    for (const { step } of this.#slots.values()) {
      if (step.version === 0 || !step.dirty) continue;
      flushSync();
      break;
    }
    const { slotNames } = this;
    const gate = this.#gate();
    const given = gate === null ? grads : this.#accumulated(batches, grads, gate);
    const scale = this.clipNorm === null ? null : this.#clipScale(batches, given, this.clipNorm);
    const results = batches.map((batch) => {
      const { l1, weightDecay, exempt } = batch;
      const lr = hostScalar(batch.rate, batch.advance);
      const params = batch.members.map(({ path, cell, slots }): ParameterStep => {
        const values: Record<string, Tensor> = {};
        for (let s = 0; s < slots.length; s++) values[slotNames[s]] = slots[s].read();
        const w = cell.read();
        return { w, g: this.shapesGradients ? given[path] : this.#shaped(given[path], w, scale, l1), slots: values };
      });
      return this.rule(lr, batch.step.read(), weightDecay, params, { l1, exempt, scale, gate });
    });
    for (let i = 0; i < batches.length; i++) {
      const { step, members } = batches[i];
      // A rule of the user does not know the gate.
      const choose = this.shapesGradients ? null : gate;
      step.assign(gated(choose, results[i].step, step));
      for (let j = 0; j < members.length; j++) {
        const { w, slots: next } = results[i].params[j];
        const { cell, slots } = members[j];
        for (let s = 0; s < slotNames.length; s++) slots[s].assign(gated(choose, next[slotNames[s]], slots[s]));
        if (this.maxNorm === null || cell.shape.length < 2) cell.assign(gated(choose, w, cell));
        else cell.assign(gated(gate, limited(w, this.maxNorm), cell));
      }
    }
  }

  /** {@link update}, carried out: resolves when the parameters have their new values. */
  step(model: Differentiable, grads: Gradients): Promise<void> {
    this.update(model, grads);
    return flush();
  }

  /**
   * Copies of the optimizer's state at the call: `step` (steps issued), with `accumulate` also `accumulated` (updates since) and, for each parameter that was updated,
   * `<path>.step` and `<path>.<slot>`.
   */
  async stateDict(): Promise<Record<string, Tensor>> {
    const copies = new Map<State, Tensor>();
    const copyOf = (cell: State): Tensor => {
      const copy = copies.get(cell) ?? stopGradient(cell.read());
      copies.set(cell, copy);
      return copy;
    };
    const dict: [string, Tensor][] = [['step', tensor(this.steps, { dtype: 'int32' })]];
    if (this.accumulate > 1) {
      dict.push(['accumulated', tensor(this.#updates % this.accumulate, { dtype: 'int32' })]);
    }
    for (const [path, { step, cells }] of this.#slots) {
      dict.push([`${path}.step`, copyOf(step)]);
      for (const [name, cell] of Object.entries(cells)) dict.push([`${path}.${name}`, copyOf(cell)]);
    }
    for (const [path, { step, values }] of this.#saved) {
      dict.push([`${path}.step`, tensor(step, { dtype: 'int32' })]);
      for (const [name, value] of Object.entries(values)) dict.push([`${path}.${name}`, value]);
    }
    await realize(...copies.values());
    return Object.fromEntries(dict);
  }

  /**
   * Replaces the optimizer's state by one from {@link stateDict}, of an optimizer of the same kind.
   * @throws OptionError, changing nothing, when keys are missing or unknown.
   */
  async loadStateDict(dict: Readonly<Record<string, Tensor>>): Promise<void> {
    const where = `${this.name}.loadStateDict`;
    checkObject(where, dict, 'tensors, as stateDict() gives');
    const { step, accumulated, ...rest } = dict;
    const suffixes = ['step', ...this.#cellNames];
    const found = new Map<string, Record<string, Tensor>>();
    for (const [key, value] of Object.entries(rest)) {
      const dot = key.lastIndexOf('.');
      const [path, suffix] = [key.slice(0, dot), key.slice(dot + 1)];
      if (dot < 1 || !suffixes.includes(suffix) || !(value instanceof Tensor)) {
        throw new OptionError(
          `${where}: unknown key "${key}", expected "step" and tensors <path>.${suffixes.join('|')}`,
        );
      }
      found.set(path, { ...found.get(path), [suffix]: value });
    }
    if (!(step instanceof Tensor)) throw new OptionError(`${where}: the key "step" is missing`);
    const saved = new Map<string, SavedSlots>();
    for (const [path, { step: count, ...values }] of found) {
      const missing = suffixes.filter((s) => (s === 'step' ? count : values[s]) === undefined);
      if (missing.length > 0) throw new OptionError(`${where}: "${path}" lacks ${missing.join(', ')}`);
      saved.set(path, { step: await count.item(), values });
    }
    if (accumulated instanceof Tensor !== this.accumulate > 1) {
      const [has, wants] = accumulated === undefined ? ['lacks', 'with'] : ['has', 'without'];
      throw new OptionError(
        `${where}: the state ${has} "accumulated", expected that of an optimizer ${wants} accumulate`,
      );
    }
    const updates = (await step.item()) * this.accumulate + (accumulated === undefined ? 0 : await accumulated.item());
    await realize(...[...saved.values()].flatMap(({ values }) => Object.values(values)));
    this.#updates = updates;
    this.#slots = new Map();
    this.#saved = saved;
    this.#layout++;
  }

  /** Names of the cells beside each parameter. */
  get #cellNames(): readonly string[] {
    return this.accumulate > 1 ? [...this.slotNames, 'gradSum'] : this.slotNames;
  }

  /** 1 for every `accumulate`-th update, else 0; null without accumulation. */
  #gate(): Tensor | null {
    const n = this.accumulate;
    return n === 1 ? null : hostScalar((k) => ((this.#updates + k + 1) % n === 0 ? 1 : 0));
  }

  /** Means of the gradients since the last step; their cells start again at 0 when the gate opens. */
  #accumulated(batches: readonly Batch[], grads: Gradients, gate: Tensor): Gradients {
    const open = notEqual(gate, 0);
    const means: Record<string, Tensor> = {};
    for (const { members } of batches) {
      for (const { path, sum } of members) {
        const cell = sum as State;
        const total = add(cell.read(), mul(grads[path], 1 / this.accumulate));
        means[path] = total;
        cell.assign(where(open, 0, total));
      }
    }
    return means;
  }

  /** The gradient with what the options do to it; the sign of `maximize`, which is the rule's, leaves the penalty alone. */
  #shaped(g: Tensor, w: Tensor, scale: Tensor | null, l1: number): Tensor {
    const { clipValue, maximize } = this;
    const scaled = scale === null ? g : mul(g, cast(scale, g.dtype));
    const clipped = clipValue === null ? scaled : clip(scaled, -clipValue, clipValue);
    return l1 === 0 ? clipped : add(clipped, mul(maximize ? -l1 : l1, sign(w)));
  }

  #bind(model: Differentiable): Differentiable {
    checkTrainable(`${this.name}.update`, model);
    this.#model ??= model;
    if (this.#model === model) return model;
    throw new OptionError(`${this.name}.update: got another model than the first time; make a new ${this.name} for it`);
  }

  #clipScale(batches: readonly Batch[], grads: Gradients, norm: number): Tensor | null {
    const used = batches.flatMap(({ members }) => members.map(({ path }) => grads[path]));
    return used.length === 0 ? null : clipScale(used, norm);
  }

  /** The plan for these gradients; made anew when the parameters or the paths are not those of the last one. */
  #planOf(cells: ReadonlyMap<string, Parameter>, grads: Gradients): Plan {
    if (this.#plan !== null && this.#fits(this.#plan, cells, grads)) return this.#plan;
    this.#check(cells, grads);
    const joined = new Map<string, State>();
    const found = new Map<State, { slots: Slots; members: Member[] }>();
    const paths: string[] = [];
    for (const [path, cell] of cells) {
      if (!Object.hasOwn(grads, path)) continue;
      paths.push(path);
      const slots = this.#slotsOf(path, cell, joined);
      const batch = found.get(slots.step) ?? { slots, members: [] };
      found.set(slots.step, batch);
      const { cells: own } = slots;
      const kept = this.slotNames.map((name) => own[name]);
      batch.members.push({ path, cell, slots: kept, sum: own['gradSum'] ?? null });
    }
    const batches = [...found.values()].map(({ slots: { group, exempt, step }, members }, i): Batch => {
      const weightDecay = exempt ? 0 : (this.groups[group]?.weightDecay ?? this.weightDecay);
      const l1 = exempt ? 0 : this.l1;
      const rate = (k: number) => this.#rate(group, Math.floor((this.#updates + k) / this.accumulate));
      // One count for all groups: the last instruction advances it, after every schedule was read.
      const advance = (n: number) => {
        if (i === found.size - 1) this.#updates += n;
      };
      return { step, weightDecay, l1, exempt, rate, advance, members };
    });
    this.#plan = { cells, layout: this.#layout, paths, batches };
    return this.#plan;
  }

  /** Whether `plan` is for these parameters and gradients, each of its parameter's shape; allocates nothing. */
  #fits(plan: Plan, cells: ReadonlyMap<string, Parameter>, grads: Gradients): boolean {
    if (plan.cells !== cells || plan.layout !== this.#layout) return false;
    let i = 0;
    for (const path in grads) if (plan.paths[i++] !== path) return false;
    if (i !== plan.paths.length) return false;
    for (const { members } of plan.batches) {
      for (const { path, cell } of members) {
        const g = grads[path];
        if (!sameShape(g.shape, cell.shape) || g.dtype !== cell.dtype) return false;
      }
    }
    return true;
  }

  #check(cells: ReadonlyMap<string, Parameter>, grads: Gradients): void {
    for (const [path, g] of Object.entries(grads)) {
      const cell = cells.get(path);
      if (cell === undefined) {
        const known = [...cells.keys()];
        throw new GradError(
          `${this.name}.update: got a gradient for "${path}", which is not a trainable parameter of the model.${didYouMean(path, known)}`,
        );
      }
      if (!sameShape(g.shape, cell.shape) || g.dtype !== cell.dtype) {
        throw new ShapeError(
          `${this.name}.update: gradient of "${path}" is ${show(g)}, expected ${show(cell)} like the parameter`,
        );
      }
    }
  }

  #slotsOf(path: string, cell: Parameter, joined: Map<string, State>): Slots {
    const old = this.#slots.get(path);
    if (old?.owner === cell) return old;
    const saved = this.#saved.get(path) ?? { step: 0, values: {} };
    const { shape, dtype } = cell;
    const shapeOf = (name: string) => (name === 'gradSum' ? shape : this.slotShape(name, shape));
    for (const [name, value] of Object.entries(saved.values)) {
      const expected = { shape: shapeOf(name), dtype };
      if (!sameShape(value.shape, expected.shape) || value.dtype !== dtype) {
        throw new ShapeError(
          `${this.name}: slot "${path}.${name}" is ${show(value)}, expected ${show(expected)} for the parameter`,
        );
      }
    }
    const group = this.#groupOf(path);
    const exempt = this.#exempt(path, cell);
    const key = `${group} ${exempt} ${dtype} ${saved.step}`;
    const step = joined.get(key) ?? new State(full([], saved.step, { dtype: 'int32' }), `${path}.step`);
    joined.set(key, step);
    const slot = (name: string) =>
      new State(saved.values[name] ?? full(shapeOf(name), initial(name), { dtype }), `${path}.${name}`);
    const initial = (name: string) => (name === 'gradSum' ? 0 : this.initialSlot(name, this.#rate(group, this.steps)));
    const cells = Object.fromEntries(this.#cellNames.map((s) => [s, slot(s)]));
    const fresh = { owner: cell, group, exempt, step, cells };
    this.#slots.set(path, fresh);
    this.#saved.delete(path);
    return fresh;
  }

  /** Index in `groups`, -1 for the rest. */
  #groupOf(path: string): number {
    return this.groups.findIndex((g) => g.params(path));
  }

  #rate(group: number, step: number): number {
    return learningRateAt(this.name, this.groups[group]?.lr ?? this.#lr, step);
  }
}

const COMMON = [
  ...['lr', 'weightDecay', 'decoupledWeightDecay', 'decayExempt', 'maximize', 'l1'],
  ...['clipNorm', 'clipValue', 'accumulate', 'maxNorm', 'groups'],
];

function exemption(where: string, given: OptimizerOptions['decayExempt']): (path: string, cell: Parameter) => boolean {
  if (given === undefined) return () => false;
  if (given === 'biasAndNorm') return (_, cell) => cell.shape.length < 2;
  if (typeof given === 'function') return given;
  throw new OptionError(`${where}: decayExempt is ${String(given)}, expected 'biasAndNorm' or a function of the path`);
}

/** The new value where the gate is open, else what the cell holds. */
function gated(gate: Tensor | null, next: Tensor, cell: State): Tensor {
  return gate === null ? next : where(notEqual(gate, 0), next, cell.read());
}

/** Rows scaled back to norm `limit`; shorter ones, and zeros, are as they were. */
function limited(w: Tensor, limit: number): Tensor {
  const axis = w.shape.map((_, i) => i).slice(1);
  return mul(w, minimum(1, div(limit, norm(w, { axis, keepDims: true }))));
}

function checkRate(where: string, what: string, lr: LearningRate): void {
  if (typeof lr !== 'function') checkRange(where, what, lr, 0);
}

function show(x: { dtype: DType; shape: readonly number[] }): string {
  return `${x.dtype} [${x.shape.join(', ')}]`;
}
