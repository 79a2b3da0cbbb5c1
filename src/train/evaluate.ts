import {
  compile,
  type DType,
  type HostArray,
  itemSize,
  OptionError,
  type Shape,
  ShapeError,
  Tensor,
  tensor,
} from '../core.js';
import type { TensorDataset } from '../data/index.js';
import { hostView } from '../dtype.js';
import type { AnyModule, Module } from '../nn/index.js';
import { checkOptions, wholeNumber } from '../options.js';
import { sizeOf } from '../shape.js';
import { leaves, mapTree } from '../tree.js';
import { type DataLike, type Inputs, inputTable, type Table, type TensorTree, tableOf } from './batch.js';
import { type Chunk, Pace, runPass, StepFailure } from './chunks.js';
import { explain } from './diagnose.js';
import { type Program, RowFeed } from './feeds.js';
import {
  checkModel,
  Figures,
  forward,
  forwardWithLosses,
  inMode,
  OBJECTIVE_OPTIONS,
  Objective,
  type ObjectiveOptions,
} from './objective.js';

export interface EvaluateOptions<Out = Tensor> extends ObjectiveOptions<Out> {
  /** Samples a step; changes speed and memory, and the results only by rounding. Default 256. */
  readonly batchSize?: number;
}

export interface PredictOptions {
  /** Samples a step; default 256. */
  readonly batchSize?: number;
}

const EVALUATION_BATCH = 256;

/**
 * Loss and metrics of a model on a data set, in evaluation mode (dropout off), batch by batch. The model's mode is put back.
 *
 * @param model any module from `[n, ...]` to outputs the loss takes.
 * @param data a TensorDataset or `{ x, y }`.
 * @returns means over all samples as plain numbers: `loss` and one figure for each metric.
 * @throws OptionError for unknown options and names; DataError naming the sample whose label is no class.
 * @example const { loss, accuracy } = await evaluate(model, test, { loss: 'crossEntropy', metrics: ['accuracy'] });
 */
export async function evaluate<Out = Tensor>(
  model: Module<never[], Out>,
  data: DataLike,
  options: EvaluateOptions<Out>,
): Promise<Record<string, number> & { loss: number }> {
  checkModel('evaluate', model);
  checkOptions('evaluate', options, [...OBJECTIVE_OPTIONS, 'batchSize']);
  const objective = new Objective('evaluate', options);
  const table = await objective.prepare(tableOf('evaluate', data));
  const figures = await new Evaluation('evaluate', model, objective, table, options.batchSize).run();
  return figures as NonNullable<typeof figures>;
}

/** A compiled evaluation that can be run again, after each epoch. */
export class Evaluation {
  private readonly where: string;
  private readonly model: AnyModule;
  private readonly objective: Objective;
  private readonly table: Table;
  private readonly batchSize: number;
  private readonly program: Program;
  private readonly pace = new Pace();

  constructor(where: string, model: AnyModule, objective: Objective, table: Table, batchSize?: number) {
    const size = wholeNumber(`${where}: batchSize`, batchSize ?? EVALUATION_BATCH, 1);
    this.where = where;
    this.model = model;
    this.objective = objective;
    this.table = table;
    this.batchSize = Math.min(size, table.length);
    const step = compile((...flat: Tensor[]) => {
      const { x, y, weight } = table.layout.unflatten(flat);
      const [outputs, added] = forwardWithLosses(model, table.transform(x));
      const targets = y as TensorTree;
      return [...objective.lossOf(outputs, targets, weight, added), ...objective.metricSums(outputs, targets)];
    });
    this.program = { step, add: null, accumulate: 1, inMode: (issue) => inMode(model, false, issue) };
  }

  /** The figures, or null when the signal ended the pass. */
  async run(stopping: () => boolean = () => false): Promise<(Record<string, number> & { loss: number }) | null> {
    const { table, model, objective, program, pace, batchSize } = this;
    const figures = new Figures(objective, table.rows.weight !== undefined);
    const feed = new RowFeed(program, table, await table.index.order(false), batchSize);
    try {
      await runPass({ feed, pace, stopping, onChunk: figures.add.bind(figures) });
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      throw await explain(this.where, 'evaluation', error, { model });
    }
    return figures.samples === table.length ? figures.read() : null;
  }
}

/**
 * Outputs of a model for many samples, in evaluation mode, batch by batch. The model's mode is put back.
 *
 * @param model any module from `[n, ...]` to `[n, ...]`.
 * @param x `[n, ...]`: a data set (its x, transformed), a tensor, or arrays as `TensorDataset` takes them.
 * @returns the outputs of all samples as one tensor `[n, ...]`.
 * @throws DataError without samples; ShapeError when the model does not keep axis 0.
 * @example const classes = await (await predict(model, test)).argmax({ axis: -1 }).data();
 */
export async function predict<Out = Tensor>(
  model: Module<never[], Out>,
  x: TensorDataset | Inputs,
  options: PredictOptions = {},
): Promise<Out> {
  checkModel('predict', model);
  checkOptions('predict', options, ['batchSize']);
  const size = wholeNumber('predict: batchSize', options.batchSize ?? EVALUATION_BATCH, 1);
  const table = inputTable(x);
  const batchSize = Math.min(size, table.length);
  let template: TensorTree | null = null;
  let kinds: readonly { readonly shape: Shape; readonly dtype: DType }[] = [];
  const step = compile((...flat: Tensor[]) => {
    const rows = table.layout.unflatten(flat);
    const outputs = forward(model, table.transform(rows.x));
    const list = leaves(outputs) as Tensor[];
    for (const out of list) {
      if (!(out instanceof Tensor)) throw new OptionError(`predict: the model gives a ${typeof out}, expected tensors`);
      if (out.shape[0] === flat[0].shape[0]) continue;
      throw new ShapeError(
        `predict: ${flat[0].shape[0]} samples gave outputs [${out.shape}], expected as many in axis 0`,
      );
    }
    template = outputs;
    kinds = list.map(({ shape, dtype }) => ({ shape: shape.slice(1), dtype }));
    return list;
  });
  const program: Program = { step, add: null, accumulate: 1, inMode: (issue) => inMode(model, false, issue) };
  const feed = new RowFeed(program, table, await table.index.order(false), batchSize);
  let all: HostArray[] | null = null;
  const onChunk = ({ parts, firstStep }: Chunk): void => {
    all ??= kinds.map(({ dtype, shape }) => {
      const length = table.length * sizeOf(shape);
      return hostView(dtype, new ArrayBuffer(length * itemSize(dtype)), 0, length);
    });
    for (const [i, target] of all.entries()) {
      target.set(parts[0].values[i] as Float32Array, firstStep * batchSize * sizeOf(kinds[i].shape));
    }
  };
  try {
    await runPass({ feed, pace: new Pace(), onChunk });
  } catch (error) {
    throw error instanceof StepFailure ? await explain('predict', 'prediction', error, { model }) : error;
  }
  let next = 0;
  return mapTree(template, () => {
    const { shape, dtype } = kinds[next];
    return tensor((all as unknown as HostArray[])[next++], { shape: [table.length, ...shape], dtype });
  }) as Out;
}
