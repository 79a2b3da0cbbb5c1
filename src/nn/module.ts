import {
  flush,
  guarded,
  type JsonValue,
  OptionError,
  Parameter,
  realize,
  type Shape,
  State,
  stopGradient,
  Tensor,
  tensor,
  withScope,
} from '../core.js';
import { readSafetensors, type TensorData, writeSafetensors } from '../io/index.js';
import { checkFunction, shown } from '../options.js';
import { noteLoss } from './added-loss.js';
import { checkVersion, FORMAT_METADATA, type LoadOptions, type LoadReport, loadInto, tensorsOf } from './load.js';
import { noteForward, type SummaryOptions, summarize } from './summary.js';

const inspect = Symbol.for('nodejs.util.inspect.custom');

/** A module whatever it takes and gives. */
export type AnyModule = Module<unknown[], unknown>;

/**
 * Arguments of a module's constructor as data: what JSON holds, and modules. Initialisers are left out, since a file brings
 * the values.
 */
export type ModuleConfig = readonly ConfigValue[];
export type ConfigValue = JsonValue | AnyModule | readonly ConfigValue[] | { readonly [key: string]: ConfigValue };

/** An object in a field, as a walk met it. */
interface Met {
  readonly key: string;
  readonly value: object;
  /** What the walk called it: another walk, from a module that shares it, may have changed that since. */
  name: string;
  scope: string;
  depth: number;
}

/** Everything found below a module, by path. */
interface ModuleTree {
  readonly modules: Map<string, AnyModule>;
  readonly cells: Map<string, State>;
  readonly seen: Set<object>;
  /** Every object that was looked into, with the objects in its fields: what must be unchanged for the tree to stand. */
  readonly holders: { readonly holder: Record<string, unknown>; readonly fields: readonly Met[] }[];
  /** Made when first asked for. */
  parameters: readonly { readonly path: string; readonly cell: Parameter; readonly trains: () => boolean }[] | null;
  trainable: ReadonlyMap<string, Parameter> | null;
}

/**
 * Base of every layer and network: a named tree of parameters, buffers and child modules.
 *
 * The tree is read from the module's own enumerable fields, in order: a {@link Parameter} is trainable, another
 * {@link State} is a buffer, a `Module` is a child; arrays and plain objects of these are followed. Paths are field names
 * and indices joined by dots (`layers.0.weight`). A cell or module reachable twice counts once, under its first path.
 * `#private` fields are not part of the tree.
 *
 * @typeParam In what `forward` takes, `[x: Tensor]` unless stated.
 * @typeParam Out what `forward` returns, a tensor unless stated.
 * @example
 * class Net extends nn.Module {
 *   hidden = new nn.Linear(2, 16);
 *   out = new nn.Linear(16, 1);
 *   forward(x: Tensor): Tensor {
 *     return this.out.forward(this.hidden.forward(x).tanh());
 *   }
 * }
 * console.log(new Net().summary([1, 2]));
 */
export abstract class Module<In extends unknown[] = [x: Tensor], Out = Tensor> {
  #training = true;
  #name = '';
  /** Path from the module that holds this one; the scope of its nodes. */
  #key = '';
  #named = false;
  /** Modules above this one in the last walk. */
  #depth = 0;
  /** The last walk from here. */
  #walked: ModuleTree | null = null;

  constructor() {
    // The instance's forward is the class's with the scope around it: layers are called as plain methods, yet each node
    // knows the path of the layer that made it.
    const forward = this.forward;
    const scoped = (...inputs: In): Out => {
      if (!this.#named) this.#tree();
      const run = (): Out => forward.apply(this, inputs);
      const out = this.#key === '' ? run() : withScope(this.#key, run);
      noteForward(this, out);
      return out;
    };
    Object.defineProperty(this, 'forward', { value: scoped, writable: true, configurable: true });
  }

  /** Computes the module's output from its input; builds graph nodes and runs nothing. */
  abstract forward(...inputs: In): Out;

  /** Path in the tree of the outermost module that was walked or called; '' for that module. */
  get name(): string {
    return this.#name;
  }

  /** Whether dropout and the like are active (true after construction). A compiled function is traced again when it changes. */
  get training(): boolean {
    return guarded(() => this.#training);
  }

  /** What messages call this module: `Linear(784→128) "0"`. */
  get label(): string {
    return this.#name === '' ? this.toString() : `${this.toString()} "${this.#name}"`;
  }

  /**
   * Adds a term to the loss, from within `forward`: a penalty of activities or weights. `fit` and `evaluate` add it to the
   * loss that they are given, and the gradient flows from both; elsewhere use `nn.collectLosses`, else it is ignored.
   * @param loss a float scalar.
   * @throws ShapeError for anything else.
   * @example this.addLoss(h.abs().mean().mul(1e-3));
   */
  addLoss(loss: Tensor): void {
    noteLoss(this.label, loss);
  }

  /** One line: the class and what tells its instances apart. */
  toString(): string {
    return this.constructor.name;
  }

  /**
   * The arguments that make another module like this one: `new Class(...module.config())`. A model file keeps them.
   *
   * The base gives none, which is right for a module whose fields are only parameters, buffers, modules and arrays of them.
   *
   * @throws OptionError when the module has other fields, such as numbers, and does not override this method.
   * @example
   * class Scaled extends nn.Module {
   *   constructor(readonly factor: number) { super(); }
   *   override config() { return [this.factor]; }
   *   forward(x: Tensor): Tensor { return x.mul(this.factor); }
   * }
   */
  config(): ModuleConfig {
    const plain = Object.entries(this).filter(([, v]) => v !== null && v !== undefined && typeof v !== 'object');
    if (plain.length === 0) return [];
    throw new OptionError(
      `${this.label}.config: add the method config() to ${this.constructor.name}; it returns the constructor's arguments, from which ${plain.map(([k]) => `"${k}"`).join(', ')} can be made again`,
    );
  }

  /** Sets training mode for this module and all below it; returns the module. */
  train(mode = true): this {
    for (const m of this.modules()) m.#training = mode;
    return this;
  }

  /** Sets evaluation mode: `train(false)`. */
  eval(): this {
    return this.train(false);
  }

  /** This module and all below it, each once, parents first. */
  modules(): AnyModule[] {
    return [...this.#tree().modules.values()];
  }

  /** The same by path; this module is ''. */
  namedModules(): Map<string, AnyModule> {
    return new Map(this.#tree().modules);
  }

  /** Parameters of the whole tree, frozen ones included, each once. */
  parameters(): Parameter[] {
    return [...this.namedParameters().values()];
  }

  /** The same by path. */
  namedParameters(): Map<string, Parameter> {
    return only(this.#tree().cells, (c): c is Parameter => c instanceof Parameter);
  }

  /** State of the whole tree that is not trained (running statistics), each once. */
  buffers(): State[] {
    return [...this.namedBuffers().values()];
  }

  /** The same by path. */
  namedBuffers(): Map<string, State> {
    return only(this.#tree().cells, (c): c is State => !(c instanceof Parameter));
  }

  /** The parameters that are not frozen, by path: what `valueAndGrad(model, fn)` differentiates and optimizers update. */
  trainableCells(): ReadonlyMap<string, Parameter> {
    const tree = this.#tree();
    tree.parameters ??= [...only(tree.cells, (c): c is Parameter => c instanceof Parameter)].map(([path, cell]) => ({
      path,
      cell,
      trains: () => cell.requiresGrad,
    }));
    const { trainable } = tree;
    let same = trainable !== null;
    for (const { path, trains } of tree.parameters) if (guarded(trains) !== trainable?.has(path)) same = false;
    if (!same) {
      tree.trainable = new Map(tree.parameters.filter((p) => p.trains()).map(({ path, cell }) => [path, cell]));
    }
    return tree.trainable as ReadonlyMap<string, Parameter>;
  }

  /**
   * Takes parameters out of differentiation; optimizers then leave them alone.
   * @param where which ones, by path; all when left out.
   * @example model.freeze((path) => path.startsWith('0.'));
   */
  freeze(where: (path: string, parameter: Parameter) => boolean = () => true): this {
    checkFunction(`${this.label}.freeze`, 'where', where);
    for (const [path, p] of this.namedParameters()) if (where(path, p)) p.requiresGrad = false;
    return this;
  }

  /** Undoes {@link freeze}. */
  unfreeze(where: (path: string, parameter: Parameter) => boolean = () => true): this {
    checkFunction(`${this.label}.unfreeze`, 'where', where);
    for (const [path, p] of this.namedParameters()) if (where(path, p)) p.requiresGrad = true;
    return this;
  }

  /**
   * Copies of all parameters and buffers, by path, as they are at the call: updates made before it are included, later
   * ones are not.
   * @returns tensors that stay as they are; in PyTorch's names and layouts.
   */
  async stateDict(): Promise<Record<string, Tensor>> {
    // A node other than the cell's is a root with memory of its own, written by a run that is queued now.
    const copies = [...this.#tree().cells].map(([path, cell]) => [path, stopGradient(cell.read())] as const);
    await realize(...copies.map(([, t]) => t));
    return Object.fromEntries(copies);
  }

  /**
   * Sets parameters and buffers from tensors by path; nothing is changed unless all fit. The values are written by the
   * next run (`await flush()` to wait for it).
   * @param options `strict: false` accepts missing and unexpected keys; shapes and dtypes must always fit.
   * @returns the missing and unexpected keys.
   * @throws ShapeError listing every missing, unexpected and ill-fitting key.
   * @example student.loadStateDict(await teacher.stateDict());
   */
  loadStateDict(dict: Readonly<Record<string, Tensor>>, options: LoadOptions = {}): LoadReport {
    const action = `${this.label}.loadStateDict`;
    if (typeof dict !== 'object' || dict === null) {
      throw new OptionError(`${action}: got ${shown(dict)}, expected tensors by path, as stateDict() gives`);
    }
    for (const [path, value] of Object.entries(dict)) {
      if (!(value instanceof Tensor))
        throw new OptionError(`${action}: "${path}" is not a tensor; wrap it in tensor(…)`);
    }
    return loadInto(action, this.#tree().cells, new Map(Object.entries(dict)), options, (t) => t);
  }

  /**
   * Writes all parameters and buffers, as they are at the call, to a safetensors file, atomically. PyTorch reads it with
   * `safetensors.torch.load_file`: names and layouts are its own.
   * @throws NeuriteError naming the path and the reason when the file cannot be written.
   * @example await model.save('mnist.safetensors');
   */
  async save(file: string): Promise<void> {
    await writeSafetensors(file, await tensorsOf(this), FORMAT_METADATA);
  }

  /**
   * Sets all parameters and buffers from a safetensors file written by {@link save}, PyTorch or others.
   * @param options as in {@link loadStateDict}.
   * @returns the missing and unexpected keys; resolves when the values are in place.
   * @throws FormatError when the file is damaged; ShapeError when it belongs to another model; NeuriteError when it
   *   cannot be read. The model is then unchanged.
   * @example await model.load('mnist.safetensors');
   */
  async load(file: string, options: LoadOptions = {}): Promise<LoadReport> {
    const { tensors, metadata } = await readSafetensors(file);
    checkVersion(file, metadata);
    return this.#loadData(`${this.label}.load "${file}"`, tensors, options);
  }

  /** {@link loadStateDict} of values in memory, such as a file's; resolves when they are in place. */
  async loadTensors(tensors: ReadonlyMap<string, TensorData>, options: LoadOptions = {}): Promise<LoadReport> {
    return this.#loadData(`${this.label}.loadTensors`, tensors, options);
  }

  async #loadData(action: string, tensors: ReadonlyMap<string, TensorData>, options: LoadOptions): Promise<LoadReport> {
    if (!(tensors instanceof Map))
      throw new OptionError(`${action}: got ${shown(tensors)}, expected a Map of path to values`);
    const toTensor = ({ data, shape, dtype }: TensorData) => tensor(data, { shape, dtype });
    const report = loadInto(action, this.#tree().cells, tensors, options, toTensor);
    await flush();
    return report;
  }

  /**
   * A table of the modules, their output shapes and numbers of parameters. The graph is built, nothing is run, and
   * training mode, random streams and buffers stay as they are.
   * @param inputShape shape of the input, batch included; without it the table has no output shapes.
   * @param options `dtype` of the input, float32 unless stated.
   * @throws ShapeError from the layer that cannot take its input.
   * @example console.log(model.summary([1, 784]));
   */
  summary(inputShape?: Shape, options: SummaryOptions = {}): string {
    const { modules, cells } = this.#tree();
    const modes = [...modules.values()].map((m) => [m, m.#training] as const);
    this.eval();
    try {
      return summarize(this, modules, cells, inputShape, options);
    } finally {
      for (const [m, mode] of modes) m.#training = mode;
    }
  }

  /** The tree as console.log shows it. */
  [inspect](): string {
    const lines = [...this.#tree().modules].map(([path, m]) => {
      const depth = path === '' ? 0 : m.#depth;
      return depth === 0 ? m.toString() : `${'  '.repeat(depth)}(${m.#key}): ${m.toString()}`;
    });
    return lines.join('\n');
  }

  /** Finds everything below this module and names it. Fields may change at any time, so the last walk is checked first. */
  #tree(): ModuleTree {
    if (this.#walked !== null && this.#stands(this.#walked)) return this.#walked;
    const tree: ModuleTree = {
      modules: new Map([['', this as AnyModule]]),
      cells: new Map(),
      seen: new Set([this]),
      holders: [],
      parameters: null,
      trainable: null,
    };
    this.#walked = null;
    this.#named = true;
    this.#depth = 0;
    this.#visitFields(this as unknown as Record<string, unknown>, '', '', tree);
    for (const { fields } of tree.holders) {
      for (const met of fields) {
        if (met.value instanceof State) met.name = met.value.name;
        else if (met.value instanceof Module) {
          met.name = met.value.#name;
          met.scope = met.value.#key;
          met.depth = met.value.#depth;
        }
      }
    }
    this.#walked = tree;
    return tree;
  }

  /** Whether a walk would find the same again, and would change no name; builds nothing. */
  #stands(tree: ModuleTree): boolean {
    if (this.#depth !== 0) return false; // renamed from above
    for (const { holder, fields } of tree.holders) {
      let i = 0;
      for (const key in holder) {
        const value = holder[key];
        if (typeof value !== 'object' || value === null) continue;
        const met = fields[i++];
        if (met === undefined || met.key !== key || met.value !== value) return false;
        if (value instanceof State) {
          if (value.name !== met.name) return false;
        } else if (value instanceof Module) {
          if (value.#name !== met.name || value.#key !== met.scope || value.#depth !== met.depth) return false;
        }
      }
      if (i !== fields.length) return false;
    }
    return true;
  }

  /** `prefix` is the path of `holder` from this module, `path` that of this module from the root of the walk. */
  #visitFields(holder: Record<string, unknown>, prefix: string, path: string, tree: ModuleTree): void {
    const fields: Met[] = [];
    tree.holders.push({ holder, fields });
    for (const key of Object.keys(holder)) {
      const value = holder[key];
      if (typeof value !== 'object' || value === null) continue;
      fields.push({ key, value, name: '', scope: '', depth: 0 });
      this.#visit(value, prefix === '' ? key : `${prefix}.${key}`, path, tree);
    }
  }

  /** `key` is the path from this module, `path` that of this module from the root of the walk. */
  #visit(value: object, key: string, path: string, tree: ModuleTree): void {
    if (tree.seen.has(value)) return;
    const isCell = value instanceof State;
    const isModule = value instanceof Module;
    const isRecord = !isCell && !isModule && (Array.isArray(value) || isPlainObject(value));
    if (!isCell && !isModule && !isRecord) return;
    tree.seen.add(value);
    const full = path === '' ? key : `${path}.${key}`;
    if (isCell) {
      if (tree.cells.has(full)) throw new OptionError(`${this.label}: two fields make the path "${full}"; rename one`);
      value.name = this.#name === '' ? key : `${this.#name}.${key}`;
      tree.cells.set(full, value);
    } else if (isModule) {
      value.#key = key;
      value.#name = this.#name === '' ? key : `${this.#name}.${key}`;
      value.#named = true;
      value.#depth = this.#depth + 1;
      tree.modules.set(full, value);
      value.#visitFields(value as unknown as Record<string, unknown>, '', full, tree);
    } else {
      this.#visitFields(value as Record<string, unknown>, key, path, tree);
    }
  }
}

function only<T extends State>(cells: ReadonlyMap<string, State>, test: (c: State) => c is T): Map<string, T> {
  const out = new Map<string, T>();
  for (const [path, cell] of cells) if (test(cell)) out.set(path, cell);
  return out;
}

function isPlainObject(x: object): boolean {
  const proto: unknown = Object.getPrototypeOf(x);
  return proto === Object.prototype || proto === null;
}
