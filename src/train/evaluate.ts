import {
  type Compiled,
  compile,
  type DType,
  type HostArray,
  itemSize,
  type Shape,
  ShapeError,
  type Tensor,
  tensor,
} from '../core.js';
import { type DataInput, TensorDataset } from '../data/index.js';
import { hostView } from '../dtype.js';
import type { Module } from '../nn/index.js';
import { checkOptions, wholeNumber } from '../options.js';
import { sizeOf } from '../shape.js';
import { type Chunk, Pace, runPass, StepFailure } from './chunks.js';
import { explain } from './diagnose.js';
import {
  asDataset,
  checkModel,
  type DataLike,
  Figures,
  inMode,
  Objective,
  type ObjectiveOptions,
} from './objective.js';

export interface EvaluateOptions extends ObjectiveOptions {
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
export async function evaluate(
  model: Module,
  data: DataLike,
  options: EvaluateOptions,
): Promise<Record<string, number> & { loss: number }> {
  checkModel('evaluate', model);
  checkOptions('evaluate', options, ['loss', 'metrics', 'batchSize']);
  const objective = new Objective('evaluate', options);
  const dataset = await objective.prepare(asDataset('evaluate', data));
  const figures = await new Evaluation('evaluate', model, objective, dataset, options.batchSize).run();
  return figures as NonNullable<typeof figures>;
}

/** A compiled evaluation that can be run again, after each epoch. */
export class Evaluation {
  private readonly where: string;
  private readonly model: Module;
  private readonly objective: Objective;
  private readonly data: TensorDataset;
  private readonly batchSize: number;
  private readonly step: Compiled<[Tensor, Tensor], Tensor[]>;
  private readonly pace = new Pace();

  constructor(where: string, model: Module, objective: Objective, data: TensorDataset, batchSize?: number) {
    const size = wholeNumber(`${where}: batchSize`, batchSize ?? EVALUATION_BATCH, 1);
    this.where = where;
    this.model = model;
    this.objective = objective;
    this.data = data;
    this.batchSize = Math.min(size, data.length);
    this.step = compile((x: Tensor, y: Tensor) => {
      const outputs = model.forward(data.transform(x));
      return [objective.lossOf(outputs, y), ...objective.metricSums(outputs, y)];
    });
  }

  /** The figures, or null when the signal ended the pass. */
  async run(signal?: AbortSignal): Promise<(Record<string, number> & { loss: number }) | null> {
    const { data, model, objective, step, pace, batchSize } = this;
    const figures = new Figures(objective.metrics);
    const order = await data.order(false);
    const pass = { step, data: [data.x, data.y], order, batchSize, pace, signal, onChunk: figures.add.bind(figures) };
    try {
      await inMode(model, false, () => runPass(pass));
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      throw await explain(this.where, 'evaluation', error, { model, data });
    }
    return figures.samples === data.length ? figures.read() : null;
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
export async function predict(
  model: Module,
  x: TensorDataset | DataInput,
  options: PredictOptions = {},
): Promise<Tensor> {
  checkModel('predict', model);
  checkOptions('predict', options, ['batchSize']);
  const size = wholeNumber('predict: batchSize', options.batchSize ?? EVALUATION_BATCH, 1);
  const data = x instanceof TensorDataset ? x : TensorDataset.unlabelled(x);
  const batchSize = Math.min(size, data.length);
  let shape: Shape = [];
  let dtype: DType = 'float32';
  const step = compile((rows: Tensor) => {
    const outputs = model.forward(data.transform(rows));
    if (outputs.shape[0] !== rows.shape[0]) {
      throw new ShapeError(
        `predict: ${rows.shape[0]} samples gave outputs [${outputs.shape}], expected as many in axis 0`,
      );
    }
    shape = outputs.shape.slice(1);
    dtype = outputs.dtype;
    return [outputs];
  });
  const order = await data.order(false);
  const pace = new Pace();
  let all: HostArray | null = null;
  const onChunk = ({ values, firstStep }: Chunk): void => {
    const width = sizeOf(shape);
    all ??= hostView(dtype, new ArrayBuffer(data.length * width * itemSize(dtype)), 0, data.length * width);
    all.set(values[0] as Float32Array, firstStep * batchSize * width);
  };
  try {
    await inMode(model, false, () => runPass({ step, data: [data.x], order, batchSize, pace, onChunk }));
  } catch (error) {
    throw error instanceof StepFailure ? await explain('predict', 'prediction', error, { model, data }) : error;
  }
  return tensor(all as unknown as HostArray, { shape: [data.length, ...shape], dtype });
}
