import {
  add,
  cast,
  DataError,
  didYouMean,
  isFloat,
  mul,
  OptionError,
  ShapeError,
  sum,
  Tensor,
  take,
  tensor,
} from '../core.js';
import type { JsonValue } from '../json.js';
import { type Loss, type LossName, type LossOptions, lossByName } from '../losses/index.js';
import { type AnyMetric, type MetricName, metricByName, RunningMetric } from '../metrics/index.js';
import { type AnyModule, collectLosses, Module } from '../nn/index.js';
import { checkList, shown } from '../options.js';
import { type Source, Table, type TensorTree } from './batch.js';
import type { Chunk } from './chunks.js';

/**
 * A loss of all outputs and all targets of a model. With sample weights it gets them in its third argument, as the losses of
 * `losses` do, and must use them.
 */
export type LossOf<Out> = (outputs: Out, targets: Out, options: Pick<LossOptions, 'weights'>) => Tensor;

/** One loss. */
type OneLoss = LossName | Loss;

/** Loss and metrics of a model, by name or as functions. */
export interface ObjectiveOptions<Out = Tensor> {
  /**
   * A name, or a function of outputs and targets that returns a scalar. Several as an array or a record: one for each output
   * of a model with an array or record of outputs, or all for the one output; they are added up.
   */
  readonly loss: LossName | LossOf<Out> | readonly OneLoss[] | { readonly [output: string]: OneLoss };
  /** Factor of each of several losses, default 1. */
  readonly lossWeights?: readonly number[] | { readonly [output: string]: number };
  /** Names or metrics; a record of lists for a model with a record of outputs. Default none. */
  readonly metrics?:
    | readonly (MetricName | AnyMetric)[]
    | { readonly [output: string]: readonly (MetricName | AnyMetric)[] };
}

export const OBJECTIVE_OPTIONS = ['loss', 'lossWeights', 'metrics'] as const;

/** Losses whose targets are class numbers. */
const LABELLED: readonly string[] = ['crossEntropy', 'sparseCategoricalCrossEntropy', 'nll'];
/** Losses that take scores, and the activation that must not stand before them. */
const FROM_LOGITS: Readonly<Record<string, string>> = {
  crossEntropy: 'softmax',
  sparseCategoricalCrossEntropy: 'softmax',
  categoricalCrossEntropy: 'softmax',
  binaryCrossEntropy: 'sigmoid',
  focal: 'sigmoid',
};

interface Term {
  /** Key in a record or index in a list of outputs; null for all of them. */
  readonly output: string | number | null;
  /** Figure of this term alone. */
  readonly figure: string;
  readonly name: string | null;
  readonly loss: (outputs: TensorTree, targets: TensorTree, options: Pick<LossOptions, 'weights'>) => Tensor;
  readonly factor: number;
}

/** What a step computes beside the outputs. Results in this order: the loss, the sum of the weights, terms, metrics. */
export class Objective {
  readonly metrics: readonly { readonly metric: AnyMetric; readonly figure: string; readonly output: string | null }[];
  readonly where: string;
  private readonly terms: readonly Term[];
  private readonly single: boolean;
  private warned = false;

  constructor(where: string, options: ObjectiveOptions<never>) {
    this.where = where;
    const { loss, lossWeights, metrics = [] } = options as ObjectiveOptions<Tensor>;
    this.single = typeof loss === 'string' || typeof loss === 'function';
    this.terms = termsOf(where, loss, lossWeights);
    if (typeof metrics !== 'object' || metrics === null) {
      throw new OptionError(`${where}: metrics is ${shown(metrics)}, expected a list such as ['accuracy']`);
    }
    this.metrics = Array.isArray(metrics)
      ? metrics.map((m) => metricOf(where, m, null))
      : Object.entries(metrics as Record<string, readonly (MetricName | AnyMetric)[]>).flatMap(([output, list]) =>
          metricsOf(where, output, list),
        );
    const names = new Set(['epoch', 'loss', 'seconds', 'samplesPerSecond', ...this.parts]);
    for (const { figure } of this.metrics) {
      if (names.has(figure))
        throw new OptionError(`${where}: two figures are called "${figure}"; give the metric another { name }`);
      names.add(figure);
    }
  }

  /** Figures of the terms when there are several. */
  get parts(): readonly string[] {
    return this.single ? [] : this.terms.map((t) => t.figure);
  }

  /** Names of all figures. */
  get figures(): readonly string[] {
    return ['loss', ...this.parts, ...this.metrics.map((m) => m.figure)];
  }

  /**
   * The loss, the sum of the weights when there are some, and the terms when there are several.
   * @param added what the modules added to the loss (see `Module.addLoss`); part of no term.
   */
  lossOf(
    outputs: TensorTree,
    targets: TensorTree,
    weights?: Tensor,
    added: readonly Tensor[] = [],
  ): readonly [loss: Tensor, ...rest: Tensor[]] {
    const terms = this.terms.map((term) => this.termOf(term, outputs, targets, weights));
    const total = terms
      .map((t, i) => (this.terms[i].factor === 1 ? t : mul(t, this.terms[i].factor)))
      .concat(added)
      .reduce((a, b) => add(a, b));
    return [total, ...(weights === undefined ? [] : [sum(weights)]), ...(this.single ? [] : terms)];
  }

  metricSums(outputs: TensorTree, targets: TensorTree): Tensor[] {
    return this.metrics.map(({ metric, output }) => {
      const [o, t] = this.pick(output, outputs, targets, `metric "${metric.name}"`);
      if (o instanceof Tensor && t instanceof Tensor) return metric.batch(o, t);
      throw new OptionError(
        `${this.where}: metric "${metric.name}" needs one output, the model has ${count(o)}; give metrics as a record of lists by output`,
      );
    });
  }

  private termOf(term: Term, outputs: TensorTree, targets: TensorTree, weights?: Tensor): Tensor {
    const what = `loss ${term.name === null ? '' : `"${term.name}"`}`.trim();
    const single = term.output === null || outputs instanceof Tensor;
    const [o, t] = this.pick(single ? null : term.output, outputs, targets, what);
    if (term.name !== null && !(o instanceof Tensor && t instanceof Tensor)) {
      throw new OptionError(
        `${this.where}: ${what} takes one output, the model has ${count(o)}; give losses as a record or array, one an output`,
      );
    }
    this.warnOfActivation(term, o);
    const loss = term.loss(o, t, weights === undefined ? {} : { weights });
    if (!(loss instanceof Tensor)) {
      throw new OptionError(`${this.where}: the loss function returned ${shown(loss)}, expected a scalar tensor`);
    }
    if (loss.shape.length !== 0) {
      throw new ShapeError(`${this.where}: the loss has shape [${loss.shape}], expected a scalar; end it with mean()`);
    }
    if (weights !== undefined && !reaches(loss, weights)) {
      throw new OptionError(
        `${this.where}: there are sample weights and the loss function does not use them; pass on its third argument, as in ` +
          '(outputs, targets, options) => mse(outputs, targets, options)',
      );
    }
    return loss;
  }

  private pick(
    key: string | number | null,
    outputs: TensorTree,
    targets: TensorTree,
    what: string,
  ): [TensorTree, TensorTree] {
    if (key === null) return [outputs, targets];
    const of = (tree: TensorTree, kind: string): TensorTree => {
      const keys = tree instanceof Tensor ? [] : Object.keys(tree);
      if (!(tree instanceof Tensor) && Object.hasOwn(tree, key))
        return (tree as Record<string | number, TensorTree>)[key];
      throw new OptionError(
        `${this.where}: ${what} is for output "${key}", the ${kind} have ${keys.join(', ') || 'one tensor'}.` +
          didYouMean(String(key), keys),
      );
    };
    return [of(outputs, 'outputs'), of(targets, 'targets')];
  }

  private warnOfActivation({ name }: Term, outputs: TensorTree): void {
    if (this.warned || name === null || !(outputs instanceof Tensor)) return;
    const activation = FROM_LOGITS[name];
    if (activation === undefined || outputs.op.name !== activation) return;
    this.warned = true;
    process.emitWarning(
      `${this.where}: the model ends in ${activation} and the loss "${name}" applies it again; leave the last ${activation} ` +
        `out, or use (outputs, targets) => ${name === 'focal' ? 'focalLoss' : name}(outputs, targets, { fromLogits: false })`,
      'NeuriteWarning',
    );
  }

  /** Checks and converts what the losses need of the targets: class numbers given as floats become integers. */
  async prepare(data: Source): Promise<Source> {
    if (!(data instanceof Table) || data.rows.y === undefined) return data;
    const y = await this.targets(data.rows.y);
    return y === data.rows.y ? data : data.withTargets(y);
  }

  /** The same for the targets of one batch. */
  async targets(y: TensorTree): Promise<TensorTree> {
    let changed = y;
    for (const { name, output } of this.terms) {
      if (name === null || !LABELLED.includes(name)) continue;
      if (changed instanceof Tensor) changed = await this.labels(changed);
      else if (output !== null && Object.hasOwn(changed, output)) {
        const one = (changed as Record<string | number, TensorTree>)[output];
        if (!(one instanceof Tensor)) continue;
        const copy = (Array.isArray(changed) ? [...changed] : { ...changed }) as Record<string | number, TensorTree>;
        copy[output] = await this.labels(one);
        changed = copy as TensorTree;
      }
    }
    return changed;
  }

  private async labels(y: Tensor): Promise<Tensor> {
    if (!isFloat(y.dtype) || y.shape.length !== 1) return y;
    const labels = await y.data();
    for (let i = 0; i < labels.length; i++) {
      if (!Number.isInteger(labels[i])) {
        throw new DataError(`${this.where}: crossEntropy takes whole class numbers, y of sample ${i} is ${labels[i]}`);
      }
    }
    return tensor(Int32Array.from(labels));
  }
}

/** The weight of each row: its own times that of its class. */
export function classWeighted(where: string, classWeights: Tensor, targets: TensorTree, weight?: Tensor): Tensor {
  if (
    !(targets instanceof Tensor) ||
    targets.shape.length !== 1 ||
    (isFloat(targets.dtype) && targets.dtype !== 'float32')
  ) {
    const got = targets instanceof Tensor ? `${targets.dtype} [${targets.shape}]` : 'several';
    throw new OptionError(`${where}: classWeight needs one class number a sample as targets, got ${got}`);
  }
  const ofClass = take(classWeights, cast(targets, 'int32'));
  return weight === undefined ? ofClass : mul(weight, ofClass);
}

function termsOf(
  where: string,
  loss: ObjectiveOptions['loss'],
  factors: ObjectiveOptions['lossWeights'],
): readonly Term[] {
  const term = (output: string | number | null, given: OneLoss, factor: number): Term => {
    if (typeof given !== 'string' && typeof given !== 'function') {
      throw new OptionError(`${where}: loss is ${String(given)}, expected a name such as 'crossEntropy' or a function`);
    }
    if (!Number.isFinite(factor)) {
      throw new OptionError(`${where}: the loss weight ${output} is ${String(factor)}, expected a finite number`);
    }
    const fn = typeof given === 'string' ? lossByName(given) : given;
    const figure = typeof output === 'number' ? `loss${output}` : `${output}Loss`;
    return { output, figure, name: typeof given === 'string' ? given : null, loss: fn as Term['loss'], factor };
  };
  if (typeof loss !== 'object' || loss === null) {
    if (factors !== undefined) throw new OptionError(`${where}: lossWeights need several losses, got one`);
    return [term(null, loss as OneLoss, 1)];
  }
  const keys = Object.keys(loss);
  if (keys.length === 0) throw new OptionError(`${where}: loss is empty, expected at least one`);
  const weights = (factors ?? {}) as Readonly<Record<string, number>>;
  for (const key of Object.keys(weights)) {
    if (!keys.includes(key)) {
      throw new OptionError(
        `${where}: lossWeights has "${key}", the losses are ${keys.join(', ')}.${didYouMean(key, keys)}`,
      );
    }
  }
  const losses = loss as Readonly<Record<string, OneLoss>>;
  return keys.map((key) => term(Array.isArray(loss) ? Number(key) : key, losses[key], weights[key] ?? 1));
}

function metricsOf(where: string, output: string, list: readonly (MetricName | AnyMetric)[]) {
  checkList(where, `metrics of "${output}"`, list, "names or metrics, such as ['accuracy']");
  return list.map((m) => metricOf(where, m, output));
}

function metricOf(where: string, given: MetricName | AnyMetric, output: string | null) {
  const metric = typeof given === 'string' ? metricByName(given) : given;
  if (typeof metric?.batch !== 'function') {
    throw new OptionError(`${where}: metrics has ${shown(given)}, expected a name such as 'accuracy' or a metric`);
  }
  return { metric, output, figure: output === null ? metric.name : `${output}${capital(metric.name)}` };
}

/** Whether `loss` is computed from `source`. */
function reaches(loss: Tensor, source: Tensor): boolean {
  const seen = new Set<Tensor>([loss]);
  for (const node of seen) {
    if (node === source) return true;
    for (const input of node.inputs) seen.add(input); // a Set is walked as it grows
  }
  return false;
}

function count(tree: TensorTree): string {
  return tree instanceof Tensor ? 'one' : `several (${Object.keys(tree).join(', ')})`;
}

export function capital(name: string): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

/** What a metric got of one batch. */
interface Kept {
  readonly metric: number;
  readonly batch: number;
  readonly values: readonly number[];
}

/** Means over the samples of a pass, added up in float64. */
export class Figures {
  samples = 0;
  private weight = 0;
  private readonly sums: number[];
  private readonly names: readonly string[];
  private readonly metrics: readonly { readonly figure: string; readonly running: RunningMetric }[];

  /** What the metrics got. */
  private readonly kept: Kept[] = [];
  private readonly collects: boolean;

  /**
   * @param collects whether {@link stateDict} may be asked for, which must then hold what the metrics collect.
   */
  constructor(objective: Objective, collects = false) {
    this.names = ['loss', ...objective.parts];
    this.sums = this.names.map(() => 0);
    this.metrics = objective.metrics.map(({ figure, metric }) => ({ figure, running: new RunningMetric(metric) }));
    this.collects = collects;
  }

  /**
   * Results of steps as {@link Objective} orders them.
   * @param weighted whether the sum of the weights is after the loss.
   */
  add({ parts }: Chunk, weighted: boolean): void {
    const { names, sums, metrics } = this;
    for (const { values, count, batch } of parts) {
      const firstPart = weighted ? 2 : 1;
      for (let s = 0; s < count; s++) {
        const weight = weighted ? values[1][s] : batch;
        this.weight += weight;
        sums[0] += values[0][s] * weight;
        for (let p = 1; p < names.length; p++) sums[p] += values[firstPart + p - 1][s] * weight;
        metrics.forEach(({ running }, i) => {
          const all = values[firstPart + names.length - 1 + i];
          const each = all.length / count;
          const own = all.subarray(s * each, (s + 1) * each);
          running.add(own, batch);
          this.keep(i, own, batch);
        });
      }
      this.samples += count * batch;
    }
  }

  /** What a metric needs to be where it is: of a sum the sum, of others all they got. */
  private keep(i: number, values: ArrayLike<number>, batch: number): void {
    const { metric } = this.metrics[i].running;
    if ('accumulator' in metric) {
      if (this.collects) this.kept.push({ metric: i, batch, values: Array.from(values) });
      return;
    }
    const before = this.kept.findIndex((k) => k.metric === i);
    const old = before === -1 ? { batch: 0, values: [metric.init] } : this.kept[before];
    const next = { metric: i, batch: old.batch + batch, values: [old.values[0] + values[0]] };
    if (before === -1) this.kept.push(next);
    else this.kept[before] = next;
  }

  /** Everything added so far. */
  stateDict(): JsonValue {
    const { samples, weight, sums, kept } = this;
    return { samples, weight, sums: [...sums], kept: [...kept] } as unknown as JsonValue;
  }

  loadStateDict(state: JsonValue): void {
    const { samples, weight, sums, kept } = state as unknown as {
      readonly samples: number;
      readonly weight: number;
      readonly sums: readonly number[];
      readonly kept: readonly Kept[];
    };
    this.samples = samples;
    this.weight = weight;
    for (const i of this.sums.keys()) this.sums[i] = sums[i];
    for (const { metric, batch, values } of kept) {
      const { running } = this.metrics[metric];
      const { metric: kind } = running;
      // The sum begins with its first value again.
      running.add('accumulator' in kind || kind.init === 0 ? values : [values[0] - kind.init], batch);
    }
    this.kept.push(...kept);
  }

  /** @param cheap leaves out figures that take long to compute. */
  read(cheap = false): Record<string, number> & { loss: number } {
    const mean = (s: number): number => (this.weight === 0 && this.samples > 0 ? 0 : s / this.weight);
    const figures: Record<string, number> & { loss: number } = { loss: mean(this.sums[0]) };
    for (let p = 1; p < this.names.length; p++) figures[this.names[p]] = mean(this.sums[p]);
    for (const { figure, running } of this.metrics) {
      const { metric } = running;
      if (!(cheap && 'costly' in metric && metric.costly)) figures[figure] = running.value;
    }
    return figures;
  }
}

export function checkModel(where: string, model: unknown): asserts model is AnyModule {
  if (model instanceof Module) return;
  const hint = typeof model === 'function' ? '; write new, as in new Net()' : '';
  throw new OptionError(`${where}: got ${shown(model)} as model, expected an nn.Module${hint}`);
}

/** The model's outputs, and the losses its modules added on the way. */
export function forwardWithLosses(model: AnyModule, x: TensorTree): [outputs: TensorTree, added: Tensor[]] {
  return collectLosses(() => forward(model, x));
}

/** The model's outputs: several inputs are several arguments, a record is one. */
export function forward(model: AnyModule, x: TensorTree): TensorTree {
  return model.forward(...(Array.isArray(x) ? x : [x])) as TensorTree;
}

/** Runs `fn` with the model in training or evaluation mode and gives every module its own mode back. */
export function inMode<T>(model: AnyModule, training: boolean, fn: () => T): T {
  const modes = model.modules().map((m) => [m, m.training] as const);
  model.train(training);
  try {
    return fn();
  } finally {
    for (const [m, mode] of modes) m.train(mode); // parents first, so that children end in their own
  }
}
