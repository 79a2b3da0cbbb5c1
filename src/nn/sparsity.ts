import {
  abs,
  all,
  full,
  isFloat,
  lessEqual,
  mean,
  OptionError,
  Parameter,
  realize,
  stopGradient,
  Tensor,
} from '../core.js';
import { checkOptions, shown } from '../options.js';
import { sizeOf } from '../shape.js';
import { checkModule } from './describe.js';
import type { AnyModule, Module } from './module.js';
import { Parametrization } from './parametrize.js';
import { Pruned } from './prune.js';
import { outputsOf } from './summary.js';

/** How much of one layer is zero; shares in [0, 1], null where there is nothing to measure. */
export interface LayerSparsity {
  readonly path: string;
  readonly layer: string;
  /** Share of the weights (parameters of two axes or more) that are zero. */
  readonly weights: number | null;
  /** Share of the connections that are pruned, whose weight cannot change. */
  readonly connections: number | null;
  /** Share of the outputs that are zero, for the input that was given. */
  readonly activations: number | null;
  /** Share of the units (last axis) whose output is zero for every row of the input: dead ReLUs, if the input is large. */
  readonly deadUnits: number | null;
}

export interface SparsityOptions {
  /** Values of at most this size count as zero, >= 0; default 0. */
  readonly threshold?: number;
}

/**
 * Measures how sparse a model is, layer by layer: weights that are zero, connections that are pruned, and for an input the outputs that are
 * zero and the units that never fire.
 *
 * The model runs once in evaluation mode; nothing in it changes.
 *
 * @param model any module.
 * @param x an input; without it activations are not measured.
 * @param options `threshold` below which a value counts as zero (default 0).
 * @returns one entry for each module that has weights or an output, in the order of the tree.
 * @throws OptionError for a threshold below 0.
 * @example
 * const model = new nn.Sequential(new nn.Linear(2, 8), new nn.ReLU());
 * console.table(await nn.sparsity(model, normal([100, 2])));
 */
export async function sparsity<In extends unknown[]>(
  model: Module<In, unknown>,
  x?: Tensor,
  options: SparsityOptions = {},
): Promise<LayerSparsity[]> {
  checkModule('sparsity', model);
  checkOptions('sparsity', options, ['threshold']);
  const { threshold = 0 } = options;
  if (!(typeof threshold === 'number' && threshold >= 0)) {
    throw new OptionError(`sparsity: threshold is ${shown(threshold)}, expected a number >= 0`);
  }
  const modules = model.namedModules();
  const modes = [...modules.values()].map((m) => [m, m.training] as const);
  model.eval();
  try {
    const outputs = x === undefined ? new Map<AnyModule, unknown>() : outputsOf(model as unknown as Module, x);
    const rows = [...modules].flatMap(([path, m]) => {
      const measured = m instanceof Parametrization ? null : measure(m, outputs.get(m), threshold);
      return measured === null ? [] : [{ path, layer: m.toString(), measured }];
    });
    await realize(...rows.flatMap(({ measured }) => Object.values(measured).filter((t) => t !== null)));
    return await Promise.all(
      rows.map(async ({ path, layer, measured }) => {
        const [weights, connections, activations, deadUnits] = await Promise.all(
          [measured.weights, measured.connections, measured.activations, measured.deadUnits].map(
            (t) => t?.item() ?? null,
          ),
        );
        return { path, layer, weights, connections, activations, deadUnits };
      }),
    );
  } finally {
    // Parents first: train() of one sets all below it.
    for (const [m, training] of modes) m.train(training);
  }
}

/** The shares of one layer as nodes; null when it has neither weights nor an output. */
function measure(m: AnyModule, out: unknown, threshold: number) {
  const fields = m as unknown as Readonly<Record<string, unknown>>;
  const held = Object.getOwnPropertyNames(m).map((name) => fields[name]);
  const weights = held.filter(
    (v): v is Parameter | Parametrization =>
      (v instanceof Parameter || v instanceof Parametrization) && v.shape.length > 1,
  );
  const read = weights.map((w) => stopGradient(w.read()));
  const masks = weights.map((w) => (w instanceof Pruned ? w.mask.read() : full(w.shape, 1)));
  const y = out instanceof Tensor && isFloat(out.dtype) && sizeOf(out.shape) > 0 ? out : null;
  if (read.length === 0 && y === null) return null;
  return {
    weights: shareOfZeros(read, threshold),
    connections: shareOfZeros(masks, 0),
    activations: y === null ? null : shareOfZeros([y], threshold),
    deadUnits: y === null || y.shape.length === 0 ? null : deadUnits(y, threshold),
  };
}

function shareOfZeros(list: readonly Tensor[], threshold: number): Tensor | null {
  const total = list.reduce((n, t) => n + sizeOf(t.shape), 0);
  if (total === 0) return null;
  const counts = list.map((t) => isZero(t, threshold).sum().cast('float64'));
  return counts.reduce((a, b) => a.add(b)).div(total);
}

/** Share of the columns that hold only zeros. */
function deadUnits(y: Tensor, threshold: number): Tensor {
  const rows = isZero(y, threshold).reshape([-1, y.shape.at(-1) as number]);
  return mean(all(rows, { axis: 0 }).cast('float64'));
}

function isZero(t: Tensor, threshold: number): Tensor {
  return lessEqual(abs(t), threshold);
}
